//! An issuer's keys: found, cached, refreshed within limits, rotated, withdrawn, and what happens when they cannot be had.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambit_protocol::jose::{JwkSet, VerifyingKeys};
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{LEEWAY_SECS, TokenError};
use ambit_resource_server::{Issuer, Keys, Lookups, ResourceServer, TokenVerifier, VerifyError};
use http::header;
use serde_json::json;

use crate::support::{
    API, ISSUER, JWKS, Key, METADATA, NOW, Reply, World, behind, call, claims, claims_with, key_set, metadata, settle,
};

const OPENID: &str = "https://as.example/.well-known/openid-configuration";
const MINUTE: Duration = Duration::from_mins(1);

/// A token that outlives every test in here.
fn long_lived(key: &Key) -> String {
    key.sign(&claims_with("exp", json!(NOW + 24 * 3600)))
}

#[tokio::test]
async fn keys_are_fetched_once_for_everybody() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let tokens: Vec<String> =
        (0..100).map(|number| key.sign(&claims_with("jti", json!(format!("t{number}"))))).collect();
    // All at once, before there is any key: they wait for the same fetch.
    let answers = futures_util::future::join_all(tokens.iter().map(|token| verifier.verify(token))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((world.asked(METADATA), world.asked(JWKS)), (1, 1));
    assert_eq!(verifier.remembered(), 100);
}

#[tokio::test]
async fn keys_are_found_by_openid_discovery_where_there_is_no_other() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    world.publish(METADATA, Reply::Status(404));
    world.publish(OPENID, Reply::Fresh(metadata(ISSUER, JWKS), 300));
    let api = world.api();
    assert_eq!(call(&behind(api.authenticated()), &key.token("a")).await.status, 200);
    assert_eq!(world.asked(OPENID), 1);
}

