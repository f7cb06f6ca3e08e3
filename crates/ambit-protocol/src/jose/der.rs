//! As much DER as an RSA public key is made of.

/// Takes `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 §A.1.1) apart. Both numbers
/// come back big-endian without the sign octet.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, rest) = element(der, SEQUENCE)?;
    let (modulus, after) = element(sequence, INTEGER)?;
    let (exponent, end) = element(after, INTEGER)?;
    (rest.is_empty() && end.is_empty()).then_some((unsigned(modulus), unsigned(exponent)))
}

fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        // The long form: so many octets of length follow. Two are enough for any key.
        0x81..=0x82 => {
            let (len, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (len.iter().fold(0, |len, octet| len << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    (first == tag).then(|| rest.split_at_checked(len)).flatten()
}

fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modulus_and_exponent_come_without_the_sign_octet() {
        let der = [0x30, 0x09, 0x02, 0x02, 0x00, 0x81, 0x02, 0x03, 0x01, 0x00, 0x01];
        assert_eq!(rsa_public_key(&der), Some((&[0x81][..], &[1, 0, 1][..])));
    }

    #[test]
    fn what_is_cut_short_or_goes_on_is_none() {
        let der = [0x30, 0x09, 0x02, 0x02, 0x00, 0x81, 0x02, 0x03, 0x01, 0x00, 0x01];
        for len in 0..der.len() {
            assert_eq!(rsa_public_key(&der[..len]), None);
        }
        assert_eq!(rsa_public_key(&[&der[..], &[0]].concat()), None);
        assert_eq!(rsa_public_key(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
