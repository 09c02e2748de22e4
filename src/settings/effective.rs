//! The settings in force as text: the defaults, the file and the environment laid over each other.

use crate::settings::DEFAULTS;
use crate::settings::Settings;
use crate::settings::SettingsError;
use crate::settings::SettingsPath;
use crate::settings::environment::Environment;
use crate::settings::mask::MASK;
use crate::settings::report::Report;
use crate::settings::secret::is_reference;
use crate::settings::tree;
use crate::source::text::without_mark;
use crate::source::yaml::Content;
use crate::source::yaml::Entry;
use crate::source::yaml::Node;
use crate::source::yaml::Style;

/// The settings in force, as a settings file without comments. A token or a secret is masked unless it is a
/// reference.
///
/// # Errors
/// When the settings cannot be used, since then none are in force.
pub fn effective_text(path: &SettingsPath, environment: &Environment) -> Result<String, SettingsError> {
    Settings::load(path, environment)?;
    let text = path.read().ok().flatten().unwrap_or_default();
    let (file, text) = (path.name(), without_mark(&text));
    let report = Report::new(&file, text);
    let mut settings = DEFAULTS.clone();
    let site = tree::parse(&file, text, &report);
    let variables = environment.layer(&[&settings, &site], &report);
    lay_over(&mut settings, site, false);
    lay_over(&mut settings, variables, false);
    for secret in [
        ["web", "token"].as_slice(),
        &["web", "webhook_secrets"],
        &["outbox", "secrets"],
        &["outbox", "email", "password"],
        &["outbox", "commands", "*", "environment"],
    ] {
        mask(&mut settings, secret);
    }
    let mut text = String::new();
    write_entries(&settings, 0, &mut text);
    Ok(text)
}

/// Masks every secret at a path and below it; a star stands for any key.
fn mask(node: &mut Node, path: &[&str]) {
    match (&mut node.content, path) {
        (Content::Map(entries), [key, below @ ..]) => entries
            .iter_mut()
            .filter(|entry| *key == "*" || entry.key == *key)
            .for_each(|entry| mask(&mut entry.value, below)),
        (Content::Map(entries), []) => entries.iter_mut().for_each(|entry| mask(&mut entry.value, &[])),
        (Content::List(items), []) => items.iter_mut().for_each(|item| mask(item, &[])),
        (Content::Text { text, style, .. }, []) if !is_reference(text) => {
            (*text, *style) = (MASK.to_owned(), Style::Quoted);
        }
        _no_secret => (),
    }
}

/// Lists of event groups are joined, any other value takes the place of the one below it.
fn lay_over(below: &mut Node, above: Node, is_joined: bool) {
    match (&mut below.content, above.content) {
        (_, Content::Nothing { .. }) => (),
        (Content::Map(known), Content::Map(entries)) => {
            for entry in entries {
                let is_joined = is_joined || entry.key == "event_groups";
                match known.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => lay_over(&mut known.value, entry.value, is_joined),
                    None => known.push(entry),
                }
            }
        }
        (Content::List(known), Content::List(items)) if is_joined => known.extend(items),
        (known, content) => *known = content,
    }
}

fn write_entries(node: &Node, indent: usize, text: &mut String) {
    for Entry { key, value, .. } in node.entries() {
        text.push_str(&" ".repeat(indent));
        let is_simple = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match key.chars().all(is_simple) && !key.starts_with('-') && !key.is_empty() {
            true => text.push_str(key),
            false => text.push_str(&quoted(key)),
        }
        text.push(':');
        match &value.content {
            Content::Map(entries) if !entries.is_empty() => {
                text.push('\n');
                write_entries(value, indent + 2, text);
            }
            Content::List(items) if !items.is_empty() => {
                text.push('\n');
                for item in items {
                    text.extend([&" ".repeat(indent), "- ", &single(item), "\n"]);
                }
            }
            Content::Nothing { .. } => text.push('\n'),
            Content::Text { .. } | Content::Map(_) | Content::List(_) => {
                text.extend([" ", &single(value), "\n"]);
            }
        }
    }
}

/// A value in one line: what was written without quotes is again, so that it keeps its letters.
fn single(value: &Node) -> String {
    match &value.content {
        Content::Nothing { .. } => "~".to_owned(),
        Content::Text {
            text,
            style: Style::Plain,
            ..
        } if !text.contains('\n') => text.clone(),
        Content::Text { text, .. } => quoted(text),
        Content::Map(_) => "{}".to_owned(),
        Content::List(_) => "[]".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    match text.chars().any(char::is_control) {
        false => format!("'{}'", text.replace('\'', "''")),
        true => serde_json::Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_stand_over_each_other_and_secrets_are_masked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = ":web:\n  :token: hush\n  :webhook_secrets: {cloud: [hush, env:NEW]}\n:outbox: {secrets: {chat: hush, web: env:WEB}, email: {user: me, password: hush}, commands: {page: {path: /bin/page, environment: {KEY: hush}}}}\n:event_handling:\n  :event_groups:\n    :power:\n      :critical:\n      - my_power\n";
        std::fs::write(file.path(), text).unwrap();
        let variables = [("SWITCHBOARD_WEB_LISTEN", "[::1]:1"), ("WEB", "x"), ("NEW", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment: Environment = variables.into_iter().collect();
        let text = effective_text(&SettingsPath::named(file.path()), &environment).unwrap();
        assert!(!text.contains("hush"), "{text}");
        for line in [
            "  listen: '[::1]:1'",
            "  token: '********'",
            "    - '********'",
            "    - env:NEW",
            "    web: env:WEB",
            "      - my_power",
            "  max_event_bytes: 1 MiB",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
        let critical: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("    power:"))
            .collect();
        assert!(
            critical.iter().any(|line| line.trim() == "- VmPoweredOnEvent"),
            "{critical:?}"
        );
        // What is printed is a settings file that means the same.
        let printed = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(printed.path(), &text).unwrap();
        let again = effective_text(&SettingsPath::named(printed.path()), &environment).unwrap();
        let times = |text: &str, entry: &str| text.lines().filter(|line| line.trim() == entry).count();
        assert!(times(&text, "- my_power") == 1, "{text}");
        let of_web = |text: &str| text.split("\nweb:").nth(1).unwrap().to_owned();
        assert_eq!(
            of_web(&again).lines().take(8).collect::<Vec<_>>(),
            of_web(&text).lines().take(8).collect::<Vec<_>>()
        );
    }
}
