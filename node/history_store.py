"""A second chain beside the one that began with a snapshot: it does every block from genesis again, up to that snapshot.

A database of its own, `history.sqlite` in the data folder, also where the chain is on PostgreSQL; it goes when it was taken over.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from ledger.fork_choice import TieKey
from ledger.params import Params
from node.chain import Chain
from node.clock import Clock
from node.store.engine import open_engine
from node.store.migrate import migrate

FILE: Final = "history.sqlite"
NO_TIES: Final = TieKey(bytes(32))
"""It is given one chain only."""


class HistoryStore:
    """That chain, open. `path` None: the engine's database goes by itself."""

    def __init__(
        self, engine: Engine, params: Params, clock: Clock, keep_blocks: int | None, path: Path | None
    ) -> None:
        self._engine, self._path = engine, path
        self.chain = Chain(engine, params, clock, NO_TIES, keep_blocks)

    @staticmethod
    def in_folder(folder: Path, params: Params, clock: Clock, keep_blocks: int | None) -> "HistoryStore":
        """Open the file, or make it. Raises `NodeError` store.*."""
        path = folder / FILE
        engine = open_engine(f"sqlite:///{path}")
        migrate(engine)
        return HistoryStore(engine, params, clock, keep_blocks, path)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """To read what it holds."""
        with self._engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close it; what was committed is gone on with."""
        self.chain.close()
        self._engine.dispose()

    def remove(self) -> None:
        """Close it for ever."""
        self.close()
        if self._path is not None:
            remove_history(self._path.parent)


def remove_history(folder: Path) -> None:
    """Delete the file, if it is there."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (folder / f"{FILE}{suffix}").unlink()
