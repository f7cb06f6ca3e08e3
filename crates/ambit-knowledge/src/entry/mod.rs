//! An entry: what one error is, how it is recognised, why it happens and what helps.
//!
//! An entry is authored as TOML, one file each, `kb/entries/<domain>/<slug>.toml`; its path is its id. [`Entry::parse`]
//! reads it strictly: a member that nobody knows is an error that names the file, the member and the rule. The JSON
//! Schema of the form is [`schema`], published as `kb/schema.json`.
//!
//! The crate's build script includes this file as well, so that what is packed into the binary has been read by the same
//! rules. It uses nothing of the crate, therefore.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

mod id;
mod list;
mod parse;
mod text;

pub use id::{EntryId, InvalidId};
pub use list::{
    Category, Domain, EvidenceKind, Fault, Language, Product, Resolvable, Risk, RootCauseType, Subject, Tier,
    TranslationStatus, VersionStatus,
};
pub use parse::{ParseError, schema};
pub use text::{Said, Text};

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its address: domain and slug. Not authored: it is the path of the file.
    pub id: EntryId,
    /// Whose message it is.
    pub product: Product,
    /// What it is about.
    pub category: Category,
    /// The code that programs see, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// How well it is known to be true.
    pub tier: Tier,
    /// Where the cause lies.
    pub root_cause_type: RootCauseType,
    /// Whether whoever meets it can do something about it.
    pub resolvable: Resolvable,
    /// When it was recorded.
    #[schemars(schema_with = "day")]
    pub first_seen: Date,
    /// When somebody last looked whether it still is so.
    #[schemars(schema_with = "day")]
    pub last_confirmed: Date,
    /// When it was last changed.
    #[schemars(schema_with = "day")]
    pub last_updated: Date,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Earlier ids and other names that it answers to.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where it occurs, and since when.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// The official page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_url: Option<String>,
    /// The section of that page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_section: Option<String>,
    /// Which languages its texts are in, and how they came to be.
    pub languages: Languages,
    /// A short line that people read first.
    pub title: Text,
    /// The message as it is most often met.
    pub signature: Text,
    /// Why it happens.
    pub cause: Text,
    /// How it is recognised.
    #[serde(rename = "match")]
    pub matching: Match,
    /// What has to be recognised as this entry, and what must not be.
    #[serde(default)]
    pub samples: Samples,
    /// What helps, best first.
    #[serde(default)]
    pub workarounds: Vec<Workaround>,
    /// What is tried in vain, and what weakens security.
    #[serde(default)]
    pub dead_ends: Vec<DeadEnd>,
    /// Why anybody should believe this.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// How it hangs together with other entries.
    #[serde(default)]
    pub graph: Graph,
}

/// The status of all texts of an entry, language by language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Languages {
    /// English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<TranslationStatus>,
    /// Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<TranslationStatus>,
}

/// A product or specification in which the error occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Which, as people write it: `Keycloak 23+`.
    pub version: String,
    /// Whether the error still occurs there.
    pub status: VersionStatus,
    /// The version that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduced: Option<String>,
    /// The version that advises against what leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// The version that no longer has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// What is different there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior_change: Option<String>,
}

/// How an entry is recognised: by what a message is made of first, by its words second.
///
/// All of `oauth_error`, `description_pattern`, `www_authenticate`, `problem_type` and `product` that are named must hold
/// together. `status` excludes an input that shows another one. One of `patterns` suffices by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The HTTP status codes that it comes with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(range(min = 100, max = 599)))]
    pub status: Vec<u16>,
    /// `error` of an OAuth answer, of a redirect's query or of a challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_error: Option<String>,
    /// A regular expression that is searched in the description of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description_pattern: Option<String>,
    /// `error` of a `WWW-Authenticate` challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub www_authenticate: Option<String>,
    /// What the problem's `type`, or the `error_uri`, ends with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
    /// The product that the input has to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// Regular expressions that are searched in the whole text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// What a message complains of that is about this, whatever words it has for it: what, and what is wrong with it. Of a
    /// product's entry it holds only where the message shows the product.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub about: BTreeMap<Subject, Vec<Fault>>,
    /// Whether it is what libraries say around another error: it counts where nothing else is found.
    #[serde(default, skip_serializing_if = "is_false")]
    pub around: bool,
}

/// What the entry is tried on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The signature and real messages.
    #[serde(default)]
    pub positive: Vec<String>,
    /// Near misses.
    #[serde(default)]
    pub negative: Vec<String>,
    /// What people, other products and other releases say instead. The entry is known by their words, and no rule has to
    /// find them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reworded: Vec<String>,
}

/// Something that helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workaround {
    /// What it may cost.
    pub risk: Risk,
    /// When it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Text>,
    /// Where it is written down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What to do, in one sentence.
    pub action: Text,
    /// The steps, commands or code.
    pub how: Text,
}

/// Something that does not help, or should not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadEnd {
    /// `unsafe` where it weakens security.
    pub risk: Risk,
    /// When it is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Text>,
    /// Where it is written down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What people try.
    pub action: Text,
    /// Why it fails, or what it breaks.
    pub why_fails: Text,
}

/// Where the entry is known from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What was done.
    pub kind: EvidenceKind,
    /// A URL, a specification with its section, or a path in this repository.
    pub reference: String,
    /// When.
    #[schemars(schema_with = "day")]
    pub date: Date,
}

/// The neighbours of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// What is often met next.
    #[serde(default)]
    pub leads_to: Vec<EntryId>,
    /// What is often met before.
    #[serde(default)]
    pub preceded_by: Vec<EntryId>,
    /// What it is mistaken for.
    #[serde(default)]
    pub confused_with: Vec<Confusion>,
}

/// An entry that resembles another one, and how to tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// The other one.
    pub id: EntryId,
    /// What tells them apart.
    pub distinction: Text,
}

impl Languages {
    /// The status of the texts in a language; `None` where the entry has none.
    #[must_use]
    pub const fn status(self, language: Language) -> Option<TranslationStatus> {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}

impl Entry {
    /// Every text of the entry, with the name of its member.
    pub fn texts(&self) -> impl Iterator<Item = (String, &Text)> {
        let fixed = [("title", &self.title), ("signature", &self.signature), ("cause", &self.cause)];
        let fixed = fixed.into_iter().map(|(name, text)| (name.to_owned(), text));
        let workarounds = self.workarounds.iter().enumerate().flat_map(|(place, it)| {
            advice(format!("workarounds[{place}]"), it.condition.as_ref(), &it.action, ("how", &it.how))
        });
        let dead_ends = self.dead_ends.iter().enumerate().flat_map(|(place, it)| {
            advice(format!("dead_ends[{place}]"), it.condition.as_ref(), &it.action, ("why_fails", &it.why_fails))
        });
        let confusions = self.graph.confused_with.iter().enumerate();
        let confusions =
            confusions.map(|(place, it)| (format!("graph.confused_with[{place}].distinction"), &it.distinction));
        fixed.chain(workarounds).chain(dead_ends).chain(confusions)
    }
}

/// The texts of a workaround or a dead end, with the names of their members.
fn advice<'a>(
    of: String,
    condition: Option<&'a Text>,
    action: &'a Text,
    last: (&'static str, &'a Text),
) -> impl Iterator<Item = (String, &'a Text)> {
    let condition = condition.map(|text| ("condition", text));
    condition.into_iter().chain([("action", action), last]).map(move |(name, text)| (format!("{of}.{name}"), text))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes by reference")]
const fn is_false(is: &bool) -> bool {
    !*is
}

/// A day, as RFC 3339 writes it.
fn day(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date" })
}
