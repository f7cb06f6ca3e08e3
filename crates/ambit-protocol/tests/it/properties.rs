//! What holds for every parser of this crate whatever it is fed: one function per parser, which panics when it does not.
//!
//! These functions are the bodies of the fuzz targets in `fuzz/` and of the tests in `corpus.rs`: both exercise the same
//! properties, the fuzzer with its own inputs, the tests with the committed ones and what mutation makes of them.

use std::sync::OnceLock;

use ambit_protocol::admin::administrator::CreateAdministrator;
use ambit_protocol::admin::api::{CreateApi, PatchApi};
use ambit_protocol::admin::application::{AddAllowedScope, CreateApplication, PatchApplication};
use ambit_protocol::admin::feature::{CreateFeature, PatchFeature, SetFeature};
use ambit_protocol::admin::key::RotateKeys;
use ambit_protocol::admin::partner::{CreatePartner, PatchPartner};
use ambit_protocol::admin::scope::{CreateScope, PatchScope};
use ambit_protocol::admin::secret::CreateSecret;
use ambit_protocol::admin::tenant::{CreateTenant, PatchTenant, SetTenantStatus};
use ambit_protocol::admin::unit::{CreateUnit, PatchUnit};
use ambit_protocol::authorization::{Authorization, BearerToken, needs_form_encoding};
use ambit_protocol::client::PresentedCredentials;
use ambit_protocol::error::{MAX_DESCRIPTION, describe};
use ambit_protocol::explain::Question;
use ambit_protocol::jose::jws::MAX_TOKEN_LEN;
use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use ambit_protocol::origin::Origin;
use ambit_protocol::params::{DEFAULT_MAX_PARAMS, ParamRules, Params};
use ambit_protocol::redirect_uri::{RedirectUri, RedirectUriKind};
use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::scope::{self, ScopeToken};
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::TokenRequest;
use ambit_protocol::trace::TraceParent;
use ambit_protocol::verify::{self, Accepted, Validation};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use url::form_urlencoded;

/// Form bodies and query strings: what is accepted is what the URL standard's lenient parser reads, and nothing is lost.
pub fn form(input: &[u8]) {
    const RULES: ParamRules = TokenRequest::RULES;
    let params = match Params::parse(input, RULES) {
        Ok(params) => params,
        Err(error) => return assert_fit_to_be_shown(&error.to_string()),
    };
    let oracle: Vec<(String, String)> = form_urlencoded::parse(input).into_owned().collect();
    assert!(oracle.len() <= DEFAULT_MAX_PARAMS);
    for (name, value) in &oracle {
        let values: Vec<&str> = params.all(name).collect();
        assert_eq!(values.contains(&value.as_str()), !value.is_empty(), "{name} is there, or was sent without a value");
        assert!(values.len() == 1 || value.is_empty() || name == "resource", "only 'resource' may repeat");
        assert_eq!(RULES.known.contains(&name.as_str()), !params.unrecognised().any(|unknown| unknown == name));
    }
    for miss in params.near_misses() {
        assert!(params.get(miss.meant).is_none());
        assert_fit_to_be_shown(&miss.to_string());
    }
    if let Err(error) = TokenRequest::parse(&params) {
        assert_fit_to_be_shown(&error.to_string());
    }
    if let Err(error) = PresentedCredentials::from_request([], &params) {
        assert_fit_to_be_shown(&error.to_string());
    }
}

/// The `Authorization` header, once as it is and once as what is inside the base64 of `Basic`.
pub fn basic_header(input: &[u8]) {
    let _ = authorization(input);
    let header = format!("Basic {}", STANDARD.encode(input));
    let Some((client_id, secret)) = authorization(header.as_bytes()) else { return };
    let text = str::from_utf8(input).expect("accepted credentials are ASCII");
    let (raw_id, raw_secret) = text.split_once(':').expect("accepted credentials have a colon");
    assert_eq!((client_id, secret), (form_decoded(raw_id), form_decoded(raw_secret)));
    if !needs_form_encoding(raw_secret) {
        assert_eq!(form_decoded(raw_secret), raw_secret, "a secret like ours has one spelling");
    }
}

/// The credentials of a `Basic` header, if it is one.
fn authorization(value: &[u8]) -> Option<(String, String)> {
    match Authorization::parse([value]) {
        Ok(Some(Authorization::Basic(basic))) => {
            assert!(!basic.client_id.is_empty());
            assert!(!basic.client_id.contains('\0') && !basic.secret.expose_secret().contains('\0'));
            Some((basic.client_id, basic.secret.expose_secret().to_owned()))
        }
        Ok(Some(Authorization::Bearer(token))) => {
            assert_eq!(BearerToken::parse(token.expose_token()), Ok(token));
            None
        }
        Ok(None) => panic!("one header is not none"),
        Err(error) => {
            assert_fit_to_be_shown(&error.to_string());
            None
        }
    }
}

