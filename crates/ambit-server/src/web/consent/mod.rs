//! `/consent/{id}`: a person decides what an application may do for them.
//!
//! 1. `Waiting::find`: the request that waits, of this very browser, whose person is signed in.
//! 2. A [`ConsentQuestion`] says what it is about, with the facts of now. It is asked anew when the form comes back, so nothing
//!    that a form says can add to it.
//! 3. `Waiting::show` is the page, `Waiting::answered` what becomes of its form.
//!
//! Both ways lead on to `/sign-in/{id}/continue`, which decides with what was kept. To come back here and answer again, or to
//! send a form twice, is to answer once more.

mod view;
mod wording;

use ambit_core::authorize::rule_facts;
use ambit_core::client::Facts;
use ambit_core::consent::{Consented, Question};
use ambit_core::page;
use ambit_core::sign_in::{Destination, Interaction};
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::Consent;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use self::view::{ConsentPage, Publisher};
use super::named::Named;
use super::posted::Posted;
use super::sign_in::{Outside, Underway, to_go_on, to_step};
use super::{for_a_person, language_of, leading_to};
use crate::middleware::Outcome;
use crate::oauth::authorize;
use crate::problem::Answer;
use crate::session::{SignedIn, check_form, form_token, signed_in};
use crate::state::App;

/// Asks.
pub async fn show(State(app): State<App>, Named(id): Named, parts: Parts) -> Response {
    match Waiting::with_question(&app, &parts, &id).await {
        Ok((waiting, question)) => waiting.show(&app, &parts, &question).await,
        Err(response) => response,
    }
}

/// Takes the answer.
pub async fn answer(State(app): State<App>, Named(id): Named, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match Waiting::with_question(&app, &parts, &id).await {
        Ok((waiting, question)) => waiting.answered(&app, &parts, body, &question).await,
        Err(response) => response,
    }
}

/// A request that waits for the consent of its person.
#[derive(Debug)]
struct Waiting {
    underway: Underway,
    /// Its person.
    signed_in: SignedIn,
}

/// What a person is asked about.
#[derive(Debug)]
pub struct ConsentQuestion {
    /// All that a decision for the application knows now.
    pub facts: Facts,
    /// The roles that the person holds now.
    pub roles: Vec<RoleName>,
    /// The places of the resources that were named.
    pub resources: Vec<usize>,
    /// The scopes that the request is about.
    pub scopes: Vec<ScopeToken>,
    /// Where the browser is sent back to: proven to be the application's own.
    pub redirect_uri: String,
}

impl ConsentQuestion {
    /// The choices, by the rules of now.
    #[must_use]
    pub fn choices(&self, now: Timestamp) -> Question {
        Question::of(&self.scopes, &rule_facts(&self.facts, &self.resources, &self.roles, None, None, now))
    }
}

impl Waiting {
    async fn with_question(app: &App, parts: &Parts, id: &str) -> Result<(Self, ConsentQuestion), Response> {
        let waiting = Self::find(app, parts, id).await?;
        let question = authorize::question(app, parts, &waiting.underway.interaction, &waiting.signed_in).await?;
        Ok((waiting, question))
    }

    /// The request of this name, if this browser began it and its person is signed in here.
    ///
    /// # Errors
    /// The answer: 404 where nothing waits under this name, 403 for another browser, the way to sign in for anybody else.
    async fn find(app: &App, parts: &Parts, id: &str) -> Result<Self, Response> {
        let answer = Answer::of(parts, app);
        let failed = |error: StoreError| answer.store_failure(&error).into_response();
        let refused = |page, detail| answer.problem(page, detail).into_response();
        let underway = Underway::look_up(app, parts, id).await.map_err(|outside| match outside {
            Outside::Over => {
                refused(&page::NOT_FOUND, "nothing waits here any more; go back to the application and begin again")
            }
            Outside::OtherBrowser => refused(
                &page::FORBIDDEN,
                "this was begun in another browser; go back to the application and begin again in this one",
            ),
            Outside::Failed(error) => failed(error),
        })?;
        let Destination::Authorize { .. } = underway.interaction.destination else {
            return Err(refused(&page::NOT_FOUND, "nothing waits here"));
        };
        let signed_in = signed_in(app, &parts.headers, app.clock.now()).await.map_err(failed)?;
        match signed_in.filter(|signed_in| underway.interaction.session == Some(signed_in.session.id)) {
            Some(signed_in) => Ok(Self { underway, signed_in }),
            None => Err(to_step(id)),
        }
    }

