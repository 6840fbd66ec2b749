"""Kills a node again and again and shows that nothing which it had reported is lost.

    python scripts/crash.py                          200 kills, a seed that it prints
    python scripts/crash.py --kills 20 --seed 7      a shorter series, or one of before
    python scripts/crash.py --database URL           on a PostgreSQL server; `local` starts one for this run
    python scripts/crash.py --mode pruning           a node that fetches blocks and lets old ones go, killed meanwhile
    python scripts/crash.py --mode snapshot          one that begins with a snapshot and verifies the history behind it

A node takes prepared blocks into an SQLite file and reports each. It is killed before, inside and after its SQL commits, between a
write and its sync, at a byte of a write, while it makes its tables and its genesis, opens, reorganises, folds its log into the file
and closes, and at any time. After each kill the store must open, hold every reported block and no half of another, be equal row
by row to that of a node which was never disturbed, verify from genesis, and go on. Ends with 1 at the first kill that breaks this.
In the other two modes a second node, on a port of this computer, has the blocks and the snapshot, and what is left at last has the
same state root and the same rows as the store of a node that was not killed.
On PostgreSQL each store is a schema of its own, which is dropped at the end, and it is the node that is killed, not the server.
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ledger.errors import LedgerError
from node.store.engine import read_url
from tests.support.crash.kills import Killing, Outcome, show_table
from tests.support.crash.peer_kills import MODES, PeerKilling, PeerOutcome, show_peer_table
from tests.support.postgres import NoPostgres, Postgres, open_postgres

QUIET_LEVEL = 50


def open_server(named: str) -> Postgres:
    """The server that was named. Ends the program where there is none."""
    try:
        if named == "local":
            return open_postgres()
        server = Postgres(read_url(named).render_as_string(hide_password=False), None)
        server.execute("SELECT 1")
    except (NoPostgres, LedgerError, SQLAlchemyError) as fault:
        raise SystemExit(f"error: {fault}") from None
    return server


def run_series(killing: Any, outcomes: list[Any], options: argparse.Namespace) -> None:
    """Kill as often as was asked for, then let the last store be finished. Raises AssertionError."""
    for number in range(options.kills):
        outcomes.append(killing.kill(number))
        if options.verbose:
            print(outcomes[-1], flush=True)
    killing.finish()


def main(arguments: list[str]) -> int:
    """Kill, print, and say how it ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many nodes are killed (200)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of an earlier run")
    parser.add_argument(
        "--database", metavar="URL", help="a PostgreSQL server whose user may create schemas, or `local`"
    )
    parser.add_argument("--mode", choices=("blocks", *MODES), default="blocks", help="what the node is doing (blocks)")
    parser.add_argument("--verbose", action="store_true", help="one line for each kill")
    options = parser.parse_args(arguments)
    if options.mode != "blocks" and options.database is not None:
        parser.error("--database is for the mode blocks")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET_LEVEL))
    print(f"seed {options.seed}, {options.kills} kills", flush=True)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    peer_outcomes: list[PeerOutcome] = []
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="fansumer-crash-"))
        server = None if options.database is None else open_server(options.database)
        if server is not None:
            stack.callback(server.close)
        killing: Killing | PeerKilling | None = None
        try:
            if options.mode == "blocks":
                killing = Killing(Path(name), options.seed, server)
                run_series(killing, outcomes, options)
            else:
                killing = PeerKilling(Path(name), options.seed, options.mode)
                run_series(killing, peer_outcomes, options)
        except AssertionError as fault:
            print(f"error: {fault}", file=sys.stderr)
            return 1
        finally:
            if killing is not None:
                killing.close()
            print(show_peer_table(peer_outcomes) if peer_outcomes else show_table(outcomes))
    seconds = time.monotonic() - began
    kills = len(outcomes) + len(peer_outcomes)
    print(
        f"{kills} kills, nothing that was reported is lost, nothing half-written; {seconds:.0f} s; seed {options.seed}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
