//! The flat JSON form of other collections.

use ambit_knowledge::Entry;
use ambit_knowledge::confidence::Outcomes;
use ambit_knowledge::entry::{Category, Language, Product, Risk, Tier};
use ambit_knowledge::exchange::{Imported, export, import};
use serde_json::{Value, json};

use crate::support;

/// As it was published.
const SEED: &str = include_str!("fixtures/oauth2-invalid-scope-requested.json");

/// What comes back otherwise than it went in, and why.
const CHANGED: &[(&str, &str)] = &[
    ("/category", "auth_error is on no list of ours; the finding names what was taken"),
    ("/dead_ends/0/action", "blank: the reason stands in until somebody writes the action"),
    ("/dead_ends/1/action", "blank: the reason stands in until somebody writes the action"),
    ("/dead_ends/0/fail_rate", "typed in"),
    ("/dead_ends/1/fail_rate", "typed in"),
    ("/workarounds/0/success_rate", "typed in"),
    ("/workarounds/1/success_rate", "typed in"),
    ("/workarounds_zh/0", "English"),
    ("/workarounds_zh/1", "English"),
    ("/confidence", "computed"),
    ("/fix_success_rate", "computed"),
    ("/evidence_count", "there is no evidence behind the number"),
];

#[test]
fn a_round_trip_of_the_seed_loses_nothing_that_means_something() {
    let seed: Value = serde_json::from_str(SEED).expect("JSON");
    let Imported { entry, findings } = import(SEED, Product::Standard).expect("an entry");
    let back = serde_json::to_value(export(&entry, Outcomes::default())).expect("JSON");
    let (went, came) = (leaves(&seed), leaves(&back));
    for (pointer, value) in &went {
        let is_changed = CHANGED.iter().any(|(changed, _)| changed == pointer);
        let is_same = came.iter().any(|(other, same)| other == pointer && same == value);
        assert_eq!(is_same, !is_changed, "{pointer}: {value}");
    }
    for (pointer, _) in CHANGED {
        // Every change was told.
        let member = pointer[1..].replace('/', ".").replace(".0", "[0]").replace(".1", "[1]");
        assert!(findings.iter().any(|finding| finding.member == member), "{member}: {findings:#?}");
    }
    let added: Vec<_> = came.iter().filter(|(pointer, _)| !went.iter().any(|(other, _)| other == pointer)).collect();
    assert!(added.is_empty(), "{added:?}");
}

#[test]
fn what_the_seed_should_not_have_is_found() {
    let Imported { entry, findings } = import(SEED, Product::Standard).expect("an entry");
    let said = |member: &str, word: &str| {
        assert!(
            findings.iter().any(|it| it.member == member && it.what.contains(word)),
            "{member} {word}: {findings:#?}"
        );
    };
    said("dead_ends[0].action", "blank");
    said("workarounds_zh[0]", "not Chinese".split(' ').next_back().expect("a word"));
    said("workarounds_zh[0]", "announces Chinese and is not");
    said("workarounds[0].how", "copy");
    said("workarounds[1]", "weakens security");
    said("confidence", "typed in");
    assert_eq!(entry.workarounds[1].risk, Risk::Unsafe);
    assert_eq!(entry.workarounds[0].risk, Risk::None);
    assert_eq!(entry.workarounds[0].how.get(Language::Zh), None);
    assert_eq!(entry.signature.get(Language::Zh), Some("OAuth2 错误：invalid_scope：作用域 'admin' 未注册"));
    assert_eq!((entry.tier, entry.category), (Tier::MachineWritten, Category::Scope));
}

#[test]
fn our_entries_go_out_and_come_back() {
    for entry in support::knowledge().corpus().entries() {
        let out = serde_json::to_string(&export(entry, Outcomes::default())).expect("JSON");
        let Imported { entry: back, findings } = import(&out, entry.product).expect("an entry");
        let kept = |it: &Entry| {
            let graph = it.graph.confused_with.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
            (
                it.id.clone(),
                it.category,
                it.error_code.clone(),
                it.tier,
                it.resolvable,
                it.versions.clone(),
                it.doc_url.clone(),
                it.tags.clone(),
                it.graph.leads_to.clone(),
                graph,
            )
        };
        assert_eq!(kept(&back), kept(entry));
        let figures = ["confidence", "fix_success_rate", "evidence_count"];
        let others: Vec<_> = findings.iter().filter(|it| !figures.contains(&it.member.as_str())).collect();
        assert!(others.is_empty(), "{}: {others:?}", entry.id);
        // The one expression matches what the patterns match.
        let regex = back.matching.patterns.first().cloned().unwrap_or_default();
        assert!(entry.matching.patterns.iter().all(|pattern| regex.contains(pattern.as_str())), "{regex}");
    }
}

#[test]
fn what_has_no_place_is_told_rather_than_dropped() {
    let mut seed: Value = serde_json::from_str(SEED).expect("JSON");
    seed["os_specific"] = json!({ "windows": "other" });
    seed["subcategory"] = json!("scopes");
    seed["locale"] = json!("de");
    seed["root_cause_type"] = json!("moonlight");
    seed["transition_graph"]["leads_to"] = json!(["api/insufficient-scope", "nowhere", { "id": "api/invalid-token" }]);
    seed["transition_graph"]["frequently_confused_with"] =
        json!([{ "id": "api/invalid-token", "distinction": "later" }, "api/insufficient-scope"]);
    let Imported { entry, findings } = import(&seed.to_string(), Product::Standard).expect("an entry");
    for member in [
        "os_specific",
        "subcategory",
        "locale",
        "root_cause_type",
        "transition_graph.leads_to",
        "transition_graph.frequently_confused_with",
    ] {
        assert!(findings.iter().any(|finding| finding.member == member), "{member}: {findings:#?}");
    }
    let leads_to: Vec<_> = entry.graph.leads_to.iter().map(ToString::to_string).collect();
    assert_eq!(leads_to, ["api/insufficient-scope", "api/invalid-token"]);
    assert_eq!(entry.graph.confused_with.len(), 1);
}

#[test]
fn a_document_of_another_form_is_refused_by_its_member() {
    for (from, to, member) in [
        ("\"api/oauth2-invalid-scope-requested\"", "\"nowhere\"", "id"),
        ("\"2024-04-10\"", "\"10 April\"", "first_seen"),
        (
            "\"signature\": \"OAuth2 error: invalid_scope: scope 'admin' not registered\"",
            "\"signature\": 1",
            "signature",
        ),
    ] {
        let failure = import(&SEED.replacen(from, to, 1), Product::Standard).expect_err(member).to_string();
        assert!(failure.starts_with(member), "{failure}");
    }
}

/// The values of a document that mean something, by their pointers: no nulls, no blanks, nothing empty.
fn leaves(value: &Value) -> Vec<(String, Value)> {
    fn walk(value: &Value, pointer: &str, into: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| walk(member, &format!("{pointer}/{name}"), into));
            }
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(place, member)| walk(member, &format!("{pointer}/{place}"), into));
            }
            Value::Null => {}
            // A blank condition means nothing; a blank action is a mistake.
            Value::String(text) if text.is_empty() && pointer.ends_with("/condition") => {}
            leaf => into.push((pointer.to_owned(), leaf.clone())),
        }
    }
    let mut into = Vec::new();
    walk(value, "", &mut into);
    into
}
