//! Two partners, their tenants and a tenant of nobody, each with an administrator and things of its own: wherever a thing
//! belongs to somebody, there is somebody else to whom it must not exist.
//!
//! ```text
//! platform ─┬─ north ─┬─ oslo
//!           │         └─ bergen
//!           ├─ south ─── lima
//!           └─ lone
//! ```
//!
//! Every thing carries a mark of its owner in its name, so that an answer shows by its text alone whose things it tells of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use ambit_core::entropy::new_uuid;
use ambit_core::time::Clock as _;
use ambit_protocol::claims::{AccessTokenClaims, Audience};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, BASE, Fixture, ROOT, ROOT_SECRET};

/// Who owns things here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Platform,
    North,
    South,
    Oslo,
    Bergen,
    Lima,
    Lone,
}

pub(crate) const OWNERS: [Owner; 7] =
    [Owner::Platform, Owner::North, Owner::South, Owner::Oslo, Owner::Bergen, Owner::Lima, Owner::Lone];
const TENANTS: [Owner; 4] = [Owner::Oslo, Owner::Bergen, Owner::Lima, Owner::Lone];

impl Owner {
    pub(crate) const fn slug(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::North => "north",
            Self::South => "south",
            Self::Oslo => "oslo",
            Self::Bergen => "bergen",
            Self::Lima => "lima",
            Self::Lone => "lone",
        }
    }

    /// The next one up.
    const fn parent(self) -> Option<Self> {
        match self {
            Self::Platform => None,
            Self::North | Self::South | Self::Lone => Some(Self::Platform),
            Self::Oslo | Self::Bergen => Some(Self::North),
            Self::Lima => Some(Self::South),
        }
    }

    /// Whether this one is the other, or stands above it.
    pub(crate) fn is_above(self, other: Self) -> bool {
        self == other || other.parent().is_some_and(|parent| self.is_above(parent))
    }

    pub(crate) fn is_tenant(self) -> bool {
        TENANTS.contains(&self)
    }

    pub(crate) const fn level(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::North | Self::South => "partner",
            Self::Oslo | Self::Bergen | Self::Lima | Self::Lone => "tenant",
        }
    }

    /// In the name of everything it owns.
    pub(crate) fn mark(self) -> String {
        format!("of-{}-only", self.slug())
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    /// An application of the owner, by its level, with `admin:read` and `admin:write`.
    Administrator(Owner),
    /// The same with the role `auditor`.
    Auditor(Owner),
    /// The platform's, with a token that names the tenant it acts for.
    ActingFor(Owner),
    /// Signed in, with a scope of the owner's own API and none of the admin API's.
    WithoutScope(Owner),
}

impl Caller {
    /// Where the caller's reach begins.
    pub(crate) const fn seat(self) -> Owner {
        match self {
            Self::Administrator(seat) | Self::Auditor(seat) | Self::ActingFor(seat) | Self::WithoutScope(seat) => seat,
        }
    }

    pub(crate) const fn may_write(self) -> bool {
        !matches!(self, Self::Auditor(_))
    }

    fn client_id(self) -> String {
        match self {
            Self::Administrator(Owner::Platform) | Self::ActingFor(_) => ROOT.to_owned(),
            Self::Administrator(owner) => format!("administrator-{}", owner.mark()),
            Self::Auditor(owner) => format!("auditor-{}", owner.mark()),
            Self::WithoutScope(owner) => format!("worker-{}", owner.mark()),
        }
    }
}

/// What an owner has from the beginning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Things {
    /// The partner or the tenant itself.
    pub(crate) own_id: String,
    pub(crate) api: String,
    pub(crate) scope: String,
    /// An application of its own that nobody calls with.
    pub(crate) application: String,
    pub(crate) client_id: String,
    pub(crate) secret: String,
    pub(crate) administrator: String,
    pub(crate) user: String,
    pub(crate) group: String,
    /// Tenants only.
    pub(crate) unit: String,
}

pub(crate) struct World {
    pub(crate) fixture: Fixture,
    pub(crate) root: String,
    pub(crate) things: BTreeMap<Owner, Things>,
    tokens: BTreeMap<Caller, String>,
    count: AtomicU32,
}

/// The feature that every tenant has.
pub(crate) const FEATURE: &str = "shared-feature";

