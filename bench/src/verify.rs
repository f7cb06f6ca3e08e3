//! Verification in the middleware: by itself, beside the bare signature; and in front of a route, beside the same route
//! without it.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use ambit_protocol::claims::{AccessTokenClaims, Audience};
use ambit_protocol::jose::{Algorithm, JwkSet, SigningKey};
use ambit_resource_server::{Issuer, ResourceServer, TokenVerifier};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use axum::Router;
use axum::http::header;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::Failure;
use crate::decide::Cost;
use crate::rounds::Spread;

/// An API with a guarded route and an open one, and a token for it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Api {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) token: String,
}

/// Serves `/guarded` and `/open`, and prints an [`Api`].
pub(crate) fn serve() -> Result<(), Failure> {
    let (keys, token) = keys_and_token()?;
    let verifier = TokenVerifier::builder().issuer(issuer(keys)).build()?;
    let server = ResourceServer::over(verifier, AUDIENCE).build()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let answer = || async { ([(header::CONTENT_TYPE, "application/json")], r#"{"basket":1}"#) };
        let router =
            Router::new().route("/guarded", get(answer).route_layer(server.require(SCOPE))).route("/open", get(answer));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", serde_json::to_string(&Api { address: listener.local_addr()?, token })?);
        let listener = listener.tap_io(|stream| {
            // A socket that was just accepted takes the option.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// Measures a verification of each kind for so long, and prints the [`Cost`]s as JSON.
pub(crate) fn run(seconds: f64) -> Result<(), Failure> {
    let (keys, token) = keys_and_token()?;
    let remembering = TokenVerifier::builder().issuer(issuer(keys.clone())).build()?;
    let forgetful = TokenVerifier::builder().issuer(issuer(keys)).cache_capacity(0).build()?;
    let verified = |verifier: &TokenVerifier| matches!(verifier.verify_now(black_box(&token)), Some(Ok(_)));

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| "no key")?;
    let message = token.rsplit_once('.').ok_or("no token")?.0.as_bytes();
    let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| "a signature failed")?;
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).map_err(|_| "no key")?;

    let cost = |name: &str, call: &dyn Fn() -> bool| {
        if !call() {
            return Err(format!("{name}: refused").into());
        }
        Ok::<_, Failure>(Cost { name: name.to_owned(), asked_for: false, nanos: Spread::measure(seconds, call) })
    };
    let costs = [
        cost("a bare ES256 verification", &|| public.verify_sig(black_box(message), signature.as_ref()).is_ok())?,
        cost("middleware, a token it has not seen, ES256", &|| verified(&forgetful))?,
        cost("middleware, a token it has seen", &|| verified(&remembering))?,
    ];
    println!("{}", serde_json::to_string(&costs)?);
    Ok(())
}

fn issuer(keys: JwkSet) -> Issuer {
    Issuer::new(ISSUER).jwks(keys).without_catalogue()
}

fn keys_and_token() -> Result<(JwkSet, String), Failure> {
    let key = SigningKey::generate(Algorithm::Es256)?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let claims = AccessTokenClaims {
        scope: Some(SCOPE),
        level: Some("platform"),
        rev: Some(1),
        ..AccessTokenClaims::new(ISSUER, "till", Audience::One(AUDIENCE), "till", now, now + 3600, "01kb0000")
    };
    let token = key.sign(&key.header("at+jwt", KID), &claims.to_json())?;
    Ok((JwkSet::new(vec![key.public_jwk(KID)])?, token))
}

const ISSUER: &str = "https://as.bench.example";
const AUDIENCE: &str = "https://pos.bench.example/api";
const SCOPE: &str = "pos:baskets:create";
const KID: &str = "key_01kb0000000000000000000000";
