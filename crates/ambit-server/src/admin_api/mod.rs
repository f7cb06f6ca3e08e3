//! The admin API: everything that is registered, and who changed what.
//!
//! Every handler has the same silhouette: *take it apart, ask core, answer*.
//!
//! 1. The [`gate`] verifies the token, finds out how far its holder reaches and whether the scopes open the route; only then
//!    is a body read at all.
//! 2. [`Admin`] is that caller in this request: [`Admin::begin`] opens a change, [`Admin::show`] and [`Admin::list`] answer
//!    questions.
//! 3. [`body`] and [`query`] read what was sent, strictly; what they refuse is named by its place.
//! 4. A [`change::Change`] knows `If-Match` and `Idempotency-Key`, and commits with the answer in hand.
//! 5. [`answer`] is what goes out, and [`answer::Stop`] why it does not.
//!
//! What the handlers take and answer is described by the same types, and so is the OpenAPI document.

pub mod administrator;
pub mod answer;
pub mod api;
pub mod application;
pub mod audit;
pub mod body;
pub mod call;
pub mod change;
pub mod credential;
pub mod describe;
pub mod explain;
pub mod feature;
pub mod gate;
pub mod group;
mod hooks;
pub mod invitation;
pub mod key;
pub mod partner;
pub mod query;
pub mod scope;
pub mod secret;
pub mod tenant;
pub mod unit;
pub mod user;

pub use answer::{Added, Created, Done, Gone, Plain, Shown, Stop};
pub use body::{Body, Patch};
pub use call::{Admin, At, IfMatch, NamesInBody};
pub use query::List;

/// What a handler answers.
pub type Answered<A> = Result<Done<A>, Stop>;

/// Where the admin API is, below the public URL.
pub const ROOT: &str = "/api/v1/admin";
