"""sigstore-python's own Rekor client and verification against the server in REKOR_SERVER.

Every answer is verified by sigstore's code: inclusion proof, checkpoint and signed entry timestamp.
"""

import base64
import datetime
import hashlib
import json
import os

import pytest
import requests
import rekor_types
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from sigstore import dsse
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor import RekorClientError
from sigstore._internal.rekor.checkpoint import verify_checkpoint
from sigstore._internal.rekor.client import RekorClient
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore.errors import VerificationError
from sigstore.hashes import Hashed
from sigstore.models import TransparencyLogEntry
from sigstore_models.common import v1 as common_v1

SERVER = os.environ["REKOR_SERVER"]


@pytest.fixture
def client():
    return RekorClient(SERVER)


@pytest.fixture
def keyring():
    """The log's key, as a trusted root would hold it."""
    pem = requests.get(f"{SERVER}/api/v1/log/publicKey", timeout=10).content
    der = serialization.load_pem_public_key(pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return RekorKeyring(
        Keyring(
            [
                common_v1.PublicKey(
                    raw_bytes=base64.b64encode(der),
                    key_details=common_v1.PublicKeyDetails.PKIX_ECDSA_P256_SHA_256,
                )
            ]
        )
    )


@pytest.fixture
def signer():
    """A key, and a certificate that names its holder by e-mail address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(minutes=10))
        .add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name("signer@example.com")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def hashedrekord(client, signer):
    key, certificate = signer
    digest = hashlib.sha256(os.urandom(32)).digest()
    signature = key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    hashed = Hashed(algorithm=common_v1.HashAlgorithm.SHA2_256, digest=digest)
    return client._build_hashed_rekord_request(hashed, signature, certificate)


def envelope(client, signer):
    key, certificate = signer
    statement = (
        dsse.StatementBuilder()
        .subjects([dsse.Subject(name="image", digest={"sha256": os.urandom(32).hex()})])
        .predicate_type("https://example.com/predicate")
        .predicate({"nonce": os.urandom(8).hex()})
        .build()
    )
    return client._build_dsse_request(dsse._sign(key, statement), certificate)


KINDS = {"hashedrekord": (hashedrekord, rekor_types.Hashedrekord), "dsse": (envelope, rekor_types.Dsse)}


@pytest.fixture(params=KINDS)
def proposal(request, client, signer):
    build, model = KINDS[request.param]
    proposed = build(client, signer)
    return proposed, model.model_validate(proposed)


def uuid_of(entry, client):
    tree = int(client.log.get().tree_id)
    leaf = hashlib.sha256(b"\0" + entry._inner.canonicalized_body).hexdigest()
    return f"{tree:016x}{leaf}"


def verify(entry, keyring):
    """sigstore's own checks, each by name, so that none can be left out in silence."""
    verify_merkle_inclusion(entry)
    verify_checkpoint(keyring, entry)
    entry._verify_set(keyring)
    entry._verify(keyring)


def what_never_changes(entry):
    inner = entry._inner
    return inner.canonicalized_body, inner.log_index, inner.log_id, inner.integrated_time, inner.kind_version


def test_every_way_to_an_entry_leads_to_the_same_verified_one(client, keyring, signer, proposal):
    # The client takes index 0 for "no index given".
    client.create_entry(hashedrekord(client, signer))
    proposed, typed = proposal

    created = client.create_entry(proposed)
    uuid = uuid_of(created, client)
    by_uuid = client.log.entries.get(uuid=uuid)
    by_leaf_hash = client.log.entries.get(uuid=uuid[16:])
    by_index = client.log.entries.get(log_index=created._inner.log_index)
    by_proposal = client.log.entries.retrieve.post(typed)

    for entry in (created, by_uuid, by_leaf_hash, by_index, by_proposal):
        verify(entry, keyring)
        assert what_never_changes(entry) == what_never_changes(created)
    assert created._inner.kind_version.kind == proposed["kind"]
    assert created._inner.inclusion_proof.tree_size > created._inner.log_index


def test_an_entry_that_was_never_added_is_not_retrieved(client, proposal):
    _, typed = proposal
    assert client.log.entries.retrieve.post(typed) is None


def test_a_duplicate_is_a_conflict_that_leads_to_the_entry(client, keyring, proposal):
    proposed, _ = proposal
    created = client.create_entry(proposed)

    with pytest.raises(RekorClientError) as refused:
        client.create_entry(proposed)

    response = refused.value.__cause__ or refused.value.__context__
    assert response.response.status_code == 409
    uuid = response.response.headers["Location"].rsplit("/", 1)[1]
    existing = client.log.entries.get(uuid=uuid)
    verify(existing, keyring)
    assert what_never_changes(existing) == what_never_changes(created)


def test_refused_evidence_says_why(client, proposal, signer):
    key, _ = signer
    proposed, _ = proposal
    if proposed["kind"] == "dsse":
        content = json.loads(proposed["spec"]["proposedContent"]["envelope"])
        content["payload"] = base64.b64encode(b"another payload").decode()
        proposed["spec"]["proposedContent"]["envelope"] = json.dumps(content)
    else:
        signature = key.sign(b"something else", ec.ECDSA(hashes.SHA256()))
        proposed["spec"]["signature"]["content"] = base64.b64encode(signature).decode()
    size = client.log.get().tree_size

    with pytest.raises(RekorClientError, match="error processing entry"):
        client.create_entry(proposed)

    assert client.log.get().tree_size == size


def test_an_unknown_entry_is_not_found(client):
    with pytest.raises(RekorClientError):
        client.log.entries.get(uuid="f" * 64)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda entry: entry.inclusion_proof.hashes.append(b"\0" * 32), "inclusion proof"),
        (lambda entry: setattr(entry, "integrated_time", entry.integrated_time + 1), "SET"),
        (lambda entry: setattr(entry, "log_index", entry.log_index + 1), "SET"),
        (
            lambda entry: setattr(entry, "canonicalized_body", entry.canonicalized_body + b" "),
            "inclusion proof|root hash",
        ),
    ],
)
def test_a_changed_entry_does_not_verify(client, keyring, signer, change, reason):
    """Otherwise the tests above would show nothing."""
    client.create_entry(hashedrekord(client, signer))
    created = client.create_entry(hashedrekord(client, signer))
    change(created._inner)
    with pytest.raises(VerificationError, match=reason):
        TransparencyLogEntry(created._inner)._verify(keyring)
