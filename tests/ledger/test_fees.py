"""Fees: own, sponsored within every limit, and prepaid."""

from typing import Any

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.state import NO_PROGRAM, SponsorPolicy
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.fees import EXIT_TOO_HEAVY, FEE_TOO_LOW, NOT_SPONSORED, SPONSOR_LIMIT, sponsor_policy_at
from ledger.params import EXIT_WEIGHT
from ledger.state import Overlay
from ledger.transaction import OwnFee, Prepaid, Sponsored, Transaction
from ledger.types import Address, Amount, ProgramId, Timestamp
from tests.support.memory_chain import Scenario, Signer, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, SPONSOR, STRANGER, TILL, Shop

PAYMENT = Transfer(ToAccount(FRIEND.address), Amount(1))
LOTS = Amount(10**6)


def sponsored(shop: Shop, *, author: Signer = FAN) -> Transaction:
    return shop.chain.sign("transfer", PAYMENT, author=author, payment=shop.sponsored)


def limited(**limits: int) -> Shop:
    """A shop with one limit; the others are far away."""
    policy: dict[str, Any] = {"rate": 2, "member_day_max": LOTS, "block_max": LOTS, "day_max": LOTS, **limits}
    shop = Shop(sponsor=SponsorPolicy(**policy))
    shop.join_alone(FAN, FRIEND)
    return shop


WEIGHT = sponsored(limited()).weight
FEE = 2 * WEIGHT


def test_an_own_fee_is_weight_times_the_least_rate_at_least(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN)
    needed = transaction.weight * chain.params.fee_rate_min
    with refused(FEE_TOO_LOW, offered=needed - 1, needed=needed):
        chain.send("transfer", PAYMENT, author=FAN, payment=OwnFee(Amount(needed - 1)))
    block = chain.block(chain.sign("transfer", PAYMENT, author=FAN, payment=OwnFee(Amount(needed + 7))))
    assert block.payees[0][1] == 5_000_000 + needed + 7


def test_a_chain_may_ask_for_nothing() -> None:
    params = sim_params(fee_rate_min=Amount(0), record_deposit=Amount(0), account_minimum=Amount(0))
    chain = Scenario(params=params)
    chain.send("consent.grant", ConsentGrant(FRIEND.address, 0, "", Timestamp(0)), author=POOR)
    assert chain.record(account_key(POOR.address)) is None
    assert chain.state.chain.locked == 0
    chain.send("consent.revoke", ConsentRevoke(FRIEND.address, 0, ""), author=POOR, payment=Prepaid())
    chain.replay()


def test_an_own_fee_must_be_there(chain: Scenario) -> None:
    with refused(INSUFFICIENT):
        chain.send("transfer", PAYMENT, author=POOR)


def test_a_sponsor_pays_its_rate_and_not_what_the_sender_chose() -> None:
    shop = limited(rate=3)
    pool, coin = shop.books.pool, shop.coin_of(FAN)
    transaction = sponsored(shop)
    block = shop.chain.block(transaction)
    assert shop.books.pool == pool - 3 * transaction.weight
    assert block.payees[0][1] == 5_000_000 + 3 * transaction.weight
    assert shop.coin_of(FAN) == coin - 1


def test_failures_come_in_the_documented_order() -> None:
    shop = limited(block_max=FEE - 1)
    with refused(NO_PROGRAM):
        shop.chain.send("transfer", PAYMENT, author=STRANGER, payment=Sponsored(ProgramId(NOWHERE)))
    with refused(NOT_SPONSORED):
        shop.chain.block(sponsored(shop, author=STRANGER))
    with refused(SPONSOR_LIMIT, limit="per block"):
        shop.chain.block(sponsored(shop))
    empty = Shop(pool=1)
    empty.join_alone(FAN)
    with refused(POOL_INSUFFICIENT, available=1):
        empty.chain.block(sponsored(empty))


@pytest.mark.parametrize("spare", [-1, 0])
def test_the_limit_per_block(spare: int) -> None:
    shop = limited(block_max=2 * FEE + spare)
    if spare < 0:
        with refused(SPONSOR_LIMIT, limit="per block", maximum=2 * FEE - 1, needed=2 * FEE):
            shop.chain.block(sponsored(shop), sponsored(shop, author=FRIEND))
    else:
        shop.chain.block(sponsored(shop), sponsored(shop, author=FRIEND))
        shop.chain.block(sponsored(shop), sponsored(shop, author=FRIEND))
    shop.chain.block(sponsored(shop))


@pytest.mark.parametrize("spare", [-1, 0])
def test_the_limit_per_day(spare: int) -> None:
    shop = limited(day_max=2 * FEE + spare)
    shop.chain.block(sponsored(shop))
    if spare < 0:
        with refused(SPONSOR_LIMIT, limit="per day", maximum=2 * FEE - 1, needed=2 * FEE):
            shop.chain.block(sponsored(shop, author=FRIEND))
    else:
        shop.chain.block(sponsored(shop, author=FRIEND))
    midnight = shop.midnight(days=1)
    shop.chain.block(time=midnight - 1)
    with refused(SPONSOR_LIMIT, limit="per day"):
        shop.chain.block(sponsored(shop), sponsored(shop))
    shop.chain.block(time=midnight)
    shop.chain.block(sponsored(shop))


