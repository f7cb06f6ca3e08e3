//! Cursors of lists: opaque to whoever carries them, authenticated, and bound to the caller and the list they were made for.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::keys::{Vault, VaultError};

/// Makes and reads cursors.
pub struct Cursors {
    key: Key,
}

/// A text that is no cursor of this caller and this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no cursor of this list; take the one that the page before answered, with the same filters and the same client"
)]
pub struct CursorError;

impl Cursors {
    /// Under a key of its own, derived from the master key: the cursors of one node are good on every other.
    ///
    /// # Errors
    /// [`VaultError::Crypto`] where the crypto library fails.
    pub fn new(vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self { key: Key::new(HMAC_SHA256, vault.subkey("ambit cursor v1")?.as_ref()) })
    }

    /// A cursor that says where the next page of a list begins. `binding` is whatever must be the same when it comes back:
    /// the caller, its reach, the list and its filters.
    #[must_use]
    pub fn seal(&self, binding: &[&str], position: &str) -> String {
        let mut bytes = self.tag(binding, position).to_vec();
        bytes.extend_from_slice(position.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor.
    ///
    /// # Errors
    /// [`CursorError`] for every other text, and for a cursor of somebody or something else.
    pub fn open(&self, binding: &[&str], cursor: &str) -> Result<String, CursorError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| CursorError)?;
        let (tag, position) = bytes.split_at_checked(TAG).ok_or(CursorError)?;
        let position = std::str::from_utf8(position).map_err(|_| CursorError)?;
        let expected = self.tag(binding, position);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, tag).map_err(|_| CursorError)?;
        Ok(position.to_owned())
    }

    fn tag(&self, binding: &[&str], position: &str) -> [u8; TAG] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in binding.iter().copied().chain([position]) {
            // Each part with its length before it: no two lists of parts make one text.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut tag = [0; TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG]);
        tag
    }
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursors([REDACTED])")
    }
}

/// 128 bits: nobody guesses one.
const TAG: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entropy::Entropy;
    use crate::keys::MasterKey;

    #[derive(Debug)]
    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn cursors(seed: u8) -> Cursors {
        Cursors::new(&Vault::new(&MasterKey::generate(&Same(seed))).unwrap()).unwrap()
    }

    #[test]
    fn a_cursor_opens_for_its_caller_and_its_list_only() {
        let cursors = cursors(1);
        let cursor = cursors.seal(&["client:a", "/tenants", "x=1"], "tnt_1");
        assert_eq!(cursors.open(&["client:a", "/tenants", "x=1"], &cursor), Ok("tnt_1".to_owned()));
        for other in [
            &["client:b", "/tenants", "x=1"][..],
            &["client:a", "/partners", "x=1"],
            &["client:a", "/tenants", "x=2"],
            &["client:a/tenants", "x=1"],
            &["client:a", "/tenants", "x=1", ""],
            &[],
        ] {
            assert_eq!(cursors.open(other, &cursor), Err(CursorError), "{other:?}");
        }
        assert_eq!(self::cursors(2).open(&["client:a", "/tenants", "x=1"], &cursor), Err(CursorError));
    }

    #[test]
    fn an_altered_or_shortened_cursor_is_refused() {
        let cursors = cursors(1);
        let cursor = cursors.seal(&["a"], "tnt_1");
        for place in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            assert!(cursors.open(&["a"], std::str::from_utf8(&altered).unwrap()).is_err(), "octet {place}");
            assert!(cursors.open(&["a"], &cursor[..place]).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_cursor_by_chance_and_none_panics(text in "\\PC*|[A-Za-z0-9_-]{0,80}") {
            prop_assert_eq!(cursors(1).open(&["a"], &text), Err(CursorError));
        }

        #[test]
        fn every_position_reads_back(position in "\\PC*", binding in "\\PC*") {
            let cursors = cursors(1);
            let cursor = cursors.seal(&[&binding], &position);
            prop_assert_eq!(cursors.open(&[&binding], &cursor), Ok(position));
        }
    }
}
