//! Where the database is, and how long to wait for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambit_core::store::StoreError;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::{Result, unavailable};

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where it is.
    pub location: Location,
    /// How long a reader or writer waits for its turn, before it is told that storage is not available.
    pub wait: Duration,
    /// How many connections may read at once. They are opened when they are needed.
    pub readers: u32,
}

/// Where the database is.
#[derive(Clone)]
pub enum Location {
    /// `ambit.db` in this folder; both are made where they are absent.
    DataDir(PathBuf),
    /// `sqlite://path` (made where absent, readable by its owner only) or `postgres://user:password@host/database`.
    Url(String),
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir(path) => f.debug_tuple("DataDir").field(path).finish(),
            // A URL may carry a password.
            Self::Url(url) => f.debug_tuple("Url").field(&url.split(':').next().unwrap_or_default()).finish(),
        }
    }
}

impl StoreConfig {
    /// The embedded database in a folder.
    #[must_use]
    pub fn data_dir(path: impl Into<PathBuf>) -> Self {
        Self::at(Location::DataDir(path.into()))
    }

    /// The database at a URL.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self::at(Location::Url(url.into()))
    }

    /// The file of an SQLite database, whether it is there or not; none for a server.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the URL names no database.
    pub fn file(&self) -> Result<Option<PathBuf>> {
        Ok(match self.target()? {
            Target::Sqlite(path) => Some(path),
            Target::Postgres(_) => None,
        })
    }

    fn at(location: Location) -> Self {
        Self { location, wait: WAIT, readers: READERS }
    }

    pub(crate) fn target(&self) -> Result<Target> {
        match &self.location {
            Location::DataDir(dir) => Ok(Target::Sqlite(dir.join(FILE_NAME))),
            Location::Url(url) => target_of(url),
        }
    }
}

/// What a location comes down to.
#[derive(Clone)]
pub(crate) enum Target {
    /// An SQLite database in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(String),
}

/// The address of a file as the driver reads it.
pub(crate) fn sqlite_url(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path).map_err(unavailable)?;
    let text = absolute.to_str().ok_or_else(|| unavailable("the database's path is not UTF-8"))?;
    Ok(format!("sqlite://{}?mode=rw", utf8_percent_encode(text, NON_ALPHANUMERIC)))
}

fn target_of(url: &str) -> Result<Target> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Target::Postgres(url.to_owned()));
    }
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return Err(StoreError::Schema("a database URL starts with sqlite:// or postgres://".to_owned()));
    };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.starts_with(":memory:") || path.contains(['?', '#']) {
        // In memory every connection would see a database of its own, and nothing would outlive the process.
        return Err(StoreError::Schema("an SQLite URL names a file, and nothing else: sqlite://path".to_owned()));
    }
    let path = percent_decode_str(path).decode_utf8().map_err(unavailable)?;
    Ok(Target::Sqlite(PathBuf::from(path.as_ref())))
}

const FILE_NAME: &str = "ambit.db";
const WAIT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(url: &str) -> Option<PathBuf> {
        match target_of(url) {
            Ok(Target::Sqlite(path)) => Some(path),
            _ => None,
        }
    }

    #[test]
    fn an_sqlite_url_names_a_file() {
        assert_eq!(sqlite("sqlite:///var/lib/ambit/a.db"), Some("/var/lib/ambit/a.db".into()));
        assert_eq!(sqlite("sqlite://data/a.db"), Some("data/a.db".into()));
        assert_eq!(sqlite("sqlite:a.db"), Some("a.db".into()));
        assert_eq!(sqlite("sqlite:///with%20space/%3f.db"), Some("/with space/?.db".into()));
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for url in
            ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite://:memory:", "sqlite://a.db?mode=ro", "mysql://h/d", ""]
        {
            assert!(target_of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let config = StoreConfig::url("postgres://ambit:open-sesame@db/ambit");
        assert!(!format!("{config:?}").contains("sesame"));
    }

    #[test]
    fn a_path_of_any_letters_reaches_the_driver_whole() {
        let url = sqlite_url(Path::new("/tmp/a b%20?#ä.db")).unwrap();
        assert_eq!(url, "sqlite://%2Ftmp%2Fa%20b%2520%3F%23%C3%A4%2Edb?mode=rw");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}|sqlite:.{0,60}|postgres://.{0,60}") {
            if let Ok(Target::Sqlite(path)) = target_of(&text) {
                let _ = sqlite_url(&path);
            }
        }
    }
}
