//! Whether what is pushed was signed by somebody who knows a secret of its manager: over the raw bytes.
//!
//! Two styles: GitHub's (`X-Hub-Signature-256`) and Standard Webhooks (`webhook-id`, `-timestamp`, `-signature`),
//! whose messages are good for five minutes. A message that is sent again within them is known by its event key.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use percent_encoding::percent_decode_str;
use sha2::Sha256;

use crate::model::clock::Timestamp;
use crate::settings::ActiveSettings;
use crate::settings::Secret;
use crate::settings::Settings;
use crate::web::problem::Problem;

/// How far the time of a signed message may be from ours, in seconds.
const TOLERANCE: i64 = 300;
/// With this begins a secret of Standard Webhooks; base64 follows.
const BASE64_SECRET: &str = "whsec_";

/// The secrets by manager: `web.webhook_secrets` of the settings in force, so that a new secret counts at once.
#[derive(Clone, Debug)]
pub struct Signatures(ActiveSettings);

impl Signatures {
    /// Managers with secrets of which one has to have signed; a manager with none of them takes nothing.
    pub fn new(settings: ActiveSettings) -> Self {
        Self(settings)
    }

    /// The secrets as they are now: one request is judged by one state of them, whatever replaces it meanwhile.
    pub(crate) fn take(&self) -> Secrets {
        Secrets(self.0.take())
    }
}

/// The secrets by manager, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Secrets(Arc<Settings>);

impl Secrets {
    /// Whether what is posted to this path has to be signed.
    pub(crate) fn are_needed_at(&self, path: &str) -> bool {
        let name = path.strip_prefix("/events/");
        let name = name.and_then(|name| percent_decode_str(name).decode_utf8().ok());
        name.is_some_and(|name| self.0.web.webhook_secrets.contains_key(&*name))
    }

    /// Whether this body, as it came, was signed for this manager, or need not be.
    ///
    /// # Errors
    /// When it was not; the answer tells no more than that.
    pub(crate) fn check(
        &self,
        ems: &str,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(secrets) = self.0.web.webhook_secrets.get(ems) else {
            return Ok(());
        };
        let is_signed = secrets.iter().any(|secret| {
            is_signed_by_standard(secret, headers, body, now).unwrap_or(false)
                || is_signed_as_by_github(secret, headers, body).unwrap_or(false)
        });
        is_signed.then_some(()).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "a valid signature is needed").help(
                "sign the body: X-Hub-Signature-256, or webhook-id, webhook-timestamp (within 5 minutes) and webhook-signature",
            )
        })
    }
}

/// `X-Hub-Signature-256: sha256=<hex>` over the body.
fn is_signed_as_by_github(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> Option<bool> {
    let shown = only(headers, "x-hub-signature-256")?.strip_prefix("sha256=")?;
    let signature = from_hex(shown)?;
    Some(is_mac(secret.reveal().as_bytes(), &[body], &signature))
}

/// `webhook-signature: v1,<base64>`, one or several, over `id.timestamp.body` (Standard Webhooks 1.0).
fn is_signed_by_standard(secret: &Secret, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<bool> {
    let id = only(headers, "webhook-id")?;
    let time = only(headers, "webhook-timestamp")?;
    let age = now.as_second().checked_sub(time.parse().ok()?)?;
    if TOLERANCE < age.checked_abs()? {
        return Some(false);
    }
    let key = match secret.reveal().strip_prefix(BASE64_SECRET) {
        Some(base64) => STANDARD.decode(base64).ok()?,
        None => secret.reveal().as_bytes().to_vec(),
    };
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let shown = only(headers, "webhook-signature")?.split(' ');
    let signatures = shown.filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
    Some(
        signatures
            .into_iter()
            .any(|signature| is_mac(&key, &parts, &signature)),
    )
}

/// The one value of a header; of two nobody knows which one was meant.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _none_or_many => None,
    }
}

/// Compares in constant time.
fn is_mac(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let pairs = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn signatures(ems: &str, secrets: Vec<Secret>) -> Secrets {
        let mut settings = Settings::default();
        settings.web.webhook_secrets.insert(ems.to_owned(), secrets);
        Signatures::new(ActiveSettings::new(settings)).take()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn is_taken(secrets: &[&str], pairs: &[(&'static str, &str)], body: &str) -> bool {
        let secrets = secrets
            .iter()
            .map(|secret| Secret::resolve(secret, |_| None).unwrap());
        let signatures = signatures("cloud", secrets.collect());
        let now = Timestamp::from_second(NOW).unwrap();
        signatures
            .check("cloud", &headers(pairs), body.as_bytes(), now)
            .is_ok()
    }

    fn mac(key: &[u8], text: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    #[test]
    fn the_example_of_github_is_taken_and_no_variation_of_it() {
        // From "Validating webhook deliveries".
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = "It's a Secret to Everybody";
        let header = "x-hub-signature-256";
        let taken = |secrets: &[&str], value: &str, body: &str| is_taken(secrets, &[(header, value)], body);
        assert!(taken(&[secret], good, "Hello, World!"));
        assert!(taken(&["old", secret], good, "Hello, World!"));
        assert!(!taken(&[secret], good, "Hello, World! "));
        assert!(!taken(&["other"], good, "Hello, World!"));
        assert!(!taken(&[], good, "Hello, World!"));
        assert!(!taken(&[secret], good.trim_end_matches("17"), "Hello, World!"));
        assert!(!taken(&[secret], "sha256=", "Hello, World!"));
        assert!(!taken(&[secret], "sha1=757107", "Hello, World!"));
        assert!(!is_taken(&[secret], &[], "Hello, World!"));
    }

    #[test]
    fn a_standard_webhook_is_good_for_five_minutes_before_and_after() {
        let secret = format!("whsec_{}", STANDARD.encode("key"));
        for (age, expected) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)] {
            let time = (NOW - age).to_string();
            let signature = STANDARD.encode(mac(b"key", &format!("msg-1.{time}.{{}}")));
            let shown = format!("v1,bm8= v1a,x v1,{signature}");
            let pairs = [
                ("webhook-id", "msg-1"),
                ("webhook-timestamp", time.as_str()),
                ("webhook-signature", shown.as_str()),
            ];
            assert_eq!(is_taken(&[&secret], &pairs, "{}"), expected, "{age}");
            // Another id, another body, or no id: another message.
            assert!(!is_taken(&[&secret], &pairs, "{ }"));
            assert!(!is_taken(
                &[&secret],
                &[("webhook-id", "msg-2"), pairs[1], pairs[2]],
                "{}"
            ));
            assert!(!is_taken(&[&secret], &pairs[1..], "{}"));
        }
    }

    #[test]
    fn only_managers_with_secrets_ask_for_signatures() {
        let signatures = signatures("my cloud", Vec::new());
        assert!(signatures.are_needed_at("/events/my%20cloud"));
        assert!(!signatures.are_needed_at("/events/other"));
        assert!(!signatures.are_needed_at("/metrics"));
        let now = Timestamp::UNIX_EPOCH;
        assert!(signatures.check("other", &HeaderMap::new(), b"{}", now).is_ok());
        assert!(
            signatures
                .check("my cloud", &HeaderMap::new(), b"{}", now)
                .is_err()
        );
    }
}
