#!/usr/bin/env bash
# Makes a release as a build service would, and logs it:
#
#   make-release.sh DIR
#
# DIR gets release.yaml, which names two images by digest, and one of somebody else; provenance.json,
# an in-toto statement about the two; envelope.json, the statement signed as DSSE by a fresh key
# (signer.pem, signer.pub); uuid, the name of its entry in the log; and allowed-images with the third
# image, a list that whoever verifies a release writes himself.
#
# REKOR_SERVER is the log (default http://127.0.0.1:3000), REKOR_CLI its client (default
# indelible-cli; rekor-cli works as well). Needs bash, jq and openssl.
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: make-release.sh DIR" >&2
    exit 2
fi
server=${REKOR_SERVER:-http://127.0.0.1:3000}
cli=${REKOR_CLI:-indelible-cli}
mkdir -p "$1"
cd "$1"

# Instead of a build: two images that nobody has seen before.
controller=registry.example/acme/controller@sha256:$(openssl rand -hex 32)
webhook=registry.example/acme/webhook@sha256:$(openssl rand -hex 32)
shell=registry.example/other/shell@sha256:$(openssl rand -hex 32)
echo "$shell" >allowed-images
commit=$(openssl rand -hex 20)

cat >release.yaml <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: acme}
spec:
  selector: {matchLabels: {app: controller}}
  template:
    metadata: {labels: {app: controller}}
    spec:
      containers:
        - name: controller
          image: ${controller/@/:v1.0.0@}
          args: ["-shell-image", "$shell"]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: webhook, namespace: acme}
spec:
  selector: {matchLabels: {app: webhook}}
  template:
    metadata: {labels: {app: webhook}}
    spec:
      containers:
        - name: webhook
          image: "$webhook"
YAML

jq -n --arg commit "$commit" --arg now "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '{
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: "https://slsa.dev/provenance/v0.2",
    subject: [$ARGS.positional[] | split("@sha256:") | {name: .[0], digest: {sha256: .[1]}}],
    predicate: {
        builder: {id: "https://builder.example/acme"},
        buildType: "https://builder.example/release@v1",
        invocation: {configSource: {
            uri: "git+https://git.example/acme.git", digest: {sha1: $commit}, entryPoint: "release"}},
        materials: [{uri: "git+https://git.example/acme.git", digest: {sha1: $commit}}],
        metadata: {buildFinishedOn: $now}}
}' --args "$controller" "$webhook" >provenance.json

# DSSE signs this encoding of type and payload (PAE).
type=application/vnd.in-toto+json
{
    printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <provenance.json)"
    cat provenance.json
} >pae
openssl ecparam -name prime256v1 -genkey -noout -out signer.pem
openssl ec -in signer.pem -pubout -out signer.pub 2>/dev/null
openssl dgst -sha256 -sign signer.pem -out pae.sig pae
jq -n --arg type "$type" --arg payload "$(base64 -w0 provenance.json)" \
    --arg sig "$(base64 -w0 pae.sig)" \
    '{payloadType: $type, payload: $payload, signatures: [{keyid: "", sig: $sig}]}' >envelope.json
rm pae pae.sig

"$cli" upload --rekor_server "$server" --type intoto --artifact envelope.json \
    --public-key signer.pub --format json >upload.json
location=$(jq -r .Location upload.json)
rm upload.json
echo "${location##*/}" >uuid
echo "logged as $(cat uuid)"
