//! Administrators: who may administer what, by role.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AdministratorId, ApplicationId, GroupId, PartnerId, TenantId, UserId};
use crate::time::Timestamp;

/// The assignment of an administrator's role to an application, a user or a group.
///
/// An application without any assignment administers by its level. One with assignments administers by those that are
/// live and no further: an `auditor` only reads whatever its scopes say, and an expired assignment leaves nothing.
///
/// People administer by their roles alone, their own and those of the groups they are in: without one, nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Administrator {
    /// Identifier.
    pub id: AdministratorId,
    /// Who holds the role: exactly one of `application_id`, `user_id` and `group_id`.
    #[serde(flatten)]
    pub holder: Holder,
    /// The role.
    pub role: AdministratorRole,
    /// The tenant it is held in (`tenant_admin`, and `auditor` of a tenant).
    pub tenant_id: Option<TenantId>,
    /// The partner it is held in (`partner_admin`, `auditor` of a partner), or that tenant's partner.
    pub partner_id: Option<PartnerId>,
    /// When it ends; never where `null`.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The registry revision of that change.
    pub revision: u64,
}

/// Who holds a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Holder {
    /// An application.
    #[serde(rename = "application_id")]
    Application(ApplicationId),
    /// A user.
    #[serde(rename = "user_id")]
    User(UserId),
    /// A group: all who are in it, through nested groups too.
    #[serde(rename = "group_id")]
    Group(GroupId),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(id) => id.fmt(f),
            Self::User(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

/// What an administrator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdministratorRole {
    /// Everything.
    SuperAdmin,
    /// A partner and its tenants.
    PartnerAdmin,
    /// A tenant.
    TenantAdmin,
    /// Reads, and changes nothing.
    Auditor,
}

impl AdministratorRole {
    /// The role as the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::PartnerAdmin => "partner_admin",
            Self::TenantAdmin => "tenant_admin",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for AdministratorRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Assigns a role to an application, a user or a group: exactly one of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAdministrator {
    /// The application that is to hold it, by identifier or `client_id`.
    #[serde(default)]
    pub application: Option<String>,
    /// The user who is to hold it.
    #[serde(default)]
    pub user: Option<UserId>,
    /// The group whose members are to hold it.
    #[serde(default)]
    pub group: Option<GroupId>,
    /// The role.
    pub role: AdministratorRole,
    /// The tenant it is held in.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The partner it is held in.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::{Administrator, Holder};

    #[test]
    fn a_role_of_before_people_held_any_reads_as_an_applications() {
        let kept = r#"{"id":"adm_01jd0000000000000000000000","application_id":"app_01jd0000000000000000000000","role":"auditor",
            "tenant_id":null,"partner_id":null,"expires_at":null,
            "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","revision":1}"#;
        let read: Administrator = serde_json::from_str(kept).unwrap();
        assert!(matches!(read.holder, Holder::Application(_)));
        let written: serde_json::Value = serde_json::to_value(&read).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(kept).unwrap());
    }
}
