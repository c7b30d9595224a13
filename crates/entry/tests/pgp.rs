//! Keys and signatures made by GnuPG, as `rekord` entries and as key files.

mod fixture;

use fixture::{file, proposal, verify};
use indelible_entry::keys::pgp::PgpKeyring;
use indelible_entry::keys::{EvidenceKey as _, parse_key};
use indelible_entry::{KeyFormat, Kind, VerifiedEntry, search_key_for_public_key};
use sha2::{Digest as _, Sha256};

/// Key files by name, and the signatures that each made beside the usual two.
const KEYS: &[(&str, &[&str])] = &[
    ("rsa", &["rsa.SHA1", "rsa.SHA224", "rsa.SHA256", "rsa.SHA384", "rsa.SHA512", "rsa.text"]),
    ("rsa1024", &["rsa1024.SHA384"]),
    ("dsa", &["dsa.SHA512"]),
    ("dsa1024", &[]),
    ("p256", &["p256.SHA384", "p256.SHA512"]),
    ("p384", &[]),
    ("p521", &[]),
    ("k256", &["k256.SHA384", "k256.SHA512"]),
    ("bp256", &[]),
    ("bp384", &[]),
    ("bp512", &[]),
    ("ed25519", &["ed25519.SHA384", "ed25519.SHA512", "ed25519.text"]),
];

fn rekord(key: &str, signature: &str) -> Result<VerifiedEntry, String> {
    rekord_of(&file("artifact.txt"), &file(key), &file(signature))
}

fn rekord_of(artifact: &[u8], key: &[u8], signature: &[u8]) -> Result<VerifiedEntry, String> {
    verify(proposal(Kind::Rekord, artifact, key, Some(signature)))
}

fn canonical(key: &[u8]) -> Vec<u8> {
    parse_key(KeyFormat::Pgp, key).expect("a key").canonical().to_vec()
}

/// The packets of a binary file: tag, body. Old-format headers, as GnuPG writes them, and the new ones.
fn packets(mut file: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut packets = Vec::new();
    while let [first, rest @ ..] = file {
        let number =
            |count: usize| rest[..count].iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
        let (tag, header, length) = match (first & 0x40, first & 3) {
            (0, 0) => ((first & 0x3f) >> 2, 1, number(1)),
            (0, 1) => ((first & 0x3f) >> 2, 2, number(2)),
            (0, _) => panic!("a longer packet than any here"),
            _ if rest[0] < 192 => (first & 0x3f, 1, number(1)),
            _ => (first & 0x3f, 2, number(2) - (192 << 8) + 192),
        };
        packets.push((tag, rest[header..header + length].to_vec()));
        file = &rest[header + length..];
    }
    packets
}

/// Writes packets with the longest headers there are, and with `between` before each but the first.
fn unpacked(packets: &[(u8, Vec<u8>)], between: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, (tag, body)) in packets.iter().enumerate() {
        if number > 0 {
            out.extend_from_slice(between);
        }
        out.extend_from_slice(&[0xc0 | tag, 0xff]);
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        out.extend_from_slice(body);
    }
    out
}

/// The packets inside a stored key or signature.
fn dearmored(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).expect("armor");
    let (_, body) = text.split_once("\n\n").expect("no headers");
    let (body, _) = body.split_once("\n=").expect("a checksum");
    assert!(body.lines().all(|line| line.len() <= 64) && !text.ends_with('\n'));
    indelible_entry::base64::decode(body.as_bytes()).expect("base64")
}

#[test]
fn signatures_of_every_algorithm_are_accepted() {
    for (name, more) in KEYS {
        let key = format!("{name}.pub.asc");
        let signatures = [&[*name], *more].concat();
        for signature in signatures {
            let signature = format!("{signature}.sig");
            rekord(&key, &signature).unwrap_or_else(|error| panic!("{signature}: {error}"));
        }
    }
}

