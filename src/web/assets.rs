//! What pages are made of besides their text: one sheet, one script, one icon, all part of the program.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::Query;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use sha2::Digest;
use sha2::Sha256;

use crate::web::problem::Problem;

/// Symbols that pages draw with, as a part of each page.
pub(crate) const SPRITE: &str = include_str!("assets/sprite.svg");

/// A file that pages ask for.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
    version: LazyLock<String>,
}

pub(crate) static SHEET: Asset = Asset {
    name: "app.css",
    content_type: "text/css; charset=utf-8",
    text: include_str!("assets/app.css"),
    version: LazyLock::new(|| version(SHEET.text)),
};
pub(crate) static SCRIPT: Asset = Asset {
    name: "app.js",
    content_type: "text/javascript; charset=utf-8",
    text: include_str!("assets/app.js"),
    version: LazyLock::new(|| version(SCRIPT.text)),
};
pub(crate) static ICON: Asset = Asset {
    name: "icon.svg",
    content_type: "image/svg+xml",
    text: include_str!("assets/icon.svg"),
    version: LazyLock::new(|| version(ICON.text)),
};

impl Asset {
    /// Where it is. The address changes with what it says, so that nobody keeps an old one.
    pub(crate) fn address(&self) -> String {
        format!("/assets/{}?v={}", self.name, *self.version)
    }
}

/// The version that a page asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    v: Option<String>,
}

/// `GET /assets/{name}`: kept for ever under the address that names its version, else asked for anew.
pub(crate) async fn asset(
    Path(name): Path<String>,
    Query(wanted): Query<Version>,
) -> Result<Response, Problem> {
    let asset = [&SHEET, &SCRIPT, &ICON]
        .into_iter()
        .find(|asset| asset.name == name)
        .ok_or_else(|| Problem::not_found(format!("there is no file `{name}`")))?;
    let keep = match wanted.v.as_ref() == Some(&*asset.version) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, keep),
    ];
    Ok((headers, asset.text).into_response())
}

fn version(text: &str) -> String {
    let mut version = String::new();
    for byte in Sha256::digest(text).iter().take(6) {
        // Writing to a text does not fail.
        let _written = write!(version, "{byte:02x}");
    }
    version
}
