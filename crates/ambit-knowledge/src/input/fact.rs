//! What an input says, in terms that entries can ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that an input says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What it is.
    pub kind: FactKind,
    /// Its value, without secrets.
    pub value: String,
    /// Where it stood.
    pub part: Part,
}

/// What a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// An HTTP status code.
    Status,
    /// `error` of an OAuth answer, of a redirect or of a challenge.
    OauthError,
    /// `error` of a challenge.
    ChallengeError,
    /// The scheme of a challenge that has no `error`, as it is where a request brought no token at all (RFC 6750 §3.1: "the resource
    /// server SHOULD NOT include an error code or other error information").
    BareChallenge,
    /// A registered error code that stands in a text, without the form of an answer around it.
    MentionedError,
    /// What an answer says for people: `error_description`, `detail`, `message`.
    Description,
    /// The `type` of a problem, or an `error_uri`.
    ProblemType,
    /// The code of a product: `AADSTS65001`, `E0000006`, `NotAuthorizedException`, `IDX10501`.
    VendorCode,
    /// The scopes that a challenge asks for.
    NeededScope,
    /// The class of an exception.
    Exception,
}

impl FactKind {
    /// Whether it is a code, of whatever kind.
    #[must_use]
    pub const fn is_code(self) -> bool {
        matches!(
            self,
            Self::OauthError | Self::ChallengeError | Self::MentionedError | Self::VendorCode | Self::Exception
        )
    }
}

/// Where in an input something stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The first line of an answer.
    StatusLine,
    /// A `WWW-Authenticate` header.
    Challenge,
    /// A JSON body.
    Body,
    /// The query or the fragment of a URL.
    Query,
    /// A token's header or claims.
    Token,
    /// Anywhere else.
    Text,
}

/// Facts as they are gathered: each once, and not more than anybody can look at.
#[derive(Debug, Default)]
pub(crate) struct Facts(Vec<Fact>);

impl Facts {
    /// Adds a fact, unless it is blank or known.
    pub(crate) fn push(&mut self, kind: FactKind, value: &str, part: Part) {
        let value = value.trim();
        if value.is_empty() || self.0.len() >= MAX_FACTS {
            return;
        }
        let mut end = value.len().min(MAX_VALUE);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let value = &value[..end];
        // The same thing in a body and in the text around it is one fact, and the first place counts.
        if kind != FactKind::Status && self.0.iter().any(|known| known.kind == kind && known.value == value) {
            return;
        }
        self.0.push(Fact { kind, value: value.to_owned(), part });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter()
    }

    pub(crate) fn has(&self, kind: FactKind) -> bool {
        self.0.iter().any(|fact| fact.kind == kind)
    }

    pub(crate) fn into_vec(self) -> Vec<Fact> {
        self.0
    }
}

const MAX_FACTS: usize = 64;
const MAX_VALUE: usize = 2000;
