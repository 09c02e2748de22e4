//! One value of the settings as a Rust value: durations, sizes, numbers, names. Knows nothing of which setting.
//!
//! Every function answers a wrong value with what was expected, as the end of a sentence "expected ...".

use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest duration, 1,000 years of the calendar's mean: every time that is counted from now can be told.
const LONGEST: Duration = Duration::from_secs(1_000 * 31_556_952);

/// Whether a key may be the name of a provider, which is that of a folder of scripts.
pub(crate) fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Any text that is not blank.
pub(crate) fn text(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("a text".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// `true` or `false`.
pub(crate) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _other => Err("`true` or `false`".to_owned()),
    }
}

/// A whole number within bounds; `1_000` is one too.
pub(crate) fn count(bounds: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> {
    move |text| {
        let number = whole_number(text).filter(|number| bounds.contains(number));
        number.ok_or_else(|| format!("a whole number from {} to {}", bounds.start(), bounds.end()))
    }
}

/// Decimal digits, perhaps in groups. What begins with a 0 is another number to some.
fn whole_number(text: &str) -> Option<usize> {
    let is_number = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = text == "0" || !text.starts_with('0');
    (is_plain && text.split('_').all(is_number)).then(|| text.replace('_', "").parse().ok())?
}

/// A duration: `15.seconds`, `1.5.hours`, `24h`, `500ms`, or a number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = scaled(text, second_units);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match duration {
        Some(duration) if duration <= LONGEST => Ok(duration),
        Some(_longer) => Err("a duration up to `1000.years`".to_owned()),
        None => Err("a duration such as `15.seconds`, `24h` or `500ms`".to_owned()),
    }
}

/// A duration that is not zero.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    let positive = duration(text)?;
    (!positive.is_zero())
        .then_some(positive)
        .ok_or_else(|| "a duration above 0".to_owned())
}

/// A duration up to `most`.
pub(crate) fn duration_up_to(most: Duration) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let duration = duration(text).ok().filter(|duration| *duration <= most);
        duration.ok_or_else(|| format!("a duration up to {most:?}"))
    }
}

/// A size in bytes: `1 MiB`, `64KiB`, `8.megabytes`, or a number of bytes; within bounds.
pub(crate) fn size(bounds: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> {
    move |text| {
        // Below 2^53 every whole number is exact, and no setting is larger.
        let bytes = scaled(text, byte_units).filter(|bytes| (0.0..9e15).contains(bytes));
        let bytes: Option<usize> = bytes.and_then(|bytes| format!("{bytes:.0}").parse().ok());
        match bytes {
            Some(bytes) if bounds.contains(&bytes) => Ok(bytes),
            Some(_outside) => Err(format!(
                "a size from {} to {} bytes",
                bounds.start(),
                bounds.end()
            )),
            None => Err("a size such as `1 MiB` or `64 KiB`".to_owned()),
        }
    }
}

/// An address with a port: `127.0.0.1:3000`, `[::1]:3000`, `localhost:3000`.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    // `0:80` and `127.1:80` are addresses to the system, and not those that they look like.
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_name = !last.starts_with(|c: char| c.is_ascii_digit());
    let resolved = || {
        text.to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
    };
    let address = text.parse().ok().or_else(|| resolved().filter(|_| is_name));
    address.ok_or_else(|| "an address with a port such as `127.0.0.1:3000`".to_owned())
}

/// A number with a unit behind it, perhaps after a point or a space.
fn scaled(text: &str, units: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number = number.trim_end_matches(['.', ' ']);
    if number.split('_').any(str::is_empty) {
        return None;
    }
    let number: f64 = number.replace('_', "").parse().ok()?;
    (number.is_finite() && number.is_sign_positive()).then_some(number * units(unit)?)
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
            ("1000.years", Some(31_556_952_000_000)),
            ("15s", Some(15_000)),
            ("24h", Some(86_400_000)),
            ("500ms", Some(500)),
            ("0.5", Some(500)),
            ("15", Some(15_000)),
            ("1_000", Some(1_000_000)),
            ("2 minutes", Some(120_000)),
            ("0", Some(0)),
            ("-1", None),
            ("-0", None),
            ("_1", None),
            ("1__0", None),
            ("1e3", None),
            ("0x10", None),
            ("1h30m", None),
            ("1.fortnight", None),
            ("seconds", None),
            ("", None),
            ("1e999", None),
            ("1.2.3.seconds", None),
            ("inf", None),
            ("1001.years", None),
            ("99999999999999999999.years", None),
        ] {
            let duration = duration(written).ok();
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
            ("2 GiB", None),
            ("99999999 GiB", None),
        ] {
            assert_eq!(size(1..=1 << 30)(written).ok(), bytes, "{written}");
        }
        for (written, number) in [
            ("1_000", Some(1000)),
            ("1", Some(1)),
            ("0", None),
            ("1001", None),
            ("-3", None),
            ("+3", None),
            ("1.5", None),
            ("1e2", None),
            ("0x1F", None),
            ("017", None),
            ("_1", None),
            ("1_", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(count(1..=1000)(written).ok(), number, "{written}");
        }
        assert_eq!(count(0..=1)("0"), Ok(0));
        for (written, read) in [
            ("127.0.0.1:3000", Some("127.0.0.1:3000")),
            ("[::1]:3000", Some("[::1]:3000")),
            ("127.1:3000", None),
            ("0:3000", None),
            ("0x7f.1:3000", None),
            ("127.0.0.1", None),
            (":3000", None),
            ("127.0.0.1:65536", None),
        ] {
            let address = address(written).ok().map(|address| address.to_string());
            assert_eq!(address.as_deref(), read, "{written}");
        }
    }
}
