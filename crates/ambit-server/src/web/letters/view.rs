//! The pages as structs: what their templates show.

use askama::Template;

use super::wording::Words;
use crate::web::branding::Brand;

/// A password is chosen.
#[derive(Debug, Template)]
#[template(path = "letters/choice.html")]
pub(super) struct ChoicePage {
    pub(super) words: &'static Words,
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) brand: Option<Brand>,
    pub(super) action: String,
    pub(super) form_token: String,
    pub(super) email: String,
    /// What they call themselves, where they are to say it.
    pub(super) name: Option<String>,
    pub(super) least: u32,
    pub(super) wrong_name: Option<&'static str>,
    pub(super) wrong: Option<&'static str>,
}

/// An address is confirmed.
#[derive(Debug, Template)]
#[template(path = "letters/confirmation.html")]
pub(super) struct ConfirmationPage {
    pub(super) words: &'static Words,
    pub(super) brand: Option<Brand>,
    pub(super) action: String,
    pub(super) form_token: String,
    pub(super) email: String,
}

/// Somebody asks for a letter.
#[derive(Debug, Template)]
#[template(path = "letters/asking.html")]
pub(crate) struct AskingPage {
    pub(crate) words: &'static Words,
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) action: String,
    pub(crate) back: String,
    pub(crate) form_token: String,
    pub(crate) email: String,
    pub(crate) wrong: Option<&'static str>,
}

/// One thing that is said.
#[derive(Debug, Template)]
#[template(path = "letters/told.html")]
pub(super) struct ToldPage {
    pub(super) words: &'static Words,
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    /// Whether there is something to go on to.
    pub(super) is_way_on: bool,
}
