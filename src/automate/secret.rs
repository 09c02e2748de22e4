//! Passwords: `v2:{…}` as stored, opened with the key file only by an explicit decrypt.

use std::sync::OnceLock;

use aes_gcm::Aes256Gcm;
use aes_gcm::KeyInit;
use aes_gcm::aead::Aead;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::value::Secret;

/// The environment variable that names the key file: 32 bytes, in base64.
pub(super) const KEY_FILE: &str = "SWITCHBOARD_KEY_FILE";
const NONCE: usize = 12;

static KEY: OnceLock<Option<Aes256Gcm>> = OnceLock::new();

fn key() -> Option<&'static Aes256Gcm> {
    KEY.get_or_init(|| {
        let text = std::fs::read_to_string(std::env::var_os(KEY_FILE)?).ok()?;
        Aes256Gcm::new_from_slice(&STANDARD.decode(text.trim()).ok()?).ok()
    })
    .as_ref()
}

fn sealed(stored: &str) -> Option<&str> {
    stored.strip_prefix("v2:{")?.strip_suffix('}')
}

/// The stored form of a password, refused where it is encrypted and cannot be opened.
pub(crate) fn checked(stored: &str) -> Ae<Secret> {
    let secret = Secret::new(stored);
    decrypt(&secret).map(|_| secret)
}

/// The clear text; for scripts that ask for it by name.
pub(crate) fn decrypt(secret: &Secret) -> Ae<String> {
    let Some(sealed) = sealed(secret.expose()) else {
        return Ok(secret.expose().to_owned());
    };
    let wrong =
        |why: &str| AeError::engine("PasswordError", format!("a password cannot be decrypted: {why}"));
    let key = key().ok_or_else(|| {
        wrong(&format!(
            "no key; {KEY_FILE} has to name a file with 32 bytes in base64"
        ))
    })?;
    let bytes = STANDARD
        .decode(sealed)
        .map_err(|_| wrong("what stands between `v2:{` and `}` is no base64"))?;
    let (nonce, text) = bytes
        .split_first_chunk::<NONCE>()
        .ok_or_else(|| wrong("it is too short"))?;
    let clear = key
        .decrypt(nonce.into(), text)
        .map_err(|_| wrong("it was encrypted with another key"))?;
    String::from_utf8(clear).map_err(|_| wrong("it is no text"))
}
