"""Somebody drains a program's fee pool: what its limits hold back, and who gets out without a coin when nothing is left in it.

A thief found a sheet of vouchers; an accomplice spends what a member may. Over HTTP, with the wallets' own client.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.wallet.brand import Brand
from api.wallet.creator import Creator
from api.wallet.errors import ClientProblem
from api.wallet.mnemonic import derive_master_seed
from api.wallet.printed_vouchers import print_voucher
from api.wallet.program_file import read_program_file
from api.wallet.wallet import OWN_FEE, Sent, Wallet
from ledger.domains.consent.state import CONTACT
from ledger.domains.loyalty.state import SCOPE_ENROL
from ledger.types import Amount, CampaignId, HoldId, Points, ProgramId, RewardId, Timestamp
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import PHRASES, WalletNode, master_of, open_wallet_node

MEMBER_DAY, BLOCK, DAY = 110_000, 160_000, 350_000
POOL = 1_200_000
VOUCHERS = 40
FILE = (
    TERMS_FILE.replace("member_day_max = 100000 ", f"member_day_max = {MEMBER_DAY} ")
    .replace("block_max = 10000000 ", f"block_max = {BLOCK} ")
    .replace("day_max = 1000000000 ", f"day_max = {DAY} ")
    .replace("adjust_day_max = 0 ", "adjust_day_max = 5000 ")
    .replace("hold_seconds = 86400 ", "hold_seconds = 7776000 ")
)


class Sponsor:
    """A brand whose pool pays, its till, a fan, and a sheet of vouchers that a thief finds."""

    def __init__(self, node: WalletNode) -> None:
        self.node = node
        self.owner = Brand(Wallet(master_of("owner"), node.client), payment=OWN_FEE)
        self.fan = Wallet(master_of("fan"), node.client)
        self.program = ProgramId(self.done(self.owner.create_program(read_program_file(FILE))).object_id("program"))
        self.fill(POOL)
        self.sheet = self.print_sheet(account=0)
        self.thieves = 0

    def done(self, sent: Sent) -> Sent:
        self.fan.wait_for(sent)
        return sent

    def fill(self, amount: int) -> None:
        self.done(self.owner.wallet.fill_pool(self.program, Amount(amount)))

    def print_sheet(self, account: int) -> list[str]:
        """Vouchers of one of the till's keys, which may enrol."""
        till = Wallet(master_of("till"), self.node.client, account=account)
        self.done(self.owner.grant_issuer(self.program, till.main.address, scopes=SCOPE_ENROL, daily_cap=Points(0)))
        until = Timestamp(self.node.chain.time + 300 * 86_400)
        chain_id = self.fan.facts.chain_id
        return [print_voucher(chain_id, self.program, till.till_seed, until).to_text() for _ in range(VOUCHERS)]

    @property
    def pool(self) -> int:
        return int(self.node.client.program(self.program)["books"]["pool"])

    def steal_in_one_block(self) -> tuple[int, str]:
        """Use the sheet for ever new accounts until the node refuses; how many joined, and the refusal's code."""
        joined = 0
        while True:
            thief = Wallet(derive_master_seed(PHRASES["fan"], f"thief {self.thieves}"), self.node.client)
            try:
                thief.join_with_voucher(self.sheet[0])
            except ClientProblem as problem:
                self.node.mine()
                return joined, problem.code
            self.sheet.pop(0)
            self.thieves += 1
            joined += 1

    def steal_in_one_day(self) -> tuple[int, str]:
        """Go on, block by block, until a block takes nobody in."""
        total = 0
        while True:
            joined, code = self.steal_in_one_block()
            total += joined
            if not joined:
                return total, code


@pytest.fixture
def sponsor(tmp_path: Path) -> Iterator[Sponsor]:
    with open_wallet_node(tmp_path / "node") as node:
        yield Sponsor(node)


