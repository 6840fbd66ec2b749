"""A node is killed while it prunes, and while it begins with a snapshot: in the end it has what one has that nobody killed."""

import random
from pathlib import Path

import pytest

from tests.support.crash.peer_kills import MODES, PeerKilling

KILLS = 3


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_kills_while_it_fetches(mode: str, tmp_path: Path) -> None:
    """The seed follows from the run's; a failure names it, and the command that does the same kills again."""
    killing = PeerKilling(tmp_path, random.randrange(2**32), mode)
    try:
        outcomes = [killing.kill(number) for number in range(KILLS)]
        killing.finish()
    finally:
        killing.close()
    assert len(outcomes) == KILLS
