//! `decide` by itself: one request for 20 scopes in a catalogue of 1,000.

use std::hint::black_box;
use std::sync::Arc;

use ambit_core::governance::catalogue::Catalogue;
use ambit_core::governance::ceiling::Ceiling;
use ambit_core::governance::decision::{Outcome, decide};
use ambit_core::governance::gates::Gates;
use ambit_core::governance::rules::{Facts, Subject};
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::id::{ApiId, Id as _};
use ambit_protocol::time::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Failure;
use crate::rounds::Spread;

/// What one kind of request costs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) name: String,
    /// Whether the figure of the whole is meant by the requirement, or only said beside it.
    pub(crate) asked_for: bool,
    pub(crate) nanos: Spread,
}

/// Measures every kind of request for so long, and prints the [`Cost`]s as JSON.
pub(crate) fn run(seconds: f64) -> Result<(), Failure> {
    let catalogue = catalogue()?;
    if catalogue.len() != APIS * SCOPES_PER_API {
        return Err(format!("a catalogue of {} scopes", catalogue.len()).into());
    }
    let gates = Gates { tenant: Some(Arc::new([FEATURE.parse()?].into_iter().collect())), unit: None };
    let granular = (0..20).map(|n| format!("api{}:thing{}:read", n % APIS, n)).collect::<Vec<_>>();
    let mixed =
        (0..20).map(|n| if n % 2 == 0 { format!("api{}.bundle{}", n % APIS, n / 10) } else { granular[n].clone() });
    let mixed = mixed.collect::<Vec<_>>();
    let mut strange = granular.clone();
    "api3:thing3:raed".clone_into(&mut strange[19]);

    let mut costs = Vec::new();
    for (name, asked_for, names, outcome) in [
        ("decide, 20 granular scopes of 1,000", true, &granular, Outcome::Granted),
        (
            "decide, 10 bundles and 10 granular scopes of 1,000, gated members among them",
            true,
            &mixed,
            Outcome::Granted,
        ),
        ("decide, 20 scopes of 1,000, one unknown", false, &strange, Outcome::Refused),
    ] {
        let ceiling = Ceiling::new(&application(&granular, &mixed)?, &catalogue);
        let facts = Facts {
            catalogue: &catalogue,
            ceiling: &ceiling,
            gates: &gates,
            subject: Subject::Service,
            resources: &[],
            original: None,
            now: NOW,
        };
        let requested = names.join(" ");
        let decision = decide(Some(&requested), &facts);
        if decision.outcome != outcome {
            return Err(format!("{name}: {:?}, {}", decision.outcome, decision.description()).into());
        }
        let nanos = Spread::measure(seconds, || decide(black_box(Some(&requested)), black_box(&facts)));
        costs.push(Cost { name: name.to_owned(), asked_for, nanos });
    }
    println!("{}", serde_json::to_string(&costs)?);
    Ok(())
}

/// Ten APIs of 100 scopes: ten bundles, each of nine granular scopes of which one is gated.
fn catalogue() -> Result<Catalogue, Failure> {
    let (mut apis, mut scopes) = (Vec::<Api>::new(), Vec::<Scope>::new());
    for api in 0..APIS {
        let id = ApiId::from_uuid(Uuid::from_u128(api as u128 + 1));
        apis.push(document(json!({
            "id": id, "identifier": format!("https://api{api}.bench.example"), "name": format!("api{api}"), "tenant_id": null,
            "partner_id": null, "token_lifetime_secs": null, "signing_algorithm": null,
        }))?);
        let mut scope = |name: String, special: Value| {
            let mut scope = json!({
                "name": name, "api": id, "tenant_id": null, "partner_id": null, "kind": "granular",
                "title": { "en": name }, "description": { "en": name }, "includes": [], "feature": null,
                "grants": ["service", "user"], "roles": [], "sensitivity": "normal", "state": "active",
                "successor": null, "sunset": null, "advertised": true, "ordinal": scopes.len(),
            });
            merge(&mut scope, special);
            scopes.push(document(scope)?);
            Ok::<_, Failure>(())
        };
        for bundle in 0..BUNDLES {
            let members = (0..MEMBERS).map(|member| format!("api{api}:thing{}:read", bundle * MEMBERS + member));
            let members = members.collect::<Vec<_>>();
            for (place, member) in members.iter().enumerate() {
                let feature = (place == MEMBERS - 1).then_some(FEATURE);
                scope(member.clone(), json!({ "feature": feature }))?;
            }
            scope(format!("api{api}.bundle{bundle}"), json!({ "kind": "coarse", "includes": members }))?;
        }
    }
    Ok(Catalogue::new(apis, scopes))
}

fn application(granular: &[String], mixed: &[String]) -> Result<Application, Failure> {
    let mut allowed = [granular, mixed].concat();
    allowed.sort();
    allowed.dedup();
    document(json!({
        "id": "app_00000000000000000000000001", "client_id": "bench", "name": "bench", "type": "service", "level": "platform",
        "tenant_id": null, "partner_id": null, "status": "active", "allowed_scopes": allowed, "scopes_changed_at": NOW,
        "scope_policy": {}, "redirect_uris": [], "post_logout_redirect_uris": [], "allowed_origins": [],
        "grant_types": ["client_credentials"], "token_lifetime_secs": 3600,
        "token_endpoint_auth_method": "client_secret_basic", "jwks": null,
    }))
}

/// A registered thing, from what is special about it.
pub(crate) fn document<T: DeserializeOwned>(mut special: Value) -> Result<T, Failure> {
    merge(&mut special, json!({ "created_at": NOW, "updated_at": NOW, "revision": 1 }));
    Ok(serde_json::from_value(special)?)
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

const APIS: usize = 10;
const BUNDLES: usize = 10;
const MEMBERS: usize = 9;
const SCOPES_PER_API: usize = BUNDLES * (MEMBERS + 1);
const FEATURE: &str = "digital-receipts";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
