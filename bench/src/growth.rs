//! A large registry: what it does to the rate of tokens, and to memory.
//!
//! 1. A data folder is filled with tenants, applications and their secrets, past the admin API, which would take hours.
//! 2. The product starts on it, and on a small one beside it; both are asked for tokens of equally many clients, in turns. A
//!    rate that depends on the size shows as a ratio below one.
//! 3. The large one is then asked by more clients than it keeps in memory, each in its turn: the worst there is for a cache.

use std::path::{Path, PathBuf};

use ambit_core::secret::SecretHash;
use ambit_core::store::noun::{Noun, row};
use ambit_core::store::{ChangeContext, Row};
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::secret::Secret;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::id::{ApplicationId, Id as _, SecretId, TenantId};
use ambit_protocol::time::Timestamp;
use ambit_store::{SqlStore, StoreConfig};
use serde_json::json;
use uuid::{Builder, Uuid};

use crate::child::{self, Server};
use crate::decide::document;
use crate::http::Request;
use crate::product::{self, Client};
use crate::signature::Algorithm;
use crate::{Failure, Settings};

/// How many applications there are, in the runs that are compared with the first.
pub(crate) const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];

/// A data folder with that many applications, and the scope they may have.
#[derive(Debug)]
pub(crate) struct Population {
    data: PathBuf,
    applications: u32,
    scope: String,
}

impl Population {
    /// Fills a folder. The server that made its database and its key has ended by then.
    pub(crate) fn fill(settings: &Settings, binary: &Path, data: PathBuf, applications: u32) -> Result<Self, Failure> {
        let (server, _) = product::start(settings, binary, &data)?;
        let Client { scope, .. } = product::register(&server, Algorithm::Es256)?;
        drop(server);
        let population = Self { data, applications, scope };
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(population.load())?;
        Ok(population)
    }

    async fn load(&self) -> Result<(), Failure> {
        let store = SqlStore::open(&StoreConfig::data_dir(&self.data)).await?;
        let context = ChangeContext { actor: "bench".to_owned(), at: NOW, trace_id: None };
        // All of it is in memory before the transaction begins, so that a document that cannot be made ends the run.
        let tenants = (0..TENANTS).map(tenant).collect::<Result<Vec<_>, _>>()?;
        store.bulk_insert(&context, tenants).await?;
        for from in (0..self.applications).step_by(AT_ONCE) {
            let chunk = from..self.applications.min(from + AT_ONCE_U32);
            let applications = chunk.clone().map(|n| self.application(n)).collect::<Result<Vec<_>, _>>()?;
            store.bulk_insert(&context, applications).await?;
            store.bulk_insert(&context, chunk.map(secret).collect::<Result<Vec<_>, _>>()?).await?;
        }
        store.close().await;
        Ok(())
    }

    /// The product, on this folder.
    pub(crate) fn start(&self, settings: &Settings, binary: &Path) -> Result<Server, Failure> {
        Ok(product::start(settings, binary, &self.data)?.0)
    }

    /// A token request of each of the first so many clients.
    pub(crate) fn requests(&self, clients: u32) -> Vec<Request> {
        (0..clients.min(self.applications))
            .map(|n| {
                let fields = [("grant_type", "client_credentials"), ("scope", self.scope.as_str())];
                let path = format!("/tenants/{}/connect/token", slug(n % TENANTS));
                Request::form(&path, &fields).basic(&client_id(n), &client_secret(n))
            })
            .collect()
    }

    /// Asks for a token of each of so many clients, one after another, and again from the first while there is time.
    pub(crate) fn sweep(&self, settings: &Settings, server: &Server, clients: u32) -> Result<f64, Failure> {
        let turn = child::load(settings.load_core, server.address, 32, SWEEP_SECS, &self.requests(clients).into())?;
        if turn.answers < u64::from(clients.min(self.applications)) / 2 {
            return Err(format!("{} of {clients} clients were answered in {SWEEP_SECS} s", turn.answers).into());
        }
        Ok(turn.rate())
    }

    fn application(&self, n: u32) -> Result<Row, Failure> {
        let application: Application = document(json!({
            "id": ApplicationId::from_uuid(uuid(APPLICATION, n)), "client_id": client_id(n), "name": format!("Till {n}"),
            "type": "service", "level": "tenant", "tenant_id": tenant_id(n % TENANTS), "partner_id": null, "status": "active",
            "allowed_scopes": self.scope.split(' ').collect::<Vec<_>>(), "scopes_changed_at": NOW, "scope_policy": {},
            "redirect_uris": [], "post_logout_redirect_uris": [], "allowed_origins": [],
            "grant_types": ["client_credentials"], "token_lifetime_secs": 3600,
            "token_endpoint_auth_method": "client_secret_basic", "jwks": null,
        }))?;
        as_row(&application, None)
    }
}

fn tenant(n: u32) -> Result<Row, Failure> {
    let tenant: Tenant = document(json!({
        "id": tenant_id(n), "name": format!("Chain {n}"), "slug": slug(n), "partner_id": null, "plan_tier": null,
        "status": "active",
    }))?;
    as_row(&tenant, None)
}

fn secret(n: u32) -> Result<Row, Failure> {
    let text = client_secret(n);
    let secret: Secret = document(json!({
        "id": SecretId::from_uuid(uuid(SECRET, n)), "application_id": ApplicationId::from_uuid(uuid(APPLICATION, n)),
        "hint": text[text.len() - 4..], "tenant_id": tenant_id(n % TENANTS), "partner_id": null, "expires_at": null,
        "last_used_at": null,
    }))?;
    as_row(&secret, Some(SecretHash::of(&text).as_bytes().to_vec()))
}

fn as_row(noun: &impl Noun, sealed: Option<Vec<u8>>) -> Result<Row, Failure> {
    Ok(row(noun, sealed)?)
}

fn client_id(n: u32) -> String {
    format!("till-{n:07}")
}

/// Of the length of a real one; known to everybody, on a server that listens on loopback for a minute.
fn client_secret(n: u32) -> String {
    format!("ambit_cs_{n:049}")
}

fn slug(n: u32) -> String {
    format!("chain-{n}")
}

fn tenant_id(n: u32) -> TenantId {
    TenantId::from_uuid(uuid(TENANT, n))
}

/// A UUIDv7: kind and number make it unique.
fn uuid(kind: u8, n: u32) -> Uuid {
    let mut random = [0; 10];
    random[0] = kind;
    random[6..].copy_from_slice(&n.to_be_bytes());
    Builder::from_unix_timestamp_millis(NOW.millis().unsigned_abs(), &random).into_uuid()
}

const TENANTS: u32 = 10_000;
const AT_ONCE_U32: u32 = 50_000;
const AT_ONCE: usize = AT_ONCE_U32 as usize;
const SWEEP_SECS: f64 = 60.0;
const TENANT: u8 = 1;
const APPLICATION: u8 = 2;
const SECRET: u8 = 3;
/// Some moment.
const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);