impl World {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With a configuration file.
    pub(crate) async fn with(file: &str) -> Self {
        let fixture = Fixture::with(file).await;
        let root = fixture.root().await;
        let mut world =
            Self { fixture, root, things: BTreeMap::new(), tokens: BTreeMap::new(), count: AtomicU32::new(0) };
        world.made(Method::POST, "/features", &json!({"key": FEATURE, "title": "Shared"})).await;
        for owner in OWNERS {
            world.settle(owner).await;
        }
        world
    }

    /// A call.
    pub(crate) async fn call(&self, caller: Caller, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.fixture.admin(self.token(caller), method, path, body).await
    }

    pub(crate) fn token(&self, caller: Caller) -> &str {
        self.tokens.get(&caller).unwrap_or_else(|| panic!("no token for {caller:?}"))
    }

    /// A call by the platform's administrator that must succeed.
    pub(crate) async fn made(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.fixture.admin(&self.root, method.clone(), path, Some(body)).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
        answer.json
    }

    /// A name that nothing has yet, with its owner's mark.
    pub(crate) fn name(&self, owner: Owner) -> String {
        format!("n{}-{}", self.count.fetch_add(1, Ordering::Relaxed), owner.mark())
    }

    /// The members that say whose a new API or application is.
    pub(crate) fn owned_by(&self, owner: Owner) -> Value {
        match owner {
            Owner::Platform => json!({}),
            Owner::North | Owner::South => json!({"partner_id": self.things[&owner].own_id}),
            Owner::Oslo | Owner::Bergen | Owner::Lima | Owner::Lone => {
                json!({"tenant_id": self.things[&owner].own_id})
            }
        }
    }

    /// Registers an application.
    pub(crate) async fn application(&self, owner: Owner, client_id: &str, allowed_scopes: &[&str]) -> Value {
        let body = json!({
            "name": client_id, "client_id": client_id, "type": "service", "level": owner.level(),
            "allowed_scopes": allowed_scopes,
        });
        self.made(Method::POST, "/applications", &merged(body, self.owned_by(owner))).await
    }

    /// Makes a user.
    pub(crate) async fn user(&self, owner: Owner, email: &str) -> Value {
        self.made(Method::POST, "/users", &merged(json!({"email": email}), self.owned_by(owner))).await
    }

    /// Makes a group.
    pub(crate) async fn group(&self, owner: Owner, name: &str) -> Value {
        self.made(Method::POST, "/groups", &merged(json!({"name": name}), self.owned_by(owner))).await
    }

    /// Puts a user or a group into a group.
    pub(crate) async fn join(&self, group: &str, member: &str) -> Value {
        let path = format!("/groups/{group}/members/{member}");
        let answer = self.fixture.admin(&self.root, Method::PUT, &path, None).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.json
    }

    /// A person's token for the admin API, as an application gets one: signed by the server's own key. Of a tenant's person it
    /// names the tenant.
    pub(crate) fn persons_token(&self, client_id: &str, user: &str, tenant: Option<Owner>, scope: &str) -> String {
        let app = self.fixture.server.app();
        let now = self.fixture.clock.now();
        let jti = new_uuid(now, &*app.entropy).to_string();
        let (api, iat) = (app.admin_api_identifier(), now.secs());
        let issuer = tenant.map_or_else(|| BASE.to_owned(), |tenant| format!("{BASE}/tenants/{}", tenant.slug()));
        let claims = AccessTokenClaims {
            scope: Some(scope),
            tenant_id: tenant.map(|tenant| self.things[&tenant].own_id.as_str()),
            tenant_slug: tenant.map(Owner::slug),
            ..AccessTokenClaims::new(&*issuer, user, Audience::One(&*api), client_id, iat, iat + 3600, &*jti)
        };
        let snapshot = app.registry.snapshot();
        let signer = snapshot.keys.signer(app.default_algorithm).expect("a key that signs");
        signer.key.sign(&signer.access_token_header, &claims.to_json()).expect("a signature")
    }

    /// Assigns a role, held where the owner is.
    pub(crate) async fn assign(&self, owner: Owner, application: &str, role: &str) -> String {
        let body = merged(json!({"application": application, "role": role}), self.owned_by(owner));
        id(&self.made(Method::POST, "/administrators", &body).await)
    }

    /// A token, by the client credentials of whoever calls.
    pub(crate) async fn token_of(
        &self,
        owner: Owner,
        client_id: &str,
        secret: &str,
        fields: &[(&str, &str)],
    ) -> String {
        let issuer = if owner.is_tenant() { format!("/tenants/{}", owner.slug()) } else { String::new() };
        self.fixture.token(&format!("{issuer}/connect/token"), (client_id, secret), fields).await.access_token()
    }

