#!/usr/bin/env bash
# Verifies that a release is the one whose provenance was logged, as Tekton publishes it for its
# releases:
#
#   verify-release.sh UUID RELEASE.yaml
#
# The client proves that the attestation is in the log; then RELEASE.yaml must name each image of the
# attestation with exactly the same digest, and no other image (verify-images.sh says how far that
# goes). One line per image; exit status 1 unless there is one and all match.
#
# ALLOWED_IMAGES is a file with a line NAME@sha256:DIGEST for each image of others that RELEASE.yaml
# may name as well (Tekton's -shell-image, say); without it there is none.
# REKOR_SERVER is the log (default http://127.0.0.1:3000), REKOR_CLI its client (default
# indelible-cli; rekor-cli works as well). Needs bash and jq.
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: verify-release.sh UUID RELEASE.yaml" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
server=${REKOR_SERVER:-http://127.0.0.1:3000}
cli=${REKOR_CLI:-indelible-cli}

attestation=$("$cli" get --rekor_server "$server" --uuid "$1" --format json | jq -r .Attestation)
images=$(jq -r '.subject[] | .name + "@sha256:" + .digest.sha256' <<<"$attestation")
if [ -z "$images" ]; then
    echo "the attestation of $1 names no image" >&2
    exit 1
fi
"$here/verify-images.sh" "$2" <<<"$images"
