//! Client authentication: credentials become an [`AuthenticatedClient`], or nothing happens.
//!
//! Exactly one registered method per client (RFC 7591 §2); every failure is `invalid_client`, and why is for the log alone.
//! A client that does not exist costs the same comparison as one that does.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use ambit_protocol::admin::application::ApplicationStatus;
use ambit_protocol::claims::AssertionClaims;
use ambit_protocol::client::{PresentedCredentials, TokenEndpointAuthMethod};
use ambit_protocol::id::SecretId;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::outbound_uri::OutboundUri;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, AssertionValidation, TokenError, Verified};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::client::{Client, ClientKeys};
use crate::refusal::AuthenticationFailure;
use crate::secret::SecretHash;
use crate::store::{Store, StoreError};

/// A client that proved who it is, as far as one of its kind can: a public client has nothing to prove it with, and names itself
/// (RFC 6749 §3.2.1). Only this file makes one.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
    proof: Proof,
}

/// By what a client proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// By one of its secrets.
    Secret(SecretId),
    /// By an assertion it signed.
    Assertion,
    /// By nothing: a public client.
    None,
}

impl AuthenticatedClient {
    /// The secret it used, for the record of when each was last used.
    #[must_use]
    pub const fn secret(&self) -> Option<SecretId> {
        match self.proof {
            Proof::Secret(secret) => Some(secret),
            Proof::Assertion | Proof::None => None,
        }
    }

    /// Whether it only named itself. What it is trusted with must be bound to something else: a code to its verifier, a refresh
    /// token to its single use.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        matches!(self.proof, Proof::None)
    }
}

impl Deref for AuthenticatedClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// The keys that clients publish themselves (RFC 7591 §2, `jwks_uri`). Core asks for them as it asks the store; whoever
/// implements this has fetched them, from an address that stands in the registry and never in a request.
#[async_trait]
pub trait PublishedKeys: Send + Sync + fmt::Debug {
    /// The keys of now; none where there are none to be had.
    async fn current(&self, uri: &OutboundUri) -> Option<Arc<VerifyingKeys>>;

    /// Other keys than these, where it is time to look again and there are some.
    async fn newer_than(&self, known: &Arc<VerifyingKeys>, uri: &OutboundUri) -> Option<Arc<VerifyingKeys>>;
}

/// What stands in the way of an answer.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The client did not authenticate.
    #[error("client authentication failed: {}", .0.code())]
    Failed(AuthenticationFailure),
    /// Whether an assertion was used before could not be found out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The client that the credentials claim, before anything is verified: to look it up, and for nothing else.
///
/// # Errors
/// [`AuthenticationFailure`] where they name none.
pub fn claimed_client_id(presented: &PresentedCredentials) -> Result<Cow<'_, str>, AuthenticationFailure> {
    match (presented.client_id(), presented) {
        (Some(client_id), _) => Ok(client_id.into()),
        (None, PresentedCredentials::Assertion { assertion, .. }) => {
            verify::claimed_client_id(assertion.expose_secret())
                .map(Cow::Owned)
                .map_err(|error| AuthenticationFailure::Assertion(error.to_string()))
        }
        (None, _) => Err(AuthenticationFailure::Missing),
    }
}

/// Authenticates a client at an issuer.
///
/// # Errors
/// [`AuthenticationError`].
pub async fn authenticate(
    presented: &PresentedCredentials,
    client: Option<Arc<Client>>,
    issuer: &str,
    now: Timestamp,
    store: &dyn Store,
    published: &dyn PublishedKeys,
) -> Result<AuthenticatedClient, AuthenticationError> {
    use AuthenticationError::Failed;
    let Some(client) = client else {
        // RFC 6749 §10.1 asks that nobody learn which clients exist: the work of a known one is done all the same.
        if let Some(secret) = presented_secret(presented) {
            let _ = std::hint::black_box(SecretHash::of(secret.expose_secret()).matches(&NOBODYS));
        }
        return Err(Failed(AuthenticationFailure::UnknownClient));
    };
    // Checked by work of the same kind first, so that neither method nor status shows in the time.
    let proof = match presented {
        PresentedCredentials::None { .. } => Proof::None,
        PresentedCredentials::Assertion { assertion, .. } => {
            // Boxed, so that those with a secret, which need no store, do not carry its future about.
            Box::pin(check_assertion(assertion, &client, issuer, now, store, published)).await?;
            Proof::Assertion
        }
        PresentedCredentials::Basic { .. } | PresentedCredentials::Post { .. } => {
            Proof::Secret(check_secret(presented, &client, now).map_err(Failed)?)
        }
    };
    // RFC 7591 §2: one `token_endpoint_auth_method` per client. `post` and `basic` carry the same secret in two places, and
    // are one method to us: which of the two is used says nothing about who knows it.
    let registered = client.application.token_endpoint_auth_method;
    if !is_registered_method(presented.method(), registered) {
        let is_missing = proof == Proof::None;
        let failure = if is_missing { AuthenticationFailure::Missing } else { AuthenticationFailure::OtherMethod };
        return Err(Failed(failure));
    }
    if client.application.status == ApplicationStatus::Disabled {
        return Err(Failed(AuthenticationFailure::Disabled));
    }
    Ok(AuthenticatedClient { client, proof })
}

