//! Bundles, as the issuer's catalogue document has them: fetched, missing, stale, wrong.

use std::time::Duration;

use ambit_protocol::catalogue::CatalogueDocument;
use ambit_protocol::time::Timestamp;
use ambit_resource_server::{Bundles, Carried, Implied, Issuer};
use serde_json::{Value, json};

use crate::support::{CATALOGUE, ISSUER, Key, Reply, World, behind, call, catalogue, scope, settle, usual_scopes};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_bundle_holds_its_ungated_members_and_never_a_gated_one() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let api = world.api();
    for (required, carried, status) in [
        ("pos:baskets:read", "pos.read", 200),
        ("pos:baskets:read", "openid pos.read", 200),
        // Carried itself, the gate was open; the bundle alone never says so.
        ("pos:receipts:read", "pos.read pos:receipts:read", 200),
        ("pos:receipts:read", "pos.read", 403),
        // What the document does not list may be gated, for all an API can know.
        ("pos:unlisted:read", "pos.read", 403),
        ("pos:unlisted:read", "pos:unlisted:read", 200),
        ("pos:baskets:read", "pos.write", 403),
        ("pos.read", "pos:baskets:read pos:receipts:read pos:unlisted:read", 403),
        ("pos:baskets:read", "pos.Read", 403),
        ("pos:baskets:read", "pos.rea pos.read2", 403),
    ] {
        let answer = call(&behind(api.require(required)), &key.token(carried)).await;
        assert_eq!(answer.status, status, "{required} of {carried}: {}", answer.text);
    }
    assert_eq!(world.asked(CATALOGUE), 1, "one document for all of them");
}

#[tokio::test]
async fn all_of_several_scopes_may_come_from_several_bundles() {
    let key = Key::new("k1");
    let router = behind(World::with(&[&key]).api().require_all(["pos:baskets:read", "pos:baskets:create"]));
    assert_eq!(call(&router, &key.token("pos.read pos.write")).await.status, 200);
    assert_eq!(call(&router, &key.token("pos.read pos:baskets:create")).await.status, 200);
    assert_eq!(call(&router, &key.token("pos.read")).await.status, 403);
}

#[tokio::test]
async fn without_a_catalogue_a_bundle_stands_for_itself_and_the_refusal_says_so() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    world.publish(CATALOGUE, Reply::Status(500));
    let api = world.api();
    let router = behind(api.require("pos:baskets:read"));
    assert_eq!(call(&router, &key.token("pos:baskets:read")).await.status, 200, "what is carried needs no catalogue");
    let refused = call(&router, &key.token("pos.read")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.detail().contains("the issuer's scope catalogue cannot be read now"), "{}", refused.text);

    // It comes back, and is asked for again once the interval between two fetches has passed.
    world.publish(CATALOGUE, Reply::Fresh(catalogue(&usual_scopes()), 300));
    assert_eq!(call(&router, &key.token("pos.read")).await.status, 403);
    assert_eq!(world.asked(CATALOGUE), 1);
    world.advance(Duration::from_secs(5));
    assert_eq!(call(&router, &key.token("pos.read")).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_has_no_catalogue_has_no_bundles() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    world.publish(CATALOGUE, Reply::Status(404));
    let router = behind(world.api().require("pos:baskets:read"));
    let refused = call(&router, &key.token("pos.read")).await;
    assert_eq!(refused.detail(), "the token does not hold scope 'pos:baskets:read', which this endpoint requires");
    assert_eq!(call(&router, &key.token("pos:baskets:read")).await.status, 200);
}

#[tokio::test]
async fn a_catalogue_that_was_there_and_answers_404_is_in_trouble_and_not_gone() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let router = behind(world.api().require("pos:baskets:read"));
    let token = key.token("pos.read");
    assert_eq!(call(&router, &token).await.status, 200);
    world.publish(CATALOGUE, Reply::Status(404));
    world.advance(10 * MINUTE);
    assert_eq!(call(&router, &token).await.status, 200);
}

#[tokio::test]
async fn a_scope_that_becomes_gated_is_implied_until_the_document_is_stale_and_no_longer() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let router = behind(world.api().require("pos:baskets:read"));
    let token = key.token("pos.read");
    assert_eq!(call(&router, &token).await.status, 200);

    let gated = [scope("pos.read", &["pos:baskets:read"], None), scope("pos:baskets:read", &[], Some("baskets"))];
    world.publish(CATALOGUE, Reply::Fresh(catalogue(&gated), 300));
    world.advance(Duration::from_secs(299));
    assert_eq!(call(&router, &token).await.status, 200, "fresh for 300 seconds");
    assert_eq!(world.asked(CATALOGUE), 1);
    // Stale: used once more, while the new one is on its way.
    world.advance(Duration::from_secs(1));
    assert_eq!(call(&router, &token).await.status, 200);
    settle().await;
    assert_eq!(world.asked(CATALOGUE), 2);
    assert_eq!(call(&router, &token).await.status, 403);
}

