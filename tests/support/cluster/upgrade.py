"""The trial of an upgrade: nodes of an older version are replaced one after the other while the others go on; then the way back."""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from node.store.migrate import STORE_NEWER
from tests.support.cluster.nodes import ClusterNode
from tests.support.cluster.trial import Failed, Figures, Say, Trial
from tests.support.postgres import Postgres
from tests.support.processes import ROOT

OLDEST = "e521b5e"
"""The oldest version that finds the same genesis (24 fields of params, PAR-1) and signs the channel in its handshake (NET-4)."""
MEET_SECONDS_MAX = 60.0
REFUSE_SECONDS_MAX = 60.0
GIT_SECONDS_MAX = 60.0


def unpack_version(commit: str, folder: Path) -> Path:
    """That commit's files in `folder`, as an installation of it has them. Raises `Failed` where git does not have it."""
    folder.mkdir(parents=True)
    packed = folder / "version.tar"
    command = ["git", "-C", str(ROOT), "archive", "--output", str(packed), commit]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GIT_SECONDS_MAX)
    if done.returncode:
        raise Failed(f"no version {commit}: {done.stderr.strip()}; a clone with its whole history has it")
    shutil.unpack_archive(packed, folder, filter="data")
    packed.unlink()
    return folder


class UpgradeTrial(Trial):
    """All nodes begin with the version in `old`, and end with this checkout's."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        nodes: int,
        say: Say,
        *,
        postgres: Postgres | None,
        namespaces: bool,
        old: Path,
    ) -> None:
        super().__init__(folder, seed, nodes, say, postgres=postgres, namespaces=namespaces)
        self._old, self._migrated = old, set[str]()
        self._killed = self.rng.randrange(nodes)
        for node in self.nodes:
            node.code = old

    def _live(self, minutes: float) -> None:
        """Load in equal parts, and a node replaced between two of them."""
        seconds = minutes * 60 / (len(self.nodes) + 1)
        self._happen(seconds, self._usual())
        self._meet(self.nodes[-1], self.nodes[0])
        for node in self.nodes:
            self._replace(node)
            if node is not self.nodes[-1]:
                self._meet(node, self.nodes[-1])
            self._happen(seconds, self._usual())

    def _replace(self, node: ClusterNode) -> None:
        """As an operator does: end the old version, start the new one on the same folder. Raises `Failed`."""
        height, before = node.chain()["height"], schema_versions(node)
        is_killed = node.number == self._killed
        self.figures.troubles["killed for the upgrade" if is_killed else "stopped for the upgrade"] += 1
        if is_killed:
            node.kill()
        elif node.stop():
            raise Failed(f"the old node {node.number} did not stop well; read {node.log_path}")
        node.code = ROOT
        node.start(self.params_file)
        self._wait_for_answer([node])
        after = schema_versions(node)
        found = node.chain()["height"]
        if found < height:
            raise Failed(f"node {node.number} had {height} blocks before its upgrade, and has {found}")
        moved = [f"{name} {before[name]} -> {after[name]}" for name in after if before.get(name) != after[name]]
        self._migrated.update(moved)
        self.say(
            f"node {node.number} ({node.store}), {'killed' if is_killed else 'stopped'} at {height}, is the new version; "
            f"migrated: {', '.join(moved) or 'nothing'}"
        )

    def _meet(self, one: ClusterNode, other: ClusterNode) -> None:
        """A block of each reaches the other: an old and a new version follow one chain. Raises `Failed`."""
        for miner, follower in ((one, other), (other, one)):
            deadline = time.monotonic() + MEET_SECONDS_MAX
            height = None
            while height is None and time.monotonic() < deadline:
                height = miner.mine()
            self.figures.blocks += height is not None
            while follower.chain()["tip"] != miner.chain()["tip"]:
                if time.monotonic() > deadline:
                    raise Failed(f"node {follower.number} does not follow node {miner.number} of the other version")
                time.sleep(0.2)

    def run(self, minutes: float) -> Figures:
        """All of it. Raises `Failed`."""
        figures = super().run(minutes)
        if not self._migrated:
            self.say("no store had anything to migrate")
        else:
            self._go_back(next(node for node in self.nodes if node.database is None))
        return figures

    def _go_back(self, node: ClusterNode) -> None:
        """The old version on the new one's folder says `store.newer` and leaves the migrated files as they are. Raises `Failed`.

        Versions that did not look at the receipts' version run on, for the chain alone, where only receipts are newer.
        """
        files = {moved.partition(":")[0] for moved in self._migrated}
        before, said = rows_of(node.folder, files), node.log_path.stat().st_size
        node.code = self._old
        node.start(self.params_file)
        deadline = time.monotonic() + REFUSE_SECONDS_MAX
        while STORE_NEWER.name not in (text := node.log_path.read_bytes()[said:].decode(errors="replace")):
            if time.monotonic() > deadline:
                raise Failed(f"the old version says nothing of the newer store: {text[-500:]}")
            time.sleep(0.2)
        ran_on = node.is_on
        node.close()
        if rows_of(node.folder, files) != before:
            raise Failed(f"the old version changed {', '.join(files)} of node {node.number}, which it does not know")
        self.say(
            f"the old version says {STORE_NEWER.name} and {'runs on' if ran_on else 'ends'}; {', '.join(files)} unchanged"
        )


def schema_versions(node: ClusterNode) -> dict[str, str]:
    """The schema version of each SQLite file of a node that has one, by its name."""
    found: dict[str, str] = {}
    for name in sorted(path.name for path in node.folder.glob("*.sqlite")):
        with closing(sqlite3.connect(f"file:{node.folder / name}?mode=ro", uri=True, timeout=30)) as connection:
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type='table' AND name LIKE '%_version'"
            ).fetchall()
            for (table,) in tables:
                found[f"{name}:{table}"] = str(connection.execute(f'SELECT version_num FROM "{table}"').fetchone()[0])
    return found


def rows_of(folder: Path, names: Iterable[str]) -> dict[str, list[Any]]:
    """All that these SQLite files hold, as text of SQL."""
    found: dict[str, list[Any]] = {}
    for path in [folder / name for name in names]:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            found[path.name] = list(connection.iterdump())
    return found
