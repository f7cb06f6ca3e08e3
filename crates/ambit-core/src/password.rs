//! Passwords: kept as Argon2id; the hashes of other systems are taken over and replaced at the first sign-in.
//!
//! A password is what was typed, in Unicode's compatibility form (NFKC), so that another keyboard for the same letters gives the
//! same password (NIST SP 800-63B §5.1.1.2: "the verifier SHOULD apply the Normalization Process for Stabilized Strings using
//! either the NFKC or NFKD normalization"). A hash from elsewhere was made of what was typed there, and is compared with that.
//! There are no rules about which characters it has, and nobody has to change it now and then (ibid.): it is long enough, and it
//! is not the person's own address.
//!
//! Whoever calls [`hash`] or [`verify`] keeps a processor busy for a while and takes up to [`MOST_MEMORY`]: both belong on threads
//! of their own.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use password_hash::phc::PasswordHash as Phc;
use pbkdf2::Pbkdf2;
use scrypt::Scrypt;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::Entropy;

/// A password in the clear, as it was typed.
pub struct Password(Zeroizing<String>);

/// Why a text is no password at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password has 1 to 1024 octets")]
pub struct PasswordError;

/// Why a password may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is shorter than the tenant asks for.
    #[error("has at least {least} characters")]
    Short {
        /// The least, in characters.
        least: u32,
    },
    /// Whoever knows whose it is knows it.
    #[error("is not the address it belongs to")]
    IsTheAddress,
}

impl Password {
    /// A password as it was typed.
    ///
    /// # Errors
    /// [`PasswordError`] where nothing was typed, or more than anybody types.
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() || text.len() > MOST_OCTETS {
            return Err(PasswordError);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Whether somebody may choose it.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn check(&self, least: u32, email: &str) -> Result<(), Unfit> {
        let normalized = self.normalized();
        let least = least.max(LEAST_CHARACTERS);
        // SP 800-63B §5.1.1.2: "each Unicode code point SHALL be counted as a single character".
        if normalized.chars().count() < least as usize {
            return Err(Unfit::Short { least });
        }
        if normalized.to_lowercase() == email.to_lowercase() {
            return Err(Unfit::IsTheAddress);
        }
        Ok(())
    }

    fn normalized(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.nfkc().collect())
    }
}

/// A password that nobody chose, in groups of four letters that are not mistaken for each other: 120 random bits, and as long as
/// is asked for.
#[must_use]
pub fn generate(least: u32, entropy: &dyn Entropy) -> Zeroizing<String> {
    let letters = (least as usize).max(GENERATED_LETTERS).next_multiple_of(4);
    let mut random = Zeroizing::new(vec![0; letters]);
    entropy.fill(&mut random);
    let mut text = Zeroizing::new(String::with_capacity(letters + letters / 4));
    for (place, octet) in random.iter().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(octet & 31)]));
    }
    text
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([REDACTED])")
    }
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPassword {
    hash: String,
    /// It was made by another system.
    is_foreign: bool,
}

/// Why a hash cannot be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignHashError {
    /// It is of no kind that can be verified here.
    #[error(
        "is an Argon2, scrypt or PBKDF2 hash in PHC form ($argon2id$…, $scrypt$…, $pbkdf2-sha256$…), or bcrypt ($2b$…)"
    )]
    Kind,
    /// Each sign-in would cost more than a server can afford.
    #[error("asks for more work or memory than one sign-in may cost")]
    Costly,
}

impl KeptPassword {
    /// Takes a hash of another system over.
    ///
    /// # Errors
    /// [`ForeignHashError`].
    pub fn take_over(hash: &str) -> Result<Self, ForeignHashError> {
        if hash.len() > MOST_OCTETS {
            return Err(ForeignHashError::Kind);
        }
        check_cost(hash)?;
        Ok(Self { hash: hash.to_owned(), is_foreign: true })
    }

    /// One that no password has: where there is no account, its work is done all the same.
    #[must_use]
    pub fn nobodys() -> Self {
        // Of the cost of a real one. Nobody knows a password whose hash is all zeros.
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        Self { hash: hash.to_owned(), is_foreign: false }
    }
}

impl fmt::Debug for KeptPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptPassword([REDACTED])")
    }
}

impl Drop for KeptPassword {
    fn drop(&mut self) {
        self.hash.zeroize();
    }
}

/// Whether a password is the one that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Right,
    /// It is, and what is kept of it should be made anew.
    RightAndOutdated,
    /// It is not.
    Wrong,
}

