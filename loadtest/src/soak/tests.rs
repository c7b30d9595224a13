use axum::Router;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::paper_log::PaperLog;

/// A soak that began some seconds ago, of servers that are only pretended.
async fn soak(server: Router, demand: Demand) -> Soak {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [listener.local_addr().unwrap(); SERVERS];
    tokio::spawn(async move { axum::serve(listener, server).await });
    Soak {
        key: Arc::new(PaperLog::new(&[]).key()),
        addresses,
        course: Arc::default(),
        witness: Witness::default(),
        started: Instant::now().checked_sub(2 * SLICE).unwrap(),
        demand,
        report: SoakReport::default(),
    }
}

#[tokio::test]
async fn what_was_due_is_asked_and_charged_however_late() {
    let server = Router::new().fallback(async |method: http::Method| match method {
        http::Method::POST => StatusCode::CREATED,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    });
    let demand = Demand { additions: 20, reads: 5 };
    let mut soak = soak(server, demand).await;
    let seconds = SLICE + Duration::from_secs(2);
    soak.load(seconds, sign(demand, SLICE).await.unwrap().unwrap()).await;
    let [first, second] = soak.report.slices.as_slice() else { panic!("not two slices") };
    for (slice, seconds, late) in [(first, 5, 5_000.0), (second, 2, 3_000.0)] {
        let (additions, reads) = (slice.additions, slice.reads);
        let asked = |a_second: u64| SERVERS as u64 * a_second * seconds;
        assert_eq!((additions.asked, additions.answered), (asked(20), asked(20)));
        assert_eq!((reads.asked, reads.refused), (asked(5), asked(5)));
        assert!(slice.late >= late / 1e3 && additions.ms.unwrap().p50 >= late);
        assert!(reads.ms.is_none(), "a refusal is no read");
    }
    // None of the answers was an entry.
    assert_eq!(soak.report.violations, 2 * 25 * 7);
}

#[tokio::test]
async fn a_slice_does_not_wait_for_those_before_it() {
    let demand = Demand { additions: 2, reads: 0 };
    let of_a_slice = SERVERS * 2 * SLICE.as_secs() as usize;
    let seen = watch::Sender::new(0);
    let server = Router::new().fallback(async move || {
        seen.send_modify(|seen| *seen += 1);
        // Nobody is answered before the second slice has come.
        seen.subscribe().wait_for(|seen| *seen > of_a_slice).await.unwrap();
        StatusCode::SERVICE_UNAVAILABLE
    });
    let mut soak = soak(server, demand).await;
    soak.load(2 * SLICE, sign(demand, SLICE).await.unwrap().unwrap()).await;
    let ends = soak.report.slices.iter().map(|slice| slice.additions.refused as usize);
    assert_eq!(ends.collect::<Vec<_>>(), [of_a_slice; 2]);
}
