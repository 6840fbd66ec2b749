"""What brands wait for before they hand out: one choice of each program (spec RWD-11). Part of the receipt store."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from api.hand_out import HandOut
from api.receipts.tables import hand_outs
from ledger.types import ProgramId

PROGRAMS_MAX: Final = 500
"""Programs asked for at a time: those of a page of redemptions."""


class HandOuts:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def put(self, program: ProgramId, chosen: HandOut) -> None:
        """Keep a program's choice in the place of its last one."""
        row = {"program": program, "level": chosen.level, "blocks": chosen.blocks, "chosen_at": chosen.chosen_at}
        with self._transaction() as connection:
            connection.execute(delete(hand_outs).where(hand_outs.c.program == program))
            connection.execute(insert(hand_outs), [row])

    def of_programs(self, programs: Collection[ProgramId]) -> dict[ProgramId, HandOut]:
        """The choices of some programs; the default where one has said nothing."""
        assert len(programs) <= PROGRAMS_MAX, "those of a page"
        query = select(hand_outs).where(hand_outs.c.program.in_(programs))
        with self._transaction() as connection:
            rows = connection.execute(query).fetchall() if programs else []
        found = {ProgramId(bytes(row.program)): HandOut(row.level, row.blocks, row.chosen_at) for row in rows}
        return {program: found.get(program, HandOut()) for program in programs}

    def of(self, program: ProgramId) -> HandOut:
        """The choice of one program, or the default."""
        return self.of_programs([program])[program]
