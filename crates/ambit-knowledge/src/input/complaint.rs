//! What a message complains of: something, and what is wrong with it.
//!
//! A hundred libraries say in a hundred ways that the audience of a token is another one, and say nothing else. Their words
//! are few, though: a name (*audience*, `aud`), and a fault (*invalid*, *does not match*, *unexpected*). Reading both, and
//! which belongs to which, recognises a library that nobody has written an entry for.
//!
//! 1. A text is split into words, names into their parts (`JwtInvalidAudienceError` is four words), sentences at what ends
//!    them. Registered codes are left out: they are facts of their own.
//! 2. Words become names, faults, and what only negation makes a fault: *not found*, *failed to decode*.
//! 3. A fault belongs to the most particular name of its sentence that is near: *the signature of the token is invalid* is
//!    about the signature. Where its sentence has none, it is about the last one of what stands before the colon.
//! 4. Of several complaints the last particular one is the main one, since messages go from the general to the cause.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::flat::Flat;
use super::words::{REGISTERED, is_hanzi};
use crate::entry::{Fault, Subject};

/// Something, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) subject: Subject,
    pub(crate) fault: Fault,
    /// Whether it is what the message comes down to.
    pub(crate) is_main: bool,
    /// The words in which it stands.
    pub(crate) seen: String,
}

impl Complaint {
    /// Whether it may stand for something of OAuth where nothing else says so: keys are found and fetched elsewhere as
    /// well, but states, scopes and tokens of all kinds fail everywhere.
    pub(crate) const fn may_be_of_oauth(&self) -> bool {
        self.is_main || matches!(self.subject, Subject::Key)
    }

    /// Whether its subject is a part of what messages are about anyway: the token, the client.
    pub(crate) const fn is_particular(&self) -> bool {
        particularity(self.subject) > 0
    }
}

/// What the texts of an input complain of, each complaint once, in the order in which they stand. Where nothing says that
/// it is about OAuth, a scope or a state may be any, and only what has its name nowhere else is the main one.
pub(super) fn read(texts: impl Iterator<Item = String>, is_about_oauth: bool) -> Vec<Complaint> {
    let mut found: Vec<Complaint> = Vec::new();
    for text in texts.take(MAX_TEXTS) {
        let flat = Flat::new(&text);
        for complaint in of_text(&flat) {
            found.retain(|known| (known.subject, known.fault) != (complaint.subject, complaint.fault));
            found.push(complaint);
        }
    }
    let rank = |it: &Complaint| {
        if is_about_oauth || is_of_oauth_alone(it.subject) { particularity(it.subject).min(1) + 1 } else { 0 }
    };
    let most = found.iter().map(rank).max().filter(|most| *most > 0);
    if let Some(main) = found.iter().rposition(|it| Some(rank(it)) == most) {
        found[main].is_main = true;
    }
    found
}

/// A word of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Subject(Subject),
    Fault(Fault),
    /// A fault where it is denied, or where it failed.
    Good(Fault),
    Not,
    /// *No token*: what is denied is that it is there.
    No,
    Fail,
    /// *Error decoding*: a failure where what was done follows.
    Error,
    /// *The state is required*, and not *the required state*: it is not there.
    Required,
    /// *Expected one, got another*: a fault where both are said.
    Expected,
    /// *Another audience*: a fault where what follows is something that a token has one of.
    Another,
    /// *Got*, *but*.
    Got,
    Other,
}

/// A word with its place in the text.
#[derive(Debug, Clone, Copy)]
struct Placed {
    word: Word,
    from: usize,
    to: usize,
}

/// Sentences of words; a sentence after a colon goes on with what stands before.
fn of_text(flat: &Flat) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut sentence: Vec<Placed> = Vec::new();
    let mut before: Option<Subject> = None;
    for (words, goes_on) in sentences(flat) {
        sentence.clear();
        classify(flat, &words, &mut sentence);
        let last = of_sentence(flat, &sentence, before, &mut found);
        before = if goes_on { last.or(before) } else { None };
    }
    found
}

