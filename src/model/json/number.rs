//! A number of a JSON text: the same letters come out that went in.

use std::cmp::Ordering;
use std::fmt;
use std::fmt::Write;

use serde::Serialize;
use serde::Serializer;

use crate::model::json::Decimal;

/// A number in the simplest form that gives it back as it was written. Two are equal when they are written alike.
#[derive(Clone, Debug)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A fraction that everybody prints as it was written. What is computed may be any other, infinite ones too.
    Float(f64),
    /// Any other: `18446744073709551616`, `1.10`, `1e400`, `-0`.
    Decimal(Decimal),
}

/// A float that cannot name anything.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "the float {0:?} may have been rounded, so that it names nothing; hand on the number as it came, or a text"
)]
pub struct Rounded(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits(),
            (Self::Decimal(left), Self::Decimal(right)) => left == right,
            _other => false,
        }
    }
}

impl Eq for Number {}

/// What all printers write without an exponent: those of Rust, of scripts and of `serde_json`.
const PLAIN: std::ops::Range<f64> = 1e-4..1e13;
/// How many digits a float can always hold.
const HELD: usize = 15;
/// How many digits a float is written with at most.
const WRITTEN: usize = 17;

impl Number {
    /// Reads a numeral of which the reader has found that it is one.
    pub(crate) fn of_numeral(numeral: &str) -> Self {
        if !numeral.contains(['.', 'e', 'E']) {
            let whole = numeral.parse().ok().filter(|_| numeral != "-0");
            return whole.map_or_else(|| Self::Decimal(Decimal::new(numeral)), Self::Int);
        }
        plain_float(numeral).map_or_else(|| Self::Decimal(Decimal::new(numeral)), Self::Float)
    }

    /// Reads a numeral; none where the text is no number as JSON has them.
    pub fn read(numeral: &str) -> Option<Self> {
        // Space around a numeral is none of it.
        let is_digit = |character: char| character.is_ascii_digit();
        let is_numeral =
            numeral.ends_with(is_digit) && (numeral.starts_with(is_digit) || numeral.starts_with('-'));
        match crate::model::json::read(numeral).ok()? {
            crate::model::json::Value::Number(number) if is_numeral => Some(number),
            _other => None,
        }
    }

    /// The number, where it is whole and an `i64` holds it.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(whole) => Some(*whole),
            Self::Float(_) | Self::Decimal(_) => None,
        }
    }

    /// The number, where it is whole and a `u64` holds it.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(whole) => u64::try_from(*whole).ok(),
            Self::Float(_) => None,
            Self::Decimal(decimal) => decimal.whole().and_then(|whole| u64::try_from(whole).ok()),
        }
    }

    /// The float next to it; none where that is infinite.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what is asked for"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(whole) => Some(*whole as f64),
            Self::Float(float) => Some(*float),
            Self::Decimal(decimal) => decimal.as_f64(),
        }
    }

    /// The number as a text that names something: a key, a reference, a place to ask from.
    ///
    /// # Errors
    /// When it is a float that may have been rounded, so that two things would have one name.
    pub fn name(&self) -> Result<String, Rounded> {
        let written = self.to_string();
        match self {
            Self::Float(float) if plain_float(&written).is_none() => Err(Rounded(*float)),
            _exact => Ok(written),
        }
    }

    /// Whether it is less or more than another number, or worth the same; a float counts as the number that it is
    /// written as, so that `1.10` is worth `1.1`. None where one of them is no number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "what a float does not tell apart, it does not"
    )]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Int(left), Self::Float(right)) => (*left as f64).partial_cmp(right),
            (Self::Float(left), Self::Int(right)) => left.partial_cmp(&(*right as f64)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Decimal(left), Self::Decimal(right)) => Some(left.compare(right)),
            (Self::Decimal(left), Self::Int(right)) => Some(left.compare_int(*right)),
            (Self::Int(left), Self::Decimal(right)) => Some(right.compare_int(*left).reverse()),
            (Self::Decimal(left), Self::Float(right)) => left.compare_float(*right),
            (Self::Float(left), Self::Decimal(right)) => right.compare_float(*left).map(Ordering::reverse),
        }
    }

    /// Whether it is written without a point and an exponent.
    pub(crate) fn is_written_whole(&self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Float(_) => false,
            Self::Decimal(decimal) => !decimal.as_str().contains(['.', 'e', 'E']),
        }
    }

    /// The number, where it is whole, written without a point and an exponent, and an `i128` holds it.
    pub fn whole(&self) -> Option<i128> {
        match self {
            Self::Int(whole) => Some((*whole).into()),
            Self::Float(_) => None,
            Self::Decimal(decimal) => decimal.whole(),
        }
    }
}

