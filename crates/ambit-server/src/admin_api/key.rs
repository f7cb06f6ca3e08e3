//! Signing keys: seen without their private halves, rotated, revoked.

use ambit_core::reach::Reach;
use ambit_core::registry::key::{self, Haste, NewKey};
use ambit_core::registry::{Access, Forbidden, see};
use ambit_core::store::Filter;
use ambit_core::store::noun;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::key::{Key, KeyState, RotateKeys};
use ambit_protocol::jose::Algorithm;

use super::{Admin, Answered, At, Body, IfMatch, List, Plain, Shown, Stop};

pub async fn list(admin: Admin, list: List) -> Answered<Plain<Page<Key>>> {
    admin.list(&list, Filter::default()).await
}

pub async fn show(admin: Admin, At(id): At) -> Answered<Shown<Key>> {
    admin.show(see(admin.store(), &id, admin.reach()).await?)
}

pub async fn rotate(admin: Admin, Body(body): Body<RotateKeys>) -> Answered<Plain<Page<Key>>> {
    // Asked here already: for whoever sees no key there would be none to rotate, and nothing to refuse.
    require_platform(&admin)?;
    let algorithms = match body.algorithm {
        Some(algorithm) => vec![algorithm],
        None => in_use(&admin).await?,
    };
    let mut new = vec![];
    for algorithm in algorithms {
        new.push(make(&admin, algorithm).await?);
    }
    let haste = if body.force { Haste::AtOnce } else { Haste::CachesFirst };
    let times = admin.app().key_times();
    let change = admin.begin().await?;
    let mut items = vec![];
    for new in new {
        items.extend(key::rotate(&change.edit(), new, &times, haste).await?);
    }
    let total = Some(items.len() as u64);
    change.commit(Plain(Page { items, cursor: None, total })).await
}

pub async fn revoke(admin: Admin, At(id): At, _: IfMatch) -> Answered<Plain<Page<Key>>> {
    let seen: Key = see(admin.store(), &id, admin.reach()).await?;
    let new = make(&admin, seen.algorithm).await?;
    let change = admin.begin().await?;
    change.current::<Key>(&id).await?;
    let items = key::revoke(&change.edit(), &id, new).await?;
    let total = Some(items.len() as u64);
    change.commit(Plain(Page { items, cursor: None, total })).await
}

/// The algorithms that something signs with.
async fn in_use(admin: &Admin) -> Result<Vec<Algorithm>, Stop> {
    let keys: Vec<Key> = noun::list(admin.store(), &Filter::default(), admin.reach()).await?;
    let mut algorithms: Vec<Algorithm> =
        keys.iter().filter(|key| key.state == KeyState::Active).map(|key| key.algorithm).collect();
    algorithms.sort();
    algorithms.dedup();
    Ok(algorithms)
}

fn require_platform(admin: &Admin) -> Result<(), Forbidden> {
    match (admin.reach(), admin.power().access) {
        (Reach::Platform, Access::Write) => Ok(()),
        (Reach::Platform, Access::Read) => Err(Forbidden::ReadOnly),
        (Reach::Partner(_) | Reach::Tenant(..), _) => {
            Err(Forbidden::PlatformOnly { what: "rotate and revoke signing keys" })
        }
    }
}

/// Makes a key before the change is begun, on a thread of its own: an RSA key takes a while, and nobody else should wait.
async fn make(admin: &Admin, algorithm: Algorithm) -> Result<NewKey, Stop> {
    // Who may not rotate does not get to keep a thread busy either.
    require_platform(admin)?;
    let app = admin.app().clone();
    let made = tokio::task::spawn_blocking(move || NewKey::make(algorithm, app.clock.now(), &app.vault, &*app.entropy));
    made.await.map_err(|error| Stop::Internal(Box::new(error)))?.map_err(|error| Stop::Internal(Box::new(error)))
}
