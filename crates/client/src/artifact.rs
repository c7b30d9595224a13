//! What an entry says about a file, who says it, and whether the signature can be
//! checked again.
//!
//! Border: pure, over the body of an entry whose receipt holds. A search result
//! is only a hint: whether an entry is about a file is decided by its body, or by
//! a statement whose digest is in the body. Whether a signer is the right one is
//! for people to judge: a certificate here is not traced to any authority.

mod digests;
mod envelope;
mod mention;
mod same;
mod signature;
mod signer;
mod statement;

use entry::{Kind, StoredBody, StoredBodyError};

use crate::verify::VerifiedReceipt;

pub use digests::Digests;
pub use mention::Mention;
pub use same::same_evidence;
pub use signature::SignatureCheck;
pub use signer::Signer;

/// What a verified entry says about a file.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The entry's kind.
    pub kind: Kind,
    /// The kind's version.
    pub version: String,
    /// How the entry names the file; `None` when it does not, as far as can be seen.
    pub mention: Option<Mention>,
    /// Who signed.
    pub signers: Vec<Signer>,
    /// Whether the signature was checked again.
    pub signature: SignatureCheck,
}

/// Looks into an entry. `content` is the file itself, if it was read: `rekord` entries need it, and
/// envelopes vouch for nothing without it.
///
/// # Errors
/// [`StoredBodyError`] when the body is of no known kind.
pub fn examine(
    receipt: &VerifiedReceipt,
    digests: &Digests,
    content: Option<&[u8]>,
) -> Result<Finding, StoredBodyError> {
    let body = StoredBody::parse(&receipt.body)?;
    let payload = receipt.attestation.proven();
    let signature = signature::check(&body, payload, content);
    let mention = mention::find(&body, content, digests)
        .or_else(|| statement::find(&body, payload, &signature, digests))
        // Last: a digest that the uploader made up may well be that of a subject.
        .or_else(|| envelope::find(&body, content, digests));
    Ok(Finding {
        mention,
        signers: signer::list(&body),
        signature,
        kind: body.kind,
        version: body.version,
    })
}

impl Finding {
    /// Whether the entry vouches for the file: it names or holds the file as what was
    /// signed, alone or in its envelope, or names it as a subject of the signed statement,
    /// and no signature is false.
    #[must_use]
    pub fn vouches(&self) -> bool {
        self.mention.as_ref().is_some_and(Mention::vouches)
            && !matches!(self.signature, SignatureCheck::False(_))
    }
}
