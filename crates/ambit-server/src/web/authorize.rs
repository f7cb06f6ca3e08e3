//! The pages of an authorization request: that it leads nowhere, and the form by which an answer goes to the application.

use ambit_core::page::Page;
use ambit_knowledge::{Corpus, Language};
use askama::Template;

use super::shown::Shown;

/// A request that leads nowhere.
#[derive(Debug, Template)]
#[template(path = "authorize/lost.html")]
pub(crate) struct LostPage<'a> {
    words: &'static Words,
    title: Shown,
    detail: Shown,
    sent: Option<&'a str>,
    slug: &'static str,
    trace_id: &'a str,
}

/// Why it leads nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Why<'a> {
    /// It cannot be read, for a reason that is in English.
    Unreadable(&'a str),
    /// What waited for the person waits no longer.
    Over,
    /// The server has trouble of its own.
    Ours,
    /// Its client signs nobody in here.
    UnknownClient,
    /// Nothing is registered for its client.
    NoneRegistered,
    /// It leaves out which one of several is meant.
    NoneNamed,
    /// What it names is not registered.
    NotRegistered,
}

/// The form of `form_post`.
#[derive(Debug, Template)]
#[template(path = "authorize/form_post.html")]
pub(crate) struct FormPostPage<'a> {
    words: &'static Words,
    redirect_uri: &'a str,
    members: &'a [(&'a str, &'a str)],
    script: &'static str,
}

impl<'a> LostPage<'a> {
    pub(crate) fn new(
        language: Language,
        page: &'static Page,
        why: Why<'_>,
        sent: Option<&'a str>,
        trace_id: &'a str,
    ) -> Self {
        let words = Words::of(language);
        // What the page is called is written where it is explained, and falls back to what the answers of programs say.
        let entry = Corpus::embedded().find(page.slug);
        let title = match entry.and_then(|entry| entry.title.get(language)).filter(|_| language != Language::En) {
            Some(title) => Shown::ours(title),
            None if language == Language::En => Shown::ours(page.title),
            None => Shown { text: page.title.to_owned(), lang: Some("en") },
        };
        Self { words, title, detail: words.why(why), sent, slug: page.slug, trace_id }
    }
}

impl<'a> FormPostPage<'a> {
    pub(crate) fn new(
        language: Language,
        redirect_uri: &'a str,
        members: &'a [(&'a str, &'a str)],
        script: &'static str,
    ) -> Self {
        Self { words: Words::of(language), redirect_uri, members, script }
    }
}

/// What the pages say, in each language.
#[derive(Debug)]
struct Words {
    lang: &'static str,
    cannot_go_on: &'static str,
    what_was_sent: &'static str,
    what_now: &'static str,
    go_back: &'static str,
    this_page: &'static str,
    says: &'static str,
    trace: &'static str,
    back: &'static str,
    go_on: &'static str,
    over: &'static str,
    ours: &'static str,
    unknown_client: &'static str,
    none_registered: &'static str,
    none_named: &'static str,
    not_registered: &'static str,
}

impl Words {
    const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }

    fn why(&self, why: Why<'_>) -> Shown {
        Shown::ours(match why {
            Why::Unreadable(text) if self.lang == "en" => text,
            Why::Unreadable(text) => return Shown { text: text.to_owned(), lang: Some("en") },
            Why::Over => self.over,
            Why::Ours => self.ours,
            Why::UnknownClient => self.unknown_client,
            Why::NoneRegistered => self.none_registered,
            Why::NoneNamed => self.none_named,
            Why::NotRegistered => self.not_registered,
        })
    }
}

const EN: Words = Words {
    lang: "en",
    cannot_go_on: "This sign-in cannot go on",
    what_was_sent: "What was sent",
    what_now: "What now",
    go_back: "Go back to the application and try again. If it happens again, tell whoever runs the application; ",
    this_page: "this page",
    says: " says what it means and how to mend it.",
    trace: "Trace",
    back: "Back to the application",
    go_on: "Continue",
    over: "This sign-in is over. Go back to the application and begin again.",
    ours: "The server cannot answer now. Try again in a moment.",
    unknown_client: "No application of this client_id may sign people in here.",
    none_registered: "This application has no redirect URI: register the one that it uses.",
    none_named: "The request has no redirect_uri, and this application has several.",
    not_registered: "The redirect_uri is none that is registered for this application. They are compared character by \
                     character: scheme, host, port, path and a slash at the end all count.",
};

const ZH: Words = Words {
    lang: "zh",
    cannot_go_on: "此次登录无法继续",
    what_was_sent: "收到的内容",
    what_now: "接下来怎么办",
    go_back: "请返回应用重试。如果再次发生，请告知该应用的负责人；",
    this_page: "此页面",
    says: "说明了其含义和解决方法。",
    trace: "跟踪编号",
    back: "返回应用",
    go_on: "继续",
    over: "此次登录已结束。请返回应用重新开始。",
    ours: "服务器暂时无法响应。请稍后再试。",
    unknown_client: "没有使用此 client_id 的应用可以在此处让用户登录。",
    none_registered: "此应用没有注册任何重定向 URI：请注册它使用的那一个。",
    none_named: "请求中没有 redirect_uri，而此应用注册了多个。",
    not_registered: "该 redirect_uri 未为此应用注册。比较是逐字符进行的：协议、主机、端口、路径和末尾的斜杠都算在内。",
};
