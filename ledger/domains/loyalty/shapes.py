"""Shapes that records, payloads and events of the loyalty domain share; `state` passes them on."""

from ledger.params import EARN_ENTRIES_MAX
from ledger.schema import Integer, ListOf, Octets, Row, Text
from ledger.types import INTEGER_MAX, Amount, Day, Points, Timestamp

TIME_END = 2**40
TIME = Integer(0, TIME_END)
DAY_MAX = 2**31 - 1
DAY = Integer(0, DAY_MAX)

PAYER = Octets(0, 33)
"""`A` + address or `P` + program: who gets the deposit back; empty if nothing is locked (spec FEE-5)."""

COIN = Integer(0, INTEGER_MAX)
POINTS = Integer(0, INTEGER_MAX)
NO_POINTS = Points(0)
NO_COIN = Amount(0)
DAY_ZERO = Day(0)
NOT_ANNOUNCED = Timestamp(0)

Lot = tuple[int, int, int, int]
"""(terms version, activation day, expiry day, points): usable from the first day on, until before the second (spec LOY-8)."""

LOT_POINTS = Integer(1, INTEGER_MAX)
LOT = Row(Integer(1, 2**31 - 1), DAY, DAY, LOT_POINTS)
POINTS_OF_ENTRIES = ListOf(Row(Integer(0, EARN_ENTRIES_MAX - 1), LOT_POINTS), 0, EARN_ENTRIES_MAX)
"""What was taken back of a batch's entries: (index, points), by index (spec LOY-19)."""

Span = tuple[int, int, int, int]
"""(from, until, scopes, daily cap): one grant of an issuer, both seconds included (spec LOY-4)."""

TIER = Row(Text(1, 32), Integer(1, INTEGER_MAX))

EarnedItem = tuple[int, int, int, int]
"""(first day, until day, since, points): known since then to be earned in the tier period of that first day (spec TIER-1)."""

EARNED_ITEM = Row(DAY, DAY, TIME, Integer(1, INTEGER_MAX))
PERIOD_CREDIT = Row(TIME, Integer(1, INTEGER_MAX))
