//! Reading what is registered: finding, listing and counting rows within a reach.

use ambit_core::reach::Reach;
use ambit_core::store::{By, Filter, Row, StoreError};
use ambit_protocol::admin::audit::Resource;
use sqlx::AnyConnection;

use crate::error::{Result, is_undecodable, unsigned};
use crate::pool::Engine;
use crate::row::{columns, corrupt, decode, is_shared, table};
use crate::sql::{Columns, Sql};

pub(crate) async fn find(
    connection: &mut AnyConnection,
    resource: Resource,
    by: By<'_>,
    reach: Reach,
) -> Result<Option<Row>> {
    let Some(table) = table(resource) else { return Ok(None) };
    let mut sql = Sql::new(format!("SELECT {} FROM {table} WHERE ", columns(resource)));
    match by {
        By::Id(id) => sql.push("id = ").bind(id),
        By::NaturalKey(key) => sql.push("natural_key = ").bind(key),
    };
    reach_predicate(&mut sql, reach, is_shared(resource));
    match sql.optional(connection).await {
        Ok(found) => found.map(|row| decode(resource, &row)).transpose(),
        Err(error) if is_undecodable(&error) => {
            let (By::Id(name) | By::NaturalKey(name)) = by;
            Err(corrupt(resource, name, error))
        }
        Err(error) => Err(error),
    }
}

