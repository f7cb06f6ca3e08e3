//! The error knowledge base: what an error means, why it happens and what helps.
//!
//! * [`entry`]: one error, as it is written down in `kb/entries/<domain>/<slug>.toml`.
//! * [`corpus`]: all of them. Those of this repository are built in.
//! * [`input`]: takes apart whatever a person has in hand, after [`redact`] has taken the secrets out.
//! * [`diagnose`]: says which entry an input is about, why, and how sure that is.
//! * [`confidence`]: how sure an entry is, from its evidence and from reported outcomes.
//! * [`exchange`]: import from and export to the flat JSON form of other collections.
//! * [`lint`]: what every entry has to pass.
//!
//! No I/O, apart from [`corpus::Corpus::from_folder`]; no clock; nothing waits.
//!
//! # Examples
//!
//! What is this about?
//!
//! ```
//! use ambit_knowledge::entry::Category;
//! use ambit_knowledge::{Input, Knowledge, Language, Outcome};
//!
//! let pasted = br#"HTTP/1.1 403 Forbidden
//! WWW-Authenticate: Bearer error="insufficient_scope", scope="admin:read""#;
//!
//! let knowledge = Knowledge::embedded();
//! let answer = knowledge.explain(&Input::take_apart(pasted), Language::En);
//! // One entry, several that cannot be told apart, or none: with `nearest` beside them.
//! assert_ne!(answer.outcome, Outcome::NoMatch);
//! let found = &answer.entries[0];
//! assert_eq!(found.category, Category::Scope);
//! // Which part of the input matched which rule, what counts most first.
//! assert!(found.reasons.iter().any(|reason| reason.seen == "insufficient_scope"));
//!
//! // The whole entry, by its id or an alias.
//! let entry = knowledge.corpus().find(found.id.as_str()).expect("what was found is there");
//! let title = entry.title.in_language(Language::Zh);
//! assert_eq!(title.language, Language::Zh, "a text says which language it was given in");
//! ```

pub mod confidence;
pub mod corpus;
pub mod diagnose;
pub mod entry;
pub mod exchange;
pub mod input;
pub mod lint;
mod matcher;
pub mod redact;
mod search;

pub use corpus::{Corpus, CorpusError};
pub use diagnose::{Answer, Knowledge, Outcome};
pub use entry::{Entry, EntryId, Language};
pub use input::Input;
pub use matcher::{PatternError, Reason, Rule};
