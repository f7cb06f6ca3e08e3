//! What can be read from the words of a text: error codes, statuses, exceptions, and whose product it is.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;

use super::fact::{FactKind, Facts, Part};
use super::http;
use crate::entry::Product;

/// Reads the words of a text that is not, or not only, HTTP or JSON.
pub(super) fn read(text: &str, facts: &mut Facts) {
    for found in MEMBERS.captures_iter(text).take(MAX_FOUND) {
        if let Some(error) = found.name("error").filter(|it| http::is_error_code(it.as_str())) {
            // "error: token expired" begins a sentence.
            let is_sentence = !error.as_str().contains('_') && text[error.end()..].starts_with([' ', '\'', '\u{2019}']);
            let goes_on = text[error.end()..].trim_start_matches(' ').starts_with(|c: char| c.is_alphanumeric());
            if !(is_sentence && goes_on) {
                facts.push(FactKind::OauthError, error.as_str(), Part::Text);
            }
        }
        if let Some(description) = found.name("d1").or_else(|| found.name("d2")).or_else(|| found.name("description")) {
            facts.push(FactKind::Description, description.as_str(), Part::Text);
        }
    }
    for found in CODES.find_iter(text).take(MAX_FOUND) {
        facts.push(FactKind::VendorCode, found.as_str(), Part::Text);
    }
    // Entra writes its numbers without their name where there is a member for them, which may be all that was pasted.
    for found in ENTRA_NUMBERS.captures_iter(text).take(MAX_FOUND) {
        facts.push(FactKind::VendorCode, &format!("AADSTS{}", &found[1]), Part::Text);
    }
    for found in EXCEPTIONS.captures_iter(text).take(MAX_FOUND) {
        facts.push(FactKind::Exception, &found[1], Part::Text);
        if let Some(message) = found.get(2) {
            facts.push(FactKind::Description, message.as_str(), Part::Text);
        }
    }
    for found in CAMEL.captures_iter(text).take(MAX_FOUND) {
        let code = snake(&found[1]);
        if is_registered(&code) && !OF_EXCEPTIONS.contains(&code.as_str()) {
            facts.push(FactKind::MentionedError, &code, Part::Text);
        }
    }
    for word in WORDS.find_iter(text).filter(|word| is_registered(word.as_str())).take(MAX_FOUND) {
        if !facts.iter().any(|fact| fact.kind == FactKind::OauthError && fact.value == word.as_str()) {
            facts.push(FactKind::MentionedError, word.as_str(), Part::Text);
        }
    }
    if !facts.has(FactKind::OauthError) && !facts.has(FactKind::MentionedError) {
        for found in SPACED.captures_iter(text).take(MAX_FOUND) {
            let code: String =
                found[1].chars().map(|c| if c == ' ' || c == '-' { '_' } else { c.to_ascii_lowercase() }).collect();
            facts.push(FactKind::MentionedError, &code, Part::Text);
        }
    }
    for found in PAGES.find_iter(text).take(MAX_FOUND) {
        let is_it = |fact: &super::Fact| fact.kind == FactKind::ProblemType && fact.value.ends_with(found.as_str());
        if !facts.iter().any(is_it) {
            facts.push(FactKind::ProblemType, found.as_str(), Part::Text);
        }
    }
    if !facts.has(FactKind::Status) {
        for found in STATUS.captures_iter(text).take(MAX_FOUND) {
            if let Some(status) = found.get(1).or_else(|| found.get(2)) {
                http::push_status(status.as_str(), Part::Text, facts);
            }
        }
    }
}

/// `InvalidGrant` as the registry has it: `invalid_grant`.
fn snake(name: &str) -> String {
    let mut code = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(c.to_ascii_lowercase());
    }
    code
}

/// The products that texts in small letters show.
pub(super) fn products<'a>(folded: impl Iterator<Item = &'a str>) -> Vec<Product> {
    let marks = folded.flat_map(|text| {
        let is_whole = |mark: &aho_corasick::Match| {
            let (before, after) = (&text[..mark.start()], &text[mark.end()..]);
            let mark = PRODUCTS[mark.pattern().as_usize()].0;
            // `com.auth0.jwt.exceptions` is neither Auth0's server nor PyJWT.
            let is_part = before.ends_with('.') && after.starts_with(['.', '$']);
            let is_within = before.ends_with(char::is_alphabetic) || after.starts_with(char::is_alphabetic);
            !(is_part && PARTS.contains(&mark) || is_within && NAMES.contains(&mark))
        };
        MARKS.find_iter(text).filter(is_whole)
    });
    let mut products: Vec<Product> = marks.map(|found| PRODUCTS[found.pattern().as_usize()].1).collect();
    products.sort_unstable();
    products.dedup();
    products
}

