//! The JSON form in which other collections of errors are published: one flat document for each error.
//!
//! Everything that means something there has a place here, so an entry can be [`import`]ed and [`export`]ed again. What
//! is typed in there and computed here (`confidence`, `fix_success_rate`, rates of each advice) is left behind, and every
//! such thing is a [`Finding`], as are blank fields, copied fields, and English where Chinese is announced.

use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::confidence::{Outcomes, confidence, fix_success_rate};
use crate::entry::{
    Category, Confusion, DeadEnd, Entry, EntryId, Graph, Languages, Match, Product, Resolvable, Risk, RootCauseType,
    Samples, Text, Tier, TranslationStatus, Version, VersionStatus, Workaround,
};

/// An error in the form of other collections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchanged {
    /// Domain and slug.
    pub id: String,
    /// The message as it is most often met.
    pub signature: String,
    /// The same in Chinese.
    #[serde(default)]
    pub signature_zh: Option<String>,
    /// How it is recognised.
    #[serde(default)]
    pub regex: Option<String>,
    /// The first part of the id.
    pub domain: String,
    /// What it is about.
    pub category: String,
    /// What it is about, more narrowly.
    #[serde(default)]
    pub subcategory: Option<String>,
    /// Why it happens.
    pub root_cause: String,
    /// Where the cause lies.
    #[serde(default)]
    pub root_cause_type: Option<String>,
    /// The cause in Chinese.
    #[serde(default)]
    pub root_cause_zh: Option<String>,
    /// Where it occurs.
    #[serde(default)]
    pub versions: Vec<ExchangedVersion>,
    /// What differs between operating systems.
    #[serde(default)]
    pub os_specific: Map<String, Value>,
    /// What does not help.
    #[serde(default)]
    pub dead_ends: Vec<ExchangedDeadEnd>,
    /// What helps.
    #[serde(default)]
    pub workarounds: Vec<ExchangedWorkaround>,
    /// What helps, in Chinese, in the same order.
    #[serde(default)]
    pub workarounds_zh: Vec<String>,
    /// Neighbours.
    #[serde(default)]
    pub transition_graph: ExchangedGraph,
    /// The official page.
    #[serde(default)]
    pub official_doc_url: Option<String>,
    /// Its section.
    #[serde(default)]
    pub official_doc_section: Option<String>,
    /// The code that programs see.
    #[serde(default)]
    pub error_code: Option<String>,
    /// How well it is known to be true.
    #[serde(default)]
    pub verification_tier: Option<String>,
    /// How sure it is.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// How often the advice helps.
    #[serde(default)]
    pub fix_success_rate: Option<f64>,
    /// Whether anything can be done.
    #[serde(default)]
    pub resolvable: Option<String>,
    /// When it was recorded.
    pub first_seen: String,
    /// When it was last confirmed.
    pub last_confirmed: String,
    /// When it was last changed.
    pub last_updated: String,
    /// How many pieces of evidence there are.
    #[serde(default)]
    pub evidence_count: Option<u64>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The language of what has no other form.
    #[serde(default)]
    pub locale: Option<String>,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// Where an error occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangedVersion {
    /// Which.
    pub version: String,
    /// The version that brought it.
    #[serde(default)]
    pub introduced: Option<String>,
    /// The version that advises against it.
    #[serde(default)]
    pub deprecated: Option<String>,
    /// The version that no longer has it.
    #[serde(default)]
    pub removed: Option<String>,
    /// What is different.
    #[serde(default)]
    pub behavior_change: Option<String>,
    /// Whether it still occurs.
    #[serde(default)]
    pub status: Option<String>,
}

