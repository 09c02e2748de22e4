//! `json!`: a JSON value written out in Rust.

use crate::model::json::Value;

/// A JSON value as it would be written in JSON; any value of Rust that can be serialized may be in it, an expression in
/// the place of a key may not.
macro_rules! json {
    (null) => { $crate::model::json::Value::Null };
    ([]) => { $crate::model::json::Value::Array(Vec::new()) };
    ({}) => { $crate::model::json::Value::Object($crate::model::json::Map::new()) };
    ([$($items:tt)*]) => {{
        let mut list = $crate::model::json::literal::begin();
        $crate::model::json::json!(@items list $($items)*);
        $crate::model::json::Value::Array(list)
    }};
    ({$($entries:tt)*}) => {{
        let mut map = $crate::model::json::Map::new();
        $crate::model::json::json!(@entries map $($entries)*);
        $crate::model::json::Value::Object(map)
    }};
    (@items $list:ident) => {};
    (@items $list:ident null $(, $($rest:tt)*)?) => {
        $list.push($crate::model::json::Value::Null);
        $crate::model::json::json!(@items $list $($($rest)*)?);
    };
    (@items $list:ident {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $list.push($crate::model::json::json!({$($inner)*}));
        $crate::model::json::json!(@items $list $($($rest)*)?);
    };
    (@items $list:ident [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $list.push($crate::model::json::json!([$($inner)*]));
        $crate::model::json::json!(@items $list $($($rest)*)?);
    };
    (@items $list:ident $item:expr $(, $($rest:tt)*)?) => {
        $list.push($crate::model::json::json!($item));
        $crate::model::json::json!(@items $list $($($rest)*)?);
    };
    (@entries $map:ident) => {};
    (@entries $map:ident $key:literal : null $(, $($rest:tt)*)?) => {
        $map.insert(String::from($key), $crate::model::json::Value::Null);
        $crate::model::json::json!(@entries $map $($($rest)*)?);
    };
    (@entries $map:ident $key:literal : {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $map.insert(String::from($key), $crate::model::json::json!({$($inner)*}));
        $crate::model::json::json!(@entries $map $($($rest)*)?);
    };
    (@entries $map:ident $key:literal : [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $map.insert(String::from($key), $crate::model::json::json!([$($inner)*]));
        $crate::model::json::json!(@entries $map $($($rest)*)?);
    };
    (@entries $map:ident $key:literal : $value:expr $(, $($rest:tt)*)?) => {
        $map.insert(String::from($key), $crate::model::json::json!($value));
        $crate::model::json::json!(@entries $map $($($rest)*)?);
    };
    ($value:expr) => { $crate::model::json::to_value(&$value).unwrap_or_default() };
}

pub(crate) use json;

/// A list without items.
pub(crate) fn begin() -> Vec<Value> {
    Vec::new()
}