#[tokio::test]
async fn metadata_that_is_anothers_or_leads_astray_gives_no_keys() {
    let key = Key::new("k1");
    for document in [
        metadata("https://as.example/", JWKS),
        metadata("https://as.example.evil.example", JWKS),
        metadata(ISSUER, "http://as.example/connect/jwks"),
        metadata(ISSUER, "http://127.0.0.1/connect/jwks"),
        metadata(ISSUER, "file:///etc/passwd"),
        metadata(ISSUER, "https://user:secret@as.example/connect/jwks"),
        metadata(ISSUER, "nowhere"),
        json!({"issuer": ISSUER}).to_string(),
        "[]".to_owned(),
        String::new(),
    ] {
        let world = World::with(&[&key]);
        for url in ["http://127.0.0.1/connect/jwks", "http://as.example/connect/jwks"] {
            world.publish(url, Reply::Fresh(key_set(&[&key]), 300));
        }
        world.publish(METADATA, Reply::Fresh(document.clone(), 300));
        let refused = call(&behind(world.api().authenticated()), &key.token("a")).await;
        assert_eq!(refused.status, 503, "{document}");
        assert_eq!(world.addresses(), [METADATA, OPENID], "{document}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_503_and_never_401() {
    let key = Key::new("k1");
    let mut huge = key_set(&[&key]);
    huge.push_str(&" ".repeat(1024 * 1024 + 1 - huge.len()));
    for reply in [
        Reply::Status(500),
        Reply::Status(404),
        Reply::Status(302),
        Reply::Status(204),
        Reply::Bare(vec![]),
        Reply::Bare(b"<html>".into()),
        Reply::Bare(b"[]".into()),
        Reply::Bare(br#"{"keys":{}}"#.into()),
        Reply::Bare(b"\xff\xfe".into()),
        Reply::Bare(huge.into()),
    ] {
        let world = World::with(&[&key]);
        world.publish(JWKS, reply.clone());
        let refused = call(&behind(world.api().authenticated()), &key.token("a")).await;
        assert_eq!(refused.status, 503, "{reply:?}");
        assert_eq!(refused.header(header::RETRY_AFTER), "5");
        assert_eq!(refused.challenge(), "", "it is not the token's fault");
        assert_eq!(refused.json["type"], "https://as.example/errors/api/temporarily-unavailable");
        assert_eq!(world.asked(JWKS), 1);
    }
    // The edge: one octet less.
    let world = World::new();
    let mut large = key_set(&[&key]);
    large.push_str(&" ".repeat(1024 * 1024 - large.len()));
    world.publish(JWKS, Reply::Bare(large.into()));
    assert_eq!(call(&behind(world.api().authenticated()), &key.token("a")).await.status, 200);
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_keys() {
    let world = World::new();
    world.publish(JWKS, Reply::Status(500));
    let router = behind(world.api().authenticated());
    for text in ["garbage", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(call(&router, text).await.status, 401, "{text}");
    }
    settle().await;
    assert_eq!(world.asked(METADATA), 1, "the first look starts the fetch that will be needed anyway");
}

#[tokio::test(start_paused = true)]
async fn a_key_set_that_never_comes_keeps_nobody_waiting_for_long() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    world.publish(JWKS, Reply::Hangs);
    let router = behind(world.api().authenticated());
    let token = key.token("a");
    // A paused clock jumps to the next moment somebody waits for: were there none, this would hang.
    let refused = tokio::time::timeout(Duration::from_millis(5_100), call(&router, &token)).await.expect("an answer");
    assert_eq!(refused.status, 503);

    // 300 more come while one fetch hangs. Those for whom there is no place to wait are answered at once.
    world.advance(MINUTE);
    let calls: Vec<_> = (0..300)
        .map(|_| {
            let (router, token) = (router.clone(), token.clone());
            tokio::spawn(async move { call(&router, &token).await.status })
        })
        .collect();
    settle().await;
    assert_eq!(calls.iter().filter(|call| call.is_finished()).count(), 300 - 256);
    let answers = tokio::time::timeout(Duration::from_millis(5_100), futures_util::future::join_all(calls)).await;
    assert!(answers.expect("answers").into_iter().all(|status| status.expect("a call") == 503));
    assert_eq!(world.asked(JWKS), 2, "and there was one fetch");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_takes_longer_than_anybody_waits_stays_the_only_one() {
    // Neither document of the discovery ever comes: looking for the keys takes ten seconds.
    let world = World::new();
    world.publish(METADATA, Reply::Hangs);
    world.publish(OPENID, Reply::Hangs);
    let router = behind(world.api().authenticated());
    let token = Key::new("k1").token("a");
    let first = tokio::time::timeout(Duration::from_millis(5_001), call(&router, &token)).await;
    assert_eq!(first.expect("an answer, before there is one for us").status, 503);
    // By the API's clock another one may begin; but the first is on its way, and the next request waits for that.
    world.advance(Duration::from_secs(6));
    assert!(tokio::time::timeout(Duration::from_secs(4), call(&router, &token)).await.is_err());
    assert_eq!((world.asked(METADATA), world.asked(OPENID)), (1, 1));
}

#[tokio::test]
async fn a_key_that_is_of_no_use_spoils_not_the_others() {
    let key = Key::new("k1");
    let mut set: serde_json::Value = serde_json::from_str(&key_set(&[&key])).expect("JSON");
    let keys = set["keys"].as_array_mut().expect("keys");
    keys.insert(0, json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"}));
    keys.insert(1, json!({"kty": "EC", "crv": "P-521", "kid": "k0"}));
    keys.push(json!("no key"));
    let world = World::new();
    world.publish(JWKS, Reply::Fresh(set.to_string(), 300));
    assert_eq!(call(&behind(world.api().authenticated()), &key.token("a")).await.status, 200);

    world.publish(JWKS, Reply::Fresh(r#"{"keys":[]}"#.to_owned(), 300));
    let refused = call(&behind(world.api().authenticated()), &key.token("a")).await;
    assert_eq!(refused.detail(), "the token was signed with a key that is not known here");
}

#[tokio::test]
async fn a_token_of_a_key_that_was_just_published_is_good_and_those_of_the_old_one_stay_good() {
    let (old, new) = (Key::new("k1"), Key::new("k2"));
    let world = World::with(&[&old]);
    let router = behind(world.api().authenticated());
    assert_eq!(call(&router, &old.token("a")).await.status, 200);

    world.publish(JWKS, Reply::Fresh(key_set(&[&old, &new]), 300));
    world.advance(Duration::from_secs(5));
    assert_eq!(call(&router, &new.token("a")).await.status, 200, "fetched because the token named it");
    assert_eq!(world.asked(JWKS), 2);
    assert_eq!(call(&router, &old.token("a")).await.status, 200);
}

#[tokio::test]
async fn ten_thousand_unknown_keys_cause_one_fetch_in_five_seconds() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let router = behind(ResourceServer::over(verifier.clone(), API).build().expect("an API").authenticated());
    let honest = key.token("a");
    assert_eq!(call(&router, &honest).await.status, 200);

    // An attacker has no key of the issuer, and needs none to name one.
    let unknown = |number: u32| {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{number:x}"}}"#);
        let (header, payload) = (crate::support::encode(header), crate::support::encode(claims("a").to_string()));
        format!("{header}.{payload}.{}", crate::support::encode([7; 64]))
    };
    for number in 0..5_000 {
        assert_eq!(call(&router, &unknown(number)).await.status, 401);
    }
    assert_eq!(world.asked(JWKS), 1, "none within five seconds of the one before");
    for number in 5_000..10_000 {
        // A minute, spread over them.
        world.advance(Duration::from_millis(12));
        assert_eq!(call(&router, &unknown(number)).await.status, 401);
    }
    assert!((2..=13).contains(&world.asked(JWKS)), "{} fetches", world.asked(JWKS));
    assert_eq!(world.asked(METADATA), 1);
    assert_eq!(verifier.remembered(), 1, "what is refused is not kept");
    assert_eq!(call(&router, &honest).await.status, 200, "nobody else notices");
}

#[tokio::test]
async fn the_memory_of_verified_tokens_is_bounded() {
    let key = Key::new("k1");
    let verifier = World::with(&[&key]).verifier().issuer(ISSUER).cache_capacity(50).build().expect("a verifier");
    for number in 0..200 {
        let token = key.sign(&claims_with("jti", json!(format!("t{number}"))));
        assert!(verifier.verify(&token).await.is_ok());
    }
    assert!(verifier.remembered() <= 50, "{}", verifier.remembered());
}

#[tokio::test]
async fn a_moment_that_was_read_before_counts_in_place_of_the_clocks() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let token = key.sign(&claims_with("exp", json!(NOW + 60)));
    let end = verifier.verify(&token).await.expect("good").claims().expires_at();
    let at = |moment| verifier.verify_at(&token, moment).expect("keys are there");
    assert!(at(end).is_ok(), "within the leeway");
    assert!(matches!(at(end.plus_secs(LEEWAY_SECS)), Err(VerifyError::Token(TokenError::Expired { .. }))));
    assert!(matches!(verifier.verify_now(&token), Some(Ok(_))), "by the clock it is good");
}

#[tokio::test]
async fn stale_keys_are_used_while_new_ones_are_on_their_way() {
    let (old, new) = (Key::new("k1"), Key::new("k2"));
    let world = World::with(&[&old]);
    let verifier = world.verifier().issuer(ISSUER).build().expect("a verifier");
    let token = long_lived(&old);
    verifier.verify(&token).await.expect("good");

    // Fresh for 300 seconds; then used for a minute without anybody waiting.
    world.publish(JWKS, Reply::Fresh(key_set(&[&new]), 300));
    world.advance(Duration::from_secs(299));
    assert!(matches!(verifier.verify_now(&token), Some(Ok(_))));
    settle().await;
    assert_eq!(world.asked(JWKS), 1, "fresh");
    world.advance(Duration::from_secs(1));
    assert!(matches!(verifier.verify_now(&token), Some(Ok(_))), "stale, and nobody waits");
    settle().await;
    assert_eq!(world.asked(JWKS), 2);
    // The new set is there: the key that it has no more verifies nothing, remembered or not.
    assert!(verifier.verify(&token).await.is_err());
    assert!(verifier.verify(&long_lived(&new)).await.is_ok());
}

#[tokio::test]
async fn a_token_of_a_key_that_was_withdrawn_is_refused_although_it_was_verified_before() {
    let (old, new) = (Key::new("k1"), Key::new("k2"));
    let world = World::with(&[&old, &new]);
    let router = behind(world.api().authenticated());
    let token = long_lived(&old);
    assert_eq!(call(&router, &token).await.status, 200);
    world.publish(JWKS, Reply::Fresh(key_set(&[&new]), 300));
    // Six minutes later nobody uses the stale set any more without asking.
    world.advance(Duration::from_secs(361));
    let refused = call(&router, &token).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.detail(), "the token was signed with a key that is not known here");
}

#[tokio::test]
async fn a_set_that_says_the_same_costs_no_verification() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).cache_time(60 * MINUTE).build().expect("a verifier");
    let token = long_lived(&key);
    let first = verifier.verify(&token).await.expect("good");
    for reply in [Reply::Fresh(key_set(&[&key]), 300), Reply::Bare(key_set(&[&key]).into())] {
        world.publish(JWKS, reply);
        world.advance(10 * MINUTE);
        let again = verifier.verify(&token).await.expect("good");
        assert!(Arc::ptr_eq(&first, &again), "304, or the same octets: what was verified stays so");
    }
    assert_eq!(world.asked(JWKS), 3);
}

#[tokio::test]
async fn a_verified_token_is_remembered_for_its_time_and_then_verified_anew() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let verifier = world.verifier().issuer(ISSUER).cache_time(MINUTE).build().expect("a verifier");
    verifier.warm_up().await;
    let token = long_lived(&key);
    let first = verifier.verify(&token).await.expect("good");
    world.advance(Duration::from_secs(59));
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token).await.expect("good")));
    world.advance(Duration::from_secs(1));
    let second = verifier.verify(&token).await.expect("good");
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&second, &verifier.verify(&token).await.expect("good")));
    assert_eq!(verifier.remembered(), 1);
    assert_eq!(verifier.lookups(), Lookups { hits: 2, misses: 2 });

    let without = world.verifier().issuer(ISSUER).cache_capacity(0).build().expect("a verifier");
    assert!(without.verify(&token).await.is_ok() && without.verify(&token).await.is_ok());
    assert_eq!((without.remembered(), without.lookups().hits), (0, 0));
}

