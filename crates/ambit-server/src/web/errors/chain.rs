//! Where in the course of OAuth an error is met, as a picture: discovery, authorize, code, token, the call of the API, refresh.
//!
//! The picture is made of the graph of the entries. Each step has its anchors, the entries that everybody meets there; every
//! other entry belongs to the step of the nearest anchor, edges followed in both directions. An entry that no edge leads to goes
//! by what it is about, and what has no place in the course has no picture.

use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;

use ambit_knowledge::entry::{Category, Domain};
use ambit_knowledge::{Corpus, Entry, Language};

use super::wording::Words;

/// The picture of one entry.
#[derive(Debug)]
pub(super) struct Chain {
    /// Its height; it is 360 wide, as a telephone is.
    pub(super) height: u32,
    /// The steps, in their order.
    pub(super) steps: Vec<Step>,
    /// What the picture shows, for whoever does not see it.
    pub(super) description: String,
    /// From the last step back to the call: the path of an arrow.
    pub(super) back: String,
    pub(super) back_tip: String,
}

/// A step of the course.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) title: &'static str,
    pub(super) is_here: bool,
    pub(super) y: u32,
    pub(super) height: u32,
    pub(super) is_first: bool,
    pub(super) nodes: Vec<Node>,
}

/// An entry in a step.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) full_title: &'static str,
    pub(super) is_here: bool,
    /// ↑ often before, ↓ often after, or nothing.
    pub(super) sign: &'static str,
    pub(super) y: u32,
}

/// How an entry of the picture stands to the one that it is about, what matters most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Here,
    Before,
    After,
    Usual,
}

