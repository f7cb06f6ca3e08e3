//! Every URL, its guard and its handler: one table.
//!
//! What the server announces about its own endpoints is computed from it: the router, the OpenAPI document, the scope → endpoint
//! map of the catalogue document, and the access table under test.

use ambit_core::registry::Access;
use ambit_core::registry::builtin::{ADMIN_READ, ADMIN_WRITE};
use ambit_resource_server::ResourceServer;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};
use http::Method;
use schemars::SchemaGenerator;

use crate::admin_api::describe::{DescribedHandler, Operation};
use crate::admin_api::gate;
use crate::admin_api::{self, ROOT};
use crate::health;
use crate::metrics;
use crate::middleware::Surround;
use crate::oauth::{self, describe};
use crate::state::App;
use crate::web::{self, describe as pages};

/// One URL with one method.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{…}` for what varies.
    pub path: String,
    /// Who may call it.
    pub guard: Guard,
    /// What it does, in few words.
    pub summary: &'static str,
    handler: MethodRouter<App>,
    describe: Describe,
}

/// Says what a route takes and answers.
type Describe = fn(&mut Operation, &mut SchemaGenerator);

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Anybody.
    Public,
    /// A client with its own credentials. The handler authenticates it, since how depends on the body.
    Client,
    /// Whoever presents a token for the admin API that opens it.
    Admin(Needs),
}

/// What a token must hold to open a route of the admin API (scopes.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    access: Access,
    narrow: Option<&'static str>,
}

