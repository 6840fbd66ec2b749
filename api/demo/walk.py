"""One fan's walk over HTTP: join, earn, redeem, back a campaign; what `fansumer up --smoke` does on a living chain."""

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.wallet.brand import Brand, Purchase
from api.wallet.client import Client
from api.wallet.creator import Creator
from api.wallet.mnemonic import MasterSeed
from api.wallet.settlement import SettlementBook, SettlementTerms, Settler
from api.wallet.wallet import Sent, Wallet
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import SCOPES_ALL, NeverExpires, RatePerAmount, SponsorPolicy, Terms
from ledger.types import Amount, CampaignId, HoldId, Points, ProgramId, RewardId, Timestamp

POOL_COIN = Amount(5_000_000)
COFFEE_PRICE = Points(100)
PLEDGE = 150
NET_CENTS = 4_260
CAMPAIGN_SECONDS = 40
SETTLE_SECONDS_MAX = 120
PURCHASE_SEQUENCE = 1

WALK_PROGRAM = ProgramCreate(
    name="Corner Coffee",
    unit="beans",
    decimals=0,
    offset_minutes=0,
    terms=Terms(
        rules=(RatePerAmount(Points(1), 10),),
        expiry=NeverExpires(),
        activation_delay_days=0,
        return_window_days=0,
        period_days=0,
        period_anchor_day=0,
        settle_grace_days=1,
        remainder_max=Points(0),
        issuance_cap=Points(10**12),
        hold_seconds=86_400,
        notice_days=30,
        sponsor=SponsorPolicy(Amount(1), Amount(100_000), Amount(1_000_000), Amount(10_000_000)),
    ),
)
"""Settles on demand, and points can be spent at once."""


@dataclass(frozen=True, slots=True)
class WalkReport:
    """What the fan had at the end."""

    program: ProgramId
    fan: str
    earned: int
    available: int
    redeemed: int
    campaign_status: str
    steps: int


class Walk:
    """A brand with coin and a new fan, at one node."""

    def __init__(self, client: Client, brand_master: MasterSeed, say: Callable[[str], None]) -> None:
        self._client = client
        self._brand = Brand(Wallet(brand_master, client))
        self._fan = Wallet(MasterSeed(secrets.token_bytes(64)), client)
        self._say = say
        self._steps = 0

    def _confirmed(self, what: str, sent: Sent) -> Sent:
        status = self._brand.wallet.wait_for(sent, seconds_max=90)
        self._steps += 1
        self._say(f"{what}: in block {status['height']}")
        return sent

    def run(self) -> WalkReport:
        """Walk. Raises `ClientProblem` where the node refuses, AssertionError where it miscounts.

        What needs no answer in between waits in the pool together: five blocks instead of ten.
        """
        brand, owner = self._brand, self._brand.wallet
        created = brand.create_program(WALK_PROGRAM)
        program = ProgramId(created.object_id("program"))
        owner.fill_pool(program, POOL_COIN)
        brand.grant_issuer(program, owner.main.address, scopes=SCOPES_ALL, daily_cap=Points(10**9))
        listed = brand.list_reward(program, name="A coffee", price=COFFEE_PRICE, stock=10)
        campaign = self._open_campaign(program)
        joined = self._fan.join(program, till=owner.main)
        self._confirmed("brand opens a program, a till and a campaign", listed)
        self._confirmed("fan joins, without any coin", joined)
        earned = self._earn(program)
        redeemed = self._fan.redeem(program, RewardId(listed.object_id("reward")), price_accepted=COFFEE_PRICE)
        pledged = self._fan.pledge(campaign, PLEDGE, program=program)
        self._confirmed("fan redeems a coffee", redeemed)
        self._confirmed("fan backs the campaign", pledged)
        hold = HoldId(redeemed.object_id("hold"))
        self._confirmed("brand hands the coffee out", brand.fulfil(program, hold))
        status = self._wait_until_settled(campaign)
        self._say(f"campaign settled by itself: {status}")
        return self._report(program, earned, status)

    def _open_campaign(self, program: ProgramId) -> CampaignId:
        deadline = Timestamp(int(self._client.chain()["time"]) + CAMPAIGN_SECONDS)
        creator = Creator(self._brand.wallet)
        created = creator.create_campaign("A roastery of our own", goal=PLEDGE, deadline=deadline, program=program)
        return CampaignId(created.object_id("campaign"))

    def _earn(self, program: ProgramId) -> int:
        """A purchase: the till signs a receipt, the fan keeps it, the brand settles it."""
        now = Timestamp(int(self._client.chain()["time"]))
        purchase = Purchase(self._fan.program_signer(program).address, PURCHASE_SEQUENCE, now, NET_CENTS)
        facts = self._brand.read_program(program)
        receipt = self._brand.sign_receipt(program, facts, purchase)
        with tempfile.TemporaryDirectory() as folder:
            book = SettlementBook.load(Path(folder) / "book.json", program)
            settler = Settler(self._brand, book, SettlementTerms(facts.periods, facts.terms.remainder_max))
            outcome = settler.settle([receipt], until=Timestamp(now + 1), is_last=True)
        self._steps += 1
        self._say(f"brand settles the receipt: {outcome.points} beans")
        return outcome.points

    def _wait_until_settled(self, campaign: CampaignId) -> str:
        give_up = time.monotonic() + SETTLE_SECONDS_MAX
        while True:
            status = str(self._client.campaign(campaign)["status"])
            if status != "open" or time.monotonic() > give_up:
                return status
            time.sleep(0.5)

    def _report(self, program: ProgramId, earned: int, campaign_status: str) -> WalkReport:
        fan = self._fan.address_text(self._fan.program_signer(program).address)
        account = self._client.account(fan)
        points = next(entry for entry in account["programs"] if entry["program"] == program.hex())
        totals = self._client.liability(program)["books"]
        assert earned == NET_CENTS // 10, f"{earned} points for {NET_CENTS} cents"
        assert points["available"] == earned - COFFEE_PRICE - PLEDGE, f"the fan has {points}"
        assert totals["redeemed"] == COFFEE_PRICE + PLEDGE, f"the program has {totals}"
        assert campaign_status == "done", f"the campaign is {campaign_status}"
        return WalkReport(
            program=program,
            fan=fan,
            earned=earned,
            available=points["available"],
            redeemed=totals["redeemed"],
            campaign_status=campaign_status,
            steps=self._steps,
        )