#[test]
fn armor_of_a_signature_is_kept_and_a_binary_one_gets_some() {
    let stored = |signature: &str| {
        let key = PgpKeyring::parse(&file("rsa.pub.asc")).unwrap();
        key.verify_artifact(&file("artifact.txt"), &file(signature)).unwrap().0
    };
    assert_eq!(stored("rsa.sig.asc"), file("rsa.sig.asc"));
    assert!(stored("rsa.sig.asc").starts_with(b"-----BEGIN PGP SIGNATURE-----\nComment: made"));
    let armored = stored("rsa.sig");
    assert!(armored.starts_with(b"-----BEGIN PGP SIGNATURE-----\n\n"));
    assert_eq!(dearmored(&armored), file("rsa.sig"));
    // With text around it, too.
    let key = PgpKeyring::parse(&file("rsa.pub.asc")).unwrap();
    let around = [b"See below\r\n", file("rsa.sig.asc").as_slice(), b"and above"].concat();
    let stored = key.verify_artifact(&file("artifact.txt"), &around).unwrap().0;
    assert_eq!(stored, around);
}

#[test]
fn every_form_of_a_key_has_one_stored_form() {
    for name in ["rsa", "dsa", "p256", "ed25519", "many", "subkey", "revoked", "revokeduid"] {
        let binary = file(&format!("{name}.pub.gpg"));
        let stored = canonical(&binary);
        assert_eq!(canonical(&file(&format!("{name}.pub.asc"))), stored, "{name}");
        assert_eq!(canonical(&stored), stored, "{name}: stored forms read back");
        // Nothing that GnuPG exports is lost; only headers change.
        let found = packets(&dearmored(&stored));
        assert_eq!(found, packets(&binary), "{name}");
        // A marker, a trust packet and one for private use mean nothing.
        let noise = [0xca, 3, b'P', b'G', b'P', 0xcc, 1, 7, 0xfc, 0];
        assert_eq!(canonical(&unpacked(&found, &noise)), stored, "{name}");
    }
    let crlf = String::from_utf8(file("rsa.pub.asc")).unwrap().replace('\n', "\r\n");
    assert_eq!(canonical(crlf.as_bytes()), canonical(&file("rsa.pub.gpg")));
}

#[test]
fn packets_that_say_nothing_to_others_are_dropped() {
    let stored = canonical(&file("rsa.pub.gpg"));
    let found = packets(&file("rsa.pub.gpg"));
    let [primary, user_id, certification, subkey, binding] = found.as_slice() else { panic!() };
    let attribute = (17, vec![2, 1, 7]);
    let padding = (21, vec![7; 9]);
    let version3 = (2, [vec![3, 5, 0x10], vec![0; 12], vec![1, 2, 0, 0, 0, 1, 1]].concat());
    let nameless = (13, b"Nobody vouches <for@this.example>".to_vec());
    let list = |packets: &[&(u8, Vec<u8>)]| {
        let packets: Vec<(u8, Vec<u8>)> = packets.iter().map(|packet| (*packet).clone()).collect();
        unpacked(&packets, &[])
    };
    for (what, key) in [
        ("user attribute", list(&[primary, user_id, certification, &attribute, subkey, binding])),
        ("padding", list(&[primary, user_id, certification, &padding, subkey, binding])),
        ("version 3", list(&[primary, user_id, &version3, certification, subkey, binding])),
        ("nameless", list(&[primary, &nameless, user_id, certification, subkey, binding])),
        (
            "repeated",
            list(&[primary, user_id, certification, user_id, certification, subkey, binding]),
        ),
        ("bound twice", list(&[primary, user_id, certification, subkey, binding, binding])),
        ("stray binding", list(&[primary, binding, user_id, certification, subkey, binding])),
    ] {
        assert_eq!(canonical(&key), stored, "{what}");
    }
    // The other way round, everything that is missing makes it another key or none.
    let other = canonical(&list(&[primary, user_id, certification]));
    assert_ne!(other, stored);
    for (what, key) in [
        ("no user ID", list(&[primary, subkey, binding])),
        ("no certification", list(&[primary, user_id, subkey, binding])),
        ("padding before it", list(&[primary, user_id, &padding, certification, subkey, binding])),
        ("unbound subkey", list(&[primary, user_id, certification, subkey])),
        ("wrong place", list(&[primary, user_id, binding])),
        (
            "subkey's signature by a user ID's",
            list(&[primary, user_id, certification, subkey, certification]),
        ),
        ("no primary key", list(&[user_id, certification])),
        ("message", list(&[primary, user_id, certification, &(11, vec![b'b', 0, 0, 0, 0, 0])])),
    ] {
        assert!(PgpKeyring::parse(&key).is_err(), "{what}");
    }
}

