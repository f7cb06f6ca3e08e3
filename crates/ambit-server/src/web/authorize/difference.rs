//! What makes one redirect URI another: which parts of it differ, and which characters of those.
//!
//! Both are taken apart as text, since that is how they are compared (`ambit_protocol::redirect_uri`): what a parser makes the same
//! is not the same here.

use ambit_protocol::redirect_uri::RedirectUri;

/// A URI that was sent beside one that is registered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compared {
    /// The first one, from its beginning to its end.
    pub(super) sent: Vec<Stretch>,
    /// The other one.
    pub(super) registered: Vec<Stretch>,
    /// In what they differ, each once.
    pub(super) differences: Vec<Difference>,
}

/// Characters of a URI that stand together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) text: String,
    /// Whether the other one has something else here, or nothing.
    pub(super) differs: bool,
}

/// In what one URI differs from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    Scheme,
    /// What stands before an `@`.
    User,
    Host,
    Port,
    Path,
    /// One ends with a slash and the other does not.
    Slash,
    Query,
    Fragment,
    /// The letters are the same, and one has large ones.
    Case,
}

impl Compared {
    pub(super) fn of(sent: &str, registered: &RedirectUri) -> Self {
        let mut found = Self { sent: vec![], registered: vec![], differences: vec![] };
        let (sent, own) = (parts(sent), parts(registered.as_str()));
        let mut with_port = own;
        with_port[PORT] = sent[PORT];
        // RFC 8252 §7.3: of a loopback address any port is as good as another.
        let is_any_port = registered.matches(&with_port.concat());
        for ((part, one), other) in PARTS.into_iter().zip(sent).zip(own) {
            let is_free = part == Difference::Port && is_any_port;
            let (before, after) = if is_free { (one.len().max(other.len()), 0) } else { common(one, other) };
            push(&mut found.sent, one, before, after);
            push(&mut found.registered, other, before, after);
            if one == other || is_free {
                continue;
            }
            let difference = match part {
                _ if one.eq_ignore_ascii_case(other) => Difference::Case,
                Difference::Path if one.strip_suffix('/') == Some(other) || other.strip_suffix('/') == Some(one) => {
                    Difference::Slash
                }
                part => part,
            };
            if !found.differences.contains(&difference) {
                found.differences.push(difference);
            }
        }
        found
    }

    /// How many characters one of them has that the other has not: the fewer, the nearer.
    pub(super) fn distance(&self) -> usize {
        let differing = self.sent.iter().chain(&self.registered).filter(|stretch| stretch.differs);
        differing.map(|stretch| stretch.text.chars().count()).sum()
    }
}

/// A part of a URI, of which so many octets at its ends are those of the other.
fn push(stretches: &mut Vec<Stretch>, part: &str, before: usize, after: usize) {
    let (before, rest) = part.split_at(before.min(part.len()));
    let (differing, after) = rest.split_at(rest.len() - after);
    for (text, differs) in [(before, false), (differing, true), (after, false)] {
        match stretches.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.differs == differs => last.text.push_str(text),
            _ => stretches.push(Stretch { text: text.to_owned(), differs }),
        }
    }
}

/// How many octets two texts have in common at their beginning, and how many of what is left at their end.
fn common(one: &str, other: &str) -> (usize, usize) {
    let same = |(a, b): (char, char)| (a == b).then_some(a.len_utf8());
    let before = one.chars().zip(other.chars()).map_while(same).sum();
    let (one, other) = (&one[before..], &other[before..]);
    (before, one.chars().rev().zip(other.chars().rev()).map_while(same).sum())
}

/// The parts of a URI (RFC 3986 appendix B), of any text: one behind the other they are the text.
fn parts(uri: &str) -> [&str; 7] {
    let split = |text: &str, at: Option<usize>| at.unwrap_or(text.len());
    let (rest, fragment) = uri.split_at(split(uri, uri.find('#')));
    let (rest, query) = rest.split_at(split(rest, rest.find('?')));
    let colon = rest.find([':', '/']).filter(|at| rest[*at..].starts_with(':')).map_or(0, |at| at + 1);
    let has_authority = rest[colon..].starts_with("//");
    let (scheme, rest) = rest.split_at(if has_authority { colon + 2 } else { colon });
    let (authority, path) = rest.split_at(if has_authority { split(rest, rest.find('/')) } else { 0 });
    let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let port = host.rfind(':').filter(|at| host[at + 1..].bytes().all(|octet| octet.is_ascii_digit()));
    let (host, port) = host.split_at(split(host, port));
    [scheme, user, host, port, path, query, fragment]
}