/// What does not help.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangedDeadEnd {
    /// What is tried.
    #[serde(default)]
    pub action: String,
    /// Why it fails.
    #[serde(default)]
    pub why_fails: String,
    /// How often it fails.
    #[serde(default)]
    pub fail_rate: Option<f64>,
    /// When it is tried.
    #[serde(default)]
    pub condition: String,
    /// Where that is written.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// What helps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangedWorkaround {
    /// What to do.
    #[serde(default)]
    pub action: String,
    /// How often it helps.
    #[serde(default)]
    pub success_rate: Option<f64>,
    /// The steps.
    #[serde(default)]
    pub how: String,
    /// When it applies.
    #[serde(default)]
    pub condition: String,
    /// Where that is written.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// Neighbours. An edge is an id, or an object that has one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExchangedGraph {
    /// What comes next.
    #[serde(default)]
    pub leads_to: Vec<Value>,
    /// What comes before.
    #[serde(default)]
    pub preceded_by: Vec<Value>,
    /// What it is mistaken for.
    #[serde(default)]
    pub frequently_confused_with: Vec<Value>,
}

/// An entry as it came, and what about it is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The entry, to be corrected.
    pub entry: Entry,
    /// What to correct.
    pub findings: Vec<Finding>,
}

/// Something that could not be taken over as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The member of the document: `dead_ends[0].action`.
    pub member: String,
    /// What is wrong, and what has become of it.
    pub what: String,
}

/// Why a document cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not of the form.
    #[error("{member}: {fault}")]
    Form {
        /// The member.
        member: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// Takes an error over. `product` is not in that form.
pub fn import(json: &str, product: Product) -> Result<Imported, ImportError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read: Exchanged = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| wrong(&error.path().to_string(), error.inner()))?;
    let mut import = Import { findings: Vec::new() };
    let entry = import.entry(read, product)?;
    Ok(Imported { entry, findings: import.findings })
}

/// Gives an entry away. What this form has no place for (structured rules, samples, evidence, risks) stays behind; the
/// figures are computed.
#[must_use]
pub fn export(entry: &Entry, outcomes: Outcomes) -> Exchanged {
    let en = |text: &Text| text.in_language(crate::Language::En).text.to_owned();
    let zh = |text: &Text| text.get(crate::Language::Zh).map(str::to_owned);
    let condition = |text: &Option<Text>| text.as_ref().map(en).unwrap_or_default();
    let id = |id: &EntryId| Value::from(id.as_str());
    Exchanged {
        id: entry.id.to_string(),
        signature: en(&entry.signature),
        signature_zh: zh(&entry.signature),
        regex: regex_of(&entry.matching),
        domain: entry.id.domain().to_string(),
        category: entry.category.to_string(),
        subcategory: None,
        root_cause: en(&entry.cause),
        root_cause_type: Some(entry.root_cause_type.to_string()),
        root_cause_zh: zh(&entry.cause),
        versions: entry.versions.iter().cloned().map(ExchangedVersion::from).collect(),
        os_specific: Map::new(),
        dead_ends: entry
            .dead_ends
            .iter()
            .map(|it| ExchangedDeadEnd {
                action: en(&it.action),
                why_fails: en(&it.why_fails),
                fail_rate: None,
                condition: condition(&it.condition),
                sources: it.sources.clone(),
            })
            .collect(),
        workarounds: entry
            .workarounds
            .iter()
            .map(|it| ExchangedWorkaround {
                action: en(&it.action),
                success_rate: None,
                how: en(&it.how),
                condition: condition(&it.condition),
                sources: it.sources.clone(),
            })
            .collect(),
        workarounds_zh: entry.workarounds.iter().filter_map(|it| zh(&it.how)).collect(),
        transition_graph: ExchangedGraph {
            leads_to: entry.graph.leads_to.iter().map(id).collect(),
            preceded_by: entry.graph.preceded_by.iter().map(id).collect(),
            frequently_confused_with: entry
                .graph
                .confused_with
                .iter()
                .map(|it| serde_json::json!({ "id": it.id, "distinction": en(&it.distinction) }))
                .collect(),
        },
        official_doc_url: entry.doc_url.clone(),
        official_doc_section: entry.doc_section.clone(),
        error_code: entry.error_code.clone(),
        verification_tier: Some(if entry.tier == Tier::MachineWritten {
            UNCHECKED.to_owned()
        } else {
            entry.tier.to_string()
        }),
        confidence: Some(rounded(confidence(entry, outcomes).mean)),
        fix_success_rate: Some(rounded(fix_success_rate(outcomes).mean)),
        resolvable: Some(entry.resolvable.to_string()),
        first_seen: entry.first_seen.to_string(),
        last_confirmed: entry.last_confirmed.to_string(),
        last_updated: entry.last_updated.to_string(),
        evidence_count: Some(entry.evidence.len() as u64),
        tags: entry.tags.clone(),
        locale: Some("en".to_owned()),
        aliases: entry.aliases.clone(),
    }
}

