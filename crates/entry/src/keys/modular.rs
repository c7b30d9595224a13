//! Arithmetic modulo an odd number, for signatures that no other library here verifies: DSA, and RSA with digests that
//! aws-lc does not take.
//!
//! Border: public numbers only. Nothing here keeps a secret, so time may depend on the values.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, NonZero, Odd, Resize as _};

/// An odd modulus above 1.
#[derive(Debug)]
pub(super) struct Modulus {
    params: BoxedMontyParams,
}

/// A number below its modulus, which every operand of an operation must share.
#[derive(Clone, Debug)]
pub(super) struct Residue(BoxedMontyForm);

impl Modulus {
    /// Takes a big-endian number; `None` if it is even or below 3. Its length bounds the work of everything else, so the
    /// caller bounds it.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = trim(bytes);
        if matches!(bytes, [] | [..3]) {
            return None;
        }
        let modulus = Odd::new(BoxedUint::from_be_slice_vartime(bytes)).into_option()?;
        Some(Self { params: BoxedMontyParams::new_vartime(modulus) })
    }

    /// The big-endian number, reduced.
    pub(super) fn residue(&self, bytes: &[u8]) -> Residue {
        let precision = self.params.bits_precision();
        let value = BoxedUint::from_be_slice_vartime(trim(bytes));
        let width = precision.max(value.bits_precision());
        let modulus = self.params.modulus().as_ref().clone().resize(width);
        let value = match NonZero::new(modulus).into_option() {
            Some(modulus) => value.resize(width) % modulus,
            None => BoxedUint::zero_with_precision(width),
        };
        Residue(BoxedMontyForm::new(value.resize(precision), &self.params))
    }
}

impl Residue {
    /// Raises to a big-endian exponent.
    pub(super) fn power(&self, exponent: &[u8]) -> Self {
        let exponent = BoxedUint::from_be_slice_vartime(trim(exponent));
        Self(self.0.pow_bounded_exp(&exponent, exponent.bit_width_vartime()))
    }

    /// Multiplies with another residue of the same modulus.
    pub(super) fn times(&self, other: &Self) -> Self {
        Self(self.0.mul(&other.0))
    }

    /// Adds another residue of the same modulus.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self(self.0.add(&other.0))
    }

    /// Subtracts another residue of the same modulus.
    pub(super) fn minus(&self, other: &Self) -> Self {
        Self(self.0.sub(&other.0))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_zero().into()
    }

    /// The big-endian number without leading zeros.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        trim(&self.0.retrieve().to_be_bytes()).to_vec()
    }
}

/// The order of a group whose signatures are pairs of numbers: DSA and ECDSA.
#[derive(Debug)]
pub(super) struct Order {
    modulus: Modulus,
    bytes: Vec<u8>,
    /// The order less 2: a number to this power is its inverse, because the order is prime. (If a key claims that it is
    /// and it is not, its signatures just do not verify.)
    inverting: Vec<u8>,
}

impl Order {
    /// Takes a big-endian number; `None` if it cannot be the order of such a group.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let modulus = Modulus::new(bytes)?;
        let bytes = trim(bytes).to_vec();
        let mut inverting = bytes.clone();
        let mut borrow = 2;
        for byte in inverting.iter_mut().rev() {
            let (low, below) = byte.overflowing_sub(borrow);
            *byte = low;
            borrow = u8::from(below);
        }
        Some(Self { modulus, bytes, inverting })
    }

    /// A number modulo the order, as [`Residue::to_bytes`] has it.
    pub(super) fn reduce(&self, number: &[u8]) -> Vec<u8> {
        self.modulus.residue(number).to_bytes()
    }

    /// The two multipliers of a signature (r, s) over a digest, z/s and r/s; `None` unless both r and s are between 1
    /// and the order. The digest is cut to the bytes of the order.
    pub(super) fn multipliers(&self, digest: &[u8], r: &[u8], s: &[u8]) -> Option<[Vec<u8>; 2]> {
        let in_range = |number: &[u8]| {
            let number = trim(number);
            !number.is_empty() && (number.len(), number) < (self.bytes.len(), &self.bytes)
        };
        if !in_range(r) || !in_range(s) {
            return None;
        }
        let inverse = self.modulus.residue(s).power(&self.inverting);
        let z = &digest[..digest.len().min(self.bytes.len())];
        Some([z, r].map(|number| self.modulus.residue(number).times(&inverse).to_bytes()))
    }
}

/// Drops leading zeros of a big-endian number.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_products_are_reduced() {
        let modulus = Modulus::new(&[0, 0x01, 0x01]).unwrap();
        let three = modulus.residue(&[0x01, 0x04]);
        assert_eq!(three.to_bytes(), [3]);
        assert_eq!(three.power(&[0, 5]).to_bytes(), [243]);
        assert_eq!(three.power(&[6]).to_bytes(), (729u16 % 257).to_be_bytes()[1..]);
        assert_eq!(three.power(&[]).to_bytes(), [1]);
        assert_eq!(three.times(&modulus.residue(&[100])).to_bytes(), [43]);
        assert_eq!(modulus.residue(&[0xff; 40]).times(&modulus.residue(&[])).to_bytes(), [0; 0]);
    }

    #[test]
    fn multipliers_are_quotients() {
        let order = Order::new(&[101]).unwrap();
        // 3 * 34 = 102 = 1, so 1/3 is 34.
        assert_eq!(order.multipliers(&[2, 9], &[7], &[3]), Some([vec![68], vec![36]]));
        for (r, s) in [([0], [3]), ([3], [0]), ([101], [3]), ([3], [102])] {
            assert_eq!(order.multipliers(&[2], &r, &s), None);
        }
        assert_eq!(order.reduce(&[103]), [2]);
    }

    #[test]
    fn even_and_tiny_moduli_are_refused() {
        for bytes in [&[][..], &[0], &[1], &[2], &[1, 0]] {
            assert!(Modulus::new(bytes).is_none(), "{bytes:?}");
        }
    }
}
