"""The trial of a cluster: minutes of load and trouble drawn from a seed, then quiet; then all must be one, and nothing lost."""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ledger.address import encode_address
from ledger.params import Params, params_to_mapping
from node.audit import audit_store
from tests.support.cluster.nodes import Away, ClusterNode
from tests.support.cluster.places import Loopback, Namespaces
from tests.support.cluster.senders import SENDERS, Senders
from tests.support.memory_chain import Signer, sim_params
from tests.support.postgres import Postgres

API_PORT, LISTEN_PORT = 8_780, 8_790
BLOCK_SECONDS_MEAN = 4.0
SEND_SECONDS_MEAN = 0.4
TROUBLE_SECONDS_MEAN = 12.0
QUIET_SECONDS_MAX = 240.0
START_SECONDS_MAX = 120.0

Say = Callable[[str], None]


class Failed(AssertionError):
    """Something that must hold does not."""


@dataclass(slots=True)
class Figures:
    """What a trial did and found."""

    seed: int
    height: int = 0
    tip: str = ""
    root: str = ""
    blocks: int = 0
    sent: int = 0
    reorganisations: int = 0
    deepest: int = 0
    sent_again_after_a_crash: int = 0
    agreed_after_s: float = 0.0
    troubles: Counter[str] = field(default_factory=Counter)
    became: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = [f"{count} {what}" for what, count in sorted(self.became.items())]
        troubles = [f"{count} {what}" for what, count in sorted(self.troubles.items())]
        return (
            f"seed {self.seed}: one tip {self.tip[:16]} at {self.height}, one root {self.root[:16]}, "
            f"{self.agreed_after_s:.0f} s after the end of the trouble\n"
            f"{self.blocks} blocks mined; of the last lives' reorganisations {self.reorganisations}, the deepest {self.deepest}\n"
            f"trouble: {', '.join(troubles) or 'none'}\n"
            f"{self.sent} transactions: {', '.join(shown)}; lost: 0; "
            f"{self.sent_again_after_a_crash} were sent a second time by their senders"
        )


def trial_params() -> Params:
    """A private chain with trivial work, since here the trial decides who finds blocks when; senders have coin."""
    return sim_params(*(signer.address for signer in SENDERS), name="trial")


