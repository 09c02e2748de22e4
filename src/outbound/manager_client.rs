//! One call of a manager's API over HTTP: to the manager's own address and no other, within limits.
//!
//! Scripts name path, query and headers; the address and the credentials are the manager's. Knows nothing of what is
//! in an answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http::Uri;
use http::header;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use ureq::tls::RootCerts;

use crate::model::api_call::ApiAnswer;
use crate::model::api_call::ApiCall;
use crate::model::clock::Timestamp;
use crate::model::odd_bytes;
use crate::model::origin::Origin;
use crate::model::origin::OriginError;
use crate::outbound::Client;
use crate::outbound::ClientConfig;
use crate::outbound::OutboundError;
use crate::outbound::authorities::authorities;
use crate::outbound::client;
use crate::outbound::dot_segments::dot_segment;
use crate::outbound::patience;
use crate::settings::Secret;

/// What stands for the credentials in a header that a script asks for.
const CREDENTIALS: &str = "${credentials}";
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 16 << 20;
/// How long connecting may take, and everything together.
const CONNECT_TIME: Duration = Duration::from_secs(10);
const WHOLE_TIME: Duration = Duration::from_secs(45);
/// What need not be encoded in a query (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Why a call of a manager's API has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The manager's address or credentials, or what a script asks for, cannot be used as they are.
    #[error("{0}")]
    Config(String),
    /// The provider does not let us in.
    #[error("the provider refused the credentials (HTTP {status})")]
    Refused {
        /// 401 or 403.
        status: u16,
    },
    /// The provider asks for patience.
    #[error("the provider asks to come later (HTTP {status})")]
    RateLimited {
        /// 429 or 503.
        status: u16,
        /// How much later, where it says so.
        after: Option<Duration>,
    },
    /// Another status than 2xx.
    #[error("the provider answered {}", status_line(*status))]
    Status {
        /// It.
        status: u16,
    },
    /// No connection, or it broke, or it took too long.
    #[error("cannot reach the provider: {0}")]
    Unreachable(String),
    /// An answer that is none.
    #[error("the provider answered {0}")]
    Answer(String),
    /// An answer that is longer than this, in bytes.
    #[error("the provider answered more than {} MiB", .0 >> 20)]
    TooLong(u64),
    /// A request that leads nowhere, or elsewhere; it was not sent.
    #[error("{0}")]
    Asked(String),
}

/// `HTTP 404 Not Found`.
pub fn status_line(status: u16) -> String {
    let known = StatusCode::from_u16(status).map(|status| status.to_string());
    format!("HTTP {}", known.unwrap_or_else(|_| status.to_string()))
}

/// Asks one manager's address.
#[derive(Debug)]
pub struct ManagerClient {
    client: Client,
    /// Scheme, authority and path, without a slash at the end.
    base: String,
    credentials: Option<Secret>,
}

impl ManagerClient {
    /// A client for the address `url`, which trusts the authorities in `ca_file` and no others, or else those that
    /// browsers know. Reads the file, so it may block.
    ///
    /// # Errors
    /// When that is no address of an HTTP service, or the file holds no certificates.
    pub fn new(url: &str, credentials: Option<Secret>, ca_file: Option<&Path>) -> Result<Self, ApiError> {
        let wrong = |why: &str| ApiError::Config(format!("its `url` {why}"));
        let uri: Uri = url
            .parse()
            .map_err(|_| wrong("is no address such as `https://events.example.com`"))?;
        let origin = Origin::of(&uri).map_err(|why| match why {
            OriginError::User => wrong("contains a user; give `--credentials env:NAME` or `file:PATH`"),
            why => wrong(&why.to_string()),
        })?;
        if uri.query().is_some() {
            return Err(wrong("has a query; that is for scripts to say"));
        }
        // Whoever added the manager named its address, so it may be a private one; no other is ever asked.
        let client = Client::new(&ClientConfig {
            allowed_origins: vec![origin],
            connect_time: CONNECT_TIME,
            whole_time: WHOLE_TIME,
            longest_answer: LONGEST_ANSWER,
            keeps_connections: true,
            authorities: ca_file.map_or(Ok(RootCerts::WebPki), authorities)?,
        });
        let scheme = uri.scheme_str().unwrap_or("https");
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        Ok(Self {
            client,
            base: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')),
            credentials,
        })
    }

