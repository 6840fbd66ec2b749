"""How deep something lies in the active chain, and what holds it there: blocks, their work, attestors (spec FIN-11)."""

from dataclasses import dataclass

from ledger.domains.finality.state import FINALITY_KEY, Finality, Justified
from ledger.finality.attestors import AttestorSet
from ledger.types import Height, Work
from node.finality.keeper import Known
from node.store.reader import Snapshot


@dataclass(frozen=True, slots=True)
class Depth:
    """Of a block. `confirmations` 0: it is in no block. `justified` and `final` None: the chain has no attestors."""

    confirmations: int
    justified: bool | None
    final: bool | None


@dataclass(frozen=True, slots=True)
class Marks:
    """The tip of the active chain, and how high on it lie the highest checkpoint that is justified and the last final one.

    `attestors`: the set in force; None where nobody attests, and then nothing is justified.
    """

    tip: Height
    justified: Height
    final: Height
    attestors: AttestorSet | None

    def depth_of(self, height: Height | None) -> Depth:
        """What holds the block at `height` of the active chain; None: it is in no block."""
        if height is None:
            unknown = None if self.attestors is None else False
            return Depth(0, unknown, unknown)
        confirmations = self.tip - height + 1
        if self.attestors is None:
            return Depth(confirmations, None, None)
        is_final = height <= self.final
        return Depth(confirmations, is_final or height <= self.justified, is_final)


def read_marks(view: Snapshot, known: Known) -> Marks:
    """From what the node knows and what the chain shows by itself. What is known of blocks that are not on it does not count."""
    tip = view.tip().height
    finality: Finality | None = view.record(FINALITY_KEY)
    if finality is None:
        return Marks(tip, Height(0), Height(0), None)
    final = _highest(view, [known.final, *finality.justified[:1]])
    justified = _highest(view, [known.justified, *finality.justified[-1:]])
    return Marks(tip, max(justified, final), final, finality.in_force)


def _highest(view: Snapshot, candidates: list[Justified]) -> Height:
    on_chain = [found.height for found in candidates if view.hash_at(found.height) == found.hash]
    return max(on_chain, default=Height(0))


def work_from(view: Snapshot, height: Height) -> Work:
    """The work of the blocks from `height` to the tip, both included."""
    total, below = view.work_at(view.tip().height), Work(0) if height == 0 else view.work_at(Height(height - 1))
    assert total is not None and below is not None, "an active chain has all its headers"
    return Work(total - below)
