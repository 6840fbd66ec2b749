"""Owners, guardians and thieves at random, with days that pass and blocks taken back, against a plain model of who may move coin.

The model is written from the spec (ACC-5 to ACC-8) and knows nothing of records: after every step each set of keys tries to move
coin out of the account, and exactly those succeed which the model allows. Nothing else ever lowers the balance by more than a fee.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.domains.accounts.cancel_recovery import CancelRecovery
from ledger.domains.accounts.recover import Recover
from ledger.domains.accounts.set_guardians import SetGuardians
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import Guardians
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import RuleViolation
from ledger.transaction import OwnFee, Prepaid
from ledger.types import Amount, Hash
from tests.support.guarded import account_of
from tests.support.memory_chain import DAY_SECONDS, Scenario, Signer
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL

KEYS = (FAN, Signer.named("first new keys"), Signer.named("second new keys", threshold=2, keys_count=3))
PEOPLE = (FRIEND, STRANGER, TILL)
PAYMENT = Transfer(ToAccount(OWNER.address), Amount(5_000))
MONTH = 30 * DAY_SECONDS
BLOCKS = 144

keys = st.sampled_from(KEYS)
people = st.sampled_from(PEOPLE)


@dataclass(frozen=True)
class Pending:
    """What the guardians agreed on."""

    keys: Signer
    time: int
    height: int


@dataclass(frozen=True)
class Model:
    """Who may sign for the fan's account, in plain words."""

    keys: Signer = FAN
    guardians: tuple[Signer, ...] = ()
    threshold: int = 0
    days: int = 0
    words: dict[Signer, tuple[Signer, int]] = field(default_factory=dict[Signer, tuple[Signer, int]])
    pending: Pending | None = None
    failures: int = 0
    not_before: int = 0

    def phase(self, now: int, height: int) -> str:
        if self.pending is None:
            return "none"
        if now < self.pending.time or height < self.pending.height:
            return "waiting"
        over = now >= self.pending.time + MONTH and height >= self.pending.height + BLOCKS
        return "lapsed" if over else "in force"

    def in_force(self, now: int, height: int) -> Signer:
        recovered = self.pending is not None and self.phase(now, height) == "in force"
        return self.pending.keys if recovered and self.pending is not None else self.keys

    def failed(self, at: int) -> "Model":
        failures = self.failures + 1
        pause = MONTH * 2 ** min(failures - 1, 4)
        return replace(self, pending=None, words={}, failures=failures, not_before=at + pause)

    def settled(self, now: int, height: int, *, signs: bool) -> "Model":
        phase = self.phase(now, height)
        if phase == "lapsed" and self.pending is not None:
            return self.failed(self.pending.time + MONTH)
        if phase == "in force" and signs:
            return replace(self, keys=self.in_force(now, height), pending=None, words={}, failures=0, not_before=0)
        return self


