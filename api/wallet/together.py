"""One transaction that several people sign in several places, as a file that is passed round.

    {"format": "fansumer-together", "version": 1, "chain_id": "<64 hex>", "address_prefix": "dfan", "body": "<base64>",
     "parties": [{"address": "<64 hex>", "threshold": 2, "keys": ["<64 hex>", ...], "signatures": {"0": "<128 hex>"}}]}

The parties are the transaction's signers in their order, each with its policy and the signatures that were given so far, by the
place of the key. Whoever reads the file takes nothing in it on trust: the body's own bytes say what will happen, each signature is
verified, and what the file says beside them is used for nothing.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, get_type_hints

from api.wallet.builder import Signer
from api.wallet.errors import WalletError
from api.words import shown_format
from ledger import keys, registry
from ledger.address import encode_address
from ledger.codec import unpack
from ledger.errors import Code, LedgerError
from ledger.hashing import TX
from ledger.params import TRANSACTION_BYTES_MAX
from ledger.policy import Policy
from ledger.transaction import (
    BODY,
    BODY_FIELDS,
    Body,
    OwnFee,
    Sponsored,
    Witness,
    decode_transaction,
    encode_transaction,
    signing_hash,
)
from ledger.types import Address, Amount, ChainId, Height, PublicKey, Signature, TxId

FORMAT: Final = "fansumer-together"
VERSION: Final = 1
TEXT_CHARACTERS_MAX: Final = 2**19
"""A transaction of the greatest size in base64, and its signatures."""

BAD_FILE = Code(
    "together.bad_file",
    "this is no transaction to sign together: {reason}",
    "Ask whoever made it for the file again.",
)
BAD_SIGNATURE = Code(
    "together.bad_signature",
    "the signature of key {index} of {address} is not of this transaction",
    "Take the file as it was before that signature was added.",
)
NOT_A_SIGNER = Code(
    "together.not_a_signer",
    "no key of this wallet is among those that sign: {keys}",
    "Open the wallet whose `fansumer wallet public-key` is one of these, or name its --account.",
)
SIGNED_ALREADY = Code(
    "together.signed_already",
    "every key of this wallet that may sign has signed already; {missing:signature} more must be given",
    "Pass the file on to whoever has not signed yet.",
)
ENOUGH = Code(
    "together.enough",
    "it has all the {threshold} signatures that it needs, and more are refused",
    "Send it: fansumer wallet together submit FILE.",
)
TOO_FEW = Code(
    "together.too_few",
    "{found} of the {threshold} signatures of {address} are there; these keys have not signed: {keys}",
    "Let more of them sign: fansumer wallet together sign FILE.",
)
EXPIRED = Code(
    "together.expired",
    "it can stand in blocks {valid_from} to {valid_until} only, and the next block is {next_height}",
    "Build it again, and pass it round sooner.",
)
WRONG_CHAIN = Code(
    "together.wrong_chain",
    "it is for the chain {wanted}, and the node is on {found}",
    "Name a node of that chain with --url.",
)
NOT_THE_SAME = Code(
    "together.not_the_same",
    "{path} is another transaction",
    "Join files that were signed of one and the same transaction.",
)


@dataclass(frozen=True, slots=True)
class Party:
    """A signer of the transaction: its address, its policy, and the signatures by the place of their key."""

    address: Address
    policy: Policy
    signatures: tuple[tuple[int, Signature], ...] = ()

    @property
    def missing(self) -> int:
        """How many signatures are needed yet."""
        return max(self.policy.threshold - len(self.signatures), 0)

    @property
    def unsigned_keys(self) -> tuple[PublicKey, ...]:
        """Keys that have not signed."""
        signed = {index for index, _ in self.signatures}
        return tuple(key for index, key in enumerate(self.policy.keys) if index not in signed)


@dataclass(frozen=True, slots=True)
class Together:
    """A body, who signs it, and the signatures so far. Made by `of_body` or `from_json`, which check everything."""

    chain_id: ChainId
    prefix: str
    body_bytes: bytes
    body: Body
    payload: Any
    parties: tuple[Party, ...]

    @staticmethod
    def of_body(chain_id: ChainId, prefix: str, body_bytes: bytes, parties: tuple[Party, ...]) -> "Together":
        """Check that these are the signers of this body and that their signatures hold.

        Raises WalletError together.bad_file or together.bad_signature.
        """
        body, payload = _read_body(body_bytes, chain_id)
        signers = (body.author, *registry.KINDS[body.kind].cosigners(payload))
        if signers != tuple(party.address for party in parties):
            raise WalletError(BAD_FILE, reason="its parties are not the signers of the transaction")
        found = Together(chain_id, prefix, body_bytes, body, payload, parties)
        for party in parties:
            found._check_party(party)
        return found

    def _check_party(self, party: Party) -> None:
        message, address = signing_hash(self.chain_id, self.body_bytes), encode_address(self.prefix, party.address)
        indexes = [index for index, _ in party.signatures]
        if indexes != sorted(set(indexes)) or len(indexes) > party.policy.threshold:
            raise WalletError(BAD_FILE, reason="a key has signed twice, or there are too many signatures")
        for index, signature in party.signatures:
            if not index < len(party.policy.keys) or not keys.verify(party.policy.keys[index], message, signature):
                raise WalletError(BAD_SIGNATURE, index=index, address=address)

    @property
    def txid(self) -> TxId:
        """The transaction's id, which its signatures do not change."""
        return TxId(TX(self.body_bytes))

    @property
    def missing(self) -> int:
        """How many signatures are needed yet."""
        return sum(party.missing for party in self.parties)

    def check_time(self, chain_id: ChainId, next_height: Height) -> None:
        """Raise WalletError together.wrong_chain or together.expired at a node whose next block has this height."""
        if chain_id != self.chain_id:
            raise WalletError(WRONG_CHAIN, wanted=self.chain_id.hex()[:16], found=chain_id.hex()[:16])
        if next_height > self.body.valid_until:
            span = {"valid_from": self.body.valid_from, "valid_until": self.body.valid_until}
            raise WalletError(EXPIRED, **span, next_height=next_height)

    def sign(self, signers: Iterable[Signer]) -> "Together":
        """The same with the signatures of those of these keys that may sign, as many as are needed.

        Raises WalletError together.enough, together.not_a_signer or together.signed_already.
        """
        if not self.missing:
            raise WalletError(ENOUGH, threshold=sum(party.policy.threshold for party in self.parties))
        seeds = {keys.public_key_of(signer.seed): signer.seed for signer in signers}
        wanted = [key for party in self.parties for key in party.policy.keys]
        if not any(key in seeds for key in wanted):
            raise WalletError(NOT_A_SIGNER, keys=", ".join(key.hex() for key in wanted))
        message = signing_hash(self.chain_id, self.body_bytes)
        signed = self
        for place, party in enumerate(self.parties):
            own = [key for key in party.unsigned_keys if key in seeds][: party.missing]
            given = ((party.policy.keys.index(key), keys.sign(seeds[key], message)) for key in own)
            more = replace(party, signatures=tuple(sorted((*party.signatures, *given))))
            signed = replace(signed, parties=(*signed.parties[:place], more, *signed.parties[place + 1 :]))
        if signed == self:
            raise WalletError(SIGNED_ALREADY, missing=self.missing)
        return signed

    def join(self, other: "Together", path: str) -> "Together":
        """The same with the signatures of both. Raises WalletError together.not_the_same."""
        ours = tuple((party.address, party.policy) for party in self.parties)
        theirs = tuple((party.address, party.policy) for party in other.parties)
        if (self.body_bytes, self.chain_id, ours) != (other.body_bytes, other.chain_id, theirs):
            raise WalletError(NOT_THE_SAME, path=path)
        joined = tuple(
            replace(mine, signatures=_first({**dict(mine.signatures), **dict(its.signatures)}, mine.policy.threshold))
            for mine, its in zip(self.parties, other.parties, strict=True)
        )
        return replace(self, parties=joined)

    def finish(self) -> bytes:
        """The bytes of the signed transaction, checked by the ledger's decoder. Raises WalletError together.too_few."""
        for party in self.parties:
            if party.missing:
                raise WalletError(
                    TOO_FEW,
                    found=len(party.signatures),
                    threshold=party.policy.threshold,
                    address=encode_address(self.prefix, party.address),
                    keys=", ".join(key.hex() for key in party.unsigned_keys),
                )
        raw = encode_transaction(
            self.body_bytes, tuple(Witness(party.policy, party.signatures) for party in self.parties)
        )
        decode_transaction(raw, self.chain_id)
        return raw

    def to_json(self) -> str:
        """The file's text."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "chain_id": self.chain_id.hex(),
            "address_prefix": self.prefix,
            "body": base64.b64encode(self.body_bytes).decode(),
            "parties": [
                {
                    "address": party.address.hex(),
                    "threshold": party.policy.threshold,
                    "keys": [key.hex() for key in party.policy.keys],
                    "signatures": {str(index): signature.hex() for index, signature in party.signatures},
                }
                for party in self.parties
            ],
        }
        return json.dumps(document, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> "Together":
        """Read a file's text. Raises WalletError together.bad_file, together.bad_signature, or Malformed of a part of it."""
        document = _read_document(text)
        try:
            chain_id = ChainId(bytes.fromhex(document["chain_id"]))
            body_bytes = base64.b64decode(document["body"], validate=True)
            prefix = str(document["address_prefix"])[:16]
            parties = tuple(_read_party(party) for party in document["parties"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise WalletError(BAD_FILE, reason="a field is missing or malformed") from None
        if len(chain_id) != 32 or not prefix.isascii() or not prefix.isalnum() or prefix != prefix.lower():
            raise WalletError(BAD_FILE, reason="its chain is not named as chains are")
        return Together.of_body(chain_id, prefix, body_bytes, parties)

    def describe(self) -> dict[str, Any]:
        """What will happen, and whose signatures are there: from the bytes that are signed, addresses as people write them."""
        payment = self.body.payment
        if isinstance(payment, OwnFee):
            pays = f"the account itself, {payment.fee:,} coin"
        else:
            pays = f"the pool of {payment.program.hex()}" if isinstance(payment, Sponsored) else "paid in advance"
        return {
            "txid": self.txid.hex(),
            "kind": self.body.kind,
            **{f"  {name}": text for name, text in _show(self.payload, self.prefix)},
            "fee": pays,
            "blocks": f"{self.body.valid_from} to {self.body.valid_until}",
            "missing": self.missing,
            "signers": [
                {
                    "account": encode_address(self.prefix, party.address),
                    "key": key.hex(),
                    "signed": any(place == index for place, _ in party.signatures),
                }
                for party in self.parties
                for index, key in enumerate(party.policy.keys)
            ],
        }


def _first(signatures: Mapping[int, Signature], count: int) -> tuple[tuple[int, Signature], ...]:
    """As many as are needed, by ascending key."""
    return tuple(sorted(signatures.items())[:count])


def _show(value: Any, prefix: str, name: str = "") -> Iterable[tuple[str, str]]:
    """The fields of a payload in lines, parts by dotted names."""
    hints = get_type_hints(type(value))
    for field in fields(value):
        found, label = getattr(value, field.name), f"{name}{field.name}"
        if hasattr(found, "__dataclass_fields__"):
            if hasattr(found, "tag"):
                yield label, type(found).__name__
            yield from _show(found, prefix, f"{label}.")
        elif hints[field.name] is Address:
            yield label, encode_address(prefix, found) if found else "-"
        elif hints[field.name] is Amount:
            yield label, f"{found:,} coin"
        else:
            yield label, _plain(found)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex() or "-"
    if isinstance(value, tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if hasattr(value, "__dataclass_fields__"):
        return "[" + ", ".join(_plain(getattr(value, field.name)) for field in fields(value)) + "]"
    text = str(value)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _read_document(text: str) -> Mapping[str, Any]:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise WalletError(BAD_FILE, reason=f"it has more than {TEXT_CHARACTERS_MAX} characters")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise WalletError(BAD_FILE, reason="it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise WalletError(BAD_FILE, reason=f"its format is {shown_format(document)}, not {FORMAT}")
    if document.get("version") != VERSION:
        raise WalletError(BAD_FILE, reason="its version is unknown; update fansumer")
    return document


def _read_party(party: Mapping[str, Any]) -> Party:
    """Raises WalletError together.bad_file, KeyError, TypeError, ValueError or AttributeError."""
    threshold, address = party["threshold"], bytes.fromhex(party["address"])
    found = tuple(PublicKey(bytes.fromhex(key)) for key in party["keys"])
    signatures = tuple(
        (int(index), Signature(bytes.fromhex(signature))) for index, signature in party["signatures"].items()
    )
    if type(threshold) is not int or not 1 <= threshold <= len(found) <= 16 or {len(key) for key in found} != {32}:
        raise WalletError(BAD_FILE, reason="a policy is none")
    if len(address) != 32 or any(index < 0 or len(signature) != 64 for index, signature in signatures):
        raise WalletError(BAD_FILE, reason="an address or a signature is none")
    policy = Policy(threshold, found)
    policy.check()
    return Party(Address(address), policy, tuple(sorted(signatures)))


def _read_body(body_bytes: bytes, chain_id: ChainId) -> tuple[Body, Any]:
    """The body and its payload, as the ledger's decoder reads them."""
    try:
        array = unpack(body_bytes, bytes_max=TRANSACTION_BYTES_MAX)
        if not isinstance(array, tuple) or len(array) != BODY_FIELDS:
            raise WalletError(BAD_FILE, reason="its body is not that of a transaction")
        body = BODY.decode(array[:-1], "body")
        kind = registry.KINDS.get(body.kind)
        if kind is None or body.chain_tag != chain_id[:4]:
            raise WalletError(BAD_FILE, reason="its body is of an unknown kind, or for another chain")
        payload = kind.payload.decode(array[-1], "payload")
        kind.check(payload)
    except WalletError:
        raise
    except LedgerError as fault:
        raise WalletError(BAD_FILE, reason=str(fault)) from None
    return body, payload
