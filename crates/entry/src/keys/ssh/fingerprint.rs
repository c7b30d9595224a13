//! OpenSSH's fingerprints (`ssh-keygen -l`), also of keys that came in another format.
//!
//! Border: writing keys in wire format (RFC 4253 section 6.6, RFC 5656 section 3.1,
//! RFC 8709 section 4).

use sha2::{Digest as _, Sha256};

use super::super::ecdsa::Curve;
use super::super::x509::PublicKey;
use super::wire;

/// The fingerprint of a key in wire format: `SHA256:` and the unpadded base64 of the
/// SHA-256.
pub(crate) fn of_blob(blob: &[u8]) -> String {
    let digest = crate::base64::encode(Sha256::digest(blob));
    format!("SHA256:{}", digest.trim_end_matches('='))
}

/// The fingerprint that the key would have in OpenSSH; P-224 has none there.
pub(crate) fn of_public_key(key: &PublicKey) -> Option<String> {
    blob(key).map(|blob| of_blob(&blob))
}

fn blob(key: &PublicKey) -> Option<Vec<u8>> {
    if let Some(rsa) = key.as_rsa() {
        let exponent = rsa.exponent().to_be_bytes();
        return Some(wire::strings(&[b"ssh-rsa", &integer(&exponent), &integer(rsa.modulus())]));
    }
    if let Some(ecdsa) = key.as_ecdsa() {
        let (name, curve): (&[u8], &[u8]) = match ecdsa.curve() {
            Curve::P224 => return None,
            Curve::P256 => (b"ecdsa-sha2-nistp256", b"nistp256"),
            Curve::P384 => (b"ecdsa-sha2-nistp384", b"nistp384"),
            Curve::P521 => (b"ecdsa-sha2-nistp521", b"nistp521"),
        };
        return Some(wire::strings(&[name, curve, ecdsa.point()]));
    }
    key.as_ed25519().map(|key| wire::strings(&[b"ssh-ed25519", key.as_bytes()]))
}

/// An mpint's content: no leading zeros, but one when the top bit is set.
fn integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let magnitude = &magnitude[zeros..];
    match magnitude.first() {
        Some(first) if first & 0x80 != 0 => [&[0], magnitude].concat(),
        _ => magnitude.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        // ssh-keygen -i -m PKCS8 -f key.pem | ssh-keygen -lf -
        for (pem, expected) in [
            (
                "-----BEGIN PUBLIC KEY-----\n\
                 MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2Ku8o4V+HnYSnSZ6MXCF\n\
                 Zi2ex1TMD4DrHnffSg4m6s1yrye7HkXa6w/A+Y0H8KomE7TJfLGtIh2nWKcV4Uub\n\
                 1jTaEr02V2+Z2ITHKv+xtq9Bi7p7NWrdUKW5auTvkPUOmArrCnyQ5mNu2AQxYqyt\n\
                 4n/x8BXEsyQ2znGb4+TM13zrJaI1TBxmgWIeTb1Uo/EYIsdyxxx1gj8/CrTaCsYz\n\
                 FTTnan8Hn5kOELiXeNf9Fut2q8lYk7vZQnSjFhpRav1excIwvW63INOpadXXMjf3\n\
                 E/z5IRuRONUDLIPrRPlpSOzq6o1lq8VxIvS+an1XXjO3YJnzxbCp836/VY5PQOei\n\
                 DwIDAQAB\n\
                 -----END PUBLIC KEY-----\n",
                "SHA256:B19R7B8jO1v0jjQdWTJMgNoWsmlwhDp3zCHm7AQ9lmQ",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\n\
                 MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmc+TaOWtuHtwhmAt8O1gkH8UxOAi\n\
                 hfulAsPrBOl+Sd81E0e4HwNaM8TqFlhqKNDttFqbGJp/BSTE/T7iGBJhxQ==\n\
                 -----END PUBLIC KEY-----\n",
                "SHA256:RPSggxhWu7C573/GNaVq0eZl9oA4j3yd/wSrhAFqZs0",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\n\
                 MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEdTwVFh5G5rY+mbqKb4zA4hJ2S/1CuVpO\n\
                 GeJXnQCc+HIlmicoyoMxG5Yi5AxwPjDoBq3K96qPo9CHbIaIBKr2ncAPGvFSdhly\n\
                 IRtAw+wQLoeulmSFjWiH5fBS4IG3UX8K\n\
                 -----END PUBLIC KEY-----\n",
                "SHA256:NUmDqYv3hLlBG2u/RSV/dGWWXMi5MyAPdIIgIX+VSZg",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\n\
                 MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAEGJlvz7Avts4dXIkuLNHiswMyV2D\n\
                 fXtaU6Exs+4CFJ7W1nC4nmKWOfT7vsbR0qAPCGrq0W6REAGyNdbYKyv9f1EAjkw1\n\
                 eS50OJI+7RFOnx6vRDEEOoBvATKGcQF3s6YUZErLzAjMY2dbjPOjEJQijvlre3jJ\n\
                 Z8GOmRyrKJcIeK6zklw=\n\
                 -----END PUBLIC KEY-----\n",
                "SHA256:A35lTG/ASTFWrzrQGGMpHKrIg0oAeuWQctnAhez0234",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\n\
                 MCowBQYDK2VwAyEAEKneaLtLXDSCqnMejOGPJBv2VGXKzDy101etpyAMVBk=\n\
                 -----END PUBLIC KEY-----\n",
                "SHA256:TfHpgvX1J1KIHRpbio2b/HcX3YPiLmNhfUx8+ArwPBw",
            ),
        ] {
            assert_eq!(
                of_public_key(&PublicKey::from_pem(pem).unwrap()),
                Some(expected.to_owned())
            );
        }
    }
}
