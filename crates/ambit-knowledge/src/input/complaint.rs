//! What a message complains of: something, and what is wrong with it.
//!
//! A hundred libraries say in a hundred ways that the audience of a token is another one, and say nothing else. Their words
//! are few, though: a name (*audience*, `aud`), and a fault (*invalid*, *does not match*, *unexpected*). Reading both, and
//! which belongs to which, recognises a library that nobody has written an entry for.
//!
//! 1. A text is split into words, names into their parts (`JwtInvalidAudienceError` is four words), sentences at what ends
//!    them. Registered codes are left out: they are facts of their own.
//! 2. Words become names, faults, and what only negation makes a fault: *not found*, *failed to decode*.
//! 3. A fault belongs to the most particular name of its sentence that is near: *the signature of the token is invalid* is
//!    about the signature. Where its sentence has none, it is about the last one of what stands before the colon.
//! 4. Of several complaints the last particular one is the main one, since messages go from the general to the cause.

use super::flat::Flat;
use super::grammar;
use crate::entry::{Fault, Subject};

/// Something, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) subject: Subject,
    pub(crate) fault: Fault,
    /// How much it says by itself; nothing where its name may be another protocol's as well.
    pub(super) rank: usize,
    /// The words in which it stands.
    pub(crate) seen: String,
    /// It was read in a text. What an answer's form says is no matter of reading.
    pub(crate) is_read: bool,
}

impl Complaint {
    /// That a request brought no token, as a challenge says that names no error.
    pub(super) fn no_token(scheme: &str) -> Self {
        Self { subject: Subject::Token, fault: Fault::Missing, rank: 1, seen: scheme.to_owned(), is_read: false }
    }

    /// Whether it is OAuth's: something says so, or nobody else has the name.
    pub(crate) const fn is_of_oauth(&self) -> bool {
        self.rank > 0
    }

    /// Whether it may be what the message comes down to. Codes, parts and passwords fail everywhere, and so do the tokens of
    /// forms.
    pub(crate) fn may_be_main(&self) -> bool {
        let is_anybodys = || match self.subject {
            Subject::Code | Subject::Form | Subject::User | Subject::Client | Subject::Challenge => true,
            Subject::State => !self.seen.to_ascii_lowercase().contains("state"),
            _ => false,
        };
        self.is_of_oauth() || !is_anybodys()
    }

    /// Whether it says more than another one that stands before it: as much, or more.
    pub(crate) const fn outranks(&self, other: &Self) -> bool {
        self.rank >= other.rank
    }

    /// Whether its subject is a part of what messages are about anyway: the token, the client.
    pub(crate) const fn is_particular(&self) -> bool {
        particularity(self.subject) > 0
    }
}

/// What the texts of an input complain of, each complaint once, in the order in which they stand. Where nothing says that
/// it is about OAuth, a scope or a state may be any, and only what has its name nowhere else is the main one.
pub(super) fn read(texts: impl Iterator<Item = String>, is_about_oauth: bool) -> Vec<Complaint> {
    let mut found: Vec<Complaint> = Vec::new();
    for text in texts.take(MAX_TEXTS) {
        let flat = Flat::new(&text);
        for (subject, fault, seen) in grammar::complaints(&flat) {
            found.retain(|known| (known.subject, known.fault) != (subject, fault));
            let is_ours = is_about_oauth || is_of_oauth_alone(subject);
            let rank = if is_ours { particularity(subject).min(1) + 1 } else { 0 };
            found.push(Complaint { subject, fault, rank, seen, is_read: true });
        }
    }
    found
}

/// Whether a name is one of OAuth's, and of nothing else's.
const fn is_of_oauth_alone(subject: Subject) -> bool {
    matches!(
        subject,
        Subject::RefreshToken
            | Subject::Audience
            | Subject::Issuer
            | Subject::NotBefore
            | Subject::RedirectUri
            | Subject::Verifier
            | Subject::GrantType
            | Subject::ResponseType
            | Subject::KeySet
    )
}

/// How much a name says: a signature, an audience are parts of a token, and the client is part of every request.
pub(super) const fn particularity(subject: Subject) -> usize {
    match subject {
        Subject::Token => 0,
        Subject::Client | Subject::Claim | Subject::User | Subject::KeySet | Subject::Server => 1,
        Subject::Key | Subject::Code => 2,
        _ => 3,
    }
}

const MAX_TEXTS: usize = 8;