/// An import under way.
struct Import {
    findings: Vec<Finding>,
}

impl Import {
    fn entry(&mut self, read: Exchanged, product: Product) -> Result<Entry, ImportError> {
        let id: EntryId = read.id.parse().map_err(|error| wrong("id", error))?;
        if read.domain != id.domain().as_str() {
            self.find("domain", format!("{:?} is not the domain of the id, which counts", read.domain));
        }
        self.figures(&read);
        let category = self.category(&read);
        let signature = self.text("signature", &read.signature, read.signature_zh.as_deref())?;
        let has_chinese = signature.get(crate::Language::Zh).is_some();
        let cause = self.text("root_cause", &read.root_cause, read.root_cause_zh.as_deref())?;
        let workarounds = self.workarounds(&read);
        let dead_ends = self.dead_ends(&read);
        Ok(Entry {
            product,
            category,
            tier: self.tier(read.verification_tier.as_deref()),
            root_cause_type: self.listed("root_cause_type", read.root_cause_type.as_deref(), RootCauseType::Generic),
            resolvable: self.listed("resolvable", read.resolvable.as_deref(), Resolvable::Partly),
            first_seen: day("first_seen", &read.first_seen)?,
            last_confirmed: day("last_confirmed", &read.last_confirmed)?,
            last_updated: day("last_updated", &read.last_updated)?,
            tags: read.tags,
            aliases: read.aliases,
            versions: read
                .versions
                .into_iter()
                .enumerate()
                .map(|(place, version)| self.version(place, version))
                .collect(),
            doc_url: read.official_doc_url.filter(|url| !url.trim().is_empty()),
            doc_section: read.official_doc_section.filter(|section| !section.trim().is_empty()),
            languages: Languages {
                en: Some(TranslationStatus::Original),
                zh: has_chinese.then_some(TranslationStatus::Translated),
            },
            // That form has no line for people; the message is the nearest to one.
            title: signature.clone(),
            matching: Match {
                patterns: read.regex.into_iter().filter(|it| !it.is_empty()).collect(),
                ..Match::default()
            },
            samples: Samples {
                positive: signature.all().map(|said| said.text.to_owned()).collect(),
                ..Samples::default()
            },
            signature,
            cause,
            workarounds,
            dead_ends,
            evidence: Vec::new(),
            graph: Graph {
                leads_to: self.ids("transition_graph.leads_to", &read.transition_graph.leads_to),
                preceded_by: self.ids("transition_graph.preceded_by", &read.transition_graph.preceded_by),
                confused_with: self.confusions(&read.transition_graph.frequently_confused_with),
            },
            error_code: read.error_code.filter(|code| !code.is_empty()),
            id,
        })
    }

    fn find(&mut self, member: &str, what: impl Into<String>) {
        self.findings.push(Finding { member: member.to_owned(), what: what.into() });
    }

    /// What somebody typed in, or has no place.
    fn figures(&mut self, read: &Exchanged) {
        if read.confidence.is_some() {
            self.find("confidence", "typed in; it is computed from evidence and outcomes here");
        }
        if read.fix_success_rate.is_some() {
            self.find("fix_success_rate", "typed in; it is computed from outcomes here");
        }
        if read.evidence_count.is_some_and(|count| count > 0) {
            self.find("evidence_count", "counts evidence that is not there: name each piece in evidence");
        }
        if !read.os_specific.is_empty() {
            self.find("os_specific", format!("has no place here: {}", Value::Object(read.os_specific.clone())));
        }
        if let Some(sub) = read.subcategory.as_deref().filter(|sub| !sub.is_empty()) {
            self.find("subcategory", format!("{sub:?} has no place here: use a tag"));
        }
        if let Some(locale) = read.locale.as_deref().filter(|locale| *locale != "en") {
            self.find("locale", format!("{locale:?}: texts without a suffix were taken for English"));
        }
    }

