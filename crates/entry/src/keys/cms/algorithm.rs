//! Algorithm identifiers of signed data (RFC 5652 section 10.1): digests, and the schemes of signatures (RFC 3370, 4056,
//! 5754, 5758).
//!
//! Border: identifiers and their parameters. RSA PKCS #1 v1.5, RSA-PSS and ECDSA; MD5, SHA-1 and SHA-2.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Tag};

use super::super::identifiers::{
    self, EC, ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, PssParameters, RSA, RSA_PSS, RSA_SHA256,
    RSA_SHA384, RSA_SHA512,
};
use super::super::{DigestAlgorithm, KeyError};
use super::{Fields, malformed, oid};

const fn id(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// How a signature is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scheme {
    Pkcs1,
    /// With this many bytes of salt.
    Pss {
        salt: usize,
    },
    Ecdsa,
}

impl Scheme {
    /// Reads a signer's signatureAlgorithm. The digest that it names, if it names one, must be the signer's.
    pub(super) fn read(identifier: &[u8], digest: DigestAlgorithm) -> Result<Self, KeyError> {
        const RSA_MD5: ObjectIdentifier = id("1.2.840.113549.1.1.4");
        const RSA_SHA1: ObjectIdentifier = id("1.2.840.113549.1.1.5");
        /// Another name of the same (OIW).
        const RSA_SHA1_OIW: ObjectIdentifier = id("1.3.14.3.2.29");
        const ECDSA_SHA1: ObjectIdentifier = id("1.2.840.10045.4.1");
        let mut fields = Fields::of(identifier, Tag::Sequence)?;
        let (scheme, named) = match oid(fields.next(Tag::ObjectIdentifier)?)? {
            RSA => (Self::Pkcs1, digest),
            RSA_MD5 => (Self::Pkcs1, DigestAlgorithm::Md5),
            RSA_SHA1 | RSA_SHA1_OIW => (Self::Pkcs1, DigestAlgorithm::Sha1),
            RSA_SHA256 => (Self::Pkcs1, DigestAlgorithm::Sha256),
            RSA_SHA384 => (Self::Pkcs1, DigestAlgorithm::Sha384),
            RSA_SHA512 => (Self::Pkcs1, DigestAlgorithm::Sha512),
            RSA_PSS => {
                let parameters = AnyRef::from_der(fields.any()?).map_err(malformed)?;
                let PssParameters { digest, salt } = PssParameters::read(parameters)?;
                (Self::Pss { salt }, digest)
            }
            EC => (Self::Ecdsa, digest),
            ECDSA_SHA1 => (Self::Ecdsa, DigestAlgorithm::Sha1),
            ECDSA_SHA256 => (Self::Ecdsa, DigestAlgorithm::Sha256),
            ECDSA_SHA384 => (Self::Ecdsa, DigestAlgorithm::Sha384),
            ECDSA_SHA512 => (Self::Ecdsa, DigestAlgorithm::Sha512),
            // Also the names of signatures over SHA-224: Rekor knows that digest, but not these.
            _ => return Err(KeyError::invalid("unsupported public key algorithm")),
        };
        if named != digest {
            return Err(KeyError::invalid("signature type does not match digest type"));
        }
        Ok(scheme)
    }
}

/// Reads the identifier of a digest.
pub(super) fn digest_algorithm(identifier: &[u8]) -> Result<DigestAlgorithm, KeyError> {
    let found = oid(Fields::of(identifier, Tag::Sequence)?.next(Tag::ObjectIdentifier)?)?;
    identifiers::digest(found)
        .ok_or_else(|| KeyError::invalid(format!("pkcs7: unsupported digest algorithm {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: DigestAlgorithm = DigestAlgorithm::Sha256;

    fn read(identifier: &str, digest: DigestAlgorithm) -> Result<String, String> {
        let scheme = Scheme::read(&hex::decode(identifier).unwrap(), digest);
        scheme.map(|scheme| format!("{scheme:?}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_signature_algorithm_names_the_signers_digest() {
        for (identifier, scheme) in [
            ("300d06092a864886f70d0101010500", Ok("Pkcs1")),
            ("300d06092a864886f70d01010b0500", Ok("Pkcs1")),
            ("300906072a8648ce3d0201", Ok("Ecdsa")),
            ("300a06082a8648ce3d040302", Ok("Ecdsa")),
            ("300d06092a864886f70d01010d0500", Err("signature type does not match digest type")),
            ("300a06082a8648ce3d040304", Err("signature type does not match digest type")),
            ("300506032a0304", Err("unsupported public key algorithm")),
        ] {
            let scheme = scheme.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read(identifier, SHA256), scheme, "{identifier}");
        }
        let md5 = "300d06092a864886f70d0101040500";
        assert!(read(md5, DigestAlgorithm::Md5).is_ok() && read(md5, SHA256).is_err());
        let sha224 = DigestAlgorithm::Sha224;
        assert!(read("300d06092a864886f70d0101010500", sha224).is_ok());
        for named in ["300d06092a864886f70d01010e0500", "300a06082a8648ce3d040301"] {
            assert_eq!(read(named, sha224), Err("unsupported public key algorithm".to_owned()));
        }
    }

    /// As `openssl cms -keyopt rsa_padding_mode:pss` writes them, and what was made of that.
    #[test]
    fn pss_parameters_name_the_signers_digest() {
        let good = "304106092a864886f70d01010a3034a00f300d06096086480165030402010500\
                    a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120";
        assert_eq!(read(good, SHA256), Ok("Pss { salt: 32 }".to_owned()));
        let longest = good.replace("a203020120", "a204020200de");
        let longest = longest.replacen("3041", "3042", 1).replacen("3034", "3035", 1);
        assert_eq!(read(&longest, SHA256), Ok("Pss { salt: 222 }".to_owned()));
        let null = "300d06092a864886f70d01010a0500";
        assert_eq!(read(null, DigestAlgorithm::Sha1), Ok("Pss { salt: 20 }".to_owned()));
        let other = "signature type does not match digest type";
        assert_eq!(read(null, SHA256), Err(other.to_owned()));
        assert_eq!(read(good, DigestAlgorithm::Sha512), Err(other.to_owned()));
        assert!(read("300b06092a864886f70d01010a", SHA256).is_err());
    }
}
