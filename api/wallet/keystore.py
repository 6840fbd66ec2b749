"""The wallet's file: a phrase's entropy and labels under a passphrase (Argon2id, ChaCha20-Poly1305).

One JSON object, format version 1:

    {"format": "fansumer-keystore", "version": 1,
     "kdf": {"name": "argon2id", "memory_kib": 65536, "iterations": 3, "lanes": 4, "salt": "<32 hex>"},
     "cipher": {"name": "chacha20poly1305", "nonce": "<24 hex>"},
     "ciphertext": "<base64>", "checksum": "<64 hex>"}

The key is Argon2id (RFC 9106) of the passphrase (NFKC, UTF-8). The associated data are the members format, version, kdf
and cipher as JSON with sorted keys and no spaces. The checksum is SHA-256 of the associated data followed by the bytes of
the ciphertext: it tells a damaged file from a wrong passphrase, and protects nothing (whoever changes a file on purpose can
renew it and then gets "wrong passphrase"). The clear text is JSON: `{"entropy": "<hex>", "labels": {"<key>": "<text>"}}`.

Costs are read from the file, so each is bounded before any memory is taken. The optional BIP-39 passphrase is not stored.
"""

import base64
import json
import os
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from api.wallet.errors import WalletError
from api.wallet.mnemonic import ENTROPY_BYTE_COUNTS, PASSPHRASE_BYTES_MAX, Entropy
from api.wallet.whole_file import write_whole
from ledger.errors import Code

FORMAT: Final = "fansumer-keystore"
VERSION: Final = 1
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32

FILE_BYTES_MAX: Final = 1 << 20
"""Room for the most labels; a longer file is not read."""

LABELS_MAX: Final = 256
LABEL_KEY_CHARACTERS_MAX: Final = 128
LABEL_TEXT_CHARACTERS_MAX: Final = 128

MEMORY_KIB_MIN: Final = 8 * 1024
MEMORY_KIB_MAX: Final = 256 * 1024
ITERATIONS_MAX: Final = 10
LANES_MAX: Final = 8

MISSING = Code(
    "keystore.missing",
    "there is no keystore at {path}",
    "Name the right file, or make a wallet with `fansumer wallet create`.",
)
ALREADY_THERE = Code(
    "keystore.already_there",
    "a file exists already at {path}",
    "Choose another name: a keystore is never overwritten by accident.",
)
FILE_FAILED = Code(
    "keystore.file_failed",
    "the file {path} cannot be used: {reason}",
    "Check the folder, its permissions and the free space.",
)
DAMAGED = Code(
    "keystore.damaged",
    "the keystore is damaged: {reason}",
    "Take a copy of the file from a backup, or restore the wallet from its phrase.",
)
NEWER_VERSION = Code(
    "keystore.newer_version",
    "the keystore has format version {version}; this program reads up to {known}",
    "Open it with a newer version of fansumer.",
)
COST_OUT_OF_BOUNDS = Code(
    "keystore.cost_out_of_bounds",
    "the keystore asks for {name} = {value}, outside {least} to {most}",
    "This file was not written by fansumer as it stands; take a copy from a backup.",
)
WRONG_PASSPHRASE = Code(
    "keystore.wrong_passphrase",
    "the passphrase does not open this keystore",
    "Type it again; without it only the phrase brings the wallet back.",
)
BAD_PASSPHRASE = Code(
    "keystore.bad_passphrase",
    "the passphrase has {count} bytes, not 1 to {limit}",
    "Choose a passphrase of several words.",
)
BAD_CONTENT = Code(
    "keystore.bad_content",
    "a keystore cannot hold this: {reason}",
    "Shorten or drop labels.",
)


def _check_bounds(name: str, value: object, least: int, most: int) -> None:
    """Raise keystore.cost_out_of_bounds unless `value` is an integer within the bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise WalletError(COST_OUT_OF_BOUNDS, name=name, value=str(value)[:40], least=least, most=most)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase costs: memory in KiB, passes over it, lanes.

    The default is the second recommended option of RFC 9106, section 4. Raises WalletError keystore.cost_out_of_bounds.
    """

    memory_kib: int = 64 * 1024
    iterations: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        _check_bounds("memory_kib", self.memory_kib, MEMORY_KIB_MIN, MEMORY_KIB_MAX)
        _check_bounds("iterations", self.iterations, 1, ITERATIONS_MAX)
        _check_bounds("lanes", self.lanes, 1, LANES_MAX)


