//! Passwords: `v2:{…}` as stored, AES-256-GCM under a key file; opened only by an explicit decrypt.
//!
//! A clear text is encrypted as soon as a key is there, so that nothing later writes it down.

use std::path::Path;
use std::sync::OnceLock;

use aes_gcm::Aes256Gcm;
use aes_gcm::KeyInit;
use aes_gcm::Nonce;
use aes_gcm::aead::Aead;
use aes_gcm::aead::Generate;
use aes_gcm::aead::Key;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::automate::error::Ae;
use crate::automate::error::AeError;
use crate::model::value::Secret;

/// The environment variable that names the key file: 32 bytes, in base64.
pub(crate) const KEY_FILE: &str = "SWITCHBOARD_KEY_FILE";
const NONCE: usize = 12;

/// Why a password can be neither opened nor sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    /// There is no key.
    #[error(
        "there is no key; {KEY_FILE} has to name a file with 32 bytes in base64, as `switchboard secret --new-key FILE` writes it"
    )]
    NoKey,
    /// The text between the braces is not what was once written there.
    #[error("what stands between `v2:{{` and `}}` is damaged")]
    Damaged,
    /// It was encrypted with another key.
    #[error("it was encrypted with another key")]
    OtherKey,
}

static CIPHER: OnceLock<Option<Aes256Gcm>> = OnceLock::new();

fn cipher() -> Result<&'static Aes256Gcm, PasswordError> {
    let read = || read_key(Path::new(&std::env::var_os(KEY_FILE)?));
    CIPHER.get_or_init(read).as_ref().ok_or(PasswordError::NoKey)
}

fn read_key(path: &Path) -> Option<Aes256Gcm> {
    let text = std::fs::read_to_string(path).ok()?;
    Aes256Gcm::new_from_slice(&STANDARD.decode(text.trim()).ok()?).ok()
}

/// A fresh key, as a key file holds it.
pub(crate) fn new_key() -> String {
    STANDARD.encode(Key::<Aes256Gcm>::generate())
}

/// The stored form of a clear text.
///
/// # Errors
/// When there is no key.
pub(crate) fn seal(clear: &str) -> Result<String, PasswordError> {
    seal_with(cipher()?, clear)
}

fn seal_with(cipher: &Aes256Gcm, clear: &str) -> Result<String, PasswordError> {
    let nonce = Nonce::generate();
    let sealed = cipher
        .encrypt(&nonce, clear.as_bytes())
        .map_err(|_| PasswordError::Damaged)?;
    Ok(format!(
        "v2:{{{}}}",
        STANDARD.encode([nonce.as_slice(), &sealed].concat())
    ))
}

fn open_with(cipher: &Aes256Gcm, sealed: &str) -> Result<String, PasswordError> {
    let bytes = STANDARD.decode(sealed).map_err(|_| PasswordError::Damaged)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(PasswordError::Damaged)?;
    let clear = cipher
        .decrypt(nonce.into(), sealed)
        .map_err(|_| PasswordError::OtherKey)?;
    String::from_utf8(clear).map_err(|_| PasswordError::Damaged)
}

fn sealed(stored: &str) -> Option<&str> {
    stored.strip_prefix("v2:{")?.strip_suffix('}')
}

/// A password as a run keeps it: refused where it is encrypted and cannot be opened, encrypted where it can be.
pub(crate) fn checked(stored: &str) -> Ae<Secret> {
    if sealed(stored).is_some() {
        return decrypt(&Secret::new(stored)).map(|_| Secret::new(stored));
    }
    Ok(seal(stored).map_or_else(|_| Secret::new(stored), Secret::new))
}

/// The clear text; for scripts that ask for it by name.
pub(crate) fn decrypt(secret: &Secret) -> Ae<String> {
    let Some(sealed) = sealed(secret.expose()) else {
        return Ok(secret.expose().to_owned());
    };
    let open = cipher().and_then(|cipher| open_with(cipher, sealed));
    open.map_err(|why| AeError::engine("PasswordError", format!("a password cannot be decrypted: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_key_seals_only_that_key_opens() {
        let cipher = |text: &str| Aes256Gcm::new_from_slice(&STANDARD.decode(text).unwrap()).unwrap();
        let (key, other) = (cipher(&new_key()), cipher(&new_key()));
        let stored = seal_with(&key, "hunter2").unwrap();
        let inside = sealed(&stored).unwrap();
        assert!(!stored.contains("hunter2"));
        assert_eq!(open_with(&key, inside).unwrap(), "hunter2");
        assert_eq!(open_with(&other, inside), Err(PasswordError::OtherKey));
        assert_eq!(open_with(&key, "short"), Err(PasswordError::Damaged));
        assert_ne!(
            seal_with(&key, "hunter2").unwrap(),
            stored,
            "equal passwords look different"
        );
    }
}
