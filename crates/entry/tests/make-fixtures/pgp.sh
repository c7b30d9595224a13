#!/bin/sh
# Writes crates/entry/tests/fixtures/pgp: keys of every sort, signatures, provenance files, packages.
#
# Needs gpg (2.2 or later), rpmbuild and rpmsign. Keys are new at each run, so every file changes with it, and so do the
# golden bodies; write those anew with INDELIBLE_BLESS=1 (see evidence.sh) and commit them together.
set -eu

fixtures=$(cd "$(dirname "$0")/.." && pwd)/fixtures/pgp
work=$(mktemp -d)
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
cd "$work"
rm -rf "$fixtures"
mkdir -p "$fixtures"

# Times: keys are made at T0, sign at T1, are revoked at T2, and sign once more at T3 where nobody knows of that.
T0=20200101T000000
T1=20200301T000000
T2=20200601T000000
T3=20200901T000000

# home NAME: keys go there from now on.
home() {
    GNUPGHOME=$work/$1
    export GNUPGHOME
    mkdir -p "$GNUPGHOME"
    chmod 700 "$GNUPGHOME"
}

# at TIME ARGUMENTS...: gpg at that time.
at() {
    time=$1
    shift
    gpg --batch --quiet --no-tty --yes --trust-model always --pinentry-mode loopback --passphrase '' \
        --faked-system-time "$time!" "$@" 2>messages.log || { cat messages.log >&2; exit 1; }
}

# answer TIME ANSWERS ARGUMENTS...: gpg at that time, with answers to what it asks.
answer() {
    time=$1 answers=$2
    shift 2
    # shellcheck disable=SC2059 # the answers have line ends as escapes
    printf "$answers" | gpg --quiet --no-tty --yes --trust-model always --pinentry-mode loopback \
        --passphrase '' --command-fd 0 --status-fd 2 --faked-system-time "$time!" "$@" 2>messages.log ||
        { cat messages.log >&2; exit 1; }
}

fingerprint() { gpg --with-colons --list-keys "$1" | awk -F: '$1 == "fpr" { print $10; exit }'; }

# key NAME PRIMARY SUBKEY [EXPIRY]: a key of `Test NAME <NAME@example.com>`, made at T0.
key() {
    at "$T0" --quick-gen-key "Test $1 <$1@example.com>" "$2" sign,cert "${4:-never}"
    [ "$3" = none ] || at "$T0" --quick-add-key "$(fingerprint "<$1@example.com>")" "$3" encr
}

# public NAME: writes the key, armored and binary.
public() {
    at "$T1" --armor --export "<$1@example.com>" >"$fixtures/$1.pub.asc"
    at "$T1" --export "<$1@example.com>" >"$fixtures/$1.pub.gpg"
}

# sign NAME FILE [ARGUMENTS...]: a detached signature at T1, or at $when.
sign() {
    name=$1 file=$2
    shift 2
    at "${when:-$T1}" --local-user "<$name@example.com>" "$@" --output "$fixtures/$file" --detach-sign "$fixtures/artifact.txt"
}

printf 'first line\nsecond line \r\n\nlast line' >"$fixtures/artifact.txt"
home main

# --- one key of each algorithm ---
key rsa rsa2048 rsa2048
key rsa1024 rsa1024 none
key dsa dsa2048 elg2048
key dsa1024 dsa1024 none
key p256 nistp256 nistp256
key p384 nistp384 nistp384
key p521 nistp521 nistp521
key k256 secp256k1 none
key bp256 brainpoolP256r1 none
key bp384 brainpoolP384r1 none
key bp512 brainpoolP512r1 none
key ed25519 ed25519 cv25519
for name in rsa rsa1024 dsa dsa1024 p256 p384 p521 k256 bp256 bp384 bp512 ed25519; do
    public $name
    sign $name $name.sig
    sign $name $name.sig.asc --armor --comment "made for a test"
done
for hash in SHA1 SHA224 SHA256 SHA384 SHA512; do
    sign rsa rsa.$hash.sig --digest-algo $hash
done
for hash in SHA384 SHA512; do
    sign p256 p256.$hash.sig --digest-algo $hash
    sign k256 k256.$hash.sig --digest-algo $hash
    sign ed25519 ed25519.$hash.sig --digest-algo $hash
done
sign rsa1024 rsa1024.SHA384.sig --digest-algo SHA384
sign dsa dsa.SHA512.sig --digest-algo SHA512
sign rsa rsa.text.sig --textmode
sign ed25519 ed25519.text.sig --textmode
cat "$fixtures/p256.sig" "$fixtures/rsa.sig" >"$fixtures/p256-rsa.sig"
cat "$fixtures/rsa.pub.asc" "$fixtures/ed25519.pub.asc" >"$fixtures/two.pub.asc"
cat "$fixtures/rsa.pub.gpg" "$fixtures/ed25519.pub.gpg" >"$fixtures/two.pub.gpg"

# --- several user IDs, certified by somebody else too ---
key many rsa2048 rsa2048
many=$(fingerprint '<many@example.com>')
at "$T0" --quick-add-uid "$many" 'bare@example.com'
at "$T0" --quick-add-uid "$many" 'No address (work)'
at "$T0" --local-user '<rsa@example.com>' --no-greeting --quick-sign-key "$many"
public many
sign many many.sig

