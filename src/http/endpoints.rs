//! Which operations are served.
//!
//! Border: the names (Rekor's operationIds) and the set that the operator chose.

use std::collections::BTreeSet;

use http::Method;

use crate::error::ApiError;

/// An operation that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    CreateLogEntry,
    GetLogEntryByIndex,
    GetLogEntryByUuid,
    GetLogInfo,
    GetLogProof,
    GetPublicKey,
    SearchIndex,
    SearchLogQuery,
}

impl Endpoint {
    /// operationId, and the words of the answer when it is off.
    const NAMES: [(Self, &'static str, &'static str); 8] = [
        (Self::CreateLogEntry, "createLogEntry", "Create Entry"),
        (Self::GetLogEntryByIndex, "getLogEntryByIndex", "Get Log Entry by Index"),
        (Self::GetLogEntryByUuid, "getLogEntryByUUID", "Get Log Entry by UUID"),
        (Self::GetLogInfo, "getLogInfo", "Get Log Info"),
        (Self::GetLogProof, "getLogProof", "Get Log Proof"),
        (Self::GetPublicKey, "getPublicKey", "Get Public Key"),
        (Self::SearchIndex, "searchIndex", "Search Index"),
        (Self::SearchLogQuery, "searchLogQuery", "Search Log Query"),
    ];
}

/// The set of operations that are served.
#[derive(Clone, Debug)]
pub struct EnabledEndpoints(BTreeSet<Endpoint>);

/// A name that is no operationId.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown operation `{0}`; the operations are {names}", names = names())]
pub struct UnknownEndpoint(pub String);

fn names() -> String {
    Endpoint::NAMES.map(|(_, name, _)| name).join(", ")
}

impl EnabledEndpoints {
    /// Every operation.
    #[must_use]
    pub fn all() -> Self {
        Self(Endpoint::NAMES.map(|(endpoint, ..)| endpoint).into())
    }

    /// Only the named operations.
    ///
    /// # Errors
    /// [`UnknownEndpoint`] for the first name that is none.
    pub fn from_names<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, UnknownEndpoint> {
        let find = |name: &str| {
            let known = Endpoint::NAMES.iter().find(|(_, known, _)| *known == name);
            known.map(|(endpoint, ..)| *endpoint).ok_or_else(|| UnknownEndpoint(name.to_owned()))
        };
        names.into_iter().map(find).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the method on this route of the API is an operation, and on.
    pub(super) fn serves(&self, method: &Method, route: &str) -> bool {
        let endpoint = match (method, route) {
            (&Method::GET, "/api/v1/log") => Endpoint::GetLogInfo,
            (&Method::GET, "/api/v1/log/publicKey") => Endpoint::GetPublicKey,
            (&Method::GET, "/api/v1/log/proof") => Endpoint::GetLogProof,
            (&Method::GET, "/api/v1/log/entries") => Endpoint::GetLogEntryByIndex,
            (&Method::GET, "/api/v1/log/entries/{entryUUID}") => Endpoint::GetLogEntryByUuid,
            (&Method::POST, "/api/v1/log/entries") => Endpoint::CreateLogEntry,
            (&Method::POST, "/api/v1/log/entries/retrieve") => Endpoint::SearchLogQuery,
            (&Method::POST, "/api/v1/index/retrieve") => Endpoint::SearchIndex,
            _ => return false,
        };
        self.0.contains(&endpoint)
    }

    /// Refuses an operation that is off. Called after the request was validated,
    /// as Rekor does.
    pub(super) fn require(&self, endpoint: Endpoint) -> Result<(), ApiError> {
        if self.0.contains(&endpoint) {
            return Ok(());
        }
        if endpoint == Endpoint::GetLogInfo {
            return Err(ApiError::log_info_disabled());
        }
        let words = Endpoint::NAMES.iter().find(|(known, ..)| *known == endpoint);
        Err(ApiError::disabled(words.map_or("", |(.., words)| words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let some = EnabledEndpoints::from_names(["getLogInfo"]).unwrap();
        assert!(some.require(Endpoint::GetLogInfo).is_ok());
        assert!(some.require(Endpoint::CreateLogEntry).is_err());
        let unknown = EnabledEndpoints::from_names(["getLogInfo", "x"]).unwrap_err().to_string();
        assert!(unknown.contains("`x`") && unknown.contains("searchLogQuery"), "{unknown}");
    }
}
