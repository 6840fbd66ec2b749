"""From the API's answers and the driver's counts to the summary of a replay."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.demo.app_fans import ShownFans
from api.demo.brand import Setup
from api.demo.consents import refuses_consent
from api.demo.journey import HouseholdId
from api.demo.paperwork import Overview
from api.demo.plan import CampaignTimes, Plan
from api.demo.receipts_file import RECEIPTS_FILE
from api.demo.results import Results
from api.demo.standing import TIER_NAMES
from api.demo.summary import (
    CampaignMoments,
    CampaignResult,
    ConsentGroup,
    CouponResult,
    OffersResult,
    ReplaySummary,
    ReturnsResult,
    SpentResult,
)
from api.demo.tally import Tally, Traffic
from ledger.types import Timestamp

STORE_FILE: Final = "chain.sqlite"
CAMPAIGN_FIELDS: Final = ("id", "title", "status", "goal", "pledged", "pledges", "returned")


@dataclass(frozen=True, slots=True)
class Run:
    """How and where a replay ran."""

    as_of: Timestamp
    folder: Path
    plan: Plan
    campaign_times: CampaignTimes | None
    seconds: float
    phases: Mapping[str, float]
    traffic: Traffic
    handed_over: int
    shown_fans: ShownFans


def summarise(run: Run, overview: Overview, setup: Setup, tally: Tally, results: Results) -> ReplaySummary:
    """Everything that a replay reports."""
    books, chain = results.books, results.chain
    tiers = {household: results.tier_of(household) for household in results.entries}
    standing = Counter(tiers.values())
    return ReplaySummary(
        weeks=overview.weeks,
        as_of=run.as_of,
        shift_seconds=overview.shift_seconds,
        households=_by_name(results.households),
        household_entries={
            str(household): " ".join(f"{period}:{points}" for period, points in found)
            for household, found in results.entries.items()
        },
        household_tiers=_by_name(tiers),
        household_available=_by_name({household: item["available"] for household, item in results.members.items()}),
        household_coupons=_by_name(tally.coupons_of),
        household_returned=_by_name(tally.reversed_of),
        household_bonuses=_by_name({household: sum(found) for household, found in results.bonuses.items()}),
        fans=books["members"],
        baskets=overview.baskets,
        lines=overview.lines,
        points_issued=books["issued"],
        pending=books["pending"],
        available=books["available"],
        held=books["held"],
        redeemed=books["redeemed"],
        expired=books["expired"],
        reversed=books["reversed"],
        escrow=books["escrowed"],
        tiers={name: standing[number] for number, name in enumerate(TIER_NAMES)},
        tiers_risen=tally.tiers_risen,
        tiers_fallen=tally.tiers_fallen,
        coupons=_list_coupons(overview, setup, tally, results),
        coupons_redeemed=tally.coupons.total(),
        coupons_refused=dict(tally.coupons_refused),
        returns=_sum_returns(tally, results),
        offers=_sum_offers(tally, results),
        consents_granted=tally.consents,
        consenting=_sum_group(overview, tally, results, refuses=False),
        refusing=_sum_group(overview, tally, results, refuses=True),
        pledges_refused=tally.pledges_refused,
        campaigns=tuple(
            CampaignResult(**{name: answer[name] for name in CAMPAIGN_FIELDS}, backers=_by_name(pledged))
            for answer, pledged in zip(results.campaigns, results.pledges, strict=True)
        ),
        campaign_moments=_find_moments(run),
        blocks=chain["height"] + 1,
        transactions=run.traffic.transactions,
        entries=run.traffic.entries,
        bytes=sum(path.stat().st_size for path in run.folder.glob(f"{STORE_FILE}*")),
        transaction_bytes=run.traffic.bytes,
        handed_over=run.handed_over,
        shown_fans=run.shown_fans,
        receipts_bytes=(run.folder / RECEIPTS_FILE).stat().st_size,
        seconds=round(run.seconds, 1),
        phases={name: round(spent, 1) for name, spent in run.phases.items()},
        folder=str(run.folder),
        program=setup.program.hex(),
        chain_name=chain["name"],
        chain_id=chain["chain_id"],
        tip=chain["tip"],
        root=results.root,
        height=chain["height"],
        switch_height=run.plan.switch_height,
    )


def _by_name(found: Mapping[HouseholdId, int]) -> dict[str, int]:
    """By the household's number as text, ascending: as JSON has it."""
    return {str(household): found[household] for household in sorted(found)}


def _find_moments(run: Run) -> CampaignMoments | None:
    """What the campaigns' blocks saw as the chain's time: that of the block before (spec BLK-3)."""
    times = run.campaign_times
    if times is None:
        return None
    return CampaignMoments(run.plan.times[times.created - 1], run.plan.times[times.pledged - 1], times.deadline)


def _list_coupons(overview: Overview, setup: Setup, tally: Tally, results: Results) -> tuple[CouponResult, ...]:
    shown = {answer["id"]: answer for answer in results.rewards}
    return tuple(
        CouponResult(
            campaign=promotion.promotion_id,
            title=promotion.title,
            price=promotion.price,
            tier_min=promotion.tier_min,
            stock=promotion.stock,
            stock_left=shown[setup.rewards[promotion.promotion_id].hex()]["stock"],
            redeemed=tally.coupons[promotion.promotion_id],
        )
        for promotion in overview.promotions
    )


def _sum_returns(tally: Tally, results: Results) -> ReturnsResult:
    returned = tally.returned
    return ReturnsResult(
        lines=returned.lines,
        returns=returned.returns,
        without_points=returned.without_points,
        points_signed=returned.points_signed,
        points_taken=tally.reversed_of.total(),
        beyond_entries=returned.points_beyond_entries,
        reversals=tally.reversals,
        reversed_ppm=results.books["reversed_ppm"],
    )


def _sum_offers(tally: Tally, results: Results) -> OffersResult:
    bonuses = results.bonuses.values()
    return OffersResult(
        issued=results.offers_issued,
        cited=sum(len(found) for found in bonuses),
        points=sum(sum(found) for found in bonuses),
        reversed=tally.returned.bonuses,
        points_reversed=tally.bonuses_reversed,
    )


def _sum_group(overview: Overview, tally: Tally, results: Results, *, refuses: bool) -> ConsentGroup:
    """The households that refuse every consent, or those that don't."""
    group = [household for household in results.entries if refuses_consent(household) == refuses]
    points = results.households
    return ConsentGroup(
        fans=len(group),
        cents=sum(overview.cents[household] for household in group),
        points=sum(points[household] for household in group),
        by_tier={
            TIER_NAMES[tier]: SpentResult(spent.receipts, spent.cents, spent.points)
            for (is_refused, tier), spent in sorted(tally.spent.items())
            if is_refused == refuses
        },
    )
