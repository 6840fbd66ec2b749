"""Five real nodes, killed and cut off at random under load: in the end one tip, one root, and nothing is lost.

    python scripts/five_nodes.py                         ten minutes, in network namespaces where this machine lets us
    python scripts/five_nodes.py --minutes 1 --nodes 3   a shorter trial, or one of more nodes
    python scripts/five_nodes.py --seed 7 --loopback     the troubles of an earlier one; all nodes on 127.0.0.1
    python scripts/five_nodes.py --from oldest           an upgrade: nodes of an older commit, replaced one after the other

Every second node has its store on PostgreSQL, if there is a server or its programs. Blocks are found at random, people send and
look after what they sent, and now and then a node is killed (kill -9), frozen, or cut off (its cable is pulled). The seed decides
what happens to whom; when exactly depends on the machine. Ends with 1 where a node does not come back, tips or roots differ, a
store is not that of its blocks, or a transaction is neither in the chain, nor waiting, nor refused for a reason that is recorded.

With `--from COMMIT` nobody is cut off: all nodes begin with that version, are stopped (one is killed) and started again with this
checkout's on the same folder, and blocks of old and new nodes must reach each other; at last the old version must say
`store.newer` on the folder of a new one and leave the migrated files as they are.
`oldest` is the oldest version that finds the same genesis and can talk to this one.
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.cluster.places import can_make_namespaces
from tests.support.cluster.trial import Failed, Say, Trial
from tests.support.cluster.upgrade import OLDEST, UpgradeTrial, unpack_version
from tests.support.postgres import NoPostgres, Postgres, open_postgres


def make_trial(
    options: argparse.Namespace, folder: Path, say: Say, *, postgres: Postgres | None, namespaces: bool
) -> Trial:
    """The trial that was asked for. Raises `Failed`."""
    if options.old is None:
        return Trial(folder, options.seed, options.nodes, say, postgres=postgres, namespaces=namespaces)
    commit = OLDEST if options.old == "oldest" else options.old
    old = unpack_version(commit, folder / "old-version")
    say(f"an upgrade from {commit}")
    return UpgradeTrial(folder, options.seed, options.nodes, say, postgres=postgres, namespaces=namespaces, old=old)


def main(arguments: list[str]) -> int:
    """Run the trial, print, and say how it ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5, choices=range(2, 17), metavar="COUNT", help="how many (5)")
    parser.add_argument("--minutes", type=float, default=10, help="of load and trouble (10)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of an earlier trial")
    parser.add_argument("--loopback", action="store_true", help="no namespaces, though this machine has them")
    parser.add_argument("--from", dest="old", metavar="COMMIT", help="try an upgrade from this version; or `oldest`")
    parser.add_argument("--folder", type=Path, help="where stores and logs are kept; else they are deleted")
    options = parser.parse_args(arguments)
    namespaces = not options.loopback and can_make_namespaces()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    with ExitStack() as stack:
        folder = (
            options.folder.resolve()
            if options.folder
            else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fansumer-nodes-")))
        )
        folder.mkdir(parents=True, exist_ok=True)
        try:
            postgres = open_postgres()
            stack.callback(postgres.close)
        except NoPostgres as fault:
            say(f"all stores are SQLite: {fault}")
            postgres = None
        say(f"seed {options.seed}, {'network namespaces' if namespaces else 'loopback'}, logs in {folder}")
        try:
            trial = make_trial(options, folder, say, postgres=postgres, namespaces=namespaces)
            stack.callback(trial.close)
            print(trial.run(options.minutes))
        except Failed as fault:
            print(f"error: {fault}; seed {options.seed}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