/// What [`parts`] are, in their order.
const PARTS: [Difference; 7] = [
    Difference::Scheme,
    Difference::User,
    Difference::Host,
    Difference::Port,
    Difference::Path,
    Difference::Query,
    Difference::Fragment,
];
const PORT: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compared(sent: &str, registered: &str) -> Compared {
        Compared::of(sent, &registered.parse().expect("a URI that may be registered"))
    }

    /// What differs stands in brackets.
    fn marked(stretches: &[Stretch]) -> String {
        let shown = stretches.iter().map(|it| if it.differs { format!("[{}]", it.text) } else { it.text.clone() });
        shown.collect()
    }

    #[test]
    fn what_differs_is_named_and_marked() {
        use Difference::{Case, Fragment, Host, Path, Port, Query, Scheme, Slash, User};
        const REGISTERED: &str = "https://shop.example/cb";
        for (sent, differences, marks_sent, marks_registered) in [
            (REGISTERED, vec![], REGISTERED, REGISTERED),
            ("https://shop.example/cb/", vec![Slash], "https://shop.example/cb[/]", REGISTERED),
            ("http://shop.example/cb", vec![Scheme], "http://shop.example/cb", "http[s]://shop.example/cb"),
            ("//shop.example/cb", vec![Scheme], "//shop.example/cb", "[https:]//shop.example/cb"),
            ("https://SHOP.example/cb", vec![Case], "https://[SHOP].example/cb", "https://[shop].example/cb"),
            ("https://shop.example/Cb", vec![Case], "https://shop.example/[C]b", "https://shop.example/[c]b"),
            ("https://shop.example:443/cb", vec![Port], "https://shop.example[:443]/cb", REGISTERED),
            ("https://stop.example/cb", vec![Host], "https://s[t]op.example/cb", "https://s[h]op.example/cb"),
            ("https://a@shop.example/cb", vec![User], "https://[a@]shop.example/cb", REGISTERED),
            (
                "https://shop.example@evil.example/cb",
                vec![User, Host],
                "https://[shop.example@evil].example/cb",
                "https://[shop].example/cb",
            ),
            (
                "https://shop.example/callback",
                vec![Path],
                "https://shop.example/c[allback]",
                "https://shop.example/c[b]",
            ),
            ("https://shop.example/cb?x#y", vec![Query, Fragment], "https://shop.example/cb[?x#y]", REGISTERED),
            ("javascript:alert(1)", vec![Scheme, Host, Path], "[javascript:alert(1)]", "[https://shop.example/cb]"),
            ("", vec![Scheme, Host, Path], "", "[https://shop.example/cb]"),
        ] {
            let found = compared(sent, REGISTERED);
            assert_eq!(found.differences, differences, "{sent}");
            assert_eq!(marked(&found.sent), marks_sent);
            assert_eq!(marked(&found.registered), marks_registered, "{sent}");
        }
    }

    #[test]
    fn of_a_loopback_address_any_port_is_as_good() {
        let found = compared("http://127.0.0.1:49152/cb/", "http://127.0.0.1/cb");
        assert_eq!(found.differences, [Difference::Slash]);
        assert_eq!(marked(&found.sent), "http://127.0.0.1:49152/cb[/]");
        let found = compared("http://[::1]:1/cb", "http://127.0.0.1/cb");
        assert_eq!(found.differences, [Difference::Host]);
        let found = compared("http://127.0.0.1:65536/cb", "http://127.0.0.1/cb");
        assert_eq!(found.differences, [Difference::Port]);
    }

    proptest! {
        #[test]
        fn whatever_was_sent_is_shown_whole_and_what_is_refused_has_a_difference(
            sent in prop_oneof![
                "\\PC{0,40}",
                "[htps:/@.?#a1Z\u{e9}]{0,30}",
                "(https://shop[.]example|http://127[.]0[.]0[.]1|com[.]example[.]app:)(:[0-9]{0,6})?/?c?b?[/?#]?",
            ],
            own in prop_oneof![Just("https://shop.example/cb"), Just("http://127.0.0.1/cb"), Just("com.example.app:/cb")],
        ) {
            let registered: RedirectUri = own.parse().expect("a URI that may be registered");
            let found = Compared::of(&sent, &registered);
            let text = |stretches: &[Stretch]| stretches.iter().map(|it| it.text.as_str()).collect::<String>();
            prop_assert_eq!(text(&found.sent), sent.as_str());
            prop_assert_eq!(text(&found.registered), own);
            prop_assert_eq!(found.distance() == 0, registered.matches(&sent));
            prop_assert_eq!(found.distance() == 0, found.differences.is_empty());
        }
    }
}
