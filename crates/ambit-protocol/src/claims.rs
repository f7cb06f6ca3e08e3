//! What a token says: the claims of an access token (RFC 9068 §2.2) and of a client assertion (RFC 7523 §3).
//!
//! To write a token, fill [`AccessTokenClaims`] with borrowed texts and take [`AccessTokenClaims::to_json`]. To read
//! one, go through [`crate::verify`], which hands out claims only behind [`Verified`](crate::verify::Verified).

use std::borrow::Cow;
use std::iter;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::jose::strict_json::{Fault, Object};
use crate::params::split_at;
use crate::time::Timestamp;

/// The claims of an access token. `S` is `&str` when one is written and `String` when one was read.
///
/// ```
/// use ambit_protocol::claims::{AccessTokenClaims, Audience};
///
/// let claims = AccessTokenClaims {
///     scope: Some("pos.read pos.write"),
///     rev: Some(42),
///     ..AccessTokenClaims::new("https://as.example", "till-7", Audience::One("https://pos.example"), "till-7", 1_700_000_000, 1_700_003_600, "t1")
/// };
/// assert_eq!(
///     String::from_utf8(claims.to_json()).unwrap(),
///     r#"{"iss":"https://as.example","sub":"till-7","aud":"https://pos.example","client_id":"till-7","scope":"pos.read pos.write","iat":1700000000,"exp":1700003600,"jti":"t1","rev":42}"#,
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessTokenClaims<S = String> {
    /// The issuer: the platform's or a tenant's URL.
    pub iss: S,
    /// The subject: a user's id, or of a service token the `client_id`.
    pub sub: S,
    /// The identifiers of the APIs whose scopes are carried.
    pub aud: Audience<S>,
    /// Who asked for the token.
    pub client_id: S,
    /// The scopes carried, separated by one space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<S>,
    /// When it was minted, in seconds since 1970.
    pub iat: i64,
    /// From when on it is no longer accepted, in seconds since 1970.
    pub exp: i64,
    /// Before when it is not accepted, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The token's own id.
    pub jti: S,
    /// The tenant it acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<S>,
    /// That tenant's name in URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_slug: Option<S>,
    /// The partner it acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner_id: Option<S>,
    /// The unit it acts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<S>,
    /// How far the application reaches; on service tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<S>,
    /// The user's roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<S>,
    /// The user's groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<S>,
    /// Who acts for the subject, after an exchange (RFC 8693 §4.1). An object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// What the token is bound to (RFC 7800 §3.1). An object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
    /// When the person last proved who they are, in seconds since 1970 (RFC 9068 §2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strongly (RFC 9068 §2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<S>,
    /// By what (RFC 8176).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<S>,
    /// What the person lent at one sign-in, and this token is part of: it ends with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<S>,
    /// The registry revision it was minted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rev: Option<u64>,
}

/// The claims of an ID token (OpenID Connect Core §2), and of a signed answer of the userinfo endpoint (§5.3.2).
#[derive(Debug, Clone, Default, Serialize)]
pub struct IdTokenClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The person: an identifier that is never used again, or a pairwise one.
    pub sub: &'a str,
    /// The client.
    pub aud: &'a str,
    /// When it was minted, in seconds since 1970.
    pub iat: i64,
    /// From when on it is no longer accepted; a userinfo answer has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When the person last proved who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// What the request had as `nonce`, unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// How strongly the person proved who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<&'a str>,
    /// By what (RFC 8176).
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub amr: &'a [&'a str],
    /// The left half of the hash of the access token beside it (§3.1.3.6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    /// The session (OpenID Connect Back-Channel Logout 1.0 §2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<&'a str>,
    /// What is told of the person, by the scopes granted (§5.4).
    #[serde(flatten)]
    pub about: AboutUser<'a>,
}

/// What is told of a person (OpenID Connect Core §5.1), as far as the scopes that were granted ask for it (§5.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AboutUser<'a> {
    /// What people call them (`profile`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// Given name (`profile`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<&'a str>,
    /// Family name (`profile`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<&'a str>,
    /// Language (`profile`): a BCP 47 tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<&'a str>,
    /// When any of this last changed, in seconds since 1970 (`profile`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// The e-mail address (`email`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// Whether they have shown that they read what is sent there (`email`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

