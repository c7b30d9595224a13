//! Validation of a submitted chain (RFC 5280 section 6).
//!
//! Border: which certificate plays which part. The chain says nothing about whom
//! to trust (its own last certificate is the anchor); it must only hold together,
//! so that nobody gets a foreign identity into the log. Unlike in RFC 5280 the anchor is
//! judged like any issuer, as Rekor does.

use jiff::civil::DateTime;

use super::super::KeyError;
use super::certificate::{Certificate, Issuer};
use super::link::Link;
use super::name_constraints::Comparisons;

/// Signatures verified for one chain: issuers of one name may otherwise stand in any of their orders.
const MAX_SIGNATURES: usize = 100;
/// Bytes of names and constraints compared for one chain.
const MAX_COMPARED: usize = 1 << 22;

/// Checks that `leaf` leads to `root` over some of `intermediates`, at the moment
/// that the leaf became valid.
pub(super) fn verify(
    leaf: &Certificate,
    intermediates: &[Issuer],
    root: &Issuer,
) -> Result<(), KeyError> {
    let moment = leaf.link().not_before;
    leaf.link().check_place(moment)?;
    leaf.link().check_policies(0)?;
    if leaf.der() == root.der() {
        return Ok(());
    }
    let comparisons = Comparisons(MAX_COMPARED);
    let mut search =
        Search { intermediates, root, moment, signatures: MAX_SIGNATURES, comparisons };
    search.extend(&mut vec![leaf.link()])
}

/// The way from the leaf to the anchor.
struct Search<'a> {
    intermediates: &'a [Issuer],
    root: &'a Issuer,
    moment: DateTime,
    /// How many may yet be verified.
    signatures: usize,
    comparisons: Comparisons,
}

impl<'a> Search<'a> {
    /// Tries every issuer for the last certificate of the path, the anchor first. Nobody stands on it twice, so a path
    /// is no longer than the chain.
    ///
    /// # Errors
    /// Why the last of them was refused.
    fn extend(&mut self, path: &mut Vec<&'a Link>) -> Result<(), KeyError> {
        let unknown = || KeyError::x509("certificate signed by unknown authority");
        let last = *path.last().ok_or_else(unknown)?;
        let mut refusal = unknown();
        let root = self.root.link();
        if root.subject == last.issuer && !path.iter().any(|known| known.holder == root.holder) {
            match self.admit(path, self.root, true) {
                Ok(()) => return Ok(()),
                Err(error) => refusal = error,
            }
        }
        let intermediates = self.intermediates;
        for issuer in intermediates.iter().filter(|issuer| issuer.link().subject == last.issuer) {
            let link = issuer.link();
            if path.iter().any(|known| known.holder == link.holder) {
                continue;
            }
            let extended = self.admit(path, issuer, false).and_then(|()| {
                path.push(link);
                let extended = self.extend(path);
                path.pop();
                extended
            });
            match extended {
                Ok(()) => return Ok(()),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Checks that `issuer` may follow on the path.
    fn admit(
        &mut self,
        path: &[&'a Link],
        issuer: &Issuer,
        is_anchor: bool,
    ) -> Result<(), KeyError> {
        let link = issuer.link();
        link.check_place(self.moment)?;
        link.check_issuer(is_anchor, path.len() - 1)?;
        if !is_anchor {
            link.check_policies(path.len())?;
        }
        self.signatures = self.signatures.checked_sub(1).ok_or_else(|| {
            KeyError::x509(
                "signature check attempts limit reached while verifying certificate chain",
            )
        })?;
        if let Some(last) = path.last() {
            last.signature.verify(issuer.public_key())?;
        }
        if let Some(constraints) = &link.extensions.name_constraints {
            for certificate in path {
                constraints.check(&certificate.extensions.names, &mut self.comparisons)?;
            }
        }
        Ok(())
    }
}
