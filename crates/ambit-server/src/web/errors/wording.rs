//! What the pages say themselves, in each language. Texts of entries are the entries' own.

use ambit_knowledge::entry::{Category, Domain, EvidenceKind, Product, Risk, Tier, TranslationStatus};
use ambit_knowledge::{Language, Outcome, Rule};

/// The words of the pages in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) lang: &'static str,
    /// The other language, in itself.
    pub(super) other: &'static str,
    pub(super) other_lang: &'static str,
    pub(super) all_errors: &'static str,
    pub(super) documentation: &'static str,
    pub(super) intro: &'static str,
    pub(super) search: &'static str,
    pub(super) search_hint: &'static str,
    pub(super) found: &'static str,
    pub(super) found_nothing: &'static str,
    pub(super) paste: &'static str,
    pub(super) paste_hint: &'static str,
    pub(super) paste_button: &'static str,
    pub(super) nothing_pasted: &'static str,
    pub(super) one: &'static str,
    pub(super) several: &'static str,
    pub(super) none: &'static str,
    pub(super) nearest: &'static str,
    pub(super) apart: &'static str,
    pub(super) understood: &'static str,
    pub(super) was_cut: &'static str,
    pub(super) because: &'static str,
    pub(super) first_step: &'static str,
    pub(super) fallback: &'static str,
    pub(super) why: &'static str,
    pub(super) helps: &'static str,
    pub(super) dead_ends: &'static str,
    pub(super) fails_because: &'static str,
    pub(super) chain: &'static str,
    pub(super) you_are_here: &'static str,
    pub(super) legend: &'static str,
    pub(super) steps: [&'static str; 6],
    pub(super) here_is_step: &'static str,
    pub(super) often_before: &'static str,
    pub(super) often_after: &'static str,
    pub(super) confused_with: &'static str,
    pub(super) samples: &'static str,
    pub(super) near_misses: &'static str,
    pub(super) evidence: &'static str,
    pub(super) how_sure: &'static str,
    pub(super) confidence: &'static str,
    pub(super) interval: &'static str,
    pub(super) interval_explained: &'static str,
    pub(super) advice_helped: &'static str,
    pub(super) no_reports: &'static str,
    pub(super) reports: &'static str,
    pub(super) versions: &'static str,
    pub(super) official: &'static str,
    pub(super) confirmed: &'static str,
    pub(super) texts: &'static str,
    pub(super) forms: &'static str,
    pub(super) trace: &'static str,
    pub(super) did_it_help: &'static str,
    pub(super) it_helped: &'static str,
    pub(super) it_did_not: &'static str,
    pub(super) which_advice: &'static str,
    pub(super) none_of_them: &'static str,
    pub(super) thanks: &'static str,
    pub(super) wait: &'static str,
    /// The end of a sentence.
    pub(super) stop: &'static str,
    /// Before what a word announces.
    pub(super) colon: &'static str,
}

