//! Logs of this process without a server around them.

use std::sync::Arc;

use indelible::last_checkpoint::Place;
use indelible::log::{self, Log, OpenError, Opening, Options};
use indelible::signer::LogKey;
use indelible::store::Store;

use super::databases::TestDb;
use super::evidence::leaf;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5fvJk/DdAwH+KZIJ\n\
    k5Nwmp64JojOA3XDnapNFfZBKUehRANCAARCAEBqV8USB+zuqvbrZaTTvLt0gYa+\n\
    XhqP0aElQOXPsQ8QjZAIplxZpab2jtHnKfK9NrJ+FQVGd6KIhLJSxH6T\n\
    -----END PRIVATE KEY-----\n";

/// The key of every log that a story opens itself.
pub(crate) fn key() -> LogKey {
    LogKey::from_pem(KEY, None).expect("the test key is a key")
}

/// Opens the log, or a new one, with the last checkpoint kept in these places.
pub(crate) async fn open(db: &TestDb, places: Vec<Place>) -> Result<Log, OpenError> {
    open_on(db.open().await, places).await
}

/// The same over a store that is open.
pub(crate) async fn open_on(store: Arc<dyn Store>, places: Vec<Place>) -> Result<Log, OpenError> {
    let opening = Opening {
        hostname: None,
        default_hostname: "log.example",
        options: Options::default(),
        clock: Arc::new(|| 1_700_000_000),
        last_checkpoint: places,
    };
    log::open_guarded(store, key(), opening).await
}

/// Adds leaves `from..to`, each in a round of its own.
pub(crate) async fn fill(log: &Log, from: u64, to: u64) {
    for n in from..to {
        log.submit(leaf(n)).await.expect("the log takes it");
    }
}