/// Whether a text in small letters names a protocol that authenticates and is not OAuth, and nothing that is OAuth's alone.
pub(super) fn is_of_another_protocol(folded: &str) -> bool {
    let is_ours = |word: &str| !SHARED.contains(&word.trim_matches(|c: char| !c.is_alphabetic()));
    OTHERS.is_match(folded) && !OURS.find_iter(folded).any(|found| is_ours(found.as_str()))
}

/// Whether a text in small letters has a word of OAuth, OpenID Connect or tokens.
pub(super) fn is_of_oauth(folded: &str) -> bool {
    OURS.is_match(folded)
}

/// Whether a character is Chinese.
pub(crate) const fn is_hanzi(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

pub(super) fn is_stack_trace(text: &str) -> bool {
    FRAMES.find_iter(text).take(2).count() > 0
}

pub(super) fn is_log(text: &str) -> bool {
    LOG_LINE.is_match(text)
}

/// `error=…`, `'error': '…'` and their descriptions, as logs and languages other than JSON write them.
static MEMBERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        \berror(?:[_\ ]?code)?["']?\s{0,3}[:=]\s{0,3}["']?(?P<error>[a-z][a-z0-9_]{2,63})\b
        | \berror_?description["']?\s{0,3}[:=]\s{0,3}(?:"(?P<d1>[^"]+)|'(?P<d2>[^']+)|(?P<description>[^"'\s,;&][^,;&\n\]})]*))
        "#,
    )
    .expect("a constant that a test compiles")
});

/// `"error_codes":[50011]`, and `https://login.microsoftonline.com/error?code=50011`.
static ENTRA_NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:error_codes["'\\]{0,4}: ?\[ ?|/error\?code=)([0-9]{5,7})\b"#)
        .expect("a constant that a test compiles")
});

/// The codes of products that number their errors.
static CODES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:AADSTS[0-9]{4,7}|AADB2C[0-9]{5,6}|IDX[0-9]{5}|ID[0-9]{4}\b|E[0-9]{7}|ERR_[A-Z_]{3,40}|OIDC-[A-Za-z0-9]{4,8}|OAUTH-[A-Za-z0-9]{4,8}|AUTHZ-[A-Za-z0-9]{4,8}|COMMAND-[A-Za-z0-9]{4,8}|QUERY-[A-Za-z0-9]{4,8}|AUTH-[A-Za-z0-9]{4,8}|DOM-[A-Za-z0-9]{4,8}|APP-[A-Za-z0-9]{4,8}|MSIS[0-9]{4})\b")
        .expect("a constant that a test compiles")
});

/// The address of an entry's page, wherever it stands.
static PAGES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"/errors/(?:api|tenant|client|jwt|browser)/[a-z0-9-]{1,100}").expect("a constant that a test compiles")
});

/// The class of an exception, with its message.
static EXCEPTIONS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b((?:[A-Za-z_][A-Za-z0-9_]{0,40}[.$]){0,12}[A-Z][A-Za-z0-9]{2,60}(?:Exception|Error|Failure))(?:[ \t]*(?:\[[a-z_]+\])?:[ \t]*([^\r\n]+))?")
        .expect("a constant that a test compiles")
});

/// A registered code as the name of a class.
static CAMEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b((?:Invalid|Unauthorized|Unsupported|Insufficient|Slow|Expired|Authorization|Login|Consent|Interaction)[A-Za-z]{3,30}?)(?:Exception|Error)\b")
        .expect("a constant that a test compiles")
});
/// Codes whose names libraries give to everything.
const OF_EXCEPTIONS: &[&str] = &["invalid_token", "invalid_request", "expired_token"];

static WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[a-z]+_[a-z_]+\b").expect("a constant that a test compiles"));

/// Registered codes as people write them, with spaces; those that are a phrase of every day are left out.
static SPACED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)\b(
            invalid[\ -](?:grant|client|scope|target|client[\ -]metadata|redirect[\ -]uri|dpop[\ -]proof)
            | unauthorized[\ -]client | unsupported[\ -](?:grant|response|token)[\ -]type
            | insufficient[\ -](?:scope|user[\ -]authentication) | (?:consent|interaction)[\ -]required
            | authorization[\ -]pending
        )\b",
    )
    .expect("a constant that a test compiles")
});

