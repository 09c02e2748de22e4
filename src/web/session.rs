//! Sessions of people who signed in with the token: what their browsers show instead of it.
//!
//! A session is a random number that only this process knows, and it ends with the process.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;

/// The cookie that holds a session.
pub(crate) const COOKIE: &str = "switchboard_session";
/// How long a session lasts.
pub(crate) const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// How many there may be; beyond it the oldest one ends.
const MOST: usize = 1_000;
/// So many wrong tokens may be tried within [`WINDOW`].
const TRIES: usize = 10;
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// Every session of this process.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Digests of their numbers, the oldest first.
    open: VecDeque<([u8; 32], Timestamp)>,
    /// When wrong tokens were tried.
    failures: VecDeque<Timestamp>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    /// It is another token.
    #[error("this is not the token")]
    Wrong,
    /// Too many wrong ones were tried.
    #[error("too many wrong tokens were tried: wait a minute")]
    TooMany,
    /// The system has no random numbers.
    #[error("cannot begin a session: {0}")]
    Random(getrandom::Error),
}

impl Sessions {
    /// Begins a session where the token is the right one; its text goes into the cookie.
    pub(crate) fn begin(
        &self,
        is_right: impl FnOnce() -> bool,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let mut inner = self.inner.lock();
        let since = now.saturating_sub(WINDOW).unwrap_or(now);
        inner.failures.retain(|failure| since < *failure);
        // Asked before the token is looked at, so that the right one cannot be found by going on.
        if TRIES <= inner.failures.len() {
            return Err(SignInError::TooMany);
        }
        if !is_right() {
            inner.failures.push_back(now);
            return Err(SignInError::Wrong);
        }
        let mut number = [0_u8; 32];
        getrandom::fill(&mut number).map_err(SignInError::Random)?;
        let text: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
        while MOST <= inner.open.len() {
            inner.open.pop_front();
        }
        inner.open.push_back((digest(&text), now));
        Ok(text)
    }

    /// Whether a session is open.
    pub(crate) fn is_open(&self, text: &str, now: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        let life = SignedDuration::try_from(LIFE).unwrap_or(SignedDuration::ZERO);
        let is_alive = |begun: Timestamp| now.duration_since(begun) < life;
        while inner.open.front().is_some_and(|(_, begun)| !is_alive(*begun)) {
            inner.open.pop_front();
        }
        let shown = digest(text);
        inner.open.iter().any(|(known, _)| known.ct_eq(&shown).into())
    }

    /// Ends a session.
    pub(crate) fn end(&self, text: &str) {
        let shown = digest(text);
        self.inner.lock().open.retain(|(known, _)| *known != shown);
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_until_it_is_over_and_guessing_is_slow() {
        let sessions = Sessions::default();
        let at = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let text = sessions.begin(|| true, at(0)).unwrap();
        assert_eq!(text.len(), 64);
        assert!(sessions.is_open(&text, at(1)));
        assert!(!sessions.is_open("", at(1)) && !sessions.is_open(&text.to_uppercase(), at(1)));
        for _ in 0..TRIES {
            assert!(matches!(sessions.begin(|| false, at(2)), Err(SignInError::Wrong)));
        }
        assert!(matches!(
            sessions.begin(|| true, at(3)),
            Err(SignInError::TooMany)
        ));
        let other = sessions.begin(|| true, at(63)).unwrap();
        assert!(!sessions.is_open(&text, at(43_200)));
        assert!(sessions.is_open(&other, at(43_200)));
        sessions.end(&other);
        assert!(!sessions.is_open(&other, at(43_200)));
        let first = sessions.begin(|| true, at(43_200)).unwrap();
        for _ in 0..MOST {
            sessions.begin(|| true, at(43_200)).unwrap();
        }
        assert!(!sessions.is_open(&first, at(43_200)));
    }
}
