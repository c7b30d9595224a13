//! The operations of the API by name.
//!
//! Border: method, path template, and the names that generated clients give to
//! failures; sending is in `request`.

use wire::ErrorBody;

use crate::ApiError;
use crate::error::ClientError;

/// One operation of the API document.
#[derive(Debug)]
pub(super) struct Operation {
    /// `GET` or `POST`.
    pub(super) method: &'static str,
    /// Path template.
    pub(super) path: &'static str,
    id: &'static str,
    /// Statuses whose answers have a name of their own.
    named: &'static [(u16, &'static str)],
    /// The status that means success.
    pub(super) success: u16,
    /// Bytes of an answer that are read at most, whatever the settings allow.
    pub(super) max_bytes: u64,
}

/// A proof, or a key.
const SMALL: u64 = 1 << 20;

/// Some thousand trees.
const TREES: u64 = 4 << 20;

/// Some hundred thousand UUIDs.
const UUIDS: u64 = 16 << 20;

/// Entries may be as large as the settings say.
const ENTRIES: u64 = u64::MAX;

pub(super) const CREATE: Operation = Operation {
    method: "POST",
    path: "/api/v1/log/entries",
    id: "createLogEntry",
    named: &[(400, "createLogEntryBadRequest"), (409, "createLogEntryConflict")],
    success: 201,
    max_bytes: ENTRIES,
};

pub(super) const BY_INDEX: Operation = Operation {
    method: "GET",
    path: "/api/v1/log/entries",
    id: "getLogEntryByIndex",
    named: &[(404, "getLogEntryByIndexNotFound")],
    success: 200,
    max_bytes: ENTRIES,
};

pub(super) const BY_UUID: Operation = Operation {
    method: "GET",
    path: "/api/v1/log/entries/{entryUUID}",
    id: "getLogEntryByUUID",
    named: &[(404, "getLogEntryByUuidNotFound")],
    success: 200,
    max_bytes: ENTRIES,
};

pub(super) const RETRIEVE: Operation = Operation {
    method: "POST",
    path: "/api/v1/log/entries/retrieve",
    id: "searchLogQuery",
    named: &[(400, "searchLogQueryBadRequest"), (422, "searchLogQueryUnprocessableEntity")],
    success: 200,
    max_bytes: ENTRIES,
};

pub(super) const SEARCH: Operation = Operation {
    method: "POST",
    path: "/api/v1/index/retrieve",
    id: "searchIndex",
    named: &[(400, "searchIndexBadRequest")],
    success: 200,
    max_bytes: UUIDS,
};

pub(super) const LOG_INFO: Operation = Operation {
    method: "GET",
    path: "/api/v1/log",
    id: "getLogInfo",
    named: &[],
    success: 200,
    max_bytes: TREES,
};

pub(super) const PROOF: Operation = Operation {
    method: "GET",
    path: "/api/v1/log/proof",
    id: "getLogProof",
    named: &[(400, "getLogProofBadRequest")],
    success: 200,
    max_bytes: SMALL,
};

pub(super) const PUBLIC_KEY: Operation = Operation {
    method: "GET",
    path: "/api/v1/log/publicKey",
    id: "getPublicKey",
    named: &[],
    success: 200,
    max_bytes: SMALL,
};

impl Operation {
    /// `Get` or `Post`, as Go's HTTP errors begin.
    pub(super) fn verb(&self) -> &'static str {
        if self.method == "POST" { "Post" } else { "Get" }
    }

    /// The error for an answer that means failure. `text` is the start of the body.
    pub(super) fn failure(&self, status: u16, body: &[u8], text: String) -> ClientError {
        let named = self.named.iter().find(|(known, _)| *known == status);
        let name = named.map_or_else(|| format!("{} default", self.id), |(_, n)| (*n).to_owned());
        let body: Option<ErrorBody> = serde_json::from_slice(body).ok();
        let (method, path) = (self.method, self.path);
        ClientError::Api(Box::new(ApiError { method, path, status, name, body, text }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_name() {
        for (operation, status, text) in [
            (&BY_INDEX, 404, "[GET /api/v1/log/entries][404] getLogEntryByIndexNotFound"),
            (&BY_UUID, 404, "[GET /api/v1/log/entries/{entryUUID}][404] getLogEntryByUuidNotFound"),
            (&CREATE, 422, "[POST /api/v1/log/entries][422] createLogEntry default"),
            (&RETRIEVE, 400, "[POST /api/v1/log/entries/retrieve][400] searchLogQueryBadRequest"),
            (
                &RETRIEVE,
                422,
                "[POST /api/v1/log/entries/retrieve][422] searchLogQueryUnprocessableEntity",
            ),
            (&PROOF, 400, "[GET /api/v1/log/proof][400] getLogProofBadRequest"),
            (&LOG_INFO, 501, "[GET /api/v1/log][501] getLogInfo default"),
            (&PUBLIC_KEY, 400, "[GET /api/v1/log/publicKey][400] getPublicKey default"),
            (&SEARCH, 501, "[POST /api/v1/index/retrieve][501] searchIndex default"),
        ] {
            assert_eq!(operation.failure(status, b"", String::new()).to_string(), text);
        }
    }
}
