//! The issuance journal: which tokens were issued and which requests refused, for explain and for the re-check of the
//! invariant. Written in batches behind the answer, never on the hot path.

use ambit_protocol::admin::text::RoleName;
use ambit_protocol::id::{ApplicationId, GrantId, UserId};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Tokens issued within a span of time, packed: what repeats from token to token is written once per block.
///
/// A token's `jti` is a UUIDv7 and so tells the moment it was made; that finds its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalBlock {
    /// The time of the first token.
    pub first_at: Timestamp,
    /// The time of the last token.
    pub last_at: Timestamp,
    /// How many tokens.
    pub count: u32,
    /// What repeats, as a JSON list of [`Issuance`].
    pub issuances: String,
    /// The tokens, 36 octets each: `jti`, trace id, and the place in `issuances` (big endian).
    pub entries: Vec<u8>,
}

/// What one or more tokens have in common: who asked for what, and what was decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Issuance {
    /// The client.
    pub client_id: String,
    /// The application's identifier: a `client_id` can be registered anew.
    pub application_id: ApplicationId,
    /// The `scope` parameter; none where it was omitted.
    pub requested: Option<String>,
    /// The resources asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The slug of the tenant acted for.
    pub tenant: Option<String>,
    /// The slug of the unit acted for.
    pub unit: Option<String>,
    /// What was granted, as the token carries it.
    pub granted: String,
    /// The registry revision it was decided under.
    pub revision: u64,
    /// For whom, where the client acts for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behalf: Option<Behalf>,
}

/// What a decision about a person's token rested on, beside what the registry has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Behalf {
    /// Who.
    pub user_id: UserId,
    /// What was lent.
    pub grant_id: GrantId,
    /// The roles they held.
    pub roles: Vec<RoleName>,
    /// What they consented to; none where they were not asked.
    pub consented: Option<Vec<ScopeToken>>,
    /// What was lent at the beginning.
    pub original: Vec<ScopeToken>,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRecord {
    /// When.
    pub at: Timestamp,
    /// The trace of the request.
    pub trace_id: String,
    /// The client, as far as it was authenticated.
    pub client_id: Option<String>,
    /// The reason's code, as the table of refusals spells it.
    pub reason: String,
    /// The request and what was refused, as JSON: an [`Issuance`] with an empty grant, if the scopes were refused.
    pub detail: String,
    /// The registry revision it was decided under.
    pub revision: u64,
}

/// When a secret was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// Which secret.
    pub secret_id: String,
    /// When.
    pub at: Timestamp,
}
