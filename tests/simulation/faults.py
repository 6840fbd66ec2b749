"""What can go wrong in a simulation, by name, so that it is known what really did."""

from collections import Counter

SLOW_SECONDS = 1.0
WRONG_CLOCK_SECONDS = 10.0

SLOW = "frame slower than a second"
LOST = "frame lost"
BROKEN_LINE = "line broken"
DOUBLED = "frame doubled"
LATE = "frame out of order"
OVERTAKEN = "frame overtaken by another connection's"
PARTITION = "partition"
SILENT_PARTITION = "partition without a word"
ECLIPSE = "node eclipsed"
FED = "eclipsed node fed with a branch"
POISON = "lie: addresses of nobody"
CRASH = "crash"
POWER_CUT = "power cut between writes"
TORN_STORE = "torn write: store"
TORN_COPY = "torn write: store, while its log is copied"
TORN_PEERS = "torn write: peers.bin"
TORN_KEY = "torn write: node.key"
WRONG_CLOCK = "clock wrong by ten seconds"
CLOCK_JUMP = "clock jumps"
FALL = "hash rate falls a hundredfold"
RISE = "hash rate rises a hundredfold"
SELFISH = "selfish miner leads in secret"
RELEASED = "selfish miner releases its blocks"
WITHHELD = "withholding miner keeps a body back"
GARBAGE = "lie: garbage"
UNWORKED = "lie: header without work"
NO_BODY = "lie: header of a block that nobody has"
BAD_BLOCK = "lie: bad block"
NOTHING = "lie: transactions that are none"
UNASKED = "lie: what nobody asked for"

FAULTS = (
    SLOW,
    LOST,
    BROKEN_LINE,
    DOUBLED,
    LATE,
    OVERTAKEN,
    PARTITION,
    SILENT_PARTITION,
    ECLIPSE,
    FED,
    POISON,
    CRASH,
    POWER_CUT,
    TORN_STORE,
    TORN_COPY,
    TORN_PEERS,
    TORN_KEY,
    WRONG_CLOCK,
    CLOCK_JUMP,
    FALL,
    RISE,
    SELFISH,
    RELEASED,
    WITHHELD,
    GARBAGE,
    UNWORKED,
    NO_BODY,
    BAD_BLOCK,
    NOTHING,
    UNASKED,
)
"""All of them. A test holds that each occurs in the networks of the suite."""


class FaultCount(Counter[str]):
    """How often each fault occurred."""

    def note(self, fault: str) -> None:
        """It occurred once more."""
        assert fault in FAULTS, f"{fault} is not in the list"
        self[fault] += 1


def describe_faults(counts: list[FaultCount]) -> str:
    """A table: in how many networks each fault occurred, and how often in all."""
    width = max(len(fault) for fault in FAULTS)
    lines = [f"{'fault':<{width}}  networks  times"]
    for fault in FAULTS:
        networks = sum(1 for count in counts if count[fault])
        lines.append(f"{fault:<{width}}  {networks:8}  {sum(count[fault] for count in counts)}")
    return "\n".join(lines)
