#!/usr/bin/env bash
# Verifies that a file of Kubernetes resources names the images that it is told, and no others:
#
#   verify-images.sh RELEASE.yaml <IMAGES
#
# IMAGES has a line NAME@sha256:DIGEST each. "===> ok" or "===> no match" is said of each of them:
# whether it occurs outside of comments as a word of its own, perhaps with a tag behind the name,
# which says nothing beside a digest. "===> not attested" is said of everything else that is the
# value of a key `image`, or is named by digest anywhere (a Tekton controller is told its images in
# `args`), but for what the file ALLOWED_IMAGES has, in such lines: images of others that the
# release may name as well. Exit status 1 unless all is ok and there is an image.
#
# The file is read word by word, not as YAML, and in doubt it is refused: a foreign image is
# noticed in a comment, too, and a comment between `image` and its value is not attested whatever it
# says, nor is an alias that is a key. Not noticed are a tag without a digest under another key, in
# an argument or in the environment; a key that is spelled with escapes; and which container an
# image is for. Whoever applies the file trusts its author with all of that, and with what the
# resources may do.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: verify-images.sh RELEASE.yaml <IMAGES" >&2
    exit 2
fi
# Bytes are bytes, so that none of them is a letter, or an error, by somebody's locale.
export LC_ALL=C

# NAME:TAG@DIGEST without the tag. (A colon in front of all is a key's.)
untagged() { sed -E 's/([^:]):[[:alnum:]_.-]+@/\1@/'; }

# The words of standard input, one a line. Quotes, brackets, commas and "=" end a word, too.
words() { tr -sc '[:graph:]' ' ' | tr -s ' "'\''{}[],=' '\n' | untagged; }

# Of such words the value of each key `image`; a key that follows instead begins a schema. Also what
# might hide one: a comment in front of the colon, and an alias that is a key itself.
values() {
    awk '
        last == "alias" && /^[:#]/ { print alias }
        last == "image" && /^#/ { print }
        last == "image" && sub(/^:/, "") { last = "key"; if ($0 == "") next }
        last == "key" && !/^[A-Za-z_-]+:$/ { print }
        { last = "" }
        $0 == "image" { last = "image" }
        $0 == "image:" { last = "key" }
        /^\*[A-Za-z0-9_-]/ { last = "alias"; alias = $0; if (/:$/) print }'
}

images=$(untagged)
if [ -z "$images" ]; then
    echo "no image is attested" >&2
    exit 1
fi
expected=$images
if [ -n "${ALLOWED_IMAGES:-}" ]; then
    expected+=$'\n'$(untagged <"$ALLOWED_IMAGES")
fi

verdict=0
named=$(sed -E 's/(^|[[:space:]])#.*//' "$1" | words)
while read -r image; do
    if grep -qxF -- "$image" <<<"$named"; then
        echo "$image ===> ok"
    else
        echo "$image ===> no match"
        verdict=1
    fi
done <<<"$images"

all=$(words <"$1")
foreign=$({
    grep -iE '@sha[0-9]+:' <<<"$all" || true
    values <<<"$all"
} | sort -u | { grep -vxF -- "$expected" || true; })
while read -r image; do
    echo "$image ===> not attested"
    verdict=1
done < <([ -z "$foreign" ] || printf '%s\n' "$foreign")
exit "$verdict"