/// Every route, in the order people read about them.
#[must_use]
pub fn table() -> Vec<Route> {
    use admin_api::{
        administrator, api, application, audit, credential, explain, feature, group, invitation, key, partner, scope,
        secret, tenant, unit, user,
    };
    const PARTNERS: Needs = read("partners:read");
    const TENANTS: Needs = read("tenants:read");
    const UNITS: Needs = read("units:read");
    const FEATURES: Needs = read("features:read");
    const APIS: Needs = read("apis:read");
    const SCOPES: Needs = read("scopes:read");
    const APPLICATIONS: Needs = read("applications:read");
    const USERS: Needs = read("users:read");
    const GROUPS: Needs = read("groups:read");
    const ADMINISTRATORS: Needs = read("administrators:read");
    const KEYS: Needs = read("keys:read");
    const AUDIT: Needs = read("audit:read");
    const ASK: Needs = Needs { access: Access::Read, narrow: None };
    const WRITE: Needs = Needs { access: Access::Write, narrow: None };
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let options = Method::OPTIONS;

    let mut table = vec![];
    let mut admin = Admin(&mut table);
    admin.add(&get, "/partners", PARTNERS, "List partners", partner::list);
    admin.add(&post, "/partners", WRITE, "Make a partner", partner::create);
    admin.add(&get, "/partners/{id}", PARTNERS, "Show a partner", partner::show);
    admin.add(&patch, "/partners/{id}", WRITE, "Change a partner", partner::patch);
    admin.add(&delete, "/partners/{id}", WRITE, "Delete an empty partner", partner::delete);

    admin.add(&get, "/tenants", TENANTS, "List tenants", tenant::list);
    admin.add(&post, "/tenants", WRITE, "Make a tenant", tenant::create);
    admin.add(&get, "/tenants/{id}", TENANTS, "Show a tenant", tenant::show);
    admin.add(&patch, "/tenants/{id}", WRITE, "Change a tenant", tenant::patch);
    admin.add(&delete, "/tenants/{id}", WRITE, "Delete an empty tenant", tenant::delete);
    admin.add(&post, "/tenants/{id}/status", WRITE, "Move a tenant to another status", tenant::set_status);

    admin.add(&get, "/tenants/{id}/units", UNITS, "List a tenant's units", unit::list);
    admin.add(&post, "/tenants/{id}/units", WRITE, "Make a unit of a tenant", unit::create);
    admin.add(&get, "/units/{id}", UNITS, "Show a unit", unit::show);
    admin.add(&patch, "/units/{id}", WRITE, "Change a unit", unit::patch);
    admin.add(&delete, "/units/{id}", WRITE, "Delete a unit without parts", unit::delete);

    admin.add(&get, "/features", FEATURES, "List features", feature::list);
    admin.add(&post, "/features", WRITE, "Make a feature", feature::create);
    admin.add(&get, "/features/{key}", FEATURES, "Show a feature", feature::show);
    admin.add(&patch, "/features/{key}", WRITE, "Change a feature", feature::patch);
    admin.add(&delete, "/features/{key}", WRITE, "Delete a feature that nothing uses", feature::delete);
    admin.add(
        &get,
        "/tenants/{id}/features",
        FEATURES,
        "List features as they stand for a tenant",
        feature::list_for_tenant,
    );
    admin.add(
        &put,
        "/tenants/{id}/features/{key}",
        WRITE,
        "Set a feature for a tenant (level 1)",
        feature::set_for_tenant,
    );
    admin.add(&get, "/units/{id}/features", FEATURES, "List features as they stand for a unit", feature::list_for_unit);
    admin.add(&put, "/units/{id}/features/{key}", WRITE, "Set a feature for a unit (level 2)", feature::set_for_unit);

    admin.add(&get, "/apis", APIS, "List APIs", api::list);
    admin.add(&post, "/apis", WRITE, "Register an API", api::create);
    admin.add(&get, "/apis/{id}", APIS, "Show an API", api::show);
    admin.add(&patch, "/apis/{id}", WRITE, "Change an API", api::patch);
    admin.add(&delete, "/apis/{id}", WRITE, "Delete an API without scopes", api::delete);

    admin.add(&get, "/scopes", SCOPES, "List scopes", scope::list);
    admin.add(&post, "/scopes", WRITE, "Register a scope", scope::create);
    admin.add(
        &get,
        "/scopes/recommended-sets",
        SCOPES,
        "List the sets of scopes that fit an integration",
        scope::recommended_sets,
    );
    admin.add(&get, "/scopes/{name}", SCOPES, "Show a scope", scope::show);
    admin.add(&patch, "/scopes/{name}", WRITE, "Change a scope", scope::patch);
    admin.add(&delete, "/scopes/{name}", WRITE, "Delete a scope that nobody uses", scope::delete);

    admin.add(&get, "/applications", APPLICATIONS, "List applications", application::list);
    admin.add(&post, "/applications", WRITE, "Register an application", application::create);
    admin.add(&get, "/applications/{id}", APPLICATIONS, "Show an application", application::show);
    admin.add(&patch, "/applications/{id}", WRITE, "Change an application", application::patch);
    admin.add(&delete, "/applications/{id}", WRITE, "Delete an application", application::delete);
    admin.add(
        &get,
        "/applications/{id}/allowed_scopes",
        APPLICATIONS,
        "List what an application is allowed",
        application::list_allowed_scopes,
    );
    admin.add(
        &post,
        "/applications/{id}/allowed_scopes",
        WRITE,
        "Allow an application one scope more",
        application::allow_scope,
    );
    admin.add(
        &delete,
        "/applications/{id}/allowed_scopes/{name}",
        WRITE,
        "Allow an application one scope less",
        application::disallow_scope,
    );
    admin.add(
        &get,
        "/applications/{id}/grantable-scopes",
        APPLICATIONS,
        "List what an application could be granted",
        application::list_grantable_scopes,
    );
    admin.add(
        &get,
        "/applications/{id}/secrets",
        APPLICATIONS,
        "List an application's secrets, without the secrets",
        secret::list,
    );
    admin.add(&post, "/applications/{id}/secrets", WRITE, "Make a secret, shown once", secret::create);
    admin.add(&delete, "/applications/{id}/secrets/{secret_id}", WRITE, "Withdraw a secret at once", secret::delete);

    admin.add(&get, "/users", USERS, "List users", user::list);
    admin.add(&post, "/users", WRITE, "Make a user", user::create);
    admin.add(&get, "/users/{id}", USERS, "Show a user", user::show);
    admin.add(&patch, "/users/{id}", WRITE, "Change a user", user::patch);
    admin.add(&delete, "/users/{id}", WRITE, "Delete a user for good", user::delete);
    admin.add(
        &get,
        "/users/{id}/credentials",
        USERS,
        "List by what a user signs in, without the secrets",
        credential::list,
    );
    admin.add(
        &delete,
        "/users/{id}/credentials/{credential_id}",
        WRITE,
        "Take something to sign in with away",
        credential::delete,
    );
    admin.add(&put, "/users/{id}/password", WRITE, "Set a user's password, or its hash", credential::set_password);
    admin.add(&post, "/users/{id}/invitation", WRITE, "Invite a user by a letter with a link", invitation::create);
    admin.add(&delete, "/users/{id}/invitation", WRITE, "Withdraw an invitation", invitation::delete);
    admin.add(&get, "/users/{id}/groups", USERS, "List the groups a user is in, nested ones too", user::list_groups);

    admin.add(&get, "/groups", GROUPS, "List groups", group::list);
    admin.add(&post, "/groups", WRITE, "Make a group", group::create);
    admin.add(&get, "/groups/{id}", GROUPS, "Show a group", group::show);
    admin.add(&patch, "/groups/{id}", WRITE, "Change a group", group::patch);
    admin.add(&delete, "/groups/{id}", WRITE, "Delete a group, not its members", group::delete);
    admin.add(&get, "/groups/{id}/members", GROUPS, "List the direct members of a group", group::list_members);
    admin.add(&put, "/groups/{id}/members/{member}", WRITE, "Put a user or a group into a group", group::add_member);
    admin.add(
        &delete,
        "/groups/{id}/members/{member}",
        WRITE,
        "Take a user or a group out of a group",
        group::remove_member,
    );

    admin.add(&post, "/explain", ASK, "Explain a request, a token or a denial", explain::ask);

    admin.add(&get, "/administrators", ADMINISTRATORS, "List administrators", administrator::list);
    admin.add(&post, "/administrators", WRITE, "Assign a role", administrator::create);
    admin.add(&get, "/administrators/{id}", ADMINISTRATORS, "Show the assignment of a role", administrator::show);
    admin.add(&delete, "/administrators/{id}", WRITE, "Take a role away", administrator::delete);

    admin.add(&get, "/keys", KEYS, "List signing keys, without private halves", key::list);
    admin.add(&post, "/keys/rotate", WRITE, "Rotate signing keys", key::rotate);
    admin.add(&get, "/keys/{id}", KEYS, "Show a signing key", key::show);
    admin.add(&post, "/keys/{id}/revoke", WRITE, "Revoke a signing key in an emergency", key::revoke);

    admin.add(&get, "/audit", AUDIT, "List changes, newest first", audit::list);

    // Each issuer has these: the platform's, and every tenant's (identity.md §3). The aliases are permanent.
    for issuer in [&PLATFORM, &TENANT] {
        let mut issuer = AtIssuer { table: &mut table, issuer };
        let (public, client) = (Guard::Public, Guard::Client);
        issuer.add(
            &post,
            "/connect/token",
            Some("token"),
            client,
            "Get a token",
            (oauth::token::token, describe::token),
        );
        for (path, alias, preflight) in [
            ("/connect/token", "token", (oauth::cors::preflight, describe::preflight as Describe)),
            ("/connect/revoke", "revoke", (oauth::cors::preflight, describe::preflight)),
        ] {
            issuer.add(
                &options,
                path,
                Some(alias),
                public,
                "Let a browser ask whether a script may call this",
                preflight,
            );
        }
        issuer.add(
            &options,
            "/connect/userinfo",
            Some("userinfo"),
            public,
            "Let a browser ask whether a script may call this",
            (oauth::cors::preflight_of_userinfo, describe::preflight),
        );
        for (method, authorize, userinfo) in [
            (&get, describe::authorize as Describe, describe::userinfo as Describe),
            (&post, describe::authorize_by_form, describe::userinfo_by_form),
        ] {
            issuer.add(
                method,
                "/connect/authorize",
                Some("authorize"),
                public,
                "Send a browser here, and have it come back with a code",
                (oauth::authorize::authorize, authorize),
            );
            issuer.add(
                method,
                "/connect/userinfo",
                Some("userinfo"),
                public,
                "What the client may know of the person who signed in",
                (oauth::userinfo::userinfo, userinfo),
            );
        }
        issuer.add(
            &post,
            "/connect/introspect",
            Some("introspect"),
            client,
            "Ask what a token still is",
            (oauth::introspect::introspect, describe::introspect),
        );
        issuer.add(
            &post,
            "/connect/revoke",
            Some("revoke"),
            client,
            "Revoke a token",
            (oauth::revoke::revoke, describe::revoke),
        );
        issuer.add(
            &get,
            "/connect/scopes",
            None,
            client,
            "List what a client may ask for",
            (oauth::scopes::scopes, describe::scopes),
        );
        issuer.add(
            &post,
            "/connect/scopes",
            None,
            client,
            "List what a client may ask for, with its credentials in the body",
            (oauth::scopes::scopes, describe::scopes_by_form),
        );
        issuer.add(
            &post,
            "/connect/explain",
            None,
            client,
            "Explain a client's own request, token or denial",
            (oauth::explain::ask, describe::explain),
        );
        issuer.add(
            &get,
            "/connect/jwks",
            None,
            public,
            "The keys that verify tokens",
            (oauth::jwks::jwks, describe::jwks),
        );
        for (method, end_session) in [(&get, describe::end_session as Describe), (&post, describe::end_session_by_form)]
        {
            issuer.add(
                method,
                "/connect/endsession",
                None,
                public,
                "Sign a person out (OpenID Connect RP-Initiated Logout)",
                (oauth::endsession::end_session, end_session),
            );
        }
        issuer.well_known("jwks.json", "The keys that verify tokens", (oauth::jwks::jwks, describe::jwks));
        issuer.well_known(
            "openid-configuration",
            "What this issuer can do (OpenID Connect Discovery)",
            (oauth::metadata::metadata, describe::metadata),
        );
        issuer.well_known(
            "scope-catalogue",
            "Scopes, bundles, gates and what they open",
            (oauth::catalogue::catalogue, describe::catalogue),
        );
    }

    let mut public = Public(&mut table);
    public.add(&post, "/errors/", "What something pasted is about, as a page", web::errors::paste, pages::paste);
    public.add(
        &post,
        "/errors/{domain}/{name}",
        "Say by a form whether the advice helped",
        web::errors::report_by_form,
        pages::report_by_form,
    );
    public.add(&post, "/api/v1/errors/match", "What an error is about", web::errors::ask, web::errors::describe_match);
    public.add(
        &post,
        "/api/v1/errors/{domain}/{name}/outcomes",
        "Say whether the advice helped",
        web::errors::report,
        web::errors::describe_report,
    );
    for (path, summary, handler) in [
        ("/sign-in/{id}", "Where a person shows who they are", on(MethodFilter::GET, web::sign_in::show)),
        (
            "/sign-in/{id}/continue",
            "Where a person who is signed in goes on",
            on(MethodFilter::GET, web::sign_in::go_on),
        ),
        ("/set-up/{token}", "Where the first administrator is made", on(MethodFilter::GET, web::sign_in::set_up::show)),
        (
            "/sign-in/{id}/forgotten",
            "Where somebody asks for a new password",
            on(MethodFilter::GET, web::sign_in::asking::show_forgotten),
        ),
        (
            "/sign-in/{id}/register",
            "Where somebody asks for an account of their own",
            on(MethodFilter::GET, web::sign_in::asking::show_register),
        ),
        (
            "/registration/{token}",
            "Where somebody makes an account of their own",
            on(MethodFilter::GET, web::letters::show_registration),
        ),
        (
            "/invitation/{token}",
            "Where somebody who was invited chooses their password",
            on(MethodFilter::GET, web::letters::show_invitation),
        ),
        (
            "/new-password/{token}",
            "Where somebody chooses a new password",
            on(MethodFilter::GET, web::letters::show_new_password),
        ),
        (
            "/confirm-address/{token}",
            "Where somebody shows that an address is theirs",
            on(MethodFilter::GET, web::letters::show_confirmation),
        ),
    ] {
        public.add_routed(&get, path, summary, handler, pages::of_a_sign_in);
    }
    public.add(&get, "/consent/{id}", "What an application asks of a person", web::consent::show, pages::consent);
    for (path, summary, handler) in [
        ("/account/", "One's own account", on(MethodFilter::GET, web::account::overview)),
        ("/account/profile", "What one says of oneself", on(MethodFilter::GET, web::account::profile::show)),
        ("/account/security", "By what one proves who one is", on(MethodFilter::GET, web::account::security::show)),
        ("/account/passkeys", "One's passkeys", on(MethodFilter::GET, web::account::passkeys::show)),
        ("/account/sessions", "Where one is signed in", on(MethodFilter::GET, web::account::sessions)),
        (
            "/account/applications",
            "What applications may do for one",
            on(MethodFilter::GET, web::account::applications),
        ),
    ] {
        public.add_routed(&get, path, summary, handler, pages::of_a_person);
    }
    for (path, summary, handler) in [
        ("/sign-in/{id}/{step}", "Take a step of signing in", on(MethodFilter::POST, web::sign_in::take)),
        ("/set-up/{token}", "Set up the first administrator", on(MethodFilter::POST, web::sign_in::set_up::take)),
        (
            "/sign-in/{id}/forgotten",
            "Have a link to a new password sent",
            on(MethodFilter::POST, web::sign_in::asking::take_forgotten),
        ),
        (
            "/sign-in/{id}/register",
            "Have a link to an account of one's own sent",
            on(MethodFilter::POST, web::sign_in::asking::take_register),
        ),
        ("/registration/{token}", "Make an account of one's own", on(MethodFilter::POST, web::letters::register)),
        ("/invitation/{token}", "Accept an invitation", on(MethodFilter::POST, web::letters::accept_invitation)),
        ("/new-password/{token}", "Set a new password", on(MethodFilter::POST, web::letters::set_new_password)),
        ("/confirm-address/{token}", "Confirm an address", on(MethodFilter::POST, web::letters::confirm_address)),
    ] {
        public.add_routed(&post, path, summary, handler, pages::form_of_a_sign_in);
    }
    public.add(
        &post,
        "/consent/{id}",
        "Allow an application something, or not",
        web::consent::answer,
        pages::consent_by_form,
    );
    for (path, summary, handler) in [
        (
            "/account/confirm-address",
            "Have a letter sent that confirms one's address",
            on(MethodFilter::POST, web::account::ask_for_proof),
        ),
        ("/account/sign-out", "Sign out of this browser", on(MethodFilter::POST, web::account::sign_out)),
        ("/account/profile", "Say something else of oneself", on(MethodFilter::POST, web::account::profile::change)),
        (
            "/account/security/proof",
            "Prove once more who one is",
            on(MethodFilter::POST, web::account::security::prove),
        ),
        (
            "/account/security/password",
            "Change one's password",
            on(MethodFilter::POST, web::account::security::change_password),
        ),
        (
            "/account/security/apps",
            "Set up an authenticator app",
            on(MethodFilter::POST, web::account::security::set_up_app),
        ),
        (
            "/account/security/apps/{id}/remove",
            "Take an authenticator app away",
            on(MethodFilter::POST, web::account::security::remove_app),
        ),
        (
            "/account/security/recovery-codes",
            "Make new recovery codes",
            on(MethodFilter::POST, web::account::security::make_codes),
        ),
        ("/account/passkeys", "Add a passkey", on(MethodFilter::POST, web::account::passkeys::add)),
        ("/account/passkeys/{id}/name", "Name a passkey", on(MethodFilter::POST, web::account::passkeys::name)),
        (
            "/account/passkeys/{id}/remove",
            "Take a passkey away",
            on(MethodFilter::POST, web::account::passkeys::remove),
        ),
        (
            "/account/sessions/end-others",
            "End all of one's sessions but this one",
            on(MethodFilter::POST, web::account::end_other_sessions),
        ),
        ("/account/sessions/{id}/end", "End one of one's sessions", on(MethodFilter::POST, web::account::end_session)),
        (
            "/account/applications/{id}/withdraw",
            "Take back what an application may do",
            on(MethodFilter::POST, web::account::withdraw),
        ),
    ] {
        public.add_routed(&post, path, summary, handler, pages::form_of_a_person);
    }
    public.add(&get, "/passkey.js", "The script of passkeys", web::passkey::script, pages::script);
    public.add(&get, "/account", "The way to /account/", web::with_slash, pages::with_slash);
    public.add(&get, "/errors", "The way to /errors/", web::with_slash, pages::with_slash);
    public.add(&get, "/errors/", "All errors, and a search of them", web::errors::index, pages::errors);
    public.add(&get, "/errors/index.json", "All errors in short", web::errors::list, pages::error_list);
    public.add(&get, "/errors/schema.json", "The JSON Schema of an error", web::errors::schema, pages::error_schema);
    public.add(&get, "/errors/llms.txt", "All errors, for language models", web::errors::llms, pages::plain_text);
    public.add(&get, "/errors/{domain}/{name}", "What an error means and what to do", web::errors::show, pages::error);
    public.add(
        &get,
        "/llms.txt",
        "What there is here, for language models",
        web::errors::llms_of_the_server,
        pages::plain_text,
    );
    public.add(
        &get,
        "/style/{file}",
        "The colour of a tenant's pages, as a stylesheet",
        web::branding::stylesheet,
        pages::stylesheet,
    );
    public.add(&get, "/docs", "The way to /docs/", web::with_slash, pages::with_slash);
    public.add(&get, "/docs/", "The documentation of this server", web::docs::index, pages::docs);
    public.add(&get, "/docs/{document}", "A page of the documentation", web::docs::top, pages::docs_page);
    public.add(
        &get,
        "/docs/{folder}/{page}",
        "A page of a folder of the documentation",
        web::docs::nested,
        pages::docs_page,
    );
    public.add(&get, "/healthz", "The process is up", health::alive, pages::alive);
    public.add(&get, "/readyz", "The server can do its work", health::ready, pages::ready);
    public.add(&get, "/metrics", "What is counted, for Prometheus", metrics::show, pages::metrics);
    public.add(
        &get,
        "/.well-known/oauth-authorization-server",
        "What the platform's issuer can do (RFC 8414)",
        oauth::metadata::metadata,
        describe::metadata,
    );
    public.add(
        &get,
        "/.well-known/oauth-authorization-server/tenants/{slug}",
        "What a tenant's issuer can do (RFC 8414 section 3.1)",
        oauth::metadata::metadata,
        describe::metadata,
    );
    public.add(
        &get,
        gate::METADATA,
        "What tokens the admin API takes, and from whom (RFC 9728)",
        gate::metadata,
        pages::protected_resource,
    );
    public.add(&get, "/api/v1/openapi.json", "This API, for programs", web::api_docs::document, pages::openapi);
    public.add(&get, "/api/v1/docs", "This API, for people", web::api_docs::page, pages::openapi_page);
    table
}

