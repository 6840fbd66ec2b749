"""The operator's cookie: who can read the node's data folder may give it orders, as with Bitcoin's tools (spec MINE-8).

A fresh secret for each start, in the file `.cookie`, as `__cookie__:` and 64 hex digits, for HTTP basic authentication.
"""

import base64
import hmac
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledger.errors import Code
from node.errors import NodeError

COOKIE_FILE: Final = ".cookie"
COOKIE_USER: Final = "__cookie__"
SECRET_BYTES: Final = 32
PRIVATE: Final = 0o600

NOT_WRITTEN = Code(
    "cookie.not_written",
    "the cookie {path} can't be written: {reason}",
    "Look at the rights and the room of that folder.",
)


class Cookie:
    """The secret of one running node."""

    def __init__(self, folder: Path, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """Make it, in the place of one that a killed node left behind. Raises `cookie.not_written`."""
        self.path = folder / COOKIE_FILE
        self._text = f"{COOKIE_USER}:{random_bytes(SECRET_BYTES).hex()}"
        fresh = folder / f"{COOKIE_FILE}.new"
        try:
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="ascii") as file:
                file.write(self._text)
            fresh.replace(self.path)
        except OSError as fault:
            raise NodeError(NOT_WRITTEN, path=str(self.path), reason=fault.strerror or str(fault)) from fault

    def admits(self, authorization: str | None) -> bool:
        """Whether an `Authorization` header is `Basic` with this cookie. Takes the same time however wrong it is."""
        scheme, _, credentials = (authorization or "").partition(" ")
        try:
            offered = base64.b64decode(credentials.strip(), validate=True) if scheme.lower() == "basic" else b""
        except ValueError:
            offered = b""
        return hmac.compare_digest(offered, self._text.encode())

    def remove(self) -> None:
        """Remove the file, if it is this node's still. Harmless a second time."""
        with suppress(OSError):
            if hmac.compare_digest(self.path.read_bytes(), self._text.encode()):
                self.path.unlink()


def read_cookie(folder: Path) -> tuple[str, str]:
    """User and password for a running node's operator calls. Raises OSError where there is no cookie to be read."""
    user, _, password = (folder / COOKIE_FILE).read_text(encoding="ascii").strip().partition(":")
    return user, password