#[tokio::test]
async fn a_catalogue_is_believed_for_two_hours_while_the_issuer_is_away() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let issuer = Issuer::new(ISSUER).jwks(serde_json::from_str(&crate::support::key_set(&[&key])).expect("a set"));
    let router = behind(world.api_of(issuer).require("pos:baskets:read"));
    let long = |scope: &str| {
        let mut claims = crate::support::claims(scope);
        claims["exp"] = json!(crate::support::NOW + 4 * 3600);
        key.sign(&claims)
    };
    assert_eq!(call(&router, &long("pos.read")).await.status, 200);
    world.publish(CATALOGUE, Reply::Status(503));
    world.advance(60 * MINUTE);
    assert_eq!(call(&router, &long("pos.read")).await.status, 200, "the first one waits, and makes do");
    world.advance(60 * MINUTE);
    assert_eq!(call(&router, &long("pos.read")).await.status, 200, "two hours to the second");
    world.advance(Duration::from_millis(1));
    assert_eq!(call(&router, &long("pos.read")).await.status, 403);
    assert_eq!(call(&router, &long("pos:baskets:read")).await.status, 200);
}

#[tokio::test]
async fn a_catalogue_that_is_none_or_anothers_implies_nothing() {
    let key = Key::new("k1");
    let mut anothers: Value = serde_json::from_str(&catalogue(&usual_scopes())).expect("JSON");
    anothers["issuer"] = json!("https://as.example/");
    for body in ["", "<html>", "[]", "{}", r#"{"issuer":"https://as.example"}"#, "\u{feff}{}", &anothers.to_string()] {
        let world = World::with(&[&key]);
        world.publish(CATALOGUE, Reply::Bare(body.into()));
        let refused = call(&behind(world.api().require("pos:baskets:read")), &key.token("pos.read")).await;
        assert_eq!(refused.status, 403, "{body}");
        assert!(refused.detail().contains("cannot be read now"), "{body}: {}", refused.text);
    }
    let world = World::with(&[&key]);
    let mut large = catalogue(&usual_scopes());
    large.push_str(&" ".repeat(8 * 1024 * 1024 + 1 - large.len()));
    world.publish(CATALOGUE, Reply::Bare(large.clone().into()));
    let token = key.token("pos.read");
    assert_eq!(call(&behind(world.api().require("pos:baskets:read")), &token).await.status, 403, "8 MiB and one");
    large.pop();
    world.publish(CATALOGUE, Reply::Bare(large.into()));
    assert_eq!(call(&behind(world.api().require("pos:baskets:read")), &token).await.status, 200, "8 MiB");
}

#[tokio::test]
async fn a_catalogue_of_a_later_version_is_read_as_far_as_it_is_understood() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let scopes = [
        json!({"name": "pos.read", "kind": "mesh", "includes": ["a", "b"], "weight": 3}),
        json!({"name": "a", "kind": {"of": "the future"}}),
        // However a gate is written one day, it gates.
        json!({"name": "b", "feature": {"any": ["x", "y"]}}),
    ];
    world.publish(CATALOGUE, Reply::Fresh(catalogue(&scopes), 300));
    let api = world.api();
    assert_eq!(call(&behind(api.require("a")), &key.token("pos.read")).await.status, 200);
    assert_eq!(call(&behind(api.require("b")), &key.token("pos.read")).await.status, 403);
}

#[tokio::test]
async fn a_catalogue_that_was_handed_in_is_never_fetched() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let document: CatalogueDocument = serde_json::from_str(&catalogue(&usual_scopes())).expect("a document");
    let api = world.api_of(Issuer::new(ISSUER).catalogue(document));
    assert_eq!(call(&behind(api.require("pos:baskets:read")), &key.token("pos.read")).await.status, 200);
    assert_eq!(call(&behind(api.require("pos:receipts:read")), &key.token("pos.read")).await.status, 403);
    let api = world.api_of(Issuer::new(ISSUER).without_catalogue());
    assert_eq!(call(&behind(api.require("pos:baskets:read")), &key.token("pos.read")).await.status, 403);
    assert_eq!(world.asked(CATALOGUE), 0);
}

#[tokio::test]
async fn an_api_may_have_bundles_of_its_own() {
    /// `everything` implies every scope.
    #[derive(Debug)]
    struct Everything;

    impl Bundles for Everything {
        fn implies(&self, carried: Carried<'_>, scope: &str, _: Timestamp) -> Implied {
            assert!(!carried.contains(scope), "never asked about what is carried");
            if carried.contains("everything") { Implied::Yes } else { Implied::No }
        }
    }

    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let router = behind(world.api_of(Issuer::new(ISSUER).bundles(Everything)).require("a"));
    assert_eq!(call(&router, &key.token("everything")).await.status, 200);
    assert_eq!(call(&router, &key.token("a")).await.status, 200);
    assert_eq!(call(&router, &key.token("b")).await.status, 403);
    assert_eq!(world.asked(CATALOGUE), 0);
}
