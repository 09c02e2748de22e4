//! JSON, read once, at the edge: one reader for all texts from outside, and the values that it gives.
//!
//! A library's reader would round what a float cannot hold, and take an object whose key is a private name of the
//! library for something else. This one keeps every digit ([`Decimal`]), and to it all keys are alike.

mod decimal;
mod error;
mod from;
pub(crate) mod literal;
mod number;
mod outline;
mod plain;
mod quoted;
mod reader;
mod serial;
mod split;
mod value;

pub use decimal::Decimal;
pub use error::JsonError;
pub(crate) use literal::json;
pub use number::Number;
pub use number::Rounded;
pub(crate) use outline::Found;
pub(crate) use outline::Outline;
pub(crate) use outline::Place;
pub(crate) use quoted::Quoted;
pub(crate) use reader::Build;
pub use reader::MAX_DEPTH;
pub use reader::check;
pub use reader::read;
pub(crate) use reader::read_as;
pub use reader::read_bytes;
pub use serial::from_value;
pub use serial::raw;
pub use serial::to_value;
pub(crate) use split::Documents;
pub(crate) use split::Elements;
pub(crate) use split::Members;
pub(crate) use split::check_form;
pub use split::elements;
pub use split::member;
pub use split::members;
pub use value::Map;
pub use value::Value;

/// A text without the byte order mark that it may begin with: RFC 8259 (8.1) lets a reader pass over it.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
