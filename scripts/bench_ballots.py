"""What a proposal costs where a program has many members: a ballot in ledger time, and going back to the snapshot.

Members are records in a tree, as a store has them; a ballot is applied by the rule itself, without signatures, root and SQL.
"""

import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import Any

from ledger.coin import account_payer
from ledger.domains.accounts.state import Account, account_key
from ledger.domains.loyalty.state import Member, Program, member_key, program_key
from ledger.domains.voice.ballot_cast import CastBallot, apply
from ledger.domains.voice.power import PowerProof
from ledger.domains.voice.state import RANKED, SINGLE, EachMember, Proposal, proposal_key, tally_key
from ledger.domains.voice.tally import empty_tally
from ledger.kinds import Call, Context
from ledger.merkle import IncrementalTree
from ledger.networks import NETWORKS
from ledger.state import Overlay, Stored, encode_record, record_leaf
from ledger.types import (
    Address,
    Amount,
    BlockHash,
    Day,
    Hash,
    Height,
    ProgramId,
    ProposalId,
    RecordKey,
    Slot,
    Timestamp,
    TxId,
)

BALLOTS = 2_000
CHANGED = 10_000
"""Slots that are taken back to reach a snapshot: a busy hour."""
NOW = Timestamp(1_800_000_000)
PROGRAM = ProgramId(sha256(b"program").digest())
NOTHING = Hash(bytes(32))


class Records:
    """A `StateView` over one dictionary."""

    def __init__(self) -> None:
        self.found: dict[RecordKey, Stored] = {}

    def put(self, key: RecordKey, record: Any) -> None:
        """Keep a record in the next slot."""
        self.found[key] = Stored(Slot(len(self.found)), encode_record(key, record), record)

    def stored(self, key: RecordKey) -> Stored | None:
        return self.found.get(key)

    def next_free(self, slot: Slot) -> Slot:
        return slot

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        return None


def measure_ballots(members: int) -> dict[str, Any]:
    """Microseconds a ballot of a single-choice and of a ranked vote with twelve options; milliseconds of a snapshot."""
    records = Records()
    voters = [Address(sha256(number.to_bytes(4, "big")).digest()) for number in range(members)]
    member = Member(
        payer=account_payer(voters[0]),
        deposit=Amount(0),
        prepaid=Amount(0),
        joined_at=Timestamp(NOW - 40 * 86_400),
        left_at=Timestamp(0),
        remainder=NOTHING,
        entries=12,
        sponsor_day=Day(0),
        sponsor_spent=Amount(0),
        lots=tuple((1, 20_000 + week, 20_400 + week, 100) for week in range(12)),
        contest_period=Timestamp(0),
        contest_count=0,
    )
    for voter in voters:
        records.put(member_key(PROGRAM, voter), member)
    tree = IncrementalTree(record_leaf(key, stored.value_bytes) for key, stored in records.found.items())
    root, size = tree.root(), len(tree)
    records.put(program_key(PROGRAM), Program(voters[0], b"", Amount(0), "Shop", "point", 0, 0, ((1, 0),)))
    chosen = Random("ballots").sample(voters, min(BALLOTS, members))
    for voter in chosen:
        records.put(account_key(voter), Account(Amount(10**9), Hash(b""), Amount(0)))

    def time_ballots(method: int, options: int) -> float:
        proposal = ProposalId(sha256(bytes([method])).digest())
        asked = _proposal(root, size, members, method, options)
        records.put(proposal_key(proposal), asked)
        records.put(tally_key(proposal), empty_tally(method, options))
        choice = tuple(range(options)) if method == RANKED else (1,)
        overlay, context = Overlay(records), Context(NETWORKS["sim"], Height(2), NOW, root, BlockHash(bytes(32)))
        payloads = [CastBallot(proposal, choice, (_prove(records, tree, voter),)) for voter in chosen]
        spent: list[float] = []
        for voter, payload in zip(chosen, payloads, strict=True):
            call = Call(TxId(voter), voter, account_payer(voter), sponsored=False, fee=Amount(0))
            spent.append(_timed(lambda call=call, payload=payload: apply(overlay, call, payload, context)))
        return statistics.median(spent) * 1e6

    single_us, ranked_us = time_ballots(SINGLE, 2), time_ballots(RANKED, 12)
    return {
        "members": members,
        "depth": len(tree.inclusion_path(0)),
        "single_us": single_us,
        "ranked_us": ranked_us,
        **_time_snapshot(tree),
    }


def _proposal(root: Hash, size: int, members: int, method: int, options: int) -> Proposal:
    end = Timestamp(NOW + 86_400)
    return Proposal(
        payer=b"",
        deposit=Amount(0),
        program=PROGRAM,
        proposer=Address(NOTHING),
        title="Which?",
        text=NOTHING,
        options=tuple(f"option {number}" for number in range(options)),
        method=method,
        mode=0,
        weight=EachMember(),
        quorum=1,
        snapshot_height=Height(1),
        snapshot_at=NOW,
        snapshot_root=root,
        snapshot_slots=size,
        electorate=members,
        voting_until=end,
        voting_height=Height(8),
        reveal_until=Timestamp(0),
        reveal_height=Height(0),
        status=0,
        leaders=(),
        answer_by=Timestamp(0),
        answer_height=Height(0),
        answered_at=Timestamp(0),
        why=Hash(b""),
    )


def _prove(records: Records, tree: IncrementalTree, voter: Address) -> PowerProof:
    stored = records.found[member_key(PROGRAM, voter)]
    return PowerProof(0, stored.value_bytes, stored.slot, tree.inclusion_path(stored.slot))


def _time_snapshot(tree: IncrementalTree) -> dict[str, float]:
    """Copying the levels, taking slots back, and one path."""
    changes = [(index, tree.leaf(index)) for index in range(0, len(tree), max(1, len(tree) // CHANGED))]
    copies: list[IncrementalTree] = []
    copy_ms = _timed(lambda: copies.append(tree.copy())) * 1e3
    back_ms = _timed(lambda: (copies[0].update(changes), copies[0].root())) * 1e3
    path_us = _timed(lambda: copies[0].inclusion_path(len(tree) // 3)) * 1e6
    return {"copy_ms": copy_ms, "back_ms": back_ms, "changed": len(changes), "path_us": path_us}


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
