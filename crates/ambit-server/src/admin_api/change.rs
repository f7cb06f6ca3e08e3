//! A change that a request makes: begun once, checked against `If-Match`, committed together with the answer that an
//! `Idempotency-Key` will get again.

use std::sync::atomic::{AtomicBool, Ordering};

use ambit_core::idempotency::{KeyError, KeyedRequest};
use ambit_core::registry::{Edit, RegistryError, see};
use ambit_core::store::noun::Noun;
use ambit_core::store::{ChangeContext, Transaction};
use ambit_protocol::admin::application::Application;

use super::answer::{Answer, Done, Stop, etag};
use super::call::Admin;

/// An open change.
pub struct Change {
    admin: Admin,
    tx: Box<dyn Transaction>,
    keyed: Option<KeyedRequest>,
    if_match_was_checked: AtomicBool,
}

impl Admin {
    /// Opens a change, after the one before it.
    ///
    /// # Errors
    /// [`Stop::Replay`] where this very request was answered before; a malformed or reused key; those of the store.
    pub async fn begin(&self) -> Result<Change, Stop> {
        self.begin_with(self.keyed()?).await
    }

    /// The same, without keeping anything for an `Idempotency-Key`: what is kept has a hash of the body, and a password that people
    /// choose could be guessed from it. Making the change twice is the same as making it once.
    ///
    /// # Errors
    /// A malformed key; those of the store.
    pub async fn begin_unrepeated(&self) -> Result<Change, Stop> {
        self.keyed()?;
        self.begin_with(None).await
    }

    async fn begin_with(&self, keyed: Option<KeyedRequest>) -> Result<Change, Stop> {
        let app = self.app();
        let context = ChangeContext {
            actor: self.actor().to_owned(),
            at: app.clock.now(),
            trace_id: Some(self.call().trace_id.to_string()),
        };
        let tx = app.store.begin(context).await?;
        if let Some(keyed) = &keyed {
            // Looked for inside the transaction: of two that are sent at once, the second one sees the first one's answer.
            if let Some(saved) = tx.find_answer(&keyed.actor, &keyed.key).await? {
                // Gone for good is only what has expired by the settled moment.
                let now = app.settled.moment(&*app.clock).min(tx.context().at);
                match keyed.open(&saved, now, &app.vault) {
                    Ok(None) => {}
                    Ok(Some(Ok(answer))) => return Err(Stop::Replay(answer)),
                    Ok(Some(Err(error))) => return Err(Stop::Internal(Box::new(error))),
                    Err(error) => return Err(Stop::invalid(KEY, error.to_string())),
                }
            }
        }
        Ok(Change { admin: self.clone(), tx, keyed, if_match_was_checked: AtomicBool::new(false) })
    }

    fn keyed(&self) -> Result<Option<KeyedRequest>, Stop> {
        let call = self.call();
        let mut keys = call.headers.get_all(KEY).iter();
        let (Some(key), more) = (keys.next(), keys.next()) else { return Ok(None) };
        if more.is_some() {
            return Err(Stop::invalid(KEY, "is there twice"));
        }
        let parts: [&[u8]; 5] = [
            call.reach_text.as_bytes(),
            call.method.as_str().as_bytes(),
            call.path.as_bytes(),
            call.query.as_bytes(),
            &call.body,
        ];
        match KeyedRequest::new(self.actor(), key.as_bytes(), &parts) {
            Ok(keyed) => Ok(Some(keyed)),
            Err(error @ (KeyError::Malformed | KeyError::OtherRequest)) => Err(Stop::invalid(KEY, error.to_string())),
        }
    }
}

impl Change {
    /// What the functions of the registry take.
    pub fn edit(&self) -> Edit<'_> {
        let call = self.admin.call();
        Edit { tx: &*self.tx, power: &call.power, settings: &call.settings, entropy: &*call.app.entropy }
    }

    /// The thing as it is now, if it is within reach and `If-Match` allows changing it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`]; [`RegistryError::Precondition`].
    pub async fn current<N: Noun>(&self, id: &str) -> Result<N, Stop> {
        let thing: N = see(&*self.tx, id, self.admin.reach()).await?;
        self.check_if_match(thing.revision())?;
        Ok(thing)
    }

    /// The same for an application, which is also known by its `client_id`.
    ///
    /// # Errors
    /// As for [`Change::current`].
    pub async fn current_application(&self, id: &str) -> Result<Application, Stop> {
        let application = ambit_core::registry::application::find(&*self.tx, id, self.admin.reach()).await?;
        self.check_if_match(application.revision)?;
        Ok(application)
    }

    /// Makes it durable, together with the answer if it has a key, and lets this node see it.
    ///
    /// # Errors
    /// Those of the store: it is then not known whether the change was made, unless there was a key to ask again with.
    pub async fn commit<A: Answer>(self, answer: A) -> Result<Done<A>, Stop> {
        let call = self.admin.call();
        if call.headers.contains_key(http::header::IF_MATCH) && !self.if_match_was_checked.load(Ordering::Relaxed) {
            // Ignored, it would promise a protection that is not there.
            return Err(Stop::invalid("If-Match", "does not go with this request: it changes no single thing"));
        }
        let done = Done::new(answer)?;
        let app = self.admin.app();
        if let Some(keyed) = &self.keyed {
            let saved = keyed
                .keep(done.kept(), self.tx.context().at, &app.vault, &*app.entropy)
                .map_err(|error| Stop::Internal(Box::new(error)))?;
            self.tx.save_answer(&saved).await?;
        }
        self.tx.commit().await?;
        // Whoever made a change finds it in the next request. It is made, whatever comes of this.
        if let Err(error) = app.registry.catch_up().await {
            tracing::warn!(%error, "the change is made, and this node will see it when the store answers again");
        }
        Ok(done)
    }

    fn check_if_match(&self, revision: u64) -> Result<(), Stop> {
        self.if_match_was_checked.store(true, Ordering::Relaxed);
        match self.admin.if_match(&etag(revision)) {
            Some(false) => Err(RegistryError::Precondition { current: revision }.into()),
            Some(true) | None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").field("admin", &self.admin).finish_non_exhaustive()
    }
}

const KEY: &str = "idempotency-key";
