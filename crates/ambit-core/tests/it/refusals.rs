//! What a refused caller reads, as a table: every reason there is, in `golden/refusals.snap`. A reason that is new does not
//! compile here before it has a row.

use std::fmt::Write as _;

use ambit_core::grants::client_credentials::{Request, evaluate};
use ambit_core::limits::Limits;
use ambit_core::page;
use ambit_core::refusal::{AuthenticationFailure, GrantFault, Refusal, Unasked};
use ambit_core::registry::error::{OpenedByRole, Usage};
use ambit_core::registry::{Conflict, Forbidden, RegistryError};
use ambit_core::store::StoreError;
use ambit_protocol::admin::application::Level;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::authorization_request::AuthorizationRequestError;
use ambit_protocol::time::Timestamp;
use serde_json::json;

use crate::support::{NOW, Receipts, application, facts, token};

/// One example of each variant. The pattern beside it keeps the list whole: a variant without one does not compile, and an
/// example of another variant fails.
macro_rules! one_of_each {
    ($type:ty { $($pattern:pat => $($example:expr),+;)* }) => {{
        let _whole = |it: &$type| match it { $($pattern => {})* };
        let mut all: Vec<$type> = vec![];
        $($(
            let example = $example;
            assert!(matches!(&example, $pattern), "{}: {example:?}", stringify!($pattern));
            all.push(example);
        )+)*
        all
    }};
}

