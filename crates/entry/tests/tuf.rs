//! TUF documents that no library writes, signed here: numbers that a double does not hold, repeated members, roles and
//! curves beyond the usual.
//!
//! What is signed is written out in OLPC's canonical JSON, so that nothing under test makes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use indelible_entry as entry;
use serde_json::{Value, json};

use entry::{Policy, ProposedEntry, StoredKeys, VerifiedEntry};

const NOW: i64 = 1_800_000_000;
const ROLE: &str = r#"{"keyids":["k"],"threshold":1}"#;
const TIMESTAMP: &str =
    r#"{"_type":"timestamp","expires":"9999-12-31T23:59:59Z","n":7,"version":3}"#;

/// The key with the ID `k`.
fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A document whose signature is over `signed`, although it may show something else.
fn document(signed: &str, shown: &str) -> String {
    let signature = hex::encode(key().sign(signed.as_bytes()).to_bytes());
    format!(r#"{{"signatures":[{{"keyid":"k","sig":"{signature}"}}],"signed":{shown}}}"#)
}

/// A root with the key `k`, these keys and these roles.
fn root(keys: &str, roles: &str) -> String {
    let public = hex::encode(key().verifying_key().to_bytes());
    let key =
        format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
    let signed = format!(
        r#"{{"_type":"root","expires":"9999-12-31T23:59:59Z","keys":{{"k":{key}{keys}}},"roles":{{{roles}}},"spec_version":"1.0","version":1}}"#
    );
    document(&signed, &signed.replace('\n', "\\n"))
}

fn usual_root() -> String {
    root("", &format!(r#""root":{ROLE},"timestamp":{ROLE}"#))
}

/// Adds the documents as base64 of their text.
fn add(root: &str, metadata: &str) -> Result<VerifiedEntry, String> {
    verify(&spec(&json!(STANDARD.encode(root)), &json!(STANDARD.encode(metadata))).to_string())
}

fn spec(root: &Value, metadata: &Value) -> Value {
    let spec = json!({ "root": { "content": root }, "metadata": { "content": metadata } });
    json!({ "kind": "tuf", "apiVersion": "0.0.1", "spec": spec })
}

fn verify(body: &str) -> Result<VerifiedEntry, String> {
    let proposed = ProposedEntry::parse(body.as_bytes()).expect("a proposal");
    proposed.verify(&Policy::default(), NOW).map_err(|error| {
        assert!(error.is_input(), "{error}");
        error.to_string()
    })
}

/// What the entry keeps of its metadata.
fn stored(entry: &VerifiedEntry) -> String {
    let body: Value = serde_json::from_slice(entry.body()).expect("JSON");
    let content = body["spec"]["metadata"]["content"].as_str().expect("content");
    String::from_utf8(STANDARD.decode(content).expect("base64")).expect("UTF-8")
}

#[test]
fn a_number_counts_as_it_is_stored() {
    let (long, double) = ("9007199254740993", "9007199254740992");
    for member in ["\"n\":7", "\"version\":3"] {
        let name = member.split(':').next().unwrap();
        let with = |number: &str| TIMESTAMP.replace(member, &format!("{name}:{number}"));
        let refusal = add(&usual_root(), &document(&with(long), &with(long))).unwrap_err();
        assert_eq!(refusal, "tuf: valid signatures did not meet threshold");
        // A signature over what a double keeps of it holds, and so it does over the stored document.
        let entry = add(&usual_root(), &document(&with(double), &with(long))).unwrap();
        assert!(stored(&entry).contains(&with(double)));
        assert_eq!(
            verify(std::str::from_utf8(entry.body()).unwrap()).unwrap().body(),
            entry.body()
        );
        assert_eq!(StoredKeys::of(entry.body(), None).unwrap().certain, entry.index_keys());
    }
    for number in ["-0", "1.5", "9223372036854775807"] {
        let with = TIMESTAMP.replace("\"n\":7", &format!("\"n\":{number}"));
        let refusal = add(&usual_root(), &document(&with, &with)).unwrap_err();
        assert!(refusal.ends_with("is no whole number"), "{refusal}");
    }
}

#[test]
fn a_member_that_comes_twice_is_refused_in_text() {
    let twice = TIMESTAMP.replace("\"n\":7", "\"n\":8,\"n\":7");
    let metadata = document(TIMESTAMP, &twice);
    let refusal = add(&usual_root(), &metadata).unwrap_err();
    assert!(refusal.contains("\"n\" comes twice"), "{refusal}");
    // As an object it is what any reader of JSON makes of it.
    let body = spec(&json!("ROOT"), &json!("METADATA")).to_string();
    let body = body.replace("\"ROOT\"", &usual_root()).replace("\"METADATA\"", &metadata);
    assert!(stored(&verify(&body).unwrap()).contains(TIMESTAMP));
}

#[test]
fn a_root_may_speak_of_further_roles() {
    let metadata = document(TIMESTAMP, TIMESTAMP);
    let with = |further: &str| root("", &format!(r#"{further},"root":{ROLE},"timestamp":{ROLE}"#));
    let further = format!(r#""foo":{{"keyids":[],"threshold":2}},"mirrors":{ROLE}"#);
    let entry = add(&with(&further), &metadata).unwrap();
    assert!(entry.index_keys().contains(&"timestamp".to_owned()));
    let refusal = add(&with(r#""foo":{"keyids":["k"],"threshold":0}"#), &metadata).unwrap_err();
    assert_eq!(refusal, "tuf: invalid role threshold");
    for (role, reason) in [
        ("mirrors", "tuf: meta file has wrong type"),
        ("Timestamp", "tuf: unknown role"),
        ("snapshot", "tuf: unknown role"),
    ] {
        let signed = TIMESTAMP.replace("timestamp", role);
        let refusal = add(&with(&further), &document(&signed, &signed)).unwrap_err();
        assert_eq!(refusal, reason, "{role}");
    }
}

#[test]
fn ecdsa_keys_in_pem_are_of_any_curve() {
    // openssl ecparam -name secp384r1 -genkey; printf %s "$TIMESTAMP" | openssl dgst -sha256 -sign
    let p384 = "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEVT7tbm8bIZejWqgEAUeFVhI9gAg7vq1+\n\
    kKRlYmzz4MuSUI+OBu6EY+11ra/1Ui7BAui4htsYZ/76AedQyRtXC8f8XNLirFf0\n\
    8XFhDROFiQPFGfdOr3PwCnPQzW9TZWSR\n\
    -----END PUBLIC KEY-----\n";
    let p384_signature = "3066023100d1978c9cbf7586f1285fed0e2dde06e364befca76853ce1e9aa615cc437a1c79304bb5\
        187ae0d859e94b003edac1bef2023100eb91bbc71de640cf5545139608d911ab44ecf6c9b7a3d1b2\
        b420b3b09f2914ca7671de8c32e8ac614c98023fbc9e557d";
    let p224 = "-----BEGIN PUBLIC KEY-----\n\
    ME4wEAYHKoZIzj0CAQYFK4EEACEDOgAEN0PMFcjUofzoGE8FjKG/JS1wO8lYlfke\n\
    zaOMSLpl39TcPwcXF0q1E0ik3A4NSuVH84jzrm0IbLo=\n\
    -----END PUBLIC KEY-----\n";
    let p224_signature = "303d021c0f6f28e08f0ec7dc49ea23f0f31dbbca51eaa30bd1f8efe65d8fe2f9021d009ad8ccc2bdfc\
        da49cb2e6ca68d0126fd12068d85f892d077f432b661";
    for (kind, pem, signature) in [
        ("ecdsa", p384, p384_signature),
        ("ecdsa", p224, p224_signature),
        ("ecdsa-sha2-nistp256", p384, p384_signature),
    ] {
        let key =
            format!(r#","p":{{"keytype":"{kind}","keyval":{{"public":"{pem}"}},"scheme":"x"}}"#);
        let role = r#"{"keyids":["p"],"threshold":1}"#;
        let root = root(&key, &format!(r#""root":{ROLE},"timestamp":{role}"#));
        let with = |signature: &str| {
            format!(
                r#"{{"signatures":[{{"keyid":"p","sig":"{signature}"}}],"signed":{TIMESTAMP}}}"#
            )
        };
        assert!(stored(&add(&root, &with(signature)).unwrap()).contains(TIMESTAMP));
        let changed = format!("{}00", &signature[..signature.len() - 2]);
        let refusal = add(&root, &with(&changed)).unwrap_err();
        assert_eq!(refusal, "tuf: valid signatures did not meet threshold");
    }
}

// openssl genpkey -algorithm rsa; openssl rsa -RSAPublicKey_out; openssl pkey -pubout;
// printf %s "$TIMESTAMP" | openssl dgst -sha256 -sign key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32
const RSA_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
    MIIBCgKCAQEAsFld+hzZnXQTc0lJeSfV3B2HpMTN94/51zXpoT6GttFsGUFg1R9o\n\
    BiU4YeuN5rWXq8zHEC7hiIi2/dCFtHku2i9zifrFWNwiENJE1l6WUCby1z31E68P\n\
    OR0K8tv9iP8hLBCQRZvpGvwvLifCtIlRj9UdJctX4JnGlrvR3BEoyNa1TlglOQJb\n\
    3c5TKN0Wiy4GdYGPYHveMRyMWxdVbNC9fF/NwBjrrL3MJTYNVouGmdtKrri6jCw2\n\
    kmw1vdM5en6TEuB9PAB7CLxzXI3U2k0AhKxxmVbJ9Mr/PPljcKXaPzmYKBHhPnr5\n\
    LpxzJXBmc7TZKlsi+8nNPut3EHOoQQ8EJwIDAQAB\n\
    -----END RSA PUBLIC KEY-----\n";
const RSA_SPKI: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsFld+hzZnXQTc0lJeSfV\n\
    3B2HpMTN94/51zXpoT6GttFsGUFg1R9oBiU4YeuN5rWXq8zHEC7hiIi2/dCFtHku\n\
    2i9zifrFWNwiENJE1l6WUCby1z31E68POR0K8tv9iP8hLBCQRZvpGvwvLifCtIlR\n\
    j9UdJctX4JnGlrvR3BEoyNa1TlglOQJb3c5TKN0Wiy4GdYGPYHveMRyMWxdVbNC9\n\
    fF/NwBjrrL3MJTYNVouGmdtKrri6jCw2kmw1vdM5en6TEuB9PAB7CLxzXI3U2k0A\n\
    hKxxmVbJ9Mr/PPljcKXaPzmYKBHhPnr5LpxzJXBmc7TZKlsi+8nNPut3EHOoQQ8E\n\
    JwIDAQAB\n\
    -----END PUBLIC KEY-----\n";
const RSA_SIGNATURE: &str = "438d9a5b5f13c9594899768ddf4fdccf8a63ba4a4bd12892e4c37b905bde7f532628ea1ff1760d5d\
    e7188cd78ecd2fa6da9cd3455ce3b84482cec610ba16d836381d25099de4163c7263da6cbed62c74\
    5f414e3e1cbe7388da835ceef604d6f70e14941ee467b389a74957ee122c3499f8a73b969b02e523\
    d3b386e0c4ff07d802688b926d9cc3ff4c90582a31d448eec34c0398a1ef1591c0fa18059f63b636\
    fa00be2fee5e7311ec7f6f48b36c839a675e68806f3db198cac03685453d4912e71109fceeca17c7\
    395806c9711de7fdd513550686d9baa15c217e7b73960ac3af0ed8f66b90f678cc08540bcd7d1a3f\
    73c466e8e60fd7d03ec27bc61c93b3d1";

/// Adds a timestamp with these RSA keys, each of which made this signature.
fn add_rsa(keys: &[&str], signature: &str, threshold: usize) -> Result<VerifiedEntry, String> {
    let (mut listed, mut ids, mut signatures) = (String::new(), Vec::new(), Vec::new());
    for (number, pem) in keys.iter().enumerate() {
        listed += &format!(
            r#","r{number}":{{"keytype":"rsa","keyval":{{"public":"{pem}"}},"scheme":"rsassa-pss-sha256"}}"#
        );
        ids.push(format!(r#""r{number}""#));
        signatures.push(format!(r#"{{"keyid":"r{number}","sig":"{signature}"}}"#));
    }
    let role = format!(r#"{{"keyids":[{}],"threshold":{threshold}}}"#, ids.join(","));
    let root = root(&listed, &format!(r#""root":{ROLE},"timestamp":{role}"#));
    let signatures = signatures.join(",");
    add(&root, &format!(r#"{{"signatures":[{signatures}],"signed":{TIMESTAMP}}}"#))
}

#[test]
fn rsa_keys_are_pkcs1_or_spki_under_any_label() {
    let with = |keys: &[&str], threshold| add_rsa(keys, RSA_SIGNATURE, threshold);
    let labelled = RSA_SPKI.replace(" PUBLIC KEY", " RSA PUBLIC KEY");
    for pem in [RSA_PKCS1, RSA_SPKI, &labelled] {
        assert!(stored(&with(&[pem], 1).unwrap()).contains(TIMESTAMP), "{pem}");
    }
    with(&[RSA_PKCS1, RSA_SPKI], 2).unwrap();
    let other = RSA_PKCS1.replace("MIIBCgKCAQEA", "MIIBCgKCAQAA");
    assert!(with(&[&other], 1).is_err());
    assert!(with(&[RSA_PKCS1.trim_end_matches('\n').trim_end_matches('-')], 1).is_err());
}

/// The results of rekor-cli 1.5.4.
#[test]
fn a_threshold_counts_keys_as_they_are_written() {
    let public = hex::encode(key().verifying_key().to_bytes());
    let first =
        format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
    let edited = |old: &str, new: &str| {
        let other = first.replacen(old, new, 1);
        assert_ne!(other, first);
        other
    };
    for (other, keys) in [
        (first.clone(), 1),
        (edited("{", r#"{"keyid_hash_algorithms":[],"#), 1),
        (edited("{", r#"{"keyid_hash_algorithms":null,"#), 1),
        (edited(r#""scheme":"ed25519""#, r#""scheme":"ed25519","x":1"#), 1),
        (edited("{", r#"{"keyid_hash_algorithms":["sha256"],"#), 2),
        (edited(r#""scheme":"ed25519""#, r#""scheme":"other""#), 2),
        (edited(r#"{"public""#, r#"{"private":"","public""#), 2),
        (edited(&public, &public.to_uppercase()), 2),
    ] {
        let role = |threshold| format!(r#"{{"keyids":["x","y"],"threshold":{threshold}}}"#);
        let listed = format!(r#","x":{first},"y":{other}"#);
        let signature = hex::encode(key().sign(TIMESTAMP.as_bytes()).to_bytes());
        let signatures = ["x", "y"].map(|id| format!(r#"{{"keyid":"{id}","sig":"{signature}"}}"#));
        let signatures = signatures.join(",");
        let metadata = format!(r#"{{"signatures":[{signatures}],"signed":{TIMESTAMP}}}"#);
        for threshold in [1, 2] {
            let roles = format!(r#""root":{ROLE},"timestamp":{}"#, role(threshold));
            let signed_root = root(&listed, &roles);
            assert_eq!(add(&signed_root, &metadata).is_ok(), threshold <= keys, "{other}");
        }
    }
}

/// As [`RSA_SIGNATURE`], with `rsa_pss_saltlen` 10 and 222, the longest that fits.
const SALTED: [&str; 2] = [
    "3304ab9d29220fe8237f37a872925e1bfbd9cdb2e319d88710bee2669a0e031fea0fd0b71176b5e2a39430069d\
    ef305e3f14d53208cb4eb41cc6effe17ed1e34899931f5c7a0dab76fcf90c93f51ac5b8a37b84ab30f7112d8bf\
    1c7de07ea6e4d6d27f6a10ab026c8df7f610b55bc4d9515e33073bfa8ba8f7ad0702ef602074d8f8a5e15b3d76\
    095866c65763321dd9c16d8a4b6e15e47cd6fce5d555f8f0b6c4af07e5b21093b573572707213fbfd3f4d24e3f\
    5ef3698128608cebe8379e1cc89da6d1e5b294c8f4621f121a881bbce381e24ea129ec809d8e23d22908d3172c\
    31577cd163e56f3d7c30fbec638d9b93db97b42efbe807aaa078922f8dc559",
    "0b6671ca6bb001565db0656e3efe4d6174b6d4dc9a10e4f5cc89f31ec4b69e7e8b171c36573615105e8ace55c2\
    7e64d9f3eead7aeaee24116e7968f72abf8cae22948e25e90ef364f696728a5d7922a53b86a030e1667a7fd8e1\
    1a2a537ec86a215d803f5c5d1e742291fd6f749d6f08dfe468a311781328c6b0f7ed27eacae4fb3e0dd47712ec\
    35c0f0bb438f51317951a471a3b332d899e9dc959c0a6a5a5154794be6eac38c67aff5e7d12238cb7c53a0893b\
    051caa88fa8634ff76476a0d648ff252e77ee72d3ea5284c49fd7d2d50fbc2c6e861654f3fec5f98c17b713b2e\
    b95f89264d9d949dc3f2ec9a6b93b7ad2b742ee1b97ef0bc20afd3341528ec",
];
/// Another key, and its signature with the longest salt, of 94 bytes.
const RSA_1024: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
    MIGJAoGBALJbnITry6V8XRmT4nR/ulvsHvlVsMXX3x1ZtYlbw6uDAYNt3qLreDZC\n\
    pd42M8yUZxTzHLwQfpf5GngU4K2CVN+P5h/2b/ux/rVpLP7fweQusI77fAfemugk\n\
    4wq56x8abf7uqDVO79os29UD5s391IKaZiEOnGsZzn0cjOSlMzkvAgMBAAE=\n\
    -----END RSA PUBLIC KEY-----\n";
const RSA_1024_SIGNATURE: &str = "8d057f27deb84e53f87c09038bff2bca7f181e21aaeedce577ebbc5b43f97e31a9df8919575a4ad884612f67ef\
    d2aeb19a4da6e327e1ebfffcd8c88e2c389a09d562cacf52fc4a0d6e3dfeac18e0aefd7ccfd431b24a53a2b496\
    91485ddca617d9654202ca02f9f41c9c3faac55ce3a829384a864fcb71617800b45d628afc28";

#[test]
fn rsa_signatures_have_any_salt_and_keys_from_1024_bits() {
    for (key, signature) in
        [(RSA_PKCS1, SALTED[0]), (RSA_PKCS1, SALTED[1]), (RSA_1024, RSA_1024_SIGNATURE)]
    {
        assert!(stored(&add_rsa(&[key], signature, 1).unwrap()).contains(TIMESTAMP));
        let changed = format!("{}00", &signature[..signature.len() - 2]);
        let refusal = add_rsa(&[key], &changed, 1).unwrap_err();
        assert_eq!(refusal, "tuf: valid signatures did not meet threshold");
    }
}
