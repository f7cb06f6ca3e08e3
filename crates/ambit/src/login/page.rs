//! What the browser shows in the end: that its window can be closed.

use ambit_knowledge::Language;
use ambit_server::web::language_of;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The commands act as the person from now on.
    SignedIn,
    /// They do not. The terminal says why: what a browser brought is shown to nobody by a page.
    NotSignedIn,
    /// Nobody waits at this address.
    Nothing,
}

/// The page, in the language that the browser prefers. Nothing of the request is in it.
pub fn page(ending: Ending, headers: &HeaderMap) -> Response {
    let language = language_of([], headers);
    let (status, title, text) = said(ending, language);
    let lang = match language {
        Language::En => "en",
        Language::Zh => "zh",
    };
    let html = format!(
        r#"<!doctype html>
<html lang="{lang}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body>
</html>
"#
    );
    let head = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        // The address of this page has a code in it.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "accept-language"),
        (header::CONNECTION, "close"),
    ];
    (status, head, Html(html)).into_response()
}

const fn said(ending: Ending, language: Language) -> (StatusCode, &'static str, &'static str) {
    match (ending, language) {
        (Ending::SignedIn, Language::En) => {
            (StatusCode::OK, "You are signed in", "The command line goes on. You can close this window.")
        }
        (Ending::SignedIn, Language::Zh) => (StatusCode::OK, "您已登录", "命令行将继续执行。您可以关闭此窗口。"),
        (Ending::NotSignedIn, Language::En) => {
            (StatusCode::BAD_REQUEST, "You are not signed in", "The terminal says why. You can close this window.")
        }
        (Ending::NotSignedIn, Language::Zh) => {
            (StatusCode::BAD_REQUEST, "您未登录", "原因显示在终端中。您可以关闭此窗口。")
        }
        (Ending::Nothing, Language::En) => (StatusCode::NOT_FOUND, "Nothing waits here", "You can close this window."),
        (Ending::Nothing, Language::Zh) => (StatusCode::NOT_FOUND, "此处无待处理内容", "您可以关闭此窗口。"),
    }
}

const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
