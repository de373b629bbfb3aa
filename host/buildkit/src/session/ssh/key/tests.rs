//! Keys that `ssh-keygen` creates.

use std::path::Path;
use std::process::Command;

use super::*;

fn run(program: &str, words: &str, directory: &Path) {
    let mut command = Command::new(program);
    let command = command.args(words.split(' ')).current_dir(directory);
    let output = command.output().expect("it is installed");
    assert!(output.status.success(), "{program} {words}: {output:?}");
}

fn read(path: &Path) -> Result<Key, KeyFault> {
    Key::parse(&std::fs::read(path).expect("there"))
}

/// Creates a key with the words for `ssh-keygen`, and reads it.
fn generated(words: &str) -> (tempfile::TempDir, Result<Key, KeyFault>) {
    let directory = tempfile::tempdir().expect("directory");
    run(
        "ssh-keygen",
        &format!("-q -C me@here -f key {words}"),
        directory.path(),
    );
    let key = read(&directory.path().join("key"));
    (directory, key)
}

#[test]
fn keys_sign_what_their_public_keys_verify() {
    use ring::signature::{self, UnparsedPublicKey};

    for (words, name) in [
        ("-t ed25519 -N ", "ssh-ed25519"),
        ("-t rsa -b 2048 -N ", "ssh-rsa"),
        ("-t rsa -b 3072 -m PEM -N ", "ssh-rsa"),
        ("-t rsa -b 2048 -m PKCS8 -N ", "ssh-rsa"),
        ("-t ecdsa -b 256 -N ", "ecdsa-sha2-nistp256"),
        ("-t ecdsa -b 384 -N ", "ecdsa-sha2-nistp384"),
        ("-t ecdsa -b 256 -m PEM -N ", "ecdsa-sha2-nistp256"),
        ("-t ecdsa -b 384 -m PKCS8 -N ", "ecdsa-sha2-nistp384"),
    ] {
        let (directory, key) = generated(words);
        let key = key.unwrap_or_else(|fault| panic!("{words}: {fault}"));
        // The file with the public key that ssh-keygen wrote names the same key.
        let file = std::fs::read_to_string(directory.path().join("key.pub")).expect("there");
        let public = ssh_key::PublicKey::from_openssh(&file).expect("a key");
        assert_eq!(key.public(), public.to_bytes().expect("encoded"), "{words}");
        assert!(file.starts_with(name), "{file}");
        let is_openssh = !words.contains("-m");
        assert_eq!(key.comment(), if is_openssh { "me@here" } else { "" });

        for flags in [RSA_SHA2_256, RSA_SHA2_512] {
            let signed = key.sign(b"data", flags).expect("signed");
            let mut reader = super::super::wire::Reader(&signed);
            let (algorithm, bytes) = (reader.string().unwrap(), reader.string().unwrap());
            match (&*key.signer, flags) {
                (Signer::Rsa(pair), RSA_SHA2_256) => {
                    assert_eq!(algorithm, b"rsa-sha2-256");
                    let scheme = &signature::RSA_PKCS1_2048_8192_SHA256;
                    let key = UnparsedPublicKey::new(scheme, pair.public_key());
                    key.verify(b"data", bytes).expect("valid");
                }
                (Signer::Rsa(pair), _) => {
                    assert_eq!(algorithm, b"rsa-sha2-512");
                    let scheme = &signature::RSA_PKCS1_2048_8192_SHA512;
                    let key = UnparsedPublicKey::new(scheme, pair.public_key());
                    key.verify(b"data", bytes).expect("valid");
                }
                _ => assert_eq!(algorithm, name.as_bytes()),
            }
        }
        // SHA-1 is not supported.
        assert_eq!(key.sign(b"data", 0).is_none(), name == "ssh-rsa");
    }
}

#[test]
fn keys_that_cannot_be_used_are_distinguished() {
    for (words, fault) in [
        ("-t ed25519 -N secret", KeyFault::Passphrase),
        ("-t rsa -b 2048 -m PEM -N secret", KeyFault::Passphrase),
        ("-t rsa -b 2048 -m PKCS8 -N secret", KeyFault::Passphrase),
        ("-t ecdsa -b 521 -N ", KeyFault::Unsupported),
        ("-t rsa -b 1024 -N ", KeyFault::Unsupported),
    ] {
        let (directory, key) = generated(words);
        assert_eq!(key.err(), Some(fault), "{words}");
        let public = read(&directory.path().join("key.pub"));
        assert_eq!(public.err(), Some(KeyFault::NoKey), "{words}");
    }
    let (directory, _) = generated("-t ed25519 -N ");
    let text = std::fs::read_to_string(directory.path().join("key")).expect("there");
    for cut in [&text[..100], &text.replace("AAAA", "BBBB")] {
        assert_eq!(Key::parse(cut.as_bytes()).err(), Some(KeyFault::Malformed));
    }
    for text in ["", "nothing", "\u{fffd}"] {
        assert_eq!(Key::parse(text.as_bytes()).err(), Some(KeyFault::NoKey));
    }
}

#[test]
fn keys_are_not_displayed() {
    let (directory, key) = generated("-t ed25519 -N ");
    let shown = format!("{:?}", key.expect("a key"));
    assert_eq!(shown, "Key { comment: \"me@here\", .. }");
    drop(directory);
}
