//! What a text must contain for a pattern to match it, and which of many such literals a text has.
//!
//! Patterns of messages often begin and end with what varies, so the literals between are wanted as well.

use super::expression::{Expression, Piece};

/// The literals that a pattern needs, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needs<'a> {
    /// All of these, one after the other.
    pub(crate) all: Vec<&'a str>,
    /// One of these; empty where nothing of the kind is known.
    pub(crate) any: Vec<&'a str>,
    /// How many characters of a match are fixed: what makes one pattern more specific than another.
    pub(crate) weight: usize,
}

impl<'a> Needs<'a> {
    pub(crate) fn of(expression: &'a Expression) -> Self {
        let mut needs = Self::default();
        needs.gather(expression.parts());
        needs
    }

    /// The literals of which one has to occur before anything else is worth a look; empty where every text has to be
    /// tried.
    pub(crate) fn triggers(&self) -> &[&'a str] {
        let longest =
            self.all.iter().enumerate().max_by_key(|(place, literal)| (literal.len(), std::cmp::Reverse(*place)));
        match longest {
            Some((place, literal)) if literal.len() >= MIN_LITERAL.min(shortest(&self.any)) || self.any.is_empty() => {
                std::slice::from_ref(&self.all[place])
            }
            _ => &self.any,
        }
    }

    /// Others than those, of which one has to occur as well: the ones that the fewest patterns need; empty where there are
    /// none. Of each literal is said how many need it, or nothing where it is too short to be looked for.
    pub(super) fn rarest_besides(&self, needed: impl Fn(&str) -> Option<u32>) -> &[&'a str] {
        let of = |literals: &[&str]| literals.iter().try_fold(0, |sum: u32, it| Some(sum.saturating_add(needed(it)?)));
        let all = self.all.chunks(1).chain([self.any.as_slice()]);
        let others = all.filter(|literals| !literals.is_empty() && *literals != self.triggers());
        others.filter_map(|it| Some((of(it)?, it))).min_by_key(|(needed, _)| *needed).map_or(&[], |(_, it)| it)
    }

    fn gather(&mut self, parts: &'a [Piece]) {
        for part in parts {
            match part {
                Piece::Literal(literal) => {
                    self.weight += weight(literal);
                    self.all.push(literal);
                }
                Piece::Repeated(parts, times) if times.least > 0 => self.gather(parts),
                Piece::OneOf(branches) => {
                    let of = |branch: &'a [Piece]| {
                        let mut needs = Needs::default();
                        needs.gather(branch);
                        needs
                    };
                    let branches: Vec<Needs<'a>> = branches.iter().map(|branch| of(branch)).collect();
                    self.weight += branches.iter().map(|branch| branch.weight).min().unwrap_or(0);
                    let any: Vec<&str> = branches.iter().flat_map(|branch| branch.triggers().to_vec()).collect();
                    let is_complete = branches.iter().all(|branch| !branch.triggers().is_empty());
                    if is_complete && shortest(&any) > shortest(&self.any) {
                        self.any = any;
                    }
                }
                Piece::Repeated(..) | Piece::Gap(_) | Piece::Class(..) | Piece::Look(_) => {}
            }
        }
    }
}

/// How long the shortest is; 0 where there is none.
fn shortest(literals: &[&str]) -> usize {
    literals.iter().map(|literal| literal.len()).min().unwrap_or(0)
}

/// White space and quotes say nothing; a Chinese character says about as much as two letters.
fn weight(literal: &str) -> usize {
    literal.chars().filter(|c| c.is_alphanumeric() || *c == '_').map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// Many literals, of which a text has some.
///
/// An automaton of them all finds them as well, and takes a tenth of a second to make for ten thousand entries. Here each
/// literal is known by four octets of it, the rarest: where a text has those four, the rest is compared.
#[derive(Debug, Default)]
pub(super) struct Literals {
    /// All of them, one after the other.
    text: String,
    /// Where each begins, and where the last one ends.
    begins: Vec<u32>,
    /// The literals of each four octets: a range of `known` for each bucket.
    buckets: Vec<u32>,
    known: Vec<Known>,
    shift: u32,
}

/// A literal, and where in it the four octets are.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    literal: u32,
    offset: u32,
}