    /// Asks, and waits for the whole answer. Blocks.
    ///
    /// # Errors
    /// When there is no answer, or another one than 2xx, or it is longer than 16 MiB.
    pub fn ask(&self, request: &ApiCall, now: Timestamp) -> Result<ApiAnswer, ApiError> {
        self.ask_for(request, LONGEST_ANSWER, now)
    }

    /// The same for an answer of up to so many bytes.
    ///
    /// # Errors
    /// When there is no answer, or another one than 2xx, or it is longer.
    pub fn ask_for(&self, request: &ApiCall, longest: u64, now: Timestamp) -> Result<ApiAnswer, ApiError> {
        let address = self.address(request)?;
        let wrong = |error: http::Error| {
            ApiError::Asked(format!(
                "a script asked for `{}`, which is no address: {error}",
                request.path
            ))
        };
        let mut asked = Request::get(&address).body(Vec::new()).map_err(wrong)?;
        *asked.headers_mut() = self.headers(request)?;
        let response = self.client.send(asked).map_err(|error| unanswered(&error))?;
        let status = response.status();
        match status.as_u16() {
            200..=299 => (),
            status @ (401 | 403) => return Err(ApiError::Refused { status }),
            status @ (429 | 503) => {
                let after = patience::retry_after(response.headers(), now);
                return Err(ApiError::RateLimited { status, after });
            }
            300..=399 => {
                return Err(ApiError::Answer(format!(
                    "with a redirect (HTTP {status}), which is not followed"
                )));
            }
            status => return Err(ApiError::Status { status }),
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let coded = response.headers().get(header::CONTENT_ENCODING).map(text);
        if let Some(coding) = coded.filter(|coding| !["", "identity"].contains(&coding.trim())) {
            return Err(ApiError::Answer(format!(
                "with the content encoding `{coding}`, although none was asked for (`Accept-Encoding: identity`)"
            )));
        }
        let headers = response.headers().iter();
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        let body = response.read_up_to(longest).map_err(|error| unanswered(&error))?;
        let body = odd_bytes::text_of(body);
        let (body, has_odd_bytes) =
            body.ok_or_else(|| ApiError::Answer("something that is no UTF-8".to_owned()))?;
        Ok(ApiAnswer {
            status: status.as_u16(),
            headers,
            body,
            has_odd_bytes,
        })
    }

    fn address(&self, request: &ApiCall) -> Result<String, ApiError> {
        let path = &request.path;
        // With a slash in front nothing in it can change the host; the rest is for the URI's own check.
        if !path.starts_with('/') || path.contains(['?', '#', '\\']) {
            let message =
                format!("a script asked for the path `{path}`; one from `/`, without query, was expected");
            return Err(ApiError::Asked(message));
        }
        if let Some(segment) = dot_segment(path) {
            return Err(ApiError::Asked(format!(
                "a script asked for the path `{path}`, which `{segment}` leads out of the manager's `url`; it was not asked"
            )));
        }
        let mut address = format!("{}{path}", self.base);
        for (index, (name, value)) in request.query.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.extend(utf8_percent_encode(name, ENCODED));
            address.push('=');
            address.extend(utf8_percent_encode(value, ENCODED));
        }
        Ok(address)
    }

    fn headers(&self, request: &ApiCall) -> Result<HeaderMap, ApiError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let wrong = |why: &str| ApiError::Config(format!("the header `{}` {why}", name.escape_debug()));
            let filled = match &self.credentials {
                Some(credentials) => value.replace(CREDENTIALS, credentials.reveal()),
                None if value.contains(CREDENTIALS) => {
                    return Err(wrong("needs credentials, and the manager has none"));
                }
                None => value.clone(),
            };
            let (key, mut filled) =
                client::header(name, &filled).map_err(|error| ApiError::Config(error.to_string()))?;
            filled.set_sensitive(value.contains(CREDENTIALS));
            headers.insert(key, filled);
        }
        let json = HeaderValue::from_static("application/json");
        headers.entry(header::ACCEPT).or_insert(json);
        // Without this a server may choose one (RFC 9110, 12.5.3), and none is decoded.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok(headers)
    }
}

