//! JSON values and the types that describe themselves to serde.

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::DeserializeOwned;
use serde::de::Error;
use serde_json::value::RawValue;

use crate::model::json::Value;
use crate::model::json::read;

/// A value as JSON.
///
/// # Errors
/// When it has no form in JSON, such as a map whose keys are no texts.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, serde_json::Error> {
    let text = serde_json::to_string(value)?;
    read(&text).map_err(serde_json::Error::custom)
}

/// What a JSON value describes.
///
/// # Errors
/// When it describes something else.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

/// A JSON text as a part of a document, byte for byte.
///
/// # Errors
/// When it is no JSON.
pub fn raw(text: &str) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_str(text)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(map) => serializer.collect_map(map),
        }
    }
}

/// As a part of a JSON text that the library reads; its private keys are keys like others here.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        read(raw.get()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::json::json;

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Holder {
        before: i64,
        held: Value,
        #[serde(default)]
        more: Option<Value>,
    }

    const VALUES: [&str; 9] = [
        "null",
        "18446744073709551616",
        "[1.10,1e400,-0,0.1000000000000000055511151231257827]",
        r#"{"$serde_json::private::RawValue":"not json"}"#,
        r#"{"$serde_json::private::RawValue":"{\"injected\":true}"}"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"$serde_json::private::Number":{"a":[{"$serde_json::private::RawValue":"1"}]}}"#,
        r#"{"a":{"b":[null,true,"x",1.5]},"":7}"#,
        r#""ä\n\u0001""#,
    ];

    #[test]
    fn a_value_is_written_as_it_was_read() {
        for text in VALUES {
            let value = read(text).unwrap();
            assert_eq!(value.to_string(), text);
            assert_eq!(to_value(&value).unwrap(), value);
            assert_eq!(from_value::<Value>(&value).unwrap(), value);
        }
    }

    #[test]
    fn a_value_is_kept_within_what_describes_itself() {
        for text in VALUES {
            let written = format!(r#"{{"before":7,"held":{text},"more":null}}"#);
            let holder: Holder = serde_json::from_str(&written).unwrap();
            assert_eq!(holder.held.to_string(), text);
            assert_eq!(serde_json::to_string(&holder).unwrap(), written);
            assert_eq!(from_value::<Holder>(&to_value(&holder).unwrap()).unwrap(), holder);
            let shown = json!({"list": [holder, null, {"inner": []}], "empty": {}});
            assert_eq!(
                shown.to_string(),
                format!(r#"{{"list":[{written},null,{{"inner":[]}}],"empty":{{}}}}"#)
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_and_read_again(text in r#"[\[\]{}":,\\u0-9eE.+\-a-f ]{0,40}"#) {
            if let Ok(value) = read(&text) {
                prop_assert_eq!(&read(&value.to_string()).unwrap(), &value);
                prop_assert_eq!(from_value::<Value>(&value).unwrap(), value);
            }
        }

        #[test]
        fn what_is_json_is_what_the_library_takes_for_json(text in r#"[\[\]{}":,\\u0-9eE.+\-a-f\x00-\x20]{0,30}"#) {
            // Numbers that a float cannot hold are refused by the library alone.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let is_out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assert!(is_out_of_range || theirs.is_ok() == read(&text).is_ok(), "{theirs:?}");
        }
    }
}
