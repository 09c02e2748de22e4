//! A JSON document of which a script looks at some places: only what it asks for is put into rhai's form.
//!
//! To put a whole event into rhai's form, to measure it at each call, and to free it again, costs more than all that a
//! parser does with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::AST;
use rhai::ASTNode;
use rhai::Array;
use rhai::Dynamic;
use rhai::Expr;
use rhai::FnCallExpr;
use rhai::ImmutableString;
use rhai::Map;
use sonic_rs::JsonNumberTrait;
use sonic_rs::Value;
use sonic_rs::ValueRef;

/// What is nested deeper is rare, and left to the other parser, which knows a limit and says so.
const MAX_DEPTH: usize = 32;
/// What may be asked of the document, each with its number of arguments.
const FUNCTIONS: [(&str, usize); 3] = [("at", 1), ("text_at", 1), ("to_json", 1)];

/// A document, shared.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Value>);

impl Places {
    /// Reads a JSON text; nothing where it is none, or nested too deep.
    pub(crate) fn parse(json: &str) -> Option<Self> {
        let opening = |byte: &u8| matches!(byte, b'{' | b'[');
        if MAX_DEPTH < json.bytes().filter(opening).count() && MAX_DEPTH < depth(json) {
            return None;
        }
        sonic_rs::from_str(json).ok().map(|value| Self(Arc::new(value)))
    }

    /// A copy of what stands at a JSON pointer; none where a step is missing.
    pub(crate) fn at(&self, pointer: &str) -> Option<Dynamic> {
        let mut place: &Value = &self.0;
        for step in pointer.split('/').skip(1) {
            place = match place.as_ref() {
                ValueRef::Object(object) if step.contains('~') => {
                    let step = step.replace("~1", "/").replace("~0", "~");
                    // Of a key that is there twice the last one counts.
                    object.iter().filter(|(key, _)| *key == step).last()?.1
                }
                ValueRef::Object(object) => object.iter().filter(|(key, _)| *key == step).last()?.1,
                ValueRef::Array(array) => array.get(step.parse::<usize>().ok()?)?,
                _scalar => return None,
            };
        }
        Some(to_dynamic(place))
    }
}

/// How deep the containers of a JSON text lie within each other.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut is_in_text, mut is_escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _escaped if is_escaped => is_escaped = false,
            b'\\' if is_in_text => is_escaped = true,
            b'"' => is_in_text = !is_in_text,
            b'{' | b'[' if !is_in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_in_text => depth = depth.saturating_sub(1),
            _other => (),
        }
    }
    deepest
}

fn to_dynamic(value: &Value) -> Dynamic {
    match value.as_ref() {
        ValueRef::Null => Dynamic::UNIT,
        ValueRef::Bool(flag) => flag.into(),
        ValueRef::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(float)) => float.into(),
            (None, None) => Dynamic::UNIT,
        },
        ValueRef::String(text) => ImmutableString::from(text).into(),
        ValueRef::Array(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect::<Array>()),
        ValueRef::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.into(), to_dynamic(value)));
            Dynamic::from_map(entries.collect::<Map>())
        }
    }
}

/// The functions of a script, each with its number of parameters, that do nothing with their first parameter but look
/// at places of it.
pub(crate) fn lookers(ast: &AST) -> Vec<(Box<str>, usize)> {
    let mut functions = Functions {
        ast,
        of_this: BTreeMap::new(),
    };
    // Functions that stand in for those that are looked for, and calls that see the variables of their caller.
    let own = ast.iter_fn_def().any(|function| {
        let name = function.name.as_str();
        function.this_type.is_some() || FUNCTIONS.iter().any(|(known, _)| *known == name)
    });
    let mut sees_all = false;
    ast.walk(&mut |path| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => Some(call),
            Some(ASTNode::Stmt(rhai::Stmt::FnCall(call, _))) => Some(call),
            _other => None,
        };
        sees_all |= call.is_some_and(|call| call.capture_parent_scope);
        true
    });
    if own || sees_all {
        return Vec::new();
    }
    let defined = ast.iter_functions().filter_map(|function| {
        let subject = Subject::Variable(function.params.first()?);
        let found = (function.name, function.params.len());
        functions
            .look_only(found, subject)
            .then(|| (Box::from(found.0), found.1))
    });
    defined.collect()
}

