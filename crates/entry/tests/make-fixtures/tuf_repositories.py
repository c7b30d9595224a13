"""TUF repositories by the library python-tuf: tuf_repositories.py KEY-FOLDER OUTPUT-FOLDER."""

import sys
from datetime import datetime, timezone
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

keys, out = Path(sys.argv[1]), Path(sys.argv[2])
EXPIRES = datetime(2126, 1, 1, tzinfo=timezone.utc)
ROLES = ["root", "targets", "snapshot", "timestamp"]


def repository(name, signers, thresholds):
    """`signers`: role to the keys that sign it."""
    folder = out / name
    folder.mkdir(parents=True)
    root = Root(expires=EXPIRES, consistent_snapshot=True)
    for role in ROLES:
        for signer in signers[role]:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = thresholds.get(role, 1)
    target = TargetFile.from_data("release.yaml", b"kind: Release\n", ["sha256"])
    documents = {
        "root": root,
        "targets": Targets(expires=EXPIRES, targets={"release.yaml": target}),
        "snapshot": Snapshot(expires=EXPIRES),
        "timestamp": Timestamp(expires=EXPIRES),
    }
    for role, document in documents.items():
        metadata = Metadata(document)
        for signer in signers[role]:
            metadata.sign(signer, append=True)
        metadata.to_file(str(folder / f"{role}.json"), JSONSerializer(compact=False))


ed = [CryptoSigner.generate_ed25519() for _ in range(2)]
ecdsa, rsa = CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa(size=2048)
repository("ed25519", {role: ed for role in ROLES}, {"root": 2})
repository(
    "mixed",
    {"root": [ecdsa, rsa], "targets": [rsa, ecdsa], "snapshot": [ecdsa], "timestamp": [rsa]},
    {"root": 2, "targets": 2},
)
