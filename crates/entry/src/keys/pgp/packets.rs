//! Packets one after the other (RFC 9580 section 4): headers, and what each body is.
//!
//! Border: the sequence is read and not judged. Packets of unknown kinds, or with algorithms that are not served, are
//! passed over as the reference does, which decides what becomes of the packets behind them.

use super::error::Fault;
use super::octets::Octets;
use super::public_key::PublicKey;
use super::signature::Signature;

/// Most packets that one input may have: a key with thousands of certifications still fits.
const MAX_PACKETS: usize = 32_768;
/// Most keys and subkeys: each point is checked to be on its curve while reading.
const MAX_KEYS: usize = 2_048;
/// Bytes of the longest user ID: each of its certifications hashes it. GnuPG takes 2048.
const MAX_USER_ID: usize = 65_536;

/// Packet type IDs (section 5).
pub(super) mod tag {
    pub(crate) const SIGNATURE: u8 = 2;
    pub(crate) const SECRET_KEY: u8 = 5;
    pub(crate) const PUBLIC_KEY: u8 = 6;
    pub(crate) const SECRET_SUBKEY: u8 = 7;
    pub(crate) const MARKER: u8 = 10;
    pub(crate) const TRUST: u8 = 12;
    pub(crate) const USER_ID: u8 = 13;
    pub(crate) const PUBLIC_SUBKEY: u8 = 14;
    pub(crate) const USER_ATTRIBUTE: u8 = 17;
    pub(crate) const PADDING: u8 = 21;
}

/// A packet of a kind that keys and signatures are made of.
#[derive(Debug)]
pub(super) enum Packet {
    Key(Box<KeyPacket>),
    Signature(Box<Signature>),
    UserId(Vec<u8>),
    /// A user attribute or padding. It says nothing, but signatures behind it are not over the user ID before it.
    Divider,
    /// To be passed over: marker, trust, private use.
    Nothing,
}

/// A key packet of one of the four kinds.
#[derive(Debug)]
pub(super) struct KeyPacket {
    pub(super) key: PublicKey,
    pub(super) subkey: bool,
    pub(super) secret: bool,
}

/// The packets of an input.
#[derive(Debug)]
pub(super) struct Packets<'a> {
    rest: &'a [u8],
    unread: Option<Packet>,
    counted: Counted,
}

/// What was read already, of one input or of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    packets: usize,
    keys: usize,
}

impl<'a> Packets<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self::after(Counted::default(), input)
    }

    /// The packets of an input that goes on where others ended: the limits are on all of them.
    pub(super) fn after(counted: Counted, input: &'a [u8]) -> Self {
        Self { rest: input, unread: None, counted }
    }

    /// What was counted so far.
    pub(super) fn so_far(&self) -> Counted {
        self.counted
    }

    /// Whether every byte was read.
    pub(super) fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// Makes [`next`](Self::next) return this packet; one at a time.
    pub(super) fn unread(&mut self, packet: Packet) {
        self.unread = Some(packet);
    }

    /// The next packet that says something, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, Fault> {
        if let Some(packet) = self.unread.take() {
            return Ok(Some(packet));
        }
        loop {
            match self.read() {
                Ok(Some(Packet::Nothing)) | Err(Fault::Unsupported(_)) => {}
                other => return other,
            }
        }
    }

    /// The next packet, whatever it is. A body that is read without fault may leave bytes; they are where the next
    /// packet begins.
    pub(super) fn read(&mut self) -> Result<Option<Packet>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.counted.packets += 1;
        if self.counted.packets > MAX_PACKETS {
            return Err(Fault::TooMuch { what: "packets", limit: MAX_PACKETS });
        }
        let (tag, contents) = self.header()?;
        if matches!(
            tag,
            tag::PUBLIC_KEY | tag::PUBLIC_SUBKEY | tag::SECRET_KEY | tag::SECRET_SUBKEY
        ) {
            self.counted.keys += 1;
            if self.counted.keys > MAX_KEYS {
                return Err(Fault::TooMuch { what: "keys", limit: MAX_KEYS });
            }
        }
        let body = contents.bytes();
        let read = read_body(tag, body, &contents);
        let consumed = match (&read, &contents) {
            (Ok((_, consumed)), Contents::Whole { .. } | Contents::Rest(_)) => *consumed,
            (Err(_), _) | (_, Contents::Partial(_)) => body.len(),
        };
        if !matches!(contents, Contents::Partial(_)) {
            self.rest = &self.rest[consumed..];
        }
        read.map(|(packet, _)| Some(packet))
    }

    /// Reads a header; the contents of a packet in parts are read too.
    fn header(&mut self) -> Result<(u8, Contents<'a>), Fault> {
        let mut octets = Octets::new(self.rest);
        let first = octets.u8()?;
        if first & 0x80 == 0 {
            self.rest = &self.rest[1..];
            return Err(Fault::structural("tag byte does not have MSB set"));
        }
        let new_format = first & 0x40 != 0;
        let length = match (new_format, first & 3) {
            (true, _) => new_length(&mut octets),
            (false, 0) => octets.u8().map(|length| Length::Known(usize::from(length))),
            (false, 1) => octets.u16().map(|length| Length::Known(usize::from(length))),
            (false, 2) => octets.u32().map(|length| Length::Known(length as usize)),
            (false, _) => Ok(Length::Rest),
        };
        let start = octets.consumed();
        let after = &self.rest[start..];
        self.rest = after;
        let tag = if new_format { first & 0x3f } else { (first & 0x3f) >> 2 };
        let contents = match length {
            Ok(Length::Known(length)) => Contents::Whole {
                body: &after[..length.min(after.len())],
                cut: length > after.len(),
            },
            Ok(Length::Rest) => Contents::Rest(after),
            Ok(Length::Part(first)) => {
                let mut octets = Octets::new(after);
                let joined = join_parts(&mut octets, first);
                self.rest = &after[octets.consumed()..];
                Contents::Partial(joined?)
            }
            Err(fault) => {
                self.rest = &[];
                return Err(fault);
            }
        };
        Ok((tag, contents))
    }
}

