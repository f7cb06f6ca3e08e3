//! Applications: what each type and level may be, what may be allowed to them, and by whom.

use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::{
    Application, ApplicationStatus, CreateApplication, CreatedApplication, Level, PatchApplication, SubjectType,
};
use ambit_protocol::admin::secret::Secret;
use ambit_protocol::admin::text::ClientId;
use ambit_protocol::client::TokenEndpointAuthMethod;
use ambit_protocol::id::{ApplicationId, UserId};
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::jose::jwk_set::JwkSetError;
use ambit_protocol::redirect_uri::RedirectUriKind;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;

use super::administrator::SuperAdminWatch;
use super::allowed_scopes::{check_allowed_scopes, check_policy};
use super::power::level_of;
use super::{Edit, Faults, Forbidden, RegistryError, check_lifetime, first_repeated, secret, tenant};
use crate::entropy::new_id;
use crate::reach::{Owner, Reach};
use crate::secret::ClientSecret;
use crate::store::noun::{self, Noun as _};
use crate::store::{By, Filter, Reads};
use crate::subject::{reads_as_pairwise, sector_of};

/// Registers an application and, if it is of a type and method that has one, makes its secret, shown in this one answer.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Forbidden::Level`]; [`Forbidden::NotHeld`];
/// [`Conflict::LimitReached`](super::Conflict::LimitReached) for the partner's quota;
/// [`Conflict::Taken`](super::Conflict::Taken) for the `client_id`.
pub async fn create(edit: &Edit<'_>, body: CreateApplication) -> Result<CreatedApplication, RegistryError> {
    create_with(edit, body, None).await
}

/// The same, with a secret that the operator hands in at the first start. The answer does not repeat it.
///
/// # Errors
/// As for [`create`].
pub async fn create_with(
    edit: &Edit<'_>,
    body: CreateApplication,
    handed_in: Option<ClientSecret>,
) -> Result<CreatedApplication, RegistryError> {
    edit.require_write()?;
    let owner = owner_of(edit, &body).await?;
    let id: ApplicationId = new_id(edit.now(), edit.entropy);
    let method = body.token_endpoint_auth_method.unwrap_or(if body.kind.is_confidential() {
        TokenEndpointAuthMethod::ClientSecretBasic
    } else {
        TokenEndpointAuthMethod::None
    });
    let application = Application {
        id,
        client_id: body.client_id.clone().unwrap_or_else(|| generated_client_id(id)),
        name: body.name,
        kind: body.kind,
        level: body.level,
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        status: ApplicationStatus::Active,
        allowed_scopes: body.allowed_scopes,
        scopes_changed_at: edit.now(),
        scope_policy: body.scope_policy,
        redirect_uris: body.redirect_uris,
        post_logout_redirect_uris: body.post_logout_redirect_uris,
        backchannel_logout_uri: body.backchannel_logout_uri,
        frontchannel_logout_uri: body.frontchannel_logout_uri,
        allowed_origins: body.allowed_origins,
        grant_types: body.grant_types.unwrap_or_else(|| body.kind.grant_types()),
        pkce_optional: body.pkce_optional,
        code_challenge_once: body.code_challenge_once,
        consent: body.consent,
        subject_type: body.subject_type,
        sector_identifier: body.sector_identifier,
        id_token_signed_response_alg: body.id_token_signed_response_alg,
        token_lifetime_secs: body.token_lifetime_secs.unwrap_or(DEFAULT_LIFETIME_SECS),
        token_endpoint_auth_method: method,
        jwks: body.jwks,
        jwks_uri: body.jwks_uri,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    let mut faults = Faults::default();
    // Paths take both: a client_id that reads as another application's identifier would make one path mean two things. And RFC
    // 9068 §5: a server "SHOULD prevent entities from being able to influence the value of the `sub` claim" where that could be
    // taken for another's: the `client_id` is the `sub` of a service's tokens.
    let reads_as_an_id = |chosen: &str| {
        chosen.parse::<ApplicationId>().is_ok() || chosen.parse::<UserId>().is_ok() || reads_as_pairwise(chosen)
    };
    let looks_like_an_id = body.client_id.is_some_and(|chosen| reads_as_an_id(chosen.as_str()));
    faults.add_unless(!looks_like_an_id, "/client_id", "reads as the identifier of an application or of a user");
    check(edit, &application, None, faults).await?;
    tenant::require_room_for_an_application(edit, owner).await?;

    let application = noun::insert(edit.tx, application, None).await?;
    let client_secret = match (uses_secret(method), handed_in) {
        (false, _) => None,
        (true, Some(handed_in)) => {
            secret::keep(edit, &application, &handed_in, None).await?;
            None
        }
        (true, None) => {
            let generated = ClientSecret::generate(edit.entropy);
            secret::keep(edit, &application, &generated, None).await?;
            Some(generated.expose_secret().to_owned())
        }
    };
    Ok(CreatedApplication { application, client_secret })
}

/// Changes an application. Lists are replaced as a whole. The application that results must pass what a new one must.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`RegistryError::Invalid`]; [`Forbidden::NotHeld`];
/// [`Conflict::LastSuperAdmin`](super::Conflict::LastSuperAdmin).
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchApplication) -> Result<Application, RegistryError> {
    let before = find(edit.tx, id, edit.reach()).await?;
    edit.require_covers(&before)?;
    let after = patched(&before, body);
    replace(edit, before, after).await
}

