//! The file of the logins: in the user's configuration folder, for them alone. It is replaced as a whole, so that whoever reads it
//! meanwhile, or a crash, finds the one before or the new one.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ambit_protocol::time::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::server::{Tokens, Who};
use crate::output::Failure;
use crate::serve::make_folder;

/// The file.
#[derive(Debug)]
pub struct Logins {
    folder: PathBuf,
    path: PathBuf,
}

/// Somebody who is signed in at a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// The server.
    pub issuer: String,
    /// Who.
    pub subject: String,
    /// Their name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the token carries.
    pub scope: String,
    /// When its time is over.
    pub expires_at: Timestamp,
    pub access_token: Token,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Token>,
}

/// A token. `Debug` does not show it.
#[derive(Clone)]
pub struct Token(pub SecretString);

/// What is in the file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    /// The server of the last login: the one that is meant where none is named.
    current: Option<String>,
    logins: Vec<Login>,
}

impl Login {
    pub fn of(issuer: &str, who: Who, tokens: Tokens, now: Timestamp) -> Self {
        Self {
            issuer: issuer.to_owned(),
            subject: who.sub,
            name: who.name,
            email: who.email,
            scope: tokens.scope,
            expires_at: now.plus_secs(i64::from(tokens.expires_in)),
            access_token: Token(tokens.access_token),
            refresh_token: tokens.refresh_token.map(Token),
        }
    }

    pub fn renewed(self, tokens: Tokens, now: Timestamp) -> Self {
        Self {
            scope: tokens.scope,
            expires_at: now.plus_secs(i64::from(tokens.expires_in)),
            access_token: Token(tokens.access_token),
            // RFC 6749 §6: the server "MAY issue a new refresh token"; where it does not, the old one goes on.
            refresh_token: tokens.refresh_token.map(Token).or(self.refresh_token),
            ..self
        }
    }

    /// Who it is, for people.
    pub fn who(&self) -> String {
        match (&self.name, &self.email) {
            (Some(name), Some(email)) => format!("{name} <{email}>"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => self.subject.clone(),
        }
    }
}

impl Logins {
    /// The file of whoever runs the command, whether it is there or not.
    pub fn of_user() -> Result<Self, Failure> {
        Self::if_any().ok_or_else(|| {
            Failure::usage("there is no folder to keep a login in: HOME is not set, nor XDG_CONFIG_HOME")
        })
    }

    /// The same; none where there is no place for it, and so nobody is signed in.
    pub fn if_any() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "where a user's files are is said in the environment alone")]
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
        // XDG Base Directory Specification: a relative path is "invalid" and to be ignored.
        let config = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        let folder = config.or_else(|| Some(folder("HOME").filter(|path| path.is_absolute())?.join(".config")))?;
        let folder = folder.join("ambit");
        Some(Self { path: folder.join("logins.json"), folder })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The login at a server, or the last one.
    pub fn find(&self, issuer: Option<&str>) -> Result<Option<Login>, Failure> {
        let document = self.read()?;
        let wanted = issuer.map(str::to_owned).or(document.current);
        Ok(document.logins.into_iter().find(|login| Some(&login.issuer) == wanted.as_ref()))
    }

    /// Whether something can be kept.
    pub fn check(&self) -> Result<(), Failure> {
        let _turn = self.wait_for_turn()?;
        self.read().map(drop)
    }

    /// Keeps a new login, which is the last one, and answers the one that was there at this server.
    pub fn keep(&self, login: &Login) -> Result<Option<Login>, Failure> {
        let _turn = self.wait_for_turn()?;
        let before = self.find(Some(&login.issuer))?;
        self.change(|document| {
            document.logins.retain(|other| other.issuer != login.issuer);
            document.logins.push(login.clone());
            document.current = Some(login.issuer.clone());
        })?;
        Ok(before)
    }

    /// Keeps what a login has become. Whoever calls has the turn.
    pub fn keep_changed(&self, login: &Login) -> Result<(), Failure> {
        self.change(|document| {
            for kept in document.logins.iter_mut().filter(|kept| kept.issuer == login.issuer) {
                kept.clone_from(login);
            }
        })
    }

    /// Forgets the login at a server. Whoever calls has the turn.
    pub fn forget(&self, issuer: &str) -> Result<(), Failure> {
        self.change(|document| {
            document.logins.retain(|login| login.issuer != issuer);
            if document.current.as_deref() == Some(issuer) {
                document.current = document.logins.last().map(|login| login.issuer.clone());
            }
        })
    }

    /// Waits until no other command is about to change the file. The turn ends when what is answered is dropped.
    pub fn wait_for_turn(&self) -> Result<File, Failure> {
        make_folder(&self.folder)?;
        let path = self.folder.join("logins.lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        open.and_then(|file| file.lock().map(|()| file)).map_err(|error| about(&path, &error))
    }

    fn read(&self) -> Result<Document, Failure> {
        let about = |error: &dyn fmt::Display| about(&self.path, error);
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Document::default()),
            Err(error) => return Err(about(&error)),
        };
        let mode = std::fs::metadata(&self.path).map_err(|error| about(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(about(&format!("others may read it (mode {:o}): chmod 600 it", mode & 0o777)));
        }
        // Where it is wrong, not what is there: an error of the parser may quote a token.
        serde_json::from_str(&text).map_err(|error| {
            about(&format!("line {} cannot be read; take the file away and sign in again", error.line()))
        })
    }

    fn change(&self, change: impl FnOnce(&mut Document)) -> Result<(), Failure> {
        let mut document = self.read()?;
        change(&mut document);
        self.write(&document).map_err(|error| about(&self.path, &error))
    }

    fn write(&self, document: &Document) -> std::io::Result<()> {
        // Of mode 0600 from the first octet on.
        let mut file = tempfile::Builder::new().prefix(".logins-").tempfile_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, document)?;
        file.write_all(b"\n")?;
        // The refresh token in it may be the only one that is still good: a crash must not lose it.
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn about(path: &Path, what: &dyn fmt::Display) -> Failure {
    Failure::usage(format!("{}: {what}", path.display()))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([REDACTED])")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}
