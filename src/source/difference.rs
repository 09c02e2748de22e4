//! The difference between two texts as people read it: a unified diff, bounded.

use std::time::Duration;

use similar::ChangeTag;
use similar::TextDiff;

/// How long one file may take; what is left then is shown as replaced.
const PATIENCE: Duration = Duration::from_millis(100);
/// Lines of one file, and bytes of a line, that are shown.
const LINES: usize = 200;
const WIDTH: usize = 400;
/// A text longer than this is not compared.
const LONGEST: usize = 1 << 20;

/// What is different in one file: `--- name`, `+++ name`, then its hunks. Empty where nothing is.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    if LONGEST < old.len().max(new.len()) {
        return format!("--- {name}\n+++ {name}\n@@ too long to be compared @@\n");
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let whole = diff
        .unified_diff()
        .context_radius(2)
        .header(name, name)
        .to_string();
    let mut shown = String::new();
    for (number, line) in whole.lines().enumerate() {
        if number == LINES {
            shown.push_str("@@ and more @@\n");
            break;
        }
        match line.char_indices().nth(WIDTH) {
            Some((at, _)) => {
                shown.push_str(line.get(..at).unwrap_or(line));
                shown.push('…');
            }
            None => shown.push_str(line),
        }
        shown.push('\n');
    }
    shown
}

/// A line of one list, of the other, or of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Of both.
    Same(String),
    /// Of the first only.
    Removed(String),
    /// Of the second only.
    Added(String),
}

/// Two lists side by side, in an order that both keep.
pub fn lists(old: &[String], new: &[String]) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (
        old.iter().map(String::as_str).collect(),
        new.iter().map(String::as_str).collect(),
    );
    let diff = TextDiff::configure().timeout(PATIENCE).diff_slices(&old, &new);
    let lines = diff.iter_all_changes().map(|change| {
        let text = change.value().to_owned();
        match change.tag() {
            ChangeTag::Equal => Line::Same(text),
            ChangeTag::Delete => Line::Removed(text),
            ChangeTag::Insert => Line::Added(text),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use expect_test::expect;

    #[test]
    fn a_difference_is_a_unified_diff_and_bounded() {
        let old = "while i < rules.len() {\n    i += 1;\n}\nlast\n";
        let new = "for rule in rules {\n}\nlast\n";
        expect![[r"
            --- open_port.rhai
            +++ open_port.rhai
            @@ -1,4 +1,3 @@
            -while i < rules.len() {
            -    i += 1;
            +for rule in rules {
             }
             last
        "]]
        .assert_eq(&unified("open_port.rhai", old, new));
        assert_eq!(unified("same", old, old), "");
        let long = unified("long", "", &"x\n".repeat(5_000));
        assert!(long.lines().count() == LINES + 1 && long.ends_with("@@ and more @@\n"));
        let wide = unified("wide", "", &"é".repeat(5_000));
        assert!(wide.lines().all(|line| line.chars().count() <= WIDTH + 1));
    }
}