class RandomRecoveries(RuleBasedStateMachine):
    """One fan, three guardians, and whoever holds some keys."""

    @initialize()
    def begin(self) -> None:
        self.chain = Scenario(FAN, OWNER, *PEOPLE)
        self.model = Model()
        self.models: list[Model] = []
        """The model before each block."""
        self.balance = account_of(self.chain).balance
        self.set_guardians(FAN, set(PEOPLE), 2, 1)

    def mine(self, *transactions: Any, time: int | None = None) -> None:
        self.models.append(self.model)
        self.chain.block(*transactions, time=time)

    def try_to_send(self, kind: str, payload: Any, author: Signer, **options: Any) -> bool:
        """Put it alone into a block, if it is valid."""
        transaction = self.chain.sign(kind, payload, author=author, **options)
        try:
            self.chain.execute(transaction)
        except RuleViolation:
            return False
        self.mine(transaction)
        if transaction.author == FAN.address and isinstance(transaction.body.payment, OwnFee):
            self.balance -= transaction.body.payment.fee
        return True

    def sign_as(self, signer: Signer) -> Signer:
        return FAN.governed_by(signer)

    def may_sign(self, signer: Signer) -> bool:
        return self.model.in_force(self.chain.time, self.chain.height) is signer

    def is_waiting(self) -> bool:
        return self.model.phase(self.chain.time, self.chain.height) == "waiting"

    @rule(signer=keys, named=st.sets(people), threshold=st.integers(1, 3), days=st.sampled_from([1, 2, 40]))
    def set_guardians(self, signer: Signer, named: set[Signer], threshold: int, days: int) -> None:
        now, height = self.chain.time, self.chain.height
        wanted = tuple(sorted(named, key=lambda person: person.address))
        threshold = min(threshold, len(wanted))
        guardians = (Guardians(threshold, tuple(person.address for person in wanted), days),) if wanted else ()
        allowed = self.may_sign(signer) and not self.is_waiting() and bool(wanted or self.model.guardians)
        done = self.try_to_send("account.set_guardians", SetGuardians(guardians), self.sign_as(signer))
        assert done == allowed
        if done:
            settled = self.model.settled(now, height, signs=True)
            named_anew = {"guardians": wanted, "threshold": threshold, "days": days}
            self.model = replace(settled, **named_anew, words={}, failures=0, not_before=0)
            self.lock_deposits()

    def lock_deposits(self) -> None:
        """Two deposits at most leave the balance, or one comes back."""
        balance, deposit = account_of(self.chain).balance, self.chain.params.record_deposit
        assert -deposit <= self.balance - balance <= 2 * deposit
        self.balance = balance

    @rule(guardian=people, signer=keys)
    def approve(self, guardian: Signer, signer: Signer) -> None:
        now, height = self.chain.time, self.chain.height
        settled = self.model.settled(now, height, signs=False)
        live = {who: said for who, said in settled.words.items() if now < said[1] + MONTH}
        allowed = (
            guardian in settled.guardians
            and settled.pending is None
            and now >= settled.not_before
            and settled.keys is not signer
            and live.get(guardian, (None, 0))[0] is not signer
        )
        done = self.try_to_send("account.recover", Recover(FAN.address, Hash(signer.policy.hash)), guardian)
        assert done == allowed
        if not done:
            return
        words = {**live, guardian: (signer, now)}
        agreed = sum(said is signer for said, _ in words.values())
        self.model = replace(settled, words=words)
        if agreed >= settled.threshold:
            pending = Pending(signer, now + settled.days * DAY_SECONDS, height + BLOCKS)
            self.model = replace(settled, words={}, pending=pending)

    @rule(agreed_on=keys)
    def all_guardians_agree(self, agreed_on: Signer) -> None:
        for guardian in self.model.guardians:
            self.approve(guardian, agreed_on)

    @rule(signer=keys, named=keys)
    def cancel(self, signer: Signer, named: Signer) -> None:
        now = self.chain.time
        pending = self.model.pending
        allowed = self.may_sign(signer) and self.is_waiting() and pending is not None and pending.keys is named
        payload = CancelRecovery(Hash(named.policy.hash))
        done = self.try_to_send("account.cancel_recovery", payload, self.sign_as(signer), payment=Prepaid())
        assert done == allowed
        if done:
            self.model = self.model.failed(now)

    @precondition(lambda self: self.is_waiting())
    @rule()
    def the_owner_says_no(self) -> None:
        assert self.model.pending is not None
        self.cancel(self.model.keys, self.model.pending.keys)
        self.all_guardians_agree(KEYS[1])

    @rule(to=keys, seconds=st.sampled_from([MONTH - 1, MONTH, MONTH + 1]))
    def words_a_month_apart(self, to: Signer, seconds: int) -> None:
        for guardian in self.model.guardians:
            said_at = self.chain.time
            self.approve(guardian, to)
            self.mine(time=max(self.chain.time + 1, said_at + seconds))

    @rule(signer=keys, to=keys)
    def change_keys(self, signer: Signer, to: Signer) -> None:
        now, height = self.chain.time, self.chain.height
        allowed = self.may_sign(signer) and not self.is_waiting()
        assert self.try_to_send("account.set_policy", SetPolicy(to.policy), self.sign_as(signer)) == allowed
        if allowed:
            self.model = replace(self.model.settled(now, height, signs=True), keys=to)
            self.lock_deposits()

    @rule(signer=keys)
    def move_coin(self, signer: Signer) -> None:
        now, height = self.chain.time, self.chain.height
        allowed = self.may_sign(signer) and not self.is_waiting()
        assert self.try_to_send("transfer", PAYMENT, self.sign_as(signer)) == allowed
        if allowed:
            self.balance -= PAYMENT.amount
            self.model = self.model.settled(now, height, signs=True)

    @rule(seconds=st.sampled_from([1, 3_600, DAY_SECONDS, 3 * DAY_SECONDS, 31 * DAY_SECONDS, 61 * DAY_SECONDS]))
    def time_passes(self, seconds: int) -> None:
        self.mine(time=self.chain.time + seconds)

    @rule(blocks=st.sampled_from([1, BLOCKS - 2, BLOCKS]))
    def blocks_pass(self, blocks: int) -> None:
        for _ in range(blocks):
            self.mine(time=self.chain.time + 1)

    @precondition(lambda self: self.is_waiting())
    @rule(short_seconds=st.sampled_from([0, 0, 1]), short_blocks=st.sampled_from([0, 0, 1]))
    def wait_for_the_new_keys(self, short_seconds: int, short_blocks: int) -> None:
        """Until the recovery is in force in the next block, or one second or one block less."""
        assert self.model.pending is not None
        while self.chain.height < self.model.pending.height - short_blocks - 1:
            self.mine(time=self.chain.time + 1)
        self.mine(time=max(self.chain.time + 1, self.model.pending.time - short_seconds))

    @precondition(lambda self: self.model.phase(self.chain.time, self.chain.height) == "in force")
    @rule(short_seconds=st.sampled_from([0, 1]), short_blocks=st.sampled_from([0, 1]))
    def wait_until_they_lapse(self, short_seconds: int, short_blocks: int) -> None:
        """Until it has lapsed, or one second or one block less."""
        assert self.model.pending is not None
        while self.chain.height < self.model.pending.height + BLOCKS - short_blocks - 1:
            self.mine(time=self.chain.time + 1)
        self.mine(time=max(self.chain.time + 1, self.model.pending.time + MONTH - short_seconds))

    @rule(blocks=st.sampled_from([1, 1, 2, 3, 10, 150]))
    def another_branch(self, blocks: int) -> None:
        taken = min(blocks, len(self.models))
        if taken:
            self.chain.unwind(taken)
            self.model = self.models[-taken]
            del self.models[-taken:]
            self.balance = account_of(self.chain).balance

    @invariant()
    def only_the_keys_in_force_can_move_coin(self) -> None:
        if not hasattr(self, "chain"):
            return
        assert account_of(self.chain).balance == self.balance
        for signer in KEYS:
            transaction = self.chain.sign("transfer", PAYMENT, author=self.sign_as(signer))
            try:
                self.chain.execute(transaction)
                moved = True
            except RuleViolation:
                moved = False
            assert moved == (self.may_sign(signer) and not self.is_waiting())

    def teardown(self) -> None:
        if hasattr(self, "chain"):
            self.chain.replay()


TestRandomRecoveries = RandomRecoveries.TestCase
TestRandomRecoveries.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
