//! The pages of an authorization request: that it leads nowhere, and the form by which an answer goes to the application.

mod difference;

use std::sync::Arc;

use ambit_core::client::Client;
use ambit_core::page::Page;
use ambit_knowledge::{Corpus, Language};
use ambit_protocol::admin::application::{Application, ApplicationStatus};
use ambit_protocol::error::describe_within;
use askama::Template;

use self::difference::{Compared, Difference, Stretch};
use super::shown::{NAME, Shown, plain};

/// A request that leads nowhere.
#[derive(Debug, Template)]
#[template(path = "authorize/lost.html")]
pub(crate) struct LostPage<'a> {
    words: &'static Words,
    title: Shown,
    detail: Shown,
    sent: Option<String>,
    registered: Option<ShownRegistered>,
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
    UnknownClient { client_id: &'a str },
    /// Nothing is registered for its client.
    NoneRegistered,
    /// It leaves out which one of several is meant.
    NoneNamed,
    /// What it names is not registered.
    NotRegistered { sent: &'a str },
}

/// What is registered, for those who administer it.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) client: Arc<Client>,
    /// Where it signs people in, if that is another issuer than the one that was asked.
    pub(crate) issuer: Option<String>,
}

/// The same, as it is shown.
#[derive(Debug)]
struct ShownRegistered {
    name: String,
    client_id: String,
    is_disabled: bool,
    issuer: Option<String>,
    /// What was sent, beside the nearest of them.
    sent: Vec<Stretch>,
    /// The nearest first.
    redirect_uris: Vec<ShownUri>,
    /// How many there are beside these.
    more: usize,
}

#[derive(Debug)]
struct ShownUri {
    stretches: Vec<Stretch>,
    /// In what it is not what was sent.
    differences: Option<String>,
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
        registered: Option<&Registered>,
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
        let sent = match why {
            Why::UnknownClient { client_id: sent } | Why::NotRegistered { sent } => {
                Some(describe_within(sent, MAX_SHOWN))
            }
            Why::Unreadable(_) | Why::Over | Why::Ours | Why::NoneRegistered | Why::NoneNamed => None,
        };
        let registered = registered.map(|it| ShownRegistered::new(it, why, words));
        Self { words, title, detail: words.why(why), sent, registered, slug: page.slug, trace_id }
    }
}

impl ShownRegistered {
    fn new(registered: &Registered, why: Why<'_>, words: &Words) -> Self {
        let application = &registered.client.application;
        let (sent, redirect_uris) = match why {
            Why::NotRegistered { sent } => compared(sent, application, words),
            _ => (vec![], application.redirect_uris.iter().map(|uri| ShownUri::unmarked(uri.as_str())).collect()),
        };
        Self {
            name: plain(application.name.as_str(), NAME),
            client_id: application.client_id.to_string(),
            is_disabled: application.status == ApplicationStatus::Disabled,
            issuer: registered.issuer.clone(),
            sent,
            more: application.redirect_uris.len().saturating_sub(MAX_URIS),
            redirect_uris: redirect_uris.into_iter().take(MAX_URIS).collect(),
        }
    }
}

impl ShownUri {
    fn unmarked(uri: &str) -> Self {
        Self { stretches: vec![Stretch { text: uri.to_owned(), differs: false }], differences: None }
    }
}

/// What was sent beside what is registered, the nearest first. Nothing of the former where it is too long to be shown whole.
fn compared(sent: &str, application: &Application, words: &Words) -> (Vec<Stretch>, Vec<ShownUri>) {
    let mut all: Vec<Compared> = application.redirect_uris.iter().map(|uri| Compared::of(sent, uri)).collect();
    all.sort_by_key(Compared::distance);
    let shown = describe_within(sent, MAX_SHOWN);
    let nearest = all.first_mut().map(|nearest| std::mem::take(&mut nearest.sent)).unwrap_or_default();
    let described: Vec<Stretch> = nearest
        .into_iter()
        .map(|it| Stretch { text: describe_within(&it.text, MAX_SHOWN), differs: it.differs })
        .collect();
    let is_whole = described.iter().map(|it| it.text.as_str()).collect::<String>() == shown;
    let uris = all.into_iter().map(|it| {
        let named: Vec<&str> = it.differences.iter().map(|difference| words.difference(*difference)).collect();
        ShownUri { stretches: it.registered, differences: Some(named.join(words.and)) }
    });
    (if is_whole { described } else { vec![] }, uris.collect())
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
    what_is_registered: &'static str,
    administrators_only: &'static str,
    application: &'static str,
    disabled: &'static str,
    its_issuer: &'static str,
    redirect_uris: &'static str,
    no_redirect_uris: &'static str,
    /// Before a number.
    more: &'static str,
    differs_in: &'static str,
    and: &'static str,
    differences: [&'static str; 9],
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
            Why::UnknownClient { .. } => self.unknown_client,
            Why::NoneRegistered => self.none_registered,
            Why::NoneNamed => self.none_named,
            Why::NotRegistered { .. } => self.not_registered,
        })
    }

    const fn difference(&self, difference: Difference) -> &'static str {
        match difference {
            Difference::Scheme => self.differences[0],
            Difference::User => self.differences[1],
            Difference::Host => self.differences[2],
            Difference::Port => self.differences[3],
            Difference::Path => self.differences[4],
            Difference::Slash => self.differences[5],
            Difference::Query => self.differences[6],
            Difference::Fragment => self.differences[7],
            Difference::Case => self.differences[8],
        }
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
    what_is_registered: "What is registered",
    administrators_only: "You see this because you administer this application. Others do not.",
    application: "Application",
    disabled: "It is disabled, and signs nobody in.",
    its_issuer: "It signs people in at another issuer",
    redirect_uris: "Redirect URIs",
    no_redirect_uris: "None",
    more: "Not shown: ",
    differs_in: "Differs from what was sent in: ",
    and: ", ",
    differences: [
        "scheme",
        "user name before the host",
        "host",
        "port",
        "path",
        "slash at the end",
        "query",
        "fragment",
        "upper and lower case",
    ],
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
    what_is_registered: "已注册的内容",
    administrators_only: "您能看到此内容，是因为您管理此应用。其他人看不到。",
    application: "应用",
    disabled: "此应用已停用，无法让任何人登录。",
    its_issuer: "此应用在另一个颁发者处让用户登录",
    redirect_uris: "重定向 URI",
    no_redirect_uris: "无",
    more: "未显示的数量：",
    differs_in: "与收到的内容不同之处：",
    and: "、",
    differences: ["协议", "主机前的用户名", "主机", "端口", "路径", "末尾的斜杠", "查询", "片段", "大小写"],
};

/// Characters of what was sent.
const MAX_SHOWN: usize = 500;
/// Redirect URIs, of those that are registered.
const MAX_URIS: usize = 10;
