"""Python's garbage collector stays out of the way while a block is taken in.

Nothing that a block makes refers to itself, so counting references frees all of it; the collector would only walk hundreds of
thousands of remembered records, again and again (a tenth of a transfer's time).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Collect no cycles within; nested uses are one."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
