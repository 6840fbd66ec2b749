"""Whether a node is behind its peers: until it has what they have, nobody mines on its tip (spec MINE-4, MINE-8, MINE-10)."""

from collections.abc import Callable
from typing import Final

from ledger.errors import Code
from node.errors import NodeError

BEHIND: Final = Code(
    "sync.behind",
    "this node is downloading blocks ({progress}), and gives out no work until it has come to its peers' tip",
    "Wait; `fansumer node status` says how far it is. Then work comes by itself.",
)


class Behind:
    """Any thread may ask. A node without a network is never behind."""

    def __init__(self) -> None:
        self._describe: Callable[[], str] = lambda: ""

    def follow(self, describe: Callable[[], str]) -> None:
        """Ask `describe` from now on, which never waits: what is going on, for people, or nothing where the node is not behind."""
        self._describe = describe

    def find(self) -> NodeError | None:
        """Why nobody is to mine here now, if so."""
        progress = self._describe()
        return NodeError(BEHIND, progress=progress) if progress else None

    def check(self) -> None:
        """Raise `sync.behind` while nobody is to mine here."""
        fault = self.find()
        if fault is not None:
            raise fault
