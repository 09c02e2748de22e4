//! A number to the letter, where neither an `i64` nor an `f64` gives it back as it was written.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde::ser::Error;
use serde_json::value::RawValue;

/// A number as it was written, such as `18446744073709551616`, `1.10` or `1e400`. Cheap to clone. Two are equal when
/// they are written alike; [`Decimal::compare`] goes by what they are worth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(Arc<str>);

impl Decimal {
    /// Wraps a numeral of which the reader has found that it is one.
    pub(crate) fn new(numeral: &str) -> Self {
        Self(Arc::from(numeral))
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, where it was written without a point and an exponent, and an `i128` holds it.
    pub fn whole(&self) -> Option<i128> {
        self.0.parse().ok()
    }

    /// The float next to it; none where that is infinite.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|float: &f64| float.is_finite())
    }

    /// Whether it is less or more than another number, or worth the same.
    pub fn compare(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }

    /// The same with a whole number.
    pub fn compare_int(&self, other: i64) -> Ordering {
        compare(&self.0, &other.to_string())
    }

    /// The same with a float, which counts as the number that it is written as: `1.10` is worth `1.1`. None where that
    /// is no number.
    pub fn compare_float(&self, other: f64) -> Option<Ordering> {
        if other.is_infinite() {
            return 0.0.partial_cmp(&other);
        }
        (!other.is_nan()).then(|| compare(&self.0, &format!("{other:?}")))
    }

    /// The numeral of the number with the other sign.
    pub(crate) fn opposite(&self) -> String {
        match self.0.strip_prefix('-') {
            Some(positive) => positive.to_owned(),
            None => format!("-{}", self.0),
        }
    }

    /// The number without its fraction, where an `i64` holds it.
    pub fn truncated(&self) -> Option<i64> {
        let parts = Parts::of(&self.0);
        if parts.digits.is_empty() {
            return Some(0);
        }
        let length = usize::try_from(parts.magnitude.max(0))
            .ok()
            .filter(|length| *length <= 19)?;
        let sign = if parts.is_negative { "-" } else { "" };
        let digits: String = parts
            .digits
            .chars()
            .chain(std::iter::repeat('0'))
            .take(length)
            .collect();
        format!("{sign}0{digits}").parse().ok()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// To the letter in JSON; no other format has numbers of this kind.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// What a numeral is worth: `0.DIGITS` times ten to the power of `magnitude`.
struct Parts {
    is_negative: bool,
    /// Without zeros at both ends; empty for zero.
    digits: String,
    magnitude: i128,
}

impl Parts {
    fn of(numeral: &str) -> Self {
        let unsigned = numeral.strip_prefix('-');
        let is_negative = unsigned.is_some();
        let unsigned = unsigned.unwrap_or(numeral);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = all.len() - digits.len();
        let wide = |count: usize| i128::try_from(count).unwrap_or(i128::MAX);
        Self {
            is_negative,
            digits: digits.trim_end_matches('0').to_owned(),
            magnitude: exponent_of(exponent).saturating_add(wide(whole.len()) - wide(leading)),
        }
    }

    fn compare_absolute(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                let by_magnitude = self.magnitude.cmp(&other.magnitude);
                by_magnitude.then_with(|| self.digits.cmp(&other.digits))
            }
        }
    }
}

/// An exponent; of those beyond 127 bits only the sign counts.
fn exponent_of(text: &str) -> i128 {
    let beyond = if text.starts_with('-') {
        i128::MIN
    } else {
        i128::MAX
    };
    text.parse().unwrap_or(beyond)
}

fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    let sign = |parts: &Parts| match (parts.digits.is_empty(), parts.is_negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    match sign(&left).cmp(&sign(&right)) {
        Ordering::Equal if sign(&left) < 0 => right.compare_absolute(&left),
        Ordering::Equal => left.compare_absolute(&right),
        different => different,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_compared_by_what_they_are_worth() {
        let ascending = [
            "-1e400",
            "-18446744073709551616",
            "-1.10",
            "-1e-400",
            "0",
            "1e-400",
            "0.0100",
            "1.09",
            "1.10",
            "18446744073709551615",
            "18446744073709551616",
            "1e400",
            "1e99999999999999999999999999999999999999999",
        ];
        for (left, first) in ascending.iter().enumerate() {
            for (right, second) in ascending.iter().enumerate() {
                assert_eq!(compare(first, second), left.cmp(&right), "{first} {second}");
            }
        }
        for (first, second) in [
            ("-0", "0.0e7"),
            ("1.10", "11e-1"),
            ("100", "1E+2"),
            ("0.001", "1e-3"),
        ] {
            assert_eq!(compare(first, second), Ordering::Equal, "{first} {second}");
        }
    }

    #[test]
    fn a_float_counts_as_the_number_that_it_is_written_as() {
        let decimal = Decimal::new;
        assert_eq!(decimal("1.10").compare_float(1.1), Some(Ordering::Equal));
        assert_eq!(
            decimal("1e400").compare_float(f64::INFINITY),
            Some(Ordering::Less)
        );
        assert_eq!(
            decimal("-1e400").compare_float(f64::NEG_INFINITY),
            Some(Ordering::Greater)
        );
        assert_eq!(decimal("1e5").compare_float(f64::NAN), None);
        assert_eq!(decimal("1e21").compare_float(1e21), Some(Ordering::Equal));
        // A float that was rounded is another number.
        assert_ne!(
            decimal("18446744073709551616").compare_float(18446744073709551616.0),
            Some(Ordering::Equal)
        );
        assert_eq!(decimal("-0").compare_int(0), Ordering::Equal);
        assert_eq!(
            decimal("9223372036854775808").compare_int(i64::MAX),
            Ordering::Greater
        );
    }

    #[test]
    fn a_number_is_cut_to_a_whole_one_where_it_fits() {
        for (numeral, expected) in [
            ("1.10", Some(1)),
            ("-1.99", Some(-1)),
            ("-0", Some(0)),
            ("0.0001e4", Some(1)),
            ("1e3", Some(1000)),
            ("1e-3", Some(0)),
            ("9007199254740993.50", Some(9_007_199_254_740_993)),
            ("-9223372036854775808.0", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e400", None),
            ("0e400", Some(0)),
        ] {
            assert_eq!(Decimal::new(numeral).truncated(), expected, "{numeral}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_are_compared_like_integers(left: i64, right: i64) {
            prop_assert_eq!(compare(&left.to_string(), &right.to_string()), left.cmp(&right));
        }

        #[test]
        fn floats_are_compared_like_floats(left: f64, right: f64) {
            prop_assume!(left.is_finite() && right.is_finite());
            let found = compare(&format!("{left:?}"), &format!("{right:?}"));
            prop_assert_eq!(Some(found), left.partial_cmp(&right));
        }
    }
}