/// Adds one scope to the allowed ones. Where it is there already, nothing happens.
///
/// # Errors
/// As for [`patch`].
pub async fn allow_scope(edit: &Edit<'_>, id: &str, scope: ScopeToken) -> Result<Application, RegistryError> {
    let before = find(edit.tx, id, edit.reach()).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    if !after.allowed_scopes.contains(&scope) {
        after.allowed_scopes.push(scope);
    }
    replace(edit, before, after).await
}

/// Takes one scope from the allowed ones, and from the defaults with it.
///
/// # Errors
/// As for [`patch`]; [`RegistryError::NotFound`] too where the scope is not among them.
pub async fn disallow_scope(edit: &Edit<'_>, id: &str, scope: &str) -> Result<Application, RegistryError> {
    let before = find(edit.tx, id, edit.reach()).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    after.allowed_scopes.retain(|allowed| allowed.as_str() != scope);
    if after.allowed_scopes.len() == before.allowed_scopes.len() {
        let resource = ambit_protocol::admin::audit::Resource::Scope;
        return Err(RegistryError::NotFound { resource, id: scope.to_owned() });
    }
    after.scope_policy.default_scopes.retain(|default| default.as_str() != scope);
    replace(edit, before, after).await
}

/// Takes an application away, with its secrets, the roles it holds and its places among the servers of APIs.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Conflict::LastSuperAdmin`](super::Conflict::LastSuperAdmin).
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let application = find(edit.tx, id, edit.reach()).await?;
    edit.require_covers(&application)?;
    let watch = SuperAdminWatch::of_application(edit, &application).await?;
    let id = application.id.to_string();
    let own = Filter { parent: Some(&id), ..Filter::default() };
    for secret in noun::list::<Secret>(edit.tx, &own, Reach::Platform).await? {
        noun::delete(edit.tx, &secret).await?;
    }
    for assignment in noun::list::<Administrator>(edit.tx, &own, Reach::Platform).await? {
        noun::delete(edit.tx, &assignment).await?;
    }
    // Whoever registers this client_id next must not serve these APIs by the way.
    let quoted = serde_json::Value::from(application.client_id.as_str()).to_string();
    let mentions = Filter { mentions: Some(&quoted), ..Filter::default() };
    for before in noun::list::<Api>(edit.tx, &mentions, Reach::Platform).await? {
        let mut after = before.clone();
        after.resource_servers.retain(|server| *server != application.client_id);
        edit.replace(&before, after).await?;
    }
    noun::delete(edit.tx, &application).await?;
    watch.after(edit).await
}

/// The application of an identifier or a `client_id`, if it is within reach.
///
/// # Errors
/// [`RegistryError::NotFound`].
pub async fn find(reads: &(impl Reads + ?Sized), id: &str, reach: Reach) -> Result<Application, RegistryError> {
    let by = if id.parse::<ApplicationId>().is_ok() { By::Id(id) } else { By::NaturalKey(id) };
    noun::find(reads, by, reach)
        .await?
        .ok_or_else(|| RegistryError::NotFound { resource: Application::RESOURCE, id: id.to_owned() })
}

