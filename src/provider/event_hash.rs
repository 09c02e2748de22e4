//! The map that `event_to_hash` returned, as an [`EventHash`]; a wrong shape names the key.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::event::EventHash;
use crate::model::event::EventKey;
use crate::model::event::FullData;
use crate::model::value::Value;
use crate::script::Returned;
use crate::script::ScriptError;

/// Reads the returned map. `()` and blank references count as absent; keys that nobody knows are kept (L12).
///
/// # Errors
/// When it is no map, a key has a wrong shape, or there is no `event_type`.
pub(crate) fn read(
    returned: &Returned,
    provider: &str,
    full_data: FullData,
) -> Result<EventHash, ScriptError> {
    let mut event_type = None;
    let mut hash = EventHash {
        event_type: Arc::from(""),
        source: Arc::from(""),
        event_key: None,
        ems_ref: None,
        timestamp: None,
        attributes: BTreeMap::new(),
        full_data,
    };
    returned.for_each_entry(|key, value| {
        match key {
            "event_type" => event_type = text(key, &value)?,
            "source" => hash.source = text(key, &value)?.unwrap_or_default(),
            "event_key" => hash.event_key = text(key, &value)?.map(EventKey),
            "ems_ref" => hash.ems_ref = text(key, &value)?,
            "timestamp" => hash.timestamp = timestamp(&value)?,
            "full_data" => (),
            reference if is_reference(reference) => {
                if let Some(text) = text(key, &value)? {
                    hash.attributes.insert(Arc::from(key), Value::Text(text));
                }
            }
            _other if value.is_null() => (),
            _other => {
                hash.attributes.insert(Arc::from(key), value);
            }
        }
        Ok(())
    })?;
    hash.event_type =
        event_type.ok_or_else(|| returned.wrong("it returned no `event_type`; a text was expected"))?;
    if hash.source.is_empty() {
        hash.source = Arc::from(provider.to_uppercase());
    }
    Ok(hash)
}

/// Keys that name something by a text: links are looked up by them, so a number must not differ from its text.
fn is_reference(key: &str) -> bool {
    key == "chain_id"
        || ["_ems_ref", "_uid_ems", "_uid", "_name"]
            .iter()
            .any(|suffix| key.ends_with(suffix))
}

fn text(key: &str, value: &Value) -> Result<Option<Arc<str>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Value::Int(_) | Value::Float(_) => Ok(Some(Arc::from(value.to_string()))),
        other => Err(format!("`{key}` has to be a text, it returned `{other}`")),
    }
}

/// RFC 3339, or seconds since the epoch; cut to microseconds (C45).
fn timestamp(value: &Value) -> Result<Option<Timestamp>, String> {
    let expected = "a time like `2026-01-31T12:00:00Z` or seconds since 1970 was expected";
    let time = match value {
        Value::Null => return Ok(None),
        Value::Text(text) if text.trim().is_empty() => return Ok(None),
        Value::Text(text) => text
            .parse::<Timestamp>()
            .or_else(|error| without_zone(text).ok_or(error)),
        Value::Int(seconds) => Timestamp::from_second(*seconds),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float that does not fit saturates, and is out of range"
        )]
        Value::Float(seconds) => Timestamp::from_microsecond((seconds * 1e6) as i64),
        other => return Err(format!("`timestamp` is `{other}`; {expected}")),
    };
    let time = time.map_err(|_| format!("`timestamp` is `{value}`; {expected}"))?;
    Ok(Timestamp::from_microsecond(time.as_microsecond()).ok())
}

/// A time without a zone is taken as UTC (3.10).
fn without_zone(text: &str) -> Option<Timestamp> {
    let time: jiff::civil::DateTime = text.parse().ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}
