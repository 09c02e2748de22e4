//! An effect as an e-mail over the relay of the settings: the same message, with the same id, in every attempt.

use std::time::Duration;
use std::time::SystemTime;

use lettre::Message;
use lettre::SmtpTransport;
use lettre::Transport;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;

use crate::handler::outbox::verdict::Trouble;
use crate::model::clock::Timestamp;
use crate::outbound::Email;
use crate::settings::EmailSettings;
use crate::settings::OutboxSettings;
use crate::settings::RelaySecurity;
use crate::vmdb::OutboxEntry;

/// The message of an effect.
pub(crate) fn prepare(
    email: &Email,
    entry: &OutboxEntry,
    settings: &OutboxSettings,
) -> Result<(Message, SmtpTransport), Trouble> {
    let Some(relay) = &settings.email else {
        return Err(Trouble::Lasting(
            "there is no `outbox.email.relay` in the settings".to_owned(),
        ));
    };
    let mut message = Message::builder()
        .from(mailbox("outbox.email.from", &relay.from)?)
        .date(date(entry.created_at))
        .message_id(Some(format!("<{}@switchboard>", entry.idempotency_key)))
        .subject(&email.subject)
        .header(ContentType::TEXT_PLAIN);
    for to in &email.to {
        message = message.to(mailbox("email.to", to)?);
    }
    for cc in &email.cc {
        message = message.cc(mailbox("email.cc", cc)?);
    }
    if let Some(reply_to) = &email.reply_to {
        message = message.reply_to(mailbox("email.reply_to", reply_to)?);
    }
    let message = message.body(email.body.clone());
    let message = message.map_err(|error| Trouble::Lasting(format!("`email` makes no message: {error}")))?;
    Ok((message, transport(relay, settings.timeout)?))
}

/// Hands it to the relay.
pub(crate) fn send(message: &Message, transport: &SmtpTransport) -> Result<String, Trouble> {
    let sent = transport.send(message);
    let response = sent.map_err(|error| Trouble::passing(format!("the relay did not take it: {error}")))?;
    let words: Vec<&str> = response.message().collect();
    Ok(format!("SMTP {} {}", response.code(), words.join(" ")))
}

/// In whole seconds, as a header has it.
fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn mailbox(key: &str, address: &str) -> Result<Mailbox, Trouble> {
    address.parse().map_err(|error| {
        let address = address.escape_debug();
        Trouble::Lasting(format!("`{key}` is `{address}`, which is no address: {error}"))
    })
}

fn transport(relay: &EmailSettings, timeout: Duration) -> Result<SmtpTransport, Trouble> {
    let builder = match relay.security {
        RelaySecurity::Tls => SmtpTransport::relay(&relay.host),
        RelaySecurity::StartTls => SmtpTransport::starttls_relay(&relay.host),
        RelaySecurity::Nothing => Ok(SmtpTransport::builder_dangerous(&relay.host)),
    };
    let builder = builder.map_err(|error| Trouble::Lasting(format!("`outbox.email.relay`: {error}")))?;
    let builder = builder.port(relay.port).timeout(Some(timeout));
    let builder = match &relay.credentials {
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()))
        }
        None => builder,
    };
    Ok(builder.build())
}
