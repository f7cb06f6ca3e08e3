//! The pages as structs: what their templates show.

use std::borrow::Cow;

use ambit_core::second_factor::ShownCodes;
use ambit_protocol::admin::tenant::TenantSettings;
use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use super::wording::Words;
use crate::state::App;
use crate::web::branding::Brand;
use crate::web::passkey::PasskeyButton;

/// What every page of a sign-in has.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) words: &'static Words,
    /// The interaction, in the addresses of forms.
    pub(super) id: String,
    pub(super) form_token: String,
    /// Whose page it is.
    pub(super) brand: Option<Brand>,
    /// What was wrong with what was sent.
    pub(super) wrong: Option<&'static str>,
    /// Where a passkey would do.
    pub(super) passkey: Option<PasskeyButton>,
}

/// Where somebody belongs.
#[derive(Debug, Template)]
#[template(path = "sign_in/organisation.html")]
pub(super) struct OrganisationPage {
    pub(super) frame: Frame,
    pub(super) value: String,
}

/// Who somebody is, and their password.
#[derive(Debug, Template)]
#[template(path = "sign_in/password.html")]
pub(super) struct PasswordPage {
    pub(super) frame: Frame,
    pub(super) email: String,
    /// Whether they may have gone to the wrong organisation.
    pub(super) can_restart: bool,
    pub(super) by_mail: ByMail,
}

/// What is offered to somebody without a password at hand, where letters are sent.
#[derive(Debug)]
pub(super) struct ByMail {
    /// A link to a new password.
    pub(super) new_password: bool,
    /// A code that does for the password.
    pub(super) code: bool,
    /// An account of one's own.
    pub(super) account: bool,
}

impl ByMail {
    pub(super) fn offered(app: &App, settings: Option<&TenantSettings>) -> Self {
        let is_on = app.mail.is_on();
        Self {
            new_password: is_on,
            code: is_on && settings.is_some_and(|settings| settings.email_code),
            account: is_on && settings.is_some_and(|settings| settings.self_registration),
        }
    }
}

/// The code that was sent to them.
#[derive(Debug, Template)]
#[template(path = "sign_in/email_code.html")]
pub(super) struct EmailCodePage {
    pub(super) frame: Frame,
}

/// What they show beside it.
#[derive(Debug, Template)]
#[template(path = "sign_in/second_factor.html")]
pub(super) struct SecondFactorPage {
    pub(super) frame: Frame,
    pub(super) has_app: bool,
}

/// How they set an app up.
#[derive(Template)]
#[template(path = "sign_in/enrolment.html")]
pub(super) struct EnrolmentPage {
    pub(super) frame: Frame,
    pub(super) picture: Option<Picture>,
    pub(super) secret: Zeroizing<String>,
}

/// The recovery codes, this once.
#[derive(Debug, Template)]
#[template(path = "sign_in/codes.html")]
pub(super) struct CodesPage {
    pub(super) frame: Frame,
    pub(super) codes: ShownCodes,
}

/// One thing that is said.
#[derive(Debug, Template)]
#[template(path = "account/told.html")]
pub(super) struct Told {
    pub(super) lang: &'static str,
    pub(super) title: &'static str,
    pub(super) text: Cow<'static, str>,
    pub(super) link: Option<(String, &'static str)>,
}

/// The first administrator.
#[derive(Debug, Template)]
#[template(path = "sign_in/set_up.html")]
pub(super) struct SetUpPage {
    pub(super) words: &'static Words,
    pub(super) token: String,
    pub(super) form_token: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) least: u32,
    pub(super) wrong: SetUpFaults,
}

/// What was wrong with which field.
#[derive(Debug, Default)]
pub(super) struct SetUpFaults {
    pub(super) email: Option<&'static str>,
    pub(super) name: Option<&'static str>,
    pub(super) password: Option<&'static str>,
}

impl SetUpFaults {
    pub(super) const fn is_none(&self) -> bool {
        self.email.is_none() && self.name.is_none() && self.password.is_none()
    }
}

/// A QR code: the dark squares of each line, as the data of an SVG path.
pub(super) struct Picture {
    pub(super) side: usize,
    pub(super) path: Zeroizing<String>,
}

impl Picture {
    /// The picture of a text, with the quiet zone that readers need (ISO/IEC 18004 §9.1: "4X"). None where it is too long for one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = Zeroizing::new(String::new());
        for (place, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                path.push_str(&format!("M{} {}h1v1h-1z", QUIET + place % width, QUIET + place / width));
            }
        }
        Some(Self { side: width + 2 * QUIET, path })
    }
}

const QUIET: usize = 4;
