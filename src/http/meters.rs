//! What is measured of every request, under Rekor's names.
//!
//! Border: counting. Which requests count is decided in [`super::around`]. A metric is looked up
//! among all others once for each route, method and status: that costs more than to count.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::Method;
use metrics::{Counter, Histogram, counter, histogram};

/// The metrics that were needed so far, by route. There are as many as routes, methods that these
/// are served to, and statuses.
#[derive(Default)]
pub(super) struct Meters(RwLock<HashMap<String, Vec<Meter>>>);

/// The metrics of one route, method and status.
struct Meter {
    method: Method,
    status: u16,
    requests: Counter,
    /// Nanoseconds, all of them.
    latencies: [Histogram; 3],
}

impl Meters {
    /// Counts one request.
    pub(super) fn count(&self, route: &str, method: &Method, status: u16, took: Duration) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let meter = known.get(route).into_iter().flatten();
        if let Some(meter) = meter.into_iter().find(|meter| meter.is_of(method, status)) {
            return meter.count(took);
        }
        drop(known);
        let meter = Meter::new(route, method, status);
        meter.count(took);
        // Another request may have done the same; both are the same metrics.
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let meters = known.entry(route.to_owned()).or_default();
        if !meters.iter().any(|meter| meter.is_of(method, status)) {
            meters.push(meter);
        }
    }
}

impl Meter {
    fn new(route: &str, method: &Method, status: u16) -> Self {
        let (path, code) = (route.to_owned(), status.to_string());
        // In the order of the alphabet, as Rekor's come: there are those who search for a whole line.
        let by_code = [("code", code.clone()), ("path", path.clone())];
        let by_method = [("method", method.as_str().to_owned()), ("path", path)];
        let labels = [&[("code", code)], &by_method[..]].concat();
        Self {
            method: method.clone(),
            status,
            requests: counter!("rekor_qps_by_api", &labels),
            latencies: [
                histogram!("rekor_api_latency", &by_code),
                histogram!("rekor_api_latency_summary", &by_code),
                histogram!("rekor_latency_by_api", &by_method),
            ],
        }
    }

    fn is_of(&self, method: &Method, status: u16) -> bool {
        self.status == status && self.method == *method
    }

    fn count(&self, took: Duration) {
        self.requests.increment(1);
        for latency in &self.latencies {
            latency.record(took.as_nanos() as f64);
        }
    }
}
