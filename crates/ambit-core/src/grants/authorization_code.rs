//! The authorization code grant (RFC 6749 §4.1.3): what a person lent becomes tokens, once.

use ambit_protocol::decision::Reason;
use ambit_protocol::pkce::CodeVerifier;
use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::time::Timestamp;

use super::Grant;
use super::lent::{self, Lending};
use crate::authorize::CodeDocument;
use crate::client::Client;
use crate::refusal::{GrantFault, Refusal};
use crate::store::sign_in::Code;

/// What the token request has beside the code.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `redirect_uri`.
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`.
    pub code_verifier: Option<&'a CodeVerifier>,
    /// Every `resource`: some of those that were lent for.
    pub resources: &'a [ResourceIndicator],
}

/// Whether the request matches what the code was made for. Everything but [`GrantFault::OtherClient`] burns the code: one guess
/// is all there is (RFC 9700 §4.5).
///
/// # Errors
/// [`GrantFault`].
pub fn check(
    code: &Code,
    document: &CodeDocument,
    request: &Request<'_>,
    client: &Client,
    now: Timestamp,
) -> Result<(), GrantFault> {
    // RFC 6749 §4.1.3: "ensure that the authorization code was issued to the authenticated confidential client".
    if document.lent.application_id != client.application.id {
        return Err(GrantFault::OtherClient);
    }
    if code.expires_at <= now {
        return Err(GrantFault::CodeUnknown);
    }
    // "ensure that the 'redirect_uri' parameter is present if [it] was included in the initial authorization request …, and if
    // included ensure that their values are identical".
    let is_same_uri = match (request.redirect_uri, document.is_redirect_uri_named) {
        (Some(sent), _) => sent == document.redirect_uri,
        (None, is_named) => !is_named,
    };
    if !is_same_uri {
        return Err(GrantFault::RedirectUri);
    }
    match (&document.code_challenge, request.code_verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(GrantFault::VerifierUnexpected),
        (Some(_), None) => Err(GrantFault::VerifierMissing),
        (Some(challenge), Some(verifier)) if challenge.matches(verifier) => Ok(()),
        (Some(_), Some(_)) => Err(GrantFault::VerifierMismatch),
    }
}

/// Grants what was lent, with the facts of now. Of what a person saw when they lent it, nothing may be missing a minute later but
/// what the request leaves to another resource: then the client starts again. What they did not lend is told with it.
///
/// # Errors
/// [`GrantFault::Withdrawn`], [`Refusal::InvalidTarget`], [`Refusal::TenantShut`].
pub fn grant(
    lending: &Lending<'_>,
    document: &CodeDocument,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Grant, Refusal> {
    let mut grant = lent::renew(lending, None, request.resources, now)?;
    let is_missing = |reason: &Reason| *reason != Reason::WrongResource;
    if grant.decision.against.iter().any(|(_, reasons)| reasons.iter().any(is_missing)) {
        return Err(Refusal::Grant(GrantFault::Withdrawn));
    }
    let dropped = &mut grant.decision.dropped;
    dropped.splice(0..0, document.dropped.iter().cloned());
    Ok(grant)
}
