//! What a person lent becomes tokens: the token endpoint's way for codes and refresh tokens.
//!
//! 1. What was presented is looked up by its hash, and core says whether it is good for this client.
//! 2. The facts of now: tenant, unit, person, consent. Core decides anew.
//! 3. Core signs, and the journal keeps a place: whoever is told to try again later has lost nothing.
//! 4. One transaction uses up what was presented and keeps what comes of it; whoever is second is told so. The journal takes note.

use std::sync::Arc;

use ambit_core::authorize::{CodeDocument, Lent, asked_for_consent};
use ambit_core::client::Facts;
use ambit_core::client_auth::AuthenticatedClient;
use ambit_core::grants::client_credentials::Request;
use ambit_core::grants::lent::Lending;
use ambit_core::grants::refresh_token::Presented;
use ambit_core::grants::{Grant, authorization_code, refresh_token};
use ambit_core::keys::Signer;
use ambit_core::opaque_token::OpaqueToken;
use ambit_core::person::Person;
use ambit_core::refusal::{GrantFault, Refusal};
use ambit_core::secret::SecretHash;
use ambit_core::store::journal::Behalf;
use ambit_core::store::sign_in::{AuthorizationGrant, Code, Consent, Grants, Redeemed, RefreshToken, Rotation};
use ambit_core::tokens::id_token;
use ambit_core::tokens::issue::{self, IssuedToken, OnBehalf};
use ambit_protocol::admin::application::{Application, ConsentPolicy};
use ambit_protocol::id::{GrantId, UserId};
use ambit_protocol::jose::Algorithm;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;

use super::stolen::{end_as_stolen, replayed, reused};
use super::token::{Minting, issued, unnoted};
use super::{Call, Refused, unavailable};
use crate::jobs::ensure_algorithm;
use crate::journal::{Issued, Place};
use crate::registry::Acting;
use crate::session::tokens_until;
use crate::state::App;
use crate::web::consent;

/// The tokens that an answer has.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) grant: Grant,
    pub(super) facts: Facts,
    pub(super) access: IssuedToken,
    pub(super) refresh: Option<OpaqueToken>,
    pub(super) id_token: Option<String>,
}

/// What was lent, with the facts of now.
struct Now {
    facts: Facts,
    person: Arc<Person>,
    roles: Vec<ambit_protocol::admin::text::RoleName>,
    /// The consent that counts, if the person is asked, and what of it counts now.
    consent: Option<Consent>,
    consented: Vec<ScopeToken>,
}

