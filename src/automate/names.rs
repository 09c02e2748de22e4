//! Names that every run uses, made once.

use std::sync::Arc;
use std::sync::LazyLock;

use crate::automate::error::Ae;
use crate::automate::relationship::PreparedUri;
use crate::automate::relationship::UriText;
use crate::model::value::Value;

/// The message of a run that is given none.
pub(crate) static CREATE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("create"));
/// Where every event comes in.
pub(crate) static EVENT_ENTRY: LazyLock<Ae<PreparedUri>> =
    LazyLock::new(|| UriText::plain("/System/Process/Event").prepare());
/// Attributes of the root that are the same for every event: `object_name` and `vmdb_object_type`.
pub(crate) static EVENT_CONSTANTS: LazyLock<[(Arc<str>, Value); 2]> = LazyLock::new(|| {
    [("object_name", "Event"), ("vmdb_object_type", "event_stream")]
        .map(|(key, value)| (Arc::from(key), Value::text(value)))
});
/// The attribute of the root that holds the event's type.
pub(crate) static EVENT_TYPE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("event_type"));
/// The attribute of the root that holds the event.
pub(crate) static EVENT_STREAM: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("event_stream"));
