//! Why an effect was not sent, and the secrets that no such text may show.

use std::time::Duration;

use crate::outbound::OutboundError;
use crate::outbound::SecretText;
use crate::settings::OutboxSettings;

/// What stands in place of a secret.
const MASK: &str = "********";
/// The longest text that is kept, in characters.
const LONGEST: usize = 500;

/// Why an effect was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may help to try again, not before this pause where the receiver asks for one.
    Passing { why: String, after: Option<Duration> },
    /// No second try helps before somebody changes the rule or the settings.
    Lasting(String),
}

impl Trouble {
    pub(crate) fn passing(why: impl Into<String>) -> Self {
        Self::Passing {
            why: why.into(),
            after: None,
        }
    }
}

impl From<OutboundError> for Trouble {
    fn from(error: OutboundError) -> Self {
        let why = error.to_string();
        match error {
            OutboundError::Url(_)
            | OutboundError::DotSegment
            | OutboundError::Forbidden { .. }
            | OutboundError::Header { .. } => Self::Lasting(why),
            OutboundError::Late(_) | OutboundError::Unreachable(_) | OutboundError::TooLong(_) => {
                Self::passing(why)
            }
        }
    }
}

/// A text with the secret that it names.
pub(crate) fn revealed(text: &SecretText, settings: &OutboxSettings) -> Result<String, Trouble> {
    match text {
        SecretText::Plain(text) => Ok(text.clone()),
        SecretText::Secret { name, prefix } => match settings.secrets.get(name) {
            Some(secret) => Ok(format!("{prefix}{}", secret.reveal())),
            None => Err(Trouble::Lasting(format!(
                "there is no secret `{}` below `outbox.secrets` of the settings",
                name.escape_debug()
            ))),
        },
    }
}

/// A text to be kept and shown: one line, not too long, without any secret.
pub(crate) fn told(text: &str, settings: &OutboxSettings) -> String {
    let in_commands = settings
        .commands
        .values()
        .flat_map(|command| command.environment.values());
    let of_email = settings
        .email
        .as_ref()
        .and_then(|email| email.credentials.as_ref());
    let secrets = settings.secrets.values().chain(in_commands);
    let secrets = secrets.chain(of_email.map(|(_, password)| password));
    let mut text = text.to_owned();
    for secret in secrets
        .map(|secret| secret.reveal())
        .filter(|secret| !secret.is_empty())
    {
        text = text.replace(secret, MASK);
    }
    let harmless: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    harmless.chars().take(LONGEST).collect()
}
