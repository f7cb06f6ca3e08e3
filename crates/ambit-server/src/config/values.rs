//! Values that are more than a number or a text: sizes, networks, URLs, secrets.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::level_filters::LevelFilter;
use url::{Host, Url};

use super::setting::{Raw, Setting, split_unit, toml_text};

/// A number of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(usize);

impl ByteSize {
    /// So many octets.
    #[must_use]
    pub const fn new(octets: usize) -> Self {
        Self(octets)
    }

    /// The octets.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) =
            SIZES.iter().rev().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit)).unwrap_or(&SIZES[0]);
        write!(f, "{} {name}", self.0 / unit)
    }
}

impl Setting for ByteSize {
    const FORM: &'static str = "a size: a number of octets, or one with its unit (KiB, MiB, GiB), such as \"64 KiB\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        let parse = |text: &str| {
            let (number, unit) = split_unit(text)?;
            let (_, octets) = SIZES.iter().find(|(name, _)| *name == unit)?;
            usize::try_from(number).ok()?.checked_mul(*octets)
        };
        let octets = match raw {
            Raw::Integer(_) => usize::read(raw).ok(),
            Raw::Loose(text) => parse(text).or_else(|| text.parse().ok()),
            Raw::Text(text) => parse(text),
            _ => None,
        };
        octets.map(Self).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A network of IP addresses: an address, and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is in it. An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same_bits(u32::from(ours).into(), u32::from(theirs).into(), 32 - self.bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same_bits(ours.into(), theirs.into(), 128 - self.bits),
            _ => false,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= width)?
            }
            Some(_) => return None,
            None => width,
        };
        // Bits behind the prefix mean that somebody meant another network.
        let network = Self { address, bits };
        let value: u128 = match address {
            IpAddr::V4(v4) => u32::from(v4).into(),
            IpAddr::V6(v6) => v6.into(),
        };
        let host_bits = 1_u128.checked_shl((width - bits).into()).map_or(u128::MAX, |end| end - 1);
        (value & host_bits == 0).then_some(network)
    }
}

fn same_bits(ours: u128, theirs: u128, ignored: u8) -> bool {
    (ours ^ theirs).checked_shr(ignored.into()).unwrap_or(0) == 0
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Setting for Network {
    const FORM: &'static str = "an IP address or a network without host bits, such as \"10.0.0.0/8\" or \"::1\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        raw.text().and_then(Self::parse).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

/// The URL that everybody outside calls the server by: scheme, host and port. All issuers and links are built on it, and on
/// nothing that a request says.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    https: bool,
    loopback: bool,
}

impl PublicUrl {
    /// The address of the listener itself.
    #[must_use]
    pub fn of_listener(address: SocketAddr, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        Self { text: format!("{scheme}://{address}"), https: tls, loopback: is_loopback(address.ip()) }
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether people come by TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it leads to this machine only.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Setting for PublicUrl {
    const FORM: &'static str =
        "an https URL of scheme, host and port only, such as \"https://login.example.com\" (http only for loopback)";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        let url = raw.text().and_then(|text| Url::parse(text).ok()).ok_or(Cow::Borrowed(Self::FORM))?;
        // A trailing slash is the same URL; every other path would end up in the middle of the well-known ones (RFC 8414 §3).
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || has_credentials(&url) {
            return Err(Self::FORM.into());
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(Self::FORM.into()),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err("https: tokens and secrets would cross the network in the clear".into()),
            _ => return Err(Self::FORM.into()),
        }
        Ok(Self { https: url.scheme() == "https", loopback, text: url.as_str().trim_end_matches('/').to_owned() })
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", self.text))
    }
}

/// Where the database is. Its URL may hold a password, so it is shown to nobody.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// The URL, password included.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it names a PostgreSQL server.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        !self.expose_secret().starts_with("sqlite:")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.expose_secret().split(':').next().unwrap_or_default();
        write!(f, "DatabaseUrl({scheme}:[REDACTED])")
    }
}

impl Setting for DatabaseUrl {
    const FORM: &'static str = "a URL that begins with postgres://, postgresql:// or sqlite:";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw.text() {
            Some(text) if ["postgres://", "postgresql://", "sqlite:"].iter().any(|start| text.starts_with(start)) => {
                Ok(Self(text.into()))
            }
            _ => Err(Self::FORM.into()),
        }
    }

    fn show(&self) -> Option<String> {
        Some("(set, and not shown)".to_owned())
    }
}

/// The secret of the first client, chosen by the operator.
#[derive(Clone, Debug)]
pub struct BootstrapSecret(pub SecretString);

