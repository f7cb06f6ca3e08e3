//! The authorization endpoint: from a request of a browser to a code, or to what stands in its way.
//!
//! 1. [`callback`]: until the redirect URI is proven to be the client's own, nothing is sent anywhere. Only a [`Callback`] can
//!    carry an answer, and only this file makes one.
//! 2. [`check_client`]: what the client may do at all.
//! 3. [`need`]: whether the person has to do something first.
//! 4. [`grantable`]: what they could lend, which they are asked about; [`lend`]: what they do.

use ambit_protocol::admin::application::{ApplicationStatus, ApplicationType, ConsentPolicy};
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::authorization_request::{Address, AuthorizationRequest, ResponseMode};
use ambit_protocol::decision::DroppedScope;
use ambit_protocol::id::{ApplicationId, SessionId, UnitId, UserId};
use ambit_protocol::pkce::CodeChallenge;
use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;
use serde::{Deserialize, Serialize};

use crate::authentication::{Acr, Authentication};
use crate::client::{Client, Facts};
use crate::governance::decision::{Decision, decide};
use crate::governance::rules::{self, Subject};
use crate::grants::{check_tenant_is_open, named_resources};
use crate::limits::Limits;
use crate::refusal::Refusal;

/// A redirect URI that was proven to be registered for the client, with how to answer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    redirect_uri: String,
    /// Whether the request named it; the token request then must, too (RFC 6749 §4.1.3).
    is_named: bool,
    state: Option<String>,
    mode: ResponseMode,
}

impl Callback {
    /// Where the browser goes back to.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Whether the request named it.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.is_named
    }

    /// What goes back as it came.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// How the answer travels.
    #[must_use]
    pub const fn mode(&self) -> ResponseMode {
        self.mode
    }
}

/// Why there is nowhere to answer to: the person sees a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproven {
    /// No client of that identifier at this issuer, or a disabled one.
    UnknownClient,
    /// It has no redirect URI at all, or several and the request names none.
    NoRedirectUri,
    /// The redirect URI is none of its own.
    NotRegistered {
        /// What was sent.
        sent: String,
    },
}

/// RFC 9700 §2.1: "authorization servers MUST utilize exact string matching".
///
/// # Errors
/// [`Unproven`].
pub fn callback(client: Option<&Client>, address: &Address) -> Result<Callback, Unproven> {
    let client = client.filter(|client| client.application.status == ApplicationStatus::Active);
    let Some(client) = client else { return Err(Unproven::UnknownClient) };
    let registered = &client.application.redirect_uris;
    let redirect_uri = match (&address.redirect_uri, registered.as_slice()) {
        (None, [only]) => only.as_str().to_owned(),
        (None, _) => return Err(Unproven::NoRedirectUri),
        (Some(sent), registered) => {
            if !registered.iter().any(|uri| uri.matches(sent)) {
                return Err(Unproven::NotRegistered { sent: sent.clone() });
            }
            sent.clone()
        }
    };
    Ok(Callback {
        redirect_uri,
        is_named: address.redirect_uri.is_some(),
        state: address.state.clone(),
        // One that is not known is told in the default one.
        mode: *address.response_mode.as_ref().unwrap_or(&ResponseMode::Query),
    })
}

/// What the client may do at all.
///
/// # Errors
/// [`Refusal::GrantNotAllowed`]; [`Refusal::ChallengeMissing`].
pub fn check_client(client: &Client, request: &AuthorizationRequest) -> Result<(), Refusal> {
    let application = &client.application;
    if !application.grant_types.contains(&GrantType::AuthorizationCode) {
        return Err(Refusal::GrantNotAllowed { grant_type: GrantType::AuthorizationCode.as_str() });
    }
    // RFC 9700 §2.1.1: public clients MUST use PKCE; for confidential ones "the use of PKCE is RECOMMENDED", and a nonce may
    // stand in for it.
    let may_do_without = application.kind.is_confidential() && application.pkce_optional && request.nonce.is_some();
    if request.code_challenge.is_none() && !may_do_without {
        return Err(Refusal::ChallengeMissing);
    }
    Ok(())
}

/// What a person has to do before anything can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Prove who they are: nobody is signed in, or not well or lately enough, or it may be somebody else.
    SignIn,
    /// The proof that is asked for is none that there is.
    Unattainable,
}

/// Whether it is the application itself that an answer reaches.
///
/// RFC 8252 §8.6: "the authorization server SHOULD NOT process authorization requests automatically without user consent or
/// interaction, except when the identity of the client can be assured", by "claimed 'https' scheme redirects" for instance. At a
/// loopback address anybody on the machine may listen.
#[must_use]
pub fn is_assured(client: &Client, callback: &Callback) -> bool {
    client.application.kind != ApplicationType::Native || callback.redirect_uri.starts_with("https://")
}

/// Whether the person has to prove who they are for this very request, whoever is signed in. Of a trusted application no consent
/// is asked, so where it is not assured they sign in.
#[must_use]
pub fn is_asked_anew(client: &Client, callback: &Callback, request: &AuthorizationRequest) -> bool {
    let is_automatic = client.application.consent == ConsentPolicy::Trusted && !is_assured(client, callback);
    request.prompt.login || request.prompt.select_account || is_automatic
}

