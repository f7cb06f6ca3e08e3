//! A letter: what it says, to whom, in which language; and the message that becomes of it.
//!
//! It has the sender's words, the name of the organisation and one link of this server. Nothing that the person or a stranger typed
//! is in it, and the name of the organisation is written so that no mail program makes a link of it.

use std::time::{Duration, SystemTime};

use ambit_core::client::TenantFacts;
use ambit_knowledge::Language;
use ambit_protocol::admin::text::Email;
use ambit_protocol::time::Timestamp;
use askama::Template;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use zeroize::Zeroizing;

use super::wording::Words;
use crate::web::shown::{NAME, plain};

/// A letter to one person.
#[derive(Debug)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// In their language.
    pub language: Language,
    /// The organisation, as [`brand`] writes it.
    pub brand: String,
    /// What it says.
    pub says: Says,
}

/// What a letter says.
pub enum Says {
    /// There is an account for you: choose a password.
    Invitation(Link),
    /// Choose a new password.
    PasswordReset(Link),
    /// Your password was changed.
    PasswordChanged,
    /// Show that this address is yours.
    Verification(Link),
    /// This code signs you in.
    SignInCode(Zeroizing<String>),
    /// Make your account.
    Registration(Link),
    /// Somebody registers with your address, and you have an account already.
    RegisteredBefore,
}

/// A link of this server with something in it that works once.
pub struct Link(Zeroizing<String>);

/// Why a letter makes no message.
#[derive(Debug)]
pub(super) enum Unwritten {
    Address,
    Message,
}

impl Link {
    /// Below the base URL, which no request has a say in.
    #[must_use]
    pub fn new(base_url: &str, path: &str, token: &str) -> Self {
        Self(Zeroizing::new(format!("{base_url}/{path}/{token}")))
    }
}

impl Letter {
    /// What kind it is, in the log.
    pub(super) const fn kind(&self) -> &'static str {
        match self.says {
            Says::Invitation(_) => "invitation",
            Says::PasswordReset(_) => "password_reset",
            Says::PasswordChanged => "password_changed",
            Says::Verification(_) => "verification",
            Says::SignInCode(_) => "sign_in_code",
            Says::Registration(_) => "registration",
            Says::RegisteredBefore => "registered_before",
        }
    }

    /// For how long what it says is true.
    pub(super) const fn good_for(&self) -> Duration {
        match self.says {
            Says::Invitation(_) => Duration::from_hours(24 * 7),
            Says::PasswordReset(_) => Duration::from_mins(30),
            Says::SignInCode(_) => Duration::from_mins(10),
            Says::Verification(_) | Says::Registration(_) | Says::PasswordChanged | Says::RegisteredBefore => {
                Duration::from_hours(24)
            }
        }
    }

    /// The message, under a name of its own.
    pub(super) fn message(&self, from: &Mailbox, name: &str, at: Timestamp) -> Result<Message, Unwritten> {
        let words = Words::of(self.language, &self.says);
        let to: lettre::Address = self.to.as_str().parse().map_err(|_| Unwritten::Address)?;
        let (link, code) = match &self.says {
            Says::Invitation(link)
            | Says::PasswordReset(link)
            | Says::Verification(link)
            | Says::Registration(link) => (Some(link.0.as_str()), None),
            Says::SignInCode(code) => (None, Some(code.as_str())),
            Says::PasswordChanged | Says::RegisteredBefore => (None, None),
        };
        let page = Page {
            lang: self.language.as_str(),
            brand: &self.brand,
            subject: words.subject.replace(BRAND, &self.brand),
            text: words.text.replace(BRAND, &self.brand),
            link,
            action: words.action,
            code,
            ending: words.ending,
        };
        let html = page.render().map_err(|_| Unwritten::Message)?;
        // RFC 3834 §5: so that nobody's absence answers it.
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let moment = Duration::from_millis(u64::try_from(at.millis()).unwrap_or_default());
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(page.subject.clone())
            .date(SystemTime::UNIX_EPOCH + moment)
            .message_id(Some(format!("<{name}@{}>", from.email.domain())))
            .raw_header(automatic)
            .multipart(MultiPart::alternative_plain_html(page.plain(), html))
            .map_err(|_| Unwritten::Message)
    }
}

impl Unwritten {
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Address => "no mail goes to an address of this form",
            Self::Message => "the message could not be made",
        }
    }
}

/// The name of an organisation as a letter has it, or the server's own. Somebody else chose it, and mail programs make links of
/// whatever looks like one: what makes a name look so is written with letters that look the same and link nowhere.
#[must_use]
pub fn brand(tenant: Option<&TenantFacts>) -> String {
    let Some(tenant) = tenant else { return "Ambit".to_owned() };
    let text = plain(tenant.tenant.branding.logo_text.as_ref().unwrap_or(&tenant.tenant.name).as_str(), NAME);
    let mut letters = text.chars().peekable();
    let mut brand = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let is_inside = letters.peek().is_some_and(|next| !next.is_whitespace());
        brand.push(match letter {
            '.' if is_inside => '\u{2024}',
            ':' => '\u{2236}',
            '/' => '\u{2215}',
            '@' => '\u{ff20}',
            other => other,
        });
    }
    brand
}

/// What both forms of a letter have.
#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Page<'a> {
    lang: &'static str,
    brand: &'a str,
    subject: String,
    text: String,
    link: Option<&'a str>,
    action: &'static str,
    code: Option<&'a str>,
    ending: &'static str,
}

impl Page<'_> {
    fn plain(&self) -> String {
        let shown = self.link.or(self.code).map(|it| format!("{it}\n\n")).unwrap_or_default();
        format!("{}\n\n{}\n\n{shown}{}\n", self.brand, self.text, self.ending)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link([REDACTED])")
    }
}

impl std::fmt::Debug for Says {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Says([REDACTED])")
    }
}

/// Where the name of the organisation goes.
const BRAND: &str = "{brand}";
