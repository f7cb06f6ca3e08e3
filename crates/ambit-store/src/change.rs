//! The change log.

use std::error::Error;

use ambit_core::reach::Reach;
use ambit_core::store::{ChangeContext, ChangeHead, ChangeQuery, HistorySubject, Row, StoreError};
use ambit_protocol::admin::audit::{Action, Change, Resource};
use ambit_protocol::time::Timestamp;
use serde_json::Value as Json;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::checksum::{CHANGES, Part};
use crate::error::{Result, is_undecodable, number, unavailable, unsigned};
use crate::reads::reach_predicate;
use crate::row::{corrupt, parse};
use crate::sql::{Columns, Sql, Value};

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
    let values: [Value; 14] = [
        number(entry.revision)?.into(),
        entry.position.into(),
        context.at.into(),
        context.actor.as_str().into(),
        action_text(entry.action).into(),
        subject.resource.as_str().into(),
        subject.id.as_str().into(),
        subject.natural_key.as_deref().into(),
        subject.parent.as_deref().into(),
        subject.tenant_id.map(|id| id.to_string()).into(),
        subject.partner_id.map(|id| id.to_string()).into(),
        context.trace_id.as_deref().into(),
        entry.before.into(),
        entry.after.into(),
    ];
    let checksum = CHANGES.checksum(values.iter().map(Part::from));
    Sql::new(format!(
        "INSERT INTO changes ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    ))
    .with_all(values)
    .with(checksum)
    .run(connection)
    .await
    .map(drop)
}

/// Whole revisions only: one that does not fit any more is left to the next call, unless it is the first.
///
/// An entry that is not as it was written may be about anything: it is told as a change of the registry as a whole, and whoever
/// caches anything forgets everything. Should its revision be one that nobody has made yet, it is not told at all, or its
/// readers would wait for that revision.
pub(crate) async fn after(connection: &mut AnyConnection, revision: u64, limit: u32) -> Result<Vec<ChangeHead>> {
    let Ok(seen) = i64::try_from(revision) else { return Ok(Vec::new()) };
    let limit = limit.max(1);
    let found = entries(connection, |columns| {
        Sql::new(format!(
            "SELECT {columns} FROM changes WHERE revision > $1 AND revision <= (SELECT revision FROM registry) \
             ORDER BY revision, position LIMIT $2"
        ))
        .with(seen)
        .with(i64::from(limit) + 1)
    })
    .await?;
    let mut heads = found.into_iter().map(head).collect::<Result<Vec<_>>>()?;
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
    let revision = number(revision)?;
    let found = entries(connection, |columns| {
        Sql::new(format!("SELECT {columns} FROM changes WHERE revision = $1 ORDER BY position")).with(revision)
    })
    .await?;
    found.into_iter().map(head).collect()
}

/// The audit trail. Unlike a shared thing itself, its history is for those alone whose reach covers its owner.
pub(crate) async fn query(
    connection: &mut AnyConnection,
    query: &ChangeQuery<'_>,
    reach: Reach,
) -> Result<Vec<Change>> {
    let found = entries(connection, |columns| query_sql(columns, query, reach)).await?;
    found.into_iter().map(change).collect()
}

fn query_sql(columns: &str, query: &ChangeQuery<'_>, reach: Reach) -> Sql {
    let mut sql = Sql::new(format!("SELECT {columns} FROM changes WHERE 1 = 1"));
    if let Some(actor) = query.actor {
        sql.push(" AND actor = ").bind(actor);
    }
    if let Some(resource) = query.resource {
        sql.push(" AND resource = ").bind(resource.as_str());
    }
    if let Some(id) = query.resource_id {
        sql.push(" AND resource_id = ").bind(id);
    }
    if let Some(name) = query.natural_key {
        sql.push(" AND natural_key = ").bind(name);
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
    sql
}

pub(crate) async fn first_after(
    connection: &mut AnyConnection,
    revision: u64,
    subject: &HistorySubject<'_>,
) -> Result<Vec<Change>> {
    let Ok(seen) = i64::try_from(revision) else { return Ok(Vec::new()) };
    let found = entries(connection, |columns| first_after_sql(columns, seen, subject)).await?;
    found.into_iter().map(change).collect()
}

fn first_after_sql(columns: &str, seen: i64, subject: &HistorySubject<'_>) -> Sql {
    let mut sql = Sql::new(format!("SELECT {columns} FROM changes AS c WHERE c.revision > "));
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
    sql
}

/// An entry as the log holds it.
struct Logged {
    at: Timestamp,
    actor: String,
    action: String,
    resource: String,
    resource_id: String,
    natural_key: Option<String>,
    parent: Option<String>,
    tenant_id: Option<String>,
    partner_id: Option<String>,
    trace_id: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

/// An entry's place in the log and, if it is as it was written, the entry.
struct Found {
    revision: i64,
    position: i64,
    entry: Result<Logged>,
}

async fn entries(connection: &mut AnyConnection, select: impl Fn(&str) -> Sql) -> Result<Vec<Found>> {
    match select(COLUMNS).all(connection).await {
        Ok(rows) => rows.iter().map(found).collect(),
        Err(error) if is_undecodable(&error) => one_by_one(connection, select("revision, position")).await,
        Err(error) => Err(error),
    }
}

/// Reads the entries of these places each by itself, where one of them keeps the others from being read.
async fn one_by_one(connection: &mut AnyConnection, places: Sql) -> Result<Vec<Found>> {
    let mut entries = Vec::new();
    for row in places.all(connection).await? {
        let mut columns = Columns::of(&row);
        let (revision, position) = (columns.number()?, columns.number()?);
        let sql = format!("SELECT {COLUMNS} FROM changes WHERE revision = $1 AND position = $2");
        match Sql::new(sql).with(revision).with(position).optional(connection).await {
            Ok(row) => entries.extend(row.map(|row| found(&row)).transpose()?),
            Err(error) if is_undecodable(&error) => {
                entries.push(Found { revision, position, entry: Err(damaged(revision, position, error)) });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

fn found(row: &AnyRow) -> Result<Found> {
    let mut columns = Columns::of(row);
    let (revision, position) = (columns.number()?, columns.number()?);
    let entry = logged(revision, position, columns).map_err(|error| match error {
        StoreError::Unavailable(source) => damaged(revision, position, source),
        error => error,
    });
    Ok(Found { revision, position, entry })
}

fn logged(revision: i64, position: i64, mut columns: Columns<'_>) -> Result<Logged> {
    let logged = Logged {
        at: columns.timestamp()?,
        actor: columns.text()?,
        action: columns.text()?,
        resource: columns.text()?,
        resource_id: columns.text()?,
        natural_key: columns.optional_text()?,
        parent: columns.optional_text()?,
        tenant_id: columns.optional_text()?,
        partner_id: columns.optional_text()?,
        trace_id: columns.optional_text()?,
        before: columns.optional_text()?,
        after: columns.optional_text()?,
    };
    let parts = [
        Part::Number(Some(revision)),
        Part::Number(Some(position)),
        logged.at.into(),
        logged.actor.as_str().into(),
        logged.action.as_str().into(),
        logged.resource.as_str().into(),
        logged.resource_id.as_str().into(),
        logged.natural_key.as_deref().into(),
        logged.parent.as_deref().into(),
        logged.tenant_id.as_deref().into(),
        logged.partner_id.as_deref().into(),
        logged.trace_id.as_deref().into(),
        logged.before.as_deref().into(),
        logged.after.as_deref().into(),
    ];
    let checksum = columns.optional_octets()?;
    CHANGES.check(&parts, checksum.as_deref(), Resource::Registry, || name(revision, position))?;
    Ok(logged)
}

/// How an entry of the change log is named where it cannot be read.
fn name(revision: i64, position: i64) -> String {
    format!("change {revision}/{position}")
}

fn damaged(revision: i64, position: i64, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    corrupt(Resource::Registry, &name(revision, position), source)
}

fn head(found: Found) -> Result<ChangeHead> {
    let revision = unsigned(found.revision)?;
    let (position, entry) = (found.position, found.entry);
    let read = || {
        let logged = entry?;
        let action = action(&logged.action)?;
        let resource = resource(&logged.resource)?;
        let tenant_id = parse(resource, &logged.resource_id, logged.tenant_id)?;
        let Logged { resource_id, natural_key, parent, .. } = logged;
        Ok(ChangeHead { revision, action, resource, resource_id, natural_key, parent, tenant_id })
    };
    read().or_else(|error: StoreError| {
        tracing::error!(revision, position, %error, "an entry of the change log cannot be read: everything is read again");
        Ok(ChangeHead {
            revision,
            action: Action::Update,
            resource: Resource::Registry,
            resource_id: Resource::Registry.as_str().to_owned(),
            natural_key: None,
            parent: None,
            tenant_id: None,
        })
    })
}

fn change(found: Found) -> Result<Change> {
    let logged = found.entry?;
    let resource = resource(&logged.resource)?;
    let id = &logged.resource_id;
    Ok(Change {
        revision: unsigned(found.revision)?,
        position: unsigned(found.position)?,
        at: logged.at,
        action: action(&logged.action)?,
        resource,
        tenant_id: parse(resource, id, logged.tenant_id)?,
        partner_id: parse(resource, id, logged.partner_id)?,
        before: json(resource, id, logged.before)?,
        after: json(resource, id, logged.after)?,
        actor: logged.actor,
        resource_id: logged.resource_id,
        trace_id: logged.trace_id,
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

const COLUMNS: &str = "revision, position, at, actor, action, resource, resource_id, natural_key, parent, tenant_id, \
    partner_id, trace_id, before, after, checksum";
