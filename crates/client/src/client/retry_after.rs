//! The header `Retry-After` (RFC 9110 section 10.2.3).
//!
//! Border: reading it; whether anybody waits is decided in `request`.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The wait that a header asks for: whole seconds, or a date. `None` when it is neither.
pub(super) fn wait(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if header.bytes().all(|byte| byte.is_ascii_digit()) {
        return header.parse().ok().map(Duration::from_secs);
    }
    let date = rfc2822::parse(header).ok()?.timestamp();
    // A date in the past asks for no wait.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now: Timestamp = "2015-10-21T07:28:00Z".parse().unwrap();
        assert_eq!(wait("120", now), Some(Duration::from_secs(120)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:05 GMT", now), Some(Duration::from_secs(5)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:27:00 GMT", now), Some(Duration::ZERO));
        for unreadable in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(unreadable, now), None, "{unreadable}");
        }
    }
}