/// What holds the document within a function.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Variable(&'a str),
    This,
}

impl Subject<'_> {
    fn is(self, expression: &Expr) -> bool {
        match (self, expression) {
            (Self::Variable(name), Expr::Variable(variable, ..)) => variable.1.as_str() == name,
            (Self::This, Expr::ThisPtr(_)) => true,
            _other => false,
        }
    }
}

struct Functions<'a> {
    ast: &'a AST,
    /// What is known of those that are called as methods of the document; of one that calls itself what it is if the
    /// rest of it is.
    of_this: BTreeMap<(String, usize), bool>,
}

impl Functions<'_> {
    fn look_only(&mut self, (name, parameters): (&str, usize), subject: Subject<'_>) -> bool {
        let only = self
            .ast
            .clone_functions_only_filtered(|_, _, _, known, count| known == name && count == parameters);
        let (mut mentions, mut looks) = (0, 0);
        let mut called = Vec::new();
        only.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Dot(dot, ..))) if subject.is(&dot.lhs) => {
                    let call = match &dot.rhs {
                        Expr::MethodCall(call, _) => Some(call),
                        Expr::Dot(rest, ..) | Expr::Index(rest, ..) => match &rest.lhs {
                            Expr::MethodCall(call, _) => Some(call),
                            _property => None,
                        },
                        _property => None,
                    };
                    if let Some(call) = call.filter(|call| call.namespace.is_empty()) {
                        looks += 1;
                        called.push(called_as(call));
                    }
                }
                Some(ASTNode::Expr(expression)) => mentions += usize::from(subject.is(expression)),
                _other => (),
            }
            true
        });
        mentions == looks && called.into_iter().all(|call| self.looks_at_this(call))
    }

    fn looks_at_this(&mut self, call: (String, usize)) -> bool {
        if FUNCTIONS
            .iter()
            .any(|(name, count)| *name == call.0 && *count == call.1)
        {
            return true;
        }
        if let Some(known) = self.of_this.get(&call) {
            return *known;
        }
        let is_defined = self
            .ast
            .iter_functions()
            .any(|function| function.name == call.0 && function.params.len() == call.1);
        self.of_this.insert(call.clone(), true);
        let looks = is_defined && self.look_only((&call.0, call.1), Subject::This);
        self.of_this.insert(call, looks);
        looks
    }
}