/// Redeems a code (RFC 6749 §4.1.3).
pub(super) async fn redeem(
    call: &Call,
    client: &AuthenticatedClient,
    code: &str,
    request: &authorization_code::Request<'_>,
) -> Result<Tokens, Refused> {
    check_grant_type(client, GrantType::AuthorizationCode)?;
    let (app, now) = (&call.app, call.now);
    let sign_ins = app.store.sign_ins();
    let hash = SecretHash::of(code);
    let Some(code) = sign_ins.find_code(&hash).await.map_err(unavailable)? else {
        return Err(Refusal::Grant(GrantFault::CodeUnknown).into());
    };
    let document: CodeDocument = read(&code.document, "code")?;
    if code.spent_at.is_some() {
        return Err(replayed(call, client, code.grant_id).await);
    }
    let decided = async {
        authorization_code::check(&code, &document, request, client, now).map_err(Refusal::Grant)?;
        let facts = Now::of(call, client, &document.lent).await?;
        let grant = authorization_code::grant(&facts.lending(app, &document.lent), &document, request, now)?;
        Ok::<_, Refused>((facts, grant))
    }
    .await;
    let (facts, grant) = match decided {
        Ok(decided) => decided,
        Err(refused) => {
            // Another client's guess costs the one whose code it is nothing; every other mistake is the only one there is. Where
            // the store is away nothing is known, and the code stays as it is.
            if refused.burns_a_code() && !sign_ins.spend_code(&hash, now, None).await.map_err(unavailable)? {
                return Err(replayed(call, client, code.grant_id).await);
            }
            return Err(refused);
        }
    };

    let lent = &document.lent;
    let lending = facts.lending(app, lent);
    let minted = Minted::of(call, &lending, &grant, code.grant_id).await?;
    let id_token = facts.id_token(call, lent, document.nonce.as_deref(), &minted.token, &grant).await?;
    let refresh = client
        .application
        .grant_types
        .contains(&GrantType::RefreshToken)
        .then(|| app.refresh_tokens.first(code.grant_id, &*app.entropy));
    let times = &app.config.tokens;
    let expires_at = now + times.grant;
    let kept = AuthorizationGrant {
        id: code.grant_id,
        application_id: lent.application_id,
        client_id: lent.client_id.clone(),
        user_id: lent.user_id,
        session_id: (!lent.is_offline()).then_some(lent.session_id),
        created_at: now,
        expires_at,
        ended_at: None,
        document: written(lent)?,
    };
    let refresh_row = refresh.as_ref().map(|token| RefreshToken {
        token: token.hash(),
        grant_id: code.grant_id,
        expires_at: (now + times.refresh_token_idle).min(expires_at),
        used_at: None,
    });
    // The session may have ended since the code was given, or the consent been taken back: then what was lent ends before it
    // begins, even what would have outlived the session. Whoever has a new password has ended all their sessions.
    let redeemed = Redeemed {
        grant: &kept,
        refresh_token: refresh_row.as_ref(),
        session: Some(lent.session_id),
        consent: facts.consent.as_ref(),
    };
    if !sign_ins.spend_code(&hash, now, Some(redeemed)).await.map_err(unavailable)? {
        let is_spent = |code: Option<Code>| code.is_none_or(|code| code.spent_at.is_some());
        if is_spent(sign_ins.find_code(&hash).await.map_err(unavailable)?) {
            return Err(replayed(call, client, code.grant_id).await);
        }
        return Err(Refusal::Grant(GrantFault::Withdrawn).into());
    }
    let access = minted.noted(client, &lending, &grant, code.grant_id)?;
    Ok(Tokens { grant, facts: facts.facts, access, refresh, id_token })
}

/// Renews what was lent (RFC 6749 §6).
pub(super) async fn renew(
    call: &Call,
    client: &AuthenticatedClient,
    token: &str,
    request: &refresh_token::Request<'_>,
) -> Result<Tokens, Refused> {
    check_grant_type(client, GrantType::RefreshToken)?;
    let (app, now) = (&call.app, call.now);
    let grant_of = renewable(call, client, token).await?;
    let lent: Lent = read(&grant_of.document, "grant")?;
    let facts = Now::of(call, client, &lent).await?;
    let lending = facts.lending(app, &lent);
    let grant = refresh_token::grant(&lending, request, now)?;
    let minted = Minted::of(call, &lending, &grant, grant_of.id).await?;
    // OpenID Connect Core §12.2: `nonce` "SHOULD NOT be present" in a renewed one.
    let id_token = facts.id_token(call, &lent, None, &minted.token, &grant).await?;

    let sign_ins = app.store.sign_ins();
    let hash = SecretHash::of(token);
    let successor = app.refresh_tokens.successor(grant_of.id, token);
    let row = RefreshToken {
        token: successor.hash(),
        grant_id: grant_of.id,
        expires_at: (now + app.config.tokens.refresh_token_idle).min(grant_of.expires_at),
        used_at: None,
    };
    match sign_ins.rotate_refresh_token(&hash, now, &row).await.map_err(unavailable)? {
        Rotation::Rotated => {}
        Rotation::UsedBefore(used_at) if refresh_token::is_within_grace(used_at, now) => {
            // The same successor; but if that was used as well, somebody has the answer that was thought lost.
            let next = sign_ins.find_refresh_token(&successor.hash()).await.map_err(unavailable)?;
            if next.is_none_or(|(next, _)| next.used_at.is_some()) {
                return Err(reused(call, client, &grant_of).await.into());
            }
        }
        Rotation::UsedBefore(_) => return Err(reused(call, client, &grant_of).await.into()),
        Rotation::Ended => {
            // Since it was looked at: followed by another, or ended, which may be by its session that is over.
            renewable(call, client, token).await?;
            return Err(Refusal::Grant(GrantFault::RefreshTokenUnknown).into());
        }
    }
    let access = minted.noted(client, &lending, &grant, grant_of.id)?;
    Ok(Tokens { grant, facts: facts.facts, access, refresh: Some(successor), id_token })
}

