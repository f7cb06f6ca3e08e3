//! All entries together, looked up by id, by alias and by neighbourhood.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use crate::entry::{Entry, EntryId, ParseError};

/// The entries, in the order of their ids.
#[derive(Debug, Default)]
pub struct Corpus {
    entries: Vec<Entry>,
    by_name: FxHashMap<Box<str>, usize>,
}

/// Why entries do not make a corpus.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file or folder cannot be read.
    #[error("{path} cannot be read")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Some files are not entries; all of them are named.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Entries(Vec<ParseError>),
    /// Two entries answer to one name.
    #[error("{0} is the id or an alias of two entries")]
    Twice(String),
}

impl Corpus {
    /// The entries that came with this program. They were checked when it was built; reading them takes a few
    /// milliseconds, once, when they are first asked for.
    #[must_use]
    pub fn embedded() -> &'static Arc<Self> {
        static EMBEDDED: OnceLock<Arc<Corpus>> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            let packed = include_bytes!(concat!(env!("OUT_DIR"), "/entries.json"));
            // The build script wrote it from entries, and a test makes the corpus of them.
            let entries = serde_json::from_slice(packed).expect("what the build script has packed can be unpacked");
            let corpus = Self::new(entries).expect("names are unique in the entries that came with the program");
            Arc::new(corpus)
        })
    }

    /// The entries of a folder of the shape of `kb/entries/`: a folder for each domain, a file for each entry. Files
    /// that are not entries are an error that names every one of them.
    pub fn from_folder(folder: &Path) -> Result<Self, CorpusError> {
        let mut entries = Vec::new();
        let mut failures = Vec::new();
        for domain in children(folder)? {
            if !domain.is_dir() {
                continue;
            }
            for file in children(&domain)? {
                let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
                let text = fs::read_to_string(&file).map_err(|source| unreadable(&file, source))?;
                match Entry::parse(&name, &text) {
                    Ok(entry) => entries.push(entry),
                    Err(failure) => failures.push(failure),
                }
            }
        }
        if failures.is_empty() { Self::new(entries) } else { Err(CorpusError::Entries(failures)) }
    }

    /// A corpus of these entries. No two answer to the same id or alias.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, CorpusError> {
        entries.sort_by(|one, other| one.id.cmp(&other.id));
        let mut by_name = FxHashMap::default();
        for (place, entry) in entries.iter().enumerate() {
            let aliases = entry.aliases.iter().map(String::as_str);
            for name in [entry.id.as_str()].into_iter().chain(aliases) {
                if by_name.insert(Box::from(name), place).is_some() {
                    return Err(CorpusError::Twice(name.to_owned()));
                }
            }
        }
        Ok(Self { entries, by_name })
    }

    /// All entries, in the order of their ids.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of an id or an alias. Whoever wants to redirect an alias compares the id of what comes back.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|&place| &self.entries[place])
    }

    /// The entries of a list of ids that exist; the lint names those that do not.
    pub fn all_of<'a>(&'a self, ids: &'a [EntryId]) -> impl Iterator<Item = &'a Entry> {
        ids.iter().filter_map(|id| self.find(id.as_str()))
    }
}

fn children(folder: &Path) -> Result<Vec<std::path::PathBuf>, CorpusError> {
    let failed = |source| unreadable(folder, source);
    let mut found = Vec::new();
    for child in fs::read_dir(folder).map_err(failed)? {
        found.push(child.map_err(failed)?.path());
    }
    found.sort();
    Ok(found)
}

fn unreadable(path: &Path, source: std::io::Error) -> CorpusError {
    CorpusError::Io { path: path.display().to_string(), source }
}