impl Setting for BootstrapSecret {
    const FORM: &'static str = "a text of at least 32 printable ASCII characters, none repeated all through";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        let text = raw.text().ok_or(Cow::Borrowed(Self::FORM))?;
        // RFC 6749 Appendix A.2: client-secret = *VSCHAR.
        let printable = text.bytes().all(|b| (0x20..=0x7e).contains(&b));
        let monotonous = text.bytes().all(|b| Some(b) == text.bytes().next());
        if text.len() < BOOTSTRAP_SECRET_CHARS || !printable || monotonous {
            return Err(Self::FORM.into());
        }
        Ok(Self(text.into()))
    }

    fn show(&self) -> Option<String> {
        Some("(set, and not shown)".to_owned())
    }
}

/// How letters go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTransport {
    /// To a mail server.
    Smtp,
    /// Each into a file.
    File,
    /// Not at all.
    Off,
}

impl Setting for MailTransport {
    const FORM: &'static str = "\"smtp\", \"file\" or \"off\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw.text() {
            Some("smtp") => Ok(Self::Smtp),
            Some("file") => Ok(Self::File),
            Some("off") => Ok(Self::Off),
            _ => Err(Self::FORM.into()),
        }
    }

    fn show(&self) -> Option<String> {
        let text = match self {
            Self::Smtp => "smtp",
            Self::File => "file",
            Self::Off => "off",
        };
        Some(format!("\"{text}\""))
    }
}

/// How the way to the mail server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first octet (RFC 8314 §3.3).
    Implicit,
    /// Over to TLS before anything is told; a server that does not go over is told nothing.
    Starttls,
    /// Not at all.
    Off,
}

impl Setting for MailTls {
    const FORM: &'static str = "\"implicit\", \"starttls\" or \"off\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw.text() {
            Some("implicit") => Ok(Self::Implicit),
            Some("starttls") => Ok(Self::Starttls),
            Some("off") => Ok(Self::Off),
            _ => Err(Self::FORM.into()),
        }
    }

    fn show(&self) -> Option<String> {
        let text = match self {
            Self::Implicit => "implicit",
            Self::Starttls => "starttls",
            Self::Off => "off",
        };
        Some(format!("\"{text}\""))
    }
}

/// The mail server's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHost(String);

impl MailHost {
    /// The name or address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address: Option<IpAddr> = self.0.trim_matches(['[', ']']).parse().ok();
        self.0 == "localhost" || address.is_some_and(is_loopback)
    }
}

impl Setting for MailHost {
    const FORM: &'static str = "the name or IP address of a host, such as \"smtp.example.com\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        let text = raw.text().ok_or(Cow::Borrowed(Self::FORM))?;
        if text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Host::parse(text).map(|host| Self(host.to_string())).map_err(|_| Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(toml_text(&self.0))
    }
}

/// What authenticates at the mail server.
#[derive(Clone, Debug)]
pub struct MailPassword(pub SecretString);

impl Setting for MailPassword {
    const FORM: &'static str = "a text";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        raw.text().filter(|text| !text.is_empty()).map(|text| Self(text.into())).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some("(set, and not shown)".to_owned())
    }
}

/// Whom letters come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(pub Mailbox);

impl Setting for Sender {
    const FORM: &'static str = "an address, such as \"Example <no-reply@example.com>\" or \"no-reply@example.com\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        let text = raw.text().filter(|text| !text.chars().any(char::is_control)).ok_or(Cow::Borrowed(Self::FORM))?;
        text.parse().map(Self).map_err(|_| Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(toml_text(&self.0.to_string()))
    }
}

/// Where a collector of traces listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(String);

impl CollectorUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for CollectorUrl {
    const FORM: &'static str = "an http or https URL without credentials, such as \"http://127.0.0.1:4318/v1/traces\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        let url = raw.text().and_then(|text| Url::parse(text).ok()).ok_or(Cow::Borrowed(Self::FORM))?;
        if !matches!(url.scheme(), "http" | "https") || has_credentials(&url) {
            return Err(Self::FORM.into());
        }
        Ok(Self(url.into()))
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", self.0))
    }
}

/// From which level on the log has lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(pub LevelFilter);

impl Setting for LogLevel {
    const FORM: &'static str = "\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        Ok(Self(match raw.text() {
            Some("off") => LevelFilter::OFF,
            Some("error") => LevelFilter::ERROR,
            Some("warn") => LevelFilter::WARN,
            Some("info") => LevelFilter::INFO,
            Some("debug") => LevelFilter::DEBUG,
            Some("trace") => LevelFilter::TRACE,
            _ => return Err(Self::FORM.into()),
        }))
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{}\"", self.0))
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object a line, for programs.
    Json,
    /// For people.
    Text,
}

