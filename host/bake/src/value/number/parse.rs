//! Numbers from texts.

use num_bigint::BigUint;

use super::{LARGEST_EXPONENT, LITERAL, Number, precision_of, quotient};

impl Number {
    /// Parses a decimal number: digits, a fraction, an exponent.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if matches!(rest, "Inf" | "inf") {
            return Some(Self::infinite(negative, LITERAL));
        }
        let (digits, power) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent_of(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let power = power.saturating_sub_unsigned(fraction.len() as u64);
        let written = [whole, fraction].concat();
        let significant = written.trim_start_matches('0');
        // Digits beyond these cannot change the result, but for a tie that no text of a person contains.
        let kept = significant.len().min(5_000);
        let power = power.saturating_add_unsigned((significant.len() - kept) as u64);
        let mantissa: BigUint = match &significant[..kept] {
            "" => BigUint::ZERO,
            digits => digits.parse().ok()?,
        };
        let size = power.saturating_add_unsigned(kept as u64);
        if mantissa == BigUint::ZERO || size < -LARGEST_EXPONENT {
            return Some(Self::rounded(negative, BigUint::ZERO, 0, LITERAL));
        }
        if size > LARGEST_EXPONENT {
            return Some(Self::infinite(negative, LITERAL));
        }
        let ten = |power: u64| BigUint::from(10_u8).pow(u32::try_from(power).unwrap_or(u32::MAX));
        Some(if power >= 0 {
            Self::rounded(negative, mantissa * ten(power.unsigned_abs()), 0, LITERAL)
        } else {
            quotient(negative, &mantissa, &ten(power.unsigned_abs()), 0, LITERAL)
        })
    }

    /// Parses an integer in a base from 2 to 62: digits, then lower-case letters, then capitals beyond
    /// base 36. Up to base 36, both cases are the same.
    pub fn parse_integer(text: &str, base: u32) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if digits.is_empty() {
            return None;
        }
        let mut value = BigUint::ZERO;
        for byte in digits.bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'z' => byte - b'a' + 10,
                b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
                b'A'..=b'Z' => byte - b'A' + 36,
                _ => return None,
            };
            if u32::from(digit) >= base {
                return None;
            }
            value = value * base + digit;
            if value.bits() > LARGEST_EXPONENT.unsigned_abs() {
                return None;
            }
        }
        let precision = precision_of(&value);
        Some(Self::rounded(negative, value, 0, precision))
    }
}

/// Parses the exponent of a decimal number.
fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits
        .parse::<i64>()
        .unwrap_or(i64::MAX / 4)
        .min(i64::MAX / 4);
    Some(if text.starts_with('-') { -size } else { size })
}
