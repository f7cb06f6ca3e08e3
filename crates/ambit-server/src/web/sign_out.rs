//! The pages of a sign-out: whether it is meant, and that it is done.

use ambit_knowledge::Language;
use askama::Template;
use axum::response::{IntoResponse, Response};

use super::branding::Brand;
use super::shown::{NAME, plain};
use super::{for_a_person, framing};

/// Who asked for it, and where they would have the browser go.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The name of the application, where it is one of ours.
    pub(crate) application: Option<String>,
    /// As they were sent.
    pub(crate) client_id: Option<String>,
    pub(crate) post_logout_redirect_uri: Option<String>,
    pub(crate) state: Option<String>,
}

/// Whether it is meant.
#[derive(Debug, Template)]
#[template(path = "account/sign_out.html")]
pub(crate) struct AskPage<'a> {
    words: &'static Words,
    brand: Option<Brand>,
    action: String,
    form_token: String,
    person: &'a str,
    application: Option<String>,
    fields: Vec<(&'static str, &'a str)>,
}

/// It is done.
#[derive(Debug, Template)]
#[template(path = "account/signed_out.html")]
pub(crate) struct SignedOutPage<'a> {
    lang: &'static str,
    title: &'static str,
    text: &'static str,
    brand: Option<Brand>,
    link: Option<(String, String)>,
    /// Pages of applications, each of which ends its own session.
    frames: &'a [String],
    /// Whether the browser goes on without being told to.
    goes_on: bool,
}

/// How the browser goes back to where the application asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onward {
    /// When the pages of applications had their time.
    ByItself,
    /// By a link: nobody knows who sent it here.
    ByHand,
}

impl<'a> AskPage<'a> {
    pub(crate) fn new(
        language: Language,
        brand: Option<Brand>,
        action: String,
        form_token: String,
        person: &'a str,
        asked: &'a Asked,
    ) -> Self {
        let fields = [
            ("client_id", &asked.client_id),
            ("post_logout_redirect_uri", &asked.post_logout_redirect_uri),
            ("state", &asked.state),
        ];
        Self {
            words: Words::of(language),
            brand,
            action,
            form_token,
            person,
            application: asked.application.as_ref().map(|name| plain(name, NAME)),
            fields: fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect(),
        }
    }
}

impl<'a> SignedOutPage<'a> {
    /// With a link back, where one may be shown.
    pub(crate) fn new(
        language: Language,
        brand: Option<Brand>,
        back: Option<String>,
        frames: &'a [String],
        onward: Onward,
        asked: &Asked,
    ) -> Self {
        let words = Words::of(language);
        let name = asked.application.as_ref().map(|name| format!("{}{}", words.back_to, plain(name, NAME)));
        let goes_on = onward == Onward::ByItself;
        Self {
            lang: words.lang,
            title: words.done,
            text: words.done_text,
            brand,
            link: back.zip(name),
            frames,
            goes_on,
        }
    }
}

impl IntoResponse for SignedOutPage<'_> {
    fn into_response(self) -> Response {
        let mut response = for_a_person(&self);
        framing(response.headers_mut(), self.frames);
        response
    }
}

/// What the pages say, in each language.
#[derive(Debug)]
struct Words {
    lang: &'static str,
    title: &'static str,
    signed_in_as: &'static str,
    asks: &'static str,
    text: &'static str,
    sign_out: &'static str,
    stay: &'static str,
    done: &'static str,
    done_text: &'static str,
    back_to: &'static str,
}

impl Words {
    const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }
}

const EN: Words = Words {
    lang: "en",
    title: "Sign out?",
    signed_in_as: "You are signed in as ",
    asks: "This was asked for by ",
    text: "Applications that you opened with this sign-in lose their access, unless you let them keep it while you are away.",
    sign_out: "Sign out",
    stay: "Stay signed in",
    done: "You are signed out",
    done_text: "Nobody is signed in with this browser any more. An application may still show what it loaded before.",
    back_to: "Back to ",
};

const ZH: Words = Words {
    lang: "zh",
    title: "是否退出登录？",
    signed_in_as: "您当前登录的账号：",
    asks: "请求来自：",
    text: "通过此次登录打开的应用将失去访问权限，您允许在离开时保持访问的应用除外。",
    sign_out: "退出登录",
    stay: "保持登录",
    done: "您已退出登录",
    done_text: "此浏览器中已无人登录。应用可能仍显示先前加载的内容。",
    back_to: "返回 ",
};
