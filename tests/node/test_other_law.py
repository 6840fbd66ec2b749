"""Blocks of another law: when it is told, how often, when it is beyond doubt, and when it is over."""

from dataclasses import replace

from structlog.testing import capture_logs

from ledger.genesis import make_genesis
from ledger.pow import target_from_compact, work_of
from ledger.types import BlockHash, Height, Work
from node.other_law import LEAD_BLOCKS, OtherLaw
from node.store.blocks import KnownHeader
from tests.support.memory_chain import sim_params

GENESIS = make_genesis(sim_params())
STEP = work_of(target_from_compact(GENESIS.block.header.bits))
REASON = "the kind toy.wave is unknown"


class Watch:
    """An own chain of so many blocks."""

    def __init__(self) -> None:
        header = GENESIS.block.header
        self.tip = KnownHeader(BlockHash(GENESIS.chain_id), header, GENESIS.difficulty, Work(100 * STEP), "")
        self.law = OtherLaw(lambda: self.tip)

    def grow(self, blocks: int) -> None:
        self.tip = replace(self.tip, work=Work(self.tip.work + blocks * STEP))

    def note(self, lead: int, *, height: int = 100, blocks: int = 1, reason: str = REASON) -> list[str]:
        """A branch that is so many blocks ahead; what the log says of it."""
        with capture_logs() as logs:
            self.law.note(Height(height), reason, Work(self.tip.work + lead * STEP), blocks)
        return [entry["event"] for entry in logs]


def test_nothing_is_wrong_at_first() -> None:
    watch = Watch()
    assert watch.law.fault() is None and not watch.law.is_leading and watch.law.blocks == 0


def test_the_first_block_is_told_and_the_same_again_is_not() -> None:
    watch = Watch()
    assert watch.note(1) == ["law.other"]
    assert watch.note(1) == watch.note(0) == []
    fault = watch.law.fault()
    assert fault is not None and fault.fields == {"height": 100, "blocks": 1, "reason": REASON}


def test_what_is_built_on_it_counts_and_the_lowest_stays_the_reason() -> None:
    watch = Watch()
    watch.note(1)
    assert watch.note(3, height=101, blocks=2, reason="block.known_invalid") == []
    fault = watch.law.fault()
    assert fault is not None and (fault.fields["height"], fault.fields["reason"]) == (100, REASON)
    assert watch.law.blocks == 2 and not watch.law.is_leading


def test_a_clear_lead_is_beyond_doubt() -> None:
    watch = Watch()
    assert watch.note(LEAD_BLOCKS - 1) == ["law.other"] and not watch.law.is_leading
    assert watch.note(LEAD_BLOCKS) == ["law.other"] and watch.law.is_leading


def test_it_is_over_when_the_chain_here_has_left_it_behind() -> None:
    watch = Watch()
    watch.note(0)
    watch.grow(LEAD_BLOCKS - 1)
    assert watch.law.fault() is not None
    watch.grow(1)
    assert watch.law.fault() is None and watch.law.blocks == 0
    assert watch.note(1) == ["law.other"], "another one is told again"


def test_a_branch_that_is_far_behind_is_nothing() -> None:
    assert Watch().note(-LEAD_BLOCKS) == []
