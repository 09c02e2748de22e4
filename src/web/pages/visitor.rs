//! Who looks: the theme and the zone that a browser asks for by its cookies, and the zone of the address.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;

use crate::web::pages::words::Zone;

/// A choice against what the system prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// What a visitor chose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    /// The theme; none is that of the system.
    pub(crate) theme: Option<Theme>,
    /// The zone of times.
    pub(crate) zone: Zone,
    /// Whether the screen is one of a phone.
    pub(crate) is_narrow: bool,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let zone = cookie(&parts.headers, "tz").and_then(Zone::named);
        Ok(Self {
            theme: match cookie(&parts.headers, "theme") {
                Some("light") => Some(Theme::Light),
                Some("dark") => Some(Theme::Dark),
                _system => None,
            },
            zone: zone.unwrap_or_default(),
            is_narrow: cookie(&parts.headers, "narrow") == Some("1"),
        })
    }
}

/// The value of a cookie; the first one where a browser sends several of a name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    values.next()
}
