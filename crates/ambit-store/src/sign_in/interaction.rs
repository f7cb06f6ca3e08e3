//! Requests that wait for their person.

use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::Interaction;
use ambit_protocol::admin::audit::Resource;
use sqlx::AnyConnection;

use super::{add, read};
use crate::checksum::{INTERACTIONS, Part};
use crate::error::{Result, unsigned};
use crate::grouped::Outcome;
use crate::sql::Sql;

pub(super) async fn begin(connection: &mut AnyConnection, interaction: &Interaction) -> Result<Outcome> {
    let checksum = INTERACTIONS.checksum(parts(interaction, interaction.version));
    let sql = Sql::new(
        "INSERT INTO interactions (id, browser, version, expires_at, document, checksum) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .with(&interaction.id)
    .with(&interaction.browser)
    .with(interaction.version)
    .with(interaction.expires_at)
    .with(interaction.document.as_str())
    .with(checksum);
    add(connection, sql).await
}

pub(super) async fn find(connection: &mut AnyConnection, id: &SecretHash) -> Result<Option<Interaction>> {
    let found = Sql::new("SELECT browser, version, expires_at, document, checksum FROM interactions WHERE id = $1")
        .with(id)
        .optional(connection)
        .await;
    read(found, WHAT, |columns| {
        let interaction = Interaction {
            id: *id,
            browser: columns.hash()?,
            version: unsigned(columns.number()?)?,
            expires_at: columns.timestamp()?,
            document: columns.text()?,
        };
        let (parts, checksum) = (parts(&interaction, interaction.version), columns.optional_octets()?);
        INTERACTIONS.check(&parts, checksum.as_deref(), Resource::User, || WHAT.to_owned())?;
        Ok(interaction)
    })
}

fn parts(interaction: &Interaction, version: u32) -> [Part<'_>; 5] {
    [
        (&interaction.id).into(),
        (&interaction.browser).into(),
        Part::Number(Some(version.into())),
        interaction.expires_at.into(),
        interaction.document.as_str().into(),
    ]
}

pub(super) async fn advance(connection: &mut AnyConnection, interaction: &Interaction) -> Result<Outcome> {
    let checksum = INTERACTIONS.checksum(parts(interaction, interaction.version.saturating_add(1)));
    let advanced = Sql::new(
        "UPDATE interactions SET version = version + 1, browser = $3, expires_at = $4, document = $5, checksum = $6 \
         WHERE id = $1 AND version = $2",
    )
    .with(&interaction.id)
    .with(interaction.version)
    .with(&interaction.browser)
    .with(interaction.expires_at)
    .with(interaction.document.as_str())
    .with(checksum)
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

const WHAT: &str = "interaction";