fn check_secret(
    presented: &PresentedCredentials,
    client: &Client,
    now: Timestamp,
) -> Result<SecretId, AuthenticationFailure> {
    let Some(secret) = presented_secret(presented) else { return Err(AuthenticationFailure::Missing) };
    let hash = SecretHash::of(secret.expose_secret());
    if client.secrets.is_empty() {
        let _ = std::hint::black_box(hash.matches(&NOBODYS));
    }
    let mut failure = AuthenticationFailure::WrongSecret;
    let mut matching = None;
    for stored in &client.secrets {
        if hash.matches(&stored.hash) {
            if stored.expires_at.is_some_and(|expires_at| expires_at <= now) {
                failure = AuthenticationFailure::ExpiredSecret;
            } else {
                matching = Some(stored.id);
            }
        }
    }
    matching.ok_or(failure)
}

/// RFC 7523 §3, with the audience as RFC 7523 was updated: the issuer, and nothing else.
async fn check_assertion(
    assertion: &SecretString,
    client: &Client,
    issuer: &str,
    now: Timestamp,
    store: &dyn Store,
    published: &dyn PublishedKeys,
) -> Result<(), AuthenticationError> {
    let failed = |failure| Err(AuthenticationError::Failed(failure));
    let client_id = client.application.client_id.as_str();
    let validation = AssertionValidation { client_id, issuer, also_accepted: &[], now };
    let verify = |keys: &VerifyingKeys| verify::client_assertion(assertion.expose_secret(), keys, &validation);
    let outcome = match &client.keys {
        None => return failed(AuthenticationFailure::OtherMethod),
        Some(ClientKeys::Registered(keys)) => verify(keys),
        Some(ClientKeys::Published(uri)) => match published.current(uri).await {
            None => return failed(AuthenticationFailure::KeysUnavailable),
            Some(keys) => verify_or_look_again(&verify, keys, uri, published).await,
        },
    };
    let verified = match outcome {
        Ok(verified) => verified,
        Err(error) => return failed(AuthenticationFailure::Assertion(error.to_string())),
    };
    // RFC 7523 §3, item 7: the `jti` keeps an assertion from being used twice, on whichever node.
    if !store.use_assertion(client_id, &verified.jti, verified.remember_until()).await? {
        return failed(AuthenticationFailure::AssertionReplayed);
    }
    Ok(())
}

/// A client that has just begun to sign with another key names one that was not there the last time anybody looked.
async fn verify_or_look_again(
    verify: &(impl Fn(&VerifyingKeys) -> Result<Verified<AssertionClaims>, TokenError> + Sync),
    keys: Arc<VerifyingKeys>,
    uri: &OutboundUri,
    published: &dyn PublishedKeys,
) -> Result<Verified<AssertionClaims>, TokenError> {
    let outcome = verify(&keys);
    if !outcome.as_ref().is_err_and(TokenError::is_unknown_key) {
        return outcome;
    }
    match published.newer_than(&keys, uri).await {
        Some(newer) => verify(&newer),
        None => outcome,
    }
}

fn presented_secret(presented: &PresentedCredentials) -> Option<&SecretString> {
    match presented {
        PresentedCredentials::Basic { secret, .. } | PresentedCredentials::Post { secret, .. } => Some(secret),
        PresentedCredentials::None { .. } | PresentedCredentials::Assertion { .. } => None,
    }
}

const fn is_registered_method(used: TokenEndpointAuthMethod, registered: TokenEndpointAuthMethod) -> bool {
    use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt};
    match (used, registered) {
        (ClientSecretBasic | ClientSecretPost, ClientSecretBasic | ClientSecretPost)
        | (PrivateKeyJwt, PrivateKeyJwt)
        | (None, None) => true,
        (ClientSecretBasic | ClientSecretPost, PrivateKeyJwt | None) | (PrivateKeyJwt | None, _) => false,
    }
}

/// A hash that no secret has, to compare with where there is none.
const NOBODYS: SecretHash = SecretHash::nobodys();
