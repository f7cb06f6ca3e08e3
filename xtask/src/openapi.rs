//! The committed OpenAPI document is the one the routes make.

use std::fs;

use crate::{cargo, output, root};

/// Compares the document in the tree with what the program prints; with `accept`, writes it anew.
pub(crate) fn check(accept: bool) -> Result<(), String> {
    let fresh = output(cargo().args(["run", "--quiet", "--package", "ambit", "--", "openapi"]))?;
    let path = root().join(DOCUMENT);
    if accept {
        return fs::write(&path, fresh).map_err(|error| format!("{DOCUMENT} cannot be written: {error}"));
    }
    let committed = fs::read_to_string(&path).map_err(|error| format!("{DOCUMENT} cannot be read: {error}"))?;
    match first_difference(&committed, &fresh) {
        None => Ok(()),
        Some(line) => Err(format!(
            "{DOCUMENT} is not what the routes make, from line {line} on: `cargo xtask openapi --accept` writes it anew"
        )),
    }
}

/// The first line, counted from one, in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    Some(one.lines().zip(other.lines()).take_while(|(a, b)| a == b).count() + 1)
}

const DOCUMENT: &str = "docs/reference/openapi.json";

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_differing_line_is_found_and_a_missing_one_counts() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some(2));
        assert_eq!(first_difference("a\n", "a"), Some(2));
    }
}