@pytest.mark.parametrize("spare", [-1, 0])
def test_the_limit_per_member_and_day(spare: int) -> None:
    shop = limited(member_day_max=2 * FEE + spare)
    shop.chain.block(sponsored(shop), sponsored(shop, author=FRIEND))
    if spare < 0:
        with refused(SPONSOR_LIMIT, limit="per member and day", maximum=2 * FEE - 1, needed=2 * FEE):
            shop.chain.block(sponsored(shop))
    else:
        shop.chain.block(sponsored(shop))
        shop.chain.block(sponsored(shop, author=FRIEND))
    with refused(SPONSOR_LIMIT, limit="per member and day"):
        shop.chain.block(sponsored(shop))
    shop.chain.block(time=shop.midnight(days=1))
    shop.chain.block(sponsored(shop))


def test_no_total_limits_the_owner_but_a_members_own_limit_does() -> None:
    shop = limited(block_max=0, day_max=0, member_day_max=FEE)
    shop.chain.block(sponsored(shop, author=OWNER), sponsored(shop, author=OWNER))
    shop.join_alone(OWNER)
    shop.chain.block(sponsored(shop, author=OWNER))
    with refused(SPONSOR_LIMIT, limit="per member and day"):
        shop.chain.block(sponsored(shop, author=OWNER))


def test_who_left_or_was_revoked_is_not_sponsored_any_more() -> None:
    shop = limited()
    shop.chain.block(sponsored(shop, author=TILL))
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    with refused(NOT_SPONSORED):
        shop.chain.block(sponsored(shop, author=TILL))
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    with refused(NOT_SPONSORED):
        shop.chain.block(sponsored(shop))


def test_joining_counts_against_the_new_members_own_limit() -> None:
    shop = limited(member_day_max=14_000)
    with refused(SPONSOR_LIMIT, limit="per member and day"):
        shop.join(POOR)
    assert shop.member(POOR) is None
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    shop.join(FAN)
    assert shop.member(FAN).sponsor_spent < 14_000, "coming back locks no deposit"


def test_the_policy_in_force_is_the_one_that_counts(shop: Shop) -> None:
    view = Overlay(shop.chain.state)
    assert sponsor_policy_at(view, shop.program, shop.chain.context) == SPONSOR
    with refused(NO_PROGRAM):
        sponsor_policy_at(view, ProgramId(NOWHERE), shop.chain.context)


@pytest.mark.parametrize("spare", [-1, 0])
def test_deposits_and_prepaid_exits_count_as_spent(spare: int) -> None:
    payload = ConsentGrant(FRIEND.address, 0, "", Timestamp(0))
    weight = limited().chain.sign("consent.grant", payload, author=FAN, payment=Sponsored(ProgramId(NOWHERE))).weight
    spent = 2 * (weight + EXIT_WEIGHT) + 10_000
    shop = limited(day_max=spent + spare)
    pool = shop.books.pool
    transaction = shop.chain.sign("consent.grant", payload, author=FAN, payment=shop.sponsored)
    if spare < 0:
        with refused(SPONSOR_LIMIT, limit="per day", maximum=spent - 1, needed=spent):
            shop.chain.block(transaction)
    else:
        shop.chain.block(transaction)
        assert pool - shop.books.pool == shop.books.sponsor_day_spent == spent


def test_what_a_pool_gets_back_in_the_same_transaction_does_not_hide_the_fee() -> None:
    shop = limited(member_day_max=60_000)
    shop.join(POOR)
    shop.earn(POOR, 100)
    shop.chain.advance(days=1)
    hold = shop.redeem(POOR, shop.list_reward(), payment=shop.sponsored)
    spent = shop.member(POOR).sponsor_spent
    cancel = shop.chain.sign("redeem.cancel", RedeemCancel(hold), author=POOR, payment=shop.sponsored)
    shop.chain.block(cancel)
    assert shop.member(POOR).sponsor_spent == spent + 2 * cancel.weight


def test_a_prepaid_exit_may_weigh_what_was_prepaid_and_no_more(shop: Shop) -> None:
    board = Signer.named("board", threshold=12, keys_count=12)
    shop.join(FAN)
    shop.chain.send("account.set_policy", SetPolicy(board.policy), author=FAN)
    leave = shop.chain.sign("member.leave", MemberLeave(shop.program), author=FAN.governed_by(board), payment=Prepaid())
    with refused(EXIT_TOO_HEAVY, weight=leave.weight, maximum=EXIT_WEIGHT):
        shop.chain.block(leave)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN.governed_by(board))


def test_a_sponsored_join_without_a_till_is_refused(shop: Shop) -> None:
    with refused(NOT_SPONSORED):
        payload = MemberJoin(shop.program, Address(b""))
        shop.chain.send("member.join", payload, author=FAN, payment=shop.sponsored)
