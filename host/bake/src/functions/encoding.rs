//! Encodings.

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Computed, Row, any, csv, failed, nullable, number, string, text, wrong};
use crate::syntax::json as syntax;
use crate::value::{Type, Value, json};

pub const FUNCTIONS: &[Row] = &[
    ("jsonencode", &[nullable(any("val"))], None, |_, values| {
        json::encode(&values[0])
            .map(Value::from)
            .map_err(|error| failed(error.to_string()))
    }),
    ("jsondecode", &[string("str")], None, |_, values| {
        let node = syntax::parse(0, text(values, 0)).map_err(|fault| failed(fault.message()))?;
        Ok(json::to_value(&node))
    }),
    ("csvdecode", &[string("str")], None, |_, values| {
        csv_decode(values)
    }),
    ("base64encode", &[string("str")], None, |_, values| {
        Ok(Value::from(STANDARD.encode(text(values, 0))))
    }),
    ("base64decode", &[string("str")], None, |_, values| {
        base64_decode(values)
    }),
    ("urlencode", &[string("str")], None, |_, values| {
        Ok(Value::from(url_encode(text(values, 0))))
    }),
    // Nothing creates the bytes that these take, so they always fail, as in docker buildx.
    ("byteslen", &[any("buf")], None, |_, values| {
        Err(no_bytes(values))
    }),
    (
        "bytesslice",
        &[any("buf"), number("offset"), number("length")],
        None,
        |_, values| Err(no_bytes(values)),
    ),
];

fn no_bytes(values: &[Value]) -> super::FunctionError {
    wrong(0, format!("bytes required, but have {}", values[0].kind()))
}

fn csv_decode(values: &[Value]) -> Computed {
    let mut records = csv::records(text(values, 0)).map_err(failed)?.into_iter();
    let Some(header) = records.next() else {
        return Err(failed("missing header line"));
    };
    for (index, name) in header.iter().enumerate() {
        if header[..index].contains(name) {
            return Err(failed(format!("duplicate column name {name:?}")));
        }
    }
    let names: Vec<Rc<str>> = header.iter().map(|name| Rc::from(name.as_str())).collect();
    let mut rows = Vec::new();
    for record in records {
        let fields = names
            .iter()
            .cloned()
            .zip(record.into_iter().map(Value::from));
        rows.push(Value::object(fields.collect::<BTreeMap<_, _>>()));
    }
    let of = Type::object(names.into_iter().map(|name| (name, Type::String)));
    Ok(Value::list(of, rows))
}

fn base64_decode(values: &[Value]) -> Computed {
    let encoded = text(values, 0);
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| failed(format!("failed to decode base64 data '{encoded}'")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        // docker buildx has the same word twice.
        Err(_) => Err(failed(
            "the result of decoding the the provided string is not valid UTF-8",
        )),
    }
}

/// Encodes a text as a part of the query of a URL.
fn url_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
