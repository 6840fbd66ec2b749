"""The shop's promotions of the year: 27 campaigns, which households got each of them, and the coupons that came with it.

Two more Parquet files of the same data: `campaign_descriptions.parquet` (type, first and last local day) and `campaigns.parquet`
(which household got which). In the demo each becomes a reward, its coupon, which those may redeem who did so in the data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, NewType

from api.demo.journey import (
    DAY_SECONDS,
    EPOCH,
    FILE_DAMAGED,
    PROGRAM_OFFSET_MINUTES,
    REDEMPTIONS_FILE,
    WINDOW_END,
    HouseholdId,
    Journey,
    JourneyError,
    find_data_folder,
    read_table,
)
from ledger.types import Points, Timestamp

PromotionId = NewType("PromotionId", int)

DESCRIPTIONS_FILE: Final = "campaign_descriptions.parquet"
RECIPIENTS_FILE: Final = "campaigns.parquet"

PRICES: Final = {"Type A": Points(100), "Type B": Points(150), "Type C": Points(200)}
"""What a coupon costs by the type of its campaign. Scripted: in the data coupons cost nothing."""
TIER_TYPE: Final = "Type C"
"""Coupons of these campaigns are for fans with a tier. Scripted, too."""
RECIPIENTS_PER_COUPON: Final = 2
"""There is one coupon for so many households that got the campaign; the data has no such number."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A campaign of the shop, moved in time as the baskets are: open from `opens_at` until before `closes_at`."""

    promotion_id: PromotionId
    kind: str
    opens_at: Timestamp
    closes_at: Timestamp
    recipients: frozenset[HouseholdId]

    @property
    def title(self) -> str:
        """How its reward is called."""
        return f"Coupon of campaign {self.promotion_id}, {self.kind} (demo)"

    @property
    def price(self) -> Points:
        """Of one coupon."""
        return PRICES[self.kind]

    @property
    def stock(self) -> int:
        """Coupons that there are."""
        return max(len(self.recipients) // RECIPIENTS_PER_COUPON, 1)

    @property
    def tier_min(self) -> int:
        """The least tier that may have one."""
        return 1 if self.kind == TIER_TYPE else 0


def load_promotions(journey: Journey, data_dir: Path | None = None) -> tuple[Promotion, ...]:
    """The campaigns that overlap the journey's window, by number.

    Raises JourneyError journey.data_missing, journey.file_missing, journey.file_damaged.
    """
    folder = find_data_folder(data_dir)
    path = folder / DESCRIPTIONS_FILE
    kinds = {
        "campaign_id": "int64",
        "campaign_type": "string",
        "start_date": "timestamp[s]",
        "end_date": "timestamp[s]",
    }
    table = read_table(path, kinds)
    days = [[second // DAY_SECONDS for second in table[name].cast("int64").to_pylist()] for name in list(kinds)[2:]]
    recipients = _read_recipients(folder / RECIPIENTS_FILE)
    after = (WINDOW_END - EPOCH).days
    first = (WINDOW_END - timedelta(days=7 * journey.weeks) - EPOCH).days
    found: dict[PromotionId, Promotion] = {}
    for number, kind, start, end in zip(
        table["campaign_id"].to_pylist(), table["campaign_type"].to_pylist(), *days, strict=True
    ):
        if kind not in PRICES or end < start or number in found:
            raise JourneyError(FILE_DAMAGED, path=str(path), reason=f"campaign {number} is not what it must be")
        if end < first or start >= after:
            continue
        found[PromotionId(number)] = Promotion(
            promotion_id=PromotionId(number),
            kind=kind,
            opens_at=_begin_day(start, journey.shift_seconds),
            closes_at=_begin_day(end + 1, journey.shift_seconds),
            recipients=frozenset(recipients.get(number, ())),
        )
    _check_redemptions(journey, found, folder / REDEMPTIONS_FILE)
    return tuple(found[number] for number in sorted(found))


def _read_recipients(path: Path) -> dict[int, set[HouseholdId]]:
    table = read_table(path, {"campaign_id": "int64", "household_id": "int64"})
    recipients: dict[int, set[HouseholdId]] = {}
    for number, household in zip(table["campaign_id"].to_pylist(), table["household_id"].to_pylist(), strict=True):
        recipients.setdefault(number, set()).add(HouseholdId(household))
    return recipients


def _begin_day(day: int, shift_seconds: int) -> Timestamp:
    """The first second of a local day of the data by the program's fixed offset, moved as the baskets are."""
    return Timestamp(day * DAY_SECONDS - PROGRAM_OFFSET_MINUTES * 60 + shift_seconds)


def _check_redemptions(journey: Journey, known: Iterable[PromotionId], path: Path) -> None:
    """Each redemption of the window is of a campaign that touches the window."""
    unknown = {redemption.campaign_id for redemption in journey.redemptions}.difference(known)
    if unknown:
        reason = f"campaign {min(unknown)} of a redemption is not described for its day"
        raise JourneyError(FILE_DAMAGED, path=str(path), reason=reason)
