"""The ledger and the model side by side: each transaction and each block goes to both, and they have to agree on everything."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ledger import keys
from ledger.params import Params
from ledger.transition import Undo
from ledger.types import PrivateSeed, TxId
from tests.model import block
from tests.model.accounts import policy_hash
from tests.model.campaign_records import COIN, FUNDED, OPEN
from tests.model.collateral import backing_of
from tests.model.envelope import signers_of, weight_of
from tests.model.guardians import policy_in_force
from tests.model.ledger_chain import LedgerChain, encode
from tests.model.records import NEVER, M
from tests.model.recounts import check_counts
from tests.model.snapshots import Snapshot
from tests.model.state import Model
from tests.model.transaction import Tx
from tests.second_decoder.hashing import tagged

HEADER_TIME_MAX = 2**32 - 1

Policy = tuple[int, tuple[bytes, ...]]


class Disagreement(AssertionError):
    """Ledger and model differ; `label` says where, without the values."""

    def __init__(self, label: str, text: str) -> None:
        super().__init__(text)
        self.label = label


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    name: str
    seed: PrivateSeed
    key: bytes
    address: bytes

    @property
    def policy(self) -> Policy:
        """What their address is the hash of."""
        return (1, (self.key,))


def person(name: str) -> Person:
    """Everybody is known by name."""
    seed = PrivateSeed(sha256(name.encode()).digest())
    key = keys.public_key_of(seed)
    return Person(name, seed, key, policy_hash((1, (key,))))


@dataclass(frozen=True)
class Past:
    """How to go back before a block: the model as it was, what the ledger says, and what the block held."""

    model: Model
    undo: Undo
    once: tuple[tuple[bytes, TxId], ...]


class World:
    """Both sides, on one branch, always within a block that is being built.

    `policies` are those that somebody can show, by their hash. `sent` are the transactions of all
    branches, which may be sent again. `story` is what was offered on them. `snapshot` is the tree of slots before the block being
    built, `snapshots` are those on which proposals were made, by their root.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self.chain = LedgerChain(params)
        self.past: list[Past] = []
        self.policies: dict[bytes, Policy] = {}
        self.snapshots: dict[bytes, Snapshot] = {}
        self.sent: list[tuple[Tx, bytes]] = []
        self.steps = 0
        self.outcomes: Counter[str] = Counter()
        self.story: list[tuple[int, int, Tx, str]] = []
        self._salt = 0
        self._once: list[tuple[bytes, TxId]] = []
        self._between = Model(params)
        self.model = self._between
        self._compare("at genesis")
        self._begin()

    @property
    def chain_id(self) -> bytes:
        return self.chain.chain_id

    @property
    def now(self) -> int:
        """The clock of the block being built."""
        return self.model.now

    # --- transactions ---

    def shown_policy(self, address: bytes) -> Policy:
        """The policy that governs an account now; where nobody knows it, the account's own."""
        return self.policies.get(policy_in_force(self.model, address), self.policies[address])

    def make(
        self,
        kind: str,
        payload: tuple[Any, ...],
        author: bytes,
        payment: tuple[Any, ...] | None = None,
        *,
        fee_change: int = 0,
        attested: bool = True,
        **changes: Any,
    ) -> tuple[Tx, bytes]:
        """A transaction, and its bytes. Without a payment the author pays the exact fee, or `fee_change` more."""
        self._salt += 1
        height = self.model.height
        tx = Tx(
            kind=kind,
            salt=self._salt.to_bytes(8, "big"),
            author=author,
            valid_from=height,
            valid_until=height + self.params.validity_blocks_max - 1,
            payment=payment or (0, 0),
            payload=payload,
            shown=(),
            size=0,
            txid=b"",
            attested=attested,
        )
        tx = tx._replace(shown=tuple(self.shown_policy(signer) for signer in signers_of(tx)))
        tx = tx._replace(**changes)
        while True:
            raw, body = self._encode(tx)
            size = len(raw)
            weight = weight_of(kind, payload, size, sum(threshold for threshold, _ in tx.shown))
            fee = max(weight * self.params.fee_rate_min + fee_change, 0)
            if payment is not None or tx.payment == (0, fee):
                return tx._replace(size=size, txid=tagged("TX", body)), raw
            tx = tx._replace(payment=(0, fee))

    def _encode(self, tx: Tx) -> tuple[bytes, bytes]:
        body = (
            1,
            self.chain_id[:4],
            tx.kind,
            tx.salt,
            tx.author,
            tx.valid_from,
            tx.valid_until,
            tx.payment,
            tx.payload,
        )
        return encode(body, tx.shown)

    def offer(self, tx: Tx, raw: bytes) -> str:
        """Put a transaction into the block on both sides; the code with which both refuse it, or ""."""
        self.steps += 1
        after, expected, results = block.verdict(self.model, tx)
        self.story.append((self.model.height, self.now, tx, expected))
        found, codes = self.chain.offer(raw)
        if (found, codes) != (expected, tuple(results)):
            said = f"{tx.kind}: the ledger says {found or codes}, the model {expected or results}"
            raise Disagreement(said, f"{said}: {tx} at {self.model.height}, {self.now}")
        self.model = after
        self.outcomes[f"{tx.kind} {expected}"] += 1
        if expected == "":
            self.sent.append((tx, raw))
            self._once.append((tx.author + tx.salt, TxId(tx.txid)))
            if tx.kind == "proposal.create":
                self.snapshots[self.snapshot.root] = self.snapshot
            for code in filter(None, results):
                self.outcomes[f"entry {code}"] += 1
        return expected

    # --- blocks ---

    def _begin(self) -> None:
        self._once = []
        self.model = self._between.copy()
        block.begin_block(self.model)
        recent = self.past[-self.params.validity_blocks_max :]
        window = {key: txid for past in recent for key, txid in past.once}
        self.snapshot = self.chain.state.snapshot()
        self.model.parent_root, self.model.parent_slots = self.snapshot.root, len(self.snapshot.leaves)
        self.chain.begin_block(self.model.height, self.model.now, window, self.snapshot.root)

    def mine(self, header_time: int, miners: list[bytes]) -> None:
        """Finish the block; the reward goes to the miners in equal parts, what is left to the first."""
        self.steps += 1
        self.outcomes["block"] += 1
        reward = block.reward_of(self.model)
        if reward != self.chain.reward:
            raise Disagreement("reward", f"reward: the ledger says {self.chain.reward}, the model {reward}")
        payees = _shares(reward, miners, self.params.account_minimum)
        before = self._between
        block.finish_block(self.model, payees, header_time)
        transition = self.chain.finish_block(payees)
        self._between = self.model
        self._compare(f"after block {self.model.height}")
        self.past.append(Past(before, transition.undo, tuple(self._once)))
        self._begin()

    def take_back(self, blocks: int) -> None:
        """Undo the last blocks, and forget the one being built."""
        for _ in range(min(blocks, len(self.past))):
            self.steps += 1
            self.outcomes["block taken back"] += 1
            past = self.past.pop()
            self.chain.undo(past.undo)
            self._between = past.model
        self.model = self._between
        self._compare("after blocks were taken back")
        self._begin()

    def _compare(self, when: str) -> None:
        if self.chain.chain_record() != self.model.chain_record():
            found, expected = self.chain.chain_record(), self.model.chain_record()
            raise Disagreement("chain record", f"{when}: chain record: the ledger has {found}, the model {expected}")
        found, expected = self.chain.records(), self.model.records()
        if found != expected:
            lines = [
                f"  {chr(key[0])} {key[1:].hex()}{_difference(found.get(key), expected.get(key))}"
                for key in sorted(found.keys() | expected.keys())
                if found.get(key) != expected.get(key)
            ]
            tables = sorted({line[2] for line in lines})
            raise Disagreement(f"records of {''.join(tables)}", f"{when}:\n" + "\n".join(lines))
        check_liabilities(self.model)


