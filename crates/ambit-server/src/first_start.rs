//! What every start sees to, and the first one does (identity.md §6): the built-in catalogue, a signing key, the application that
//! people administer by, and for automation the one that an operator hands in.

use ambit_core::entropy::Entropy;
use ambit_core::keys::Vault;
use ambit_core::limits::Limits;
use ambit_core::reach::Reach;
use ambit_core::registry::key::{self, NewKey, NewKeyError};
use ambit_core::registry::{Edit, Power, RegistryError, Settings, application, builtin};
use ambit_core::secret::{ClientSecret, WeakSecret};
use ambit_core::store::{By, ChangeContext, ChangeQuery, Filter, Reads, Store, StoreError, Transaction, noun};
use ambit_protocol::admin::application::{Application, ApplicationType, CreateApplication, Level};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::key::{Key, KeyState};
use ambit_protocol::admin::text::{ApiIdentifier, ClientId, Name, TextError};
use ambit_protocol::jose::Algorithm;
use ambit_protocol::time::Timestamp;

/// What a start needs to know.
#[derive(Debug)]
pub struct Start<'a> {
    /// The platform's issuer.
    pub base_url: &'a str,
    /// What tokens are signed with by default.
    pub default_algorithm: Algorithm,
    /// Limits on scopes.
    pub limits: Limits,
    /// The moment.
    pub now: Timestamp,
    /// Encrypts the private halves of keys.
    pub vault: &'a Vault,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// The application to register where there is none yet: `client_id` and secret.
    pub bootstrap: Option<(&'a str, &'a str)>,
}