#[test]
fn every_refusal_is_told_as_in_the_table() {
    let mut table = String::from(CLIENTS);
    for refusal in refusals() {
        let told = refusal.told();
        assert_eq!(page::find(told.page.slug), Some(told.page));
        let wait = refusal.retry_after_secs().map_or("-".to_owned(), |secs| format!("{secs} s"));
        let recorded = if refusal.is_recorded() { "yes" } else { "no" };
        writeln!(
            table,
            "{:<24} {} {:<24} {recorded:<8} {wait:<5} {:<36} {}",
            refusal.code(),
            told.status,
            told.error.as_str(),
            told.page.slug,
            told.description
        )
        .unwrap();
    }
    table.push_str(ADMINISTRATORS);
    for error in registry_errors() {
        let page = error.page();
        assert_eq!(page::find(page.slug), Some(page));
        let problem = error.problem("/errors/");
        assert_eq!((problem.status, &problem.r#type), (page.status, &format!("/errors/{}", page.slug)));
        writeln!(table, "{} {:<30} {}", page.status, page.slug, problem.detail.clone().unwrap_or_default()).unwrap();
        for fault in &problem.errors {
            writeln!(table, "{:>37}: {}", fault.pointer, fault.message).unwrap();
        }
        for (name, value) in &problem.extensions {
            writeln!(table, "{name:>37}: {value}").unwrap();
        }
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("refusals", table);
    });
}

#[test]
fn why_a_client_did_not_authenticate_is_in_no_answer() {
    let told: Vec<_> =
        authentication_failures().into_iter().map(|failure| Refusal::Unauthenticated(failure).told()).collect();
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
}

#[test]
fn what_went_wrong_inside_is_for_the_log_alone() {
    let secret = "SELECT secret FROM rows";
    for refusal in [Refusal::Internal { reason: secret.into() }, Refusal::Unavailable { reason: secret.into() }] {
        assert!(!refusal.told().description.contains(secret));
    }
    for error in [
        StoreError::Unavailable(secret.into()),
        StoreError::Schema(secret.into()),
        StoreError::Corrupt { resource: Resource::Tenant, id: "tnt_1".into(), source: secret.into() },
    ] {
        let problem = RegistryError::from(error).problem("/errors/");
        assert!(!serde_json::to_string(&problem).unwrap().contains(secret), "{problem:?}");
    }
}

fn refusals() -> Vec<Refusal> {
    one_of_each!(Refusal {
        Refusal::InvalidRequest(_) => Refusal::InvalidRequest("parameter 'scope' is there twice".into());
        Refusal::BodyTooLarge(_) => Refusal::BodyTooLarge("the body is larger than the 65536 bytes that this endpoint takes".into());
        Refusal::BodyTooSlow(_) => Refusal::BodyTooSlow("the body did not arrive within 10s".into());
        Refusal::Unauthenticated(_) => Refusal::Unauthenticated(AuthenticationFailure::Missing),
            Refusal::Unauthenticated(AuthenticationFailure::UnsupportedMethod("Digest".into())),
            Refusal::Unauthenticated(AuthenticationFailure::UnknownClient),
            Refusal::Unauthenticated(AuthenticationFailure::WrongSecret),
            Refusal::Unauthenticated(AuthenticationFailure::ExpiredSecret),
            Refusal::Unauthenticated(AuthenticationFailure::OtherMethod),
            Refusal::Unauthenticated(AuthenticationFailure::Disabled),
            Refusal::Unauthenticated(AuthenticationFailure::Assertion("expired".into())),
            Refusal::Unauthenticated(AuthenticationFailure::AssertionReplayed),
            Refusal::Unauthenticated(AuthenticationFailure::KeysUnavailable);
        Refusal::WrongIssuer { .. } => Refusal::WrongIssuer { issuer: "https://as.example/tenants/acme".into() };
        Refusal::GrantNotAllowed { .. } => Refusal::GrantNotAllowed { grant_type: "client_credentials" };
        Refusal::UnsupportedGrantType(_) => Refusal::UnsupportedGrantType("grant_type 'password' is not supported".into());
        Refusal::InvalidTarget(_) => Refusal::InvalidTarget("resource 'x' is not an absolute URI".into());
        Refusal::Authorization(_) =>
            Refusal::Authorization(AuthorizationRequestError::ResponseType { sent: "token".into() }),
            Refusal::Authorization(AuthorizationRequestError::ResponseMode { sent: "fragment".into() }),
            Refusal::Authorization(AuthorizationRequestError::RequestObject),
            Refusal::Authorization(AuthorizationRequestError::RequestUri),
            Refusal::Authorization(AuthorizationRequestError::ChallengeMethod { sent: Some("plain".into()) }),
            Refusal::Authorization(AuthorizationRequestError::ChallengeMissing),
            Refusal::Authorization(AuthorizationRequestError::PromptNoneAndMore);
        Refusal::ChallengeMissing => Refusal::ChallengeMissing;
        Refusal::ChallengeRepeated => Refusal::ChallengeRepeated;
        Refusal::Unasked(_) => Refusal::Unasked(Unasked::Login), Refusal::Unasked(Unasked::Consent),
            Refusal::Unasked(Unasked::Unattainable), Refusal::Unasked(Unasked::OtherPerson);
        Refusal::Denied => Refusal::Denied;
        Refusal::Grant(_) => Refusal::Grant(GrantFault::CodeUnknown), Refusal::Grant(GrantFault::CodeReused), Refusal::Grant(GrantFault::RedirectUri), Refusal::Grant(GrantFault::VerifierMissing), Refusal::Grant(GrantFault::VerifierUnexpected), Refusal::Grant(GrantFault::VerifierMismatch), Refusal::Grant(GrantFault::OtherClient), Refusal::Grant(GrantFault::RefreshTokenUnknown), Refusal::Grant(GrantFault::RefreshTokenExpired), Refusal::Grant(GrantFault::RefreshTokenReused), Refusal::Grant(GrantFault::UserGone), Refusal::Grant(GrantFault::Withdrawn);
        Refusal::Scope(_) => scope("pos.read nope"), scope("pos.write"), scope("openid");
        Refusal::ScopeLimit(_) => Refusal::ScopeLimit("parameter 'scope' names more than 512 scopes".into());
        Refusal::TenantNotReached(_) => Refusal::TenantNotReached("acme".into());
        Refusal::TenantMisnamed(_) => Refusal::TenantMisnamed("the parameter 'unit' needs the parameter 'tenant'".into());
        Refusal::UnitUnknown(_) => Refusal::UnitUnknown("north".into());
        Refusal::TenantShut { .. } => shut(TenantStatus::Suspended), shut(TenantStatus::Churned);
        Refusal::PartnerShut => Refusal::PartnerShut;
        Refusal::TooManyFailures { .. } => Refusal::TooManyFailures { retry_after_secs: 7 };
        Refusal::Unavailable { .. } => Refusal::Unavailable { reason: "the pool is empty".into() };
        Refusal::Internal { .. } => Refusal::Internal { reason: "no key signs".into() };
    })
}

fn authentication_failures() -> Vec<AuthenticationFailure> {
    use AuthenticationFailure as Failure;
    one_of_each!(Failure {
        Failure::Missing => Failure::Missing;
        Failure::UnsupportedMethod(_) => Failure::UnsupportedMethod("Digest".into());
        Failure::UnknownClient => Failure::UnknownClient;
        Failure::WrongSecret => Failure::WrongSecret;
        Failure::ExpiredSecret => Failure::ExpiredSecret;
        Failure::OtherMethod => Failure::OtherMethod;
        Failure::Disabled => Failure::Disabled;
        Failure::Assertion(_) => Failure::Assertion("expired".into());
        Failure::AssertionReplayed => Failure::AssertionReplayed;
        Failure::KeysUnavailable => Failure::KeysUnavailable;
    })
}

fn registry_errors() -> Vec<RegistryError> {
    let forbidden = one_of_each!(Forbidden {
        Forbidden::ReadOnly => Forbidden::ReadOnly;
        Forbidden::PlatformOnly { .. } => Forbidden::PlatformOnly { what: "make a partner" };
        Forbidden::AboveTenantOnly { .. } => Forbidden::AboveTenantOnly { what: "make a tenant" };
        Forbidden::OwnedAbove { .. } => Forbidden::OwnedAbove { resource: Resource::Api };
        Forbidden::Level { .. } => Forbidden::Level { reaches: Level::Tenant, wanted: Level::Platform };
        Forbidden::NotHeld { .. } =>
            Forbidden::NotHeld { scopes: vec![(0, token("admin:read")), (2, token("admin:write"))] };
        Forbidden::RoleNotHeld { .. } => Forbidden::RoleNotHeld {
            roles: vec![OpenedByRole {
                place: Some(0),
                role: "treasurer".parse().expect("a role"),
                scope: token("admin:write"),
            }],
        };
        Forbidden::Role => Forbidden::Role;
    });
    let mut errors = one_of_each!(RegistryError {
        RegistryError::NotFound { .. } => RegistryError::NotFound { resource: Resource::Tenant, id: "tnt_1".into() };
        RegistryError::Conflict(_) => RegistryError::Conflict(Conflict::LastSuperAdmin);
        RegistryError::Invalid(_) => RegistryError::invalid("/name", "is missing"),
            RegistryError::Invalid([("/a", "is missing"), ("/b", "is unknown here")].map(fault).to_vec());
        RegistryError::Forbidden(_) => RegistryError::Forbidden(Forbidden::Role);
        RegistryError::Precondition { .. } => RegistryError::Precondition { current: 7 };
        RegistryError::Store(_) => RegistryError::Store(StoreError::Schema("version 9".into()));
    });
    // These three have tables of their own, just below.
    errors.retain(|error| {
        !matches!(error, RegistryError::Conflict(_) | RegistryError::Forbidden(_) | RegistryError::Store(_))
    });
    errors.extend(forbidden.into_iter().map(Into::into));
    errors.extend(conflicts().into_iter().map(Into::into));
    errors.extend(store_errors().into_iter().map(Into::into));
    errors
}

fn conflicts() -> Vec<Conflict> {
    let usage = |n: u32| Usage {
        resource: Resource::Application,
        id: format!("app_{n}"),
        name: format!("till-{n}"),
        field: "allowed_scopes",
    };
    let in_use = |shown: u32, count| Conflict::InUse {
        resource: Resource::Scope,
        id: "pos.read".into(),
        by: (0..shown).map(usage).collect(),
        count,
        instead: "deprecate it",
    };
    one_of_each!(Conflict {
        Conflict::Taken { .. } => Conflict::Taken { resource: Resource::Tenant, key: "acme".into() };
        Conflict::LimitReached { .. } => Conflict::LimitReached { limit: "max_tenants", max: 3, count: 3 };
        Conflict::TenantTransition { .. } => Conflict::TenantTransition {
            from: TenantStatus::Suspended,
            to: TenantStatus::Trial,
            allowed: vec![TenantStatus::Active, TenantStatus::Churned],
        }, Conflict::TenantTransition { from: TenantStatus::Churned, to: TenantStatus::Active, allowed: vec![] };
        Conflict::ScopeTransition { .. } => Conflict::ScopeTransition {
            scope: token("pos.read"),
            from: ScopeState::Retired,
            to: ScopeState::Active,
            allowed: vec![],
        };
        Conflict::InUse { .. } => in_use(1, 1), in_use(7, 9), in_use(0, 2);
        Conflict::FeatureOffForTenant { .. } => Conflict::FeatureOffForTenant { feature: "digital-receipts".into() };
        Conflict::NextKeyYoung { .. } => Conflict::NextKeyYoung {
            id: "key_1".into(),
            published_at: Timestamp::from_secs(1_800_000_000),
            signs_from: Timestamp::from_secs(1_800_086_400),
        };
        Conflict::LastSuperAdmin => Conflict::LastSuperAdmin;
        Conflict::TwoSecrets => Conflict::TwoSecrets;
        Conflict::LastSecret => Conflict::LastSecret;
        Conflict::PublicClient => Conflict::PublicClient;
        Conflict::NotToInvite { .. } => Conflict::NotToInvite { id: "usr_1".into(), state: "has come already" };
        Conflict::NoMail => Conflict::NoMail;
        Conflict::BuiltIn { .. } =>
            Conflict::BuiltIn { what: "scope 'admin:read'".into(), why: "only its title can be changed" };
        Conflict::KeyState { .. } => Conflict::KeyState { id: "key_1".into(), state: "revoked", wanted: "revoked" };
    })
}

fn store_errors() -> Vec<StoreError> {
    one_of_each!(StoreError {
        StoreError::Conflict { .. } => StoreError::Conflict { resource: Resource::Tenant, key: "acme".into() };
        StoreError::Missing { .. } => StoreError::Missing { resource: Resource::Tenant, id: "tnt_1".into() };
        StoreError::Corrupt { .. } =>
            StoreError::Corrupt { resource: Resource::Tenant, id: "tnt_1".into(), source: "cut off".into() };
        StoreError::Unstorable(_) => StoreError::Unstorable("a text with a NUL octet");
        StoreError::Schema(_) => StoreError::Schema("the schema is of version 9".into());
        StoreError::Unavailable(_) => StoreError::Unavailable("the disk is full".into());
    })
}

fn fault((pointer, message): (&str, &str)) -> ambit_protocol::problem::FieldError {
    ambit_protocol::problem::FieldError { pointer: pointer.into(), message: message.into() }
}

fn shut(status: TenantStatus) -> Refusal {
    Refusal::TenantShut { slug: "acme".into(), status }
}

/// The refusal of a request for scopes, by an application that is allowed the bundle `pos.read`.
fn scope(requested: &str) -> Refusal {
    let facts = facts(application("pos.read openid", json!({})), Receipts::NoTenant);
    let request = Request { scope: Some(requested), resources: &[] };
    evaluate(&request, &facts, &Limits::default(), NOW).expect_err("a refusal")
}

const CLIENTS: &str = "\
What a client reads at an OAuth endpoint. 'reason' is in logs, metrics and the journal, never in the answer; 'recorded' says
whether the journal keeps it. None is an event of the audit trail itself. What was lent and ends by code_reused, refresh_token_reused
or other_client is: somebody may have stolen it.

reason               status error                    recorded retry page                                 description
";

const ADMINISTRATORS: &str = "
What an administrator reads, as a problem: status, page, detail, and below it the members that programs read.
A refused change is not in the audit trail: nothing was changed.

";
