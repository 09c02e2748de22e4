//! The text of a rule file for people to look at, without the values of its `password` fields.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::datastore::Datastore;
use crate::automate::yaml::Node;
use crate::model::value::MASKED;
use crate::source::SourceFile;

/// What stands in the place of a text whose secrets cannot be told from the rest.
const HIDDEN: &str = "# Not shown: it holds a password that cannot be told from the rest of its text.\n";

/// The text of a file, its secrets masked. The lines stay where they are.
pub(crate) fn masked<'a>(store: &Datastore, file: &'a SourceFile) -> Cow<'a, str> {
    if !file.path.ends_with(".yaml") {
        return Cow::Borrowed(&file.text);
    }
    let Ok(node) = Node::parse(&file.text) else {
        return without_suspects(&file.text);
    };
    let mut secrets = Vec::new();
    collect(&node, &mut secrets);
    let names = password_fields(store, file);
    if !names.is_empty()
        && let Some(Node::List(fields)) = node.get("object").and_then(|object| object.get("fields"))
    {
        let entries = fields.iter().filter_map(|field| match field {
            Node::Map(entries) => Some(entries),
            _other => None,
        });
        for (key, value) in entries.flatten() {
            if names.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                secrets.extend(value.get("value").and_then(Node::text));
            }
        }
    }
    hide(&file.text, &secrets)
}

/// The names of the fields that are passwords in the class that a file belongs to.
fn password_fields(store: &Datastore, file: &SourceFile) -> Vec<Arc<str>> {
    let of_file = |other: &Arc<SourceFile>| std::ptr::eq(&raw const **other, file) || other.path == file.path;
    let classes = store.classes.iter();
    let classes = classes.filter(|class| class.fields.iter().any(|field| field.is_password()));
    let class = classes
        .filter(|class| class.files.iter().any(of_file))
        .flat_map(|class| class.fields.iter());
    class
        .filter(|field| field.is_password())
        .map(|field| field.name.clone())
        .collect()
}

/// The values of whatever says of itself that it is a password: fields of a schema, inputs of a method.
fn collect<'n>(node: &'n Node, secrets: &mut Vec<&'n str>) {
    match node {
        Node::Null | Node::Text(_) => {}
        Node::List(nodes) => nodes.iter().for_each(|node| collect(node, secrets)),
        Node::Map(entries) => {
            let is_password = |datatype: &str| datatype.eq_ignore_ascii_case("password");
            if node.get("datatype").and_then(Node::text).is_some_and(is_password) {
                let values = ["default_value", "value", "default"].into_iter();
                secrets.extend(values.filter_map(|key| node.get(key)?.text()));
            }
            entries.iter().for_each(|(_key, node)| collect(node, secrets));
        }
    }
}

fn hide<'a>(text: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let mut shown = Cow::Borrowed(text);
    for line in secrets.iter().flat_map(|secret| secret.lines()).map(str::trim) {
        if line.is_empty() {
            continue;
        }
        if !text.contains(line) {
            return Cow::Borrowed(HIDDEN);
        }
        shown = Cow::Owned(shown.replace(line, MASKED));
    }
    shown
}

/// A file that is no YAML: whatever follows a word like that is not shown.
fn without_suspects(text: &str) -> Cow<'_, str> {
    if !text.to_lowercase().contains("password") {
        return Cow::Borrowed(text);
    }
    Cow::Borrowed(HIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::source::SourceTree;
    use crate::switchboard::Switchboard;

    #[test]
    fn passwords_are_masked_wherever_a_file_writes_them() {
        let tree = SourceTree::from_fixture(
            "//- automate/Site/__domain__.yaml
object: {attributes: {name: Site, priority: 5}}
//- automate/Site/Ops/__namespace__.yaml
object: {attributes: {name: Ops}}
//- automate/Site/Ops/Job.class/__class__.yaml
object:
  attributes: {name: Job}
  schema:
  - field: {name: login, aetype: attribute, datatype: string}
  - field: {name: key, aetype: attribute, datatype: password, default_value: opensesame}
//- automate/Site/Ops/Job.class/one.yaml
object:
  attributes: {name: one}
  fields:
  - login: {value: me}
  - key: {value: hunter2}
//- automate/Site/Ops/Job.class/two.yaml
object:
  attributes: {name: two}
  fields:
  - key: {value: \"tab\\tbed\"}
//- automate/Site/Ops/Job.class/three.yaml
object: {password: [
",
        );
        let store = Switchboard::load(&tree, None).switchboard;
        let shown: Vec<String> = tree.files().iter().map(|file| store.shown_text(file)).collect();
        let all = shown.concat();
        for secret in ["opensesame", "hunter2", "bed"] {
            assert!(!all.contains(secret), "{all}");
        }
        assert!(
            all.contains("login: {value: me}") && all.contains("- key: {value: ********}"),
            "{all}"
        );
        assert_eq!(shown.iter().filter(|text| *text == HIDDEN).count(), 2, "{all}");
    }
}
