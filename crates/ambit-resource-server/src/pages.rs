//! The pages behind a problem's `type` and a challenge's `error_uri`, and what all problems of a kind have in common.

/// A kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorPage {
    /// Its page, below the address of the error pages.
    pub slug: &'static str,
    /// The problem's `title`.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// 401: no token, or none where it belongs.
pub const MISSING_TOKEN: ErrorPage = ErrorPage { slug: "api/missing-token", title: "No token was sent", status: 401 };
/// 400: the request carries credentials in a way that cannot be read.
pub const INVALID_AUTHORIZATION: ErrorPage =
    ErrorPage { slug: "api/invalid-authorization", title: "The Authorization header cannot be read", status: 400 };
/// 401: the token is not good.
pub const INVALID_TOKEN: ErrorPage =
    ErrorPage { slug: "api/invalid-token", title: "The token is not good", status: 401 };
/// 403: the token is good and holds too little.
pub const INSUFFICIENT_SCOPE: ErrorPage =
    ErrorPage { slug: "api/insufficient-scope", title: "The token lacks the scope", status: 403 };
/// 401: the token is good, and the sign-in behind it is too weak or too old (RFC 9470).
pub const INSUFFICIENT_USER_AUTHENTICATION: ErrorPage = ErrorPage {
    slug: "api/oauth2-insufficient-user-authentication",
    title: "The API wants a stronger or fresher sign-in",
    status: 401,
};
/// 402: the tenant is suspended.
pub const TENANT_SUSPENDED: ErrorPage =
    ErrorPage { slug: "tenant/suspended", title: "The tenant is suspended", status: 402 };
/// 403: the tenant is gone.
pub const TENANT_CHURNED: ErrorPage = ErrorPage { slug: "tenant/churned", title: "The tenant is gone", status: 403 };
/// 403: the partner is suspended.
pub const PARTNER_SUSPENDED: ErrorPage =
    ErrorPage { slug: "tenant/partner-suspended", title: "The partner is suspended", status: 403 };
/// 503: nobody can tell now.
pub const UNAVAILABLE: ErrorPage =
    ErrorPage { slug: "api/temporarily-unavailable", title: "The server cannot answer now", status: 503 };

/// All of them: whoever serves the pages checks that each is there.
pub const ALL: [ErrorPage; 9] = [
    MISSING_TOKEN,
    INVALID_AUTHORIZATION,
    INVALID_TOKEN,
    INSUFFICIENT_SCOPE,
    INSUFFICIENT_USER_AUTHENTICATION,
    TENANT_SUSPENDED,
    TENANT_CHURNED,
    PARTNER_SUSPENDED,
    UNAVAILABLE,
];
