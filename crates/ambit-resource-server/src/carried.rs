//! Which scopes of a token count.

use ambit_protocol::scope::ScopeToken;

use crate::verify::VerifiedToken;

/// The scopes of a token that count: those it carries, or fewer, where a [`Standing`](crate::Standing) said so with
/// [`Good::counting_only`](crate::Good::counting_only). Never more.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    token: &'a VerifiedToken,
    only: Option<&'a [ScopeToken]>,
}

impl<'a> Carried<'a> {
    pub(crate) const fn new(token: &'a VerifiedToken, only: Option<&'a [ScopeToken]>) -> Self {
        Self { token, only }
    }

    /// The token.
    #[must_use]
    pub const fn token(self) -> &'a VerifiedToken {
        self.token
    }

    /// Their names, in the token's order.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.token.scopes().filter(move |name| self.counts(name))
    }

    /// Whether a scope is among them by name. What bundles imply is not asked here.
    #[must_use]
    pub fn contains(self, scope: &str) -> bool {
        self.token.carries(scope) && self.counts(scope)
    }

    fn counts(self, scope: &str) -> bool {
        self.only.is_none_or(|only| only.iter().any(|name| name.as_str() == scope))
    }
}
