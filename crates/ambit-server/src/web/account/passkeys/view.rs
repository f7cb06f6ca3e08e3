//! What the page shows.

use ambit_protocol::admin::credential::Credential;
use ambit_protocol::id::CredentialId;
use askama::Template;

use super::super::view::{Frame, day};
use super::wording::Words;
use crate::web::passkey::PasskeyButton;
use crate::web::shown::{NAME, plain};

/// Their passkeys, and how to add one.
#[derive(Debug, Template)]
#[template(path = "account/passkeys.html")]
pub(super) struct PasskeysPage {
    frame: Frame,
    words: &'static Words,
    passkeys: Vec<ShownPasskey>,
    adding: Adding,
}

/// How a passkey is added.
#[derive(Debug)]
pub(super) enum Adding {
    /// Not at all: browsers have none for this server's address.
    Impossible,
    /// Once the person has proven who they are.
    AfterProof,
    /// Now.
    Now { button: PasskeyButton, challenge: String },
}

/// What was wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The new passkey.
    NotAdded,
    /// The name of one.
    Name { id: String },
    /// It is the last second factor of somebody who must have one.
    LastFactor { id: String },
}

#[derive(Debug)]
struct ShownPasskey {
    id: CredentialId,
    name: String,
    is_backed_up: bool,
    created: String,
    used: Option<String>,
    wrong_name: bool,
    is_last: bool,
}

impl PasskeysPage {
    pub(super) fn new(
        frame: Frame,
        words: &'static Words,
        passkeys: Vec<Credential>,
        adding: Adding,
        fault: Option<Fault>,
    ) -> Self {
        let passkeys = passkeys.into_iter().map(|it| {
            let id = it.id.to_string();
            ShownPasskey {
                id: it.id,
                name: it.name.map_or_else(|| words.unnamed.to_owned(), |name| plain(name.as_str(), NAME)),
                is_backed_up: it.backed_up == Some(true),
                created: day(it.created_at),
                used: it.last_used_at.map(day),
                wrong_name: fault == Some(Fault::Name { id: id.clone() }),
                is_last: fault == Some(Fault::LastFactor { id }),
            }
        });
        Self { frame, words, passkeys: passkeys.collect(), adding }
    }
}
