//! What is left of a load that is stopped.
//!
//! Border: the process and the servers that it starts, for which a script stands in here.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// How long anything may take that must happen at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Never ready, and never done.
const SERVER: &str = "#!/bin/sh\necho started >&2\nexec tail -f /dev/null\n";

#[tokio::test]
async fn a_load_that_is_stopped_leaves_no_server_behind() {
    let place = tempfile::tempdir().unwrap();
    let server = place.path().join("server");
    fs::write(&server, SERVER).unwrap();
    fs::set_permissions(&server, Permissions::from_mode(0o755)).unwrap();
    let mut load = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    load.args(["suite", "--server-binary"]).arg(&server).current_dir(place.path());
    load.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut load = load.kill_on_drop(true).spawn().unwrap();
    // The server has it, too, so that it ends with the later one of both.
    let mut said = BufReader::new(load.stderr.take().unwrap());
    let mut lines = String::new();
    timeout(PATIENCE, said.read_line(&mut lines)).await.expect("a server is started").unwrap();
    assert_eq!(lines, "started\n");
    let mut kill = Command::new("kill");
    assert!(kill.arg(load.id().unwrap().to_string()).status().await.unwrap().success());
    timeout(PATIENCE, said.read_to_string(&mut lines)).await.expect("both end").unwrap();
    assert_eq!(lines, "started\nloadtest: terminated\n");
    assert_eq!(load.wait().await.unwrap().code(), Some(1));
}