/// The router of the table.
pub fn router(app: App, admin_api: &ResourceServer) -> Router {
    let mut router = Router::new();
    for route in table() {
        let handler = match route.guard {
            Guard::Admin(needs) => gate::guarded(route.handler, needs, admin_api, &app),
            // It lists what the guards require, so it is told of them all.
            Guard::Public if route.path == gate::METADATA => route.handler.layer(Extension(admin_api.clone())),
            Guard::Public | Guard::Client => route.handler,
        };
        router = router.route(&route.path, handler);
    }
    router
        .fallback(web::not_found)
        .method_not_allowed_fallback(web::method_not_allowed)
        .layer(Surround(app.clone()))
        .with_state(app)
}

/// Which scopes open an endpoint of the admin API, written as `METHOD /path`; any of them does.
#[must_use]
pub fn required_scopes(endpoint: &str) -> Option<Vec<String>> {
    let (method, path) = endpoint.trim().split_once(' ')?;
    let path = path.trim().split(['?', '#']).next()?;
    // A GET route answers HEAD as well.
    let method = if method == "HEAD" { "GET" } else { method };
    table().into_iter().find_map(|route| match route.guard {
        Guard::Admin(needs) if route.method == *method && matches_path(&route.path, path) => {
            Some(needs.scopes().map(str::to_owned).collect())
        }
        Guard::Admin(_) | Guard::Public | Guard::Client => None,
    })
}

