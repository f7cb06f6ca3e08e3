//! The names in a path, for pages and forms that answer in their own way what they do not know.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The parts of the path that vary, in their order.
///
/// The framework answers escapes that are no UTF-8 by itself, with a text that is none of ours. Here they are a name that nothing
/// has, so whoever takes it answers what they answer to every name that they do not know.
#[derive(Debug)]
pub struct Named<T = String>(pub T);

/// Names that nothing has.
pub trait Unknown {
    /// Such a name, in each place.
    fn unknown() -> Self;
}

impl Unknown for String {
    fn unknown() -> Self {
        // What stands for octets that are no character. No name, no identifier and no token of ours has one.
        char::REPLACEMENT_CHARACTER.to_string()
    }
}

impl Unknown for (String, String) {
    fn unknown() -> Self {
        (String::unknown(), String::unknown())
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send + Unknown> FromRequestParts<S> for Named<T> {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PathRejection> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(PathRejection::FailedToDeserializePathParams(error))
                if matches!(error.kind(), ErrorKind::InvalidUtf8InPathParam { .. }) =>
            {
                Ok(Self(T::unknown()))
            }
            // A handler that takes other names than its route has: a fault of ours, and answered as one.
            Err(other) => Err(other),
        }
    }
}
