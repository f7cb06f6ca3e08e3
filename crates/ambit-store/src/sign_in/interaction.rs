//! Requests that wait for their person.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::Interaction;
use sqlx::AnyConnection;

use super::add;
use crate::error::{Result, unsigned};
use crate::grouped::Outcome;
use crate::sql::{Columns, Sql};

pub(super) async fn begin(connection: &mut AnyConnection, interaction: &Interaction) -> Result<Outcome> {
    let sql = Sql::new(
        "INSERT INTO interactions (id, browser, version, expires_at, document) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .with(&interaction.id)
    .with(&interaction.browser)
    .with(interaction.version)
    .with(interaction.expires_at)
    .with(interaction.document.as_str());
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, id: &SecretHash) -> Result<Option<Interaction>> {
    let found = Sql::new("SELECT browser, version, expires_at, document FROM interactions WHERE id = $1")
        .with(id)
        .optional(connection)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(Interaction {
        id: *id,
        browser: columns.hash()?,
        version: unsigned(columns.number()?)?,
        expires_at: columns.timestamp()?,
        document: columns.text()?,
    }))
}

pub(super) async fn advance(connection: &mut AnyConnection, interaction: &Interaction) -> Result<Outcome> {
    let advanced = Sql::new(
        "UPDATE interactions SET version = version + 1, browser = $3, expires_at = $4, document = $5 \
         WHERE id = $1 AND version = $2",
    )
    .with(&interaction.id)
    .with(interaction.version)
    .with(&interaction.browser)
    .with(interaction.expires_at)
    .with(interaction.document.as_str())
    .run(connection)
    .await?;
    Ok(Outcome::of_rows(advanced))
}

pub(super) async fn end(connection: &mut AnyConnection, id: &SecretHash, version: u32) -> Result<Outcome> {
    let ended = Sql::new("DELETE FROM interactions WHERE id = $1 AND version = $2")
        .with(id)
        .with(version)
        .run(connection)
        .await?;
    Ok(Outcome::of_rows(ended))
}
