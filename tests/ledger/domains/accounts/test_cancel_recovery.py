"""`account.cancel_recovery`: the owner's no, and the cool-down after it."""

import pytest

from ledger.domains.accounts.cancel_recovery import (
    CANCEL_RECOVERY,
    NO_RECOVERY,
    CancelRecovery,
    RecoveryCancelled,
)
from ledger.domains.accounts.recover import COOL_DOWN
from ledger.domains.accounts.state import account_key, guardianship_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.params import RECOVERY_COOL_DOWN_SECONDS
from ledger.transition import WRONG_POLICY
from ledger.types import Amount, Hash, Timestamp
from tests.support.guarded import (
    GUARDIANS,
    NEW_KEYS,
    PAYMENT,
    RECOVERED,
    account_of,
    approve,
    cancel,
    days,
    guard,
    guardianship_of,
    pass_delay,
    set_guardians,
    start,
)
from tests.support.memory_chain import Scenario, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, POOR, TILL, Shop

WANTED = Hash(NEW_KEYS.policy.hash)


def test_the_owner_stops_its_guardians_without_a_fee(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    balance = account_of(chain).balance
    cancel(chain)
    context, found = chain.mined[-1].context, guardianship_of(chain)
    not_before = Timestamp(context.time + RECOVERY_COOL_DOWN_SECONDS)
    assert (found.recovery, found.prepaid, found.failures, found.not_before) == ((), 0, 1, not_before)
    assert account_of(chain).balance == balance
    assert chain.events == (RecoveryCancelled(FAN.address, WANTED, not_before),)
    assert chain.events[0].subjects() == (FAN.address, WANTED)
    chain.send("transfer", PAYMENT, author=FAN)
    pass_delay(chain)
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.send("transfer", PAYMENT, author=RECOVERED)


def test_an_owner_without_coin_can_say_no(shop: Shop) -> None:
    chain = shop.chain
    shop.join(POOR)
    set_guardians(chain, FRIEND, TILL, author=POOR, payment=shop.sponsored)
    for guardian in (FRIEND, TILL):
        approve(chain, guardian, account=POOR)
    cancel(chain, author=POOR)
    assert guardianship_of(chain, POOR).failures == 1


def test_each_failure_makes_the_guardians_slower_and_never_shuts_them_out(chain: Scenario) -> None:
    guard(chain)
    for cool_down_days in (30, 60, 120, 240, 480, 480):
        start(chain)
        cancel(chain)
        cancelled = chain.mined[-1].context.time
        assert guardianship_of(chain).not_before == cancelled + days(cool_down_days)
        chain.block(time=cancelled + days(cool_down_days) - 1)
        with refused(COOL_DOWN, account=FAN.address, not_before=cancelled + days(cool_down_days)):
            approve(chain, GUARDIANS[0])
        chain.block(time=cancelled + days(cool_down_days))
    assert guardianship_of(chain).failures == 6


def test_naming_guardians_again_forgives(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    cancel(chain)
    guard(chain)
    start(chain)
    assert guardianship_of(chain).failures == 0


def test_there_must_be_one_that_waits(chain: Scenario) -> None:
    with refused(NO_RECOVERY, account=FAN.address):
        cancel(chain)
    guard(chain)
    approve(chain, GUARDIANS[0])
    with refused(NO_RECOVERY):
        cancel(chain)
    approve(chain, GUARDIANS[1])
    with refused(NO_RECOVERY):
        cancel(chain, to=OWNER)
    pass_delay(chain)
    with refused(WRONG_POLICY, signer=FAN.address):
        cancel(chain)
    with refused(NO_RECOVERY, account=FAN.address):
        cancel(chain, author=RECOVERED)


@pytest.mark.parametrize("author", GUARDIANS)
def test_guardians_do_not_cancel_for_the_owner(chain: Scenario, author: Signer) -> None:
    guard(chain)
    start(chain)
    with refused(WRONG_POLICY, signer=FAN.address):
        cancel(chain, author=FAN.governed_by(author))


def test_it_may_be_paid_like_anything_else(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    chain.send("account.cancel_recovery", CancelRecovery(WANTED), author=FAN)
    assert chain.state.chain.locked == 2 * chain.params.record_deposit


def test_all_coin_can_leave_afterwards(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    cancel(chain)
    draft = chain.sign("transfer", Transfer(ToAccount(POOR.address), account_of(chain).balance), author=FAN)
    rest = Amount(account_of(chain).balance - draft.weight * chain.params.fee_rate_min)
    chain.send("transfer", Transfer(ToAccount(POOR.address), rest), author=FAN)
    assert account_of(chain).balance == 0
    start_again = chain.time + RECOVERY_COOL_DOWN_SECONDS
    chain.block(time=start_again)
    start(chain)


def test_reads_names_the_records() -> None:
    expected = (account_key(FAN.address), guardianship_key(FAN.address))
    assert CANCEL_RECOVERY.reads(FAN.address, CancelRecovery(WANTED)) == expected
