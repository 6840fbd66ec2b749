"""Whose request it is: signatures over HTTP messages (RFC 9421), verified against the account's present policy.

`authenticate` checks in this order, and a request fails with the first: the headers are there (`signature.missing`) and
well-formed (`signature.malformed`); each signature was made within 60 s of the node's clock (`signature.expired`), has a usable
nonce and key, is of its key over this request (`signature.wrong`) and covers what it must (`signature.coverage`); the body is
the one that was signed (`signature.digest`); the keys are the account's (`signature.foreign_key`) and enough of them
(`signature.threshold`); none of the nonces was used (`signature.replayed`), which is remembered on disk until it would be too
late anyway. So a nonce is used up only by a request that was good.
"""

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_message_signatures.signatures import HTTPMessageVerifier
from http_message_signatures.structures import VerifyResult
from starlette.requests import Request

from api.http.account_keys import policy_hash_at_tip
from api.http.bodies import read_bounded
from api.http.deps import Services, services_of
from api.http.problems import RequestFault
from api.request_signature import (
    ACCOUNT_HEADER,
    NONCE_CHARACTERS_MAX,
    NONCE_CHARACTERS_MIN,
    POLICY_HEADER,
    TAG,
    WINDOW_SECONDS,
    KeyIdIsKey,
    NotSigned,
    StrictEd25519,
    read_key_id,
)
from ledger.codec import unpack
from ledger.errors import Code, Malformed
from ledger.params import POLICY_KEYS_MAX
from ledger.policy import Policy, address_of_key, single_key_policy
from ledger.schema import Struct
from ledger.types import Address, PublicKey, Timestamp

_SIGN_AGAIN: Final = "Sign the request again; `fansumer wallet receipts` does it for you."
MISSING = Code(
    "signature.missing",
    "this is only for the account's owner, and the request is not signed",
    "Sign it as RFC 9421 says, with the account's key and the tag fansumer; Accept-Signature names the parts.",
)
MALFORMED = Code("signature.malformed", "the signature cannot be read: {reason}", _SIGN_AGAIN)
EXPIRED = Code(
    "signature.expired",
    "the signature is {seconds} s off the node's clock; {maximum} s are allowed",
    "Check this computer's clock, then sign the request again.",
)
WRONG = Code("signature.wrong", "the signature is not of this key over this request", _SIGN_AGAIN)
COVERAGE = Code(
    "signature.coverage",
    "the signature does not cover {component}",
    "Cover @method, @target-uri, content-digest where there is a body, and the Fansumer headers that are sent.",
)
DIGEST = Code(
    "signature.digest", "Content-Digest is not that of the body", "Send the body that was signed, with its digest."
)
FOREIGN_KEY = Code(
    "signature.foreign_key",
    "the key is none of the account's present keys",
    "Sign with the account's present keys, and send its present policy if its keys were ever changed; "
    "`fansumer wallet find-keys` finds them.",
)
THRESHOLD = Code(
    "signature.threshold",
    "{needed} of the account's keys must sign; {found} did",
    "Let more of the account's keys sign the same request, each with a label of its own.",
)
REPLAYED = Code(
    "signature.replayed", "a request with this nonce was taken already", "Sign the request again, with a new nonce."
)

BODY_BYTES_MAX: Final = 4_096
"""Signed requests carry no more than a few filters."""
POLICY_CHARACTERS_MAX: Final = 4_096
POLICY: Final = Struct(Policy)
TARGET_PARTS: Final = ("@authority", "@path", "@query")


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A request as the library reads one: with its whole URL as it was sent, and all lines of its headers."""

    method: str
    url: str
    headers: Any


class AccountVerifier(HTTPMessageVerifier):
    """The library's verifier with the node's clock, the ledger's Ed25519, and keys that name themselves."""

    def __init__(self, now: Timestamp) -> None:
        super().__init__(signature_algorithm=StrictEd25519, key_resolver=KeyIdIsKey())
        self._now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Raise signature.malformed or signature.expired. The parameters' types were checked before."""
        created, expires = sig_input.params.get("created"), sig_input.params.get("expires", self._now)
        nonce, key_id = sig_input.params.get("nonce", ""), sig_input.params.get("keyid", "")
        if created is None or not NONCE_CHARACTERS_MIN <= len(nonce) <= NONCE_CHARACTERS_MAX:
            reason = f"it needs created, and a nonce of {NONCE_CHARACTERS_MIN} to {NONCE_CHARACTERS_MAX} characters"
            raise RequestFault(MALFORMED, reason=reason)
        if read_key_id(key_id) is None:
            raise RequestFault(MALFORMED, reason="keyid is the public key: 64 hexadecimal digits")
        off = max(abs(self._now - created), self._now - expires)
        if off > WINDOW_SECONDS or expires < self._now:
            raise RequestFault(EXPIRED, seconds=off, maximum=WINDOW_SECONDS)


