//! What the pages say, in each language.

use ambit_core::authentication::Method;
use ambit_knowledge::Language;

/// The words of the pages in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) lang: &'static str,
    pub(super) account: &'static str,
    pub(super) overview: &'static str,
    pub(super) sessions: &'static str,
    pub(super) applications: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) email: &'static str,
    pub(super) name: &'static str,
    pub(super) organisation: &'static str,
    pub(super) operator: &'static str,
    pub(super) signed_in: &'static str,
    pub(super) not_verified: &'static str,
    pub(super) sessions_intro: &'static str,
    pub(super) this_browser: &'static str,
    pub(super) unknown_device: &'static str,
    pub(super) on: &'static str,
    pub(super) since: &'static str,
    pub(super) last_used: &'static str,
    pub(super) from: &'static str,
    pub(super) by: &'static str,
    pub(super) end: &'static str,
    pub(super) end_others: &'static str,
    pub(super) applications_intro: &'static str,
    pub(super) no_applications: &'static str,
    pub(super) gone: &'static str,
    pub(super) take_back: &'static str,
    pub(super) agreed: &'static str,
    pub(super) in_use: &'static str,
    pub(super) nothing_held: &'static str,
    pub(super) sensitive: &'static str,
    pub(super) privileged: &'static str,
    pub(super) colon: &'static str,
    methods: [&'static str; 5],
}

impl Words {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }

    pub(super) const fn method(&self, method: Method) -> &'static str {
        match method {
            Method::Password => self.methods[0],
            Method::Otp => self.methods[1],
            Method::Passkey => self.methods[2],
            Method::EmailCode => self.methods[3],
            Method::RecoveryCode => self.methods[4],
        }
    }
}

const EN: Words = Words {
    lang: "en",
    account: "Your account",
    overview: "Overview",
    sessions: "Sessions",
    applications: "Applications",
    sign_out: "Sign out",
    email: "E-mail address",
    name: "Name",
    organisation: "Organisation",
    operator: "The operator of this service",
    signed_in: "Signed in",
    not_verified: "not verified",
    sessions_intro: "Everywhere you are signed in. End what you do not recognise.",
    this_browser: "This browser",
    unknown_device: "Unknown device",
    on: " on ",
    since: "Since",
    last_used: "Last used",
    from: "From",
    by: "By",
    end: "End",
    end_others: "End all others",
    applications_intro: "What applications may do for you. Taking it back ends their access at once.",
    no_applications: "No application may do anything for you.",
    gone: "An application that is gone",
    take_back: "Take back",
    agreed: "Agreed",
    in_use: "In use since",
    nothing_held: "Nothing that still counts",
    sensitive: "Sensitive",
    privileged: "Privileged",
    colon: ": ",
    methods: ["password", "authenticator app", "passkey", "code by e-mail", "recovery code"],
};

const ZH: Words = Words {
    lang: "zh",
    account: "您的账户",
    overview: "概览",
    sessions: "会话",
    applications: "应用",
    sign_out: "退出登录",
    email: "电子邮箱",
    name: "姓名",
    organisation: "组织",
    operator: "本服务的运营方",
    signed_in: "登录时间",
    not_verified: "未验证",
    sessions_intro: "您在以下位置已登录。如有不认识的会话，请将其结束。",
    this_browser: "此浏览器",
    unknown_device: "未知设备",
    on: "，",
    since: "开始于",
    last_used: "最近使用",
    from: "地址",
    by: "方式",
    end: "结束",
    end_others: "结束所有其他会话",
    applications_intro: "应用可以代表您执行的操作。撤销后，其访问将立即终止。",
    no_applications: "没有应用可以代表您执行操作。",
    gone: "已不存在的应用",
    take_back: "撤销",
    agreed: "同意于",
    in_use: "使用始于",
    nothing_held: "没有仍然有效的权限",
    sensitive: "敏感",
    privileged: "特权",
    colon: "：",
    methods: ["密码", "身份验证器应用", "通行密钥", "邮件验证码", "恢复代码"],
};
