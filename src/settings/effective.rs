//! The settings in force as text: the defaults, the file and the environment laid over each other.

use std::path::Path;
use std::sync::Arc;

use serde_yaml::Mapping;
use serde_yaml::Value;

use crate::settings::DEFAULT;
use crate::settings::environment::Environment;
use crate::settings::section::Report;
use crate::settings::tree;

/// What stands in place of a secret.
const MASK: &str = "********";

/// The settings in force, as a settings file without comments. A token or a secret is masked unless it is a
/// reference.
///
/// # Errors
/// When the file cannot be read.
pub fn effective_text(path: Option<&Path>, environment: &Environment) -> std::io::Result<String> {
    let text = path.map(crate::settings::read).transpose()?.unwrap_or_default();
    let file: Arc<str> = Arc::from("settings.yml");
    let report = Report::new(&file, &text);
    let mut settings = tree::parse(&file, DEFAULT, &report);
    let site = tree::parse(&file, &text, &report);
    let (variables, _unknown) = environment.layer(&[&settings, &site]);
    lay_over(&mut settings, site, false);
    lay_over(&mut settings, variables, false);
    mask(&mut settings, &["web", "token"]);
    mask(&mut settings, &["web", "webhook_secrets"]);
    mask(&mut settings, &["outbox", "secrets"]);
    mask(&mut settings, &["outbox", "email", "password"]);
    let commands = settings
        .get_mut("outbox")
        .and_then(|outbox| outbox.get_mut("commands"));
    let commands = commands.and_then(Value::as_mapping_mut);
    for (_, command) in commands.into_iter().flat_map(Mapping::iter_mut) {
        if let Value::Mapping(command) = command {
            mask(command, &["environment"]);
        }
    }
    serde_yaml::to_string(&settings).map_err(std::io::Error::other)
}

/// Masks every secret at a path and below it.
fn mask(settings: &mut Mapping, path: &[&str]) {
    let [key, below @ ..] = path else { return };
    match (settings.get_mut(*key), below) {
        (Some(value), []) => mask_all(value),
        (Some(Value::Mapping(settings)), below) => mask(settings, below),
        _nothing_there => (),
    }
}

fn mask_all(value: &mut Value) {
    match value {
        Value::Null => (),
        Value::Mapping(mapping) => mapping.iter_mut().for_each(|(_, value)| mask_all(value)),
        Value::Sequence(list) => list.iter_mut().for_each(mask_all),
        secret if secret.as_str().is_none_or(is_secret) => *secret = Value::from(MASK),
        _reference => (),
    }
}

fn is_secret(token: &str) -> bool {
    !token.is_empty() && !token.starts_with("env:") && !token.starts_with("file:")
}

/// Lists of event groups are joined, any other value takes the place of the one below it.
fn lay_over(below: &mut Mapping, above: Mapping, is_joined: bool) {
    for (key, value) in above {
        let is_joined = is_joined || key.as_str() == Some("event_groups");
        match (below.get_mut(&key), value) {
            (Some(Value::Mapping(below)), Value::Mapping(above)) => lay_over(below, above, is_joined),
            (Some(Value::Sequence(below)), Value::Sequence(above)) if is_joined => below.extend(above),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_stand_over_each_other_and_secrets_are_masked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = ":web:\n  :token: hush\n  :webhook_secrets: {cloud: [hush, env:NEW]}\n:outbox: {secrets: {chat: hush, web: env:WEB}, email: {password: hush}, commands: {page: {path: /bin/page, environment: {KEY: hush}}}}\n:event_handling:\n  :event_groups:\n    :power:\n      :critical:\n      - my_power\n";
        std::fs::write(&file, text).unwrap();
        let variable = ("SWITCHBOARD_WEB_LISTEN".to_owned(), "[::1]:1".to_owned());
        let environment: Environment = [variable].into_iter().collect();
        let text = effective_text(Some(file.path()), &environment).unwrap();
        let read: Mapping = serde_yaml::from_str(&text).unwrap();
        assert_eq!(read["web"]["token"], Value::from(MASK));
        assert_eq!(
            read["web"]["webhook_secrets"]["cloud"],
            Value::from(vec![MASK, "env:NEW"])
        );
        assert!(!text.contains("hush"), "{text}");
        assert_eq!(read["outbox"]["secrets"]["web"], Value::from("env:WEB"));
        assert_eq!(read["web"]["listen"], Value::from("[::1]:1"));
        let power = read["event_handling"]["event_groups"]["power"]["critical"]
            .as_sequence()
            .unwrap();
        assert!(power.len() > 1 && power.contains(&Value::from("my_power")));
    }
}
