//! Every reason to refuse a request of a client, and its one translation: the code, the status, what the client reads, the
//! page that explains it. What we log is more, and is never shown.

use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::authorization_request::AuthorizationRequestError;
use ambit_protocol::error::{ErrorCode, describe};

use crate::governance::decision::Decision;
use crate::page::{self, Page};

/// Why a client's request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be read: the text names the parameter and the rule.
    InvalidRequest(String),
    /// The body is too large: the text names the limit.
    BodyTooLarge(String),
    /// The body did not come in time: the text names the limit.
    BodyTooSlow(String),
    /// The client did not authenticate. Why is for the log alone.
    Unauthenticated(AuthenticationFailure),
    /// The right credentials at the wrong issuer.
    WrongIssuer {
        /// The issuer to ask.
        issuer: String,
    },
    /// The application may not use this grant.
    GrantNotAllowed {
        /// The grant.
        grant_type: &'static str,
    },
    /// A grant we do not have: the text says which, and which there are.
    UnsupportedGrantType(String),
    /// A resource that is malformed, unknown or not offered to this client: the text says which.
    InvalidTarget(String),
    /// The authorization request cannot be read, or asks for what there is not.
    Authorization(AuthorizationRequestError),
    /// PKCE is required.
    ChallengeMissing,
    /// The `code_challenge` was sent before.
    ChallengeRepeated,
    /// Something has to be asked of the person first, and nobody may be asked.
    Unasked(Unasked),
    /// The person said no.
    Denied,
    /// The code or the refresh token is not good.
    Grant(GrantFault),
    /// The decision was not to grant. The text is the decision's own.
    Scope(Box<Decision>),
    /// More than the limits allow; the text names the limit.
    ScopeLimit(String),
    /// No such tenant, or none that this client reaches: the same to it.
    TenantNotReached(String),
    /// A tenant's application named another tenant, or a unit was named without a tenant.
    TenantMisnamed(String),
    /// No such unit in the tenant.
    UnitUnknown(String),
    /// The tenant is suspended or churned.
    TenantShut {
        /// Its slug.
        slug: String,
        /// Its status.
        status: TenantStatus,
    },
    /// The partner is suspended.
    PartnerShut,
    /// Too many failures.
    TooManyFailures {
        /// When to try again.
        retry_after_secs: u64,
    },
    /// Overload, or storage that does not answer: the same request may pass later.
    Unavailable {
        /// What, for the log.
        reason: String,
    },
    /// A fault of ours.
    Internal {
        /// What, for the log.
        reason: String,
    },
}

/// What would have to be asked of a person where nobody may be asked (OpenID Connect Core §3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// Who they are.
    Login,
    /// Whether they consent.
    Consent,
    /// More than they, or anybody, can prove.
    Unattainable,
    /// That they are whom the request expects: somebody else has signed in.
    OtherPerson,
}

/// Why a code or a refresh token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantFault {
    /// No such code, or one that is too old: the same to whoever has it.
    CodeUnknown,
    /// It was used before. What came of it has ended.
    CodeReused,
    /// The redirect URI is not the one it was sent to.
    RedirectUri,
    /// It was asked for with PKCE, and no verifier came.
    VerifierMissing,
    /// It was asked for without PKCE, and a verifier came (RFC 9700 §4.8.2: a downgrade).
    VerifierUnexpected,
    /// The verifier does not belong to the challenge.
    VerifierMismatch,
    /// It is another client's.
    OtherClient,
    /// No such refresh token, or what it renews has ended.
    RefreshTokenUnknown,
    /// It is too old.
    RefreshTokenExpired,
    /// It was used before. What it renews has ended.
    RefreshTokenReused,
    /// The person may not sign in, or is gone.
    UserGone,
    /// What was lent cannot be lent any more.
    Withdrawn,
}