/// Whether a method authenticates by a secret.
#[must_use]
pub const fn uses_secret(method: TokenEndpointAuthMethod) -> bool {
    matches!(method, TokenEndpointAuthMethod::ClientSecretBasic | TokenEndpointAuthMethod::ClientSecretPost)
}

async fn replace(edit: &Edit<'_>, before: Application, mut after: Application) -> Result<Application, RegistryError> {
    check(edit, &after, Some(&before), Faults::default()).await?;
    if !same_set(&before.allowed_scopes, &after.allowed_scopes) {
        after.scopes_changed_at = edit.now();
    }
    let watch = SuperAdminWatch::of_application(edit, &before).await?;
    let after = edit.replace(&before, after).await?;
    watch.after(edit).await?;
    Ok(after)
}

fn patched(before: &Application, body: PatchApplication) -> Application {
    let mut after = before.clone();
    let PatchApplication {
        name,
        status,
        allowed_scopes,
        scope_policy,
        redirect_uris,
        post_logout_redirect_uris,
        backchannel_logout_uri,
        frontchannel_logout_uri,
        allowed_origins,
        grant_types,
        pkce_optional,
        code_challenge_once,
        consent,
        subject_type,
        sector_identifier,
        id_token_signed_response_alg,
        token_lifetime_secs,
        token_endpoint_auth_method,
        jwks,
        jwks_uri,
    } = body;
    after.name = name.unwrap_or(after.name);
    after.status = status.unwrap_or(after.status);
    after.allowed_scopes = allowed_scopes.unwrap_or(after.allowed_scopes);
    after.scope_policy = scope_policy.unwrap_or(after.scope_policy);
    after.redirect_uris = redirect_uris.unwrap_or(after.redirect_uris);
    after.post_logout_redirect_uris = post_logout_redirect_uris.unwrap_or(after.post_logout_redirect_uris);
    after.backchannel_logout_uri = backchannel_logout_uri.unwrap_or(after.backchannel_logout_uri);
    after.frontchannel_logout_uri = frontchannel_logout_uri.unwrap_or(after.frontchannel_logout_uri);
    after.allowed_origins = allowed_origins.unwrap_or(after.allowed_origins);
    after.grant_types = grant_types.unwrap_or(after.grant_types);
    after.pkce_optional = pkce_optional.unwrap_or(after.pkce_optional);
    after.code_challenge_once = code_challenge_once.unwrap_or(after.code_challenge_once);
    after.consent = consent.unwrap_or(after.consent);
    after.subject_type = subject_type.unwrap_or(after.subject_type);
    after.sector_identifier = sector_identifier.unwrap_or(after.sector_identifier);
    after.id_token_signed_response_alg = id_token_signed_response_alg.unwrap_or(after.id_token_signed_response_alg);
    after.token_lifetime_secs = token_lifetime_secs.unwrap_or(after.token_lifetime_secs);
    after.token_endpoint_auth_method = token_endpoint_auth_method.unwrap_or(after.token_endpoint_auth_method);
    after.jwks = jwks.unwrap_or(after.jwks);
    after.jwks_uri = jwks_uri.unwrap_or(after.jwks_uri);
    after
}

/// Who is to own a new application: its level says which kind of owner, the body or the caller's reach says which one.
async fn owner_of(edit: &Edit<'_>, body: &CreateApplication) -> Result<Owner, RegistryError> {
    let reaches = level_of(edit.reach());
    // Level: Platform < Partner < Tenant.
    if body.level < reaches {
        return Err(Forbidden::Level { reaches, wanted: body.level }.into());
    }
    let not_with = |pointer, level| Err(RegistryError::invalid(pointer, format!("does not go with level {level}")));
    match (body.level, body.tenant_id, body.partner_id) {
        (Level::Platform | Level::Partner, Some(_), _) => not_with("/tenant_id", body.level),
        (Level::Platform, None, Some(_)) => not_with("/partner_id", body.level),
        _ => match (body.level, edit.resolve_owner(body.tenant_id, body.partner_id).await?) {
            (Level::Platform, owner) => Ok(owner),
            (Level::Partner, owner @ Owner::Partner(_)) | (Level::Tenant, owner @ Owner::Tenant(..)) => Ok(owner),
            (Level::Partner, _) => Err(RegistryError::invalid("/partner_id", "is missing: whose application is it?")),
            (Level::Tenant, _) => Err(RegistryError::invalid("/tenant_id", "is missing: whose application is it?")),
        },
    }
}

