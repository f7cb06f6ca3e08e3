//! Consents.

use ambit_core::store::sign_in::Consent;
use ambit_protocol::id::{ApplicationId, UserId};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

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
        .await?;
    found.map(|row| consent(&row)).transpose()
}

pub(super) async fn keep(connection: &mut AnyConnection, consent: &Consent) -> Result<Outcome> {
    Sql::new(
        "INSERT INTO consents (user_id, application_id, updated_at, document) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, application_id) DO UPDATE SET \
         updated_at = excluded.updated_at, document = excluded.document",
    )
    .with(consent.user_id.to_string())
    .with(consent.application_id.to_string())
    .with(consent.updated_at)
    .with(consent.document.as_str())
    .run(connection)
    .await
    .map(Outcome::of_rows)
}

pub(super) async fn of_user(connection: &mut AnyConnection, user: UserId) -> Result<Vec<Consent>> {
    Sql::new(format!("SELECT {COLUMNS} FROM consents WHERE user_id = $1 ORDER BY application_id"))
        .with(user.to_string())
        .all(connection)
        .await?
        .iter()
        .map(consent)
        .collect()
}

pub(super) async fn withdraw(
    connection: &mut AnyConnection,
    user: UserId,
    application: ApplicationId,
) -> Result<Outcome> {
    let withdrawn = Sql::new("DELETE FROM consents WHERE user_id = $1 AND application_id = $2")
        .with(user.to_string())
        .with(application.to_string())
        .run(connection)
        .await?;
    Ok(Outcome::of_rows(withdrawn))
}

fn consent(row: &AnyRow) -> Result<Consent> {
    let mut columns = Columns::of(row);
    Ok(Consent {
        user_id: columns.id()?,
        application_id: columns.id()?,
        updated_at: columns.timestamp()?,
        document: columns.text()?,
    })
}

const COLUMNS: &str = "user_id, application_id, updated_at, document";
