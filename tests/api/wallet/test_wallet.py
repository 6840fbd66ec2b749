"""A brand, a till and a fan at one node, over the HTTP API: everything that a wallet can do, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from api.wallet.client import Client
from api.wallet.creator import Creator
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.program_file import read_program_file
from api.wallet.settlement import SettlementBook
from api.wallet.wallet import OWN_FEE
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.state import SCOPE_TILL
from ledger.types import Amount, CampaignId, Hash, HoldId, Points, RewardId, Timestamp
from tests.support.market import TERMS_FILE, TILL_SCOPES, Market
from tests.support.wallet_node import main_signer, open_wallet_node


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with open_wallet_node(tmp_path / "node") as node:
        yield Market(node)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.json"


def test_program_is_read_back_as_it_was_written(market: Market) -> None:
    facts = market.owner.read_program(market.program)
    assert (facts.version, facts.latest_version) == (1, 1)
    assert facts.terms == read_program_file(TERMS_FILE).terms
    assert (facts.periods.offset_minutes, facts.periods.period_days) == (-300, 0)


def test_new_terms_follow_the_latest_version(market: Market) -> None:
    worse = read_program_file(TERMS_FILE.replace("per_cents = 10", "per_cents = 20"))
    market.done(market.owner.update_program(market.program, 1, worse.terms))
    facts = market.owner.read_program(market.program)
    assert (facts.version, facts.latest_version) == (1, 2)
    with pytest.raises(ClientProblem) as fault:
        market.owner.update_program(market.program, 1, worse.terms)
    assert fault.value.code == "program.stale_version"


def test_fan_without_coin_joins_earns_redeems_and_leaves(market: Market, book: Path) -> None:
    market.enrol()
    receipt = market.buy(4_260)
    opening, *more = market.settle(book, receipt)
    assert not more and opening.points == 426
    assert market.points()["available"] == 426
    listed = market.done(market.owner.list_reward(market.program, name="Bread", price=Points(100), stock=5))
    reward = RewardId(listed.object_id("reward"))
    assert market.fan.price_of(market.program, reward) == 100
    first = market.done(market.fan.redeem(market.program, reward, price_accepted=Points(100)))
    second = market.done(market.fan.redeem(market.program, reward, price_accepted=Points(100), quantity=2))
    assert (market.points()["available"], market.points()["held"]) == (126, 300)
    market.done(market.till.fulfil(market.program, HoldId(first.object_id("hold"))))
    market.done(market.fan.cancel(market.program, HoldId(second.object_id("hold"))))
    assert (market.points()["available"], market.points()["held"]) == (326, 0)
    market.done(market.fan.leave(market.program))
    assert market.points()["left_at"]
    assert market.points()["available"] == 326


def test_shop_gives_back_what_it_cannot_deliver_and_changes_rewards(market: Market, book: Path) -> None:
    market.enrol()
    market.settle(book, market.buy(2_000))
    listed = market.done(market.owner.list_reward(market.program, name="Jam", price=Points(50), stock=1))
    reward = RewardId(listed.object_id("reward"))
    hold = market.done(market.fan.redeem(market.program, reward, price_accepted=Points(50))).object_id("hold")
    market.done(market.till.cancel(market.program, HoldId(hold)))
    market.done(market.owner.update_reward(market.program, reward, price=Points(40), stock_change=3, listed=True))
    assert market.fan.price_of(market.program, reward) == 40
    with pytest.raises(WalletError) as fault:
        market.fan.price_of(market.program, RewardId(bytes(32)))
    assert fault.value.code.name == "wallet.no_reward"


def test_campaigns_in_points_and_in_coin(market: Market, book: Path) -> None:
    market.enrol()
    market.settle(book, market.buy(9_000))
    creator = Creator(market.owner.wallet)
    deadline = Timestamp(int(market.node.client.chain()["time"]) + 3_600)
    in_points = market.done(
        creator.create_campaign("Roastery", goal=150, deadline=deadline, program=market.program)
    ).object_id("campaign")
    tiers = (("Early", 500, 2),)
    in_coin = market.done(creator.create_campaign("Game", goal=10**9, deadline=deadline, tiers=tiers)).object_id(
        "campaign"
    )
    assert market.fan.program_of_campaign(CampaignId(in_points)) == market.program
    assert market.fan.program_of_campaign(CampaignId(in_coin)) is None
    market.done(market.fan.pledge(CampaignId(in_points), 150, program=market.program))
    market.done(market.owner.wallet.pledge(CampaignId(in_coin), 500, tier=1))
    market.node.chain.advance(seconds=3_600, blocks=20)
    assert market.node.client.campaign(in_points)["status"] == "done"
    assert market.node.client.campaign(in_coin)["status"] == "failed"


def test_consents_and_what_the_node_obeys(market: Market) -> None:
    market.enrol()
    clock = market.node.chain.clock
    until = Timestamp(int(market.node.client.chain()["time"]) + 86_400)
    market.done(market.fan.grant_consent(market.program, purpose=PERSONALISE))
    market.done(market.fan.grant_consent(market.program, purpose=PERSONALISE, scope="mail", expires_at=until))
    market.fan.revoke_consent(market.program, purpose=PERSONALISE)
    with time_machine.travel(clock.now(), tick=False):
        found = {row["scope"]: row for row in market.fan.consents(market.program)}
    assert {scope: (row["state"], row["obeyed"]) for scope, row in found.items()} == {
        "": ("revocation_received", False),
        "mail": ("active", True),
    }
    assert found["mail"]["expires_at"] == until
    clock.set(until)
    with time_machine.travel(clock.now(), tick=False):
        later = {row["scope"]: row["state"] for row in market.fan.consents(market.program)}
    assert later["mail"] == "expired"


def test_coin_moves_and_balances_show_every_account(market: Market) -> None:
    market.enrol()
    fan_account = market.fan.main.address
    market.done(market.owner.wallet.transfer(fan_account, Amount(70_000)))
    found = dict(market.fan.balances())
    assert set(found) == {market.fan.address_text(fan_account), market.fan.address_text(market.member)}
    assert found[market.fan.address_text(fan_account)]["coin"] == 70_000


def test_joining_alone_takes_coin_of_the_account_for_the_program(market: Market) -> None:
    with pytest.raises(ClientProblem) as fault:
        market.fan.join(market.program)
    assert fault.value.code == "coin.insufficient"
    assert fault.value.advice
    market.done(market.owner.wallet.transfer(market.member, Amount(70_000)))
    market.done(market.fan.join(market.program))
    market.done(market.fan.grant_consent(market.program, purpose=PERSONALISE, payment=OWN_FEE))
    assert market.points()["available"] == 0


def test_joining_at_a_till_in_one_place(market: Market) -> None:
    market.done(market.fan.join(market.program, till=main_signer("till")))
    assert market.points()["available"] == 0


def test_revoked_issuer_settles_nothing_and_the_book_keeps_the_batch(market: Market, book: Path) -> None:
    market.enrol()
    counter = main_signer("owner").address
    market.done(market.owner.grant_issuer(market.program, counter, scopes=SCOPE_TILL, daily_cap=Points(0)))
    receipt = market.buy(1_000, market.owner)
    market.done(market.owner.revoke_issuer(market.program, main_signer("till").address))
    with pytest.raises(ClientProblem) as fault:
        market.settle(book, receipt)
    assert fault.value.code == "fee.not_sponsored"
    assert SettlementBook.load(book, market.program).pending is not None
    till = main_signer("till").address
    market.done(market.owner.grant_issuer(market.program, till, scopes=TILL_SCOPES, daily_cap=Points(10**6)))
    market.settle(book, receipt)
    assert market.points()["available"] == 100


def test_invitation_to_another_chain_is_noticed(market: Market) -> None:
    invitation = market.till.invite(market.program)
    market.fan.check_invitation(invitation)
    facts = invitation.facts
    other = type(invitation)(
        type(facts)(facts.name, type(facts.chain_id)(bytes(32)), *(getattr(facts, name) for name in REST)),
        invitation.program,
        invitation.issuer,
        invitation.valid_from,
        invitation.valid_until,
    )
    with pytest.raises(WalletError) as fault:
        market.fan.check_invitation(other)
    assert fault.value.code.name == "wallet.wrong_chain"


REST = ("address_prefix", "fee_rate_min", "record_deposit", "account_minimum", "validity_blocks_max")


def test_the_same_bytes_again_after_their_block_are_no_fault(market: Market) -> None:
    sent = market.done(market.owner.wallet.transfer(market.fan.main.address, Amount(5_000)))
    assert market.owner.wallet.send_raw(sent.raw) == sent
    assert market.owner.wallet.client.account(market.fan.address_text(market.fan.main.address))["coin"] == 5_000


def test_fulfilling_may_name_a_code(market: Market, book: Path) -> None:
    market.enrol()
    market.settle(book, market.buy(1_000))
    listed = market.done(market.owner.list_reward(market.program, name="Voucher", price=Points(10), stock=5))
    hold = market.done(
        market.fan.redeem(market.program, RewardId(listed.object_id("reward")), price_accepted=Points(10))
    ).object_id("hold")
    market.done(market.till.fulfil(market.program, HoldId(hold), codes=(Hash(b"c" * 32),)))
    history = market.node.client.account_history(market.fan.address_text(market.member))
    assert history["items"][0]["data"]["codes"] == [(b"c" * 32).hex()]


def test_pages_are_followed_to_the_end(market: Market) -> None:
    client: Client = market.node.client
    heights = [block["height"] for block in client.every(lambda cursor: client.blocks(cursor=cursor, limit=2))]
    assert heights == list(range(heights[0], -1, -1))
