//! What the server calls elsewhere: the keys of clients that publish them (`jwks_uri`, `key_sets`), and clients that want to
//! be told that a session has ended (`backchannel_logout_uri`, `logout`). Nothing else.
//!
//! The address stands in the registry: an administrator put it there, no request names one. Still whoever registers an
//! application must not learn what only this machine can reach, and whoever sends a request must not make the server busy:
//!
//! 1. The address is `https` (its type says so). A name is resolved here, and when one of its addresses is neither of the public
//!    internet nor of a network that the configuration names nothing is called. The connection goes to the addresses that were
//!    looked at: whoever answers the next lookup otherwise changes nothing. No proxy, no redirect, no connection that is kept.
//! 2. A call has a time and a size. So many run at once; those that find no place in their time have failed.

mod key_sets;
mod logout;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ambit_protocol::address::is_public;
use ambit_protocol::outbound_uri::OutboundUri;
use ambit_resource_server::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::{Network, Outbound};
pub use key_sets::{Fetches, KeySets};
pub use logout::{LogoutCalls, Untold};

/// Which addresses may be called.
pub(crate) struct Guard {
    /// This machine itself, by http too.
    loopback: bool,
    /// Networks that are not of the public internet, and may be called all the same.
    networks: Vec<Network>,
    lookup: Arc<dyn Lookup>,
}

impl Guard {
    pub(crate) fn new(config: &Outbound) -> Arc<Self> {
        let (loopback, networks) = (config.loopback, config.networks.clone());
        Arc::new(Self { loopback, networks, lookup: Arc::new(SystemLookup) })
    }

    /// Whether an address that is registered may be called now. It may have been registered while the switch was on.
    fn check(&self, uri: &OutboundUri) -> Result<(), &'static str> {
        if uri.is_local() && !self.loopback {
            return Err("it leads to this machine, and outbound.loopback is off");
        }
        Ok(())
    }

    fn may_be_reached(&self, address: IpAddr) -> bool {
        is_public(address)
            || (self.loopback && address.is_loopback())
            || self.networks.iter().any(|network| network.contains(address))
    }

    /// A client that keeps to it.
    fn client(self: &Arc<Self>) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .dns_resolver(Resolver(Arc::clone(self)))
            // A proxy would resolve the name by itself, and connect to whatever it is.
            .no_proxy()
            .https_only(!self.loopback)
            // One way to read an answer is enough, the one with fewer things to flood.
            .http1_only()
            .pool_max_idle_per_host(0)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { loopback, networks, .. } = self;
        f.debug_struct("Guard").field("loopback", loopback).field("networks", networks).finish_non_exhaustive()
    }
}

/// An address as the log may have it: what stands in a query may be secret.
fn shown(uri: &OutboundUri) -> String {
    let mut url = uri.url().clone();
    url.set_query(None);
    url.into()
}

/// Answers only with addresses that may be connected to.
struct Resolver(Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = guard.lookup.addresses(name.as_str()).await?;
            // One that leads inside beside others that do not is no mistake that happens.
            if !addresses.iter().all(|address| guard.may_be_reached(*address)) {
                return Err("the name leads to an address that is not of the public internet".into());
            }
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Looks names up. A test has its own names.
trait Lookup: Send + Sync {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// As the operating system does it.
struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers each lookup with the next of these, and the last one for ever.
    pub(super) struct Answers {
        answers: Vec<Vec<IpAddr>>,
        pub(super) asked: AtomicUsize,
    }

    impl Answers {
        pub(super) fn new(answers: &[&str]) -> Arc<Self> {
            let parse = |answer: &&str| answer.split(' ').map(|address| address.parse().expect("an address")).collect();
            Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
        }
    }

    impl Lookup for Answers {
        fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
            let place = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
            Box::pin(std::future::ready(Ok(self.answers[place].clone())))
        }
    }

    pub(super) fn guard(lookup: Arc<dyn Lookup>, loopback: bool, networks: &[&str]) -> Arc<Guard> {
        let networks = networks.iter().map(|text| Network::parse(text).expect("a network")).collect();
        Arc::new(Guard { loopback, networks, lookup })
    }

    async fn resolved(lookup: &[&str], loopback: bool, networks: &[&str]) -> Result<Vec<IpAddr>, String> {
        resolved_by(&Resolver(guard(Answers::new(lookup), loopback, networks))).await
    }

    async fn resolved_by(resolver: &Resolver) -> Result<Vec<IpAddr>, String> {
        let name = "keys.example".parse().expect("a name");
        let addresses = resolver.resolve(name).await.map_err(|error| error.to_string())?;
        Ok(addresses.map(|address| address.ip()).collect())
    }

    #[tokio::test]
    async fn a_name_leads_to_the_internet_or_nowhere() {
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fd00::1",
            "224.0.0.1",
        ] {
            assert!(resolved(&[inside], false, &[]).await.is_err(), "{inside}");
            assert!(resolved(&[&format!("8.8.8.8 {inside}")], false, &[]).await.is_err(), "{inside}");
        }
        assert_eq!(resolved(&["8.8.8.8 2606:4700::1111"], false, &[]).await.expect("addresses").len(), 2);
        // The switch lets this machine in, and nothing else.
        assert!(resolved(&["127.0.0.1"], true, &[]).await.is_ok());
        assert!(resolved(&["10.0.0.1"], true, &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_network_that_is_named_may_be_called_and_no_other() {
        let networks = ["10.1.0.0/16", "fd00::/8"];
        for inside in ["10.1.2.3", "fd00::1", "8.8.8.8 10.1.0.1"] {
            assert!(resolved(&[inside], false, &networks).await.is_ok(), "{inside}");
        }
        for outside in ["10.2.0.1", "127.0.0.1", "169.254.169.254", "fe80::1", "10.1.0.1 10.2.0.1"] {
            assert!(resolved(&[outside], false, &networks).await.is_err(), "{outside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_changes_its_mind_is_looked_at_each_time() {
        let resolver = Resolver(guard(Answers::new(&["8.8.8.8", "127.0.0.1"]), false, &[]));
        assert!(resolved_by(&resolver).await.is_ok());
        assert!(resolved_by(&resolver).await.is_err());
    }
}
