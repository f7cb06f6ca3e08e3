//! Tenants.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Color, Domain, Name, Slug};
use crate::id::{PartnerId, TenantId};
use crate::time::Timestamp;

/// A customer with units, users and applications of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tenant {
    /// Identifier.
    pub id: TenantId,
    /// Name for people.
    pub name: Name,
    /// Name in the issuer's URL, fixed.
    pub slug: Slug,
    /// The partner it belongs to; fixed.
    pub partner_id: Option<PartnerId>,
    /// What it pays for, in the operator's own words.
    pub plan_tier: Option<Name>,
    /// Where it stands in its life.
    pub status: TenantStatus,
    /// How its people sign in.
    #[serde(default)]
    pub settings: TenantSettings,
    /// How its pages look.
    #[serde(default)]
    pub branding: Branding,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Where a tenant stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Trying it out.
    #[default]
    Trial,
    /// In business.
    Active,
    /// Behind with something; everything works and every answer warns.
    GracePeriod,
    /// Shut until it pays: token and API calls answer 402.
    Suspended,
    /// Gone: token and API calls answer 403.
    Churned,
}

impl TenantStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Trial, Self::Active, Self::GracePeriod, Self::Suspended, Self::Churned];

    /// Whether a tenant may go from here to there. A churned tenant stays churned.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use TenantStatus::{Active, Churned, GracePeriod, Suspended, Trial};
        matches!(
            (self, next),
            (Trial, Active | Suspended | Churned)
                | (Active, GracePeriod | Suspended | Churned)
                | (GracePeriod, Active | Suspended | Churned)
                | (Suspended, Active | Churned)
        )
    }

    /// The status as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Active => "active",
            Self::GracePeriod => "grace_period",
            Self::Suspended => "suspended",
            Self::Churned => "churned",
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the people of a tenant sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TenantSettings {
    /// Whether they prove who they are by two things.
    pub mfa: MfaPolicy,
    /// The shortest password, in characters: 8 to 64.
    #[schemars(range(min = 8, max = 64))]
    pub password_min_length: u32,
    /// After how many seconds without use a session ends: 60 to `session_max_secs`.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub session_idle_secs: u32,
    /// After how many seconds a session ends in any case: at most 30 days.
    #[schemars(range(min = 60, max = 2_592_000))]
    pub session_max_secs: u32,
    /// Whether a code that is sent to their address does for a password. Never for a second factor.
    pub email_code: bool,
    /// Whether people make their accounts themselves.
    pub self_registration: bool,
    /// The domains whose addresses may do so; all of them where there are none.
    pub email_domains: Vec<Domain>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            mfa: MfaPolicy::Optional,
            password_min_length: 12,
            // NIST SP 800-63B-4 §2.2.3: reauthentication "no more than 24 hours", inactivity "no more than 1 hour".
            session_idle_secs: 3_600,
            session_max_secs: 86_400,
            email_code: false,
            self_registration: false,
            email_domains: vec![],
        }
    }
}

/// Whether people prove who they are by two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MfaPolicy {
    /// They are not asked for a second thing.
    Off,
    /// Those who have set one up are asked for it.
    #[default]
    Optional,
    /// Everybody sets one up.
    Required,
}

/// How the pages of a tenant look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Branding {
    /// What stands where a logo would; the tenant's name where `null`.
    pub logo_text: Option<Name>,
    /// The colour of buttons and links.
    pub accent_color: Option<Color>,
}

/// Creates a tenant, with status `trial`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// Name for people.
    pub name: Name,
    /// Name in the issuer's URL, fixed.
    pub slug: Slug,
    /// The partner it belongs to; a partner's administrator need not say it.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// What it pays for, in the operator's own words.
    #[serde(default)]
    pub plan_tier: Option<Name>,
}

/// Changes a tenant. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchTenant {
    /// Name for people.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What it pays for.
    #[serde(default, deserialize_with = "super::present")]
    pub plan_tier: Option<Option<Name>>,
    /// How its people sign in.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub settings: Option<PatchTenantSettings>,
    /// How its pages look.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub branding: Option<PatchBranding>,
}

/// Changes how the people of a tenant sign in. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchTenantSettings {
    /// Whether they prove who they are by two things.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub mfa: Option<MfaPolicy>,
    /// The shortest password, in characters: 8 to 64.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 64))]
    pub password_min_length: Option<u32>,
    /// After how many seconds without use a session ends: 60 to `session_max_secs`.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 2_592_000))]
    pub session_idle_secs: Option<u32>,
    /// After how many seconds a session ends in any case: at most 30 days.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 2_592_000))]
    pub session_max_secs: Option<u32>,
    /// Whether a code that is sent to their address does for a password.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub email_code: Option<bool>,
    /// Whether people make their accounts themselves.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub self_registration: Option<bool>,
    /// The domains whose addresses may do so; all of them where there are none.
    #[serde(default, deserialize_with = "super::given", skip_serializing_if = "Option::is_none")]
    pub email_domains: Option<Vec<Domain>>,
}

/// Changes how the pages of a tenant look. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchBranding {
    /// What stands where a logo would; `null` shows the tenant's name.
    #[serde(default, deserialize_with = "super::present")]
    pub logo_text: Option<Option<Name>>,
    /// The colour of buttons and links; `null` is the server's own.
    #[serde(default, deserialize_with = "super::present")]
    pub accent_color: Option<Option<Color>>,
}

/// Moves a tenant to another status.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTenantStatus {
    /// Where it goes.
    pub status: TenantStatus,
}

#[cfg(test)]
mod tests {
    use super::{Branding, Tenant, TenantSettings, TenantStatus};

    #[test]
    fn a_churned_tenant_stays_churned_and_nobody_goes_back_to_trial() {
        for status in TenantStatus::ALL {
            assert!(!TenantStatus::Churned.may_become(status));
            assert!(!status.may_become(TenantStatus::Trial));
            assert!(!status.may_become(status));
        }
        assert!(TenantStatus::Suspended.may_become(TenantStatus::Active));
    }

    #[test]
    fn a_tenant_of_before_there_were_settings_reads_with_the_defaults() {
        let kept = r#"{"id":"tnt_01jd0000000000000000000000","name":"Shop","slug":"shop","partner_id":null,"plan_tier":null,
            "status":"trial","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","revision":1}"#;
        let tenant: Tenant = serde_json::from_str(kept).unwrap();
        assert_eq!((tenant.settings, tenant.branding), (TenantSettings::default(), Branding::default()));
    }
}
