//! What the page shows.

use ambit_core::client::Facts;
use ambit_core::consent::{Choice, Consented, Question, Said};
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::reach::{Owner, Reach};
use ambit_core::store::noun;
use ambit_core::store::{By, StoreError};
use ambit_knowledge::Language;
use ambit_protocol::admin::partner::Partner;
use ambit_protocol::admin::scope::{Scope, Sensitivity};
use askama::Template;

use super::ConsentQuestion;
use super::wording::Words;
use crate::session::SignedIn;
use crate::state::App;
use crate::web::branding::Brand;
use crate::web::shown::{NAME, SENTENCE, Shown, plain};

/// The page.
#[derive(Debug, Template)]
#[template(path = "consent/page.html")]
pub(super) struct ConsentPage<'a> {
    words: &'static Words,
    id: &'a str,
    form_token: String,
    brand: Option<Brand>,
    application: String,
    publisher: &'a Publisher,
    person: &'a str,
    groups: Vec<ShownGroup>,
    has_privileged: bool,
    back: Back,
}

/// Whose application it is.
#[derive(Debug)]
pub(super) struct Publisher {
    kind: Kind,
    name: Option<String>,
}

/// Whose application it is, seen from the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Their own tenant's.
    Own,
    /// The platform's.
    Operator,
    /// A partner's.
    Partner,
    /// Another tenant's.
    OtherTenant,
}

/// Where the browser goes on to.
#[derive(Debug)]
enum Back {
    /// A site. As ASCII: a name in look-alike letters shows what it is.
    Host(String),
    /// A program that listens on the device, or that took a scheme there.
    Device,
}

#[derive(Debug)]
struct ShownGroup {
    title: Option<String>,
    choices: Vec<ShownChoice>,
}

#[derive(Debug)]
struct ShownChoice {
    number: usize,
    name: String,
    title: Shown,
    description: Shown,
    sensitivity: Sensitivity,
    is_required: bool,
    is_ticked: bool,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    title: Shown,
    description: Shown,
    sensitivity: Sensitivity,
}

impl Publisher {
    /// Looks up whose application it is.
    pub(super) async fn find(app: &App, facts: &Facts, person: Owner) -> Result<Self, StoreError> {
        let own = |kind| Self { kind, name: None };
        Ok(match facts.client.owner() {
            Owner::Platform => own(Kind::Operator),
            Owner::Partner(id) => {
                let partner: Option<Partner> =
                    noun::find(&*app.store, By::Id(&id.to_string()), Reach::Platform).await?;
                Self { kind: Kind::Partner, name: partner.map(|partner| plain(partner.name.as_str(), NAME)) }
            }
            Owner::Tenant(id, _) => {
                let tenant = app.registry.tenant_by_id(id).await?;
                let kind = if person.tenant_id() == Some(id) { Kind::Own } else { Kind::OtherTenant };
                Self { kind, name: tenant.map(|tenant| plain(tenant.tenant.name.as_str(), NAME)) }
            }
        })
    }

    /// Whether nobody the person knows answers for it. A name proves nothing: anybody may call theirs "Security Team".
    fn is_third_party(&self) -> bool {
        matches!(self.kind, Kind::Partner | Kind::OtherTenant)
    }
}

impl<'a> ConsentPage<'a> {
    pub(super) fn new(
        (id, form_token): (&'a str, String),
        asked: &ConsentQuestion,
        (question, consented): (&Question, &Consented),
        publisher: &'a Publisher,
        signed_in: &'a SignedIn,
        language: Language,
    ) -> Self {
        let words = Words::of(language);
        let catalogue = &*asked.facts.catalogue;
        let mut number = 0;
        let groups: Vec<ShownGroup> = question
            .groups
            .iter()
            .map(|group| ShownGroup {
                title: group.api.map(|api| plain(catalogue.apis()[api].name.as_str(), NAME)),
                choices: group
                    .choices
                    .iter()
                    .map(|choice| {
                        number += 1;
                        let is_ticked = is_ticked(choice, consented.said(choice, catalogue));
                        ShownChoice::new(number, choice, is_ticked, catalogue, language)
                    })
                    .collect(),
            })
            .collect();
        Self {
            words,
            id,
            form_token,
            brand: asked.facts.tenant.as_ref().map(|tenant| Brand::of(tenant)),
            application: plain(asked.facts.client.application.name.as_str(), NAME),
            publisher,
            person: signed_in.person.user.email.as_str(),
            has_privileged: question.choices().any(|choice| choice.sensitivity == Sensitivity::Privileged),
            groups,
            back: Back::of(&asked.redirect_uri),
        }
    }
}

/// What stands ticked when the page opens. Whoever does not look has then not agreed to what is dangerous, nor to what they left
/// out before.
fn is_ticked(choice: &Choice, said: Said) -> bool {
    match said {
        Said::Yes => true,
        Said::No => choice.is_required,
        Said::Nothing => choice.is_required || choice.sensitivity != Sensitivity::Privileged,
    }
}

impl ShownChoice {
    fn new(number: usize, choice: &Choice, is_ticked: bool, catalogue: &Catalogue, language: Language) -> Self {
        let scope = &catalogue.entry(choice.place).scope;
        let (title, description) = told(scope, language);
        let members = choice.members.iter().map(|place| {
            let scope = &catalogue.entry(*place).scope;
            let (title, description) = told(scope, language);
            Member { title, description, sensitivity: scope.sensitivity }
        });
        Self {
            number,
            name: scope.name.to_string(),
            title,
            description,
            sensitivity: choice.sensitivity,
            is_required: choice.is_required,
            is_ticked,
            members: members.collect(),
        }
    }
}

/// Title and description.
fn told(scope: &Scope, language: Language) -> (Shown, Shown) {
    (Shown::of(&scope.title, language, NAME), Shown::of(&scope.description, language, SENTENCE))
}

impl Back {
    fn of(redirect_uri: &str) -> Self {
        match url::Url::parse(redirect_uri) {
            Ok(url) if url.scheme() == "https" => {
                url.host_str().map_or(Self::Device, |host| Self::Host(host.to_owned()))
            }
            _ => Self::Device,
        }
    }
}
