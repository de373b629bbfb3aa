//! Numbers of definitions: binary floating point with the precision of its operands, as in Go's `math/big`.
//!
//! A literal has 512 bits, a count 64 and the result of a mathematical function 53. A result has the larger
//! precision of its operands and is rounded to the nearest number, ties to even.

mod parse;

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

use super::decimal::Decimal;

/// Precision of literals and of texts, in bits.
const LITERAL: u32 = 512;
/// Precision of integers of the machine, in bits.
const INTEGER: u32 = 64;
/// Precision of `f64`, in bits.
const DOUBLE: u32 = 53;
/// Largest exponent. Beyond it, a number is infinite or zero. The peer has no useful limit, so an expression
/// such as `1e9999999` takes all memory there.
const LARGEST_EXPONENT: i64 = 1 << 14;

/// A number.
#[derive(Debug, Clone)]
pub struct Number {
    negative: bool,
    magnitude: Magnitude,
    precision: u32,
}

/// The absolute value of a number: `mantissa * 2^exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Magnitude {
    /// The mantissa is odd, or zero with the exponent zero.
    Finite { mantissa: BigUint, exponent: i64 },
    /// The result of a division by zero.
    Infinite,
}

impl Number {
    /// Creates a number from a mantissa and an exponent of two, rounded to a precision.
    fn rounded(negative: bool, mantissa: BigUint, exponent: i64, precision: u32) -> Self {
        let excess = mantissa.bits().saturating_sub(u64::from(precision));
        let (mut mantissa, mut exponent) = if excess == 0 {
            (mantissa, exponent)
        } else {
            let kept: BigUint = &mantissa >> excess;
            let rest = &mantissa - (&kept << excess);
            let half = BigUint::from(1_u8) << (excess - 1);
            let up = match rest.cmp(&half) {
                Ordering::Greater => true,
                Ordering::Equal => kept.bit(0),
                Ordering::Less => false,
            };
            let kept = if up { kept + 1_u8 } else { kept };
            (kept, exponent.saturating_add_unsigned(excess))
        };
        match mantissa.trailing_zeros() {
            None => exponent = 0,
            Some(zeros) => {
                mantissa >>= zeros;
                exponent = exponent.saturating_add_unsigned(zeros);
            }
        }
        let size = exponent.saturating_add_unsigned(mantissa.bits());
        let magnitude = if size > LARGEST_EXPONENT {
            Magnitude::Infinite
        } else if size < -LARGEST_EXPONENT {
            Magnitude::Finite {
                mantissa: BigUint::ZERO,
                exponent: 0,
            }
        } else {
            Magnitude::Finite { mantissa, exponent }
        };
        Self {
            negative,
            magnitude,
            precision,
        }
    }

    /// Creates an infinite number.
    fn infinite(negative: bool, precision: u32) -> Self {
        Self {
            negative,
            magnitude: Magnitude::Infinite,
            precision,
        }
    }

