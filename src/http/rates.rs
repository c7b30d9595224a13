//! How many requests a client may send per second.
//!
//! Border: counting by address and class of route; off unless the operator sets a limit.
//! Memory is bounded however many addresses there are: the states are in a cache that
//! forgets the addresses seen least.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use http::Method;
use quick_cache::sync::Cache;

use super::client_address::ClientAddress;
use crate::error::ApiError;
use crate::server::Peer;

/// Addresses that are remembered in each class, some 10 MB of them.
const MAX_ADDRESSES: usize = 65_536;

/// What a client may ask for. `None` is without limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimits {
    /// `POST /api/v1/log/entries`, per second.
    pub writes: Option<NonZeroU32>,
    /// Every other request to the API, per second.
    pub reads: Option<NonZeroU32>,
    /// `POST` to the search and to the look-up of several entries, per second.
    pub searches: Option<NonZeroU32>,
    /// Proxies before this server that append to `X-Forwarded-For`.
    pub trusted_proxies: u8,
}

/// What kind of work a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Adds an entry.
    Write,
    /// Reads what is there.
    Read,
    /// May read evidence and much of the index.
    Search,
}

impl Class {
    /// The class of an API route; routes for operators have none and no limit.
    pub(super) fn of(method: &Method, route: &str) -> Option<Self> {
        match (method, route) {
            (&Method::POST, "/api/v1/log/entries") => Some(Self::Write),
            (&Method::POST, "/api/v1/log/entries/retrieve" | "/api/v1/index/retrieve") => {
                Some(Self::Search)
            }
            (_, route) if route.starts_with("/api/") => Some(Self::Read),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Search => "search",
        }
    }
}

/// The limits with what was counted.
pub(super) struct Rates<C: Clock = MonotonicClock> {
    writes: Option<Rate<C>>,
    reads: Option<Rate<C>>,
    searches: Option<Rate<C>>,
    trusted_proxies: u8,
}

struct Rate<C: Clock> {
    limiter: RateLimiter<ClientAddress, States, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    per_second: NonZeroU32,
}

impl Rates {
    pub(super) fn new(limits: &RateLimits) -> Self {
        Self::with(limits, MAX_ADDRESSES, &MonotonicClock)
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn with(limits: &RateLimits, addresses: usize, clock: &C) -> Self {
        let rate = |per_second: Option<NonZeroU32>| {
            per_second.map(|per_second| Rate {
                // As many at once as in a second.
                limiter: RateLimiter::new(
                    Quota::per_second(per_second),
                    States(Cache::new(addresses)),
                    clock.clone(),
                ),
                clock: clock.clone(),
                per_second,
            })
        };
        for class in [Class::Write, Class::Read, Class::Search] {
            metrics::counter!("indelible_limited_requests", "class" => class.name()).increment(0);
        }
        Self {
            writes: rate(limits.writes),
            reads: rate(limits.reads),
            searches: rate(limits.searches),
            trusted_proxies: limits.trusted_proxies,
        }
    }

    /// Counts a request to an API route.
    ///
    /// # Errors
    /// 429 with `Retry-After` when its client has sent too many.
    pub(super) fn check(&self, request: &Request, route: &str) -> Result<(), ApiError> {
        let Some(class) = Class::of(request.method(), route) else { return Ok(()) };
        let rate = match class {
            Class::Write => &self.writes,
            Class::Read => &self.reads,
            Class::Search => &self.searches,
        };
        let Some(rate) = rate else { return Ok(()) };
        // Every connection of `server` has a peer; without it all clients are one.
        let peer = request.extensions().get::<Peer>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        let client = ClientAddress::of(peer, request.headers(), self.trusted_proxies);
        rate.check(client).map_err(|wait| {
            metrics::counter!("indelible_limited_requests", "class" => class.name()).increment(1);
            let (limit, class) = (rate.per_second, class.name());
            let message = format!(
                "too many requests from this address: {limit} {class} requests per second are \
                 allowed; nothing was done"
            );
            ApiError::too_many(message, whole_seconds(wait))
        })
    }
}

impl<C: Clock> Rate<C> {
    /// How long to wait if the client is over the limit.
    fn check(&self, client: ClientAddress) -> Result<(), Duration> {
        self.limiter.check_key(&client).map_err(|early| early.wait_time_from(self.clock.now()))
    }
}

/// `Retry-After` knows no fractions.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The state of each client, as many as fit. A client that is forgotten begins anew, with
/// a second's worth of requests; the cache forgets those first that came once.
struct States(Cache<ClientAddress, Arc<InMemoryState>>);

impl StateStore for States {
    type Key = ClientAddress;

    fn measure_and_replace<T, F, E>(&self, key: &ClientAddress, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let new = || Ok::<_, Infallible>(Arc::default());
        let Ok(state) = self.0.get_or_insert_with(key, new);
        state.measure_and_replace(&NotKeyed::NonKey, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use governor::clock::FakeRelativeClock;

    fn limits(per_second: u32) -> RateLimits {
        RateLimits {
            writes: NonZeroU32::new(per_second),
            reads: NonZeroU32::new(10 * per_second),
            ..RateLimits::default()
        }
    }

    fn request(method: Method, peer: u32) -> Request {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        request.extensions_mut().insert(Peer(IpAddr::V4(Ipv4Addr::from_bits(peer))));
        request
    }

    /// Requests of 100 that pass.
    fn passing(rates: &Rates<FakeRelativeClock>, method: &Method, route: &str, peer: u32) -> usize {
        let pass = |_: &usize| rates.check(&request(method.clone(), peer), route).is_ok();
        (0..100).filter(pass).count()
    }

    #[test]
    fn each_client_and_class_has_its_own_second() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::with(&limits(4), 1_000, &clock);
        let (write, search) = ("/api/v1/log/entries", "/api/v1/index/retrieve");
        assert_eq!(passing(&rates, &Method::POST, write, 1), 4);
        assert_eq!(passing(&rates, &Method::POST, write, 2), 4);
        assert_eq!(passing(&rates, &Method::GET, write, 1), 40);
        assert_eq!(passing(&rates, &Method::GET, "/api/v1/log", 1), 0);
        assert_eq!(passing(&rates, &Method::POST, search, 1), 100, "without a limit");
        assert_eq!(passing(&rates, &Method::GET, "/readyz", 1), 100, "for operators");
        clock.advance(Duration::from_millis(250));
        assert_eq!(passing(&rates, &Method::POST, write, 1), 1);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(passing(&rates, &Method::POST, write, 1), 4, "no more is saved up");
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let rates = Rates::with(&limits(1), 1_000, &FakeRelativeClock::default());
        let write = request(Method::POST, 1);
        assert!(rates.check(&write, "/api/v1/log/entries").is_ok());
        let refused = rates.check(&write, "/api/v1/log/entries").unwrap_err();
        let answer = axum::response::IntoResponse::into_response(refused);
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "1");
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_and_who_comes_often_is_remembered() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::with(&limits(4), 1_000, &clock);
        let (route, mut passed) = ("/api/v1/log/entries", 0);
        for peer in 0..1_000_000 {
            assert!(rates.check(&request(Method::POST, 1_000 + peer), route).is_ok());
            if peer % 100 == 0 {
                passed += u32::from(rates.check(&request(Method::POST, 1), route).is_ok());
            }
        }
        let kept = rates.writes.unwrap().limiter.into_state_store().0.len();
        assert!(kept <= 1_000, "{kept}");
        assert_eq!(passed, 4);
    }
}
