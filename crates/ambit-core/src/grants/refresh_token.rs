//! The refresh token grant (RFC 6749 §6): what a person lent is renewed, each time with the facts of now.
//!
//! A refresh token is used once; the answer has its successor (RFC 9700 §4.14.2). One that is used again ends everything that
//! came of the grant, since somebody else may have it, except within a short [`GRACE_MILLIS`]: a client whose answer was lost
//! asks again, and is given the same successor.

use ambit_protocol::resource::ResourceIndicator;
use ambit_protocol::time::Timestamp;

use super::Grant;
use super::lent::{self, Lending};
use crate::client::Client;
use crate::refusal::{GrantFault, Refusal};
use crate::store::sign_in::{AuthorizationGrant, RefreshToken};

/// What the token request has beside the refresh token.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `scope`: less than was lent; all of it where it is omitted.
    pub scope: Option<&'a str>,
    /// Every `resource`: some of those that were lent for.
    pub resources: &'a [ResourceIndicator],
}

/// A refresh token that somebody sent.
#[derive(Debug, Clone)]
pub enum Presented {
    /// As it is kept. Of a family that are two: the one to be used next, and the one before, for the grace.
    Kept(RefreshToken),
    /// It was used, and what followed it was used as well.
    Followed,
    /// It was made here, and nothing of its family is there to be used any more: all of it is too old.
    Over,
}

/// Whether a refresh token is still good for a client.
///
/// # Errors
/// [`GrantFault`]. [`GrantFault::OtherClient`] and [`GrantFault::RefreshTokenReused`] end the grant.
pub fn check(token: &Presented, grant: &AuthorizationGrant, client: &Client, now: Timestamp) -> Result<(), GrantFault> {
    // RFC 6749 §6: "the refresh token is bound to the client to which it was issued".
    if grant.application_id != client.application.id {
        return Err(GrantFault::OtherClient);
    }
    if grant.ended_at.is_some() {
        return Err(GrantFault::RefreshTokenUnknown);
    }
    match token {
        _ if grant.expires_at <= now => Err(GrantFault::RefreshTokenExpired),
        Presented::Over => Err(GrantFault::RefreshTokenExpired),
        Presented::Followed => Err(GrantFault::RefreshTokenReused),
        Presented::Kept(kept) if kept.expires_at <= now => Err(GrantFault::RefreshTokenExpired),
        Presented::Kept(kept) => match kept.used_at {
            Some(used_at) if !is_within_grace(used_at, now) => Err(GrantFault::RefreshTokenReused),
            _ => Ok(()),
        },
    }
}

/// Whether a second use so soon after the first is a client that repeats itself.
#[must_use]
pub fn is_within_grace(used_at: Timestamp, now: Timestamp) -> bool {
    now.millis() - used_at.millis() <= GRACE_MILLIS
}

/// Grants what was lent, or less, with the facts of now.
///
/// # Errors
/// The [`Refusal`]. The refresh token is not used up by it.
pub fn grant(lending: &Lending<'_>, request: &Request<'_>, now: Timestamp) -> Result<Grant, Refusal> {
    lent::renew(lending, request.scope, request.resources, now)
}

/// For how long a refresh token that was used may be used again, to the same end.
pub const GRACE_MILLIS: i64 = 10_000;
