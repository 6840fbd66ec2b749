"""Two campaigns in the program's points. The purchases know of none, so these are SCRIPTED, and their titles say so.

Fans with many points back both; the first one's goal lies below what they pledge, the second one's far above it. So one is
funded and the other gives every pledge back, at the same deadline and by due work alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.demo.brand import Brand, make_salt
from api.demo.households import open_household
from api.demo.journey import HouseholdId
from api.demo.paperwork import BRAND, Signed
from api.demo.plan import CampaignTimes
from api.wallet.builder import ChainFacts, build
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.terms import CampaignTerms, PointsUnit
from ledger.hashing import object_id
from ledger.transaction import Sponsored, decode_transaction
from ledger.types import CampaignId, Points, ProgramId

BACKERS_MAX: Final = 36
PLEDGE_MAX: Final = Points(200)
BALANCE_PARTS: Final = 4
"""A backer pledges at most this part of its points to each campaign, and keeps the rest for coupons."""
FAILING_EVERY: Final = 3
"""Only every third of the backers pledges to the campaign that fails."""


@dataclass(frozen=True, slots=True)
class Script:
    """A scripted campaign: its title, and its goal in hundredths of what will be pledged."""

    title: str
    goal_percent: int
    backer_stride: int


SCRIPTS: Final = (
    Script("A bakery in the shop (scripted demo)", 90, 1),
    Script("A garden on the roof (scripted demo)", 400, FAILING_EVERY),
)


def choose_backers(balances: Mapping[HouseholdId, int]) -> dict[HouseholdId, Points]:
    """The households with the most points, and what each will pledge."""
    most = sorted(balances, key=lambda household: (-balances[household], household))[:BACKERS_MAX]
    pledges = {household: Points(min(PLEDGE_MAX, balances[household] // BALANCE_PARTS)) for household in most}
    return {household: points for household, points in pledges.items() if points}


@dataclass(frozen=True, slots=True)
class ScriptedCampaigns:
    """The campaigns' transactions, signed by the brand and by the backers' wallets."""

    ids: tuple[CampaignId, ...]
    creations: tuple[Signed, ...]
    pledges: tuple[Signed, ...]


def sign_campaigns(
    facts: ChainFacts, brand: Brand, program: ProgramId, times: CampaignTimes, balances: Mapping[HouseholdId, int]
) -> ScriptedCampaigns:
    """Both campaigns and all pledges to them. `balances` are the households' points when the campaigns begin."""
    backers = choose_backers(balances)
    ids: list[CampaignId] = []
    creations: list[Signed] = []
    pledges: list[Signed] = []
    for script in SCRIPTS:
        chosen = list(backers.items())[:: script.backer_stride]
        goal = max(sum(points for _, points in chosen) * script.goal_percent // 100, 1)
        payload = CampaignTerms(script.title, PointsUnit(program), goal, times.deadline, ())
        salt = make_salt("campaign", script.title)
        raw = build(facts, "campaign.create", payload, brand.owner, valid_from=times.created, salt=salt)
        campaign = CampaignId(object_id("campaign", decode_transaction(raw, facts.chain_id).txid, 0))
        ids.append(campaign)
        creations.append(Signed(times.created, BRAND, brand.owner.address, raw))
        for household, points in chosen:
            backer = open_household(household, program)
            pledge = build(
                facts,
                "pledge",
                PledgeMake(campaign, points, 0),
                backer,
                valid_from=times.pledged,
                payment=Sponsored(program),
                salt=make_salt("pledge", script.title, household),
            )
            pledges.append(Signed(times.pledged, household, backer.address, pledge, points))
    return ScriptedCampaigns(tuple(ids), tuple(creations), tuple(pledges))
