//! Private keys from files: OpenSSH's own format, and PEM (PKCS#1, PKCS#8, SEC1).
//!
//! The agent of this program signs with them. Keys with a passphrase, keys on devices and types that are hardly
//! used any more belong into an agent of the user.

use std::fmt;
use std::sync::Arc;

use num_bigint::BigUint;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RsaEncoding, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{Mpint, PrivateKey};

use super::wire::{put_integer, put_string};

/// The first line of a file in OpenSSH's format.
const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";

/// What a PEM file with a passphrase contains, in its header (PKCS#1, SEC1) or its first line (PKCS#8).
const ENCRYPTED: [&str; 2] = ["Proc-Type: 4,ENCRYPTED", "BEGIN ENCRYPTED PRIVATE KEY"];

/// Flags of a request: the digest of an RSA signature. Without a flag it is SHA-1, which servers refuse today.
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// The reason why a file contains no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The file contains no private key.
    #[error("ssh: no key found")]
    NoKey,
    /// The key has a passphrase.
    #[error("ssh: this private key is passphrase protected")]
    Passphrase,
    /// The key is of a type, or has a size, that is not supported.
    #[error(
        "ssh: unsupported key type; Ed25519, RSA (2048 to 4096 bits) and ECDSA (P-256, P-384) are supported"
    )]
    Unsupported,
    /// The key is damaged.
    #[error("ssh: the private key is malformed")]
    Malformed,
}

/// A private key.
#[derive(Clone)]
pub struct Key {
    /// The public key, as servers and agents name it.
    public: Vec<u8>,
    comment: String,
    signer: Arc<Signer>,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, &'static Curve),
}

/// An elliptic curve of ECDSA.
struct Curve {
    name: &'static str,
    signing: &'static EcdsaSigningAlgorithm,
    /// `AlgorithmIdentifier` of a key in PKCS#8.
    identifier: &'static [u8],
}

static CURVES: [Curve; 2] = [
    Curve {
        name: "nistp256",
        signing: &ECDSA_P256_SHA256_FIXED_SIGNING,
        identifier:
            b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    },
    Curve {
        name: "nistp384",
        signing: &ECDSA_P384_SHA384_FIXED_SIGNING,
        identifier: b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
    },
];

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("comment", &self.comment)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Reads the text of a file with a private key.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no key, or why it cannot be used.
    pub fn parse(text: &[u8]) -> Result<Self, KeyFault> {
        let words = String::from_utf8_lossy(text);
        if words.contains(OPENSSH) {
            return openssh(words.trim());
        }
        if ENCRYPTED.iter().any(|mark| words.contains(mark)) {
            return Err(KeyFault::Passphrase);
        }
        let signer = match PrivateKeyDer::from_pem_slice(text) {
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map(Signer::Rsa)
                .map_err(|_| KeyFault::Unsupported)?,
            Ok(PrivateKeyDer::Pkcs8(der)) => pkcs8(der.secret_pkcs8_der())?,
            Ok(PrivateKeyDer::Sec1(der)) => sec1(der.secret_sec1_der())?,
            Ok(_) => return Err(KeyFault::Unsupported),
            Err(_) if words.contains("PRIVATE KEY-----") => return Err(KeyFault::Malformed),
            Err(_) => return Err(KeyFault::NoKey),
        };
        Ok(Self::new(signer, ""))
    }

    fn new(signer: Signer, comment: &str) -> Self {
        let mut public = Vec::new();
        match &signer {
            Signer::Ed25519(pair) => {
                put_string(&mut public, b"ssh-ed25519");
                put_string(&mut public, pair.public_key().as_ref());
            }
            Signer::Rsa(pair) => {
                let key = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                put_string(&mut public, b"ssh-rsa");
                put_integer(&mut public, &key.e);
                put_integer(&mut public, &key.n);
            }
            Signer::Ecdsa(pair, curve) => {
                put_string(&mut public, format!("ecdsa-sha2-{}", curve.name).as_bytes());
                put_string(&mut public, curve.name.as_bytes());
                put_string(&mut public, pair.public_key().as_ref());
            }
        }
        Self {
            public,
            comment: comment.to_owned(),
            signer: Arc::new(signer),
        }
    }

    /// Returns the public key, as servers and agents name it.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Returns the comment of the key.
    pub(super) fn comment(&self) -> &str {
        &self.comment
    }

    /// Returns a signature, with the name of its algorithm; `None` if the algorithm that the flags request is not
    /// supported.
    pub(super) fn sign(&self, data: &[u8], flags: u32) -> Option<Vec<u8>> {
        let mut signature = Vec::new();
        match &*self.signer {
            Signer::Ed25519(pair) => {
                put_string(&mut signature, b"ssh-ed25519");
                put_string(&mut signature, pair.sign(data).as_ref());
            }
            Signer::Rsa(pair) => {
                let (name, padding): (&[u8], &dyn RsaEncoding) = match flags {
                    flags if flags & RSA_SHA2_512 != 0 => (b"rsa-sha2-512", &RSA_PKCS1_SHA512),
                    flags if flags & RSA_SHA2_256 != 0 => (b"rsa-sha2-256", &RSA_PKCS1_SHA256),
                    _ => return None,
                };
                let mut bytes = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &SystemRandom::new(), data, &mut bytes)
                    .ok()?;
                put_string(&mut signature, name);
                put_string(&mut signature, &bytes);
            }
            Signer::Ecdsa(pair, curve) => {
                let numbers = pair.sign(&SystemRandom::new(), data).ok()?;
                let numbers = numbers.as_ref();
                let (r, s) = numbers.split_at(numbers.len() / 2);
                let mut both = Vec::new();
                put_integer(&mut both, r);
                put_integer(&mut both, s);
                put_string(
                    &mut signature,
                    format!("ecdsa-sha2-{}", curve.name).as_bytes(),
                );
                put_string(&mut signature, &both);
            }
        }
        Some(signature)
    }
}

