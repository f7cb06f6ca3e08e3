//! Looks after the signing keys: publishes those that are missing, rotates those that are old enough, takes away those whose
//! last tokens have expired.

use ambit_core::reach::Reach;
use ambit_core::registry::key::{self, Due, Haste, NewKey};
use ambit_core::registry::{Edit, Power};
use ambit_core::store::{ChangeContext, Filter, Reads, StoreError, noun};
use ambit_protocol::admin::key::{Key, KeyState};
use ambit_protocol::jose::Algorithm;
use ambit_protocol::time::Timestamp;

use super::JobError;
use crate::state::App;

/// Does what is due. Several nodes may do this at once: who comes second finds it done, looking again within the transaction.
pub(super) async fn look_after(app: &App, now: Timestamp) -> Result<(), JobError> {
    let due = |keys: &[Key]| key::due(keys, &in_use(app), &app.key_times(), now);
    let expected = due(&all(&*app.store).await?);
    if expected.is_empty() {
        return Ok(());
    }
    let mut wanted = vec![];
    for due in &expected {
        match due {
            // Both may be missing; one that is not needed is dropped.
            Due::Publish(algorithm) => wanted.extend([*algorithm; 2]),
            Due::Rotate(algorithm) => wanted.push(*algorithm),
            Due::Remove => {}
        }
    }
    let mut made = make(app, wanted).await?;
    let power = Power::system("system");
    let settings = app.settings();
    let context = ChangeContext { actor: "system".to_owned(), at: now, trace_id: None };
    let transaction = app.store.begin(context).await?;
    let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy: &*app.entropy };
    for due in due(&all(&*transaction).await?) {
        let mut take = |algorithm| made.iter().position(|new| new.algorithm() == algorithm).map(|at| made.remove(at));
        match due {
            Due::Publish(algorithm) => {
                while let Some(new) = take(algorithm) {
                    key::publish(&edit, new).await?;
                }
            }
            Due::Rotate(algorithm) => {
                if let Some(new) = take(algorithm) {
                    key::rotate(&edit, new, &app.key_times(), Haste::CachesFirst).await?;
                }
            }
            Due::Remove => drop(key::remove_retired(&edit).await?),
        }
    }
    transaction.commit().await?;
    app.registry.catch_up().await?;
    Ok(())
}

/// Makes sure that there are keys of an algorithm before something is registered that signs with it.
pub(crate) async fn ensure_algorithm(app: &App, algorithm: Algorithm) -> Result<(), JobError> {
    let there = all(&*app.store).await?;
    let has = |state| there.iter().any(|key| key.algorithm == algorithm && key.state == state);
    let missing = [KeyState::Active, KeyState::Next].into_iter().filter(|state| !has(*state)).count();
    if missing == 0 {
        return Ok(());
    }
    let made = make(app, vec![algorithm; missing]).await?;
    let power = Power::system("system");
    let settings = app.settings();
    let context = ChangeContext { actor: "system".to_owned(), at: app.clock.now(), trace_id: None };
    let transaction = app.store.begin(context).await?;
    let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy: &*app.entropy };
    for new in made {
        key::publish(&edit, new).await?;
    }
    transaction.commit().await?;
    app.registry.catch_up().await?;
    Ok(())
}

async fn all(reads: &(impl Reads + ?Sized)) -> Result<Vec<Key>, StoreError> {
    noun::list(reads, &Filter::default(), Reach::Platform).await
}

/// The algorithms that something is to be signed with.
fn in_use(app: &App) -> Vec<Algorithm> {
    let snapshot = app.registry.snapshot();
    let of_apis = snapshot.catalogue.apis().iter().filter_map(|api| api.signing_algorithm);
    of_apis.chain([app.default_algorithm]).collect()
}

/// Makes keys on a thread of its own: an RSA key takes a while, and nobody else should wait.
async fn make(app: &App, algorithms: Vec<Algorithm>) -> Result<Vec<NewKey>, JobError> {
    let app = app.clone();
    let make = move || {
        let make = |algorithm| NewKey::make(algorithm, app.clock.now(), &app.vault, &*app.entropy);
        algorithms.into_iter().map(make).collect::<Result<Vec<_>, _>>()
    };
    Ok(tokio::task::spawn_blocking(make).await??)
}
