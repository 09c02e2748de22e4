//! Duration texts of `max_time` and `ae_retry_interval` (reference 5.7).

use crate::automate::datatype::leading_integer;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::value::Value;

const UNITS: [(&str, f64); 7] = [
    ("second", 1.0),
    ("minute", 60.0),
    ("hour", 3_600.0),
    ("day", 86_400.0),
    ("week", 604_800.0),
    ("month", 2_629_746.0),
    ("year", 31_556_952.0),
];

/// Seconds of `30.seconds`, `1.5.hours`, `90`, `90 seconds`; a leading integer where there is no unit.
pub(crate) fn seconds(text: &str) -> Ae<f64> {
    let text = text.replace(',', "");
    let text = text.trim();
    let parsed = text
        .rsplit_once('.')
        .and_then(|(number, unit)| Some((number.parse::<f64>().ok()?, unit)));
    let Some((number, unit)) =
        parsed.filter(|(_, unit)| !unit.is_empty() && unit.chars().all(|c| c.is_ascii_lowercase()))
    else {
        #[expect(clippy::cast_precision_loss, reason = "durations are small")]
        return Ok(leading_integer(text) as f64);
    };
    let factor = UNITS
        .iter()
        .find(|(name, _)| unit.strip_suffix('s').unwrap_or(unit) == *name)
        .map(|(_, factor)| factor);
    let unknown = || {
        AeError::engine(
            "InvalidDuration",
            format!(
                "`{text}` is no duration: the unit `{unit}` is unknown; seconds, minutes, hours, days or weeks are expected"
            ),
        )
    };
    factor.map(|factor| number * factor).ok_or_else(unknown)
}

/// Seconds of an attribute: numbers pass through, nothing is 0.
pub(crate) fn of_value(value: &Value) -> Ae<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "durations are small")]
        Value::Int(whole) => Ok(*whole as f64),
        Value::Float(float) => Ok(*float),
        Value::Decimal(decimal) => decimal.as_f64().map_or_else(|| seconds(decimal.as_str()), Ok),
        other => seconds(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_in_section_5_7() {
        for (text, expected) in [
            ("30.seconds", 30.0),
            ("1.minute", 60.0),
            ("1.5.hours", 5_400.0),
            ("1.day", 86_400.0),
            ("90", 90.0),
            ("90 seconds", 90.0),
            ("90.Seconds", 90.0),
            ("1,000", 1_000.0),
            ("", 0.0),
        ] {
            assert!((seconds(text).unwrap() - expected).abs() < 1e-9, "{text}");
        }
        assert!(seconds("1.fortnite").is_err());
    }
}
