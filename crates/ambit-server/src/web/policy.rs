//! What a page may do in a browser (Content Security Policy Level 3): no script, no frame, nothing from elsewhere, and forms that
//! lead nowhere else.
//!
//! Of styles it takes those that stand in our templates, by their hashes, and our own stylesheets. So whoever finds a way to write
//! markup into a page cannot dress it up: there is no `unsafe-inline`.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What one page may do beside what all may: each a source, or several, as a policy writes them; empty for nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    /// Where its forms lead on to.
    pub(super) form_action: &'a str,
    /// The script that it runs.
    pub(super) script: &'a str,
    /// What it opens within itself.
    pub(super) frames: &'a str,
}

/// The policy of a page: by default its forms lead to this server.
pub(super) fn of_a_page() -> HeaderValue {
    static POLICY: LazyLock<HeaderValue> =
        LazyLock::new(|| with(Beside::default()).expect("a policy is visible ASCII"));
    POLICY.clone()
}

/// The policy of a page that may do something beside. None where what is asked for is no part of a policy.
pub(super) fn with(beside: Beside<'_>) -> Option<HeaderValue> {
    let directive = |name: &str, sources: &str| match sources {
        "" => String::new(),
        sources => format!(" {name} {sources};"),
    };
    let (script, frames) = (directive("script-src", beside.script), directive("frame-src", beside.frames));
    let form_action = match beside.form_action {
        "" => String::new(),
        source => format!(" {source}"),
    };
    let styles = &*STYLES;
    HeaderValue::try_from(format!(
        "default-src 'none'; style-src 'self' {styles}; base-uri 'none'; frame-ancestors 'none';{script}{frames} form-action 'self'{form_action}"
    ))
    .ok()
}

/// The hashes of all styles of all templates, as the policy has them.
static STYLES: LazyLock<String> = LazyLock::new(|| {
    let styles = TEMPLATES.iter().flat_map(|template| styles_of(template));
    let hashes: Vec<String> = styles.map(|style| format!("'sha256-{}'", hash(style))).collect();
    hashes.join(" ")
});

fn hash(style: &str) -> String {
    BASE64_STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()))
}

/// What stands between the tags, which is what a browser takes the hash of.
fn styles_of(template: &str) -> impl Iterator<Item = &str> {
    template.split("<style>").skip(1).filter_map(|rest| Some(rest.split_once("</style>")?.0))
}

/// The templates that have styles.
const TEMPLATES: [&str; 7] = [
    include_str!("../../templates/account/style.html"),
    include_str!("../../templates/api_docs.html"),
    include_str!("../../templates/base.html"),
    include_str!("../../templates/docs/style.html"),
    include_str!("../../templates/errors/style.html"),
    include_str!("../../templates/sign_in/frame.html"),
    include_str!("../../templates/sign_in/set_up.html"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn templates(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // A letter is no page: mail programs read the styles of attributes, and no others.
            if path.ends_with("mail") {
                continue;
            }
            if path.is_dir() {
                templates(&path, found);
            } else {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn the_styles_of_all_templates_are_let_in_and_no_others_are_written() {
        let mut found = vec![];
        templates(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut found);
        assert!(found.len() > 20);
        for (path, template) in &found {
            for style in styles_of(template) {
                assert!(STYLES.contains(&hash(style)), "{path} has a style: its place is in the list above");
                // What a template fills in has another hash each time.
                assert!(!style.contains("{{") && !style.contains("{%"), "{path}");
            }
            assert_eq!(template.matches("<style").count(), styles_of(template).count(), "{path}");
            assert!(!template.contains(" style="), "{path}: a browser leaves out what stands in an attribute");
        }
    }

    #[test]
    fn a_policy_has_no_unsafe_part() {
        let policy = of_a_page();
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self' 'sha256-") && !policy.contains("unsafe"));
        assert!(policy.ends_with("base-uri 'none'; frame-ancestors 'none'; form-action 'self'"), "{policy}");
        assert!(with(Beside { form_action: "https://app.example\n", ..Beside::default() }).is_none());
    }
}
