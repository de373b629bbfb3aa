//! Times in the form of RFC 3339, and the layouts that they are written in.

use std::fmt;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// A time with its offset from UTC.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp {
    /// The time.
    pub at: OffsetDateTime,
    /// Whether it is written with `Z`.
    utc: bool,
}

impl From<OffsetDateTime> for Timestamp {
    fn from(at: OffsetDateTime) -> Self {
        Self {
            at: at.to_offset(UtcOffset::UTC),
            utc: true,
        }
    }
}

impl Timestamp {
    /// Returns another time with the same offset.
    pub fn moved(&self, at: OffsetDateTime) -> Self {
        Self { at, ..*self }
    }

    /// Parses a time in the form of RFC 3339: `2006-01-02T15:04:05Z`.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            format!("not a valid RFC3339 timestamp: cannot use {text:?} as a time such as 2006-01-02T15:04:05Z")
        })
    }

    fn read(text: &str) -> Option<Self> {
        let digits = |range: std::ops::Range<usize>| -> Option<u32> {
            let part = text.get(range)?;
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        let is = |at: usize, byte: u8| text.as_bytes().get(at) == Some(&byte);
        if !(is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':')) {
            return None;
        }
        let small = |value: u32| u8::try_from(value).ok();
        let month = Month::try_from(small(digits(5..7)?)?).ok()?;
        let year = i32::try_from(digits(0..4)?).ok()?;
        let date = Date::from_calendar_date(year, month, small(digits(8..10)?)?).ok()?;
        let mut rest = text.get(19..)?;
        let mut nanoseconds = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 {
                return None;
            }
            let kept = &fraction[..length.min(9)];
            nanoseconds = format!("{kept:0<9}").parse().ok()?;
            rest = &fraction[length..];
        }
        let time = Time::from_hms_nano(
            small(digits(11..13)?)?,
            small(digits(14..16)?)?,
            small(digits(17..19)?)?,
            nanoseconds,
        )
        .ok()?;
        let (offset, utc) = match rest.as_bytes() {
            b"Z" => (UtcOffset::UTC, true),
            [sign @ (b'+' | b'-'), a, b, b':', c, d] => {
                let number = |a: &u8, b: &u8| {
                    let digits = [*a, *b];
                    let text = std::str::from_utf8(&digits).ok()?;
                    digits
                        .iter()
                        .all(u8::is_ascii_digit)
                        .then(|| text.parse::<i8>().ok())?
                };
                let (hours, minutes) = (number(a, b)?, number(c, d)?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let sign = if *sign == b'-' { -1 } else { 1 };
                let offset = UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?;
                (offset, offset.is_utc())
            }
            _ => return None,
        };
        Some(Self {
            at: PrimitiveDateTime::new(date, time).assume_offset(offset),
            utc,
        })
    }

    /// Returns the offset, such as `+02:00`.
    fn offset(&self, separator: &str) -> String {
        let (hours, minutes, _) = self.at.offset().as_hms();
        let sign = if self.at.offset().is_negative() {
            '-'
        } else {
            '+'
        };
        format!("{sign}{:02}{separator}{:02}", hours.abs(), minutes.abs())
    }
}

/// The time in the form of RFC 3339, in whole seconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )?;
        match self.utc {
            true => f.write_str("Z"),
            false => f.write_str(&self.offset(":")),
        }
    }
}

/// Writes a time in a layout. Letters are verbs, and texts stand between `'`.
pub fn layout(layout: &str, time: &Timestamp) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(&rest[1..], &mut result)?;
            continue;
        }
        let length = rest
            .chars()
            .take_while(|character| *character == first)
            .count();
        let length = if first.is_ascii_alphabetic() {
            length
        } else {
            1
        };
        let (token, after) = rest.split_at(length * first.len_utf8());
        rest = after;
        if first.is_ascii_alphabetic() {
            verb(token, time, &mut result)?;
        } else {
            result.push(first);
        }
    }
    Ok(result)
}

/// Appends a text up to the closing quotation mark, and returns what follows. Two of them are one.
fn quoted<'a>(mut rest: &'a str, result: &mut String) -> Result<&'a str, String> {
    if let Some(after) = rest.strip_prefix('\'') {
        result.push('\'');
        return Ok(after);
    }
    loop {
        let Some((text, after)) = rest.split_once('\'') else {
            return Err("unterminated literal '".to_owned());
        };
        result.push_str(text);
        match after.strip_prefix('\'') {
            Some(after) => {
                result.push('\'');
                rest = after;
            }
            None => return Ok(after),
        }
    }
}

fn verb(token: &str, time: &Timestamp, result: &mut String) -> Result<(), String> {
    let at = time.at;
    let twelve = match at.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let month = at.month().to_string();
    let weekday = at.weekday().to_string();
    let half = if at.hour() < 12 { "am" } else { "pm" };
    let text = match token {
        "YY" => format!("{:02}", at.year().rem_euclid(100)),
        "YYYY" => format!("{:04}", at.year()),
        "M" => u8::from(at.month()).to_string(),
        "MM" => format!("{:02}", u8::from(at.month())),
        "MMM" => month[..3].to_owned(),
        "MMMM" => month,
        "D" => at.day().to_string(),
        "DD" => format!("{:02}", at.day()),
        "EEE" => weekday[..3].to_owned(),
        "EEEE" => weekday,
        "h" => at.hour().to_string(),
        "hh" => format!("{:02}", at.hour()),
        "H" => twelve.to_string(),
        "HH" => format!("{twelve:02}"),
        "AA" => half.to_uppercase(),
        "aa" => half.to_owned(),
        "m" => at.minute().to_string(),
        "mm" => format!("{:02}", at.minute()),
        "s" => at.second().to_string(),
        "ss" => format!("{:02}", at.second()),
        "Z" if at.offset().is_utc() => "Z".to_owned(),
        "ZZZ" if at.offset().is_utc() => "UTC".to_owned(),
        "ZZZ" | "ZZZZ" => time.offset(""),
        "Z" | "ZZZZZ" => time.offset(":"),
        _ => return Err(unknown(token)),
    };
    result.push_str(&text);
    Ok(())
}

/// Returns why a verb is wrong, with the verbs that may be meant.
fn unknown(token: &str) -> String {
    let meant = match &token[..1] {
        "Y" => "year must either be \"YY\" or \"YYYY\"",
        "M" => "month must be \"M\", \"MM\", \"MMM\", or \"MMMM\"",
        "D" => "day of month must either be \"D\" or \"DD\"",
        "E" => "day of week must either be \"EEE\" or \"EEEE\"",
        "h" => "24-hour must either be \"h\" or \"hh\"",
        "H" => "12-hour must either be \"H\" or \"HH\"",
        "A" => "must be \"AA\"",
        "a" => "must be \"aa\"",
        "m" => "minute must either be \"m\" or \"mm\"",
        "s" => "second must either be \"s\" or \"ss\"",
        "Z" => "timezone must be Z, ZZZ, ZZZZ, or ZZZZZ",
        _ => return format!("invalid date format verb {token:?}"),
    };
    format!("invalid date format verb {token:?}: {meant}")
}
