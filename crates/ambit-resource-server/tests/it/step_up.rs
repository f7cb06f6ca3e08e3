//! Endpoints that want a person who has signed in strongly enough, and lately (RFC 9470).

use std::time::Duration;

use ambit_protocol::challenge::ReceivedChallenge;
use ambit_resource_server::{Guard, ResourceServer, StepUp};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Key, NOW, World, behind, call, claims};

const AAL2: &str = "urn:ambit:aal2";

/// A token of somebody who signed in so and then.
fn signed_in(acr: &Value, auth_time: &Value) -> Value {
    let mut claims = claims("pos.read");
    for (name, value) in [("acr", acr), ("auth_time", auth_time)] {
        if !value.is_null() {
            claims[name] = value.clone();
        }
    }
    claims
}

struct Api {
    key: Key,
    api: ResourceServer,
}

impl Api {
    fn new() -> Self {
        let key = Key::new("k1");
        let api = World::with(&[&key]).api();
        Self { key, api }
    }

    async fn asked(&self, guard: Guard, claims: &Value) -> Answer {
        call(&behind(guard), &self.key.sign(claims)).await
    }

    async fn with(&self, step_up: StepUp, acr: Value, auth_time: Value) -> Answer {
        self.asked(self.api.require("pos.read").with_step_up(step_up), &signed_in(&acr, &auth_time)).await
    }
}

#[tokio::test]
async fn a_sign_in_of_one_of_the_classes_and_no_older_than_asked_comes_in() {
    let api = Api::new();
    let any = || StepUp::acr([AAL2, "urn:other:gold"]);
    let lately = Duration::from_mins(5);
    for (step_up, acr, auth_time) in [
        (any(), json!(AAL2), json!(NOW)),
        (any(), json!("urn:other:gold"), Value::Null),
        (any().within(lately), json!(AAL2), json!(NOW - 300)),
        (StepUp::fresh(lately), json!("urn:ambit:aal1"), json!(NOW - 300)),
        (StepUp::fresh(lately), Value::Null, json!(NOW + 5)),
        (StepUp::fresh(Duration::ZERO), Value::Null, json!(NOW)),
    ] {
        let answer = api.with(step_up.clone(), acr.clone(), auth_time.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{step_up:?} {acr} {auth_time}: {}", answer.text);
    }
}

#[tokio::test]
async fn one_that_is_weaker_older_or_nobodys_does_not() {
    let api = Api::new();
    let strong = || StepUp::acr([AAL2]);
    let lately = Duration::from_mins(5);
    for (step_up, acr, auth_time, said) in [
        (
            strong(),
            json!("urn:ambit:aal1"),
            json!(NOW),
            "is of class 'urn:ambit:aal1'; this endpoint wants 'urn:ambit:aal2'",
        ),
        (strong(), Value::Null, json!(NOW), "is of no class"),
        // Compared whole: neither a part of it nor another case of it.
        (strong(), json!("urn:ambit:aal2x"), json!(NOW), "wants 'urn:ambit:aal2'"),
        (strong(), json!("URN:AMBIT:AAL2"), json!(NOW), "wants 'urn:ambit:aal2'"),
        (strong(), Value::Null, Value::Null, "nobody has signed in for this token"),
        (
            strong().within(lately),
            json!(AAL2),
            json!(NOW - 301),
            "is 301 s old; this endpoint wants one of at most 300 s",
        ),
        (strong().within(lately), json!("urn:ambit:aal1"), json!(NOW), "wants 'urn:ambit:aal2'"),
        (StepUp::fresh(lately), json!(AAL2), Value::Null, "does not tell when"),
        (StepUp::fresh(lately), json!(AAL2), json!(NOW + 600), "does not tell when"),
        (StepUp::fresh(Duration::ZERO), json!(AAL2), json!(NOW - 1), "is 1 s old"),
    ] {
        let answer = api.with(step_up.clone(), acr.clone(), auth_time.clone()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{step_up:?} {acr} {auth_time}: {}", answer.text);
        assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains(said)), "{said}: {}", answer.text);
    }
}

/// RFC 9470 §3: what a client sends its person to the authorization endpoint with.
#[tokio::test]
async fn the_challenge_says_what_to_sign_in_with() {
    let api = Api::new();
    let step_up = StepUp::acr([AAL2, "urn:other:gold"]).within(Duration::from_mins(5));
    let answer = api.with(step_up, json!("urn:ambit:aal1"), json!(NOW)).await;
    let challenges = ReceivedChallenge::parse_all(answer.challenge()).expect("a challenge");
    let [challenge] = &challenges[..] else { panic!("{challenges:?}") };
    for (name, value) in [
        ("error", "insufficient_user_authentication"),
        ("acr_values", "urn:ambit:aal2 urn:other:gold"),
        ("max_age", "300"),
        ("scope", "pos.read"),
        ("error_uri", "https://as.example/errors/api/oauth2-insufficient-user-authentication"),
    ] {
        assert_eq!(challenge.param(name), Some(value), "{name}: {}", answer.challenge());
    }
    assert_eq!(answer.json["type"], "https://as.example/errors/api/oauth2-insufficient-user-authentication");

    let only_fresh = api.with(StepUp::fresh(Duration::from_secs(1)), json!(AAL2), json!(NOW - 2)).await;
    assert!(!only_fresh.challenge().contains("acr_values"), "{}", only_fresh.challenge());
    let only_strong = api.with(StepUp::acr([AAL2]), Value::Null, json!(NOW)).await;
    assert!(!only_strong.challenge().contains("max_age"), "{}", only_strong.challenge());
}

#[tokio::test]
async fn who_lacks_the_scope_as_well_is_told_of_that_first() {
    let api = Api::new();
    let guard = api.api.require("pos.write").with_step_up(StepUp::acr([AAL2]));
    let answer = api.asked(guard, &signed_in(&json!("urn:ambit:aal1"), &json!(NOW))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
    assert!(answer.challenge().contains("insufficient_scope"));
    let guard = api.api.authenticated().with_step_up(StepUp::acr([AAL2]));
    let answer = api.asked(guard, &signed_in(&json!("urn:ambit:aal1"), &json!(NOW))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
}
