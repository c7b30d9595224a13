//! The one row of `log`, and that of `head`, as far as they stand for themselves.
//!
//! Border: identity, signature and numbers. What the entries hash to is not
//! known yet; this says which size and root they will be held against.

use tlog::Checkpoint;

use super::finding::Finding;
use super::findings::Findings;
use crate::log::Seen;
use crate::signer::{self, LogKey};
use crate::store::{Head, Identity};

/// Checks both rows; the size and root that were signed, or those of the row when
/// the signature is no help.
pub(super) fn check(
    identity: &Identity,
    head: &Head,
    key: &LogKey,
    findings: &mut Findings,
) -> Seen {
    if identity.public_key != key.spki() {
        let found = signer::log_id(&identity.public_key);
        let expected = format!("the key with log ID {}", key.log_id());
        findings.push(Finding::log("log.public_key", expected, format!("that with {found}")));
    }
    let signed = match key.open_checkpoint(&head.checkpoint) {
        Ok(signed) => signed,
        Err(what) => {
            let expected = "a checkpoint that this log signed";
            findings.push(Finding::log("head.checkpoint", expected, format!("one where {what}")));
            check_tree_id(identity, key, None, findings);
            return Seen::from(head);
        }
    };
    check_tree_id(identity, key, Some(&signed), findings);
    // Nothing signs the signature lines, and all of them are served.
    if key.sign(&signed) != *head.checkpoint {
        let expected = "the signature line that this log makes for it, and no other";
        findings.push(Finding::log("head.checkpoint", expected, "other lines under its text"));
    }
    if head.size != signed.size {
        let expected = format!("the signed size {}", signed.size);
        findings.push(Finding::log("head.size", expected, head.size.to_string()));
    }
    if head.root != signed.root {
        let expected = format!("the signed root {}", signed.root);
        findings.push(Finding::log("head.root", expected, head.root.to_string()));
    }
    Seen { size: signed.size, root: signed.root }
}

/// Tree ID, host name and key make each other up; the signed origin is the witness.
fn check_tree_id(
    identity: &Identity,
    key: &LogKey,
    signed: Option<&Checkpoint>,
    findings: &mut Findings,
) {
    let Identity { hostname, tree_id, .. } = identity;
    let origin = signed.and_then(|signed| signed.origin.rsplit_once(" - "));
    if let Some((signed_name, _)) = origin
        && signed_name != hostname
    {
        let expected = format!("{signed_name:?}, the name in the signed checkpoint");
        findings.push(Finding::log("log.hostname", expected, format!("{hostname:?}")));
        return;
    }
    let derived = key.tree_id(hostname);
    if derived != *tree_id {
        let expected = format!("{derived}, which follows from key and hostname");
        findings.push(Finding::log("log.tree_id", expected, tree_id.to_string()));
    }
}
