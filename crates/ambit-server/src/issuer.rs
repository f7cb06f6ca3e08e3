//! The two kinds of issuer: the platform, and each tenant (identity.md §3).

use std::borrow::Cow;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Answer;
use crate::registry::Registry;
use crate::state::App;
use ambit_core::page;
use ambit_core::store::StoreError;
use ambit_protocol::admin::application::Application;

/// At whose door a request knocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// The platform's: `{base}`.
    Platform,
    /// A tenant's: `{base}/tenants/{slug}`.
    Tenant(String),
}

impl Issuer {
    /// Whose door is an application's own: its tenant's, or the platform's (identity.md §3). None where its tenant is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of(application: &Application, registry: &Registry) -> Result<Option<Self>, StoreError> {
        let Some(id) = application.tenant_id else { return Ok(Some(Self::Platform)) };
        let tenant = registry.tenant_by_id(id).await?;
        Ok(tenant.map(|tenant| Self::Tenant(tenant.tenant.slug.to_string())))
    }

    /// The issuer's identifier: what `iss` and discovery say (RFC 8414 §2). Never taken from the request.
    #[must_use]
    pub fn url<'b>(&self, base: &'b str) -> Cow<'b, str> {
        match self {
            Self::Platform => base.into(),
            Self::Tenant(slug) => format!("{base}/tenants/{slug}").into(),
        }
    }

    /// The slug of the tenant.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Platform => None,
            Self::Tenant(slug) => Some(slug),
        }
    }
}

/// From the path. A tenant that does not exist has no issuer: 404.
impl FromRequestParts<App> for Issuer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let params = RawPathParams::from_request_parts(parts, app).await;
        let slug = match &params {
            Ok(params) => params.iter().find(|(name, _)| *name == "slug").map(|(_, slug)| slug.to_owned()),
            // What cannot be read is nobody's name, and least of all the platform's.
            Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)) => return Err(unknown(parts, app)),
            // A path without a place for one.
            Err(_) => None,
        };
        let Some(slug) = slug else { return Ok(Self::Platform) };
        match app.registry.tenant(&slug).await {
            Ok(Some(_)) => Ok(Self::Tenant(slug)),
            Ok(None) => Err(unknown(parts, app)),
            Err(error) => Err(Answer::of(parts, app).store_failure(&error).into_response()),
        }
    }
}

fn unknown(parts: &Parts, app: &App) -> Response {
    Answer::of(parts, app).problem(&page::NOT_FOUND, "there is no such issuer").into_response()
}
