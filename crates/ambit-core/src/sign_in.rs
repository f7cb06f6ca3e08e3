//! Signing in, as a machine: where a person is on their way, what may come next, and when they have arrived.
//!
//! 1. [`Interaction`] is what the server remembers of a request that waits for its person. The browser holds a name of it and
//!    nothing more, so no step can be skipped, repeated or taken in another's name by what a browser sends.
//! 2. A step is an [`Event`]: something that the server found to be true (this password is right), never what somebody claims.
//! 3. [`Progress::after`] says what comes next. What the person's tenant and the request ask for ([`Needs`]) is looked at anew
//!    at each step, the last one included, so that a rule which changed on the way counts.

use ambit_protocol::admin::tenant::MfaPolicy;
use ambit_protocol::admin::text::Slug;
use ambit_protocol::id::{SessionId, UserId};
use ambit_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authentication::{Acr, Method, acr};
use crate::passkey::Ceremony;

/// A request of a browser that waits for its person: the document of a [`crate::store::sign_in::Interaction`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    /// Where the browser goes on to.
    pub destination: Destination,
    /// Since when it waits.
    pub begun_at: Timestamp,
    /// The tenant whose people may sign in here, where the issuer or the request says so.
    pub tenant: Option<Slug>,
    /// Whom the client expects (OpenID Connect Core 1.0 §3.1.2.1). It fills in a field and proves nothing.
    pub login_hint: Option<String>,
    /// The languages the client asks for.
    pub ui_locales: Option<String>,
    /// How sure it must be who the person is, at the least.
    pub acr: Option<Acr>,
    /// Whether the person must prove it now, signed in or not (`prompt=login`, `max_age`).
    pub is_fresh_needed: bool,
    /// How far they are.
    pub progress: Progress,
    /// Their session, once they are signed in.
    pub session: Option<SessionId>,
    /// Whether they said no to what the client asked for.
    #[serde(default)]
    pub denied: bool,
    /// The challenge that a passkey may answer where they are; none where there is no use for one. Each step sets another.
    #[serde(default)]
    pub passkey: Option<Ceremony>,
}

/// Where a browser goes on to. Nothing of it is ever taken from an address, so it leads nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// On with an authorization request.
    Authorize {
        /// The tenant whose issuer was asked; none for the platform's.
        issuer: Option<Slug>,
        /// The request, form-encoded as it was sent.
        parameters: String,
    },
    /// The person's own pages.
    Account,
    /// The one of them with what they prove themselves by, which asks for a fresh proof before anything of it is changed.
    AccountSecurity,
    /// The one of them with their passkeys, which asks for a fresh proof before any is added or taken away.
    AccountPasskeys,
}

/// How far somebody is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It is to be found out where they belong.
    #[default]
    Organisation,
    /// They are to say who they are, and their password.
    Password {
        /// The tenant they belong to; none for people of the platform itself.
        tenant: Option<Slug>,
        /// The address they gave before.
        email: Option<String>,
    },
    /// They are to enter the code that was sent to their address, if it is anybody's.
    EmailCode {
        /// The tenant they belong to.
        tenant: Option<Slug>,
        /// Where it was sent.
        email: String,
        /// The code, sealed.
        code: String,
        /// When it was sent.
        sent_at: Timestamp,
        /// How often another one was entered.
        wrong: u32,
    },
    /// They are to show a second factor.
    SecondFactor(Proven),
    /// They are to set up a second factor, since they have none.
    Enrolment {
        /// What they showed before.
        proven: Proven,
        /// What the authenticator app is to keep, sealed.
        secret: String,
    },
    /// They are signed in.
    SignedIn,
}

/// What was proven of somebody so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// Who they are.
    pub user: UserId,
    /// By what they proved it.
    pub methods: Vec<Method>,
    /// When they began to.
    pub since: Timestamp,
    /// The session in which they had proven it before. Where that has ended, it counts no more.
    #[serde(default)]
    pub session: Option<SessionId>,
}

