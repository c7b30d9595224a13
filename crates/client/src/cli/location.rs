//! Files and URLs that flags name.
//!
//! Border: bytes from outside, as many as are wanted. What they are is the caller's affair.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// Time that a download may stand still.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Largest file or download that is kept in memory.
const MAX_BYTES: u64 = 128 << 20;

/// The bytes of a file, or of what an http or https URL gives.
pub(super) async fn read(location: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if !is_url(location) {
        let named = || format!("file {location:?}");
        let size = std::fs::metadata(location).with_context(named)?.len();
        anyhow::ensure!(
            size <= MAX_BYTES,
            "file {location:?} has {size} bytes, at most {MAX_BYTES} are read"
        );
        return std::fs::read(location).with_context(named);
    }
    let keep = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        anyhow::ensure!(bytes.len() as u64 <= MAX_BYTES, "more than {MAX_BYTES} bytes");
        Ok(())
    };
    fetch(location, keep).await.with_context(|| format!("fetching {}", shown(location)))?;
    Ok(bytes)
}

/// The SHA-256 of the same as `sha256:hex`, of any size.
pub(super) async fn digest(location: &str) -> anyhow::Result<String> {
    let mut digest = Sha256::new();
    if is_url(location) {
        let add = |piece: &[u8]| {
            digest.update(piece);
            Ok(())
        };
        fetch(location, add).await.with_context(|| format!("fetching {}", shown(location)))?;
    } else {
        add_file(&mut digest, location).with_context(|| format!("file {location:?}"))?;
    }
    Ok(format!("sha256:{}", hex::encode(digest.finalize())))
}

fn add_file(digest: &mut Sha256, path: &str) -> io::Result<()> {
    let (mut file, mut piece) = (File::open(path)?, vec![0; 64 << 10]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => digest.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_url(location: &str) -> bool {
    !Path::new(location).is_file()
        && ["http://", "https://"].iter().any(|scheme| location.starts_with(scheme))
}

/// Whether the proxy variables of the environment are for others than this address: as for Go's
/// programs, no proxy is asked for this machine's own loopback, which is another one to the proxy.
pub(super) fn is_loopback(url: &str) -> bool {
    let url = reqwest::Url::parse(url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// An address as people may see it: the password in it, if any, is masked.
pub(super) fn shown(address: &str) -> String {
    let url = reqwest::Url::parse(address).ok().filter(|url| url.password().is_some());
    let Some(mut url) = url else { return address.to_owned() };
    // Only URLs without a host refuse a password, and they have none.
    let _ = url.set_password(Some("xxxxx"));
    url.as_str().trim_end_matches('/').to_owned()
}

/// Downloads, piece by piece.
async fn fetch(url: &str, mut take: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().connect_timeout(STANDSTILL).read_timeout(STANDSTILL);
    let client = if is_loopback(url) { client.no_proxy() } else { client };
    let answer = client.build()?.get(url).send().await;
    // The caller names the URL, without its password.
    let without_url = reqwest::Error::without_url;
    let mut answer = answer.and_then(|answer| answer.error_for_status()).map_err(without_url)?;
    while let Some(piece) = answer.chunk().await.map_err(without_url)? {
        take(&piece)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `abc`.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[tokio::test]
    async fn only_what_is_kept_is_bounded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(path, "abc").unwrap();
        assert_eq!(digest(path).await.unwrap(), ABC);
        // Zeros, as many of them as are a byte too much to be kept.
        file.as_file().set_len(0).unwrap();
        file.as_file().set_len(MAX_BYTES + 1).unwrap();
        let refused = read(path).await.unwrap_err().to_string();
        assert!(refused.ends_with("has 134217729 bytes, at most 134217728 are read"), "{refused}");
        digest(path).await.unwrap();
    }

    #[test]
    fn loopback_has_names_and_addresses() {
        for own in [
            "http://localhost:3000/base",
            "https://LOCALHOST",
            "http://127.0.0.1:3000",
            "http://127.9.9.9",
            "http://[::1]:3000",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["http://localhost.example", "http://10.0.0.1", "http://[::2]", "localhost"] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[tokio::test]
    async fn a_url_gives_the_same_as_a_file() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/abc", listener.local_addr().unwrap());
        let served = axum::Router::new().route("/abc", axum::routing::get(|| async { "abc" }));
        tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        assert_eq!(read(&url).await.unwrap(), b"abc");
        assert_eq!(digest(&url).await.unwrap(), ABC);
        let missing = digest(&format!("{url}d")).await.unwrap_err();
        assert!(missing.to_string().starts_with("fetching http://127.0.0.1:"), "{missing}");
    }
}