impl GrantFault {
    /// The page, the reason's code and the sentence of each.
    const fn told(self) -> (&'static Page, &'static str, &'static str) {
        match self {
            Self::CodeUnknown => {
                (&page::CODE_EXPIRED, "code_unknown", "the code is not known, or older than its minute")
            }
            Self::CodeReused => (
                &page::CODE_REUSED,
                "code_reused",
                "the code was used before; what came of it has ended (RFC 6749 section 4.1.2)",
            ),
            Self::RedirectUri => (
                &page::CODE_REDIRECT_URI,
                "redirect_uri_mismatch",
                "'redirect_uri' is not the one that the code was sent to (RFC 6749 section 4.1.3)",
            ),
            Self::VerifierMissing => (
                &page::VERIFIER_MISSING,
                "verifier_missing",
                "the code was asked for with PKCE: send 'code_verifier' (RFC 7636 section 4.5)",
            ),
            Self::VerifierUnexpected => (
                &page::VERIFIER_MISMATCH,
                "verifier_unexpected",
                "the code was asked for without PKCE, and 'code_verifier' was sent (RFC 9700 section 4.8.2)",
            ),
            Self::VerifierMismatch => (
                &page::VERIFIER_MISMATCH,
                "verifier_mismatch",
                "'code_verifier' does not belong to 'code_challenge' (RFC 7636 section 4.6)",
            ),
            Self::OtherClient => (&page::OTHER_CLIENTS_GRANT, "other_client", "this was issued to another client"),
            Self::RefreshTokenUnknown => (
                &page::REFRESH_TOKEN_NOT_KNOWN,
                "refresh_token_unknown",
                "the refresh token is not known, or what it renews has ended",
            ),
            Self::RefreshTokenExpired => {
                (&page::REFRESH_TOKEN_EXPIRED, "refresh_token_expired", "the refresh token has expired")
            }
            Self::RefreshTokenReused => (
                &page::REFRESH_TOKEN_REUSED,
                "refresh_token_reused",
                "the refresh token was used before; what it renews has ended (RFC 9700 section 4.14.2)",
            ),
            Self::UserGone => (&page::USER_DISABLED, "user_gone", "the person behind the grant may not sign in"),
            Self::Withdrawn => (
                &page::INVALID_GRANT,
                "grant_withdrawn",
                "what was granted cannot be granted any more: start again at the authorization endpoint",
            ),
        }
    }
}

/// The page of a mistake in an authorization request.
const fn authorization_page(error: &AuthorizationRequestError) -> &'static Page {
    use AuthorizationRequestError as Error;
    match error {
        Error::ResponseType { .. } => &page::UNSUPPORTED_RESPONSE_TYPE,
        Error::RequestObject => &page::REQUEST_NOT_SUPPORTED,
        Error::RequestUri => &page::REQUEST_URI_NOT_SUPPORTED,
        Error::ChallengeMethod { .. } => &page::CODE_CHALLENGE_METHOD,
        Error::ChallengeMissing => &page::CODE_CHALLENGE_REQUIRED,
        Error::Resource { .. } => &page::INVALID_TARGET,
        _ => &page::INVALID_REQUEST,
    }
}

/// Why a client did not authenticate. For the log and the audit trail; the client reads one text for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationFailure {
    /// No credentials at all.
    Missing,
    /// By a way that no client authenticates here: which.
    UnsupportedMethod(String),
    /// No client of that identifier.
    UnknownClient,
    /// None of its live secrets.
    WrongSecret,
    /// One of its secrets that has expired.
    ExpiredSecret,
    /// Another method than the one it is registered with (RFC 7591 §2, RFC 9700 §2.5).
    OtherMethod,
    /// The application is disabled.
    Disabled,
    /// The assertion is not good: which check it failed.
    Assertion(String),
    /// The assertion was used before.
    AssertionReplayed,
    /// The keys are not to be had where the client publishes them.
    KeysUnavailable,
}

impl AuthenticationFailure {
    /// The reason's code, for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "credentials_missing",
            Self::UnsupportedMethod(_) => "method_unsupported",
            Self::UnknownClient => "client_unknown",
            Self::WrongSecret => "secret_wrong",
            Self::ExpiredSecret => "secret_expired",
            Self::OtherMethod => "method_not_registered",
            Self::Disabled => "client_disabled",
            Self::Assertion(_) => "assertion_invalid",
            Self::AssertionReplayed => "assertion_replayed",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// The OAuth code.
    pub error: ErrorCode,
    /// The sentence.
    pub description: String,
    /// The page that explains it.
    pub page: &'static Page,
}