def _difference(found: Any, expected: Any) -> str:
    """What of a record differs: each field by name where both sides have the record."""
    if found is None or not hasattr(expected, "_fields"):
        return f"\n    ledger {found}\n    model  {expected}"
    return "".join(
        f"\n    {name}: ledger {here}\n    {name}: model  {there}"
        for name, here, there in zip(expected._fields, found, expected, strict=True)
        if here != there
    )


def _shares(reward: int, miners: list[bytes], minimum: int) -> tuple[tuple[bytes, int], ...]:
    miners = sorted(set(miners))
    if len(miners) > 1 and reward // len(miners) < max(minimum, 1):
        miners = miners[:1]
    share = reward // len(miners)
    shares = [share] * len(miners)
    shares[0] += reward - share * len(miners)
    return tuple((miner, amount) for miner, amount in zip(miners, shares, strict=True) if amount)


def check_liabilities(model: Model) -> None:
    """What each program owes, counted from its members' lots: the books must say the same, in total and for each day to come."""
    for program, books in model.books.items():
        parts = (
            *(books.pending, books.available, books.held, books.escrowed),
            *(books.redeemed, books.expired, books.reversed),
        )
        assert books.issued + books.restored == sum(parts), "INV-4"
        held = sum(hold.points for hold in model.holds.values() if hold.program == program)
        assert books.held == held, "INV-5"
        unit = (1, program)
        escrowed = sum(campaign.escrowed for campaign in model.campaigns.values() if campaign.unit[:2] == unit)
        assert books.escrowed == escrowed, "INV-5"
        contests = [contest for contest in model.contests.values() if contest.program == program]
        open_points = [contest.points for contest in contests if contest.outcome == 0]
        assert books.contests_open == len(open_points), "INV-9"
        parts = (books.contest_points, books.contest_points_credited, sum(open_points))
        assert books.contest_points_locked == sum(parts), "INV-9"
        members = [member for (of, _), member in model.members.items() if of == program]
        assert books.members == sum(member.left_at == 0 for member in members)
        expiring: dict[int, int] = {}
        activating: dict[int, int] = {}
        for lot in (lot for member in members for lot in member.lots):
            if lot.expiry_day != NEVER:
                expiring[lot.expiry_day] = expiring.get(lot.expiry_day, 0) + lot.points
            activating[lot.activation_day] = activating.get(lot.activation_day, 0) + lot.points
        days = {day: totals for (of, day), totals in model.days.items() if of == program}
        today = model.today(program)
        for day in {day for day in (*days, *expiring, *activating) if day > today}:
            totals = days.get(day, (0, 0, 0))
            assert totals[1] == expiring.get(day, 0), f"the books say {totals[1]} points expire on {day}"
            assert totals[0] == activating.get(day, 0), f"the books say {totals[0]} points begin on {day}"
        _check_promises(model, program)
    check_counts(model)
    for which in model.campaigns:
        _check_campaign(model, which)


