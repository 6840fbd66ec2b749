"""Sentences about how safe a transaction is."""

from typing import Any

import pytest

from api.worth_words import speak_depth, speak_rent, speak_worth

REVERSAL: dict[str, Any] = {
    "is_estimate": True,
    "work": "1",
    "rent_microcents": 1_234_560_000,
    "rent_price_cents": 5_000,
    "attestors": None,
}
ATTESTORS = {"set_number": 0, "weight": 40, "members": 4, "turn_weight_min": 14, "turn_members_min": 2}


def say(**changes: Any) -> str:
    shown = {"status": "confirmed", "confirmations": 3, "justified": False, "final": False, "reversal": REVERSAL}
    return speak_worth({**shown, **changes})


def test_each_state_has_its_sentence() -> None:
    assert say() == (
        "In the chain, 3 blocks deep; reversing it now would cost about US$12.34 of rented hash power "
        "(an estimate, at US$50.00 for 1 PH/s a day); neither justified nor final yet."
    )
    assert say(justified=None, final=None).endswith(
        "this chain has no attestors, so the most work decides and nothing is ever final."
    )
    assert "cost less than a cent (US) of" in say(reversal={**REVERSAL, "rent_microcents": 999_999})
    by_attestors = {**REVERSAL, "attestors": {**ATTESTORS, "is_provable": False}}
    assert say(justified=True, reversal=by_attestors) == (
        "In the chain, 3 blocks deep, justified, not final yet. Hash power alone cannot reverse it: at least 2 attestors of 4, "
        "with 14 of 40 of the weight, would have to turn against what they signed."
    )
    final = say(justified=True, final=True, reversal=by_attestors)
    assert final == (
        "In the chain, final. It could be undone only if at least 2 attestors of 4, with 14 of 40 of the weight, lied and were "
        "caught by their own signatures."
    )
    one = {**by_attestors["attestors"], "turn_members_min": 1}
    assert "at least 1 attestor of 4," in say(justified=True, final=True, reversal={**REVERSAL, "attestors": one})


def test_what_is_in_no_block() -> None:
    waits = "It waits for a block: nothing stands on it yet, and undoing it costs nothing."
    assert speak_worth({"status": "unconfirmed"}) == waits
    assert say(status="unconfirmed", confirmations=0) == waits
    fell = f"{waits} It stood at height 7, in a block that the chain has left."
    assert say(status="unconfirmed", confirmations=0, taken_back_from=7) == fell
    dropped = {"status": "dropped", "confirmations": 0, "reversal": None}
    assert speak_worth({**dropped, "detail": "too late"}) == "In no block, and it waits for none: too late."
    assert speak_worth({**dropped, "taken_back_from": 7}) == (
        "In no block, and it waits for none: it was dropped. It stood at height 7, in a block that the chain has left."
    )
    assert say(reversal=None) == "In the chain, 3 blocks deep."


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"confirmations": 0}, "in no block"),
        ({"confirmations": 1, "justified": None, "final": None}, "1 block deep"),
        ({"confirmations": 1_200, "justified": True, "final": False}, "1,200 blocks deep, justified"),
        ({"confirmations": 3, "justified": True, "final": True}, "final"),
    ],
)
def test_a_depth_in_short(shown: dict[str, Any], expected: str) -> None:
    assert speak_depth(shown) == expected


def test_rents() -> None:
    assert [speak_rent(found) for found in (0, 999_999, 1_000_000, 123_456_789_000_000)] == [
        "less than a cent (US)",
        "less than a cent (US)",
        "about US$0.01",
        "about US$1,234,567.89",
    ]