/// The words of each sentence, as places in the text, and whether a colon ends it.
fn sentences(flat: &Flat) -> Vec<(Vec<(usize, usize)>, bool)> {
    let (text, mut found, mut words) = (flat.text(), Vec::new(), Vec::new());
    let mut start: Option<(usize, bool)> = None;
    let mut count = 0;
    for (at, c) in text.char_indices().chain([(text.len(), '.')]) {
        let is_part = c.is_ascii_alphanumeric() || c == '_';
        let is_han = is_hanzi(c);
        if let Some((from, was_han)) = start.filter(|(_, was_han)| *was_han != is_han || !is_part && !is_han) {
            if was_han {
                split_hanzi(text, from, at, &mut words);
            } else if REGISTERED.contains(&&text[from..at]) {
                found.push((std::mem::take(&mut words), true));
            } else {
                split(text, from, at, &mut words);
            }
            count += 1;
            start = None;
        }
        if is_part || is_han {
            start.get_or_insert((at, is_han));
            continue;
        }
        let next = text[at..].chars().nth(1);
        let ends = match c {
            ':' | '\u{ff1a}' | ';' | '\u{ff1b}' | '\u{3002}' | '{' | '}' | '|' | '?' | '&' => true,
            '.' | '!' => next.is_none_or(|next| !next.is_alphanumeric()),
            _ => false,
        };
        if ends && !words.is_empty() {
            found.push((std::mem::take(&mut words), matches!(c, ':' | '\u{ff1a}')));
        }
        if count >= MAX_WORDS {
            break;
        }
    }
    if !words.is_empty() {
        found.push((words, false));
    }
    found
}

/// The parts of a name: at lines and humps.
fn split(text: &str, from: usize, to: usize, words: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let mut start = from;
    for at in from + 1..=to {
        let ends = at == to
            || bytes[at] == b'_'
            || bytes[at].is_ascii_uppercase() && (bytes[at - 1].is_ascii_lowercase() || bytes[at - 1].is_ascii_digit())
            || bytes[at].is_ascii_uppercase()
                && bytes[at - 1].is_ascii_uppercase()
                && at + 1 < to
                && bytes[at + 1].is_ascii_lowercase();
        if !ends {
            continue;
        }
        let begin = if bytes[start] == b'_' { start + 1 } else { start };
        if begin < at {
            words.push((begin, at));
        }
        start = at;
    }
}