    /// Creates a number from an `f64`. Returns `None` for what is not a number.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        let negative = value.is_sign_negative();
        if value.is_infinite() {
            return Some(Self::infinite(negative, DOUBLE));
        }
        let bits = value.to_bits();
        let field = (bits >> 52) & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match field {
            0 => (fraction, -1074),
            field => (
                fraction | (1 << 52),
                i64::try_from(field).unwrap_or(0) - 1075,
            ),
        };
        Some(Self::rounded(
            negative,
            BigUint::from(mantissa),
            exponent,
            DOUBLE,
        ))
    }

    /// Returns the nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        match &self.magnitude {
            Magnitude::Infinite if self.negative => f64::NEG_INFINITY,
            Magnitude::Infinite => f64::INFINITY,
            // The standard library rounds correctly from decimal digits.
            Magnitude::Finite { .. } => self
                .exact()
                .scientific(self.negative)
                .parse()
                .unwrap_or(0.0),
        }
    }

    /// Returns the number as an integer, if it is a whole number.
    pub fn to_integer(&self) -> Option<BigInt> {
        match &self.magnitude {
            Magnitude::Finite { exponent, .. } if *exponent < 0 => None,
            Magnitude::Finite { .. } => self.truncated(),
            Magnitude::Infinite => None,
        }
    }

    /// Returns the number as an `i64`, if it is a whole number in that range.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_integer()?.try_into().ok()
    }

    /// Returns the integer without the fraction, or `None` for an infinite number.
    pub fn truncated(&self) -> Option<BigInt> {
        let Magnitude::Finite { mantissa, exponent } = &self.magnitude else {
            return None;
        };
        let whole = match exponent {
            0.. => mantissa << exponent.unsigned_abs(),
            _ => mantissa >> exponent.unsigned_abs(),
        };
        let sign = if self.negative {
            Sign::Minus
        } else {
            Sign::Plus
        };
        Some(BigInt::from_biguint(sign, whole))
    }

    /// Returns whether the number is infinite.
    pub fn is_infinite(&self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// Returns whether the number is zero.
    pub fn is_zero(&self) -> bool {
        matches!(&self.magnitude, Magnitude::Finite { mantissa, .. } if *mantissa == BigUint::ZERO)
    }

    /// Returns whether the number is less than zero.
    pub fn is_negative(&self) -> bool {
        self.negative && !self.is_zero()
    }

    /// Returns the number with the other sign.
    pub fn negated(&self) -> Self {
        Self {
            negative: !self.negative,
            ..self.clone()
        }
    }

    /// Returns the sum. The sum of opposite infinite numbers has no value.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        let precision = self.precision.max(other.precision);
        let (a, b) = match (&self.magnitude, &other.magnitude) {
            (Magnitude::Infinite, Magnitude::Infinite) if self.negative != other.negative => {
                return None;
            }
            (Magnitude::Infinite, _) => return Some(self.clone()),
            (_, Magnitude::Infinite) => return Some(other.clone()),
            (
                Magnitude::Finite {
                    mantissa: a,
                    exponent: of_a,
                },
                Magnitude::Finite {
                    mantissa: b,
                    exponent: of_b,
                },
            ) => ((a, *of_a), (b, *of_b)),
        };
        let exponent = a.1.min(b.1);
        let aligned = |(mantissa, of): (&BigUint, i64), negative: bool| {
            let sign = if negative { Sign::Minus } else { Sign::Plus };
            BigInt::from_biguint(sign, mantissa << (of - exponent).unsigned_abs())
        };
        let sum = aligned(a, self.negative) + aligned(b, other.negative);
        let negative = match sum.sign() {
            Sign::Minus => true,
            Sign::Plus => false,
            Sign::NoSign => self.negative && other.negative,
        };
        let magnitude = sum.magnitude().clone();
        Some(Self::rounded(negative, magnitude, exponent, precision))
    }

    /// Returns the difference. The difference of equal infinite numbers has no value.
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(&other.negated())
    }

    /// Returns the product. The product of zero and an infinite number has no value.
    pub fn times(&self, other: &Self) -> Option<Self> {
        let precision = self.precision.max(other.precision);
        let negative = self.negative != other.negative;
        match (&self.magnitude, &other.magnitude) {
            (
                Magnitude::Finite {
                    mantissa: a,
                    exponent: of_a,
                },
                Magnitude::Finite {
                    mantissa: b,
                    exponent: of_b,
                },
            ) => Some(Self::rounded(negative, a * b, of_a + of_b, precision)),
            _ if self.is_zero() || other.is_zero() => None,
            _ => Some(Self::infinite(negative, precision)),
        }
    }

    /// Returns the quotient. Zero divided by zero, and infinite by infinite, has no value.
    pub fn divided_by(&self, other: &Self) -> Option<Self> {
        let precision = self.precision.max(other.precision);
        let negative = self.negative != other.negative;
        match (&self.magnitude, &other.magnitude) {
            (Magnitude::Infinite, Magnitude::Infinite) => None,
            (Magnitude::Infinite, _) => Some(Self::infinite(negative, precision)),
            (_, Magnitude::Infinite) => Some(Self::rounded(negative, BigUint::ZERO, 0, precision)),
            (
                Magnitude::Finite {
                    mantissa: a,
                    exponent: of_a,
                },
                Magnitude::Finite {
                    mantissa: b,
                    exponent: of_b,
                },
            ) => {
                if *b == BigUint::ZERO {
                    let infinite = || Self::infinite(negative, precision);
                    return (*a != BigUint::ZERO).then(infinite);
                }
                Some(quotient(negative, a, b, of_a - of_b, precision))
            }
        }
    }

    /// Returns the remainder of the division, with the sign of the dividend.
    pub fn modulo(&self, other: &Self) -> Option<Self> {
        if self.is_infinite() || other.is_infinite() {
            return self.times(other);
        }
        if other.is_zero() {
            return Some(self.clone());
        }
        let whole = self.divided_by(other)?.truncated()?;
        self.minus(&other.times(&Self::from(whole))?)
    }

    /// Returns all digits of the number.
    pub fn exact(&self) -> Decimal {
        match &self.magnitude {
            Magnitude::Finite { mantissa, exponent } => Decimal::exact(mantissa, *exponent),
            Magnitude::Infinite => Decimal::zero(),
        }
    }

    /// Returns the fewest digits that identify the number within its precision.
    pub fn shortest(&self) -> Decimal {
        match &self.magnitude {
            Magnitude::Finite { mantissa, exponent } => {
                self.exact().shortest(mantissa, *exponent, self.precision)
            }
            Magnitude::Infinite => Decimal::zero(),
        }
    }

    /// Returns whether the number is written with a minus, which negative zero is too.
    pub fn has_minus(&self) -> bool {
        self.negative
    }
}