DEFAULT_COST: Final = Cost()


@dataclass(frozen=True, slots=True)
class Content:
    """What a keystore protects: the phrase's entropy, and labels (key, text), sorted by key; neither is ever printed.

    Raises WalletError keystore.bad_content.
    """

    entropy: Entropy = field(repr=False)
    labels: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        keys = [key for key, _ in self.labels]
        if len(self.entropy) not in ENTROPY_BYTE_COUNTS:
            raise WalletError(BAD_CONTENT, reason=f"{len(self.entropy)} bytes of entropy")
        if len(keys) > LABELS_MAX:
            raise WalletError(BAD_CONTENT, reason=f"{len(keys)} labels, more than {LABELS_MAX}")
        if keys != sorted(set(keys)):
            raise WalletError(BAD_CONTENT, reason="labels that are not sorted, or a key that stands twice")
        for key, text in self.labels:
            if not 1 <= len(key) <= LABEL_KEY_CHARACTERS_MAX or len(text) > LABEL_TEXT_CHARACTERS_MAX:
                raise WalletError(BAD_CONTENT, reason="a label that is empty or too long")

    def set_label(self, key: str, text: str) -> "Content":
        """The same content with one label set; an empty text removes it."""
        labels = dict(self.labels) | {key: text}
        return Content(self.entropy, tuple(sorted((name, value) for name, value in labels.items() if value)))