impl Refusal {
    /// The one translation.
    #[must_use]
    pub fn told(&self) -> Told {
        let told = |error: ErrorCode, description: String, page| Told {
            status: error.status(),
            error,
            description: describe(&description),
            page,
        };
        match self {
            Self::InvalidRequest(text) => told(ErrorCode::InvalidRequest, text.clone(), &page::INVALID_REQUEST),
            Self::BodyTooLarge(text) => Told {
                status: page::PAYLOAD_TOO_LARGE.status,
                ..told(ErrorCode::InvalidRequest, text.clone(), &page::PAYLOAD_TOO_LARGE)
            },
            Self::BodyTooSlow(text) => Told {
                status: page::REQUEST_TOO_SLOW.status,
                ..told(ErrorCode::InvalidRequest, text.clone(), &page::REQUEST_TOO_SLOW)
            },
            // RFC 6749 §5.2; one text for every cause, so that nobody learns which clients exist.
            Self::Unauthenticated(_) => {
                told(ErrorCode::InvalidClient, "client authentication failed".to_owned(), &page::INVALID_CLIENT)
            }
            Self::WrongIssuer { issuer } => told(
                ErrorCode::UnauthorizedClient,
                format!("this client belongs to issuer '{issuer}': use its token endpoint '{issuer}/connect/token'"),
                &page::WRONG_ISSUER,
            ),
            Self::GrantNotAllowed { grant_type } => told(
                ErrorCode::UnauthorizedClient,
                format!("this application may not use grant type '{grant_type}'"),
                &page::UNAUTHORIZED_CLIENT,
            ),
            Self::UnsupportedGrantType(text) => {
                told(ErrorCode::UnsupportedGrantType, text.clone(), &page::UNSUPPORTED_GRANT_TYPE)
            }
            Self::InvalidTarget(text) => told(ErrorCode::InvalidTarget, text.clone(), &page::INVALID_TARGET),
            Self::Authorization(error) => told(error.code(), error.to_string(), authorization_page(error)),
            Self::ChallengeMissing => told(
                ErrorCode::InvalidRequest,
                "PKCE is required: send 'code_challenge' with 'code_challenge_method=S256' (RFC 7636)".to_owned(),
                &page::CODE_CHALLENGE_REQUIRED,
            ),
            Self::ChallengeRepeated => told(
                ErrorCode::InvalidRequest,
                "'code_challenge' was sent before: make a new 'code_verifier' for each request (RFC 9700 section 2.1.1)"
                    .to_owned(),
                &page::CODE_CHALLENGE_REPEATED,
            ),
            Self::Unasked(Unasked::Login) => told(
                ErrorCode::LoginRequired,
                "the person has to sign in, and prompt=none does not allow it".to_owned(),
                &page::LOGIN_REQUIRED,
            ),
            Self::Unasked(Unasked::Consent) => told(
                ErrorCode::ConsentRequired,
                "the person has to consent, and prompt=none does not allow it".to_owned(),
                &page::CONSENT_REQUIRED,
            ),
            Self::Unasked(Unasked::Unattainable) => told(
                ErrorCode::UnmetAuthenticationRequirements,
                "none of the values of 'acr' that were called essential can be met here".to_owned(),
                &page::UNMET_AUTHENTICATION,
            ),
            // OpenID Connect Core §3.1.2.1: unless the one whom `id_token_hint` names is signed in, the server "SHOULD return an
            // error, such as login_required".
            Self::Unasked(Unasked::OtherPerson) => told(
                ErrorCode::LoginRequired,
                "whoever signed in is not the person of 'id_token_hint' or 'claims', or not of the tenant that is asked for"
                    .to_owned(),
                &page::LOGIN_REQUIRED,
            ),
            Self::Denied => told(ErrorCode::AccessDenied, "the person said no".to_owned(), &page::ACCESS_DENIED),
            Self::Grant(fault) => {
                let (page, _, text) = fault.told();
                told(ErrorCode::InvalidGrant, text.to_owned(), page)
            }
            Self::Scope(decision) => told(ErrorCode::InvalidScope, decision.description(), &page::INVALID_SCOPE),
            Self::ScopeLimit(text) => told(ErrorCode::InvalidScope, text.clone(), &page::INVALID_SCOPE),
            Self::TenantNotReached(tenant) => told(
                ErrorCode::InvalidRequest,
                format!("tenant '{tenant}' is none that this client reaches"),
                &page::TENANT_NOT_REACHED,
            ),
            Self::TenantMisnamed(text) => told(ErrorCode::InvalidRequest, text.clone(), &page::TENANT_NOT_REACHED),
            Self::UnitUnknown(unit) => {
                told(ErrorCode::InvalidRequest, format!("the tenant has no unit '{unit}'"), &page::UNIT_UNKNOWN)
            }
            Self::TenantShut { slug, status } => {
                let page = shut_page(*status);
                Told {
                    status: page.status,
                    ..told(ErrorCode::AccessDenied, format!("tenant '{slug}' is {status}"), page)
                }
            }
            Self::PartnerShut => told(
                ErrorCode::AccessDenied,
                "the partner that this client belongs to is suspended".to_owned(),
                &page::PARTNER_SUSPENDED,
            ),
            Self::TooManyFailures { .. } => Told {
                status: page::TOO_MANY_FAILURES.status,
                ..told(
                    ErrorCode::TemporarilyUnavailable,
                    "too many failed requests; try again later".to_owned(),
                    &page::TOO_MANY_FAILURES,
                )
            },
            Self::Unavailable { .. } => told(
                ErrorCode::TemporarilyUnavailable,
                "the server cannot answer now; try again later".to_owned(),
                &page::UNAVAILABLE,
            ),
            Self::Internal { .. } => told(
                ErrorCode::ServerError,
                "the server failed; the trace id names the log line".to_owned(),
                &page::SERVER_ERROR,
            ),
        }
    }

