//! Signature subpackets (RFC 9580 section 5.2.3.7): what a signature says about itself.
//!
//! Border: reading both areas, and writing the unhashed one anew. Whether what is said is believed is decided elsewhere.

use super::error::Fault;
use super::octets::{Octets, write_length};
use super::signature::{PRIMARY_KEY_BINDING, Signature};

/// What the subpackets say; those that change nothing are checked for their form and forgotten.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// When the signature was made; Unix seconds.
    pub(super) created: Option<u32>,
    /// Seconds that the signature is valid; 0 for ever.
    pub(super) lifetime: Option<u32>,
    /// Seconds that the key is valid after its creation; 0 for ever.
    pub(super) key_lifetime: Option<u32>,
    /// Key ID of the issuer: from its subpacket or from the fingerprint, the later one.
    pub(super) issuer: Option<u64>,
    /// Fingerprint of the issuer.
    pub(super) issuer_fingerprint: Option<Vec<u8>>,
    /// Whether the user ID is the main one.
    pub(super) primary_user_id: bool,
    /// First byte of the key flags (section 5.2.3.29).
    pub(super) flags: Option<u8>,
    /// Code of the reason for revocation (section 5.2.3.31).
    pub(super) reason: Option<u8>,
    /// Name of the first critical notation: none is known here.
    pub(super) critical_notation: Option<String>,
    /// The signature of a signing subkey over its primary key.
    pub(super) embedded: Option<Box<Signature>>,
}

/// Key flag: this key may sign data.
pub(super) const MAY_SIGN: u8 = 0x02;
/// Key flags: this key may encrypt communications or storage.
pub(super) const MAY_ENCRYPT: u8 = 0x0c;

/// Subpacket lengths below this are written in two bytes.
const TWO_OCTETS: usize = 16320;

impl Statements {
    /// Reads an area and returns it in its stored form: every length as short as it can be. `depth` counts the signatures
    /// that this one is embedded in.
    pub(super) fn read(
        &mut self,
        area: &[u8],
        hashed: bool,
        version: u8,
        depth: u8,
    ) -> Result<Vec<u8>, Fault> {
        let mut rest = Octets::new(area);
        let mut written = Vec::with_capacity(area.len());
        while !rest.is_empty() {
            let subpacket = next(&mut rest)?;
            write_length(&mut written, subpacket.len(), TWO_OCTETS);
            written.extend_from_slice(subpacket);
            let Some((kind, body)) = subpacket.split_first() else {
                return Err(Fault::structural("zero length signature subpacket"));
            };
            let (number, critical) = (kind & 0x7f, kind & 0x80 != 0);
            match number {
                16 => self.read_issuer(body, hashed, version)?,
                32 => self.read_embedded(body, depth)?,
                33 => self.read_issuer_fingerprint(body)?,
                _ if hashed => self.read_hashed(number, critical, body)?,
                _ => {}
            }
        }
        if self.created.is_none() {
            return Err(Fault::structural("no creation time in signature"));
        }
        Ok(written)
    }

    fn read_issuer(&mut self, body: &[u8], hashed: bool, version: u8) -> Result<(), Fault> {
        if version > 4 && hashed {
            return Err(Fault::structural("issuer subpacket found in v6 key"));
        }
        let issuer = fixed(body, "issuer subpacket with bad length").map(u64::from_be_bytes)?;
        if version <= 4 {
            self.issuer = Some(issuer);
        }
        Ok(())
    }

    fn read_issuer_fingerprint(&mut self, body: &[u8]) -> Result<(), Fault> {
        let (version, fingerprint) = body
            .split_first()
            .ok_or_else(|| Fault::structural("empty issuer fingerprint subpacket"))?;
        let bad = || Fault::structural("bad fingerprint length");
        let id = if *version >= 5 {
            fingerprint.first_chunk().filter(|_| fingerprint.len() == 32)
        } else {
            fingerprint.last_chunk().filter(|_| fingerprint.len() == 20)
        };
        self.issuer = Some(u64::from_be_bytes(*id.ok_or_else(bad)?));
        self.issuer_fingerprint = Some(fingerprint.to_vec());
        Ok(())
    }

