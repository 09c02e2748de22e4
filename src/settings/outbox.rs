//! `outbox`: how outside effects are sent, and what they may reach. Knows nothing of sending.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::origin::Origin;
use crate::settings::Environment;
use crate::settings::Secret;
use crate::settings::section::Section;
use crate::settings::sections::MAX_THREADS;
use crate::settings::value;
use crate::settings::value::count;
use crate::settings::value::positive;

/// The most tries of an effect.
const MAX_ATTEMPTS: usize = 1_000_000;
/// How long a program may run where its settings do not say.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// `outbox`: how outside effects are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxSettings {
    /// How many are sent at once.
    pub threads: usize,
    /// How often an effect is tried before it is given up.
    pub attempts: usize,
    /// The pause before the second try.
    pub pause: Duration,
    /// What it grows to.
    pub longest_pause: Duration,
    /// How long a receiver may take.
    pub timeout: Duration,
    /// Origins that may be at addresses that are not of the open internet.
    pub allowed_origins: Vec<Origin>,
    /// What rules may refer to.
    pub secrets: BTreeMap<String, Secret>,
    /// The programs that rules may run.
    pub commands: BTreeMap<String, CommandSettings>,
    /// The relay; without one no e-mail is sent.
    pub email: Option<EmailSettings>,
}

/// `outbox.commands.NAME`: a program that rules may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSettings {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// Its first arguments.
    pub args: Vec<String>,
    /// Its environment, besides what it is told of the event.
    pub environment: BTreeMap<String, Secret>,
    /// How long it may run.
    pub timeout: Duration,
}

/// `outbox.email`: the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub security: RelaySecurity,
    /// Who sends, and with what.
    pub credentials: Option<(String, Secret)>,
    /// The sender of every e-mail.
    pub from: String,
}

/// How the connection to a relay is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelaySecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS is asked for, and nothing is sent without it.
    StartTls,
    /// Not at all.
    Nothing,
}

impl OutboxSettings {
    pub(crate) fn read(section: Section<'_>, environment: &Environment) -> Self {
        let outbox = Self {
            threads: section
                .value("threads", count(1..=MAX_THREADS))
                .unwrap_or_default(),
            attempts: section
                .value("attempts", count(1..=MAX_ATTEMPTS))
                .unwrap_or_default(),
            pause: section.value("pause", positive).unwrap_or_default(),
            longest_pause: section.value("longest_pause", positive).unwrap_or_default(),
            timeout: section.value("timeout", positive).unwrap_or_default(),
            allowed_origins: section.list("allowed_origins", origin),
            secrets: secrets(section.section("secrets"), environment),
            commands: commands(section.section("commands"), environment),
            email: EmailSettings::read(section.section("email"), environment),
        };
        section.finish();
        outbox
    }
}

impl EmailSettings {
    fn read(section: Section<'_>, environment: &Environment) -> Option<Self> {
        let relay = section.value("relay", relay);
        let user = section.value("user", value::text);
        let password = section.secret("password", secret(environment));
        let security = section
            .value("security", security)
            .unwrap_or(RelaySecurity::StartTls);
        let from = section.value("from", value::text).unwrap_or_default();
        // Without the other, either would go unused, and the relay be asked for more than it lets anybody do.
        for (one, other) in [("user", "password"), ("password", "user")] {
            if let (Some(place), None) = (section.place(one), section.place(other)) {
                let message = format!("`outbox.email.{one}` stands without `{other}`");
                let finding = section.report().error("WrongSetting", &place, message);
                section
                    .report()
                    .refuse(finding.help(format!("set `{other}` too, or neither of them")));
            }
        }
        section.finish();
        let (host, port) = relay?;
        Some(Self {
            host,
            port,
            security,
            credentials: user.zip(password),
            from,
        })
    }
}

fn origin(text: &str) -> Result<Origin, String> {
    let wrong = |why: &str| format!("an origin such as `http://127.0.0.1:9000`; this {why}");
    text.parse()
        .map_err(|why: crate::model::origin::OriginError| wrong(&why.to_string()))
}

fn relay(text: &str) -> Result<(String, u16), String> {
    let parts = text
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let parts = parts.filter(|(host, _)| !host.is_empty());
    let (host, port) = parts.ok_or_else(|| "a relay such as `mail.example.com:587`".to_owned())?;
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

fn security(text: &str) -> Result<RelaySecurity, String> {
    match text {
        "tls" => Ok(RelaySecurity::Tls),
        "starttls" => Ok(RelaySecurity::StartTls),
        "none" => Ok(RelaySecurity::Nothing),
        _other => Err("`tls`, `starttls` or `none`".to_owned()),
    }
}

/// The secret that a value refers to, or is.
fn secret(environment: &Environment) -> impl Fn(&str) -> Result<Secret, String> {
    move |text| {
        environment
            .secret(text)
            .map_err(|error| format!("a secret, but {error}"))
    }
}

fn secrets(section: Section<'_>, environment: &Environment) -> BTreeMap<String, Secret> {
    let names = section.keys().into_iter();
    let secrets =
        names.filter_map(|name| Some((name.to_owned(), section.secret(name, secret(environment))?)));
    let secrets = secrets.collect();
    section.finish();
    secrets
}

fn commands(section: Section<'_>, environment: &Environment) -> BTreeMap<String, CommandSettings> {
    let names = section.keys().into_iter();
    let commands = names.filter_map(|name| {
        let one = section.section(name);
        let path = one.value("path", path);
        let (args, timeout) = (
            one.list("args", |arg| Ok(arg.to_owned())),
            one.value("timeout", positive),
        );
        let environment = secrets(one.section("environment"), environment);
        one.finish();
        let command = CommandSettings {
            path: path?,
            args,
            environment,
            timeout: timeout.unwrap_or(COMMAND_TIME),
        };
        Some((name.to_owned(), command))
    });
    let commands = commands.collect();
    section.finish();
    commands
}

fn path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    path.is_absolute()
        .then_some(path)
        .ok_or_else(|| "the absolute path of a program".to_owned())
}
