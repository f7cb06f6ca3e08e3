//! What a decision about scopes tells the client: the reasons, what was refused, what was dropped, what is deprecated.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scope::ScopeToken;
use crate::time::Timestamp;

/// Why one scope was not granted. The order is the order of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Outside the scope-token grammar (RFC 6749 §3.3).
    Malformed,
    /// Not in the catalogue.
    Unknown,
    /// A draft, or retired.
    NotActive,
    /// Not among the application's allowed scopes.
    NotAllowed,
    /// May not be carried by this kind of grant.
    WrongGrant,
    /// Belongs to none of the requested resources (RFC 8707).
    WrongResource,
    /// Gated by a feature that is off for the tenant, or no tenant was named.
    FeatureOffForTenant,
    /// Gated by a feature that is off for the unit.
    FeatureOffForUnit,
    /// The user holds none of the scope's roles.
    RoleMissing,
    /// The user did not consent.
    NotConsented,
    /// More than the original grant carried.
    BeyondOriginalGrant,
}

impl Reason {
    /// Every reason, in the order of the rules.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Unknown,
        Self::NotActive,
        Self::NotAllowed,
        Self::WrongGrant,
        Self::WrongResource,
        Self::FeatureOffForTenant,
        Self::FeatureOffForUnit,
        Self::RoleMissing,
        Self::NotConsented,
        Self::BeyondOriginalGrant,
    ];

    /// The reason as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::NotActive => "not_active",
            Self::NotAllowed => "not_allowed",
            Self::WrongGrant => "wrong_grant",
            Self::WrongResource => "wrong_resource",
            Self::FeatureOffForTenant => "feature_off_for_tenant",
            Self::FeatureOffForUnit => "feature_off_for_unit",
            Self::RoleMissing => "role_missing",
            Self::NotConsented => "not_consented",
            Self::BeyondOriginalGrant => "beyond_original_grant",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scope that was asked for, or stood in the default, and is not in the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DroppedScope {
    /// The name as it was asked for.
    pub scope: String,
    /// The first rule that left it out.
    pub reason: Reason,
    /// What to do about it.
    pub hint: String,
}

/// A scope that fails the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedScope {
    /// The name as it was sent.
    pub scope: String,
    /// The first rule that refused it.
    pub reason: Reason,
    /// Names that look like it and that this client could be granted, or that are advertised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did_you_mean: Vec<ScopeToken>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Something the client should know although it got what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The scope as it was asked for.
    pub scope: ScopeToken,
    /// `deprecated`: the successor was granted in its place. `report_only`: would be refused if the policy were enforced.
    pub code: NoticeCode,
    /// The same for people.
    pub text: String,
    /// What to ask for instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<ScopeToken>,
    /// When the deprecated scope stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<Timestamp>,
}

/// What a [`Notice`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// The scope is deprecated.
    Deprecated,
    /// The scope would be refused if the application's policy were enforced.
    ReportOnly,
}
