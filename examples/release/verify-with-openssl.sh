#!/usr/bin/env bash
# Verifies a release like verify-release.sh, without any client of the log:
#
#   verify-with-openssl.sh UUID RELEASE.yaml [SIGNER.pub]
#
# Checked: the entry is in the log (verify-entry.sh), its attestation is the one that was signed,
# the signature, and that RELEASE.yaml names each image of the attestation with the same digest and
# no other image (verify-images.sh). With SIGNER.pub, a PEM file, the signature must be by that key;
# without it, by the key in the entry.
#
# ALLOWED_IMAGES is a file of images that RELEASE.yaml may name as well, as for verify-release.sh.
# REKOR_SERVER is the log (default http://127.0.0.1:3000). SIGSTORE_REKOR_PUBLIC_KEY is a file with
# the log's public key, from a place that you trust; without it the log is asked for it, which
# proves no more than that its answers agree. Needs bash, curl, jq and openssl.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    echo "usage: verify-with-openssl.sh UUID RELEASE.yaml [SIGNER.pub]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
server=${REKOR_SERVER:-http://127.0.0.1:3000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The verdict on what $1 names, which the command after it gives.
demand() {
    local what=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        echo "$what ===> no match" >&2
        exit 1
    fi
    echo "$what ===> ok"
}

curl -sSf "$server/api/v1/log/entries/$1" >"$work/entry.json"
uuid=$(jq -r 'keys | join(" ")' "$work/entry.json")
demand "the answer is entry $1" test "${uuid: -${#1}}" = "${1,,}"
if [ -n "${SIGSTORE_REKOR_PUBLIC_KEY:-}" ]; then
    cp "$SIGSTORE_REKOR_PUBLIC_KEY" "$work/log.pub"
else
    curl -sSf "$server/api/v1/log/publicKey" >"$work/log.pub"
fi
"$here/verify-entry.sh" "$work/entry.json" "$work/log.pub"

# What the log keeps of an intoto entry: the signature (base64 twice over), its key, and the hash of
# the payload. The payload itself is the attestation beside it.
jq -r '.[].body' "$work/entry.json" | base64 -d >"$work/body.json"
demand "an intoto 0.0.2 entry with one signature" jq -e '.kind == "intoto"
    and .apiVersion == "0.0.2" and (.spec.content.envelope.signatures | length == 1)' \
    "$work/body.json"
content() { jq -er ".spec.content | $1" "$work/body.json"; }
jq -er '.[].attestation.data' "$work/entry.json" | base64 -d >"$work/payload"
payload_hash=$(openssl dgst -sha256 -r "$work/payload" | cut -d' ' -f1)
demand "attestation" test "$payload_hash" = "$(content .payloadHash.value)"

type=$(content .envelope.payloadType)
{
    printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <"$work/payload")"
    cat "$work/payload"
} >"$work/pae"
content '.envelope.signatures[0].sig' | base64 -d | base64 -d >"$work/pae.sig"
content '.envelope.signatures[0].publicKey' | base64 -d >"$work/entry.pub"
signer=${3:-$work/entry.pub}
demand "signature over the attestation" \
    openssl dgst -sha256 -verify "$signer" -signature "$work/pae.sig" "$work/pae"

images=$(jq -r '.subject[] | .name + "@sha256:" + .digest.sha256' "$work/payload")
demand "the attestation names images" test -n "$images"
"$here/verify-images.sh" "$2" <<<"$images"
