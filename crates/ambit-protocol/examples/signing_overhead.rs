//! What a token costs beyond its signature: `cargo run --release -p ambit-protocol --example signing_overhead`.
//!
//! Both sides take turns in short rounds; the fastest round of each counts, since a shared machine only ever adds.
#![expect(clippy::disallowed_methods, reason = "measures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use ambit_protocol::claims::{AccessTokenClaims, Audience};
use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, Validation};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};

const ROUNDS: usize = 400;
const CALLS: u32 = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SigningKey::generate(Algorithm::Es256)?;
    let header = key.header("at+jwt", "key_01jabcdefghjkmnpqrstvwxyz0");
    let claims = AccessTokenClaims {
        scope: Some("pos.read pos.write pos:receipts:read"),
        tenant_id: Some("tnt_01jabcdefghjkmnpqrstvwxyz0"),
        tenant_slug: Some("acme"),
        level: Some("platform"),
        rev: Some(4711),
        ..AccessTokenClaims::new(
            "https://as.example/tenants/acme",
            "till-7",
            Audience::One("https://pos.example"),
            "till-7",
            1_800_000_000,
            1_800_003_600,
            "0197b9c6-7a3b-7c2d-9e1f-0123456789ab",
        )
    };
    let json = claims.to_json();
    let token = key.sign(&header, &json)?;
    let (input, _) = token.rsplit_once('.').expect("a token has three parts");

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let random = SystemRandom::new();
    let signature = pair.sign(&random, input.as_bytes())?;
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())?;
    let keys = VerifyingKeys::new(&JwkSet::new(vec![key.public_jwk("key_01jabcdefghjkmnpqrstvwxyz0")])?)?;
    let validation = Validation::new(
        Accepted::OneOf(&["https://as.example/tenants/acme"]),
        Accepted::OneOf(&["https://pos.example"]),
        Timestamp::from_secs(1_800_000_001),
    );

    let [bare_sign, sign, claims_and_sign, bare_verify, verify] = fastest([
        &mut || drop(black_box(pair.sign(&random, black_box(input.as_bytes())))),
        &mut || drop(black_box(key.sign(&header, black_box(&json)))),
        &mut || drop(black_box(key.sign(&header, &black_box(&claims).to_json()))),
        &mut || drop(black_box(public.verify_sig(black_box(input.as_bytes()), signature.as_ref()))),
        &mut || drop(black_box(verify::access_token(black_box(&token), &keys, &validation))),
    ]);
    println!("token of {} octets, claims of {}", token.len(), json.len());
    println!("bare signature              {bare_sign:?}");
    println!("sign()                      {sign:?}, overhead {:?}", sign.saturating_sub(bare_sign));
    println!(
        "claims to JSON, then sign() {claims_and_sign:?}, overhead {:?}",
        claims_and_sign.saturating_sub(bare_sign)
    );
    println!("bare verification           {bare_verify:?}");
    println!("access_token()              {verify:?}, overhead {:?}", verify.saturating_sub(bare_verify));
    Ok(())
}

fn fastest<const N: usize>(mut sides: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut best = [Duration::MAX; N];
    for _ in 0..ROUNDS {
        for (side, best) in sides.iter_mut().zip(&mut best) {
            let start = Instant::now();
            for _ in 0..CALLS {
                side();
            }
            *best = (*best).min(start.elapsed() / CALLS);
        }
    }
    best
}