#[test]
fn rings_of_several_keys_are_stored_in_order() {
    let two = canonical(&file("two.pub.asc"));
    assert_eq!(canonical(&file("two.pub.gpg")), two);
    let packets = [
        dearmored(&canonical(&file("rsa.pub.gpg"))),
        dearmored(&canonical(&file("ed25519.pub.gpg"))),
    ];
    assert_eq!(dearmored(&two), packets.concat());
    for signature in ["rsa.sig", "ed25519.sig.asc"] {
        rekord("two.pub.asc", signature).unwrap();
    }
    // One good key is enough, and text between blocks is no matter.
    let mut broken = file("p256.pub.gpg");
    let at = broken.windows(4).position(|window| window == b"Test").expect("a user ID");
    broken[at] = b't';
    assert!(PgpKeyring::parse(&broken).is_err());
    let ring = [broken, file("rsa.pub.gpg")].concat();
    assert_eq!(canonical(&ring), canonical(&file("rsa.pub.gpg")));
    let apart =
        [file("rsa.pub.asc").as_slice(), b"Another key:\n", &file("ed25519.pub.asc")].concat();
    assert_eq!(canonical(&apart), two);
}

#[test]
fn entries_are_found_by_key_address_and_artifact() {
    let entry = rekord("many.pub.asc", "many.sig").unwrap();
    let key = hex::encode(Sha256::digest(canonical(&file("many.pub.gpg"))));
    let artifact = hex::encode(Sha256::digest(file("artifact.txt")));
    let mut expected = vec![
        key.clone(),
        "bare@example.com".into(),
        "many@example.com".into(),
        format!("sha256:{artifact}"),
    ];
    expected.sort_unstable();
    assert_eq!(entry.index_keys(), expected);
    for form in ["many.pub.asc", "many.pub.gpg"] {
        let found = search_key_for_public_key(KeyFormat::Pgp, &file(form)).unwrap();
        assert_eq!(found.as_slice(), std::slice::from_ref(&key));
    }
    assert!(search_key_for_public_key(KeyFormat::Pgp, b"").is_err());
}

#[test]
fn fingerprints_are_those_of_gnupg() {
    let key = PgpKeyring::parse(&file("subkey.pub.gpg")).unwrap();
    let fingerprints = key.fingerprints();
    assert_eq!(fingerprints.len(), 3);
    // A signature names the subkey that made it.
    let signature = hex::encode(file("subkey.sig"));
    assert!(signature.contains(&fingerprints[1]), "{signature} {fingerprints:?}");
}

#[test]
fn wrong_keys_and_changed_bytes_are_refused() {
    let unknown = "openpgp: signature made by unknown entity";
    assert_eq!(rekord("ed25519.pub.asc", "rsa.sig").unwrap_err(), unknown);
    assert_eq!(rekord("ed25519.pub.asc", "rsa.sig.asc").unwrap_err(), unknown);
    // The first whose issuer is known counts.
    rekord("rsa.pub.asc", "p256-rsa.sig").unwrap();
    let mut artifact = file("artifact.txt");
    artifact[0] ^= 1;
    for (name, _) in KEYS {
        let (key, signature) = (file(&format!("{name}.pub.asc")), file(&format!("{name}.sig")));
        let error = rekord_of(&artifact, &key, &signature).unwrap_err();
        assert!(error.ends_with(" verification failure"), "{name}: {error}");
        let mut changed = signature.clone();
        *changed.last_mut().unwrap() ^= 1;
        let error = rekord_of(&file("artifact.txt"), &key, &changed).unwrap_err();
        assert!(error.ends_with(" verification failure"), "{name}: {error}");
    }
    // Text signatures do not depend on line ends, binary ones do.
    let unix = String::from_utf8(file("artifact.txt")).unwrap().replace("\r\n", "\n");
    let key = file("rsa.pub.asc");
    rekord_of(unix.as_bytes(), &key, &file("rsa.text.sig")).unwrap();
    rekord_of(unix.as_bytes(), &key, &file("rsa.sig")).unwrap_err();
}

