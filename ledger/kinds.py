"""What a kind of transaction is: the form in which each domain module states its rule (spec KIND).

A module under `ledger/domains/<domain>/` declares a payload dataclass, its failure codes, its `apply` function and one `Kind`. The
registry lists the kinds; nothing else in the ledger changes when one is added.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from ledger.params import Params
from ledger.schema import Struct
from ledger.state import RuleView
from ledger.types import (
    Address,
    Amount,
    BlockHash,
    ChainId,
    Hash,
    Height,
    ProgramId,
    PublicKey,
    RecordKey,
    Signature,
    Timestamp,
    TxId,
)

Payload = TypeVar("Payload")

APPLIED = ""
"""Result code of an entry (or of a whole transaction) that was applied."""


class Cost(NamedTuple):
    """What applying a payload touches: records changed, slots made, due items made, besides the envelope's own.

    `signatures` are those in the payload itself (`Kind.attestations`).
    """

    records: int
    slots: int = 0
    due: int = 0
    signatures: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """Where a rule is applied: the block's height and the chain's clock, which is the previous block's time (spec BLK-3).

    `state_root` is the previous block's: the state that a proposal takes as its snapshot (spec VOI-1). `parent` is its hash.
    """

    params: Params
    height: Height
    time: Timestamp
    state_root: Hash
    parent: BlockHash


class Call(NamedTuple):
    """One transaction as its rule sees it.

    `payer` is who locks deposits: `A` + address, or `P` + program (spec FEE-5). It is empty when the fee was prepaid.
    `fee` is what was taken before the rule: 0 when it was prepaid.
    """

    txid: TxId
    author: Address
    payer: bytes
    sponsored: bool
    fee: Amount


def no_cosigners(payload: Any) -> tuple[Address, ...]:
    """Only the author signs."""
    return ()


def nothing_more_to_check(payload: Any) -> None:
    """The payload's shape says it all."""


Attestation = tuple[PublicKey, bytes, Signature]
"""(public key, message, signature) that must hold, like a witness's."""


def no_attestations(author: Address, payload: Any, chain_id: ChainId) -> tuple[Attestation, ...]:
    """The payload holds no signatures."""
    return ()


def admits_nobody(view: RuleView, program: ProgramId, payload: Any) -> bool:
    """A pool pays for members, issuers and the owner only."""
    return False


@dataclass(frozen=True, slots=True)
class Kind(Generic[Payload]):
    """One kind of transaction.

    `apply` raises `RuleViolation`, or returns one result code per entry (`(APPLIED,)` unless the kind is a batch). `check` raises
    `Malformed` for what a shape can't say. `reads` names records that `apply` will read, so that a store can fetch a block's in
    one go. `admits_sponsor` is asked before a pool pays for somebody who is not yet a member. `prepaid_weight` is the weight that
    some record has paid in advance (0: none does), and `attestations` are signatures of others in the payload.
    `waits_for_recovery`: it moves coin or points out of the author's account, or changes who may sign for it, and so waits while
    guardians recover the account (spec ACC-5). `has_reserved_room`: a block keeps room for it besides its weight (spec FIN-6).
    """

    name: str
    anchor: str
    payload: Struct[Payload]
    apply: Callable[[RuleView, Call, Payload, Context], tuple[str, ...]]
    cost: Callable[[Payload], Cost]
    reads: Callable[[Address, Payload], tuple[RecordKey, ...]]
    cosigners: Callable[[Payload], tuple[Address, ...]] = no_cosigners
    check: Callable[[Payload], None] = nothing_more_to_check
    admits_sponsor: Callable[[RuleView, ProgramId, Payload], bool] = admits_nobody
    attestations: Callable[[Address, Payload, ChainId], tuple[Attestation, ...]] = no_attestations
    prepaid_weight: int = 0
    waits_for_recovery: bool = False
    has_reserved_room: bool = False


def one_unit(view: RuleView, subject: bytes, number: int) -> int:
    """A piece whose work is always the same."""
    return 1


@dataclass(frozen=True, slots=True)
class DueKind:
    """One kind of due work: what a block does by itself when its time has come (spec DUE).

    `apply` gets the subject's id and a number, and does one bounded piece. `weight` times the piece's `units` is counted before
    it is done.
    """

    name: str
    anchor: str
    weight: int
    apply: Callable[[RuleView, bytes, int, Context], None]
    units: Callable[[RuleView, bytes, int], int] = one_unit
