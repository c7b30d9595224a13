#!/usr/bin/env bash
# Makes the certificates under ../fixtures/chains/ with openssl; tests/chains.rs puts them together.
#
# Every run makes new keys. On Debian: apt-get install openssl
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../fixtures"
rm -rf chains && mkdir chains
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for name in leaf root intermediate second; do
    openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/$name.key"
done
openssl ecparam -name secp384r1 -genkey -noout -out "$tmp/p384.key"
openssl ecparam -name secp521r1 -genkey -noout -out "$tmp/p521.key"
openssl ecparam -name secp224r1 -genkey -noout -out "$tmp/p224.key"
openssl ecparam -name secp256k1 -genkey -noout -out "$tmp/k256.key"
openssl genpkey -algorithm ed25519 -out "$tmp/ed25519.key"
openssl genpkey -algorithm ed448 -out "$tmp/ed448.key"
for bits in 1024 2048; do
    openssl genpkey -algorithm rsa -pkeyopt "rsa_keygen_bits:$bits" -out "$tmp/rsa$bits.key" 2> /dev/null
done

cat > "$tmp/ca.cnf" <<'END'
[ca]
default_ca = authority
[authority]
database = $ENV::DATABASE
new_certs_dir = $ENV::NEW
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = optional
[req]
distinguished_name = any
END
export DATABASE="$tmp/index" NEW="$tmp/new"
mkdir "$NEW"
: > "$DATABASE"

# file, subject, its key, issuer, the issuer's key; then lines of extensions. Without any it is version 1.
# START, END, DIGEST and SIGOPT change the rest.
certificate() {
    local file=$1 subject=$2 key=$3 issuer=$4 issuer_key=$5
    shift 5
    local digest=${DIGEST:-sha256}
    case $issuer_key in ed*) digest=default ;; esac
    openssl req -new -config "$tmp/ca.cnf" -key "$tmp/$key.key" -subj "/CN=$subject" -out "$tmp/csr"
    # A certificate of the issuer's name; only the name is taken from it.
    openssl req -x509 -new -config "$tmp/ca.cnf" -key "$tmp/$issuer_key.key" -subj "/CN=$issuer" -out "$tmp/issuer"
    printf '%s\n' "$@" > "$tmp/extensions"
    local options=()
    if [ -n "${SIGOPT:-}" ]; then
        for option in $SIGOPT; do options+=(-sigopt "$option"); done
    fi
    openssl ca -batch -notext -config "$tmp/ca.cnf" -md "$digest" -cert "$tmp/issuer" \
        -keyfile "$tmp/$issuer_key.key" -startdate "${START:-20240101000000Z}" -enddate "${END:-21240101000000Z}" \
        -extfile "$tmp/extensions" "${options[@]}" -in "$tmp/csr" -out "chains/$file.crt" 2> "$tmp/log" ||
        { cat "$tmp/log" >&2; exit 1; }
}
root() { local file=$1; shift; certificate "$file" root root root root "$@"; }
intermediate() { local file=$1; shift; certificate "$file" intermediate intermediate root root "$@"; }
leaf() { local file=$1; shift; START=${START:-20250101000000Z} certificate "$file" leaf leaf root root "$@"; }
# Under the intermediate.
lower() { local file=$1; shift; START=20250101000000Z certificate "$file" leaf leaf intermediate intermediate "$@"; }
plain='keyUsage=critical,digitalSignature'
ca='basicConstraints=critical,CA:TRUE'
sign='keyUsage=critical,keyCertSign,cRLSign'
unknown='1.2.3.4=critical,DER:0500'
policy='certificatePolicies=critical,1.2.3'

root root "$ca" "$sign"
leaf leaf "$plain"
intermediate intermediate "$ca" "$sign"
lower lower "$plain"
certificate second second second intermediate intermediate "$ca"
certificate lowest leaf leaf second second "$plain"

# The authority's flag, its key's usage, versions.
root root-not-ca 'basicConstraints=critical,CA:FALSE'
root root-unconstrained 'subjectKeyIdentifier=hash'
root root-no-cert-sign "$ca" "$plain"
root root-any-usage "$ca"
root root-v1
intermediate intermediate-not-ca 'basicConstraints=critical,CA:FALSE'
intermediate intermediate-unconstrained 'subjectKeyIdentifier=hash'
intermediate intermediate-no-cert-sign "$ca" "$plain"
intermediate intermediate-v1
leaf leaf-v1
leaf leaf-ca "$ca" "$sign"
certificate self leaf leaf leaf leaf "$plain"
certificate self-ca leaf leaf leaf leaf "$ca" "$sign"

# Validity: a leaf becomes valid at the first moment of 2025.
START=20250101000001Z root root-late "$ca"
START=20250101000000Z root root-just-valid "$ca"
END=20241231235959Z root root-expired "$ca"
END=20250101000000Z root root-last-second "$ca"
START=20250101000001Z intermediate intermediate-late "$ca"
END=20241231235959Z intermediate intermediate-expired "$ca"

# Path length.
root root-length-0 "$ca,pathlen:0"
root root-length-1 "$ca,pathlen:1"
intermediate intermediate-length-0 "$ca,pathlen:0"
intermediate intermediate-length-1 "$ca,pathlen:1"
certificate self-issued root intermediate root root "$ca"
certificate under-self-issued leaf leaf root intermediate "$plain"

