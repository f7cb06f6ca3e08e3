//! What a token says of itself, and whether that holds: for whom, until when, signed by whom. Its claims may be shown, it
//! may not.

use ambit_protocol::jose::jws::{self, JwsError, JwsRules, MAX_TOKEN_LEN};
use ambit_protocol::time::Timestamp;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::again::Change;
use super::code::Code;
use super::key_set::KeySet;
use super::report::Finding;
use ambit_protocol::explain::Link;

/// A token, as far as it can be read.
#[derive(Debug)]
pub enum Token {
    Jwt {
        header: Map<String, Value>,
        claims: Map<String, Value>,
    },
    /// Encrypted for the API.
    Encrypted,
    /// A name for something that only the issuer knows.
    Opaque,
}

impl Token {
    /// As anybody can read it. Nothing is verified.
    pub fn read(text: &str) -> Self {
        let parts: Vec<&str> = text.split('.').collect();
        let object = |part: &str| {
            let json = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&json).ok()
        };
        match parts.as_slice() {
            [header, payload, _] => match (object(header), object(payload)) {
                (Some(header), Some(claims)) => Self::Jwt { header, claims },
                _ => Self::Opaque,
            },
            [header, _, _, _, _] if object(header).is_some() => Self::Encrypted,
            _ => Self::Opaque,
        }
    }

    pub fn claim(&self, name: &str) -> Option<&Value> {
        if let Self::Jwt { claims, .. } = self { claims.get(name) } else { None }
    }

    fn header(&self, name: &str) -> Option<&str> {
        if let Self::Jwt { header, .. } = self { header.get(name).and_then(Value::as_str) } else { None }
    }

    /// Why nothing can be said about its inside.
    fn closed(&self) -> Option<Finding> {
        match self {
            Self::Jwt { .. } => None,
            Self::Encrypted => Some(Finding::not_checked("the token is encrypted, and only the API can open it")),
            Self::Opaque => Some(Finding::not_checked("the token is opaque: only the issuer knows, by introspection")),
        }
    }

    /// What it carries, and under which claims: `scope` by RFC 9068, the others by habit.
    pub fn carried(&self) -> Option<Carried> {
        let Self::Jwt { claims, .. } = self else { return None };
        let mut carried = Carried::default();
        for name in ["scope", "scp", "permissions", "roles"] {
            let names: Vec<String> = match claims.get(name) {
                Some(Value::String(text)) => {
                    text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
                }
                Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => continue,
            };
            carried.claims.push(name);
            carried.names.extend(names);
        }
        Some(carried)
    }

    /// For which APIs it is.
    fn audiences(&self) -> Vec<&str> {
        match self.claim("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        }
    }

    /// Whether it is for the API that is called, by the first of the names that the API may have.
    pub fn audience(&self, called: &Called<'_>) -> Finding {
        if let Some(closed) = self.closed() {
            return closed;
        }
        let audiences = self.audiences();
        let shown =
            if audiences.is_empty() { "nobody in particular (no 'aud')".to_owned() } else { audiences.join(" ") };
        let Some((api, source)) = called.api else {
            return Finding::not_checked(format!(
                "the token is for {shown}, and nothing says what the API calls itself (give --resource)"
            ));
        };
        if !called.issuers.is_empty() && !called.issuers.iter().any(|issuer| issuer == called.issuer) {
            return Finding::failed(
                Code::ApiTrustsOtherIssuer,
                format!("{api} takes tokens of {}, and not of {}", called.issuers.join(" "), called.issuer),
            )
            .with_link(Link::Audience)
            .with_fix("get the token from an issuer that the API trusts", "whoever configures the client", None)
            .with_change(Change {
                issuer: called.issuers.first().cloned(),
                new_token: true,
                ..Change::NONE
            });
        }
        if audiences.contains(&api) {
            return Finding::ok(format!("{api} ({source})"));
        }
        Finding::failed(Code::WrongAudience, format!("the token is for {shown}, and the API is {api} ({source})"))
            .with_link(Link::Audience)
            .with_fix(
                format!(
                    "ask for a token for '{api}': name it as resource (RFC 8707), or as the product at hand has it"
                ),
                "whoever configures the client",
                None,
            )
            .with_change(Change { resource: Some(api.to_owned()), new_token: true, ..Change::NONE })
    }

    /// Whether it is of now. `lifetime_secs` is what the answer said beside the token.
    pub fn age(&self, now: Timestamp, lifetime_secs: Option<i64>) -> Finding {
        if let Some(closed) = self.closed() {
            return match lifetime_secs {
                Some(secs) => Finding::ok(format!("the answer says {}", duration(secs))),
                None => closed,
            };
        }
        let secs = |name: &str| self.claim(name).and_then(as_secs);
        let (now, exp, nbf, iat) = (now.secs(), secs("exp"), secs("nbf"), secs("iat"));
        let new = |finding: Finding| {
            finding.with_link(Link::TokenFresh).with_change(Change { new_token: true, ..Change::NONE })
        };
        let fresh = "get a new token, and forget the cached one";
        if let Some(exp) = exp.filter(|exp| *exp <= now) {
            let detail =
                format!("it expired {} ago, at {}", duration(now.saturating_sub(exp)), Timestamp::from_secs(exp));
            return new(Finding::failed(Code::TokenExpired, detail).with_fix(fresh, "the client", None));
        }
        if let Some(nbf) = nbf.filter(|nbf| *nbf > now.saturating_add(LEEWAY_SECS)) {
            let detail = format!(
                "it is not valid before {}, in {}",
                Timestamp::from_secs(nbf),
                duration(nbf.saturating_sub(now))
            );
            return new(Finding::failed(Code::TokenNotYetValid, detail).with_fix(
                "compare the clocks",
                "whoever runs them",
                None,
            ));
        }
        if let Some(iat) = iat.filter(|iat| *iat > now.saturating_add(LEEWAY_SECS)) {
            let detail = format!("it says it was issued in {}: compare the clocks", duration(iat.saturating_sub(now)));
            return Finding::warning(Code::TokenFromTheFuture, detail);
        }
        match (iat, exp) {
            (Some(iat), Some(exp)) => Finding::ok(format!(
                "issued {} ago, expires in {}",
                duration(now.saturating_sub(iat)),
                duration(exp.saturating_sub(now))
            )),
            (None, Some(exp)) => Finding::ok(format!("expires in {}", duration(exp.saturating_sub(now)))),
            (_, None) => Finding::warning(Code::TokenWithoutExp, "the token never expires (no 'exp')"),
        }
    }

    /// Whether the issuer signed it.
    pub fn signature(&self, text: &str, issuer: &str, keys: Option<&KeySet>) -> Finding {
        if let Some(closed) = self.closed() {
            return closed;
        }
        let algorithm = self.header("alg").unwrap_or("none");
        let kid = self.header("kid");
        let named = kid.map_or_else(|| "no key".to_owned(), |kid| format!("key '{kid}'"));
        match self.claim("iss").and_then(Value::as_str) {
            Some(iss) if iss == issuer => {}
            iss => {
                let detail = format!("the token's issuer ('iss') is '{}', and not '{issuer}'", iss.unwrap_or_default());
                let text = "configure clients and APIs with the issuer that tokens have, to the letter";
                return Finding::failed(Code::TokenOfAnotherIssuer, detail)
                    .with_fix(text, "whoever configures the API", None)
                    .with_change(Change { issuer: iss.map(str::to_owned), new_token: true, ..Change::NONE });
            }
        }
        let Some(set) = keys else { return Finding::not_checked("there is no key set to verify it with") };
        // RFC 9068 §2.1 has at+jwt; what other servers issue is looked at too.
        let rules = JwsRules { max_len: MAX_TOKEN_LEN, typ: &["at+jwt", "JWT"], typ_may_be_absent: true };
        let Err(error) = jws::verify(text, rules, &set.keys) else {
            return Finding::ok(format!("{algorithm}, by {named}"));
        };
        let is_published = kid.is_some_and(|kid| set.names.iter().any(|name| name == kid));
        let fresh = "get a new token; if that is no better, let the issuer publish the key that it signs with";
        match error {
            JwsError::Algorithm if algorithm.starts_with("HS") => Finding::warning(
                Code::TokenSharedSecret,
                format!("{algorithm}: signed with a secret that issuer and API share, which no key set shows"),
            ),
            JwsError::Algorithm if !algorithm.eq_ignore_ascii_case("none") => {
                Finding::not_checked(format!("{algorithm}, which the doctor does not verify: {error}"))
            }
            // The key is there, and of a kind that was passed over.
            JwsError::UnknownKey if is_published => Finding::not_checked(format!(
                "{algorithm} by {named}, which is published and of a kind the doctor does not verify"
            )),
            JwsError::UnknownKey => Finding::failed(
                Code::UnknownKid,
                format!(
                    "signed by {named}, and the key set has {}: the issuer withdrew it, or never published it",
                    list(&set.names)
                ),
            )
            .with_fix(fresh, "the client, then whoever runs the issuer", None)
            .with_change(Change { new_token: true, ..Change::NONE }),
            error => Finding::failed(Code::TokenSignature, format!("{algorithm}, by {named}: {error}"))
                .with_fix(fresh, "the client, then whoever runs the issuer", None)
                .with_change(Change { new_token: true, ..Change::NONE }),
        }
    }
}