#[tokio::test]
async fn a_token_that_differs_in_one_octet_from_one_that_was_verified_is_not_taken_for_it() {
    let key = Key::new("k1");
    let verifier = World::with(&[&key]).verifier().issuer(ISSUER).build().expect("a verifier");
    let token = key.token("a");
    assert!(verifier.verify(&token).await.is_ok());
    for place in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[place] = if other[place] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).expect("ASCII");
        assert!(verifier.verify(&other).await.is_err(), "octet {place}");
    }
    assert_eq!(verifier.lookups().hits, 0);
    assert_eq!(verifier.remembered(), 1);
}

#[tokio::test]
async fn keys_are_believed_for_two_hours_while_the_issuer_is_away_and_then_no_longer() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let router = behind(world.api().authenticated());
    let token = long_lived(&key);
    assert_eq!(call(&router, &token).await.status, 200);
    world.publish(JWKS, Reply::Status(503));
    world.publish(METADATA, Reply::Status(503));
    for _ in 0..12 {
        world.advance(10 * MINUTE);
        assert_eq!(call(&router, &token).await.status, 200);
        settle().await;
    }
    world.advance(Duration::from_millis(1));
    assert_eq!(call(&router, &token).await.status, 503);
    // It is back.
    world.publish(METADATA, Reply::Fresh(metadata(ISSUER, JWKS), 300));
    world.publish(JWKS, Reply::Fresh(key_set(&[&key]), 300));
    world.advance(Duration::from_secs(5));
    assert_eq!(call(&router, &token).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_moves_its_keys_is_found_again() {
    let (old, new) = (Key::new("k1"), Key::new("k2"));
    let world = World::with(&[&old]);
    let router = behind(world.api().authenticated());
    assert_eq!(call(&router, &old.token("a")).await.status, 200);
    let moved = "https://as.example/keys";
    world.publish(JWKS, Reply::Status(404));
    world.publish(METADATA, Reply::Fresh(metadata(ISSUER, moved), 300));
    world.publish(moved, Reply::Fresh(key_set(&[&new]), 300));
    world.advance(Duration::from_secs(5));
    // The first fetch learns that they are gone, the next one asks where they are.
    assert_eq!(call(&router, &new.token("a")).await.status, 401);
    world.advance(Duration::from_secs(5));
    assert_eq!(call(&router, &new.token("a")).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_nothing_fresh_for_ever() {
    let key = Key::new("k1");
    let world = World::with(&[&key]);
    let router = behind(world.api().authenticated());
    world.advance(30 * MINUTE);
    assert_eq!(call(&router, &key.token("a")).await.status, 200);
    world.advance_back(29 * MINUTE);
    assert_eq!(call(&router, &key.token("a")).await.status, 200);
    assert_eq!(world.asked(JWKS), 2, "asked again");
}

#[tokio::test]
async fn two_issuers_with_a_key_of_the_same_name_verify_their_own_tokens_only() {
    let (ours, theirs) = (Key::new("k1"), Key::new("k1"));
    let other = "https://other.example";
    let world = World::with(&[&ours]);
    world.publish(
        &format!("{other}/.well-known/oauth-authorization-server"),
        Reply::Fresh(metadata(other, "https://other.example/jwks"), 300),
    );
    world.publish("https://other.example/jwks", Reply::Fresh(key_set(&[&theirs]), 300));
    let verifier = world.verifier().issuer(ISSUER).issuer(Issuer::new(other).without_catalogue());
    let verifier = verifier.build().expect("a verifier");
    let by = |key: &Key, iss: &str| key.sign(&claims_with("iss", json!(iss)));
    assert!(verifier.verify(&by(&ours, ISSUER)).await.is_ok());
    assert!(verifier.verify(&by(&theirs, other)).await.is_ok());
    // Whose key made the signature decides, not what the token says of itself.
    for forged in [by(&theirs, ISSUER), by(&ours, other)] {
        let error = verifier.verify(&forged).await.expect_err("another's token");
        assert!(error.to_string().contains("not trusted here"), "{error}");
    }
}

/// Keys in memory, as an authorization server has them for its own API.
#[derive(Debug, Clone)]
struct Ring(Arc<Mutex<Arc<VerifyingKeys>>>);

impl Ring {
    fn of(keys: &[&Key]) -> Self {
        Self(Arc::new(Mutex::new(Self::verifying(keys))))
    }

    fn verifying(keys: &[&Key]) -> Arc<VerifyingKeys> {
        let set = JwkSet::new(keys.iter().map(|key| key.key.public_jwk(key.kid)).collect()).expect("a set");
        Arc::new(VerifyingKeys::new(&set).expect("keys"))
    }

    fn replace(&self, keys: &[&Key]) {
        *self.0.lock().expect("a lock") = Self::verifying(keys);
    }
}

impl Keys for Ring {
    fn current(&self, _: Timestamp) -> Option<Arc<VerifyingKeys>> {
        Some(Arc::clone(&self.0.lock().expect("a lock")))
    }
}

#[tokio::test]
async fn a_revoked_key_takes_its_tokens_with_it_at_once() {
    let (good, stolen) = (Key::new("k1"), Key::new("k2"));
    let ring = Ring::of(&[&good, &stolen]);
    let issuer = Issuer::new(ISSUER).keys(ring.clone()).without_catalogue();
    let world = World::new();
    let verifier: TokenVerifier = world.verifier().issuer(issuer).build().expect("a verifier");
    let (kept, lost) = (good.token("a"), stolen.token("a"));
    assert!(verifier.verify(&kept).await.is_ok() && verifier.verify(&lost).await.is_ok());

    ring.replace(&[&good]);
    assert!(matches!(verifier.verify(&lost).await, Err(VerifyError::Token(_))));
    assert!(verifier.verify(&kept).await.is_ok());
    assert!(world.addresses().is_empty(), "nothing is fetched");
}

#[tokio::test]
async fn a_verification_that_a_revocation_overtook_leaves_no_token_behind() {
    /// Revokes the key while the first token is being verified: behind the look at the keys, before the memory is written.
    #[derive(Debug, Clone)]
    struct Overtaken {
        ring: Ring,
        then: Arc<Mutex<Option<Arc<VerifyingKeys>>>>,
    }

    impl Keys for Overtaken {
        fn current(&self, now: Timestamp) -> Option<Arc<VerifyingKeys>> {
            let before = self.ring.current(now);
            if let Some(then) = self.then.lock().expect("a lock").take() {
                *self.ring.0.lock().expect("a lock") = then;
            }
            before
        }
    }

    let (good, stolen) = (Key::new("k1"), Key::new("k2"));
    let ring = Ring::of(&[&good, &stolen]);
    let then = Arc::new(Mutex::new(None));
    let keys = Overtaken { ring: ring.clone(), then: Arc::clone(&then) };
    let issuer = Issuer::new(ISSUER).keys(keys).without_catalogue();
    let verifier = World::new().verifier().issuer(issuer).build().expect("a verifier");
    let lost = stolen.token("a");

    *then.lock().expect("a lock") = Some(Ring::verifying(&[&good]));
    assert!(matches!(verifier.verify_now(&lost), Some(Ok(_))), "it was good when it was looked at");
    assert_eq!(verifier.remembered(), 1);
    // It was remembered with the old keys, so the memory is worth nothing.
    assert!(verifier.verify(&lost).await.is_err());
    assert_eq!(verifier.remembered(), 0);
}
