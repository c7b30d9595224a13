//! Rings of several OpenPGP keys: one that cannot be verified here, and bounds on all of them together.

use indelible_entry::base64;
use indelible_entry::keys::EvidenceKey as _;
use indelible_entry::keys::pgp::PgpKeyring;
use sha1::{Digest as _, Sha1};

/// A packet with the longest header there is.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xc0 | tag, 0xff], length.as_slice(), body].concat()
}

/// A number of that many bits.
fn mpi(bits: u16) -> Vec<u8> {
    [bits.to_be_bytes().as_slice(), &vec![0xff; usize::from(bits / 8)]].concat()
}

/// A version 4 key with a user ID that it signs, if anybody believes these numbers.
fn key(algorithm: u8, numbers: &[u8], signature: &[u8]) -> Vec<u8> {
    let key = [&[4, 0x60, 0, 0, 0, algorithm], numbers].concat();
    let length = u16::try_from(key.len()).unwrap().to_be_bytes();
    let fingerprint = Sha1::digest([&[0x99], length.as_slice(), &key].concat());
    let says = [&[5, 2, 0x60, 0, 0, 0, 22, 33, 4], fingerprint.as_slice()].concat();
    let areas = [&[0, says.len() as u8], says.as_slice(), &[0, 0]].concat();
    let certification = [&[4, 0x13, algorithm, 10], areas.as_slice(), &[0, 0], signature].concat();
    [packet(6, &key), packet(13, b"key@example.com"), packet(2, &certification)].concat()
}

/// A DSA key that nobody has, as no signature holds for it.
fn dsa(modulus: &[u8], order: &[u8]) -> Vec<u8> {
    key(17, &[modulus, order, &mpi(8), &mpi(8)].concat(), &[mpi(8), mpi(8)].concat())
}

#[test]
fn a_ring_with_a_key_that_is_not_served_is_refused() {
    let ed448 = key(28, &[7; 57], &[7; 114]);
    let rsa = key(1, &[mpi(8_200), mpi(16)].concat(), &mpi(8_200));
    let large = dsa(&mpi(4_104), &mpi(256));
    let even = dsa(&[[8, 0].as_slice(), &[0xff; 255], &[0xfe]].concat(), &mpi(256));
    let good = include_bytes!("fixtures/pgp/rsa.pub.gpg").as_slice();
    for (name, other) in [
        ("Ed448 keys", &ed448),
        ("RSA keys of more than 8192 bits", &rsa),
        ("DSA keys of more than 4096 bits or with even numbers", &large),
        ("DSA keys of more than 4096 bits or with even numbers", &even),
    ] {
        let refusal =
            format!("error reading binary PGP public key: openpgp: {name} are not served");
        for ring in [[good, other].concat(), [other, good].concat()] {
            let error = PgpKeyring::parse(&ring).err().map(|error| error.to_string());
            assert_eq!(error.as_ref(), Some(&refusal));
        }
    }
}

#[test]
fn a_ring_goes_without_a_key_whose_signature_does_not_hold() {
    let good = include_bytes!("fixtures/pgp/rsa.pub.gpg").as_slice();
    let alone = PgpKeyring::parse(good).unwrap();
    let rsa = key(1, &[mpi(2_048), mpi(16)].concat(), &mpi(2_048));
    // Orders of whole bytes, of 159 bits, of 513 (which would be too large if it could be one); and no modulus.
    let short = [[0, 159, 0x7f].as_slice(), &[0xff; 19]].concat();
    let huge = [[2, 1, 1].as_slice(), &[0xff; 64]].concat();
    let whole = mpi(256);
    let wrong = [&whole, &short, &huge].map(|order| dsa(&mpi(2_048), order));
    let none = dsa(&mpi(0), &whole);
    for other in wrong.iter().chain([&rsa, &none]) {
        for ring in [[good, other].concat(), [other, good].concat()] {
            assert_eq!(PgpKeyring::parse(&ring).unwrap().canonical(), alone.canonical());
        }
    }
}

/// The packets of a binary file, headers included: the old ones, as GnuPG writes them.
fn packets(mut file: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let [first, one, two, ..] = file {
        let length = match first & 3 {
            0 => 2 + usize::from(*one),
            _ => 3 + usize::from(u16::from_be_bytes([*one, *two])),
        };
        let (packet, rest) = file.split_at(length);
        packets.push(packet);
        file = rest;
    }
    packets
}

fn armored(packets: &[u8]) -> String {
    let text = base64::encode(packets);
    let lines: Vec<&str> =
        text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let (begin, end) =
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----");
    format!("{begin}\n\n{}\n{end}\n", lines.join("\n"))
}

#[test]
fn bounds_are_on_all_blocks_together() {
    let key = include_bytes!("fixtures/pgp/ed25519.pub.gpg").as_slice();
    let parts = packets(key);
    // By somebody who does not give a name, with much to say that nobody knows.
    let says =
        [&[5, 2, 0x60, 0, 0, 0, 0xff, 0, 0, 0xea, 0x61, 100], vec![7; 60_000].as_slice()].concat();
    let length = u16::try_from(says.len()).unwrap().to_be_bytes();
    let numbers = [0, 0, 0, 0, 0, 8, 7].as_slice();
    let certification = [&[4, 0x13, 1, 10], length.as_slice(), &says, numbers].concat();
    let large = [parts[..3].concat(), packet(2, &certification).repeat(40)].concat();
    for (block, refusal) in [
        (
            [key, &[0xcd, 0].repeat(20_000)].concat(),
            "error reading PGP public key: openpgp: more than 32768 packets",
        ),
        (
            [parts[0].repeat(1_100).as_slice(), key].concat(),
            "error reading PGP public key: openpgp: more than 2048 keys",
        ),
        (large, "PGP data of 4802950 bytes is larger than 4194304"),
    ] {
        let one = armored(&block);
        let stored = PgpKeyring::parse(one.as_bytes()).unwrap().canonical().to_vec();
        assert_eq!(PgpKeyring::parse(&stored).unwrap().canonical(), stored);
        let error = PgpKeyring::parse(one.repeat(2).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), refusal);
    }
}
