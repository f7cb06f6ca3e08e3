//! Who carries letters: a mail server, or nobody further than into a folder.

use std::fs::DirBuilder;
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::Message;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::config::{Mail, MailTls};
use crate::logs::with_causes;

/// Takes a letter to where it goes on from.
#[async_trait]
pub(super) trait Carrier: std::fmt::Debug + Send + Sync {
    /// Hands it over. The name is the letter's own.
    async fn carry(&self, name: &str, message: &Message) -> Result<(), Undelivered>;
}

/// Why a letter was not taken.
#[derive(Debug)]
pub(super) struct Undelivered {
    /// For the log: never what a mail server says in words, since it repeats the address.
    pub(super) reason: String,
    /// Whether trying again would change nothing.
    pub(super) is_final: bool,
}

/// Why letters cannot be sent as the configuration says. Names the key.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The folder cannot be made.
    #[error("mail.folder {path}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file with the password cannot be read.
    #[error("mail.password_file {path}")]
    PasswordFile {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner and group can read it.
    #[error("mail.password_file {path}: others may use it (mode {mode:03o}): chmod o= it")]
    Exposed {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// TLS cannot be set up for the mail server.
    #[error("mail.host: TLS cannot be set up for it")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// A folder: each letter is a file, in the order of their names.
#[derive(Debug)]
pub(super) struct Files(PathBuf);

impl Files {
    /// The folder is its owner's alone: links that work are in it.
    pub(super) fn new(folder: PathBuf) -> Result<Self, MailError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| MailError::Folder { path: folder.display().to_string(), source })?;
        Ok(Self(folder))
    }

    async fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let (part, whole) = (self.0.join(format!(".{name}.part")), self.0.join(format!("{name}.eml")));
        let mut file =
            tokio::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).await?;
        file.write_all(content).await?;
        file.flush().await?;
        tokio::fs::rename(part, whole).await
    }
}

#[async_trait]
impl Carrier for Files {
    async fn carry(&self, name: &str, message: &Message) -> Result<(), Undelivered> {
        self.write(name, &message.formatted()).await.map_err(|error| Undelivered {
            reason: format!("the folder {}: {error}", self.0.display()),
            is_final: false,
        })
    }
}

/// A mail server.
#[derive(Debug)]
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// The library waits for a connection for so long, and for an answer for ever.
    timeout: Duration,
}

impl Smtp {
    pub(super) fn new(settings: &Mail) -> Result<Self, MailError> {
        // Without a host the configuration is refused before it comes here.
        let host = settings.host.as_ref().map(|host| host.as_str().to_owned()).unwrap_or_default();
        let (tls, port) = match settings.tls {
            MailTls::Implicit => (Tls::Wrapper(tls_for(&host)?), SUBMISSIONS),
            MailTls::Starttls => (Tls::Required(tls_for(&host)?), SUBMISSION),
            MailTls::Off => (Tls::None, SMTP),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.trim_matches(['[', ']']))
            .port(settings.port.unwrap_or(port))
            .tls(tls)
            .hello_name(ClientId::default())
            .timeout(Some(settings.timeout));
        let password = match (&settings.password, &settings.password_file) {
            (Some(password), _) => Some(password.0.clone()),
            (None, Some(file)) => Some(read_password(file)?),
            (None, None) => None,
        };
        if let (Some(name), Some(password)) = (&settings.username, password) {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), timeout: settings.timeout })
    }

    /// As far as a letter would go, without one.
    pub(super) async fn probe(&self) -> Result<(), String> {
        match timeout(self.timeout, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) | Err(_) => Err("the mail server does not answer".to_owned()),
            Ok(Err(error)) => Err(undelivered(&error).reason),
        }
    }
}

#[async_trait]
impl Carrier for Smtp {
    async fn carry(&self, _: &str, message: &Message) -> Result<(), Undelivered> {
        let (envelope, content) = (message.envelope(), message.formatted());
        match timeout(self.timeout, self.transport.send_raw(envelope, &content)).await {
            Ok(sent) => sent.map(drop).map_err(|error| undelivered(&error)),
            Err(_) => Err(Undelivered { reason: "the mail server does not answer".to_owned(), is_final: false }),
        }
    }
}

fn undelivered(error: &lettre::transport::smtp::Error) -> Undelivered {
    let Some(code) = error.status() else {
        let is_about_us = error.is_client() || error.is_response();
        let reason = if is_about_us { "the conversation broke off".to_owned() } else { with_causes(error) };
        return Undelivered { reason, is_final: error.is_client() };
    };
    // RFC 4954 §6: who may not send at all is a matter of the configuration, and is put right.
    let is_final = error.is_permanent() && !matches!(u16::from(code), 530 | 534 | 535 | 538);
    Undelivered { reason: format!("the mail server answered {code}"), is_final }
}

fn tls_for(host: &str) -> Result<TlsParameters, MailError> {
    TlsParameters::builder(host.to_owned()).build_rustls().map_err(MailError::Tls)
}

fn read_password(path: &Path) -> Result<SecretString, MailError> {
    let unreadable = |source| MailError::PasswordFile { path: path.display().to_string(), source };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(MailError::Exposed { path: path.display().to_string(), mode });
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(unreadable)?;
    // An editor ends the last line.
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

const SUBMISSIONS: u16 = 465;
const SUBMISSION: u16 = 587;
const SMTP: u16 = 25;
