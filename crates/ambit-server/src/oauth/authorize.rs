//! `GET|POST {issuer}/connect/authorize` (RFC 6749 §4.1, OpenID Connect Core §3.1.2): a browser brings an application's request.
//!
//! 1. Client and redirect URI. Until they are proven to belong together the person sees a page, and nothing is sent anywhere;
//!    afterwards a [`Callback`] carries every answer, errors included, always with `iss` (RFC 9207).
//! 2. The rest of the request, and what the client may do at all.
//! 3. Who the person is. Where they have to do something first, the request waits as an interaction, and comes back through
//!    [`resume`] with the very same parameters: everything is looked at again, with the facts of then.
//! 4. What they lend. Scopes are looked at only now: nobody is sent to an application with an error before they were seen
//!    (RFC 9700 §4.11.2).

use ambit_core::authentication::Authentication;
use ambit_core::authorize::{
    Callback, CodeDocument, Lent, Need, Unproven, callback, check_client, grantable, is_asked_anew, is_assured,
    least_acr, lend, need,
};
use ambit_core::client::{Client, Facts};
use ambit_core::consent::Consented;
use ambit_core::entropy::new_id;
use ambit_core::opaque_token::OpaqueToken;
use ambit_core::page::{self, Page};
use ambit_core::refusal::{Refusal, Unasked};
use ambit_core::registry::may_look_at;
use ambit_core::secret::SecretHash;
use ambit_core::sign_in::{Destination, Interaction, Progress};
use ambit_core::store::StoreError;
use ambit_core::store::sign_in::Code;
use ambit_knowledge::Language;
use ambit_protocol::admin::application::ConsentPolicy;
use ambit_protocol::admin::text::Slug;
use ambit_protocol::authorization_request::{Address, AuthorizationRequest, ResponseMode};
use ambit_protocol::id::{ApplicationId, SessionId, UserId};
use ambit_protocol::params::Params;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Verified};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use super::unavailable;
use crate::body::{self, BodyError};
use crate::issuer::Issuer;
use crate::logs::with_causes;
use crate::middleware::{Outcome, RequestContext};
use crate::registry::Acting;
use crate::session::{Beginning, SignedIn, signed_in};
use crate::state::App;
use crate::web;
use crate::web::authorize::{FormPostPage, LostPage, Registered, Why};
use crate::web::consent::{ConsentQuestion, read};

/// Takes a request of a browser.
pub async fn authorize(State(app): State<App>, issuer: Issuer, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // OpenID Connect Core §3.1.2.1: "Authorization Servers MUST support the use of the HTTP GET and POST methods".
    let parameters = if parts.method == Method::POST {
        match body::read(&app, &parts.extensions, body, app.config.limits.body_bytes.get()).await {
            Ok(body) => match String::from_utf8(body.into()) {
                Ok(parameters) => parameters,
                Err(_) => {
                    let detail = "the parameters are not valid UTF-8 (RFC 6749 Appendix B)";
                    return lost(&app, &parts, &Lost::unreadable(detail));
                }
            },
            Err(error) => return lost(&app, &parts, &Lost::unread(&error, &error.to_string())),
        }
    } else {
        parts.uri.query().unwrap_or_default().to_owned()
    };
    let now = app.clock.now();
    let asking = Asking { app: &app, parts: &parts, issuer: &issuer, parameters: &parameters, now, waits_since: None };
    asking.answer().await
}

/// Goes on with a request that waited for its person, who is signed in now.
pub async fn resume(
    app: &App,
    parts: &Parts,
    id: &str,
    interaction: Interaction,
    version: u32,
    signed_in: &SignedIn,
) -> Response {
    let Destination::Authorize { issuer, parameters } = &interaction.destination else {
        return lost(app, parts, &Lost::over());
    };
    let issuer = issuer_of(issuer.as_ref());
    let asking = Asking {
        app,
        parts,
        issuer: &issuer,
        parameters,
        now: app.clock.now(),
        waits_since: Some(interaction.begun_at),
    };
    let waited = Waited { id, version, is_denied: interaction.denied };
    asking.resumed(&waited, signed_in).await
}