/// Something that the server found to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is known where they belong.
    Belongs {
        /// The tenant; none for people of the platform itself.
        tenant: Option<Slug>,
        /// The address they gave, if it was one.
        email: Option<String>,
    },
    /// Their password is right.
    Password {
        /// Who they are.
        user: UserId,
        /// When it was found right.
        at: Timestamp,
        /// What a new authenticator app would keep, sealed, should they need one.
        new_app: String,
    },
    /// A code is on its way to the address they gave.
    CodeSent {
        /// Where.
        email: String,
        /// The code, sealed.
        code: String,
        /// When.
        at: Timestamp,
    },
    /// They entered another code than the one that was sent.
    WrongEmailCode,
    /// They entered the code that was sent.
    EmailCode {
        /// Whose address it is.
        user: UserId,
        /// When it was found right.
        at: Timestamp,
    },
    /// What they showed beside it is right: a code of their app, or a recovery code.
    SecondFactor(Method),
    /// Their passkey is right, and saw that it is they who use it.
    Passkey {
        /// Whose it is.
        user: UserId,
        /// That person's tenant; none for people of the platform itself.
        tenant: Option<Slug>,
        /// When it was found right.
        at: Timestamp,
    },
    /// They set up a second factor, and it works: an authenticator app, or a passkey.
    Enrolled(Method),
    /// They begin again.
    Restart,
}

/// What is asked of somebody, as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// What their tenant asks for.
    pub mfa: MfaPolicy,
    /// What the request asks for.
    pub acr: Option<Acr>,
    /// Whether they have set up something beside the password.
    pub has_second_factor: bool,
    /// Whether a code that is sent to their address does for a password.
    pub email_code: bool,
}

/// This does not come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this step does not come now")]
pub struct OutOfOrder;

impl Interaction {
    /// The same, so far on. Where the tenant is given, it is not asked for.
    #[must_use]
    pub fn at(self, progress: Progress) -> Self {
        let progress = match (progress, &self.tenant) {
            (Progress::Organisation, Some(tenant)) => {
                Progress::Password { tenant: Some(tenant.clone()), email: self.login_hint.clone() }
            }
            (progress, _) => progress,
        };
        Self { progress, ..self }
    }
}

impl Progress {
    /// What comes after an event, and what was proven so far.
    ///
    /// # Errors
    /// [`OutOfOrder`]: then nothing happened.
    pub fn after(self, event: Event, needs: &Needs) -> Result<(Self, Option<Proven>), OutOfOrder> {
        match (self, event) {
            (Self::Organisation, Event::Belongs { tenant, email }) => Ok((Self::Password { tenant, email }, None)),
            (Self::Password { .. }, Event::Password { user, at, new_app }) => {
                Ok(Proven { user, methods: vec![Method::Password], since: at, session: None }
                    .next(needs, Some(new_app)))
            }
            (Self::Organisation, Event::Passkey { user, at, .. }) => Ok(Proven::by_passkey(user, at).next(needs, None)),
            // Where it is known whose people sign in here, no others do.
            (Self::Password { tenant: asked, .. }, Event::Passkey { user, tenant, at }) if asked == tenant => {
                Ok(Proven::by_passkey(user, at).next(needs, None))
            }
            (Self::Password { tenant, .. }, Event::CodeSent { email, code, at }) => {
                Ok((Self::EmailCode { tenant, email, code, sent_at: at, wrong: 0 }, None))
            }
            (Self::EmailCode { tenant, email, code, sent_at, wrong }, Event::WrongEmailCode) => {
                let is_over = wrong + 1 >= WRONG_EMAIL_CODES;
                let next = if is_over {
                    Self::Password { tenant, email: Some(email) }
                } else {
                    Self::EmailCode { tenant, email, code, sent_at, wrong: wrong + 1 }
                };
                Ok((next, None))
            }
            (Self::EmailCode { tenant, email, .. }, Event::EmailCode { user, at }) => {
                let proven = Proven { user, methods: vec![Method::EmailCode], since: at, session: None };
                if needs.is_met_by(&proven.methods) {
                    return Ok((Self::SignedIn, Some(proven)));
                }
                // Whoever reads the letters has shown no factor that a second one could stand beside: the password is asked for.
                Ok((Self::Password { tenant, email: Some(email) }, None))
            }
            (Self::SecondFactor(proven), Event::SecondFactor(method @ (Method::Otp | Method::RecoveryCode))) => {
                Ok(proven.and(method).next(needs, None))
            }
            // Somebody else's proves nothing of whoever knew the password.
            (Self::SecondFactor(proven), Event::Passkey { user, .. }) if proven.user == user => {
                Ok(proven.and(Method::Passkey).next(needs, None))
            }
            (Self::Enrolment { proven, .. }, Event::Enrolled(method @ (Method::Otp | Method::Passkey))) => {
                Ok(proven.and(method).next(needs, None))
            }
            (Self::SignedIn, _) => Err(OutOfOrder),
            (_, Event::Restart) => Ok((Self::Organisation, None)),
            _ => Err(OutOfOrder),
        }
    }
}

