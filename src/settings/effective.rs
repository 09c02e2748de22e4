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
    if let Some(Value::Mapping(web)) = settings.get_mut("web")
        && let Some(token) = web.get_mut("token")
        && token.as_str().is_some_and(is_secret)
    {
        *token = Value::from(MASK);
    }
    if let Some(Value::Mapping(web)) = settings.get_mut("web")
        && let Some(Value::Mapping(secrets)) = web.get_mut("webhook_secrets")
    {
        let lists = secrets.iter_mut().filter_map(|(_, list)| list.as_sequence_mut());
        for secret in lists
            .flatten()
            .filter(|secret| secret.as_str().is_none_or(is_secret))
        {
            *secret = Value::from(MASK);
        }
    }
    serde_yaml::to_string(&settings).map_err(std::io::Error::other)
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
        let text = ":web:\n  :token: hush\n  :webhook_secrets: {cloud: [hush, env:NEW]}\n:event_handling:\n  :event_groups:\n    :power:\n      :critical:\n      - my_power\n";
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
        assert_eq!(read["web"]["listen"], Value::from("[::1]:1"));
        let power = read["event_handling"]["event_groups"]["power"]["critical"]
            .as_sequence()
            .unwrap();
        assert!(power.len() > 1 && power.contains(&Value::from("my_power")));
    }
}