/// Goes on with a request whose person has just shown who they are, where nothing stands between them and the application: what
/// waited ends, the session begins and the code is kept in one commit.
///
/// # Errors
/// Those of the store.
pub async fn resume_at_once(
    app: &App,
    parts: &Parts,
    id: &str,
    interaction: &Interaction,
    version: u32,
    beginning: &Beginning,
) -> Result<AtOnce, StoreError> {
    let Destination::Authorize { issuer, parameters } = &interaction.destination else { return Ok(AtOnce::NotYet) };
    let issuer = issuer_of(issuer.as_ref());
    let waits_since = Some(interaction.begun_at);
    let asking = Asking { app, parts, issuer: &issuer, parameters, now: app.clock.now(), waits_since };
    let waited = Waited { id, version, is_denied: interaction.denied };
    asking.resumed_at_once(&waited, beginning).await
}

/// What the person of an interaction is asked about: asked anew each time, with the facts of now.
///
/// # Errors
/// The answer, where there is nothing to ask.
pub async fn question(
    app: &App,
    parts: &Parts,
    interaction: &Interaction,
    signed_in: &SignedIn,
) -> Result<ConsentQuestion, Response> {
    let Destination::Authorize { issuer, parameters } = &interaction.destination else {
        return Err(lost(app, parts, &Lost::over()));
    };
    let issuer = issuer_of(issuer.as_ref());
    let waits_since = Some(interaction.begun_at);
    let asking = Asking { app, parts, issuer: &issuer, parameters, now: app.clock.now(), waits_since };
    let asked = asking.read().await?;
    match asking.question(&asked, signed_in).await {
        Ok(question) => Ok(question),
        Err(refusal) => Err(asking.refused(&asked.callback, &refusal)),
    }
}

/// Where an interaction leads in the end, for the policy of its pages: a browser that posts a form of ours and is sent on to
/// the application looks for that place in `form-action`. Proven when the interaction began.
pub async fn leads_to(app: &App, destination: &Destination) -> Option<String> {
    let Destination::Authorize { parameters, .. } = destination else { return None };
    let params = Params::parse(parameters.as_bytes(), AuthorizationRequest::RULES).ok()?;
    let address = AuthorizationRequest::address(&params).ok()?;
    let client = app.registry.client(&address.client_id).await.ok()??;
    callback(Some(&client), &address).ok().map(|callback| callback.redirect_uri().to_owned())
}

/// What became of going on at once.
#[derive(Debug)]
pub enum AtOnce {
    /// The browser goes to the application with this.
    Gone(Response),
    /// There is more to it than a code, and nothing is kept yet.
    NotYet,
    /// The same form was sent twice, and the other one counts; or the session that was to go on was ended meanwhile.
    Never,
}

/// A request that is being taken apart.
struct Asking<'a> {
    app: &'a App,
    parts: &'a Parts,
    issuer: &'a Issuer,
    /// As they were sent.
    parameters: &'a str,
    now: Timestamp,
    /// Since when it waits for its person, where it does: what they do since then they do for it.
    waits_since: Option<Timestamp>,
}

/// A request whose callback is proven.
struct Asked {
    client: std::sync::Arc<Client>,
    callback: Callback,
    request: AuthorizationRequest,
}

/// What a person said to an application before, and when.
struct KeptConsent {
    consented: Consented,
    said_at: Timestamp,
}

/// An interaction that comes back.
struct Waited<'a> {
    id: &'a str,
    version: u32,
    is_denied: bool,
}

