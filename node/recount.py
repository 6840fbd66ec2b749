"""Recounting a proposal from blocks that nobody has to be believed for (spec AUD-8).

The blocks come from a store, a dump or a node over HTTP. Of each: the header follows and proves its work, and the body is the one
that it commits to. Of the proposal's ballots: each came in time, its proofs lead to the snapshot's root, and its power is what
they show. Nothing of it goes through the ledger's rules; what a source says the result is, is held against what comes out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger import keys
from ledger.block import Block, Commitment, check_body_belongs
from ledger.codec import pack, unpack
from ledger.difficulty import DifficultyState
from ledger.errors import Code, LedgerError
from ledger.genesis import make_genesis
from ledger.hashing import BALLOT, object_id
from ledger.header_chain import check_header
from ledger.merkle import verify_inclusion
from ledger.params import Params
from ledger.state import decode_record, record_leaf
from ledger.transaction import Transaction, decode_transaction, signature_checks
from ledger.types import Address, BlockHash, ChainId, Hash, Height, ProposalId, RecordKey, TxId
from node.ballot_count import NOT_SHOWN, Count, age_class, is_a_choice
from node.errors import NodeError
from node.replay import EMPTY_SOURCE, OTHER_GENESIS, BlockSource, Progress

BAD_BLOCK = Code(
    "recount.block", "block {height} is not what its work stands for: {reason}", "The source is damaged or was changed."
)
CHANGED = Code(
    "recount.changed",
    "the ballot of {voter} in block {height}, transaction {position}, was changed: its signature does not hold",
    "The source was changed; ask another one.",
)
BAD_BALLOT = Code(
    "recount.ballot",
    "the ballot of {voter} in block {height} does not count: {reason}",
    "The block should not be valid.",
)
MISSING = Code(
    "recount.missing",
    "the ballot of {voter} is in the source's records, and in none of its blocks",
    "A block of the source lacks it; ask another source.",
)
UNLISTED = Code(
    "recount.unlisted",
    "the ballot of {voter} in block {height} is left out of what the source shows",
    "The source hides it: its result is not to be believed.",
)
DIFFERS = Code(
    "recount.differs",
    "the ballot of {voter}: the blocks say {counted}, the source shows {shown}",
    "The source's result is not to be believed.",
)
WRONG_TALLY = Code(
    "recount.tally", "{what}: {counted} by the blocks, {shown} as the source shows it", "Believe the blocks."
)
NO_PROPOSAL = Code(
    "recount.no_proposal", "the source's blocks hold no proposal {proposal}", "Check the id, and the source."
)

BLOCKS_MIN: Final = 6
OPEN_MODE: Final = 0


@dataclass(frozen=True, slots=True)
class CountedBallot:
    """A ballot as the blocks hold it. `choice` empty: sealed, and not opened by any of them."""

    voter: Address
    power: int
    age: int
    choice: tuple[int, ...]
    commitment: bytes
    height: Height
    txid: TxId


@dataclass(frozen=True, slots=True)
class ClaimedBallot:
    """A ballot as the source shows it."""

    power: int
    choice: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What the source says: its ballots by voter, and the figures of its tally by name. `leaders` None: it has not ended."""

    ballots: Mapping[Address, ClaimedBallot]
    figures: Mapping[str, Any]
    leaders: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong. `height` is its block's, where it is about one."""

    code: str
    text: str
    height: int | None = None


@dataclass(slots=True)
class Recount:
    """What came out. `payload` is the `proposal.create` itself, `clock` and `height` of its block say when it was made."""

    proposal_id: ProposalId
    show: Callable[[bytes], str]
    payload: Any = None
    author: Address = Address(b"")  # noqa: RUF009 - a NewType of bytes, which can't change
    clock: int = 0
    height: int = 0
    snapshot_root: bytes = b""
    snapshot_slots: int = 0
    ballots: dict[Address, CountedBallot] = field(default_factory=dict[Address, CountedBallot])
    problems: list[Problem] = field(default_factory=list[Problem])
    blocks: int = 0
    tip: BlockHash = BlockHash(b"")  # noqa: RUF009 - a NewType of bytes, which can't change
    offsets: dict[bytes, int] = field(default_factory=dict[bytes, int])
    creators: dict[bytes, Address] = field(default_factory=dict[bytes, Address])

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def count(self) -> Count:
        """All that was opened, counted."""
        found = Count(len(self.payload.options), self.payload.method)
        for ballot in self.ballots.values():
            if ballot.choice:
                found.add(ballot.choice, ballot.power, ballot.age)
        return found

    @property
    def committed(self) -> int:
        """How many sealed ballots there are."""
        return sum(1 for ballot in self.ballots.values() if ballot.commitment)

    def note(self, code: Code, height: int | None = None, **fields: Any) -> None:
        """Something is wrong."""
        if height is not None:
            fields["height"] = height
        text = str(NodeError(code, **fields)).removeprefix(f"{code.name}: ")
        self.problems.append(Problem(code.name, text, height))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a transaction stands: its block's height and clock (BLK-3), its number, and the commitment of the block before."""

    height: Height
    clock: int
    position: int
    parent: Commitment


