//! `docs/guides/connect-an-application.md`: what it shows stands in the applications that are run here.

use std::path::Path;

use super::script::scripts;

#[test]
fn every_block_of_code_in_the_guide_stands_in_an_application_that_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = read(&root.join("../../docs/guides/connect-an-application.md"));
    let mut shown = vec![];
    for block in guide.split("\n```").skip(1).step_by(2) {
        let (language, code) = block.split_once('\n').expect("code");
        let sources = match language {
            "js" => vec![scripts().join("openid-client/app.mjs"), scripts().join("oauth4webapi/app.mjs")],
            "python" => vec![scripts().join("authlib/app.py")],
            "rust" => vec![root.join("tests/it/clients/openidconnect.rs")],
            // Commands are pasted into a shell; see `readme.rs`.
            "sh" => continue,
            other => panic!("a block of '{other}': nothing runs it"),
        };
        let code = lines(code);
        assert!(code.len() > 1, "{code:?}");
        let stands = sources.iter().find(|source| {
            let text = read(source);
            lines(&text).windows(code.len()).any(|it| it == code)
        });
        let source = stands.unwrap_or_else(|| panic!("in none of {sources:?}:\n{}", code.join("\n")));
        shown.push(source.strip_prefix(root).expect("of this crate").display().to_string());
    }
    shown.dedup();
    let all =
        ["openid-client/app.mjs", "oauth4webapi/app.mjs", "authlib/app.py"].map(|it| format!("tests/clients/{it}"));
    assert_eq!(shown, [&all[..], &["tests/it/clients/openidconnect.rs".to_owned()]].concat());
}

/// The lines of a piece of code, wherever it begins on the page.
fn lines(code: &str) -> Vec<&str> {
    code.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
