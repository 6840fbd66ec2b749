"""A plain second model of rewards and redemptions, written from ledger/spec/rewards.md with nothing but dicts and integers.

Nothing expires in it and points never run out, so that it says what the text says of stock, limits, prices and parts alone.
"""

from copy import deepcopy
from typing import Any

DAY = 86_400
NOTICE_DAYS = 2
NOTICE = NOTICE_DAYS * DAY
HOLD_SECONDS = 12 * 3_600
REFUND_DAYS = 3
BLOCKS_MIN = 6
CHECK_SECONDS = 90 * DAY
MOST = 2**63 - 1
PARTS = ("price", "listed", "total", "span", "opens", "closes")
Row = dict[str, Any]


class Refused(Exception):
    """By the rule with this code."""


class PlainRewards:
    """What the text makes of acts that are told in order. `now`, `height` and `txid` are those of the act's block."""

    def __init__(self) -> None:
        self.rewards: dict[bytes, Row] = {}
        self.holds: dict[bytes, Row] = {}
        self.fulfilments: dict[bytes, Row] = {}
        self.counts: dict[tuple[str, bytes], Row] = {}
        self.queue: list[tuple[int, int, str, Any]] = []
        self.floors: list[tuple[int, tuple[int, int]]] = []
        self.queued = self.held = self.redeemed = 0

    def copy(self) -> "PlainRewards":
        return deepcopy(self)

    def _queue(self, due: int, kind: str, what: Any) -> None:
        self.queued += 1
        self.queue.append((due, self.queued, kind, what))

    # --- due work, at the beginning of every block ---

    def begin_block(self, now: int, height: int) -> None:
        due = sorted(item for item in self.queue if item[0] <= now)
        self.queue = [item for item in self.queue if item[0] > now]
        for _, _, kind, what in due:
            getattr(self, f"_do_{kind}")(what, now, height)

    def _do_timeout(self, hold: bytes, now: int, height: int) -> None:
        found = self.holds.get(hold)
        if found is None:
            return
        if now >= found["expires_at"] and height >= found["expires_height"]:
            self._release(hold, now)
        else:
            self._queue(now + 1, "timeout", hold)

    def _do_forget(self, fulfilment: bytes, now: int, height: int) -> None:
        found = self.fulfilments.get(fulfilment)
        if found is None:
            return
        if now >= found["keep_until"] and height >= found["keep_height"]:
            del self.fulfilments[fulfilment]
        else:
            self._queue(now + 1, "forget", fulfilment)

    def _do_count(self, key: tuple[str, bytes], now: int, height: int) -> None:
        count, reward = self.counts[key], self.at(key[1], now)
        by_total = reward["total"] > 0 and count["total"] > 0
        by_days = reward["span"][1] > 0 and count["count"] > 0 and now // DAY < count["since"] + reward["span"][1]
        if reward["listed"] and now < reward["closes"] and (by_total or by_days):
            self._queue(self._next(count, reward, now), "count", key)
        else:
            del self.counts[key]

    @staticmethod
    def _next(count: Row, reward: Row, now: int) -> int:
        if reward["total"] == 0:
            return (count["since"] + reward["span"][1]) * DAY
        return min(reward["closes"], now + CHECK_SECONDS)

    # --- floors and prices ---

    def publish_floor(self, floor: tuple[int, int], now: int) -> None:
        """New terms that differ in the floor only."""
        points, cents = self.floor_at(now)
        worse = points > 0 and (floor[0] == 0 or floor[1] * points < cents * floor[0])
        if worse:
            if any(since > now for since, _ in self.floors):
                raise Refused("program.update_pending")
            self.floors.append((now + NOTICE, floor))
        else:
            self.floors = [item for item in self.floors if item[0] <= now]
            self.floors.append((now, floor))

    def floor_at(self, time: int) -> tuple[int, int]:
        return next(floor for since, floor in reversed(self.floors) if since <= time)

    @staticmethod
    def meets(price: int, value: int, floor: tuple[int, int]) -> bool:
        points, cents = floor
        return points == 0 or price * cents <= value * points

    def price_at(self, reward: bytes, time: int) -> int:
        found, (points, cents) = self.at(reward, time), self.floor_at(time)
        greatest = MOST if points == 0 else max(1, found["value"] * points // cents)
        return min(found["price"], greatest)

    # --- rewards ---

    def at(self, reward: bytes, time: int) -> Row:
        """The reward at a time (RWD-2)."""
        found = self.rewards[reward]
        later = found["announced"]
        if later is None or later["from"] > time:
            return found
        changed = {**found, **{part: later[part] for part in PARTS}, "announced": None}
        return {**changed, "stock": min(max(found["stock"] + later["stock"], 0), 2**53)}

    def list_reward(self, reward: bytes, given: Row, now: int) -> None:
        if not self.meets(given["price"], given["value"], self.floor_at(now)):
            raise Refused("reward.below_floor")
        self.rewards[reward] = {**given, "listed": True, "announced": None}

    @staticmethod
    def worse(part: str, a: Any, b: Any, now: int) -> bool:
        """Whether b is worse than a (the table of RWD-2)."""
        if part == "price":
            return b > a
        if part == "listed":
            return a and not b
        if part == "total":
            return (b or MOST) < (a or MOST)
        if part == "span":
            return (b[0] or MOST) < (a[0] or MOST) or b[1] > a[1]
        if part == "opens":
            return max(b, now) > max(a, now)
        return max(b, now) < max(a, now)

    def update_reward(self, reward: bytes, given: Row, stock: int, now: int) -> None:
        found = deepcopy(self.at(reward, now))
        present = {**found, "price": self.price_at(reward, now)}
        late = [part for part in PARTS if self.worse(part, present[part], given[part], now)]
        begins = now + NOTICE if "price" in late else now
        if not self.meets(given["price"], found["value"], self.floor_at(begins)):
            raise Refused("reward.below_floor")
        if (late or stock < 0) and found["announced"] is not None:
            raise Refused("reward.update_pending")
        stock_before = found["stock"]
        for part in PARTS:
            if part not in late:
                found[part] = given[part]
        if stock >= 0:
            found["stock"] = min(stock_before + stock, 2**53)
        later = found["announced"]
        if late or stock < 0:
            found["announced"] = {**{part: given[part] for part in PARTS}, "from": now + NOTICE, "stock": min(stock, 0)}
        elif later is not None:
            for part in PARTS:
                better = self.worse(part, given[part], present[part], now)
                if better and self.worse(part, given[part], later[part], now):
                    later[part] = given[part]
            if stock > 0:
                later["stock"] = max(later["stock"], -stock_before)
            if later["stock"] == 0 and all(later[part] == found[part] for part in PARTS):
                found["announced"] = None
        self.rewards[reward] = found

    # --- redemptions ---

    def redeem(self, hold: bytes, fan: str, reward: bytes, units: int, accepted: int, now: int, height: int) -> None:
        found, price = deepcopy(self.at(reward, now)), self.price_at(reward, now)
        if not found["listed"]:
            raise Refused("redeem.not_listed")
        if not found["opens"] <= now < found["closes"]:
            raise Refused("redeem.outside_window")
        if price > accepted:
            raise Refused("redeem.price_above")
        if found["stock"] < units:
            raise Refused("redeem.out_of_stock")
        mark = self._count(fan, reward, found, units, now, height)
        if found["stock"] != 2**53:
            found["stock"] -= units
        self.rewards[reward] = found
        self.held += price * units
        self.holds[hold] = {
            "fan": fan,
            "reward": reward,
            "units": units,
            "price": price,
            "expires_at": now + HOLD_SECONDS,
            "expires_height": height + BLOCKS_MIN,
            "mark": mark,
        }
        self._queue(now + HOLD_SECONDS, "timeout", hold)

    def _count(self, fan: str, reward: bytes, found: Row, units: int, now: int, height: int) -> tuple[int, int] | None:
        (most, days), total = found["span"], found["total"]
        if not total and not days:
            return None
        key, today = (fan, reward), now // DAY
        count = dict(self.counts.get(key) or {"made": height, "total": 0, "since": today, "count": 0})
        if days and today >= count["since"] + days:
            count |= {"since": today, "count": 0}
        if (total and count["total"] + units > total) or (days and count["count"] + units > most):
            raise Refused("redeem.limit_reached")
        count["total"] += units
        count["count"] += units
        if key not in self.counts:
            self._queue(self._next(count, found, now), "count", key)
        self.counts[key] = count
        return count["made"], count["since"]

    def _give_count_back(self, held: Row, units: int) -> None:
        count = self.counts.get((held["fan"], held["reward"]))
        if count is not None and held["mark"] is not None and held["mark"][0] == count["made"]:
            count["total"] -= units
            if held["mark"][1] == count["since"]:
                count["count"] -= units

    def fulfil(self, fulfilment: bytes, hold: bytes, units: int, now: int, height: int) -> None:
        found = self.holds.get(hold)
        if found is None or (now >= found["expires_at"] and height >= found["expires_height"]):
            raise Refused("redeem.unknown")
        if units > found["units"]:
            raise Refused("redeem.quantity_above")
        self.held -= units * found["price"]
        self.redeemed += units * found["price"]
        kept = {"keep_until": now + REFUND_DAYS * DAY, "keep_height": height + BLOCKS_MIN}
        self.fulfilments[fulfilment] = {**found, "units": units, **kept}
        self._queue(now + REFUND_DAYS * DAY, "forget", fulfilment)
        found["units"] -= units
        if not found["units"]:
            del self.holds[hold]

    def cancel(self, hold: bytes, now: int) -> None:
        if hold not in self.holds:
            raise Refused("redeem.unknown")
        self._release(hold, now)

    def _release(self, hold: bytes, now: int) -> None:
        found = self.holds.pop(hold)
        self.held -= found["units"] * found["price"]
        reward = deepcopy(self.at(found["reward"], now))
        if reward["stock"] != 2**53:
            reward["stock"] = min(reward["stock"] + found["units"], 2**53)
            self.rewards[found["reward"]] = reward
        self._give_count_back(found, found["units"])

    def refund(self, fulfilment: bytes, units: int, now: int, height: int) -> None:
        found = self.fulfilments.get(fulfilment)
        if found is None or (now >= found["keep_until"] and height >= found["keep_height"]):
            raise Refused("redeem.not_refundable")
        if units > found["units"]:
            raise Refused("redeem.quantity_above")
        self.redeemed -= units * found["price"]
        self._give_count_back(found, units)
        found["units"] -= units
        if not found["units"]:
            del self.fulfilments[fulfilment]
