//! What the pages show.

use ambit_core::authentication::Authentication;
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::password::LEAST_CHARACTERS;
use ambit_core::second_factor::ShownCodes;
use ambit_core::store::sign_in::Session;
use ambit_knowledge::Language;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::admin::scope::Sensitivity;
use ambit_protocol::admin::tenant::TenantSettings;
use ambit_protocol::admin::text::Name;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{ApplicationId, CredentialId, SessionId};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use askama::Template;

use super::device;
use super::wording::Words;
use crate::limits::TooManyFailures;
use crate::session::SignedIn;
use crate::web::branding::Brand;
use crate::web::posted::Posted;
use crate::web::shown::{NAME, Shown, plain};
use crate::web::sign_in::MOST_APPS;

/// What all pages have.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) brand: Option<Brand>,
    pub(super) words: &'static Words,
    language: Language,
    pub(super) form_token: String,
    pub(super) title: &'static str,
    /// Address and title of each page, and whether it is this one.
    pub(super) tabs: Vec<(&'static str, &'static str, bool)>,
}

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Profile,
    Security,
    Passkeys,
    Sessions,
    Applications,
}

impl Frame {
    pub(super) fn new(tab: Tab, language: Language, form_token: String, brand: Option<Brand>) -> Self {
        let words = Words::of(language);
        Self {
            brand,
            words,
            language,
            form_token,
            title: tab.title(words),
            tabs: Tab::ALL.into_iter().map(|it| (it.address(), it.title(words), it == tab)).collect(),
        }
    }
}

impl Tab {
    /// All of them, in the order they are shown.
    const ALL: [Self; 6] =
        [Self::Overview, Self::Profile, Self::Security, Self::Passkeys, Self::Sessions, Self::Applications];

    const fn address(self) -> &'static str {
        match self {
            Self::Overview => "/account/",
            Self::Profile => "/account/profile",
            Self::Security => "/account/security",
            Self::Passkeys => "/account/passkeys",
            Self::Sessions => "/account/sessions",
            Self::Applications => "/account/applications",
        }
    }

    const fn title(self, words: &Words) -> &'static str {
        match self {
            Self::Overview => words.overview,
            Self::Profile => words.profile,
            Self::Security => words.security,
            Self::Passkeys => words.passkeys,
            Self::Sessions => words.sessions,
            Self::Applications => words.applications,
        }
    }
}

/// Who they are.
#[derive(Debug, Template)]
#[template(path = "account/overview.html")]
pub(super) struct OverviewPage<'a> {
    frame: Frame,
    person: &'a SignedIn,
    name: Option<String>,
    tenant: Option<String>,
    since: String,
    by: String,
    can_confirm: bool,
}

impl<'a> OverviewPage<'a> {
    /// Where letters are sent, somebody whose address is not verified can have one.
    pub(super) fn with_letters(self, are_sent: bool) -> Self {
        Self { can_confirm: are_sent && !self.person.person.user.email_verified, ..self }
    }

    pub(super) fn new(frame: Frame, person: &'a SignedIn, tenant: Option<String>) -> Self {
        let user = &person.person.user;
        let parts: Vec<&str> = [&user.given_name, &user.family_name].into_iter().flatten().map(Name::as_str).collect();
        let name = user.display_name.as_ref().map(ToString::to_string).or((!parts.is_empty()).then(|| parts.join(" ")));
        Self {
            name: name.map(|name| plain(&name, NAME)),
            tenant: tenant.map(|tenant| plain(&tenant, NAME)),
            since: moment(person.authentication.at),
            by: methods(&person.authentication, frame.words),
            can_confirm: false,
            person,
            frame,
        }
    }
}

/// What they say of themselves.
#[derive(Debug, Template)]
#[template(path = "account/profile.html")]
pub(super) struct ProfilePage<'a> {
    frame: Frame,
    email: &'a str,
    /// Name, label, value and `autocomplete` of each field.
    fields: [(&'static str, &'static str, String, &'static str); 3],
    languages: Vec<(String, String)>,
    typed: Typed,
}

/// What stands in the fields of the form.
#[derive(Debug, Default)]
pub(super) struct Typed {
    display_name: String,
    given_name: String,
    family_name: String,
    locale: String,
    /// The field that is wrong.
    wrong: Option<&'static str>,
}

impl Typed {
    /// What is kept.
    pub(super) fn of(user: &User) -> Self {
        let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            display_name: text(&user.display_name),
            given_name: text(&user.given_name),
            family_name: text(&user.family_name),
            locale: user.locale.clone().unwrap_or_default(),
            wrong: None,
        }
    }

    /// What was sent.
    pub(super) fn sent(form: &Posted) -> Self {
        let text = |field| plain(form.one(field).unwrap_or_default(), MOST_TYPED);
        Self {
            display_name: text("display_name"),
            given_name: text("given_name"),
            family_name: text("family_name"),
            locale: text("locale"),
            wrong: None,
        }
    }

    pub(super) fn with_fault(self, field: &'static str) -> Self {
        Self { wrong: Some(field), ..self }
    }
}

