//! Lists of values, and words in them.

use std::net::IpAddr;

/// Parses a list of values that are separated by `;`, each with `parse`.
///
/// # Errors
///
/// What is wrong with each value that cannot be parsed.
pub fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for value in iechor_values::list::split(text)? {
        match parse(value) {
            Ok(value) => values.push(value),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.is_empty() {
        true => Ok(values),
        false => Err(faults.join("; ")),
    }
}

/// Checks an entry of `/etc/hosts`, as `docker run --add-host` takes it: `NAME:ADDRESS` or `NAME=ADDRESS`; the word
/// `host-gateway` stands for the address of the engine's machine.
///
/// # Errors
///
/// What is wrong with the text.
pub fn host_address(text: &str) -> Result<String, String> {
    let is_right = text.split_once(['=', ':']).is_some_and(|(name, address)| {
        word(name).is_ok() && (address == "host-gateway" || address.parse::<IpAddr>().is_ok())
    });
    match is_right {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is not NAME:ADDRESS (for example registry.local:10.0.0.5 or \
             machine:host-gateway)"
        )),
    }
}

/// Checks an IP address.
///
/// # Errors
///
/// What is wrong with the text.
pub fn ip_address(text: &str) -> Result<String, String> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "{text:?} is not an address (for example 10.0.0.53)"
        )),
    }
}

/// Checks a word: a text without spaces and control characters that is not empty.
///
/// # Errors
///
/// What is wrong with the text.
pub fn word(text: &str) -> Result<String, String> {
    match !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is empty or has spaces")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_list_is_checked() {
        let parsed = |text| list(text, ip_address);
        assert_eq!(
            parsed("1.1.1.1; ::1"),
            Ok(vec!["1.1.1.1".into(), "::1".into()])
        );
        assert_eq!(parsed(""), Ok(vec![]));
        let error = parsed("a;1.1.1.1;b").expect_err("two are wrong");
        assert!(
            error.contains("\"a\"") && error.contains("\"b\""),
            "{error}"
        );
    }

    #[test]
    fn hosts() {
        for text in ["a:1.2.3.4", "a.b=::1", "a:::1", "a:host-gateway"] {
            assert_eq!(host_address(text), Ok(text.to_owned()));
        }
        for text in [
            "",
            "a",
            "a:",
            ":1.2.3.4",
            "a:b",
            "a b:1.2.3.4",
            "a:1.2.3.4:5",
        ] {
            assert!(host_address(text).is_err(), "{text:?}");
        }
    }
}
