//! JSON text straight into rhai's form. Knows nothing of what it says.
//!
//! Rhai's own reader builds every map twice and copies every key; this is the part of a decision that costs most.

use std::fmt;

use rhai::Array;
use rhai::Dynamic;
use rhai::ImmutableString;
use rhai::Map;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// The value that a JSON text stands for. Whole numbers beyond 64 bits with sign become floats.
///
/// # Errors
/// The parser's, with line and column.
pub(crate) fn parse(json: &str) -> Result<Dynamic, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = Json.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Json;

impl<'de> DeserializeSeed<'de> for Json {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Dynamic, E> {
        Ok(flag.into())
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Dynamic, E> {
        Ok(whole.into())
    }

    #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is wanted")]
    fn visit_u64<E: Error>(self, whole: u64) -> Result<Dynamic, E> {
        Ok(i64::try_from(whole).map_or_else(|_| (whole as f64).into(), Dynamic::from))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Dynamic, E> {
        Ok(float.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Dynamic, E> {
        Ok(ImmutableString::from(text).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::new();
        while let Some(item) = items.next_element_seed(Self)? {
            array.push(item);
        }
        Ok(Dynamic::from_array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            map.insert(key, entries.next_value_seed(Self)?);
        }
        Ok(Dynamic::from_map(map))
    }
}

/// The key of a map, which is short mostly and then costs no allocation.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = rhai::Identifier;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<rhai::Identifier, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = rhai::Identifier;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<rhai::Identifier, E> {
        Ok(key.into())
    }
}
