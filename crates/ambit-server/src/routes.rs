//! Every URL, its guard and its handler.
use crate::oauth;
use crate::state::App;
use crate::web;
use axum::Router;
use axum::routing::{get, post};

pub fn required_scopes(_endpoint: &str) -> Option<Vec<String>> {
    None
}

pub fn opened_by(_scope: &str) -> Vec<(String, String)> {
    vec![]
}

pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for prefix in ["", "/tenants/{slug}"] {
        router = router
            .route(&format!("{prefix}/connect/token"), post(oauth::token::token))
            .route(&format!("{prefix}/connect/introspect"), post(oauth::introspect::introspect))
            .route(&format!("{prefix}/connect/revoke"), post(oauth::revoke::revoke))
            .route(&format!("{prefix}/connect/scopes"), get(oauth::scopes::scopes))
            .route(&format!("{prefix}/connect/explain"), post(oauth::explain::ask))
            .route(&format!("{prefix}/.well-known/openid-configuration"), get(oauth::metadata::metadata))
            .route(&format!("{prefix}/.well-known/scope-catalogue"), get(oauth::catalogue::catalogue))
            .route(&format!("{prefix}/.well-known/jwks.json"), get(oauth::jwks::jwks))
            .route(&format!("{prefix}/connect/jwks"), get(oauth::jwks::jwks));
    }
    router
        .route("/errors/", get(web::errors::index))
        .route("/errors/{domain}/{name}", get(web::errors::show))
        .layer(axum::middleware::from_fn_with_state(app.clone(), crate::middleware::context))
        .with_state(app)
}
