//! The text of a rule file for people to look at, without the values of its `password` fields.

use std::borrow::Cow;
use std::sync::Arc;

use crate::automate::datastore::Datastore;
use crate::model::value::MASKED;
use crate::source::SourceFile;
use crate::source::yaml::Node;

/// What stands in the place of a text whose secrets cannot be told from the rest.
const HIDDEN: &str = "# Not shown: it holds a password that cannot be told from the rest of its text.\n";

/// The text of a file, its secrets masked. The lines stay where they are.
pub(crate) fn masked<'a>(store: &Datastore, file: &'a SourceFile) -> Cow<'a, str> {
    if !file.path.ends_with(".yaml") {
        return Cow::Borrowed(&file.text);
    }
    let names = password_fields(store, file);
    let Ok(node) = Node::parse(&file.text) else {
        return match names.is_empty() {
            true => without_suspects(&file.text),
            false => Cow::Borrowed(HIDDEN),
        };
    };
    let mut secrets = Vec::new();
    collect(&node, &mut secrets);
    let fields = node.get("object").and_then(|object| object.get("fields"));
    for entry in fields.map_or(&[][..], Node::items).iter().flat_map(Node::entries) {
        if names.iter().any(|name| name.eq_ignore_ascii_case(&entry.key)) {
            let value = entry.value.get("value").unwrap_or(&entry.value);
            secrets.extend(value.text());
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
    node.items().iter().for_each(|node| collect(node, secrets));
    let is_password = |datatype: &str| datatype.trim().eq_ignore_ascii_case("password");
    if node.get("datatype").and_then(Node::text).is_some_and(is_password) {
        let values = ["default_value", "value", "default"].into_iter();
        secrets.extend(values.filter_map(|key| node.get(key)?.text()));
    }
    node.entries()
        .iter()
        .for_each(|entry| collect(&entry.value, secrets));
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
//- automate/Site/Ops/Job.class/four.yaml
object: {attributes: {name: four}, fields: [key: !x letmein]}
//- automate/Site/Ops/Job.class/five.yaml
object:
  attributes: {name: five}
  fields:
  - key: shortform
",
        );
        let store = Switchboard::load(&tree, None).switchboard;
        let shown: Vec<String> = tree.files().iter().map(|file| store.shown_text(file)).collect();
        let all = shown.concat();
        for secret in ["opensesame", "hunter2", "bed", "letmein", "shortform"] {
            assert!(!all.contains(secret), "{all}");
        }
        assert!(
            all.contains("login: {value: me}") && all.contains("- key: {value: ********}"),
            "{all}"
        );
        assert_eq!(shown.iter().filter(|text| *text == HIDDEN).count(), 3, "{all}");
    }
}
