"""Where the node that runs on a data folder answers: a file with the URL of its API, for the operator's own commands.

It is written at each start and deleted at the end. What the operator shows there is the cookie beside it (`node.cookie`).
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from api.wallet.whole_file import write_whole
from ledger.errors import Code
from node.cookie import COOKIE_FILE, read_cookie
from node.errors import NodeError

URL_FILE: Final = "api.url"

NOT_RUNNING = Code(
    "operator.not_running",
    "no node runs on the folder {folder}: {reason}",
    "Name the node's folder with --data-dir, or its network with --network.",
)


def write_url(folder: Path, url: str) -> None:
    """Say where the node answers. Raises OSError."""
    write_whole(folder / URL_FILE, f"{url}\n".encode())


def remove_url(folder: Path) -> None:
    """The node stops. Harmless a second time."""
    with suppress(OSError):
        (folder / URL_FILE).unlink()


def read_place(folder: Path) -> tuple[str, tuple[str, str]]:
    """URL, and user and password of the cookie, of the node that runs on a folder. Raises `operator.not_running`."""
    try:
        url = (folder / URL_FILE).read_text(encoding="ascii").strip()
        credentials = read_cookie(folder)
    except FileNotFoundError as fault:
        missing = Path(fault.filename).name
        raise NodeError(NOT_RUNNING, folder=str(folder), reason=f"there is no {missing}") from None
    except (OSError, ValueError) as fault:
        raise NodeError(NOT_RUNNING, folder=str(folder), reason=f"its files can't be read ({fault})") from None
    if not url.startswith("http") or not all(credentials):
        raise NodeError(NOT_RUNNING, folder=str(folder), reason=f"{URL_FILE} or {COOKIE_FILE} is damaged")
    return url, credentials