#[test]
fn every_truncation_is_refused() {
    for name in ["rsa.sig", "ed25519.sig"] {
        let (whole, key) = (file(name), file("two.pub.gpg"));
        for size in 0..whole.len() {
            assert!(rekord_of(&file("artifact.txt"), &key, &whole[..size]).is_err(), "{size}");
        }
    }
    let whole = file("subkey.pub.gpg");
    let all = canonical(&whole);
    for size in 0..whole.len() {
        // Cut behind a whole packet it may be another key, but never the same one.
        let cut = PgpKeyring::parse(&whole[..size]).map(|key| key.canonical().to_vec());
        assert_ne!(cut.as_ref().ok(), Some(&all), "{size}");
    }
}

#[test]
fn keys_are_judged_at_the_time_of_the_signature() {
    let refused = |key: &str, signature: &str| rekord(key, signature).unwrap_err();
    let revoked = "openpgp: signature made by revoked key";
    rekord("expired.pub.asc", "expired.sig").unwrap();
    rekord("revoked.pub.asc", "revoked.before.sig").unwrap();
    assert_eq!(refused("revoked.pub.asc", "revoked.after.sig"), revoked);
    // A compromised key was never good.
    assert_eq!(refused("compromised.pub.asc", "compromised.before.sig"), revoked);
    assert_eq!(refused("compromised.pub.asc", "compromised.after.sig"), revoked);
    rekord("revokedsub.pub.asc", "revokedsub.before.sig").unwrap();
    assert_eq!(refused("revokedsub.pub.asc", "revokedsub.after.sig"), revoked);
    // Another user ID speaks for the key.
    rekord("revokeduid.pub.asc", "revokeduid.after.sig").unwrap();
    // What vouches for the key must be older than the signature.
    rekord("subkey.pub.asc", "subkey.sig").unwrap();
    assert_eq!(refused("later.pub.gpg", "subkey.sig"), "openpgp: signature expired");
}

#[test]
fn secret_keys_that_decrypt_are_refused() {
    let error = PgpKeyring::parse(&file("rsa.secret.asc")).unwrap_err();
    assert_eq!(error.to_string(), "no PGP public keys could be read");
    // One that only signs is read, and its public part stored, as the reference does.
    assert_eq!(canonical(&file("k256.secret.asc")), canonical(&file("k256.pub.gpg")));
}

#[test]
fn what_is_no_key_is_named() {
    let refused = |key: &[u8]| PgpKeyring::parse(key).unwrap_err().to_string();
    assert_eq!(refused(b"short"), "unable to read PGP public key: EOF");
    assert_eq!(refused(&file("rsa.sig.asc")), "invalid PGP type detected");
    let text = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n";
    assert_eq!(refused(text), "no PGP public keys could be read");
    let text = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n";
    assert_eq!(refused(text), "invalid PGP public key provided: EOF");
    assert!(refused(&file("rsa.sig")).contains("first packet was not a public/private key"));
    assert!(refused(&[b' '; 20]).contains("tag byte does not have MSB set"));
}

#[test]
fn what_is_no_signature_is_named() {
    let refused = |signature: &[u8]| {
        rekord_of(&file("artifact.txt"), &file("rsa.pub.asc"), signature).unwrap_err()
    };
    assert_eq!(refused(&file("rsa.pub.asc")), "invalid PGP signature provided");
    assert_eq!(refused(&file("rsa.pub.gpg")), "valid PGP signature was not detected");
    let version3 = [&[0xc2, 26, 3, 5, 0][..], &[0; 12], &[1, 2, 0, 0, 0, 1, 1], &[0; 4]].concat();
    assert_eq!(refused(&version3), "invalid PGP signature: EOF");
    let both = [version3, file("rsa.sig")].concat();
    let text =
        "error reading PGP signature: openpgp: unsupported feature: signature packet version 3";
    assert_eq!(refused(&both), text);
}