fn unanswered(error: &OutboundError) -> ApiError {
    match error {
        OutboundError::TooLong(limit) => ApiError::TooLong(*limit),
        OutboundError::Url(_)
        | OutboundError::DotSegment
        | OutboundError::Forbidden { .. }
        | OutboundError::Header { .. } => ApiError::Config(error.to_string()),
        OutboundError::Late(_) | OutboundError::Unreachable(_) => ApiError::Unreachable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Option<Secret> {
        Secret::resolve("s3cret", |_| None).ok()
    }

    fn request(path: &str, header: (&str, &str)) -> ApiCall {
        ApiCall {
            path: path.to_owned(),
            query: vec![("since".to_owned(), "a&b=c d/é".to_owned())],
            headers: vec![(header.0.to_owned(), header.1.to_owned())],
        }
    }

    #[test]
    fn only_the_managers_own_address_is_asked() {
        for (url, path, expected) in [
            (
                "http://cloud.example",
                "/events",
                Some("http://cloud.example/events"),
            ),
            (
                "https://c.example:8443/api/",
                "/v1/e",
                Some("https://c.example:8443/api/v1/e"),
            ),
            (
                "http://cloud.example",
                "//evil.example/x",
                Some("http://cloud.example//evil.example/x"),
            ),
            ("http://cloud.example", "@evil.example/x", None),
            ("http://cloud.example", ".evil.example/x", None),
            ("http://cloud.example", ":80/x", None),
            ("http://cloud.example", "/x?y=z", None),
            ("http://cloud.example", "http://evil.example/", None),
            ("http://cloud.example/tenant-a", "/vms/../../tenant-b", None),
            ("http://cloud.example/tenant-a", "/vms/%2E%2e/%2e./tenant-b", None),
            ("http://cloud.example/tenant-a", "/..%2ftenant-b", None),
            (
                "http://cloud.example/tenant-a",
                "/vms/v..1",
                Some("http://cloud.example/tenant-a/vms/v..1"),
            ),
            ("http://user:secret@cloud.example", "/", None),
            ("ftp://cloud.example", "/", None),
            ("cloud.example", "/", None),
            ("http://cloud.example?x=y", "/", None),
        ] {
            let address = ManagerClient::new(url, None, None)
                .and_then(|client| client.address(&request(path, ("a", "b"))));
            let expected = expected.map(|expected| format!("{expected}?since=a%26b%3Dc%20d%2F%C3%A9"));
            assert_eq!(address.ok(), expected, "{url} {path}");
        }
    }

    #[test]
    fn a_script_sets_no_header_that_is_not_its_own_and_smuggles_none() {
        for (name, value, expected) in [
            ("Authorization", "Bearer ${credentials}", Ok("Bearer s3cret")),
            ("x-plain", "${other}", Ok("${other}")),
            ("Host", "evil.example", Err("is not for scripts to set")),
            ("transfer-encoding", "chunked", Err("is not for scripts to set")),
            (
                "x-a",
                "b\r\nhost: evil.example",
                Err("has a value that HTTP does not allow: a line break or the like"),
            ),
            ("x-a\r\nhost", "evil.example", Err("has no name that HTTP allows")),
            (
                "x-a",
                "b\0",
                Err("has a value that HTTP does not allow: a line break or the like"),
            ),
        ] {
            let client = ManagerClient::new("http://cloud.example", secret(), None).unwrap();
            let headers = client.headers(&request("/", (name, value)));
            match (&headers, expected) {
                (Ok(headers), Ok(expected)) => {
                    assert_eq!(headers.get(name).unwrap(), expected);
                }
                (Err(error), Err(expected)) => assert!(error.to_string().ends_with(expected), "{error}"),
                other => panic!("{other:?}"),
            }
            assert!(!format!("{client:?} {headers:?}").contains("s3cret"));
        }
    }
}
