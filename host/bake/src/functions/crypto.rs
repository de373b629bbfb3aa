//! Hashes and identifiers.

use md5::{Digest as _, Md5};
use ring::digest;

use iechor_values::hex;

use super::{Computed, Context, Row, failed, number, rsa, string, text, whole};
use crate::value::Value;

/// Largest cost of `bcrypt`. Each step doubles the time; this takes some seconds.
const HIGHEST_COST: i64 = 16;

pub const FUNCTIONS: &[Row] = &[
    ("md5", &[string("str")], None, |_, values| {
        Ok(Value::from(hex::encode(&Md5::digest(text(values, 0)))))
    }),
    ("sha1", &[string("str")], None, |_, values| {
        hash(values, &digest::SHA1_FOR_LEGACY_USE_ONLY)
    }),
    ("sha256", &[string("str")], None, |_, values| {
        hash(values, &digest::SHA256)
    }),
    ("sha512", &[string("str")], None, |_, values| {
        hash(values, &digest::SHA512)
    }),
    ("bcrypt", &[string("str")], Some(number("cost")), bcrypt),
    (
        "rsadecrypt",
        &[string("ciphertext"), string("privatekey")],
        None,
        |_, values| rsa::decrypt(text(values, 0), text(values, 1)).map(Value::from),
    ),
    ("uuidv4", &[], None, |context, _| {
        let mut bytes = [0; 16];
        context.environment.random(&mut bytes);
        Ok(Value::from(uuid(bytes, 4)))
    }),
    (
        "uuidv5",
        &[string("namespace"), string("name")],
        None,
        |_, values| uuid_of_name(values),
    ),
];

fn hash(values: &[Value], algorithm: &'static digest::Algorithm) -> Computed {
    let hash = digest::digest(algorithm, text(values, 0).as_bytes());
    Ok(Value::from(hex::encode(hash.as_ref())))
}

fn bcrypt(context: &Context<'_>, values: &[Value]) -> Computed {
    let cost = match values.len() {
        0 | 1 => 10,
        2 => whole(values, 1, "invalid cost")?,
        _ => return Err(failed("bcrypt() takes no more than two arguments")),
    };
    let password = text(values, 0);
    if password.len() > 72 {
        return Err(failed(
            "error occurred generating password bcrypt: password length exceeds 72 bytes",
        ));
    }
    if cost > HIGHEST_COST {
        return Err(failed(format!(
            "the cost {cost} is higher than {HIGHEST_COST}"
        )));
    }
    // A cost that is too low is the default, as in docker buildx.
    let cost = u32::try_from(cost)
        .ok()
        .filter(|cost| *cost >= 4)
        .unwrap_or(10);
    context.budget.spend(1 << (cost + 6))?;
    let mut salt = [0; 16];
    context.environment.random(&mut salt);
    match bcrypt::hash_with_salt(password, cost, salt) {
        Ok(hash) => Ok(Value::from(hash.format_for_version(bcrypt::Version::TwoA))),
        Err(error) => Err(failed(format!(
            "error occurred generating password bcrypt: {error}"
        ))),
    }
}

/// Formats a UUID of a version.
fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(&bytes);
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    parts.join("-")
}

fn uuid_of_name(values: &[Value]) -> Computed {
    let namespace = match text(values, 0) {
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
        other => other,
    };
    let digits: String = namespace
        .chars()
        .filter(|character| *character != '-')
        .collect();
    let hyphens: Vec<usize> = namespace.match_indices('-').map(|(at, _)| at).collect();
    let bytes = match digits.len() {
        32 if hyphens == [8, 13, 18, 23] => decode(&digits),
        _ => None,
    };
    let Some(namespace) = bytes else {
        let name = text(values, 0);
        return Err(failed(format!(
            "uuidv5() doesn't support namespace {name} (invalid UUID length: {})",
            name.len()
        )));
    };
    let name = text(values, 1).as_bytes();
    let hash = digest::digest(
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        &[&namespace, name].concat(),
    );
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    Ok(Value::from(uuid(bytes, 5)))
}

fn decode(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