/// The endpoints of the admin API that a scope opens: method and path.
#[must_use]
pub fn opened_by(scope: &str) -> Vec<(String, String)> {
    table()
        .into_iter()
        .filter(|route| matches!(route.guard, Guard::Admin(needs) if needs.scopes().any(|name| name == scope)))
        .map(|route| (route.method.to_string(), route.path))
        .collect()
}

impl Route {
    /// What the handler takes and answers.
    pub fn describe(&self, generator: &mut SchemaGenerator) -> Operation {
        let mut operation = Operation::default();
        (self.describe)(&mut operation, generator);
        operation
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?}", self.method, self.path, self.guard)
    }
}

impl Needs {
    /// The scopes any of which opens the route. Writing opens reading.
    pub fn scopes(self) -> impl Iterator<Item = &'static str> {
        let read = (self.access == Access::Read).then_some(ADMIN_READ);
        read.into_iter().chain([ADMIN_WRITE]).chain(self.narrow)
    }

    /// Whether it takes the right to change things.
    #[must_use]
    pub fn is_write(self) -> bool {
        self.access == Access::Write
    }

    /// What a client is told to ask for (RFC 6750 §3, `scope`): the least that opens it.
    #[must_use]
    pub fn asked_for(self) -> &'static str {
        match self.access {
            Access::Write => ADMIN_WRITE,
            Access::Read => ADMIN_READ,
        }
    }
}

