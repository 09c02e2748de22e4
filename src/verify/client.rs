//! HTTP as a sender of events speaks it.

use std::time::Duration;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use ureq::Agent;

use crate::model::json;
use crate::model::json::Value;
use crate::settings::Secret;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 64 << 20;
/// What need not be encoded in a path (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One system, by its address.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<Secret>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the same may be accepted later.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    pub(crate) fn json(&self) -> Value {
        json::read(&self.body).unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(url: &str, token: Option<Secret>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.into(),
            base: url.trim_end_matches('/').to_owned(),
            token,
        }
    }

    /// Posts JSON for a manager; an error where there was no answer.
    pub(crate) fn post(&self, ems: &str, body: &str) -> Result<Answer, String> {
        let mut request = self.agent.post(self.url(&["events", ems]));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let answer = request.header("content-type", "application/json").send(body);
        read(answer)
    }

    /// Asks the API.
    pub(crate) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, String> {
        let mut request = self.agent.get(self.url(path));
        for (key, value) in query {
            request = request.query(key, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        read(request.call())
    }

    fn url(&self, path: &[&str]) -> String {
        let encode = |part: &&str| utf8_percent_encode(part, ENCODED).to_string();
        let path: Vec<String> = path.iter().map(encode).collect();
        format!("{}/{}", self.base, path.join("/"))
    }
}

fn read(answer: Result<http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, String> {
    let mut answer = answer.map_err(|error| error.to_string())?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(LONGEST_ANSWER)
        .read_to_string();
    Ok(Answer {
        status: answer.status().as_u16(),
        body: body.map_err(|error| error.to_string())?,
    })
}
