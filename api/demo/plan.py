"""When each block of the replay is mined and what belongs into which: known before the first one, since the params need it.

    genesis, setup, setup | an hour each, from the first basket's hour on | the last blocks, a few seconds apart | dev rules

A block's transactions are judged by the clock of the block before it (spec BLK-3). So what must happen at or after a moment goes
into the block after the first one whose time has reached it, and a household joins in the last block before its first basket.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ledger.types import Height, Timestamp

HOUR_SECONDS: Final = 3_600
FIRST_HEIGHT: Final = Height(1)
SECOND_HEIGHT: Final = Height(2)
SETUP_BLOCKS: Final = 2
"""The program is created in the first, filled and furnished in the second."""

LAST_BLOCKS: Final = 12
LAST_GAP_SECONDS: Final = 5
LAST_SECONDS: Final = LAST_BLOCKS * LAST_GAP_SECONDS
"""Room after the last basket in which everything left over is settled, however short before `as_of` it was."""

CAMPAIGN_SECONDS_MAX: Final = 14 * 86_400
CAMPAIGN_SECONDS_MIN: Final = 9 * HOUR_SECONDS
"""A campaign stays open for at least six blocks by law; with less room than this there are none."""
WEEKS_BEFORE_CAMPAIGNS: Final = 4
"""In a long replay the campaigns begin when fans have points worth pledging."""
WEEKS_UNTIL_USABLE: Final = 2
"""Points of the first week can be spent once the second is over: the return window is a week."""


@dataclass(frozen=True, slots=True)
class CampaignTimes:
    """When the campaigns are created, when fans pledge, and their deadline."""

    created: Height
    pledged: Height
    deadline: Timestamp


@dataclass(frozen=True, slots=True)
class Plan:
    """Block times by height, strictly rising; index 0 is genesis. The first of the closing blocks is `closing`."""

    times: tuple[Timestamp, ...]
    closing: Height

    @property
    def last(self) -> Height:
        """The last block under sim rules."""
        return Height(len(self.times) - 1)

    @property
    def switch_height(self) -> Height:
        """The first block under dev rules."""
        return Height(len(self.times))

    def height_before(self, time: Timestamp) -> Height:
        """The last block that is there at `time`, not earlier than the first after the setup."""
        return Height(max(bisect_right(self.times, time) - 1, SETUP_BLOCKS + 1))

    def height_of_act(self, time: Timestamp) -> Height:
        """The block for what somebody does at `time`: the first at or after it; the second closing block if it is late."""
        found = bisect_left(self.times, time)
        return Height(min(max(found, SETUP_BLOCKS + 1), self.closing + 1))

    def height_once(self, time: Timestamp) -> Height:
        """The first block whose transactions see a clock at or after `time`, or the first closing block."""
        return Height(min(bisect_left(self.times, time) + 1, self.closing))

    def plan_campaigns(self, settled: list[Height]) -> CampaignTimes | None:
        """Campaigns after an early settlement, over in time before the hourly blocks end; None where there is no room."""
        if len(settled) < WEEKS_UNTIL_USABLE:
            return None
        weeks = min(WEEKS_BEFORE_CAMPAIGNS, (len(settled) + 1) // 2)
        first = settled[max(weeks, WEEKS_UNTIL_USABLE) - 1]
        created = Height(first + 1)
        if created + 1 >= self.closing:
            return None
        room = self.times[self.closing - 1] - self.times[created]
        seconds = min(CAMPAIGN_SECONDS_MAX, room * 3 // 4) // HOUR_SECONDS * HOUR_SECONDS
        if seconds < CAMPAIGN_SECONDS_MIN:
            return None
        return CampaignTimes(created, Height(created + 1), Timestamp(self.times[created] + seconds))


def make_plan(first_basket: Timestamp, as_of: Timestamp) -> Plan:
    """Hourly blocks from the hour of the first basket on; the last blocks end at `as_of`."""
    start = first_basket // HOUR_SECONDS * HOUR_SECONDS
    before = [start - HOUR_SECONDS * left for left in range(SETUP_BLOCKS + 1, 0, -1)]
    hours = list(range(start, as_of - LAST_SECONDS + 1, HOUR_SECONDS))
    closing = [as_of - LAST_GAP_SECONDS * left for left in range(LAST_BLOCKS - 1, -1, -1)]
    times = tuple(Timestamp(time) for time in (*before, *hours, *closing))
    assert all(earlier < later for earlier, later in pairwise(times)), "block times rise"
    return Plan(times, Height(len(before) + len(hours)))
