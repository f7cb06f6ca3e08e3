//! For which tenant and unit a client acts: named in the request, within the level of its application (identity.md §4).

use ambit_core::authorize::Lent;
use ambit_core::refusal::Refusal;
use ambit_protocol::admin::application::{Application, Level};
use ambit_protocol::claims::AccessTokenClaims;

/// The tenant and the unit that are acted for, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acting {
    /// The tenant's slug.
    pub tenant: Option<String>,
    /// The unit.
    pub unit: Option<UnitName>,
}

/// How a unit is named: in requests by its slug, in tokens by its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitName {
    /// Unique in its tenant.
    Slug(String),
    /// Unique.
    Id(String),
}

impl Acting {
    /// From a request. `own` is the slug of the application's own tenant, if it belongs to one. Whether the named tenant is
    /// within reach shows when it is looked up.
    ///
    /// # Errors
    /// [`Refusal::TenantMisnamed`].
    pub fn resolve(
        application: &Application,
        own: Option<&str>,
        tenant: Option<&str>,
        unit: Option<&str>,
    ) -> Result<Self, Refusal> {
        let tenant = match (application.level, own, tenant) {
            (Level::Tenant, Some(own), Some(named)) if own != named => {
                return Err(Refusal::TenantMisnamed(
                    "a tenant's application acts for its own tenant; leave the parameter 'tenant' out".to_owned(),
                ));
            }
            (Level::Tenant, own, _) => own,
            (Level::Platform | Level::Partner, _, named) => named,
        };
        if unit.is_some() && tenant.is_none() {
            return Err(Refusal::TenantMisnamed("the parameter 'unit' needs the parameter 'tenant'".to_owned()));
        }
        Ok(Self { tenant: tenant.map(str::to_owned), unit: unit.map(|slug| UnitName::Slug(slug.to_owned())) })
    }

    /// From what a person lent, at the issuer of this tenant if it is one's.
    ///
    /// # Errors
    /// [`Refusal::TenantMisnamed`].
    pub fn of_lent(application: &Application, own: Option<&str>, lent: &Lent) -> Result<Self, Refusal> {
        let unit = lent.unit_id.map(|id| UnitName::Id(id.to_string()));
        Ok(Self { unit, ..Self::resolve(application, own, lent.tenant.as_deref(), None)? })
    }

    /// From a token that was verified.
    #[must_use]
    pub fn of_token(claims: &AccessTokenClaims) -> Self {
        Self { tenant: claims.tenant_slug.clone(), unit: claims.unit_id.clone().map(UnitName::Id) }
    }
}

impl UnitName {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Slug(name) | Self::Id(name) => name,
        }
    }
}
