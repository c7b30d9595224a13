//! ECDSA verification on brainpoolP512r1 (RFC 5639 section 3.7), which GnuPG offers and no library here has.
//!
//! Border: public keys and signatures; there is no secret whose time could leak. Sums of points are in Jacobian
//! coordinates.

use std::sync::LazyLock;

use crate::keys::modular::{Modulus, Order, Residue, trim};

/// Bytes of a coordinate.
const FIELD: usize = 64;

const P: &str = "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330871\
                 7d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3";
const A: &str = "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc\
                 2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca";
const B: &str = "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a7\
                 2bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723";
const X: &str = "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098e\
                 ff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822";
const Y: &str = "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111\
                 b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892";
const Q: &str = "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870\
                 553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069";

/// The curve; `None` only if a constant above were mistyped.
static CURVE: LazyLock<Option<Curve>> = LazyLock::new(Curve::new);

#[derive(Debug)]
struct Curve {
    field: Modulus,
    a: Residue,
    b: Residue,
    generator: Point,
    order: Order,
}

/// A point other than the one at infinity: x/z² and y/z³.
#[derive(Clone, Debug)]
struct Point {
    x: Residue,
    y: Residue,
    z: Residue,
}

/// A public key.
#[derive(Debug)]
pub(super) struct BrainpoolP512Key(Point);

impl BrainpoolP512Key {
    /// Takes a point on the curve in SEC 1 uncompressed form.
    pub(super) fn from_uncompressed(point: &[u8]) -> Option<Self> {
        let (form, coordinates) = point.split_first()?;
        let (x, y) = coordinates.split_at_checked(FIELD)?;
        if *form != 4 || y.len() != FIELD {
            return None;
        }
        CURVE.as_ref()?.point(x, y).map(Self)
    }

    /// Verifies r and s over a digest (FIPS 186-5 section 6.4.2).
    pub(super) fn verify(&self, digest: &[u8], r: &[u8], s: &[u8]) -> bool {
        let Some(curve) = CURVE.as_ref() else { return false };
        let Some(factors) = curve.order.multipliers(digest, r, s) else { return false };
        let sum = curve.sum_of_multiples(&factors, &[&curve.generator, &self.0]);
        sum.is_some_and(|sum| curve.order.reduce(&curve.x(&sum)) == trim(r))
    }
}

impl Curve {
    fn new() -> Option<Self> {
        let [p, a, b, x, y, q] = [P, A, B, X, Y, Q].map(|number| hex::decode(number).ok());
        let field = Modulus::new(&p?)?;
        let [a, b, x, y] = [a?, b?, x?, y?].map(|number| field.residue(&number));
        let generator = Point { x, y, z: field.residue(&[1]) };
        Some(Self { field, a, b, generator, order: Order::new(&q?)? })
    }

    /// The point with these coordinates, if it is on the curve: y² = x³ + ax + b.
    fn point(&self, x: &[u8], y: &[u8]) -> Option<Point> {
        let point = Point {
            x: self.field.residue(x),
            y: self.field.residue(y),
            z: self.field.residue(&[1]),
        };
        let reduced = point.x.to_bytes() == trim(x) && point.y.to_bytes() == trim(y);
        let right = square(&point.x).plus(&self.a).times(&point.x).plus(&self.b);
        (reduced && square(&point.y).minus(&right).is_zero()).then_some(point)
    }

    /// The affine x.
    fn x(&self, point: &Point) -> Vec<u8> {
        point.x.times(&self.inverse(&square(&point.z))).to_bytes()
    }

    /// The number to the power p - 2, as the field is prime.
    fn inverse(&self, number: &Residue) -> Residue {
        let exponent = self.field.residue(&[]).minus(&self.field.residue(&[2])).to_bytes();
        number.power(&exponent)
    }

    /// Each point times its factor, added up; `None` is the point at infinity.
    fn sum_of_multiples(&self, factors: &[Vec<u8>; 2], points: &[&Point; 2]) -> Option<Point> {
        let mut sum = None;
        for bit in (0..8 * FIELD).rev() {
            sum = sum.and_then(|sum| self.double(&sum));
            for (factor, point) in factors.iter().zip(points) {
                let byte = factor.len().checked_sub(bit / 8 + 1).map_or(0, |at| factor[at]);
                if byte >> (bit % 8) & 1 == 1 {
                    sum = self.add(sum, point);
                }
            }
        }
        sum
    }

    fn double(&self, point: &Point) -> Option<Point> {
        let Point { x, y, z } = point;
        if y.is_zero() {
            return None;
        }
        let (xx, yy, zz) = (square(x), square(y), square(z));
        let s = twice(&twice(&x.times(&yy)));
        let m = twice(&xx).plus(&xx).plus(&self.a.times(&square(&zz)));
        let x3 = square(&m).minus(&twice(&s));
        let eight_yyyy = twice(&twice(&twice(&square(&yy))));
        let y3 = m.times(&s.minus(&x3)).minus(&eight_yyyy);
        Some(Point { x: x3, y: y3, z: twice(&y.times(z)) })
    }

    fn add(&self, left: Option<Point>, right: &Point) -> Option<Point> {
        let Some(left) = left else { return Some(right.clone()) };
        let (z1z1, z2z2) = (square(&left.z), square(&right.z));
        let (u1, u2) = (left.x.times(&z2z2), right.x.times(&z1z1));
        let s1 = left.y.times(&z2z2).times(&right.z);
        let s2 = right.y.times(&z1z1).times(&left.z);
        let (h, r) = (u2.minus(&u1), s2.minus(&s1));
        if h.is_zero() {
            return if r.is_zero() { self.double(&left) } else { None };
        }
        let hh = square(&h);
        let (hhh, v) = (hh.times(&h), u1.times(&hh));
        let x = square(&r).minus(&hhh).minus(&twice(&v));
        let y = r.times(&v.minus(&x)).minus(&s1.times(&hhh));
        Some(Point { x, y, z: h.times(&left.z).times(&right.z) })
    }
}

fn square(number: &Residue) -> Residue {
    number.times(number)
}

fn twice(number: &Residue) -> Residue {
    number.plus(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_a_curve_with_its_order() {
        let curve = CURVE.as_ref().unwrap();
        let [x, y, q] = [X, Y, Q].map(|number| hex::decode(number).unwrap());
        let generator = curve.point(&x, &y).unwrap();
        assert!(curve.point(&y, &x).is_none());
        let none = vec![];
        let point = [&generator, &generator];
        assert!(curve.sum_of_multiples(&[q.clone(), none.clone()], &point).is_none());
        let mut less = q;
        *less.last_mut().unwrap() -= 1;
        let negative = curve.sum_of_multiples(&[less, none], &point).unwrap();
        assert_eq!(curve.x(&negative), x);
        // 2G + 3G = 5G, by both ways through the sum.
        let five = curve.sum_of_multiples(&[vec![5], vec![0]], &point).unwrap();
        let sum = curve.sum_of_multiples(&[vec![2], vec![3]], &point).unwrap();
        assert_eq!(curve.x(&five), curve.x(&sum));
    }

    #[test]
    fn points_off_the_curve_are_no_keys() {
        let point = hex::decode(format!("04{X}{Y}")).unwrap();
        assert!(BrainpoolP512Key::from_uncompressed(&point).is_some());
        let mut off = point.clone();
        off[1] ^= 1;
        for wrong in [&off[..], &point[..128], &point[1..], &[], &[point.as_slice(), &[0]].concat()]
        {
            assert!(BrainpoolP512Key::from_uncompressed(wrong).is_none());
        }
    }
}