fn called_as(call: &FnCallExpr) -> (String, usize) {
    (call.name.to_string(), call.args.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::script::json;

    #[test]
    fn a_function_that_does_more_than_look_is_given_the_whole_document() {
        for (script, looks) in [
            (r#"fn f(event) { event.at("/a") }"#, true),
            (
                r#"fn f(event, id) { #{ a: event.at("/a"), b: event.text_at("/b").len() } }"#,
                true,
            ),
            (r#"fn f(event) { event?.at("/a") ?? id }"#, true),
            (
                r#"fn f(event) { event.at("/a").b.c(1) + event.at("/d")[0] }"#,
                true,
            ),
            (
                r#"fn f(event) { if event.at("/a") == 1 { return event.kind(2); } } fn kind(x) { this.to_json("/b") + x }"#,
                true,
            ),
            (r#"fn f(event) { event.kind() } fn kind() { this.kind() }"#, true),
            (r#"fn f() { 1 }"#, false),
            (r#"fn f(event) { event.a }"#, false),
            (r#"fn f(event) { event["a"] }"#, false),
            (r#"fn f(event) { event.to_json() }"#, false),
            (r#"fn f(event) { at(event, "/a") }"#, false),
            (
                r#"fn f(event) { g(event.at("/a"), event) } fn g(a, b) { a }"#,
                false,
            ),
            (r#"fn f(event) { let copy = event; copy.at("/a") }"#, false),
            (r#"fn f(event) { event = 1; event.at("/a") }"#, false),
            (r#"fn f(event) { `${event}` + event.at("/a") }"#, false),
            (r#"fn f(event) { for key in event.keys() { key } }"#, false),
            (r#"fn f(event) { for part in event { part } }"#, false),
            (
                r#"fn f(event) { switch event { 1 => 2, _ => event.at("/a") } }"#,
                false,
            ),
            (r#"fn f(event) { "a" in event }"#, false),
            (r#"fn f(event) { return event; }"#, false),
            (r#"fn f(event) { event }"#, false),
            (r#"fn f(event) { throw event; }"#, false),
            (r#"fn f(event) { #{ full: event } }"#, false),
            (r#"fn f(event) { ["/a"].map(|place| event.at(place)) }"#, false),
            (r#"fn f(event) { event.kind() } fn kind() { this.a }"#, false),
            (
                r#"fn f(event) { event.kind() } fn kind() { other(this) } fn other(x) { x }"#,
                false,
            ),
            (r#"fn f(event) { event.unknown() }"#, false),
            (
                r#"fn f(event) { event.at("/a") } fn at(pointer) { this.b }"#,
                false,
            ),
            (
                r#"fn f(event) { event.at("/a"); g!() } fn g() { event.b }"#,
                false,
            ),
            (r#"fn f(event) { while event.a { event.at("/a"); } }"#, false),
            (
                r#"fn f(event) { try { throw event.at("/a"); } catch { return event; } }"#,
                false,
            ),
        ] {
            let ast = rhai::Engine::new_raw().compile(script).unwrap();
            let found = lookers(&ast);
            assert_eq!(found.iter().any(|(name, _)| &**name == "f"), looks, "{script}");
        }
    }

    /// What both parsers make of a text.
    fn both(text: &str) -> (Option<String>, Option<String>) {
        // Of a zero one of them does not keep the sign, which no script sees but as text.
        let shown = |value: Dynamic| {
            let shown = format!("{value:?};");
            [",", "]", "}", ";"].iter().fold(shown, |shown, end| {
                shown.replace(&format!("-0.0{end}"), &format!("0.0{end}"))
            })
        };
        let places = Places::parse(text).and_then(|places| places.at(""));
        (places.map(shown), json::parse(text).ok().map(shown))
    }

    #[test]
    fn what_is_read_is_what_the_other_parser_reads() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            r#"{"a": 1, "b": [null, true, {"c": "x"}], "a": 2}"#,
            r#"[0, 0.0, 1e2, 1.5e-7, 9223372036854775807, 9223372036854775808, 18446744073709551616, -9223372036854775809]"#,
            r#"[0.1, 123456789.123456789, 1e308, 5e-324, 1.7976931348623157e308]"#,
            r#"["\u0041\n\"\\\/", "ä€😀", "\ud83d\ude00", ""]"#,
            r#"["\ud83d"]"#,
            r#"["\udc00x"]"#,
            "[\"\u{1}\"]",
            "[1e400]",
            "[01]",
            "[1,]",
            "{\"a\":1} x",
            "",
            "nul",
            "\u{feff}{}",
            " {} ",
            &nested(32),
            &nested(100_000),
            &format!("[{}\"[\"]", "\"[[\",".repeat(200)),
        ] {
            let (places, whole) = both(text);
            assert_eq!(places, whole, "{text:.60}");
        }
    }

    #[test]
    fn what_lies_deep_is_left_to_the_other_parser() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Places::parse(&nested(MAX_DEPTH)).is_some());
        assert!(Places::parse(&nested(MAX_DEPTH + 1)).is_none());
        // Within texts they are no brackets.
        let text = format!("[{}\"\\\"[\"]", "\"[[\",".repeat(200));
        assert!(Places::parse(&text).is_some(), "{text}");
    }

    #[test]
    fn a_pointer_leads_where_it_leads_in_the_whole_document() {
        let text = r#"{"a": {"b": [1, {"c": "x"}], "": 3, "~/": 4}, "a/b": 5}"#;
        let (places, whole) = (Places::parse(text).unwrap(), json::parse(text).unwrap());
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
