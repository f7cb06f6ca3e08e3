//! The OAuth chain, discovery to refresh, as the graph of the entries has it.

use std::collections::{BTreeMap, BTreeSet};

use ambit_knowledge::Corpus;
use ambit_knowledge::entry::Domain;

/// One entry of each stage, in the order in which a sign-in goes.
const STAGES: [&str; 7] = [
    "client/discovery-not-found",
    "browser/redirect-uri-mismatch",
    "browser/state-mismatch",
    "api/oauth2-invalid-grant",
    "api/oauth2-code-expired",
    "api/invalid-token",
    "api/oauth2-refresh-token-expired",
];

#[test]
fn each_stage_of_the_chain_leads_to_the_next() {
    let onward = edges(false);
    for pair in STAGES.windows(2) {
        assert!(reached(&onward, pair[0]).contains(pair[1]), "no way leads from {} to {}", pair[0], pair[1]);
    }
}

#[test]
fn no_entry_about_tokens_stands_apart_from_the_chain() {
    let near = reached(&edges(true), "api/invalid-token");
    let apart: Vec<&str> = Corpus::embedded()
        .entries()
        .iter()
        .filter(|entry| entry.id.domain() == Domain::Jwt || entry.id.slug().starts_with("oauth2-"))
        .map(|entry| entry.id.as_str())
        .filter(|id| !near.contains(id))
        .collect();
    assert!(apart.is_empty(), "{apart:#?}");
}

/// Where each entry leads; what comes before one leads to it. Both ways where the direction does not matter; neighbours that
/// are confused count there too.
fn edges(is_both_ways: bool) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut join = |from: &'static str, to: &'static str, both: bool| {
        edges.entry(from).or_default().insert(to);
        if both {
            edges.entry(to).or_default().insert(from);
        }
    };
    for entry in Corpus::embedded().entries() {
        let id = entry.id.as_str();
        entry.graph.leads_to.iter().for_each(|to| join(id, to.as_str(), is_both_ways));
        entry.graph.preceded_by.iter().for_each(|from| join(from.as_str(), id, is_both_ways));
        if is_both_ways {
            entry.graph.confused_with.iter().for_each(|other| join(id, other.id.as_str(), true));
        }
    }
    edges
}

fn reached<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut known = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(id) = next.pop() {
        for to in edges.get(id).into_iter().flatten() {
            if known.insert(to) {
                next.push(to);
            }
        }
    }
    known
}
