//! Signing keys, without the private half.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::KeyId;
use crate::jose::Algorithm;
use crate::jose::jwk::Jwk;
use crate::time::Timestamp;

/// A signing key. Its identifier is the `kid` of tokens signed with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Identifier and `kid`.
    pub id: KeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The public half.
    pub jwk: Jwk,
    /// When it began to sign.
    pub activated_at: Option<Timestamp>,
    /// When it stopped signing.
    pub retired_at: Option<Timestamp>,
    /// When it leaves the key set: the last token it signed has expired by then.
    pub remove_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Where a key stands in its life. All but `revoked` are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published ahead, so that caches know it before it signs.
    Next,
    /// Signs.
    Active,
    /// Signs no longer; its tokens are still good.
    Retiring,
    /// Withdrawn in an emergency: its tokens are refused at once.
    Revoked,
}

/// Rotates the keys of an algorithm: next becomes active, active retiring, and a new next is made. Refused while the next key
/// was not published for `keys.publish_ahead`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// Which algorithm; all that are in use where left out.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// Whether the next key signs at once, even where caches cannot know it yet.
    #[serde(default)]
    pub force: bool,
}
