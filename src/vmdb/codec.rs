//! The words as rows hold them: event hashes and retries as JSON that can be read back, times as microseconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::delivery::MachineState;
use crate::model::delivery::Retry;
use crate::model::event::EventHash;
use crate::model::event::EventKey;
use crate::model::event::FullData;
use crate::model::json;
use crate::model::value::ValueMap;
use crate::vmdb::VmdbError;
use crate::vmdb::stored_value::Restored;
use crate::vmdb::stored_value::Stored;
use crate::vmdb::stored_value::StoredMap;

/// Any JSON of ours as text.
pub(crate) fn to_json(what: &'static str, content: &impl Serialize) -> Result<String, VmdbError> {
    serde_json::to_string(content).map_err(|error| VmdbError::unreadable(what, error))
}

/// The time that a column holds.
pub(crate) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[derive(Serialize)]
struct HashOut<'a> {
    event_type: &'a str,
    source: &'a str,
    event_key: Option<&'a EventKey>,
    ems_ref: Option<&'a str>,
    timestamp: Option<i64>,
    attributes: StoredMap<'a>,
}

#[derive(Deserialize)]
struct HashIn {
    event_type: Arc<str>,
    source: Arc<str>,
    event_key: Option<EventKey>,
    ems_ref: Option<Arc<str>>,
    timestamp: Option<i64>,
    attributes: BTreeMap<Arc<str>, Restored>,
}

/// The hash without `full_data`, which has a column of its own.
pub(crate) fn write_hash(hash: &EventHash) -> Result<String, VmdbError> {
    let out = HashOut {
        event_type: &hash.event_type,
        source: &hash.source,
        event_key: hash.event_key.as_ref(),
        ems_ref: hash.ems_ref.as_deref(),
        timestamp: hash.timestamp.map(Timestamp::as_microsecond),
        attributes: StoredMap(&hash.attributes),
    };
    to_json("an event hash", &out)
}

/// Reads what [`write_hash`] wrote.
pub(crate) fn read_hash(text: &str, full_data: FullData) -> Result<EventHash, serde_json::Error> {
    let read: HashIn = serde_json::from_str(text)?;
    Ok(EventHash {
        event_type: read.event_type,
        source: read.source,
        event_key: read.event_key,
        ems_ref: read.ems_ref,
        timestamp: read.timestamp.map(time),
        attributes: values(read.attributes),
        full_data,
    })
}

/// The attributes of a hash.
pub(crate) fn write_attributes(attributes: &ValueMap) -> Result<String, VmdbError> {
    to_json("attributes", &StoredMap(attributes))
}

/// Reads what [`write_attributes`] wrote.
pub(crate) fn read_attributes(text: &str) -> Result<ValueMap, serde_json::Error> {
    Ok(values(serde_json::from_str(text)?))
}

fn values(restored: BTreeMap<Arc<str>, Restored>) -> ValueMap {
    restored
        .into_iter()
        .map(|(key, Restored(value))| (key, value))
        .collect()
}

#[derive(Serialize)]
struct RetryOut<'a> {
    after: f64,
    server_affinity: bool,
    machines: BTreeMap<&'a str, [Stored<'a>; 4]>,
    state_vars: StoredMap<'a>,
    root: &'a BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Deserialize)]
struct RetryIn {
    after: f64,
    server_affinity: bool,
    machines: BTreeMap<Arc<str>, [Restored; 4]>,
    state_vars: BTreeMap<Arc<str>, Restored>,
    root: BTreeMap<Arc<str>, Arc<str>>,
}

/// What a state machine needs to go on.
pub(crate) fn write_retry(retry: &Retry) -> Result<json::Value, VmdbError> {
    let out = RetryOut {
        after: retry.after,
        server_affinity: retry.server_affinity,
        machines: retry
            .machines
            .iter()
            .map(|(name, state)| (&**name, machine(state)))
            .collect(),
        state_vars: StoredMap(&retry.state_vars),
        root: &retry.root,
    };
    json::to_value(&out).map_err(|error| VmdbError::unreadable("a retry", error))
}

fn machine(state: &MachineState) -> [Stored<'_>; 4] {
    [
        Stored(&state.ae_state),
        Stored(&state.ae_state_started),
        Stored(&state.ae_state_retries),
        Stored(&state.ae_state_max_retries),
    ]
}

/// Reads what [`write_retry`] wrote.
pub(crate) fn read_retry(json: &json::Value) -> Result<Retry, serde_json::Error> {
    let read: RetryIn = json::from_value(json)?;
    let machine = |[state, started, retries, most]: [Restored; 4]| MachineState {
        ae_state: state.0,
        ae_state_started: started.0,
        ae_state_retries: retries.0,
        ae_state_max_retries: most.0,
    };
    Ok(Retry {
        after: read.after,
        server_affinity: read.server_affinity,
        machines: read
            .machines
            .into_iter()
            .map(|(name, state)| (name, machine(state)))
            .collect(),
        state_vars: values(read.state_vars),
        root: read.root,
    })
}
