//! The tables of the nouns, all of one shape, and a row of them as [`Row`].

use std::error::Error;

use ambit_core::store::{Row, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use serde_json::Value as Json;
use sqlx::any::AnyRow;

use crate::error::{Result, unsigned};
use crate::sql::Columns;

/// The nouns' tables. [`Resource::Registry`] is all of them and so none.
pub(crate) const fn table(resource: Resource) -> Option<&'static str> {
    Some(match resource {
        Resource::Partner => "partners",
        Resource::Tenant => "tenants",
        Resource::Unit => "units",
        Resource::Feature => "features",
        Resource::TenantFeature => "tenant_features",
        Resource::UnitFeature => "unit_features",
        Resource::Api => "apis",
        Resource::Scope => "scopes",
        Resource::Application => "applications",
        Resource::Secret => "secrets",
        Resource::Administrator => "administrators",
        Resource::Key => "keys",
        Resource::User => "users",
        Resource::Group => "groups",
        Resource::Membership => "memberships",
        Resource::Credential => "credentials",
        Resource::Registry => return None,
    })
}

/// Whether a tenant also sees its partner's and the platform's, and a partner the platform's.
pub(crate) const fn is_shared(resource: Resource) -> bool {
    matches!(resource, Resource::Feature | Resource::Api | Resource::Scope)
}

/// What is selected to make a [`Row`]. A secret's last use is kept beside it.
pub(crate) const fn columns(resource: Resource) -> &'static str {
    match resource {
        Resource::Secret => {
            "id, natural_key, parent, tenant_id, partner_id, revision, document, sealed, \
             (SELECT at FROM secret_uses WHERE secret_id = secrets.id)"
        }
        _ => "id, natural_key, parent, tenant_id, partner_id, revision, document, sealed",
    }
}

pub(crate) fn decode(resource: Resource, row: &AnyRow) -> Result<Row> {
    let mut columns = Columns::of(row);
    let mut row = Row {
        resource,
        id: columns.text()?,
        natural_key: columns.optional_text()?,
        parent: columns.optional_text()?,
        tenant_id: None,
        partner_id: None,
        revision: 0,
        document: String::new(),
        sealed: None,
    };
    row.tenant_id = parse(resource, &row.id, columns.optional_text()?)?;
    row.partner_id = parse(resource, &row.id, columns.optional_text()?)?;
    row.revision = unsigned(columns.number()?)?;
    row.document = columns.text()?;
    row.sealed = columns.optional_octets()?;
    if resource == Resource::Secret
        && let Some(used) = columns.optional_number()?
    {
        row.document = with_last_use(&row, Timestamp::from_millis(used))?;
    }
    Ok(row)
}

/// A column that names an owner, or why the row cannot be read.
pub(crate) fn parse<T>(resource: Resource, id: &str, text: Option<String>) -> Result<Option<T>>
where
    T: std::str::FromStr<Err: Error + Send + Sync + 'static>,
{
    text.map(|text| text.parse::<T>()).transpose().map_err(|error| corrupt(resource, id, error))
}

pub(crate) fn corrupt(resource: Resource, id: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt { resource, id: id.to_owned(), source: source.into() }
}

fn with_last_use(row: &Row, used: Timestamp) -> Result<String> {
    let corrupt = |error: serde_json::Error| corrupt(row.resource, &row.id, error);
    let mut document: Json = serde_json::from_str(&row.document).map_err(corrupt)?;
    let known = document.get(LAST_USED).and_then(Json::as_str).and_then(|text| text.parse().ok());
    if let Some(members) = document.as_object_mut()
        && known.is_none_or(|known: Timestamp| known < used)
    {
        members.insert(LAST_USED.to_owned(), Json::String(used.to_string()));
    }
    serde_json::to_string(&document).map_err(corrupt)
}

const LAST_USED: &str = "last_used_at";
