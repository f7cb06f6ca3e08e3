//! Browsers, and what a person does with one.

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

use crate::support::{named_by, say_skipped};

/// How somebody's browser is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) screen: Screen,
    pub(super) language: &'static str,
    pub(super) is_scripted: bool,
}

impl Manner {
    /// A wide screen, English, with JavaScript.
    pub(super) const DESKTOP: Self = Self { screen: Screen::DESKTOP, language: "en-GB,en", is_scripted: true };
    /// A phone on which JavaScript is off.
    pub(super) const PHONE_WITHOUT_SCRIPTS: Self =
        Self { screen: Screen::PHONE, language: "en-GB,en", is_scripted: false };
}

/// How wide a screen is, and how bright.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) width: u32,
    height: u32,
    pub(super) is_dark: bool,
}

impl Screen {
    pub(super) const PHONE: Self = Self { width: 390, height: 844, is_dark: false };
    pub(super) const DESKTOP: Self = Self { width: 1280, height: 800, is_dark: false };

    pub(super) const fn dark(self) -> Self {
        Self { is_dark: true, ..self }
    }

    pub(super) const fn is_phone(self) -> bool {
        self.width < 600
    }
}

/// The browsers of one test.
pub(super) struct Browsers {
    driver: String,
    open: Mutex<Vec<Page>>,
}

/// Runs a case with as many browsers as it opens, if the environment names a driver. All of them are closed afterwards, and none
/// of them has logged anything that the case did not expect.
pub(super) async fn with_browsers(case: impl AsyncFnOnce(&Browsers)) {
    let Some(driver) = named_by("AMBIT_TEST_CHROMEDRIVER") else {
        return say_skipped("AMBIT_TEST_CHROMEDRIVER is not set");
    };
    let browsers = Browsers { driver, open: Mutex::default() };
    let outcome = AssertUnwindSafe(case(&browsers)).catch_unwind().await;
    let open = std::mem::take(&mut *browsers.open.lock().expect("nobody panics with it"));
    let mut complaints = vec![];
    for page in open {
        if outcome.is_err() {
            page.tell().await;
        }
        complaints.extend(page.log().await);
        page.client.close().await.expect("a browser closes");
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert_eq!(complaints, [""; 0], "a browser complains");
}

impl Browsers {
    /// A new browser with a profile of its own.
    pub(super) async fn open(&self, manner: Manner) -> Page {
        let arguments = [
            "--headless=new",
            // Root has no sandbox, and the pages are all our own.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            // Chromium talks to nobody else, whatever it is curious about.
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "intl.accept_languages": manner.language, "credentials_enable_service": false },
            },
        });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let capabilities = capabilities.as_object().expect("an object").clone();
        let client = builder.capabilities(capabilities).connect(&self.driver).await.expect("a browser opens");
        let page = Page { client };
        self.open.lock().expect("nobody panics with it").push(page.clone());
        page.look_at(manner.screen).await;
        if !manner.is_scripted {
            page.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
        }
        page
    }
}

/// The one tab of a browser.
#[derive(Debug, Clone)]
pub(super) struct Page {
    client: Client,
}

impl Page {
    pub(super) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    pub(super) async fn back(&self) {
        self.client.back().await.expect("it goes back");
    }

    pub(super) async fn url(&self) -> Url {
        self.client.current_url().await.expect("an address")
    }

    pub(super) async fn title(&self) -> String {
        self.client.title().await.expect("a title")
    }

