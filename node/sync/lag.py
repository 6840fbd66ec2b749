"""How far a node is behind its peers, for those who would mine on its tip."""

from ledger.types import Height
from node.p2p.state_desk import StateDesk
from node.sync.bodies import BodySync
from node.sync.headers import HeaderSync


def describe_lag(height: Height, states: StateDesk, headers: HeaderSync, bodies: BodySync) -> str:
    """What is being fetched, for people; nothing where this node, at `height`, has what its peers have.

    Blocks that are said to exist and that nobody sends do not count: whoever withholds some must not keep others from mining.
    """
    if states.is_beginning:
        return states.fetching.progress
    if bodies.is_far_behind:
        return f"{bodies.missing} blocks to come above block {height}"
    return f"headers above block {height}" if headers.is_seeking else ""
