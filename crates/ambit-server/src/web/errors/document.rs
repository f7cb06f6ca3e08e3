//! Entries as JSON: whole, in both languages, with what is computed.

use ambit_knowledge::confidence::{Estimate, Outcomes, confidence, fix_success_rate};
use ambit_knowledge::entry::{Category, Domain, Product, Text, Tier};
use ambit_knowledge::{Entry, EntryId};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::state::App;

/// An entry of the error knowledge base, as it is served: `/errors/{domain}/{slug}.json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct EntryDocument<'a> {
    /// Where its page is.
    url: String,
    /// What people reported after they had followed its advice.
    outcomes: Outcomes,
    /// How likely it is to be true, by its evidence and the reports.
    confidence: Estimate,
    /// How often its advice helps, by the reports.
    fix_success_rate: Estimate,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// All entries in short: `/errors/index.json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorList")]
pub(in crate::web) struct Index<'a> {
    /// How many there are.
    total: usize,
    /// All of them, in the order of their ids.
    items: Vec<IndexItem<'a>>,
    cursor: Option<&'static str>,
}

/// An entry in short.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorInShort")]
struct IndexItem<'a> {
    id: &'a EntryId,
    url: String,
    domain: Domain,
    product: Product,
    category: Category,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    status: &'a [u16],
    title: &'a Text,
    tier: Tier,
}

impl<'a> EntryDocument<'a> {
    pub(super) fn new(app: &App, entry: &'a Entry, outcomes: Outcomes) -> Self {
        Self {
            url: url(app, entry),
            outcomes,
            confidence: confidence(entry, outcomes),
            fix_success_rate: fix_success_rate(outcomes),
            entry,
        }
    }
}

impl<'a> Index<'a> {
    pub(super) fn new(app: &App, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let items: Vec<IndexItem<'a>> = entries.into_iter().map(|entry| IndexItem::new(app, entry)).collect();
        Self { total: items.len(), items, cursor: None }
    }
}

impl<'a> IndexItem<'a> {
    fn new(app: &App, entry: &'a Entry) -> Self {
        Self {
            id: &entry.id,
            url: url(app, entry),
            domain: entry.id.domain(),
            product: entry.product,
            category: entry.category,
            error_code: entry.error_code.as_deref(),
            status: &entry.matching.status,
            title: &entry.title,
            tier: entry.tier,
        }
    }
}

/// The JSON Schema of an entry as it is served.
pub(super) fn schema() -> Schema {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<EntryDocument<'static>>();
    schema.insert("title".to_owned(), "An entry of Ambit's error knowledge base, as it is served".into());
    schema
}

/// JSON as it is sent. What is made here has texts, numbers and lists only, which are JSON always.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn url(app: &App, entry: &Entry) -> String {
    format!("{}/errors/{}", app.base_url, entry.id)
}