/// What a token carries.
#[derive(Debug, Default)]
pub struct Carried {
    pub names: Vec<String>,
    /// The claims that it stands in.
    pub claims: Vec<&'static str>,
}

/// The API that is called, as far as it is known.
#[derive(Debug)]
pub struct Called<'a> {
    /// Its identifier, and how that is known.
    pub api: Option<(&'a str, &'static str)>,
    /// The issuers that it trusts, where it says so.
    pub issuers: &'a [String],
    pub issuer: &'a str,
}

/// RFC 7519 §2: a `NumericDate` may have a fraction.
fn as_secs(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and a moment that far away is wrong either way")]
    value.as_i64().or_else(|| value.as_f64().map(|secs| secs as i64))
}

/// A time as people say it, in its two largest units at most.
pub fn duration(secs: i64) -> String {
    match secs {
        ..120 => format!("{secs} s"),
        120..7200 => format!("{} min", secs / 60),
        7200..172_800 => format!("{} h", secs / 3600),
        _ => format!("{} days", secs / 86_400),
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none with a name".to_owned();
    }
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// What verifiers usually allow for.
const LEEWAY_SECS: i64 = 60;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(claims: &Value) -> Token {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        Token::read(&format!("{}.{}.c2ln", part(&json!({"alg": "ES256"})), part(claims)))
    }

    #[test]
    fn scopes_are_read_from_wherever_products_put_them() {
        for (claims, names) in [
            (json!({"scope": "a b"}), vec!["a", "b"]),
            (json!({"scp": ["a", "b"]}), vec!["a", "b"]),
            (json!({"scp": "a"}), vec!["a"]),
            (json!({"scope": "a", "permissions": ["b"], "roles": ["c"]}), vec!["a", "b", "c"]),
            (json!({"scope": 7}), vec![]),
        ] {
            assert_eq!(jwt(&claims).carried().expect("a JWT").names, names, "{claims}");
        }
        assert!(Token::read("opaque").carried().is_none());
        assert!(matches!(Token::read("a.b.c"), Token::Opaque));
    }

    #[test]
    fn a_token_expires_at_its_second_and_not_before() {
        let age = |now: i64| jwt(&json!({"iat": 1000, "exp": 2000})).age(Timestamp::from_secs(now), None);
        assert_eq!(age(1999).code, None);
        assert_eq!(age(2000).code, Some(Code::TokenExpired));
        assert_eq!(age(1000 - LEEWAY_SECS).code, None);
        assert_eq!(age(1000 - LEEWAY_SECS - 1).code, Some(Code::TokenFromTheFuture));
        let not_before = |now: i64| jwt(&json!({"nbf": 1000, "exp": 2000})).age(Timestamp::from_secs(now), None).code;
        assert_eq!(not_before(1000 - LEEWAY_SECS), None);
        assert_eq!(not_before(1000 - LEEWAY_SECS - 1), Some(Code::TokenNotYetValid));
        // Far away is not a fault of the doctor's.
        assert_eq!(jwt(&json!({"exp": 1e300})).age(Timestamp::from_secs(1), None).code, None);
        assert_eq!(jwt(&json!({"exp": i64::MIN})).age(Timestamp::from_secs(1), None).code, Some(Code::TokenExpired));
    }
}