impl Asking<'_> {
    async fn answer(&self) -> Response {
        let asked = match self.read().await {
            Ok(asked) => asked,
            Err(response) => return response,
        };
        let found = match signed_in(self.app, &self.parts.headers, self.now).await {
            Ok(found) => found,
            Err(error) => return self.failed(&asked.callback, error),
        };
        let fitting = match self.fitting(&asked, found).await {
            Ok(fitting) => fitting,
            Err(error) => return self.failed(&asked.callback, error),
        };
        let authentication = fitting.as_ref().map(|found| &found.authentication);
        match (self.need(&asked, authentication), &fitting) {
            (Ok(()), Some(person)) => self.lend(&asked, person, None).await,
            (Err(Need::Unattainable), _) => self.refused(&asked.callback, &Refusal::Unasked(Unasked::Unattainable)),
            (Ok(()) | Err(Need::SignIn), _) if asked.request.prompt.none => {
                self.refused(&asked.callback, &Refusal::Unasked(Unasked::Login))
            }
            (Ok(()) | Err(Need::SignIn), _) => self.begin(&asked, Progress::default(), None).await,
        }
    }

    async fn resumed(&self, waited: &Waited<'_>, person: &SignedIn) -> Response {
        let asked = match self.read().await {
            Ok(asked) => asked,
            Err(response) => return response,
        };
        if waited.is_denied {
            return match self.end(waited, &asked.callback).await {
                Ok(()) => self.refused(&asked.callback, &Refusal::Denied),
                Err(response) => response,
            };
        }
        let fitting = match self.fitting(&asked, Some(person.clone())).await {
            Ok(fitting) => fitting,
            Err(error) => return self.failed(&asked.callback, error),
        };
        let need = match fitting {
            Some(_) => self.need(&asked, Some(&person.authentication)).map_err(Some),
            None => Err(None),
        };
        let Err(need) = need else { return self.lend(&asked, person, Some(waited)).await };
        if let Err(response) = self.end(waited, &asked.callback).await {
            return response;
        }
        match need {
            // They took their time, and the proof is too old by now; or they proved less since, in another tab.
            Some(Need::SignIn) => self.begin(&asked, Progress::default(), None).await,
            Some(Need::Unattainable) => self.refused(&asked.callback, &Refusal::Unasked(Unasked::Unattainable)),
            None => self.refused(&asked.callback, &Refusal::Unasked(Unasked::OtherPerson)),
        }
    }

    async fn resumed_at_once(&self, waited: &Waited<'_>, beginning: &Beginning) -> Result<AtOnce, StoreError> {
        let person = &beginning.signed_in;
        let Ok(asked) = self.read().await else { return Ok(AtOnce::NotYet) };
        let is_fitting = self.fitting(&asked, Some(person.clone())).await?.is_some();
        if waited.is_denied || !is_fitting || self.need(&asked, Some(&person.authentication)).is_err() {
            return Ok(AtOnce::NotYet);
        }
        let Ok(Some(issued)) = self.lendable(&asked, person).await else { return Ok(AtOnce::NotYet) };
        // What is sent together shares a commit, in this order: of the session's end an application is told that joined it, and nobody
        // joins a session that is not there. Nothing comes of a code whose session is over.
        let begun = beginning.keep_with(self.app, self.try_end(Some(waited)));
        let (is_begun, ()) = tokio::try_join!(begun, issued.keep(self.app))?;
        Ok(if is_begun { AtOnce::Gone(self.lent(&asked, &issued)) } else { AtOnce::Never })
    }

    fn need(&self, asked: &Asked, signed_in: Option<&Authentication>) -> Result<(), Need> {
        need(&asked.client, &asked.callback, &asked.request, signed_in, self.waits_since, self.now)
    }

    /// Steps 1 and 2.
    async fn read(&self) -> Result<Asked, Response> {
        let lost = |lost: Lost<'_>| lost_with(self, &lost);
        let params = Params::parse(self.parameters.as_bytes(), AuthorizationRequest::RULES)
            .map_err(|error| lost(Lost::unreadable(&error.to_string())))?;
        let address =
            AuthorizationRequest::address(&params).map_err(|error| lost(Lost::unreadable(&error.to_string())))?;
        let client = self.client(&address).await?;
        let callback = match callback(client.as_deref(), &address) {
            Ok(callback) => callback,
            Err(why) => return Err(self.unproven(&why, &address, client.as_deref()).await),
        };
        // Without a client there is no callback.
        let Some(client) = client else { return Err(lost(Lost::over())) };
        let told = |refusal: Refusal| self.refused(&callback, &refusal);
        if let Err(error) = &address.response_mode {
            return Err(told(Refusal::Authorization(error.clone())));
        }
        let request = AuthorizationRequest::parse(&params).map_err(|error| told(Refusal::Authorization(error)))?;
        check_client(&client, &request).map_err(told)?;
        Ok(Asked { client, callback, request })
    }

    /// The client, where it is one of this issuer's.
    async fn client(&self, address: &Address) -> Result<Option<std::sync::Arc<Client>>, Response> {
        let failed = |error: StoreError| lost_with(self, &Lost::ours(self, &error));
        let Some(client) = self.app.registry.client(&address.client_id).await.map_err(failed)? else { return Ok(None) };
        let own = Issuer::of(&client.application, &self.app.registry).await.map_err(failed)?;
        Ok((own.as_ref() == Some(self.issuer)).then_some(client))
    }

    /// The page of a request whose redirect URI is none that was proven.
    async fn unproven(&self, why: &Unproven, address: &Address, client: Option<&Client>) -> Response {
        match self.registered(&address.client_id).await {
            Ok(registered) => lost_with(self, &Lost { registered, ..Lost::unproven(why, address, client) }),
            Err(error) => lost_with(self, &Lost::ours(self, &error)),
        }
    }

    /// What is registered under a name, at whichever issuer, where somebody is signed in whom the admin API would show it.
    /// Nobody else learns whether there is anything.
    async fn registered(&self, client_id: &str) -> Result<Option<Registered>, StoreError> {
        let app = self.app;
        let Some(found) = signed_in(app, &self.parts.headers, self.now).await? else { return Ok(None) };
        let roles = app.registry.roles_of(&found.person).await?;
        let client = app.registry.client(client_id).await?;
        let Some(client) = client.filter(|client| may_look_at(client.owner(), &roles, self.now)) else {
            return Ok(None);
        };
        let own = Issuer::of(&client.application, &app.registry).await?;
        let issuer = own.filter(|own| own != self.issuer).map(|own| own.url(&app.base_url).into_owned());
        Ok(Some(Registered { client, issuer }))
    }

    /// The person who is signed in, where they are one of those who are meant: of the tenant that the issuer or the request
    /// names, and the one whom the client expects.
    async fn fitting(&self, asked: &Asked, person: Option<SignedIn>) -> Result<Option<SignedIn>, StoreError> {
        let Some(person) = person else { return Ok(None) };
        let request = &asked.request;
        if let Some(wanted) = self.wanted_tenant(request)
            && self.tenant_of(&person).await?.as_deref() != Some(wanted)
        {
            return Ok(None);
        }
        let is_it = |user: Option<UserId>| user == Some(person.person.user.id);
        let is_expected = match &request.id_token_hint {
            None => true,
            Some(hint) => is_it(self.subject_of(hint).await?),
        };
        // OpenID Connect Core §3.1.2.2: the server "MUST NOT reply with an ID Token or Access Token for a different user", and this
        // is the other way to ask for one: "by requesting a specific Claim Value".
        let is_named = |name: &String| is_it(self.app.subjects.user(&asked.client.application, name));
        let is_asked_for = request.subjects.is_empty() || request.subjects.iter().any(is_named);
        Ok((is_expected && is_asked_for).then_some(person))
    }

    /// The slug of the tenant that a person belongs to.
    async fn tenant_of(&self, person: &SignedIn) -> Result<Option<String>, StoreError> {
        let Some(id) = person.person.user.tenant_id else { return Ok(None) };
        let tenant = self.app.registry.tenant_by_id(id).await?;
        Ok(tenant.map(|tenant| tenant.tenant.slug.to_string()))
    }

    fn wanted_tenant<'r>(&'r self, request: &'r AuthorizationRequest) -> Option<&'r str> {
        self.issuer.tenant().or(request.tenant.as_deref())
    }

    /// Whom an ID token of ours is about, expired or not (OpenID Connect Core §3.1.2.1). One that is none of ours is about
    /// nobody.
    async fn subject_of(&self, hint: &str) -> Result<Option<UserId>, StoreError> {
        let app = self.app;
        let issuer = self.issuer.url(&app.base_url);
        let read = verify::id_token_hint(hint, &**app.registry.snapshot().keys.verifying(), &issuer);
        let Ok(hint) = read.map(Verified::into_claims) else { return Ok(None) };
        let client = app.registry.client(&hint.aud).await?;
        Ok(client.and_then(|client| app.subjects.user(&client.application, &hint.sub)))
    }

    /// Step 3: the request waits for its person.
    async fn begin(&self, asked: &Asked, progress: Progress, person: Option<&SignedIn>) -> Response {
        let request = &asked.request;
        let issuer: Option<Slug> = self.issuer.tenant().and_then(|slug| slug.parse().ok());
        let interaction = Interaction {
            destination: Destination::Authorize { issuer, parameters: self.parameters.to_owned() },
            begun_at: self.waits_since.unwrap_or(self.now),
            tenant: self.wanted_tenant(request).and_then(|slug| slug.parse().ok()),
            login_hint: request.login_hint.clone(),
            ui_locales: (!request.ui_locales.is_empty()).then(|| request.ui_locales.join(" ")),
            acr: least_acr(request).ok().flatten(),
            is_fresh_needed: is_asked_anew(&asked.client, &asked.callback, request) || request.max_age.is_some(),
            progress,
            session: person.map(|person| person.session.id),
            denied: false,
            passkey: None,
        };
        Box::pin(web::sign_in::begin(self.app, self.parts, interaction)).await
    }

    /// Step 4.
    async fn lend(&self, asked: &Asked, person: &SignedIn, waited: Option<&Waited<'_>>) -> Response {
        let issued = match (self.lendable(asked, person).await, waited) {
            (Ok(Some(issued)), _) => issued,
            (Ok(None), Some(waited)) => return web::see_other(&format!("/consent/{}", waited.id)),
            (Ok(None), None) => return self.begin(asked, Progress::SignedIn, Some(person)).await,
            (Err(refusal), _) => return self.refused(&asked.callback, &refusal),
        };
        match self.try_end(waited).await {
            Ok(true) => {}
            // Whoever sends the same once more, in another tab or by the button back, finds it over: that repeats nothing.
            Ok(false) => return lost_with(self, &Lost::over()),
            Err(error) => return self.failed(&asked.callback, error),
        }
        // What is kept together shares a commit. A code that is refused after all is told to nobody.
        match tokio::try_join!(issued.keep(self.app), self.repeats_its_challenge(asked)) {
            Ok(((), false)) => self.lent(asked, &issued),
            Ok(((), true)) => self.refused(&asked.callback, &Refusal::ChallengeRepeated),
            Err(error) => self.failed(&asked.callback, error),
        }
    }

    /// The code of what the person lends now; none where they are to be asked first.
    async fn lendable(&self, asked: &Asked, person: &SignedIn) -> Result<Option<Issued>, Refusal> {
        let question = self.question(asked, person).await?;
        let kept = self.kept_consent(asked, person).await.map_err(unavailable)?;
        if self.is_open(asked, person, &question, kept.as_ref()) {
            return if asked.request.prompt.none { Err(Refusal::Unasked(Unasked::Consent)) } else { Ok(None) };
        }
        let consented = kept.map(|kept| kept.consented).unwrap_or_default();
        self.issue(asked, person, &question, &consented).map(Some)
    }

    /// Whether the client sends a challenge once more that it is to send once: it is "transaction-specific" (RFC 9700 §2.1.1).
    async fn repeats_its_challenge(&self, asked: &Asked) -> Result<bool, StoreError> {
        let Some(challenge) = asked.request.code_challenge else { return Ok(false) };
        let (application, until) = (&asked.client.application, self.now.plus_secs(CHALLENGE_REMEMBERED_SECS));
        let of = format!("code_challenge {}", application.id);
        if self.app.store.use_assertion(&of, &String::from(challenge), until).await? {
            return Ok(false);
        }
        self.app.metrics.challenge_repeated();
        tracing::warn!(client_id = %application.client_id, "a code_challenge was sent that was sent before");
        Ok(application.code_challenge_once)
    }

    /// Back to the client with a code that is kept.
    fn lent(&self, asked: &Asked, issued: &Issued) -> Response {
        let mut response = self.back(&asked.callback, &[("code", issued.token.expose_secret())]);
        response.extensions_mut().insert(issued.outcome.clone());
        response
    }

    async fn question(&self, asked: &Asked, person: &SignedIn) -> Result<ConsentQuestion, Refusal> {
        let facts = self.facts(asked, person).await?;
        let roles = person.person.roles_at(self.now);
        let (scopes, resources) = grantable(&asked.request, &facts, &roles, &self.app.limits, self.now)?;
        Ok(ConsentQuestion { facts, roles, resources, scopes, redirect_uri: asked.callback.redirect_uri().to_owned() })
    }

    /// For which tenant and unit: the person's own tenant, where the request names none.
    async fn facts(&self, asked: &Asked, person: &SignedIn) -> Result<Facts, Refusal> {
        let request = &asked.request;
        let application = &asked.client.application;
        let own = self.issuer.tenant();
        let theirs = if own.is_none() { self.tenant_of(person).await.map_err(unavailable)? } else { None };
        let named = request.tenant.as_deref().or(theirs.as_deref());
        let acting = Acting::resolve(application, own, named, request.unit.as_deref())?;
        self.app.registry.facts(application.client_id.as_str(), &acting).await.map_err(unavailable)?
    }

    /// What the person said to this application before; nothing where nobody is asked.
    async fn kept_consent(&self, asked: &Asked, person: &SignedIn) -> Result<Option<KeptConsent>, StoreError> {
        let application = &asked.client.application;
        if application.consent == ConsentPolicy::Trusted {
            return Ok(None);
        }
        let found = self.app.store.sign_ins().find_consent(person.person.user.id, application.id).await?;
        found
            .map(|consent| Ok(KeptConsent { consented: read(Some(&consent))?, said_at: consent.updated_at }))
            .transpose()
    }

    /// Whether there is something that the person has not answered yet, or is to be asked again.
    fn is_open(
        &self,
        asked: &Asked,
        person: &SignedIn,
        question: &ConsentQuestion,
        kept: Option<&KeptConsent>,
    ) -> bool {
        if asked.client.application.consent == ConsentPolicy::Trusted {
            return false;
        }
        // Where others may have brought the request in the application's name, the person sees it each time: they sign in for it,
        // or say once more what they said before.
        let is_seen = is_assured(&asked.client, &asked.callback) || self.is_since(person.authentication.at);
        let is_asked_again = asked.request.prompt.consent || !is_seen;
        if is_asked_again && !kept.is_some_and(|kept| self.is_since(kept.said_at)) {
            return true;
        }
        let nothing = Consented::default();
        let consented = kept.map_or(&nothing, |kept| &kept.consented);
        question.choices(self.now).is_open(consented, &question.facts.catalogue)
    }

    /// Whether something was done while the request waited.
    fn is_since(&self, at: Timestamp) -> bool {
        self.waits_since.is_some_and(|since| at >= since)
    }

    fn issue(
        &self,
        asked: &Asked,
        person: &SignedIn,
        question: &ConsentQuestion,
        consented: &Consented,
    ) -> Result<Issued, Refusal> {
        let (app, request, application) = (self.app, &asked.request, &asked.client.application);
        let (user, facts) = (&person.person.user, &question.facts);
        let consented = consented.effective(&facts.catalogue);
        let decide = || lend(request, facts, &question.roles, &question.resources, &consented, self.now);
        let decision = app.metrics.time_decision(decide)?;
        let token = OpaqueToken::code(&*app.entropy);
        let lent = Lent {
            application_id: application.id,
            client_id: application.client_id.to_string(),
            user_id: user.id,
            session_id: person.session.id,
            granted: decision.carried,
            resources: request.resources.clone(),
            tenant: facts.tenant.as_ref().map(|tenant| tenant.tenant.slug.to_string()),
            unit_id: facts.unit.as_ref().map(|unit| unit.id),
            auth_time: person.authentication.at,
            acr: person.authentication.acr().as_str().to_owned(),
            amr: person.authentication.amr().into_iter().map(str::to_owned).collect(),
            id_token_claims: request.id_token_claims.clone(),
            userinfo_claims: request.userinfo_claims.clone(),
        };
        let document = CodeDocument {
            lent,
            redirect_uri: asked.callback.redirect_uri().to_owned(),
            is_redirect_uri_named: asked.callback.is_named(),
            code_challenge: request.code_challenge,
            nonce: request.nonce.clone(),
            dropped: decision.dropped,
        };
        let document =
            serde_json::to_string(&document).map_err(|error| Refusal::Internal { reason: error.to_string() })?;
        let code = Code {
            token: token.hash(),
            grant_id: new_id(self.now, &*app.entropy),
            expires_at: self.now + app.config.tokens.code,
            spent_at: None,
            document,
        };
        let outcome = Outcome {
            actor: Some(user.id.to_string()),
            tenant: facts.tenant.as_ref().map(|tenant| tenant.tenant.slug.to_string()),
            unit: facts.unit.as_ref().map(|unit| unit.slug.to_string()),
            outcome: "code_issued",
            reason: None,
        };
        Ok(Issued { token, code, session: person.session.id, application: application.id, outcome })
    }

    /// Ends what waited; or the answer where it was over before, or cannot be ended.
    async fn end(&self, waited: &Waited<'_>, callback: &Callback) -> Result<(), Response> {
        match self.try_end(Some(waited)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(lost_with(self, &Lost::over())),
            Err(error) => Err(self.failed(callback, error)),
        }
    }

    /// Ends what waited, if anything did. `false` where it was over before.
    async fn try_end(&self, waited: Option<&Waited<'_>>) -> Result<bool, StoreError> {
        let Some(waited) = waited else { return Ok(true) };
        self.app.store.sign_ins().end_interaction(&SecretHash::of(waited.id), waited.version).await
    }

    fn failed(&self, callback: &Callback, error: StoreError) -> Response {
        self.refused(callback, &unavailable(error))
    }

    /// An error, to the client (RFC 6749 §4.1.2.1).
    fn refused(&self, callback: &Callback, refusal: &Refusal) -> Response {
        let told = refusal.told();
        let context = RequestContext::of(self.parts, self.app);
        if let Refusal::Internal { reason } | Refusal::Unavailable { reason } = refusal {
            tracing::error!(trace_id = %context.trace_id, reason, "an authorization request failed");
        }
        let uri = format!("{}/errors/{}", self.app.base_url, told.page.slug);
        let trace_id = context.trace_id.to_string();
        let mut response = self.back(
            callback,
            &[
                ("error", told.error.as_str()),
                ("error_description", &told.description),
                ("error_uri", &uri),
                ("trace_id", &trace_id),
            ],
        );
        response.extensions_mut().insert(Outcome {
            tenant: self.issuer.tenant().map(str::to_owned),
            outcome: "refused",
            reason: Some(refusal.code()),
            ..Outcome::default()
        });
        response
    }

    /// The language of a page, as the request wishes or the browser prefers.
    fn language(&self) -> Language {
        let mut sent = form_urlencoded::parse(self.parameters.as_bytes());
        let wished = sent.find(|(name, _)| name == "ui_locales").map(|(_, value)| value);
        web::language_of([wished.as_deref()], &self.parts.headers)
    }

    /// Back to the client, with `state` and `iss`.
    fn back(&self, callback: &Callback, answer: &[(&str, &str)]) -> Response {
        let issuer = self.issuer.url(&self.app.base_url);
        let state = callback.state().map(|state| ("state", state));
        let members: Vec<(&str, &str)> = answer.iter().copied().chain(state).chain([("iss", &*issuer)]).collect();
        match callback.mode() {
            // RFC 6749 §3.1.2: the query that the URI has itself "MUST be retained".
            ResponseMode::Query => private(web::leave_for(&web::with_query(callback.redirect_uri(), members))),
            ResponseMode::FormPost => posted(self.language(), callback.redirect_uri(), &members),
        }
    }
}

