//! Grants: what people lent, and its end.

use ambit_core::store::sign_in::{AuthorizationGrant, Grants};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::{GrantId, SessionId, UserId};
use ambit_protocol::time::Timestamp;
use sqlx::AnyConnection;

use super::{add, read};
use crate::checksum::{GRANTS, Part};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::once;
use crate::pool::Engine;
use crate::sql::{Columns, Sql};

pub(super) async fn begin(connection: &mut AnyConnection, grant: &AuthorizationGrant) -> Result<Outcome> {
    let ids = Ids::of(grant);
    let checksum = GRANTS.checksum(ids.parts(grant));
    let sql = Sql::new(
        "INSERT INTO grants (id, application_id, client_id, user_id, session_id, created_at, expires_at, ended_at, \
         document, checksum) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .with(ids.grant)
    .with(ids.application)
    .with(grant.client_id.as_str())
    .with(ids.user)
    .with(ids.session)
    .with(grant.created_at)
    .with(grant.expires_at)
    .with(grant.ended_at)
    .with(grant.document.as_str())
    .with(checksum);
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, id: GrantId) -> Result<Option<AuthorizationGrant>> {
    let found =
        Sql::new(format!("SELECT {COLUMNS} FROM grants WHERE id = $1")).with(id.to_string()).optional(connection).await;
    read(found, "grant", grant)
}

pub(super) async fn of_user(connection: &mut AnyConnection, user: UserId) -> Result<Vec<AuthorizationGrant>> {
    let sql = format!("SELECT {COLUMNS} FROM grants WHERE user_id = $1 AND ended_at IS NULL");
    let rows = Sql::new(sql).with(user.to_string()).all(connection).await?;
    let mut grants = rows.iter().map(|row| grant(&mut Columns::of(row))).collect::<Result<Vec<_>>>()?;
    grants.sort_by_key(|grant| std::cmp::Reverse((grant.created_at, grant.id)));
    Ok(grants)
}

/// Which are ended, of those that go on.
pub(super) enum Ending<'a> {
    /// These, so many at most.
    Of(Grants, u32),
    /// Those that end with one of these sessions.
    With(&'a [SessionId]),
}

/// What has been ended.
pub(super) struct Ended {
    /// Which grant.
    id: String,
    /// Under which `client_id`.
    client_id: String,
}

/// Ends them. An ended one is kept until `until`: for as long as there may be an access token of it.
pub(super) async fn end(
    connection: &mut AnyConnection,
    engine: Engine,
    ending: &Ending<'_>,
    at: Timestamp,
    until: Timestamp,
) -> Result<Vec<Ended>> {
    let mut sql = Sql::new(
        "UPDATE grants SET ended_at = $1, expires_at = CASE WHEN expires_at < $2 THEN expires_at ELSE $2 END \
         WHERE ended_at IS NULL AND id IN (SELECT id FROM grants WHERE ended_at IS NULL AND ",
    )
    .with(at)
    .with(until);
    match ending {
        Ending::Of(which, limit) => {
            among(&mut sql, *which);
            sql.push(" ORDER BY id LIMIT ").bind(*limit);
        }
        Ending::With(sessions) => {
            sql.push("session_id IN (");
            for (place, session) in sessions.iter().enumerate() {
                sql.push(if place == 0 { "" } else { ", " }).bind(session.to_string());
            }
            sql.push(") ORDER BY id");
        }
    }
    sql.push(engine.for_update()).push(") RETURNING id, client_id");
    let sql = if let Ending::With([_, _, ..]) = ending { sql.once() } else { sql };
    let rows = sql.all(connection).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(Ended { id: columns.text()?, client_id: columns.text()? })
        })
        .collect()
}

fn among(sql: &mut Sql, which: Grants) {
    match which {
        Grants::One(id) => sql.push("id = ").bind(id.to_string()),
        Grants::OfUser(user) => sql.push("user_id = ").bind(user.to_string()),
        Grants::OfUserTo(user, application) => {
            sql.push("user_id = ").bind(user.to_string()).push(" AND application_id = ").bind(application.to_string())
        }
        Grants::To(application) => sql.push("application_id = ").bind(application.to_string()),
    };
}

/// Ends the access tokens that came of them as well.
pub(super) async fn revoke(
    connection: &mut AnyConnection,
    ended: &[Ended],
    at: Timestamp,
    until: Timestamp,
) -> Result<()> {
    let tokens: Vec<_> = ended.iter().map(|ended| (ended.id.as_str(), ended.client_id.as_str())).collect();
    once::revoke_all(connection, &tokens, at, until).await
}

/// Reads the columns of [`COLUMNS`]: the grant, if it is as it was written or has ended.
pub(super) fn grant(columns: &mut Columns<'_>) -> Result<AuthorizationGrant> {
    let grant = AuthorizationGrant {
        id: columns.id()?,
        application_id: columns.id()?,
        client_id: columns.text()?,
        user_id: columns.id()?,
        session_id: columns.optional_id()?,
        created_at: columns.timestamp()?,
        expires_at: columns.timestamp()?,
        ended_at: columns.optional_timestamp()?,
        document: columns.text()?,
    };
    let checksum = columns.optional_octets()?;
    if grant.ended_at.is_none() {
        let ids = Ids::of(&grant);
        GRANTS.check(&ids.parts(&grant), checksum.as_deref(), Resource::User, || format!("grant {}", grant.id))?;
    }
    Ok(grant)
}

/// A grant's identifiers as the table has them.
struct Ids {
    grant: String,
    application: String,
    user: String,
    session: Option<String>,
}

impl Ids {
    fn of(grant: &AuthorizationGrant) -> Self {
        Self {
            grant: grant.id.to_string(),
            application: grant.application_id.to_string(),
            user: grant.user_id.to_string(),
            session: grant.session_id.map(|id| id.to_string()),
        }
    }

    fn parts<'a>(&'a self, grant: &'a AuthorizationGrant) -> [Part<'a>; 8] {
        [
            self.grant.as_str().into(),
            self.application.as_str().into(),
            grant.client_id.as_str().into(),
            self.user.as_str().into(),
            self.session.as_deref().into(),
            grant.created_at.into(),
            grant.expires_at.into(),
            grant.document.as_str().into(),
        ]
    }
}

pub(super) const COLUMNS: &str = "grants.id, grants.application_id, grants.client_id, grants.user_id, grants.session_id, \
     grants.created_at, grants.expires_at, grants.ended_at, grants.document, grants.checksum";
