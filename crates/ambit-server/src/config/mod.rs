//! The configuration: flags over environment over file, every key with a type, a rule and a default.
//!
//! 1. The program hands in what it was told ([`Sources`]); nothing here reads the environment or a file.
//! 2. The layers are merged. A name that no key has is a fault that names the nearest key and the line.
//! 3. Each key of the table becomes a value of its type, or a fault that names the key, the place and the rule.
//! 4. Keys that contradict each other are faults (`check`).
//!
//! The sample file and the reference page are made from the same table ([`sample`], [`reference()`]).

mod check;
mod error;
mod reference;
mod setting;
mod sources;
mod table;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use error::{ConfigErrors, Fault};
pub use reference::{print, reference, sample};
pub use sources::{Effective, File, Origin, Sources};
pub use table::{
    Bootstrap, Journal, Key, Keys, Limits, Log, Mail, Metrics, Otel, Outbound, Passwords, Place, RateLimits, SECTIONS,
    Section, Tls, Tokens,
};
pub(crate) use values::is_loopback;
pub use values::{
    BootstrapSecret, ByteSize, CollectorUrl, DatabaseUrl, LogFormat, LogLevel, MailHost, MailPassword, MailTls,
    MailTransport, Network, PublicUrl, Sender,
};

use sources::Values;

/// What the server was told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it is, and what it keeps.
    pub place: Place,
    /// The log.
    pub log: Log,
    /// TLS.
    pub tls: Tls,
    /// What may be asked of it.
    pub limits: Limits,
    /// How often one may fail.
    pub rate_limits: RateLimits,
    /// The hashing of passwords.
    pub passwords: Passwords,
    /// Letters to people.
    pub mail: Mail,
    /// The record of tokens and refusals.
    pub journal: Journal,
    /// How long it is good for what people lend.
    pub tokens: Tokens,
    /// Signing keys.
    pub keys: Keys,
    /// What is fetched from elsewhere.
    pub outbound: Outbound,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// The export of traces.
    pub otel: Otel,
    /// The first client.
    pub bootstrap: Bootstrap,
}

impl Config {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        Self::load_with_origins(sources).map(|(config, _)| config)
    }

    /// As [`load`](Self::load), with each value in force and who said so, for people to look at.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load_with_origins(sources: &Sources) -> Result<(Self, Vec<Effective>), ConfigErrors> {
        let mut faults = Vec::new();
        let mut values = Values::merge(sources, &mut faults);
        let config = Self::take(&mut values);
        let effective = values.into_effective();
        if let Some(config) = &config {
            faults.extend(check::contradictions(config));
        }
        match config {
            Some(config) if faults.is_empty() => Ok((config, effective)),
            _ => Err(ConfigErrors::new(faults)),
        }
    }

    fn take(values: &mut Values<'_>) -> Option<Self> {
        // All sections are read before the first that fails ends it, so that every fault is reported.
        let place = Place::take(values);
        let log = Log::take(values);
        let tls = Tls::take(values);
        let limits = Limits::take(values);
        let rate_limits = RateLimits::take(values);
        let passwords = Passwords::take(values);
        let mail = Mail::take(values);
        let journal = Journal::take(values);
        let tokens = Tokens::take(values);
        let keys = Keys::take(values);
        let outbound = Outbound::take(values);
        let metrics = Metrics::take(values);
        let otel = Otel::take(values);
        let bootstrap = Bootstrap::take(values);
        Some(Self {
            place: place?,
            log: log?,
            tls: tls?,
            limits: limits?,
            rate_limits: rate_limits?,
            passwords: passwords?,
            mail: mail?,
            journal: journal?,
            tokens: tokens?,
            keys: keys?,
            outbound: outbound?,
            metrics: metrics?,
            otel: otel?,
            bootstrap: bootstrap?,
        })
    }

    /// The URL that clients call the server by. `bound` is the address it listens on in fact: the port may have been left
    /// to the system.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> PublicUrl {
        self.place.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(bound, self.tls.cert.is_some()))
    }

    /// Whether `/metrics` is on the main address: only where nobody but this machine reaches it.
    #[must_use]
    pub fn metrics_on_main_address(&self) -> bool {
        self.metrics.listen.is_none()
            && is_loopback(self.place.listen.ip())
            && self.place.public_url.as_ref().is_none_or(PublicUrl::is_loopback)
            && self.place.trusted_proxies.is_empty()
    }

    /// How letters go out.
    #[must_use]
    pub fn mail_transport(&self) -> MailTransport {
        match (self.mail.transport, &self.mail.host) {
            (Some(transport), _) => transport,
            (None, Some(_)) => MailTransport::Smtp,
            (None, None) if self.place.demo => MailTransport::File,
            (None, None) => MailTransport::Off,
        }
    }

    /// The folder for letters that go into files.
    #[must_use]
    pub fn mail_folder(&self) -> PathBuf {
        self.mail.folder.clone().unwrap_or_else(|| self.place.data_dir.join("mail"))
    }

    /// The file of the master key.
    #[must_use]
    pub fn master_key_file(&self) -> PathBuf {
        self.place.master_key_file.clone().unwrap_or_else(|| self.place.data_dir.join("master.key"))
    }
}

#[cfg(test)]
mod tests;