impl Proven {
    /// Whether it is as much as can be asked of anybody.
    #[must_use]
    pub fn is_strong(&self) -> bool {
        acr(&self.methods) == Acr::Aal2
    }

    fn by_passkey(user: UserId, at: Timestamp) -> Self {
        Self { user, methods: vec![Method::Passkey], since: at, session: None }
    }

    fn and(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// The one place that says somebody has arrived.
    fn next(self, needs: &Needs, new_app: Option<String>) -> (Progress, Option<Self>) {
        if needs.is_met_by(&self.methods) {
            return (Progress::SignedIn, Some(self));
        }
        let next = match new_app {
            Some(secret) if !needs.has_second_factor => Progress::Enrolment { proven: self.clone(), secret },
            // Somebody whose only app was taken away while they were asked for its code begins again, and sets one up.
            None if !needs.has_second_factor => Progress::Organisation,
            _ => Progress::SecondFactor(self.clone()),
        };
        (next, Some(self))
    }
}

impl Needs {
    /// Whether these methods are enough.
    #[must_use]
    pub fn is_met_by(&self, methods: &[Method]) -> bool {
        let has = |method| methods.contains(&method);
        let has_first = has(Method::Password) || has(Method::Passkey) || (has(Method::EmailCode) && self.email_code);
        has_first && (acr(methods) == Acr::Aal2 || !self.is_second_factor_needed())
    }

    fn is_second_factor_needed(&self) -> bool {
        let by_tenant = match self.mfa {
            MfaPolicy::Off => false,
            MfaPolicy::Optional => self.has_second_factor,
            MfaPolicy::Required => true,
        };
        by_tenant || self.acr == Some(Acr::Aal2)
    }
}

/// After so many wrong ones a code that was sent is good no more.
const WRONG_EMAIL_CODES: u32 = 5;

#[cfg(test)]
mod tests {
    use ambit_protocol::id::Id as _;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn user() -> UserId {
        UserId::from_uuid(Uuid::from_u128(1))
    }

    /// Of another tenant than the first.
    fn other() -> UserId {
        UserId::from_uuid(Uuid::from_u128(2))
    }

    fn tenant_of(user: UserId) -> Option<Slug> {
        (user == other()).then(|| "shop".parse().expect("a slug"))
    }