    fn category(&mut self, read: &Exchanged) -> Category {
        if let Ok(category) = read.category.parse() {
            return category;
        }
        let code = read.error_code.as_deref().unwrap_or_default();
        let category =
            BY_CODE.iter().find(|(part, _)| code.contains(part)).map_or(Category::Request, |(_, category)| *category);
        self.find(
            "category",
            format!("{:?} is not on the list; {category} was taken, by the error code", read.category),
        );
        category
    }

    fn tier(&mut self, tier: Option<&str>) -> Tier {
        match tier {
            None | Some(UNCHECKED) => Tier::MachineWritten,
            other => self.listed("verification_tier", other, Tier::MachineWritten),
        }
    }

    fn listed<T: FromStr + ToString>(&mut self, member: &str, text: Option<&str>, otherwise: T) -> T {
        match text.map(str::parse) {
            Some(Ok(known)) => known,
            None => otherwise,
            Some(Err(_)) => {
                self.find(
                    member,
                    format!("{:?} is not on the list; {} was taken", text.unwrap_or_default(), otherwise.to_string()),
                );
                otherwise
            }
        }
    }

    fn text(&mut self, member: &str, en: &str, zh: Option<&str>) -> Result<Text, ImportError> {
        let text = Text::english(en).ok_or_else(|| wrong(member, "it is blank"))?;
        Ok(match self.chinese(&format!("{member}_zh"), zh) {
            Some(zh) => text.with_chinese(zh),
            None => text,
        })
    }

    /// A text if it is Chinese.
    fn chinese<'a>(&mut self, member: &str, text: Option<&'a str>) -> Option<&'a str> {
        let text = text.filter(|text| !text.trim().is_empty())?;
        if has_hanzi(text) {
            return Some(text);
        }
        self.find(member, "announces Chinese and is not; it was left out");
        None
    }

    fn workarounds(&mut self, read: &Exchanged) -> Vec<Workaround> {
        let mut workarounds = Vec::new();
        for (place, it) in read.workarounds.iter().enumerate() {
            let member = format!("workarounds[{place}]");
            if it.success_rate.is_some() {
                self.find(&format!("{member}.success_rate"), "typed in; it was left out");
            }
            if it.action == it.how && !it.action.trim().is_empty() {
                self.find(
                    &format!("{member}.how"),
                    "is a copy of the action: say what to do in the one and how in the other",
                );
            }
            let zh =
                self.chinese(&format!("workarounds_zh[{place}]"), read.workarounds_zh.get(place).map(String::as_str));
            let one = |text: &str, other: &str| Text::english(text).or_else(|| Text::english(other));
            let (Some(action), Some(how)) = (one(&it.action, &it.how), one(&it.how, &it.action)) else {
                self.find(&member, "says nothing; it was left out");
                continue;
            };
            for (name, text) in [("action", &it.action), ("how", &it.how)] {
                if text.trim().is_empty() {
                    self.find(&format!("{member}.{name}"), "is blank; the other text stands in for it");
                }
            }
            let risk = if crate::lint::is_unsafe_advice(&it.how) || crate::lint::is_unsafe_advice(&it.action) {
                self.find(&member, "weakens security: record it as a dead end, with the reason");
                Risk::Unsafe
            } else {
                Risk::None
            };
            workarounds.push(Workaround {
                risk,
                condition: Text::english(&it.condition),
                sources: it.sources.clone(),
                action: zh.map_or(action.clone(), |zh| action.with_chinese(zh)),
                how: zh.map_or(how.clone(), |zh| how.with_chinese(zh)),
            });
        }
        workarounds
    }

    fn dead_ends(&mut self, read: &Exchanged) -> Vec<DeadEnd> {
        let mut dead_ends = Vec::new();
        for (place, it) in read.dead_ends.iter().enumerate() {
            let member = format!("dead_ends[{place}]");
            if it.fail_rate.is_some() {
                self.find(&format!("{member}.fail_rate"), "typed in; it was left out");
            }
            let one = |text: &str, other: &str| Text::english(text).or_else(|| Text::english(other));
            let (Some(action), Some(why_fails)) = (one(&it.action, &it.why_fails), one(&it.why_fails, &it.action))
            else {
                self.find(&member, "says nothing; it was left out");
                continue;
            };
            for (name, text) in [("action", &it.action), ("why_fails", &it.why_fails)] {
                if text.trim().is_empty() {
                    self.find(
                        &format!("{member}.{name}"),
                        "is blank; the other text stands in for it until somebody writes it",
                    );
                }
            }
            dead_ends.push(DeadEnd {
                risk: Risk::None,
                condition: Text::english(&it.condition),
                sources: it.sources.clone(),
                action,
                why_fails,
            });
        }
        dead_ends
    }

    fn version(&mut self, place: usize, it: ExchangedVersion) -> Version {
        Version {
            status: self.listed(&format!("versions[{place}].status"), it.status.as_deref(), VersionStatus::Active),
            version: it.version,
            introduced: it.introduced,
            deprecated: it.deprecated,
            removed: it.removed,
            behavior_change: it.behavior_change,
        }
    }

    fn ids(&mut self, member: &str, edges: &[Value]) -> Vec<EntryId> {
        let mut ids = Vec::new();
        for edge in edges {
            match id_of(edge).and_then(|id| id.parse().ok()) {
                Some(id) => ids.push(id),
                None => self.find(member, format!("{edge} names no entry; it was left out")),
            }
        }
        ids
    }

    fn confusions(&mut self, edges: &[Value]) -> Vec<Confusion> {
        let member = "transition_graph.frequently_confused_with";
        let mut confusions = Vec::new();
        for edge in edges {
            let id = id_of(edge).and_then(|id| id.parse::<EntryId>().ok());
            let said =
                ["distinction", "difference", "reason"].iter().find_map(|name| edge.get(name)).and_then(Value::as_str);
            match (id, said.and_then(Text::english)) {
                (Some(id), Some(distinction)) => confusions.push(Confusion { id, distinction }),
                (Some(id), None) => {
                    self.find(member, format!("does not say what tells {id} apart; it was left out"));
                }
                (None, _) => self.find(member, format!("{edge} names no entry; it was left out")),
            }
        }
        confusions
    }
}