enum Length {
    Known(usize),
    Part(usize),
    Rest,
}

/// The bytes of a body, as far as they are there.
enum Contents<'a> {
    Whole {
        body: &'a [u8],
        cut: bool,
    },
    /// Of indeterminate length: all that follows.
    Rest(&'a [u8]),
    /// Joined from parts.
    Partial(Vec<u8>),
}

impl Contents<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Contents::Whole { body, .. } | Contents::Rest(body) => body,
            Contents::Partial(joined) => joined,
        }
    }
}

/// Section 4.2.1.
fn new_length(octets: &mut Octets<'_>) -> Result<Length, Fault> {
    Ok(match octets.u8()? {
        first @ ..192 => Length::Known(usize::from(first)),
        first @ 192..224 => {
            Length::Known((usize::from(first) - 192) * 256 + usize::from(octets.u8()?) + 192)
        }
        first @ 224..255 => Length::Part(1 << (first & 0x1f)),
        255 => Length::Known(octets.u32()? as usize),
    })
}

/// Section 4.2.1.4. Every part takes a byte of the input and more, so the work is bounded by it.
fn join_parts(octets: &mut Octets<'_>, first: usize) -> Result<Vec<u8>, Fault> {
    let mut joined = octets.take(first)?.to_vec();
    loop {
        match new_length(octets)? {
            Length::Part(length) => joined.extend_from_slice(octets.take(length)?),
            Length::Known(length) => {
                joined.extend_from_slice(octets.take(length)?);
                return Ok(joined);
            }
            Length::Rest => return Ok(joined),
        }
    }
}

/// Reads a body; also returns how many bytes it took.
fn read_body(tag: u8, body: &[u8], contents: &Contents<'_>) -> Result<(Packet, usize), Fault> {
    let cut = matches!(contents, Contents::Whole { cut: true, .. });
    match tag {
        tag::SIGNATURE => {
            let (signature, size) = Signature::parse(body, 0)?;
            Ok((Packet::Signature(Box::new(signature)), size))
        }
        tag::PUBLIC_KEY | tag::PUBLIC_SUBKEY | tag::SECRET_KEY | tag::SECRET_SUBKEY => {
            let key = PublicKey::parse(body)?;
            let secret = matches!(tag, tag::SECRET_KEY | tag::SECRET_SUBKEY);
            let subkey = matches!(tag, tag::PUBLIC_SUBKEY | tag::SECRET_SUBKEY);
            // The secret numbers are nobody's business here.
            let size = if secret { body.len() } else { key.size };
            Ok((Packet::Key(Box::new(KeyPacket { key, subkey, secret })), size))
        }
        tag::USER_ID if cut => Err(Fault::TRUNCATED),
        tag::USER_ID if body.len() > MAX_USER_ID => {
            Err(Fault::TooMuch { what: "bytes in a user ID", limit: MAX_USER_ID })
        }
        tag::USER_ID => Ok((Packet::UserId(body.to_vec()), body.len())),
        tag::USER_ATTRIBUTE if cut => Err(Fault::TRUNCATED),
        tag::USER_ATTRIBUTE | tag::PADDING => Ok((Packet::Divider, body.len())),
        tag::MARKER if body.starts_with(b"PGP") => Ok((Packet::Nothing, 3)),
        tag::MARKER => Err(Fault::structural("invalid marker packet")),
        tag::TRUST | 40.. => Ok((Packet::Nothing, body.len())),
        // Messages, or what nobody defined: there is no telling what such an input means.
        _ => Err(Fault::Broken("packet that neither keys nor signatures are made of")),
    }
}