/// Whether the person who is signed in, if any, is good enough for the request. `waits_since` is since when the request waits for
/// its person, where it does: a proof since then is a fresh one.
///
/// # Errors
/// [`Need`].
pub fn need(
    client: &Client,
    callback: &Callback,
    request: &AuthorizationRequest,
    signed_in: Option<&Authentication>,
    waits_since: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Need> {
    let least = least_acr(request)?;
    let Some(authentication) = signed_in else { return Err(Need::SignIn) };
    let is_fresh = waits_since.is_some_and(|since| authentication.at >= since);
    // OpenID Connect Core §3.1.2.1: `max_age=0` is as `prompt=login`.
    let is_too_old = request.max_age.is_some_and(|max| authentication.at.plus_secs(i64::from(max)) < now || max == 0);
    if (is_asked_anew(client, callback, request) || is_too_old) && !is_fresh {
        return Err(Need::SignIn);
    }
    if least.is_some_and(|least| authentication.acr() < least) {
        return Err(Need::SignIn);
    }
    Ok(())
}

/// How strongly the person has to prove who they are. The most wanted of `acr_values` that there is; of an essential
/// `acr`, the weakest that will do (OpenID Connect Core §5.5.1.1).
///
/// # Errors
/// [`Need::Unattainable`].
pub fn least_acr(request: &AuthorizationRequest) -> Result<Option<Acr>, Need> {
    let known = |names: &[String]| names.iter().filter_map(|name| Acr::parse(name)).min();
    match request.essential_acr.as_slice() {
        [] => Ok(request.acr_values.iter().find_map(|name| Acr::parse(name))),
        essential => known(essential).map(Some).ok_or(Need::Unattainable),
    }
}

/// What the rules look at when a person lends scopes.
#[must_use]
pub fn rule_facts<'a>(
    facts: &'a Facts,
    resources: &'a [usize],
    roles: &'a [RoleName],
    consented: Option<&'a [ScopeToken]>,
    original: Option<&'a [ScopeToken]>,
    now: Timestamp,
) -> rules::Facts<'a> {
    rules::Facts {
        catalogue: &facts.catalogue,
        ceiling: &facts.ceiling,
        gates: &facts.gates,
        subject: Subject::User { roles, consented },
        resources,
        original,
        now,
    }
}

/// Of what is asked for, what a person of these roles could lend if they consented, and the places of the resources that were
/// named.
///
/// # Errors
/// The [`Refusal`].
pub fn grantable(
    request: &AuthorizationRequest,
    facts: &Facts,
    roles: &[RoleName],
    limits: &Limits,
    now: Timestamp,
) -> Result<(Vec<ScopeToken>, Vec<usize>), Refusal> {
    check_tenant_is_open(facts)?;
    if let Some(scope) = &request.scope {
        limits.check_parameter(scope).map_err(Refusal::ScopeLimit)?;
    }
    let resources = named_resources(&request.resources, facts)?;
    let decision = granted(request, &rule_facts(facts, &resources, roles, None, None, now))?;
    Ok((decision.carried, resources))
}

/// Lends what is [`grantable`], as far as the person consented: the decision, with everything that was left out and why.
///
/// # Errors
/// [`Refusal::Scope`]: nothing is left, or something was refused.
pub fn lend(
    request: &AuthorizationRequest,
    facts: &Facts,
    roles: &[RoleName],
    resources: &[usize],
    consented: &[ScopeToken],
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let consented = asked_for_consent(facts, consented);
    granted(request, &rule_facts(facts, resources, roles, consented, None, now))
}

fn granted(request: &AuthorizationRequest, facts: &rules::Facts<'_>) -> Result<Decision, Refusal> {
    let decision = decide(request.scope.as_deref(), facts);
    if decision.is_granted() { Ok(decision) } else { Err(Refusal::Scope(Box::new(decision))) }
}

/// What a person lends: what a code, and the grant that comes of it, stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lent {
    /// To which application.
    pub application_id: ApplicationId,
    /// Under which `client_id`.
    pub client_id: String,
    /// By whom.
    pub user_id: UserId,
    /// In which session.
    pub session_id: SessionId,
    /// What was granted, in the catalogue's order.
    pub granted: Vec<ScopeToken>,
    /// The resources that were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceIndicator>,
    /// The slug of the tenant that is acted for.
    pub tenant: Option<String>,
    /// The unit that is acted for: by its identifier, since its slug may be another unit's by the time this is redeemed.
    pub unit_id: Option<UnitId>,
    /// When the person proved who they are.
    pub auth_time: Timestamp,
    /// How strongly.
    pub acr: String,
    /// By what.
    pub amr: Vec<String>,
    /// The claims that were asked for by name in the ID token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_claims: Vec<String>,
    /// The claims that were asked for by name from the userinfo endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userinfo_claims: Vec<String>,
}

impl Lent {
    /// Whether it outlives the session it was lent in (OpenID Connect Core §11: access "even when the End-User is not present").
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.granted.iter().any(|granted| granted.as_str() == OFFLINE_ACCESS)
    }
}

/// What a code stands for: what was lent, and what the token request must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeDocument {
    /// What was lent.
    pub lent: Lent,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// Whether the request named that.
    pub is_redirect_uri_named: bool,
    /// The challenge of PKCE.
    pub code_challenge: Option<CodeChallenge>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What was asked for and not lent. The client learns of it with its token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedScope>,
}

/// The consent that counts: of a trusted application none is asked for.
#[must_use]
pub fn asked_for_consent<'c>(facts: &Facts, consented: &'c [ScopeToken]) -> Option<&'c [ScopeToken]> {
    match facts.client.application.consent {
        ConsentPolicy::Ask => Some(consented),
        ConsentPolicy::Trusted => None,
    }
}

/// The scope by which what is lent outlives its session (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";
