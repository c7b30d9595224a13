#!/usr/bin/env bash
# Makes the evidence under ../fixtures/ with the real tool of each format: openssl, minisign,
# signify, ssh-keygen, keytool and jarsigner, and the Python libraries cwt (COSE) and tuf.
#
# Every run makes new keys, so afterwards the golden files are to be made anew and read:
#   INDELIBLE_BLESS=1 cargo test -p indelible-entry --test golden
#
# On Debian: apt-get install openssl minisign signify-openbsd openssh-client jq python3-venv \
#   openjdk-17-jdk-headless unzip zip
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../fixtures"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" -q install 'cwt>=2' 'tuf>=6' 'securesystemslib[crypto]>=1'
python="$tmp/venv/bin/python"
cases=()

fresh() { rm -rf "${1:?}" && mkdir -p "$1"; }
# A case: its name, and members of its description as jq reads them.
record() { cases+=("$(jq -nc --arg name "$1" "{name: \$name} + {$2}")"); }

key() { # curve or bits, file
    case $1 in
        ed25519) openssl genpkey -algorithm ed25519 -out "$2" ;;
        [0-9]*) openssl genpkey -algorithm rsa -pkeyopt "rsa_keygen_bits:$1" -out "$2" ;;
        *) openssl ecparam -name "$1" -genkey -noout -out "$2" ;;
    esac 2>/dev/null
}

x509() {
    fresh x509
    printf 'an artifact\n' > x509/artifact
    for name in prime256v1 secp384r1 secp521r1 2048 4096; do
        key "$name" "$tmp/$name.pem"
        openssl pkey -in "$tmp/$name.pem" -pubout -out "x509/$name.pub"
        local hash=sha256
        case $name in secp384r1) hash=sha384 ;; secp521r1) hash=sha512 ;; esac
        openssl dgst "-$hash" -sign "$tmp/$name.pem" -out "x509/$name.sig" x509/artifact
        local digest
        digest=$(openssl dgst "-$hash" -r x509/artifact | cut -d' ' -f1)
        record "hashedrekord-$name" "kind: \"hashedrekord\", hash: \"$hash:$digest\",
            signature: \"x509/$name.sig\", keys: [\"x509/$name.pub\"]"
    done
    record rekord-x509-ecdsa 'kind: "rekord", artifact: "x509/artifact",
        signature: "x509/prime256v1.sig", keys: ["x509/prime256v1.pub"]'
    record rekord-x509-rsa 'kind: "rekord", artifact: "x509/artifact",
        signature: "x509/2048.sig", keys: ["x509/2048.pub"]'
    p224
    key ed25519 "$tmp/ed25519.pem"
    openssl pkey -in "$tmp/ed25519.pem" -pubout -out x509/ed25519.pub
    openssl pkeyutl -sign -rawin -inkey "$tmp/ed25519.pem" -in x509/artifact -out x509/ed25519.sig
    record rekord-x509-ed25519 'kind: "rekord", artifact: "x509/artifact",
        signature: "x509/ed25519.sig", keys: ["x509/ed25519.pub"]'
    certificates
}

# A curve that no policy pairs with a digest, so `hashedrekord` refuses it.
p224() {
    key secp224r1 "$tmp/secp224r1.pem"
    openssl pkey -in "$tmp/secp224r1.pem" -pubout -out x509/secp224r1.pub
    openssl dgst -sha256 -sign "$tmp/secp224r1.pem" -out x509/secp224r1.sig x509/artifact
    record rekord-x509-p224 'kind: "rekord", artifact: "x509/artifact",
        signature: "x509/secp224r1.sig", keys: ["x509/secp224r1.pub"]'
}

certificates() {
    key prime256v1 "$tmp/ca.pem"
    openssl req -x509 -new -key "$tmp/ca.pem" -subj '/CN=An authority' -days 36500 -out "$tmp/ca.crt"
    openssl req -new -key "$tmp/prime256v1.pem" -subj '/CN=A signer' -out "$tmp/leaf.csr"
    openssl x509 -req -in "$tmp/leaf.csr" -CA "$tmp/ca.crt" -CAkey "$tmp/ca.pem" -days 36500 \
        -out x509/leaf.crt -extfile <(printf '%s\n' 'keyUsage=critical,digitalSignature' \
        'extendedKeyUsage=codeSigning' \
        'subjectAltName=DNS:Build.example,email:Dev@example.com,IP:192.0.2.1,URI:HTTPS://ci.example/run?1') \
        2>/dev/null
    cat x509/leaf.crt "$tmp/ca.crt" > x509/chain.crt
    local digest
    digest=$(sha256sum x509/artifact | cut -d' ' -f1)
    for form in leaf chain; do
        record "hashedrekord-$form" "kind: \"hashedrekord\", hash: \"sha256:$digest\",
            signature: \"x509/prime256v1.sig\", keys: [\"x509/$form.crt\"]"
    done
}

