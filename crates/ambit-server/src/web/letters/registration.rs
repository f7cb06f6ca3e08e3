//! `/registration/{token}`: somebody makes an account of their own, where their tenant says so.
//!
//! There is no account before its address is proven, so nothing is taken up by whoever only asks. Where there is one with the address
//! already, the letter says so and the page says what it always says.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambit_core::client::TenantFacts;
use ambit_core::password::{LEAST_CHARACTERS, Password, Unfit};
use ambit_core::reach::Reach;
use ambit_core::registry::{Conflict, Power, RegistryError, credential, user};
use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_knowledge::Language;
use ambit_protocol::admin::text::{Email, Name};
use ambit_protocol::admin::user::{CreateUser, UserStatus};
use ambit_protocol::trace::TraceId;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::opened::{check, failed, form_purpose, hashed, kept, new_form, over, told};
use super::password::noted;
use super::view::ChoicePage;
use super::wording::Words;
use super::{Purpose, Sent, issue};
use crate::mail::{Letter, Says, brand};
use crate::state::App;
use crate::web::branding::Brand;
use crate::web::named::Named;
use crate::web::negotiate::wished_language;
use crate::web::posted::Posted;
use crate::web::sign_in::{arrive_with_new_password, open_tenant};
use crate::web::{for_a_person, own};

/// Whether a tenant's people register with such an address themselves.
pub(in crate::web) fn is_taken_from(tenant: &TenantFacts, email: &Email) -> bool {
    let settings = &tenant.tenant.settings;
    let domain = email.as_str().rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
    let is_theirs = settings.email_domains.iter().any(|allowed| allowed.as_str() == domain);
    settings.self_registration && (settings.email_domains.is_empty() || is_theirs)
}

/// Sends a link to an account, or a letter that says that there is one. Nothing of it happens before the answer.
pub(in crate::web) fn post_registration(
    app: &App,
    trace_id: TraceId,
    tenant: Arc<TenantFacts>,
    to: Email,
    language: Language,
) {
    let (mail, app) = (app.mail.clone(), app.clone());
    mail.post(trace_id, async move {
        let id = tenant.tenant.id;
        let says = if app.registry.find_user(Some(id), to.as_str()).await?.is_some() {
            Says::RegisteredBefore
        } else {
            let subject = format!("{id} {}", to.as_str().to_lowercase());
            let sent = Sent { to: to.clone(), tenant: Some(id) };
            Says::Registration(issue(&app, Purpose::Registration, &subject, &sent).await?.0)
        };
        Ok(Some(Letter { to, language, brand: brand(Some(&tenant)), says }))
    });
}

/// The page.
pub async fn show(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    let parts = request.into_parts().0;
    match Registering::find(&app, &parts, token).await {
        Ok(registering) => registering.page(&app, &parts, "", (None, None)),
        Err(response) => response,
    }
}

/// Makes the account, and goes on as if its password had been typed.
pub async fn register(State(app): State<App>, Named(token): Named, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = match Posted::read(&app, &parts, body).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let registering = match Registering::find(&app, &parts, token).await {
        Ok(registering) => registering,
        Err(response) => return response,
    };
    let purpose = form_purpose(Purpose::Registration, &registering.token);
    if let Err(response) = check(&app, &parts, &form, &purpose, registering.words) {
        return noted(response, None, "refused", Some("forged_form"));
    }
    match registering.make(&app, &parts, &form).await {
        Ok(response) => response,
        Err(error) => failed(&app, &parts, &error),
    }
}

/// A link that is good now.
struct Registering {
    token: String,
    to: Email,
    tenant: Arc<TenantFacts>,
    words: &'static Words,
}

impl Registering {
    async fn find(app: &App, parts: &Parts, token: String) -> Result<Self, Response> {
        match Self::look(app, parts, token).await {
            Ok(Some(registering)) => Ok(registering),
            Ok(None) => Err(over(parts)),
            Err(error) => Err(failed(app, parts, &error)),
        }
    }

