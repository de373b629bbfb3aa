//! Hexadecimal text, in lower case.

/// Returns bytes as lower-case hexadecimal digits, two for each byte.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Returns whether every character is a lower-case hexadecimal digit. This is true of an empty text.
pub fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits_each() {
        assert_eq!(encode(&[]), "");
        assert_eq!(encode(&[0, 1, 0x0f, 0x10, 0xab, 0xff]), "00010f10abff");
        let all: Vec<u8> = (0..=255).collect();
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(encode(&all), expected);
    }

    #[test]
    fn only_lower_case_digits_are_hexadecimal() {
        for text in ["", "0", "00ff", "0123456789abcdef"] {
            assert!(is_hex(text), "{text}");
        }
        for text in ["g", "0A", "0 ", "0x1", "\u{663}", "-1"] {
            assert!(!is_hex(text), "{text}");
        }
    }
}
