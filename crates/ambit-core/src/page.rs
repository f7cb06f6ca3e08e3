//! The pages behind `error_uri` and problem `type`: what happened, why, and what to do. Each is served at
//! `/errors/{slug}`; a test walks every error the server can make and looks for its page here.

/// A short page about one error.
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
    /// Why it happens.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// The page of a path below `/errors/`.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Page> {
    PAGES.iter().copied().find(|page| page.slug == slug)
}

macro_rules! pages {
    ($($name:ident = $slug:literal, $title:literal, $code:literal, $status:literal, $cause:literal, $fix:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: Page =
                Page { slug: $slug, title: $title, code: $code, status: $status, cause: $cause, fix: $fix };
        )*

        /// All pages.
        pub static PAGES: &[&Page] = &[$(&$name),*];
    };
}

pages! {
    INVALID_REQUEST = "api/oauth2-invalid-request", "The request cannot be read", "invalid_request", 400,
        "A parameter is missing, repeated, badly encoded or in conflict with another, or the body is not application/x-www-form-urlencoded.",
        "The description names the parameter and the rule. Send each parameter once, in the body, form-encoded.";
    INVALID_CLIENT = "api/oauth2-invalid-client", "Client authentication failed", "invalid_client", 401,
        "There is no such client, its secret is wrong, expired or withdrawn, it used another method than the one it is registered with, its assertion is not good, or it is disabled. Which of these is in the server's log under the trace id, and in no answer.",
        "Check client_id and secret, and that the secret is form-encoded before it goes into the Basic header (RFC 6749 section 2.3.1). An administrator sees the reason in the log, and can make a new secret: POST /api/v1/admin/applications/{client_id}/secrets.";
    WRONG_ISSUER = "api/oauth2-wrong-issuer", "Right credentials, wrong issuer", "unauthorized_client", 400,
        "A tenant's application gets its tokens from its tenant's issuer; platform and partner applications get theirs from the platform's.",
        "Call the token endpoint of the issuer that the answer names. A platform or partner application names the tenant it acts for with the parameter tenant.";
    UNAUTHORIZED_CLIENT = "api/oauth2-unauthorized-client", "The application may not use this grant", "unauthorized_client", 400,
        "The grant is not among the application's grant_types. Applications that cannot keep a secret never have client_credentials (RFC 6749 section 4.4).",
        "Use a grant of the application's type, or register an application of type service for a program without users.";
    UNSUPPORTED_GRANT_TYPE = "api/oauth2-unsupported-grant-type", "The server does not have this grant", "unsupported_grant_type", 400,
        "grant_type names a grant that the server does not implement.",
        "grant_types_supported in the discovery document lists those it does.";
    INVALID_TARGET = "api/oauth2-invalid-target", "No such resource for this client", "invalid_target", 400,
        "The resource parameter (RFC 8707) is not an absolute URI without fragment, names no registered API or one of another owner, or several APIs that sign with different algorithms.",
        "Send the identifier of a registered API, exactly as it is registered; ask for one API at a time where the answer says so.";
    INVALID_SCOPE = "api/oauth2-invalid-scope-requested", "A requested scope was not granted", "invalid_scope", 400,
        "A scope is not registered, not allowed for the application, not active, not for this kind of grant or resource, or nothing at all was left to grant. The member refused says which scope and which reason.",
        "Not registered: check the spelling, did_you_mean helps. Not allowed: an administrator adds it, POST /api/v1/admin/applications/{client_id}/allowed_scopes. What a client may ask for: GET {issuer}/connect/scopes. Why, in full: POST {issuer}/connect/explain.";
    TENANT_NOT_REACHED = "api/tenant-not-reached", "The tenant is none that this client reaches", "invalid_request", 400,
        "The parameter tenant names no tenant, or one beyond the level of the application: a partner's application reaches its partner's tenants, a tenant's application its own tenant. A unit needs a tenant.",
        "Send the slug of a tenant within reach, and unit only together with it.";
    UNIT_UNKNOWN = "api/unit-unknown", "The tenant has no such unit", "invalid_request", 400,
        "The parameter unit names no unit of the tenant.",
        "GET /api/v1/admin/tenants/{id}/units lists them; send the slug.";
    TENANT_SUSPENDED = "tenant/suspended", "The tenant is suspended", "tenant_suspended", 402,
        "The tenant's status is suspended: token calls and API calls answer 402 until it changes.",
        "Whoever administers the tenant's contract sets it active again: POST /api/v1/admin/tenants/{id}/status {\"status\":\"active\"}.";
    TENANT_CHURNED = "tenant/churned", "The tenant is gone", "tenant_churned", 403,
        "The tenant's status is churned, which is final: token calls and API calls answer 403.",
        "There is none for this tenant. A customer who comes back gets a new one.";
    PARTNER_SUSPENDED = "tenant/partner-suspended", "The partner is suspended", "partner_suspended", 403,
        "The partner that the application or its tenant belongs to is suspended.",
        "A platform administrator sets it active again: PATCH /api/v1/admin/partners/{id} {\"status\":\"active\"}.";
    TOO_MANY_FAILURES = "api/too-many-failures", "Too many failed requests", "temporarily_unavailable", 429,
        "This client, or this address, failed too often in a short time. Only failures count.",
        "Wait as long as Retry-After says, and mend the cause of the failures first.";
    UNAVAILABLE = "api/temporarily-unavailable", "The server cannot answer now", "temporarily_unavailable", 503,
        "The server is overloaded, or its storage does not answer.",
        "Try again after Retry-After. Operators: /readyz and the log under the trace id say what is missing.";
    SERVER_ERROR = "api/server-error", "The server failed", "server_error", 500,
        "A fault of the server. The log line under the trace id has all of it.",
        "Report the trace id to the operator.";
    INSUFFICIENT_SCOPE = "api/insufficient-scope", "The token lacks the scope", "insufficient_scope", 403,
        "The token is good, and carries none of the scopes that the endpoint asks for: the application is not allowed the scope, the token request did not ask for it, or the token is older than the change that allowed it. The member why says which.",
        "Allow the scope for the application, then get a NEW token: tokens never change after they are minted. Ask ambit explain, or POST {issuer}/connect/explain, for the exact command.";
    INVALID_TOKEN = "api/invalid-token", "The token is not good", "invalid_token", 401,
        "The access token is malformed, expired, revoked, signed by an unknown key, from another issuer or for another API.",
        "The description says which. Get a new token from the right issuer, for the right resource, and send it as Authorization: Bearer.";
    MISSING_TOKEN = "api/missing-token", "No token was sent", "missing_token", 401,
        "The request carries no access token.",
        "Send Authorization: Bearer TOKEN. The token endpoint stands in the discovery document of the issuer.";
    INVALID_AUTHORIZATION = "api/invalid-authorization", "The Authorization header cannot be read", "invalid_request", 400,
        "The request has two Authorization headers, a Bearer scheme without a token, or a token in the URL beside the one in the header.",
        "Send one header, Authorization: Bearer TOKEN, and no token anywhere else. One that stood in a URL is in logs by now: have it revoked.";
    FORBIDDEN = "api/forbidden", "Not yours to do", "forbidden", 403,
        "The token carries the scope, and the level or the role behind it does not reach this far.",
        "Someone with the level or role that the detail names can do it.";
    NOT_FOUND = "api/not-found", "Not here, or not for you", "not_found", 404,
        "There is no such thing, or it belongs to somebody whom the token does not reach: the same answer for both.",
        "Check the identifier, and the tenant the token acts for.";
    METHOD_NOT_ALLOWED = "api/method-not-allowed", "Not with this method", "method_not_allowed", 405,
        "The path exists, the method does not.",
        "The header Allow lists the methods; /api/v1/openapi.json has all of them.";
    CONFLICT = "api/conflict", "In conflict with what is there", "conflict", 409,
        "A name is taken, a limit is reached, a state does not allow the step, or something is still in use. The detail says which.",
        "Change what the detail names, and try again.";
    NAME_TAKEN = "api/name-taken", "The name is taken", "name_taken", 409,
        "Something of that name is registered already, perhaps by somebody else.",
        "Choose another name.";
    LIMIT_REACHED = "api/limit-reached", "A limit is reached", "limit_reached", 409,
        "A quota of the partner or a limit of the server is used up. The members limit, max and count say which, how high it is and how many there are.",
        "Remove what is not needed, or have the limit raised by whoever set it.";
    TRANSITION_NOT_ALLOWED = "api/transition-not-allowed", "It cannot go there from where it is", "transition_not_allowed", 409,
        "Statuses and states follow one another in a fixed order.",
        "Choose one of those that the member allowed names.";
    IN_USE = "api/in-use", "It is in use", "in_use", 409,
        "Something else refers to it. The member used_by names what you may see of that, count says how many there are.",
        "Take it out of what uses it first, or do what the member instead says.";
    FEATURE_OFF_FOR_TENANT = "api/feature-off-for-tenant", "The feature is off for the tenant", "feature_off_for_tenant", 409,
        "A feature can be set for a unit (level 2) only where it is on for the tenant (level 1).",
        "A platform administrator switches it on for the tenant: PUT /api/v1/admin/tenants/{id}/features/{key} {\"enabled\":true}.";
    LAST_SUPER_ADMIN = "api/last-super-admin", "The last super administrator cannot be removed", "last_super_admin", 409,
        "After this change no application could administer the whole platform any more.",
        "First give another platform application admin:write, a secret without expiry and, if it holds roles, super_admin.";
    SECRETS = "api/secrets", "The application's secrets do not allow this", "secrets", 409,
        "An application has at most two live secrets, keeps the last one unless told otherwise, and public types have none.",
        "The detail says which of these it was, and what to do.";
    BUILT_IN = "api/built-in", "It is built in", "built_in", 409,
        "It came with the server, which relies on it.",
        "Only its title, its description and whether it is advertised can be changed.";
    NEXT_KEY_YOUNG = "api/next-key-young", "The next signing key is not known everywhere yet", "next_key_young", 409,
        "A key signs only after it was published for keys.publish_ahead, so that whoever caches the key set knows it by then. The member signs_from says when that is.",
        "Wait until then: the schedule rotates by itself. In a hurry repeat with \"force\": true (ambit keys rotate --now); resource servers that do not look for unknown keys then refuse new tokens until their caches are over. To withdraw a key that leaked: POST /api/v1/admin/keys/{id}/revoke.";
    NOT_HELD = "api/not-held", "Nobody can grant what they do not hold", "not_held", 403,
        "A scope of the admin API, a privileged scope or a role can be passed on only by somebody who holds it, or who administers the API it belongs to.",
        "An administrator above you makes this change.";
    PRECONDITION_FAILED = "api/precondition-failed", "Changed by somebody else meanwhile", "precondition_failed", 412,
        "If-Match names an older revision than the current one.",
        "Read the thing again, apply the change to what it is now, and send the new ETag.";
    PAYLOAD_TOO_LARGE = "api/payload-too-large", "The body is too large", "payload_too_large", 413,
        "The body is larger than the limit of the endpoint.",
        "Send less. The detail names the limit.";
    REQUEST_TOO_SLOW = "api/request-too-slow", "The body did not come in time", "request_too_slow", 408,
        "The body was not whole when its time (limits.body_timeout) was over: the network is slow, or fewer bytes were sent than Content-Length announced.",
        "Send the request again, the body as announced.";
    HEADERS_TOO_LARGE = "api/headers-too-large", "Too many headers", "headers_too_large", 431,
        "The request has more headers than limits.headers allows.",
        "Send fewer. Cookies and tracing headers of a proxy are the usual cause.";
    UNSUPPORTED_MEDIA_TYPE = "api/unsupported-media-type", "Not in this format", "unsupported_media_type", 415,
        "The Content-Type is not the one that the endpoint reads.",
        "Send application/json to the admin API and application/x-www-form-urlencoded to the OAuth endpoints.";
    VALIDATION_FAILED = "api/validation-failed", "A value breaks a rule", "validation_failed", 422,
        "The body can be read, and one of its values breaks a rule. The member errors names each by JSON pointer, with the rule.",
        "Change the named values.";
    MALFORMED_JSON = "api/malformed-json", "The body is not JSON", "malformed_json", 400,
        "The body cannot be read as JSON.",
        "The detail names line and column.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_an_address_of_its_own_and_says_cause_and_fix() {
        for (index, page) in PAGES.iter().enumerate() {
            assert!(PAGES[..index].iter().all(|earlier| earlier.slug != page.slug), "{}", page.slug);
            assert!(page.slug.split('/').count() == 2 && !page.cause.is_empty() && !page.fix.is_empty());
            assert_ne!(page.cause, page.fix);
            assert_eq!(find(page.slug), Some(*page));
        }
    }
}
