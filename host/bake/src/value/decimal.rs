//! The decimal digits of numbers, and how they are written.

use num_bigint::BigUint;

/// Decimal digits: `0.DIGITS * 10^point`, without zeros at the end. No digits are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    /// Returns zero.
    pub fn zero() -> Self {
        Self {
            digits: Vec::new(),
            point: 0,
        }
    }

    /// Returns all digits of `mantissa * 2^exponent`.
    pub fn exact(mantissa: &BigUint, exponent: i64) -> Self {
        let power = exponent.unsigned_abs();
        let (scaled, places) = if exponent >= 0 {
            (mantissa << power, 0)
        } else {
            // m / 2^k = m * 5^k / 10^k
            let five = BigUint::from(5_u8).pow(u32::try_from(power).unwrap_or(u32::MAX));
            (mantissa * five, exponent)
        };
        let digits = scaled.to_string().into_bytes();
        let point = places.saturating_add_unsigned(digits.len() as u64);
        Self { digits, point }.trimmed()
    }

    /// Returns the fewest digits that no other number of the precision is nearer to. The rules are those of
    /// Go's `math/big`.
    pub fn shortest(self, mantissa: &BigUint, exponent: i64, precision: u32) -> Self {
        if self.digits.is_empty() {
            return self;
        }
        // Half a unit in the last place is the last bit of `scaled`.
        let shift = (u64::from(precision) + 1).saturating_sub(mantissa.bits());
        let scaled = mantissa << shift;
        let exponent = exponent.saturating_sub_unsigned(shift);
        let lower = Self::exact(&(&scaled - 1_u8), exponent);
        let upper = Self::exact(&(&scaled + 1_u8), exponent);
        let inclusive = !scaled.bit(1);
        // The bounds may have another number of digits before the point.
        let at = |bound: &Self, index: usize| -> u8 {
            let index = bound.point - self.point + i64::try_from(index).unwrap_or(i64::MAX);
            let digit = usize::try_from(index)
                .ok()
                .and_then(|index| bound.digits.get(index));
            digit.copied().unwrap_or(b'0')
        };
        let last = |bound: &Self, index: usize| {
            let index = bound.point - self.point + i64::try_from(index + 1).unwrap_or(i64::MAX);
            i64::try_from(bound.digits.len()).is_ok_and(|length| index >= length)
        };
        for index in 0..self.digits.len() {
            let digit = self.digits[index];
            let (low, high) = (at(&lower, index), at(&upper, index));
            let down = low != digit || inclusive && last(&lower, index);
            let up = digit != high && (inclusive || digit + 1 < high || !last(&upper, index));
            match (down, up) {
                (true, true) => return self.rounded(index + 1),
                (true, false) => return self.truncated(index + 1),
                (false, true) => return self.incremented(index + 1),
                (false, false) => {}
            }
        }
        self
    }

    /// Rounds to a number of digits, ties to even.
    pub fn rounded(self, count: usize) -> Self {
        match self.digits.get(count) {
            None => self,
            Some(next) => {
                let tie = *next == b'5' && self.digits.len() == count + 1;
                let up = if tie {
                    count > 0 && (self.digits[count - 1] - b'0') % 2 == 1
                } else {
                    *next >= b'5'
                };
                if up {
                    self.incremented(count)
                } else {
                    self.truncated(count)
                }
            }
        }
    }

    fn truncated(mut self, count: usize) -> Self {
        self.digits.truncate(count);
        self.trimmed()
    }

    fn incremented(mut self, count: usize) -> Self {
        self.digits.truncate(count);
        while let Some(last) = self.digits.pop() {
            if last < b'9' {
                self.digits.push(last + 1);
                return self;
            }
        }
        Self {
            digits: vec![b'1'],
            point: self.point + 1,
        }
    }

    fn trimmed(mut self) -> Self {
        let kept = self.digits.iter().rposition(|digit| *digit != b'0');
        self.digits.truncate(kept.map_or(0, |at| at + 1));
        if self.digits.is_empty() {
            self.point = 0;
        }
        self
    }

    fn digit(&self, index: i64) -> char {
        let digit = usize::try_from(index)
            .ok()
            .and_then(|index| self.digits.get(index));
        char::from(digit.copied().unwrap_or(b'0'))
    }

    /// Writes the number without an exponent, with all digits or with a number of places.
    pub fn fixed(&self, places: Option<usize>) -> String {
        let (decimal, places) = match places {
            Some(places) => {
                let kept = self.point.saturating_add_unsigned(places as u64);
                let decimal = match usize::try_from(kept) {
                    Ok(kept) => self.clone().rounded(kept),
                    Err(_) => Self::zero(),
                };
                (decimal, places)
            }
            None => {
                let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
                (
                    self.clone(),
                    usize::try_from(length - self.point).unwrap_or(0),
                )
            }
        };
        let mut text = String::new();
        if decimal.point <= 0 {
            text.push('0');
        }
        text.extend((0..decimal.point).map(|index| decimal.digit(index)));
        if places > 0 {
            text.push('.');
            let end = decimal.point.saturating_add_unsigned(places as u64);
            text.extend((decimal.point..end).map(|index| decimal.digit(index)));
        }
        text
    }

    /// Writes the number with an exponent, with all digits or with a number of places.
    pub fn exponential(&self, places: Option<usize>, letter: char) -> String {
        let decimal = match places {
            Some(places) => self.clone().rounded(places + 1),
            None => self.clone(),
        };
        let places = places.unwrap_or_else(|| decimal.digits.len().saturating_sub(1));
        let mut text = String::from(decimal.digit(0));
        if places > 0 {
            text.push('.');
            let end = i64::try_from(places).unwrap_or(i64::MAX);
            text.extend((1..=end).map(|index| decimal.digit(index)));
        }
        let exponent = if decimal.digits.is_empty() {
            0
        } else {
            decimal.point - 1
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        text.push_str(&format!("{letter}{sign}{:02}", exponent.abs()));
        text
    }

    /// Writes the number with an exponent only if it is large or small: `%g`. `significant` is the number of
    /// digits; `None` for all.
    pub fn general(&self, significant: Option<usize>, letter: char) -> String {
        let decimal = match significant {
            Some(count) => self.clone().rounded(count.max(1)),
            None => self.clone(),
        };
        let length = decimal.digits.len();
        let limit = match significant {
            None => 6,
            Some(count) => {
                let count = count.max(1);
                let length_after = i64::try_from(length).unwrap_or(i64::MAX);
                if count > length && length_after >= decimal.point {
                    length
                } else {
                    count
                }
            }
        };
        let exponent = if decimal.digits.is_empty() {
            -1
        } else {
            decimal.point - 1
        };
        let is_large = i64::try_from(limit).is_ok_and(|limit| exponent >= limit);
        if exponent < -4 || is_large {
            return decimal.exponential(None, letter);
        }
        decimal.fixed(None)
    }

    /// Writes the number so that the standard library reads it.
    pub fn scientific(&self, negative: bool) -> String {
        let sign = if negative { "-" } else { "" };
        format!("{sign}{}", self.exponential(None, 'e'))
    }
}
