//! The command that looks again, once what was found is mended: that of before, with what has to change in it.

/// What has to change.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The issuer, as it calls itself.
    pub issuer: Option<String>,
    /// A scope to ask for as well.
    pub also: Option<String>,
    /// Also where `scope` was omitted: what stands for it does not hold that scope.
    pub by_name: bool,
    /// A scope to ask for in the place of another.
    pub instead: Option<(String, String)>,
    /// The resource, as the API calls itself; an empty text takes it away.
    pub resource: Option<String>,
    /// A tenant has to be named.
    pub with_tenant: bool,
    /// A token that was kept is of no use any more.
    pub new_token: bool,
    /// Nothing that can be given to the doctor makes a difference.
    pub none_helps: bool,
}

impl Change {
    pub const NONE: Self = Self {
        issuer: None,
        also: None,
        by_name: false,
        instead: None,
        resource: None,
        with_tenant: false,
        new_token: false,
        none_helps: false,
    };

    /// The `scope` parameter after the change.
    pub fn scope(&self, before: Option<&str>) -> Option<String> {
        let mut names: Vec<String> = match before {
            Some(before) => before.split(' ').map(str::to_owned).collect(),
            None if self.by_name => vec![],
            None => return None,
        };
        if let Some((old, new)) = &self.instead {
            for name in names.iter_mut().filter(|name| *name == old) {
                name.clone_from(new);
            }
        }
        if let Some(also) = self.also.as_ref().filter(|also| !names.contains(also)) {
            names.push(also.clone());
        }
        Some(names.join(" "))
    }
}

/// In single quotes, for a POSIX shell.
pub fn quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/=@,".contains(&b)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_asked_for_once_and_in_the_place_of_another() {
        let also = Change { also: Some("b".to_owned()), ..Change::NONE };
        assert_eq!(also.scope(Some("a")).as_deref(), Some("a b"));
        assert_eq!(also.scope(Some("a b")).as_deref(), Some("a b"));
        // An omitted scope stays omitted: it stands for what the application is allowed.
        assert_eq!(also.scope(None), None);
        let by_name = Change { by_name: true, ..also };
        assert_eq!(by_name.scope(None).as_deref(), Some("b"));
        let instead = Change { instead: Some(("admin".to_owned(), "admin:read".to_owned())), ..Change::NONE };
        assert_eq!(instead.scope(Some("admin x")).as_deref(), Some("admin:read x"));
    }

    #[test]
    fn nothing_reaches_the_shell_unquoted() {
        assert_eq!(quoted("pos.read"), "pos.read");
        assert_eq!(quoted("a'b $(id)"), r"'a'\''b $(id)'");
        assert_eq!(quoted(""), "''");
    }
}