# --- the primary key only certifies; a subkey signs, another encrypts ---
at "$T0" --quick-gen-key 'Test subkey <subkey@example.com>' ed25519 cert never
subkey=$(fingerprint '<subkey@example.com>')
at "$T0" --quick-add-key "$subkey" ed25519 sign 2y
at "$T0" --quick-add-key "$subkey" cv25519 encr
public subkey
sign subkey subkey.sig
# As it would be if the primary key's lifetime had been changed after the signature.
at "$T2" --quick-set-expire "$subkey" 10y
at "$T2" --export '<subkey@example.com>' >"$fixtures/later.pub.gpg"

# --- expired since, but not when it signed ---
key expired ed25519 cv25519 200d
public expired
sign expired expired.sig

# --- revoked at T2: for no reason, because compromised, one of its user IDs, its signing subkey ---
for name in revoked compromised revokeduid; do
    key $name ed25519 cv25519
done
at "$T0" --quick-add-uid '<revokeduid@example.com>' 'Test other <other@example.com>'
at "$T0" --quick-gen-key 'Test revokedsub <revokedsub@example.com>' ed25519 cert never
at "$T0" --quick-add-key "$(fingerprint '<revokedsub@example.com>')" ed25519 sign never
for name in revoked compromised revokeduid revokedsub; do
    sign $name $name.before.sig
    when=$T3 sign $name $name.after.sig
done
answer "$T2" 'y\n0\n\ny\n' --output revoked.rev --gen-revoke '<revoked@example.com>'
answer "$T2" 'y\n1\n\ny\n' --output compromised.rev --gen-revoke '<compromised@example.com>'
at "$T2" --import revoked.rev compromised.rev
answer "$T2" 'uid 1\nrevuid\ny\n0\n\ny\nsave\n' --edit-key '<revokeduid@example.com>'
answer "$T2" 'key 1\nrevkey\ny\n0\n\ny\nsave\n' --edit-key '<revokedsub@example.com>'
for name in revoked compromised revokeduid revokedsub; do public $name; done

# --- secret keys: one that decrypts, one that only signs ---
at "$T1" --armor --export-secret-keys '<rsa@example.com>' >"$fixtures/rsa.secret.asc"
at "$T1" --armor --export-secret-keys '<k256@example.com>' >"$fixtures/k256.secret.asc"

# --- provenance files of charts ---
cat >chart.txt <<'CHART'
apiVersion: v2
description: A chart for a test
name: test
- dashes: at the start
version: 0.1.0

...
files:
  test-0.1.0.tgz: sha256:6dec7ea21e655d5796c1e214cfb75b73428b2abfa2e66c8f7bc64ff4a7b3b29f
CHART
at "$T1" --local-user '<rsa@example.com>' --digest-algo SHA512 --clearsign <chart.txt >"$fixtures/rsa.prov"
at "$T1" --local-user '<ed25519@example.com>' --clearsign <chart.txt >"$fixtures/ed25519.prov"
printf 'no second part\n' | at "$T1" --local-user '<rsa@example.com>' --clearsign >"$fixtures/onepart.prov"
printf 'a: b\n...\nfiles:\n  a.tgz: nothing\n' | at "$T1" --local-user '<rsa@example.com>' --clearsign >"$fixtures/nohash.prov"

# --- packages ---
# package NAME [DEFINES...]: an unsigned package of two files.
package() {
    name=$1
    shift
    cat >"$name.spec" <<SPEC
Name: $name
Version: 1.0
Release: 2
${epoch:+Epoch: $epoch}
Summary: A package for a test
License: Apache-2.0
BuildArch: noarch
%description
Nothing.
%install
mkdir -p %{buildroot}/opt
echo hello >%{buildroot}/opt/$name
%files
/opt/$name
SPEC
    rpmbuild --quiet -bb --define "_topdir $work/rpm" --define '_build_id_links none' "$@" "$name.spec"
    cp "$work/rpm/RPMS/noarch/$name-1.0-2.noarch.rpm" "$fixtures/$name.rpm"
}

# sign_package FILE KEY [ARGUMENTS...]
sign_package() {
    file=$1 signer=$2
    shift 2
    GPG_TTY=none rpmsign --quiet --define "__gpg $(command -v gpg)" --define "_gpg_name <$signer@example.com>" --define "_gpg_path $GNUPGHOME" \
        --define '_gpg_sign_cmd_extra_args --batch --pinentry-mode loopback --passphrase "" --faked-system-time '"$T1!" \
        "$@" --addsign "$fixtures/$file" >/dev/null
}

package unsigned
package header-rsa
sign_package header-rsa.rpm rsa
epoch=3
package whole-rsa
epoch=
sign_package whole-rsa.rpm rsa --rpmv3
package header-ed25519
sign_package header-ed25519.rpm ed25519
package whole-dsa
sign_package whole-dsa.rpm dsa --rpmv3
package header-subkey
sign_package header-subkey.rpm subkey
