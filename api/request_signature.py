"""What a signature over an HTTP request is here (RFC 9421, Ed25519): the part that clients and servers share.

A request for what is only somebody's own is signed by the keys of its account, under the ledger's own strict rule for Ed25519. Each
signature covers `@method` and `@target-uri` (or `@authority`, `@path` and `@query`), `content-digest` where there is a body, and
the two headers that name another account than the key's own, where they are sent. Its parameters are `created`, `nonce`, `keyid`
(the public key: 64 hexadecimal digits), `alg` ("ed25519") and `tag` ("fansumer").

An ordinary account is its key's. For one whose keys were changed, or that needs several, `Fansumer-Account` is its address and
`Fansumer-Policy` the canonical bytes of its present policy, as a byte sequence of RFC 8941 (`:base64:`); as many of the policy's
keys sign as its threshold says, each with a label of its own.
"""

from typing import Final

from http_message_signatures import HTTPSignatureAlgorithm  # pyright: ignore[reportPrivateImportUsage] - it is public
from http_message_signatures.exceptions import InvalidSignature
from http_message_signatures.resolvers import HTTPSignatureKeyResolver

from ledger import keys
from ledger.types import PrivateSeed, PublicKey, Signature

TAG: Final = "fansumer"
"""So that a signature made for another application is none here."""
WINDOW_SECONDS: Final = 60
"""How far `created` may be off the server's clock, either way."""
ACCOUNT_HEADER: Final = "Fansumer-Account"
POLICY_HEADER: Final = "Fansumer-Policy"
NONCE_CHARACTERS_MIN: Final = 8
NONCE_CHARACTERS_MAX: Final = 128
ACCEPT_SIGNATURE: Final = f'sig=("@method" "@target-uri");created;nonce;keyid;alg="ed25519";tag="{TAG}"'
"""What a server asks for, as RFC 9421 writes it (section 5.1)."""


class NotSigned(InvalidSignature):
    """The signature is well-formed and not of this key over this request."""


class StrictEd25519(HTTPSignatureAlgorithm):
    """Ed25519 as the ledger verifies it, over keys of 32 bytes."""

    algorithm_id = "ed25519"

    def __init__(self, public_key: bytes | None = None, private_key: bytes | None = None) -> None:
        self._public_key = public_key
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        assert self._private_key is not None, "the signer has its key"
        return keys.sign(PrivateSeed(self._private_key), message)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise `NotSigned` unless the key signed the message."""
        assert self._public_key is not None, "the verifier was given the key"
        if not keys.verify(PublicKey(self._public_key), message, Signature(signature)):
            raise NotSigned("the signature is not of this key over this request")


class KeyIdIsKey(HTTPSignatureKeyResolver):
    """`keyid` is the public key itself; private keys are those that were given."""

    def __init__(self, *seeds: PrivateSeed) -> None:
        self._seeds = {keys.public_key_of(seed).hex(): seed for seed in seeds}

    def resolve_public_key(self, key_id: str) -> bytes | None:
        """The key that `keyid` spells, or None."""
        return read_key_id(key_id)

    def resolve_private_key(self, key_id: str) -> bytes:
        """The seed of a key that was given."""
        return self._seeds[key_id]


def read_key_id(key_id: str) -> PublicKey | None:
    """The public key in a `keyid`; None where it is none."""
    try:
        found = bytes.fromhex(key_id) if len(key_id) == 64 and key_id.isalnum() else b""
    except ValueError:
        return None
    return PublicKey(found) if len(found) == 32 else None