/// For whom a token is: one API or several (RFC 7519 §4.1.3). One is written as a string, several as an array; both
/// are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience<S = String> {
    /// A string in JSON.
    One(S),
    /// An array in JSON; written as a string when it has one member.
    Many(Vec<S>),
}

/// The claims of a JWT that authenticates a client (RFC 7523 §3, RFC 7521 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionClaims {
    /// The client.
    pub iss: String,
    /// The client again.
    pub sub: String,
    /// The authorization server's issuer, or a legacy value that was allowed.
    pub aud: String,
    /// What makes the assertion usable once: at most [`MAX_JTI_LEN`] octets.
    pub jti: String,
    /// Until when it may be used, in seconds since 1970.
    pub exp: i64,
    /// When it was made, in seconds since 1970.
    pub iat: Option<i64>,
    /// Before when it may not be used, in seconds since 1970.
    pub nbf: Option<i64>,
}

impl<S> AccessTokenClaims<S> {
    /// The claims that every access token has (RFC 9068 §2.2); the others are absent.
    pub fn new(iss: S, sub: S, aud: Audience<S>, client_id: S, iat: i64, exp: i64, jti: S) -> Self {
        Self {
            iss,
            sub,
            aud,
            client_id,
            scope: None,
            iat,
            exp,
            nbf: None,
            jti,
            tenant_id: None,
            tenant_slug: None,
            partner_id: None,
            unit_id: None,
            level: None,
            roles: Vec::new(),
            groups: Vec::new(),
            act: None,
            cnf: None,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            grant_id: None,
            rev: None,
        }
    }

    /// When it was minted.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        Timestamp::from_secs(self.iat)
    }

    /// From when on it is no longer accepted.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        Timestamp::from_secs(self.exp)
    }
}

impl<S: AsRef<str>> AccessTokenClaims<S> {
    /// The names in `scope`; none when there is no such claim.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.scope.as_ref().map_or("", AsRef::as_ref);
        iter::from_fn(move || {
            let name;
            (name, rest) = (!rest.is_empty()).then(|| split_at(b' ', rest))?;
            Some(name)
        })
        .filter(|name| !name.is_empty())
    }
}

impl<S: Serialize> AccessTokenClaims<S> {
    /// The payload to be signed.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(USUAL_LEN);
        self.write_json(&mut json);
        json
    }

    /// The payload to be signed, appended to a buffer that may be used again.
    pub fn write_json(&self, json: &mut Vec<u8>) {
        // A Vec takes every octet, and the claims have no map whose keys are not strings.
        serde_json::to_writer(json, self).expect("claims are JSON");
    }
}

impl AccessTokenClaims {
    pub(crate) fn from_object(object: &Object<'_>) -> Result<Self, Fault> {
        Ok(Self {
            iss: object.require("iss")?,
            sub: object.require("sub")?,
            aud: object.require("aud")?,
            client_id: object.require("client_id")?,
            scope: object.find("scope")?,
            iat: date(object, "iat")?.ok_or(Fault::Missing("iat"))?,
            exp: date(object, "exp")?.ok_or(Fault::Missing("exp"))?,
            nbf: date(object, "nbf")?,
            jti: object.require("jti")?,
            tenant_id: object.find("tenant_id")?,
            tenant_slug: object.find("tenant_slug")?,
            partner_id: object.find("partner_id")?,
            unit_id: object.find("unit_id")?,
            level: object.find("level")?,
            roles: object.find("roles")?.unwrap_or_default(),
            groups: object.find("groups")?.unwrap_or_default(),
            act: object.find_object("act")?,
            cnf: object.find_object("cnf")?,
            auth_time: date(object, "auth_time")?,
            acr: object.find("acr")?,
            amr: object.find("amr")?.unwrap_or_default(),
            grant_id: object.find("grant_id")?,
            rev: object.find("rev")?,
        })
    }
}

/// The claims of a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). It never has a `nonce`.
#[derive(Debug, Clone, Serialize)]
pub struct LogoutTokenClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The person, as the client's ID tokens name them.
    pub sub: &'a str,
    /// The client.
    pub aud: &'a str,
    /// When it was minted, in seconds since 1970.
    pub iat: i64,
    /// From when on it is no longer accepted.
    pub exp: i64,
    /// A name of its own.
    pub jti: &'a str,
    /// The session, as the client's ID tokens name it.
    pub sid: &'a str,
    /// What has happened: one member, whose value is an empty object.
    pub events: LogoutEvents,
}

