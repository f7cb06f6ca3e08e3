//! `/passkey.js`: the one script that there is, and the button it serves.
//!
//! What an authenticator is asked stands in attributes of the button, escaped as any text is. The script hands it on, puts the answer
//! into the form around the button, and sends the form. Until it runs, the page says that passkeys need it.

use ambit_core::passkey::Ceremony;
use ambit_knowledge::Language;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::cacheable::Cacheable;

/// The script.
pub async fn script(parts: Parts) -> Response {
    let body = SCRIPT.to_owned();
    let script = Cacheable { body, media_type: "text/javascript; charset=utf-8", language: None, vary: "" };
    let mut response = script.answer(&parts.headers);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A button that asks an authenticator for something.
#[derive(Debug)]
pub(super) struct PasskeyButton {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    /// The method of `navigator.credentials`.
    pub(super) act: &'static str,
    /// What the authenticator is asked, as JSON.
    pub(super) options: String,
    /// What became of an answer.
    pub(super) wrong: Option<&'static str>,
    /// Where the browser had none.
    pub(super) not_allowed: &'static str,
    pub(super) words: &'static PasskeyWords,
}

/// What is asked of an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// To use a passkey.
    Get,
    /// To make one.
    Create,
}

impl PasskeyButton {
    pub(super) fn new(
        id: &'static str,
        label: &'static str,
        act: Act,
        ceremony: &Ceremony,
        words: &'static PasskeyWords,
    ) -> Self {
        let (act, not_allowed) = match act {
            Act::Get => ("get", words.not_used),
            Act::Create => ("create", words.not_made),
        };
        Self { id, label, act, options: ceremony.options.clone(), wrong: None, not_allowed, words }
    }

    /// The same, after an answer that did not count.
    pub(super) fn refused(self) -> Self {
        let wrong = if self.act == "get" { self.words.wrong } else { self.words.wrong_new };
        Self { wrong: Some(wrong), ..self }
    }
}

/// What is said around it, in one language. The last ones the script says, by the name of the browser's error.
#[derive(Debug)]
pub(super) struct PasskeyWords {
    pub(super) wrong: &'static str,
    pub(super) wrong_new: &'static str,
    pub(super) needs_script: &'static str,
    pub(super) unsupported: &'static str,
    pub(super) not_used: &'static str,
    pub(super) not_made: &'static str,
    pub(super) timed_out: &'static str,
    pub(super) already: &'static str,
    pub(super) failed: &'static str,
}

impl PasskeyWords {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }
}

const EN: PasskeyWords = PasskeyWords {
    wrong: "This passkey cannot be used here. Use another one, or another way.",
    wrong_new: "This passkey could not be added. Try again, or use another device.",
    needs_script: "Passkeys need JavaScript, which is off or did not load. Everything else on this page works without it.",
    unsupported: "This browser has no passkeys, or the connection to this server is not secure.",
    not_used: "No passkey was used: it was cancelled, or there is none for this server here.",
    not_made: "No passkey was made: it was cancelled, or not allowed.",
    timed_out: "It took too long. Try again.",
    already: "There is a passkey for this account on this device already.",
    failed: "This browser or device cannot use a passkey here.",
};

const ZH: PasskeyWords = PasskeyWords {
    wrong: "此通行密钥不能在这里使用。请使用其他通行密钥或其他方式。",
    wrong_new: "无法添加此通行密钥。请重试，或使用其他设备。",
    needs_script: "通行密钥需要 JavaScript，但它已关闭或未能加载。此页面的其他功能无需 JavaScript 即可使用。",
    unsupported: "此浏览器不支持通行密钥，或与此服务器的连接不安全。",
    not_used: "未使用通行密钥：操作已取消，或此处没有用于本服务器的通行密钥。",
    not_made: "未创建通行密钥：操作已取消或不被允许。",
    timed_out: "时间过长，请重试。",
    already: "此设备上已有此账户的通行密钥。",
    failed: "此浏览器或设备无法在这里使用通行密钥。",
};

const SCRIPT: &str = include_str!("passkey.js");
