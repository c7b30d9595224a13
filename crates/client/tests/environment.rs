//! What the program makes of the environment that it is started in.

#![cfg(unix)]

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
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

#[test]
fn no_proxy_is_asked_for_this_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]).unwrap();
            connection.write_all(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let artifact = format!("{url}/artifact");
    for (arguments, answered) in [
        (&["loginfo"][..], "[GET /api/v1/log][404]"),
        (&["search", "--artifact", &artifact], "(404 x)"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_indelible-cli"));
        command.args(arguments).args(["--retry=0", "--rekor_server", &url]);
        // Nobody listens there.
        command.env_clear().env("http_proxy", "http://127.0.0.1:9");
        let said = command.output().unwrap().stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(answered), "{said}");
    }
}

/// So many bytes.
fn read(mut connection: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    connection.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_socks_proxy_is_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        // RFC 1928: methods, of which none is needed; then where to connect, by name.
        let [_, methods] = read(&connection, 2).try_into().unwrap();
        read(&connection, methods.into());
        connection.write_all(&[5, 0]).unwrap();
        assert_eq!(read(&connection, 4), [5, 1, 0, 3]);
        let name = read(&connection, 1)[0];
        assert_eq!(read(&connection, usize::from(name) + 2), b"log.test\x00\x50");
        connection.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let _ = connection.read(&mut [0; 4096]).unwrap();
        connection.write_all(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_indelible-cli"));
    command.args(["loginfo", "--retry=0", "--rekor_server=http://log.test"]);
    let said = command.env_clear().env("http_proxy", proxy).output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("[GET /api/v1/log][404]"), "{said}");
}

#[test]
fn without_a_home_no_config_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".rekor.yaml"), "email: a@b\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_indelible-cli"));
    command.args(["search", "--retry=0", "--rekor_server=http://127.0.0.1:9"]);
    for (home, read) in [(".", true), ("", false)] {
        let said = command.current_dir(&folder).env_clear().env("HOME", home).output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.contains("Using config file"), read, "{home:?}: {said}");
        assert_eq!(said.contains("at least one of --sha"), !read, "{home:?}: {said}");
    }
}