/// That a session has ended.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct LogoutEvents {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: Empty,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Empty {}

/// What an ID token says when it comes back as a hint: whom, and which session, a client means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdTokenHint {
    /// The issuer.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The client.
    pub aud: String,
    /// The session.
    pub sid: Option<String>,
}

impl IdTokenHint {
    pub(crate) fn from_object(object: &Object<'_>) -> Result<Self, Fault> {
        Ok(Self {
            iss: object.require("iss")?,
            sub: object.require("sub")?,
            aud: object.require("aud")?,
            sid: object.find("sid")?,
        })
    }
}

impl AssertionClaims {
    pub(crate) fn from_object(object: &Object<'_>) -> Result<Self, Fault> {
        Ok(Self {
            iss: object.require("iss")?,
            sub: object.require("sub")?,
            // One string. In an array the other members would be servers at which this assertion works as well.
            aud: object.require("aud")?,
            jti: object.require("jti")?,
            exp: date(object, "exp")?.ok_or(Fault::Missing("exp"))?,
            iat: date(object, "iat")?,
            nbf: date(object, "nbf")?,
        })
    }
}

/// RFC 7519 §2, `NumericDate`, of which only whole seconds between 1970 and 9999 are accepted: no fraction, exponent,
/// sign or string.
pub(crate) fn date(object: &Object<'_>, name: &'static str) -> Result<Option<i64>, Fault> {
    match object.find::<i64>(name)? {
        Some(secs) if !(0..=END_OF_9999).contains(&secs) => Err(Fault::WrongType(name)),
        date => Ok(date),
    }
}

impl Audience {
    /// The same, by reference.
    #[must_use]
    pub fn borrowed(&self) -> Audience<&str> {
        match self {
            Self::One(one) => Audience::One(one),
            Self::Many(many) => Audience::Many(many.iter().map(String::as_str).collect()),
        }
    }
}

impl<S: AsRef<str>> Audience<S> {
    /// The identifiers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
        .iter()
        .map(AsRef::as_ref)
    }

    /// Whether this API is among them; octet by octet.
    #[must_use]
    pub fn contains(&self, identifier: &str) -> bool {
        self.iter().any(|audience| audience == identifier)
    }
}

impl<S: Serialize> Serialize for Audience<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self {
            Self::One(one) => one.serialize(serializer),
            Self::Many(many) => match many.as_slice() {
                [one] => one.serialize(serializer),
                many => many.serialize(serializer),
            },
        }
    }
}

impl<S> JsonSchema for Audience<S> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Audience".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;
        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of strings that is not empty")
            }

            fn visit_str<E>(self, one: &str) -> Result<Audience, E> {
                Ok(Audience::One(one.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Audience, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = items.next_element()? {
                    many.push(one);
                }
                if many.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Audience::Many(many)) }
            }
        }
        deserializer.deserialize_any(AudienceVisitor)
    }
}

/// Octets in the `jti` of an assertion: it is kept until the assertion expires.
pub const MAX_JTI_LEN: usize = 256;
/// 9999-12-31T23:59:59Z, the last second RFC 3339 can write.
const END_OF_9999: i64 = 253_402_300_799;
/// What the claims of a service token usually take, in octets.
const USUAL_LEN: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_scope_are_what_is_between_its_spaces() {
        for scope in ["", " ", "a", "pos:baskets:read pos:baskets:write", " a  b ", "a ", " é", "   "] {
            let claims = AccessTokenClaims {
                scope: Some(scope),
                ..AccessTokenClaims::new("i", "s", Audience::One("a"), "c", 1, 2, "t")
            };
            let names: Vec<&str> = claims.scopes().collect();
            let expected: Vec<&str> = scope.split(' ').filter(|name| !name.is_empty()).collect();
            assert_eq!(names, expected, "'{scope}'");
        }
        assert_eq!(AccessTokenClaims::new("i", "s", Audience::One("a"), "c", 1, 2, "t").scopes().next(), None);
    }
}
