//! The change log.

use ambit_core::reach::Reach;
use ambit_core::store::{ChangeContext, ChangeHead, ChangeQuery, HistorySubject, Row};
use ambit_protocol::admin::audit::{Action, Change, Resource};
use serde_json::Value as Json;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::error::{Result, number, unavailable, unsigned};
use crate::reads::reach_predicate;
use crate::row::{corrupt, parse};
use crate::sql::{Columns, Sql};

/// A change about to be appended.
pub(crate) struct Entry<'a> {
    pub(crate) revision: u64,
    pub(crate) position: u32,
    pub(crate) context: &'a ChangeContext,
    pub(crate) action: Action,
    /// What it was done to, as it is or, if it is gone, as it was.
    pub(crate) subject: &'a Row,
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

pub(crate) async fn append(connection: &mut AnyConnection, entry: &Entry<'_>) -> Result<()> {
    let Entry { context, subject, .. } = entry;
    Sql::new(
        "INSERT INTO changes (revision, position, at, actor, action, resource, resource_id, natural_key, parent, \
         tenant_id, partner_id, trace_id, before, after) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .with(number(entry.revision)?)
    .with(entry.position)
    .with(context.at)
    .with(context.actor.as_str())
    .with(action_text(entry.action))
    .with(subject.resource.as_str())
    .with(subject.id.as_str())
    .with(subject.natural_key.as_deref())
    .with(subject.parent.as_deref())
    .with(subject.tenant_id.map(|id| id.to_string()))
    .with(subject.partner_id.map(|id| id.to_string()))
    .with(context.trace_id.as_deref())
    .with(entry.before)
    .with(entry.after)
    .run(connection)
    .await
    .map(drop)
}

/// Whole revisions only: one that does not fit any more is left to the next call, unless it is the first.
pub(crate) async fn after(connection: &mut AnyConnection, revision: u64, limit: u32) -> Result<Vec<ChangeHead>> {
    let Ok(seen) = i64::try_from(revision) else { return Ok(Vec::new()) };
    let limit = limit.max(1);
    let rows = Sql::new(format!("SELECT {HEAD} FROM changes WHERE revision > $1 ORDER BY revision, position LIMIT $2"))
        .with(seen)
        .with(i64::from(limit) + 1)
        .all(connection)
        .await?;
    let mut heads = rows.iter().map(head).collect::<Result<Vec<_>>>()?;
    let fits = usize::try_from(limit).unwrap_or(usize::MAX);
    if let Some(cut) = heads.get(fits).map(|head| head.revision) {
        heads.retain(|head| head.revision < cut);
        if heads.is_empty() {
            return whole(connection, cut).await;
        }
    }
    Ok(heads)
}

async fn whole(connection: &mut AnyConnection, revision: u64) -> Result<Vec<ChangeHead>> {
    Sql::new(format!("SELECT {HEAD} FROM changes WHERE revision = $1 ORDER BY position"))
        .with(number(revision)?)
        .all(connection)
        .await?
        .iter()
        .map(head)
        .collect()
}

/// The audit trail. Unlike a shared thing itself, its history is for those alone whose reach covers its owner.
pub(crate) async fn query(
    connection: &mut AnyConnection,
    query: &ChangeQuery<'_>,
    reach: Reach,
) -> Result<Vec<Change>> {
    let mut sql = Sql::new(format!("SELECT {CHANGE} FROM changes WHERE 1 = 1"));
    if let Some(actor) = query.actor {
        sql.push(" AND actor = ").bind(actor);
    }
    if let Some(resource) = query.resource {
        sql.push(" AND resource = ").bind(resource.as_str());
    }
    if let Some(id) = query.resource_id {
        sql.push(" AND resource_id = ").bind(id);
    }
    if let Some(action) = query.action {
        sql.push(" AND action = ").bind(action_text(action));
    }
    if let Some(since) = query.since {
        sql.push(" AND at >= ").bind(since);
    }
    if let Some(until) = query.until {
        sql.push(" AND at < ").bind(until);
    }
    if let Some((revision, position)) = query.before {
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        sql.push(" AND (revision, position) < (").bind(revision).push(", ").bind(position).push(")");
    }
    reach_predicate(&mut sql, reach, false);
    sql.push(" ORDER BY revision DESC, position DESC LIMIT ").bind(query.limit);
    sql.all(connection).await?.iter().map(change).collect()
}

pub(crate) async fn first_after(
    connection: &mut AnyConnection,
    revision: u64,
    subject: &HistorySubject<'_>,
) -> Result<Vec<Change>> {
    let Ok(seen) = i64::try_from(revision) else { return Ok(Vec::new()) };
    let mut sql = Sql::new(format!("SELECT {CHANGE} FROM changes AS c WHERE c.revision > "));
    sql.bind(seen).push(" AND c.resource = ");
    match subject {
        HistorySubject::All(resource) => sql.bind(resource.as_str()),
        HistorySubject::One(resource, id) => sql.bind(resource.as_str()).push(" AND c.resource_id = ").bind(*id),
        HistorySubject::OfTenant(resource, tenant) => {
            sql.bind(resource.as_str()).push(" AND c.tenant_id = ").bind(tenant.to_string())
        }
    };
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM changes AS e WHERE e.resource = c.resource \
         AND e.resource_id = c.resource_id AND e.revision > ",
    )
    .bind(seen)
    .push(" AND (e.revision, e.position) < (c.revision, c.position)) ORDER BY c.revision, c.position");
    sql.all(connection).await?.iter().map(change).collect()
}

