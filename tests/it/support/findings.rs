//! What `switchboard check` says of a small tree.

use expect_test::Expect;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;

/// A domain with one class that has a field of each kind.
const LAB: &str = "\
//- automate/Base/__domain__.yaml
object: {attributes: {name: Base, priority: 1, enabled: 'true'}}
//- automate/Base/Lab/__namespace__.yaml
object: {attributes: {name: Lab}}
//- automate/Base/Lab/Box.class/__class__.yaml
object:
  attributes:
    name: Box
  schema:
  - field:
      name: guard
      aetype: assertion
      priority: 1
  - field:
      name: note
      aetype: attribute
      priority: 2
  - field:
      name: rel1
      aetype: relationship
      priority: 3
  - field:
      name: rel2
      aetype: relationship
      priority: 4
  - field:
      name: meth1
      aetype: method
      priority: 5
";

/// An instance of that class, with one field.
pub(crate) fn instance(name: &str, field: &str, value: &str) -> String {
    format!(
        "//- automate/Base/Lab/Box.class/{name}.yaml\nobject:\n  attributes:\n    name: {name}\n  fields:\n  - {field}:\n      value: {value}\n"
    )
}

/// A method of that class.
pub(crate) fn method(name: &str, attributes: &str) -> String {
    format!(
        "//- automate/Base/Lab/Box.class/__methods__/{name}.yaml\nobject:\n  attributes:\n    name: {name}\n{attributes}"
    )
}

/// Everything that `switchboard check` says of a tree.
fn findings(fixture: &str) -> String {
    let tree = SourceTree::from_fixture(fixture);
    let loaded = Switchboard::load(&tree, None);
    let across_files = loaded.switchboard.check(&tree);
    let mut text = String::new();
    for finding in loaded.diagnostics.iter().chain(&across_files) {
        text.push_str(&format!("{finding}\n"));
        if !finding.help.is_empty() {
            text.push_str(&format!("  help: {}\n", finding.help));
        }
    }
    text
}

pub(crate) fn check(fixture: &str, expected: &Expect) {
    expected.assert_eq(&findings(fixture));
}

pub(crate) fn check_lab(added: &str, expected: &Expect) {
    check(&format!("{LAB}{added}"), expected);
}
