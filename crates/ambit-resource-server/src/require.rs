//! What an endpoint requires of a token.

use std::borrow::Cow;

use ambit_protocol::scope::{ScopeError, ScopeToken};

use crate::carried::Carried;
use crate::hooks::Implied;
use crate::verify::TokenVerifier;

/// The scopes that an endpoint requires, and what is said to whom they are missing.
///
/// ```
/// use ambit_resource_server::Requirement;
///
/// let read = Requirement::any(["admin:read", "admin:write"])?
///     .with_detail("Platform token requires admin:read or admin:write scope");
/// assert_eq!(read.scopes().len(), 2);
/// assert!(Requirement::any(["not a scope"]).is_err());
/// # Ok::<(), ambit_resource_server::RequirementError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    scopes: Vec<ScopeToken>,
    any: bool,
    detail: Option<Cow<'static, str>>,
    ask_for: Option<String>,
}

/// Why names do not make a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// No name: it would be met by nobody, or by everybody, and nobody could tell which.
    #[error("a requirement names at least one scope")]
    Empty,
    /// A name is no scope-token.
    #[error("'{name}' is no scope: {error}")]
    Scope {
        /// The name.
        name: String,
        /// Why.
        error: ScopeError,
    },
}

/// How a token meets a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    No,
    /// It does not, as far as can be told without a catalogue.
    NotWithoutCatalogue,
}

impl Requirement {
    /// One scope.
    ///
    /// # Errors
    /// [`RequirementError::Scope`].
    pub fn one(scope: impl AsRef<str>) -> Result<Self, RequirementError> {
        Self::all([scope])
    }

    /// Any one of these. The first is the one that a client without any is told to ask for.
    ///
    /// # Errors
    /// [`RequirementError`].
    pub fn any<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, RequirementError> {
        let scopes = parse(scopes)?;
        Ok(Self { any: scopes.len() > 1, scopes, detail: None, ask_for: None })
    }

    /// All of these.
    ///
    /// # Errors
    /// [`RequirementError`].
    pub fn all<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, RequirementError> {
        Ok(Self { scopes: parse(scopes)?, any: false, detail: None, ask_for: None })
    }

    /// What the refusal says, in place of the usual sentence: the `detail` of the problem and the `error_description` of
    /// the challenge.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What the challenge's `scope` tells a client to ask for, in place of the usual choice.
    ///
    /// # Errors
    /// [`RequirementError`].
    pub fn asking_for<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Result<Self, RequirementError> {
        self.ask_for = Some(ambit_protocol::scope::join(&parse(scopes)?));
        Ok(self)
    }

    /// The scopes, in the order given.
    #[must_use]
    pub fn scopes(&self) -> &[ScopeToken] {
        &self.scopes
    }

    /// Whether any one of them is enough.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.any
    }

    /// RFC 6750 §3: "the scope necessary to access the requested resource".
    #[must_use]
    pub fn ask_for(&self) -> Cow<'_, str> {
        match &self.ask_for {
            Some(scopes) => Cow::Borrowed(scopes),
            None if self.any => Cow::Borrowed(self.scopes[0].as_str()),
            None => Cow::Owned(ambit_protocol::scope::join(&self.scopes)),
        }
    }

    pub(crate) fn is_met_by(&self, carried: Carried<'_>, verifier: &TokenVerifier) -> Met {
        let mut no = Met::No;
        let mut holds = |scope: &ScopeToken| {
            if carried.contains(scope.as_str()) {
                return true;
            }
            let implied = verifier.implied(carried, scope.as_str());
            if implied == Implied::Unknown {
                no = Met::NotWithoutCatalogue;
            }
            implied == Implied::Yes
        };
        let met = if self.any { self.scopes.iter().any(&mut holds) } else { self.scopes.iter().all(&mut holds) };
        if met { Met::Yes } else { no }
    }

    /// What is said to a client whose token does not do.
    pub(crate) fn detail(&self) -> Cow<'static, str> {
        if let Some(detail) = &self.detail {
            return detail.clone();
        }
        let names = self.scopes.iter().map(|scope| format!("'{scope}'")).collect::<Vec<_>>();
        Cow::Owned(match names.as_slice() {
            [one] => format!("the token does not hold scope {one}, which this endpoint requires"),
            names if self.any => {
                format!("the token holds none of the scopes {}, one of which this endpoint requires", names.join(", "))
            }
            names => {
                format!("the token does not hold all of the scopes {}, which this endpoint requires", names.join(", "))
            }
        })
    }
}

fn parse<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Vec<ScopeToken>, RequirementError> {
    let mut scopes: Vec<ScopeToken> = Vec::new();
    for name in names {
        let name = name.as_ref();
        let scope: ScopeToken =
            name.parse().map_err(|error| RequirementError::Scope { name: name.to_owned(), error })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() { Err(RequirementError::Empty) } else { Ok(scopes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_of_nothing_or_of_no_scope_is_none() {
        assert_eq!(Requirement::any::<&str>([]), Err(RequirementError::Empty));
        assert_eq!(Requirement::all::<&str>([]), Err(RequirementError::Empty));
        for name in ["", "a b", "a\"", "\u{e4}"] {
            let error = Requirement::one(name).expect_err(name);
            assert!(matches!(error, RequirementError::Scope { .. }), "{name}");
        }
    }

    #[test]
    fn a_client_is_told_to_ask_for_all_or_for_the_first_of_any() {
        assert_eq!(Requirement::one("a").expect("a scope").ask_for(), "a");
        assert_eq!(Requirement::all(["a", "b", "a"]).expect("scopes").ask_for(), "a b");
        assert_eq!(Requirement::any(["a", "b"]).expect("scopes").ask_for(), "a");
        let asking = Requirement::any(["a", "b"]).expect("scopes").asking_for(["b", "c"]).expect("scopes");
        assert_eq!(asking.ask_for(), "b c");
    }

    #[test]
    fn the_usual_sentence_names_what_is_missing_and_the_api_may_have_its_own() {
        let any = Requirement::any(["a", "b"]).expect("scopes");
        assert_eq!(any.detail(), "the token holds none of the scopes 'a', 'b', one of which this endpoint requires");
        assert_eq!(any.with_detail("no").detail(), "no");
    }
}
