//! `rsadecrypt`: RSA with the padding of PKCS #1 v1.5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::{Computed, failed, wrong};

/// Largest modulus, in bits.
const LARGEST: u64 = 16_384;

/// Decrypts a text that is encoded in base64, with a private key in PEM.
pub fn decrypt(encoded: &str, key: &str) -> Computed<String> {
    let bytes = STANDARD.decode(encoded).map_err(|_| {
        wrong(
            0,
            format!("failed to decode input {encoded:?}: cipher text must be base64-encoded"),
        )
    })?;
    let (modulus, exponent) =
        read(key).ok_or_else(|| wrong(1, "failed to parse key: this is no RSA key in PEM"))?;
    let failed = || failed("failed to decrypt: crypto/rsa: decryption error");
    let cipher = BigUint::from_bytes_be(&bytes);
    if cipher >= modulus || modulus.bits() > LARGEST {
        return Err(failed());
    }
    let plain = cipher.modpow(&exponent, &modulus).to_bytes_be();
    // 0x00 0x02, random bytes that are not zero, 0x00, the message. The first byte is gone: it is zero.
    let (first, rest) = plain.split_first().ok_or_else(failed)?;
    let size = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(0);
    let end = rest.iter().position(|byte| *byte == 0).ok_or_else(failed)?;
    if *first != 2 || plain.len() + 1 != size || end < 8 {
        return Err(failed());
    }
    String::from_utf8(rest[end + 1..].to_vec()).map_err(|_| failed())
}

/// Returns the modulus and the private exponent of a key.
fn read(pem: &str) -> Option<(BigUint, BigUint)> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs1(key) => pkcs1(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => {
            // SEQUENCE { version, SEQUENCE { algorithm }, OCTET STRING { the key of PKCS #1 } }
            let (0x30, inner, _) = element(key.secret_pkcs8_der())? else {
                return None;
            };
            let (_, _, rest) = element(inner)?;
            let (_, _, rest) = element(rest)?;
            let (_, key, _) = element(rest)?;
            pkcs1(key)
        }
        _ => None,
    }
}

fn pkcs1(der: &[u8]) -> Option<(BigUint, BigUint)> {
    // SEQUENCE { version, modulus, public exponent, private exponent, ... }
    let (0x30, inner, _) = element(der)? else {
        return None;
    };
    let (_, _, rest) = element(inner)?;
    let (_, modulus, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, exponent, _) = element(rest)?;
    Some((
        BigUint::from_bytes_be(modulus),
        BigUint::from_bytes_be(exponent),
    ))
}

/// Splits the first element of DER: its tag, its contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}