impl Setting for LogFormat {
    const FORM: &'static str = "\"json\" or \"text\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw.text() {
            Some("json") => Ok(Self::Json),
            Some("text") => Ok(Self::Text),
            _ => Err(Self::FORM.into()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(if *self == Self::Json { "\"json\"" } else { "\"text\"" }.to_owned())
    }
}

/// Whether an address is this machine's own and reached from nowhere else.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

const BOOTSTRAP_SECRET_CHARS: usize = 32;
const SIZES: [(&str, usize); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn a_size_is_in_octets_or_has_a_unit_of_1024() {
        assert_eq!(ByteSize::read(&text("64 KiB")), Ok(ByteSize(65_536)));
        assert_eq!(ByteSize::read(&Raw::Integer(65_536)), Ok(ByteSize(65_536)));
        assert_eq!(ByteSize::read(&Raw::Loose("65536".into())), Ok(ByteSize(65_536)));
        for bad in ["64", "64 KB", "64 kib", "-1 KiB", "1.5 MiB", "18446744073709551615 GiB"] {
            assert!(ByteSize::read(&text(bad)).is_err(), "{bad}");
        }
        assert_eq!(ByteSize(65_536).to_string(), "64 KiB");
        assert_eq!(ByteSize(65_537).to_string(), "65537 B");
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let contains = |network: &str, address: &str| {
            Network::parse(network).expect("a network").contains(address.parse().expect("an address"))
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("10.1.2.3", "10.1.2.3") && !contains("10.1.2.3", "10.1.2.2"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("0.0.0.0/0", "255.255.255.255") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "ffff::1") && !contains("::/0", "1.2.3.4"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe00::1"));
        for bad in
            ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0", "localhost", "::1/0"]
        {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_public_url_is_https_unless_it_leads_to_this_machine() {
        let read = |url: &str| PublicUrl::read(&text(url));
        assert_eq!(read("https://Login.Example.com/").expect("valid").as_str(), "https://login.example.com");
        assert_eq!(read("https://login.example.com:8443").expect("valid").as_str(), "https://login.example.com:8443");
        for loopback in ["http://localhost:5000", "http://127.0.0.1:5000", "http://[::1]:5000", "https://localhost"] {
            assert!(read(loopback).expect("valid").is_loopback(), "{loopback}");
        }
        for bad in [
            "http://login.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "https://user:pw@login.example.com",
            "https://login.example.com/path",
            "https://login.example.com?x",
            "https://login.example.com#x",
            "ftp://login.example.com",
            "login.example.com",
            "https://",
            "",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bootstrap_secret_has_32_characters_at_least() {
        let secret = "abcdefghijklmnopqrstuvwxyz012345";
        assert!(BootstrapSecret::read(&text(secret)).is_ok());
        assert!(BootstrapSecret::read(&text(&secret[1..])).is_err());
        assert!(BootstrapSecret::read(&text(&"x".repeat(40))).is_err());
        assert!(BootstrapSecret::read(&text(&format!("{secret}\n"))).is_err());
    }

    #[test]
    fn a_mail_server_is_a_host_and_letters_come_from_an_address() {
        let host = |host: &str| MailHost::read(&text(host));
        for (name, here) in
            [("localhost", true), ("127.0.0.2", true), ("::1", true), ("[::1]", true), ("smtp.example.com", false)]
        {
            assert_eq!(host(name).expect("a host").is_loopback(), here, "{name}");
        }
        for bad in ["", "smtp://smtp.example.com", "smtp.example.com:25", "a b", "ada@smtp.example.com"] {
            assert!(host(bad).is_err(), "{bad}");
        }
        let from = |from: &str| Sender::read(&text(from));
        assert_eq!(from("no-reply@example.com").expect("an address").0.to_string(), "no-reply@example.com");
        assert!(from("The Shop <no-reply@example.com>").is_ok());
        for bad in ["", "Shop", "a@b@c", "Shop <x@example.com>\r\nBcc: eve@example.com"] {
            assert!(from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let url = DatabaseUrl::read(&text("postgres://ambit:CANARY@db/ambit")).expect("valid");
        let secret = BootstrapSecret::read(&text("CANARY-CANARY-CANARY-CANARY-CANARY")).expect("valid");
        let password = MailPassword::read(&text("CANARY")).expect("valid");
        let debug = format!("{url:?} {secret:?} {password:?}");
        for shown in [&debug, &url.show().expect("set"), &secret.show().expect("set"), &password.show().expect("set")] {
            assert!(!shown.contains("CANARY"), "{shown}");
        }
        assert!(url.is_postgres());
    }
}
