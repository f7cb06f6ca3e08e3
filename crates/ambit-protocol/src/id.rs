//! Identifiers: a typed prefix and a UUIDv7 in TypeID spelling, `app_01jd…`.
//!
//! The suffix is 26 characters of Crockford base32, so identifiers sort by the time they were made and survive a
//! double click. Each kind is a type of its own: a tenant's identifier cannot be passed where an application's is due.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is no identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an identifier of the form {prefix}_ followed by 26 characters of base32")]
pub struct IdError {
    prefix: &'static str,
}

/// What all identifiers have in common: made from a UUIDv7, spelt with a prefix.
pub trait Id: Copy + fmt::Display + FromStr<Err = IdError> {
    /// The prefix that marks the kind, without the underscore.
    const PREFIX: &'static str;

    /// Wraps a UUIDv7 made by the caller, who owns time and randomness.
    fn from_uuid(uuid: Uuid) -> Self;

    /// The UUID without its prefix, for where the kind is known and octets count.
    fn uuid(self) -> Uuid;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;

            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, Base32(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(IdError { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                })
            }
        }
    )*};
}

ids! {
    /// A partner: an organisation that resells or operates tenants.
    PartnerId = "prt";
    /// A tenant: a customer with units, users and applications of its own.
    TenantId = "tnt";
    /// A unit: a part of a tenant, such as a retailer, a region or a department.
    UnitId = "unt";
    /// An application: what is registered; a client is its role in the protocol.
    ApplicationId = "app";
    /// An API: a protected resource server.
    ApiId = "api";
    /// One of an application's secrets.
    SecretId = "sec";
    /// A signing key.
    KeyId = "key";
    /// An assignment of an administrator's role.
    AdministratorId = "adm";
    /// A person.
    UserId = "usr";
    /// A group of people.
    GroupId = "grp";
    /// Something by which a person proves who they are.
    CredentialId = "crd";
    /// A session of a person in a browser: the claim `sid` (OpenID Connect Back-Channel Logout 1.0 §2.1).
    SessionId = "ses";
    /// What a person lent an application at one sign-in: a code and all tokens that come of it.
    GrantId = "gnt";
}

struct Base32(Uuid);

impl fmt::Display for Base32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0.as_u128();
        let mut text = [0_u8; 26];
        for (place, character) in text.iter_mut().enumerate() {
            let shift = 125 - 5 * place;
            *character = ALPHABET[(value >> shift) as usize & 31];
        }
        // The alphabet is ASCII, so this cannot fail.
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    // 26 characters hold 130 bits: the first may only carry three, or two spellings would name one identifier.
    if bytes.len() != 26 || bytes[0] > b'7' {
        return None;
    }
    let mut value = 0_u128;
    for byte in bytes {
        let digit = ALPHABET.iter().position(|known| known == byte)?;
        value = value << 5 | digit as u128;
    }
    Some(Uuid::from_u128(value))
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_reads_back_as_itself() {
        for value in [0, 1, u128::MAX, 0x0193_5a7c_8000_7000_8000_0000_0000_0001] {
            let id = TenantId::from_uuid(Uuid::from_u128(value));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.uuid().as_u128(), value);
        }
    }

    #[test]
    fn another_kind_or_another_spelling_is_refused() {
        let id = TenantId::from_uuid(Uuid::from_u128(7)).to_string();
        assert!(id.parse::<PartnerId>().is_err());
        assert!(id.to_uppercase().parse::<TenantId>().is_err());
        assert!("tnt_80000000000000000000000000".parse::<TenantId>().is_err());
        assert!("tnt_0000000000000000000000000".parse::<TenantId>().is_err());
        assert!("tnt_0000000000000000000000000l".parse::<TenantId>().is_err());
    }
}