impl Words {
    /// The words in a language.
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }

    pub(super) fn domain(&self, domain: Domain) -> &'static str {
        self.either(
            domain.title(),
            match domain {
                Domain::Api => "服务器的响应",
                Domain::Tenant => "租户的状态",
                Domain::Client => "客户端库的报错",
                Domain::Jwt => "令牌校验",
                Domain::Browser => "浏览器中看到的错误",
            },
        )
    }

    pub(super) fn product(&self, product: Product) -> &'static str {
        match product {
            Product::Standard => self.either(product.title(), "OAuth 与 OpenID Connect 标准"),
            _ => product.title(),
        }
    }

    pub(super) fn category(&self, category: Category) -> &'static str {
        self.either(
            category.title(),
            match category {
                Category::Request => "请求",
                Category::ClientAuthentication => "客户端认证",
                Category::Grant => "授权方式",
                Category::Scope => "作用域",
                Category::Resource => "资源",
                Category::Token => "令牌",
                Category::Signature => "签名",
                Category::Key => "密钥",
                Category::Issuer => "签发者",
                Category::Audience => "受众",
                Category::Time => "时间与时钟",
                Category::Redirect => "重定向",
                Category::Pkce => "PKCE",
                Category::Consent => "授权同意",
                Category::Session => "会话",
                Category::Discovery => "发现",
                Category::Cors => "CORS",
                Category::Tenant => "租户",
                Category::Limit => "限制",
                Category::Storage => "存储",
                Category::Permission => "权限",
                Category::Registration => "客户端注册",
                Category::Configuration => "配置",
            },
        )
    }

    pub(super) fn tier(&self, tier: Tier) -> &'static str {
        self.either(
            tier.title(),
            match tier {
                Tier::MachineWritten => "尚未核实",
                Tier::SourceChecked => "已对照源代码或文档核实",
                Tier::Reproduced => "已复现",
                Tier::FieldConfirmed => "已在实际环境中确认",
            },
        )
    }

    pub(super) fn risk(&self, risk: Risk) -> &'static str {
        self.either(
            risk.title(),
            match risk {
                Risk::None => "无风险",
                Risk::Caution => "需谨慎",
                Risk::Unsafe => "不安全",
            },
        )
    }

    pub(super) fn evidence_kind(&self, kind: EvidenceKind) -> &'static str {
        self.either(
            kind.title(),
            match kind {
                EvidenceKind::Reproduced => "复现并记录",
                EvidenceKind::Source => "见于源代码或文档",
                EvidenceKind::Report => "用户报告",
            },
        )
    }

    pub(super) fn translation(&self, status: TranslationStatus) -> &'static str {
        self.either(
            match status {
                TranslationStatus::Original => "original",
                TranslationStatus::Translated => "translated",
                TranslationStatus::Reviewed => "translated and reviewed",
            },
            match status {
                TranslationStatus::Original => "原文",
                TranslationStatus::Translated => "译文",
                TranslationStatus::Reviewed => "经审校的译文",
            },
        )
    }

    pub(super) fn outcome(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Match => self.one,
            Outcome::Ambiguous => self.several,
            Outcome::NoMatch => self.none,
        }
    }

    pub(super) fn rule(&self, rule: Rule) -> &'static str {
        let (en, zh) = match rule {
            Rule::ProblemType => ("Problem type", "问题类型"),
            Rule::DescriptionPattern => ("Description", "错误描述"),
            Rule::Pattern => ("Message", "错误消息"),
            Rule::WwwAuthenticate => ("Challenge", "质询头"),
            Rule::OauthError => ("Error code", "错误码"),
            Rule::About => ("Complaint", "所述问题"),
            Rule::Status => ("HTTP status", "HTTP 状态码"),
            Rule::Product => ("Product", "产品"),
            Rule::ErrorCode => ("Code", "代码"),
            Rule::Words => ("Wording", "用词"),
        };
        self.either(en, zh)
    }

    fn either(&self, en: &'static str, zh: &'static str) -> &'static str {
        if self.lang == EN.lang { en } else { zh }
    }
}

static EN: Words = Words {
    lang: "en",
    other: "中文",
    other_lang: "zh",
    all_errors: "Errors",
    documentation: "Documentation",
    intro: "What an error means, why it happens and what helps: everything this server answers, the codes of the standards, and what common servers and libraries say.",
    search: "Search",
    search_hint: "a code, a product, a few words",
    found: "Found",
    found_nothing: "Nothing has these words. Paste the whole message below: more of it is more to go by.",
    paste: "Paste what you have",
    paste_hint: "A message, a response body, headers, a curl -v transcript, a log line, a stack trace, a token. Secrets are taken out before anything is looked at; nothing is kept.",
    paste_button: "What is this?",
    nothing_pasted: "Nothing was pasted.",
    one: "This is it",
    several: "It may be one of these",
    none: "No entry is about this",
    nearest: "Nearest",
    apart: "What tells them apart",
    understood: "What was read, without secrets",
    was_cut: "It was longer than what is read; the rest was left out.",
    because: "Because",
    first_step: "First step",
    fallback: "Some texts of this page have not been written in English yet and are shown in Chinese.",
    why: "Why it happens",
    helps: "What helps",
    dead_ends: "What does not help",
    fails_because: "Why not:",
    chain: "Where it happens",
    you_are_here: "You are here",
    legend: "↑ often met before, ↓ often met after; the others are what is usual at each step.",
    steps: ["Discovery", "Authorization", "Code", "Token", "Calling the API", "Refresh"],
    here_is_step: "This error belongs to the step",
    often_before: "Often met before",
    often_after: "Often met after",
    confused_with: "Easily confused with",
    samples: "How it looks",
    near_misses: "What looks like it and is not it",
    evidence: "How this is known",
    how_sure: "How sure this is",
    confidence: "Confidence",
    interval: "95 % interval",
    interval_explained: "computed from the evidence below and from what people reported; the interval is wide while little is known",
    advice_helped: "The advice helped",
    no_reports: "Nobody has reported yet whether the advice helps.",
    reports: "reports",
    versions: "Where it occurs",
    official: "Official documentation",
    confirmed: "Last confirmed",
    texts: "These texts",
    forms: "Also as",
    trace: "Every answer with this error carries a trace_id: it finds the log line and, with ambit explain, the decision.",
    did_it_help: "Did it help?",
    it_helped: "It helped",
    it_did_not: "It did not",
    which_advice: "Which advice did you follow?",
    none_of_them: "none in particular",
    thanks: "Thank you: your report is counted.",
    wait: "Too many reports from your address, or one about this error already. Try again later.",
    stop: ". ",
    colon: ": ",
};

