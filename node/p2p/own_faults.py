"""This node's own failing, such as a store that is full: it is no fault of a peer, and the network goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from node.errors import NodeError

log = structlog.get_logger()


def log_own_fault(fault: NodeError) -> None:
    """Tell the operator."""
    log.warning("p2p.node_failed", code=fault.code.name, reason=str(fault))


@contextmanager
def own_faults_logged() -> Iterator[None]:
    """Within, a fault of this node ends what is being done, and is logged."""
    try:
        yield
    except NodeError as fault:
        log_own_fault(fault)