impl<'a> ProfilePage<'a> {
    pub(super) fn new(frame: Frame, person: &'a SignedIn, mut typed: Typed) -> Self {
        let words = frame.words;
        let mut languages: Vec<(String, String)> = [("", words.browsers_language), ("en", "English"), ("zh", "中文")]
            .map(|(value, label)| (value.to_owned(), label.to_owned()))
            .to_vec();
        if !languages.iter().any(|(value, _)| *value == typed.locale) {
            languages.push((typed.locale.clone(), typed.locale.clone()));
        }
        let fields = [
            ("display_name", words.display_name, std::mem::take(&mut typed.display_name), "nickname"),
            ("given_name", words.given_name, std::mem::take(&mut typed.given_name), "given-name"),
            ("family_name", words.family_name, std::mem::take(&mut typed.family_name), "family-name"),
        ];
        Self { frame, email: person.person.user.email.as_str(), fields, languages, typed }
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.typed.wrong == Some(field)
    }
}

/// By what they prove who they are.
#[derive(Debug, Template)]
#[template(path = "account/security.html")]
pub(super) struct SecurityPage<'a> {
    frame: Frame,
    email: &'a str,
    is_proven: bool,
    has_password: bool,
    /// What is wrong with the current password, with the new one, and with what is to be taken away.
    wrong_current: Option<&'static str>,
    wrong_new: Option<String>,
    wrong_factor: Option<&'static str>,
    least: u32,
    apps: Vec<(CredentialId, String)>,
    has_room: bool,
    codes_left: u32,
}

/// Why something was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not the current password.
    Current,
    /// It was not, too often.
    TooOften(TooManyFailures),
    /// Too many passwords are being looked at.
    Busy,
    /// The new password is too short: the least, in characters.
    Short(u32),
    /// The new password is the address.
    Address,
    /// Their tenant asks everybody for a second factor, and this is the last.
    LastFactor,
}

impl<'a> SecurityPage<'a> {
    pub(super) fn new(
        frame: Frame,
        person: &'a SignedIn,
        credentials: &[Credential],
        settings: &TenantSettings,
        is_proven: bool,
        wrong: Option<Wrong>,
    ) -> Self {
        let words = frame.words;
        let of_kind = |kind| credentials.iter().filter(move |credential| credential.kind == kind);
        let apps: Vec<_> =
            of_kind(CredentialKind::Totp).map(|credential| (credential.id, moment(credential.created_at))).collect();
        Self {
            email: person.person.user.email.as_str(),
            is_proven,
            has_password: of_kind(CredentialKind::Password).next().is_some(),
            wrong_current: match wrong {
                Some(Wrong::Current) => Some(words.wrong_password),
                Some(Wrong::TooOften(_)) => Some(words.too_often),
                Some(Wrong::Busy) => Some(words.busy),
                Some(Wrong::Short(_) | Wrong::Address | Wrong::LastFactor) | None => None,
            },
            wrong_new: match wrong {
                Some(Wrong::Short(least)) => Some(format!("{}{least}", words.short_password)),
                Some(Wrong::Address) => Some(words.address_password.to_owned()),
                _ => None,
            },
            wrong_factor: (wrong == Some(Wrong::LastFactor)).then_some(words.last_factor),
            least: settings.password_min_length.max(LEAST_CHARACTERS),
            has_room: apps.len() < MOST_APPS && !credentials.is_empty(),
            apps,
            codes_left: of_kind(CredentialKind::RecoveryCodes).filter_map(|credential| credential.remaining).sum(),
            frame,
        }
    }
}

/// Recovery codes, this once.
#[derive(Debug, Template)]
#[template(path = "account/codes.html")]
pub(super) struct CodesPage {
    frame: Frame,
    codes: ShownCodes,
    /// The address of the page that they are kept for.
    back: &'static str,
}

impl CodesPage {
    /// On the page of a tab.
    pub(super) const fn new(frame: Frame, tab: Tab, codes: ShownCodes) -> Self {
        Self { frame, codes, back: tab.address() }
    }
}