/// Returns the precision of a number that is created from an integer.
fn precision_of(value: &BigUint) -> u32 {
    u32::try_from(value.bits()).unwrap_or(u32::MAX).max(INTEGER)
}

fn quotient(negative: bool, a: &BigUint, b: &BigUint, exponent: i64, precision: u32) -> Number {
    let wanted = u64::from(precision) + 2 + b.bits();
    let shift = wanted.saturating_sub(a.bits());
    let dividend = a << shift;
    let whole = &dividend / b;
    let inexact = &whole * b != dividend;
    // A last bit stands for all digits that follow: it decides what is a tie.
    let sticky = (whole << 1_u8) + u8::from(inexact);
    let exponent = exponent.saturating_sub_unsigned(shift + 1);
    Number::rounded(negative, sticky, exponent, precision)
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::from(BigInt::from(value))
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::from(BigInt::from(value))
    }
}

impl From<BigInt> for Number {
    fn from(value: BigInt) -> Self {
        let negative = value.sign() == Sign::Minus;
        let magnitude = value.magnitude().clone();
        let precision = precision_of(&magnitude);
        Self::rounded(negative, magnitude, 0, precision)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative(), other.is_negative()) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (true, true) => compare(&other.magnitude, &self.magnitude),
            (false, false) => compare(&self.magnitude, &other.magnitude),
        }
    }
}

fn compare(a: &Magnitude, b: &Magnitude) -> Ordering {
    match (a, b) {
        (Magnitude::Infinite, Magnitude::Infinite) => Ordering::Equal,
        (Magnitude::Infinite, _) => Ordering::Greater,
        (_, Magnitude::Infinite) => Ordering::Less,
        (
            Magnitude::Finite {
                mantissa: a,
                exponent: of_a,
            },
            Magnitude::Finite {
                mantissa: b,
                exponent: of_b,
            },
        ) => {
            let exponent = of_a.min(of_b);
            let a = a << (of_a - exponent).unsigned_abs();
            a.cmp(&(b << (of_b - exponent).unsigned_abs()))
        }
    }
}

/// The number in full, without an exponent.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        if self.is_infinite() {
            return f.write_str("Inf");
        }
        f.write_str(&self.shortest().fixed(None))
    }
}
