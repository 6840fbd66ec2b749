"""A disk whose power can be cut at any of its steps, and chains of checkpoints to vote for."""

import random
from pathlib import Path

from ledger.finality.votes import Checkpoint, Vote
from ledger.keys import public_key_of
from ledger.types import BlockHash, ChainId, Height, PrivateSeed

CHAIN = ChainId(b"c" * 32)
SEED = PrivateSeed(b"a" * 32)
KEY = public_key_of(SEED)
INTERVAL = 20


class PowerCut(Exception):
    """The machine stops here."""


class PowerDisk:
    """What was synced is there after a cut, what was not may be: `rng` decides. `steps_left`: before which step the power goes."""

    path = Path("record.json")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.kept: bytes | None = None
        self._fresh: bytes | None = None
        self._named: bytes | None = None
        self.steps_left: int | None = None
        self.is_failing = False

    def _step(self) -> None:
        if self.is_failing:
            raise OSError(28, "No space left on device")
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise PowerCut

    def read(self) -> bytes | None:
        return self.kept if self._named is None else self._named

    def write_fresh(self, data: bytes) -> None:
        self._fresh = None
        self._step()
        self._fresh = data

    def rename_fresh(self) -> None:
        self._step()
        assert self._fresh is not None, "what is renamed was written"
        self._named, self._fresh = self._fresh, None

    def sync_folder(self) -> None:
        self._step()
        assert self._named is not None, "what is synced was renamed"
        self.kept, self._named = self._named, None

    def start_again(self) -> None:
        """After a cut: a name that was not synced may be there or not."""
        if self._named is not None and self._rng.random() < 0.5:
            self.kept = self._named
        self._named = self._fresh = None
        self.steps_left = None


def checkpoint(height: int, branch: str = "a") -> Checkpoint:
    return Checkpoint(Height(height), BlockHash((f"{branch}{height}".encode() * 32)[:32]))


def link(source: int, target: int, branch: str = "a", *, number: int = 0, chain: ChainId = CHAIN) -> Vote:
    return Vote(chain, number, checkpoint(source), checkpoint(target, branch))
