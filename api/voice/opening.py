"""An opening of a sealed ballot as it is handed over: the canonical bytes of the payload of `ballot.reveal` (spec VOI-9)."""

from typing import Final

from ledger.codec import pack, unpack
from ledger.domains.voice.ballot_reveal import BALLOT_REVEAL, RevealBallot

OPENING_BYTES_MAX: Final = 1_024


def encode_opening(opening: RevealBallot) -> bytes:
    """Its canonical bytes."""
    return pack(BALLOT_REVEAL.payload.encode(opening))


def decode_opening(data: bytes) -> RevealBallot:
    """Read what `encode_opening` wrote. Raises `Malformed`."""
    return BALLOT_REVEAL.payload.decode(unpack(data, bytes_max=OPENING_BYTES_MAX), "opening")