class Trial:
    """Several real nodes and what happens to them."""

    def __init__(
        self, folder: Path, seed: int, nodes: int, say: Say, *, postgres: Postgres | None, namespaces: bool
    ) -> None:
        self.rng = random.Random(f"fansumer five nodes {seed}")
        self.say = say
        self.params = trial_params()
        self.params_file = folder / "params.json"
        self.params_file.write_text(json.dumps(params_to_mapping(self.params)))
        self.figures = Figures(seed)
        self.senders = Senders(self.params, self.rng)
        self._heals: list[tuple[float, Callable[[], None]]] = []
        self._stack = ExitStack()
        self.land = Namespaces(nodes) if namespaces else Loopback(nodes)
        self._stack.callback(self.land.close)
        self.nodes: list[ClusterNode] = []
        for number, place in enumerate(self.land.places):
            port, listen_port = (API_PORT, LISTEN_PORT) if namespaces else free_ports(2)
            node = ClusterNode(
                number,
                place,
                folder / f"node-{number}",
                port=port,
                listen_port=listen_port,
                payout=encode_address(self.params.address_prefix, Signer.named(f"miner {number}").address),
            )
            if postgres is not None and number % 2:
                node.database = postgres.make_schema()
            self.nodes.append(node)
            self._stack.callback(node.close)
        for node in self.nodes:
            others = [other.listens_at for other in self.nodes if other is not node]
            node.peers = self.rng.sample(others, min(2, len(others)))

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    # --- lives ---

    def _wait_for_answer(self, nodes: list[ClusterNode]) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        left = list(nodes)
        while left:
            for node in list(left):
                try:
                    node.chain()
                    left.remove(node)
                except Away:
                    if not node.is_on:  # another's lock was not yet gone
                        time.sleep(1)
                        node.start(self.params_file)
            if time.monotonic() > deadline:
                raise Failed(f"nodes {[node.number for node in left]} do not answer; read {left[0].log_path}")
            time.sleep(0.2)

    def _free(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node.is_on and not node.is_cut and not node.is_frozen]

    def _trouble(self) -> None:
        free = self._free()
        if len(free) * 2 <= len(self.nodes):
            return  # a majority is left alone, so that there is somebody to talk to
        node = self.rng.choice(free)
        seconds = self.rng.uniform(2, 25)
        kinds = ["killed", "killed", "frozen", *(["cut off", "cut off"] if self.land.can_cut else [])]
        kind = self.rng.choice(kinds)
        self.figures.troubles[kind] += 1
        self.say(f"node {node.number} ({node.store}) is {kind} for {seconds:.0f} s")
        if kind == "killed":
            node.kill()
            self._heal_in(seconds, lambda: node.start(self.params_file))
        elif kind == "frozen":
            node.freeze()
            self._heal_in(seconds, node.thaw)
        else:
            node.is_cut = True
            self.land.cut(node.number)
            self._heal_in(seconds, lambda: self._plug_in(node))

    def _plug_in(self, node: ClusterNode) -> None:
        node.is_cut = False
        self.land.heal(node.number)

    def _heal_in(self, seconds: float, heal: Callable[[], None]) -> None:
        self._heals.append((time.monotonic() + seconds, heal))

    def _heal(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        due = [entry for entry in self._heals if everything or entry[0] <= now]
        for entry in due:
            self._heals.remove(entry)
            entry[1]()

    # --- what people do ---

    def _mine(self) -> None:
        node = self.rng.choice([node for node in self.nodes if node.is_on and not node.is_frozen] or self.nodes)
        try:
            height = node.mine()
        except Away:
            return
        if height is not None:
            self.figures.blocks += 1
            self.figures.height = max(self.figures.height, height)

    def _send(self) -> None:
        node = self.rng.choice(self.nodes)
        self.senders.send(node, self.figures.height)

    def _again(self) -> None:
        self.senders.send_again(self.rng.choice(self.nodes), 10)

    def _happen(self, seconds: float, often: dict[str, tuple[float, Callable[[], None]]]) -> None:
        """Let things happen for a while, each at random times about so far apart."""
        end = time.monotonic() + seconds
        due = {name: time.monotonic() + self.rng.expovariate(1 / mean) for name, (mean, _) in often.items()}
        while (now := time.monotonic()) < end:
            name = min(due, key=lambda found: due[found])
            if due[name] > now:
                self._heal()
                time.sleep(min(due[name] - now, 0.2))
                continue
            mean, do = often[name]
            due[name] = max(due[name], now - 2 * mean) + self.rng.expovariate(1 / mean)
            do()

    # --- the run ---

    def run(self, minutes: float) -> Figures:
        """All of it. Raises `Failed`."""
        for node in self.nodes:
            node.start(self.params_file)
        self._wait_for_answer(self.nodes)
        self.say(f"{len(self.nodes)} nodes run: {', '.join(node.store for node in self.nodes)}")
        self._live(minutes)
        self._heal(everything=True)
        self.say("the trouble is over")
        self._wait_for_answer(self.nodes)
        self._come_together()
        self._judge()
        return self.figures

    def _usual(self) -> dict[str, tuple[float, Callable[[], None]]]:
        """What people do all the time, each with the mean seconds between two."""
        return {
            "mine": (BLOCK_SECONDS_MEAN, self._mine),
            "send": (SEND_SECONDS_MEAN, self._send),
            "again": (5.0, self._again),
        }

    def _live(self, minutes: float) -> None:
        """Load, and what this trial is about. Raises `Failed`."""
        self._happen(minutes * 60, {**self._usual(), "trouble": (TROUBLE_SECONDS_MEAN, self._trouble)})

    def _come_together(self) -> None:
        """One node mines on, senders look after what they sent, until all agree and nothing is left unknown."""
        began = time.monotonic()
        agreed_at: float | None = None
        first = self.nodes[0]
        next_block = began
        while time.monotonic() - began < QUIET_SECONDS_MAX:
            if time.monotonic() >= next_block:
                first.mine()
                next_block = time.monotonic() + 5
            tips = {node.chain()["tip"] for node in self.nodes}
            if len(tips) == 1 and agreed_at is None:
                agreed_at = time.monotonic()
                self.senders.doubt_all()
            self.senders.send_again(first, 200)
            is_open = any(not one.refused and one.height is None for one in self.senders.all)
            is_late = time.monotonic() - began > QUIET_SECONDS_MAX / 2
            if len(tips) == 1 and agreed_at is not None and (not is_open or is_late):
                self.figures.agreed_after_s = (agreed_at or time.monotonic()) - began
                return
            time.sleep(0.5)
        shown = {node.number: node.chain()["height"] for node in self.nodes}
        for node in self.nodes:
            node.dump()
        raise Failed(f"the nodes do not agree {QUIET_SECONDS_MAX:.0f} s after the end of the trouble: {shown}")

    def _judge(self) -> None:
        figures, first = self.figures, self.nodes[0]
        figures.sent, figures.sent_again_after_a_crash = len(self.senders.all), self.senders.forgotten
        for node in self.nodes:
            figures.became, lost = self.senders.judge(node)
            if lost and node is first:
                raise Failed(f"{len(lost)} transactions are lost, the first is {lost[0]}")
        figures.became, _ = self.senders.judge(first)
        for node in self.nodes:
            text = node.ask("GET", "/metrics").text
            figures.reorganisations += int(metric(text, "fansumer_reorganisation_depth_blocks_count"))
            figures.deepest = max(figures.deepest, int(metric(text, "fansumer_reorganisation_deepest_blocks")))
        tip = first.chain()
        figures.height, figures.tip = tip["height"], tip["tip"]
        for node in self.nodes:
            if node.stop():
                raise Failed(f"node {node.number} did not stop well; read {node.log_path}")
        self._audit()

    def _audit(self) -> None:
        """Every store again from genesis: the same tip and root, and rows that are those of its blocks."""
        for node in self.nodes:
            report = audit_store(None if node.database else node.folder, self.params, database_url=node.database)
            if report.findings:
                raise Failed(f"node {node.number}: {report.findings[0]}")
            found = (report.tip[::-1].hex(), report.state_root.hex())
            if self.figures.root and found != (self.figures.tip, self.figures.root):
                raise Failed(f"node {node.number} ({node.store}) ends with {found}")
            self.figures.tip, self.figures.root = found
            self.say(
                f"node {node.number} ({node.store}): {report.height} blocks again from genesis, {node.lives} lives"
            )


def metric(text: str, name: str) -> float:
    """One figure of /metrics."""
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")))


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
