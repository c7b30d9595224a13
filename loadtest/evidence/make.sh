#!/usr/bin/env bash
# Makes the test certificates that loadtest signs with: eight P-256 keys, each with
# a certificate of the size and shape that Fulcio issues to a CI workflow. They are
# for load tests only; the keys are public.
set -euo pipefail
cd "$(dirname "$0")"
rm -f ./*.pem

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$work/ca.key"
openssl req -x509 -new -key "$work/ca.key" -subj "/O=loadtest/CN=test-intermediate" -days 36500 -out "$work/ca.pem"

for n in 0 1 2 3 4 5 6 7; do
    workflow="https://github.com/example-organisation/example-project-$n/.github/workflows/release.yml@refs/tags/v1.$n.0"
    commit=$(printf '%040x' "$((n + 1))")
    cat > "$work/extensions" <<END
[ leaf ]
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = critical, URI:$workflow
1.3.6.1.4.1.57264.1.1 = ASN1:UTF8String:https://token.actions.githubusercontent.com
1.3.6.1.4.1.57264.1.2 = ASN1:UTF8String:push
1.3.6.1.4.1.57264.1.3 = ASN1:UTF8String:$commit
1.3.6.1.4.1.57264.1.4 = ASN1:UTF8String:Release
1.3.6.1.4.1.57264.1.5 = ASN1:UTF8String:example-organisation/example-project-$n
1.3.6.1.4.1.57264.1.6 = ASN1:UTF8String:refs/tags/v1.$n.0
1.3.6.1.4.1.57264.1.8 = ASN1:UTF8String:https://token.actions.githubusercontent.com
1.3.6.1.4.1.57264.1.9 = ASN1:UTF8String:$workflow
1.3.6.1.4.1.57264.1.10 = ASN1:UTF8String:$commit
1.3.6.1.4.1.57264.1.11 = ASN1:UTF8String:github-hosted
1.3.6.1.4.1.57264.1.12 = ASN1:UTF8String:https://github.com/example-organisation/example-project-$n
1.3.6.1.4.1.57264.1.13 = ASN1:UTF8String:$commit
1.3.6.1.4.1.57264.1.14 = ASN1:UTF8String:refs/tags/v1.$n.0
1.3.6.1.4.1.57264.1.15 = ASN1:UTF8String:123456789
1.3.6.1.4.1.57264.1.16 = ASN1:UTF8String:https://github.com/example-organisation
1.3.6.1.4.1.57264.1.17 = ASN1:UTF8String:12345678
1.3.6.1.4.1.57264.1.18 = ASN1:UTF8String:$workflow
1.3.6.1.4.1.57264.1.19 = ASN1:UTF8String:$commit
1.3.6.1.4.1.57264.1.20 = ASN1:UTF8String:push
1.3.6.1.4.1.57264.1.21 = ASN1:UTF8String:https://github.com/example-organisation/example-project-$n/actions/runs/1234567890/attempts/1
1.3.6.1.4.1.57264.1.22 = ASN1:UTF8String:public
END
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "key$n.pem"
    openssl req -new -key "key$n.pem" -subj "/" -out "$work/request" 2> /dev/null
    openssl x509 -req -in "$work/request" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
        -days 36500 -sha384 -extfile "$work/extensions" -extensions leaf -out "certificate$n.pem" 2> /dev/null
done
