//! The pages behind `error_uri` and problem `type`, as answers name them: address, title, code and status. Each is served at
//! `/errors/{slug}`, with cause and advice, from the entry of that id in the error knowledge base; a test holds the two together
//! and walks every error that the server can make.

/// What answers say of one page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Its path below `/errors/`: domain and name.
    pub slug: &'static str,
    /// What people read first; the `title` of a problem.
    pub title: &'static str,
    /// The code that programs see.
    pub code: &'static str,
    /// The HTTP status it comes with.
    pub status: u16,
}

/// The page of a path below `/errors/`.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Page> {
    PAGES.iter().copied().find(|page| page.slug == slug)
}

macro_rules! pages {
    ($($name:ident = $slug:literal, $title:literal, $code:literal, $status:literal;)*) => {
        $(
            #[doc = concat!("`", $slug, "`")]
            pub static $name: Page =
                Page { slug: $slug, title: $title, code: $code, status: $status };
        )*

        /// All pages.
        pub static PAGES: &[&Page] = &[$(&$name),*];
    };
}

pages! {
    INVALID_REQUEST = "api/oauth2-invalid-request", "The request cannot be read", "invalid_request", 400;
    INVALID_CLIENT = "api/oauth2-invalid-client", "Client authentication failed", "invalid_client", 401;
    WRONG_ISSUER = "api/oauth2-wrong-issuer", "Right credentials, wrong issuer", "unauthorized_client", 400;
    UNAUTHORIZED_CLIENT = "api/oauth2-unauthorized-client", "The application may not use this grant", "unauthorized_client", 400;
    UNSUPPORTED_GRANT_TYPE = "api/oauth2-unsupported-grant-type", "The server does not have this grant", "unsupported_grant_type", 400;
    INVALID_TARGET = "api/oauth2-invalid-target", "No such resource for this client", "invalid_target", 400;
    INVALID_SCOPE = "api/oauth2-invalid-scope-requested", "A requested scope was not granted", "invalid_scope", 400;
    INVALID_GRANT = "api/oauth2-invalid-grant", "The code, refresh token or assertion is not good (no cause given)", "invalid_grant", 400;
    CODE_EXPIRED = "api/oauth2-code-expired", "The authorization code is expired or unknown", "invalid_grant", 400;
    CODE_REUSED = "api/oauth2-code-reused", "The authorization code was used before", "invalid_grant", 400;
    CODE_REDIRECT_URI = "api/oauth2-code-redirect-uri-mismatch", "The redirect_uri of the token request differs from that of the authorization request", "invalid_grant", 400;
    VERIFIER_MISMATCH = "api/oauth2-pkce-verifier-mismatch", "The code_verifier does not belong to the code_challenge", "invalid_grant", 400;
    VERIFIER_MISSING = "api/oauth2-code-verifier-missing", "The token request has no code_verifier", "invalid_grant", 400;
    OTHER_CLIENTS_GRANT = "api/oauth2-grant-of-another-client", "The code or refresh token was issued to another client", "invalid_grant", 400;
    REFRESH_TOKEN_REUSED = "api/oauth2-refresh-token-reused", "The refresh token was used before: rotation", "invalid_grant", 400;
    REFRESH_TOKEN_EXPIRED = "api/oauth2-refresh-token-expired", "The refresh token is expired", "invalid_grant", 400;
    REFRESH_TOKEN_NOT_KNOWN = "api/oauth2-refresh-token-not-known", "The refresh token is revoked or not known to the server", "invalid_grant", 400;
    USER_DISABLED = "api/oauth2-user-disabled", "The user behind the grant is disabled, locked or gone", "invalid_grant", 400;
    LOGIN_REQUIRED = "api/oidc-login-required", "The user has to sign in, and the request did not allow asking", "login_required", 400;
    CONSENT_REQUIRED = "api/oidc-consent-required", "The user has not consented, and the request did not allow asking", "consent_required", 400;
    UNMET_AUTHENTICATION = "api/oidc-unmet-authentication-requirements", "The server cannot sign the user in as strongly as asked", "unmet_authentication_requirements", 400;
    ACCESS_DENIED = "api/oauth2-access-denied", "The user or the server refused", "access_denied", 403;
    UNSUPPORTED_RESPONSE_TYPE = "api/oauth2-unsupported-response-type", "The server does not give this kind of answer at the authorization endpoint", "unsupported_response_type", 400;
    REQUEST_NOT_SUPPORTED = "api/oauth2-request-not-supported", "The server takes no request parameter", "request_not_supported", 400;
    REQUEST_URI_NOT_SUPPORTED = "api/oauth2-request-uri-not-supported", "The server takes no request_uri parameter", "request_uri_not_supported", 400;
    CODE_CHALLENGE_REQUIRED = "api/oauth2-code-challenge-required", "The server wants PKCE and the authorization request has no code_challenge", "invalid_request", 400;
    CODE_CHALLENGE_REPEATED = "api/ambit-code-challenge-repeated", "The code_challenge was used for an earlier sign-in", "invalid_request", 400;
    CODE_CHALLENGE_METHOD = "api/oauth2-code-challenge-method-unsupported", "The server does not take this code_challenge_method", "invalid_request", 400;
    REDIRECT_URI_MISMATCH = "browser/redirect-uri-mismatch", "The redirect URI is not registered for this client", "invalid_request", 400;
    TENANT_NOT_REACHED = "api/tenant-not-reached", "The tenant is none that this client reaches", "invalid_request", 400;
    UNIT_UNKNOWN = "api/unit-unknown", "The tenant has no such unit", "invalid_request", 400;
    TENANT_SUSPENDED = "tenant/suspended", "The tenant is suspended", "tenant_suspended", 402;
    TENANT_CHURNED = "tenant/churned", "The tenant is gone", "tenant_churned", 403;
    PARTNER_SUSPENDED = "tenant/partner-suspended", "The partner is suspended", "partner_suspended", 403;
    TOO_MANY_FAILURES = "api/too-many-failures", "Too many failed requests", "temporarily_unavailable", 429;
    TOO_MANY_REQUESTS = "api/too-many-requests", "Too many requests", "too_many_requests", 429;
    UNAVAILABLE = "api/temporarily-unavailable", "The server cannot answer now", "temporarily_unavailable", 503;
    SERVER_ERROR = "api/server-error", "The server failed", "server_error", 500;
    INSUFFICIENT_SCOPE = "api/insufficient-scope", "The token lacks the scope", "insufficient_scope", 403;
    INSUFFICIENT_USER_AUTHENTICATION = "api/oauth2-insufficient-user-authentication", "The API wants a stronger or fresher sign-in", "insufficient_user_authentication", 401;
    INVALID_TOKEN = "api/invalid-token", "The token is not good", "invalid_token", 401;
    MISSING_TOKEN = "api/missing-token", "No token was sent", "missing_token", 401;
    INVALID_AUTHORIZATION = "api/invalid-authorization", "The Authorization header cannot be read", "invalid_request", 400;
    FORBIDDEN = "api/forbidden", "Not yours to do", "forbidden", 403;
    NOT_FOUND = "api/not-found", "Not here, or not for you", "not_found", 404;
    METHOD_NOT_ALLOWED = "api/method-not-allowed", "Not with this method", "method_not_allowed", 405;
    CONFLICT = "api/conflict", "In conflict with what is there", "conflict", 409;
    NAME_TAKEN = "api/name-taken", "The name is taken", "name_taken", 409;
    LIMIT_REACHED = "api/limit-reached", "A limit is reached", "limit_reached", 409;
    TRANSITION_NOT_ALLOWED = "api/transition-not-allowed", "It cannot go there from where it is", "transition_not_allowed", 409;
    IN_USE = "api/in-use", "It is in use", "in_use", 409;
    FEATURE_OFF_FOR_TENANT = "api/feature-off-for-tenant", "The feature is off for the tenant", "feature_off_for_tenant", 409;
    LAST_SUPER_ADMIN = "api/last-super-admin", "The last super administrator cannot be removed", "last_super_admin", 409;
    SECRETS = "api/secrets", "The application's secrets do not allow this", "secrets", 409;
    BUILT_IN = "api/built-in", "It is built in", "built_in", 409;
    NEXT_KEY_YOUNG = "api/next-key-young", "The next signing key is not known everywhere yet", "next_key_young", 409;
    NOT_HELD = "api/not-held", "Nobody can grant what they do not hold", "not_held", 403;
    PRECONDITION_FAILED = "api/precondition-failed", "Changed by somebody else meanwhile", "precondition_failed", 412;
    PAYLOAD_TOO_LARGE = "api/payload-too-large", "The body is too large", "payload_too_large", 413;
    REQUEST_TOO_SLOW = "api/request-too-slow", "The body did not come in time", "request_too_slow", 408;
    HEADERS_TOO_LARGE = "api/headers-too-large", "Too many headers", "headers_too_large", 431;
    UNSUPPORTED_MEDIA_TYPE = "api/unsupported-media-type", "Not in this format", "unsupported_media_type", 415;
    VALIDATION_FAILED = "api/validation-failed", "A value breaks a rule", "validation_failed", 422;
    MALFORMED_JSON = "api/malformed-json", "The body is not JSON", "malformed_json", 400;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_an_address_of_its_own() {
        for (index, page) in PAGES.iter().enumerate() {
            assert!(PAGES[..index].iter().all(|earlier| earlier.slug != page.slug), "{}", page.slug);
            assert!(page.slug.split('/').count() == 2 && !page.title.is_empty() && !page.code.is_empty());
            assert_eq!(find(page.slug), Some(*page));
        }
    }
}