fn head(row: &AnyRow) -> Result<ChangeHead> {
    let mut columns = Columns::of(row);
    let revision = unsigned(columns.number()?)?;
    let action = action(&columns.text()?)?;
    let resource = resource(&columns.text()?)?;
    let resource_id = columns.text()?;
    let natural_key = columns.optional_text()?;
    let parent = columns.optional_text()?;
    let tenant_id = parse(resource, &resource_id, columns.optional_text()?)?;
    Ok(ChangeHead { revision, action, resource, resource_id, natural_key, parent, tenant_id })
}

fn change(row: &AnyRow) -> Result<Change> {
    let mut columns = Columns::of(row);
    let revision = unsigned(columns.number()?)?;
    let position = unsigned(columns.number()?)?;
    let at = columns.timestamp()?;
    let actor = columns.text()?;
    let action = action(&columns.text()?)?;
    let resource = resource(&columns.text()?)?;
    let resource_id = columns.text()?;
    let tenant_id = parse(resource, &resource_id, columns.optional_text()?)?;
    let partner_id = parse(resource, &resource_id, columns.optional_text()?)?;
    let trace_id = columns.optional_text()?;
    let before = json(resource, &resource_id, columns.optional_text()?)?;
    let after = json(resource, &resource_id, columns.optional_text()?)?;
    Ok(Change {
        revision,
        position,
        at,
        actor,
        action,
        resource,
        resource_id,
        tenant_id,
        partner_id,
        trace_id,
        before,
        after,
    })
}

fn json(resource: Resource, id: &str, text: Option<String>) -> Result<Option<Json>> {
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| corrupt(resource, id, error))
}

fn resource(text: &str) -> Result<Resource> {
    text.parse().map_err(|error: String| unavailable(error))
}

fn action(text: &str) -> Result<Action> {
    match text {
        "create" => Ok(Action::Create),
        "update" => Ok(Action::Update),
        "delete" => Ok(Action::Delete),
        _ => Err(unavailable(format!("no action is called {text:?}"))),
    }
}

const fn action_text(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    }
}

const HEAD: &str = "revision, action, resource, resource_id, natural_key, parent, tenant_id";
const CHANGE: &str = "revision, position, at, actor, action, resource, resource_id, tenant_id, partner_id, trace_id, \
    before, after";
