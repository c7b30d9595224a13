//! Algorithm identifiers that several containers share (RFC 3279, 4055, 5480, 5754, 5758, 8017).
//!
//! Border: identifiers and their parameters. Which algorithms count where is each container's affair.

use der::Sequence;
use der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::{DigestAlgorithm, KeyError};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// An RSA key, and in signed data a signature with the digest named beside it.
pub(super) const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
pub(super) const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
pub(super) const RSA_SHA256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
pub(super) const RSA_SHA384: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
pub(super) const RSA_SHA512: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
/// A key on an elliptic curve, and in signed data a signature as with [`RSA`].
pub(super) const EC: ObjectIdentifier = oid("1.2.840.10045.2.1");
pub(super) const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
pub(super) const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
pub(super) const ECDSA_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
/// Key and signature.
pub(super) const ED25519: ObjectIdentifier = oid("1.3.101.112");

/// The digest that an identifier names.
pub(super) fn digest(identifier: ObjectIdentifier) -> Option<DigestAlgorithm> {
    const MD5: ObjectIdentifier = oid("1.2.840.113549.2.5");
    const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
    const SHA224: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.4");
    const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
    const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
    const SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");
    match identifier {
        MD5 => Some(DigestAlgorithm::Md5),
        SHA1 => Some(DigestAlgorithm::Sha1),
        SHA224 => Some(DigestAlgorithm::Sha224),
        SHA256 => Some(DigestAlgorithm::Sha256),
        SHA384 => Some(DigestAlgorithm::Sha384),
        SHA512 => Some(DigestAlgorithm::Sha512),
        _ => None,
    }
}

/// What RSASSA-PSS-params (RFC 8017 appendix A.2.3) say: MGF1, with the digest of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PssParameters {
    pub(super) digest: DigestAlgorithm,
    /// Bytes of salt.
    pub(super) salt: usize,
}

impl PssParameters {
    /// As in Rekor, a sequence leaves nothing but the trailer to its default; a NULL stands for all defaults.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for anything else.
    pub(super) fn read(parameters: AnyRef<'_>) -> Result<Self, KeyError> {
        const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
        #[derive(Sequence)]
        struct Encoded<'a> {
            #[asn1(context_specific = "0")]
            digest: AlgorithmIdentifierRef<'a>,
            #[asn1(context_specific = "1")]
            mask: AlgorithmIdentifierRef<'a>,
            #[asn1(context_specific = "2")]
            salt: u16,
            #[asn1(context_specific = "3", default = "trailer_field_bc")]
            trailer: u8,
        }
        fn trailer_field_bc() -> u8 {
            1
        }
        let invalid = || KeyError::invalid("invalid RSA-PSS parameters");
        if parameters == AnyRef::NULL {
            return Ok(Self { digest: DigestAlgorithm::Sha1, salt: 20 });
        }
        let found: Encoded<'_> = parameters.decode_as().map_err(|_: der::Error| invalid())?;
        if found.trailer != trailer_field_bc() {
            return Err(invalid());
        }
        let known = |algorithm: AlgorithmIdentifierRef<'_>| {
            let oid = algorithm.oid;
            let unknown = || format!("unsupported digest algorithm {oid} in RSA-PSS parameters");
            digest(oid).ok_or_else(|| KeyError::invalid(unknown()))
        };
        let digest = known(found.digest)?;
        if found.mask.oid != MGF1 {
            return Err(KeyError::invalid("unsupported MGF in RSA-PSS parameters"));
        }
        let mask = found.mask.parameters.ok_or_else(invalid)?;
        if known(mask.decode_as().map_err(|_: der::Error| invalid())?)? != digest {
            return Err(KeyError::invalid("digest type mismatch in RSA-PSS parameters"));
        }
        Ok(Self { digest, salt: found.salt.into() })
    }
}

#[cfg(test)]
mod tests {
    use der::Decode as _;

    use super::*;

    fn read(parameters: &str) -> Result<PssParameters, String> {
        let parameters = hex::decode(parameters).unwrap();
        PssParameters::read(AnyRef::from_der(&parameters).unwrap()).map_err(|e| e.to_string())
    }

    /// As `openssl cms -keyopt rsa_padding_mode:pss` writes them, and what was made of that.
    #[test]
    fn pss_parameters_are_explicit_and_of_one_digest() {
        let fields = "a00f300d06096086480165030402010500\
                      a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120";
        let good = format!("3034{fields}");
        let parameters = |digest, salt| Ok(PssParameters { digest, salt });
        assert_eq!(read(&good), parameters(DigestAlgorithm::Sha256, 32));
        assert_eq!(read("0500"), parameters(DigestAlgorithm::Sha1, 20));
        let trailer = format!("3039{fields}a303020101");
        assert_eq!(read(&trailer), parameters(DigestAlgorithm::Sha256, 32));
        let invalid = "invalid RSA-PSS parameters";
        for (parameters, reason) in [
            (trailer.replace("a303020101", "a303020102"), invalid),
            (good.replace("a203020120", "a2030201ff"), invalid),
            ("3000".to_owned(), invalid),
            ("0400".to_owned(), invalid),
            (good.replace("010108", "010109"), "unsupported MGF in RSA-PSS parameters"),
            (good.replace("010500a2", "030500a2"), "digest type mismatch in RSA-PSS parameters"),
            (
                good.replacen("04020105", "04020605", 1),
                "unsupported digest algorithm 2.16.840.1.101.3.4.2.6 in RSA-PSS parameters",
            ),
        ] {
            assert_eq!(read(&parameters), Err(reason.to_owned()), "{parameters}");
        }
    }
}