static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)\b(?:status(?:[ _]?code)?|http(?:/[0-9.]+)?|response(?: code)?|returned|code)["']?[ \t]{0,3}[:=]?[ \t]{0,3}(?:of )?["'(]?([45][0-9]{2})\b|\b([45][0-9]{2}) (?:Bad Request|Unauthorized|Forbidden|Not Found|Payment Required|Too Many Requests|Internal Server Error|Service Unavailable|Conflict|Method Not Allowed)\b"#,
    )
    .expect("a constant that a test compiles")
});

/// A frame of a stack: Java, .NET, JavaScript, Python, Go.
static FRAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^\s*(?:at [A-Za-z0-9_.$<>\[\]/ ]{3,200}\(|File "[^"\n]+", line [0-9]+|Traceback \(most recent|Caused by: |goroutine [0-9]+ \[|at (?:async )?[A-Za-z0-9_./:-]+:[0-9]+:[0-9]+)"#)
        .expect("a constant that a test compiles")
});

static LOG_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^[^A-Za-z0-9\n]{0,4}(?:[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9]{2}:|[0-9]{2}:[0-9]{2}:[0-9]{2}|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:|time=|ts=|level=|\[?(?:ERROR|WARN|INFO|DEBUG|error|warn|info)\b)")
        .expect("a constant that a test compiles")
});

/// Whether a code is one of the registries'.
pub(crate) fn is_registered(code: &str) -> bool {
    REGISTERED.binary_search(&code).is_ok()
}

/// The error codes of the IANA registry of OAuth extensions errors, of RFC 6749 and of OpenID Connect, sorted.
const REGISTERED: &[&str] = &[
    "access_denied",
    "account_selection_required",
    "authorization_pending",
    "consent_required",
    "expired_login_hint_token",
    "expired_token",
    "insufficient_authorization_details",
    "insufficient_scope",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_binding_message",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_issuer",
    "invalid_metadata",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_software_statement",
    "invalid_subject",
    "invalid_target",
    "invalid_token",
    "invalid_trust_anchor",
    "invalid_trust_chain",
    "invalid_user_code",
    "login_required",
    "missing_user_code",
    "need_info",
    "not_found",
    "registration_not_supported",
    "request_denied",
    "request_not_supported",
    "request_submitted",
    "request_uri_not_supported",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "transaction_failed",
    "unapproved_software_statement",
    "unauthorized_client",
    "unknown_user_id",
    "unmet_authentication_requirements",
    "unsupported_grant_type",
    "unsupported_parameter",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
    "vp_formats_not_supported",
    "wallet_unavailable",
];

/// Words that only one product uses, in small letters.
const PRODUCTS: &[(&str, Product)] = &[
    ("keycloak", Product::Keycloak),
    ("/protocol/openid-connect/", Product::Keycloak),
    ("/auth/realms/", Product::Keycloak),
    ("org.springframework.security", Product::Spring),
    ("spring security", Product::Spring),
    ("springframework.boot", Product::Spring),
    (".auth0.com", Product::Auth0),
    ("auth0", Product::Auth0),
    ("okta", Product::Okta),
    (".oktapreview.com", Product::Okta),
    ("errorsummary", Product::Okta),
    ("aadsts", Product::Entra),
    ("azure ad", Product::Entra),
    ("azuread", Product::Entra),
    ("entra", Product::Entra),
    ("login.microsoftonline.com", Product::Entra),
    ("sts.windows.net", Product::Entra),
    ("cognito", Product::Cognito),
    ("amazoncognito.com", Product::Cognito),
    ("cognitoidentityprovider", Product::Cognito),
    ("duende", Product::Duende),
    ("identityserver", Product::Duende),
    ("openiddict", Product::OpenIddict),
    ("hydra", Product::Hydra),
    ("fosite", Product::Hydra),
    ("/oauth2/fallbacks/error", Product::Hydra),
    ("zitadel", Product::Zitadel),
    ("oidc-provider", Product::NodeOidcProvider),
    ("accounts.google.com", Product::Google),
    ("googleapis.com", Product::Google),
    ("google.auth", Product::Google),
    ("jsonwebtokenerror", Product::JsonWebToken),
    ("node_modules/jsonwebtoken", Product::JsonWebToken),
    ("node_modules/jose", Product::Jose),
    ("err_jwt_", Product::Jose),
    ("err_jws_", Product::Jose),
    ("err_jwks_", Product::Jose),
    ("err_jose_", Product::Jose),
    ("jwt.exceptions", Product::PyJwt),
    ("jwt/api_jwt.py", Product::PyJwt),
    ("pyjwt", Product::PyJwt),
    ("authlib", Product::Authlib),
    ("joserfc", Product::JoseRfc),
    ("com.nimbusds", Product::Nimbus),
    ("nimbus", Product::Nimbus),
    ("io.jsonwebtoken", Product::Jjwt),
    ("jjwt", Product::Jjwt),
    ("microsoft.identitymodel", Product::MicrosoftIdentityModel),
    ("tokenvalidationparameters", Product::MicrosoftIdentityModel),
    ("jwtbearerhandler", Product::MicrosoftIdentityModel),
    ("addjwtbearer", Product::MicrosoftIdentityModel),
    ("golang-jwt", Product::GolangJwt),
    ("coreos/go-oidc", Product::GoOidc),
    ("go-oidc", Product::GoOidc),
    ("openid-client", Product::OpenIdClient),
    ("oauthlib", Product::OauthLib),
    ("msal", Product::Msal),
];

