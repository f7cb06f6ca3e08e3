//! Where values come from: flags over the environment over the file over the defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigErrors, Fault};
use super::setting::{Raw, Setting};
use super::table::{self, Key, SECTIONS, VARIABLE_PREFIX};

/// What the operator said, layer by layer. The program reads its own environment and files and hands them in.
#[derive(Default)]
pub struct Sources {
    /// Values given on the command line, by key: `("listen", "127.0.0.1:5000")`.
    pub flags: Vec<(String, String)>,
    /// The environment. Only names that begin with `AMBIT_` are looked at.
    pub environment: BTreeMap<String, String>,
    /// The file, if there is one.
    pub file: Option<File>,
}

/// A configuration file that was read.
pub struct File {
    /// What error messages call it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl Sources {
    /// Takes over the variables of a process that concern us.
    ///
    /// # Errors
    /// A variable of ours whose name or value is not UTF-8.
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigErrors> {
        let mut faults = Vec::new();
        for (name, value) in variables {
            if !name.as_encoded_bytes().starts_with(VARIABLE_PREFIX.as_bytes()) {
                continue;
            }
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    self.environment.insert(name, value);
                }
                (Ok(name), Err(_)) | (Err(_), Ok(name)) => {
                    let name: String = name.chars().take(60).collect();
                    faults.push(Fault::new(&Origin::Variable(name), "is not UTF-8"));
                }
                (Err(_), Err(_)) => {
                    faults.push(Fault::new(&Origin::Variable(format!("{VARIABLE_PREFIX}…")), "is not UTF-8"));
                }
            }
        }
        if faults.is_empty() { Ok(self) } else { Err(ConfigErrors::new(faults)) }
    }
}

/// Neither the values nor the text: both may hold secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("flags", &self.flags.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .field("file", &self.file)
            .finish()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The file.
    File {
        /// Its name.
        name: String,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// The command line; this key, by its own flag or by `--set`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(key) if FLAGS.contains(&key.as_str()) => write!(f, "--{}", key.replace('_', "-")),
            Self::Flag(key) => write!(f, "--set {key}"),
        }
    }
}

/// A value in force.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The key.
    pub key: &'static Key,
    /// The value as the file would have it, or that it is set, for a secret; none when the key is unset.
    pub shown: Option<String>,
    /// Who said so.
    pub origin: Origin,
}