def seal_content(
    content: Content,
    passphrase: str,
    *,
    cost: Cost = DEFAULT_COST,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """The bytes of a keystore file. Salt and nonce are fresh each time. Raises WalletError keystore.bad_passphrase."""
    salt, nonce = random_bytes(SALT_BYTES), random_bytes(NONCE_BYTES)
    head = _make_head(salt, cost, nonce)
    clear = json.dumps({"entropy": content.entropy.hex(), "labels": dict(content.labels)}).encode()
    bound = _encode_head(head)
    ciphertext = ChaCha20Poly1305(_derive_key(passphrase, salt, cost)).encrypt(nonce, clear, bound)
    tail = {
        "ciphertext": base64.b64encode(ciphertext).decode(),
        "checksum": sha256(bound + ciphertext).hexdigest(),
    }
    data = json.dumps(head | tail, indent=2).encode() + b"\n"
    assert len(data) <= FILE_BYTES_MAX, "the limits on labels keep a keystore below the limit on files"
    return data


def open_content(data: bytes, passphrase: str) -> Content:
    """What the bytes of a keystore file protect.

    Raises WalletError, in this order: keystore.bad_passphrase, keystore.damaged (no such JSON), keystore.newer_version,
    keystore.damaged (a member is missing or malformed), keystore.cost_out_of_bounds, keystore.damaged (checksum),
    keystore.wrong_passphrase.
    """
    _encode_passphrase(passphrase)
    document = _read_document(data)
    salt, cost = _read_kdf(document.get("kdf"))
    nonce = _read_cipher(document.get("cipher"))
    ciphertext = _read_base64(document, "ciphertext")
    bound = _encode_head(_make_head(salt, cost, nonce))
    if not secrets.compare_digest(_read_hex(document, "checksum", 32), sha256(bound + ciphertext).digest()):
        raise WalletError(DAMAGED, reason="its checksum does not fit")
    try:
        clear = ChaCha20Poly1305(_derive_key(passphrase, salt, cost)).decrypt(nonce, ciphertext, bound)
    except InvalidTag:
        raise WalletError(WRONG_PASSPHRASE) from None
    return _read_content(clear)


def save_keystore(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write the bytes of a keystore, whole or not at all, readable by its owner only (0600).

    Raises WalletError keystore.already_there (unless `replace`) or keystore.file_failed.
    """
    try:
        if not replace and path.exists():
            raise WalletError(ALREADY_THERE, path=str(path))
        write_whole(path, data, replace=replace)
    except FileExistsError:
        raise WalletError(ALREADY_THERE, path=str(path)) from None
    except OSError as error:
        raise WalletError(FILE_FAILED, path=str(path), reason=error.strerror or "unknown reason") from None


def load_keystore(path: Path, passphrase: str) -> Content:
    """Read and open a keystore file.

    Raises WalletError keystore.missing, keystore.file_failed, and as `open_content`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise WalletError(MISSING, path=str(path)) from None
    except OSError as error:
        raise WalletError(FILE_FAILED, path=str(path), reason=error.strerror or "unknown reason") from None
    return open_content(data, passphrase)


def _encode_passphrase(passphrase: str) -> bytes:
    """The passphrase as bytes: NFKC, so that one keyboard's accents equal another's, then UTF-8."""
    if len(passphrase) > PASSPHRASE_BYTES_MAX:
        raise WalletError(BAD_PASSPHRASE, count=len(passphrase), limit=PASSPHRASE_BYTES_MAX)
    encoded = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    if not 1 <= len(encoded) <= PASSPHRASE_BYTES_MAX:
        raise WalletError(BAD_PASSPHRASE, count=len(encoded), limit=PASSPHRASE_BYTES_MAX)
    return encoded


def _derive_key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """The file's key: Argon2id version 1.3 (RFC 9106)."""
    kdf = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return kdf.derive(_encode_passphrase(passphrase))


def _make_head(salt: bytes, cost: Cost, nonce: bytes) -> dict[str, Any]:
    """The members that the cipher binds."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "kdf": {
            "name": "argon2id",
            "memory_kib": cost.memory_kib,
            "iterations": cost.iterations,
            "lanes": cost.lanes,
            "salt": salt.hex(),
        },
        "cipher": {"name": "chacha20poly1305", "nonce": nonce.hex()},
    }


def _encode_head(head: dict[str, Any]) -> bytes:
    """The bound members as bytes."""
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def is_keystore(path: Path) -> bool:
    """Whether this file is, or may once have been, a wallet: whoever would overwrite it asks first.

    A pipe or a terminal is none, and is not opened: that would wait for somebody to write into it.
    """
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            _read_document(file.read(FILE_BYTES_MAX + 1))
    except WalletError as fault:
        return fault.code is NEWER_VERSION
    except OSError:
        return False
    return True


def _read_document(data: bytes) -> dict[str, Any]:
    """The file's JSON object, once its format and version are known to us."""
    if len(data) > FILE_BYTES_MAX:
        raise WalletError(DAMAGED, reason=f"it is longer than {FILE_BYTES_MAX} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise WalletError(DAMAGED, reason="it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise WalletError(DAMAGED, reason="it is no fansumer keystore")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise WalletError(DAMAGED, reason="it has no version")
    if version > VERSION:
        raise WalletError(NEWER_VERSION, version=version, known=VERSION)
    return document


def _read_kdf(kdf: object) -> tuple[bytes, Cost]:
    """Salt and cost, checked before anything is spent."""
    if not isinstance(kdf, dict) or kdf.get("name") != "argon2id":
        raise WalletError(DAMAGED, reason="its key derivation is not argon2id")
    cost = Cost(kdf.get("memory_kib", 0), kdf.get("iterations", 0), kdf.get("lanes", 0))
    return _read_hex(kdf, "salt", SALT_BYTES), cost


def _read_cipher(cipher: object) -> bytes:
    """The nonce of the one cipher we know."""
    if not isinstance(cipher, dict) or cipher.get("name") != "chacha20poly1305":
        raise WalletError(DAMAGED, reason="its cipher is not chacha20poly1305")
    return _read_hex(cipher, "nonce", NONCE_BYTES)


def _read_hex(holder: dict[str, Any], name: str, byte_count: int) -> bytes:
    """A member of exactly `byte_count` bytes in hex."""
    text = holder.get(name)
    try:
        value = bytes.fromhex(text) if isinstance(text, str) and len(text) == 2 * byte_count else b""
    except ValueError:
        value = b""
    if len(value) != byte_count:
        raise WalletError(DAMAGED, reason=f"its {name} is not {byte_count} bytes in hex")
    return value


def _read_base64(holder: dict[str, Any], name: str) -> bytes:
    """A member of bytes in strict base64."""
    text = holder.get(name)
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except ValueError:
        raise WalletError(DAMAGED, reason=f"its {name} is not base64") from None


def _read_content(clear: bytes) -> Content:
    """The content in an authentic clear text."""
    try:
        members = json.loads(clear)
        entropy, labels = bytes.fromhex(members["entropy"]), members["labels"]
        pairs = tuple(sorted((str(key), str(text)) for key, text in labels.items()))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise WalletError(DAMAGED, reason="its clear text is not of version 1") from None
    return Content(Entropy(entropy), pairs)
