//! Showing that one's address is one's own.

use ambit_core::page;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::{Me, failed};
use crate::middleware::RequestContext;
use crate::problem::Answer;
use crate::state::App;
use crate::web::letters;

/// Sends the person a letter with a link that shows it.
pub async fn ask_for_proof(State(app): State<App>, request: Request) -> Response {
    let (me, parts, _) = match Me::posting(&app, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let person = &me.signed_in.person;
    if !app.mail.is_on() || person.user.email_verified {
        return me.done("nothing_to_confirm", "/account/");
    }
    let context = RequestContext::of(&parts, &app);
    let account = person.id().to_string();
    if let Err(wait) = app.visits.take_letter(&account, context.client_address, app.steady_moment()) {
        let refused =
            Answer::of(&parts, &app).problem(&page::TOO_MANY_REQUESTS, "so many letters were sent to you lately");
        let mut response = refused.into_response();
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.retry_after_secs));
        return response;
    }
    match letters::ask_for_proof(&app, person, &parts.headers, context.trace_id).await {
        Ok(()) => {
            let mut response = letters::told_of_proof(me.language);
            me.note(&mut response, "proof_asked_for");
            response
        }
        Err(error) => failed(&app, &parts, &error),
    }
}