/// A reading route: its own narrow scope opens it, beside the two wide ones.
const fn read(narrow: &'static str) -> Needs {
    Needs { access: Access::Read, narrow: Some(narrow) }
}

/// Adds routes of the admin API.
struct Admin<'t>(&'t mut Vec<Route>);

impl Admin<'_> {
    fn add<H, X, T>(&mut self, method: &Method, path: &str, needs: Needs, summary: &'static str, handler: H)
    where
        H: Handler<X, App> + DescribedHandler<T>,
        X: 'static,
    {
        self.0.push(Route {
            handler: on(filter(method), handler),
            method: method.clone(),
            path: format!("{ROOT}{path}"),
            guard: Guard::Admin(needs),
            summary,
            describe: H::describe,
        });
    }
}

/// Where an issuer's endpoints are (identity.md §3).
struct IssuerPaths {
    canonical: &'static str,
    oauth_alias: &'static str,
    well_known_aliases: &'static [&'static str],
}

const PLATFORM: IssuerPaths = IssuerPaths {
    canonical: "",
    oauth_alias: "/api/v1/platform/oauth",
    well_known_aliases: &["/api/v1/platform/.well-known", "/api/v1/platform/oauth/.well-known"],
};

const TENANT: IssuerPaths = IssuerPaths {
    canonical: "/tenants/{slug}",
    oauth_alias: "/api/v1/auth/tenants/{slug}/oauth",
    well_known_aliases: &["/api/v1/auth/tenants/{slug}/.well-known", "/api/v1/auth/tenants/{slug}/oauth/.well-known"],
};

