//! Chains of certificates and what is refused of them. `make-fixtures/chains.sh` made the certificates with openssl;
//! each rule is tested both ways.

use std::path::Path;

use indelible_entry::keys::x509::X509Verifier;

/// The certificates of `fixtures/chains/` one after the other, as a signer submits them.
fn pem(names: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chains");
    let read = |name: &str| {
        std::fs::read(folder.join(name).with_extension("crt"))
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    names.split(' ').flat_map(read).collect()
}

fn parse(names: &str) -> Result<X509Verifier, String> {
    X509Verifier::parse(&pem(names)).map_err(|error| error.to_string())
}

fn check(names: &str) -> Result<(), String> {
    parse(names)?.verify_chain().map_err(|error| error.to_string())
}

fn all_hold(chains: &[&str]) {
    for chain in chains {
        assert_eq!(check(chain), Ok(()), "{chain}");
    }
}

fn all_fail(reason: &str, chains: &[&str]) {
    for chain in chains {
        let refusal = check(chain).expect_err(chain);
        assert!(refusal.contains(reason), "{chain}: {refusal}");
    }
}

/// Leaves with names under one authority.
fn named(authority: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("lower-{name} {authority} root")).collect()
}

fn each_holds(authority: &str, names: &[&str]) {
    named(authority, names).iter().for_each(|chain| all_hold(&[chain]));
}

fn each_fails(reason: &str, authority: &str, names: &[&str]) {
    named(authority, names).iter().for_each(|chain| all_fail(reason, &[chain]));
}

const UNKNOWN: &str = "signed by unknown authority";
const NOT_AUTHORITY: &str = "not authorized to sign other certificates";
const NOT_VALID: &str = "has expired or is not yet valid";
const TOO_LONG: &str = "too many intermediates for path length constraint";
const UNHANDLED: &str = "unhandled critical extension";
const NOT_FOR_NAME: &str = "not authorized to sign for this name";

#[test]
fn a_chain_leads_from_the_first_certificate_to_the_last() {
    all_hold(&[
        "leaf root",
        "lower intermediate root",
        "lower intermediate",
        "lowest second intermediate root",
        // The helpers may come in any order, and some may be of no help.
        "lowest intermediate second root",
        "leaf stranger-ed448 second root",
        "leaf leaf root root",
        "leaf leaf",
        "self self",
        "self-ca self-ca",
    ]);
    all_fail(
        UNKNOWN,
        &[
            "lower root",
            "lowest intermediate root",
            "root intermediate lower",
            "leaf other-root",
            "self root",
            "self self-ca",
        ],
    );
    all_fail("ECDSA verification failure", &["forged root"]);
    all_hold(&["leaf root root root root root root root root root"]);
    let eleven = parse("leaf root root root root root root root root root root").unwrap_err();
    assert_eq!(eleven, "too many certificates specified in PEM block");
}

#[test]
fn looking_for_a_path_ends() {
    let twins = "twin-1 twin-2 twin-3 twin-4 twin-5 twin-6 twin-7 twin-8";
    all_fail("attempts limit reached", &[&format!("lower {twins} root")]);
    all_hold(&[&format!("lower {twins} intermediate")]);
}

#[test]
fn every_issuer_is_an_authority() {
    all_hold(&["leaf root-any-usage", "leaf root-v1", "leaf-v1 root", "leaf-ca root"]);
    all_fail(
        NOT_AUTHORITY,
        &[
            "leaf root-not-ca",
            "leaf root-unconstrained",
            "leaf root-no-cert-sign",
            "lower intermediate-not-ca root",
            "lower intermediate-unconstrained root",
            "lower intermediate-no-cert-sign root",
            "lower intermediate-v1 root",
        ],
    );
    // As the anchor it may be what it is.
    all_hold(&["lower intermediate-v1"]);
}

#[test]
fn every_certificate_is_valid_when_the_first_becomes_so() {
    all_hold(&["leaf root-just-valid", "leaf root-last-second"]);
    all_fail(
        NOT_VALID,
        &[
            "leaf root-late",
            "leaf root-expired",
            "lower intermediate-late root",
            "lower intermediate-expired root",
        ],
    );
    assert_eq!(check("old-utc old-utc"), Ok(()));
}

#[test]
fn paths_are_no_longer_than_their_authorities_allow() {
    all_hold(&[
        "leaf root-length-0",
        "lower intermediate root-length-1",
        "lower intermediate-length-0 root",
        "lowest second intermediate-length-1 root",
    ]);
    all_fail(
        TOO_LONG,
        &[
            "lower intermediate root-length-0",
            "lowest second intermediate root-length-1",
            "lowest second intermediate-length-0 root",
            "under-self-issued self-issued root-length-0",
        ],
    );
    all_hold(&["under-self-issued self-issued root-length-1"]);
}

#[test]
fn critical_extensions_are_understood() {
    all_hold(&[
        "leaf-unknown-uncritical root",
        "leaf-policies root",
        "lower intermediate-policies root",
        "leaf-named-critically root",
        "lower intermediate-explicit-2 root",
    ]);
    all_fail(
        UNHANDLED,
        &[
            "leaf-unknown root",
            "leaf-unknown leaf-unknown",
            "leaf root-unknown",
            "lower intermediate-unknown root",
            "leaf-unnamed-critically root",
        ],
    );
    all_fail(
        "explicit certificate policy",
        &["lower intermediate-explicit-1 root", "leaf-explicit root"],
    );
    // A single certificate is not judged.
    all_hold(&["leaf-unknown"]);
}

