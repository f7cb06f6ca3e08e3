//! Tokens: issued, introspected, revoked.

pub mod introspect;
pub mod issue;
