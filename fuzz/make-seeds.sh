#!/bin/sh
# Writes the seed corpora and the test key that some targets check signatures with.
#
# Needs openssl, and the files that crates/entry/tests/make-fixtures/pgp.sh makes. Keys are new at each run, so every seed changes with it; commit them together.
set -eu

fuzz=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# seed TARGET NAME: standard input becomes a seed.
seed() {
    mkdir -p "$fuzz/corpus/$1"
    cat >"$fuzz/corpus/$1/$2"
}

b64() { base64 -w0 "$1"; }

# entry KIND VERSION NAME: standard input is the spec of a proposal.
entry() {
    { printf '{"kind":"%s","apiVersion":"%s","spec":' "$1" "$2"; cat; printf '}'; } | seed proposed_entry "$3"
}

rm -rf "$fuzz/corpus"
mkdir -p "$fuzz/keys"
printf 'artifact' >artifact

# --- keys and certificates ---
openssl ecparam -name prime256v1 -genkey -noout -out ec.key
openssl ec -in ec.key -pubout -out ec.pub 2>/dev/null
cp ec.pub "$fuzz/keys/ecdsa-test-key.pub.pem"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key 2>/dev/null
openssl pkey -in rsa.key -pubout -out rsa.pub
openssl genpkey -algorithm ed25519 -out ed.key
openssl pkey -in ed.key -pubout -out ed.pub
openssl req -x509 -new -key ec.key -subj '/CN=Test CA' -days 3650 -out ca.crt \
    -addext 'basicConstraints=critical,CA:TRUE'
openssl req -new -key ed.key -subj '/CN=Test leaf' -out leaf.csr
printf 'subjectAltName=email:test@example.com,DNS:example.com,URI:https://example.com/a,IP:::1,%s' \
    'otherName:1.3.6.1.4.1.57264.1.7;UTF8:test!example.com' >leaf.ext
openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ec.key -days 3650 -extfile leaf.ext -out leaf.crt 2>/dev/null
cat leaf.crt ca.crt >chain.crt
for file in ec.pub rsa.pub ed.pub leaf.crt chain.crt; do
    seed x509 "$file" <"$file"
done
for file in ec.pub chain.crt; do
    seed pem "$file" <"$file"
done
printf 'text before\n-----BEGIN A-----\r\nProc-Type: 4\r\nB: c\r\n\r\naGVs\r\n bG8=\t\r\n-----END A-----  \r\n' | seed pem headers
printf -- '-----BEGIN A-----\n-----BEGIN B-----\nAA==\n-----END C-----\n-----BEGIN D-----\n-----END D-----' | seed pem broken

