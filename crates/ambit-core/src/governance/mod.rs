//! Scope governance: one engine that decides, simulates and explains (scopes.md).
//!
//! 1. [`catalogue`]: all scopes of all APIs, as the rules look at them.
//! 2. [`ceiling`]: what one application may have at all.
//! 3. [`gates`]: which features are on for the tenant and the unit that a request acts for.
//! 4. [`rules`]: the ordered list of rules; every scope meets every one.
//! 5. [`decision`]: [`decide`](decision::decide), the only place where a scope is granted.
//! 6. [`invariant`]: what must hold for every token, checked again before it is signed.
//! 7. [`suggest`]: names that look like one that was not found.
//! 8. [`explain`]: the same engine, asked why.
//! 9. [`history`]: the facts of an earlier revision, for the same questions about a token of then.

pub mod catalogue;
pub mod ceiling;
pub mod decision;
pub mod explain;
pub mod gates;
pub mod history;
pub mod invariant;
pub mod rules;
pub mod suggest;
