//! Credentials: by what a person proves who they are. What is secret of one is never shown.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Name;
use crate::id::{CredentialId, PartnerId, TenantId, UserId};
use crate::time::Timestamp;

/// Something by which a person proves who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// Identifier.
    pub id: CredentialId,
    /// Whose it is.
    pub user_id: UserId,
    /// That user's tenant.
    pub tenant_id: Option<TenantId>,
    /// That tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// What kind.
    pub kind: CredentialKind,
    /// What the person calls it, where they have several.
    pub name: Option<Name>,
    /// How often it can still be used, where that is limited: recovery codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// Of a passkey: what its authenticator calls it (WebAuthn, credential ID), in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webauthn_id: Option<String>,
    /// Of a passkey: whether it is kept in more places than one, as by a password manager that synchronises its passkeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backed_up: Option<bool>,
    /// Of a passkey: when it was last used, to the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// The kinds of credentials. A user has at most one password and one set of recovery codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A password, kept as a hash.
    Password,
    /// A passkey (W3C WebAuthn).
    Passkey,
    /// Codes of an authenticator app (RFC 6238).
    Totp,
    /// Codes to be used once each, for the day when everything else is lost.
    RecoveryCodes,
}

impl CredentialKind {
    /// The kind as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Totp => "totp",
            Self::RecoveryCodes => "recovery_codes",
        }
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Sets a user's password: exactly one of the two members. Neither is ever shown again.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// The password itself.
    #[serde(default)]
    #[schemars(length(min = 8, max = 1024))]
    pub password: Option<String>,
    /// Its hash, as another system kept it: Argon2, scrypt or PBKDF2 in PHC form, or bcrypt. Replaced when its person first signs
    /// in.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub hash: Option<String>,
}

impl fmt::Debug for SetPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetPassword([REDACTED])")
    }
}
