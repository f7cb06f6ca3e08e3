//! Pages for people and what programs read beside them, filed by URL.

mod account;
mod addresses;
mod api;
mod branding;
mod consent;
mod docs;
mod doors;
mod email_code;
mod ends;
mod errors;
mod letters;
mod lost;
mod passkeys;
mod registration;
mod set_up;
pub(crate) mod shop;
mod sign_in;
pub(crate) mod visitor;
