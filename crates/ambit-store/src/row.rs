//! The tables of the nouns, all of one shape, and a row of them as [`Row`].

use std::error::Error;

use ambit_core::store::{Row, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use serde_json::Value as Json;
use sqlx::any::AnyRow;

use crate::checksum::{Part, noun};
use crate::error::{Result, number, unsigned};
use crate::sql::{Columns, Value};

/// The nouns' tables. [`Resource::Registry`] is all of them and so none, and a grant is none of theirs.
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
        Resource::Grant | Resource::Registry => return None,
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
            "id, natural_key, parent, tenant_id, partner_id, revision, document, sealed, checksum, \
             (SELECT at FROM secret_uses WHERE secret_id = secrets.id)"
        }
        _ => COLUMNS,
    }
}

/// What is written of a row, in the order of [`COLUMNS`].
pub(crate) fn values(table: &'static str, row: &Row, revision: u64) -> Result<Vec<Value>> {
    let mut values: Vec<Value> = vec![
        row.id.as_str().into(),
        row.natural_key.as_deref().into(),
        row.parent.as_deref().into(),
        row.tenant_id.map(|id| id.to_string()).into(),
        row.partner_id.map(|id| id.to_string()).into(),
        number(revision)?.into(),
        row.document.as_str().into(),
        row.sealed.clone().into(),
    ];
    let checksum = noun(table).checksum(values.iter().map(Part::from));
    values.push(checksum);
    Ok(values)
}

/// The row, if it is as it was written.
pub(crate) fn decode(resource: Resource, row: &AnyRow) -> Result<Row> {
    let mut columns = Columns::of(row);
    let id = columns.text()?;
    decode_rest(resource, &id, columns).map_err(|error| match error {
        StoreError::Unavailable(source) => corrupt(resource, &id, source),
        error => error,
    })
}

fn decode_rest(resource: Resource, id: &str, mut columns: Columns<'_>) -> Result<Row> {
    let natural_key = columns.optional_text()?;
    let parent = columns.optional_text()?;
    let (tenant_id, partner_id) = (columns.optional_text()?, columns.optional_text()?);
    let revision = columns.number()?;
    let document = columns.text()?;
    let sealed = columns.optional_octets()?;
    let checksum = columns.optional_octets()?;
    if let Some(table) = table(resource) {
        let parts = [
            id.into(),
            natural_key.as_deref().into(),
            parent.as_deref().into(),
            tenant_id.as_deref().into(),
            partner_id.as_deref().into(),
            Part::Number(Some(revision)),
            document.as_str().into(),
            Part::Octets(sealed.as_deref()),
        ];
        noun(table).check(&parts, checksum.as_deref(), resource, || id.to_owned())?;
    }
    let mut row = Row {
        resource,
        id: id.to_owned(),
        natural_key,
        parent,
        tenant_id: parse(resource, id, tenant_id)?,
        partner_id: parse(resource, id, partner_id)?,
        revision: unsigned(revision)?,
        document,
        sealed,
    };
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

/// What is written of a row.
pub(crate) const COLUMNS: &str = "id, natural_key, parent, tenant_id, partner_id, revision, document, sealed, checksum";

const LAST_USED: &str = "last_used_at";
