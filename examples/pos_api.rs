//! A till's API, protected: `cargo run -p ambit-resource-server --example pos_api`, beside a server with `--demo`.

use std::error::Error;

use ambit_resource_server::{Identity, Issuer, ResourceServer};
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) fn routes(api: &ResourceServer) -> Router {
    Router::new()
        .route("/baskets", post(create_basket).route_layer(api.require("pos:baskets:create")))
        .route("/baskets/{id}", get(read_basket).route_layer(api.require("pos:baskets:read")))
        .route("/receipts/{id}", get(read_receipt).route_layer(api.require("pos:receipts:read")))
        .merge(api.metadata_route())
}

async fn create_basket(identity: Identity) -> Json<Value> {
    Json(json!({"id": 1, "by": identity.client_id(), "tenant": identity.tenant_slug(), "unit": identity.unit_id()}))
}

async fn read_basket(identity: Identity, Path(id): Path<u64>) -> Json<Value> {
    // Beyond the route's own scope: what this caller may do next.
    Json(json!({"id": id, "may_finalize": identity.holds("pos:baskets:finalize")}))
}

async fn read_receipt(Path(id): Path<u64>) -> Json<Value> {
    Json(json!({"id": id, "total": "12.40"}))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::new("http://127.0.0.1:5000").with_tenants();
    let api = ResourceServer::builder(issuer, "https://api.retail.example/pos").name("POS API").build()?;
    api.verifier().warm_up().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:5100").await?;
    Ok(axum::serve(listener, routes(&api)).await?)
}