/// Adds routes of an issuer, each with its aliases.
struct AtIssuer<'t> {
    table: &'t mut Vec<Route>,
    issuer: &'static IssuerPaths,
}

impl AtIssuer<'_> {
    fn add<H, X>(
        &mut self,
        method: &Method,
        path: &str,
        alias: Option<&str>,
        guard: Guard,
        summary: &'static str,
        (handler, describe): (H, Describe),
    ) where
        H: Handler<X, App> + Clone,
        X: 'static,
    {
        let alias = alias.map(|alias| format!("{}/{alias}", self.issuer.oauth_alias));
        let paths = [format!("{}{path}", self.issuer.canonical)].into_iter().chain(alias);
        self.table.extend(paths.map(|path| Route {
            method: method.clone(),
            path,
            guard,
            summary,
            handler: on(filter(method), handler.clone()),
            describe,
        }));
    }

    fn well_known<H, X>(&mut self, name: &str, summary: &'static str, (handler, describe): (H, Describe))
    where
        H: Handler<X, App> + Clone,
        X: 'static,
    {
        let canonical = format!("{}/.well-known/{name}", self.issuer.canonical);
        let aliases = self.issuer.well_known_aliases.iter().map(|alias| format!("{alias}/{name}"));
        self.table.extend([canonical].into_iter().chain(aliases).map(|path| Route {
            method: Method::GET,
            path,
            guard: Guard::Public,
            summary,
            handler: on(MethodFilter::GET, handler.clone()),
            describe,
        }));
    }
}

/// What is open to anybody.
struct Public<'t>(&'t mut Vec<Route>);

impl Public<'_> {
    fn add<H, X>(&mut self, method: &Method, path: &str, summary: &'static str, handler: H, describe: Describe)
    where
        H: Handler<X, App>,
        X: 'static,
    {
        self.add_routed(method, path, summary, on(filter(method), handler), describe);
    }

    /// The same, where several handlers stand in one list.
    fn add_routed(
        &mut self,
        method: &Method,
        path: &str,
        summary: &'static str,
        handler: MethodRouter<App>,
        describe: Describe,
    ) {
        let (method, path) = (method.clone(), path.to_owned());
        self.0.push(Route { method, path, guard: Guard::Public, summary, handler, describe });
    }
}

fn filter(method: &Method) -> MethodFilter {
    // Every method of the table is one of the standard ones.
    MethodFilter::try_from(method.clone()).expect("the table has standard methods only")
}

/// Whether a path is one of a template's.
fn matches_path(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}