/// The grant that a refresh token renews, if it is good for this client.
async fn renewable(call: &Call, client: &AuthenticatedClient, token: &str) -> Result<AuthorizationGrant, Refusal> {
    let Some((presented, grant)) = presented(&call.app, token).await? else {
        return Err(Refusal::Grant(GrantFault::RefreshTokenUnknown));
    };
    let ends = |fault| matches!(fault, GrantFault::OtherClient | GrantFault::RefreshTokenReused);
    if let Err(fault) = refresh_token::check(&presented, &grant, client, call.now) {
        // Whoever else has it, or had it: both lose it (RFC 9700 §4.14.2).
        if ends(fault) {
            end_as_stolen(call, client, &grant, fault).await?;
        }
        return Err(Refusal::Grant(fault));
    }
    Ok(grant)
}

/// A refresh token that somebody sent, and its grant; none where it is not one of ours, or its grant is forgotten.
pub(super) async fn presented(app: &App, token: &str) -> Result<Option<(Presented, AuthorizationGrant)>, Refusal> {
    let sign_ins = app.store.sign_ins();
    if let Some((kept, grant)) = sign_ins.find_refresh_token(&SecretHash::of(token)).await.map_err(unavailable)? {
        return Ok(Some((Presented::Kept(kept), grant)));
    }
    let Some(id) = app.refresh_tokens.grant_of(token) else { return Ok(None) };
    let Some(grant) = sign_ins.find_grant(id).await.map_err(unavailable)? else { return Ok(None) };
    let family = sign_ins.refresh_tokens_of(id).await.map_err(unavailable)?;
    let is_followed = family.iter().any(|kept| kept.used_at.is_none());
    Ok(Some((if is_followed { Presented::Followed } else { Presented::Over }, grant)))
}

/// Ends what was lent, and its access tokens: here at once, and everywhere as any revocation. Whether it went on until now.
pub(super) async fn end(app: &App, grant: GrantId, now: Timestamp) -> Result<bool, Refusal> {
    let which = Grants::One(grant);
    let ended = app.store.sign_ins().end_grants(which, now, tokens_until(now)).await.map_err(unavailable)?;
    app.revocations.catch_up(&*app.store).await.map_err(unavailable)?;
    Ok(ended > 0)
}

impl Now {
    async fn of(call: &Call, client: &AuthenticatedClient, lent: &Lent) -> Result<Self, Refused> {
        let app = &call.app;
        let application = &client.application;
        let acting = Acting::of_lent(application, call.issuer.tenant(), lent)?;
        // A tenant or a unit that is gone is nobody's to lend any more.
        let facts = app.registry.facts(application.client_id.as_str(), &acting).await.map_err(unavailable)?;
        let facts = facts.map_err(|refusal| match refusal {
            Refusal::TenantNotReached(_) | Refusal::UnitUnknown(_) => Refusal::Grant(GrantFault::Withdrawn),
            other => other,
        })?;
        let person = app.registry.person(lent.user_id).await.map_err(unavailable)?;
        let Some(person) = person else { return Err(Refusal::Grant(GrantFault::UserGone).into()) };
        let consent = match application.consent {
            ConsentPolicy::Ask => app.store.sign_ins().find_consent(lent.user_id, lent.application_id).await,
            ConsentPolicy::Trusted => Ok(None),
        };
        let consent = consent.map_err(unavailable)?;
        let consented = consent::read(consent.as_ref()).map_err(unavailable)?.effective(&facts.catalogue);
        Ok(Self { roles: person.roles_at(call.now), facts, person, consent, consented })
    }

    fn lending<'a>(&'a self, app: &'a App, lent: &'a Lent) -> Lending<'a> {
        Lending {
            lent,
            facts: &self.facts,
            person: &self.person,
            roles: &self.roles,
            consented: asked_for_consent(&self.facts, &self.consented),
            limits: &app.limits,
        }
    }

    /// Who the person is, where `openid` is carried (OpenID Connect Core §3.1.3.3).
    async fn id_token(
        &self,
        call: &Call,
        lent: &Lent,
        nonce: Option<&str>,
        access: &IssuedToken,
        grant: &Grant,
    ) -> Result<Option<String>, Refusal> {
        let granted = &grant.decision.carried;
        if !granted.iter().any(|scope| scope.as_str() == "openid") {
            return Ok(None);
        }
        let app = &call.app;
        let application = &self.facts.client.application;
        let signer = id_token_signer(app, application).await.map_err(|reason| Refusal::Internal { reason })?;
        let access_token = Some(access.access_token.as_str());
        let about = id_token::About {
            user: &self.person.user,
            subject: &subject_for(app, application, lent.user_id)?,
            lent,
            nonce,
            access_token,
            granted,
            lifetime: app.config.tokens.id_token,
        };
        id_token::sign(&about, &call.issuer.url(&app.base_url), &signer, call.now).map(Some)
    }
}

