//! How much of everything there may be (scopes.md §11). Each limit is configuration with these defaults.

use serde::{Deserialize, Serialize};

/// How much of everything there may be. A value beyond is refused with an error that names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Characters of a scope's name. What is registered stays.
    pub scope_name_chars: usize,
    /// Scopes named in one request.
    pub scopes_per_request: usize,
    /// Octets of one `scope` parameter.
    pub scope_parameter_bytes: usize,
    /// Scopes in the catalogue.
    pub catalogue_scopes: usize,
    /// Members of a bundle.
    pub bundle_members: usize,
    /// Allowed scopes of an application.
    pub allowed_scopes: usize,
    /// Scopes that the APIs of one tenant may have, so that no tenant fills the catalogue.
    pub tenant_scopes: usize,
    /// Entries in each of an application's lists of URIs, in an API's list of resource servers, in a tenant's list of domains,
    /// in the roles of a user or a group, and in a user's own attributes.
    pub list_entries: usize,
    /// Units above a unit.
    pub unit_depth: usize,
    /// Groups above a group.
    pub group_depth: usize,
    /// Groups that a user or a group is a member of itself.
    pub groups_per_member: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            scope_name_chars: ambit_protocol::scope::MAX_SCOPE_LENGTH,
            scopes_per_request: 512,
            scope_parameter_bytes: 16 * 1024,
            catalogue_scopes: 10_000,
            bundle_members: 1_000,
            allowed_scopes: 2_000,
            tenant_scopes: 1_000,
            list_entries: 100,
            unit_depth: 16,
            group_depth: 16,
            groups_per_member: 100,
        }
    }
}

impl Limits {
    /// Whether a `scope` parameter may be looked at.
    ///
    /// # Errors
    /// A sentence that names the limit.
    pub fn check_parameter(&self, scope: &str) -> Result<(), String> {
        if scope.len() > self.scope_parameter_bytes {
            return Err(format!("parameter 'scope' is longer than {} bytes", self.scope_parameter_bytes));
        }
        if scope.split(' ').count() > self.scopes_per_request {
            return Err(format!("parameter 'scope' names more than {} scopes", self.scopes_per_request));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_request_are_exact() {
        let limits = Limits::default();
        let names = |n: usize| vec!["a"; n].join(" ");
        assert!(limits.check_parameter(&names(511)).is_ok());
        assert!(limits.check_parameter(&names(512)).is_ok());
        assert!(limits.check_parameter(&names(513)).unwrap_err().contains("512"));
        assert!(limits.check_parameter(&"a".repeat(16 * 1024)).is_ok());
        assert!(limits.check_parameter(&"a".repeat(16 * 1024 + 1)).unwrap_err().contains("16384"));
    }
}
