"""The till's token: a file that only its owner reads, and a header of each request that must hold the same."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from api.till.errors import TOKEN_EXPOSED, TillRefused
from api.wallet.whole_file import write_whole

TOKEN_FILE: Final = "token"
TOKEN_BYTES: Final = 32
TOKEN_CHARACTERS_MIN: Final = 22
"""128 bits in base64: a token that somebody chose must be as long."""
TOKEN_CHARACTERS_MAX: Final = 1_024
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def load_token(folder: Path) -> str:
    """The token in the folder, made at the first start. Raises TillRefused till.token_exposed, OSError."""
    path = folder / TOKEN_FILE
    if not path.exists():
        write_whole(path, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode("ascii"))
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & OTHERS:
            raise TillRefused(TOKEN_EXPOSED, path=str(path), reason=f"its mode is {mode:04o}")
        data = file.read(TOKEN_CHARACTERS_MAX + 1).strip()
    if not TOKEN_CHARACTERS_MIN <= len(data) <= TOKEN_CHARACTERS_MAX or not data.isascii():
        raise TillRefused(TOKEN_EXPOSED, path=str(path), reason="it holds no long random text, so it can be guessed")
    return data.decode("ascii")


def is_token(header: str, token: str) -> bool:
    """Whether an Authorization header holds the token; takes as long where it does not."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())
