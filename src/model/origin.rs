//! Origin: scheme, host and port, as settings name the places that may be reached.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use http::Uri;

/// Scheme, host and port. Two spellings of one place are one origin.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    is_secure: bool,
    host: String,
    port: u16,
}

/// Why a text names no place that HTTP reaches; the end of a sentence that begins with what was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No URL at all.
    #[error("is no address such as `https://events.example.com`")]
    Unreadable,
    /// `file:`, `gopher:`, ...
    #[error("has to begin with https:// or http://")]
    Scheme,
    /// `user:password@`.
    #[error("contains a user; credentials have a place of their own")]
    User,
    /// An IPv4 address in a spelling that only some programs know: octal, hexadecimal, one number.
    #[error("spells an address in an unusual way; four decimal numbers are expected")]
    Spelling,
    /// An origin has no path.
    #[error("has a path or a query; scheme, host and port are expected")]
    Path,
}

impl Origin {
    /// The origin of a URL.
    ///
    /// # Errors
    /// When HTTP leads nowhere from there.
    pub fn of(uri: &Uri) -> Result<Self, OriginError> {
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_other) => return Err(OriginError::Scheme),
            None => return Err(OriginError::Unreadable),
        };
        let authority = uri.authority().ok_or(OriginError::Unreadable)?;
        if authority.as_str().contains('@') {
            return Err(OriginError::User);
        }
        let written = authority.host();
        let host = written.trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() || authority.as_str().ends_with(':') {
            return Err(OriginError::Unreadable);
        }
        if is_number(host.rsplit('.').next().unwrap_or_default()) && written.parse::<Ipv4Addr>().is_err() {
            return Err(OriginError::Spelling);
        }
        let default = if is_secure { 443 } else { 80 };
        // A port that is written and is none is no port by default.
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str().len() > authority.host().len() => return Err(OriginError::Unreadable),
            None => default,
        };
        Ok(Self {
            is_secure,
            host,
            port,
        })
    }

    /// A URL and its origin.
    ///
    /// # Errors
    /// When it is none, or HTTP leads nowhere from there.
    pub fn of_text(url: &str) -> Result<(Uri, Self), OriginError> {
        let unreadable = |_error| match url.split_once(':') {
            // `file:///etc/passwd` is no URI in the eyes of HTTP.
            Some((scheme, _))
                if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
            {
                let is_http = ["http", "https"]
                    .iter()
                    .any(|http| scheme.eq_ignore_ascii_case(http));
                if is_http {
                    OriginError::Unreadable
                } else {
                    OriginError::Scheme
                }
            }
            _no_scheme => OriginError::Unreadable,
        };
        let uri: Uri = url.parse().map_err(unreadable)?;
        let origin = Self::of(&uri)?;
        Ok((uri, origin))
    }

    /// The host without brackets, in lower case.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, written or not.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (uri, origin) = Self::of_text(text.trim())?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(OriginError::Path);
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether the last part of a host makes the whole of it an address of IPv4, as browsers and `inet_aton` see it.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x");
    match hexadecimal {
        Some(digits) => digits.chars().all(|digit| digit.is_ascii_hexdigit()),
        None => !label.is_empty() && label.chars().all(|digit| digit.is_ascii_digit()),
    }
}
