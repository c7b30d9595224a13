//! The log's key: made or loaded, and everything that it signs.
//!
//! Border: only this file touches the private key. It signs two things, the
//! checkpoint (deterministic ECDSA of RFC 6979, so that the same head always
//! has the same note) and the signed entry timestamp. It does not know the
//! tree, the store or HTTP.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::elliptic_curve::Generate as _;
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use sha2::{Digest as _, Sha256};
use tlog::{Checkpoint, Hash, Note, NoteSignature};

use crate::{durable, folder};

/// Why a key could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("the key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can be read or written by others than its owner.
    #[error(
        "the key file {path} has mode {mode:o}; only its owner may have access: run `chmod 600 {path}` \
         (or 0640 if it belongs to root)"
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is encrypted and no passphrase was given.
    #[error("the key file is encrypted: set INDELIBLE_KEY_PASSPHRASE or --key-passphrase-file")]
    PassphraseMissing,
    /// A passphrase was given, and the file is plain: it would protect nothing.
    #[error(
        "a passphrase is set, but the key file is not encrypted: encrypt it with `openssl pkcs8 -topk8 \
         -scrypt -in KEY -out NEW`, or set none"
    )]
    NotEncrypted,
    /// Not a P-256 private key, or the wrong passphrase.
    #[error("not a P-256 private key in PKCS#8 PEM form, or the wrong passphrase: {0}")]
    Format(String),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// An ECDSA P-256 log key with all that is derived from it.
pub struct LogKey {
    signing: SigningKey,
    /// The same key in the faster library, for the one signature per answer.
    fast: EcdsaKeyPair,
    random: SystemRandom,
    spki: Vec<u8>,
    pem: String,
    log_id: String,
    /// The same in the checkpoint's signature line: the first four bytes.
    key_hash: [u8; 4],
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogKey").field("log_id", &self.log_id).finish_non_exhaustive()
    }
}

