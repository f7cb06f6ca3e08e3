//! The resources of the admin API, one file per noun: what is registered, as it crosses the wire and as it is kept.
//!
//! Each noun has its full shape, the body that creates it and the body that changes it. Values are checked while they are
//! read: whoever holds an [`application::Application`] holds valid scopes, slugs and identifiers.

pub mod administrator;
pub mod api;
pub mod application;
pub mod audit;
pub mod credential;
pub mod feature;
pub mod group;
pub mod invitation;
pub mod key;
pub mod partner;
pub mod scope;
pub mod secret;
pub mod tenant;
pub mod text;
pub mod unit;
pub mod user;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// One page of a list. `cursor` is opaque and bound to the caller; it is `null` on the last page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The things on this page, in a stable order.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub cursor: Option<String>,
    /// How many there are in all, where that is cheap to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Reads a member that may be absent (no change), `null` (take it away) or a value.
///
/// # Errors
/// Those of the value.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Reads a member that may be absent (no change) and otherwise is a value: `null` would take away what must be there, and is a
/// fault rather than no change.
///
/// # Errors
/// Those of the value.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