/// RFC 9580 appendix A.3.
const VERSION_6: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
";

/// The signature of RFC 9580 appendix A.6, of type 0x01.
const VERSION_6_SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----

wpgGARsKAAAAKQWCY5ijYyIhBssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce6
2azJAAAAAGk2IHZJX1AhiJD39eLuPBgiUU9wUA9VHYblySHkBONKU/usJ9BvuAqo
/FvLFuGWMbKAdA+epq7V4HOtAPlBWmU8QOd6aud+aSunHQaaEJ+iTFjP2OMW0KBr
NK2ay45cX1IVAQ==
-----END PGP SIGNATURE-----
";

#[test]
fn version_6_keys_and_signatures_are_read() {
    let key = PgpKeyring::parse(VERSION_6.as_bytes()).unwrap();
    let fingerprint = "cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9";
    assert_eq!(key.fingerprints()[0], fingerprint);
    assert!(key.subjects().is_empty());
    // The packets are already in their stored form.
    let body = VERSION_6.lines().filter(|line| !line.is_empty() && !line.starts_with('-'));
    let body: String = body.collect();
    let packets = indelible_entry::base64::decode(body.as_bytes()).unwrap();
    assert_eq!(dearmored(key.canonical()), packets);
    let text = "What we need from the grocery store:\n\n- tofu\n- vegetables\n- noodles\n";
    key.verify_artifact(text.as_bytes(), VERSION_6_SIGNATURE.as_bytes()).unwrap();
    let changed = text.replace("tofu", "fish");
    let error =
        key.verify_artifact(changed.as_bytes(), VERSION_6_SIGNATURE.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "openpgp: invalid signature: hash tag doesn't match");
}

#[test]
fn a_changed_key_that_still_reads_has_a_stored_form_that_reads_back() {
    let version6 = dearmored(&canonical(VERSION_6.as_bytes()));
    let keys = ["ed25519.pub.gpg", "revokedsub.pub.gpg", "dsa1024.pub.gpg"].map(file);
    for whole in keys.into_iter().chain([version6]) {
        for at in 0..whole.len() {
            for flip in [0x01, 0x80] {
                let mut changed = whole.clone();
                changed[at] ^= flip;
                if let Ok(key) = PgpKeyring::parse(&changed) {
                    let again =
                        PgpKeyring::parse(key.canonical()).map(|key| key.canonical().to_vec());
                    assert_eq!(again.as_deref(), Ok(key.canonical()), "{at}");
                }
            }
        }
    }
}

#[test]
fn floods_are_refused() {
    let key = file("ed25519.pub.gpg");
    let found = packets(&key);
    let [primary, user_id, certification, ..] = found.as_slice() else { panic!() };
    let certified = unpacked(&[user_id.clone(), certification.clone()], &[]);
    let start = unpacked(&[primary.clone(), user_id.clone(), certification.clone()], &[]);
    let empty_user_ids = [0xcd, 0].repeat(100_000);
    let long_user_id = [&[0xcd, 0xff, 0, 2, 0, 0][..], &[b'a'; 0x2_0000]].concat();
    for (what, flood) in [
        ("packets", [start.clone(), empty_user_ids].concat()),
        ("signatures", [start.clone(), certified.repeat(3_000)].concat()),
        ("keys", key.repeat(2_100)),
        ("bytes in a user ID", [start, long_user_id].concat()),
    ] {
        let error = PgpKeyring::parse(&flood).unwrap_err().to_string();
        assert!(
            error.starts_with("error reading binary PGP public key: openpgp: more than "),
            "{error}"
        );
        assert!(error.ends_with(what) || what == "keys", "{error}");
    }
    let error = PgpKeyring::parse(&vec![0; 9 << 20]).unwrap_err().to_string();
    assert_eq!(error, "PGP data of 9437184 bytes is larger than 4194304");
    // Nothing is allocated by a claimed length.
    for claim in [[0xc6, 0xff, 0xff, 0xff, 0xff, 0xff], [0x9a, 0xff, 0xff, 0xff, 0xff, 4]] {
        assert!(PgpKeyring::parse(&[&claim[..], &[4; 20]].concat()).is_err());
    }
}
