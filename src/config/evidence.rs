//! The settings that say which evidence is taken.
//!
//! Border: flags, environment and defaults; crate `entry` applies the policy.

use std::collections::BTreeSet;

use clap::Args;
use entry::{Kind, Policy, SigningAlgorithm};

/// What evidence must satisfy.
#[derive(Clone, Debug, Args)]
pub struct EvidenceArgs {
    /// Largest attestation payload that is kept, in bytes. Larger ones are
    /// logged, and the answer says that the payload was not kept. 0 keeps none.
    #[arg(long, env = "INDELIBLE_MAX_ATTESTATION_BYTES", default_value_t = 4 << 20)]
    pub max_attestation_bytes: usize,
    /// Largest file of a JAR's META-INF, unpacked, in bytes; 0 for no limit but
    /// the server's own (32 MiB).
    #[arg(long, env = "INDELIBLE_MAX_JAR_METADATA_SIZE", default_value_t = 1 << 20)]
    pub max_jar_metadata_size: u64,
    /// Largest signature and metadata file of an Alpine package, unpacked, in
    /// bytes; 0 for no limit but the server's own (20 MiB).
    #[arg(long, env = "INDELIBLE_MAX_APK_METADATA_SIZE", default_value_t = 1 << 20)]
    pub max_apk_metadata_size: u64,
    /// Kinds that may be added, separated by commas [default: all]. Others stay
    /// readable.
    #[arg(long, env = "INDELIBLE_ENABLED_ENTRY_TYPES", value_delimiter = ',')]
    pub enabled_entry_types: Option<Vec<Kind>>,
    /// Key and hash pairs allowed in hashedrekord, by Rekor's names, separated
    /// by commas, instead of the default: who adds one repeats the others [default:
    /// Rekor's eight: rsa-sign-pkcs1-2048-sha256, rsa-sign-pkcs1-3072-sha256,
    /// rsa-sign-pkcs1-4096-sha256, ecdsa-sha2-256-nistp256, ecdsa-sha2-384-nistp384,
    /// ecdsa-sha2-512-nistp521, ed25519, ed25519-ph].
    #[arg(long, env = "INDELIBLE_CLIENT_SIGNING_ALGORITHMS", value_delimiter = ',')]
    pub client_signing_algorithms: Option<Vec<SigningAlgorithm>>,
}

impl EvidenceArgs {
    /// What evidence must satisfy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy {
            max_attestation_size: self.max_attestation_bytes,
            max_jar_metadata_size: self.max_jar_metadata_size,
            max_apk_metadata_size: self.max_apk_metadata_size,
            ..Policy::default()
        };
        if let Some(kinds) = &self.enabled_entry_types {
            policy.enabled_kinds = kinds.iter().copied().collect::<BTreeSet<_>>();
        }
        if let Some(algorithms) = &self.client_signing_algorithms {
            policy.algorithms = algorithms.iter().copied().collect();
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_manual_names_the_algorithms_that_are_taken_by_default() {
        let command = Cli::command();
        let mut arguments = command.get_arguments();
        let argument = arguments.find(|own| own.get_long() == Some("client-signing-algorithms"));
        let help = argument.and_then(clap::Arg::get_help).expect("a manual").to_string();
        let (_, default) = help.split_once("Rekor's eight: ").expect("the default");
        let named = default.trim_end_matches(']').split(", ").map(str::parse);
        assert!(named.eq(SigningAlgorithm::DEFAULT.map(Ok)), "{help}");
    }
}
