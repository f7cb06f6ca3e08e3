//! A form that a browser sent.

use ambit_core::page;
use axum::body::Body;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use zeroize::Zeroizing;

use crate::body;
use crate::problem::Answer;
use crate::state::App;

/// Its fields, decoded once.
pub(crate) struct Posted(Vec<(String, Zeroizing<String>)>);

impl Posted {
    /// Reads a form. Another media type is refused: a page of another site can send `text/plain` without asking us first.
    pub(crate) async fn read(app: &App, parts: &Parts, body: Body) -> Result<Self, Response> {
        if !body::is_form(&parts.headers) {
            let detail = "the form is application/x-www-form-urlencoded";
            return Err(Answer::of(parts, app).problem(&page::UNSUPPORTED_MEDIA_TYPE, detail).into_response());
        }
        let body = body::read(app, &parts.extensions, body, MAX_FORM)
            .await
            .map_err(|error| Answer::of(parts, app).problem(error.page(), &error.to_string()).into_response())?;
        let fields = url::form_urlencoded::parse(&body);
        Ok(Self(fields.map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned()))).collect()))
    }

    /// The one value of a field. Twice is not once: of two it cannot be told which was meant.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next()?;
        if values.next().is_some() { None } else { Some(first) }
    }

    /// The values of a field that may repeat.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Posted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Room for 512 scopes of 128 characters.
const MAX_FORM: usize = 128 * 1024;
