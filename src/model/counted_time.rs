//! Times as numbers: seconds since 1970, or thousandths, millionths and billionths of them, by their size.

use jiff::Timestamp;

/// The digits of a fraction of a second that are kept: nanoseconds.
const FRACTION: usize = 9;

/// A unit of time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Thousandths of a second.
    Millisecond,
    /// Millionths of a second.
    Microsecond,
    /// Billionths of a second.
    Nanosecond,
}

impl Unit {
    const ALL: [Self; 4] = [
        Self::Second,
        Self::Millisecond,
        Self::Microsecond,
        Self::Nanosecond,
    ];

    /// The unit that a format names: `s`, `ms`, `us` or `ns`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "s" => Some(Self::Second),
            "ms" => Some(Self::Millisecond),
            "us" => Some(Self::Microsecond),
            "ns" => Some(Self::Nanosecond),
            _other => None,
        }
    }

    /// How many of it make a second.
    fn per_second(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }

    /// The time that so many of it after 1970 are.
    pub fn time(self, count: i64) -> Option<Timestamp> {
        match self {
            Self::Second => Timestamp::from_second(count).ok(),
            Self::Millisecond => Timestamp::from_millisecond(count).ok(),
            Self::Microsecond => Timestamp::from_microsecond(count).ok(),
            Self::Nanosecond => Timestamp::from_nanosecond(i128::from(count)).ok(),
        }
    }

    /// How many of it have passed since 1970, whole ones; none beyond what a number holds.
    pub fn count(self, time: Timestamp) -> Option<i64> {
        let nanoseconds = time.as_nanosecond();
        let each = i128::from(1_000_000_000 / self.per_second());
        i64::try_from(nanoseconds.div_euclid(each)).ok()
    }

    /// The unit of a number that is a time between September 2001 and November 2286, and cannot be one in any other
    /// unit; seconds may be of any year.
    fn of(count: f64) -> Option<Self> {
        let is_of = |unit: &Self| {
            #[expect(clippy::cast_precision_loss, reason = "powers of ten up to 10^18 are exact")]
            let per_second = unit.per_second() as f64;
            (1e9 * per_second..1e10 * per_second).contains(&count)
        };
        // The years up to 9999, which the library refuses beyond.
        if count.abs() < 4e11 {
            return Some(Self::Second);
        }
        Self::ALL.into_iter().find(is_of)
    }
}

/// A count since 1970, in the unit that its size tells.
pub fn of_count(count: i64) -> Option<Timestamp> {
    #[expect(clippy::cast_precision_loss, reason = "only the order of magnitude counts")]
    let unit = Unit::of(count as f64)?;
    unit.time(count)
}

/// The same with a fraction.
pub fn of_float(count: f64) -> Option<Timestamp> {
    let unit = Unit::of(count)?;
    #[expect(clippy::cast_precision_loss, reason = "powers of ten up to 10^9 are exact")]
    let seconds = count / unit.per_second() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what does not fit saturates, and is out of range"
    )]
    let microseconds = (seconds * 1e6).round() as i64;
    Timestamp::from_microsecond(microseconds).ok()
}

/// A text that is such a number: `1772366400`, `1772366400.25`, and thirteen, sixteen or nineteen digits: other numbers of digits may be dates.
pub fn read(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || text.ends_with('.') {
        return None;
    }
    let unit = match (whole, whole.len()) {
        ("0", _) | (_, 10) => Unit::Second,
        (_, 13) => Unit::Millisecond,
        (_, 16) => Unit::Microsecond,
        (_, 19) => Unit::Nanosecond,
        _other => return None,
    };
    let time = unit.time(whole.parse().ok()?)?;
    if fraction.is_empty() {
        return Some(time);
    }
    // Of a finer unit than seconds, a fraction is beyond what is kept.
    let digits = fraction.get(..FRACTION).unwrap_or(fraction);
    let nanoseconds: i32 = format!("{digits:0<FRACTION$}").parse().ok()?;
    match unit {
        Unit::Second => Timestamp::new(time.as_second(), nanoseconds).ok(),
        _finer => Some(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_the_only_unit_that_it_can_have() {
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for count in [
            1_772_366_400,
            1_772_366_400_000,
            1_772_366_400_000_000,
            1_772_366_400_000_000_000,
        ] {
            assert_eq!(of_count(count), Some(noon), "{count}");
        }
        for (count, expected) in [
            (0, Some("1970-01-01T00:00:00Z")),
            (-1, Some("1969-12-31T23:59:59Z")),
            (253_402_207_200, Some("9999-12-30T22:00:00Z")),
            (253_402_207_201, None),
            (999_999_999_999, None),
            (1_000_000_000_000, Some("2001-09-09T01:46:40Z")),
            (20_260_301_120_000, None),
            (i64::MAX, Some("2262-04-11T23:47:16.854775807Z")),
            (i64::MIN, None),
        ] {
            let found = of_count(count).map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{count}");
        }
        for (count, expected) in [
            (1_772_366_400.25, Some("2026-03-01T12:00:00.25Z")),
            (1_772_366_400_250.0, Some("2026-03-01T12:00:00.25Z")),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (1e300, None),
        ] {
            let found = of_float(count).map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{count}");
        }
    }
}