def recount(
    source: BlockSource,
    params: Params,
    proposal_id: ProposalId,
    claim: Claim | None,
    *,
    show: Callable[[bytes], str] = bytes.hex,
    progress: Progress | None = None,
) -> Recount:
    """Count a proposal anew, and hold the `claim` of its source against that. `show` writes addresses for people.

    Raises `audit.empty`, `audit.genesis`, `recount.no_proposal`, and what reading the source raises.
    """
    genesis = make_genesis(params)
    if source.tip is None:
        raise NodeError(EMPTY_SOURCE)
    if source.genesis != genesis.chain_id:
        raise NodeError(OTHER_GENESIS, found=source.genesis or "damaged", expected=genesis.chain_id)
    found = Recount(proposal_id, show, tip=BlockHash(genesis.chain_id))
    parent = Commitment.decode(genesis.block.commitment_bytes)
    state: DifficultyState = genesis.difficulty
    for height, raw in enumerate(source.blocks(), start=1):
        clock = state.time
        try:
            block = Block.decode(raw)
            state = check_header(params.difficulty_eras, state, found.tip, block.header)
        except LedgerError as fault:  # what follows hangs on nothing
            found.note(BAD_BLOCK, height, reason=str(fault))
            break
        parent = _read_block(found, block, params, genesis.chain_id, Height(height), clock, parent)
        found.tip = block.hash
        found.blocks = height
        if progress is not None:
            progress(height, source.height)
    if found.payload is None:
        raise NodeError(NO_PROPOSAL, proposal=proposal_id)
    if claim is not None:
        _compare(found, claim)
    return found


def _read_block(
    found: Recount,
    block: Block,
    params: Params,
    chain_id: ChainId,
    height: Height,
    clock: int,
    parent: Commitment,
) -> Commitment:
    """Count what one block holds of the proposal; returns its commitment."""
    try:
        commitment, is_whole = check_body_belongs(block, params), True
    except LedgerError as fault:
        found.note(BAD_BLOCK, height, reason=str(fault))
        commitment, is_whole = Commitment.decode(block.commitment_bytes), False
    for position, raw in enumerate(block.transactions):
        if not _concerns(raw, found.proposal_id):
            continue
        try:
            transaction = decode_transaction(raw, chain_id)
        except LedgerError as fault:
            found.note(BAD_BLOCK, height, reason=f"transaction {position}: {fault}")
            continue
        if not is_whole and not all(keys.verify(*check) for check in signature_checks(transaction, chain_id)):
            found.note(CHANGED, height, voter=found.show(_voter_of(transaction)), position=position)
            continue
        _read_transaction(found, transaction, _Place(height, clock, position, parent))
    return commitment


MAKERS: Final = (b"program.create", b"campaign.create", b"proposal.create")


def _concerns(raw: bytes, proposal_id: ProposalId) -> bool:
    """Whether a transaction may matter, without reading it."""
    return proposal_id in raw or any(kind in raw for kind in MAKERS)


def _voter_of(transaction: Transaction) -> Address:
    return getattr(transaction.payload, "voter", transaction.author)


def _read_transaction(found: Recount, transaction: Transaction, place: _Place) -> None:
    kind, payload = transaction.body.kind, transaction.payload
    if kind == "program.create":
        found.offsets[object_id("program", transaction.txid, 0)] = payload.offset_minutes
    elif kind == "campaign.create":
        found.creators[object_id("campaign", transaction.txid, 0)] = transaction.author
    elif kind == "proposal.create" and object_id("proposal", transaction.txid, 0) == found.proposal_id:
        found.payload, found.author = payload, transaction.author
        found.clock, found.height = place.clock, place.height
        found.snapshot_root, found.snapshot_slots = place.parent.state_root, place.parent.slot_count
    elif kind in ("ballot.cast", "ballot.commit", "ballot.reveal") and payload.proposal == found.proposal_id:
        try:
            _count_ballot(found, transaction, place)
        except LedgerError as fault:
            _refuse(found, transaction, place, str(fault))


def _count_ballot(found: Recount, transaction: Transaction, place: _Place) -> None:
    """Count, open or note one ballot; what speaks against it is a finding."""
    payload, voter, terms = transaction.payload, _voter_of(transaction), found.payload
    if terms is None:
        _refuse(found, transaction, place, "it stands before the proposal")
        return
    is_over = place.clock >= terms.voting_until and place.height >= found.height + BLOCKS_MIN
    if transaction.body.kind == "ballot.reveal":
        _open_ballot(found, transaction, place, is_over=is_over)
        return
    is_open = transaction.body.kind == "ballot.cast"
    power = _power_of(found, voter, payload.proofs)
    reasons = (
        (is_over, "voting was over"),
        (voter in found.ballots, "the voter has another one"),
        (is_open != (terms.mode == OPEN_MODE), "the vote is of the other mode"),
        (is_open and not is_a_choice(terms.method, len(terms.options), payload.choice), "the choice is not allowed"),
        (isinstance(power, str), str(power)),
    )
    reason = next((reason for holds, reason in reasons if holds), "")
    if reason or isinstance(power, str):
        _refuse(found, transaction, place, reason)
        return
    choice = payload.choice if is_open else ()
    commitment = b"" if is_open else payload.commitment
    found.ballots[voter] = CountedBallot(voter, power[0], power[1], choice, commitment, place.height, transaction.txid)


