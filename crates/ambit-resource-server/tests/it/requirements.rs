//! What a route requires, and which tokens do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ambit_resource_server::{Requirement, RequirementError};

use crate::support::{Key, World, behind, call};

#[tokio::test]
async fn a_guard_wants_its_scope_or_one_of_several_or_all_of_them() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let one = behind(api.require("pos:baskets:create"));
    let any = behind(api.require_any(["a", "b"]));
    let all = behind(api.require_all(["a", "b"]));
    let nothing = behind(api.authenticated());
    for (router, carried, status) in [
        (&one, "pos:baskets:create", 200),
        (&one, "x pos:baskets:create y", 200),
        (&one, "pos:baskets:creat", 403),
        (&one, "pos:baskets:create2", 403),
        (&one, "POS:baskets:create", 403),
        (&one, "", 403),
        (&any, "a", 200),
        (&any, "b", 200),
        (&any, "c", 403),
        (&all, "a b", 200),
        (&all, "b c a", 200),
        (&all, "a", 403),
        (&all, "b", 403),
        (&nothing, "", 200),
        (&nothing, "whatever", 200),
    ] {
        let answer = call(router, &key.token(carried)).await;
        assert_eq!(answer.status, status, "{carried}: {}", answer.text);
        assert_eq!(answer.text == "in", status == 200, "the handler runs for nobody else");
    }
}

#[tokio::test]
async fn a_token_without_a_scope_claim_holds_nothing() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let token = key.sign(&crate::support::claims_with("scope", serde_json::Value::Null));
    assert_eq!(call(&behind(api.authenticated()), &token).await.status, 200);
    assert_eq!(call(&behind(api.require("a")), &token).await.status, 403);
}

#[tokio::test]
async fn a_requirement_made_elsewhere_guards_as_one_written_in_place() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api();
    let requirement = Requirement::any(["a", "b"]).expect("scopes");
    let guard = api.guard(requirement.clone());
    assert_eq!(guard.requirement(), Some(&requirement));
    assert_eq!(call(&behind(guard), &key.token("b")).await.status, 200);
    assert_eq!(api.authenticated().requirement(), None);
}

#[test]
fn a_name_that_is_no_scope_is_noticed_when_the_routes_are_made() {
    let api = World::new().api();
    let panics = |make: &dyn Fn()| catch_unwind(AssertUnwindSafe(make)).is_err();
    assert!(panics(&|| drop(api.require("two words"))));
    assert!(panics(&|| drop(api.require_any::<&str>([]))));
    assert!(panics(&|| drop(api.require_all(["a", "two words"]))));
    assert!(!panics(&|| drop(api.require_all(["a", "b"]))));
    let asked = api.require("a").asking_for(["\"quoted\""]);
    assert!(matches!(asked, Err(RequirementError::Scope { .. })));
}
