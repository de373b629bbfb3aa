//! Checks files of certificates and keys.
//!
//! A user names such a file for one purpose. The content is checked before it is passed on, so that a
//! wrong path does not disclose another file. No error repeats content of the file.

use rustls_pki_types::pem::{PemObject as _, SectionKind};

/// Maximum size of a file with certificates or keys, in bytes. A bundle of all public authorities has
/// a quarter of that.
pub const LARGEST: u64 = 1 << 20;

/// The end of the first line of a private key, in all formats.
const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";

/// Texts that mark a key with a passphrase: in PKCS#8, and in the older format of OpenSSL.
const WITH_PASSPHRASE: [&[u8]; 2] = [
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
    b"Proc-Type: 4,ENCRYPTED",
];

/// The beginning of a key in OpenSSH's own format.
const OPENSSH: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";

/// The purpose of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Certificates of authorities to trust, and no private key.
    Authorities,
    /// A certificate with its chain. The key may be in the same file.
    Certificate,
    /// A private key without a passphrase.
    PrivateKey,
    /// Certificates, a private key, or both, when the purpose is not known yet.
    Any,
}

/// The reason why a file does not serve its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// The file does not contain the required kind.
    #[error("it has no {0} in it, in PEM format (-----BEGIN ...)")]
    Missing(&'static str),
    /// A block of the file is truncated, or its content does not match its first line.
    #[error("its block {0} (-----BEGIN ...) is damaged, or does not match its first line")]
    Damaged(usize),
    /// The file contains a private key, but only certificates are allowed.
    #[error(
        "it has a private key in it, but authorities need none; name a file that has only \
         certificates"
    )]
    UnwantedKey,
    /// The private key has a passphrase.
    #[error(
        "its private key has a passphrase, which is not supported; `openssl pkey -in KEY -out COPY` \
         writes a copy without one"
    )]
    WithPassphrase,
    /// The private key is in OpenSSH's own format.
    #[error("its private key is in OpenSSH format, which TLS does not support")]
    OpenSsh,
}

/// Checks that a file serves its purpose. Text between the blocks, and blocks of other kinds such as
/// `EC PARAMETERS`, are allowed.
///
/// # Errors
///
/// Returns the first fault.
pub fn check(contents: &[u8], purpose: Purpose) -> Result<(), PemError> {
    let has_key = holds_private_key(contents);
    if purpose == Purpose::Authorities && has_key {
        return Err(PemError::UnwantedKey);
    }
    if has_key && WITH_PASSPHRASE.iter().any(|mark| has(contents, mark)) {
        return Err(PemError::WithPassphrase);
    }
    let (mut certificates, mut keys) = (0, 0);
    let blocks = <(SectionKind, Vec<u8>)>::pem_slice_iter(contents);
    for (index, block) in blocks.enumerate() {
        let damaged = PemError::Damaged(index + 1);
        // The messages of the library repeat lines of the file.
        let (kind, der) = block.map_err(|_| damaged)?;
        let (number, first) = match kind {
            SectionKind::Certificate => (&mut certificates, SEQUENCE),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                (&mut keys, INTEGER)
            }
            _ => continue,
        };
        if first_tag(&der) != Some(first) {
            return Err(damaged);
        }
        *number += 1;
    }
    let (found, missing) = match purpose {
        Purpose::Authorities | Purpose::Certificate => (certificates, "certificate"),
        Purpose::PrivateKey => (keys, "private key"),
        Purpose::Any => (certificates + keys, "certificate or private key"),
    };
    if found > 0 {
        Ok(())
    } else if purpose != Purpose::Certificate && has(contents, OPENSSH) {
        Err(PemError::OpenSsh)
    } else {
        Err(PemError::Missing(missing))
    }
}

/// Returns whether a file contains a private key, in any PEM format.
pub fn holds_private_key(contents: &[u8]) -> bool {
    has(contents, PRIVATE_KEY)
}

fn has(contents: &[u8], mark: &[u8]) -> bool {
    contents.windows(mark.len()).any(|window| window == mark)
}

