//! The names of the entry kinds.
//!
//! Border: names only. What a kind demands is in its file under `kinds`.

use std::fmt;
use std::str::FromStr;

/// A kind of evidence, by Rekor's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A signed Alpine package.
    Alpine,
    /// A COSE_Sign1 message.
    Cose,
    /// A DSSE envelope, signatures kept.
    Dsse,
    /// A signature over a digest; the artifact never reaches the server.
    Hashedrekord,
    /// A Helm chart's provenance file.
    Helm,
    /// A DSSE envelope around an in-toto statement.
    Intoto,
    /// A signed JAR.
    Jar,
    /// A signature over an artifact that is uploaded.
    Rekord,
    /// An RFC 3161 timestamp response.
    Rfc3161,
    /// A signed RPM package.
    Rpm,
    /// TUF metadata with its root.
    Tuf,
}

impl Kind {
    /// Every kind of Rekor v1, in alphabetical order.
    pub const ALL: [Self; 11] = [
        Self::Alpine,
        Self::Cose,
        Self::Dsse,
        Self::Hashedrekord,
        Self::Helm,
        Self::Intoto,
        Self::Jar,
        Self::Rekord,
        Self::Rfc3161,
        Self::Rpm,
        Self::Tuf,
    ];

    /// The name in the API: lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alpine => "alpine",
            Self::Cose => "cose",
            Self::Dsse => "dsse",
            Self::Hashedrekord => "hashedrekord",
            Self::Helm => "helm",
            Self::Intoto => "intoto",
            Self::Jar => "jar",
            Self::Rekord => "rekord",
            Self::Rfc3161 => "rfc3161",
            Self::Rpm => "rpm",
            Self::Tuf => "tuf",
        }
    }

    /// The member under which rekor-cli prints an entry of this kind.
    #[must_use]
    pub fn model_name(self) -> &'static str {
        match self {
            Self::Alpine => "AlpineModel",
            Self::Cose => "CoseObj",
            Self::Dsse => "DSSEObj",
            Self::Hashedrekord => "HashedRekordObj",
            Self::Helm => "HelmObj",
            Self::Intoto => "IntotoObj",
            Self::Jar => "JARModel",
            Self::Rekord => "RekordObj",
            Self::Rfc3161 => "Rfc3161Obj",
            Self::Rpm => "RPMModel",
            Self::Tuf => "TufObj",
        }
    }

    /// The version that a client proposes when none is asked for.
    #[must_use]
    pub fn default_version(self) -> &'static str {
        if self == Self::Intoto { "0.0.2" } else { "0.0.1" }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown entry type {0:?}; the types are alpine, cose, dsse, hashedrekord, helm, intoto, jar, \
     rekord, rfc3161, rpm, tuf"
)]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_alphabetical_order() {
        assert!(Kind::ALL.is_sorted_by_key(|kind| kind.as_str()));
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("Dsse".parse::<Kind>(), Err(UnknownKind("Dsse".to_owned())));
    }
}
