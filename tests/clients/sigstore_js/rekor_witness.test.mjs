// sigstore-js's own RekorWitness and Verifier against the server in REKOR_SERVER.
//
// The trust material is made here: the log's key, and a key or a certificate authority of our own.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { bundleFromJSON, bundleToJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { DSSEBundleBuilder, MessageSignatureBundleBuilder, RekorWitness } from "@sigstore/sign";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const rekorBaseURL = process.env.REKOR_SERVER;
assert.ok(rekorBaseURL, "REKOR_SERVER names the server");

const directory = mkdtempSync(join(tmpdir(), "indelible-sigstore-js-"));
after(() => rmSync(directory, { recursive: true }));

const openssl = (...args) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
const pemToDer = (pem) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");

// A certificate authority, and a signing certificate by it that names an e-mail address.
function makeCertificate() {
  writeFileSync(join(directory, "leaf.ext"), [
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "extendedKeyUsage=codeSigning",
    "subjectAltName=critical,email:signer@example.com",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
  ].join("\n"));
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/O=test/CN=authority",
    "-addext", "keyUsage=critical,keyCertSign,cRLSign");
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=signer");
  openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
    "-CAcreateserial", "-out", "leaf.pem", "-days", "1", "-extfile", "leaf.ext");
  const read = (name) => readFileSync(join(directory, name), "utf8");
  return { authority: read("ca.pem"), certificate: read("leaf.pem"), key: read("leaf.key") };
}

const withCertificate = makeCertificate();
const keyPair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKeyPem = keyPair.publicKey.export({ type: "spki", format: "pem" });

const signers = {
  key: {
    sign: async (data) => ({
      signature: sign("sha256", data, keyPair.privateKey),
      key: { $case: "publicKey", publicKey: publicKeyPem, hint: "our key" },
    }),
  },
  certificate: {
    sign: async (data) => ({
      signature: sign("sha256", data, withCertificate.key),
      key: { $case: "x509Certificate", certificate: withCertificate.certificate },
    }),
  },
};

async function verifier() {
  const answer = await fetch(`${rekorBaseURL}/api/v1/log/publicKey`);
  const logKey = createPublicKey(await answer.text()).export({ type: "spki", format: "der" });
  const publicKey = (der) => ({
    rawBytes: der.toString("base64"),
    keyDetails: "PKIX_ECDSA_P256_SHA_256",
    validFor: { start: "2020-01-01T00:00:00Z" },
  });
  const root = TrustedRoot.fromJSON({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [{
      // The Verifier demands that this contains the name in the checkpoint, the server's --hostname.
      baseUrl: "https://log.test",
      hashAlgorithm: "SHA2_256",
      publicKey: publicKey(logKey),
      logId: { keyId: createHash("sha256").update(logKey).digest("base64") },
    }],
    certificateAuthorities: [{
      subject: { organization: "test", commonName: "authority" },
      uri: "https://authority.test",
      certChain: { certificates: [{ rawBytes: pemToDer(withCertificate.authority).toString("base64") }] },
      validFor: { start: "2020-01-01T00:00:00Z" },
    }],
  });
  const ours = keyPair.publicKey.export({ type: "spki", format: "der" });
  const keys = { "our key": { ...publicKey(ours), rawBytes: ours, keyDetails: 5,
    validFor: { start: new Date(0), end: undefined } } };
  // No certificate log signs our certificates; one log entry and its time are demanded.
  return new Verifier(toTrustMaterial(root, keys), {
    ctlogThreshold: 0, tlogThreshold: 1, timestampThreshold: 1,
  });
}

const statement = () => Buffer.from(JSON.stringify({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "image", digest: { sha256: randomBytes(32).toString("hex") } }],
  predicateType: "https://example.com/predicate",
  predicate: {},
}));

