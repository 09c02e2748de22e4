//! A JSON document of which a script looks at some places: only what it asks for is put into rhai's form.
//!
//! To put a whole event into rhai's form, to measure it at each call, and to free it again, costs more than all that a
//! parser does with it.

use std::sync::Arc;

use rhai::Dynamic;

use crate::model::json::JsonError;
use crate::model::json::Outline;
use crate::model::json::Place;
use crate::script::json;

/// A document, shared.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Read>);

#[derive(Debug)]
struct Read {
    text: Arc<str>,
    outline: Outline,
}

impl Places {
    /// Reads a JSON text.
    ///
    /// # Errors
    /// When it is no JSON, with line and column.
    pub(crate) fn parse(text: &Arc<str>) -> Result<Self, JsonError> {
        let outline = Outline::read(text)?;
        let text = text.clone();
        Ok(Self(Arc::new(Read { text, outline })))
    }

    /// A copy of what stands at a JSON pointer; none where a step is missing.
    pub(crate) fn at(&self, pointer: &str) -> Option<Dynamic> {
        self.root().at(pointer).map(json::at)
    }

    /// A copy of all of it.
    pub(crate) fn whole(&self) -> Dynamic {
        json::at(self.root())
    }

    fn root(&self) -> Place<'_> {
        self.0.outline.root(&self.0.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::script::convert;

    /// What is made of a text in one step, and in two.
    fn both(text: &str) -> (Result<String, JsonError>, Result<String, JsonError>) {
        let places = Places::parse(&text.into()).map(|places| convert::to_json(&places.whole()));
        (places, json::parse(text).map(|whole| convert::to_json(&whole)))
    }

    #[test]
    fn what_is_read_in_two_steps_is_what_is_read_in_one() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            r#"{"a": 1, "b": [null, true, {"c": "x"}], "a": 2}"#,
            r#"[0, 0.0, -0, 1e2, 1.5e-7, 9223372036854775807, 18446744073709551616, 1.10, 1e400]"#,
            r#"["\u0041\n\"\\\/", "ä€😀", "\ud83d\ude00", ""]"#,
            r#"["\ud83d"]"#,
            "[01]",
            "{\"a\":1} x",
            "",
            "\u{feff}{}",
            &nested(127),
            &nested(100_000),
        ] {
            let (places, whole) = both(text);
            assert_eq!(places, whole, "{text:.60}");
        }
    }

    #[test]
    fn a_pointer_leads_where_it_leads_in_the_whole_document() {
        let text = r#"{"a": {"b": [1, {"c": "x"}], "": 3, "~/": 4}, "a/b": 5}"#;
        let (places, whole) = (Places::parse(&text.into()).unwrap(), json::parse(text).unwrap());
        for pointer in [
            "",
            "a",
            "/",
            "/a",
            "/a/",
            "/a/b",
            "/a/b/0",
            "/a/b/1/c",
            "/a/b/2",
            "/a/b/x",
            "/a/b/1/c/d",
            "/a/~0~1",
            "/a~1b",
            "x/a/b/0",
            "/b",
        ] {
            let found = places.at(pointer).unwrap_or(Dynamic::UNIT);
            let expected = crate::script::api::at(&whole, pointer);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{pointer}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_alike(text in r#"[\[\]{}":,\\u0-9eE.+\-a-f ]{0,40}"#) {
            let (places, whole) = both(&text);
            prop_assert_eq!(places, whole);
        }
    }
}