    fn read_embedded(&mut self, body: &[u8], depth: u8) -> Result<(), Fault> {
        if self.embedded.is_some() {
            return Err(Fault::structural("Cannot have multiple embedded signatures"));
        }
        // One is all that a subkey's binding needs; more would only be recursion.
        if depth > 0 {
            return Err(Fault::structural("signatures embedded in an embedded signature"));
        }
        let (embedded, _) = Signature::parse(body, depth + 1)?;
        if embedded.kind != PRIMARY_KEY_BINDING {
            let text = format!("cross-signature has unexpected type {}", embedded.kind);
            return Err(Fault::structural(text));
        }
        self.embedded = Some(Box::new(embedded));
        Ok(())
    }

    /// The subpackets that are believed in the hashed area only.
    fn read_hashed(&mut self, number: u8, critical: bool, body: &[u8]) -> Result<(), Fault> {
        let seconds = |text| fixed(body, text).map(u32::from_be_bytes);
        match number {
            2 => self.created = Some(seconds("signature creation time not four bytes")?),
            3 => self.lifetime = Some(seconds("expiration subpacket with bad length")?),
            4 => match body.first() {
                Some(0) => {
                    let text = "signature with non-exportable certification";
                    return Err(Fault::unsupported(text));
                }
                Some(_) => {}
                None => return Err(Fault::structural("exportable subpacket with bad length")),
            },
            5 => drop(fixed::<2>(body, "trust subpacket with bad length")?),
            6 if body.last() != Some(&0) => {
                let text = "expected regular expression to be null-terminated";
                return Err(Fault::structural(text));
            }
            9 => self.key_lifetime = Some(seconds("key expiration subpacket with bad length")?),
            20 => self.read_notation(critical, body)?,
            25 => {
                let [primary] = fixed(body, "primary user id subpacket with bad length")?;
                self.primary_user_id = primary > 0;
            }
            27 => {
                let flags = body.first().copied().unwrap_or_default();
                self.flags = Some(self.flags.unwrap_or_default() | flags);
            }
            29 => {
                let empty = || Fault::structural("empty revocation reason subpacket");
                self.reason = Some(*body.first().ok_or_else(empty)?);
            }
            35 => {
                let size = if body.first().is_some_and(|version| *version >= 5) { 33 } else { 21 };
                if body.len() != size {
                    return Err(Fault::structural("invalid fingerprint length"));
                }
            }
            39 if !body.len().is_multiple_of(2) => {
                return Err(Fault::structural("invalid aead cipher suite length"));
            }
            6 | 11 | 21..=24 | 26 | 28 | 30 | 39 => {}
            other if critical => {
                let text = format!("unknown critical signature subpacket type {other}");
                return Err(Fault::unsupported(text));
            }
            _ => {}
        }
        Ok(())
    }

    /// Flags, the lengths of name and value, name, value (section 5.2.3.24).
    fn read_notation(&mut self, critical: bool, body: &[u8]) -> Result<(), Fault> {
        let bad = || Fault::structural("notation data subpacket with bad length");
        let mut octets = Octets::new(body);
        let lengths = octets.u32().and_then(|_| Ok((octets.u16()?, octets.u16()?)));
        let (name, value) = lengths.map_err(|_| bad())?;
        let name = octets.take(usize::from(name)).map_err(|_| bad())?;
        octets.take(usize::from(value)).map_err(|_| bad())?;
        if !octets.is_empty() {
            return Err(bad());
        }
        if critical && self.critical_notation.is_none() {
            self.critical_notation = Some(String::from_utf8_lossy(name).into_owned());
        }
        Ok(())
    }
}

/// Splits off a subpacket without its length: its type and its body.
fn next<'a>(rest: &mut Octets<'a>) -> Result<&'a [u8], Fault> {
    let mut read = || {
        let length = match rest.u8()? {
            first @ ..192 => usize::from(first),
            first @ 192..255 => (usize::from(first) - 192) * 256 + usize::from(rest.u8()?) + 192,
            255 => usize::try_from(rest.u32()?).unwrap_or(usize::MAX),
        };
        rest.take(length)
    };
    read().map_err(|_: Fault| Fault::structural("signature subpacket truncated"))
}

fn fixed<const N: usize>(body: &[u8], text: &'static str) -> Result<[u8; N], Fault> {
    body.try_into().map_err(|_| Fault::structural(text))
}
