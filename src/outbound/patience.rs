//! Retry-After: how long another place wants to be left alone.

use std::time::Duration;

use http::HeaderMap;
use http::header;

use crate::model::clock::Timestamp;
use crate::model::written_time;

/// What `Retry-After` asks for: seconds, or a date (RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = written_time::dated(text)?;
    // A date that has passed asks for no patience.
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_asked_for_in_seconds_or_until_a_date() {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        for (written, expected) in [
            ("120", Some(120)),
            ("Thu, 01 Jan 2026 12:01:00 GMT", Some(60)),
            ("Thu, 01 Jan 2026 11:00:00 GMT", None),
            ("Thursday, 01-Jan-26 12:01:00 GMT", Some(60)),
            ("Thu Jan  1 12:01:00 2026", Some(60)),
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