impl Chain {
    /// The picture of an entry that came with the program, where it has a place in the course.
    pub(super) fn of(entry: &'static Entry, language: Language, words: &'static Words) -> Option<Self> {
        let here = step_of(entry)?;
        let neighbours = Neighbours::of(entry);
        let mut shown: [Vec<(Standing, &'static Entry)>; STEPS] = Default::default();
        shown[here].push((Standing::Here, entry));
        let before = neighbours.before.iter().map(|it| (Standing::Before, *it));
        let after = neighbours.after.iter().map(|it| (Standing::After, *it));
        let usual = ANCHORS.iter().flat_map(|ids| ids.iter()).filter_map(|id| Corpus::embedded().find(id));
        for (standing, it) in before.chain(after).chain(usual.map(|it| (Standing::Usual, it))) {
            let Some(step) = step_of(it) else { continue };
            if shown.iter().flatten().all(|(_, known)| known.id != it.id) {
                shown[step].push((standing, it));
            }
        }

        let (mut y, mut steps) = (TOP, Vec::new());
        for (place, mut entries) in shown.into_iter().enumerate() {
            entries.sort_by_key(|(standing, _)| *standing);
            let mut below = y + HEAD;
            let nodes: Vec<Node> = entries
                .into_iter()
                .take(MOST_NODES)
                .map(|(standing, it)| {
                    let at = below;
                    below += if standing == Standing::Here { HERE } else { LINE };
                    Node::new(it, standing, language, at)
                })
                .collect();
            let height = below - y + FOOT;
            let title = words.steps[place];
            steps.push(Step {
                number: place + 1,
                title,
                is_here: place == here,
                y,
                height,
                is_first: place == 0,
                nodes,
            });
            y += height + GAP;
        }
        let middle = |step: &Step| step.y + step.height / 2;
        let (call, refresh) = (middle(&steps[CALL]), middle(&steps[REFRESH]));
        Some(Self {
            height: y - GAP + TOP,
            description: description(words, here, &neighbours, language),
            back: format!("M344 {refresh}h9V{call}h-7"),
            back_tip: format!("M344 {call}l8 -6v12z"),
            steps,
        })
    }
}

impl Node {
    fn new(entry: &'static Entry, standing: Standing, language: Language, y: u32) -> Self {
        let full_title = entry.title.in_language(language).text;
        let sign = match standing {
            Standing::Before => "↑",
            Standing::After => "↓",
            Standing::Here | Standing::Usual => "",
        };
        let is_here = standing == Standing::Here;
        Self { id: entry.id.as_str(), title: cut(full_title), full_title, is_here, sign, y }
    }
}

/// What is often met before an entry and after it: what it says itself, and what others say of it.
#[derive(Debug)]
pub(super) struct Neighbours {
    pub(super) before: Vec<&'static Entry>,
    pub(super) after: Vec<&'static Entry>,
}

impl Neighbours {
    pub(super) fn of(entry: &'static Entry) -> Self {
        let corpus = Corpus::embedded();
        let mut before: Vec<&'static Entry> = corpus.all_of(&entry.graph.preceded_by).collect();
        let mut after: Vec<&'static Entry> = corpus.all_of(&entry.graph.leads_to).collect();
        for other in corpus.entries() {
            if other.graph.leads_to.contains(&entry.id) && !before.iter().any(|it| it.id == other.id) {
                before.push(other);
            }
            if other.graph.preceded_by.contains(&entry.id) && !after.iter().any(|it| it.id == other.id) {
                after.push(other);
            }
        }
        Self { before, after }
    }
}

/// The step that an entry belongs to.
fn step_of(entry: &Entry) -> Option<usize> {
    static BY_GRAPH: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| nearest(Corpus::embedded()));
    BY_GRAPH.get(entry.id.as_str()).copied().or_else(|| by_category(entry))
}

/// The step of every entry that is at most [`REACH`] edges from an anchor.
fn nearest(corpus: &'static Corpus) -> HashMap<&'static str, usize> {
    let mut edges: HashMap<&str, Vec<&'static str>> = HashMap::new();
    for entry in corpus.entries() {
        for other in entry.graph.leads_to.iter().chain(&entry.graph.preceded_by) {
            edges.entry(entry.id.as_str()).or_default().push(other.as_str());
            edges.entry(other.as_str()).or_default().push(entry.id.as_str());
        }
    }
    let mut steps = HashMap::new();
    let mut next = VecDeque::new();
    for (step, ids) in ANCHORS.iter().enumerate() {
        for id in *ids {
            steps.insert(*id, step);
            next.push_back((*id, 0));
        }
    }
    while let Some((id, far)) = next.pop_front() {
        let step = steps[id];
        for other in edges.get(id).into_iter().flatten().filter(|_| far < REACH) {
            if !steps.contains_key(other) {
                steps.insert(other, step);
                next.push_back((other, far + 1));
            }
        }
    }
    steps
}

fn by_category(entry: &Entry) -> Option<usize> {
    if entry.id.domain() == Domain::Jwt {
        return Some(CALL);
    }
    Some(match entry.category {
        Category::Discovery => DISCOVERY,
        Category::Redirect | Category::Consent | Category::Session => AUTHORIZE,
        Category::Pkce => CODE,
        Category::ClientAuthentication | Category::Grant | Category::Scope | Category::Resource | Category::Cors => {
            TOKEN
        }
        Category::Token
        | Category::Signature
        | Category::Key
        | Category::Issuer
        | Category::Audience
        | Category::Time => CALL,
        Category::Request
        | Category::Tenant
        | Category::Limit
        | Category::Storage
        | Category::Permission
        | Category::Registration
        | Category::Configuration => return None,
    })
}

fn description(words: &Words, here: usize, neighbours: &Neighbours, language: Language) -> String {
    let titles = |entries: &[&'static Entry]| {
        entries.iter().map(|entry| entry.title.in_language(language).text).collect::<Vec<_>>().join("; ")
    };
    let mut text = format!("{}{}", words.steps.join(" → "), words.stop);
    text.push_str(&format!("{} {}{}", words.here_is_step, words.steps[here], words.stop));
    for (label, entries) in [(words.often_before, &neighbours.before), (words.often_after, &neighbours.after)] {
        if !entries.is_empty() {
            text.push_str(&format!("{label}: {}{}", titles(entries), words.stop));
        }
    }
    text
}

/// As much of a title as there is room for. A Chinese character takes the room of two others.
fn cut(title: &str) -> String {
    let mut room = ROOM;
    for (at, c) in title.char_indices() {
        let wide = if u32::from(c) >= 0x2e80 { 2 } else { 1 };
        if room < wide {
            return format!("{}…", title[..at].trim_end());
        }
        room -= wide;
    }
    title.to_owned()
}

/// The entries that everybody meets at a step.
const ANCHORS: [&[&str]; STEPS] = [
    &["client/discovery-not-found", "client/discovery-issuer-mismatch"],
    &["browser/redirect-uri-mismatch", "api/oidc-login-required", "api/oauth2-access-denied"],
    &["browser/state-mismatch", "api/oauth2-invalid-grant"],
    &["api/oauth2-invalid-request", "api/oauth2-invalid-client", "api/oauth2-invalid-scope-requested"],
    &["api/invalid-token", "api/insufficient-scope"],
    &["api/oauth2-refresh-token-expired", "api/oauth2-refresh-token-reused"],
];
const STEPS: usize = 6;
const DISCOVERY: usize = 0;
const AUTHORIZE: usize = 1;
const CODE: usize = 2;
const TOKEN: usize = 3;
const CALL: usize = 4;
const REFRESH: usize = 5;
const REACH: usize = 2;
/// So many entries of a step are shown: more is a list, and not a picture.
const MOST_NODES: usize = 4;
/// Of a line, in the width of a Latin letter.
const ROOM: usize = 40;
const TOP: u32 = 6;
const HEAD: u32 = 36;
const LINE: u32 = 26;
const HERE: u32 = 42;
const FOOT: u32 = 6;
const GAP: u32 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchor_is_an_entry_and_each_step_leads_to_the_next_in_the_graph() {
        let corpus = Corpus::embedded();
        for id in ANCHORS.iter().flat_map(|ids| ids.iter()) {
            assert_eq!(corpus.find(id).map(|entry| entry.id.as_str()), Some(*id));
        }
        // Along leads_to and preceded_by, in their direction, from the first step to the last.
        let mut reached: Vec<&str> = ANCHORS[DISCOVERY].to_vec();
        let mut place = 0;
        while let Some(id) = reached.get(place).copied() {
            let entry = corpus.find(id).expect("an entry");
            for after in Neighbours::of(entry).after {
                if !reached.contains(&after.id.as_str()) {
                    reached.push(after.id.as_str());
                }
            }
            place += 1;
        }
        for (step, ids) in ANCHORS.iter().enumerate() {
            assert!(ids.iter().any(|id| reached.contains(id)), "no way leads to step {step}");
        }
    }

    #[test]
    fn the_entry_is_in_its_step_once_and_nothing_overlaps() {
        let words = Words::of(Language::En);
        for entry in Corpus::embedded().entries() {
            let Some(chain) = Chain::of(entry, Language::En, words) else { continue };
            let here: Vec<&Node> =
                chain.steps.iter().flat_map(|step| &step.nodes).filter(|node| node.is_here).collect();
            assert_eq!(here.iter().map(|node| node.id).collect::<Vec<_>>(), [entry.id.as_str()]);
            assert_eq!(chain.steps.iter().filter(|step| step.is_here).count(), 1);
            for pair in chain.steps.windows(2) {
                assert!(pair[0].y + pair[0].height < pair[1].y);
            }
            for step in &chain.steps {
                assert!(step.nodes.iter().all(|node| node.y >= step.y + HEAD && node.y < step.y + step.height));
                assert!(step.nodes.windows(2).all(|pair| pair[0].y + LINE <= pair[1].y));
            }
        }
        let outside = Corpus::embedded().find("api/payload-too-large").expect("an entry");
        assert!(Chain::of(outside, Language::En, words).is_none());
    }

    #[test]
    fn a_title_is_cut_where_its_room_ends() {
        assert_eq!(cut(&"a".repeat(ROOM)), "a".repeat(ROOM));
        assert_eq!(cut(&"a".repeat(ROOM + 1)), format!("{}…", "a".repeat(ROOM)));
        assert_eq!(cut(&"令".repeat(21)), format!("{}…", "令".repeat(20)));
    }
}
