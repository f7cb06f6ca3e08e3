//! `GET {issuer}/.well-known/scope-catalogue` (scopes.md §7): what scopes there are, what bundles include, what gates there are,
//! and which endpoints of the admin API a scope opens.

use std::collections::BTreeSet;

use ambit_core::governance::catalogue::{Catalogue, Entry};
use ambit_protocol::catalogue::{CatalogueApi, CatalogueDocument, CatalogueEndpoint, CatalogueFeature, CatalogueScope};
use ambit_protocol::scope::ScopeToken;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::metadata::{owner, public};
use crate::issuer::Issuer;
use crate::problem::Answer;
use crate::routes;
use crate::state::App;

/// The catalogue of an issuer: what is advertised and offered to its owner.
pub async fn catalogue(State(app): State<App>, issuer: Issuer, parts: Parts) -> Response {
    let owner = match owner(&app, &issuer).await {
        Ok(owner) => owner,
        Err(error) => return Answer::of(&parts, &app).store_failure(&error).into_response(),
    };
    let snapshot = app.registry.snapshot();
    let listed: Vec<&Entry> = snapshot.catalogue.advertised(owner, app.clock.now()).collect();
    let names: BTreeSet<&ScopeToken> = listed.iter().map(|entry| &entry.scope.name).collect();
    let apis: BTreeSet<usize> = listed.iter().filter_map(|entry| entry.api).collect();
    let gated: BTreeSet<_> = listed.iter().filter_map(|entry| entry.scope.feature.as_ref()).collect();
    let document = CatalogueDocument {
        issuer: issuer.url(&app.base_url).into_owned(),
        revision: snapshot.revision,
        apis: apis
            .iter()
            .map(|place| &snapshot.catalogue.apis()[*place])
            .map(|api| CatalogueApi { identifier: api.identifier.clone(), name: api.name.clone() })
            .collect(),
        features: snapshot
            .features
            .iter()
            .filter(|feature| gated.contains(&feature.key))
            .map(|feature| CatalogueFeature { key: feature.key.clone(), title: feature.title.clone() })
            .collect(),
        scopes: listed.iter().map(|entry| described(entry, &snapshot.catalogue, &names, &app)).collect(),
    };
    public(&document, &parts.headers)
}

fn described(entry: &Entry, catalogue: &Catalogue, names: &BTreeSet<&ScopeToken>, app: &App) -> CatalogueScope {
    let scope = &entry.scope;
    let api = entry.api.map(|place| catalogue.apis()[place].identifier.clone());
    let is_ours = api.as_ref().is_some_and(|identifier| identifier.as_str() == app.admin_api_identifier());
    CatalogueScope {
        name: scope.name.clone(),
        api,
        kind: scope.kind,
        title: scope.title.clone(),
        description: scope.description.clone(),
        // What is not advertised is not mentioned in its bundle either.
        includes: scope.includes.iter().filter(|name| names.contains(name)).cloned().collect(),
        feature: scope.feature.clone(),
        grants: scope.grants.clone(),
        sensitivity: scope.sensitivity,
        state: scope.state,
        successor: scope.successor.clone().filter(|name| names.contains(name)),
        sunset: scope.sunset,
        endpoints: if is_ours { endpoints_of(&scope.name) } else { vec![] },
    }
}

/// The endpoints of the admin API that a scope opens, from the route table.
fn endpoints_of(name: &ScopeToken) -> Vec<CatalogueEndpoint> {
    routes::opened_by(name.as_str()).into_iter().map(|(method, path)| CatalogueEndpoint { method, path }).collect()
}
