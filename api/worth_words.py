"""How safe a transaction is by now, in sentences: how deep it lies, what holds it there, what reversing it costs (spec FIN-11)."""

from collections.abc import Mapping
from typing import Any, Final

from api.words import counted

MICROCENTS: Final = 10**6
NO_ATTESTORS: Final = "this chain has no attestors, so the most work decides and nothing is ever final"


def speak_worth(shown: Mapping[str, Any]) -> str:
    """A transaction's state, as `GET /v1/transactions/{txid}` answers it, in one sentence or two."""
    taken_back = shown.get("taken_back_from")
    fell_out = "" if taken_back is None else f" It stood at height {taken_back}, in a block that the chain has left."
    if shown["status"] == "dropped":
        return f"In no block, and it waits for none: {shown.get('detail') or 'it was dropped'}.{fell_out}"
    if not shown.get("confirmations"):
        return f"It waits for a block: nothing stands on it yet, and undoing it costs nothing.{fell_out}"
    depth = f"In the chain, {speak_depth(shown)}"
    reversal = shown.get("reversal")
    if reversal is None:
        return f"{depth}."
    attestors = reversal["attestors"]
    if attestors is not None:
        return _speak_attested(depth, attestors, is_final=bool(shown.get("final")))
    cost = f"reversing it now would cost {speak_rent(reversal['rent_microcents'])} of rented hash power"
    price = f"an estimate, at {speak_dollars(reversal['rent_price_cents'] * MICROCENTS)} for 1 PH/s a day"
    rest = NO_ATTESTORS if shown.get("final") is None else "neither justified nor final yet"
    return f"{depth}; {cost} ({price}); {rest}."


def _speak_attested(depth: str, attestors: Mapping[str, Any], *, is_final: bool) -> str:
    least = attestors["turn_members_min"]
    who = f"{counted(least, 'attestor')} of {attestors['members']:,}"
    weight = f"with {attestors['turn_weight_min']:,} of {attestors['weight']:,} of the weight"
    if is_final:
        return f"{depth}. It could be undone only if at least {who}, {weight}, lied and were caught by their own signatures."
    return (
        f"{depth}, not final yet. Hash power alone cannot reverse it: at least {who}, {weight}, would have to turn "
        "against what they signed."
    )


def speak_depth(shown: Mapping[str, Any]) -> str:
    """How deep something lies, for a sentence or a column: "3 blocks deep", "3 blocks deep, justified", "final"."""
    if shown.get("final"):
        return "final"
    blocks = int(shown.get("confirmations") or 0)
    if not blocks:
        return "in no block"
    return f"{counted(blocks, 'block')} deep" + (", justified" if shown.get("justified") else "")


def speak_rent(microcents: int) -> str:
    """An amount of a rent: about so many dollars and cents, or that it is less than a cent."""
    return f"about {speak_dollars(microcents)}" if microcents >= MICROCENTS else "less than a cent (US)"


def speak_dollars(microcents: int) -> str:
    """US dollars with two digits for cents, rounded down."""
    cents = microcents // MICROCENTS
    return f"US${cents // 100:,}.{cents % 100:02d}"
