//! The issuer's own documents: at both addresses that the standards have for them, of the right issuer, with what a client
//! needs in them.

use ambit_protocol::metadata::{authorization_server_url, openid_configuration_url};
use reqwest::Url;
use serde_json::Value;

use super::again::Change;
use super::code::Code;
use super::product::{self, Product};
use super::report::Finding;
use super::web::{Seen, Unseen, Web};

/// What an issuer says about itself, once it is sure that it is this issuer.
#[derive(Debug)]
pub struct Discovered {
    document: Value,
    /// How many seconds its clock is ahead of ours, where it says what time it is.
    pub ahead_secs: Option<i64>,
    pub product: Option<&'static Product>,
    /// The endpoints that only Ambit has.
    pub ambit: Option<Ambit>,
}

/// Where Ambit says what a client may ask for, and why it gets what it gets.
#[derive(Debug, Clone)]
pub struct Ambit {
    pub scopes: Url,
    pub explain: Url,
    /// The server's own address, below which the admin API is.
    pub base: String,
}

/// Where a token is asked for, and how a client with a secret says who it is there.
#[derive(Debug)]
pub struct TokenEndpoint {
    pub url: Url,
    pub methods: Vec<Method>,
}

/// How a secret is sent (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Basic,
    Post,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// What is at one of the two addresses.
enum Page {
    /// The document, of the issuer that it names.
    Document { document: Value, issuer: String, ahead_secs: Option<i64> },
    /// Nothing.
    Absent(String),
    /// Something else.
    Other { code: Code, what: String, moved: Option<Url> },
    /// Nobody answers.
    Unreachable(String),
}

/// Fetches both documents.
pub async fn find(web: &Web, issuer: &str) -> (Finding, Option<Discovered>) {
    let (openid_url, oauth_url) = (openid_configuration_url(issuer), authorization_server_url(issuer));
    let (openid, oauth) = tokio::join!(web.get(&openid_url), web.get(&oauth_url));
    let (openid, oauth) = (read(openid, &openid_url), read(oauth, &oauth_url));
    match (openid, oauth) {
        (Page::Document { document, issuer: named, ahead_secs }, other) if named == issuer => {
            let discovered = Discovered::new(issuer, document, ahead_secs);
            let finding = agreeing(&discovered, &other, "RFC 8414");
            (finding, Some(discovered))
        }
        (other, Page::Document { document, issuer: named, ahead_secs }) if named == issuer => {
            let discovered = Discovered::new(issuer, document, ahead_secs);
            let finding = agreeing(&discovered, &other, "OpenID Connect");
            (finding, Some(discovered))
        }
        (Page::Document { issuer: named, .. }, _) | (_, Page::Document { issuer: named, .. }) => {
            (of_another(issuer, &named), None)
        }
        (Page::Unreachable(why), Page::Unreachable(_)) => {
            let text = "see that the issuer's host, port and scheme are right, and that this machine reaches it";
            let command = format!("curl -sSv -o /dev/null {}", super::again::quoted(&openid_url));
            let finding = Finding::unreachable(Code::IssuerUnreachable, format!("{openid_url}: {why}"));
            (finding.with_fix(text, "whoever runs the client", Some(command)), None)
        }
        (openid, oauth) => (nothing(issuer, (&openid_url, &openid), (&oauth_url, &oauth)), None),
    }
}

fn read(answer: Result<Seen, Unseen>, url: &str) -> Page {
    let seen = match answer {
        Ok(seen) => seen,
        Err(Unseen::TooLarge) => {
            return Page::Other { code: Code::DiscoveryTooLarge, what: Unseen::TooLarge.to_string(), moved: None };
        }
        Err(unseen) => return Page::Unreachable(unseen.to_string()),
    };
    if let Some(moved) = seen.location(url) {
        let what = format!("HTTP {}, which leads to {moved}", seen.status.as_u16());
        return Page::Other { code: Code::DiscoveryRedirects, what, moved: Some(moved) };
    }
    if !seen.status.is_success() {
        return Page::Absent(format!("HTTP {}", seen.status.as_u16()));
    }
    let Some(document) = seen.json() else {
        return Page::Other { code: Code::DiscoveryNotJson, what: seen.kind().to_owned(), moved: None };
    };
    match document.get("issuer").and_then(Value::as_str).map(str::to_owned) {
        Some(issuer) => Page::Document { document, issuer, ahead_secs: seen.ahead_secs() },
        None => {
            let what = "a JSON document without an issuer".to_owned();
            Page::Other { code: Code::DiscoveryWithoutIssuer, what, moved: None }
        }
    }
}

