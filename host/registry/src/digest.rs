//! SHA-256 digests, written as `sha256:` and 64 hexadecimal digits.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use iechor_values::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "sha256:";
const DIGITS: usize = 64;
/// Number of digits in tables.
const SHORT: usize = 12;

/// A SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A reader that computes the digest of what is read.
pub struct Digesting<R> {
    reader: R,
    hash: Sha256,
}

impl<R> Digesting<R> {
    /// Returns a reader of the same content.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            hash: Sha256::new(),
        }
    }

    /// Returns the digest of what was read.
    pub fn digest(self) -> Digest {
        Digest(format!("{ALGORITHM}{}", hex::encode(&self.hash.finalize())))
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest; a digest is sha256: and {DIGITS} hexadecimal digits")]
pub struct DigestError(String);

impl Digest {
    /// Computes the digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!(
            "{ALGORITHM}{}",
            hex::encode(&Sha256::digest(bytes))
        ))
    }

    /// Returns the digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns only the hexadecimal digits.
    pub fn digits(&self) -> &str {
        &self.0[ALGORITHM.len()..]
    }

    /// Returns the beginning of the digest, for tables: `sha256:0123456789ab`.
    pub fn short(&self) -> &str {
        &self.0[..ALGORITHM.len() + SHORT]
    }

    /// Splits `@sha256:...` off the end of a text, if it has one. Before a `/`, it is part of the name of
    /// a directory.
    ///
    /// # Errors
    ///
    /// Returns an error if the text after `@sha256:` is not a digest.
    pub fn split_from(text: &str) -> Result<(&str, Option<Self>), DigestError> {
        let last = text.rfind(&format!("@{ALGORITHM}"));
        let Some(at) = last.filter(|at| !text[*at..].contains('/')) else {
            return Ok((text, None));
        };
        Ok((&text[..at], Some(text[at + 1..].parse()?)))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix(ALGORITHM);
        match digits {
            Some(digits) if digits.len() == DIGITS && hex::is_hex(digits) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(DigestError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn of_bytes() {
        assert_eq!(Digest::of(b"").as_str(), EMPTY);
        assert_eq!(Digest::of(b"").short(), "sha256:e3b0c44298fc");
        assert_eq!(Digest::of(b"").digits(), &EMPTY[7..]);
        let mut reader = Digesting::new(&b"content"[..]);
        io::copy(&mut reader, &mut io::sink()).expect("read");
        assert_eq!(reader.digest(), Digest::of(b"content"));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "sha256:",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            &EMPTY[..70],
            &EMPTY.to_uppercase(),
            &format!("{EMPTY}0"),
            "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            let error = text.parse::<Digest>().expect_err(text).to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn taken_off_the_end() {
        let digest: Digest = EMPTY.parse().expect("a digest");
        let pinned = format!("a@b@{EMPTY}");
        assert_eq!(Digest::split_from(&pinned), Ok(("a@b", Some(digest))));
        assert_eq!(Digest::split_from("a@b"), Ok(("a@b", None)));
        assert_eq!(
            Digest::split_from("a@sha256:x/b"),
            Ok(("a@sha256:x/b", None))
        );
        assert!(Digest::split_from("a@sha256:12").is_err());
    }
}