/// A code that was made and is not kept yet.
struct Issued {
    token: OpaqueToken,
    code: Code,
    session: SessionId,
    application: ApplicationId,
    /// What the log says of it.
    outcome: Outcome,
}

impl Issued {
    /// Keeps the code, and that its application is told when the session ends.
    async fn keep(&self, app: &App) -> Result<(), StoreError> {
        let sign_ins = app.store.sign_ins();
        tokio::try_join!(sign_ins.issue_code(&self.code), sign_ins.join_session(self.session, self.application))
            .map(drop)
    }
}

fn issuer_of(slug: Option<&Slug>) -> Issuer {
    slug.map_or(Issuer::Platform, |slug| Issuer::Tenant(slug.to_string()))
}

/// OAuth 2.0 Form Post Response Mode: a form that a browser with scripts sends by itself, and a person by its button.
fn posted(language: Language, redirect_uri: &str, members: &[(&str, &str)]) -> Response {
    let page = FormPostPage::new(language, redirect_uri, members, FORM_POST_SCRIPT);
    let Ok(html) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = web::page(html);
    web::leading_to(response.headers_mut(), redirect_uri, Some(FORM_POST_SCRIPT_HASH));
    private(response)
}

/// What may hold a code is kept by nobody, and named to nobody.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Why a person sees a page instead of the application.
struct Lost<'a> {
    page: &'static Page,
    status: StatusCode,
    why: Why<'a>,
    /// What they may see beside what was sent.
    registered: Option<Registered>,
}

