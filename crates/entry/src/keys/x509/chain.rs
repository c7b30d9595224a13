//! Validation of a submitted chain (RFC 5280 section 6), by rustls-webpki.
//!
//! Border: which certificate plays which part. The chain says nothing about whom
//! to trust (its own last certificate is the anchor); it must only hold together,
//! so that nobody gets a foreign identity into the log.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use super::super::KeyError;
use super::certificate::Certificate;

/// Any purpose will do.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Checks that `leaf` leads to `root` over some of `intermediates`, at the moment
/// that the leaf became valid.
pub(super) fn verify(
    leaf: &Certificate,
    intermediates: &[Certificate],
    root: &Certificate,
) -> Result<(), KeyError> {
    let der = |certificate: &Certificate| CertificateDer::from(certificate.der().to_vec());
    let (leaf_der, root_der) = (der(leaf), der(root));
    let intermediates: Vec<_> = intermediates.iter().map(der).collect();
    let anchor = webpki::anchor_from_trusted_cert(&root_der).map_err(refused)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(leaf.not_before()));
    EndEntityCert::try_from(&leaf_der)
        .and_then(|end| {
            let algorithms = webpki::ALL_VERIFICATION_ALGS;
            end.verify_for_usage(algorithms, &[anchor], &intermediates, time, AnyUsage, None, None)
                .map(drop)
        })
        .map_err(refused)
}

fn refused(error: Error) -> KeyError {
    KeyError::x509(match error {
        Error::UnknownIssuer => "certificate signed by unknown authority".to_owned(),
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
            "certificate has expired or is not yet valid".to_owned()
        }
        Error::UnsupportedCriticalExtension => "unhandled critical extension".to_owned(),
        other => format!("the certificate chain does not hold: {other}"),
    })
}