async def authenticate(request: Request) -> Address:
    """The account whose keys signed this request. Raises RequestFault signature.*, in the order above."""
    return (await authenticate_body(request, BODY_BYTES_MAX))[0]


async def authenticate_body(request: Request, bytes_max: int) -> tuple[Address, bytes]:
    """The account whose keys signed this request, and its body, which they signed, too. Raises as `authenticate`."""
    services, now = services_of(request), services_of(request).node.clock.now()
    if "signature-input" not in request.headers or "signature" not in request.headers:
        raise RequestFault(MISSING)
    body = await read_bounded(request, bytes_max)
    found = verify_message(SignedMessage(request.method, _url_of(request, services), request.headers), body, now)
    signers = tuple(dict.fromkeys(PublicKey(bytes.fromhex(str(one.parameters["keyid"]))) for one in found))
    account = _check_policy(request, services, signers)
    nonces = [sha256(f"{one.parameters['keyid']} {one.nonce}".encode()).digest() for one in found]
    expires_at = Timestamp(max(int(one.parameters["created"]) for one in found) + WINDOW_SECONDS)
    if len(set(nonces)) < len(nonces):
        raise RequestFault(REPLAYED)
    if not await services.receipts.run(lambda store: store.nonces.use(nonces, now, expires_at)):
        raise RequestFault(REPLAYED)
    return account, body


def verify_message(message: SignedMessage, body: bytes, now: Timestamp) -> list[VerifyResult]:
    """The signatures with our tag, all of them verified. Raises RequestFault signature.*"""
    verifier = AccountVerifier(now)
    try:
        found = verifier.verify(message, max_age=None, expect_tag=TAG)
    except NotSigned:
        raise RequestFault(WRONG) from None
    except HTTPMessageSignaturesException as fault:
        raise RequestFault(MALFORMED, reason=str(fault)[:200]) from None
    if len(found) > POLICY_KEYS_MAX:
        raise RequestFault(MALFORMED, reason=f"more than {POLICY_KEYS_MAX} signatures")
    named = [name for name in (ACCOUNT_HEADER.lower(), POLICY_HEADER.lower()) if name in message.headers]
    for one in found:
        _check_coverage(one.covered_components, [*named, *(["content-digest"] if body else [])])
    try:
        return verifier.verify_body(message, found, body)
    except HTTPMessageSignaturesException:
        raise RequestFault(DIGEST) from None


def _check_coverage(covered: Iterable[str], more: Sequence[str]) -> None:
    names = {name.strip('"') for name in covered}
    wanted = ["@method", *more]
    if "@target-uri" not in names:
        wanted += TARGET_PARTS if names & set(TARGET_PARTS) else ["@target-uri"]
    for name in wanted:
        if name not in names:
            raise RequestFault(COVERAGE, component=name)


def _url_of(request: Request, services: Services) -> str:
    """The URL that was asked for, byte by byte. Its origin is one that this node goes by, where the operator named those.

    A signature for another node's name is no good here, so that node cannot pass it on.
    """
    path, query = request.scope.get("raw_path") or request.url.path.encode(), request.scope["query_string"]
    origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    named = services.settings.origins
    if named and origin not in named:
        same_host = [name for name in named if name.partition("://")[2] == request.headers.get("host", "")]
        origin = (same_host or named)[0]
    return (origin.encode() + path + (b"?" + query if query else b"")).decode("latin-1")


def _check_policy(request: Request, services: Services, signers: Sequence[PublicKey]) -> Address:
    """The account that these keys may sign for, by its present policy."""
    text, encoded = request.headers.get(ACCOUNT_HEADER), request.headers.get(POLICY_HEADER)
    policy = single_key_policy(signers[0]) if encoded is None else _read_policy(encoded)
    address = address_of_key(signers[0]) if text is None else services.renderer.parse_address(text)
    with services.reader.snapshot() as view:
        in_force = policy_hash_at_tip(view, address)
    if policy.hash != in_force or not set(signers) <= set(policy.keys):
        raise RequestFault(FOREIGN_KEY)
    if len(signers) < policy.threshold:
        raise RequestFault(THRESHOLD, needed=policy.threshold, found=len(signers))
    return address


def _read_policy(text: str) -> Policy:
    inner = text.strip()
    try:
        if len(inner) > POLICY_CHARACTERS_MAX or len(inner) < 2 or inner[0] != ":" or inner[-1] != ":":
            raise ValueError("no byte sequence")
        policy: Policy = POLICY.decode(unpack(b64decode(inner[1:-1], validate=True)), "policy")
        policy.check()
    except (Error, ValueError):
        raise RequestFault(MALFORMED, reason=f"{POLICY_HEADER} is no byte sequence in base64") from None
    except Malformed as fault:
        raise RequestFault(MALFORMED, reason=f"{POLICY_HEADER}: {fault}"[:200]) from None
    return policy
