//! What `cargo deny check licenses bans sources` checks, for machines without cargo-deny: the same deny.toml against what
//! cargo says it would build, on all targets, tests included.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;

use crate::{cargo, output, root, spdx};

/// Checks every dependency against deny.toml.
pub(crate) fn check() -> Result<(), String> {
    let text = fs::read_to_string(root().join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
    let policy: Policy = toml::from_str(&text).map_err(|error| format!("deny.toml: {error}"))?;
    let tree = output(cargo().args([
        "tree",
        "--locked",
        "--workspace",
        "--all-features",
        "--target=all",
        "--edges=normal,build,dev",
        "--prefix=none",
        "--no-dedupe",
        "--format={p}|{l}",
    ]))?;
    let packages =
        tree.lines().filter(|line| !line.is_empty()).map(Package::parse).collect::<Result<BTreeSet<_>, _>>()?;
    let complaints = packages.iter().flat_map(|package| policy.complaints(package)).collect::<Vec<_>>();
    if complaints.is_empty() {
        println!("{} packages are in order: licences, bans, sources", packages.len());
        return Ok(());
    }
    Err(complaints.join("\n"))
}

/// The part of deny.toml that is checked here.
#[derive(Debug, Deserialize)]
struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

impl Policy {
    /// What is wrong with a package.
    fn complaints(&self, package: &Package) -> Vec<String> {
        let mut complaints = Vec::new();
        match spdx::satisfied(&package.licence, &self.licenses.allow) {
            Ok(true) => {}
            Ok(false) => complaints.push(format!("{package:?}: the licence is not allowed")),
            Err(error) => complaints.push(format!("{package:?}: {error}")),
        }
        if let Some(banned) = self.bans.deny.iter().find(|banned| banned.name == package.name) {
            complaints.push(format!("{package:?} is banned: {}", banned.reason));
        }
        if package.origin.as_deref().is_some_and(|origin| origin.contains("://")) {
            complaints.push(format!("{package:?}: only the public registry and this workspace are sources"));
        }
        complaints
    }
}

/// A line of `cargo tree`: `name vVERSION [(origin)]|licence`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// A folder or the address of a repository; none for a crate of the registry.
    origin: Option<String>,
    licence: String,
}

impl Package {
    fn parse(line: &str) -> Result<Self, String> {
        let not_understood = || format!("cargo tree printed a line that is not understood: {line:?}");
        let (package, licence) = line.rsplit_once('|').ok_or_else(not_understood)?;
        let package = package.replace(" (proc-macro)", "");
        let mut parts = package.splitn(3, ' ');
        let name = parts.next().ok_or_else(not_understood)?.to_owned();
        let version = parts.next().ok_or_else(not_understood)?.to_owned();
        let origin = parts.next().map(|origin| origin.trim_matches(['(', ')']).to_owned());
        Ok(Self { name, version, origin, licence: licence.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Banned, Bans, Licenses, Package, Policy};

    fn policy() -> Policy {
        Policy {
            licenses: Licenses { allow: vec!["MIT".to_owned()] },
            bans: Bans { deny: vec![Banned { name: "ring".to_owned(), reason: "one is enough".to_owned() }] },
        }
    }

    fn complaints(line: &str) -> usize {
        policy().complaints(&Package::parse(line).expect("a line of cargo tree")).len()
    }

    #[test]
    fn a_package_of_the_registry_with_an_allowed_licence_passes() {
        assert_eq!(complaints("serde_derive v1.0.229 (proc-macro)|MIT OR Apache-2.0"), 0);
        assert_eq!(complaints("ambit v0.1.0 (/src/ambit)|Apache-2.0 OR MIT"), 0);
    }

    #[test]
    fn a_banned_crate_a_strange_licence_and_a_repository_are_each_named() {
        assert_eq!(complaints("ring v0.17.0|MIT"), 1);
        assert_eq!(complaints("thing v1.0.0|GPL-3.0"), 1);
        assert_eq!(complaints("thing v1.0.0|"), 1);
        assert_eq!(complaints("thing v1.0.0 (https://git.example/thing#0123abcd)|MIT"), 1);
        assert_eq!(complaints("ring v0.17.0 (https://git.example/ring#0123abcd)|GPL-3.0"), 3);
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        assert!(Package::parse("nothing of note").is_err());
        assert!(Package::parse("alone|MIT").is_err());
    }
}