def _check_campaign(model: Model, which: bytes) -> None:
    """What a campaign counts is what its pledges say (INV-5)."""
    found = model.campaigns[which]
    pledges = [pledge for (of, _), pledge in model.pledges.items() if of == which]
    assert found.pledged == found.escrowed + found.released + found.returned, "INV-5"
    assert found.escrowed <= found.weight == sum(pledge.quantity for pledge in pledges), "INV-5"
    assert found.own_weight == sum(pledge.quantity for pledge in pledges if pledge.backer == found.creator), "INV-5"
    if found.unit != COIN:
        assert all(sum(lot.points for lot in pledge.lots) == pledge.quantity for pledge in pledges), "INV-5"
        lots = [lot for pledge in pledges for lot in pledge.lots]
        assert found.backing == (backing_of(model, found.unit[1], lots) if found.escrowed else 0), "CRF-5"
    refunds = [item for item in model.due.values() if item[:2] == ("campaign.refund", which)]
    assert found.until or not found.escrowed or len(refunds) == 1, "INV-5"
    is_stage = [item for item in model.due.values() if item == ("campaign.decide", which, found.stage)]
    assert bool(found.until) == (found.status in (OPEN, FUNDED)) == (len(is_stage) == 1), "CRF-3"


def _check_promises(model: Model, program: bytes) -> None:
    """What is set aside, and what stands behind points."""
    books, today = model.books[program], model.today(program)
    going_on = [found for found in model.challenges.values() if found.program == program and not found.has_ended]
    assert books.challenge_points == sum(found.budget - found.given for found in going_on), "INV-11"
    assert all(0 <= found.given <= found.budget for found in model.challenges.values()), "INV-11"
    promised = [found.points for found in model.offers.values() if found.program == program and not found.receipt]
    assert books.offered == sum(promised), "INV-12"
    lots = [
        lot
        for (of, _), member in model.members.items()
        for lot in member.lots
        if of == program and lot.expiry_day > today
    ]
    kept = (*model.holds.values(), *model.fulfilments.values())
    lots.extend(lot for found in kept if found.program == program for lot in found.lots)
    lots.extend(
        lot
        for (of, _), found in model.pledges.items()
        if model.campaigns[of].unit[:2] == (1, program) and model.campaigns[of].escrowed
        for lot in found.lots
    )
    waiting = [totals.backing for (of, day), totals in model.days.items() if of == program and day <= today]
    assert books.backing == backing_of(model, program, lots) + sum(waiting), "INV-13"
    assert books.burn_carry < 1_000 and books.thousandths <= M, "INV-13"
