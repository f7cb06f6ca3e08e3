//! Every key there is: its name, its type, its default and what it is for. The sample, the reference and the error messages
//! come from this table, so a new key is one entry here (and a line in `Config` for a new section).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ambit_protocol::jose::Algorithm;

use super::setting::Setting;
use super::sources::Values;
use super::values::{
    BootstrapSecret, ByteSize, CollectorUrl, DatabaseUrl, LogFormat, LogLevel, MailHost, MailPassword, MailTls,
    MailTransport, Network, PublicUrl, Sender,
};

/// One key, as the reference shows it.
#[derive(Debug)]
pub struct Key {
    /// Its name in the file, with its section: `limits.body_bytes`.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What a value must be.
    pub form: &'static str,
    /// The value when nobody says anything; none where the key is then unset.
    pub default: Option<&'static str>,
    /// The least and the greatest value.
    pub bounds: Option<(&'static str, &'static str)>,
    /// Whether its value is shown to nobody.
    pub secret: bool,
}

/// A section of the file and its keys.
#[derive(Debug)]
pub struct Section {
    /// What stands in brackets; empty for the keys at the top.
    pub name: &'static str,
    /// What its keys are about.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

macro_rules! sections {
    ($(
        $(#[doc = $about:literal])+
        $section:ident = $name:tt {
            $(
                $(#[doc = $key_about:literal])+
                $field:ident: $type:ty = $default:expr $(, from $least:literal to $most:literal)?;
            )+
        }
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone)]
            pub struct $section {
                $($(#[doc = $key_about])+ pub $field: $type,)+
            }

            impl $section {
                pub(super) fn take(values: &mut Values<'_>) -> Option<Self> {
                    // All are read before the first that is missing ends it, so that every fault is reported.
                    $(let $field = values.take::<$type>(dotted!($name, $field));)+
                    Some(Self { $($field: $field?,)+ })
                }
            }
        )+

        /// All sections, in the order of the sample.
        pub static SECTIONS: &[Section] = &[$(
            Section {
                name: $name,
                about: concat!($($about, "\n"),+),
                keys: &[$(
                    Key {
                        name: dotted!($name, $field),
                        about: concat!($($key_about, "\n"),+),
                        form: <$type as Setting>::FORM,
                        default: $default,
                        bounds: bounds!($($least, $most)?),
                        secret: <$type as Setting>::SECRET,
                    },
                )+],
            },
        )+];
    };
}

macro_rules! dotted {
    ("", $field:ident) => {
        stringify!($field)
    };
    ($section:literal, $field:ident) => {
        concat!($section, ".", stringify!($field))
    };
}

macro_rules! bounds {
    () => {
        None
    };
    ($least:literal, $most:literal) => {
        Some(($least, $most))
    };
}

sections! {
    /// Where the server is, and what it keeps.
    Place = "" {
        /// The address and port to listen on.
        listen: SocketAddr = Some("127.0.0.1:5000");
        /// The URL that clients call the server by. All issuers are built on it, so it must not change once tokens are out.
        /// Unset: the listening address itself, which is possible on loopback only.
        public_url: Option<PublicUrl> = None;
        /// The folder for what the server keeps: the embedded database, and the master key unless `master_key_file` says
        /// otherwise. It is made if it is not there.
        data_dir: PathBuf = Some("ambit-data");
        /// The database. Unset: SQLite, in `data_dir`.
        database_url: Option<DatabaseUrl> = None;
        /// The file with the key that encrypts signing keys at rest (43 characters of base64url), readable by its owner
        /// only. Unset: `master.key` in `data_dir`, made at first start. Who has the database alone cannot sign.
        master_key_file: Option<PathBuf> = None;
        /// Proxies whose `X-Forwarded-For` is believed. From everybody else it is ignored. `Forwarded`, `X-Forwarded-Host`
        /// and `X-Forwarded-Proto` are always ignored: URLs come from `public_url`.
        trusted_proxies: Vec<Network> = Some("");
        /// Fills an empty database with the retail example and prints its credentials. On loopback only.
        demo: bool = Some("false");
    }

    /// The log, on standard output.
    Log = "log" {
        /// The least level that is written.
        level: LogLevel = Some("info");
        /// `json` has one object a line, `text` is for people.
        format: LogFormat = Some("json");
    }

    /// TLS, by the server itself. Both or neither; both files are looked at every few seconds and taken when they changed.
    Tls = "tls" {
        /// The certificate and its chain, PEM.
        cert: Option<PathBuf> = None;
        /// The private key, PEM, readable by its owner (and group) only.
        key: Option<PathBuf> = None;
    }

    /// What a request, a connection and the registry may cost. What is beyond a limit is refused, and the refusal names the
    /// limit.
    Limits = "limits" {
        /// The largest body of a request to an OAuth endpoint.
        body_bytes: ByteSize = Some("64 KiB"), from "1 KiB" to "16 MiB";
        /// The largest body of a request to the admin API.
        admin_body_bytes: ByteSize = Some("1 MiB"), from "1 KiB" to "64 MiB";
        /// The largest head of a request: request line and headers.
        header_bytes: ByteSize = Some("32 KiB"), from "8 KiB" to "1 MiB";
        /// The most headers of a request.
        headers: usize = Some("100"), from "16" to "1000";
        /// From the first octet of a request to the end of its head. On HTTP/2, where other frames come at any time,
        /// `idle_timeout` is the time of a head.
        header_timeout: Duration = Some("10 s"), from "1 s" to "5 min";
        /// From the end of the head to the end of the body.
        body_timeout: Duration = Some("10 s"), from "100 ms" to "5 min";
        /// From the end of the head to the answer; and as long again for the caller to take it.
        request_timeout: Duration = Some("30 s"), from "100 ms" to "10 min";
        /// How long a connection may be without a request.
        idle_timeout: Duration = Some("75 s"), from "1 s" to "1 h";
        /// From the start of a TLS connection to the end of its handshake.
        tls_handshake_timeout: Duration = Some("10 s"), from "100 ms" to "1 min";
        /// How long requests may go on after the server was told to stop.
        drain_timeout: Duration = Some("30 s"), from "0 s" to "10 min";
        /// The most connections at once. The operating system's limit on open files, less a reserve, counts if it is lower.
        /// When all are taken, those that have been idle longest make room; where none is idle, the one whose request came
        /// first, behind its answer.
        connections: usize = Some("8192"), from "16" to "1000000";
        /// The most requests at work at once. More are answered 503 with `Retry-After`; `/healthz`, `/readyz` and `/metrics`
        /// never are. A request whose body is still on its way is not at work.
        concurrency: usize = Some("1024"), from "1" to "1000000";
        /// The memory for requests whose bodies are still on their way: what is there of each, and 4 KiB for the request. Beyond
        /// it they are answered 503. A body that comes together with its head needs none of it.
        waiting_bodies: ByteSize = Some("64 MiB"), from "16 KiB" to "64 GiB";
        /// The most requests at once on one HTTP/2 connection.
        http2_streams: u32 = Some("128"), from "1" to "10000";
        /// The longest name of a scope, in characters.
        scope_name_chars: usize = Some("128"), from "1" to "128";
        /// The most scopes in one request.
        scopes_per_request: usize = Some("512"), from "1" to "4096";
        /// The longest `scope` parameter.
        scope_bytes: ByteSize = Some("16 KiB"), from "128 B" to "1 MiB";
        /// The most scopes in the catalogue.
        catalogue_scopes: usize = Some("10000"), from "100" to "100000";
        /// The most members of a bundle. The built-in ones have up to twelve.
        bundle_members: usize = Some("1000"), from "16" to "10000";
        /// The most allowed scopes of an application.
        allowed_scopes: usize = Some("2000"), from "16" to "10000";
    }

    /// How often a client or an address may fail: wrong credentials, bad tokens. Only failures count. Whoever has failed too
    /// often is answered 429 with `Retry-After`.
    RateLimits = "rate_limits" {
        /// Failures of one client from one address within `window`.
        client_failures: u32 = Some("20"), from "1" to "1000000";
        /// Failures from one address (IPv6: one /64) within `window`, whatever the client.
        address_failures: u32 = Some("200"), from "1" to "1000000";
        /// Failures of one client from everywhere within `window`. Beyond it further failures are told to wait; right
        /// credentials still pass, so nobody can lock a client out from elsewhere.
        client_total_failures: u32 = Some("1000"), from "1" to "10000000";
        /// The time in which a full allowance comes back, little by little.
        window: Duration = Some("1 min"), from "1 s" to "1 h";
        /// Questions of one address what an error is about, within `window`. These count whatever comes of them.
        matches: u32 = Some("120"), from "1" to "1000000";
        /// Reports of one address whether an advice helped, within an hour; about one error it reports once a day.
        reports: u32 = Some("20"), from "1" to "1000000";
        /// Sign-ins that are begun from one address, within `window`: each waits for its person for half an hour, whether anybody comes
        /// or not.
        sign_ins: u32 = Some("600"), from "1" to "1000000";
        /// How many clients and addresses are remembered. Beyond it those closest to being forgiven are forgotten.
        entries: usize = Some("65536"), from "64" to "10000000";
    }

    /// The hashing of passwords: on threads of its own, which stand back behind all others. One hash takes 19 MiB while it is made,
    /// and up to 64 MiB where it was taken over from another system.
    Passwords = "passwords" {
        /// How many are hashed at once. The number of processors counts if it is lower: two on one take the cache from each other.
        workers: usize = Some("4"), from "1" to "256";
        /// How many more may wait. Beyond it, who signs in is told to try again.
        queue: usize = Some("64"), from "1" to "100000";
        /// How long one may wait for its answer.
        patience: Duration = Some("5 s"), from "100 ms" to "1 min";
    }

    /// Letters to people: invitations, links to a new password, proofs of an address, codes. They are sent behind the answers. One that
    /// the mail server does not take now is tried again for a while; a crash loses those that wait, and whoever waits for one asks
    /// for another.
    Mail = "mail" {
        /// `smtp` hands them to a mail server, `file` puts each into a file of its own (for development and tests), `off` sends none: then nothing
        /// is offered that takes one. Unset: `smtp` where `mail.host` is set, else `file` where `demo` is on, else `off`.
        transport: Option<MailTransport> = None;
        /// The mail server.
        host: Option<MailHost> = None;
        /// Its port. Unset: 465 with `implicit` TLS, 587 with `starttls`, 25 without.
        port: Option<u16> = None;
        /// `implicit` is TLS from the first octet, `starttls` begins without and insists on going over to it, `off` is for a mail server on this
        /// machine only.
        tls: MailTls = Some("implicit");
        /// The name to authenticate by. Unset: without authentication.
        username: Option<String> = None;
        /// The password that goes with it. Instead of it, `mail.password_file`.
        password: Option<MailPassword> = None;
        /// The file with that password, readable by its owner (and group) only. It is read at the start.
        password_file: Option<PathBuf> = None;
        /// Whom letters come from: an address, with a name before it or without.
        from: Option<Sender> = None;
        /// The folder for the files of `file`. Unset: `mail` in `data_dir`.
        folder: Option<PathBuf> = None;
        /// How long handing one letter over may take.
        timeout: Duration = Some("30 s"), from "100 ms" to "5 min";
        /// For how long a letter is tried again, if what it says is true for so long.
        retry: Duration = Some("4 h"), from "1 s" to "5 days";
        /// How many letters may wait. Beyond it they are dropped, which the log and `ambit_mail_letters_total` say.
        queue: u32 = Some("1000"), from "1" to "1000000";
    }

    /// The record of issued tokens and refused requests, for explain and audit. It is written in batches behind the answers:
    /// a crash loses at most the last batch.
    Journal = "journal" {
        /// How long records are kept.
        retention: Duration = Some("30 days"), from "1 h" to "3650 days";
        /// How many records may wait to be written. When it is full, requests slow down.
        queue: usize = Some("65536"), from "64" to "10000000";
        /// How long a record may wait to be written.
        flush: Duration = Some("200 ms"), from "1 ms" to "10 s";
    }

    /// How long it is good for what people lend an application. How long access tokens live is said by each application.
    Tokens = "tokens" {
        /// An authorization code, from its making to its use. The tokens of FAPI 2.0 want a minute at most.
        code: Duration = Some("1 min"), from "10 s" to "10 min";
        /// An ID token: long enough to be read once.
        id_token: Duration = Some("5 min"), from "30 s" to "1 day";
        /// A refresh token that is not used.
        refresh_token_idle: Duration = Some("30 days"), from "1 min" to "3650 days";
        /// What was lent, however often it is renewed: then the person signs in again.
        grant: Duration = Some("90 days"), from "1 min" to "3650 days";
    }

    /// Signing keys.
    Keys = "keys" {
        /// The algorithm of an API that names none.
        default_algorithm: Algorithm = Some("ES256");
        /// The age at which a key is replaced.
        rotate: Duration = Some("90 days"), from "1 h" to "3650 days";
        /// How long the next key is published, at least, before it signs: by schedule and, unless forced, by command. Resource
        /// servers that cache the JWKS longer than that meet unknown keys.
        publish_ahead: Duration = Some("1 day"), from "1 min" to "90 days";
        /// How long a replaced key stays published and verifies, by schedule and by command alike. A token lives a day at most,
        /// and clocks differ.
        overlap: Duration = Some("7 days"), from "25 h" to "90 days";
    }

    /// What the server calls elsewhere: clients that publish their keys at a `jwks_uri`, and clients that are told at a
    /// `backchannel_logout_uri` that a session has ended. Only by https, only at addresses of the public internet and of the
    /// networks that are named here, never through a proxy, and no redirect is followed.
    Outbound = "outbound" {
        /// Lets them lead to this machine itself, by http too. For tests and development; `listen` must then be a loopback
        /// address.
        loopback: bool = Some("false");
        /// Networks of your own that names may lead to, such as `10.20.0.0/16`. Whoever may register an application can have the
        /// server call any machine in them, by https.
        networks: Vec<Network> = Some("");
        /// How long one call may take, from looking up the name to the last octet.
        timeout: Duration = Some("3 s"), from "100 ms" to "5 s";
        /// The largest key set that is read.
        body_bytes: ByteSize = Some("256 KiB"), from "1 KiB" to "4 MiB";
    }

    /// Prometheus metrics.
    Metrics = "metrics" {
        /// An address of its own for `/metrics` and nothing else, without TLS. Unset: `/metrics` is on the main address when that is reachable from this
        /// machine only (`listen` and `public_url` on loopback, no trusted proxies), and nowhere otherwise.
        listen: Option<SocketAddr> = None;
        /// How many clients have a label of their own; the others share the label `other`.
        clients: usize = Some("200"), from "0" to "10000";
        /// How many scopes have a label of their own; the others share the label `other`.
        scopes: usize = Some("200"), from "0" to "10000";
    }

    /// The export of traces by OTLP. Only in programs built with the feature `otel`.
    Otel = "otel" {
        /// The collector, by HTTP with protobuf. Unset: nothing is exported.
        endpoint: Option<CollectorUrl> = None;
        /// How many of 1000 traces that begin here are exported. A trace that a caller began is exported if the caller says
        /// it is sampled.
        sampled_per_mille: u32 = Some("100"), from "0" to "1000";
    }

    /// The first client, for automation: registered at first start only, of level platform, allowed
    /// `openid admin:read admin:write`. Both or neither.
    Bootstrap = "bootstrap" {
        /// Its `client_id`.
        client_id: Option<String> = None;
        /// Its secret.
        client_secret: Option<BootstrapSecret> = None;
    }
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.name == name)
}

/// All keys, in the order of the sample.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

impl Key {
    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }
}

pub(super) const VARIABLE_PREFIX: &str = "AMBIT_";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_keys_have_one_variable() {
        let variables: HashSet<String> = keys().map(Key::variable).collect();
        assert_eq!(variables.len(), keys().count());
        assert_eq!(find("limits.body_bytes").expect("a key").variable(), "AMBIT_LIMITS_BODY_BYTES");
        assert_eq!(find("listen").expect("a key").variable(), "AMBIT_LISTEN");
    }

    #[test]
    fn every_key_says_what_it_is_for() {
        for key in keys() {
            assert!(key.about.trim().ends_with('.'), "{}", key.name);
        }
    }
}
