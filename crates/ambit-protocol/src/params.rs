//! Request parameters: `application/x-www-form-urlencoded` bodies and query strings, decoded exactly once.
//!
//! The rules, in the order they are met:
//! 1. The input is bounded in octets and in parameters ([`ParamRules`]).
//! 2. Names and values are UTF-8, before and after decoding; `+` is a space; a `%` starts an escape of two hexadecimal
//!    digits and nothing else (RFC 6749 App. B). NUL is refused.
//! 3. A parameter is sent at most once (RFC 6749 §3.1 and §3.2), unless its own specification lets it repeat
//!    (`resource`, RFC 8707 §2). Sending it once without a value and once with one is sending it twice.
//! 4. "Parameters sent without a value MUST be treated as if they were omitted" (RFC 6749 §3.1).
//! 5. "The authorization server MUST ignore unrecognized request parameters" (RFC 6749 §3.2). They are remembered, so
//!    that a refusal can say which of them was probably meant otherwise ([`Params::near_misses`]).
//!
//! What needs no decoding is borrowed from the input, and a handful of parameters is searched one by one.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr3};

use crate::error::{ErrorCode, describe_within};
use crate::uri;

/// What an endpoint expects of its parameters.
///
/// # Examples
///
/// ```
/// use ambit_protocol::params::ParamRules;
///
/// const RULES: ParamRules = ParamRules::new(&["token", "token_type_hint"]).with_max_params(20);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ParamRules {
    /// The names the endpoint understands; all others are ignored.
    pub known: &'static [&'static str],
    /// Those of them that may be sent several times.
    pub repeatable: &'static [&'static str],
    /// The most parameters a request may have, repeated ones counted each time.
    pub max_params: usize,
    /// The most octets the input may have.
    pub max_bytes: usize,
}

impl ParamRules {
    /// Rules for an endpoint that understands `known`, each at most once, with the default limits.
    #[must_use]
    pub const fn new(known: &'static [&'static str]) -> Self {
        Self { known, repeatable: &[], max_params: DEFAULT_MAX_PARAMS, max_bytes: DEFAULT_MAX_BYTES }
    }

    /// The same rules, where these names may repeat.
    #[must_use]
    pub const fn with_repeatable(self, repeatable: &'static [&'static str]) -> Self {
        Self { repeatable, ..self }
    }

    /// The same rules with another limit on the number of parameters.
    #[must_use]
    pub const fn with_max_params(self, max_params: usize) -> Self {
        Self { max_params, ..self }
    }

    /// The same rules with another limit on the octets.
    #[must_use]
    pub const fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }
}

/// The parameters of one request, decoded.
///
/// Values may be secrets: `Debug` shows the names only.
///
/// # Examples
///
/// ```
/// use ambit_protocol::params::{ParamRules, Params};
///
/// const RULES: ParamRules = ParamRules::new(&["grant_type", "scope"]);
/// let params = Params::parse(b"grant_type=client_credentials&scope=a+b%3Ac", RULES)?;
/// assert_eq!(params.get("scope"), Some("a b:c"));
///
/// let twice = Params::parse(b"scope=a&scope=b", RULES).unwrap_err();
/// assert!(twice.to_string().starts_with("parameter 'scope' is repeated"));
/// # Ok::<(), ambit_protocol::params::ParamsError>(())
/// ```
#[derive(Clone)]
pub struct Params<'a> {
    entries: Vec<Entry<'a>>,
    rules: ParamRules,
}

#[derive(Clone)]
struct Entry<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl<'a> Params<'a> {
    /// Parses a form body or a query string (without its `?`).
    ///
    /// # Errors
    ///
    /// See [`ParamsError`]; every one of them is an `invalid_request`.
    pub fn parse(input: &'a [u8], rules: ParamRules) -> Result<Self, ParamsError> {
        if input.len() > rules.max_bytes {
            return Err(ParamsError::TooLong { max: rules.max_bytes });
        }
        let text = str::from_utf8(input).map_err(|error| not_utf8(input, error.valid_up_to()))?;
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(TYPICAL_PARAMS);
        let mut rest = text;
        while !rest.is_empty() {
            let (pair, next) = split_at(b'&', rest);
            rest = next;
            if pair.is_empty() {
                continue;
            }
            if entries.len() == rules.max_params {
                return Err(ParamsError::TooMany { max: rules.max_params });
            }
            let (raw_name, raw_value) = split_at(b'=', pair);
            let name = form_decode(raw_name).map_err(|fault| fault.of(raw_name))?;
            let value = form_decode(raw_value).map_err(|fault| fault.of(&name))?;
            let repeated = entries.iter().any(|entry| entry.name == name);
            if repeated && !rules.repeatable.contains(&&*name) {
                return Err(ParamsError::Repeated { name: shown(&name) });
            }
            entries.push(Entry { name, value });
        }
        Ok(Self { entries, rules })
    }