/// Decodes as the URL standard has it.
fn form_decoded(raw: &str) -> String {
    // A name without `=` and `&` is decoded as a whole.
    let whole = raw.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(whole.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// The `scope` parameter: split at spaces and nowhere else, repeated names once, and only the grammar's names accepted.
pub fn scope(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let names = scope::names(text);
    assert!(text.split(' ').all(|name| names.contains(&name)));
    assert!(names.iter().all(|name| text.split(' ').any(|part| part == *name)));
    let tokens: Vec<ScopeToken> = names.iter().filter_map(|name| name.parse().ok()).collect();
    for token in &tokens {
        assert!(token.as_str().bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
        assert_eq!(scope::check(token.as_str()), Ok(()));
        assert_eq!(describe(token.as_str()), token.as_str(), "a scope can be quoted in an error as it is");
    }
    let joined = scope::join(&tokens);
    if tokens.is_empty() {
        assert_eq!(joined, "");
    } else {
        assert_eq!(scope::names(&joined), tokens.iter().map(ScopeToken::as_str).collect::<Vec<_>>());
    }
}

/// Tokens: what was not signed is not accepted, and of what was signed only what the claims' rules let pass.
pub fn jwt(input: &[u8]) {
    let signer = signer();
    let validation = Validation::new(Accepted::OneOf(&[ISSUER]), Accepted::OneOf(&[AUDIENCE]), NOW);
    if let Ok(token) = str::from_utf8(input) {
        let error = verify::access_token(token, &signer.keys, &validation).expect_err("nobody signed this");
        assert_fit_to_be_shown(&error.to_string());
        let _ = verify::claimed_client_id(token);
    }
    let Ok(token) = signer.key.sign(&signer.key.header("at+jwt", "k1"), input) else { return };
    match verify::access_token(&token, &signer.keys, &validation) {
        Ok(verified) => {
            // The oracle cannot hold every number that JSON can write.
            let Ok(claims) = serde_json::from_slice::<serde_json::Value>(input) else { return };
            assert_eq!(claims["iss"], ISSUER);
            let audience = &claims["aud"];
            assert!(audience == AUDIENCE || audience.as_array().is_some_and(|all| all.contains(&AUDIENCE.into())));
            assert_eq!(claims["sub"], verified.sub);
            assert!(claims["exp"].as_i64().is_some_and(|exp| exp.saturating_add(verify::LEEWAY_SECS) >= NOW.secs()));
            assert!(token.len() <= MAX_TOKEN_LEN);
        }
        Err(error) => assert_fit_to_be_shown(&error.to_string()),
    }
    // A signature covers every octet: a token with one changed is nobody's.
    let mut changed = token.into_bytes();
    let at = input.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte)) % changed.len();
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("ASCII was put into ASCII");
    assert!(verify::access_token(&changed, &signer.keys, &validation).is_err());
}

/// A key set that somebody publishes: usable keys, reasons for the others, or a refusal of the whole.
pub fn jwks(input: &[u8]) {
    if let Ok((keys, passed_over)) = VerifyingKeys::from_published(input) {
        // The oracle cannot hold every number that JSON can write.
        if let Ok(published) = serde_json::from_slice::<serde_json::Value>(input) {
            assert_eq!(published["keys"].as_array().map(Vec::len), Some(keys.len() + passed_over.len()));
        }
    }
    if let Ok(set) = serde_json::from_slice::<JwkSet>(input) {
        let written = serde_json::to_vec(&set).expect("a set is JSON");
        let read: JwkSet = serde_json::from_slice(&written).expect("a set reads back");
        assert_eq!(read.keys().len(), set.keys().len());
    }
}

/// Redirect URIs: what may be registered is understood by the URL standard as it is by us, and matches itself alone.
pub fn redirect_uri(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let uri = match text.parse::<RedirectUri>() {
        Ok(uri) => uri,
        Err(error) => return assert_fit_to_be_shown(&error.to_string()),
    };
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['\\', '#', '*']));
    assert!(uri.matches(text));
    assert!(!uri.matches(&format!("{text}x")) && !uri.matches(&text[1..]) && !uri.matches(&text.to_ascii_uppercase()));
    let url = Url::parse(text).expect("a registered URI is a URL");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    assert!(text.starts_with(&format!("{}:", url.scheme())));
    match uri.kind() {
        RedirectUriKind::Https => {
            let host = url.host_str().expect("https has a host");
            assert!(text.starts_with(&format!("https://{host}")) && url.domain() == Some(host));
            let port = text["https://".len() + host.len()..].strip_prefix(':');
            let digits = port.map(|port| port.split(['/', '?']).next().expect("the port"));
            assert_eq!(url.port_or_known_default(), digits.map_or(Some(443), |digits| digits.parse().ok()));
        }
        RedirectUriKind::Loopback => {
            let host = url.host_str().expect("http has a host");
            assert!(matches!(host, "127.0.0.1" | "[::1]"));
            let after_host = &text["http://".len() + host.len()..];
            let rest = after_host.find(['/', '?']).map_or("", |start| &after_host[start..]);
            let other_port = format!("http://{host}:49152{rest}");
            assert!(uri.matches(&other_port), "{other_port}");
        }
        RedirectUriKind::PrivateUse => assert!(url.scheme().contains('.')),
    }
}