/// The values that were given, the strongest layer of each key, taken out one by one.
pub(super) struct Values<'a> {
    given: BTreeMap<&'static str, (Raw, Origin)>,
    effective: Vec<Effective>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Values<'a> {
    /// Merges the layers; names that no key has are faults.
    pub(super) fn merge(sources: &Sources, faults: &'a mut Vec<Fault>) -> Self {
        let mut values = Self { given: BTreeMap::new(), effective: Vec::new(), faults };
        if let Some(file) = &sources.file {
            values.add_file(file);
        }
        for (name, value) in &sources.environment {
            values.add_variable(name, value);
        }
        for (name, value) in &sources.flags {
            let origin = Origin::Flag(name.clone());
            match table::find(name) {
                // The command line of a process is there for every user of the machine to read. A database URL need not hold
                // a password; this does.
                Some(key) if key.name == "bootstrap.client_secret" => {
                    values.faults.push(Fault::new(
                        &origin,
                        "would show a secret to every user of this machine: set it in the environment",
                    ));
                }
                Some(key) => drop(values.given.insert(key.name, (Raw::Loose(value.clone()), origin))),
                None => values.unknown(&origin, name),
            }
        }
        values
    }

    fn add_file(&mut self, file: &File) {
        let origin = |offset: usize| Origin::File { name: file.name.clone(), line: line_of(&file.text, offset) };
        // A file that a deployment emptied by mistake looks like this; one whose keys are all comments does not.
        if file.text.trim().is_empty() {
            self.faults
                .push(Fault::new(&origin(0), "the file is empty: write a key or a comment into it, or remove it"));
            return;
        }
        match DeTable::parse(&file.text) {
            Ok(table) => self.add_table("", table.get_ref(), &origin),
            // The message alone: what toml shows around it is a line of the file, which may hold a secret.
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                self.faults
                    .push(Fault::new(&origin(offset), &format!("not TOML: {}", error.message().replace('\n', " "))));
            }
        }
    }

    fn add_table(&mut self, path: &str, table: &DeTable<'_>, origin: &dyn Fn(usize) -> Origin) {
        for (name, value) in table {
            let origin_here = origin(name.span().start);
            let dotted =
                if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
            let section = path.is_empty() && SECTIONS.iter().any(|section| section.name == dotted);
            match (value.get_ref(), table::find(&dotted)) {
                (DeValue::Table(inner), _) if section => self.add_table(&dotted, inner, origin),
                (_, Some(key)) => drop(self.given.insert(key.name, (raw(value), origin_here))),
                (_, None) if section => {
                    let what = format!("'{dotted}' is a section: write [{dotted}] and its keys below");
                    self.faults.push(Fault::new(&origin_here, &what));
                }
                (_, None) => self.unknown(&origin_here, &dotted),
            }
        }
    }

    fn add_variable(&mut self, name: &str, value: &str) {
        let origin = Origin::Variable(name.to_owned());
        if let Some(key) = table::keys().find(|key| key.variable() == name) {
            // An empty variable is mostly one that was meant to be filled.
            if value.is_empty() && !key.form.starts_with("an array") {
                self.faults.push(Fault::new(&origin, "is set and empty: give it a value or unset it"));
                return;
            }
            self.given.insert(key.name, (Raw::Loose(value.to_owned()), origin));
        } else if name.starts_with(VARIABLE_PREFIX) && !is_elsewhere(name) {
            let nearest = nearest(name, table::keys().map(Key::variable));
            self.faults
                .push(Fault::new(&origin, &format!("is not a variable of this server; the nearest is {nearest}")));
        }
    }

    fn unknown(&mut self, origin: &Origin, name: &str) {
        // The name without its section may be right, in the wrong place.
        let last = name.rsplit('.').next().unwrap_or(name);
        let nearest = match table::keys().find(|key| key.name.rsplit('.').next() == Some(last)) {
            Some(key) => key.name.to_owned(),
            None => nearest(name, table::keys().map(|key| key.name.to_owned())),
        };
        let name = Raw::Text(name.to_owned()).quoted();
        self.faults.push(Fault::new(origin, &format!("unknown key {name}; the nearest is \"{nearest}\"")));
    }

    /// Takes the value of a key, or its default. None after a fault, which is noted.
    pub(super) fn take<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        // Every name comes from the table itself.
        let key = table::find(name).expect("a key of the table");
        let (value, origin) = match self.given.remove(name) {
            Some((raw, origin)) => match read::<T>(key, &raw) {
                Ok(value) => (value, origin),
                Err(must) => {
                    let given = if key.secret { "is set".to_owned() } else { format!("is {}", raw.quoted()) };
                    self.faults.push(Fault::new(&origin, &format!("{name} {given}, and must be {must}")));
                    return None;
                }
            },
            None => match key.default {
                // Each default is read by a test.
                Some(default) => (read(key, &Raw::Loose(default.to_owned())).ok()?, Origin::Default),
                None => (T::absent()?, Origin::Default),
            },
        };
        self.effective.push(Effective { key, shown: value.show(), origin });
        Some(value)
    }

    pub(super) fn into_effective(self) -> Vec<Effective> {
        self.effective
    }
}

fn read<T: Setting>(key: &Key, raw: &Raw) -> Result<T, String> {
    let value = T::read(raw)?;
    if let Some((least, most)) = key.bounds {
        let bound = |text: &str| T::read(&Raw::Loose(text.to_owned()));
        let inside = value.compare(&bound(least)?).is_none_or(std::cmp::Ordering::is_ge)
            && value.compare(&bound(most)?).is_none_or(std::cmp::Ordering::is_le);
        if !inside {
            return Err(format!("between {least} and {most}"));
        }
    }
    Ok(value)
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Raw::Other("a number beyond 64 bits"), Raw::Integer),
        DeValue::Boolean(boolean) => Raw::Boolean(*boolean),
        DeValue::Array(items) => Raw::List(items.iter().map(raw).collect()),
        DeValue::Float(_) => Raw::Other("a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

fn nearest(name: &str, names: impl Iterator<Item = String>) -> String {
    let short: String = name.chars().take(80).collect();
    names.min_by_key(|known| strsim::damerau_levenshtein(&short, known)).unwrap_or_default()
}

/// Variables that other programs of ours read: the command line tools, and the tests.
fn is_elsewhere(name: &str) -> bool {
    ELSEWHERE.contains(&name) || name.starts_with("AMBIT_TEST_")
}

/// The keys that have a flag of their own; `--set` is for the others.
const FLAGS: [&str; 5] = ["listen", "public_url", "data_dir", "database_url", "demo"];

/// Read by `ambit` itself: the file, and how its commands find a running server and sign in there.
pub(super) const ELSEWHERE: [&str; 5] =
    ["AMBIT_CONFIG", "AMBIT_URL", "AMBIT_CLIENT_ID", "AMBIT_CLIENT_SECRET", "AMBIT_TOKEN"];
