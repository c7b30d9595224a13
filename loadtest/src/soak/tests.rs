use std::collections::HashMap;

use axum::Router;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::examination::{Examined, Kept};
use super::*;
use crate::paper_log::PaperLog;
use crate::receipts::Receipts;
use crate::run::{self, Pace};

async fn pretend(server: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, server).await });
    address
}

/// A soak that began some seconds ago, of servers that are only pretended.
async fn soak(server: Router, demand: Demand) -> Soak {
    Soak {
        key: Arc::new(PaperLog::new(&[]).key()),
        addresses: [pretend(server).await; SERVERS],
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
async fn what_is_late_says_when_it_was_sent() {
    let server = pretend(Router::new().fallback(async || StatusCode::CREATED)).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let late = Duration::from_secs(10);
    let started = Instant::now().checked_sub(late).unwrap();
    for server in [server, closed] {
        let load = Arc::new(additions(2).unwrap());
        let pace = Pace { workers: 1, rate: Some(2.0), duration: SLICE };
        let measured = run::run_from(started, server, load, pace).await.unwrap();
        let answered = measured.answers.iter().map(|answer| (answer.due, answer.sent, answer.took));
        let missed = measured.missed.iter().map(|missed| (missed.due, missed.sent, missed.took));
        let all: Vec<_> = answered.chain(missed).collect();
        assert_eq!(all.len(), 2);
        for (due, sent, took) in all {
            assert!(due < SLICE && sent >= late && sent <= due + took, "{due:?} {sent:?} {took:?}");
        }
    }
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

#[tokio::test]
async fn the_load_ends_with_the_faults() {
    let demand = Demand { additions: 1, reads: 1 };
    let server = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    let mut soak = soak(server, demand).await;
    soak.course.break_off();
    soak.load(3 * SLICE, sign(demand, SLICE).await.unwrap().unwrap()).await;
    assert_eq!(soak.report.slices.len(), 1);
}

const BODIES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A server of the log, whose head is this one; of some paths it says something else.
fn serve(log: PaperLog, note: String, instead: &[(&str, (StatusCode, String))]) -> Router {
    let size = log.size();
    let mut answers: HashMap<String, (StatusCode, String)> = HashMap::new();
    let mut say = |path: String, answer: Vec<u8>| {
        answers.insert(path, (StatusCode::OK, String::from_utf8(answer).unwrap()));
    };
    say("/api/v1/log".to_owned(), serde_json::to_vec(&log.info(&note)).unwrap());
    for index in 0..size {
        let entry = serde_json::to_vec(&log.entry(index, size, &note)).unwrap();
        say(format!("/api/v1/log/entries?logIndex={index}"), entry);
        let first = index + 1;
        let proof = serde_json::to_vec(&log.consistency(first, size)).unwrap();
        say(format!("/api/v1/log/proof?firstSize={first}&lastSize={size}"), proof);
    }
    let instead = instead.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone()));
    answers.extend(instead);
    let answers = Arc::new(answers);
    Router::new().fallback(async move |uri: http::Uri| {
        let asked = uri.path_and_query().map_or("", |path| path.as_str());
        answers.get(asked).cloned().unwrap_or((StatusCode::NOT_FOUND, String::new()))
    })
}

/// Has heard of all five entries, and of the heads of three sizes.
fn witness(log: &PaperLog, last: &str) -> Witness {
    let mut receipts = Receipts::default();
    for index in 0..log.size() {
        let entry = log.entry(index, log.size(), last);
        receipts.check(&entry, crate::receipts::Asked::Index(index)).unwrap();
    }
    for size in [2, 3] {
        receipts.check_head(log.head(size), &log.note(log.head(size))).unwrap();
    }
    let mut witness = Witness::default();
    assert_eq!(witness.hear(&receipts), Vec::<String>::new());
    witness
}

#[tokio::test]
async fn a_broken_promise_is_told_and_the_rest_is_asked_for() {
    let log = || PaperLog::new(&BODIES);
    let note = log().note(log().head(5));
    let witness = witness(&log(), &note);
    let json = |entry| (StatusCode::OK, serde_json::to_string(&entry).unwrap());
    let other = json(log().entry(3, 5, &note));
    let gone = (StatusCode::NOT_FOUND, r#"{"code":404,"message":""}"#.to_owned());
    let entry = "/api/v1/log/entries?logIndex=2";
    let proof = "/api/v1/log/proof?firstSize=3&lastSize=5";
    let rewritten = || PaperLog::new(&["a", "b", "x", "d", "e"]);
    let short = || PaperLog::new(&BODIES[..3]);
    let rewritten_note = rewritten().note(rewritten().head(5));
    let short_note = short().note(short().head(3));
    for (case, server, (entries, heads, broken)) in [
        ("honest", serve(log(), note.clone(), &[]), (5, 3, 0)),
        ("an entry is gone", serve(log(), note.clone(), &[(entry, gone.clone())]), (4, 3, 1)),
        ("an entry is another one", serve(log(), note.clone(), &[(entry, other)]), (4, 3, 1)),
        ("a proof is refused", serve(log(), note.clone(), &[(proof, gone.clone())]), (5, 2, 1)),
        ("another history", serve(rewritten(), rewritten_note, &[]), (4, 1, 3)),
        ("went back", serve(short(), short_note, &[]), (3, 0, 3)),
        ("no last head", serve(log(), note.clone(), &[("/api/v1/log", gone)]), (5, 0, 1)),
    ] {
        let (server, key) = (pretend(server).await, Arc::new(log().key()));
        let examination = Arc::new(Examination::of(&witness));
        let (examined, answers) = examination.ask(server, key).await;
        assert_eq!(examined.entries, Kept { asked: 5, kept: entries }, "{case}");
        // Without its last head there is nothing to ask for.
        let asked = if heads > 0 { 3 } else { 0 };
        assert_eq!(examined.heads, Kept { asked, kept: heads }, "{case}");
        assert_eq!(examined.broken, broken, "{case}: {:?}", answers.broken);
    }
}

#[tokio::test]
async fn a_server_that_is_away_breaks_its_promises() {
    let log = PaperLog::new(&BODIES);
    let witness = witness(&log, &log.note(log.head(5)));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let examination = Arc::new(Examination::of(&witness));
    let (examined, _) = examination.ask(closed, Arc::new(log.key())).await;
    assert_eq!((examined.entries, examined.heads), (Kept { asked: 5, kept: 0 }, Kept::default()));
    assert!(examined.broken > 0);
}

#[test]
fn a_witness_hears_everything_and_tells_every_contradiction() {
    let (log, other) = (PaperLog::new(&BODIES), PaperLog::new(&["a", "x", "y", "d", "e"]));
    let mut witness = witness(&log, &log.note(log.head(5)));
    let mut receipts = Receipts::default();
    let note = other.note(other.head(5));
    for index in 0..5 {
        let entry = other.entry(index, 5, &note);
        receipts.check(&entry, crate::receipts::Asked::Index(index)).unwrap();
    }
    let told = witness.hear(&receipts);
    let indexes = ["two entries have the index 1", "two entries have the index 2"];
    assert_eq!(told, [&indexes[..], &["two heads of size 5"]].concat());
}

#[test]
fn the_report_says_what_was_found() {
    let mut report = SoakReport::default();
    assert!(report.markdown().unwrap().contains("`fsck`: not run"));
    let (entries, heads) = (Kept { asked: 70, kept: 69 }, Kept { asked: 40, kept: 38 });
    report.examined.push(Examined { entries, heads, broken: 3 });
    report.contradict(vec!["two heads of size 5".to_owned()]);
    report.fsck(Ok(Some("entry 3".to_owned())));
    let text = report.markdown().unwrap();
    for line in [
        "contradictions: 1.",
        "has 69 of the 70 entries that it was asked for",
        "continues 38 of the 40 heads that it was asked for; broken promises: 3.",
        "`fsck`: the log is not whole",
        "Violations: 2",
        "fsck: entry 3",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    report.fsck(Ok(None));
    assert!(report.markdown().unwrap().contains("`fsck`: the log is whole"));
}