/// DER tag of a sequence.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Returns the tag of the first element of a sequence, or `None` if the length of the sequence is wrong.
/// A certificate begins with a sequence. A private key of any format begins with a version number.
fn first_tag(der: &[u8]) -> Option<u8> {
    let [SEQUENCE, length, rest @ ..] = der else {
        return None;
    };
    let (length, contents) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, contents) = rest.split_at_checked(usize::from(long - 0x80))?;
            let digit = |sum: usize, digit: &u8| (sum << 8) | usize::from(*digit);
            (digits.iter().fold(0, digit), contents)
        }
        _ => return None,
    };
    (contents.len() == length).then(|| contents.first().copied())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest text that is recognised as a certificate.
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n";

    fn checked(contents: &str) -> [Result<(), PemError>; 4] {
        [
            Purpose::Authorities,
            Purpose::Certificate,
            Purpose::PrivateKey,
            Purpose::Any,
        ]
        .map(|purpose| check(contents.as_bytes(), purpose))
    }

    #[test]
    fn a_file_serves_the_purposes_of_what_is_in_it() {
        use PemError::{Missing, UnwantedKey};
        let no_key = Err(Missing("private key"));
        let no_certificate = Err(Missing("certificate"));
        let nothing = Err(Missing("certificate or private key"));
        let key = [Err(UnwantedKey), no_certificate, Ok(()), Ok(())];
        let certificate = [Ok(()), Ok(()), no_key, Ok(())];
        for (contents, expected) in [
            (CERTIFICATE.to_owned(), certificate),
            (
                format!("# mine\n{CERTIFICATE}words\r\n{CERTIFICATE}"),
                certificate,
            ),
            (KEY.to_owned(), key),
            (KEY.replace("PRIVATE", "RSA PRIVATE"), key),
            (
                format!(
                    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
                    KEY.replace("PRIVATE", "EC PRIVATE")
                ),
                key,
            ),
            (
                format!("{CERTIFICATE}{KEY}"),
                [Err(UnwantedKey), Ok(()), Ok(()), Ok(())],
            ),
            (
                String::new(),
                [no_certificate, no_certificate, no_key, nothing],
            ),
            (
                "root:$6$salt:19000:0:99999:7:::\n".to_owned(),
                [no_certificate, no_certificate, no_key, nothing],
            ),
        ] {
            assert_eq!(checked(&contents), expected, "{contents}");
        }
    }

    #[test]
    fn a_block_is_what_its_first_line_says() {
        for (contents, number) in [
            // A key with the label of a certificate, and a certificate with the label of a key.
            (KEY.replace("PRIVATE KEY", "CERTIFICATE"), 1),
            (CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY"), 1),
            (
                format!(
                    "{CERTIFICATE}{}",
                    CERTIFICATE.replace("MAIwAA==", "MAMwAA==")
                ),
                2,
            ),
            (CERTIFICATE.replace("MAIwAA==", "AAAA"), 1),
            (CERTIFICATE.replace("MAIwAA==", "?"), 1),
            (CERTIFICATE.replace("-----END CERTIFICATE-----\n", ""), 1),
        ] {
            let found = check(contents.as_bytes(), Purpose::Any);
            assert_eq!(found, Err(PemError::Damaged(number)), "{contents}");
        }
        // The long form of a length, also with fewer bytes than it announces.
        for (der, expected) in [
            (&[0x30, 0x81, 2, 0x30, 0][..], Some(0x30)),
            (&[0x30, 0x82, 0, 2, 2, 0], Some(2)),
            (&[0x30, 0x82, 0], None),
            (&[0x30, 0x80, 0x30, 0, 0, 0], None),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30], None),
            (&[0x30, 0], None),
            (&[], None),
        ] {
            assert_eq!(first_tag(der), expected, "{der:?}");
        }
    }

    #[test]
    fn keys_that_are_of_no_use_are_told_apart() {
        let encrypted = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: \
                     AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        for contents in [encrypted.as_str(), older] {
            let found = check(contents.as_bytes(), Purpose::PrivateKey);
            assert_eq!(found, Err(PemError::WithPassphrase), "{contents}");
        }
        let ssh = KEY.replace("PRIVATE", "OPENSSH PRIVATE");
        assert_eq!(
            check(ssh.as_bytes(), Purpose::PrivateKey),
            Err(PemError::OpenSsh)
        );
        // None of these is accepted for any purpose.
        for contents in [encrypted.as_str(), older, &ssh] {
            assert!(holds_private_key(contents.as_bytes()), "{contents}");
            let among = format!("{CERTIFICATE}  {contents}");
            let found = check(among.as_bytes(), Purpose::Authorities);
            assert_eq!(found, Err(PemError::UnwantedKey), "{contents}");
        }
    }

    #[test]
    fn no_error_repeats_the_file() {
        for contents in [
            "-----BEGIN secret----\n",
            "-----BEGIN CERTIFICATE-----\nsecret!\n-----END CERTIFICATE-----\n",
            "-----BEGIN PRIVATE KEY-----\nsecret",
            "secret",
        ] {
            for error in checked(contents).into_iter().filter_map(Result::err) {
                assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
            }
        }
    }
}
