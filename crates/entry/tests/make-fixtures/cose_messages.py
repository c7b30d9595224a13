"""COSE_Sign1 messages by the library cwt: cose_messages.py KEY-FOLDER OUTPUT-FOLDER."""

import sys
from pathlib import Path

from cwt import COSE, COSEAlgs, COSEHeaders, COSEKey

keys, out = Path(sys.argv[1]), Path(sys.argv[2])


def sign(name, key, alg, payload, aad=b"", headers=None):
    signer = COSEKey.from_pem((keys / f"{key}.pem").read_text(), alg=alg)
    protected = {COSEHeaders.ALG: getattr(COSEAlgs, alg)} | (headers or {})
    message = COSE.new().encode_and_sign(payload, signer, protected=protected, external_aad=aad)
    (out / f"{name}.cbor").write_bytes(message)


statement = b'{"subject":[{"name":"a","digest":{"sha256":"aa"}}],"predicate":{"materials":[{"digest":{"sha1":"bb"}}]}}'
sign("es256", "prime256v1", "ES256", b"hello world")
sign("ps256", "2048", "PS256", b"hello world")
sign("aad", "prime256v1", "ES256", b"hello world", aad=b"some context")
sign("statement", "prime256v1", "ES256", statement, headers={COSEHeaders.CTY: "application/vnd.in-toto+json"})
# Refused: a curve that this kind does not take.
sign("es384", "secp384r1", "ES384", b"hello world")