/// Origins: one spelling each, the one that browsers send.
pub fn origin(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match text.parse::<Origin>() {
        Ok(origin) => {
            assert!(origin.matches(input));
            assert!(matches!(text.split("://").next(), Some("https" | "http")) && text.matches('/').count() == 2);
            assert_eq!(Url::parse(text).expect("an origin is a URL").origin().ascii_serialization(), text);
        }
        Err(error) => assert_fit_to_be_shown(&error.to_string()),
    }
}

/// Resource indicators: absolute URIs without fragment, kept to the octet.
pub fn resource(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match text.parse::<ResourceIndicator>() {
        Ok(resource) => {
            assert_eq!(resource.as_str(), text);
            assert!(Url::parse(text).is_ok_and(|url| url.fragment().is_none()));
        }
        Err(error) => assert_fit_to_be_shown(&error.to_string()),
    }
}

/// The `traceparent` header: what is read is written as version 00 and read again.
pub fn traceparent(input: &[u8]) {
    let Some(parent) = TraceParent::parse(input) else { return };
    let written = parent.to_string();
    assert_eq!(written.len(), 55);
    assert_eq!(written.as_bytes()[3..53], input[3..53], "the ids are kept");
    assert_eq!(TraceParent::parse(written.as_bytes()), Some(parent));
    assert_ne!(parent.trace_id.octets(), [0; 16]);
    assert_ne!(parent.parent_id.octets(), [0; 8]);
}

/// The bodies of the admin API: what is read is written and read again as the same, whichever body it was meant to be.
pub fn admin_bodies(input: &[u8]) {
    reads_back::<CreateAdministrator>(input);
    reads_back::<CreateApi>(input);
    reads_back::<PatchApi>(input);
    reads_back::<CreateApplication>(input);
    reads_back::<PatchApplication>(input);
    reads_back::<AddAllowedScope>(input);
    reads_back::<CreateFeature>(input);
    reads_back::<PatchFeature>(input);
    reads_back::<SetFeature>(input);
    reads_back::<RotateKeys>(input);
    reads_back::<CreatePartner>(input);
    reads_back::<PatchPartner>(input);
    reads_back::<CreateScope>(input);
    reads_back::<PatchScope>(input);
    reads_back::<CreateSecret>(input);
    reads_back::<CreateTenant>(input);
    reads_back::<PatchTenant>(input);
    reads_back::<SetTenantStatus>(input);
    reads_back::<CreateUnit>(input);
    reads_back::<PatchUnit>(input);
}

/// A question to Explain, likewise.
pub fn explain_question(input: &[u8]) {
    reads_back::<Question>(input);
}

fn reads_back<T: DeserializeOwned + Serialize>(input: &[u8]) {
    let body: T = match serde_json::from_slice(input) {
        Ok(body) => body,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let written = serde_json::to_value(&body).expect("what was JSON is JSON");
    let read: T = serde_json::from_value(written.clone()).expect("what we write we read");
    assert_eq!(serde_json::to_value(&read).expect("what was JSON is JSON"), written);
}

/// Error texts go into an `error_description`. What they quote was cleaned already, so that cleaning changes nothing.
fn assert_fit_to_be_shown(text: &str) {
    assert_eq!(describe(text), text);
    assert!(!text.is_empty() && text.len() < MAX_DESCRIPTION);
}

/// A key of this run. Nothing a property says depends on which.
struct Signer {
    key: SigningKey,
    keys: VerifyingKeys,
}

fn signer() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(|| {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
        let set = JwkSet::new(vec![key.public_jwk("k1")]).expect("a set of one");
        let keys = VerifyingKeys::new(&set).expect("our own key");
        Signer { key, keys }
    })
}

const ISSUER: &str = "https://as.example";
const AUDIENCE: &str = "https://pos.example";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