impl<'a> Lost<'a> {
    const fn new(page: &'static Page, status: StatusCode, why: Why<'a>) -> Self {
        Self { page, status, why, registered: None }
    }

    const fn unreadable(detail: &'a str) -> Self {
        Self::new(&page::INVALID_REQUEST, StatusCode::BAD_REQUEST, Why::Unreadable(detail))
    }

    /// Its body was not read.
    fn unread(error: &BodyError, detail: &'a str) -> Self {
        let page = error.page();
        let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(page, status, Why::Unreadable(detail))
    }

    const fn over() -> Self {
        Self::new(&page::NOT_FOUND, StatusCode::NOT_FOUND, Why::Over)
    }

    fn ours(asking: &Asking<'_>, error: &StoreError) -> Self {
        let trace_id = RequestContext::of(asking.parts, asking.app).trace_id;
        tracing::error!(%trace_id, reason = with_causes(error), "an authorization request failed");
        Self::new(&page::UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE, Why::Ours)
    }

    fn unproven(unproven: &'a Unproven, address: &'a Address, client: Option<&Client>) -> Self {
        let (page, why) = match unproven {
            Unproven::UnknownClient => (&page::INVALID_REQUEST, Why::UnknownClient { client_id: &address.client_id }),
            Unproven::NoRedirectUri if client.is_some_and(|client| client.application.redirect_uris.is_empty()) => {
                (&page::REDIRECT_URI_MISMATCH, Why::NoneRegistered)
            }
            Unproven::NoRedirectUri => (&page::REDIRECT_URI_MISMATCH, Why::NoneNamed),
            Unproven::NotRegistered { sent } => (&page::REDIRECT_URI_MISMATCH, Why::NotRegistered { sent }),
        };
        Self::new(page, StatusCode::BAD_REQUEST, why)
    }
}

fn lost_with(asking: &Asking<'_>, why: &Lost<'_>) -> Response {
    lost(asking.app, asking.parts, why)
}

fn lost(app: &App, parts: &Parts, why: &Lost<'_>) -> Response {
    let trace_id = RequestContext::of(parts, app).trace_id.to_string();
    let language = web::language_of([None], &parts.headers);
    let page = LostPage::new(language, why.page, why.why, why.registered.as_ref(), &trace_id);
    let Ok(html) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = private(web::page(html));
    *response.status_mut() = why.status;
    if why.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let name = HeaderName::from_static("x-trace-id");
    if let Ok(value) = HeaderValue::try_from(trace_id) {
        response.headers_mut().insert(name, value);
    }
    response.extensions_mut().insert(Outcome { outcome: "refused", reason: Some(why.page.code), ..Outcome::default() });
    response
}

/// The one script of the form: the policy names its hash, and takes no other.
const FORM_POST_SCRIPT: &str = "document.forms[0].submit()";
const FORM_POST_SCRIPT_HASH: &str = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";
const CHALLENGE_REMEMBERED_SECS: i64 = 3600;
