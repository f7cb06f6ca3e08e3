//! `GET|POST {issuer}/connect/endsession` (OpenID Connect RP-Initiated Logout 1.0): an application sends somebody here to sign out.
//!
//! 1. An ID token of ours as `id_token_hint` says whom, in which session, and which application asks. It may have expired (§2).
//! 2. A good hint that means the person of this browser, or nobody is signed in: the session ends, with what was lent for as long
//!    as it lasts, and the browser goes back where the application asks, if that address is registered for it, character by
//!    character (§3).
//! 3. Without one anybody may have sent the browser here, so the person is asked (§2), and the browser goes nowhere by itself.
//!    An address that is registered for the application that was named is then a link on the page.

use ambit_core::client::Client;
use ambit_core::page;
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::Sessions;
use ambit_protocol::admin::application::ApplicationStatus;
use ambit_protocol::claims::IdTokenHint;
use ambit_protocol::id::{SessionId, UserId};
use ambit_protocol::params::{ParamRules, Params};
use ambit_protocol::verify;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use crate::body;
use crate::issuer::Issuer;
use crate::logout;
use crate::middleware::Outcome;
use crate::problem::Answer;
use crate::session::{self, Browser, SignedIn, check_form, form_token, signed_in};
use crate::state::App;
use crate::web;
use crate::web::branding::Brand;
use crate::web::sign_out::{AskPage, Asked, Onward, SignedOutPage};

/// Signs somebody out.
pub async fn end_session(State(app): State<App>, issuer: Issuer, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = Answer::of(&parts, &app);
    // §2: "OpenID Providers MUST support the use of the HTTP GET and POST methods".
    let sent = if parts.method == Method::POST {
        match body::read(&app, &parts.extensions, body, app.config.limits.body_bytes.get()).await {
            Ok(body) => body,
            Err(error) => return answer.problem(error.page(), &error.to_string()).into_response(),
        }
    } else {
        parts.uri.query().unwrap_or_default().as_bytes().to_vec().into()
    };
    let params = match Params::parse(&sent, RULES) {
        Ok(params) => params,
        Err(error) => return answer.problem(&page::INVALID_REQUEST, &error.to_string()).into_response(),
    };
    let leaving = Leaving { app: &app, issuer: &issuer, parts: &parts, params: &params };
    match leaving.answer().await {
        Ok(response) => response,
        Err(error) => answer.store_failure(&error).into_response(),
    }
}

/// A request to sign somebody out, taken apart.
struct Leaving<'a> {
    app: &'a App,
    issuer: &'a Issuer,
    parts: &'a Parts,
    params: &'a Params<'a>,
}

/// What a good hint says: an ID token of this issuer, for a client that is still here.
struct Hint {
    user: UserId,
    session: Option<SessionId>,
}