pub(crate) async fn list(
    connection: &mut AnyConnection,
    resource: Resource,
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<Row>> {
    list_apart(connection, resource, filter, reach).await?.into_iter().collect()
}

/// Each row, or why it cannot be read.
pub(crate) async fn list_apart(
    connection: &mut AnyConnection,
    resource: Resource,
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<Result<Row>>> {
    let Some(table) = table(resource) else { return Ok(Vec::new()) };
    match list_sql(columns(resource), table, resource, filter, reach).all(connection).await {
        Ok(rows) => Ok(rows.iter().map(|row| decode(resource, row)).collect()),
        Err(error) if is_undecodable(&error) => {
            let identifier = Engine::of(connection).octets("id");
            one_by_one(connection, resource, list_sql(&identifier, table, resource, filter, reach)).await
        }
        Err(error) => Err(error),
    }
}

/// Reads the rows of these identifiers each by itself, where one of them keeps the others from being read.
async fn one_by_one(connection: &mut AnyConnection, resource: Resource, identifiers: Sql) -> Result<Vec<Result<Row>>> {
    let mut rows = Vec::new();
    for row in identifiers.all(connection).await? {
        let read = match String::from_utf8(Columns::of(&row).octets()?) {
            Ok(id) => find(connection, resource, By::Id(&id), Reach::Platform).await.transpose(),
            Err(error) => {
                let id = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Some(Err(corrupt(resource, &id, error)))
            }
        };
        match read {
            Some(Err(error @ StoreError::Unavailable(_))) => return Err(error),
            read => rows.extend(read),
        }
    }
    Ok(rows)
}

fn list_sql(columns: &str, table: &str, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Sql {
    let mut sql = Sql::new(format!("SELECT {columns} FROM {table} WHERE 1 = 1"));
    filter_predicate(&mut sql, filter);
    reach_predicate(&mut sql, reach, is_shared(resource));
    if let Some(after) = filter.after {
        sql.push(" AND id > ").bind(after);
    }
    sql.push(" ORDER BY id");
    if let Some(limit) = filter.limit {
        sql.push(" LIMIT ").bind(limit);
    }
    sql
}

pub(crate) async fn count(
    connection: &mut AnyConnection,
    resource: Resource,
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<u64> {
    let Some(table) = table(resource) else { return Ok(0) };
    let mut sql = Sql::new(format!("SELECT COUNT(*) FROM {table} WHERE 1 = 1"));
    filter_predicate(&mut sql, filter);
    reach_predicate(&mut sql, reach, is_shared(resource));
    match sql.optional(connection).await? {
        Some(row) => unsigned(Columns::of(&row).number()?),
        None => Ok(0),
    }
}

fn filter_predicate(sql: &mut Sql, filter: &Filter<'_>) {
    if let Some(parent) = filter.parent {
        sql.push(" AND parent = ").bind(parent);
    }
    if let Some(tenant) = filter.tenant {
        sql.push(" AND tenant_id = ").bind(tenant.to_string());
    }
    if let Some(partner) = filter.partner {
        sql.push(" AND partner_id = ").bind(partner.to_string());
    }
    if let Some(part) = filter.contains.filter(|part| !part.is_empty()) {
        // Compared by octet on both engines, which LIKE is not; and nothing in it needs escaping.
        sql.push(" AND replace(natural_key, ").bind(part).push(", '') <> natural_key");
    }
    if let Some(part) = filter.mentions.filter(|part| !part.is_empty()) {
        // Looks at every document: for rare questions, such as who uses a scope that is to be deleted.
        sql.push(" AND replace(document, ").bind(part).push(", '') <> document");
    }
}

/// A row outside the reach does not exist. What is shared is seen from below as well.
pub(crate) fn reach_predicate(sql: &mut Sql, reach: Reach, shared: bool) {
    match (reach, shared) {
        (Reach::Platform, _) => {}
        (Reach::Partner(partner), false) => {
            sql.push(" AND partner_id = ").bind(partner.to_string());
        }
        (Reach::Partner(partner), true) => {
            sql.push(" AND (partner_id = ").bind(partner.to_string());
            sql.push(" OR (tenant_id IS NULL AND partner_id IS NULL))");
        }
        (Reach::Tenant(tenant, _), false) => {
            sql.push(" AND tenant_id = ").bind(tenant.to_string());
        }
        (Reach::Tenant(tenant, partner), true) => {
            sql.push(" AND (tenant_id = ").bind(tenant.to_string());
            sql.push(" OR (tenant_id IS NULL AND (partner_id IS NULL OR partner_id = ");
            sql.bind(partner.map(|partner| partner.to_string())).push(")))");
        }
    }
}

#[cfg(test)]
mod tests {
    use ambit_protocol::id::{Id as _, PartnerId, TenantId};
    use sqlx::Row as _;
    use uuid::Uuid;

    use super::*;
    use crate::{SqlStore, StoreConfig};

    /// However many rows there are, a page takes as long as the page is long: an index leads to its beginning and gives
    /// its order.
    #[tokio::test]
    async fn a_page_is_found_by_an_index_and_never_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&StoreConfig::data_dir(folder.path())).await.unwrap();
        store.migrate().await.unwrap();
        let (tenant, partner) = (TenantId::from_uuid(Uuid::nil()), PartnerId::from_uuid(Uuid::nil()));
        let page = Filter { after: Some("x"), limit: Some(50), ..Filter::default() };
        for resource in [Resource::Tenant, Resource::Unit, Resource::Scope, Resource::Application, Resource::Secret] {
            // What is shared is looked through: a catalogue has some thousand scopes at most.
            let owned = if is_shared(resource) { "" } else { "_by_" };
            for (filter, reach, index) in [
                (page, Reach::Platform, "autoindex"),
                (Filter { tenant: Some(tenant), ..page }, Reach::Platform, "_by_tenant"),
                (Filter { partner: Some(partner), ..page }, Reach::Platform, "_by_partner"),
                (page, Reach::Partner(partner), owned),
                (page, Reach::Tenant(tenant, Some(partner)), owned),
                (Filter { contains: Some("x"), ..page }, Reach::Platform, "autoindex"),
            ] {
                let sql = list_sql(columns(resource), table(resource).unwrap(), resource, &filter, reach).explained();
                let steps = store.read(async |connection| sql.all(connection).await).await.unwrap();
                let steps: Vec<String> = steps.iter().map(|row| row.get::<String, _>("detail")).collect();
                let plan = steps.join("; ");
                assert!(
                    steps[0].starts_with("SEARCH") && steps[0].contains(index),
                    "{resource} {filter:?} {reach:?}: {plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{resource} {filter:?} {reach:?}: {plan}");
            }
        }
    }
}
