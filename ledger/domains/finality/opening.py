"""What the beginning of a block does for finality, before its due work: it notes checkpoints and lets sets change (spec FIN-3)."""

from ledger.domains.finality.events import SetChanged
from ledger.domains.finality.state import (
    FINALITY_KEY,
    CheckpointVotes,
    Finality,
    Justified,
    checkpoint_votes_key,
    find_finality,
)
from ledger.evolve import replace
from ledger.kinds import Context
from ledger.params import CHECKPOINTS_KEPT
from ledger.state import RuleView
from ledger.types import Height


def open_finality(view: RuleView, context: Context) -> None:
    """At the block after a checkpoint, note its hash; at a checkpoint, put the next set in force if its time has come."""
    if not context.params.attestors:
        return
    finality = find_finality(view)
    assert finality is not None, "a chain with attestors has a record of them from its first block on"
    interval, below = context.params.checkpoint_interval_blocks, Height(context.height - 1)
    if below % interval == 0:
        _note_checkpoint(view, finality, below, context)
        finality = find_finality(view)
        assert finality is not None, "what was there stays there"
    if context.height % interval == 0:
        changed = _change_set(finality, context)
        if changed is not None:
            view.put(FINALITY_KEY, changed)
            view.emit(SetChanged(changed.number, changed.members, changed.replaces_silent, changed.since_height))


def _note_checkpoint(view: RuleView, finality: Finality, height: Height, context: Context) -> None:
    """The hash of the block below, which is a checkpoint. The first block is justified and final by definition."""
    if height == 0:
        view.put(FINALITY_KEY, replace(finality, justified=(Justified(height, context.parent, 0),)))
        return
    view.put(checkpoint_votes_key(height), CheckpointVotes(context.parent, ()))
    oldest = height - CHECKPOINTS_KEPT * context.params.checkpoint_interval_blocks
    if oldest > 0 and view.get(checkpoint_votes_key(Height(oldest))) is not None:
        view.delete(checkpoint_votes_key(Height(oldest)))


def _change_set(finality: Finality, context: Context) -> Finality | None:
    """The record with the next set in force from this checkpoint on; None where none is due.

    What recovery keys put in the place of a silent set comes before what that set chose.
    """
    if finality.replacement and context.time >= finality.replacement[0].effective_at:
        members, replaces_silent = finality.replacement[0].members, True
    elif finality.scheduled and finality.final.height >= finality.scheduled[0].holder_height:
        members, replaces_silent = finality.scheduled[0].members, False
    else:
        return None
    return replace(
        finality,
        number=finality.number + 1,
        members=members,
        replaces_silent=replaces_silent,
        since_height=context.height,
        former=finality.members,
        former_since_height=finality.since_height,
        scheduled=(),
        replacement=(),
    )
