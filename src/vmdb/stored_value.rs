//! Values as JSON that can be read back: a symbol stays a symbol, a time a time.
//!
//! The JSON that users see ([`Value`]'s own `Serialize`) is nicer and says less. Objects of a workspace end with
//! it, and a password that is not encrypted is never written: both are read back as nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use crate::model::json::Number;
use crate::model::value::Record;
use crate::model::value::Secret;
use crate::model::value::Value;
use crate::model::value::ValueMap;

/// Writes a borrowed value.
pub(crate) struct Stored<'a>(pub(crate) &'a Value);

/// Writes the values of a map.
pub(crate) struct StoredMap<'a>(pub(crate) &'a ValueMap);

/// Reads a value.
#[derive(Debug)]
pub(crate) struct Restored(pub(crate) Value);

/// What is known of a record that a value named, once the value was stored.
#[derive(Debug)]
struct StoredRecord {
    class: Arc<str>,
    id: Option<i64>,
}

impl Record for StoredRecord {
    fn class(&self) -> Arc<str> {
        self.class.clone()
    }

    fn id(&self) -> Option<i64> {
        self.id
    }

    fn column(&self, name: &str) -> Option<Value> {
        (name == "id").then(|| self.id.map_or(Value::Null, Value::Int))
    }
}

impl Serialize for StoredMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, Stored(value))))
    }
}

impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null | Value::Object(_) => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(whole) => serializer.serialize_i64(*whole),
            Value::Float(float) if float.is_finite() => serializer.serialize_f64(*float),
            Value::Float(float) => tagged(serializer, "$float", &float.to_string()),
            Value::Decimal(decimal) => tagged(serializer, "$number", decimal.as_str()),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Symbol(text) => tagged(serializer, "$symbol", text),
            Value::Time(time) => tagged(serializer, "$time", time),
            Value::Password(secret) if secret.expose().starts_with("v2:") => {
                tagged(serializer, "$password", secret.expose())
            }
            Value::Password(_) => serializer.serialize_unit(),
            Value::Record(record) => tagged(serializer, "$record", &(record.class(), record.id())),
            Value::List(items) => serializer.collect_seq(items.iter().map(Stored)),
            Value::Map(map) if map.keys().any(|key| key.starts_with('$')) => {
                tagged(serializer, "$map", &StoredMap(map))
            }
            Value::Map(map) => StoredMap(map).serialize(serializer),
        }
    }
}

fn tagged<S: Serializer>(
    serializer: S,
    tag: &'static str,
    content: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    serializer.collect_map([(tag, content)])
}

impl<'de> Deserialize<'de> for Restored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TaggedVisitor).map(Self)
    }
}

/// The content of `$map`: whatever its keys look like, they are the user's.
#[derive(Deserialize)]
#[serde(transparent)]
struct UsersMap(BTreeMap<Arc<str>, Restored>);

struct TaggedVisitor;

impl<'de> Visitor<'de> for TaggedVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, whole: i64) -> Result<Value, E> {
        Ok(Value::Int(whole))
    }

    fn visit_u64<E>(self, whole: u64) -> Result<Value, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what does not fit is written as a float"
        )]
        Ok(i64::try_from(whole).map_or(Value::Float(whole as f64), Value::Int))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(Value::Float(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Restored(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::list(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = ValueMap::new();
        while let Some(key) = entries.next_key::<Arc<str>>()? {
            let value = if &*key == "$map" {
                let UsersMap(content) = entries.next_value()?;
                let content = content.into_iter().map(|(key, Restored(value))| (key, value));
                Value::Map(Arc::new(content.collect()))
            } else {
                entries.next_value::<Restored>()?.0
            };
            map.insert(key, value);
        }
        Ok(untag(&map).unwrap_or_else(|| Value::Map(Arc::new(map))))
    }
}

/// What a map of one tag stands for; `None` for a map of the user's.
fn untag(map: &ValueMap) -> Option<Value> {
    let (tag, content) = map.first_key_value()?;
    match (&**tag, content) {
        ("$symbol", Value::Text(text)) => Some(Value::Symbol(text.clone())),
        ("$time", Value::Text(text)) => Some(Value::Time(text.parse().ok()?)),
        ("$float", Value::Text(text)) => Some(Value::Float(text.parse().ok()?)),
        ("$number", Value::Text(text)) => Some(Value::from(Number::read(text)?)),
        ("$password", Value::Text(text)) => Some(Value::Password(Secret::new(text.clone()))),
        ("$map", content) => Some(content.clone()),
        ("$record", Value::List(parts)) => {
            let class = Arc::from(parts.first()?.as_str()?);
            let id = match parts.get(1)? {
                Value::Int(id) => Some(*id),
                _none => None,
            };
            Some(Value::Record(Arc::new(StoredRecord { class, id })))
        }
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Restored;
    use super::Stored;
    use super::StoredRecord;
    use crate::model::json::Number;
    use crate::model::value::Secret;
    use crate::model::value::Value;

    #[test]
    fn a_value_comes_back_as_it_was() {
        let map = |pairs: Vec<(&str, Value)>| {
            Value::Map(Arc::new(
                pairs
                    .into_iter()
                    .map(|(key, value)| (Arc::from(key), value))
                    .collect(),
            ))
        };
        let number = |numeral| Value::from(Number::read(numeral).unwrap());
        for value in [
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(1.0),
            Value::Float(f64::INFINITY),
            number("18446744073709551616"),
            number("1.10"),
            number("-0"),
            Value::text("2024-01-01T00:00:00Z"),
            Value::Symbol("name".into()),
            Value::Time("2024-01-01T00:00:00.000001Z".parse().unwrap()),
            Value::Password(Secret::new("v2:{abc}")),
            Value::Record(Arc::new(StoredRecord {
                class: "Vm".into(),
                id: Some(5),
            })),
            Value::list([Value::Null, Value::Int(1), Value::list([])]),
            map(vec![]),
            map(vec![("a", Value::Int(1)), (":b", Value::Null)]),
            map(vec![("$symbol", Value::text("a user's own"))]),
            map(vec![("$map", map(vec![("$time", Value::Null)]))]),
        ] {
            let json = serde_json::to_string(&Stored(&value)).unwrap();
            let Restored(back) = serde_json::from_str(&json).unwrap();
            assert_eq!(back, value, "{json}");
        }
    }

    #[test]
    fn a_password_in_clear_is_not_written() {
        let json = serde_json::to_string(&Stored(&Value::Password(Secret::new("hunter2")))).unwrap();
        assert_eq!(json, "null");
    }
}
