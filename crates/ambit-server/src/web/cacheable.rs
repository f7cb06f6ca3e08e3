//! What may be kept by whoever asked, and by caches on the way: it carries the hash of its octets, says what it depends on, and
//! is not sent again to who has it.

use ambit_knowledge::Language;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::registry::Document;

/// Something that may be kept.
#[derive(Debug)]
pub(super) struct Cacheable {
    /// What is sent.
    pub(super) body: String,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// The language it is in, where it is in one.
    pub(super) language: Option<Language>,
    /// The headers that it depends on, as `Vary` has them; blank where the address alone decides.
    pub(super) vary: &'static str,
}

impl Cacheable {
    /// The answer to a request with these headers.
    pub(super) fn answer(self, request: &HeaderMap) -> Response {
        let document = Document::new(self.body.into_bytes());
        let mut response = if document.is_known(request) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.media_type)], document.body).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, document.etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        if let Some(language) = self.language {
            headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        }
        if !self.vary.is_empty() {
            headers.insert(header::VARY, HeaderValue::from_static(self.vary));
        }
        response
    }
}
