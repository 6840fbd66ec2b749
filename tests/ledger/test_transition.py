"""The one function that applies a transaction, and the block around it."""

from typing import Any

import pytest

from ledger import transition as transition_module
from ledger.codec import pack
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.events import CampaignSettled
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import reward_key
from ledger.due import DUE, due_time, schedule
from ledger.errors import BlockViolation, Malformed, RuleViolation
from ledger.fees import FEE_TOO_LOW, Charge
from ledger.kinds import DueKind
from ledger.registry import DUE_KINDS
from ledger.reward import BAD_PAYEES
from ledger.state import NO_SLOT, Overlay, SlotContent
from ledger.supply import CHAIN_KEY, load_chain_record, next_due_sequence
from ledger.transaction import EARLY, EXPIRED, OwnFee
from ledger.transition import (
    BLOCK_FULL,
    REPEATED,
    SALT_USED,
    WRONG_POLICY,
    Undo,
    apply_transaction,
    execute,
    run_due_work,
)
from ledger.types import Amount, Points, RecordKey, Slot, Timestamp
from tests.support.memory_chain import MemoryState, Scenario, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER, STRANGER, TILL, Shop

PAYMENT = Transfer(ToAccount(FRIEND.address), Amount(5))


def test_failures_of_the_envelope_come_in_the_documented_order(chain: Scenario) -> None:
    chain.send("transfer", PAYMENT, author=FAN, salt=b"12345678")
    fee = OwnFee(Amount(0))
    wrong: dict[str, Any] = {"salt": b"12345678", "payment": fee, "valid_from": 9, "valid_until": 10}
    other = FAN.governed_by(STRANGER)
    with refused(EARLY):
        chain.send("transfer", PAYMENT, author=other, **wrong)
    wrong.update(valid_from=1)
    with refused(SALT_USED):
        chain.send("transfer", PAYMENT, author=other, **wrong)
    wrong.update(salt=b"23456789")
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.send("transfer", PAYMENT, author=other, **wrong)
    with refused(FEE_TOO_LOW):
        chain.send("transfer", PAYMENT, author=FAN, **wrong)


def test_every_cosigner_shows_the_policy_of_its_account(shop: Shop) -> None:
    payload = MemberJoin(shop.program, TILL.address)
    with refused(WRONG_POLICY, signer=TILL.address):
        shop.chain.send("member.join", payload, author=FAN, cosigners=(TILL.governed_by(STRANGER),))


def test_a_transaction_counts_once_within_the_window() -> None:
    chain = Scenario(*FUNDED, params=sim_params(*(s.address for s in FUNDED), validity_blocks_max=3))
    transaction = chain.sign("transfer", PAYMENT, author=FAN)
    twin = chain.sign("transfer", PAYMENT, author=FAN, salt=transaction.body.salt, valid_until=2)
    with refused(REPEATED):
        chain.block(transaction, transaction)
    with refused(SALT_USED):
        chain.block(transaction, twin)
    chain.block(transaction)
    for _ in range(2):
        with refused(REPEATED):
            chain.block(transaction)
        chain.mine()
    with refused(EXPIRED):
        chain.block(transaction)
    with refused(SALT_USED):
        chain.send("transfer", PAYMENT, author=FAN, salt=transaction.body.salt)
    chain.mine()
    chain.send("transfer", PAYMENT, author=FAN, salt=transaction.body.salt)
    chain.replay()


def test_the_same_salt_of_another_author_is_another_transaction(chain: Scenario) -> None:
    salt = b"12345678"
    chain.block(
        chain.sign("transfer", PAYMENT, author=FAN, salt=salt), chain.sign("transfer", PAYMENT, author=OWNER, salt=salt)
    )


def test_two_unconfirmed_transfers_cannot_spend_the_same_coin(chain: Scenario) -> None:
    everything = Transfer(ToAccount(FRIEND.address), Amount(10**12 - 10_000))
    first, second = (chain.sign("transfer", everything, author=FAN) for _ in range(2))
    with pytest.raises(RuleViolation):
        chain.block(first, second)
    chain.block(first)


