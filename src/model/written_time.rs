//! Times as clouds write them: RFC 3339, whatever its year and however long its fraction, and every other form that
//! can mean one time only.
//!
//! What could be read in two ways is refused; a script that knows better says the form ([`with_format`]).

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::fmt::strtime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

use crate::model::counted_time;
use crate::model::counted_time::Unit;
use crate::model::value::Value;

/// The digits of a fraction that are kept: nanoseconds.
const FRACTION: usize = 9;
/// HTTP's older forms (RFC 9110, 5.6.7), `date`, Java and JavaScript, and the logs of web servers.
const FORMS: [&str; 6] = [
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S UTC %Y",
    "%a %b %d %H:%M:%S GMT %Y",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%d/%b/%Y:%H:%M:%S %z",
];
/// The latest second that can be kept.
const LATEST: Timestamp = Timestamp::constant(253_402_207_200, 0);
/// What a time in an event hash may look like, for people.
const EXPECTED: &str = "a time like `2026-01-31T12:00:00Z` or seconds since 1970 was expected; \
                        `time(value, format)` reads other forms";

/// A time in RFC 3339: with any offset, any number of digits in its fraction, of which nanoseconds are kept, and any
/// year. The last hours of the year 9999, which [`Timestamp`] does not reach, are its latest second.
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let text = with_short_fraction(text);
        let pieces = Pieces::parse(&*text).ok()?;
        let local = DateTime::from_parts(pieces.date(), pieces.time()?);
        let offset = pieces.to_numeric_offset()?;
        Some(
            offset
                .to_timestamp(local)
                .unwrap_or_else(|_beyond| nearest(local)),
        )
    })
}

/// A time in RFC 3339 or another form that is written with a date: Ruby's `Time#to_s`, RFC 2822, HTTP's and the like.
/// One without a zone is in UTC (3.10).
pub fn dated(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let others = || {
        let rfc2822 = || rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        without_zone(text)
            .or_else(|| with_zone_apart(text))
            .or_else(rfc2822)
            .or_else(|| listed(text))
    };
    rfc3339(text).or_else(others)
}

/// Any text that means one time only: as [`dated`], or a count since 1970 whose number of digits tells its unit.
pub fn read(text: &str) -> Option<Timestamp> {
    dated(text).or_else(|| counted_time::read(text.trim()))
}

/// A text that is a time in this form: a count of `s`, `ms`, `us` or `ns`, or what `strftime` would write. Without a
/// zone it is in UTC.
///
/// # Errors
/// The reason, where it is not.
pub fn with_format(text: &str, format: &str) -> Result<Timestamp, String> {
    let wrong = |why: String| format!("`{text}` is no time as in `{format}`: {why}");
    if let Some(unit) = Unit::named(format) {
        let count: i64 = text
            .trim()
            .parse()
            .map_err(|_| wrong("a whole number is expected".to_owned()))?;
        return unit
            .time(count)
            .ok_or_else(|| wrong("it is out of range".to_owned()));
    }
    let parsed = strtime::parse(format, text.trim()).map_err(|error| wrong(error.to_string()))?;
    if parsed.timestamp().is_some() || parsed.offset().is_some() {
        return parsed.to_timestamp().map_err(|error| wrong(error.to_string()));
    }
    let local = parsed.to_datetime().map_err(|error| wrong(error.to_string()))?;
    Ok(in_utc(local))
}

/// A time as this form has it, in UTC.
///
/// # Errors
/// The reason, where the form is none.
pub fn formatted(time: Timestamp, format: &str) -> Result<String, String> {
    strtime::format(format, &time.to_zoned_datetime(TimeZone::UTC))
        .map_err(|error| format!("`{format}` is no form of a time: {error}"))
}

/// The `timestamp` of an event hash; nothing where it is nothing, or blank. Cut to microseconds (C45).
///
/// # Errors
/// The reason, where it is something that is no time, or could be two.
pub fn of_event(value: &Value) -> Result<Option<Timestamp>, String> {
    let time = match value {
        Value::Null => return Ok(None),
        Value::Text(text) if text.trim().is_empty() => return Ok(None),
        Value::Text(text) => read(text),
        Value::Int(count) => counted_time::of_count(*count),
        Value::Float(count) => counted_time::of_float(*count),
        Value::Decimal(count) => {
            let nearest = || counted_time::of_float(count.as_f64()?);
            counted_time::read(count.as_str()).or_else(nearest)
        }
        Value::Time(time) => Some(*time),
        // A number with more digits than a float holds.
        other => counted_time::read(&other.to_string()),
    };
    let time = time.ok_or_else(|| format!("`timestamp` is `{value}`; {EXPECTED}"))?;
    Ok(Some(in_microseconds(time)))
}

