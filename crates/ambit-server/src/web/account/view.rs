//! What the pages show.

use ambit_core::authentication::Authentication;
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::store::sign_in::Session;
use ambit_knowledge::Language;
use ambit_protocol::admin::scope::Sensitivity;
use ambit_protocol::id::{ApplicationId, SessionId};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use askama::Template;

use super::device;
use super::wording::Words;
use crate::session::SignedIn;
use crate::web::shown::{NAME, Shown, plain};

/// What all pages have.
#[derive(Debug)]
pub(super) struct Frame {
    words: &'static Words,
    language: Language,
    form_token: String,
    title: &'static str,
    /// Address and title of each page, and whether it is this one.
    tabs: Vec<(&'static str, &'static str, bool)>,
}

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Sessions,
    Applications,
}

impl Frame {
    pub(super) fn new(tab: Tab, language: Language, form_token: String) -> Self {
        let words = Words::of(language);
        let tabs = [Tab::Overview, Tab::Sessions, Tab::Applications];
        Self {
            words,
            language,
            form_token,
            title: tab.title(words),
            tabs: tabs.into_iter().map(|it| (it.address(), it.title(words), it == tab)).collect(),
        }
    }
}

impl Tab {
    const fn address(self) -> &'static str {
        match self {
            Self::Overview => "/account/",
            Self::Sessions => "/account/sessions",
            Self::Applications => "/account/applications",
        }
    }

    const fn title(self, words: &Words) -> &'static str {
        match self {
            Self::Overview => words.overview,
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
}

impl<'a> OverviewPage<'a> {
    pub(super) fn new(frame: Frame, person: &'a SignedIn, tenant: Option<String>) -> Self {
        let user = &person.person.user;
        let parts: Vec<&str> = [&user.given_name, &user.family_name]
            .into_iter()
            .flatten()
            .map(ambit_protocol::admin::text::Name::as_str)
            .collect();
        let name = user.display_name.as_ref().map(ToString::to_string).or((!parts.is_empty()).then(|| parts.join(" ")));
        Self {
            name: name.map(|name| plain(&name, NAME)),
            tenant: tenant.map(|tenant| plain(&tenant, NAME)),
            since: moment(person.authentication.at),
            by: methods(&person.authentication, frame.words),
            person,
            frame,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_to_the_minute() {
        assert_eq!(moment(Timestamp::from_secs(1_800_000_059)), "2027-01-15 08:00 UTC");
    }
}
