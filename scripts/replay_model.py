"""What a demo replay must come to, computed a second time: tiers, returns, coupons, every fan's points.

Used by check_replay.py, and like it written with the standard library alone, from what the program promises and not from its code.
It takes the purchases from the data. Of the replay it takes as given only what is random or public there: each fan's entries (which
hide a remainder of up to 500 points), who pledged how much, and the moments of the campaigns.

The promises. Ten cents are a point, rounded down for each basket, then times 5/4 with silver and 3/2 with gold, rounded down again.
A tier is by the points of entries in a quarter of 13 weeks, 3,000 or 8,000, from the entry that reaches it on until the end of the
next quarter and 14 days more; what goes back is taken off.
An entry settles a week; its points can be spent seven days after that, for half a year, the first to
expire first. A coupon is to be had while its campaign runs, 8 for each fan and 4 in seven days, as long as there are some. Who got
a campaign and lets the program personalise gets an offer on the next Monday: points for one basket of 20 dollars.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256

DAY = 86_400
HOUR = 3_600
OFFSET_SECONDS = -300 * 60
MONDAY = 4
WEEK_DAYS = 7
CENTS_PER_POINT = 10
TIERS = ((3_000, 5, 4), (8_000, 3, 2))
TIER_NAMES = ("none", "silver", "gold")
QUARTER_DAYS = 91
TIER_GRACE_DAYS = 14
PENDING_DAYS = 7
LIFE_DAYS = 182
REFUND_GRACE_DAYS = 14
REMAINDER_MAX = 500
COUPONS_IN_ALL, COUPONS_IN_SPAN, SPAN_DAYS = 8, 4, 7
PRICES = {"Type A": 100, "Type B": 150, "Type C": 200}
BONUSES = {"Type A": 150, "Type B": 100, "Type C": 200}
OFFER_CENTS_MIN = 2_000
CLOSING_BLOCKS, CLOSING_GAP = 12, 5
FIRST_HEIGHT = 3


@dataclass(slots=True)
class Basket:
    """A purchase, moved in time: its lines in cents in the order of the file."""

    number: int
    household: int
    time: int
    lines: list[int]


@dataclass(frozen=True, slots=True)
class Wish:
    """A redemption of the data: `noon` is that of its day, moved in time."""

    noon: int
    household: int
    coupon: int
    campaign: int


@dataclass(frozen=True, slots=True)
class Coupon:
    """The reward of a campaign of the shop; its window, moved in time."""

    kind: str
    opens: int
    closes: int
    stock: int
    recipients: frozenset[int]


@dataclass(frozen=True, slots=True)
class Given:
    """What the model takes from the replay: its end, entries by household as (week, points), and who pledged what when."""

    as_of: int
    entries: dict[int, list[tuple[int, int]]]
    pledges: list[tuple[bool, dict[int, int]]]
    pledged_at: int
    deadline: int


@dataclass(slots=True)
class Lot:
    """Points with the days between which they can be spent."""

    expires: int
    begins: int
    points: int


@dataclass(slots=True)
class Figures:
    """What a replay must report; by household where it says so."""

    points: Counter[int] = field(default_factory=Counter[int])
    tiers: dict[int, int] = field(default_factory=dict[int, int])
    available: dict[int, int] = field(default_factory=dict[int, int])
    coupons: Counter[int] = field(default_factory=Counter[int])
    returned: Counter[int] = field(default_factory=Counter[int])
    coupons_of: Counter[int] = field(default_factory=Counter[int])
    refused: Counter[str] = field(default_factory=Counter[str])
    returns: Counter[str] = field(default_factory=Counter[str])
    offers: Counter[str] = field(default_factory=Counter[str])
    bonuses: Counter[int] = field(default_factory=Counter[int])
    books: Counter[str] = field(default_factory=Counter[str])
    groups: defaultdict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], Counter[str]](Counter)
    )
    faults: list[str] = field(default_factory=list[str])


def day_of(time: int) -> int:
    """The program's day."""
    return (time + OFFSET_SECONDS) // DAY


def week_of(time: int) -> int:
    """The number of the week of settlement."""
    return (day_of(time) - MONDAY) // WEEK_DAYS


def end_of(week: int) -> int:
    """The first second after a week."""
    return ((week + 1) * WEEK_DAYS + MONDAY) * DAY - OFFSET_SECONDS


def draw(tag: str, *numbers: int) -> int:
    """The demo's dice: known to everybody."""
    return int.from_bytes(sha256(f"fansumer demo {tag} {'/'.join(map(str, numbers))}".encode()).digest()[:8], "big")


def refuses(household: int) -> bool:
    """Whether a household refuses every consent."""
    return draw("consent 11", household) % 10 == 0