    fn passkey(user: UserId) -> Event {
        Event::Passkey { user, tenant: tenant_of(user), at: Timestamp::from_secs(1) }
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Belongs { tenant: None, email: None }),
            Just(Event::Belongs { tenant: tenant_of(other()), email: None }),
            Just(Event::Password { user: user(), at: Timestamp::from_secs(1), new_app: "sealed".to_owned() }),
            Just(Event::SecondFactor(Method::Otp)),
            Just(Event::SecondFactor(Method::RecoveryCode)),
            Just(Event::SecondFactor(Method::EmailCode)),
            Just(Event::SecondFactor(Method::Password)),
            Just(Event::SecondFactor(Method::Passkey)),
            Just(passkey(user())),
            Just(passkey(other())),
            Just(Event::Enrolled(Method::Otp)),
            Just(Event::Enrolled(Method::Passkey)),
            Just(Event::Enrolled(Method::Password)),
            Just(Event::CodeSent {
                email: "ada@shop.example".to_owned(),
                code: "sealed".to_owned(),
                at: Timestamp::from_secs(1)
            }),
            Just(Event::WrongEmailCode),
            Just(Event::EmailCode { user: user(), at: Timestamp::from_secs(1) }),
            Just(Event::Restart),
        ]
    }

    fn needs() -> impl Strategy<Value = Needs> {
        let mfa = prop_oneof![Just(MfaPolicy::Off), Just(MfaPolicy::Optional), Just(MfaPolicy::Required)];
        let acr = prop_oneof![Just(None), Just(Some(Acr::Aal1)), Just(Some(Acr::Aal2))];
        (mfa, acr, any::<bool>(), any::<bool>()).prop_map(|(mfa, acr, has_second_factor, email_code)| Needs {
            mfa,
            acr,
            has_second_factor,
            email_code,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The machine against the policy written down another way: whatever is sent, in whichever order, and however the needs
        /// change on the way, nobody is signed in who did not, since they last began, show the password or a passkey of their own
        /// and then what was needed at the end; nor where other people than theirs sign in.
        #[test]
        fn nobody_arrives_without_what_is_asked_of_them(steps in prop::collection::vec((events(), needs()), 0..12)) {
            let mut progress = Progress::default();
            let mut shown: Vec<Method> = vec![];
            let mut whose: Vec<UserId> = vec![];
            let mut asked: Option<Option<Slug>> = None;
            for (event, needs) in steps {
                let before = progress.clone();
                match before.clone().after(event.clone(), &needs) {
                    Err(OutOfOrder) => {},
                    Ok((next, proven)) => {
                        match &event {
                            Event::Restart => (shown, whose, asked) = (vec![], vec![], None),
                            Event::Belongs { tenant, .. } => (shown, whose, asked) = (vec![], vec![], Some(tenant.clone())),
                            Event::CodeSent { .. } | Event::WrongEmailCode => (shown, whose) = (vec![], vec![]),
                            // Where it is not enough by itself it counts for nothing.
                            Event::EmailCode { .. } if next != Progress::SignedIn => (shown, whose) = (vec![], vec![]),
                            Event::EmailCode { user, .. } => (shown, whose) = (vec![Method::EmailCode], vec![*user]),
                            Event::Password { user, .. } => (shown, whose) = (vec![Method::Password], vec![*user]),
                            Event::Passkey { user, .. } => {
                                shown.push(Method::Passkey);
                                whose.push(*user);
                            }
                            Event::SecondFactor(method) | Event::Enrolled(method) => shown.push(*method),
                        }
                        if next == Progress::SignedIn {
                            let proven = proven.expect("what was proven");
                            prop_assert_eq!(&proven.methods, &shown);
                            prop_assert!(!whose.is_empty() && whose.iter().all(|one| *one == proven.user), "{:?}", whose);
                            let by_passkey = shown.first() == Some(&Method::Passkey);
                            let by_letter = shown == [Method::EmailCode] && needs.email_code;
                            let by_password = shown.first() == Some(&Method::Password);
                            prop_assert!(by_passkey || by_letter || by_password, "{:?}", shown);
                            prop_assert!(!by_passkey || asked.is_none() || asked == Some(tenant_of(proven.user)));
                            let two = shown.contains(&Method::Otp) || shown.contains(&Method::RecoveryCode)
                                || shown.contains(&Method::Passkey);
                            let must = needs.mfa == MfaPolicy::Required
                                || needs.acr == Some(Acr::Aal2)
                                || (needs.mfa == MfaPolicy::Optional && needs.has_second_factor);
                            prop_assert!(two || !must, "{:?} {:?}", shown, needs);
                        }
                        progress = next;
                    }
                }
            }
        }
    }

    const PASSWORD_ONLY: Needs =
        Needs { mfa: MfaPolicy::Optional, acr: None, has_second_factor: false, email_code: false };

    fn password() -> Event {
        Event::Password { user: user(), at: Timestamp::from_secs(1), new_app: "sealed".to_owned() }
    }

    fn at_password() -> Progress {
        Progress::Password { tenant: None, email: None }
    }

    #[test]
    fn a_password_is_enough_where_nothing_more_is_asked() {
        assert_eq!(at_password().after(password(), &PASSWORD_ONLY).unwrap().0, Progress::SignedIn);
    }

    #[test]
    fn who_has_a_second_factor_is_asked_for_it_and_who_needs_one_sets_it_up() {
        let enrolled = Needs { has_second_factor: true, ..PASSWORD_ONLY };
        assert!(matches!(at_password().after(password(), &enrolled).unwrap().0, Progress::SecondFactor(_)));
        let off = Needs { mfa: MfaPolicy::Off, ..enrolled };
        assert_eq!(at_password().after(password(), &off).unwrap().0, Progress::SignedIn);
        let asked = Needs { acr: Some(Acr::Aal2), ..off };
        assert!(matches!(at_password().after(password(), &asked).unwrap().0, Progress::SecondFactor(_)));
        let required = Needs { mfa: MfaPolicy::Required, ..PASSWORD_ONLY };
        let (setting_up, _) = at_password().after(password(), &required).unwrap();
        assert!(matches!(&setting_up, Progress::Enrolment { secret, .. } if secret == "sealed"));
        for method in [Method::Otp, Method::Passkey] {
            let (arrived, proven) = setting_up.clone().after(Event::Enrolled(method), &required).unwrap();
            assert_eq!((arrived, proven.unwrap().methods), (Progress::SignedIn, vec![Method::Password, method]));
        }
        // What is set up is something to have: no further password, and no code by letter.
        for method in [Method::Password, Method::EmailCode, Method::RecoveryCode] {
            assert_eq!(setting_up.clone().after(Event::Enrolled(method), &required), Err(OutOfOrder));
        }
    }

    #[test]
    fn a_passkey_alone_is_enough_whatever_is_asked() {
        let strictest =
            Needs { mfa: MfaPolicy::Required, acr: Some(Acr::Aal2), has_second_factor: true, email_code: false };
        for first in [Progress::Organisation, at_password()] {
            let (arrived, proven) = first.after(passkey(user()), &strictest).unwrap();
            assert_eq!((arrived, proven.unwrap().methods), (Progress::SignedIn, vec![Method::Passkey]));
        }
    }

    #[test]
    fn a_passkey_counts_for_its_person_and_where_its_people_sign_in() {
        let needs = Needs { has_second_factor: true, ..PASSWORD_ONLY };
        let of = |tenant| Progress::Password { tenant, email: None };
        assert!(of(tenant_of(other())).after(passkey(other()), &needs).is_ok());
        assert_eq!(of(tenant_of(other())).after(passkey(user()), &needs), Err(OutOfOrder));
        assert_eq!(of(None).after(passkey(other()), &needs), Err(OutOfOrder));
        let (asked, _) = at_password().after(password(), &needs).unwrap();
        assert_eq!(asked.clone().after(passkey(other()), &needs), Err(OutOfOrder));
        let (arrived, proven) = asked.after(passkey(user()), &needs).unwrap();
        assert_eq!((arrived, proven.unwrap().methods), (Progress::SignedIn, vec![Method::Password, Method::Passkey]));
    }

    #[test]
    fn a_code_by_letter_does_for_a_password_where_the_tenant_says_so_and_never_for_two_factors() {
        let sent = || {
            let event = Event::CodeSent {
                email: "ada@shop.example".to_owned(),
                code: "sealed".to_owned(),
                at: Timestamp::from_secs(1),
            };
            at_password().after(event, &PASSWORD_ONLY).unwrap().0
        };
        let right = || Event::EmailCode { user: user(), at: Timestamp::from_secs(2) };
        let allowed = Needs { email_code: true, ..PASSWORD_ONLY };
        assert_eq!(sent().after(right(), &allowed).unwrap().0, Progress::SignedIn);
        for needs in [
            PASSWORD_ONLY,
            Needs { has_second_factor: true, ..allowed },
            Needs { mfa: MfaPolicy::Required, ..allowed },
            Needs { acr: Some(Acr::Aal2), ..allowed },
        ] {
            let (next, proven) = sent().after(right(), &needs).unwrap();
            assert!(matches!(next, Progress::Password { .. }) && proven.is_none(), "{needs:?}");
        }
        // Five guesses, and not one more.
        let mut progress = sent();
        for _ in 0..4 {
            progress = progress.after(Event::WrongEmailCode, &allowed).unwrap().0;
            assert!(matches!(progress, Progress::EmailCode { .. }));
        }
        progress = progress.after(Event::WrongEmailCode, &allowed).unwrap().0;
        assert_eq!(progress.after(right(), &allowed), Err(OutOfOrder));
    }

    #[test]
    fn a_policy_that_changes_on_the_way_counts() {
        let enrolled = Needs { has_second_factor: true, ..PASSWORD_ONLY };
        let (asked, _) = at_password().after(password(), &enrolled).unwrap();
        let required = Needs { mfa: MfaPolicy::Required, ..enrolled };
        assert_eq!(asked.clone().after(Event::SecondFactor(Method::Otp), &required).unwrap().0, Progress::SignedIn);
        // A code by letter is no second factor, whoever takes it for one.
        assert_eq!(asked.after(Event::SecondFactor(Method::EmailCode), &required), Err(OutOfOrder));
        assert_eq!(Progress::SignedIn.after(Event::Restart, &required), Err(OutOfOrder));
    }
}