/// One document is good: what of the other?
fn agreeing(discovered: &Discovered, other: &Page, name: &str) -> Finding {
    let who = discovered.who();
    match other {
        Page::Document { document, .. } => {
            let differs = ["issuer", "token_endpoint", "jwks_uri"].into_iter().find(|member| {
                document.get(*member).is_some() && document.get(*member) != discovered.document.get(*member)
            });
            match differs {
                None => Finding::ok(format!("{who}, at both well-known addresses")),
                Some(member) => Finding::warning(
                    Code::DiscoveryDocumentsDiffer,
                    format!(
                        "{who}; the document at {name}'s address has another {member}: clients that look there go wrong"
                    ),
                ),
            }
        }
        Page::Absent(what) | Page::Other { what, .. } | Page::Unreachable(what) => {
            Finding::ok(format!("{who}; nothing at {name}'s address ({what})"))
        }
    }
}

/// RFC 8414 §3.3: the document of another issuer "MUST NOT be used", and the secret is not sent where it says.
fn of_another(given: &str, named: &str) -> Finding {
    let how = difference(given, named);
    Finding::failed(
        Code::IssuerMismatch,
        format!("asked for issuer '{given}', and the document is of issuer '{named}': {how}"),
    )
    .with_fix(
        format!("configure '{named}' as the issuer, to the letter; if that is the wrong one, the server has to be told its own address"),
        "whoever configures the client, or runs the server",
        None,
    )
    .with_change(Change { issuer: Some(named.to_owned()), ..Change::NONE })
}

fn difference(given: &str, named: &str) -> String {
    let without_scheme = |url: &str| url.split_once("://").map_or(url, |(_, rest)| rest).to_owned();
    let host = |url: &str| Url::parse(url).ok().and_then(|url| Some(url.host_str()?.to_owned()));
    if given.trim_end_matches('/') == named.trim_end_matches('/') {
        return "they differ in the slash at the end".to_owned();
    }
    if without_scheme(given) == without_scheme(named) {
        return "they differ in http and https".to_owned();
    }
    if given.eq_ignore_ascii_case(named) {
        return "they differ in upper and lower case".to_owned();
    }
    match (host(given), host(named)) {
        (Some(one), Some(other)) if one != other => format!("they differ in the host, {one} and {other}"),
        _ => "they are compared to the letter".to_owned(),
    }
}

fn nothing(issuer: &str, openid: (&str, &Page), oauth: (&str, &Page)) -> Finding {
    let said = |(url, page): (&str, &Page)| match page {
        Page::Absent(what) | Page::Other { what, .. } | Page::Unreachable(what) => format!("{url}: {what}"),
        Page::Document { .. } => String::new(),
    };
    // What is there and wrong tells more than what is not there.
    let telling = [&openid, &oauth].into_iter().find(|(_, page)| matches!(page, Page::Other { .. }));
    let Some((_, Page::Other { code, moved, .. })) = telling else {
        let detail = format!("no document: {}; {}", said(openid), said(oauth));
        let text = "give the issuer as its tokens have it in 'iss': the part before /.well-known/, with its path";
        return Finding::failed(Code::DiscoveryAbsent, detail).with_fix(text, "whoever configures the client", None);
    };
    let finding = Finding::failed(*code, telling.map(|telling| said(*telling)).unwrap_or_default());
    let Some(moved) = moved else {
        let text = "see what answers there: a login page, a proxy or a front end in the issuer's place";
        let command = format!("curl -sS -i {}", super::again::quoted(openid.0));
        return finding.with_fix(text, "whoever configures the client, or runs the server", Some(command));
    };
    let text = "give the issuer that it leads to: libraries differ in whether they follow, and none may compare another issuer";
    let finding = finding.with_fix(text, "whoever configures the client", None);
    match issuer_of(moved).filter(|found| found != issuer) {
        Some(found) => finding.with_change(Change { issuer: Some(found), ..Change::NONE }),
        None => finding.with_change(Change { none_helps: true, ..Change::NONE }),
    }
}