    /// The page.
    async fn show(&self, app: &App, parts: &Parts, asked: &ConsentQuestion) -> Response {
        let answer = Answer::of(parts, app);
        let question = asked.choices(app.clock.now());
        let looked_up = async {
            let consented = self.consented(app, asked).await?;
            Ok((consented, Publisher::find(app, &asked.facts, self.signed_in.person.owner()).await?))
        };
        let (consented, publisher) = match looked_up.await {
            Ok(found) => found,
            Err(error) => return answer.store_failure(&error).into_response(),
        };
        let wishes = [self.underway.interaction.ui_locales.as_deref(), self.signed_in.person.user.locale.as_deref()];
        let language = language_of(wishes, &parts.headers);
        let token = form_token(app, &self.underway.browser, &self.purpose());
        let page = ConsentPage::new(
            (&self.underway.id, token),
            asked,
            (&question, &consented),
            &publisher,
            &self.signed_in,
            language,
        );
        let mut response = for_a_person(&page);
        leading_to(response.headers_mut(), &asked.redirect_uri, None);
        response
    }

    /// Keeps what the form says, and leads on.
    async fn answered(&self, app: &App, parts: &Parts, body: Body, asked: &ConsentQuestion) -> Response {
        let answer = Answer::of(parts, app);
        let form = match Posted::read(app, parts, body).await {
            Ok(form) => form,
            Err(refused) => return refused,
        };
        let token = form.one("form").unwrap_or_default();
        if let Err(forged) = check_form(app, parts, &self.underway.browser, &self.purpose(), token) {
            return answer.problem(&page::FORBIDDEN, &forged.to_string()).into_response();
        }
        let is_denied = match form.one("answer") {
            Some("allow") => false,
            Some("deny") => true,
            _ => {
                let detail = "the form says answer=allow or answer=deny";
                return answer.problem(&page::INVALID_REQUEST, detail).into_response();
            }
        };
        let ticked: Vec<&str> = form.all("scope").collect();
        match self.keep(app, asked, is_denied, &ticked).await {
            Ok(()) => self.led_on(asked, is_denied),
            Err(error) => answer.store_failure(&error).into_response(),
        }
    }

    async fn keep(
        &self,
        app: &App,
        asked: &ConsentQuestion,
        is_denied: bool,
        ticked: &[&str],
    ) -> Result<(), StoreError> {
        if !is_denied {
            self.agree(app, asked, ticked).await?;
        }
        let interaction = &self.underway.interaction;
        if interaction.denied != is_denied {
            // Where another form of this page was quicker, what that one said stands; both lead on to the same decision.
            self.underway.advance(app, &Interaction { denied: is_denied, ..interaction.clone() }).await?;
        }
        Ok(())
    }

    /// Adds what was ticked, and takes away what was not, to what is kept by then: an answer to another question, or a withdrawal,
    /// may come between.
    async fn agree(&self, app: &App, asked: &ConsentQuestion, ticked: &[&str]) -> Result<(), StoreError> {
        let now = app.clock.now();
        let question = asked.choices(now);
        let catalogue = &*asked.facts.catalogue;
        let granted = question.granted(|name| ticked.contains(&name), catalogue);
        let (user_id, application_id) = (self.signed_in.person.id(), asked.facts.client.application.id);
        let sign_ins = app.store.sign_ins();
        loop {
            let before = sign_ins.find_consent(user_id, application_id).await?;
            let consented = read(before.as_ref())?.with(&granted, &question.asked(catalogue), catalogue, now);
            let document = serde_json::to_string(&consented).map_err(|error| StoreError::Unavailable(error.into()))?;
            let consent = Consent { user_id, application_id, updated_at: now, document };
            if sign_ins.keep_consent(&consent, before.as_ref()).await? {
                return Ok(());
            }
        }
    }

    async fn consented(&self, app: &App, asked: &ConsentQuestion) -> Result<Consented, StoreError> {
        let person = self.signed_in.person.id();
        consented_to(app, person, asked.facts.client.application.id).await
    }

    fn led_on(&self, asked: &ConsentQuestion, is_denied: bool) -> Response {
        let mut response = to_go_on(&self.underway.id);
        response.extensions_mut().insert(Outcome {
            actor: Some(self.signed_in.person.id().to_string()),
            tenant: asked.facts.tenant.as_ref().map(|tenant| tenant.tenant.slug.to_string()),
            outcome: if is_denied { "denied" } else { "consented" },
            ..Outcome::default()
        });
        response
    }

    /// What its form is good for, and no other.
    fn purpose(&self) -> String {
        format!("consent {}", self.underway.id)
    }
}

/// What a person agreed to for an application; nothing where they were never asked.
///
/// # Errors
/// Those of the store.
pub async fn consented_to(
    app: &App,
    person: ambit_protocol::id::UserId,
    application: ambit_protocol::id::ApplicationId,
) -> Result<Consented, StoreError> {
    read(app.store.sign_ins().find_consent(person, application).await?.as_ref())
}

/// What a consent is to; to nothing where there is none.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn read(consent: Option<&Consent>) -> Result<Consented, StoreError> {
    let Some(consent) = consent else { return Ok(Consented::default()) };
    serde_json::from_str(&consent.document).map_err(|error| StoreError::Corrupt {
        resource: Resource::User,
        id: consent.user_id.to_string(),
        source: error.into(),
    })
}