impl From<Version> for ExchangedVersion {
    fn from(it: Version) -> Self {
        Self {
            version: it.version,
            introduced: it.introduced,
            deprecated: it.deprecated,
            removed: it.removed,
            behavior_change: it.behavior_change,
            status: Some(it.status.to_string()),
        }
    }
}

/// One expression for all patterns.
fn regex_of(matching: &Match) -> Option<String> {
    let patterns: Vec<&str> =
        matching.patterns.iter().chain(&matching.description_pattern).map(String::as_str).collect();
    match patterns.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        many => Some(many.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|")),
    }
}

fn id_of(edge: &Value) -> Option<&str> {
    edge.as_str()
        .or_else(|| ["id", "error_id", "target"].iter().find_map(|name| edge.get(name)).and_then(Value::as_str))
}

pub(crate) fn has_hanzi(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'))
}

fn day(member: &str, text: &str) -> Result<Date, ImportError> {
    text.parse().map_err(|error| wrong(member, error))
}

fn wrong(member: &str, fault: impl ToString) -> ImportError {
    ImportError::Form { member: member.to_owned(), fault: fault.to_string() }
}

fn rounded(share: f64) -> f64 {
    (share * 100.0).round() / 100.0
}

/// The tier there that says that nobody has looked.
const UNCHECKED: &str = "ai_generated";
/// Which category an error code speaks of.
const BY_CODE: &[(&str, Category)] = &[
    ("scope", Category::Scope),
    ("client_metadata", Category::Registration),
    ("client", Category::ClientAuthentication),
    ("grant", Category::Grant),
    ("token", Category::Token),
    ("target", Category::Resource),
    ("redirect", Category::Redirect),
    ("consent", Category::Consent),
    ("login", Category::Session),
];
