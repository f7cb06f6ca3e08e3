//! What the page says, in each language.

use ambit_knowledge::Language;

/// The words of the page in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) intro: &'static str,
    pub(super) none: &'static str,
    pub(super) unnamed: &'static str,
    pub(super) backed_up: &'static str,
    pub(super) added: &'static str,
    pub(super) used: &'static str,
    pub(super) never: &'static str,
    pub(super) rename: &'static str,
    pub(super) name: &'static str,
    pub(super) save: &'static str,
    pub(super) bad_name: &'static str,
    pub(super) remove: &'static str,
    pub(super) last: &'static str,
    pub(super) add: &'static str,
    pub(super) name_hint: &'static str,
    pub(super) after_proof: &'static str,
    pub(super) impossible: &'static str,
}

impl Words {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }
}

const EN: Words = Words {
    intro: "With a passkey you sign in by what unlocks your device: a fingerprint, your face or a PIN. No password is needed, and no other site can ask for it.",
    none: "You have no passkey yet.",
    unnamed: "Passkey",
    backed_up: "Synchronised",
    added: "Added",
    used: "Last used",
    never: "Not used yet",
    rename: "Rename",
    name: "Name",
    save: "Save",
    bad_name: "Enter a name of 1 to 200 characters.",
    remove: "Remove",
    last: "Your organisation asks for a second proof that it is you, and this is the only one you have. Add another one first.",
    add: "Add a passkey",
    name_hint: "To tell it from others, such as the name of the device. You may leave it blank.",
    after_proof: "First you prove once more that it is you.",
    impossible: "Passkeys cannot be added: browsers have them only for servers that are reached by a name and over https.",
};

const ZH: Words = Words {
    intro: "使用通行密钥，您只需用解锁设备的方式登录：指纹、面容或 PIN。无需密码，其他网站也无法索取它。",
    none: "您还没有通行密钥。",
    unnamed: "通行密钥",
    backed_up: "已同步",
    added: "添加于",
    used: "最近使用",
    never: "尚未使用",
    rename: "重命名",
    name: "名称",
    save: "保存",
    bad_name: "请输入 1 至 200 个字符的名称。",
    remove: "移除",
    last: "您的组织要求第二种身份证明，而这是您唯一的一种。请先添加另一种。",
    add: "添加通行密钥",
    name_hint: "用于区分，例如设备名称。可以留空。",
    after_proof: "您需要先再次证明身份。",
    impossible: "无法添加通行密钥：浏览器只为通过域名和 https 访问的服务器提供通行密钥。",
};
