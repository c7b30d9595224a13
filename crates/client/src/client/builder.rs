//! The settings of a client.
//!
//! Border: values and their defaults. Where they come from (flags, files,
//! environment) is the program's affair.

use std::time::Duration;

use reqwest::Url;

use super::Client;
use super::request::chain;
use crate::error::ClientError;

/// Time that one request may take, over all its attempts.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Attempts after the first one.
const RETRIES: u32 = 3;

/// Ten entries, each with an attestation of several MiB, fit into this.
const MAX_ANSWER_BYTES: u64 = 128 << 20;

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    server: String,
    timeout: Option<Duration>,
    retries: u32,
    user_agent: String,
    max_answer_bytes: u64,
    environment_proxy: bool,
}

impl ClientBuilder {
    pub(super) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            timeout: Some(TIMEOUT),
            retries: RETRIES,
            user_agent: concat!("indelible-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_answer_bytes: MAX_ANSWER_BYTES,
            environment_proxy: false,
        }
    }

    /// Time that one request may take over all its attempts; `None` for no limit.
    /// 30 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = limit;
        self
    }

    /// Attempts after the first one; 3 unless set.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The header `User-Agent`; `indelible-client/` and the version unless set.
    #[must_use]
    pub fn user_agent(mut self, agent: &str) -> Self {
        agent.clone_into(&mut self.user_agent);
        self
    }

    /// Bytes of an answer that are read at most; 128 MiB unless set. Of answers without
    /// entries in them no more is read than they can need: 16 MiB of a search, 4 MiB of the
    /// log's state, 1 MiB of a key or a proof.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: u64) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Whether the proxy variables of the environment (`HTTPS_PROXY` and so on)
    /// are obeyed. They are not unless set: a library does not read the environment.
    #[must_use]
    pub fn environment_proxy(mut self, obey: bool) -> Self {
        self.environment_proxy = obey;
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] and [`ClientError::Setup`].
    pub fn build(self) -> Result<Client, ClientError> {
        let base = self.base()?;
        let http = match self.http().build() {
            // A system without any trusted authority can still speak plain HTTP.
            Err(_) if base.scheme() == "http" => self.http().tls_certs_only([]).build(),
            built => built,
        };
        let http = http.map_err(|error| ClientError::Setup(chain(&error)))?;
        let (timeout, retries) = (self.timeout, self.retries);
        Ok(Client { http, base, timeout, retries, max_answer_bytes: self.max_answer_bytes })
    }

    fn http(&self) -> reqwest::ClientBuilder {
        let http = reqwest::Client::builder().user_agent(&self.user_agent);
        if self.environment_proxy { http } else { http.no_proxy() }
    }

    /// The server's address, with a path that ends in a slash.
    fn base(&self) -> Result<Url, ClientError> {
        let invalid = |reason: &str| ClientError::Address {
            address: self.server.clone(),
            reason: reason.to_owned(),
        };
        let mut url = Url::parse(&self.server).map_err(|error| invalid(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("the scheme must be http or https"));
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_kept() {
        for (server, base) in [
            ("http://h:3000", "http://h:3000/"),
            ("http://h:3000/", "http://h:3000/"),
            ("https://h/rekor", "https://h/rekor/"),
            ("https://h/a/b//?q=1#f", "https://h/a/b/"),
        ] {
            assert_eq!(ClientBuilder::new(server).base().unwrap().as_str(), base);
        }
    }

    #[test]
    fn other_addresses_are_refused() {
        for server in ["", "h:3000", "localhost", "ftp://h", "file:///tmp", "http://"] {
            let refused = ClientBuilder::new(server).build();
            assert!(matches!(refused, Err(ClientError::Address { .. })), "{server}");
        }
    }
}