/// Everything that must hold for an application, whether it is new or changed. What it was already allowed is not asked about
/// again: it may stay, though its present administrator could not have granted it.
async fn check(
    edit: &Edit<'_>,
    application: &Application,
    before: Option<&Application>,
    mut faults: Faults,
) -> Result<(), RegistryError> {
    check_type(&mut faults, application);
    check_keys(&mut faults, application, edit.settings.loopback_uris);
    check_logout_uris(&mut faults, application, edit.settings.loopback_uris);
    check_subject_type(&mut faults, application);
    check_lifetime(&mut faults, Some(application.token_lifetime_secs));
    check_uris(&mut faults, application, edit.settings.limits.list_entries);
    let method = application.token_endpoint_auth_method;
    let turns_to_secret = before.is_some_and(|it| !uses_secret(it.token_endpoint_auth_method)) && uses_secret(method);
    if turns_to_secret && !secret::has_live_one(edit, application).await? {
        // A confidential client without a credential could be authenticated by nothing, or by an empty one.
        faults.add("/token_endpoint_auth_method", "needs a secret: make one first, POST …/secrets");
    }
    let allowed_before = before.map_or(&[][..], |before| &before.allowed_scopes);
    let not_held = check_allowed_scopes(edit, &mut faults, application, allowed_before).await?;
    check_policy(edit, &mut faults, application).await?;
    faults.into_result()?;
    if not_held.is_empty() { Ok(()) } else { Err(Forbidden::NotHeld { scopes: not_held }.into()) }
}

/// The row of its type in identity.md §2.
fn check_type(faults: &mut Faults, application: &Application) {
    let method = application.token_endpoint_auth_method;
    if application.kind.is_confidential() {
        faults.add_unless(
            method != TokenEndpointAuthMethod::None,
            "/token_endpoint_auth_method",
            "an application of this type authenticates: client_secret_basic, client_secret_post or private_key_jwt",
        );
    } else {
        faults.add_unless(
            method == TokenEndpointAuthMethod::None,
            "/token_endpoint_auth_method",
            "an application of this type cannot keep a secret: none",
        );
    }
    faults.add_unless(
        !application.pkce_optional || application.kind.is_confidential(),
        "/pkce_optional",
        "an application of this type always uses PKCE (RFC 9700 section 2.1.1)",
    );
    let possible = application.kind.grant_types();
    for (place, grant) in application.grant_types.iter().enumerate() {
        if !possible.contains(grant) {
            faults.add(format!("/grant_types/{place}"), format!("an application of this type never has {grant}"));
        }
    }
    if let Some(place) = first_repeated(&application.grant_types) {
        faults.add(format!("/grant_types/{place}"), "is there twice");
    }
}

/// RFC 7591 §2: `jwks` and `jwks_uri` "MUST NOT both be present in the same request or response".
fn check_keys(faults: &mut Faults, application: &Application, loopback: bool) {
    let has_keys = application.jwks.as_ref().is_some_and(|jwks| !jwks.keys().is_empty());
    // Well formed is not yet a key: a point may lie beside its curve. Whoever is loaded with such a one cannot be served.
    if let Some(Err(error)) = application.jwks.as_ref().map(VerifyingKeys::new) {
        match error {
            JwkSetError::Key { index, error } => faults.add(format!("/jwks/keys/{index}"), error.to_string()),
            error => faults.add("/jwks", error.to_string()),
        }
    }
    match &application.jwks_uri {
        Some(_) if application.jwks.is_some() => {
            faults.add("/jwks_uri", "does not go with jwks: the keys are in one place or in the other");
        }
        Some(uri) if uri.is_local() && !loopback => {
            faults.add("/jwks_uri", "leads to the server's own machine");
        }
        Some(_) => {}
        None => faults.add_unless(
            has_keys || application.token_endpoint_auth_method != TokenEndpointAuthMethod::PrivateKeyJwt,
            "/jwks",
            "private_key_jwt needs at least one public key, here or at a jwks_uri",
        ),
    }
}

