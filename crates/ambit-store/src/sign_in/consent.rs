//! Consents.

use ambit_core::store::sign_in::Consent;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::{ApplicationId, UserId};
use sqlx::AnyConnection;

use super::read;
use crate::checksum::{CONSENTS, Part};
use crate::error::Result;
use crate::grouped::Outcome;
use crate::sql::{Columns, Sql};

pub(super) async fn find(
    connection: &mut AnyConnection,
    user: UserId,
    application: ApplicationId,
) -> Result<Option<Consent>> {
    let found = Sql::new(format!("SELECT {COLUMNS} FROM consents WHERE user_id = $1 AND application_id = $2"))
        .with(user.to_string())
        .with(application.to_string())
        .optional(connection)
        .await;
    read(found, "consent", consent)
}

/// Where another transaction is keeping or withdrawing the same, it waits for that one's outcome.
pub(super) async fn keep(
    connection: &mut AnyConnection,
    consent: &Consent,
    before: Option<&Consent>,
) -> Result<Outcome> {
    let (user, application) = (consent.user_id.to_string(), consent.application_id.to_string());
    let checksum = CONSENTS.checksum(parts(consent, &user, &application));
    let mut sql = Sql::new(match before {
        Some(_) => {
            "UPDATE consents SET updated_at = $3, document = $4, checksum = $5 WHERE user_id = $1 AND application_id = $2"
        }
        None => {
            "INSERT INTO consents (user_id, application_id, updated_at, document, checksum) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING"
        }
    })
    .with(user)
    .with(application)
    .with(consent.updated_at)
    .with(consent.document.as_str())
    .with(checksum);
    if let Some(before) = before {
        push_is(&mut sql, before);
    }
    sql.run(connection).await.map(Outcome::of_rows)
}

/// The condition that a row is a consent as it was read.
pub(super) fn push_is(sql: &mut Sql, consent: &Consent) {
    sql.push(" AND updated_at = ").bind(consent.updated_at);
    sql.push(" AND document = ").bind(consent.document.as_str());
}

pub(super) async fn of_user(connection: &mut AnyConnection, user: UserId) -> Result<Vec<Consent>> {
    Sql::new(format!("SELECT {COLUMNS} FROM consents WHERE user_id = $1 ORDER BY application_id"))
        .with(user.to_string())
        .all(connection)
        .await?
        .iter()
        .map(|row| consent(&mut Columns::of(row)))
        .collect()
}

pub(super) async fn withdraw(connection: &mut AnyConnection, user: UserId, application: ApplicationId) -> Result<bool> {
    let withdrawn = Sql::new("DELETE FROM consents WHERE user_id = $1 AND application_id = $2")
        .with(user.to_string())
        .with(application.to_string())
        .run(connection)
        .await?;
    Ok(withdrawn > 0)
}

fn consent(columns: &mut Columns<'_>) -> Result<Consent> {
    let consent = Consent {
        user_id: columns.id()?,
        application_id: columns.id()?,
        updated_at: columns.timestamp()?,
        document: columns.text()?,
    };
    let checksum = columns.optional_octets()?;
    let (user, application) = (consent.user_id.to_string(), consent.application_id.to_string());
    let name = || format!("consent of {user} for {application}");
    CONSENTS.check(&parts(&consent, &user, &application), checksum.as_deref(), Resource::User, name)?;
    Ok(consent)
}

fn parts<'a>(consent: &'a Consent, user: &'a str, application: &'a str) -> [Part<'a>; 4] {
    [user.into(), application.into(), consent.updated_at.into(), consent.document.as_str().into()]
}

const COLUMNS: &str = "user_id, application_id, updated_at, document, checksum";