impl Leaving<'_> {
    async fn answer(&self) -> Result<Response, StoreError> {
        let app = self.app;
        let person = signed_in(app, &self.parts.headers, app.clock.now()).await?;
        let hint = self.hint();
        let named = hint.as_ref().map(|hint| hint.aud.as_str()).or_else(|| self.params.get("client_id"));
        let client = match named {
            Some(client_id) => self.client(client_id).await?,
            None => None,
        };
        let back = client.as_deref().and_then(|client| self.back(client));
        let hint = hint.zip(client.as_deref()).and_then(|(hint, client)| Hint::of(app, client, &hint));
        let asked = Asked {
            application: client.as_ref().map(|client| client.application.name.to_string()),
            client_id: self.params.get("client_id").map(str::to_owned),
            post_logout_redirect_uri: self.params.get("post_logout_redirect_uri").map(str::to_owned),
            state: self.params.get("state").map(str::to_owned),
        };
        match (person, hint) {
            (Some(person), Some(hint)) if hint.user != person.person.id() => self.ask(&person, &asked).await,
            (person, Some(hint)) => self.end_as_hinted(person.as_ref(), &hint, back, &asked).await,
            (Some(person), None) => match self.params.get("form") {
                Some(token) => self.end_as_confirmed(&person, token, back, &asked).await,
                None => self.ask(&person, &asked).await,
            },
            // A form of another site comes without the session's cookie (`SameSite=Lax`); a page that is opened comes with it.
            (None, None) if self.parts.method == Method::POST && self.params.get("form").is_none() => {
                Ok(web::see_other(&self.again()))
            }
            (None, None) => {
                let brand = self.brand(None).await?;
                Ok(self.signed_out(brand, back, vec![], Onward::ByHand, &asked))
            }
        }
    }

    /// What the hint says, where it is an ID token of this issuer, and for the client that the request names, if it names one.
    fn hint(&self) -> Option<IdTokenHint> {
        let token = self.params.get("id_token_hint")?;
        let snapshot = self.app.registry.snapshot();
        let issuer = self.issuer.url(&self.app.base_url);
        let hint = verify::id_token_hint(token, &**snapshot.keys.verifying(), &issuer).ok()?.into_claims();
        // §2: "the OP MUST verify that the Client Identifier matches the one used when issuing the ID Token".
        self.params.get("client_id").is_none_or(|client_id| client_id == hint.aud).then_some(hint)
    }

    /// The client, where it is one of this issuer's and in use.
    async fn client(&self, client_id: &str) -> Result<Option<std::sync::Arc<Client>>, StoreError> {
        let app = self.app;
        let Some(client) = app.registry.client(client_id).await? else { return Ok(None) };
        let own = Issuer::of(&client.application, &app.registry).await?;
        let is_in_use = client.application.status == ApplicationStatus::Active;
        Ok((own.as_ref() == Some(self.issuer) && is_in_use).then_some(client))
    }

    /// Where the client asks the browser to be sent, if it may. §3: "the OP MUST NOT perform post-logout redirection if the
    /// `post_logout_redirect_uri` value supplied does not exactly match one of the previously registered" ones.
    fn back(&self, client: &Client) -> Option<String> {
        let wanted = self.params.get("post_logout_redirect_uri")?;
        let registered = &client.application.post_logout_redirect_uris;
        if !registered.iter().any(|uri| uri.as_str() == wanted) {
            return None;
        }
        Some(match self.params.get("state") {
            None => wanted.to_owned(),
            Some(state) => web::with_query(wanted, [("state", state)]),
        })
    }

    /// Ends the session that the hint names and the one of this browser, both the same person's, and goes back.
    async fn end_as_hinted(
        &self,
        person: Option<&SignedIn>,
        hint: &Hint,
        back: Option<String>,
        asked: &Asked,
    ) -> Result<Response, StoreError> {
        let app = self.app;
        let now = app.clock.now();
        let here = person.map(|person| person.session.id);
        // The hint's subject was signed with its session, and still a session is ended as its person's only.
        let theirs = app.store.sign_ins().sessions_of(hint.user).await?;
        let hinted = hint.session.filter(|id| theirs.iter().any(|session| session.id == *id));
        let ending: Vec<SessionId> = here.into_iter().chain(hinted.filter(|id| Some(*id) != here)).collect();
        let frames = logout::frames(app, &ending).await?;
        let brand = self.brand(person).await?;
        for id in ending {
            session::end(app, Sessions::One(id), now).await?;
        }
        let mut response = match back {
            Some(address) if frames.is_empty() => web::leave_for(&address),
            back => self.signed_out(brand, back, frames, Onward::ByItself, asked),
        };
        self.forget(&mut response, hint.user);
        Ok(response)
    }

    /// Ends the session of whoever said so on our own page.
    async fn end_as_confirmed(
        &self,
        person: &SignedIn,
        token: &str,
        back: Option<String>,
        asked: &Asked,
    ) -> Result<Response, StoreError> {
        let app = self.app;
        let browser = Browser::of(app, &self.parts.headers);
        let is_ours = browser.is_some_and(|browser| {
            check_form(app, self.parts, &browser, &purpose(person), token).is_ok() && self.parts.method == Method::POST
        });
        if !is_ours {
            let detail = "this form is not the one that this browser was given; open its page again";
            return Ok(Answer::of(self.parts, app).problem(&page::FORBIDDEN, detail).into_response());
        }
        let frames = logout::frames(app, &[person.session.id]).await?;
        let brand = self.brand(Some(person)).await?;
        session::end(app, Sessions::One(person.session.id), app.clock.now()).await?;
        let mut response = self.signed_out(brand, back, frames, Onward::ByHand, asked);
        self.forget(&mut response, person.person.id());
        Ok(response)
    }

    async fn ask(&self, person: &SignedIn, asked: &Asked) -> Result<Response, StoreError> {
        let app = self.app;
        let (browser, new) = Browser::of_or_new(app, &self.parts.headers);
        let page = AskPage::new(
            self.language(person.person.user.locale.as_deref()),
            self.brand(Some(person)).await?,
            format!("{}/connect/endsession", self.issuer_path()),
            form_token(app, &browser, &purpose(person)),
            person.person.user.email.as_str(),
            asked,
        );
        let mut response = web::for_a_person(&page);
        if let Some(set_cookie) = new {
            response.headers_mut().append(header::SET_COOKIE, set_cookie);
        }
        Ok(response)
    }

    fn signed_out(
        &self,
        brand: Option<Brand>,
        back: Option<String>,
        frames: Vec<String>,
        onward: Onward,
        asked: &Asked,
    ) -> Response {
        SignedOutPage::new(self.language(None), brand, back, &frames, onward, asked).into_response()
    }

    /// Whose page it is: that of the person's tenant; of the issuer's, where nobody is signed in.
    async fn brand(&self, person: Option<&SignedIn>) -> Result<Option<Brand>, StoreError> {
        match (person, self.issuer.tenant()) {
            (Some(person), _) => Brand::of_user(self.app, &person.person.user).await,
            (None, Some(slug)) => Ok(self.app.registry.tenant(slug).await?.map(|tenant| Brand::of(&tenant))),
            (None, None) => Ok(None),
        }
    }

    fn language(&self, locale: Option<&str>) -> ambit_knowledge::Language {
        web::language_of([self.params.get("ui_locales"), locale], &self.parts.headers)
    }

    fn forget(&self, response: &mut Response, user: UserId) {
        response.headers_mut().append(header::SET_COOKIE, session::forgotten(self.app));
        response.extensions_mut().insert(Outcome {
            actor: Some(user.to_string()),
            tenant: self.issuer.tenant().map(str::to_owned),
            outcome: "signed_out",
            ..Outcome::default()
        });
    }

    /// This request once more, as a page that is opened. The hint was none, and does not go along.
    fn again(&self) -> String {
        let names = ["client_id", "post_logout_redirect_uri", "state", "ui_locales"];
        let kept = names.into_iter().filter_map(|name| Some((name, self.params.get(name)?)));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        format!("{}/connect/endsession?{query}", self.issuer_path())
    }

    fn issuer_path(&self) -> String {
        self.issuer.url("").into_owned()
    }
}

impl Hint {
    /// None for a hint whose subject is no person of ours.
    fn of(app: &App, client: &Client, claims: &IdTokenHint) -> Option<Self> {
        let user = app.subjects.user(&client.application, &claims.sub)?;
        Some(Self { user, session: claims.sid.as_ref().and_then(|sid| sid.parse().ok()) })
    }
}

/// What the form is good for: to end this session, and no other.
fn purpose(person: &SignedIn) -> String {
    format!("end session {}", person.session.id)
}

/// What the endpoint understands (§2), and the token of its own form. `logout_hint` says nothing that the cookie does not say.
pub(super) const RULES: ParamRules = ParamRules::new(&[
    "id_token_hint",
    "logout_hint",
    "client_id",
    "post_logout_redirect_uri",
    "state",
    "ui_locales",
    "form",
]);