/// An access token that is signed and not given to anybody yet, with its place in the journal: what was presented is used up only
/// once nothing else can fail.
struct Minted<'a> {
    minting: Minting<'a>,
    token: IssuedToken,
    place: Place<'a>,
}

impl<'a> Minted<'a> {
    async fn of(call: &'a Call, lending: &Lending<'_>, grant: &Grant, grant_id: GrantId) -> Result<Self, Refusal> {
        let minting = Minting::begin(call, grant)?;
        let Lending { lent, facts, .. } = *lending;
        let id = grant_id.to_string();
        let subject = subject_for(&call.app, &facts.client.application, lent.user_id)?;
        let behalf = OnBehalf { lending: *lending, grant_id: &id, subject: &subject };
        let token = minting.check(issue::user_token(
            grant,
            &behalf,
            &minting.issuer,
            &minting.signer,
            minting.jti,
            call.now,
        ))?;
        Ok(Self { minting, token, place: call.app.journal.hold().await.map_err(unnoted)? })
    }

    /// The token, on record.
    fn noted(
        self,
        client: &AuthenticatedClient,
        lending: &Lending<'_>,
        grant: &Grant,
        grant_id: GrantId,
    ) -> Result<IssuedToken, Refusal> {
        let Lending { lent, facts, .. } = *lending;
        let behalf = Behalf {
            user_id: lent.user_id,
            grant_id,
            roles: lending.roles.to_vec(),
            consented: lending.consented.map(<[ScopeToken]>::to_vec),
            original: lent.granted.clone(),
        };
        let asked = Request { scope: grant.requested.as_deref(), resources: &lent.resources };
        let issued = Issued { behalf: Some(&behalf), ..issued(&asked, facts, &self.token.scope) };
        self.place.record(&self.minting.noted(client, issued)).map_err(unnoted)?;
        Ok(self.token)
    }
}

/// Signs for an application what tells of people: its ID tokens, userinfo answers and logout tokens. The reason, where nothing
/// does.
pub(crate) async fn id_token_signer(app: &App, application: &Application) -> Result<Arc<Signer>, String> {
    let algorithm = application.id_token_algorithm();
    if let Some(signer) = app.registry.snapshot().keys.signer(algorithm) {
        return Ok(Arc::clone(signer));
    }
    // Its registration saw to a key, unless it is older than that rule.
    ensure_algorithm(app, algorithm).await.map_err(|error| format!("a key for {algorithm}: {error}"))?;
    app.registry.snapshot().keys.signer(algorithm).map(Arc::clone).ok_or_else(|| no_key(algorithm))
}

/// The name of a person for an application.
pub(crate) fn subject_for(app: &App, application: &Application, user: UserId) -> Result<String, Refusal> {
    app.subjects
        .name(application, user)
        .map_err(|error| Refusal::Internal { reason: format!("the name of a person: {error}") })
}

fn check_grant_type(client: &AuthenticatedClient, grant_type: GrantType) -> Result<(), Refusal> {
    if client.application.grant_types.contains(&grant_type) {
        return Ok(());
    }
    Err(Refusal::GrantNotAllowed { grant_type: grant_type.as_str() })
}

pub(super) fn no_key(algorithm: Algorithm) -> String {
    format!("there is no active signing key for {algorithm}")
}

fn read<T: serde::de::DeserializeOwned>(document: &str, what: &str) -> Result<T, Refusal> {
    serde_json::from_str(document)
        .map_err(|error| Refusal::Internal { reason: format!("a stored {what} cannot be read: {error}") })
}

fn written(document: &impl serde::Serialize) -> Result<String, Refusal> {
    serde_json::to_string(document).map_err(|error| Refusal::Internal { reason: error.to_string() })
}