/// Reads a key in OpenSSH's format.
fn openssh(text: &str) -> Result<Key, KeyFault> {
    let key = PrivateKey::from_openssh(text).map_err(|error| match error {
        ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
            KeyFault::Unsupported
        }
        _ => KeyFault::Malformed,
    })?;
    let signer = match key.key_data() {
        KeypairData::Encrypted(_) => return Err(KeyFault::Passphrase),
        KeypairData::Ed25519(pair) => {
            Ed25519KeyPair::from_seed_and_public_key(&pair.private.to_bytes(), &pair.public.0)
                .map(Signer::Ed25519)
                .map_err(|_| KeyFault::Malformed)?
        }
        KeypairData::Rsa(pair) => rsa(pair)?,
        KeypairData::Ecdsa(pair) => {
            let name = pair.curve();
            let curve = CURVES.iter().find(|curve| curve.name == name.as_str());
            let curve = curve.ok_or(KeyFault::Unsupported)?;
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                curve.signing,
                pair.private_key_bytes(),
                pair.public_key_bytes(),
                &SystemRandom::new(),
            );
            Signer::Ecdsa(pair.map_err(|_| KeyFault::Malformed)?, curve)
        }
        _ => return Err(KeyFault::Unsupported),
    };
    Ok(Key::new(signer, key.comment()))
}

/// Completes an RSA key with the exponents that OpenSSH does not store.
fn rsa(pair: &RsaKeypair) -> Result<Signer, KeyFault> {
    let bytes = |number: &Mpint| {
        let bytes = number.as_positive_bytes().map(<[u8]>::to_vec);
        bytes.ok_or(KeyFault::Malformed)
    };
    let (d, p, q) = (
        bytes(&pair.private.d)?,
        bytes(&pair.private.p)?,
        bytes(&pair.private.q)?,
    );
    let exponent = |prime: &[u8]| {
        let one = BigUint::from(1_u8);
        let prime = BigUint::from_bytes_be(prime);
        match prime > one {
            true => Ok((BigUint::from_bytes_be(&d) % (prime - one)).to_bytes_be()),
            false => Err(KeyFault::Malformed),
        }
    };
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: bytes(&pair.public.n)?,
            e: bytes(&pair.public.e)?,
        },
        dP: exponent(&p)?,
        dQ: exponent(&q)?,
        qInv: bytes(&pair.private.iqmp)?,
        d: d.clone(),
        p,
        q,
    };
    RsaKeyPair::from_components(&components)
        .map(Signer::Rsa)
        .map_err(|_| KeyFault::Unsupported)
}

fn pkcs8(der: &[u8]) -> Result<Signer, KeyFault> {
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        return Ok(Signer::Ed25519(pair));
    }
    if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
        return Ok(Signer::Rsa(pair));
    }
    ecdsa(|_| der.to_vec()).ok_or(KeyFault::Unsupported)
}

/// Reads a key in the format of SEC1, which is the inner part of PKCS#8.
fn sec1(der: &[u8]) -> Result<Signer, KeyFault> {
    let element = |tag: u8, content: &[u8]| {
        let mut element = vec![tag];
        match u8::try_from(content.len()) {
            Ok(length @ 0..0x80) => element.push(length),
            Ok(length) => element.extend([0x81, length]),
            _ => {
                element.push(0x82);
                // Files with keys are shorter than 64 KiB of binary data, or this is no key.
                element.extend(u16::try_from(content.len()).unwrap_or(0).to_be_bytes());
            }
        }
        element.extend(content);
        element
    };
    let wrap = |curve: &Curve| {
        let key = element(4, der);
        element(0x30, &[b"\x02\x01\x00", curve.identifier, &key].concat())
    };
    ecdsa(wrap).ok_or(KeyFault::Unsupported)
}

fn ecdsa(document: impl Fn(&Curve) -> Vec<u8>) -> Option<Signer> {
    CURVES.iter().find_map(|curve| {
        let document = document(curve);
        let pair = EcdsaKeyPair::from_pkcs8(curve.signing, &document, &SystemRandom::new());
        Some(Signer::Ecdsa(pair.ok()?, curve))
    })
}

#[cfg(test)]
mod tests;
