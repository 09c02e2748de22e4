//! `web`: how the HTTP server is set up. Knows nothing of HTTP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::settings::Environment;
use crate::settings::Secret;
use crate::settings::report::Place;
use crate::settings::section::Section;
use crate::settings::sections::MAX_COUNT;
use crate::settings::value;
use crate::settings::value::count;
use crate::settings::value::positive;
use crate::settings::value::size;

/// The longest event and batch: more than the database takes in one value.
const MAX_BYTES: usize = 1 << 29;
/// The most connections: more than a system has descriptors for.
const MAX_CONNECTIONS: usize = 1_000_000;

/// `web`: the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What callers have to show.
    pub token: Option<Secret>,
    /// The longest single event, in bytes.
    pub max_event_bytes: usize,
    /// The longest batch, in bytes.
    pub max_batch_bytes: usize,
    /// How long a caller may take to send the headers.
    pub header_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub idle_timeout: Duration,
    /// How long a caller may take to send the body.
    pub body_timeout: Duration,
    /// How many connections are open at once.
    pub max_connections: usize,
    /// How many connections are open at once from one address.
    pub max_connections_per_address: usize,
    /// How many messages may wait for the handler before senders are asked to come again.
    pub max_waiting_messages: usize,
    /// Origins that may register this place as a web hook.
    pub webhook_origins: Vec<String>,
    /// The secrets of which one signs what is pushed to a manager, by its name. A manager that stands here without
    /// a usable secret takes nothing.
    pub webhook_secrets: BTreeMap<String, Vec<Secret>>,
}

impl WebSettings {
    pub(crate) fn read(section: Section<'_>, environment: &Environment) -> Self {
        let token = section.secret("token", |token| {
            environment
                .secret(token)
                .map_err(|error| format!("a token, but {error}"))
        });
        let web = Self {
            listen: section
                .value("listen", value::address)
                .unwrap_or((Ipv4Addr::LOCALHOST, 3000).into()),
            token,
            max_event_bytes: section
                .value("max_event_bytes", size(1..=MAX_BYTES))
                .unwrap_or_default(),
            max_batch_bytes: section
                .value("max_batch_bytes", size(1..=MAX_BYTES))
                .unwrap_or_default(),
            header_timeout: section.value("header_timeout", positive).unwrap_or_default(),
            idle_timeout: section.value("idle_timeout", positive).unwrap_or_default(),
            body_timeout: section.value("body_timeout", positive).unwrap_or_default(),
            max_connections: section
                .value("max_connections", count(1..=MAX_CONNECTIONS))
                .unwrap_or_default(),
            max_connections_per_address: section
                .value("max_connections_per_address", count(1..=MAX_CONNECTIONS))
                .unwrap_or_default(),
            max_waiting_messages: section
                .value("max_waiting_messages", count(1..=MAX_COUNT))
                .unwrap_or_default(),
            webhook_origins: section.list("webhook_origins", value::text),
            webhook_secrets: read_secrets(section.section("webhook_secrets"), environment),
        };
        web.check(&section);
        section.finish();
        web
    }

    /// Whether others could reach the server without showing anything: then it must not start.
    pub fn is_open_to_all(&self) -> bool {
        let is_loopback = match self.listen.ip() {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address.to_canonical().is_loopback(),
        };
        !is_loopback && self.token.is_none()
    }

    fn check(&self, section: &Section<'_>) {
        let report = section.report();
        if self.is_open_to_all()
            && let Some(place) = section.place("listen")
        {
            let help = "set `web.token` (SWITCHBOARD_WEB_TOKEN), or listen on a loopback address";
            let message = format!(
                "`web.listen` is `{}`, which others can reach, and there is no token",
                self.listen
            );
            // The server itself refuses that too, unless the command line has it listen elsewhere.
            report.tell(report.error("TokenNeeded", &place, message).help(help));
        }
        if self.max_batch_bytes < self.max_event_bytes
            && let Some(place) = section.place("max_batch_bytes")
        {
            let help = "a batch of one event has to fit";
            let message = "`web.max_batch_bytes` is less than `web.max_event_bytes`".to_owned();
            report.refuse(report.error("WrongSetting", &place, message).help(help));
        }
    }
}

/// `webhook_secrets`: a list for each manager, so that an old secret is still good while a new one comes into use. One
/// that cannot be had closes its manager alone, where there is no other.
fn read_secrets(section: Section<'_>, environment: &Environment) -> BTreeMap<String, Vec<Secret>> {
    let report = section.report();
    let secret = |place: &Place<'_>, text: &str| match environment.secret(text) {
        Ok(secret) => Ok(Some(secret)),
        Err(error) if error.is_dangling() => {
            let message = format!("a secret of a manager cannot be had: {error}");
            let help =
                "until it can, nobody is let in with it; without another one the manager takes nothing";
            report.tell(report.error("SecretMissing", place, message).help(help));
            Ok(None)
        }
        Err(error) => Err(format!("a secret, but {error}")),
    };
    let managers = section.keys().into_iter();
    let secrets = managers.map(|name| {
        let secrets = section.secrets(name, secret);
        (name.to_owned(), secrets.into_iter().flatten().collect())
    });
    let secrets = secrets.collect();
    section.finish();
    secrets
}
