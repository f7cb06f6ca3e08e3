//! What a text must contain for a pattern to match it: the literals of the pattern, in their order.
//!
//! `regex_syntax::hir::literal` finds prefixes and suffixes. Patterns of messages often begin and end with what varies,
//! so the literals between are wanted as well.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// The literals that a pattern needs, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    /// All of these, one after the other.
    pub(crate) all: Vec<String>,
    /// One of these; empty where nothing of the kind is known.
    pub(crate) any: Vec<String>,
    /// How many characters of a match are fixed: what makes one pattern more specific than another.
    pub(crate) weight: usize,
}

/// What a pattern needs. The error is the parser's, for people.
pub(crate) fn needs(pattern: &str) -> Result<Needs, Box<regex_syntax::Error>> {
    // Classes say nothing here, and those of ASCII are read in a tenth of the time.
    let is_ascii = pattern.is_ascii();
    let hir = ParserBuilder::new().unicode(!is_ascii).utf8(!is_ascii).build().parse(pattern).map_err(Box::new)?;
    let mut needs = Needs::default();
    gather(&hir, &mut needs);
    Ok(needs)
}

impl Needs {
    /// The literals of which one has to occur before anything else is worth a look; empty where every text has to be
    /// tried.
    pub(crate) fn triggers(&self) -> &[String] {
        let longest =
            self.all.iter().enumerate().max_by_key(|(place, literal)| (literal.len(), std::cmp::Reverse(*place)));
        match longest {
            Some((place, literal)) if literal.len() >= MIN_LITERAL.min(shortest(&self.any)) || self.any.is_empty() => {
                std::slice::from_ref(&self.all[place])
            }
            _ => &self.any,
        }
    }
}

fn gather(hir: &Hir, needs: &mut Needs) {
    match hir.kind() {
        HirKind::Literal(literal) => {
            // A pattern is a `str`, and no flag lets it match anything but UTF-8.
            let literal = String::from_utf8_lossy(&literal.0).to_lowercase();
            needs.weight += weight(&literal);
            needs.all.push(literal);
        }
        HirKind::Capture(group) => gather(&group.sub, needs),
        HirKind::Concat(parts) => parts.iter().for_each(|part| gather(part, needs)),
        HirKind::Repetition(repetition) if repetition.min > 0 => gather(&repetition.sub, needs),
        HirKind::Alternation(branches) => {
            let branches: Vec<Needs> = branches
                .iter()
                .map(|branch| {
                    let mut needs = Needs::default();
                    gather(branch, &mut needs);
                    needs
                })
                .collect();
            needs.weight += branches.iter().map(|branch| branch.weight).min().unwrap_or(0);
            let longest = |branch: &Needs| branch.triggers().to_vec();
            let any: Vec<String> = branches.iter().flat_map(longest).collect();
            let is_complete = branches.iter().all(|branch| branch.triggers().iter().any(|literal| !literal.is_empty()));
            if is_complete && shortest(&any) > shortest(&needs.any) {
                needs.any = any;
            }
        }
        HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Look(_) | HirKind::Empty => {}
    }
}

/// How long the shortest is; 0 where there is none.
fn shortest(literals: &[String]) -> usize {
    literals.iter().map(String::len).min().unwrap_or(0)
}

/// White space and quotes say nothing; a Chinese character says about as much as two letters.
fn weight(literal: &str) -> usize {
    literal.chars().filter(|c| c.is_alphanumeric() || *c == '_').map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// A literal shorter than this occurs everywhere.
const MIN_LITERAL: usize = 4;