    /// Makes an owner with everything that stands from the beginning.
    async fn settle(&mut self, owner: Owner) {
        let own_id = self.make_owner(owner).await;
        self.things.insert(owner, Things { own_id: own_id.clone(), ..Things::default() });
        let name = self.name(owner);
        let api = json!({"identifier": format!("https://{}.example/{name}", owner.slug()), "name": name});
        let api = id(&self.made(Method::POST, "/apis", &merged(api, self.owned_by(owner))).await);
        let scope = format!("{}:read", owner.mark());
        self.scope(&api, &scope).await;
        let client_id = format!("app-{}", owner.mark());
        let application = id(&self.application(owner, &client_id, &[&scope]).await);
        let secrets = format!("/applications/{application}/secrets");
        let secret = id(&self.made(Method::POST, &secrets, &json!({})).await);
        let mut things =
            Things { own_id, api, scope: scope.clone(), application, client_id, secret, ..Things::default() };
        if owner.is_tenant() {
            let name = self.name(owner);
            let unit = json!({"name": name, "slug": name, "kind": "shop"});
            things.unit = id(&self.made(Method::POST, &format!("/tenants/{}/units", things.own_id), &unit).await);
        }
        things.user = id(&self.user(owner, &format!("user-{}@people.example", owner.mark())).await);
        things.group = id(&self.group(owner, &format!("group-{}", owner.mark())).await);
        self.things.insert(owner, things);

        if owner == Owner::Platform {
            self.tokens.insert(Caller::Administrator(owner), self.root.clone());
        } else {
            self.enter(Caller::Administrator(owner), &["admin:read", "admin:write"]).await;
        }
        self.enter(Caller::WithoutScope(owner), &[&scope]).await;
        let auditor = self.enter(Caller::Auditor(owner), &["admin:read", "admin:write"]).await;
        let assignment = self.assign(owner, &auditor, "auditor").await;
        self.things.get_mut(&owner).expect("just made").administrator = assignment;
        if owner.is_tenant() {
            let acting = self.token_of(Owner::Platform, ROOT, ROOT_SECRET, &[("tenant", owner.slug())]).await;
            self.tokens.insert(Caller::ActingFor(owner), acting);
        }
    }

    /// The partner or the tenant itself; the platform is there.
    async fn make_owner(&self, owner: Owner) -> String {
        let mut body = json!({"name": owner.mark(), "slug": owner.slug()});
        if !owner.is_tenant() {
            return match owner {
                Owner::Platform => String::new(),
                _ => id(&self.made(Method::POST, "/partners", &body).await),
            };
        }
        if let Some(parent @ (Owner::North | Owner::South)) = owner.parent() {
            body["partner_id"] = json!(self.things[&parent].own_id);
        }
        let id = id(&self.made(Method::POST, "/tenants", &body).await);
        self.made(Method::PUT, &format!("/tenants/{id}/features/{FEATURE}"), &json!({"enabled": true})).await;
        id
    }

    /// A secret that works now of the application that nobody calls with; those before it end.
    pub(crate) async fn secret_of(&self, owner: Owner) -> String {
        let path = format!("/applications/{}/secrets", self.things[&owner].application);
        let made = self.made(Method::POST, &path, &json!({"overlap_secs": 0})).await;
        made["client_secret"].as_str().expect("shown once").to_owned()
    }

    /// Registers a granular scope.
    pub(crate) async fn scope(&self, api: &str, name: &str) -> Value {
        let body = json!({"name": name, "api": api, "kind": "granular", "title": name, "description": name});
        self.made(Method::POST, "/scopes", &body).await
    }

    /// Registers a caller and signs it in. Answers its `client_id`.
    async fn enter(&mut self, caller: Caller, scopes: &[&str]) -> String {
        let client_id = caller.client_id();
        let made = self.application(caller.seat(), &client_id, scopes).await;
        let secret = made["client_secret"].as_str().expect("shown once").to_owned();
        let token = self.token_of(caller.seat(), &client_id, &secret, &[]).await;
        self.tokens.insert(caller, token);
        client_id
    }
}

/// The identifier of what was made.
pub(crate) fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("no id: {made}")).to_owned()
}

/// One object with the members of both.
pub(crate) fn merged(mut body: Value, more: Value) -> Value {
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}
