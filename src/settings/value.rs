//! One value of the settings as a Rust value: durations, sizes, numbers, names. Knows nothing of which setting.
//!
//! Every function answers a wrong value with what was expected, as the end of a sentence "expected ...".

use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::time::Duration;

use serde_yaml::Value;

/// A text, a number or a boolean as text.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        _other => Err("a text".to_owned()),
    }
}

/// `true` or `false`.
pub(crate) fn truth(value: &Value) -> Result<bool, String> {
    match text(value).as_deref() {
        Ok("true") => Ok(true),
        Ok("false") => Ok(false),
        _other => Err("`true` or `false`".to_owned()),
    }
}

/// A whole number from `least`; `1_000` is one too.
pub(crate) fn count(least: usize) -> impl Fn(&Value) -> Result<usize, String> {
    move |value| {
        let number = text(value)
            .ok()
            .and_then(|text| text.replace('_', "").parse().ok());
        number
            .filter(|number| *number >= least)
            .ok_or_else(|| format!("a whole number from {least}"))
    }
}

/// A duration: `15.seconds`, `1.5.hours`, `24h`, `500ms`, or a number of seconds.
pub(crate) fn duration(value: &Value) -> Result<Duration, String> {
    duration_of(&text(value).unwrap_or_default())
}

/// The same as text, wherever it stands.
pub(crate) fn duration_of(text: &str) -> Result<Duration, String> {
    let seconds = scaled(text, second_units);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "a duration such as `15.seconds`, `24h` or `500ms`".to_owned())
}

/// A duration that is not zero.
pub(crate) fn positive(value: &Value) -> Result<Duration, String> {
    let positive = duration(value)?;
    (!positive.is_zero())
        .then_some(positive)
        .ok_or_else(|| "a duration above 0".to_owned())
}

/// A duration up to `most`.
pub(crate) fn duration_up_to(most: Duration) -> impl Fn(&Value) -> Result<Duration, String> {
    move |value| {
        let duration = duration(value).ok().filter(|duration| *duration <= most);
        duration.ok_or_else(|| format!("a duration up to {most:?}"))
    }
}

/// A size in bytes: `1 MiB`, `64KiB`, `8.megabytes`, or a number of bytes; at least one.
pub(crate) fn size(value: &Value) -> Result<usize, String> {
    let bytes = text(value).ok().and_then(|text| scaled(&text, byte_units));
    // Below 2^53 every whole number is exact, and no setting is larger.
    let bytes = bytes
        .filter(|bytes| (1.0..9e15).contains(bytes))
        .map(|bytes| format!("{bytes:.0}"));
    bytes
        .and_then(|bytes| bytes.parse().ok())
        .ok_or_else(|| "a size such as `1 MiB` or `64 KiB`".to_owned())
}

/// An address with a port: `127.0.0.1:3000`, `[::1]:3000`, `localhost:3000`.
pub(crate) fn address(value: &Value) -> Result<SocketAddr, String> {
    let addresses = text(value).ok().and_then(|text| text.to_socket_addrs().ok());
    let address = addresses.and_then(|mut addresses| addresses.next());
    address.ok_or_else(|| "an address with a port such as `127.0.0.1:3000`".to_owned())
}

/// A number with a unit behind it, perhaps after a point or a space.
fn scaled(text: &str, units: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number
        .trim_end_matches(['.', ' '])
        .replace('_', "")
        .parse()
        .ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * units(unit)?)
}

/// Seconds in a unit; months and years are Rails' means of the calendar.
fn second_units(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "" | "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        "month" | "months" => 2_629_746.0,
        "year" | "years" => 31_556_952.0,
        _unknown => return None,
    })
}

/// Bytes in a unit, in steps of 1024, as Rails counts.
fn byte_units(unit: &str) -> Option<f64> {
    Some(match unit.to_lowercase().as_str() {
        "" | "b" | "byte" | "bytes" => 1.0,
        "kib" | "kb" | "kilobyte" | "kilobytes" => 1_024.0,
        "mib" | "mb" | "megabyte" | "megabytes" => 1_048_576.0,
        "gib" | "gb" | "gigabyte" | "gigabytes" => 1_073_741_824.0,
        _unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_guide_and_as_people_write_them() {
        for (written, milliseconds) in [
            ("15.seconds", Some(15_000)),
            ("1.second", Some(1_000)),
            ("24.hours", Some(86_400_000)),
            ("1.5.hours", Some(5_400_000)),
            ("6.months", Some(15_778_476_000)),
            ("15s", Some(15_000)),
            ("24h", Some(86_400_000)),
            ("500ms", Some(500)),
            ("0.5", Some(500)),
            ("15", Some(15_000)),
            ("2 minutes", Some(120_000)),
            ("0", Some(0)),
            ("-1", None),
            ("1.fortnight", None),
            ("seconds", None),
            ("", None),
            ("1e999", None),
            ("1.2.3.seconds", None),
            ("inf", None),
            ("99999999999999999999.years", None),
        ] {
            let duration = duration(&Value::from(written)).ok();
            assert_eq!(duration, milliseconds.map(Duration::from_millis), "{written}");
        }
    }

    #[test]
    fn sizes_and_numbers_are_read_with_their_bounds() {
        for (written, bytes) in [
            ("1 MiB", Some(1 << 20)),
            ("1.megabytes", Some(1 << 20)),
            ("64KiB", Some(64 << 10)),
            ("1.5.kilobytes", Some(1536)),
            ("1_000", Some(1000)),
            ("0", None),
            ("-1 MiB", None),
            ("1 parsec", None),
            ("99999999 GiB", None),
        ] {
            assert_eq!(size(&Value::from(written)).ok(), bytes, "{written}");
        }
        for (written, number) in [
            ("1_000", Some(1000)),
            ("1", Some(1)),
            ("0", None),
            ("-3", None),
            ("1.5", None),
        ] {
            assert_eq!(count(1)(&Value::from(written)).ok(), number, "{written}");
        }
    }
}
