//! What the program makes of the environment that it is started in.

#![cfg(unix)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

#[test]
fn a_variable_that_is_no_text_is_ignored() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_indelible-cli"));
    let odd = OsStr::from_bytes(b"\xff");
    let done = command.arg("version").env("ODD", odd).env(odd, "odd").output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{said}");
}
