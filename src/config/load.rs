//! The settings that bound what clients may do to the server.
//!
//! Border: flags, environment and defaults of limits on rates, connections and memory.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use super::SettingError;
use crate::http::{HttpLimits, RateLimits};
use crate::server::ConnectionLimits;

/// Bounds on load.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Largest request body, in bytes; no more than --max-bodies-bytes.
    #[arg(long, env = "INDELIBLE_MAX_REQUEST_BYTES", default_value_t = 32 << 20,
          value_parser = clap::value_parser!(u64).range(1_024..=1 << 30))]
    pub max_request_bytes: u64,
    /// Bytes of request bodies held in memory at a time, over all requests, beyond
    /// the first 16 KiB of each; more are answered with 503.
    #[arg(long, env = "INDELIBLE_MAX_BODIES_BYTES", default_value_t = 256 << 20)]
    pub max_bodies_bytes: u64,
    /// Bytes of answers held in memory at a time, over all requests, beyond the first
    /// 64 KiB of each. For more, the answer whose client has been slowest, for a second
    /// at least, is cut off; if there is none, the new one is a 503. One answer may be
    /// larger than that.
    #[arg(long, env = "INDELIBLE_MAX_ANSWERS_BYTES", default_value_t = 256 << 20)]
    pub max_answers_bytes: u64,
    /// Seconds within which a request body must have arrived.
    #[arg(long, env = "INDELIBLE_BODY_TIMEOUT", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub body_timeout: u64,
    /// Seconds within which request headers must have arrived; also how long an
    /// idle connection is kept.
    #[arg(long, env = "INDELIBLE_HEADER_TIMEOUT", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub header_timeout: u64,
    /// Seconds within which a client must take some more of its answer.
    #[arg(long, env = "INDELIBLE_ANSWER_TIMEOUT", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub answer_timeout: u64,
    /// Seconds that a shutdown waits for requests under way.
    #[arg(long, env = "INDELIBLE_DRAIN_TIMEOUT", default_value_t = 15)]
    pub drain_timeout: u64,
    /// Connections open at a time. For one more, the one whose client has kept the
    /// server waiting longest is closed. At most half of them may be adding entries,
    /// and a quarter searching; more are answered with 503.
    #[arg(long, env = "INDELIBLE_MAX_CONNECTIONS", default_value_t = 8_192,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// Entries that one client address may add per second, and at once [default: no
    /// limit]; more are answered with 429. IPv6 addresses count by their /64.
    #[arg(long, env = "INDELIBLE_LIMIT_WRITES_PER_SECOND", value_name = "REQUESTS")]
    pub limit_writes_per_second: Option<NonZeroU32>,
    /// Reads, which are the requests to the API that neither add nor search, that one
    /// client address may send per second, and at once [default: no limit].
    #[arg(long, env = "INDELIBLE_LIMIT_READS_PER_SECOND", value_name = "REQUESTS")]
    pub limit_reads_per_second: Option<NonZeroU32>,
    /// Searches, and look-ups of several entries, that one client address may send
    /// per second, and at once [default: no limit].
    #[arg(long, env = "INDELIBLE_LIMIT_SEARCHES_PER_SECOND", value_name = "REQUESTS")]
    pub limit_searches_per_second: Option<NonZeroU32>,
    /// Proxies that stand before this server and append to X-Forwarded-For; the client
    /// address is the entry that the first of them wrote. 0: the address of the
    /// connection. Set it only if no client can come around them: they could name any
    /// address.
    #[arg(long, env = "INDELIBLE_TRUSTED_PROXIES", default_value_t = 0, value_name = "COUNT")]
    pub trusted_proxies: u8,
}

impl LoadArgs {
    /// Bounds on requests, by the connections that there can be: they may be fewer than were asked
    /// for.
    ///
    /// # Errors
    /// [`SettingError::Bodies`].
    pub fn http_limits(&self, connections: &ConnectionLimits) -> Result<HttpLimits, SettingError> {
        if self.max_request_bytes > self.max_bodies_bytes {
            let (request, bodies) = (self.max_request_bytes, self.max_bodies_bytes);
            return Err(SettingError::Bodies { request, bodies });
        }
        let connections = connections.max_connections;
        Ok(HttpLimits {
            max_body_bytes: self.max_request_bytes,
            max_bodies_bytes: self.max_bodies_bytes,
            max_answers_bytes: self.max_answers_bytes,
            body_timeout: Duration::from_secs(self.body_timeout),
            max_writes: connections / 2,
            max_searches: connections / 4,
            rates: RateLimits {
                writes: self.limit_writes_per_second,
                reads: self.limit_reads_per_second,
                searches: self.limit_searches_per_second,
                trusted_proxies: self.trusted_proxies,
            },
        })
    }

    /// Bounds on connections.
    #[must_use]
    pub fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            max_connections: self.max_connections as usize,
            header_timeout: Duration::from_secs(self.header_timeout),
            answer_timeout: Duration::from_secs(self.answer_timeout),
            drain_timeout: Duration::from_secs(self.drain_timeout),
            ..ConnectionLimits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use clap::Parser as _;

    #[test]
    fn additions_and_searches_leave_some_of_the_connections_that_there_are() {
        let load = Cli::parse_from(["indelible", "--max-connections", "8000"]).serve.load;
        let asked_for = load.connection_limits();
        let limits = load.http_limits(&asked_for).unwrap();
        assert_eq!((limits.max_writes, limits.max_searches), (4_000, 2_000));
        let fewer = ConnectionLimits { max_connections: 80, ..asked_for };
        let limits = load.http_limits(&fewer).unwrap();
        assert_eq!((limits.max_writes, limits.max_searches), (40, 20));
    }

    #[test]
    fn a_body_that_there_is_never_room_for_is_not_asked_for() {
        let limits = |bodies| {
            let arguments = ["indelible", "--max-request-bytes", "5000", "--max-bodies-bytes"];
            let load = Cli::parse_from(arguments.into_iter().chain([bodies])).serve.load;
            load.http_limits(&load.connection_limits())
        };
        assert_eq!(limits("5000").unwrap().max_body_bytes, 5_000);
        let refused = limits("4999").unwrap_err().to_string();
        for named in ["--max-request-bytes", "5000", "--max-bodies-bytes", "4999"] {
            assert!(refused.contains(named), "{refused}");
        }
    }
}