static ZH: Words = Words {
    lang: "zh",
    other: "English",
    other_lang: "en",
    all_errors: "错误",
    documentation: "文档",
    intro: "每个错误是什么意思、为什么发生、怎么解决：本服务器的全部响应、各标准的错误码，以及常见服务器和库的报错。",
    search: "搜索",
    search_hint: "错误码、产品或几个关键词",
    found: "找到",
    found_nothing: "没有条目包含这些词。请把完整的消息粘贴到下面：内容越完整，判断越准确。",
    paste: "粘贴你手头的内容",
    paste_hint: "错误消息、响应体、响应头、curl -v 的输出、日志行、堆栈或令牌都可以。机密信息会先被去除，任何内容都不会保存。",
    paste_button: "这是什么错误？",
    nothing_pasted: "没有粘贴任何内容。",
    one: "就是这个错误",
    several: "可能是以下之一",
    none: "没有对应的条目",
    nearest: "最接近的条目",
    apart: "如何区分",
    understood: "读到的内容（已去除机密）",
    was_cut: "内容过长，超出的部分没有读取。",
    because: "依据",
    first_step: "第一步",
    fallback: "本页的部分内容还没有中文，以英文显示。",
    why: "原因",
    helps: "解决办法",
    dead_ends: "无效的做法",
    fails_because: "为什么不行：",
    chain: "发生在哪一步",
    you_are_here: "你在这里",
    legend: "↑ 常在之前遇到，↓ 常在之后遇到；其余是各步骤的常见错误。",
    steps: ["发现", "授权", "授权码", "令牌", "调用 API", "刷新"],
    here_is_step: "这个错误属于步骤：",
    often_before: "常在之前遇到",
    often_after: "常在之后遇到",
    confused_with: "容易混淆",
    samples: "常见形式",
    near_misses: "相似但不是它",
    evidence: "依据来源",
    how_sure: "可信程度",
    confidence: "可信度",
    interval: "95 % 区间",
    interval_explained: "由下列依据和用户反馈计算得出；了解得越少，区间越宽",
    advice_helped: "建议有效的比例",
    no_reports: "还没有人反馈这些建议是否有效。",
    reports: "反馈数",
    versions: "出现在哪里",
    official: "官方文档",
    confirmed: "最后确认",
    texts: "本页文字",
    forms: "其他格式",
    trace: "带有此错误的每个响应都有 trace_id：可以用它找到日志行，也可以用 ambit explain 查看决定的过程。",
    did_it_help: "有帮助吗？",
    it_helped: "有帮助",
    it_did_not: "没有帮助",
    which_advice: "你采用了哪条建议？",
    none_of_them: "没有特定的一条",
    thanks: "谢谢，你的反馈已计入。",
    wait: "来自你的地址的反馈过多，或已反馈过此错误。请稍后再试。",
    stop: "。",
    colon: "：",
};