const contents = {
  "message signature": {
    artifact: () => ({ data: randomBytes(100) }),
    builder: (options) => new MessageSignatureBundleBuilder(options),
    witness: {},
    kind: { kind: "hashedrekord", version: "0.0.1" },
  },
  "envelope as dsse": {
    artifact: () => ({ data: statement(), type: "application/vnd.in-toto+json" }),
    builder: (options) => new DSSEBundleBuilder(options),
    witness: { entryType: "dsse" },
    kind: { kind: "dsse", version: "0.0.1" },
  },
  "envelope as intoto": {
    artifact: () => ({ data: statement(), type: "application/vnd.in-toto+json" }),
    builder: (options) => new DSSEBundleBuilder(options),
    witness: { entryType: "intoto" },
    kind: { kind: "intoto", version: "0.0.2" },
  },
};

// Through JSON and back, as any bundle travels.
const travelled = (bundle) => bundleFromJSON(JSON.parse(JSON.stringify(bundleToJSON(bundle))));
const options = (witness) => ({ rekorBaseURL, retry: 0, timeout: 10_000, ...witness });

for (const [name, { artifact, builder, witness, kind }] of Object.entries(contents)) {
  for (const [by, signer] of Object.entries(signers)) {
    test(`${name} by ${by}: uploaded, and the bundle verifies`, async () => {
      const made = artifact();
      const bundle = travelled(await builder({
        signer, witnesses: [new RekorWitness(options(witness))],
      }).create(made));

      const [entry] = bundle.verificationMaterial.tlogEntries;
      assert.deepEqual({ ...entry.kindVersion }, kind);
      assert.ok(entry.inclusionPromise && entry.inclusionProof, "promise and proof");
      const checked = (await verifier()).verify(toSignedEntity(bundle, made.data));
      assert.equal(checked.identity?.subjectAlternativeName,
        by === "certificate" ? "signer@example.com" : undefined);
    });
  }

  test(`${name}: a duplicate is fetched, or refused if so asked`, async () => {
    const made = artifact();
    // The same signature twice is what makes the entry the same.
    let first;
    const repeating = { sign: async (data) => (first ??= await signers.key.sign(data)) };
    const create = (more) => builder({
      signer: repeating, witnesses: [new RekorWitness(options({ ...witness, ...more }))],
    }).create(made);
    const original = await create({});
    const again = travelled(await create({ fetchOnConflict: true }));

    const index = (bundle) => bundle.verificationMaterial.tlogEntries[0].logIndex;
    assert.equal(index(again), index(original));
    (await verifier()).verify(toSignedEntity(again, made.data));
    await assert.rejects(create({ fetchOnConflict: false }), (error) => {
      assert.equal(error.code, "TLOG_CREATE_ENTRY_ERROR");
      assert.equal(error.cause.statusCode, 409);
      assert.match(error.cause.message, /an equivalent entry already exists/);
      return true;
    });
  });
}

test("a changed bundle does not verify", async () => {
  const made = { data: randomBytes(100) };
  const create = (data) => new MessageSignatureBundleBuilder({
    signer: signers.certificate, witnesses: [new RekorWitness(options({}))],
  }).create(data);
  await create({ data: randomBytes(100) });
  const json = bundleToJSON(await create(made));
  const checks = await verifier();
  const changes = {
    "another time": (entry) => { entry.integratedTime = String(Number(entry.integratedTime) + 1); },
    "another index": (entry) => { entry.logIndex = String(Number(entry.logIndex) + 1); },
    "a proof without its first hash": (entry) => { entry.inclusionProof.hashes.shift(); },
    "another checkpoint": (entry) => {
      entry.inclusionProof.checkpoint.envelope = `x${entry.inclusionProof.checkpoint.envelope}`;
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    const changed = structuredClone(json);
    change(changed.verificationMaterial.tlogEntries[0]);
    assert.throws(
      () => checks.verify(toSignedEntity(bundleFromJSON(changed), made.data)),
      { name: /Error/ },
      what,
    );
  }
  checks.verify(toSignedEntity(bundleFromJSON(json), made.data));
});
