//! JOSE, as much of it as an authorization server needs: JWS in compact form with four algorithms, over aws-lc-rs.
//!
//! Rules that hold everywhere in here:
//!
//! 1. A key and its algorithm are one thing. The header's `alg` never chooses how a key is used (RFC 8725 §3.1).
//! 2. A key is parsed once, when it arrives, and used many times.
//! 3. A payload is unreachable until its signature has been verified: see [`jws`].
//! 4. There is no decryption, no `none`, no shared-secret algorithm, and nothing is ever fetched because a header
//!    says so (`jku`, `x5u`, `jwk` and `x5c` are not looked at).

pub mod algorithm;
mod der;
pub mod jwk;
pub mod jwk_set;
pub mod jws;
pub mod signer;
pub(crate) mod strict_json;
pub mod verifying;
#[cfg(test)]
mod wycheproof_tests;

pub use algorithm::Algorithm;
pub use jwk::Jwk;
pub use jwk_set::JwkSet;
pub use jws::KeySource;
pub use signer::{JwsHeader, SigningKey};
pub use verifying::{VerifyingKey, VerifyingKeys};

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// base64url without padding; when decoding, stray low bits in the last character are an error, so that one value has
/// one spelling (RFC 7515 §2, RFC 4648 §3.5).
pub(crate) const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}