    /// The reason's code, for logs, metrics and the journal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::BodyTooSlow(_) => "body_too_slow",
            Self::Unauthenticated(failure) => failure.code(),
            Self::WrongIssuer { .. } => "wrong_issuer",
            Self::GrantNotAllowed { .. } => "grant_not_allowed",
            Self::UnsupportedGrantType(_) => "unsupported_grant_type",
            Self::InvalidTarget(_) => "invalid_target",
            Self::Authorization(_) => "authorization_request_invalid",
            Self::ChallengeMissing => "pkce_required",
            Self::ChallengeRepeated => "code_challenge_repeated",
            Self::Unasked(Unasked::Login) => "login_required",
            Self::Unasked(Unasked::Consent) => "consent_required",
            Self::Unasked(Unasked::Unattainable) => "authentication_unattainable",
            Self::Unasked(Unasked::OtherPerson) => "signed_in_as_another",
            Self::Denied => "denied_by_user",
            Self::Grant(fault) => fault.told().1,
            Self::Scope(_) => "invalid_scope",
            Self::ScopeLimit(_) => "scope_limit",
            Self::TenantNotReached(_) => "tenant_not_reached",
            Self::TenantMisnamed(_) => "tenant_misnamed",
            Self::UnitUnknown(_) => "unit_unknown",
            Self::TenantShut { .. } => "tenant_shut",
            Self::PartnerShut => "partner_suspended",
            Self::TooManyFailures { .. } => "too_many_failures",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal { .. } => "internal",
        }
    }

    /// Whether it is recorded beside the issued tokens: everything that somebody may ask about by its trace. Of a body that was
    /// not read there is nothing to record, not even whose it was.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        !matches!(
            self,
            Self::BodyTooLarge(_)
                | Self::BodyTooSlow(_)
                | Self::TooManyFailures { .. }
                | Self::Unavailable { .. }
                | Self::Internal { .. }
        )
    }

    /// How long to wait, where waiting helps.
    #[must_use]
    pub const fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::TooManyFailures { retry_after_secs } => Some(*retry_after_secs),
            Self::Unavailable { .. } => Some(1),
            _ => None,
        }
    }
}

/// The page, and so the status, of a tenant that is shut (identity.md §4).
#[must_use]
pub const fn shut_page(status: TenantStatus) -> &'static Page {
    match status {
        TenantStatus::Churned => &page::TENANT_CHURNED,
        _ => &page::TENANT_SUSPENDED,
    }
}