def rate(cents: int, tier: int) -> int:
    """Points of a basket."""
    points = cents // CENTS_PER_POINT
    if tier:
        _, times, parts = TIERS[tier - 1]
        points = points * times // parts
    return points


class Model:
    """The second computation over the purchases of the replay's window, at least one."""

    def __init__(self, baskets: list[Basket], wishes: list[Wish], coupons: dict[int, Coupon], given: Given) -> None:
        self.given = given
        self.baskets = sorted(baskets, key=lambda basket: (basket.time, basket.number))
        self.wishes, self.coupons = wishes, coupons
        self.figures = Figures()
        self.weeks = sorted({week_of(basket.time) for basket in baskets})
        start = self.baskets[0].time // HOUR * HOUR
        hours = range(start - 3 * HOUR, given.as_of - CLOSING_BLOCKS * CLOSING_GAP + 1, HOUR)
        last = [given.as_of - CLOSING_GAP * left for left in range(CLOSING_BLOCKS - 1, -1, -1)]
        self.times, self.closing = [*hours, *last], len(hours)
        self.lots: defaultdict[int, dict[int, Lot]] = defaultdict(dict)
        self.more: defaultdict[int, list[Lot]] = defaultdict(list)
        self.bonus_lots: dict[int, Lot] = {}
        self.joined: dict[int, int] = {}
        self.known_at: dict[int, int] = {}
        self.taken_back: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self.tier_cache: dict[tuple[int, int], int] = {}
        for basket in self.baskets:
            height = max(bisect_right(self.times, basket.time) - 1, FIRST_HEIGHT)
            self.joined.setdefault(basket.household, height)

    def run(self) -> Figures:
        """Everything."""
        self.count_points()
        self.settle()
        self.make_offers()
        self.take_returns()
        self.live()
        self.close()
        return self.figures

    # --- weeks ---

    def settled(self, week: int) -> int:
        """The height of the block that settles a week: its clock, that of the block before, has reached the week's end."""
        return min(bisect_left(self.times, end_of(week)) + 1, self.closing)

    def known(self, week: int) -> int:
        """The chain's time at which the entries of a week were known."""
        if week not in self.known_at:
            self.known_at[week] = self.times[self.settled(week) - 1]
        return self.known_at[week]

    def tier(self, household: int, time: int, *, after_returns: bool = False) -> int:
        """The tier by the entries that were known; on the chain what went back does not count, the shop's tills leave that be."""
        quarters: Counter[int] = Counter()
        back = self.taken_back[household] if after_returns else ()
        for week, points in (*self.given.entries.get(household, ()), *((week, -taken) for week, taken, _ in back)):
            if self.known(week) <= time:
                quarters[quarter_of(week)] += points
        for week, taken, post in back:
            if self.known(week) <= time < self.known(post):
                quarters[quarter_of(week)] += taken
        until = {quarter: (quarter + 2) * QUARTER_DAYS + MONDAY + TIER_GRACE_DAYS for quarter in quarters}
        most = max((points for quarter, points in quarters.items() if day_of(time) < until[quarter]), default=0)
        return sum(1 for threshold, _, _ in TIERS if threshold <= most)

    def tier_at_till(self, basket: Basket) -> int:
        """The same for a basket; within a day of a week it does not change."""
        key = basket.household, day_of(basket.time)
        if key not in self.tier_cache:
            self.tier_cache[key] = self.tier(basket.household, basket.time)
        return self.tier_cache[key]

    # --- points ---

    def count_points(self, *, with_entries: bool = True) -> None:
        """Points of every basket; and each fan's entries give just these, but for a remainder that is carried on and ends at 0."""
        owed: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for basket in self.baskets:
            tier, cents = self.tier_at_till(basket), sum(basket.lines)
            points = rate(cents, tier)
            self.figures.points[basket.household] += points
            owed[basket.household][week_of(basket.time)] += points
            group = self.figures.groups["refusing" if refuses(basket.household) else "consenting", TIER_NAMES[tier]]
            group.update(receipts=1, cents=cents, points=points)
        for household in sorted(owed.keys() | self.given.entries.keys()) if with_entries else ():
            self.check_entries(household, owed[household])

    def check_entries(self, household: int, owed: Counter[int]) -> None:
        """Entries and receipts of one fan."""
        entries = dict(self.given.entries.get(household, ()))
        carried = 0
        for week in sorted(owed.keys() | entries.keys()):
            carried += owed[week] - entries.get(week, 0)
            if (owed[week] and week not in entries) or not 0 <= carried <= REMAINDER_MAX:
                self.figures.faults.append(f"household {household}: week {week} carries {carried} points on")
                return
        if carried:
            self.figures.faults.append(f"household {household}: {carried} points were never settled")

    def settle(self) -> None:
        """Entries become lots."""
        for household, entries in self.given.entries.items():
            for week, points in entries:
                base = max(day_of(end_of(week)), day_of(self.known(week)))
                self.lots[household][week] = Lot(base + LIFE_DAYS, base + PENDING_DAYS, points)
                self.figures.books["issued"] += points

    # --- offers ---

    def make_offers(self) -> None:
        """Every Monday the offers of open campaigns; each is used up by the first basket that is large enough."""
        waiting: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        mailed: set[tuple[int, int]] = set()
        by_week: defaultdict[int, list[Basket]] = defaultdict(list)
        for basket in self.baskets:
            by_week[week_of(basket.time)].append(basket)
        members: set[int] = set()
        for week in self.weeks:
            for basket in by_week[week]:
                members.add(basket.household)
                self.cite(basket, waiting[basket.household])
            if week == self.weeks[-1]:
                break
            for number, campaign in self.coupons.items():
                if not campaign.opens <= self.known(week) < campaign.closes:
                    continue
                for household in campaign.recipients & members:
                    if (household, number) not in mailed and not refuses(household):
                        mailed.add((household, number))
                        waiting[household].append((campaign.closes, number))
        self.figures.offers["issued"] = len(mailed)

    def cite(self, basket: Basket, waiting: list[tuple[int, int]]) -> None:
        """A basket at the till."""
        living = [offer for offer in sorted(waiting) if basket.time < offer[0]]
        if not living or sum(basket.lines) < OFFER_CENTS_MIN:
            return
        waiting.remove(living[0])
        bonus, week = BONUSES[self.coupons[living[0][1]].kind], week_of(basket.time)
        base = max(day_of(end_of(week)), day_of(self.known(week)))
        lot = Lot(base + LIFE_DAYS, base + PENDING_DAYS, bonus)
        self.bonus_lots[basket.number] = lot
        self.more[basket.household].append(lot)
        self.figures.offers.update(cited=1, points=bonus)
        self.figures.bonuses[basket.household] += bonus
        self.figures.books["issued"] += bonus

    def return_bonus(self, basket: Basket, kept_cents: int) -> None:
        """What is kept of a basket is too small for the offer that it cited."""
        lot = self.bonus_lots.get(basket.number)
        if lot is not None and kept_cents < OFFER_CENTS_MIN:
            self.figures.offers.update(reversed=1, points_reversed=lot.points)
            self.figures.books["reversed"] += lot.points
            lot.points = 0

    # --- returns ---

    def take_returns(self) -> None:
        """One line in a hundred goes back, and takes what it earned of its week's entry, then of the next week's."""
        posted: list[tuple[int, int, Basket, int, int]] = []
        for place, basket in enumerate(self.baskets):
            back = [
                line for number, line in enumerate(basket.lines) if draw("return", basket.number, number) % 100 == 0
            ]
            if not back:
                continue
            tier, cents = self.tier_at_till(basket), sum(basket.lines)
            points = rate(cents, tier) - rate(cents - sum(back), tier)
            self.figures.returns.update(lines=len(back), returns=1, without_points=not points, points_signed=points)
            self.return_bonus(basket, cents - sum(back))
            came = week_of(basket.time + (1 + draw("return day", basket.number) % 7) * DAY)
            post = next((week for week in self.weeks if week >= came), self.weeks[-1])
            posted.append((post, place, basket, came, points))
        for post, _, basket, came, signed in sorted(posted, key=lambda one: one[:2]):
            points = signed
            lots, week = self.lots[basket.household], week_of(basket.time)
            entries = sorted(found for found in lots if week <= found <= min(came, post))
            for found in entries[:2]:
                taken = min(lots[found].points, points)
                lots[found].points -= taken
                points -= taken
                self.taken_back[basket.household].append((found, taken, post))
                self.figures.returned[basket.household] += taken
                self.figures.returns["points_taken"] += taken
                self.figures.returns["reversals"] += taken > 0
            self.figures.returns["beyond_entries"] += points
        self.figures.books["reversed"] += self.figures.returns["points_taken"]

    # --- spending ---

    def live(self) -> None:
        """Coupons and pledges in the order of blocks. Points go back before they can be spent, so returns are done by then."""
        acts: list[tuple[int, int, Wish | None]] = []
        for place, wish in enumerate(sorted(self.wishes, key=lambda wish: (wish.noon, wish.household, wish.coupon))):
            height = min(max(bisect_left(self.times, wish.noon), FIRST_HEIGHT), self.closing + 1)
            acts.append((height, place, wish))
        if self.given.pledges:
            acts.append((bisect_left(self.times, self.given.pledged_at) + 1, -1, None))
            acts.append((bisect_left(self.times, self.given.deadline) + 1, -2, None))
        taken: list[tuple[int, Lot]] = []
        had: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for height, place, wish in sorted(acts, key=lambda act: act[:2]):
            clock = self.times[height - 1]
            if wish is not None:
                self.redeem(wish, height, clock, had)
            elif place == -1:
                taken = self.pledge(clock)
            else:
                self.give_back(taken, day_of(clock))

    def usable(self, household: int, today: int) -> list[Lot]:
        """Lots that can be spent, the first to expire first."""
        lots = [*self.lots[household].values(), *self.more[household]]
        found = [lot for lot in lots if lot.begins <= today < lot.expires and lot.points]
        return sorted(found, key=lambda lot: (lot.expires, lot.begins))

    def spend(self, household: int, points: int, today: int) -> list[Lot] | None:
        """Take points, or nothing where there are fewer; returns what was taken."""
        lots = self.usable(household, today)
        if sum(lot.points for lot in lots) < points:
            return None
        taken: list[Lot] = []
        for lot in lots:
            part = min(lot.points, points)
            lot.points -= part
            points -= part
            if part:
                taken.append(Lot(lot.expires, lot.begins, part))
        return taken

    def redeem(self, wish: Wish, height: int, clock: int, had: defaultdict[tuple[int, int], list[int]]) -> None:
        """A fan asks for a coupon."""
        today, coupon = day_of(clock), self.coupons[wish.campaign]
        before = had[wish.household, wish.campaign]
        code = ""
        if self.joined.get(wish.household, height + 1) > height:
            code = "fee.not_sponsored"
        elif not coupon.opens <= clock < coupon.closes:
            code = "redeem.outside_window"
        elif coupon.kind == "Type C" and not self.tier(wish.household, clock, after_returns=True):
            code = "redeem.tier_too_low"
        elif self.figures.coupons[wish.campaign] >= coupon.stock:
            code = "redeem.out_of_stock"
        elif len(before) >= COUPONS_IN_ALL or count_in_span(before, today) >= COUPONS_IN_SPAN:
            code = "redeem.limit_reached"
        elif self.spend(wish.household, PRICES[coupon.kind], today) is None:
            code = "points.insufficient"
        if code:
            self.figures.refused[code] += 1
            return
        before.append(today)
        self.figures.coupons[wish.campaign] += 1
        self.figures.coupons_of[wish.household] += 1
        self.figures.books["redeemed"] += PRICES[coupon.kind]

    def pledge(self, clock: int) -> list[tuple[int, Lot]]:
        """What the fans of the replay pledged; returns what will come back."""
        back: list[tuple[int, Lot]] = []
        for is_funded, backers in self.given.pledges:
            for household, points in backers.items():
                taken = self.spend(household, points, day_of(clock))
                if taken is None:
                    self.figures.faults.append(f"household {household} pledged {points} points and had fewer")
                elif is_funded:
                    self.figures.books["redeemed"] += points
                else:
                    back.extend((household, lot) for lot in taken)
        return back

    def give_back(self, taken: list[tuple[int, Lot]], today: int) -> None:
        """Points of a failed campaign can be spent for two more weeks at least."""
        for household, lot in taken:
            is_late = lot.expires < today + REFUND_GRACE_DAYS
            self.more[household].append(Lot(today + REFUND_GRACE_DAYS, 0, lot.points) if is_late else lot)

    # --- end ---

    def close(self) -> None:
        """Where everybody stands at the end."""
        today, booked = day_of(self.given.as_of), day_of(self.times[-2])
        for household in self.joined:
            self.figures.tiers[household] = self.tier(household, self.given.as_of, after_returns=True)
            self.figures.available[household] = sum(lot.points for lot in self.usable(household, today))
            for lot in (*self.lots[household].values(), *self.more[household]):
                name = "expired" if lot.expires <= booked else "available" if lot.begins <= booked else "pending"
                self.figures.books[name] += lot.points


def quarter_of(week: int) -> int:
    """For which quarter the points of a week's entry count."""
    return (day_of(end_of(week)) - MONDAY) // QUARTER_DAYS


def count_in_span(days: list[int], today: int) -> int:
    """Coupons in the span of seven days that holds today: a span begins with the first coupon after the one before ended."""
    begin, count = None, 0
    for day in days:
        if begin is None or day >= begin + SPAN_DAYS:
            begin, count = day, 0
        count += 1
    return count if begin is not None and today < begin + SPAN_DAYS else 0