envelopes() {
    fresh dsse
    local type='application/vnd.in-toto+json' statement
    statement='{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"release.yaml","digest":{"sha256":"aa"}}],"predicateType":"https://slsa.dev/provenance/v0.2","predicate":{"materials":[{"uri":"git","digest":{"sha1":"bb"}}]}}'
    printf 'DSSEv1 %d %s %d %s' ${#type} "$type" ${#statement} "$statement" > "$tmp/pae"
    signature() { openssl dgst -sha256 -sign "$tmp/$1.pem" "$tmp/pae" | base64 -w0; }
    local one two
    one=$(signature prime256v1)
    two=$(signature 2048)
    envelope() {
        jq -nc --arg type "$type" --arg payload "$(printf %s "$statement" | base64 -w0)" \
            '{payloadType: $type, payload: $payload, signatures: [$ARGS.positional[] | {sig: .}]}' --args "$@"
    }
    envelope "$one" > dsse/one.json
    envelope "$two" "$one" > dsse/two.json
    for kind in dsse:0.0.1 intoto:0.0.1 intoto:0.0.2; do
        record "${kind/:/-}" "kind: \"${kind%:*}\", version: \"${kind#*:}\",
            artifact: \"dsse/one.json\", keys: [\"x509/prime256v1.pub\"]"
    done
    for kind in dsse:0.0.1 intoto:0.0.2; do
        record "${kind/:/-}-two" "kind: \"${kind%:*}\", version: \"${kind#*:}\",
            artifact: \"dsse/two.json\", keys: [\"x509/prime256v1.pub\", \"x509/2048.pub\"]"
    done
    jq -c '.signatures[0].keyid = "a key ID"' <(envelope "$(signature secp224r1)") > dsse/p224.json
    for kind in dsse:0.0.1 intoto:0.0.1; do
        record "${kind/:/-}-p224" "kind: \"${kind%:*}\", version: \"${kind#*:}\",
            artifact: \"dsse/p224.json\", keys: [\"x509/secp224r1.pub\"]"
    done
    record dsse-certificate 'kind: "dsse", artifact: "dsse/one.json", keys: ["x509/leaf.crt"]'
}

minisigns() {
    fresh minisign
    printf 'an artifact\n' > minisign/artifact
    minisign -G -W -p minisign/minisign.pub -s "$tmp/minisign.key" > /dev/null
    minisign -S -s "$tmp/minisign.key" -m minisign/artifact -x minisign/hashed.minisig > /dev/null
    minisign -S -l -s "$tmp/minisign.key" -m minisign/artifact -x minisign/legacy.minisig > /dev/null
    tail -1 minisign/minisign.pub > minisign/bare.pub
    signify-openbsd -G -n -p minisign/signify.pub -s "$tmp/signify.sec"
    signify-openbsd -S -s "$tmp/signify.sec" -m minisign/artifact -x minisign/signify.sig
    for one in hashed:hashed.minisig:minisign.pub legacy:legacy.minisig:minisign.pub \
        bare:hashed.minisig:bare.pub signify:signify.sig:signify.pub; do
        IFS=: read -r name signature public <<< "$one"
        record "rekord-minisign-$name" "kind: \"rekord\", format: \"minisign\",
            artifact: \"minisign/artifact\", signature: \"minisign/$signature\",
            keys: [\"minisign/$public\"]"
    done
}

# DSA needs an ssh-keygen before OpenSSH 10.
sshs() {
    fresh ssh
    printf 'an artifact\n' > ssh/artifact
    for type in rsa:3072 dsa:1024 ecdsa:256 ecdsa:384 ecdsa:521 ed25519:256; do
        local name=${type/:/-}
        ssh-keygen -q -t "${type%:*}" -b "${type#*:}" -N '' -C 'dev@example.com' -f "$tmp/ssh-$name"
        cp "$tmp/ssh-$name.pub" "ssh/$name.pub"
        ssh-keygen -q -Y sign -n file -f "$tmp/ssh-$name" < ssh/artifact > "ssh/$name.sig" 2>/dev/null
        record "rekord-ssh-$name" "kind: \"rekord\", format: \"ssh\", artifact: \"ssh/artifact\",
            signature: \"ssh/$name.sig\", keys: [\"ssh/$name.pub\"]"
    done
    ssh-keygen -q -s "$tmp/ssh-ed25519-256" -I someone -n dev "ssh/ecdsa-256.pub" 2>/dev/null
    mv ssh/ecdsa-256-cert.pub ssh/certificate.pub
    record rekord-ssh-certificate 'kind: "rekord", format: "ssh", artifact: "ssh/artifact",
        signature: "ssh/ecdsa-256.sig", keys: ["ssh/certificate.pub"]'
    # Refused: the stored form names SHA-512, whatever was signed, and the namespace is fixed.
    ssh-keygen -q -Y sign -n file -O hashalg=sha256 -f "$tmp/ssh-ed25519-256" < ssh/artifact \
        > ssh/sha256.sig 2>/dev/null
    ssh-keygen -q -Y sign -n git -f "$tmp/ssh-ed25519-256" < ssh/artifact > ssh/namespace.sig 2>/dev/null
}

coses() {
    fresh cose
    cp x509/prime256v1.pub x509/2048.pub x509/secp384r1.pub cose
    "$python" "$here/cose_messages.py" "$tmp" cose
    for one in es256:prime256v1 ps256:2048 aad:prime256v1 statement:prime256v1; do
        local name=${one%:*} aad=''
        [[ $name == aad ]] && aad=', aad: "some context"'
        record "cose-$name" "kind: \"cose\", artifact: \"cose/$name.cbor\",
            keys: [\"cose/${one#*:}.pub\"]$aad"
    done
}

# A response around the token of a hand-made signer: openssl's timestamper makes none of these.
response() { # name, options of openssl cms
    local name=$1
    shift
    openssl ts -reply -in rfc3161/2048.tsr -token_out -out "$tmp/token.der" 2>/dev/null
    openssl cms -verify -noverify -inform DER -in "$tmp/token.der" -out "$tmp/content" 2>/dev/null
    openssl cms -sign -binary -nodetach -econtent_type 1.2.840.113549.1.9.16.1.4 -in "$tmp/content" \
        -outform DER -out "$tmp/token.der" "$@"
    local size
    size=$(printf %04x $(($(stat -c %s "$tmp/token.der") + 5)))
    { printf '\x30\x82%b\x30\x03\x02\x01\x00' "\\x${size:0:2}\\x${size:2}"; cat "$tmp/token.der"; } > "rfc3161/$name.tsr"
}

accepted() {
    response "$@"
    record "rfc3161-$1" "kind: \"rfc3161\", artifact: \"rfc3161/$1.tsr\""
}

timestamps() {
    fresh rfc3161
    for one in prime256v1:sha256 2048:sha512; do
        local name=${one%:*}
        openssl req -new -key "$tmp/$name.pem" -subj '/CN=A timestamper' -out "$tmp/tsa.csr"
        openssl x509 -req -in "$tmp/tsa.csr" -CA "$tmp/ca.crt" -CAkey "$tmp/ca.pem" -days 36500 \
            -out "$tmp/tsa.crt" -extfile <(printf '%s\n' 'extendedKeyUsage=critical,timeStamping') 2>/dev/null
        echo 01 > "$tmp/serial"
        printf '%s\n' '[tsa]' 'default_tsa=t' '[t]' "serial=$tmp/serial" "signer_cert=$tmp/tsa.crt" \
            "signer_key=$tmp/$name.pem" "signer_digest=${one#*:}" 'default_policy=1.2.3' \
            'digests=sha256,sha512' 'ess_cert_id_alg=sha256' > "$tmp/tsa.cnf"
        openssl ts -query -data x509/artifact -sha256 -cert -no_nonce -out "$tmp/query.tsq" 2>/dev/null
        openssl ts -reply -config "$tmp/tsa.cnf" -queryfile "$tmp/query.tsq" -out "rfc3161/$name.tsr" 2>/dev/null
        record "rfc3161-$name" "kind: \"rfc3161\", artifact: \"rfc3161/$name.tsr\""
    done
    # PSS with openssl's salt, the longest that fits; a digest that small keys seldom sign.
    accepted pss -md sha256 -signer "$tmp/tsa.crt" -inkey "$tmp/2048.pem" \
        -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:max
    key 1024 "$tmp/1024.pem"
    openssl req -x509 -new -key "$tmp/1024.pem" -subj '/CN=A timestamper' -days 36500 -out "$tmp/1024.crt"
    accepted 1024 -md sha384 -signer "$tmp/1024.crt" -inkey "$tmp/1024.pem"
    old_algorithms
    # Refused: rejected by the authority, and a bare token.
    openssl ts -query -data x509/artifact -sha1 -cert -no_nonce -out "$tmp/query.tsq" 2>/dev/null
    openssl ts -reply -config "$tmp/tsa.cnf" -queryfile "$tmp/query.tsq" -out rfc3161/rejected.tsr 2>/dev/null
    openssl ts -reply -in rfc3161/2048.tsr -token_out -out rfc3161/token.der 2>/dev/null
}

# Digests and a curve that hardly anybody signs with any more.
old_algorithms() {
    # The last one is refused: ECDSA with SHA-224 has a name of its own, which Rekor does not know.
    for one in 2048:md5 2048:sha224 secp224r1:sha256 prime256v1:sha224; do
        local name=${one%:*}-${one#*:} make=accepted
        [ "$one" != prime256v1:sha224 ] || make=response
        key "${one%:*}" "$tmp/$name.pem"
        openssl req -x509 -new -key "$tmp/$name.pem" -subj '/CN=A timestamper' -days 36500 -out "$tmp/$name.crt"
        "$make" "$name" -md "${one#*:}" -signer "$tmp/$name.crt" -inkey "$tmp/$name.pem"
    done
    accepted 2048-sha224-pss -md sha224 -signer "$tmp/2048-sha224.crt" -inkey "$tmp/2048-sha224.pem" \
        -keyopt rsa_padding_mode:pss
}

tufs() {
    fresh tuf
    "$python" "$here/tuf_repositories.py" "$tmp" tuf
    for one in timestamp:ed25519 root:ed25519 targets:mixed snapshot:mixed; do
        local set=${one#*:}
        record "tuf-${one%:*}-$set" "kind: \"tuf\", format: \"tuf\", now: 1800000000,
            artifact: \"tuf/$set/${one%:*}.json\", keys: [\"tuf/$set/root.json\"]"
    done
}

jars() {
    fresh jar
    mkdir -p "$tmp/classes/com/example"
    echo 'a class' > "$tmp/classes/com/example/A-class-with-a-name-that-is-longer-than-one-line-of-a-manifest.class"
    echo 'a text' > "$tmp/classes/readme.txt"
    for one in rsa:RSA:2048:SHA256withRSA:SHA-256 ec:EC:256:SHA384withECDSA:SHA-256 \
        md5:RSA:2048:MD5withRSA:MD5 rsa-sha224:RSA:2048:SHA224withRSA:SHA-224 \
        ec-sha224:EC:256:SHA224withECDSA:SHA-224; do
        IFS=: read -r name algorithm bits signature digest <<< "$one"
        keytool -genkeypair -alias k -keyalg "$algorithm" -keysize "$bits" -dname 'CN=A signer' \
            -validity 36500 -ext 'san=email:dev@example.com' -storepass secret -keystore "$tmp/$name.p12" 2>/dev/null
        jar --create --file "jar/$name.jar" --date=2026-01-01T00:00:00Z -C "$tmp/classes" .
        jarsigner -keystore "$tmp/$name.p12" -storepass secret -sigalg "$signature" -digestalg "$digest" \
            "jar/$name.jar" k > /dev/null
        # jarsigner names digest and key together; those names with SHA-224 are unknown to Rekor.
        [[ $name == *-sha224 ]] || record "jar-$name" "kind: \"jar\", artifact: \"jar/$name.jar\""
    done
    # Accepted: a file was added afterwards, which the manifest does not list.
    cp jar/rsa.jar jar/added.jar
    echo more > "$tmp/more.txt" && (cd "$tmp" && jar --update --file "$OLDPWD/jar/added.jar" more.txt)
    record jar-added 'kind: "jar", artifact: "jar/added.jar"'
    # Accepted: the signature file names no digest of the manifest as a whole.
    jar --create --file jar/sections.jar --date=2026-01-01T00:00:00Z -C "$tmp/classes" .
    jarsigner -keystore "$tmp/rsa.p12" -storepass secret -sectionsonly jar/sections.jar k > /dev/null
    record jar-sections 'kind: "jar", artifact: "jar/sections.jar"'
    # Accepted: signed by two, behind the certificate of somebody who signed nothing. DER sorts the
    # certificates, shorter ones first.
    for one in bystander:prime256v1 first:2048 second:3072; do
        key "${one#*:}" "$tmp/${one%:*}.pem"
        openssl req -x509 -new -key "$tmp/${one%:*}.pem" -subj '/CN=A signer' -days 36500 \
            -addext "subjectAltName=email:${one%:*}@example.com" -out "$tmp/${one%:*}.crt"
    done
    cp jar/rsa.jar jar/bystander.jar
    mkdir -p "$tmp/block/META-INF" && unzip -p jar/rsa.jar META-INF/K.SF > "$tmp/K.SF"
    openssl cms -sign -binary -in "$tmp/K.SF" -outform DER -out "$tmp/block/META-INF/K.RSA" \
        -certfile "$tmp/bystander.crt" -signer "$tmp/first.crt" -inkey "$tmp/first.pem" \
        -signer "$tmp/second.crt" -inkey "$tmp/second.pem"
    (cd "$tmp/block" && zip -q -X "$OLDPWD/jar/bystander.jar" META-INF/K.RSA)
    record jar-bystander 'kind: "jar", artifact: "jar/bystander.jar"'
    # Refused: the main section of the manifest was changed.
    cp jar/sections.jar jar/main.jar
    unzip -p jar/main.jar META-INF/MANIFEST.MF | sed '1a Main-Class: com.example.Other\r' > "$tmp/manifest"
    mkdir -p "$tmp/main/META-INF" && cp "$tmp/manifest" "$tmp/main/META-INF/MANIFEST.MF"
    (cd "$tmp/main" && zip -q -X "$OLDPWD/jar/main.jar" META-INF/MANIFEST.MF)
    # Refused: a listed file was changed; not signed at all; signed twice.
    cp jar/rsa.jar jar/changed.jar
    mkdir "$tmp/other" && echo 'another text' > "$tmp/other/readme.txt"
    jar --update --file jar/changed.jar -C "$tmp/other" readme.txt
    jar --create --file jar/unsigned.jar -C "$tmp/classes" .
    cp jar/rsa.jar jar/twice.jar
    jarsigner -keystore "$tmp/ec.p12" -storepass secret -sigfile OTHER jar/twice.jar k > /dev/null
}

# As abuild-sign and abuild do it: three gzip members, the first two without tar's trailer.
package() { # directory with control files, key, name of the signature file, output
    local control=$1 key=$2 name=$3 out=$4
    tar_member() { tar --format=ustar --owner=0 --group=0 --mtime=@0 -C "$1" -cf - "$2" | head -c -1024 | gzip -9n; }
    tar_member "$control" .PKGINFO > "$tmp/control.tar.gz"
    openssl dgst -sha1 -sign "$key" -out "$tmp/$name" "$tmp/control.tar.gz"
    tar_member "$tmp" "$name" > "$tmp/signature.tar.gz"
    cat "$tmp/signature.tar.gz" "$tmp/control.tar.gz" "$tmp/data.tar.gz" > "$out"
}

alpines() {
    fresh alpine
    mkdir -p "$tmp/data/usr/bin" "$tmp/control"
    echo 'a program' > "$tmp/data/usr/bin/program"
    tar --format=ustar --owner=0 --group=0 --mtime=@0 -C "$tmp/data" -cf - usr | gzip -9n > "$tmp/data.tar.gz"
    printf '%s\n' '# Generated by abuild' 'pkgname = program' 'pkgver = 1.0-r0' \
        'url = https://example.com/#top' 'depend = so:liba.so' 'depend = so:libb.so' 'license = "MIT"' \
        "datahash = $(sha256sum "$tmp/data.tar.gz" | cut -d' ' -f1)" > "$tmp/control/.PKGINFO"
    for name in 2048 prime256v1; do
        cp "x509/$name.pub" "alpine/$name.pub"
        package "$tmp/control" "$tmp/$name.pem" ".SIGN.RSA.dev@example.com.rsa.pub" "alpine/$name.apk"
        record "alpine-$name" "kind: \"alpine\", artifact: \"alpine/$name.apk\", keys: [\"alpine/$name.pub\"]"
    done
    # Refused: other data than .PKGINFO names; a control file that unpacks to much more.
    cp "$tmp/data.tar.gz" "$tmp/good.tar.gz"
    echo changed | gzip -9n > "$tmp/data.tar.gz"
    package "$tmp/control" "$tmp/2048.pem" .SIGN.RSA.dev.rsa.pub alpine/changed.apk
    cp "$tmp/good.tar.gz" "$tmp/data.tar.gz"
    mkdir "$tmp/bomb" && { cat "$tmp/control/.PKGINFO"; head -c 64M /dev/zero | tr '\0' '#'; } > "$tmp/bomb/.PKGINFO"
    package "$tmp/bomb" "$tmp/2048.pem" .SIGN.RSA.dev.rsa.pub alpine/bomb.apk
}

x509
envelopes
minisigns
sshs
coses
timestamps
tufs
jars
alpines
printf '%s\n' "${cases[@]}" | jq -s . > cases.json
echo "$(jq length cases.json) cases"