    async fn look(app: &App, parts: &Parts, token: String) -> Result<Option<Self>, StoreError> {
        let Some((_, sent)) = kept(app, Purpose::Registration, &token).await? else { return Ok(None) };
        let Some(id) = sent.tenant else { return Ok(None) };
        let Some(facts) = app.registry.tenant_by_id(id).await? else { return Ok(None) };
        let Some(tenant) = open_tenant(app, &facts.tenant.slug).await? else { return Ok(None) };
        // What the tenant says now counts, not what it said when the letter was sent.
        if !is_taken_from(&tenant, &sent.to) {
            return Ok(None);
        }
        let words = Words::of(wished_language([None], &parts.headers));
        Ok(Some(Self { token, to: sent.to, tenant, words }))
    }

    async fn make(&self, app: &App, parts: &Parts, form: &Posted) -> Result<Response, StoreError> {
        let words = self.words;
        let typed = form.one("name").unwrap_or_default().trim();
        let name: Result<Name, _> = typed.parse();
        let password = Password::new(form.one("password").unwrap_or_default());
        let unfit = match &password {
            Ok(password) => password.check(self.least(), self.to.as_str()).err(),
            Err(_) => Some(Unfit::Short { least: self.least() }),
        };
        let wrong_password = unfit.map(|unfit| match unfit {
            Unfit::IsTheAddress => words.address_password,
            Unfit::Short { .. } => words.short_password,
        });
        let (Ok(name), Ok(password), None) = (&name, password, wrong_password) else {
            let wrong_name = name.is_err().then_some(words.bad_name);
            return Ok(self.page(app, parts, typed, (wrong_name, wrong_password)));
        };
        let kept = match hashed(app, words, password).await? {
            Ok(kept) => kept,
            Err(busy) => return Ok(busy),
        };
        if !app.store.sign_ins().use_one_time_token(&SecretHash::of(&self.token), app.clock.now()).await? {
            return Ok(over(parts));
        }
        let tenant = &self.tenant.tenant;
        let body = CreateUser {
            email: self.to.clone(),
            email_verified: true,
            tenant_id: Some(tenant.id),
            partner_id: None,
            display_name: Some(name.clone()),
            given_name: None,
            family_name: None,
            locale: Some(words.lang.to_owned()),
            status: UserStatus::Active,
            roles: vec![],
            custom_attributes: BTreeMap::new(),
        };
        // They reach no further than the tenant that they come to.
        let mut power = Power::system("registration");
        power.reach = Reach::Tenant(tenant.id, tenant.partner_id);
        let made = own::change_by(app, parts, &power, async |edit| {
            let user = user::create(edit, body).await?;
            credential::set_password(edit, &app.vault, &user, &kept).await?;
            Ok(user)
        })
        .await;
        let user = match made {
            Ok(user) => user,
            // Only who reads the letters of this address learns of either.
            Err(RegistryError::Conflict(Conflict::Taken { .. })) => return Ok(over(parts)),
            Err(RegistryError::Conflict(Conflict::LimitReached { .. })) => {
                return Ok(noted(
                    told(words, words.full, StatusCode::CONFLICT),
                    None,
                    "refused",
                    Some("limit_reached"),
                ));
            }
            Err(RegistryError::Store(error)) => return Err(error),
            Err(error) => return Err(StoreError::Unavailable(error.into())),
        };
        let Some(person) = app.registry.person(user.id).await? else { return Ok(over(parts)) };
        arrive_with_new_password(app, parts, &person).await
    }

    fn page(
        &self,
        app: &App,
        parts: &Parts,
        name: &str,
        (wrong_name, wrong): (Option<&'static str>, Option<&'static str>),
    ) -> Response {
        let (form_token, cookie) = new_form(app, parts, &form_purpose(Purpose::Registration, &self.token));
        let words = self.words;
        let mut response = for_a_person(&ChoicePage {
            words,
            title: words.register,
            text: words.registration_text,
            brand: Some(Brand::of(&self.tenant)),
            action: format!("/{}/{}", Purpose::Registration.path(), self.token),
            form_token,
            email: self.to.to_string(),
            name: Some(name.to_owned()),
            least: self.least(),
            wrong_name,
            wrong,
        });
        if wrong_name.is_some() || wrong.is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn least(&self) -> u32 {
        self.tenant.tenant.settings.password_min_length.max(LEAST_CHARACTERS)
    }
}
