//! The audit trail: who changed what, and when, newest first.

use ambit_core::store::ChangeQuery;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::audit::{Action, Change, Resource};
use ambit_protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Admin, Answered, Done, List, Plain, Stop};

/// Which changes are shown.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// By this actor: `client:<client_id>`, `system` or `bootstrap`.
    pub actor: Option<String>,
    /// Of this kind of thing.
    pub resource: Option<Resource>,
    /// Of the thing with this identifier.
    pub resource_id: Option<String>,
    /// Of this sort.
    pub action: Option<Action>,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

pub async fn list(admin: Admin, list: List<Filters>) -> Answered<Plain<Page<Change>>> {
    let before = match list.after(&admin)? {
        None => None,
        Some(position) => Some(place(&position).ok_or_else(|| Stop::invalid("?cursor", "is no cursor of this list"))?),
    };
    let Filters { actor, resource, resource_id, action, since, until } = &list.filters;
    let query = ChangeQuery {
        actor: actor.as_deref(),
        resource: *resource,
        resource_id: resource_id.as_deref(),
        natural_key: None,
        action: *action,
        since: *since,
        until: *until,
        before,
        limit: list.limit + 1,
    };
    let changes = admin.store().changes(&query, admin.reach()).await?;
    let page = list.page(&admin, changes, |change| format!("{}.{}", change.revision, change.position))?;
    Done::new(Plain(page))
}

fn place(position: &str) -> Option<(u64, u32)> {
    let (revision, position) = position.split_once('.')?;
    Some((revision.parse().ok()?, position.parse().ok()?))
}
