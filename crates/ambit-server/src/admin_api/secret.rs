//! An application's secrets.

use ambit_core::registry::secret;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::secret::{CreateSecret, CreatedSecret, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::Query;
use super::{Admin, Answered, At, Body, Created, Gone, Plain};

/// How far a deletion may go.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Deletion {
    /// `true` also deletes the last live secret: the application cannot authenticate then.
    pub last: Option<Last>,
}

/// Said outright, or not at all.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Last {
    /// Even the last one.
    True,
    /// Not the last one.
    False,
}

pub async fn list(admin: Admin, At(application): At) -> Answered<Plain<Page<Secret>>> {
    admin.whole_list(secret::list(admin.store(), &application, admin.reach()).await?)
}

pub async fn create(
    admin: Admin,
    At(application): At,
    Body(body): Body<CreateSecret>,
) -> Answered<Created<CreatedSecret>> {
    let change = admin.begin().await?;
    let created = secret::create(&change.edit(), &application, body).await?;
    change.commit(Created(created)).await
}

pub async fn delete(
    admin: Admin,
    At((application, id)): At<(String, String)>,
    Query(deletion): Query<Deletion>,
) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Secret>(&id).await?;
    secret::delete(&change.edit(), &application, &id, matches!(deletion.last, Some(Last::True))).await?;
    change.commit(Gone).await
}
