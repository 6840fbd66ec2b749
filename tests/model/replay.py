"""Lives from seeds, the fault that one runs into, and the fewest acts that still run into it."""

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import LedgerError
from tests.model.life import Act, Life, SeededChooser
from tests.model.transaction import Tx
from tests.model.walk import DECK, act_of, begin
from tests.model.world import Disagreement


@dataclass(frozen=True)
class Fault:
    """What went wrong in a life: `label` is the same for what is probably the same fault."""

    label: str
    text: str


@dataclass(frozen=True)
class Run:
    """A life that was lived: its steps, what came of them, its transactions, and how it failed, if it did."""

    steps: int
    outcomes: Counter[str]
    story: tuple[str, ...]
    fault: Fault | None


def live(seed: str, acts: Sequence[int], deck: Sequence[Act] = DECK) -> Run:
    """A life from a seed, of acts from a deck. Each act draws from a seed of its own, so that others can be left out."""
    life: Life | None = None
    fault = None
    try:
        life = begin(SeededChooser(seed))
        for number in acts:
            life.choose = SeededChooser(f"{seed}/{number}")
            act_of(life, deck)
    except Disagreement as found:
        fault = Fault(found.label, str(found))
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, LedgerError) as found:
        place = traceback.extract_tb(found.__traceback__)[-1]
        fault = Fault(f"{type(found).__name__} in {place.name}", "".join(traceback.format_exception(found)))
    if life is None:
        return Run(0, Counter(), (), fault)
    story = tuple(tell(*told) for told in life.world.story)
    return Run(life.world.steps, life.world.outcomes, story, fault)


def shrink(seed: str, acts: Sequence[int], label: str) -> list[int]:
    """The fewest of these acts, as far as leaving out runs of them shows, that end in a fault of this label."""

    def fails(chosen: Sequence[int]) -> bool:
        fault = live(seed, chosen).fault
        return fault is not None and fault.label == label

    kept = list(acts)
    low, high = 0, len(kept)
    while low < high:
        middle = (low + high) // 2
        if fails(kept[:middle]):
            high = middle
        else:
            low = middle + 1
    kept = kept[:high]
    size = max(len(kept) // 2, 1)
    while size:
        place = 0
        while place < len(kept):
            fewer = kept[:place] + kept[place + size :]
            if fails(fewer):
                kept = fewer
            else:
                place += size
        size //= 2
    return kept


def tell(height: int, now: int, tx: Tx, code: str) -> str:
    """One transaction in one line."""
    author, payment, payload = tx.author.hex()[:8], _short(tx.payment), _short(tx.payload)
    return f"block {height}, now {now}: {tx.kind} by {author}, paid {payment}: {payload} -> {code or 'applied'}"


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()[:8] or "-"
    if isinstance(value, tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return repr(value)
