//! What the page says itself, in each language. What scopes, APIs and applications are called is their own.

use ambit_knowledge::Language;

use super::view::Kind;

/// The words of the page in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) lang: &'static str,
    pub(super) title: &'static str,
    /// Behind the name of the application.
    pub(super) wants: &'static str,
    pub(super) signed_in_as: &'static str,
    pub(super) third_party: &'static str,
    pub(super) beware: &'static str,
    pub(super) about_you: &'static str,
    pub(super) sensitive: &'static str,
    pub(super) privileged: &'static str,
    pub(super) required: &'static str,
    /// Before a number.
    pub(super) includes: &'static str,
    pub(super) goes_back_to: &'static str,
    pub(super) this_device: &'static str,
    pub(super) allow: &'static str,
    pub(super) deny: &'static str,
    pub(super) take_back: &'static str,
    pub(super) stop: &'static str,
    publishers: [&'static str; 4],
}

impl Words {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }

    /// Before the name of who publishes the application.
    pub(super) const fn publisher(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Own => self.publishers[0],
            Kind::Operator => self.publishers[1],
            Kind::Partner => self.publishers[2],
            Kind::OtherTenant => self.publishers[3],
        }
    }
}

const EN: Words = Words {
    lang: "en",
    title: "Allow access?",
    wants: " asks for access",
    signed_in_as: "You are signed in as ",
    third_party: "Not your organisation's",
    beware: "Some of this changes who may do what. Tick it only if you know this application and expected it to ask.",
    about_you: "About you",
    sensitive: "Sensitive",
    privileged: "Privileged",
    required: "Needed to sign in",
    includes: "What this includes: ",
    goes_back_to: "After this you go back to ",
    this_device: "an application on this device",
    allow: "Allow",
    deny: "Do not allow",
    take_back: "You can take this back at any time in your account, under Applications.",
    stop: ".",
    publishers: [
        "An application of your organisation, ",
        "An application of the operator of this service",
        "An application of the partner ",
        "An application of another organisation, ",
    ],
};

const ZH: Words = Words {
    lang: "zh",
    title: "是否允许访问？",
    wants: " 请求访问",
    signed_in_as: "您当前登录的账号：",
    third_party: "并非您所在组织的应用",
    beware: "其中部分权限可以改变他人的权限。请仅在您了解此应用并预期收到此请求时勾选。",
    about_you: "关于您",
    sensitive: "敏感",
    privileged: "特权",
    required: "登录所需",
    includes: "包含的权限数：",
    goes_back_to: "完成后您将返回 ",
    this_device: "此设备上的应用",
    allow: "允许",
    deny: "不允许",
    take_back: "您可以随时在账户的“应用”中撤销。",
    stop: "。",
    publishers: ["您所在组织的应用：", "本服务运营方的应用", "合作伙伴的应用：", "其他组织的应用："],
};
