"""What a demo replay must come to, computed a second time: tiers, returns, coupons, every fan's points.

Used by check_replay.py, and like it written with the standard library alone, from what the program promises and not from its code.
It takes the purchases from the data. Of the replay it takes as given only what is random or public there: each fan's entries (which
hide a remainder of up to 500 points), who pledged how much, and the moments of the campaigns.

The promises. Ten cents are a point, rounded down for each basket, then times 5/4 with silver and 3/2 with gold, rounded down again.
A tier is by the points of entries in a quarter of 13 weeks, 3,000 or 8,000, from the entry that reaches it on until the end of the
next quarter and 14 days more; what goes back is taken off. An entry settles a week; its points can be spent seven days after
that, for half a year, the first to expire first."""
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