def test_limits_hold_and_fans_get_out_of_a_drained_program_without_a_coin(sponsor: Sponsor) -> None:
    node, fan, program, done = sponsor.node, sponsor.fan, sponsor.program, sponsor.done
    # A fan without a coin joins with a voucher; it agrees to be written to, redeems and pledges. The pool pays for all of it.
    before = sponsor.pool
    done(fan.join_with_voucher(sponsor.sheet.pop())[1])
    cost = before - sponsor.pool
    member = fan.program_signer(program).address
    done(sponsor.owner.adjust(program, member, Points(500), "welcome"))
    reward = RewardId(
        done(sponsor.owner.list_reward(program, name="Mug", price=Points(100), stock=9)).object_id("reward")
    )
    deadline = Timestamp(node.chain.time + 8 * 86_400)
    created = Creator(sponsor.owner.wallet).create_campaign(
        title="Oven", goal=10**6, deadline=deadline, program=program
    )
    campaign = CampaignId(done(created).object_id("campaign"))
    node.chain.advance(days=1)
    done(fan.grant_consent(program, purpose=CONTACT))
    hold = HoldId(done(fan.redeem(program, reward, price_accepted=Points(100))).object_id("hold"))
    done(fan.pledge(campaign, 200, program=program))
    # A thief finds the sheet. A block takes as many as its total allows, a day as many as its own; and what is refused is free.
    node.chain.advance(days=1)
    pool = sponsor.pool
    joined, code = sponsor.steal_in_one_block()
    assert (joined, code) == (BLOCK // cost, "fee.sponsor_limit")
    more, code = sponsor.steal_in_one_day()
    assert (joined + more, code) == (DAY // cost, "fee.sponsor_limit")
    assert pool - sponsor.pool == (joined + more) * cost <= DAY
    # One of them spends what a member may in a day, and no more.
    node.chain.advance(days=1)
    accomplice = Wallet(derive_master_seed(PHRASES["fan"], "thief 0"), node.client)
    pool, refusal = sponsor.pool, ""
    for number in range(100):
        try:
            done(accomplice.grant_consent(program, purpose=CONTACT, scope=f"spam {number}"))
        except ClientProblem as problem:
            refusal = problem.code
            break
    assert refusal == "fee.sponsor_limit"
    assert MEMBER_DAY - 20_000 < pool - sponsor.pool <= MEMBER_DAY
    # Day after day the pool is drained.
    while sponsor.steal_in_one_day()[1] == "fee.sponsor_limit":
        node.chain.advance(days=1)
    assert sponsor.steal_in_one_block() == (0, "coin.pool_insufficient")
    assert sponsor.pool < cost
    # Who is in gets out, with an empty pool and without a coin: nothing of this is the pool's to pay.
    account = fan.address_text(member)
    assert node.client.account(account)["coin"] == 0
    done(fan.cancel(program, hold))
    done(fan.revoke_consent(program, purpose=CONTACT))
    node.chain.advance(days=8, blocks=8)
    node.mine(2)
    (standing,) = node.client.account(account)["programs"]
    assert (standing["available"], standing["held"]) == (500, 0), "the failed campaign gave its points back by itself"
    done(fan.leave(program))
    (standing,) = node.client.account(account)["programs"]
    assert standing["left_at"] is not None and standing["available"] == 500
    # The brand ends the stolen sheet, prints another one with another key, tops up, and everything goes on.
    till = Wallet(master_of("till"), node.client).main.address
    done(sponsor.owner.revoke_issuer(program, till))
    sponsor.fill(POOL)
    assert sponsor.steal_in_one_block() == (0, "fee.not_sponsored")
    (first, *_) = sponsor.print_sheet(account=1)
    done(fan.join_with_voucher(first)[1])
    done(fan.redeem(program, reward, price_accepted=Points(100)))
    (standing,) = node.client.account(account)["programs"]
    assert (standing["available"], standing["held"], standing["left_at"]) == (400, 100, None)
