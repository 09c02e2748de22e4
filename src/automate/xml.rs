//! The workspace as XML, the form in which `log_workspace` writes it (reference 7.5).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::automate::workspace::Object;
use crate::automate::workspace::Workspace;
use crate::model::value::MASKED;
use crate::model::value::Value;

/// `MiqAeWorkspace` with one `MiqAeObject` for each root, children nested, attributes sorted by name.
pub(crate) fn workspace(workspace: &Workspace) -> String {
    let mut xml = String::from("<MiqAeWorkspace>");
    for index in &workspace.state.nodes {
        if let Some(root) = workspace.object(*index).filter(|object| object.parent.is_none()) {
            object(workspace, root, &mut xml);
        }
    }
    xml + "</MiqAeWorkspace>"
}

fn object(workspace: &Workspace, object: &Object, xml: &mut String) {
    let names = [
        ("namespace", &object.namespace),
        ("class", &object.class_name),
        ("instance", &object.instance),
    ];
    open(
        "MiqAeObject",
        names.map(|(key, name)| (key, name.to_string())),
        xml,
    );
    let attributes: BTreeMap<_, _> = object
        .attributes
        .iter()
        .map(|(key, value)| (key, value))
        .collect();
    for (key, value) in attributes {
        open("MiqAeAttribute", [("name", key.to_string())], xml);
        element(value, xml);
        xml.push_str("</MiqAeAttribute>");
    }
    for child in &object.children {
        if let Some(child) = workspace.object(*child) {
            self::object(workspace, child, xml);
        }
    }
    xml.push_str("</MiqAeObject>");
}

fn element(value: &Value, xml: &mut String) {
    let text = value.to_string();
    match value {
        Value::Null => simple("NilClass", "", xml),
        Value::Bool(_) => simple("Boolean", &text, xml),
        Value::Int(_) => simple("Integer", &text, xml),
        Value::Decimal(decimal) if decimal.whole().is_some() => simple("Integer", &text, xml),
        Value::Float(_) | Value::Decimal(_) => simple("Float", &text, xml),
        Value::Text(_) => simple("String", &text, xml),
        Value::Symbol(_) => simple("Symbol", &text, xml),
        Value::Time(_) => simple("Time", &text, xml),
        Value::Password(_) => simple("Password", MASKED, xml),
        Value::Object(_) => simple("MiqAeObjectReference", &text, xml),
        Value::List(items) => {
            xml.push_str("<Array>");
            for (index, item) in items.iter().enumerate() {
                open("Element", [("index", (index + 1).to_string())], xml);
                element(item, xml);
                xml.push_str("</Element>");
            }
            xml.push_str("</Array>");
        }
        Value::Map(map) => {
            xml.push_str("<Hash>");
            for (key, item) in map.iter() {
                open("Key", [("name", key.to_string())], xml);
                element(item, xml);
                xml.push_str("</Key>");
            }
            xml.push_str("</Hash>");
        }
        Value::Record(record) => {
            let name = format!("MiqAeService{}", record.class());
            let id = record.id().map(|id| id.to_string()).unwrap_or_default();
            open(&name, [("object_id", id.clone()), ("id", id)], xml);
            close(&name, xml);
        }
    }
}

fn simple(name: &str, text: &str, xml: &mut String) {
    open(name, [], xml);
    escape(text, xml);
    close(name, xml);
}

fn open<const N: usize>(name: &str, attributes: [(&str, String); N], xml: &mut String) {
    xml.push('<');
    xml.push_str(name);
    for (key, value) in attributes {
        xml.push(' ');
        xml.push_str(key);
        xml.push_str("=\"");
        escape(&value, xml);
        xml.push('"');
    }
    xml.push('>');
}

fn close(name: &str, xml: &mut String) {
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn escape(text: &str, xml: &mut String) {
    for c in text.chars() {
        match c {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '"' => xml.push_str("&quot;"),
            control if control.is_control() => {
                let written = write!(xml, "&#{};", u32::from(control));
                debug_assert!(written.is_ok(), "writing to a String cannot fail");
            }
            plain => xml.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::value::Secret;

    #[test]
    fn values_become_elements_named_after_their_type() {
        let pairs = [("a<b".into(), Value::Int(1))];
        for (value, expected) in [
            (Value::text("x & \"y\""), "<String>x &amp; &quot;y&quot;</String>"),
            (Value::Bool(true), "<Boolean>true</Boolean>"),
            (Value::Symbol("go".into()), "<Symbol>go</Symbol>"),
            (
                Value::Password(Secret::new("hunter2")),
                "<Password>********</Password>",
            ),
            (
                Value::list([Value::Float(4.0)]),
                "<Array><Element index=\"1\"><Float>4.0</Float></Element></Array>",
            ),
            (
                Value::Map(std::sync::Arc::new(pairs.into())),
                "<Hash><Key name=\"a&lt;b\"><Integer>1</Integer></Key></Hash>",
            ),
        ] {
            let mut xml = String::new();
            element(&value, &mut xml);
            assert_eq!(xml, expected);
        }
    }
}