# --- signatures ---
openssl dgst -sha256 -sign ec.key -out artifact.sig artifact
digest=$(openssl dgst -sha256 -r artifact | cut -d' ' -f1)
statement='{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"a","digest":{"sha256":"00"}}]}'
printf '%s' "$statement" >payload
type=application/vnd.in-toto+json
printf 'DSSEv1 %d %s %d %s' ${#type} "$type" ${#statement} "$statement" >pae
openssl dgst -sha256 -sign ec.key -out pae.sig pae
printf '{"payloadType":"%s","payload":"%s","signatures":[{"keyid":"","sig":"%s"}]}' \
    "$type" "$(b64 payload)" "$(b64 pae.sig)" >envelope.json
seed dsse statement <envelope.json
printf '{"payloadType":"text/plain","payload":"","signatures":[{"sig":"AA=="},{"sig":"AA=="}]}' | seed dsse refused

# --- proposals ---
printf '{"data":{"hash":{"algorithm":"sha256","value":"%s"}},"signature":{"content":"%s","publicKey":{"content":"%s"}}}' \
    "$digest" "$(b64 artifact.sig)" "$(b64 ec.pub)" | entry hashedrekord 0.0.1 hashedrekord
printf '{"data":{"content":"%s"},"signature":{"format":"x509","content":"%s","publicKey":{"content":"%s"}}}' \
    "$(b64 artifact)" "$(b64 artifact.sig)" "$(b64 ec.pub)" | entry rekord 0.0.1 rekord-x509
text=$(sed 's/"/\\"/g' envelope.json)
printf '{"proposedContent":{"envelope":"%s","verifiers":["%s"]}}' "$text" "$(b64 ec.pub)" | entry dsse 0.0.1 dsse
printf '{"content":{"envelope":"%s"},"publicKey":"%s"}' "$text" "$(b64 ec.pub)" | entry intoto 0.0.1 intoto-001
printf '%s' "$(b64 pae.sig)" >sig.b64
printf '%s' "$(b64 payload)" >payload.b64
hash=$(openssl dgst -sha256 -r envelope.json | cut -d' ' -f1)
printf '{"content":{"envelope":{"payloadType":"%s","payload":"%s","signatures":[{"sig":"%s","publicKey":"%s"}]},"hash":{"algorithm":"sha256","value":"%s"}}}' \
    "$type" "$(b64 payload.b64)" "$(b64 sig.b64)" "$(b64 ec.pub)" "$hash" | entry intoto 0.0.2 intoto-002

# --- the other formats: what the golden tests are made of ---
fixtures="$fuzz/../crates/entry/tests/fixtures"
# copy TARGET FILE...: fixtures become seeds; the first is the key of the target.
copy() {
    target=$1
    key=$2
    shift 2
    [ -z "$key" ] || seed "$target" key.pub <"$fixtures/$key"
    for file in "$@"; do
        seed "$target" "$(basename "$file")" <"$fixtures/$file"
    done
}
copy alpine alpine/prime256v1.pub alpine/prime256v1.apk alpine/changed.apk
copy cose cose/prime256v1.pub cose/es256.cbor cose/statement.cbor
copy jar '' jar/ec.jar
copy minisign minisign/minisign.pub minisign/hashed.minisig minisign/signify.pub minisign/signify.sig
copy rfc3161 '' rfc3161/prime256v1.tsr
copy ssh ssh/ed25519-256.pub ssh/ed25519-256.sig ssh/certificate.pub ssh/rsa-3072.pub ssh/dsa-1024.pub
copy x509 '' x509/secp224r1.pub
copy tuf '' tuf/ed25519/root.json
unzip -p "$fixtures/jar/ec.jar" META-INF/K.EC | seed pkcs7 block
copy pgp pgp/ed25519.pub.gpg pgp/dsa1024.pub.gpg pgp/subkey.pub.asc pgp/revoked.pub.gpg pgp/k256.secret.asc pgp/ed25519.sig
copy helm pgp/ed25519.pub.gpg pgp/ed25519.prov
copy rpm pgp/ed25519.pub.gpg pgp/header-ed25519.rpm
printf '{"data":{"content":"%s"},"signature":{"format":"pgp","content":"%s","publicKey":{"content":"%s"}}}' \
    "$(b64 "$fixtures/pgp/artifact.txt")" "$(b64 "$fixtures/pgp/ed25519.sig")" "$(b64 "$fixtures/pgp/ed25519.pub.gpg")" |
    entry rekord 0.0.1 rekord-pgp
# A proposal of every other kind.
printf '{"chart":{"provenance":{"content":"%s"}},"publicKey":{"content":"%s"}}' \
    "$(b64 "$fixtures/pgp/ed25519.prov")" "$(b64 "$fixtures/pgp/ed25519.pub.gpg")" | entry helm 0.0.1 helm
for kind in rpm:pgp/header-ed25519.rpm:pgp/ed25519.pub.gpg alpine:alpine/prime256v1.apk:alpine/prime256v1.pub; do
    file=${kind#*:}
    printf '{"package":{"content":"%s"},"publicKey":{"content":"%s"}}' \
        "$(b64 "$fixtures/${file%:*}")" "$(b64 "$fixtures/${file#*:}")" | entry "${kind%%:*}" 0.0.1 "${kind%%:*}"
done
printf '{"data":{},"message":"%s","publicKey":"%s"}' \
    "$(b64 "$fixtures/cose/statement.cbor")" "$(b64 "$fixtures/cose/prime256v1.pub")" | entry cose 0.0.1 cose
printf '{"archive":{"content":"%s"}}' "$(b64 "$fixtures/jar/ec.jar")" | entry jar 0.0.1 jar
printf '{"tsr":{"content":"%s"}}' "$(b64 "$fixtures/rfc3161/prime256v1.tsr")" | entry rfc3161 0.0.1 rfc3161
printf '{"metadata":{"content":%s},"root":{"content":%s}}' \
    "$(cat "$fixtures/tuf/ed25519/timestamp.json")" "$(cat "$fixtures/tuf/ed25519/root.json")" | entry tuf 0.0.1 tuf
