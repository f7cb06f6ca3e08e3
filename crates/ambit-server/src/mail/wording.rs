//! What letters say, in each language. `{brand}` is the name of the organisation.

use ambit_knowledge::Language;

use super::letter::Says;

/// The words of one letter in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) subject: &'static str,
    pub(super) text: &'static str,
    /// What the link is called.
    pub(super) action: &'static str,
    pub(super) ending: &'static str,
}

impl Words {
    pub(super) const fn of(language: Language, says: &Says) -> &'static Self {
        let (en, zh) = match says {
            Says::Invitation(_) => &INVITATION,
            Says::PasswordReset(_) => &PASSWORD_RESET,
            Says::PasswordChanged => &PASSWORD_CHANGED,
            Says::Verification(_) => &VERIFICATION,
            Says::SignInCode(_) => &SIGN_IN_CODE,
            Says::Registration(_) => &REGISTRATION,
            Says::RegisteredBefore => &REGISTERED_BEFORE,
        };
        match language {
            Language::En => en,
            Language::Zh => zh,
        }
    }
}

static INVITATION: (Words, Words) = (
    Words {
        subject: "You are invited to {brand}",
        text: "An administrator has made an account for this address at {brand}. Choose a password, and you can sign in.",
        action: "Accept the invitation",
        ending: "The link works once, within seven days. If you did not expect this letter, ignore it: nothing happens.",
    },
    Words {
        subject: "邀请您加入 {brand}",
        text: "管理员已在 {brand} 为此邮箱地址创建账户。选择密码后即可登录。",
        action: "接受邀请",
        ending: "此链接七天内有效，只能使用一次。如果您并未预期收到此邮件，请忽略，不会发生任何变化。",
    },
);

static PASSWORD_RESET: (Words, Words) = (
    Words {
        subject: "A new password for {brand}",
        text: "Somebody, probably you, asked for a new password for this address at {brand}.",
        action: "Choose a new password",
        ending: "The link works once, within 30 minutes. If it was not you who asked, ignore this letter: your password stays as it is.",
    },
    Words {
        subject: "{brand} 的新密码",
        text: "有人（很可能是您）请求为此邮箱地址在 {brand} 设置新密码。",
        action: "选择新密码",
        ending: "此链接 30 分钟内有效，只能使用一次。如果不是您本人的请求，请忽略此邮件，您的密码不会改变。",
    },
);

static PASSWORD_CHANGED: (Words, Words) = (
    Words {
        subject: "Your password for {brand} was changed",
        text: "The password of this address at {brand} has just been changed, and you were signed out everywhere.",
        action: "",
        ending: "If it was not you, tell your administrator at once.",
    },
    Words {
        subject: "您在 {brand} 的密码已更改",
        text: "此邮箱地址在 {brand} 的密码刚刚被更改，所有登录均已退出。",
        action: "",
        ending: "如果不是您本人的操作，请立即告知您的管理员。",
    },
);

static VERIFICATION: (Words, Words) = (
    Words {
        subject: "Confirm your address for {brand}",
        text: "Confirm that you read what is sent to this address for {brand}.",
        action: "Confirm this address",
        ending: "The link works once, within a day. If you have no account there, ignore this letter.",
    },
    Words {
        subject: "请确认您在 {brand} 的邮箱地址",
        text: "请确认您能收到 {brand} 发送到此地址的邮件。",
        action: "确认此地址",
        ending: "此链接一天内有效，只能使用一次。如果您在那里没有账户，请忽略此邮件。",
    },
);

static SIGN_IN_CODE: (Words, Words) = (
    Words {
        subject: "Your code to sign in to {brand}",
        text: "Enter this code where you are signing in to {brand}:",
        action: "",
        ending: "It works once, within ten minutes, in the browser that asked for it. Nobody of ours will ever ask you for it. If you are not signing in, ignore this letter.",
    },
    Words {
        subject: "您登录 {brand} 的验证码",
        text: "请在登录 {brand} 的页面中输入此验证码：",
        action: "",
        ending: "验证码十分钟内有效，只能使用一次，且仅限发起请求的浏览器。我们绝不会向您索要验证码。如果您没有在登录，请忽略此邮件。",
    },
);

static REGISTRATION: (Words, Words) = (
    Words {
        subject: "Finish your registration at {brand}",
        text: "Somebody, probably you, wants to register this address at {brand}.",
        action: "Make the account",
        ending: "The link works once, within a day. If it was not you, ignore this letter: no account is made.",
    },
    Words {
        subject: "完成在 {brand} 的注册",
        text: "有人（很可能是您）希望用此邮箱地址在 {brand} 注册。",
        action: "创建账户",
        ending: "此链接一天内有效，只能使用一次。如果不是您本人的操作，请忽略此邮件，不会创建账户。",
    },
);

static REGISTERED_BEFORE: (Words, Words) = (
    Words {
        subject: "You have an account at {brand} already",
        text: "Somebody, probably you, wanted to register this address at {brand}. There is an account with it already.",
        action: "",
        ending: "Sign in with it, or ask for a new password where you sign in. If it was not you, ignore this letter.",
    },
    Words {
        subject: "您在 {brand} 已有账户",
        text: "有人（很可能是您）希望用此邮箱地址在 {brand} 注册，但该地址已有账户。",
        action: "",
        ending: "请用该账户登录，或在登录页面请求新密码。如果不是您本人的操作，请忽略此邮件。",
    },
);
