//! One request to an events API over HTTP: to the manager's own address and no other, within limits.
//!
//! No redirects, no proxies from the environment, no compression. Scripts name path, query and headers; the address
//! and the credentials are the manager's. Knows nothing of what is in an answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Uri;
use http::header;
use jiff::fmt::rfc2822;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use ureq::Agent;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;

use crate::catcher::authorities::authorities;
use crate::catcher::stream::StreamError;
use crate::model::clock::Timestamp;
use crate::settings::Secret;
use crate::switchboard::PollRequest;
use crate::switchboard::PollResponse;

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
/// Headers that belong to the connection, not to a script.
const OURS: [HeaderName; 6] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
];

/// Asks one manager's address.
#[derive(Debug)]
pub(crate) struct PollClient {
    agent: Agent,
    /// Scheme, authority and path, without a slash at the end.
    base: String,
    credentials: Option<Secret>,
}

impl PollClient {
    /// A client for the address `url`, which trusts the authorities in `ca_file` and no others, or else those that
    /// browsers know. Reads the file, so it may block.
    ///
    /// # Errors
    /// When that is no address of an HTTP service, or the file holds no certificates.
    pub(crate) fn new(
        url: &str,
        credentials: Option<Secret>,
        ca_file: Option<&Path>,
    ) -> Result<Self, StreamError> {
        let wrong = |why: &str| StreamError::Config(format!("its `url` {why}"));
        let uri: Uri = url
            .parse()
            .map_err(|_| wrong("is no address such as `https://events.example.com`"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("has to begin with https:// or http://"));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(wrong(
                "contains a user; give `--credentials env:NAME` or `file:PATH`",
            ));
        }
        if uri.query().is_some() {
            return Err(wrong("has a query; that is for `poll_request` to say"));
        }
        let scheme = uri.scheme_str().unwrap_or("https");
        let tls = TlsConfig::builder().root_certs(ca_file.map_or(Ok(RootCerts::WebPki), authorities)?);
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_global(Some(WHOLE_TIME))
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        Ok(Self {
            agent: config.into(),
            base: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')),
            credentials,
        })
    }

    /// Asks, and waits for the whole answer. Blocks.
    ///
    /// # Errors
    /// When there is no answer, or another one than 2xx.
    pub(crate) fn ask(&self, request: &PollRequest, now: Timestamp) -> Result<PollResponse, StreamError> {
        let mut builder = self.agent.get(self.address(request)?);
        for (name, value) in self.headers(request)? {
            if let Some(name) = name {
                builder = builder.header(name, value);
            }
        }
        let unreachable = |error: ureq::Error| StreamError::Unreachable(explain(&error));
        let mut response = builder.call().map_err(unreachable)?;
        let status = response.status();
        match status.as_u16() {
            200..=299 => (),
            status @ (401 | 403) => return Err(StreamError::Refused { status }),
            status @ (429 | 503) => {
                let after = retry_after(response.headers(), now);
                return Err(StreamError::RateLimited { status, after });
            }
            300..=399 => {
                return Err(StreamError::Answer(format!(
                    "with a redirect (HTTP {status}), which is not followed"
                )));
            }
            _other => return Err(StreamError::Answer(format!("HTTP {status}"))),
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter();
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER);
        let body = body.read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => {
                StreamError::Answer(format!("more than {} MiB", limit >> 20))
            }
            error => unreachable(error),
        })?;
        let body = String::from_utf8(body)
            .map_err(|_| StreamError::Answer("something that is no UTF-8".to_owned()))?;
        Ok(PollResponse {
            status: status.as_u16(),
            headers,
            body,
        })
    }

    fn address(&self, request: &PollRequest) -> Result<String, StreamError> {
        let path = &request.path;
        // With a slash in front nothing in it can change the host; the rest is for the URI's own check.
        if !path.starts_with('/') || path.contains(['?', '#', '\\']) {
            let message = format!(
                "`poll_request` returned the path `{path}`; one from `/`, without query, was expected"
            );
            return Err(StreamError::Answer(message));
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

    fn headers(&self, request: &PollRequest) -> Result<HeaderMap, StreamError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let wrong = |why: &str| {
                StreamError::Config(format!(
                    "the header `{}` of `poll_request` {why}",
                    name.escape_debug()
                ))
            };
            let key =
                HeaderName::try_from(name.as_str()).map_err(|_| wrong("has no name that HTTP allows"))?;
            if OURS.contains(&key) {
                return Err(wrong("is not for scripts to set"));
            }
            let filled = match &self.credentials {
                Some(credentials) => value.replace(CREDENTIALS, credentials.reveal()),
                None if value.contains(CREDENTIALS) => {
                    return Err(wrong("needs credentials, and the manager has none"));
                }
                None => value.clone(),
            };
            let mut filled =
                HeaderValue::try_from(filled).map_err(|_| wrong("has a value that HTTP does not allow"))?;
            filled.set_sensitive(value.contains(CREDENTIALS));
            headers.insert(key, filled);
        }
        Ok(headers)
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?.timestamp();
    // A date that has passed asks for no patience.
    Duration::try_from(date.duration_since(now)).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Option<Secret> {
        Secret::resolve("s3cret", |_| None).ok()
    }

    fn request(path: &str, header: (&str, &str)) -> PollRequest {
        PollRequest {
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
            ("http://user:secret@cloud.example", "/", None),
            ("ftp://cloud.example", "/", None),
            ("cloud.example", "/", None),
            ("http://cloud.example?x=y", "/", None),
        ] {
            let address = PollClient::new(url, None, None)
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
                Err("has a value that HTTP does not allow"),
            ),
            ("x-a\r\nhost", "evil.example", Err("has no name that HTTP allows")),
            ("x-a", "b\0", Err("has a value that HTTP does not allow")),
        ] {
            let client = PollClient::new("http://cloud.example", secret(), None).unwrap();
            let headers = client.headers(&request("/", (name, value)));
            match (&headers, expected) {
                (Ok(headers), Ok(expected)) => {
                    assert_eq!(headers.values().next().unwrap(), expected);
                }
                (Err(error), Err(expected)) => assert!(error.to_string().ends_with(expected), "{error}"),
                other => panic!("{other:?}"),
            }
            assert!(!format!("{client:?} {headers:?}").contains("s3cret"));
        }
    }

    #[test]
    fn patience_is_asked_for_in_seconds_or_until_a_date() {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        for (written, expected) in [
            ("120", Some(120)),
            ("Thu, 01 Jan 2026 12:01:00 GMT", Some(60)),
            ("Thu, 01 Jan 2026 11:00:00 GMT", None),
            ("-5", None),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, written.parse().unwrap());
            let after = retry_after(&headers, now).map(|after| after.as_secs());
            assert_eq!(after, expected, "{written}");
        }
    }
}