    /// Refuses a URI query that names a parameter of the body: nothing of it may be used, and credentials least.
    ///
    /// RFC 6749 §2.3.1: credentials "MUST NOT be included in the request URI". A parameter once in the query and once in
    /// the body would be one sent twice. Other query parameters are none of our business and are ignored.
    ///
    /// # Errors
    ///
    /// [`ParamsError::InUri`], or what makes the query unreadable.
    pub fn refuse_in_query(query: &[u8], rules: ParamRules) -> Result<(), ParamsError> {
        // As nearly all are.
        if query.is_empty() {
            return Ok(());
        }
        let query = Params::parse(query, rules)?;
        match query.entries.iter().find(|entry| rules.known.contains(&&*entry.name)) {
            Some(entry) => Err(ParamsError::InUri { name: shown(&entry.name) }),
            None => Ok(()),
        }
    }

    /// The value of a parameter; none when it was omitted or sent without a value.
    ///
    /// Of a repeatable parameter, the first; see [`Params::all`].
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of a parameter that may repeat, in the order sent, empty ones left out.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(move |entry| entry.name == name && !entry.value.is_empty())
            .map(|entry| &*entry.value)
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    ///
    /// [`ParamsError::Missing`], with the near miss if one was sent.
    pub fn require(&self, name: &'static str) -> Result<&str, ParamsError> {
        self.get(name).ok_or_else(|| ParamsError::Missing {
            name,
            near_miss: self.near_misses().find(|miss| miss.meant == name).map(|miss| shown(miss.sent)),
        })
    }

    /// The names that were sent and are not understood here, in the order sent.
    pub fn unrecognised(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name).filter(|name| !self.rules.known.contains(name))
    }

    /// The unrecognised names that look like a known one which was not sent: another case (`Scope`), a plural
    /// (`scopes`), an array (`scope[]`), another way to join words (`grantType`, `client-id`).
    ///
    /// They are ignored like every unrecognised parameter, and are worth a hint.
    pub fn near_misses(&self) -> impl Iterator<Item = NearMiss<'_>> {
        self.unrecognised().filter_map(|sent| {
            let meant = self.rules.known.iter().find(|known| look_alike(sent, known))?;
            self.get(meant).is_none().then_some(NearMiss { sent, meant })
        })
    }
}

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.iter().map(|entry| &entry.name)).finish()
    }
}

/// A parameter name that is not understood, and the one it was probably meant to be.
///
/// Its text is `parameter 'scopes' is not known and was ignored; did you mean 'scope'?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearMiss<'a> {
    /// The name as it was sent.
    pub sent: &'a str,
    /// The known name.
    pub meant: &'static str,
}

impl fmt::Display for NearMiss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, meant } = self;
        write!(f, "parameter '{}' is not known and was ignored; did you mean '{meant}'?", shown(sent))
    }
}

/// Why parameters were refused. The text names the parameter and the rule, and never shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// More octets than the endpoint reads.
    #[error("the parameters are longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// More parameters than the endpoint reads.
    #[error("more than {max} parameters")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// A `%` without two hexadecimal digits after it.
    #[error("parameter '{name}' has a '%' that is not followed by two hexadecimal digits (RFC 6749 Appendix B)")]
    BadEscape {
        /// The parameter, made fit to be shown.
        name: String,
    },
    /// Octets that are not UTF-8.
    #[error("parameter '{name}' is not valid UTF-8 (RFC 6749 Appendix B)")]
    NotUtf8 {
        /// The parameter, made fit to be shown.
        name: String,
    },
    /// A NUL character.
    #[error("parameter '{name}' contains a NUL character")]
    Nul {
        /// The parameter, made fit to be shown.
        name: String,
    },
    /// A parameter sent more than once.
    #[error(
        "parameter '{name}' is repeated; a parameter may be sent only once (RFC 6749 section 3.2){}",
        join_hint(name)
    )]
    Repeated {
        /// The parameter, made fit to be shown.
        name: String,
    },
    /// A parameter of the body was put in the URI.
    #[error("parameter '{name}' must be sent in the request body, not in the URI (RFC 6749 section 2.3.1)")]
    InUri {
        /// The parameter, made fit to be shown.
        name: String,
    },
    /// A parameter that must be there is not.
    #[error("parameter '{name}' is missing{}", near_miss_hint(near_miss.as_deref()))]
    Missing {
        /// The parameter.
        name: &'static str,
        /// What was sent and looks like it, made fit to be shown.
        near_miss: Option<String>,
    },
}