impl LogKey {
    /// A new key from the operating system's random bytes.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let signing = SigningKey::try_generate().map_err(|_| KeyError::Random)?;
        Self::from_signing_key(signing)
    }

    /// Reads PKCS#8 PEM, encrypted (RFC 5958 with PBES2) or not.
    ///
    /// # Errors
    /// [`KeyError::PassphraseMissing`], [`KeyError::NotEncrypted`] and [`KeyError::Format`].
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let encrypted = pem.contains("BEGIN ENCRYPTED PRIVATE KEY");
        let secret = match (encrypted, passphrase) {
            (true, None) => return Err(KeyError::PassphraseMissing),
            (true, Some(passphrase)) => {
                p256::SecretKey::from_pkcs8_encrypted_pem(pem, passphrase.as_bytes())
            }
            (false, Some(_)) => return Err(KeyError::NotEncrypted),
            (false, None) => p256::SecretKey::from_pkcs8_pem(pem),
        };
        let secret = secret.map_err(|error| KeyError::Format(error.to_string()))?;
        Self::from_signing_key(SigningKey::from(&secret))
    }

    fn from_signing_key(signing: SigningKey) -> Result<Self, KeyError> {
        let format = |error: &dyn std::fmt::Display| KeyError::Format(error.to_string());
        let public = p256::PublicKey::from(signing.verifying_key());
        let document = public.to_public_key_der().map_err(|e| format(&e))?;
        let pem = public.to_public_key_pem(LineEnding::LF).map_err(|e| format(&e))?;
        let private = signing.to_pkcs8_der().map_err(|e| format(&e))?;
        let fast = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.as_bytes())
            .map_err(|e| format(&e))?;
        let spki = document.as_bytes().to_vec();
        let [a, b, c, d, ..] = digest(&spki);
        Ok(Self {
            signing,
            fast,
            random: SystemRandom::new(),
            pem,
            log_id: log_id(&spki),
            key_hash: [a, b, c, d],
            spki,
        })
    }

    /// PKCS#8 PEM of the private key; with a passphrase, encrypted (scrypt, AES-256-CBC).
    ///
    /// # Errors
    /// [`KeyError::Format`] when the encoding fails.
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<String, KeyError> {
        let secret = p256::SecretKey::from(&self.signing);
        let pem = match passphrase {
            Some(passphrase) => {
                secret.to_pkcs8_encrypted_pem(passphrase.as_bytes(), LineEnding::LF)
            }
            None => secret.to_pkcs8_pem(LineEnding::LF),
        };
        Ok(pem.map_err(|error| KeyError::Format(error.to_string()))?.to_string())
    }

    /// Loads the key file, refusing one that others may read. A file of root's may be readable by its
    /// group: so a container gets a secret for a user that is not root.
    ///
    /// # Errors
    /// Every case of [`KeyError`].
    pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(io)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & forbidden(metadata.uid()) != 0 {
            return Err(KeyError::Mode { path: path.to_owned(), mode });
        }
        Self::from_pem(&fs::read_to_string(path).map_err(io)?, passphrase)
    }

    /// Writes the key file with mode 0600, durable, never over an existing file.
    ///
    /// # Errors
    /// [`KeyError::Io`], with `AlreadyExists` when there is a file.
    pub fn save_new(&self, path: &Path, passphrase: Option<&str>) -> Result<(), KeyError> {
        let pem = self.to_pem(passphrase)?;
        folder::make(durable::folder(path))
            .and_then(|()| durable::create_new(path, pem.as_bytes()))
            .map_err(|source| KeyError::Io { path: path.to_owned(), source })
    }

    /// DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// PEM `PUBLIC KEY` block, ending in a newline.
    #[must_use]
    pub fn public_key_pem(&self) -> &str {
        &self.pem
    }

    /// Rekor's `logID`: 64 hex of SHA-256 over the SubjectPublicKeyInfo.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// The 63-bit tree ID of a log with this host name and this key, never 0.
    ///
    /// First eight bytes of SHA-256 over a domain separator, the host name, a
    /// newline and the SubjectPublicKeyInfo, with the top bit cleared.
    #[must_use]
    pub fn tree_id(&self, hostname: &str) -> u64 {
        let mut hash = Sha256::new();
        hash.update(b"indelible tree id v1\n");
        hash.update(hostname.as_bytes());
        hash.update(b"\n");
        hash.update(&self.spki);
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        (u64::from_be_bytes(first) >> 1).max(1)
    }

    /// The signed note of a tree head in Rekor's form: origin
    /// `hostname - treeID`, key hash = first four bytes of the log ID.
    #[must_use]
    pub fn sign_checkpoint(&self, hostname: &str, tree_id: u64, size: u64, root: Hash) -> String {
        let origin = format!("{hostname} - {tree_id}");
        self.sign(&Checkpoint { origin, size, root, extensions: Vec::new() })
    }

    /// The signed note of a checkpoint whose origin has that form: always the same bytes.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.to_text();
        let signature: DerSignature = self.signing.sign(text.as_bytes());
        let signatures = vec![NoteSignature {
            name: key_name(checkpoint).to_owned(),
            key_hash: self.key_hash,
            signature: signature.as_bytes().to_vec(),
        }];
        Note { text, signatures }.to_string()
    }

    /// Whether `note` carries this key's signature and says this size and root.
    #[must_use]
    pub fn verify_checkpoint(&self, note: &str, size: u64, root: Hash) -> bool {
        self.open_checkpoint(note).is_ok_and(|said| said.size == size && said.root == root)
    }

    /// Reads a note that must carry this key's signature. Lines of others may be beside it.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn open_checkpoint(&self, note: &str) -> Result<Checkpoint, &'static str> {
        let note = Note::parse(note).map_err(|_| "it is no signed note")?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| "it is no checkpoint")?;
        let verifying: &VerifyingKey = self.signing.verifying_key();
        let holds = |line: &NoteSignature| {
            DerSignature::from_bytes(line.signature.as_slice())
                .is_ok_and(|signature| verifying.verify(note.text.as_bytes(), &signature).is_ok())
        };
        // A key is known by name and hash (C2SP signed-note). The name is not signed, and clients
        // look for their log's.
        let (own_hash, own_name) = (self.key_hash, key_name(&checkpoint));
        let is_own = |line: &&NoteSignature| line.key_hash == own_hash && line.name == own_name;
        let mut own = note.signatures.iter().filter(is_own);
        // One that is false makes the others worthless (C2SP signed-note).
        let signed = own.next().is_some_and(holds) && own.all(holds);
        if signed {
            Ok(checkpoint)
        } else {
            Err("no signature under this log's name and key holds")
        }
    }

    /// The signed entry timestamp: ECDSA over SHA-256 of `payload`, ASN.1 DER.
    ///
    /// # Errors
    /// [`KeyError::Random`] when the system gives no nonce.
    pub fn sign_set(&self, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.fast.sign(&self.random, payload).map_err(|_| KeyError::Random)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// The name that a log signs under, from its origin in Rekor's form.
fn key_name(checkpoint: &Checkpoint) -> &str {
    let origin = &checkpoint.origin;
    origin.rsplit_once(" - ").map_or(origin, |(hostname, _)| hostname)
}

/// Permission bits that a key file of this user must not have.
fn forbidden(owner: u32) -> u32 {
    if owner == 0 { 0o037 } else { 0o077 }
}

/// Rekor's `logID` of a DER SubjectPublicKeyInfo: 64 hex of its SHA-256.
#[must_use]
pub fn log_id(spki: &[u8]) -> String {
    Hash::from(digest(spki)).to_string()
}

fn digest(spki: &[u8]) -> [u8; 32] {
    Sha256::digest(spki).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_is_deterministic_and_verifies() {
        let key = LogKey::generate().unwrap();
        let root = Hash::leaf(b"x");
        let note = key.sign_checkpoint("log.example", 12345, 1, root);
        assert_eq!(note, key.sign_checkpoint("log.example", 12345, 1, root));
        assert!(note.starts_with("log.example - 12345\n1\n"));
        assert!(key.verify_checkpoint(&note, 1, root));
        assert!(!key.verify_checkpoint(&note, 2, root));
        let other = LogKey::generate().unwrap();
        assert!(!other.verify_checkpoint(&note, 1, root));

        let signed_by_both = |other: &str| {
            let mut both = Note::parse(&note).unwrap();
            both.signatures.extend(Note::parse(other).unwrap().signatures);
            both.to_string()
        };
        let others = other.sign_checkpoint("log.example", 12345, 1, root);
        assert!(key.verify_checkpoint(&signed_by_both(&others), 1, root));
        let relabelled = note.replace("\u{2014} log.example ", "\u{2014} log.exbmple ");
        assert!(!key.verify_checkpoint(&relabelled, 1, root));
        // This key's, over something else.
        let false_one = key.sign_checkpoint("log.example", 12345, 2, root);
        assert!(!key.verify_checkpoint(&signed_by_both(&false_one), 1, root));
    }

    const KNOWN: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5fvJk/DdAwH+KZIJ\n\
        k5Nwmp64JojOA3XDnapNFfZBKUehRANCAARCAEBqV8USB+zuqvbrZaTTvLt0gYa+\n\
        XhqP0aElQOXPsQ8QjZAIplxZpab2jtHnKfK9NrJ+FQVGd6KIhLJSxH6T\n\
        -----END PRIVATE KEY-----\n";

    /// An audit holds a note that an older version signed against what the key makes of it now.
    #[test]
    fn known_key_signs_the_note_of_rfc_6979() {
        let note = "log.example - 12345\n3\nLP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n\n\
            \u{2014} log.example f8jGoDBFAiEAnXanb20FxffcKolNp4KhxR+eKRdN6dkeAQdEvqudDpMCIFB7NCWtL64I\
            2j/DsTKcnpOj6h5hOU28HgmdxXq/Wqyd\n";
        let key = LogKey::from_pem(KNOWN, None).unwrap();
        assert_eq!(key.sign(&key.open_checkpoint(note).unwrap()), note);
    }

    #[test]
    fn known_key_has_the_documented_log_id() {
        let key = LogKey::from_pem(KNOWN, None).unwrap();
        assert_eq!(
            key.log_id(),
            "7fc8c6a081b50b7383214b707f31309ffffe7e9a7948989be7b5d5cf969219d9"
        );
        assert!(key.tree_id("a") > 0 && key.tree_id("a") != key.tree_id("b"));
        assert!(i64::try_from(key.tree_id("a")).is_ok());
    }

    #[test]
    fn passphrase_protects_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/key.pem");
        let key = LogKey::generate().unwrap();
        key.save_new(&path, Some("correct horse")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(LogKey::load(&path, None), Err(KeyError::PassphraseMissing)));
        assert!(matches!(LogKey::load(&path, Some("battery")), Err(KeyError::Format(_))));
        assert_eq!(LogKey::load(&path, Some("correct horse")).unwrap().log_id(), key.log_id());
        assert!(matches!(key.save_new(&path, None), Err(KeyError::Io { .. })));
        let plain = key.to_pem(None).unwrap();
        assert!(matches!(LogKey::from_pem(&plain, Some("x")), Err(KeyError::NotEncrypted)));
    }

    /// As the processes of several containers do, which all have the number 1.
    #[test]
    fn of_several_keys_made_at_a_time_one_is_kept_and_the_others_are_told() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("key.pem");
            let keys: Vec<_> = (0..4).map(|_| LogKey::generate().unwrap()).collect();
            let save = |key: &LogKey| key.save_new(&path, None).is_ok();
            let saved: Vec<bool> = std::thread::scope(|scope| {
                let saving: Vec<_> = keys.iter().map(|key| scope.spawn(|| save(key))).collect();
                saving.into_iter().map(|saving| saving.join().unwrap()).collect()
            });
            let kept = LogKey::load(&path, None).unwrap();
            let told: Vec<_> = keys.iter().zip(saved).filter(|(_, saved)| *saved).collect();
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].0.log_id(), kept.log_id());
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        LogKey::generate().unwrap().save_new(&path, None).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(LogKey::load(&path, None), Err(KeyError::Mode { mode: 0o644, .. })));
        // As Postgres takes its own: the group may read what only root could change.
        assert_eq!((0o440 & forbidden(0), 0o640 & forbidden(0)), (0, 0));
        assert!([0o460, 0o444, 0o650].iter().all(|mode| mode & forbidden(0) != 0));
        assert_ne!(0o440 & forbidden(1_000), 0);
    }
}
