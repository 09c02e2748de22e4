//! The map that `event_to_hash` returned, as an [`EventHash`]; a wrong shape names the key.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::event::EventHash;
use crate::model::event::EventKey;
use crate::model::event::FullData;
use crate::model::value::Value;
use crate::model::written_time;
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
            "timestamp" => hash.timestamp = written_time::of_event(&value)?,
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
        other if let Some(number) = other.as_number() => {
            let name = number.name().map_err(|error| format!("`{key}`: {error}"))?;
            Ok(Some(Arc::from(name)))
        }
        other => Err(format!("`{key}` has to be a text, it returned `{other}`")),
    }
}
