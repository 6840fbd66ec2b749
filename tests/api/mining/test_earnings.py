"""What mining brought, as a node's account tells it: read from a stand-in."""

from api.mining.earnings import EarningsWatch, fans_of
from api.wallet.errors import ClientProblem


def test_fans_are_the_members_that_are_named_and_else_the_author() -> None:
    events = [{"data": {"member": "b"}}, {"data": {"member": "a"}}, {"data": {"member": "b"}}, {"data": {"member": 5}}]
    assert fans_of({"author": "till", "events": events}) == ["b", "a"]
    assert fans_of({"author": "fan", "events": [{"data": {}}]}) == ["fan"]
    assert fans_of({"author": None, "events": None}) == []


class FakeCalls:
    """A node's account of blocks as a test wants it; it can be away."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.is_away = False
        self.mining = self

    def _check(self) -> None:
        if self.is_away:
            raise ClientProblem("client.unreachable", "no node answers")

    def blocks(self, *, limit: int) -> dict[str, object]:
        self._check()
        return {"items": self.rows[::-1][:limit]}

    def block(self, block: bytes | str) -> dict[str, object]:
        if isinstance(block, str):
            if not any(row["hash"] == block for row in self.rows):
                raise ClientProblem("block.unknown", "no such block", status=404)
            return {"confirmations": 1, "txids": [block]}
        return {"claims": [{"address": "me", "amount": 7}, {"address": "you", "amount": 9}]}

    def transaction(self, txid: bytes) -> dict[str, object]:
        return {"author": f"fan of {txid.hex()[:2]}", "events": []}


def test_earnings_count_from_the_start_and_leave_with_their_block() -> None:
    calls = FakeCalls()
    calls.rows = [{"hash": "00" * 32, "is_active": True}]
    watch = EarningsWatch(calls, "me")  # pyright: ignore[reportArgumentType] - a stand-in
    watch.begin()
    assert watch.look(()).coin == 0
    one, two, late = "11" * 32, "22" * 32, "33" * 32
    calls.rows += [{"hash": one, "is_active": True}, {"hash": two, "is_active": True}]
    found = watch.look((one, late))
    assert (found.coin, found.blocks_active, found.transactions, found.fans) == (14, 1, 1, ("fan of 11",))
    assert watch.look((one, late)).transactions == 1, "each block is looked into once"
    calls.is_away = True
    away = watch.look((one, late))
    assert (away.coin, away.fault) == (14, "no node answers")
    calls.is_away = False
    calls.rows[1]["is_active"] = False
    left = watch.look((one, late))
    assert (left.coin, left.blocks_active, left.fault) == (7, 0, "")
