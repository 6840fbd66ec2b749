"""Random campaigns in coin and points, with blocks taken back: escrow is never stranded.

From every state that is reached, time alone (empty blocks, nobody's signature) brings the escrow of every campaign to nothing, and
every unit to somebody. Everything is drawn from the seed in the name of the test: `pytest "FILE::test_...[SEED]"` replays it.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.crowdfunding.campaign_cancel import CampaignCancel
from ledger.domains.crowdfunding.delivery_confirm import DeliveryConfirm
from ledger.domains.crowdfunding.events import CampaignSettled, CampaignStopped, PledgeRefunded
from ledger.domains.crowdfunding.milestone_submit import MilestoneSubmit
from ledger.domains.crowdfunding.milestone_vote import MilestoneVote
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.pledge_cancel import PledgeCancel
from ledger.domains.crowdfunding.pledge_change import PledgeChange
from ledger.domains.crowdfunding.pledge_withdraw import PledgeWithdraw, has_refused
from ledger.domains.crowdfunding.refunds import REFUND_DUE
from ledger.domains.crowdfunding.state import (
    CAMPAIGN_TERMS,
    CAMPAIGNS,
    CANCELLED,
    DONE,
    FAILED,
    FUNDED,
    OPEN,
    OVERDUE,
    PLEDGES,
    REJECTED,
    Campaign,
    Pledge,
)
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
from ledger.domains.loyalty.state import NeverExpires
from ledger.due import DUE
from ledger.errors import RuleViolation
from ledger.invariants import check_books
from ledger.transaction import Payment, Prepaid
from ledger.types import CampaignId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, Shop, some_hash

SEEDS = int(os.environ.get("FANSUMER_TEST_LIVES", "6"))
"""Lives; a long run takes more."""
STEPS = 160
CAMPAIGNS_MAX = 5
FORK_MAX = 8
LOOK_AHEAD_EVERY = 16
BACKERS = (FAN, FRIEND, STRANGER, OWNER)
CREATORS = (OWNER, OWNER, FRIEND)
QUANTITIES = (1, 1, 2, 7, 10, 99, 333, 1_000)
DAY = DAY_SECONDS


class RandomCampaigns:
    """One shop on one chain, with a few campaigns at a time."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.shop = Shop(pool=10**9, expiry=NeverExpires())
        self.chain = self.shop.chain
        self.shop.join_alone(*BACKERS)
        self.shop.settle(*(self.shop.entry(fan, 10**6) for fan in BACKERS))
        self.chain.mine()
        self.first = len(self.chain.mined)
        self.seen: Counter[tuple[str, str]] = Counter()
        self.ended: Counter[int] = Counter()

    @property
    def campaigns(self) -> dict[CampaignId, Campaign]:
        return {CampaignId(key[1:]): found for key, found in self.chain.state.table(CAMPAIGNS.prefix).items()}

    def pledges_of(self, campaign: CampaignId) -> dict[int, Pledge]:
        table = self.chain.state.table(PLEDGES.prefix)
        return {int.from_bytes(key[33:]): found for key, found in table.items() if key[1:33] == campaign}

    def terms_of(self, campaign: CampaignId) -> CampaignTerms:
        return self.chain.state.record(CAMPAIGN_TERMS.key(campaign))

    def step(self) -> None:
        """One thing happens."""
        live = [key for key, found in self.campaigns.items() if found.status in (OPEN, FUNDED)]
        acts: tuple[tuple[int, Callable[[], None]], ...] = (
            (8 if len(live) < CAMPAIGNS_MAX else 0, self.create),
            (14, self.pledge),
            (4, self.change),
            (3, self.cancel),
            (6, self.pledge_late),
            (10, self.submit),
            (16, self.vote),
            (8, self.withdraw),
            (1, self.give_up),
            (14, self.let_time_pass),
            (3, self.take_back),
        )
        if not live:
            self.create()
        else:
            self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
        self.check()

    def send(self, kind: str, payload: Any, author: Signer, **options: Any) -> None:
        """Offer one transaction, alone in its block."""
        transaction = self.chain.sign(kind, payload, author=author, **options)
        try:
            self.chain.block(transaction)
            self.seen[kind, ""] += 1
        except RuleViolation as fault:
            self.seen[kind, fault.code.name] += 1

    def create(self) -> None:
        creator, rng = self.rng.choice(CREATORS), self.rng
        unit: CoinUnit | PointsUnit = CoinUnit()
        cosigners: tuple[Signer, ...] = ()
        if rng.random() < 0.5:
            licensed = creator is not OWNER
            unit = PointsUnit(self.shop.program, OWNER.address) if licensed else PointsUnit(self.shop.program)
            cosigners = (OWNER,) if licensed else ()
        deadline = Timestamp(self.chain.time + rng.randrange(1, 4) * DAY)
        terms = CampaignTerms("Lamp", unit, rng.choice((1, 50, 2_000)), deadline, (("Early", 5, 2),))
        terms = replace(terms, all_or_nothing=rng.random() < 0.7, add_ons=(("Shade", 3, 4),), **self._steps(deadline))
        self.send("campaign.create", terms, creator, cosigners=cosigners)

    def _steps(self, deadline: int) -> dict[str, Any]:
        rng = self.rng
        delivers = rng.random() < 0.6
        cuts = sorted(rng.sample(range(1, 10_000), rng.randrange(0, 4)))
        shares = [after - before for before, after in zip((0, *cuts), (*cuts, 10_000), strict=True)]
        reserve = shares.pop() if delivers and rng.random() < 0.8 else 0
        due, milestones = deadline, list[tuple[str, int, int]]()
        for number, share in enumerate(shares):
            due += rng.randrange(1, 5) * DAY
            at_once = not number and rng.random() < 0.5
            milestones.append(("Step", share, 0 if at_once else due))
        delivery_due = due + rng.randrange(1, 5) * DAY if delivers else 0
        last = delivery_due or milestones[-1][2]
        return {
            "milestones": tuple(milestones),
            "reserve": reserve,
            "delivery_due": delivery_due,
            "grace_seconds": rng.choice((60, DAY, 6 * DAY)),
            "vote_seconds": rng.choice((60, DAY, 2 * DAY)),
            "retry_seconds": rng.choice((0, 60, 2 * DAY)),
            "silence_approves": rng.random() < 0.5,
            "late_until": last if last and rng.random() < 0.7 else 0,
        }

    def _pick(self, *statuses: int) -> CampaignId | None:
        found = [key for key, campaign in sorted(self.campaigns.items()) if campaign.status in statuses]
        return self.rng.choice(found) if found else None

    def _make(self, campaign: CampaignId) -> PledgeMake:
        add_ons = self.rng.choice(((), (), ((1, 1),)))
        return PledgeMake(campaign, self.rng.choice(QUANTITIES), self.rng.choice((0, 0, 1)), add_ons)

    def pledge(self) -> None:
        if campaign := self._pick(OPEN):
            self.send("pledge", self._make(campaign), self.rng.choice(BACKERS))

    def pledge_late(self) -> None:
        if campaign := self._pick(FUNDED):
            self.send("pledge.late", self._make(campaign), self.rng.choice(BACKERS))

    def _own(self, campaign: CampaignId | None) -> tuple[CampaignId, int, Signer] | None:
        """A pledge and its backer."""
        pledges = self.pledges_of(campaign) if campaign else {}
        if not campaign or not pledges:
            return None
        number = self.rng.choice(sorted(pledges))
        return campaign, number, next(fan for fan in BACKERS if fan.address == pledges[number].backer)

    def change(self) -> None:
        if found := self._own(self._pick(OPEN)):
            campaign, number, fan = found
            made = self._make(campaign)
            self.send("pledge.change", PledgeChange(campaign, number, made.quantity, made.tier, made.add_ons), fan)

    def cancel(self) -> None:
        if found := self._own(self._pick(OPEN, OPEN, DONE)):
            self.send("pledge.cancel", PledgeCancel(*found[:2]), found[2], payment=self._exit())

    def _exit(self) -> Payment | None:
        return self.rng.choice((Prepaid(), None))

    def withdraw(self) -> None:
        """Mostly somebody who said no; at times somebody who did not."""
        refused = [
            (key, number)
            for key, campaign in self.campaigns.items()
            for number, pledge in self.pledges_of(key).items()
            if campaign.status == FUNDED and has_refused(campaign, pledge)
        ]
        if refused and self.rng.random() < 0.7:
            key, number = self.rng.choice(sorted(refused))
            backer = self.pledges_of(key)[number].backer
            fan = next(fan for fan in BACKERS if fan.address == backer)
            self.send("pledge.withdraw", PledgeWithdraw(key, number), fan, payment=self._exit())
        elif found := self._own(self._pick(FUNDED)):
            self.send("pledge.withdraw", PledgeWithdraw(*found[:2]), found[2], payment=self._exit())

    def submit(self) -> None:
        if campaign := self._pick(FUNDED):
            record = self.campaigns[campaign]
            creator = OWNER if record.creator == OWNER.address else FRIEND
            self.send("milestone.submit", MilestoneSubmit(campaign, record.step, some_hash(record.step)), creator)

    def vote(self) -> None:
        """Mostly where a vote is open."""
        voting = sorted(key for key, campaign in self.campaigns.items() if campaign.submitted_at)
        chosen = self.rng.choice(voting) if voting and self.rng.random() < 0.8 else self._pick(FUNDED)
        if found := self._own(chosen):
            campaign, number, fan = found
            says = self.rng.random() < 0.4
            if self.campaigns[campaign].step < len(self.terms_of(campaign).milestones):
                self.send("milestone.vote", MilestoneVote(campaign, number, says), fan)
            else:
                self.send("delivery.confirm", DeliveryConfirm(campaign, number, says), fan)

    def give_up(self) -> None:
        if campaign := self._pick(OPEN, FUNDED):
            creator = OWNER if self.campaigns[campaign].creator == OWNER.address else FRIEND
            self.send("campaign.cancel", CampaignCancel(campaign), creator)

    def let_time_pass(self) -> None:
        seconds = self.rng.choice((60, 3_600, DAY, 2 * DAY))
        self.chain.advance(seconds=seconds, blocks=self.rng.choice((1, 7)))

    def take_back(self) -> None:
        """A reorganisation: blocks go, and what comes in their place is another story."""
        self.chain.unwind(min(self.rng.randrange(1, FORK_MAX), len(self.chain.mined) - self.first))

    def check(self) -> None:
        """Sums, at every block: what was pledged is in escrow, released or returned; the buckets hold what campaigns hold."""
        escrow, points = 0, 0
        refunding = {item.subject for item in self.chain.state.table(DUE.prefix).values() if item.kind == REFUND_DUE}
        for campaign_id, found in self.campaigns.items():
            pledges = self.pledges_of(campaign_id).values()
            assert found.pledged == found.escrowed + found.released + found.returned
            assert 0 <= found.escrowed <= found.weight == sum(pledge.quantity for pledge in pledges)
            own = [pledge.quantity for pledge in pledges if pledge.backer == found.creator]
            assert found.own_weight == sum(own)
            assert found.yes + found.no <= found.basis or not found.submitted_at
            if found.status in (OPEN, FUNDED):
                assert found.taken == (sum(pledge.tier for pledge in pledges),)
            assert found.until or not found.escrowed or campaign_id in refunding, "escrow that nothing will move"
            if isinstance(found.unit, CoinUnit):
                escrow += found.escrowed
            else:
                points += found.escrowed
        assert self.chain.state.chain.escrow == escrow
        assert self.shop.books.escrowed == points
        check_books(self.shop.books)

    def look_ahead(self) -> None:
        """Let time pass alone from here, see that nothing is left in escrow, and come back."""
        here = len(self.chain.mined)
        before = self.campaigns
        left = list(before.values())
        for _ in range(200):
            left = [found for found in self.campaigns.values() if found.escrowed or found.status in (OPEN, FUNDED)]
            if not left:
                break
            following = min((found.until for found in left if found.until), default=0)
            self.chain.block(time=max(self.chain.time + 1, following))
            self.chain.mine(7)
        assert not left, "time alone did not end every campaign"
        self.check()
        assert self.chain.state.chain.escrow == self.shop.books.escrowed == 0
        for campaign_id, found in self.campaigns.items():
            assert found.pledged == found.released + found.returned
            assert found.pledged == before[campaign_id].pledged, "nobody signed anything"
            self.ended[found.status] += 1
        self._check_shares(here)
        self.chain.unwind(len(self.chain.mined) - here)

    def _check_shares(self, since: int) -> None:
        """Each refund is within one unit of its exact share."""
        quantities = {
            (pledge_key[1:33], int.from_bytes(pledge_key[33:])): stored
            for block in self.chain.mined
            for pledge_key, stored in block.transition.records.items()
            if pledge_key[:1] == PLEDGES.prefix and stored is not None
        }
        stopped = set[bytes]()
        for block in self.chain.mined[since:]:
            for _, event in block.transition.events:
                if isinstance(event, CampaignStopped | CampaignSettled):
                    stopped.add(event.campaign)
                elif isinstance(event, PledgeRefunded) and event.campaign in stopped:
                    record = self.campaigns[event.campaign]
                    quantity = quantities[event.campaign, event.number].quantity
                    exact = record.refund_total * quantity
                    assert abs(event.quantity * record.refund_weight - exact) < record.refund_weight


@pytest.mark.parametrize("seed", range(SEEDS))
def test_time_alone_brings_every_unit_to_somebody(seed: int) -> None:
    life = RandomCampaigns(random.Random(f"campaigns {seed}"))
    for number in range(STEPS):
        life.step()
        if number % LOOK_AHEAD_EVERY == 0:
            life.look_ahead()
    life.look_ahead()
    life.chain.replay()


def test_the_lives_meet_every_act_and_every_end() -> None:
    """So that the test above says something."""
    seen, ended = Counter[tuple[str, str]](), Counter[int]()
    for seed in range(12):
        life = RandomCampaigns(random.Random(f"campaigns {seed}"))
        for number in range(STEPS):
            life.step()
            if number % (5 * LOOK_AHEAD_EVERY) == 0:
                life.look_ahead()
        seen += life.seen
        ended += life.ended
        for found in life.campaigns.values():
            ended[found.status] += 1
    taken = {kind for kind, code in seen if not code}
    assert len(taken) == 10, f"taken were only {sorted(taken)}"
    assert set(ended) >= {FAILED, CANCELLED, REJECTED, OVERDUE, DONE}, ended