    /// What somebody reads on the page.
    pub(super) async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.expect("a body");
        body.text().await.expect("a text")
    }

    /// The one heading of the page.
    pub(super) async fn heading(&self) -> String {
        self.find(Locator::Css("h1")).await.text().await.expect("a text")
    }

    pub(super) async fn sees(&self, text: &str) {
        let shown = self.text().await;
        assert!(shown.contains(text), "'{text}' is not on the page: {shown}");
    }

    pub(super) async fn find(&self, place: Locator<'_>) -> Element {
        match self.client.find(place).await {
            Ok(found) => found,
            Err(error) => panic!("{place:?}: {error} on {}:\n{}", self.url().await, self.text().await),
        }
    }

    /// The texts of all elements that a selector finds.
    pub(super) async fn texts(&self, selector: &str) -> Vec<String> {
        let mut texts = vec![];
        for found in self.client.find_all(Locator::Css(selector)).await.expect("an answer") {
            texts.push(found.text().await.expect("a text"));
        }
        texts
    }

    /// The field or the box of a label.
    pub(super) async fn labelled(&self, label: &str) -> Element {
        let place = format!("//label[starts-with(normalize-space(), '{label}')]");
        let label = self.find(Locator::XPath(&place)).await;
        let id = label.attr("for").await.expect("an answer").expect("a label is for something");
        self.find(Locator::Id(&id)).await
    }

    pub(super) async fn fill(&self, label: &str, value: &str) {
        let field = self.labelled(label).await;
        field.clear().await.expect("it is emptied");
        field.send_keys(value).await.expect("it is filled in");
    }

    /// Ticks a box, or takes the tick away, by its label.
    pub(super) async fn toggle(&self, label: &str) {
        self.labelled(label).await.click().await.expect("it is ticked");
    }

    pub(super) async fn is_ticked(&self, label: &str) -> bool {
        self.labelled(label).await.is_selected().await.expect("an answer")
    }

    /// What is said of a field: the texts that it names as its description.
    pub(super) async fn described(&self, label: &str) -> String {
        let ids = self.labelled(label).await.attr("aria-describedby").await.expect("an answer").unwrap_or_default();
        let mut said = vec![];
        for id in ids.split_whitespace() {
            said.push(self.find(Locator::Id(id)).await.text().await.expect("a text"));
        }
        said.join(" ")
    }

    /// Presses the button of this name, and waits for the page that it leads to.
    pub(super) async fn press(&self, name: &str) {
        let place = format!("//button[@aria-label='{name}' or (not(@aria-label) and normalize-space()='{name}')]");
        self.press_found(self.find(Locator::XPath(&place)).await).await;
    }

    /// The same by a selector, where the language of the page is any.
    pub(super) async fn press_at(&self, selector: &str) {
        self.press_found(self.find(Locator::Css(selector)).await).await;
    }

    async fn press_found(&self, button: Element) {
        self.leave_by(async || {
            // A page that wants to be considered takes no click at once.
            for _ in 0..100 {
                match button.click().await {
                    Err(CmdError::Standard(error)) if error.error == ErrorStatus::ElementClickIntercepted => {
                        self.moment().await;
                    }
                    outcome => return outcome,
                }
            }
            button.click().await
        })
        .await;
    }

    /// Presses the button of this name, which does something on the page itself.
    pub(super) async fn tap(&self, name: &str) {
        let place = format!("//button[normalize-space()='{name}']");
        self.find(Locator::XPath(&place)).await.click().await.expect("it is pressed");
    }

    /// Waits until the page says something.
    pub(super) async fn is_told(&self, text: &str) {
        for _ in 0..200 {
            if self.text().await.contains(text) {
                return;
            }
            self.moment().await;
        }
        self.sees(text).await;
    }

    /// Follows the link of this name.
    pub(super) async fn follow(&self, name: &str) {
        let link = self.find(Locator::LinkText(name)).await;
        self.leave_by(async || link.click().await).await;
    }

    /// Presses a key, with nothing held.
    pub(super) async fn key(&self, key: char) {
        let pressed = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        self.client.perform_actions(pressed).await.expect("a key is pressed");
    }

    /// Types where the cursor is.
    pub(super) async fn type_in(&self, text: &str) {
        for letter in text.chars() {
            self.key(letter).await;
        }
    }

    /// Presses Enter, and waits for the page that it leads to.
    pub(super) async fn enter(&self) {
        self.leave_by(async || {
            self.key(Key::Enter.into()).await;
            Ok(())
        })
        .await;
    }

    /// What has the cursor.
    pub(super) async fn focused(&self) -> Element {
        self.client.active_element().await.expect("something has it")
    }

    async fn leave_by(&self, act: impl AsyncFnOnce() -> Result<(), CmdError>) {
        let before = self.find(Locator::Css("html")).await;
        act().await.expect("it is done");
        for _ in 0..400 {
            match before.tag_name().await {
                Ok(_) => self.moment().await,
                // Where its document is no more, nothing of it is.
                Err(_) => return,
            }
        }
        panic!("the page stays: {} {}", self.url().await, self.text().await);
    }

    /// How long to wait before looking again.
    pub(super) async fn moment(&self) {
        tokio::time::sleep(Duration::from_millis(25)).await;
    }

    pub(super) async fn look_at(&self, screen: Screen) {
        let metrics = json!({
            "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.is_phone(),
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// A picture of what is on the screen, or of the whole page, which must not be too long for one.
    pub(super) async fn picture(&self, of_all: bool) -> Vec<u8> {
        let taken = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": of_all})).await;
        BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }

    /// Runs a function of the test in the page.
    pub(super) async fn evaluate(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.expect("a script of ours runs")
    }

    /// The same, where the function calls the last of its arguments with what it finds.
    pub(super) async fn evaluate_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.expect("a script of ours runs")
    }

    /// A command of the browser's own protocol for tools.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.issue("goog/cdp/execute", body).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// A device that keeps passkeys and sees at once who uses it (WebAuthn Level 3 §11, the extension of `WebDriver`).
    pub(super) async fn with_passkeys(&self) -> Device {
        let body = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        let id = self.issue("webauthn/authenticator", body).await.expect("a device");
        Device { page: self.clone(), id: id.as_str().expect("an id").to_owned() }
    }

    /// The browser has logged that the last page came with this status, and nothing else.
    pub(super) async fn refused(&self, status: u16) {
        let logged = self.log().await;
        let is_it = logged.len() == 1 && logged[0].contains(&format!("with a status of {status} "));
        assert!(is_it, "not only a {status}: {logged:?}");
    }

    /// What the browser logged since this was asked last: errors of scripts, violations of a policy, answers that are errors.
    async fn log(&self) -> Vec<String> {
        let logged = self.issue("se/log", json!({"type": "browser"})).await.expect("a log");
        let entries = logged.as_array().expect("a list").iter();
        entries.map(|entry| format!("{} {}", entry["level"], entry["message"])).collect()
    }

    /// Where a test failed.
    async fn tell(&self) {
        use std::io::Write as _;
        let place = self.client.current_url().await.map(|url| url.to_string()).unwrap_or_default();
        // Beside the panic, which says what was expected; it is worth no panic of its own.
        drop(writeln!(std::io::stderr(), "a browser is at {place}"));
    }

    async fn issue(&self, path: &str, body: Value) -> Result<Value, CmdError> {
        self.client.issue_cmd(Vendor { path: path.to_owned(), body }).await
    }
}

/// A device of somebody that keeps passkeys.
pub(super) struct Device {
    page: Page,
    id: String,
}

impl Device {
    /// From now on it sees that it is its owner who uses it, or does not.
    pub(super) async fn knows_its_owner(&self, knows: bool) {
        let path = format!("webauthn/authenticator/{}/uv", self.id);
        self.page.issue(&path, json!({"isUserVerified": knows})).await.expect("it is told");
    }
}

/// A command beside the standard.
#[derive(Debug)]
struct Vendor {
    path: String,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
