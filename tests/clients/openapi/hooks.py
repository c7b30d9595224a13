"""What schemathesis cannot guess: real evidence, real names of entries, and which 5xx are meant.

Without it nearly every request would end in a refusal, and no answer but refusals would be checked.
"""

import base64
import hashlib
import json
import os

import requests
import schemathesis
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import strategies as st

SERVER = os.environ["REKOR_SERVER"]
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()


def sign(data):
    return base64.b64encode(KEY.sign(data, ec.ECDSA(hashes.SHA256()))).decode()


def hashedrekord(artifact):
    return {
        "kind": "hashedrekord",
        "apiVersion": "0.0.1",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(artifact).hexdigest()}},
            "signature": {"content": sign(artifact), "publicKey": {"content": PUBLIC_KEY}},
        },
    }


def rekord(artifact):
    return {
        "kind": "rekord",
        "apiVersion": "0.0.1",
        "spec": {
            "data": {"content": base64.b64encode(artifact).decode()},
            "signature": {
                "format": "x509",
                "content": sign(artifact),
                "publicKey": {"content": PUBLIC_KEY},
            },
        },
    }


def dsse(payload):
    kind = "application/vnd.in-toto+json"
    pae = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    envelope = {
        "payloadType": kind,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": sign(pae)}],
    }
    content = {"envelope": json.dumps(envelope), "verifiers": [PUBLIC_KEY]}
    return {"kind": "dsse", "apiVersion": "0.0.1", "spec": {"proposedContent": content}}


def add(proposal):
    answer = requests.post(f"{SERVER}/api/v1/log/entries", json=proposal, timeout=10)
    answer.raise_for_status()
    ((uuid, entry),) = answer.json().items()
    return uuid, entry["logIndex"]


KNOWN = [build(b'{"subject": []}') for build in (hashedrekord, rekord, dsse)]
ADDED = [add(proposal) for proposal in KNOWN]
UUIDS = st.sampled_from([uuid for uuid, _ in ADDED] + [uuid[16:] for uuid, _ in ADDED])
INDEXES = st.sampled_from([index for _, index in ADDED])
TREE_ID = str(int(ADDED[0][0][:16], 16))

PROPOSALS = st.one_of(
    st.sampled_from(KNOWN),
    st.builds(lambda build, artifact: build(artifact),
              st.sampled_from([hashedrekord, rekord, dsse]), st.binary(min_size=1, max_size=64)),
)
BODIES = {
    "POST /api/v1/log/entries": PROPOSALS,
    "POST /api/v1/log/entries/retrieve": st.one_of(
        st.builds(lambda items: {"entries": items}, st.lists(PROPOSALS, max_size=3)),
        st.builds(lambda items: {"entryUUIDs": items}, st.lists(UUIDS, min_size=1, max_size=3)),
        st.builds(lambda items: {"logIndexes": items}, st.lists(INDEXES, min_size=1, max_size=3)),
    ),
    "POST /api/v1/index/retrieve": st.sampled_from(
        [
            {"hash": "sha256:" + hashlib.sha256(b'{"subject": []}').hexdigest()},
            {"publicKey": {"format": "x509", "content": PUBLIC_KEY}},
            {"email": "nobody@example.com"},
        ]
    ),
}
QUERIES = {
    "GET /api/v1/log/entries": st.builds(lambda index: {"logIndex": index}, INDEXES),
    "GET /api/v1/log/proof": st.builds(
        lambda first, last: {"firstSize": first, "lastSize": max(first, last), "treeID": TREE_ID},
        st.integers(1, len(ADDED)), st.integers(1, len(ADDED)),
    ),
    "GET /api/v1/log/publicKey": st.just({"treeID": TREE_ID}),
}


@schemathesis.deserializer("application/x-pem-file")
def pem_or_refusal(ctx, response):
    """Refusals of the public key are JSON under the type of a PEM file, as Rekor's are."""
    text = response.content.decode()
    return text if response.status_code == 200 else json.loads(text)


@schemathesis.hook
def before_generate_body(context, strategy):
    real = BODIES.get(context.operation.label)
    return strategy if real is None else st.one_of(real, strategy)


@schemathesis.hook
def before_generate_query(context, strategy):
    real = QUERIES.get(context.operation.label)
    return strategy if real is None else st.one_of(real, strategy)


@schemathesis.hook
def before_generate_path_parameters(context, strategy):
    return st.one_of(st.builds(lambda uuid: {"entryUUID": uuid}, UUIDS), strategy)


def is_readable_proposal(body):
    """Whether Rekor can decode it; what it cannot decode it answers with 500."""
    try:
        proposal = json.loads(body)
    except (TypeError, ValueError):
        return False
    if proposal is None:
        return True
    return isinstance(proposal, dict) and all(
        isinstance(proposal.get(name, ""), str | None) for name in ("kind", "apiVersion")
    )


@schemathesis.check
def no_server_error_but_those_named(ctx, response, case):
    """5xx is a defect, but for malformed JSON on createLogEntry (500) and a busy log (503)."""
    status = response.status_code
    if status < 500:
        return
    if status == 503 and "retry-after" in response.headers:
        return
    if status == 500 and case.operation.label == "POST /api/v1/log/entries":
        if not is_readable_proposal(response.request.body):
            return
    raise AssertionError(f"{status} is not an answer that the document names for this request")