/// Where they are signed in.
#[derive(Debug, Template)]
#[template(path = "account/sessions.html")]
pub(super) struct SessionsPage {
    frame: Frame,
    sessions: Vec<ShownSession>,
}

#[derive(Debug)]
struct ShownSession {
    id: SessionId,
    is_this: bool,
    device: String,
    address: Option<String>,
    since: String,
    seen: String,
    by: Option<String>,
}

impl SessionsPage {
    pub(super) fn new(frame: Frame, sessions: &[Session], this: SessionId) -> Self {
        let words = frame.words;
        let sessions = sessions.iter().map(|session| {
            // A session whose document cannot be read is nobody's to use, and is shown to be ended.
            let read: Option<Authentication> = serde_json::from_str(&session.document).ok();
            let user_agent = read.as_ref().and_then(|it| it.user_agent.as_deref()).unwrap_or_default();
            let device = match device::recognised(user_agent) {
                Some((browser, system)) => format!("{browser}{}{system}", words.on),
                None if user_agent.is_empty() => words.unknown_device.to_owned(),
                None => plain(user_agent, NAME),
            };
            ShownSession {
                id: session.id,
                is_this: session.id == this,
                device,
                address: read.as_ref().and_then(|it| it.address.clone()),
                since: moment(session.created_at),
                seen: moment(session.seen_at),
                by: read.as_ref().map(|it| methods(it, words)),
            }
        });
        Self { sessions: sessions.collect(), frame }
    }

    fn has_others(&self) -> bool {
        self.sessions.iter().any(|session| !session.is_this)
    }
}

/// What an application holds of somebody.
#[derive(Debug)]
pub(super) struct HeldBy {
    pub(super) id: ApplicationId,
    /// None where it is gone.
    pub(super) name: Option<String>,
    scopes: Vec<ScopeToken>,
    agreed_at: Option<Timestamp>,
    used_since: Option<Timestamp>,
}

impl HeldBy {
    /// What is known of an application so far.
    pub(super) fn entry(all: &mut Vec<Self>, id: ApplicationId) -> &mut Self {
        let place = all.iter().position(|it| it.id == id).unwrap_or_else(|| {
            all.push(Self { id, name: None, scopes: vec![], agreed_at: None, used_since: None });
            all.len() - 1
        });
        &mut all[place]
    }

    /// A consent.
    pub(super) fn add(&mut self, scopes: Vec<ScopeToken>, at: Timestamp) {
        self.scopes = scopes;
        self.agreed_at = Some(at);
    }

    /// Something that was lent; the earliest counts.
    pub(super) fn add_grant(&mut self, at: Timestamp) {
        self.used_since = Some(self.used_since.map_or(at, |earlier| earlier.min(at)));
    }
}

/// What applications may do.
#[derive(Debug, Template)]
#[template(path = "account/applications.html")]
pub(super) struct ApplicationsPage {
    frame: Frame,
    applications: Vec<ShownApplication>,
}

#[derive(Debug)]
struct ShownApplication {
    id: ApplicationId,
    name: Option<String>,
    agreed: Option<String>,
    used_since: Option<String>,
    scopes: Vec<(Shown, Sensitivity)>,
}

impl ApplicationsPage {
    pub(super) fn new(frame: Frame, held: &[HeldBy], catalogue: &Catalogue) -> Self {
        let language = frame.language;
        let applications = held.iter().map(|it| ShownApplication {
            id: it.id,
            name: it.name.as_ref().map(|name| plain(name, NAME)),
            agreed: it.agreed_at.map(moment),
            used_since: it.used_since.map(moment),
            scopes: it
                .scopes
                .iter()
                .filter_map(|name| catalogue.find(name.as_str()))
                .map(|entry| (Shown::of(&entry.scope.title, language, NAME), entry.scope.sensitivity))
                .collect(),
        });
        Self { applications: applications.collect(), frame }
    }
}

/// The day, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('T').map_or_else(|| text.clone(), |(day, _)| day.to_owned())
}

/// Day and minute, in UTC: the server does not know where the reader is.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", time.get(..5).unwrap_or(time)),
        None => text,
    }
}

fn methods(authentication: &Authentication, words: &Words) -> String {
    let mut named: Vec<&str> = vec![];
    for method in &authentication.methods {
        if !named.contains(&words.method(*method)) {
            named.push(words.method(*method));
        }
    }
    named.join(" + ")
}

/// Characters of what was typed that are shown again.
const MOST_TYPED: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_to_the_minute() {
        assert_eq!(moment(Timestamp::from_secs(1_800_000_059)), "2027-01-15 08:00 UTC");
    }
}
