//! Whether a page can be read and worked by everybody: on a phone and on a wide screen, light and dark.

use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::chromium::{Page, Screen};
use crate::support::{named_by, say_skipped};

/// Looks at pages, and takes pictures of them where the environment says where to (`AMBIT_TEST_PICTURES`).
pub(super) struct Judge {
    axe: Option<String>,
    pictures: Option<PathBuf>,
    language: &'static str,
    wrong: Mutex<Vec<String>>,
}

/// What a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something to be done, on whatever somebody has in their hand: what is pressed is large (WCAG 2.5.5).
    Form,
    /// Something to be looked up, with long lists of links: they are as large as axe-core asks (WCAG 2.5.8).
    Reference,
}

impl Judge {
    /// For pages in a language.
    pub(super) fn new(language: &'static str) -> Self {
        let axe = named_by("AMBIT_TEST_AXE").map(|path| std::fs::read_to_string(path).expect("axe-core is there"));
        if axe.is_none() {
            say_skipped("AMBIT_TEST_AXE is not set");
        }
        let pictures = named_by("AMBIT_TEST_PICTURES").map(PathBuf::from);
        Self { axe, pictures, language, wrong: Mutex::default() }
    }

    /// Looks at the page in front of it.
    pub(super) async fn look(&self, page: &Page, name: &str, kind: Kind) {
        let note = |screen: Screen, found: Value| {
            let found = found.as_array().expect("a list").iter().map(|it| format!("{name}, {screen:?}: {it}"));
            self.wrong.lock().expect("nobody panics with it").extend(found);
        };
        for screen in [Screen::DESKTOP, Screen::DESKTOP.dark(), Screen::PHONE, Screen::PHONE.dark()] {
            page.look_at(screen).await;
            note(screen, page.evaluate(OURS, vec![json!(screen.width), json!(kind == Kind::Form)]).await);
            if let Some(pictures) = &self.pictures {
                let scheme = if screen.is_dark { "dark" } else { "light" };
                let file = format!("{name}-{}-{}-{scheme}.png", self.language, screen.width);
                std::fs::write(pictures.join(file), page.picture(kind == Kind::Form).await).expect("a file");
            }
        }
        if let Some(axe) = &self.axe {
            page.evaluate(axe, vec![]).await;
            for screen in [Screen::PHONE.dark(), Screen::PHONE] {
                page.look_at(screen).await;
                note(screen, page.evaluate_async(AXE, vec![]).await);
            }
        }
        let language = page.evaluate("return document.documentElement.lang", vec![]).await;
        if language != self.language {
            note(Screen::PHONE, json!([format!("it says that it is in {language}")]));
        }
    }

    /// All that was wrong, at the end of the walk.
    pub(super) fn verdict(self) {
        let wrong = self.wrong.into_inner().expect("nobody panics with it");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

const OURS: &str = include_str!("judge.js");
/// All rules of axe-core, the best practices among them, and the size of what is pressed, which it leaves out by itself.
const AXE: &str = r#"
const done = arguments[0];
const rules = { "target-size": { enabled: true } };
axe.run(document, { rules, resultTypes: ["violations"], preload: false }).then(
  (found) => done(found.violations.map((it) => `${it.id}: ${it.help}: ${it.nodes.map((node) => node.html).join(" ")}`)),
  (error) => done([String(error)]),
);
"#;
