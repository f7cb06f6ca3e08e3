//! How and when a person proved who they are: what a session rests on, and what ID tokens tell of it.

use ambit_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How and when a person proved who they are: the document of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// When it was proven last: the claim `auth_time` (OpenID Connect Core 1.0 §2).
    pub at: Timestamp,
    /// By what, in the order it was shown.
    pub methods: Vec<Method>,
    /// From which address.
    pub address: Option<String>,
    /// By which program.
    pub user_agent: Option<String>,
}

/// By what a person proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    /// A password.
    #[serde(rename = "pwd")]
    Password,
    /// A code of an authenticator app (RFC 6238).
    #[serde(rename = "otp")]
    Otp,
    /// A passkey that saw who used it (W3C WebAuthn, user verification).
    #[serde(rename = "hwk")]
    Passkey,
    /// A code that was sent to their address.
    #[serde(rename = "email")]
    EmailCode,
    /// One of the codes that were written down for the day when everything else is lost.
    #[serde(rename = "recovery")]
    RecoveryCode,
}

/// How sure it is that a person is who they say: the claim `acr`. A higher one is also each lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Acr {
    /// One factor (NIST SP 800-63B, AAL1).
    #[serde(rename = "urn:ambit:aal1")]
    Aal1,
    /// Two factors of different kinds, or a passkey, which is two in one (AAL2).
    #[serde(rename = "urn:ambit:aal2")]
    Aal2,
}

impl Authentication {
    /// How sure it is.
    #[must_use]
    pub fn acr(&self) -> Acr {
        acr(&self.methods)
    }

    /// The claim `amr`: the methods in the words of RFC 8176 §2.
    #[must_use]
    pub fn amr(&self) -> Vec<&'static str> {
        let mut words: Vec<&'static str> = vec![];
        for method in &self.methods {
            if !words.contains(&method.amr()) {
                words.push(method.amr());
            }
        }
        if self.acr() == Acr::Aal2 {
            words.push("mfa");
        }
        words
    }
}

/// How sure methods make that a person is who they say. Something sent to an address is no second factor: whoever reads the
/// letters can have the password reset as well (NIST SP 800-63B §5.1.3.1: e-mail "SHALL NOT be used for out-of-band
/// authentication").
#[must_use]
pub fn acr(methods: &[Method]) -> Acr {
    let has = |method| methods.contains(&method);
    let is_known = has(Method::Password);
    let is_held = has(Method::Otp) || has(Method::RecoveryCode);
    if has(Method::Passkey) || (is_known && is_held) { Acr::Aal2 } else { Acr::Aal1 }
}

impl Method {
    /// RFC 8176 §2. It has no word for a recovery code, which is a password used once; nor for a code by letter, which goes
    /// another way than the page.
    const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Otp | Self::RecoveryCode => "otp",
            Self::Passkey => "hwk",
            Self::EmailCode => "mca",
        }
    }
}

impl Acr {
    /// Every level, lowest first.
    pub const ALL: [Self; 2] = [Self::Aal1, Self::Aal2];

    /// The level as `acr`, `acr_values` and metadata spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "urn:ambit:aal1",
            Self::Aal2 => "urn:ambit:aal2",
        }
    }

    /// The level of a value of `acr_values`, if it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(methods: &[Method]) -> Authentication {
        Authentication { at: Timestamp::from_secs(1), methods: methods.to_vec(), address: None, user_agent: None }
    }

    #[test]
    fn two_factors_are_of_different_kinds() {
        use Method::{EmailCode, Otp, Passkey, Password, RecoveryCode};
        for (methods, acr) in [
            (&[][..], Acr::Aal1),
            (&[Password], Acr::Aal1),
            (&[Otp], Acr::Aal1),
            (&[Otp, RecoveryCode], Acr::Aal1),
            (&[Password, EmailCode], Acr::Aal1),
            (&[Password, Otp], Acr::Aal2),
            (&[Password, RecoveryCode], Acr::Aal2),
            (&[Passkey], Acr::Aal2),
        ] {
            assert_eq!(by(methods).acr(), acr, "{methods:?}");
        }
    }

    #[test]
    fn amr_says_each_word_once() {
        assert_eq!(by(&[Method::Password]).amr(), ["pwd"]);
        assert_eq!(by(&[Method::Password, Method::Otp, Method::RecoveryCode]).amr(), ["pwd", "otp", "mfa"]);
        assert_eq!(by(&[Method::Passkey]).amr(), ["hwk", "mfa"]);
    }

    #[test]
    fn a_level_reads_back_as_itself() {
        for acr in Acr::ALL {
            assert_eq!(Acr::parse(acr.as_str()), Some(acr));
            assert_eq!(serde_json::to_string(&acr).unwrap(), format!("\"{}\"", acr.as_str()));
        }
        assert_eq!(Acr::parse("aal2"), None);
        assert!(Acr::Aal1 < Acr::Aal2);
    }
}
