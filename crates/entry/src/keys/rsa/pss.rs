//! PSS's encoding of a digest (EMSA-PSS, RFC 8017 section 9.1).
//!
//! Border: bytes, no arithmetic. MGF1 hashes with the digest's own algorithm.

use crate::keys::DigestAlgorithm;

/// Last byte of an encoding.
const TRAILER: u8 = 0xbc;

/// Bytes of the salt in an encoding of this digest; `None` if it is no such encoding. `encoded` may lack leading zeros,
/// `bits` is how many it has with them.
pub(super) fn salt(
    encoded: &[u8],
    bits: usize,
    algorithm: DigestAlgorithm,
    digest: &[u8],
) -> Option<usize> {
    let size = bits.div_ceil(8);
    let mut block = vec![0; size.checked_sub(encoded.len())?];
    block.extend_from_slice(encoded);
    let (masked, rest) = block.split_at_checked(size.checked_sub(algorithm.size() + 1)?)?;
    let hash = rest.strip_suffix(&[TRAILER])?;
    let top = 0xff_u8 >> (8 * size - bits);
    if masked.first().is_some_and(|first| first & !top != 0) {
        return None;
    }
    let mask = mgf1(hash, masked.len(), algorithm);
    let mut unmasked: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    *unmasked.first_mut()? &= top;
    let zeros = unmasked.iter().take_while(|byte| **byte == 0).count();
    let salt = unmasked.split_off(zeros);
    let salt = salt.strip_prefix(&[1])?;
    let holds = algorithm.digest(&[&[0; 8], digest, salt].concat()) == hash;
    holds.then_some(salt.len())
}

/// As many bytes of mask as wanted (RFC 8017 appendix B.2.1).
fn mgf1(seed: &[u8], size: usize, algorithm: DigestAlgorithm) -> Vec<u8> {
    let blocks =
        (0_u32..).flat_map(|counter| algorithm.digest(&[seed, &counter.to_be_bytes()].concat()));
    blocks.take(size).collect()
}