impl Literals {
    /// Of literals that have [`KEY`] octets or more.
    pub(super) fn new<'a>(literals: impl Iterator<Item = &'a str>) -> Self {
        let (mut text, mut begins) = (String::new(), vec![0]);
        for literal in literals {
            text.push_str(literal);
            begins.push(narrow(text.len()));
        }
        // Twice as many buckets as literals, and few enough for the processor's memory.
        let bits = usize::BITS - begins.len().leading_zeros() + 1;
        let shift = u32::BITS - bits.clamp(8, 20);
        let bucket_count = 1_usize << (u32::BITS - shift);
        let of = |literal: usize| &text.as_bytes()[begins[literal] as usize..begins[literal + 1] as usize];

        let mut frequency = vec![0_u32; bucket_count];
        for literal in 0..begins.len() - 1 {
            of(literal).windows(KEY).for_each(|key| frequency[bucket(key, shift)] += 1);
        }
        let rarest: Vec<(usize, u32)> = (0..begins.len() - 1)
            .filter_map(|literal| {
                let keys = of(literal).windows(KEY).map(|key| bucket(key, shift)).enumerate();
                keys.min_by_key(|(_, bucket)| frequency[*bucket]).map(|(offset, bucket)| (bucket, narrow(offset)))
            })
            .collect();
        let mut buckets = vec![0_u32; bucket_count + 1];
        for (bucket, _) in &rarest {
            buckets[bucket + 1] += 1;
        }
        for at in 1..buckets.len() {
            buckets[at] += buckets[at - 1];
        }
        let (mut free, mut known) = (buckets.clone(), vec![Known::default(); rarest.len()]);
        for (literal, (bucket, offset)) in (0_u32..).zip(rarest) {
            known[free[bucket] as usize] = Known { literal, offset };
            free[bucket] += 1;
        }
        Self { text, begins, buckets, known, shift }
    }

    /// Every place of a text where one of the literals stands, with its number.
    pub(super) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (u32, usize)> + 'a {
        let text = text.as_bytes();
        text.windows(KEY).enumerate().flat_map(move |(at, key)| {
            let bucket = if self.known.is_empty() { 0..0 } else { self.bucket(key) };
            let stands = move |known: &Known| {
                let from = at.checked_sub(known.offset as usize)?;
                text[from..].starts_with(self.literal(known.literal)).then_some((known.literal, from))
            };
            self.known[bucket].iter().filter_map(stands)
        })
    }

    fn bucket(&self, key: &[u8]) -> std::ops::Range<usize> {
        let bucket = bucket(key, self.shift);
        self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize
    }

    fn literal(&self, literal: u32) -> &[u8] {
        let literal = literal as usize;
        &self.text.as_bytes()[self.begins[literal] as usize..self.begins[literal + 1] as usize]
    }
}

/// Fibonacci hashing (Knuth, volume 3, 6.4): the high bits of a product are well mixed.
fn bucket(key: &[u8], shift: u32) -> usize {
    let key = u32::from_le_bytes([key[0], key[1], key[2], key[3]]);
    (key.wrapping_mul(0x9e37_79b1) >> shift) as usize
}

/// Places in the literals: they are far shorter than 2³² octets together.
fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("the literals of a corpus have fewer than 2³² octets")
}

/// A literal shorter than this occurs everywhere.
const MIN_LITERAL: usize = 4;
/// The octets by which a literal is known; one that has fewer is none.
pub(super) const KEY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_literal_is_found() {
        let literals = ["scope", "invalid_scope", "cope", "授权码", "aaaa", "scopes are"];
        let index = Literals::new(literals.into_iter());
        let text = "invalid_scope: scopes 授权码 aaaaaa";
        let mut found: Vec<_> = index.find(text).map(|(literal, at)| (literals[literal as usize], at)).collect();
        found.sort_unstable();
        let mut expected: Vec<_> = literals
            .into_iter()
            .flat_map(|literal| {
                (0..text.len())
                    .filter(move |at| text.as_bytes()[*at..].starts_with(literal.as_bytes()))
                    .map(move |at| (literal, at))
            })
            .collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(Literals::new(std::iter::empty()).find(text).count(), 0);
        assert_eq!(index.find("cop").count(), 0);
    }

    #[test]
    fn besides_what_is_looked_for_those_literals_are_wanted_that_the_fewest_patterns_need() {
        let besides = |pattern: &str| {
            let expression = Expression::new(pattern).expect(pattern);
            let needed = |literal: &str| match literal {
                "token" => Some(90),
                "iss" => None,
                _ => Some(2),
            };
            Needs::of(&expression).rarest_besides(needed).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(besides("token.{1,9}audience.{1,9}mismatches"), ["audience"]);
        assert_eq!(besides("token.{1,9}(?:expired|revoked).{1,9}yesterday"), ["expired", "revoked"]);
        assert_eq!(besides("token.{1,9}(?:aud|iss).{1,9}yesterday"), ["token"]);
        assert_eq!(besides("(?:expired|revoked)"), [""; 0]);
    }
}