fn check_uris(faults: &mut Faults, application: &Application, max: usize) {
    use ambit_protocol::admin::application::ApplicationType::{Native, Spa, Web};
    let has_browser = matches!(application.kind, Web | Spa | Native);
    for (pointer, uris) in [
        ("/redirect_uris", &application.redirect_uris),
        ("/post_logout_redirect_uris", &application.post_logout_redirect_uris),
    ] {
        check_list(faults, pointer, uris, max);
        faults.add_unless(
            has_browser || uris.is_empty(),
            pointer,
            "an application of this type has no browser to send back",
        );
        for (place, uri) in uris.iter().enumerate() {
            if uri.kind() != RedirectUriKind::Https && application.kind != Native {
                // RFC 8252 §8.3 and §7.1: these are a native application's; anybody on the machine may listen there.
                faults.add(
                    format!("{pointer}/{place}"),
                    "loopback addresses and private-use schemes are for type native",
                );
            }
        }
    }
    check_list(faults, "/allowed_origins", &application.allowed_origins, max);
    let has_scripts = matches!(application.kind, Web | Spa) || application.allowed_origins.is_empty();
    faults.add_unless(has_scripts, "/allowed_origins", "an application of this type has no scripts in browsers");
}

/// Where an application is told that a session has ended.
fn check_logout_uris(faults: &mut Faults, application: &Application, loopback: bool) {
    let signs_people_in = application.grant_types.contains(&GrantType::AuthorizationCode);
    if let Some(uri) = &application.backchannel_logout_uri {
        faults.add_unless(signs_people_in, "/backchannel_logout_uri", NO_SESSIONS);
        faults.add_unless(loopback || !uri.is_local(), "/backchannel_logout_uri", "leads to the server's own machine");
    }
    if let Some(uri) = &application.frontchannel_logout_uri {
        faults.add_unless(signs_people_in, "/frontchannel_logout_uri", NO_SESSIONS);
        // OpenID Connect Front-Channel Logout 1.0 §2: "The domain, port, and scheme of this URL MUST be the same as that of a
        // registered Redirection URI value."
        let is_at_home = uri
            .origin()
            .is_some_and(|own| application.redirect_uris.iter().any(|uri| uri.origin().as_ref() == Some(&own)));
        faults.add_unless(
            is_at_home,
            "/frontchannel_logout_uri",
            "must have scheme, host and port of one of the redirect URIs",
        );
    }
}

/// OpenID Connect Core §8.1: without a sector identifier, "the Sector Identifier … is the host component of the registered
/// `redirect_uri`", and several hosts need one.
fn check_subject_type(faults: &mut Faults, application: &Application) {
    let is_pairwise = application.subject_type == SubjectType::Pairwise;
    faults.add_unless(
        is_pairwise || application.sector_identifier.is_none(),
        "/sector_identifier",
        "is for subject_type pairwise only",
    );
    faults.add_unless(
        !is_pairwise || sector_of(application).is_some(),
        "/sector_identifier",
        "is missing: pairwise names need it unless all redirect URIs have one and the same host",
    );
}

fn check_list<T: std::hash::Hash + Eq>(faults: &mut Faults, pointer: &str, list: &[T], max: usize) {
    if list.len() > max {
        faults.add(pointer, format!("has {} entries, and list_entries allows {max}", list.len()));
    }
    if let Some(place) = first_repeated(list) {
        faults.add(format!("{pointer}/{place}"), "is there twice");
    }
}

fn generated_client_id(id: ApplicationId) -> ClientId {
    let id = id.to_string();
    let suffix = id.split_once('_').map_or(id.as_str(), |(_, suffix)| suffix);
    // An identifier is made of letters, digits and one underscore, all of which a client_id may have.
    format!("client_{suffix}").parse().expect("a client_id made of an identifier is well formed")
}

fn same_set(a: &[ScopeToken], b: &[ScopeToken]) -> bool {
    let set = |list: &[ScopeToken]| list.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    a.len() == b.len() && set(a) == set(b)
}

const DEFAULT_LIFETIME_SECS: u32 = 3600;
const NO_SESSIONS: &str = "an application without the grant authorization_code signs nobody in";
