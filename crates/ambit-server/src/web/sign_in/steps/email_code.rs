//! A code that is sent to an address does for a password, where the tenant says so.
//!
//! The code belongs to this sign-in, is good once, for ten minutes and five guesses; and guesses are counted for what was typed as
//! well. Where the address is nobody's the same happens, and no code is right.

use ambit_core::secret::SecretHash;
use ambit_core::sign_in::Event;
use ambit_core::store::StoreError;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::text::Slug;
use ambit_protocol::time::Timestamp;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Credentials, Outcome, Progress, Taking, Wrong, noted, open_tenant};
use crate::mail::Says;
use crate::middleware::RequestContext;
use crate::state::App;
use crate::web::letters::{active_person, letter_to};
use crate::web::negotiate::wished_language;
use crate::web::sign_in::account;

impl Taking<'_> {
    /// Sends a code to the address that was typed, if it is somebody's.
    pub(super) async fn send_code(&self, slug: Option<&Slug>) -> Result<Response, StoreError> {
        let app = self.app;
        let tenant = match slug {
            Some(slug) => open_tenant(app, slug).await?,
            None => None,
        };
        if !app.mail.is_on() || !tenant.is_some_and(|tenant| tenant.tenant.settings.email_code) {
            return Ok(self.back());
        }
        let email = self.form.one("email").unwrap_or_default().trim().to_owned();
        if !email.contains('@') {
            let wrong = Wrong::Field { text: |words| words.bad_email, typed: email };
            return Ok(self.underway.page(app, self.parts, Some(wrong)).await);
        }
        let context = RequestContext::of(self.parts, app);
        let account = account(slug, &email);
        if let Err(wait) = app.visits.take_letter(&account, context.client_address, app.steady_moment()) {
            return Ok(self.told_to_wait(wait));
        }
        let code = new_code(app);
        let event = Event::CodeSent { email: email.clone(), code: self.seal(&code)?, at: self.now };
        let interaction = &self.underway.interaction;
        let after = interaction.progress.clone().after(event, &self.needs_of_nobody());
        let Ok((progress, _)) = after else { return Ok(self.back()) };
        // Of two forms that are sent at once one counts, and its code is the one that is sent.
        if self.underway.advance(app, &interaction.clone().at(progress)).await? {
            let language = wished_language([interaction.ui_locales.as_deref()], &self.parts.headers);
            let (mail, app, slug) = (app.mail.clone(), app.clone(), slug.cloned());
            mail.post(context.trace_id, async move {
                let Some(person) = active_person(&app, slug.as_ref(), &email).await? else { return Ok(None) };
                letter_to(&app, &person.user, Some(language), Says::SignInCode(code)).await.map(Some)
            });
        }
        Ok(noted(self.back(), None, "code_asked_for", None))
    }

    /// The code that was sent.
    pub(super) async fn email_code(
        &self,
        slug: Option<&Slug>,
        email: &str,
        sealed: &str,
        sent_at: Timestamp,
    ) -> Result<Response, StoreError> {
        let app = self.app;
        let account = format!("letter {}", account(slug, email));
        if let Err(wait) = app.sign_in_failures.check_code(&account, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let person = active_person(app, slug, email).await?;
        let sent = self.open(sealed)?;
        let typed: Zeroizing<String> =
            Zeroizing::new(self.form.one("code").unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect());
        let is_same = SecretHash::of(&typed).matches(&SecretHash::of(&sent.replace(' ', "")));
        let is_right = is_same && self.now < sent_at.plus_secs(LASTS_SECS) && person.is_some();
        let outcome = if is_right { Outcome::Right } else { Outcome::Wrong };
        if let Err(wait) = app.sign_in_failures.settle_code(&account, outcome, self.now) {
            return Ok(self.told_to_wait(wait));
        }
        let (Some(person), true) = (person, is_right) else {
            let interaction = &self.underway.interaction;
            let after = interaction.progress.clone().after(Event::WrongEmailCode, &self.needs_of_nobody());
            let Ok((progress, _)) = after else { return Ok(self.back()) };
            let next = interaction.clone().at(progress);
            let is_over = !matches!(next.progress, Progress::EmailCode { .. });
            // A guess that was not counted is not answered either.
            if !self.underway.advance(app, &next).await? || is_over {
                return Ok(noted(self.back(), None, "refused", Some("wrong_code")));
            }
            let wrong = Wrong::Field { text: |words| words.wrong_email_code, typed: String::new() };
            let response = self.underway.page(app, self.parts, Some(wrong)).await;
            return Ok(noted(response, None, "refused", Some("wrong_code")));
        };
        let has_second_factor = Credentials::of(&*app.store, &app.vault, person.id()).await?.has_second_factor();
        self.arrive(&person, Event::EmailCode { user: person.id(), at: self.now }, has_second_factor, None).await
    }

    fn seal(&self, code: &str) -> Result<String, StoreError> {
        let sealed = self.app.vault.seal(&self.purpose(), code.as_bytes(), &*self.app.entropy);
        Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed.map_err(|error| StoreError::Unavailable(error.into()))?))
    }

    fn open(&self, sealed: &str) -> Result<Zeroizing<String>, StoreError> {
        let corrupt =
            |source| StoreError::Corrupt { resource: Resource::Credential, id: "code by letter".to_owned(), source };
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).map_err(|error| corrupt(error.into()))?;
        let plain = self.app.vault.open(&self.purpose(), &sealed).map_err(|error| corrupt(error.into()))?;
        let text = std::str::from_utf8(&plain).map_err(|error| corrupt(error.into()))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// A code opens in the sign-in that it was made for.
    fn purpose(&self) -> String {
        format!("code by letter {}", self.underway.id)
    }
}

/// Eight digits, as a letter shows them.
fn new_code(app: &App) -> Zeroizing<String> {
    let mut random = [0; 8];
    app.entropy.fill(&mut random);
    // 2^64 is so much more than 10^8 that no code is likelier than another by more than one in 10^11.
    let number = u64::from_le_bytes(random) % 100_000_000;
    Zeroizing::new(format!("{:04} {:04}", number / 10_000, number % 10_000))
}

/// NIST SP 800-63B §5.1.3.2: "SHALL … be valid … 10 minutes" at most.
const LASTS_SECS: i64 = 10 * 60;
