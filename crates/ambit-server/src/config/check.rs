//! Keys that contradict each other.

use super::error::Fault;
use super::{Config, MailTls, MailTransport, is_loopback};

/// Every contradiction, in the order of the table.
pub(super) fn contradictions(config: &Config) -> Vec<Fault> {
    let place = &config.place;
    let loopback = is_loopback(place.listen.ip());
    let tls = config.tls.cert.is_some();
    let mail = &config.mail;
    let by_smtp = config.mail_transport() == MailTransport::Smtp;
    let rules = [
        (
            place.public_url.is_none() && !loopback,
            "public_url must be set when listen is not a loopback address: issuers are built on it",
        ),
        (
            tls && place.public_url.as_ref().is_some_and(|url| !url.is_https()),
            "public_url begins with http:// and tls.cert is set: with TLS it must begin with https://",
        ),
        (
            place.demo && !loopback,
            "demo is on and listen is not a loopback address: the demo's credentials are known to everybody",
        ),
        (
            place.demo && place.public_url.as_ref().is_some_and(|url| !url.is_loopback()),
            "demo is on and public_url is not a loopback address: the demo's credentials are known to everybody",
        ),
        (
            place.demo && config.metrics.listen.is_some_and(|listen| !is_loopback(listen.ip())),
            "demo is on and metrics.listen is not a loopback address",
        ),
        (
            config.outbound.loopback && !loopback,
            "outbound.loopback is on and listen is not a loopback address: clients could have this machine's own services read",
        ),
        (config.tls.cert.is_some() != config.tls.key.is_some(), "tls.cert and tls.key must be set together"),
        (
            config.metrics.listen.is_some_and(|listen| listen == place.listen && listen.port() != 0),
            "metrics.listen is the same address as listen: leave it out, or give it one of its own",
        ),
        (by_smtp && mail.host.is_none(), "mail.transport is smtp and mail.host is not set: which mail server?"),
        (by_smtp && mail.from.is_none(), "mail.from must be set: whom do letters come from?"),
        (
            mail.tls == MailTls::Off && mail.host.as_ref().is_some_and(|host| !host.is_loopback()),
            "mail.tls is off and mail.host is not this machine: links and codes would cross the network in the clear",
        ),
        (
            mail.password.is_some() && mail.password_file.is_some(),
            "mail.password and mail.password_file are both set: one of them is enough",
        ),
        (
            mail.username.is_some() != (mail.password.is_some() || mail.password_file.is_some()),
            "mail.username and mail.password (or mail.password_file) must be set together",
        ),
        (
            config.limits.body_timeout > config.limits.request_timeout,
            "limits.body_timeout is longer than limits.request_timeout, so it would never count",
        ),
        (
            config.rate_limits.client_failures > config.rate_limits.client_total_failures,
            "rate_limits.client_failures is more than rate_limits.client_total_failures, so it would never count",
        ),
        (
            config.keys.publish_ahead >= config.keys.rotate,
            "keys.publish_ahead must be shorter than keys.rotate: the next key is made within the life of the active one",
        ),
        (
            // 4 algorithms, each with an active and a next key, in a set of at most 64.
            config.keys.overlap > config.keys.rotate * 12,
            "keys.overlap is more than 12 times keys.rotate: more keys would be published than a key set may have",
        ),
        (
            config.otel.endpoint.is_some() && !cfg!(feature = "otel"),
            "otel.endpoint is set, and this program was built without the feature otel",
        ),
        (
            config.bootstrap.client_id.is_some() != config.bootstrap.client_secret.is_some(),
            "bootstrap.client_id and bootstrap.client_secret must be set together",
        ),
    ];
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, what)| Fault::contradiction(what)).collect()
}
