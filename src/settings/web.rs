//! `web`: how the HTTP server is set up. Knows nothing of HTTP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::settings::Environment;
use crate::settings::Secret;
use crate::settings::section::Report;
use crate::settings::section::Section;
use crate::settings::value;
use crate::settings::value::count;
use crate::settings::value::positive;
use crate::settings::value::size;

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
        let variable = |name: &str| environment.get(name).map(ToOwned::to_owned);
        let token = section.value("token", |token| {
            let token = value::text(token)?;
            Secret::resolve(&token, variable).map_err(|error| format!("a token, but {error}"))
        });
        let web = Self {
            listen: section
                .value("listen", value::address)
                .unwrap_or((Ipv4Addr::LOCALHOST, 3000).into()),
            token: token.filter(|token| !token.reveal().is_empty()),
            max_event_bytes: section.value("max_event_bytes", size).unwrap_or_default(),
            max_batch_bytes: section.value("max_batch_bytes", size).unwrap_or_default(),
            header_timeout: section.value("header_timeout", positive).unwrap_or_default(),
            idle_timeout: section.value("idle_timeout", positive).unwrap_or_default(),
            body_timeout: section.value("body_timeout", positive).unwrap_or_default(),
            max_connections: section.value("max_connections", count(1)).unwrap_or_default(),
            max_connections_per_address: section
                .value("max_connections_per_address", count(1))
                .unwrap_or_default(),
            max_waiting_messages: section
                .value("max_waiting_messages", count(1))
                .unwrap_or_default(),
            webhook_origins: section.list("webhook_origins", value::text),
            webhook_secrets: read_secrets(section.section("webhook_secrets"), environment),
        };
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

    pub(crate) fn check(&self, report: &Report<'_>) {
        if self.is_open_to_all() {
            let help = "set `web.token` (SWITCHBOARD_WEB_TOKEN), or listen on a loopback address";
            let message = format!(
                "`web.listen` is `{}`, which others can reach, and there is no token",
                self.listen
            );
            report.at_key("TokenNeeded", &["web", "listen"], message, help);
        }
        if self.max_batch_bytes < self.max_event_bytes {
            let help = "a batch of one event has to fit";
            let message = "`web.max_batch_bytes` is less than `web.max_event_bytes`".to_owned();
            report.at_key("WrongSetting", &["web", "max_batch_bytes"], message, help);
        }
    }
}

/// `webhook_secrets`: a list for each manager, so that an old secret is still good while a new one comes into use.
fn read_secrets(section: Section<'_>, environment: &Environment) -> BTreeMap<String, Vec<Secret>> {
    let variable = |name: &str| environment.get(name).map(ToOwned::to_owned);
    let secret = |secret: &serde_yaml::Value| {
        let resolved = Secret::resolve(&value::text(secret)?, variable);
        let resolved = resolved.map_err(|error| format!("a secret, but {error}"))?;
        let is_there = !resolved.reveal().trim().is_empty();
        is_there
            .then_some(resolved)
            .ok_or_else(|| "a secret that is not blank".to_owned())
    };
    let managers = section.keys().into_iter();
    let secrets = managers.map(|name| (name.to_owned(), section.list(name, secret)));
    let secrets = secrets.collect();
    section.finish();
    secrets
}
