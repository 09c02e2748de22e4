//! Parts of a file of the datastore, as written.

/// How far the items of a list of fields are indented.
const ITEM: usize = 2;

/// A file from its first key on: without what its author says of it in front.
pub(crate) fn body(text: &str) -> String {
    let is_in_front = |line: &&str| {
        let line = line.trim_start_matches('\u{feff}').trim();
        line.is_empty() || line == "---" || line.starts_with('#')
    };
    let lines: Vec<&str> = text.lines().skip_while(is_in_front).collect();
    lines.join("\n") + "\n"
}

/// The fields of an instance where they are written as a list, one line or more each; its items indented by two.
pub(crate) fn fields(text: &str) -> Option<String> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim_end().trim_start() != "fields:");
    let indent = indent(lines.next()?);
    let is_inside = |line: &&str| {
        let at = self::indent(line);
        line.trim().is_empty() || indent < at || (indent == at && line.trim_start().starts_with(['-', '#']))
    };
    let inside: Vec<&str> = lines.take_while(is_inside).map(str::trim_end).collect();
    let first = inside.iter().find(|line| line.trim_start().starts_with("- "))?;
    let of_items = self::indent(first);
    let shift = |line: &&str| {
        let spaces = match line.is_empty() {
            true => 0,
            false => (self::indent(line) + ITEM).saturating_sub(of_items),
        };
        format!("{}{}\n", " ".repeat(spaces), line.trim_start_matches(' '))
    };
    let text: String = inside.iter().map(shift).collect();
    Some(format!("{}\n", text.trim_end()))
}

/// Whether such fields have one of this name.
pub(crate) fn has(fields: &str, name: &str) -> bool {
    fields.lines().any(|line| {
        let key = line
            .trim_start()
            .strip_prefix("- ")
            .and_then(|rest| rest.split_once(':'));
        key.is_some_and(|(key, _)| key.trim().trim_matches(['"', '\'']).eq_ignore_ascii_case(name))
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_as_they_are_written() {
        let file = "---\n# Why.\nobject:\n  fields:\n  # first\n  - rel1:\n      value: /A/B/c\n\n  - guard: {value: x}\n";
        let found = "  # first\n  - rel1:\n      value: /A/B/c\n\n  - guard: {value: x}\n";
        assert_eq!(fields(file).as_deref(), Some(found));
        assert!(has(found, "Guard") && has(found, "rel1") && !has(found, "value"));
        let deep = "object:\n    fields:\n        - rel1:\n              value: /A\n    other: 1\n";
        assert_eq!(fields(deep).as_deref(), Some("  - rel1:\n        value: /A\n"));
        for none in [
            "object:\n  fields: []\n",
            "object:\n  fields:\n",
            "object: {}\n",
            "fields: [{rel1: x}]\n",
        ] {
            assert_eq!(fields(none), None, "{none}");
        }
        assert_eq!(
            body("\u{feff}---\n# Why.\n\nobject_type: class\n# kept\n"),
            "object_type: class\n# kept\n"
        );
    }
}