/// Marks that are a part of names of others.
const PARTS: &[&str] = &["auth0", "jwt.exceptions"];
/// Marks that are in other words as well: *central*, *incognito*, *hydration*.
const NAMES: &[&str] = &["okta", "entra", "cognito", "hydra", "nimbus"];

/// What has credentials, signatures and realms as well.
static OTHERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^a-z])(?:ldaps?|saml[a-z0-9]*|smtp[a-z]*|mongo[a-z]*|terraform|kernel|pg_hba|pkcs#7|amqp|rabbitmq|mqtt|elasticsearch|ipsec|telnet|snmp|kerberos|krb5|gssapi|radius|imap|pop3|ftp|ssh2?|xmpp|docker|redis|mysql|sasl|kafka|awsaccesskeyid|signaturedoesnotmatch|jdbc|odbc|ora-[0-9]{5}|gpg|npm|postgres(?:ql)?|kubelet|etcd|wordpress|chromedriver|referenceerror|nameerror)(?:[^a-z]|$)")
        .expect("a constant that a test compiles")
});
static OURS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[^n]|[a-z]n)oauth|oidc|openid|(?:^|[^a-z])j(?:wt|ws|we|wk)(?:s|auth|error)?(?:[^a-z]|$)|jwt[a-z]{0,12}(?:error|exception|expired|invalid)|\b(?:access|refresh|id)[_ ]?token|bearer|\bscopes?\b|redirect[_ ]?ur[il]|\bgrant\b|client[_ ]?(?:id|secret)|pkce|code[_ ]?(?:challenge|verifier)|(?:^|[^a-z])(?:nonce|issuer|audience|kid)(?:[^a-z]|$)|授权|令牌|作用域|user_?info|\bidps?\b|identity provider|openid-configuration|request_uri|回调|code_?verifier|(?:^|[^a-z])(?:acr|max_age|mtls|dpop|cnf|base64url|discovery document|client credentials|private_key_jwt|request object|introspect(?:ion)?|(?:token|authori[sz](?:e|ation)) (?:endpoint|ur[il])|silent (?:auth[a-z]*|renew|login|sign-?in)|(?:sub|aud|exp|nbf|iat|azp|jti) claim|iss|token (?:is |has |was )?(?:expired|revoked|malformed)|expired token|authori[sz]ation (?:header|server|code))(?:[^a-z]|$)",
    )
        .expect("a constant that a test compiles")
});

/// What SAML has as well.
const SHARED: &[&str] = &["idp", "idps", "identity provider", "bearer", "issuer", "audience"];

static MARKS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    // `.auth0.com`, and not the `auth0` in it.
    let marks = PRODUCTS.iter().map(|(mark, _)| mark);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(marks).expect("a constant that a test compiles")
});

const MAX_FOUND: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_codes_are_sorted_and_found() {
        assert!(REGISTERED.is_sorted());
        assert!(REGISTERED.iter().all(|code| is_registered(code)));
        assert!(!is_registered("invalid"));
    }
}
