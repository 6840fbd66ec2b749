"""A transaction as the model reads it, and what a rule is told of it."""

from typing import Any, NamedTuple


class Tx(NamedTuple):
    """The fields of the envelope, the payload's array, and what its bytes weigh.

    `payment` is the array of ENV-2. `shown` are the policies of the witnesses. `attested` says whether the signature of another in
    the payload is good: the machine knows what it signed.
    """

    kind: str
    salt: bytes
    author: bytes
    valid_from: int
    valid_until: int
    payment: tuple[Any, ...]
    payload: tuple[Any, ...]
    shown: tuple[tuple[int, tuple[bytes, ...]], ...]
    size: int
    txid: bytes
    attested: bool = True


class Call(NamedTuple):
    """What a kind's rule knows besides the payload: who acts, who pays deposits, and which fee was taken."""

    txid: bytes
    author: bytes
    payer: bytes
    fee: int
