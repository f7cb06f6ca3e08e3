//! What a person shows beside their password: a code of an authenticator app (RFC 6238), or one of the recovery codes that were
//! written down for the day when the app is lost.

use std::fmt;

use ambit_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::Entropy;
use crate::secret::SecretHash;

/// What an authenticator app keeps: 160 random bits, as RFC 4226 §4 recommends.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<[u8; 20]>);

impl TotpSecret {
    /// A new one.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0; 20]);
        entropy.fill(random.as_mut());
        Self(random)
    }

    /// From the octets that are kept.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The octets to keep.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// What is typed into an app that cannot see the picture: base32, in groups of four.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(Secret::from(*self.0).to_base32());
        let groups: Vec<&str> = text.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        Zeroizing::new(groups.join(" "))
    }

    /// What the picture says: an `otpauth` address. None where the names make none.
    #[must_use]
    pub fn expose_address(&self, issuer: &str, account: &str) -> Option<Zeroizing<String>> {
        // A colon stands between the two.
        let plain = |name: &str| name.replace(':', " ");
        let totp = self.builder().with_issuer(Some(plain(issuer))).with_account_name(plain(account)).build().ok()?;
        totp.to_url().ok().map(Zeroizing::new)
    }

    /// The step whose code this is, of those just before, at and just after a moment (RFC 6238 §5.2: "at most one time step").
    /// The caller sees to it that a step counts once (ibid.: "The verifier MUST NOT accept the second attempt of the OTP").
    #[must_use]
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<u64> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        self.totp()?.check(&digits, u64::try_from(now.secs()).ok()?)
    }

    /// The code of a moment, as an app shows it.
    #[must_use]
    pub fn code_at(&self, now: Timestamp) -> Option<String> {
        Some(self.totp()?.generate(u64::try_from(now.secs()).ok()?).to_string())
    }

    fn totp(&self) -> Option<Totp> {
        self.builder().build().ok()
    }

    /// Six digits of SHA-1 each thirty seconds: what every app can do, whatever else an address asks of it.
    fn builder(&self) -> Builder {
        Builder::new().with_secret(*self.0)
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret([REDACTED])")
    }
}

/// The recovery codes of a person that can still be used, as hashes: each carries 80 random bits, so there is nothing to guess.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCodes(Vec<[u8; 32]>);

/// Recovery codes in the clear, for the one page that shows them.
pub struct ShownCodes(Vec<String>);

impl RecoveryCodes {
    /// New ones.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> (Self, ShownCodes) {
        let shown: Vec<String> = (0..HOW_MANY)
            .map(|_| {
                let mut random = Zeroizing::new([0; CODE_LETTERS]);
                entropy.fill(random.as_mut());
                let letters = random.iter().map(|octet| char::from(ALPHABET[usize::from(octet & 31)]));
                let mut code = String::with_capacity(CODE_LETTERS + 3);
                for (place, letter) in letters.enumerate() {
                    if place > 0 && place.is_multiple_of(4) {
                        code.push('-');
                    }
                    code.push(letter);
                }
                code
            })
            .collect();
        (Self(shown.iter().map(|code| *hash(code).as_bytes()).collect()), ShownCodes(shown))
    }

    /// Takes a code out, if it is one of them.
    #[must_use]
    pub fn without(&self, code: &str) -> Option<Self> {
        let presented = hash(code);
        let left: Vec<_> = self.0.iter().filter(|kept| !is_same(kept, &presented)).copied().collect();
        (left.len() < self.0.len()).then_some(Self(left))
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoveryCodes({} [REDACTED])", self.0.len())
    }
}

impl ShownCodes {
    /// The codes.
    #[must_use]
    pub fn expose_secret(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Debug for ShownCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownCodes([REDACTED])")
    }
}

impl Drop for ShownCodes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn is_same(kept: &[u8; 32], presented: &SecretHash) -> bool {
    SecretHash::from_bytes(kept).is_some_and(|kept| kept.matches(presented))
}

/// However somebody spaces it and whichever case they read: what looks alike is one letter (Crockford's base32).
fn hash(code: &str) -> SecretHash {
    let letters: Zeroizing<String> = Zeroizing::new(
        code.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| match letter.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            })
            .collect(),
    );
    SecretHash::of(&letters)
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const HOW_MANY: usize = 10;
/// Of five bits each.
const CODE_LETTERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Counting(std::sync::atomic::AtomicU32);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| {
                let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                count.wrapping_mul(2_654_435_761).to_be_bytes()[0]
            });
        }
    }

    const SECRET: &[u8; 20] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = TotpSecret::from_bytes(SECRET).unwrap();
        // RFC 6238, appendix B, the last six of its eight digits.
        for (secs, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(secret.code_at(Timestamp::from_secs(secs)).as_deref(), Some(code));
            assert_eq!(secret.step_of(code, Timestamp::from_secs(secs)), Some(secs.unsigned_abs() / 30));
        }
    }

    #[test]
    fn one_step_before_and_after_are_taken_and_not_two() {
        let secret = TotpSecret::from_bytes(SECRET).unwrap();
        let at = |secs| Timestamp::from_secs(secs);
        // The code of the seconds 30 to 59.
        let step_at = |secs| secret.step_of("287082", at(secs));
        assert_eq!([step_at(0), step_at(29), step_at(30), step_at(59), step_at(89)], [Some(1); 5]);
        assert_eq!(step_at(90), None);
        assert_eq!(secret.step_of(" 287 082 ", at(59)), Some(1));
        for wrong in ["", "28708", "2870820", "287083", "28708a", "２８７０８２"] {
            assert_eq!(secret.step_of(wrong, at(59)), None, "{wrong}");
        }
    }

    #[test]
    fn an_app_is_told_by_picture_and_by_text() {
        let secret = TotpSecret::from_bytes(SECRET).unwrap();
        assert_eq!(*secret.expose_text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        let address = secret.expose_address("Shop: one", "ada@example.com").unwrap();
        assert!(address.starts_with("otpauth://totp/Shop"), "{}", *address);
        assert!(address.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *address);
        assert!(!format!("{secret:?}").contains("GEZD"));
    }

    #[test]
    fn a_recovery_code_is_good_once_however_it_is_typed() {
        let (codes, shown) = RecoveryCodes::generate(&Counting(0.into()));
        assert_eq!((codes.left(), shown.expose_secret().len()), (10, 10));
        let first = &shown.expose_secret()[0];
        assert_eq!(first.len(), 19);
        let typed = first.to_uppercase().replace('-', " ").replace('0', "O");
        let left = codes.without(&typed).unwrap();
        assert_eq!(left.left(), 9);
        assert_eq!(left.without(first), None);
        assert_eq!(codes.without(""), None);
        assert_eq!(codes.without("0000-0000-0000-0000"), None);
        assert!(!format!("{codes:?} {shown:?}").contains(first.as_str()));
    }
}
