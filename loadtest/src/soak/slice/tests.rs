use super::*;
use crate::paper_log::PaperLog;
use crate::run::Answer;
use crate::soak::faults::Fault;
use crate::soak::report::SoakReport;
use crate::soak::witness::Witness;

/// A slice that is judged, and asks nobody.
fn due(at: Duration, key: PublicKey) -> Due {
    Due {
        at,
        length: Duration::from_secs(5),
        soak_started: Instant::now(),
        addresses: [SocketAddr::from(([127, 0, 0, 1], 0)); SERVERS],
        demand: Demand { additions: 1, reads: 1 },
        size: 2,
        course: Arc::default(),
        key: Arc::new(key),
    }
}

#[test]
fn a_fault_excuses_no_request_that_was_sent_after_it() {
    let seconds = Duration::from_secs;
    let (began, ended) = (seconds(10), Some(seconds(13)));
    let fault = Fault { what: String::new(), server: None, began, ended };
    let announced = Announced(vec![fault]);
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    // All were due at 12 s.
    for (sent, ended, excused) in [(12, 13, 1), (15, 41, 1), (16, 17, 0), (40, 41, 0)] {
        let (at, due, sent) = (seconds(10), seconds(2), seconds(sent - 10));
        let took = seconds(ended - 12);
        let (mut refused, mut missed) = (Measured::new().unwrap(), Measured::new().unwrap());
        let body = bytes::Bytes::new();
        refused.answers.push(Answer { n: 0, due, sent, took, status: busy, body });
        missed.missed.push(Missed { due, sent, took });
        for measured in [refused, missed] {
            let entries = Entries::sign(Evidence::Certificate, 1).unwrap();
            let written = Written::default();
            let load = Arc::new(Load { scenario: Scenario::Write, entries, written });
            let run = Run { server: 0, load, asked: 1, measured: Ok(measured) };
            let slice = Slice::new(at, Duration::ZERO);
            let due = self::due(at, PaperLog::new(&[]).key());
            let judged = due.judge(slice, &[run], &announced);
            let told = (judged.slice.excused, judged.violations.len());
            assert_eq!(told, (excused, 1 - excused), "{sent:?}: {:?}", judged.violations);
        }
    }
}

/// A read of the whole log at this server, answered once.
fn read(server: usize, log: &PaperLog) -> Run {
    let entries = Entries::sign(Evidence::Certificate, 0).unwrap();
    let written = Written { size: log.size(), ..Written::default() };
    let load = Load { scenario: Scenario::ReadIndex, entries, written };
    let path = load.call(0).unwrap().path;
    let index = path.rsplit_once('=').unwrap().1.parse().unwrap();
    let entry = log.entry(index, log.size(), &log.note(log.head(log.size())));
    let body = serde_json::to_vec(&entry).unwrap().into();
    let (n, due, sent, took) = Default::default();
    let mut measured = Measured::new().unwrap();
    measured.answers.push(Answer { n, due, sent, took, status: StatusCode::OK, body });
    Run { server, load: Arc::new(load), asked: 1, measured: Ok(measured) }
}

#[test]
fn a_fork_within_a_slice_is_a_contradiction() {
    let (log, other) = (PaperLog::new(&["a", "b"]), PaperLog::new(&["a", "x"]));
    // Of two servers, and of one that says both.
    for servers in [[0, 1], [1, 1]] {
        let runs = [read(servers[0], &log), read(servers[1], &other)];
        let due = due(Duration::ZERO, log.key());
        let slice = Slice::new(Duration::ZERO, Duration::ZERO);
        let judged = due.judge(slice, &runs, &Announced::default());
        assert_eq!(judged.violations.len(), 1, "{:?}", judged.violations);
        assert!(judged.violations[0].contains("server 1, ReadIndex: two heads of size 2"));
        let mut report = SoakReport::default();
        report.contradict(Witness::default().hear(&judged.receipts));
        assert_eq!(report.told, ["two heads of size 2"]);
        assert_eq!(report.contradictions, 1);
    }
}

#[test]
fn a_fault_excuses_a_conflict_only_with_the_posted_entry() {
    let entries = Entries::sign(Evidence::Certificate, 1).unwrap();
    let posted = PaperLog::new(&[&entries.digest_in_body(0)]);
    let another = PaperLog::new(&["another"]);
    let load = Load { scenario: Scenario::Write, entries, written: Written::default() };
    let run = Run { server: 0, load: Arc::new(load), asked: 1, measured: Measured::new() };
    for (log, fault, excused) in [(&posted, true, 1), (&posted, false, 0), (&another, true, 0)] {
        let entry = log.entry(0, 1, &log.note(log.head(1)));
        let refused = wire::ErrorBody { code: 409, message: String::new(), entry: Some(entry) };
        let body = serde_json::to_vec(&refused).unwrap().into();
        let (n, due, sent, took) = Default::default();
        let mut measured = Measured::new().unwrap();
        measured.answers.push(Answer { n, due, sent, took, status: StatusCode::CONFLICT, body });
        let (mut receipts, mut violations) = (Receipts::default(), Vec::new());
        let judged = run.judge(&measured, |_, _| fault, &mut receipts, &mut violations);
        assert_eq!((judged, violations.len()), (excused, 1 - excused), "{violations:?}");
    }
}