/// What stands in the way of a start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The registry refuses what a start needs.
    #[error("the registry could not be prepared: {0}")]
    Registry(#[from] RegistryError),
    /// The store does not answer.
    #[error("the registry could not be prepared")]
    Store(#[from] StoreError),
    /// No key could be made.
    #[error("a signing key could not be made")]
    Key(#[from] NewKeyError),
    /// The public URL is no identifier of an API.
    #[error("the public URL cannot be the admin API's identifier: it {0}")]
    PublicUrl(TextError),
    /// The `client_id` that was handed in cannot be one.
    #[error("AMBIT_BOOTSTRAP_CLIENT_ID {0}")]
    BootstrapClientId(TextError),
    /// The secret that was handed in is too short.
    #[error("AMBIT_BOOTSTRAP_CLIENT_SECRET: {0}")]
    BootstrapSecret(WeakSecret),
}

/// Prepares the registry. Does nothing, and takes no revision, where all is there. Several nodes may do this at once: changes
/// stand in one line, and each looks again after its turn came.
///
/// # Errors
/// [`StartError`].
pub async fn prepare(store: &dyn Store, start: &Start<'_>) -> Result<(), StartError> {
    let settings = Settings { limits: start.limits, base_url: start.base_url.to_owned(), ..Settings::default() };
    let identifier: ApiIdentifier =
        format!("{}/api/v1/admin", start.base_url).parse().map_err(StartError::PublicUrl)?;
    let bootstrap = start.bootstrap.map(bootstrap_application).transpose()?;

    // Made ahead: nobody waits for a key while the registry is locked.
    let keys = missing_keys(store, start).await?;

    let power = Power::system("system");
    let context = ChangeContext { actor: "system".to_owned(), at: start.now, trace_id: None };
    let transaction = store.begin(context).await?;
    let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy: start.entropy };
    let is_first = noun::count::<Key>(&*transaction, &Filter::default(), Reach::Platform).await? == 0;
    let installed = builtin::install(&edit, &identifier).await?;
    for name in &installed.taken {
        tracing::warn!(scope = %name, "a built-in scope is left out: another API has a scope of this name");
    }
    for name in &installed.damaged {
        tracing::error!(%name, "it is not as it was written, and is left alone: `ambit doctor` names all that is damaged");
    }
    if let Some(before) = &installed.renamed {
        tracing::warn!(
            %before,
            now = %identifier,
            "the public URL is another than at the last start: nodes that still have that one refuse every call of the admin API"
        );
    }
    // Another node may have been first: then its keys are there, and these were made for nothing.
    let missing = missing_states(&whole_keys(&*transaction).await?, start);
    for key in keys.into_iter().take(missing) {
        key::publish(&edit, key).await?;
    }
    if let Some((body, secret)) = bootstrap {
        // On the first start only: whoever can set the environment later must not be able to make an administrator.
        let client_id = body.client_id.clone();
        if is_first && noun::count::<Application>(&*transaction, &Filter::default(), Reach::Platform).await? == 0 {
            application::create_with(&edit, body, Some(secret)).await?;
        } else if let Some(client_id) = client_id
            && !was_ever_registered(store, &*transaction, client_id.as_str()).await?
        {
            tracing::warn!(
                %client_id,
                "AMBIT_BOOTSTRAP_CLIENT_ID is left out: it is registered on the first start only, and this store had one before"
            );
        }
    }
    if !was_ever_registered(store, &*transaction, builtin::COMMAND_LINE).await? {
        application::create(&edit, builtin::command_line(&installed.taken)).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Whether there is an application of this `client_id`, or was one: what an administrator took away stays away. The change log
/// forgets nothing, and while the transaction is open nobody adds to it.
async fn was_ever_registered(
    store: &dyn Store,
    transaction: &dyn Transaction,
    client_id: &str,
) -> Result<bool, StoreError> {
    let by = By::NaturalKey(client_id);
    match noun::find::<Application>(transaction, by, Reach::Platform).await {
        Ok(None) => {}
        Ok(Some(_)) | Err(StoreError::Corrupt { .. }) => return Ok(true),
        Err(error) => return Err(error),
    }
    let query = ChangeQuery {
        resource: Some(Resource::Application),
        natural_key: Some(client_id),
        limit: 1,
        ..ChangeQuery::default()
    };
    Ok(!store.changes(&query, Reach::Platform).await?.is_empty())
}

/// An active key and a next one of the default algorithm, as far as they are missing.
async fn missing_keys(store: &dyn Store, start: &Start<'_>) -> Result<Vec<NewKey>, StartError> {
    let there = whole_keys(store).await?;
    let make = || NewKey::make(start.default_algorithm, start.now, start.vault, start.entropy);
    Ok((0..missing_states(&there, start)).map(|_| make()).collect::<Result<_, _>>()?)
}

/// The keys that are as they were written: a damaged one is replaced. Where all of them are damaged, so is more than a key, and
/// somebody has to look first.
async fn whole_keys(reads: &(impl Reads + ?Sized)) -> Result<Vec<Key>, StoreError> {
    let mut whole = vec![];
    let mut damaged = None;
    for key in noun::list_apart(reads, &Filter::default(), Reach::Platform).await? {
        match key {
            Ok(key) => whole.push(key),
            Err(error) => damaged = Some(error),
        }
    }
    match damaged {
        Some(error) if whole.is_empty() => Err(error),
        _ => Ok(whole),
    }
}

/// How many of the two, an active key and a next one of the default algorithm, are not among these.
fn missing_states(keys: &[Key], start: &Start<'_>) -> usize {
    let has = |state| keys.iter().any(|key| key.algorithm == start.default_algorithm && key.state == state);
    [KeyState::Active, KeyState::Next].into_iter().filter(|state| !has(*state)).count()
}

fn bootstrap_application((client_id, secret): (&str, &str)) -> Result<(CreateApplication, ClientSecret), StartError> {
    let client_id: ClientId = client_id.parse().map_err(StartError::BootstrapClientId)?;
    let secret = ClientSecret::handed_in(secret).map_err(StartError::BootstrapSecret)?;
    let name: Name = "Bootstrap".parse().map_err(StartError::BootstrapClientId)?;
    let allowed_scopes = ["openid", "admin:read", "admin:write"]
        .iter()
        // Each is a built-in scope's name.
        .filter_map(|scope| scope.parse().ok())
        .collect();
    let body = CreateApplication {
        client_id: Some(client_id),
        allowed_scopes,
        ..CreateApplication::new(name, ApplicationType::Service, Level::Platform)
    };
    Ok((body, secret))
}