def _open_ballot(found: Recount, transaction: Transaction, place: _Place, *, is_over: bool) -> None:
    payload, terms = transaction.payload, found.payload
    earlier = found.ballots.get(payload.voter)
    sealed = BALLOT(found.proposal_id + payload.voter + pack(payload.choice) + payload.salt)
    if earlier is None or not earlier.commitment or earlier.choice:
        _refuse(found, transaction, place, "there is nothing sealed to open")
    elif not is_over:
        _refuse(found, transaction, place, "it was opened before voting was over")
    elif sealed != earlier.commitment or not is_a_choice(terms.method, len(terms.options), payload.choice):
        _refuse(found, transaction, place, "it is not what was committed to")
    else:
        found.ballots[payload.voter] = CountedBallot(
            earlier.voter,
            earlier.power,
            earlier.age,
            payload.choice,
            earlier.commitment,
            place.height,
            transaction.txid,
        )


def _refuse(found: Recount, transaction: Transaction, place: _Place, reason: str) -> None:
    found.note(BAD_BALLOT, place.height, voter=found.show(_voter_of(transaction)), reason=reason)


def _power_of(found: Recount, voter: Address, proofs: Sequence[Any]) -> tuple[int, int] | str:
    """Power and age class by what is shown; or why there is none (VOI-2)."""
    terms = found.payload
    campaign: bytes | None = getattr(terms.weight, "campaign", None)
    numbers = [proof.number for proof in proofs]
    if sorted(set(numbers)) != numbers or (campaign is None and numbers != [0]):
        return "it does not show what it should"
    shown: list[Any] = []
    for proof in proofs:
        if campaign is None:
            key = RecordKey(b"M" + terms.program + voter)
        else:
            key = RecordKey(b"P" + campaign + proof.number.to_bytes(4, "big"))
        root, size = Hash(found.snapshot_root), found.snapshot_slots
        if not verify_inclusion(root, record_leaf(key, proof.value), proof.slot, size, proof.path):
            return "what it shows was not in the snapshot"
        shown.append(decode_record(key, unpack(proof.value)))
    if campaign is not None:
        if voter == found.creators.get(campaign) or any(pledge.backer != voter for pledge in shown):
            return "the pledges that it shows are not its own"
        return sum(pledge.quantity for pledge in shown), NOT_SHOWN
    return _power_of_member(found, shown[0])


def _power_of_member(found: Recount, member: Any) -> tuple[int, int] | str:
    terms = found.payload
    if member.left_at:
        return "the voter had left"
    age = age_class(member.joined_at, found.clock)
    cap: int | None = getattr(terms.weight, "cap", None)
    if cap is None:
        return 1, age
    today = (found.clock + found.offsets[terms.program] * 60) // 86_400
    waiting = sum(points for _, begins, _, points in member.lots if begins > today)
    power = min(cap, member.earned - waiting)
    return (power, age) if power > 0 else "the voter had earned nothing past the return window"


# --- what the source says ---------------------------------------------------------------------------------------------------


def _compare(found: Recount, claim: Claim) -> None:
    """Every ballot and every figure of the claim against what was counted."""
    for voter, shown in claim.ballots.items():
        counted = found.ballots.get(voter)
        if counted is None:
            found.note(MISSING, voter=found.show(voter))
        elif (counted.power, counted.choice) != (shown.power, shown.choice):
            found.note(
                DIFFERS,
                voter=found.show(voter),
                counted=_in_words(counted.power, counted.choice),
                shown=_in_words(shown.power, shown.choice),
            )
    for voter, counted in found.ballots.items():
        if voter not in claim.ballots:
            found.note(UNLISTED, counted.height, voter=found.show(voter))
    count = found.count
    figures = figures_of(found)
    for name in sorted(figures.keys() & claim.figures.keys()):
        if figures[name] != claim.figures[name]:
            found.note(WRONG_TALLY, what=name, counted=_listed(figures[name]), shown=_listed(claim.figures[name]))
    if claim.leaders is not None and claim.leaders != count.leaders():
        found.note(WRONG_TALLY, what="leaders", counted=_listed(count.leaders()), shown=_listed(claim.leaders))


def figures_of(found: Recount) -> dict[str, Any]:
    """The tally by name (VOI-1)."""
    count = found.count
    return {
        "counted": count.counted,
        "committed": found.committed,
        "power": count.power,
        "largest": count.largest,
        "squares": count.squares,
        "counts": count.counts,
        "ages": count.by_age,
    }


def _in_words(power: int, choice: Iterable[int]) -> str:
    chosen = ", ".join(map(str, choice))
    return f"{power} for {chosen}" if chosen else f"{power}, sealed"


def _listed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
