//! The answer of Explain: a verdict, the chain of links behind it, and the smallest change that mends the broken one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::{DroppedScope, Notice, RefusedScope};
use crate::scope::ScopeToken;
use crate::time::Timestamp;

/// The whole answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// One sentence: what is, or would be, and why.
    pub verdict: String,
    /// The chain, link by link, in its fixed order. The first link that is not `ok` is the cause.
    pub because: Vec<LinkReport>,
    /// The smallest change that mends it, with who can make it. Empty when nothing is broken.
    pub fix: Vec<Fix>,
    /// The decision the answer rests on, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionReport>,
    /// The address of the page about what was refused, where the question was about a refusal that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// A link of the chain that a scope must pass to open an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The scope is in the catalogue.
    Registered,
    /// Its state lets it be granted.
    Active,
    /// Its feature is on for the tenant and the unit, or it has none.
    GateOpen,
    /// The application may have it.
    Allowed,
    /// This kind of grant may carry it.
    CarriedByGrant,
    /// The token request named it, or omitted `scope` while it stood in the default.
    AskedFor,
    /// The decision granted it.
    Granted,
    /// The token is meant for the API that was called.
    Audience,
    /// The token is neither expired nor older than the change that would have granted the scope.
    TokenFresh,
    /// The token was not revoked.
    NotRevoked,
}

impl Link {
    /// The chain in its order.
    pub const ALL: [Self; 10] = [
        Self::Registered,
        Self::Active,
        Self::GateOpen,
        Self::Allowed,
        Self::CarriedByGrant,
        Self::AskedFor,
        Self::Granted,
        Self::Audience,
        Self::TokenFresh,
        Self::NotRevoked,
    ];
}

/// How one link fares for one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkReport {
    /// Which link.
    pub link: Link,
    /// The scope it was looked at for; none where the link concerns the whole token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whether it holds.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// One change that mends a broken link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// What to do, in one sentence.
    pub text: String,
    /// Who can do it.
    pub who: String,
    /// A command that does it when pasted into a shell.
    pub command: String,
}

/// A decision, as a report for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionReport {
    /// The client it was made for.
    pub client_id: String,
    /// What was asked for; none when `scope` was omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// What the token carries or would carry.
    pub granted: Vec<ScopeToken>,
    /// What was refused, with every reason's first.
    pub refused: Vec<RefusedScope>,
    /// What was left out.
    pub dropped: Vec<DroppedScope>,
    /// Deprecations and what `report_only` would refuse.
    pub notices: Vec<Notice>,
    /// For each name that was looked at, all reasons that speak against it, in the order of the rules.
    pub reasons: std::collections::BTreeMap<String, Vec<crate::decision::Reason>>,
    /// The revision of the registry it was made under.
    pub revision: u64,
    /// When it was made.
    pub at: Timestamp,
}

/// What is asked of `POST …/explain` and `/connect/explain` (scopes.md §6).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "question", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// What would this request get? Nothing is minted.
    Request {
        /// The application, by `client_id` or identifier; a client that asks about itself leaves it out.
        #[serde(default)]
        application: Option<String>,
        /// The slug of the tenant it would act for.
        #[serde(default)]
        tenant: Option<String>,
        /// The slug of the unit it would act for.
        #[serde(default)]
        unit: Option<String>,
        /// Resource indicators (RFC 8707).
        #[serde(default)]
        resource: Vec<String>,
        /// The `scope` parameter; left out means an omitted one.
        #[serde(default)]
        scope: Option<String>,
    },
    /// Why does this token carry what it carries? One of the three.
    Token {
        /// The token itself.
        #[serde(default)]
        token: Option<String>,
        /// Its `jti`.
        #[serde(default)]
        jti: Option<String>,
        /// The trace of the request that minted it, or that was refused.
        #[serde(default)]
        trace_id: Option<String>,
    },
    /// Why this 403?
    Denial {
        /// The token that was presented.
        token: String,
        /// The scopes that were required, any of which would have done.
        #[serde(default)]
        scopes: Vec<String>,
        /// Or the endpoint that was called, as `METHOD /path` of the admin API.
        #[serde(default)]
        endpoint: Option<String>,
        /// The API that was called, by identifier; the scopes' own if left out.
        #[serde(default)]
        resource: Option<String>,
    },
}
