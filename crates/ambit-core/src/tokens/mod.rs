//! Tokens: issued, introspected, revoked.

pub mod id_token;
pub mod introspect;
pub mod issue;
pub mod logout_token;
