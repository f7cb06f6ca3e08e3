//! What holds for every parser of this crate whatever it is fed: one function per parser, which panics when it does not.
//!
//! These functions are the bodies of the fuzz targets in `fuzz/` and of the tests in `corpus.rs`.

use std::sync::OnceLock;

use ambit_core::cursor::{CursorError, Cursors};
use ambit_core::keys::{MasterKey, Vault};

/// Cursors of lists: no text is one but those we made, each has one spelling, and none is good for another list.
pub fn cursor(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let cursors = cursors();
    if let Ok(position) = cursors.open(&LIST, text) {
        assert_eq!(cursors.seal(&LIST, &position), text, "a cursor has one spelling");
        assert_eq!(cursors.open(&OTHER_LIST, text), Err(CursorError));
    }
    // Whatever position a list has reached, its cursor finds it again.
    let sealed = cursors.seal(&LIST, text);
    assert_eq!(cursors.open(&LIST, &sealed).as_deref(), Ok(text));
    assert!(sealed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "it goes into a URL as it is");
    let at = input.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte)) % sealed.len();
    let mut changed = sealed.into_bytes();
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("ASCII was put into ASCII");
    assert_eq!(cursors.open(&LIST, &changed), Err(CursorError));
    assert_eq!(cursors.open(&LIST, &changed[..at]), Err(CursorError));
}

/// Under a key that the corpus was made with.
fn cursors() -> &'static Cursors {
    static CURSORS: OnceLock<Cursors> = OnceLock::new();
    CURSORS.get_or_init(|| {
        let master = MasterKey::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("43 characters");
        Cursors::new(&Vault::new(&master).expect("a vault")).expect("a key")
    })
}

const LIST: [&str; 3] = ["client:a", "/tenants", "limit=50"];
const OTHER_LIST: [&str; 3] = ["client:b", "/tenants", "limit=50"];