impl ParamsError {
    /// RFC 6749 §5.2: a request that "is missing a required parameter, repeats a parameter, or is otherwise malformed".
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidRequest
    }
}

/// What can be wrong with one form-urlencoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormFault {
    BadEscape,
    NotUtf8,
    Nul,
}

impl FormFault {
    fn of(self, name: &str) -> ParamsError {
        let name = shown(name);
        match self {
            Self::BadEscape => ParamsError::BadEscape { name },
            Self::NotUtf8 => ParamsError::NotUtf8 { name },
            Self::Nul => ParamsError::Nul { name },
        }
    }
}

/// What is before the first `separator` and what is behind it, which is nothing where there is none. A token is most of a
/// request, and this looks at many octets of it at once.
pub(crate) fn split_at(separator: u8, text: &str) -> (&str, &str) {
    debug_assert!(separator.is_ascii(), "a text is not split within a character");
    match memchr(separator, text.as_bytes()) {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, ""),
    }
}

/// Decodes one name or value, once. Borrows when there is nothing to decode.
pub(crate) fn form_decode(raw: &str) -> Result<Cow<'_, str>, FormFault> {
    match memchr3(b'%', b'+', 0, raw.as_bytes()) {
        None => Ok(Cow::Borrowed(raw)),
        Some(first) => form_decode_from(raw, first).map(Cow::Owned),
    }
}

fn form_decode_from(raw: &str, first: usize) -> Result<String, FormFault> {
    let (plain, coded) = raw.as_bytes().split_at(first);
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend_from_slice(plain);
    let mut rest = coded.iter();
    while let Some(&byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().copied().and_then(uri::hex_digit);
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(FormFault::BadEscape);
                };
                high << 4 | low
            }
            other => other,
        };
        if byte == 0 {
            return Err(FormFault::Nul);
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).map_err(|_| FormFault::NotUtf8)
}

/// The error for raw octets that are not UTF-8, which names the parameter they are in.
fn not_utf8(input: &[u8], at: usize) -> ParamsError {
    let start = input[..at].iter().rposition(|&byte| byte == b'&').map_or(0, |ampersand| ampersand + 1);
    let pair = input[start..].split(|&byte| byte == b'&').next().unwrap_or_default();
    let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
    FormFault::NotUtf8.of(&String::from_utf8_lossy(&name[..name.len().min(MAX_SHOWN_NAME)]))
}

/// A name as it may appear in an error: in the allowed characters, and not at any length.
fn shown(name: &str) -> String {
    describe_within(name, MAX_SHOWN_NAME)
}

fn join_hint(name: &str) -> &'static str {
    if look_alike(name, "scope") { "; put several scopes into one 'scope' parameter, separated by spaces" } else { "" }
}

fn near_miss_hint(near_miss: Option<&str>) -> String {
    near_miss.map(|sent| format!("; '{sent}' was sent instead")).unwrap_or_default()
}

/// Whether two names are the same to the eye of a person in a hurry.
fn look_alike(sent: &str, known: &str) -> bool {
    fn essence(name: &str) -> impl Iterator<Item = u8> {
        let name = name.split('[').next().unwrap_or_default();
        let name = name.strip_suffix(['s', 'S']).unwrap_or(name);
        name.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' ')).map(|byte| byte.to_ascii_lowercase())
    }
    essence(sent).eq(essence(known))
}

/// The default of [`ParamRules::max_params`].
pub const DEFAULT_MAX_PARAMS: usize = 64;
/// The default of [`ParamRules::max_bytes`]: 64 KiB.
pub const DEFAULT_MAX_BYTES: usize = 64 * 1024;

const TYPICAL_PARAMS: usize = 8;
const MAX_SHOWN_NAME: usize = 64;

#[cfg(test)]
mod tests;