/// The words that are known in a run of Chinese, the longest first; there are no spaces between them.
fn split_hanzi(text: &str, from: usize, to: usize, words: &mut Vec<(usize, usize)>) {
    const OCTETS: usize = 3;
    let mut at = from;
    while at < to {
        let longest = (1..=5)
            .rev()
            .map(|chars| at + chars * OCTETS)
            .find(|end| *end <= to && text.is_char_boundary(*end) && SINGLE.contains_key(&text[at..*end]));
        if let Some(end) = longest {
            words.push((at, end));
        }
        at = longest.unwrap_or(at + OCTETS);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
}

/// What the words of a sentence are, names of several words first.
fn classify(flat: &Flat, words: &[(usize, usize)], sentence: &mut Vec<Placed>) {
    let word = |at: usize| words.get(at).map_or("", |(from, to)| &flat.folded()[*from..*to]);
    let mut at = 0;
    while at < words.len() {
        let (from, mut to) = words[at];
        let mut taken = 1;
        let pair = PAIRS.get(&(word(at), word(at + 1))).copied();
        let class = if let Some(class) = pair {
            taken = 2;
            to = words[at + 1].1;
            // Code challenge method.
            if class == Word::Subject(Subject::Challenge) && word(at + 2) == "method" {
                taken = 3;
                to = words[at + 2].1;
                Word::Subject(Subject::ChallengeMethod)
            } else {
                class
            }
        } else {
            SINGLE.get(word(at)).copied().unwrap_or(Word::Other)
        };
        sentence.push(Placed { word: class, from, to });
        at += taken;
    }
}

/// The complaints of a sentence; gives its last name.
fn of_sentence(
    flat: &Flat,
    sentence: &[Placed],
    before: Option<Subject>,
    found: &mut Vec<Complaint>,
) -> Option<Subject> {
    let good = |from: usize, to: usize| {
        let range = sentence.get(from..to.min(sentence.len())).unwrap_or_default();
        range.iter().position(|it| matches!(it.word, Word::Good(_))).map(|at| from + at)
    };
    let fault_of = |at: Option<usize>| match at.map(|at| sentence[at].word) {
        Some(Word::Good(fault)) => Some(fault),
        _ => None,
    };
    let mut denied = 0;
    for (at, placed) in sentence.iter().enumerate() {
        if at < denied {
            continue;
        }
        let fault = match placed.word {
            Word::Fault(fault) => Some(fault),
            Word::Not => {
                let what = good(at + 1, at + 1 + REACH);
                denied = what.map_or(denied, |what| what + 1);
                let is_expected = sentence[at + 1..].iter().take(REACH).any(|it| it.word == Word::Expected);
                fault_of(what).or_else(|| is_expected.then_some(Fault::Mismatch))
            }
            Word::No => {
                let what = good(at + 1, at + 1 + 2 * REACH);
                let is_of_name = sentence[at + 1..].iter().take(REACH).any(|it| matches!(it.word, Word::Subject(_)));
                fault_of(what).or_else(|| is_of_name.then_some(Fault::Missing))
            }
            Word::Fail => {
                let after = good(at + 1, at + 1 + REACH);
                Some(fault_of(after).or_else(|| fault_of(good(at.saturating_sub(3), at))).unwrap_or(Fault::Failed))
            }
            Word::Error => fault_of(good(at + 1, at + 2)).or_else(|| fault_of(good(at.saturating_sub(1), at))),
            Word::Another => {
                let next = sentence.get(at + 1).map(|it| it.word);
                let is_one = |subject| matches!(subject, Subject::Audience | Subject::Issuer | Subject::Nonce);
                matches!(next, Some(Word::Subject(subject)) if is_one(subject)).then_some(Fault::Mismatch)
            }
            Word::Required => {
                let is_of_next = sentence[at + 1..].iter().take(2).any(|it| matches!(it.word, Word::Subject(_)));
                (!is_of_next).then_some(Fault::Missing)
            }
            Word::Expected => sentence[at + 1..].iter().any(|it| it.word == Word::Got).then_some(Fault::Mismatch),
            Word::Subject(_) | Word::Good(_) | Word::Got | Word::Other => None,
        };
        let Some(fault) = fault else { continue };
        let near = sentence.iter().enumerate().filter_map(|(other, it)| match it.word {
            Word::Subject(subject) if at.abs_diff(other) <= NEAR => Some((subject, at.abs_diff(other), it)),
            _ => None,
        });
        let most = near.max_by_key(|(subject, distance, _)| (particularity(*subject), NEAR - distance));
        let Some(subject) = most.map(|(subject, ..)| subject).or(before) else { continue };
        // What failed with a token may be anything: to get it, to send it.
        if subject == Subject::Token && fault == Fault::Failed && good(at.saturating_sub(3), at + 1 + REACH).is_none() {
            continue;
        }
        let (mut from, mut to) = (placed.from, placed.to);
        if let Some((.., it)) = most {
            from = from.min(it.from);
            to = to.max(it.to);
        }
        found.push(Complaint { subject, fault, is_main: false, seen: flat.around(from..to).to_owned() });
    }
    sentence.iter().rev().find_map(|it| if let Word::Subject(subject) = it.word { Some(subject) } else { None })
}

/// Whether a name is one of OAuth's, and of nothing else's.
const fn is_of_oauth_alone(subject: Subject) -> bool {
    matches!(
        subject,
        Subject::RefreshToken
            | Subject::Audience
            | Subject::Issuer
            | Subject::NotBefore
            | Subject::RedirectUri
            | Subject::Verifier
            | Subject::GrantType
            | Subject::ResponseType
            | Subject::KeySet
    )
}

/// How much a name says: a signature, an audience are parts of a token, and the client is part of every request.
const fn particularity(subject: Subject) -> usize {
    match subject {
        Subject::Token => 0,
        Subject::Client | Subject::Claim | Subject::User | Subject::KeySet => 1,
        Subject::Key | Subject::Code => 2,
        _ => 3,
    }
}

const NAMES: &[(Subject, &[&str])] = &[
    (Subject::Token, &["token", "tokens", "jwt", "jws", "bearer", "authtoken"]),
    (Subject::Code, &["code", "authcode"]),
    (Subject::Form, &["segments", "segment", "parts", "dots", "padding", "base64", "base64url"]),
    (Subject::Signature, &["signature", "signatures", "signer"]),
    (Subject::Algorithm, &["algorithm", "algorithms", "alg", "algs"]),
    (Subject::Key, &["kid", "key", "keys", "jwk", "keyid"]),
    (Subject::KeySet, &["jwks", "keyset"]),
    (Subject::Issuer, &["issuer", "issuers", "iss"]),
    (Subject::Audience, &["audience", "audiences", "aud"]),
    (Subject::Expiry, &["exp"]),
    (Subject::NotBefore, &["nbf"]),
    (Subject::IssuedAt, &["iat"]),
    (Subject::Claim, &["claim", "claims"]),
    (Subject::Nonce, &["nonce"]),
    (Subject::State, &["state", "csrf"]),
    (Subject::RedirectUri, &["redirecturi", "redirecturl"]),
    (Subject::Scope, &["scope", "scopes"]),
    (Subject::Client, &["client", "secret"]),
    (Subject::Verifier, &["verifier", "pkce"]),
    (Subject::Challenge, &["challenge"]),
    (Subject::Discovery, &["discovery"]),
    (Subject::User, &["username", "password"]),
    (Subject::Consent, &["consent"]),
];

const FAULTS: &[(Fault, &[&str])] = &[
    (Fault::Invalid, &["invalid", "bad", "wrong", "incorrect", "illegal", "inactive"]),
    (Fault::Expired, &["expired", "expire", "expires", "expiration", "expiry"]),
    (Fault::Early, &["future", "early", "premature", "immature"]),
    (Fault::Missing, &["missing", "missed", "absent", "omitted", "lacks", "lacking", "empty", "blank"]),
    (
        Fault::Mismatch,
        &["mismatch", "mismatched", "mismatching", "mismatches", "differs", "differ", "different", "unexpected"],
    ),
    (Fault::Unknown, &["unknown", "unrecognized", "unrecognised", "unregistered"]),
    (Fault::Reused, &["reused", "reuse", "replay", "replayed", "consumed", "redeemed", "twice"]),
    (
        Fault::Denied,
        &[
            "denied",
            "forbidden",
            "disallowed",
            "unauthorized",
            "unauthorised",
            "rejected",
            "refused",
            "disabled",
            "prohibited",
        ],
    ),
    (Fault::Malformed, &["malformed", "corrupt", "corrupted", "unparseable", "undecodable", "unreadable"]),
    (Fault::Unreachable, &["unreachable", "timeout", "econnrefused", "unavailable"]),
    (Fault::Unsupported, &["unsupported"]),
    (Fault::Revoked, &["revoked", "blacklisted", "denylisted", "invalidated"]),
    (Fault::Insufficient, &["insufficient"]),
];

const DENIED: &[(Fault, &[&str])] = &[
    (
        Fault::Mismatch,
        &[
            "match",
            "matches",
            "matching",
            "matched",
            "equal",
            "equals",
            "correspond",
            "corresponds",
            "same",
            "agree",
            "consist",
            "satisfied",
        ],
    ),
    (Fault::Invalid, &["valid", "correct", "acceptable", "active", "accepted", "trusted", "trust"]),
    (
        Fault::Denied,
        &["allowed", "permitted", "authorized", "authorised", "enabled", "granted", "whitelisted", "allow", "permit"],
    ),
    (
        Fault::Unknown,
        &[
            "found",
            "find",
            "exist",
            "exists",
            "located",
            "locate",
            "known",
            "registered",
            "configured",
            "recognized",
            "recognised",
            "contain",
            "contains",
        ],
    ),
    (
        Fault::Missing,
        &[
            "present",
            "provided",
            "specified",
            "included",
            "include",
            "supplied",
            "sent",
            "set",
            "given",
            "have",
            "has",
            "specify",
        ],
    ),
    (
        Fault::Failed,
        &[
            "verify",
            "verified",
            "verifying",
            "verification",
            "validate",
            "validated",
            "validating",
            "validation",
            "check",
            "checked",
        ],
    ),
    (Fault::Malformed, &["decode", "decoded", "decoding", "parse", "parsed", "parsing", "deserialize", "decrypt"]),
    (
        Fault::Unreachable,
        &[
            "fetch",
            "fetched",
            "fetching",
            "retrieve",
            "retrieved",
            "retrieving",
            "download",
            "downloading",
            "reach",
            "connect",
            "accessing",
            "obtain",
            "obtaining",
            "load",
            "loaded",
            "loading",
        ],
    ),
    (Fault::Unsupported, &["supported", "implemented"]),
];

const PHRASES: &[(&str, &str, Word)] = &[
    ("refresh", "token", Word::Subject(Subject::RefreshToken)),
    ("refresh", "tokens", Word::Subject(Subject::RefreshToken)),
    ("authorization", "code", Word::Subject(Subject::Code)),
    ("authorisation", "code", Word::Subject(Subject::Code)),
    ("auth", "code", Word::Subject(Subject::Code)),
    ("code", "verifier", Word::Subject(Subject::Verifier)),
    ("code", "challenge", Word::Subject(Subject::Challenge)),
    ("challenge", "method", Word::Subject(Subject::ChallengeMethod)),
    ("transform", "algorithm", Word::Subject(Subject::ChallengeMethod)),
    ("device", "code", Word::Subject(Subject::DeviceCode)),
    ("user", "code", Word::Subject(Subject::DeviceCode)),
    ("redirect", "uri", Word::Subject(Subject::RedirectUri)),
    ("redirect", "uris", Word::Subject(Subject::RedirectUri)),
    ("redirect", "url", Word::Subject(Subject::RedirectUri)),
    ("redirect", "urls", Word::Subject(Subject::RedirectUri)),
    ("redirection", "uri", Word::Subject(Subject::RedirectUri)),
    ("redirection", "url", Word::Subject(Subject::RedirectUri)),
    ("callback", "url", Word::Subject(Subject::RedirectUri)),
    ("callback", "uri", Word::Subject(Subject::RedirectUri)),
    ("reply", "url", Word::Subject(Subject::RedirectUri)),
    ("return", "url", Word::Subject(Subject::RedirectUri)),
    ("grant", "type", Word::Subject(Subject::GrantType)),
    ("grant", "types", Word::Subject(Subject::GrantType)),
    ("response", "type", Word::Subject(Subject::ResponseType)),
    ("client", "secret", Word::Subject(Subject::Client)),
    ("client", "id", Word::Subject(Subject::Client)),
    ("client", "credentials", Word::Subject(Subject::Client)),
    ("client", "authentication", Word::Subject(Subject::Client)),
    ("signature", "key", Word::Subject(Subject::Key)),
    ("key", "id", Word::Subject(Subject::Key)),
    ("key", "set", Word::Subject(Subject::KeySet)),
    ("jwks", "uri", Word::Subject(Subject::KeySet)),
    ("jwks", "url", Word::Subject(Subject::KeySet)),
    ("authorization", "header", Word::Subject(Subject::Header)),
    ("auth", "header", Word::Subject(Subject::Header)),
    ("openid", "configuration", Word::Subject(Subject::Discovery)),
    ("not", "before", Word::Subject(Subject::NotBefore)),
    ("issued", "at", Word::Subject(Subject::IssuedAt)),
    ("user", "credentials", Word::Subject(Subject::User)),
    ("no", "longer", Word::Fault(Fault::Expired)),
    ("not", "yet", Word::Fault(Fault::Early)),
    ("not", "enough", Word::Fault(Fault::Insufficient)),
    ("timed", "out", Word::Fault(Fault::Unreachable)),
    ("already", "used", Word::Fault(Fault::Reused)),
    ("been", "used", Word::Fault(Fault::Reused)),
    ("connection", "refused", Word::Fault(Fault::Unreachable)),
    // What has a name's word in it and is none.
    ("subject", "token", Word::Other),
    ("actor", "token", Word::Other),
    ("token", "type", Word::Other),
    ("token", "endpoint", Word::Other),
    ("token", "request", Word::Other),
    ("token", "response", Word::Other),
    ("token", "exchange", Word::Other),
    ("token", "url", Word::Other),
    ("unexpected", "token", Word::Other),
    ("api", "key", Word::Other),
    ("key", "type", Word::Other),
    ("status", "code", Word::Other),
    ("error", "code", Word::Other),
    ("response", "code", Word::Other),
    ("exit", "code", Word::Other),
    ("http", "code", Word::Other),
    ("scope", "policy", Word::Other),
    ("not", "only", Word::Other),
    ("bad", "request", Word::Other),
    ("not", "acceptable", Word::Other),
    ("not", "in", Word::Fault(Fault::Mismatch)),
    ("404", "not", Word::Other),
    ("illegal", "state", Word::Other),
    ("illegal", "argument", Word::Other),
    ("401", "unauthorized", Word::Other),
    ("403", "forbidden", Word::Other),
];

/// The same in Chinese.
const HANZI: &[(&str, Word)] = &[
    ("令牌", Word::Subject(Subject::Token)),
    ("访问令牌", Word::Subject(Subject::Token)),
    ("刷新令牌", Word::Subject(Subject::RefreshToken)),
    ("授权码", Word::Subject(Subject::Code)),
    ("格式", Word::Subject(Subject::Form)),
    ("签名", Word::Subject(Subject::Signature)),
    ("算法", Word::Subject(Subject::Algorithm)),
    ("密钥", Word::Subject(Subject::Key)),
    ("公钥", Word::Subject(Subject::Key)),
    ("签发者", Word::Subject(Subject::Issuer)),
    ("颁发者", Word::Subject(Subject::Issuer)),
    ("受众", Word::Subject(Subject::Audience)),
    ("声明", Word::Subject(Subject::Claim)),
    ("随机数", Word::Subject(Subject::Nonce)),
    ("状态参数", Word::Subject(Subject::State)),
    ("回调地址", Word::Subject(Subject::RedirectUri)),
    ("重定向地址", Word::Subject(Subject::RedirectUri)),
    ("重定向", Word::Subject(Subject::RedirectUri)),
    ("作用域", Word::Subject(Subject::Scope)),
    ("权限范围", Word::Subject(Subject::Scope)),
    ("客户端", Word::Subject(Subject::Client)),
    ("授权类型", Word::Subject(Subject::GrantType)),
    ("用户名", Word::Subject(Subject::User)),
    ("密码", Word::Subject(Subject::User)),
    ("请求头", Word::Subject(Subject::Header)),
    ("过期", Word::Fault(Fault::Expired)),
    ("失效", Word::Fault(Fault::Expired)),
    ("无效", Word::Fault(Fault::Invalid)),
    ("非法", Word::Fault(Fault::Invalid)),
    ("错误", Word::Fault(Fault::Invalid)),
    ("不正确", Word::Fault(Fault::Invalid)),
    ("不合法", Word::Fault(Fault::Invalid)),
    ("不匹配", Word::Fault(Fault::Mismatch)),
    ("不一致", Word::Fault(Fault::Mismatch)),
    ("不符", Word::Fault(Fault::Mismatch)),
    ("缺少", Word::Fault(Fault::Missing)),
    ("缺失", Word::Fault(Fault::Missing)),
    ("未提供", Word::Fault(Fault::Missing)),
    ("未携带", Word::Fault(Fault::Missing)),
    ("为空", Word::Fault(Fault::Missing)),
    ("不存在", Word::Fault(Fault::Unknown)),
    ("找不到", Word::Fault(Fault::Unknown)),
    ("未找到", Word::Fault(Fault::Unknown)),
    ("未知", Word::Fault(Fault::Unknown)),
    ("未注册", Word::Fault(Fault::Unknown)),
    ("已使用", Word::Fault(Fault::Reused)),
    ("已被使用", Word::Fault(Fault::Reused)),
    ("不允许", Word::Fault(Fault::Denied)),
    ("未授权", Word::Fault(Fault::Denied)),
    ("拒绝", Word::Fault(Fault::Denied)),
    ("不支持", Word::Fault(Fault::Unsupported)),
    ("吊销", Word::Fault(Fault::Revoked)),
    ("撤销", Word::Fault(Fault::Revoked)),
    ("未生效", Word::Fault(Fault::Early)),
    ("尚未生效", Word::Fault(Fault::Early)),
    ("不足", Word::Fault(Fault::Insufficient)),
    ("失败", Word::Fail),
    ("无法", Word::Fail),
    ("验证", Word::Good(Fault::Failed)),
    ("校验", Word::Good(Fault::Failed)),
    ("解析", Word::Good(Fault::Malformed)),
    ("获取", Word::Good(Fault::Unreachable)),
];

static SINGLE: LazyLock<FxHashMap<&str, Word>> = LazyLock::new(|| {
    let names = NAMES.iter().flat_map(|(subject, words)| words.iter().map(|word| (*word, Word::Subject(*subject))));
    let faults = FAULTS.iter().flat_map(|(fault, words)| words.iter().map(|word| (*word, Word::Fault(*fault))));
    let denied = DENIED.iter().flat_map(|(fault, words)| words.iter().map(|word| (*word, Word::Good(*fault))));
    let nots = ["not", "never", "cannot", "cant", "t", "isnt", "doesnt", "didnt"].map(|word| (word, Word::Not));
    let nos = ["no", "without", "none"].map(|word| (word, Word::No));
    let fails = ["failed", "fails", "fail", "failure", "failing", "unable", "couldn"].map(|word| (word, Word::Fail));
    let errors = ["error", "problem"].map(|word| (word, Word::Error));
    let gots = ["but", "got", "received", "actual", "instead", "found"].map(|word| (word, Word::Got));
    let others = [
        ("required", Word::Required),
        ("expected", Word::Expected),
        ("another", Word::Another),
        ("other", Word::Another),
    ];
    let all = names.chain(faults).chain(gots).chain(denied).chain(nots).chain(nos).chain(fails).chain(errors);
    all.chain(others).chain(HANZI.iter().copied()).collect()
});

static PAIRS: LazyLock<FxHashMap<(&str, &str), Word>> =
    LazyLock::new(|| PHRASES.iter().map(|(one, two, word)| ((*one, *two), *word)).collect());

/// How far a negation reaches.
const REACH: usize = 5;
/// How far a fault is from its name.
const NEAR: usize = 10;
const MAX_WORDS: usize = 240;
const MAX_TEXTS: usize = 8;