/// What the database keeps of a time (C45).
pub fn in_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(LATEST)
}

fn with_short_fraction(text: &str) -> Cow<'_, str> {
    let Some((whole, fraction)) = text.split_once(['.', ',']) else {
        return Cow::Borrowed(text);
    };
    let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = fraction.len() - rest.len();
    match fraction.get(..FRACTION) {
        Some(kept) if FRACTION < digits => Cow::Owned(format!("{whole}.{kept}{rest}")),
        _short => Cow::Borrowed(text),
    }
}

fn without_zone(text: &str) -> Option<Timestamp> {
    Some(in_utc(with_short_fraction(text).parse().ok()?))
}

fn in_utc(local: DateTime) -> Timestamp {
    let time = TimeZone::UTC.to_timestamp(local);
    time.unwrap_or_else(|_beyond| nearest(local))
}

/// The end of the times there are that a date beyond them is next to.
fn nearest(local: DateTime) -> Timestamp {
    match local.year() > 0 {
        true => LATEST,
        false => Timestamp::MIN,
    }
}

/// `2026-03-01 12:00:00 UTC`, `2026-03-01 12:00:00 +0100` (Ruby), and both together (Go), where the offset counts.
fn with_zone_apart(text: &str) -> Option<Timestamp> {
    let (time, zone) = text.rsplit_once(' ')?;
    let time = time.trim_end();
    if zone.starts_with(['+', '-']) {
        return rfc3339(&format!("{time}{zone}"));
    }
    let at_offset = || {
        let (time, offset) = time.rsplit_once(' ')?;
        let is_offset = offset.starts_with(['+', '-']);
        is_offset.then(|| rfc3339(&format!("{}{offset}", time.trim_end())))?
    };
    match zone {
        "UTC" | "GMT" | "Z" => without_zone(time).or_else(at_offset),
        name if name.bytes().all(|byte| byte.is_ascii_uppercase()) => at_offset(),
        _other => None,
    }
}

fn listed(text: &str) -> Option<Timestamp> {
    // JavaScript says the zone once more, in words.
    let text = match text.split_once(" (") {
        Some((time, words)) if words.ends_with(')') => time,
        _plain => text,
    };
    let forms = || FORMS.iter().find_map(|form| with_format(text, form).ok());
    of_net(text).or_else(forms)
}

/// `/Date(1772366400000+0100)/` of .NET, which counts in UTC whatever offset it names.
fn of_net(text: &str) -> Option<Timestamp> {
    let count = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let digits = count.strip_prefix('-').unwrap_or(count);
    let digits = digits.split(['+', '-']).next().unwrap_or_default();
    let sign = if count.starts_with('-') { "-" } else { "" };
    Unit::Millisecond.time(format!("{sign}{digits}").parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_is_named_is_the_one_that_is_read() {
        for (text, format, expected) in [
            ("86400000", "ms", Ok("1970-01-02T00:00:00Z")),
            ("-1", "s", Ok("1969-12-31T23:59:59Z")),
            ("20260301120000", "%Y%m%d%H%M%S", Ok("2026-03-01T12:00:00Z")),
            (
                "01.03.2026 13:00 +01:00",
                "%d.%m.%Y %H:%M %:z",
                Ok("2026-03-01T12:00:00Z"),
            ),
            (
                "1.5",
                "ms",
                Err("`1.5` is no time as in `ms`: a whole number is expected"),
            ),
            (
                "9223372036854775807",
                "s",
                Err("`9223372036854775807` is no time as in `s`: it is out of range"),
            ),
        ] {
            let found = with_format(text, format).map(|time| time.to_string());
            assert_eq!(
                found.as_deref().map_err(String::as_str),
                expected,
                "{text} {format}"
            );
        }
        assert!(
            with_format("noon", "%Y")
                .unwrap_err()
                .starts_with("`noon` is no time as in `%Y`: ")
        );
        let noon: Timestamp = "2026-03-01T12:00:00.25Z".parse().unwrap();
        assert_eq!(formatted(noon, "%Y%m%dT%H%M%S").as_deref(), Ok("20260301T120000"));
        assert!(formatted(noon, "%").is_err());
        assert_eq!(Unit::Millisecond.count(noon), Some(1_772_366_400_250));
        assert_eq!(Unit::Second.count(noon), Some(1_772_366_400));
        assert_eq!(Unit::Nanosecond.count(Timestamp::MAX), None);
    }
}