#[test]
fn names_lie_within_the_constraints_of_every_authority_above() {
    let inside = ["dns-in", "email-in", "uri-in", "ip-in"];
    let outside = ["dns-out", "email-out", "uri-out", "ip-out"];
    each_holds("intermediate-permitted", &inside);
    each_fails(NOT_FOR_NAME, "intermediate-permitted", &outside);
    each_holds("intermediate-excluded", &outside);
    each_fails(NOT_FOR_NAME, "intermediate-excluded", &inside);
    each_fails(NOT_FOR_NAME, "intermediate-permitted", &["two", "dns-wildcard"]);
    // An IPv4-mapped address is IPv6, but found by its IPv4 form.
    each_fails("it is not permitted", "intermediate-permitted", &["ip6"]);
    each_fails("it is excluded", "intermediate-excluded", &["ip6"]);
    for authority in ["intermediate-permitted", "intermediate-excluded"] {
        each_fails("no domain to compare", authority, &["uri-address", "uri-no-host"]);
    }
    // The wildcard may stand for the excluded name.
    each_fails("it is excluded", "intermediate-excluded", &["dns-wildcard"]);
    each_holds("intermediate-mailbox", &["email-in", "dns-out"]);
    each_fails(NOT_FOR_NAME, "intermediate-mailbox", &["email-out"]);
    each_fails(NOT_FOR_NAME, "intermediate-uncritical", &["dns-out"]);
    all_hold(&["lower intermediate-permitted root", "lower-dns-in intermediate root-permitted"]);
    all_fail(
        NOT_FOR_NAME,
        &["lower-dns-out intermediate root-permitted", "lower intermediate-named root-permitted"],
    );
    all_hold(&[
        "lower intermediate-named root",
        "lower-dns-in intermediate-directory-uncritical root",
    ]);
    all_fail(UNHANDLED, &["lower-dns-in intermediate-directory root"]);
}

#[test]
fn issuers_sign_with_sha2_and_a_key_of_the_algorithm() {
    for key in ["rsa1024", "rsa2048", "p384", "p521"] {
        for digest in ["sha256", "sha384", "sha512"] {
            assert_eq!(check(&format!("by-{key}-{digest} issuer-{key}")), Ok(()), "{key} {digest}");
        }
    }
    all_hold(&["by-ed25519 issuer-ed25519", "by-p224 issuer-p224"]);
    all_hold(&["by-rsa2048-pss issuer-rsa2048", "by-rsa1024-pss issuer-rsa1024"]);
    all_fail(
        "algorithm unimplemented",
        &[
            "by-rsa2048-sha1 issuer-rsa2048",
            "by-p384-sha224 issuer-p384",
            "by-rsa2048-pss-salt issuer-rsa2048",
        ],
    );
    all_fail("another type of key", &["by-p384-sha256 issuer-rsa2048", "by-ed25519 issuer-p384"]);
    all_fail("verification error", &["by-rsa1024-sha384 issuer-rsa2048"]);
}

#[test]
fn behind_the_first_certificate_keys_may_be_of_any_known_sort() {
    let chain = parse("leaf stranger-ed448").unwrap();
    assert!(chain.verify_chain().unwrap_err().to_string().contains(UNKNOWN));
    assert_eq!(parse("stranger-ed448").unwrap_err(), "unsupported public key type");
    assert_eq!(parse("leaf stranger-k256").unwrap_err(), "x509: unsupported elliptic curve");
}

/// The certificate with every `from` replaced by as many bytes.
fn changed(name: &str, from: &[u8], to: &[u8]) -> Result<X509Verifier, String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let text = String::from_utf8(pem(name)).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut der = STANDARD.decode(body).unwrap();
    let places: Vec<usize> = (0..der.len()).filter(|at| der[*at..].starts_with(from)).collect();
    assert!(!places.is_empty() && from.len() == to.len(), "{name}");
    for at in places {
        der[at..at + to.len()].copy_from_slice(to);
    }
    let text = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(der)
    );
    X509Verifier::parse(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn certificates_are_read_as_authorities_write_them() {
    all_hold(&["long-serial", "old", "old-utc", "leaf-v1"]);
    for (wrong, reason) in
        [("negative-serial", "negative serial number"), ("no-uri", "cannot parse URI")]
    {
        let refusal = parse(wrong).unwrap_err();
        assert!(refusal.contains(reason), "{wrong}: {refusal}");
    }
    // The common name as PrintableString, then with a character that is none of its own.
    changed("leaf", b"\x0c\x04leaf", b"\x13\x04leaf").unwrap();
    let refusal = changed("leaf", b"\x0c\x04leaf", b"\x13\x04le@f").unwrap_err();
    assert!(refusal.contains("invalid RDNSequence"), "{refusal}");
    // The subject's key identifier becomes a second key usage.
    let refusal = changed("leaf", b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x0f").unwrap_err();
    assert!(refusal.contains("duplicate extension with OID \"2.5.29.15\""), "{refusal}");
    // It becomes malformed basic constraints.
    let refusal = changed("leaf", b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x13").unwrap_err();
    assert!(refusal.contains("invalid basic constraints"), "{refusal}");
    // The critical key usage becomes the identifier of the authority's key, of which the self-signed one has none.
    let refusal = changed("old", b"\x06\x03\x55\x1d\x0f", b"\x06\x03\x55\x1d\x23").unwrap_err();
    assert!(refusal.contains("incorrectly marked critical"), "{refusal}");
}

#[test]
fn names_are_indexed_as_the_reference_spells_them() {
    let subjects = |name| parse(name).unwrap().subjects().to_vec();
    assert_eq!(subjects("uri"), ["https://Ex.example/A%20b"]);
    assert_eq!(subjects("user"), ["A user"]);
    assert_eq!(subjects("two-users"), [""; 0]);
    assert_eq!(subjects("lower-ip6"), ["10.1.2.3"]);
    assert_eq!(subjects("leaf-v1"), [""; 0]);
}
