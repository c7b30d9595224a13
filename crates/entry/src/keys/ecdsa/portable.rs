//! ECDSA verification on curves that aws-lc does not have: P-224, secp256k1, two Brainpool curves.
//!
//! Border: numbers and points, on whichever curve the key's type names.

use ecdsa::elliptic_curve::array::ArraySize;
use ecdsa::elliptic_curve::{CurveArithmetic, FieldBytes};
use ecdsa::signature::hazmat::PrehashVerifier as _;
use ecdsa::{EcdsaCurve, Signature, SignatureSize, VerifyingKey};

use super::fit;
use crate::keys::modular::trim;

/// Verifies big-endian numbers of any length over a digest of any algorithm (FIPS 186-5 section 6.4.2).
pub(crate) fn verify<C>(key: &VerifyingKey<C>, digest: &[u8], r: &[u8], s: &[u8]) -> bool
where
    C: EcdsaCurve + CurveArithmetic,
    SignatureSize<C>: ArraySize,
{
    let field = |number: &[u8]| {
        let (number, mut bytes) = (trim(number), FieldBytes::<C>::default());
        let at = bytes.len().checked_sub(number.len())?;
        bytes[at..].copy_from_slice(number);
        Some(bytes)
    };
    let (Some(r), Some(s)) = (field(r), field(s)) else { return false };
    let digest = fit(digest, r.len());
    let Ok(signature) = Signature::<C>::from_scalars(r, s) else { return false };
    // k256 verifies low S only, a rule of Bitcoin's; nothing else has one, so the signature is brought to that form.
    let signature = if C::NORMALIZE_S { signature.normalize_s() } else { signature };
    key.verify_prehash(&digest, &signature).is_ok()
}
