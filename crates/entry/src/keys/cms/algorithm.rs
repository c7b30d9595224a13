//! Algorithm identifiers of signed data (RFC 5652 section 10.1): digests, and the schemes of signatures (RFC 3370, 4056,
//! 5754, 5758).
//!
//! Border: identifiers and their parameters. RSA PKCS #1 v1.5, RSA-PSS and ECDSA; SHA-1 and SHA-2.

use der::asn1::{Null, ObjectIdentifier};
use der::{Decode as _, Tag};

use super::super::{DigestAlgorithm, KeyError};
use super::{Fields, context, malformed, oid};

const fn id(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const MGF1: ObjectIdentifier = id("1.2.840.113549.1.1.8");
/// Bytes of the salt where no parameters say so (RFC 8017 appendix A.2.3).
const DEFAULT_SALT: usize = 20;

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
        const RSA: ObjectIdentifier = id("1.2.840.113549.1.1.1");
        const RSA_SHA1: ObjectIdentifier = id("1.2.840.113549.1.1.5");
        /// Another name of the same (OIW).
        const RSA_SHA1_OIW: ObjectIdentifier = id("1.3.14.3.2.29");
        const RSA_PSS: ObjectIdentifier = id("1.2.840.113549.1.1.10");
        const RSA_SHA256: ObjectIdentifier = id("1.2.840.113549.1.1.11");
        const RSA_SHA384: ObjectIdentifier = id("1.2.840.113549.1.1.12");
        const RSA_SHA512: ObjectIdentifier = id("1.2.840.113549.1.1.13");
        const EC_KEY: ObjectIdentifier = id("1.2.840.10045.2.1");
        const ECDSA_SHA1: ObjectIdentifier = id("1.2.840.10045.4.1");
        const ECDSA_SHA256: ObjectIdentifier = id("1.2.840.10045.4.3.2");
        const ECDSA_SHA384: ObjectIdentifier = id("1.2.840.10045.4.3.3");
        const ECDSA_SHA512: ObjectIdentifier = id("1.2.840.10045.4.3.4");
        let mut fields = Fields::of(identifier, Tag::Sequence)?;
        let (scheme, named) = match oid(fields.next(Tag::ObjectIdentifier)?)? {
            RSA => (Self::Pkcs1, digest),
            RSA_SHA1 | RSA_SHA1_OIW => (Self::Pkcs1, DigestAlgorithm::Sha1),
            RSA_SHA256 => (Self::Pkcs1, DigestAlgorithm::Sha256),
            RSA_SHA384 => (Self::Pkcs1, DigestAlgorithm::Sha384),
            RSA_SHA512 => (Self::Pkcs1, DigestAlgorithm::Sha512),
            RSA_PSS => read_pss(fields.any()?)?,
            EC_KEY => (Self::Ecdsa, digest),
            ECDSA_SHA1 => (Self::Ecdsa, DigestAlgorithm::Sha1),
            ECDSA_SHA256 => (Self::Ecdsa, DigestAlgorithm::Sha256),
            ECDSA_SHA384 => (Self::Ecdsa, DigestAlgorithm::Sha384),
            ECDSA_SHA512 => (Self::Ecdsa, DigestAlgorithm::Sha512),
            _ => return Err(KeyError::invalid("unsupported public key algorithm")),
        };
        if named != digest {
            return Err(KeyError::invalid("signature type does not match digest type"));
        }
        Ok(scheme)
    }
}

/// RSASSA-PSS-params (RFC 8017 appendix A.2.3). As in Rekor, a sequence leaves nothing but the trailer to its default; a
/// NULL stands for all defaults.
fn read_pss(parameters: &[u8]) -> Result<(Scheme, DigestAlgorithm), KeyError> {
    let invalid = || KeyError::invalid("invalid RSA-PSS parameters");
    if Null::from_der(parameters).is_ok() {
        return Ok((Scheme::Pss { salt: DEFAULT_SALT }, DigestAlgorithm::Sha1));
    }
    let mut fields = Fields::of(parameters, Tag::Sequence)?;
    let mut explicit = |number, tag| match fields.optional(context(number))? {
        Some(field) => Fields::of(field, context(number))?.next(tag).map(Some),
        None => Ok(None),
    };
    let digest = explicit(0, Tag::Sequence)?.ok_or_else(invalid)?;
    let mask = explicit(1, Tag::Sequence)?.ok_or_else(invalid)?;
    let salt = explicit(2, Tag::Integer)?.ok_or_else(invalid)?;
    let trailer = explicit(3, Tag::Integer)?;
    fields.end()?;
    if trailer.is_some_and(|trailer| u8::from_der(trailer) != Ok(1)) {
        return Err(invalid());
    }
    let digest = digest_algorithm(digest)?;
    let mut mask = Fields::of(mask, Tag::Sequence)?;
    if oid(mask.next(Tag::ObjectIdentifier)?)? != MGF1 {
        return Err(KeyError::invalid("unsupported MGF in RSA-PSS parameters"));
    }
    if digest_algorithm(mask.next(Tag::Sequence)?)? != digest {
        return Err(KeyError::invalid("digest type mismatch in RSA-PSS parameters"));
    }
    let salt = u16::from_der(salt).map_err(malformed)?;
    Ok((Scheme::Pss { salt: salt.into() }, digest))
}

/// Reads the identifier of a digest.
pub(super) fn digest_algorithm(identifier: &[u8]) -> Result<DigestAlgorithm, KeyError> {
    const SHA1: ObjectIdentifier = id("1.3.14.3.2.26");
    const SHA256: ObjectIdentifier = id("2.16.840.1.101.3.4.2.1");
    const SHA384: ObjectIdentifier = id("2.16.840.1.101.3.4.2.2");
    const SHA512: ObjectIdentifier = id("2.16.840.1.101.3.4.2.3");
    match oid(Fields::of(identifier, Tag::Sequence)?.next(Tag::ObjectIdentifier)?)? {
        SHA1 => Ok(DigestAlgorithm::Sha1),
        SHA256 => Ok(DigestAlgorithm::Sha256),
        SHA384 => Ok(DigestAlgorithm::Sha384),
        SHA512 => Ok(DigestAlgorithm::Sha512),
        other => Err(KeyError::invalid(format!("pkcs7: unsupported digest algorithm {other}"))),
    }
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
    }

    /// As `openssl cms -keyopt rsa_padding_mode:pss` writes them, and what was made of that.
    #[test]
    fn pss_parameters_are_explicit_and_of_one_digest() {
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
        let mask = good.replace("010500a2", "030500a2");
        assert_eq!(
            read(&mask, SHA256),
            Err("digest type mismatch in RSA-PSS parameters".to_owned())
        );
        let defaults = "300d06092a864886f70d01010a3000";
        assert_eq!(read(defaults, SHA256), Err("invalid RSA-PSS parameters".to_owned()));
        let negative = good.replace("a203020120", "a2030201ff");
        assert!(read(&negative, SHA256).is_err());
        assert!(read("300b06092a864886f70d01010a", SHA256).is_err());
    }
}
