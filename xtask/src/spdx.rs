//! SPDX licence expressions (SPDX 2.3, annex D), as far as crates use them: `AND`, `OR`, `WITH`, parentheses, and the `/`
//! that older crates write for `OR`.

/// Whether the expression can be met with allowed licences only: one side of each `OR`, both of each `AND`.
///
/// An exception (`X WITH Y`) only ever adds to what a licence permits, so `X` being allowed is enough.
///
/// # Errors
/// What is wrong with the expression.
pub(crate) fn satisfied(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = spaced.split_whitespace().peekable();
    let outcome = either(&mut tokens, allowed).map_err(|error| format!("{expression:?}: {error}"))?;
    match tokens.next() {
        None => Ok(outcome),
        Some(token) => Err(format!("{expression:?}: {token:?} is not expected")),
    }
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// Terms joined by `OR`, which binds weaker than `AND`.
fn either(tokens: &mut Tokens<'_>, allowed: &[String]) -> Result<bool, String> {
    let mut outcome = both(tokens, allowed)?;
    while tokens.next_if_eq(&"OR").is_some() {
        outcome |= both(tokens, allowed)?;
    }
    Ok(outcome)
}

/// Terms joined by `AND`.
fn both(tokens: &mut Tokens<'_>, allowed: &[String]) -> Result<bool, String> {
    let mut outcome = term(tokens, allowed)?;
    while tokens.next_if_eq(&"AND").is_some() {
        outcome &= term(tokens, allowed)?;
    }
    Ok(outcome)
}

/// One licence, with or without an exception, or an expression in parentheses.
fn term(tokens: &mut Tokens<'_>, allowed: &[String]) -> Result<bool, String> {
    match tokens.next() {
        None | Some("AND" | "OR" | "WITH" | ")") => Err("a licence is expected".to_owned()),
        Some("(") => {
            let outcome = either(tokens, allowed)?;
            tokens.next_if_eq(&")").ok_or("a parenthesis stays open")?;
            Ok(outcome)
        }
        Some(licence) => {
            if tokens.next_if_eq(&"WITH").is_some() {
                tokens.next().ok_or("an exception is expected")?;
            }
            Ok(allowed.iter().any(|name| name == licence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    fn with(allowed: &[&str], expression: &str) -> Result<bool, String> {
        satisfied(expression, &allowed.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn one_side_of_an_or_is_enough_and_both_of_an_and_are_needed() {
        assert_eq!(with(&["MIT"], "MIT OR GPL-3.0"), Ok(true));
        assert_eq!(with(&["MIT"], "MIT/GPL-3.0"), Ok(true));
        assert_eq!(with(&["MIT"], "MIT AND GPL-3.0"), Ok(false));
        assert_eq!(with(&["MIT", "ISC"], "ISC AND (GPL-3.0 OR MIT)"), Ok(true));
        assert_eq!(with(&["MIT"], "GPL-3.0"), Ok(false));
    }

    #[test]
    fn and_binds_stronger_than_or() {
        assert_eq!(with(&["MIT"], "MIT OR ISC AND GPL-3.0"), Ok(true));
        assert_eq!(with(&["ISC"], "MIT OR ISC AND GPL-3.0"), Ok(false));
    }

    #[test]
    fn an_exception_goes_with_its_licence() {
        assert_eq!(with(&["Apache-2.0"], "Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(with(&["MIT"], "Apache-2.0 WITH LLVM-exception OR MIT"), Ok(true));
        assert_eq!(with(&["MIT"], "Apache-2.0 WITH LLVM-exception"), Ok(false));
    }

    #[test]
    fn a_broken_expression_is_an_error_and_not_a_pass() {
        for broken in ["", "MIT OR", "(MIT", "MIT)", "AND MIT", "MIT ISC", "MIT WITH"] {
            assert!(with(&["MIT"], broken).is_err(), "{broken:?}");
        }
    }
}