/// The crypto library failed, or what is kept cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// What is kept of a password: Argon2id, 19 MiB, twice (OWASP Password Storage Cheat Sheet), with a salt of its own.
///
/// # Errors
/// [`HashError`].
pub fn hash(password: &Password, entropy: &dyn Entropy) -> Result<KeptPassword, HashError> {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    let made = argon2id()?
        .hash_password_with_salt(password.normalized().as_bytes(), &salt)
        .map_err(|error| HashError(error.into()))?;
    Ok(KeptPassword { hash: made.to_string(), is_foreign: false })
}

/// Whether a password is the one that is kept.
///
/// # Errors
/// [`HashError`].
pub fn verify(password: &Password, kept: &KeptPassword) -> Result<Verdict, HashError> {
    if !kept.is_foreign {
        let kept_hash = Phc::new(&kept.hash).map_err(|error| HashError(error.into()))?;
        return verdict(
            argon2id()?.verify_password(password.normalized().as_bytes(), &kept_hash),
            is_as_made_now(&kept_hash),
        );
    }
    let typed = password.0.as_bytes();
    if is_bcrypt(&kept.hash) {
        // bcrypt looks at the first 72 octets only, there and so here; what is made anew looks at all of them.
        let is_right = bcrypt::verify(typed, &kept.hash).map_err(|error| HashError(error.to_string().into()))?;
        return Ok(if is_right { Verdict::RightAndOutdated } else { Verdict::Wrong });
    }
    let hash = Phc::new(&kept.hash).map_err(|error| HashError(error.into()))?;
    let outcome = match hash.algorithm.as_str() {
        "scrypt" => Scrypt::default().verify_password(typed, &hash),
        name if name.starts_with("argon2") => Argon2::default().verify_password(typed, &hash),
        _ => Pbkdf2::default().verify_password(typed, &hash),
    };
    verdict(outcome, false)
}

fn verdict(outcome: password_hash::Result<()>, is_as_made_now: bool) -> Result<Verdict, HashError> {
    match outcome {
        Ok(()) if is_as_made_now => Ok(Verdict::Right),
        Ok(()) => Ok(Verdict::RightAndOutdated),
        Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(HashError(error.into())),
    }
}

