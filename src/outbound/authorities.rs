//! The certificate authorities that an API is trusted by: those that browsers know, or those of a site's file.

use std::fmt;
use std::fs;
use std::path::Path;

use ureq::tls::PemItem;
use ureq::tls::RootCerts;
use ureq::tls::parse_pem;

use crate::outbound::ApiError;

/// The certificates in a PEM file, and no others. Blocks.
///
/// # Errors
/// When the file cannot be read or holds none.
pub(crate) fn authorities(path: &Path) -> Result<RootCerts, ApiError> {
    let wrong = |why: &dyn fmt::Display| {
        let message = format!("the setting `ca_file` names `{}`, which {why}", path.display());
        ApiError::Config(message)
    };
    let text = fs::read(path).map_err(|error| wrong(&format_args!("cannot be read: {error}")))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        let item = item.map_err(|error| wrong(&format_args!("is no PEM file: {error}")))?;
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(wrong(
            &"holds no certificate; a PEM file with CERTIFICATE blocks is expected",
        ));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
