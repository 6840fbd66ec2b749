"""`account.set_guardians`: who may recover an account."""

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.recovery import RECOVERING
from ledger.domains.accounts.set_guardians import (
    NO_GUARDIANS,
    OWN_ACCOUNT,
    SET_GUARDIANS,
    GuardiansSet,
    SetGuardians,
)
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import BAD_GUARDIANS, Guardians, Guardianship, account_key, guardianship_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Malformed
from ledger.transaction import OwnFee
from ledger.types import Amount, Timestamp
from tests.support.guarded import (
    DELAY_DAYS,
    GUARDIANS,
    NEW_KEYS,
    RECOVERED,
    account_of,
    approve,
    cancel,
    guard,
    guardians_of,
    guardianship_of,
    set_guardians,
    start,
)
from tests.support.memory_chain import Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, POOR, STRANGER, TILL, Shop

ADDRESSES = tuple(signer.address for signer in GUARDIANS)


def test_guardians_stand_in_a_record_of_their_own(chain: Scenario) -> None:
    guard(chain)
    found, deposit = guardianship_of(chain), chain.params.record_deposit
    payer, guardians = b"A" + FAN.address, guardians_of(*GUARDIANS)
    assert found == Guardianship(payer, deposit, Amount(0), guardians, (), 0, Timestamp(0), ())
    account = account_of(chain)
    assert (account.is_guarded, account.deposit, account.policy_hash) == (True, deposit, b"")
    assert chain.state.chain.locked == 2 * deposit
    assert chain.events == (GuardiansSet(FAN.address, 2, ADDRESSES, DELAY_DAYS),)
    assert chain.events[0].subjects() == (FAN.address, *ADDRESSES)


def test_others_take_their_place_and_lock_nothing_more(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    cancel(chain)
    assert guardianship_of(chain).failures == 1
    chain.block(time=guardianship_of(chain).not_before)
    approve(chain, FRIEND)
    first = guardianship_of(chain)
    set_guardians(chain, STRANGER, TILL)
    named = guardians_of(STRANGER, TILL)
    assert guardianship_of(chain) == Guardianship(first.payer, first.deposit, Amount(0), named, (), 0, Timestamp(0), ())
    assert chain.state.chain.locked == 2 * chain.params.record_deposit


def test_removing_gives_the_deposit_back_and_keeps_the_account(chain: Scenario) -> None:
    guard(chain)
    balance = account_of(chain).balance
    set_guardians(chain)
    assert chain.events == (GuardiansSet(FAN.address, 0, (), 0),)
    assert guardianship_of(chain) is None
    account = account_of(chain)
    assert (account.is_guarded, account.deposit) == (False, chain.params.record_deposit)
    payment = chain.mined[-1].transactions[0].body.payment
    assert isinstance(payment, OwnFee)
    fee = payment.fee
    assert account.balance == balance - fee + chain.params.record_deposit
    with refused(NO_GUARDIANS, account=FAN.address):
        set_guardians(chain)


def test_an_account_without_coin_is_kept_by_its_guardians_and_by_its_deposit(shop: Shop) -> None:
    shop.join(POOR)
    set_guardians(shop.chain, FRIEND, TILL, author=POOR, payment=shop.sponsored)
    account = account_of(shop.chain, POOR)
    assert (account.balance, account.is_guarded) == (0, True)
    assert guardianship_of(shop.chain, POOR).payer == b"P" + shop.program
    pool = shop.books.pool
    set_guardians(shop.chain, author=POOR, payment=shop.sponsored)
    fee = 2 * shop.chain.mined[-1].transactions[0].weight
    assert shop.books.pool == pool - fee + shop.chain.params.record_deposit
    assert account_of(shop.chain, POOR).deposit == shop.chain.params.record_deposit


def test_a_policy_that_was_changed_first_has_locked_the_accounts_deposit(chain: Scenario) -> None:
    chain.send("account.set_policy", SetPolicy(NEW_KEYS.policy), author=FAN)
    set_guardians(chain, *GUARDIANS, author=RECOVERED)
    assert chain.state.chain.locked == 2 * chain.params.record_deposit
    chain.send("account.set_policy", SetPolicy(FAN.policy), author=RECOVERED)
    assert guardianship_of(chain).guardians == guardians_of(*GUARDIANS)


def test_nobody_is_its_own_guardian(chain: Scenario) -> None:
    with refused(OWN_ACCOUNT, account=FAN.address):
        set_guardians(chain, FRIEND, FAN)


def test_guardians_that_contradict_themselves_are_malformed(chain: Scenario) -> None:
    backwards = Guardians(1, tuple(reversed(ADDRESSES)), 1)
    twice = Guardians(1, (FRIEND.address, FRIEND.address), 1)
    too_many = Guardians(2, (FRIEND.address,), 1)
    disorder, more = "their addresses are not strictly ascending", "more are needed than are named"
    for guardians, reason in ((backwards, disorder), (twice, disorder), (too_many, more)):
        with refused(BAD_GUARDIANS, Malformed, reason=reason):
            chain.send("account.set_guardians", SetGuardians((guardians,)), author=FAN)


def test_guardians_are_not_changed_while_a_recovery_waits(chain: Scenario) -> None:
    guard(chain)
    start(chain)
    for signers in ((), (FRIEND, TILL)):
        with refused(RECOVERING):
            set_guardians(chain, *signers)


def test_the_deposits_must_be_there(chain: Scenario) -> None:
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(20_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        set_guardians(chain, FRIEND, TILL, author=POOR)


def test_the_pools_deposits_must_be_there() -> None:
    shop = Shop(pool=20_500)
    shop.join_alone(FAN)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        set_guardians(shop.chain, FRIEND, TILL, payment=shop.sponsored)


def test_reads_names_the_account_and_its_guardians() -> None:
    expected = (account_key(FAN.address), guardianship_key(FAN.address))
    assert SET_GUARDIANS.reads(FAN.address, SetGuardians(())) == expected