impl From<i64> for Number {
    fn from(whole: i64) -> Self {
        Self::Int(whole)
    }
}

impl From<f64> for Number {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<Decimal> for Number {
    fn from(decimal: Decimal) -> Self {
        Self::Decimal(decimal)
    }
}

impl From<i128> for Number {
    fn from(whole: i128) -> Self {
        i64::try_from(whole).map_or_else(|_wide| Self::Decimal(Decimal::new(&whole.to_string())), Self::Int)
    }
}

/// The float that is written like this by everybody.
fn plain_float(numeral: &str) -> Option<f64> {
    let (_whole, fraction) = numeral.split_once('.')?;
    if numeral.contains(['e', 'E']) || (fraction.ends_with('0') && fraction != "0") {
        return None;
    }
    let digits = numeral.trim_start_matches(['-', '0', '.']);
    let count = digits.len() - usize::from(digits.contains('.'));
    let float: f64 = numeral.parse().ok()?;
    let is_plain = PLAIN.contains(&float.abs()) || numeral == "0.0";
    let is_held = || count <= HELD || (count <= WRITTEN && is_written(float, numeral));
    (is_plain && is_held()).then_some(float)
}

/// Whether a float is written with these letters.
fn is_written(float: f64, numeral: &str) -> bool {
    struct Rest<'a>(&'a str);

    impl Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }

    let mut rest = Rest(numeral);
    write!(rest, "{float:?}").is_ok() && rest.0.is_empty()
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(whole) => whole.fmt(f),
            Self::Float(float) => write!(f, "{float:?}"),
            Self::Decimal(decimal) => decimal.fmt(f),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(whole) => serializer.serialize_i64(*whole),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::Decimal(decimal) => decimal.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(number: &Number) -> &'static str {
        match number {
            Number::Int(_) => "int",
            Number::Float(_) => "float",
            Number::Decimal(_) => "decimal",
        }
    }

    #[test]
    fn a_number_takes_the_simplest_form_that_gives_it_back() {
        for (numeral, expected) in [
            ("0", "int"),
            ("-7", "int"),
            ("9223372036854775807", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "decimal"),
            ("18446744073709551616", "decimal"),
            ("-0", "decimal"),
            ("0.0", "float"),
            ("-0.0", "decimal"),
            ("0.5", "float"),
            ("60.0", "float"),
            ("1.1", "float"),
            ("1.10", "decimal"),
            ("1.00", "decimal"),
            ("1e2", "decimal"),
            ("1E2", "decimal"),
            ("1.5e-7", "decimal"),
            ("0.0001", "float"),
            ("0.00001", "decimal"),
            ("1e400", "decimal"),
            ("1700000000.123456", "float"),
            ("9999999999999.5", "float"),
            ("10000000000000.5", "decimal"),
            ("0.30000000000000004", "float"),
            ("0.3000000000000001", "float"),
            ("0.30000000000000005", "decimal"),
            ("0.1000000000000000055511151231257827", "decimal"),
        ] {
            let number = Number::read(numeral).unwrap();
            assert_eq!(form(&number), expected, "{numeral}");
            assert_eq!(number.to_string(), numeral);
        }
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "+1",
            "1.",
            ".5",
            "1e",
            "NaN",
            "0x1",
            "1_0",
            "null",
            "\u{feff}1",
        ] {
            assert_eq!(Number::read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_printed_as_it_was_written(
            numeral in r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
        ) {
            let number = Number::read(&numeral).unwrap();
            prop_assert_eq!(&number.to_string(), &numeral);
            prop_assert_eq!(&serde_json::to_string(&number).unwrap(), &numeral);
        }

        #[test]
        fn a_short_fraction_is_a_float(numeral in r"-?(0|[1-9][0-9]{0,6})\.[0-9]{0,7}[1-9]") {
            let float: f64 = numeral.parse().unwrap();
            let is_float = form(&Number::read(&numeral).unwrap()) == "float";
            prop_assert_eq!(is_float, PLAIN.contains(&float.abs()));
        }
    }
}