/// The issuer whose document is at this address.
fn issuer_of(address: &Url) -> Option<String> {
    let text = address.as_str();
    if let Some(issuer) = text.strip_suffix("/.well-known/openid-configuration") {
        return Some(issuer.to_owned());
    }
    let (host, path) = text.split_once("/.well-known/oauth-authorization-server")?;
    Some(format!("{host}{path}"))
}

impl Discovered {
    fn new(issuer: &str, document: Value, ahead_secs: Option<i64>) -> Self {
        let ambit = Ambit::of(issuer, &document);
        let product = if ambit.is_some() { None } else { product::of(issuer, &document) };
        Self { document, ahead_secs, product, ambit }
    }

    fn who(&self) -> String {
        match (&self.ambit, self.product) {
            (Some(_), _) => "an Ambit server".to_owned(),
            (None, Some(product)) => format!("not Ambit, by the look of it {}", product.name),
            (None, None) => "not Ambit".to_owned(),
        }
    }

    pub fn text(&self, member: &str) -> Option<&str> {
        self.document.get(member).and_then(Value::as_str)
    }

    fn list(&self, member: &str) -> Option<Vec<&str>> {
        Some(self.document.get(member)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// Looks for what a client needs that has a secret and no user.
    pub fn metadata(&self, issuer: &str) -> (Finding, Option<TokenEndpoint>) {
        let Some(text) = self.text("token_endpoint") else {
            return (Finding::failed(Code::NoTokenEndpoint, "the document names no token_endpoint"), None);
        };
        let Ok(url) = Url::parse(text) else {
            let detail = format!("the token_endpoint '{text}' is not an absolute URL");
            return (Finding::failed(Code::NoTokenEndpoint, detail), None);
        };
        // RFC 6749 §3.2: "the authorization server MUST require the use of TLS".
        if issuer.starts_with("https:") && url.scheme() != "https" {
            let detail =
                format!("the token endpoint {url} is not https, and the issuer is: the secret is not sent there");
            return (Finding::failed(Code::TokenEndpointNotHttps, detail), None);
        }
        // RFC 8414 §2: "If omitted, the default is client_secret_basic".
        let listed = self.list("token_endpoint_auth_methods_supported").unwrap_or_else(|| vec!["client_secret_basic"]);
        let methods: Vec<Method> =
            [Method::Basic, Method::Post].into_iter().filter(|method| listed.contains(&method.name())).collect();
        if methods.is_empty() {
            let detail = format!("clients authenticate by {} there, and not by a secret", listed.join(", "));
            return (Finding::failed(Code::NoSecretMethod, detail), None);
        }
        let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
        let found = format!("{url}, by {}", names.join(" or "));
        let endpoint = TokenEndpoint { url, methods };
        let finding = match self.list("grant_types_supported") {
            Some(grants) if !grants.contains(&"client_credentials") => Finding::warning(
                Code::GrantNotListed,
                format!("{found}; client_credentials is not among the grants ({})", grants.join(", ")),
            ),
            Some(_) => Finding::ok(format!("{found}; client_credentials is offered")),
            None => Finding::ok(format!("{found}; the grants are not listed")),
        };
        (finding, Some(endpoint))
    }

    /// Tokens live by two clocks.
    pub fn clock(&self) -> Finding {
        let Some(ahead) = self.ahead_secs else {
            return Finding::not_checked("the issuer does not say what time it is (no Date header)");
        };
        if ahead.abs() <= CLOCKS_AGREE_SECS {
            return Finding::ok("the issuer's and this machine's agree");
        }
        let detail = apart("the issuer's", ahead);
        if ahead.abs() <= CLOCKS_BEARABLE_SECS {
            return Finding::warning(
                Code::ClockSkew,
                format!("{detail}: an API that allows for less refuses new tokens"),
            );
        }
        Finding::failed(Code::ClockSkew, format!("{detail}: tokens look expired, or not yet valid"))
            .with_fix(
                "set the clock that is wrong, by NTP",
                "whoever runs the machine that is wrong",
                Some("timedatectl status && sudo timedatectl set-ntp true".to_owned()),
            )
            .with_change(Change { new_token: true, ..Change::NONE })
    }
}

/// By how much a clock differs from this machine's.
pub fn apart(whose: &str, ahead_secs: i64) -> String {
    let which = if ahead_secs < 0 { "behind" } else { "ahead of" };
    format!("{whose} clock is {} s {which} this machine's", ahead_secs.abs())
}

impl Ambit {
    /// Where the document has the endpoints that no other server has, at the issuer's own origin: credentials go there.
    fn of(issuer: &str, document: &Value) -> Option<Self> {
        let issuer = Url::parse(issuer).ok()?;
        let endpoint = |member: &str| {
            let url = Url::parse(document.get(member)?.as_str()?).ok()?;
            Some(url).filter(|url| url.origin() == issuer.origin())
        };
        let documentation = document.get("service_documentation").and_then(Value::as_str).unwrap_or_default();
        let base =
            documentation.strip_suffix("/api/v1/docs").unwrap_or(issuer.as_str().trim_end_matches('/')).to_owned();
        Some(Self { scopes: endpoint("scopes_endpoint")?, explain: endpoint("explain_endpoint")?, base })
    }
}

/// `Date` has whole seconds, and the answer took its time.
const CLOCKS_AGREE_SECS: i64 = 5;
/// What many verifiers allow for.
pub const CLOCKS_BEARABLE_SECS: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_two_issuers_differ_is_said() {
        for (given, named, how) in [
            ("https://as.example", "https://as.example/", "the slash at the end"),
            ("http://as.example", "https://as.example", "http and https"),
            ("https://as.example/Realm", "https://as.example/realm", "upper and lower case"),
            ("https://as.example", "https://other.example", "the host, as.example and other.example"),
            ("https://as.example/a", "https://as.example/b", "to the letter"),
        ] {
            assert!(difference(given, named).contains(how), "{given} {named}");
        }
    }

    fn of(issuer: &str, document: Value) -> Discovered {
        Discovered::new(issuer, document, None)
    }

    #[test]
    fn a_secret_is_not_sent_in_the_clear_nor_by_a_method_that_nobody_offers() {
        let metadata = |more: Value| {
            let mut document = serde_json::json!({"token_endpoint": "https://as.example/token"});
            document.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let (finding, endpoint) = of("https://as.example", document).metadata("https://as.example");
            (finding.code, endpoint.map(|endpoint| endpoint.methods))
        };
        // RFC 8414 §2: absent is client_secret_basic.
        assert_eq!(metadata(serde_json::json!({})), (None, Some(vec![Method::Basic])));
        let clear = serde_json::json!({"token_endpoint": "http://as.example/token"});
        assert_eq!(metadata(clear), (Some(Code::TokenEndpointNotHttps), None));
        let relative = serde_json::json!({"token_endpoint": "/token"});
        assert_eq!(metadata(relative), (Some(Code::NoTokenEndpoint), None));
        let by_key = serde_json::json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]});
        assert_eq!(metadata(by_key), (Some(Code::NoSecretMethod), None));
        let other_grants = serde_json::json!({"grant_types_supported": ["authorization_code"]});
        assert_eq!(metadata(other_grants), (Some(Code::GrantNotListed), Some(vec![Method::Basic])));
    }

    #[test]
    fn what_only_ambit_has_is_asked_at_the_issuers_own_origin_alone() {
        let document = |origin: &str| {
            serde_json::json!({
                "scopes_endpoint": format!("{origin}/connect/scopes"), "explain_endpoint": format!("{origin}/connect/explain"),
                "service_documentation": "https://as.example/api/v1/docs",
            })
        };
        let ours = of("https://as.example/tenants/acme", document("https://as.example")).ambit.expect("Ambit");
        assert_eq!(ours.base, "https://as.example");
        assert!(of("https://as.example", document("https://evil.example")).ambit.is_none());
        assert!(of("https://as.example", document("http://as.example")).ambit.is_none());
        assert!(of("https://as.example", serde_json::json!({})).ambit.is_none());
    }

    #[test]
    fn an_issuer_is_read_out_of_the_address_of_its_document() {
        for (address, issuer) in [
            ("https://as.example/realms/r/.well-known/openid-configuration", Some("https://as.example/realms/r")),
            ("https://as.example/.well-known/oauth-authorization-server/t", Some("https://as.example/t")),
            ("https://as.example/login", None),
        ] {
            let address = Url::parse(address).expect("a URL");
            assert_eq!(issuer_of(&address).as_deref(), issuer);
        }
    }
}
