//! Taking a token back (RFC 7009): what a client sends.
//!
//! The answer has no body: 200 whatever the token was, and 503 when the revocation could not be made durable (§2.2.1).

use std::fmt;

use crate::params::{ParamRules, Params, ParamsError};

/// A request to the revocation endpoint (RFC 7009 §2.1).
///
/// Debug does not show the token.
///
/// ```
/// use ambit_protocol::params::Params;
/// use ambit_protocol::revocation::{RevocationRequest, TokenTypeHint};
///
/// let params = Params::parse(b"token=eyJ&token_type_hint=access_token", RevocationRequest::RULES)?;
/// let request = RevocationRequest::parse(&params)?;
/// assert_eq!(request.token, "eyJ");
/// assert_eq!(request.token_type_hint, Some(TokenTypeHint::AccessToken));
/// # Ok::<(), ambit_protocol::params::ParamsError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RevocationRequest<'a> {
    /// The token, of whatever kind.
    pub token: &'a str,
    /// What the client believes it is; a server may look elsewhere as well.
    pub token_type_hint: Option<TokenTypeHint>,
}

/// What kind of token a client believes to have (RFC 7009 §4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// `access_token`
    AccessToken,
    /// `refresh_token`
    RefreshToken,
}

impl<'a> RevocationRequest<'a> {
    /// What the endpoint expects of its parameters, client authentication included.
    pub const RULES: ParamRules = TOKEN_RULES;

    /// Reads the request from its parameters.
    ///
    /// # Errors
    /// [`ParamsError::Missing`] without `token`.
    pub fn parse(params: &'a Params<'_>) -> Result<Self, ParamsError> {
        let token = params.require("token")?;
        Ok(Self { token, token_type_hint: params.get("token_type_hint").and_then(TokenTypeHint::parse) })
    }
}

impl fmt::Debug for RevocationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationRequest").field("token_type_hint", &self.token_type_hint).finish_non_exhaustive()
    }
}

impl TokenTypeHint {
    /// RFC 7009 §2.1: the hint is there to help. One that is not known helps nobody and is none.
    #[must_use]
    pub fn parse(hint: &str) -> Option<Self> {
        match hint {
            "access_token" => Some(Self::AccessToken),
            "refresh_token" => Some(Self::RefreshToken),
            _ => None,
        }
    }
}

/// The parameters of the two endpoints to which a client sends a token.
pub(crate) const TOKEN_RULES: ParamRules = ParamRules::new(&[
    "token",
    "token_type_hint",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_that_is_not_known_is_none_and_no_error() {
        for body in
            ["token=t", "token=t&token_type_hint=", "token=t&token_type_hint=ACCESS_TOKEN", "token=t&token_type_hint=x"]
        {
            let params = Params::parse(body.as_bytes(), RevocationRequest::RULES).expect("well formed");
            let request = RevocationRequest::parse(&params).expect("a token is enough");
            assert_eq!((request.token, request.token_type_hint), ("t", None), "{body}");
        }
    }

    #[test]
    fn without_a_token_there_is_nothing_to_revoke() {
        for body in ["", "token=", "token_type_hint=access_token", "Token=t"] {
            let params = Params::parse(body.as_bytes(), RevocationRequest::RULES).expect("well formed");
            let missing = matches!(RevocationRequest::parse(&params), Err(ParamsError::Missing { name: "token", .. }));
            assert!(missing, "{body}");
        }
    }

    #[test]
    fn the_token_does_not_show_in_debug() {
        let request = RevocationRequest { token: "s3cret", token_type_hint: None };
        assert!(!format!("{request:?}").contains("s3cret"));
    }
}
