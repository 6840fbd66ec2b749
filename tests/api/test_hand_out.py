"""What a program waits for before it hands out: what is typed, and when it is reached (spec RWD-11)."""

import pytest

from api.cli.settings_table import BY_NAME
from api.hand_out import BLOCKS_MAX, HandOut, read_hand_out
from ledger.finality.reversal import RENT_PRICE_CENTS, RENT_PRICE_CENTS_MAX
from node.depth import Depth

POOL, BLOCK, FIVE, SIX = (Depth(count, False, False) for count in (0, 1, 5, 6))
JUSTIFIED, FINAL = Depth(2, True, False), Depth(2, True, True)
UNATTESTED = Depth(6, None, None)


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ("pool", {POOL, BLOCK, FIVE, SIX, JUSTIFIED, FINAL, UNATTESTED}),
        ("1", {BLOCK, FIVE, SIX, JUSTIFIED, FINAL, UNATTESTED}),
        ("6", {SIX, FINAL, UNATTESTED}),
        ("justified", {JUSTIFIED, FINAL}),
        (" Final ", {FINAL}),
    ],
)
def test_what_is_typed_and_when_it_is_reached(text: str, reached: set[Depth]) -> None:
    chosen = read_hand_out(text)
    everything = (POOL, BLOCK, FIVE, SIX, JUSTIFIED, FINAL, UNATTESTED)
    assert {depth for depth in everything if chosen.is_reached(depth)} == reached


def test_the_default_is_six_blocks() -> None:
    assert HandOut() == HandOut("blocks", 6, 0) == read_hand_out("6")
    assert HandOut().wanted == "6 blocks stand on it"
    assert read_hand_out("1").wanted == "1 block stands on it"


@pytest.mark.parametrize("text", ["", "blocks", "0", "-1", "6.0", "²", str(BLOCKS_MAX + 1), "soon"])
def test_what_can_t_be_meant(text: str) -> None:
    with pytest.raises(ValueError, match="a number of blocks from 1 to 10,000"):
        read_hand_out(text)


def test_the_setting_is_as_the_spec_says() -> None:
    setting = BY_NAME["rent_price"]
    assert (setting.default, setting.low, setting.high) == (RENT_PRICE_CENTS, 1, RENT_PRICE_CENTS_MAX)
