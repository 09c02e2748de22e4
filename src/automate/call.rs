//! How a method is called: `name`, `Class.name`, `/Namespace/Class.name(key => value)` (reference 6.1).

use std::sync::Arc;
use std::sync::LazyLock;

use regex::Regex;

use crate::automate::datatype::leading_number;
use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::value::Value;

/// A call, parsed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MethodCall {
    /// Lower case; none for a call without class.
    pub(crate) class: Option<ClassPath>,
    /// Lower case.
    pub(crate) name: Arc<str>,
    pub(crate) arguments: Vec<(Arc<str>, Argument)>,
}

/// The class of a call, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassPath {
    /// None where only the class is written.
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) class: Arc<str>,
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    /// A number, a quoted text, or an argument of a URI.
    Literal(Value),
    /// The attribute of this name.
    Attribute(Arc<str>),
}

#[expect(clippy::unwrap_used, reason = "a literal, compiled by every test run")]
static PAIRS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(\w+)\s*=>\s*(?:(\d+)|"([^"]+)"|'([^']+)'|(\w+))"#).unwrap());

impl MethodCall {
    /// Parses a call; of several lines the first that fits is taken.
    pub(crate) fn parse(text: &str) -> Ae<Self> {
        text.lines().find_map(Self::parse_line).ok_or_else(|| {
            AeError::engine(
                "InvalidMethod",
                format!("`{}` is no method call; `name`, `Class.name` or `/Namespace/Class.name(key => value)` is expected, of letters, digits and `_`", text.trim()),
            )
        })
    }

    fn parse_line(line: &str) -> Option<Self> {
        let (name, arguments) = match line.trim().split_once('(') {
            Some((name, rest)) => (name.trim(), rest.rsplit_once(')')?.0),
            None => (line.trim(), ""),
        };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
        if name.is_empty() || !name.chars().all(is_allowed) || name.matches('.').count() > 1 {
            return None;
        }
        let name = name.to_lowercase();
        let (path, name) = name
            .rsplit_once('.')
            .map_or((None, name.as_str()), |(path, name)| (Some(path), name));
        let class = path.map(|path| {
            let (namespace, class) = path
                .rsplit_once('/')
                .map_or((None, path), |(before, class)| (Some(before), class));
            let namespace = namespace.map(Arc::from);
            ClassPath {
                namespace,
                class: Arc::from(class),
            }
        });
        let arguments = PAIRS.captures_iter(arguments).filter_map(|found| {
            let text = found.get(3).or_else(|| found.get(4));
            let value = match (found.get(2), text, found.get(5)) {
                (Some(digits), ..) => Argument::Literal(leading_number(digits.as_str())),
                (None, Some(text), _) => Argument::Literal(Value::text(text.as_str())),
                (None, None, word) => Argument::Attribute(Arc::from(word?.as_str())),
            };
            Some((Arc::from(found.get(1)?.as_str()), value))
        });
        Some(Self {
            class,
            name: Arc::from(name),
            arguments: arguments.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_as_in_section_6_1() {
        let call = MethodCall::parse(
            r#"/Ops/Job.M1(a => 1, b => "two", c => 'three', d => n, e => -5, f => "", g => 1.5)"#,
        )
        .unwrap();
        let class = ClassPath {
            namespace: Some("/ops".into()),
            class: "job".into(),
        };
        assert_eq!((call.class, &*call.name), (Some(class), "m1"));
        let shown: Vec<String> = call
            .arguments
            .iter()
            .map(|(key, value)| format!("{key}={value:?}"))
            .collect();
        assert_eq!(
            shown,
            [
                "a=Literal(Int(1))",
                "b=Literal(Text(\"two\"))",
                "c=Literal(Text(\"three\"))",
                "d=Attribute(\"n\")",
                "g=Literal(Int(1))"
            ]
        );
        for wrong in ["a.b.c", "x-y", "", "IBMCloud-VPC.m"] {
            assert!(MethodCall::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(&*MethodCall::parse("not a call!\nfits").unwrap().name, "fits");
    }
}