def test_a_block_has_a_weight_limit() -> None:
    params = sim_params(*(s.address for s in FUNDED), block_weight_max=100_000)
    chain = Scenario(params=params)
    each = chain.sign("transfer", PAYMENT, author=FAN).weight
    fitting = [chain.sign("transfer", PAYMENT, author=FAN) for _ in range(100_000 // each)]
    execution = chain.execute(*fitting)
    assert execution.weight == len(fitting) * each
    with refused(BLOCK_FULL, maximum=100_000):
        execution.add(chain.sign("transfer", PAYMENT, author=FAN))
    assert len(execution.codes) == len(fitting)
    chain.block(*fitting)


def test_a_rule_that_makes_coin_is_a_broken_invariant(chain: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN)

    def take_nothing(view: Overlay, *_: object) -> Charge:
        view.post("fees", 1)
        return Charge(b"", Amount(1), Amount(0))

    monkeypatch.setattr(transition_module, "charge_fee", take_nothing)
    with pytest.raises(AssertionError, match="coin appeared or vanished"):
        apply_transaction(Overlay(chain.state), transaction, chain.context, {})


def test_events_carry_their_place_in_the_block(shop: Shop) -> None:
    campaign = shop.create_campaign(days=1)
    shop.chain.advance(days=1, blocks=8)
    payments = [shop.chain.sign("transfer", PAYMENT, author=FAN) for _ in range(2)]
    block = shop.chain.block(*payments)
    places = [(place, event.name) for place, event in block.transition.events]
    assert places == [(0, "campaign.settled"), (1, "coin.moved"), (2, "coin.moved")]
    settled = block.transition.events[0][1]
    assert isinstance(settled, CampaignSettled) and settled.campaign == campaign


def test_execute_applies_a_whole_block_or_nothing(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN)
    reward = Amount(5_000_000 + transaction.weight * 2)
    done = execute(chain.state, chain.context, {}, [transaction], ((FAN.address, reward),))
    assert done.codes == (("",),)
    with refused(REPEATED):
        execute(chain.state, chain.context, {}, [transaction] * 2, ((FAN.address, reward),))
    with refused(BAD_PAYEES, BlockViolation):
        execute(chain.state, chain.context, {}, [transaction], ())


# --- slots over blocks --------------------------------------------------------------------------------------------------


def test_slots_are_used_again_newest_first(shop: Shop) -> None:
    chain = shop.chain
    shop.join(FAN)
    shop.earn(FAN, 100)
    hold = shop.redeem(FAN, shop.list_reward())
    chain.advance(seconds=3_601, blocks=8)
    count = chain.state.chain.slot_count
    chain.mine()
    assert shop.hold(hold) is None
    assert chain.state.free_list() != []
    free = chain.state.free_list()
    chain.send("transfer", Transfer(ToAccount(type(FAN.address)(bytes(32))), Amount(5_000)), author=FAN)
    assert chain.state.chain.slot_count <= count + 1
    assert len(chain.state.free_list()) <= len(free)
    chain.unwind(len(chain.mined))
    assert chain.state.contents == MemoryState(chain.genesis.contents).contents


def test_a_slot_that_is_freed_and_taken_in_one_block_is_undone(shop: Shop) -> None:
    """Due work frees the hold's slots, and the block's transactions take them again."""
    chain = shop.chain
    shop.join(FAN)
    shop.earn(FAN, 300)
    reward = shop.list_reward()
    holds = [shop.redeem(FAN, reward) for _ in range(2)]
    chain.advance(seconds=3_601, blocks=8)
    before = dict(chain.state.contents)
    block = chain.block(chain.sign("redeem", Redeem(shop.program, reward, 1, Points(100)), author=FAN))
    assert [shop.hold(hold) for hold in holds] == [None, None]
    chain.unwind(1)
    assert chain.state.contents == before
    assert block.transition.slot_count >= len(before)


def test_a_record_that_is_written_as_it_was_is_no_change(shop: Shop) -> None:
    reward = shop.list_reward()
    payload = RewardUpdate(shop.program, reward, Points(100), 0, True)
    block = shop.chain.block(shop.chain.sign("reward.update", payload, author=OWNER))
    key = reward_key(shop.program, reward)
    assert key in block.transition.records
    assert all(content.key != key for _, content in block.transition.contents)


def test_undo_survives_its_bytes() -> None:
    undo = Undo(
        7,
        (
            (Slot(1), SlotContent(RecordKey(b"Ak"), b"\x01", NO_SLOT)),
            (Slot(2), SlotContent(RecordKey(b""), b"", Slot(5))),
            (Slot(7), None),
        ),
    )
    assert Undo.decode(undo.encode()) == undo


@pytest.mark.parametrize("value", [7, (), (7,), (7, (), 0), (-1, ()), (7, (1,)), (7, ((1, 2, b"", b"", 0),))])
def test_other_bytes_are_no_undo(value: Any) -> None:
    with pytest.raises(Malformed):
        Undo.decode(pack(value))


# --- due work -----------------------------------------------------------------------------------------------------------


def test_due_items_are_numbered_and_done_in_time_then_number(chain: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def note(view: Any, subject: bytes, number: int, context: Any) -> None:
        done.append(number)
        if number == 10:
            schedule(view, kind="toy", subject=subject, number=12, due=context.time)
            schedule(view, kind="toy", subject=subject, number=99, due=Timestamp(context.time + 1))

    monkeypatch.setitem(DUE_KINDS, "toy", DueKind(name="toy", anchor="TOY-1", weight=400_000, apply=note))
    view = Overlay(chain.state)
    for number, delay in ((11, 0), (10, -5), (98, 1)):
        schedule(view, kind="toy", subject=bytes(32), number=number, due=Timestamp(chain.time + delay))
    assert run_due_work(view, chain.context) == 2
    assert done == [10, 11], "the third piece would pass the limit of 1,000,000"
    assert run_due_work(view, chain.context) == 1
    assert done == [10, 11, 12]
    waiting = [key for key, record in view.records.items() if key[:1] == DUE.prefix and record is not None]
    assert {due_time(key) for key in waiting} == {chain.time + 1}


def test_due_work_that_makes_coin_is_a_broken_invariant(chain: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    def print_money(view: Any, *_: object) -> None:
        view.post("fees", 1)

    monkeypatch.setitem(DUE_KINDS, "toy", DueKind(name="toy", anchor="TOY-1", weight=1, apply=print_money))
    view = Overlay(chain.state)
    schedule(view, kind="toy", subject=bytes(32), number=0, due=chain.time)
    with pytest.raises(AssertionError, match="coin appeared or vanished"):
        run_due_work(view, chain.context)


def test_the_chain_record_numbers_due_items(chain: Scenario) -> None:
    view = Overlay(chain.state)
    assert [next_due_sequence(view) for _ in range(3)] == [0, 1, 2]
    assert load_chain_record(view).due_sequence == 3
    view.delete(CHAIN_KEY)
    with pytest.raises(AssertionError, match="no chain record"):
        load_chain_record(view)
