//! A settings text as a tree of plain keys. Knows no setting.

use std::sync::Arc;

use serde_yaml::Mapping;
use serde_yaml::Value;

use crate::settings::section::Report;
use crate::source::Diagnostic;

/// The mapping that a text is, its keys without leading colons and its values without tags; empty where it is
/// none, which is reported.
pub(crate) fn parse(file: &Arc<str>, text: &str, report: &Report<'_>) -> Mapping {
    let value = match serde_yaml::from_str(text) {
        Ok(value) => plain(value),
        Err(error) => {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let finding = Diagnostic::error("YamlSyntax", file, error.to_string());
            let help = "all settings have their defaults until this is mended";
            report.push(finding.at(number(line), number(column)).help(help));
            return Mapping::new();
        }
    };
    match value {
        Value::Mapping(mapping) => mapping,
        Value::Null => Mapping::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sequence(_) | Value::Tagged(_) => {
            let message = "settings are a mapping of names to values";
            let help = "for example `web:` and below it, indented, `listen: 127.0.0.1:3000`";
            report.push(Diagnostic::error("WrongSetting", file, message).help(help));
            Mapping::new()
        }
    }
}

fn plain(value: Value) -> Value {
    match value {
        Value::Mapping(mapping) => {
            let entries = mapping
                .into_iter()
                .map(|(key, value)| (plain_key(&key), plain(value)));
            Value::Mapping(entries.collect())
        }
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(plain).collect()),
        Value::Tagged(tagged) => plain(tagged.value),
        single => single,
    }
}

fn plain_key(key: &Value) -> Value {
    let key = crate::settings::value::text(key).unwrap_or_default();
    Value::from(key.strip_prefix(':').unwrap_or(&key))
}