fn argon2id() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashError(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn is_as_made_now(hash: &Phc) -> bool {
    let is = |name, wanted| hash.params.get_decimal(name) == Some(wanted);
    hash.algorithm.as_str() == "argon2id" && is("m", MEMORY_KIB) && is("t", PASSES) && is("p", LANES)
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$", "$2x$"].iter().any(|prefix| hash.starts_with(prefix))
}

/// Whoever may hand hashes in must not be able to make each sign-in of a person cost gigabytes or minutes.
fn check_cost(hash: &str) -> Result<(), ForeignHashError> {
    if is_bcrypt(hash) {
        let parts: bcrypt::HashParts = hash.parse().map_err(|_| ForeignHashError::Kind)?;
        return affordable(parts.get_cost() <= 14);
    }
    let parsed = Phc::new(hash).map_err(|_| ForeignHashError::Kind)?;
    // A hash without its output says nothing about a password.
    if parsed.salt.is_none() || parsed.hash.is_none() {
        return Err(ForeignHashError::Kind);
    }
    match parsed.algorithm.as_str() {
        "argon2id" | "argon2i" | "argon2d" => {
            let params = Params::try_from(&parsed).map_err(|_| ForeignHashError::Kind)?;
            let is_little = params.m_cost() as usize <= MOST_MEMORY / 1024 && params.t_cost() <= 16;
            affordable(is_little && params.p_cost() <= 16)
        }
        "scrypt" => {
            let params = scrypt::Params::try_from(&parsed).map_err(|_| ForeignHashError::Kind)?;
            let memory = 128_u128 * u128::from(params.n()) * u128::from(params.r());
            affordable(memory <= MOST_MEMORY as u128 && params.p() <= 16)
        }
        "pbkdf2-sha256" | "pbkdf2-sha512" => {
            let params = pbkdf2::Params::try_from(&parsed).map_err(|_| ForeignHashError::Kind)?;
            affordable(params.rounds() <= 2_000_000)
        }
        _ => Err(ForeignHashError::Kind),
    }
}

fn affordable(holds: bool) -> Result<(), ForeignHashError> {
    if holds { Ok(()) } else { Err(ForeignHashError::Costly) }
}

/// SP 800-63B §5.1.1.2: "at least 8 characters", whatever a tenant says.
pub const LEAST_CHARACTERS: u32 = 8;
/// The most memory that one verification takes, in octets.
pub const MOST_MEMORY: usize = 64 << 20;
const MOST_OCTETS: usize = 1024;
/// Of five bits each.
const GENERATED_LETTERS: usize = 24;
/// Crockford's base32.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nines;

    impl Entropy for Nines {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn a_password_is_right_in_whichever_form_its_letters_are_typed() {
        let kept = hash(&password("Å ﬁne long password"), &Nines).unwrap();
        assert_eq!(verify(&password("A\u{30a} fine long password"), &kept).unwrap(), Verdict::Right);
        assert_eq!(verify(&password("Å Fine long password"), &kept).unwrap(), Verdict::Wrong);
        assert!(!format!("{kept:?} {:?}", password("secret")).contains("argon2"));
    }

    #[test]
    fn a_generated_password_may_be_chosen_whatever_is_asked_for() {
        assert_eq!(*generate(8, &Nines), "9999-9999-9999-9999-9999-9999");
        for least in [0, 8, 24, 25, 64] {
            let text = generate(least, &Nines);
            assert_eq!(password(&text).check(least, "ada@example.com"), Ok(()), "{least}");
            assert!(text.len() <= 79 && text.split('-').all(|group| group.len() == 4), "{least}: {}", *text);
        }
    }

    #[test]
    fn nobody_has_the_password_of_nobody() {
        assert_eq!(verify(&password("x"), &KeptPassword::nobodys()).unwrap(), Verdict::Wrong);
        // It takes as long as a real one.
        assert!(is_as_made_now(&Phc::new(&KeptPassword::nobodys().hash).unwrap()));
    }

    /// Passwords and their hashes, each made by another system: Python's hashlib, libxcrypt, the reference of Argon2.
    const FOREIGN: [(&str, &str); 5] = [
        (
            "correct horse battery",
            "$pbkdf2-sha256$i=10000,l=32$AAECAwQFBgcICQoLDA0ODw$X+DILeVuX9mNHCAvEDeDlaquCYUTD7rdkkZXdsCyl/Q",
        ),
        (
            "correct horse battery",
            "$pbkdf2-sha512$i=10000,l=32$AAECAwQFBgcICQoLDA0ODw$FPHa43T6sXOg7xCVIweUHQrmWPZVLHnoAp+OQQEbCHA",
        ),
        (
            "correct horse battery",
            "$scrypt$ln=12,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$mQODSPipO7v2IkeXX6QyBSRUHAy5goafrJaPOn9CN2o",
        ),
        ("correct horse battery", "$2b$04$C6UzMDM.H6dfI/f/IKcEeOkhxo1KUPwSjcCpMfes7QENxuCrDQjau"),
        ("password", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"),
    ];

    #[test]
    fn hashes_of_other_systems_are_verified_and_to_be_made_anew() {
        for (text, foreign) in FOREIGN {
            let kept = KeptPassword::take_over(foreign).unwrap();
            assert_eq!(verify(&password(text), &kept).unwrap(), Verdict::RightAndOutdated, "{foreign}");
            assert_eq!(verify(&password("correct horse batterz"), &kept).unwrap(), Verdict::Wrong, "{foreign}");
        }
    }

    #[test]
    fn what_cannot_be_verified_or_costs_too_much_is_not_taken_over() {
        for (hash, error) in [
            ("", ForeignHashError::Kind),
            ("correct horse battery", ForeignHashError::Kind),
            ("5f4dcc3b5aa765d61d8327deb882cf99", ForeignHashError::Kind),
            ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", ForeignHashError::Kind),
            ("$2b$12$short", ForeignHashError::Kind),
            ("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA", ForeignHashError::Kind),
            ("$2b$15$C6UzMDM.H6dfI/f/IKcEeO7ZkTgT1sM/B1H3NQ2yB0j8lGZ5mQ2ha", ForeignHashError::Costly),
            (
                "$argon2id$v=19$m=65537,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                ForeignHashError::Costly,
            ),
            (
                "$scrypt$ln=20,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                ForeignHashError::Costly,
            ),
            (
                "$pbkdf2-sha256$i=2000001$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                ForeignHashError::Costly,
            ),
        ] {
            assert_eq!(KeptPassword::take_over(hash).unwrap_err(), error, "{hash}");
        }
        assert!(KeptPassword::take_over(&"$".repeat(1025)).is_err());
    }

    #[test]
    fn a_password_is_long_enough_and_not_the_address() {
        let check = |text: &str, least| password(text).check(least, "Ada@Example.com");
        assert_eq!(check("eleven char", 12), Err(Unfit::Short { least: 12 }));
        assert_eq!(check("twelve chars", 12), Ok(()));
        assert_eq!(check("seven77", 1), Err(Unfit::Short { least: 8 }));
        assert_eq!(check("eight888", 1), Ok(()));
        assert_eq!(check("密码密码密码密码", 8), Ok(()));
        assert_eq!(check("ADA@example.COM", 8), Err(Unfit::IsTheAddress));
        assert!(Password::new("").is_err());
        assert!(Password::new(&"x".repeat(1025)).is_err());
        assert!(Password::new(&"x".repeat(1024)).is_ok());
    }
}