# One holder eight times over, who could stand in any order if the anchor were theirs.
for twin in {1..8}; do
    certificate "twin-$twin" intermediate intermediate intermediate intermediate "$ca" "subjectAltName=DNS:$twin.example"
done

# Critical extensions.
root root-unknown "$ca" "$unknown"
intermediate intermediate-unknown "$ca" "$unknown"
leaf leaf-unknown "$plain" "$unknown"
leaf leaf-unknown-uncritical "$plain" '1.2.3.4=DER:0500'
leaf leaf-policies "$plain" "$policy"
intermediate intermediate-policies "$ca" "$policy" 'inhibitAnyPolicy=critical,0' \
    'policyConstraints=critical,inhibitPolicyMapping:0' 'extendedKeyUsage=critical,codeSigning' \
    'crlDistributionPoints=critical,URI:http://x.example/crl'
intermediate intermediate-explicit-1 "$ca" 'policyConstraints=critical,requireExplicitPolicy:1'
intermediate intermediate-explicit-2 "$ca" 'policyConstraints=critical,requireExplicitPolicy:2'
leaf leaf-explicit "$plain" 'policyConstraints=critical,requireExplicitPolicy:0'
leaf leaf-named-critically "$plain" 'subjectAltName=critical,DNS:a.example,RID:1.2.3'
leaf leaf-unnamed-critically "$plain" 'subjectAltName=critical,RID:1.2.3'

# Name constraints.
constraints() { # permitted or excluded
    echo "nameConstraints=critical,$1;DNS:ok.example,$1;email:ok.example,$1;URI:.ok.example,$1;IP:10.0.0.0/255.0.0.0"
}
intermediate intermediate-permitted "$ca" "$(constraints permitted)"
intermediate intermediate-excluded "$ca" "$(constraints excluded)"
intermediate intermediate-mailbox "$ca" 'nameConstraints=critical,permitted;email:a@ok.example'
intermediate intermediate-directory "$ca" 'nameConstraints=critical,permitted;dirName:name' '[name]' 'CN=x'
intermediate intermediate-directory-uncritical "$ca" 'nameConstraints=permitted;dirName:name' '[name]' 'CN=x'
intermediate intermediate-uncritical "$ca" 'nameConstraints=permitted;DNS:ok.example'
root root-permitted "$ca" "$(constraints permitted)"
intermediate intermediate-named "$ca" 'subjectAltName=DNS:other.example'
named() { lower "lower-$1" "$plain" "subjectAltName=$2"; }
named dns-in DNS:a.OK.example
named dns-out DNS:xok.example
named dns-wildcard 'DNS:*.example'
named email-in email:a@ok.example
named email-out email:b@other.example
named uri-in URI:https://u@h.ok.example:80/x
named uri-out URI:https://ok.example/x
named uri-address URI:https://10.1.2.3/
named uri-no-host URI:urn:x:y
named ip-in IP:10.1.2.3
named ip-out IP:11.1.2.3
named ip6 IP:::ffff:10.1.2.3
named two 'DNS:ok.example,DNS:other.example'

# Signatures of issuers.
signed() { # name of the pair, the issuer's key
    certificate "by-$1" leaf leaf "issuer" "$2" "$plain"
    [ -e "chains/issuer-$2.crt" ] || DIGEST=sha256 SIGOPT='' certificate "issuer-$2" issuer "$2" issuer "$2" "$ca"
}
for key in rsa1024 rsa2048 p384 p521; do
    for digest in sha256 sha384 sha512; do DIGEST=$digest signed "$key-$digest" "$key"; done
done
signed ed25519 ed25519
signed p224 p224
DIGEST=sha1 signed rsa2048-sha1 rsa2048
DIGEST=sha224 signed p384-sha224 p384
pss='rsa_padding_mode:pss rsa_pss_saltlen'
DIGEST=sha256 SIGOPT="$pss:32" signed rsa2048-pss rsa2048
DIGEST=sha384 SIGOPT="$pss:48" signed rsa1024-pss rsa1024
DIGEST=sha256 SIGOPT="$pss:48" signed rsa2048-pss-salt rsa2048
certificate forged leaf leaf root second "$plain"
certificate other-root Root root Root root "$ca"

# A key that nothing verifies with here, and what is none.
certificate stranger-ed448 stranger ed448 stranger ed448 "$plain"
certificate stranger-k256 stranger k256 stranger k256 "$plain"

# What certificates may hold.
serial=$(printf '80%.0s' {1..30})
openssl req -x509 -new -config "$tmp/ca.cnf" -key "$tmp/leaf.key" -subj /CN=leaf -set_serial "0x$serial" \
    -out chains/long-serial.crt
openssl req -x509 -new -config "$tmp/ca.cnf" -key "$tmp/leaf.key" -subj /CN=leaf -set_serial -1 \
    -out chains/negative-serial.crt
START=19600101000000Z certificate old leaf leaf leaf leaf "$plain"
START=600101000000Z certificate old-utc leaf leaf leaf leaf "$plain"
leaf uri "$plain" 'subjectAltName=URI:HTTPS://Ex.example/A b'
leaf no-uri "$plain" 'subjectAltName=URI:https://a b/'
leaf user "$plain" 'subjectAltName=otherName:1.3.6.1.4.1.57264.1.7;IA5STRING:A user'
leaf two-users "$plain" 'subjectAltName=otherName:1.3.6.1.4.1.57264.1.7;UTF8:A user,otherName:1.2.3;UTF8:Another'
