"""The cookie of a node's operator: whoever can read the file in the data folder may look into the node and ban peers.

It is made anew at each start and deleted at the end; the file also says where the node answers.
"""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.wallet.whole_file import PRIVATE, write_whole
from ledger.errors import Code
from node.errors import NodeError

COOKIE_FILE: Final = "operator.json"
COOKIE_BYTES: Final = 32

NOT_RUNNING = Code(
    "operator.not_running",
    "no node runs on the folder {folder}: {reason}",
    "Name the node's folder with --data-dir, or its network with --network.",
)


@dataclass(frozen=True, slots=True)
class OperatorCookie:
    """Where a node answers, and what its operator shows to it."""

    url: str
    secret: str = field(repr=False)


def make_cookie(folder: Path, url: str) -> OperatorCookie:
    """A new cookie, written for its owner only. Raises OSError."""
    made = OperatorCookie(url, secrets.token_hex(COOKIE_BYTES))
    text = json.dumps({"url": made.url, "cookie": made.secret}) + "\n"
    write_whole(folder / COOKIE_FILE, text.encode(), mode=PRIVATE)
    return made


def read_cookie(folder: Path) -> OperatorCookie:
    """The cookie of the node that runs on a folder. Raises `operator.not_running`."""
    try:
        found = json.loads((folder / COOKIE_FILE).read_text(encoding="utf-8"))
        return OperatorCookie(str(found["url"]), str(found["cookie"]))
    except FileNotFoundError:
        raise NodeError(NOT_RUNNING, folder=str(folder), reason=f"there is no {COOKIE_FILE}") from None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise NodeError(NOT_RUNNING, folder=str(folder), reason=f"{COOKIE_FILE} can't be used ({fault})") from None


def remove_cookie(folder: Path) -> None:
    """The node stops."""
    (folder / COOKIE_FILE).unlink(missing_ok=True)
