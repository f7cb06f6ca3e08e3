//! What is wrong with a configuration: all of it at once, each with the place where it was said.

use std::fmt;

use super::sources::Origin;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    pub(super) fn new(origin: &Origin, what: &str) -> Self {
        let fault = match origin {
            Origin::File { .. } => format!("{origin}: {what}"),
            Origin::Variable(_) | Origin::Flag(_) if what.starts_with("is ") || what.starts_with("would ") => {
                format!("{origin} {what}")
            }
            Origin::Variable(_) | Origin::Flag(_) => format!("{origin}: {what}"),
            Origin::Default => what.to_owned(),
        };
        // The name of a variable or a file is whatever somebody made it: it must not speak to a terminal.
        Self(fault.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect())
    }

    /// Two keys that cannot both be so.
    pub(super) fn contradiction(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why the server does not start with this configuration. No message holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Fault>);

impl ConfigErrors {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    /// The faults, one line each.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(fault, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
