"""The client's calls of an attestor: `client.attesting.sight(key)`, `client.attesting.vote(signed)`."""

from collections.abc import Callable, Mapping
from typing import Any

from api.wallet.own_data import Answer
from ledger.finality.votes import Checkpoint, SignedVote
from ledger.types import BlockHash, ChainId, Height, PublicKey
from node.attest.attestor import Sight


class AttestorCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self._read = read

    def standing(self, key: PublicKey) -> Answer:
        """`GET /v1/finality/attestors/{key}`: what is to be voted for, and what is known of this key's votes."""
        return self._read("GET", f"/v1/finality/attestors/{key.hex()}")

    def sight(self, key: PublicKey) -> Sight:
        """The same, as an attestor reads it. Raises ValueError, KeyError, TypeError or Malformed where it makes no sense."""
        return read_sight(self.standing(key))

    def vote(self, signed: SignedVote) -> Answer:
        """`POST /v1/finality/votes`: hand a vote over; it goes to all other nodes."""
        return self._read("POST", "/v1/finality/votes", content=signed.encode())


def read_sight(found: Mapping[str, Any]) -> Sight:
    """What a node shows. Raises ValueError, KeyError, TypeError or Malformed."""
    return Sight(
        chain_id=ChainId(bytes.fromhex(found["chain_id"])),
        interval=int(found["interval_blocks"]),
        tip=Height(int(found["height"])),
        is_fresh=bool(found["is_fresh"]),
        source=_checkpoint(found["source"]),
        target=_checkpoint(found["target"]),
        set_number=int(found["set_number"]),
        is_member=bool(found["is_member"]),
        own_votes=tuple(SignedVote.decode(bytes.fromhex(vote["raw"])) for vote in found["votes"]),
    )


def _checkpoint(found: Mapping[str, Any]) -> Checkpoint:
    block_hash = bytes.fromhex(found["hash"])[::-1]
    if len(block_hash) != 32:
        raise ValueError("a block's hash has 32 bytes")
    return Checkpoint(Height(int(found["height"])), BlockHash(block_hash))
