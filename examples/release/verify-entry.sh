#!/usr/bin/env bash
# Verifies one entry of a transparency log, offline, with bash, jq and openssl only:
#
#   verify-entry.sh ENTRY.json LOG-KEY.pem
#
# ENTRY.json is what the log answered to GET /api/v1/log/entries/UUID. LOG-KEY.pem is the log's
# public key, which you should have from a place that you trust.
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: verify-entry.sh ENTRY.json LOG-KEY.pem" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$1" "$work/answer.json"
openssl pkey -pubin -in "$2" -pubout -out "$work/key.pem"

# The verdict on what $1 names: $2 and $3 must be equal.
demand() {
    if [ "$2" != "$3" ]; then
        echo "$1 ===> no match: $2, not $3" >&2
        exit 1
    fi
    echo "$1 ===> ok"
}

# The same for the log's signature $2 (a file) over the bytes of standard input.
demand_signature() {
    if ! openssl dgst -sha256 -verify "$work/key.pem" -signature "$2" >/dev/null 2>&1; then
        echo "$1 ===> no match: not signed by this log key" >&2
        exit 1
    fi
    echo "$1 ===> ok"
}

entry() { jq -er ".[] | $1" "$work/answer.json"; }
sha256() { openssl dgst -sha256 -r | cut -d' ' -f1; }
to_hex() { od -An -v -tx1 | tr -d ' \n'; }
from_hex() { printf '%b' "$(fold -w2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }
node() { from_hex "01$1$2" | sha256; }

# The root that the proof leads to (RFC 9162, section 2.1.3.2).
computed_root() {
    local at=$1 last=$(($2 - 1)) hash=$3 step
    while read -r step; do
        if ((last == 0)); then
            echo "a proof with more hashes than the tree has levels"
            return
        fi
        if ((at % 2 == 1 || at == last)); then
            hash=$(node "$step" "$hash")
            while ((at % 2 == 0 && at != 0)); do
                ((at /= 2, last /= 2)) || true
            done
        else
            hash=$(node "$hash" "$step")
        fi
        ((at /= 2, last /= 2)) || true
    done
    if ((last != 0)); then
        echo "a proof with fewer hashes than the tree has levels"
        return
    fi
    echo "$hash"
}

uuid=$(jq -er 'keys | if length == 1 then .[0] else error("not one entry") end' "$work/answer.json")
leaf=$({ printf '\0'; entry .body | base64 -d; } | sha256)
demand "UUID $uuid" "$leaf" "${uuid: -64}"

log_id=$(openssl pkey -pubin -in "$work/key.pem" -outform DER | sha256)
demand "log ID" "$(entry .logID)" "$log_id"

entry .verification.signedEntryTimestamp | base64 -d >"$work/set.sig"
jq -cSj '.[] | {body, integratedTime, logID, logIndex}' "$work/answer.json" |
    demand_signature "signed entry timestamp" "$work/set.sig"

proof=.verification.inclusionProof
size=$(entry "$proof.treeSize | numbers")
index=$(entry "$proof.logIndex | numbers")
root=$(entry "$proof.rootHash")
demand "index $index in a tree of $size" "$((index >= 0 && index < size))" 1
computed=$(jq -r ".[] | $proof.hashes[]" "$work/answer.json" | computed_root "$index" "$size" "$leaf")
demand "inclusion proof" "$computed" "$root"

# A signed note: origin, size and root, a blank line, and "— NAME SIGNATURE", where the signature
# follows the first four bytes of the log ID.
note=$(entry "$proof.checkpoint")
{ read -r _ && read -r noted_size && read -r noted_root; } <<<"$note"
demand "size in the checkpoint" "$noted_size" "$size"
demand "root in the checkpoint" "$(base64 -d <<<"$noted_root" | to_hex)" "$root"
signature=$(awk '/^— / { print $3; exit }' <<<"${note##*$'\n\n'}" | base64 -d | to_hex)
demand "key in the checkpoint" "${signature:0:8}" "${log_id:0:8}"
from_hex "${signature:8}" >"$work/note.sig"
printf '%s\n' "${note%$'\n\n'*}" | demand_signature "checkpoint" "$work/note.sig"
