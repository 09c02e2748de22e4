//! The HTTP client: to checked addresses, within limits; no redirects, no proxies from the environment.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use ureq::Agent;
use ureq::Body;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;

use crate::model::origin::Origin;
use crate::model::origin::OriginError;
use crate::outbound::Lookup;
use crate::outbound::dot_segments::dot_segment;
use crate::outbound::resolver::CheckedResolver;

/// Headers that belong to the connection, not to whoever describes a request.
const OURS: [HeaderName; 6] = [
    http::header::HOST,
    http::header::CONTENT_LENGTH,
    http::header::TRANSFER_ENCODING,
    http::header::CONNECTION,
    http::header::UPGRADE,
    http::header::ACCEPT_ENCODING,
];

/// Where a client may go, and how long it may take.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Origins that may be at loopback and private addresses; those of the open internet need no mention.
    pub allowed_origins: Vec<Origin>,
    /// How long looking up and connecting may take.
    pub connect_time: Duration,
    /// How long everything may take together.
    pub whole_time: Duration,
    /// The longest answer that is read, in bytes.
    pub longest_answer: u64,
    /// Whether connections are kept for the next request. Not where a request may not come twice: the other side may
    /// close just then.
    pub keeps_connections: bool,
    /// Whose certificates are trusted.
    pub authorities: RootCerts,
}

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    longest_answer: u64,
}

/// The head of an answer; the rest is not read yet.
#[derive(Debug)]
pub struct Reply {
    response: Response<Body>,
    longest_answer: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The URL leads nowhere.
    #[error("the URL {0}")]
    Url(OriginError),
    /// The name leads to an address that may not be reached.
    #[error(
        "`{origin}` is at {address}, {what}; only origins that `outbox.allowed_origins` of the settings names may be there"
    )]
    Forbidden {
        /// Where the request was to go.
        origin: Origin,
        /// What its name leads to.
        address: IpAddr,
        /// What kind of address that is.
        what: &'static str,
    },
    /// The path has a `.` or `..` in it, however it is spelled.
    #[error("the URL has a `.` or `..` in its path, which leads elsewhere; write the path that is meant")]
    DotSegment,
    /// A header that must not be sent.
    #[error("the header `{name}` {why}")]
    Header {
        /// Its name, made harmless.
        name: String,
        /// The end of the sentence.
        why: &'static str,
    },
    /// No answer in time.
    #[error("no answer within the time limit ({0})")]
    Late(String),
    /// No connection, or no whole answer.
    #[error("{0}")]
    Unreachable(String),
    /// The answer is longer than the limit, in bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(u64),
}

impl Client {
    /// A client that looks names up as the system does.
    pub fn new(config: &ClientConfig) -> Self {
        Self::make(config, None)
    }

    /// A client that looks names up in its own way.
    pub fn with_lookup(config: &ClientConfig, lookup: Lookup) -> Self {
        Self::make(config, Some(lookup))
    }

    fn make(config: &ClientConfig, lookup: Option<Lookup>) -> Self {
        let kept = if config.keeps_connections { 4 } else { 0 };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(kept)
            .max_idle_connections_per_host(kept)
            .timeout_resolve(Some(config.connect_time))
            .timeout_connect(Some(config.connect_time))
            .timeout_global(Some(config.whole_time))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(config.authorities.clone())
                    .build(),
            )
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = CheckedResolver {
            allowed: config.allowed_origins.clone(),
            lookup,
        };
        Self {
            agent: Agent::with_parts(agent, DefaultConnector::default(), resolver),
            longest_answer: config.longest_answer,
        }
    }

    /// Sends a request and waits for the head of the answer, whatever its status. Blocks.
    ///
    /// # Errors
    /// When it may not be sent, or nothing comes back; whether it arrived is then unknown.
    pub fn send(&self, request: Request<Vec<u8>>) -> Result<Reply, OutboundError> {
        // Before any name is looked up: the rest of the client sees nothing that has no origin.
        Origin::of(request.uri()).map_err(OutboundError::Url)?;
        if dot_segment(request.uri().path()).is_some() {
            return Err(OutboundError::DotSegment);
        }
        let answered = if request.body().is_empty() && !sends_length(request.method()) {
            self.agent.run(request.map(|_empty| ()))
        } else {
            self.agent.run(request)
        };
        Ok(Reply {
            response: answered.map_err(explained)?,
            longest_answer: self.longest_answer,
        })
    }
}

/// Methods that announce a body of no bytes.
fn sends_length(method: &http::Method) -> bool {
    [http::Method::POST, http::Method::PUT, http::Method::PATCH].contains(method)
}

impl Reply {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    /// When it breaks off, is late or too long.
    pub fn read(self) -> Result<Vec<u8>, OutboundError> {
        let longest = self.longest_answer;
        self.read_up_to(longest)
    }

    /// The same with a limit of its own, in bytes.
    ///
    /// # Errors
    /// As [`Reply::read`].
    pub fn read_up_to(mut self, longest: u64) -> Result<Vec<u8>, OutboundError> {
        let body = self.response.body_mut().with_config();
        body.limit(longest).read_to_vec().map_err(explained)
    }
}

/// A header as somebody describes it.
///
/// # Errors
/// When HTTP does not allow it (a line break in the value, for example), or it is not theirs to set.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), OutboundError> {
    let wrong = |why| OutboundError::Header {
        name: name.escape_debug().to_string(),
        why,
    };
    let key = HeaderName::try_from(name).map_err(|_error| wrong("has no name that HTTP allows"))?;
    if OURS.contains(&key) {
        return Err(wrong("is not for scripts to set"));
    }
    let value = HeaderValue::try_from(value)
        .map_err(|_error| wrong("has a value that HTTP does not allow: a line break or the like"))?;
    Ok((key, value))
}

fn explained(error: ureq::Error) -> OutboundError {
    match error {
        ureq::Error::Other(error) => match error.downcast::<OutboundError>() {
            Ok(error) => *error,
            Err(error) => OutboundError::Unreachable(explain(&*error)),
        },
        ureq::Error::BodyExceedsLimit(limit) => OutboundError::TooLong(limit),
        ureq::Error::Timeout(which) => OutboundError::Late(which.to_string()),
        error => OutboundError::Unreachable(explain(&error)),
    }
}

/// The error and its causes in one line.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
