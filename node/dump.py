"""Dumps: a chain as one file, which anybody can keep, send and verify (spec DMP).

    dump    = "fansumer dump 1\\n" ‖ item(head) ‖ item(genesis block) ‖ item(block 1) ‖ ... ‖ item(block height)
    item(x) = length of x as 4 bytes, the highest first ‖ x
    head    = [chain id, params, height, tip's hash]

The file may be compressed by gzip or xz as a whole; reading finds that out by itself. Writing and reading hold one block at a time.
Nothing in a dump has to be believed: a reader computes the first block from the params, and checks every other.
"""

import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Final, Self

from ledger.codec import pack, unpack
from ledger.errors import Code, Malformed
from ledger.params import BLOCK_BYTES_MAX, Params
from ledger.schema import Integer, Struct, identifier
from ledger.types import BlockHash, ChainId, Height
from node.errors import NodeError

MAGIC: Final = b"fansumer dump 1\n"
LENGTH_BYTES: Final = 4
HEAD_BYTES_MAX: Final = 2**20
GZIP_MAGIC: Final = b"\x1f\x8b"
XZ_MAGIC: Final = b"\xfd7zXZ\x00"
GZIP_LEVEL: Final = 6
XZ_PRESET: Final = 2
"""Most of a dump is signatures and hashes, which no preset makes smaller; the higher ones only take longer."""

NOT_A_DUMP = Code(
    "dump.not_a_dump", "the file {path} is no dump: {reason}", "Name a file that `fansumer chain dump` wrote."
)
DUMP_FAILED = Code(
    "dump.failed",
    "the file {path} can't be used: {reason}",
    "Check its name, its permissions and the space on the disk.",
)
DUMP_DAMAGED = Code(
    "dump.damaged", "the dump ends after block {height}: {reason}", "Get the dump again, or make a new one."
)

DECOMPRESSION_FAULTS: Final = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


ByteFile = IO[bytes] | gzip.GzipFile | lzma.LZMAFile


@dataclass(frozen=True, slots=True)
class DumpHead:
    """What a dump says of itself. `height` and `tip` name its last block; `upgrades` travel with the params."""

    chain_id: Annotated[ChainId, identifier()]
    params: Annotated[Params, Struct(Params)]
    height: Annotated[Height, Integer(0, 2**32 - 1)]
    tip: Annotated[BlockHash, identifier()]


HEAD: Final = Struct(DumpHead)


@contextmanager
def explaining_faults(path: Path) -> Iterator[None]:
    """Faults of the disk as errors that name the file."""
    try:
        yield
    except OSError as fault:
        raise NodeError(DUMP_FAILED, path=str(path), reason=fault.strerror or str(fault)) from fault


def write_dump(path: Path, head: DumpHead, blocks: Iterable[bytes]) -> None:
    """Write a dump, genesis first; a name that ends with .gz or .xz compresses it.

    The file appears whole or not at all. Raises `dump.failed`.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with explaining_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _open_for_writing(temporary, path.suffix) as file:
                file.write(MAGIC)
                _write_item(file, pack(HEAD.encode(head)))
                for block in blocks:
                    _write_item(file, block)
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_item(file: ByteFile, item: bytes) -> None:
    file.write(len(item).to_bytes(LENGTH_BYTES, "big") + item)


@contextmanager
def _open_for_writing(path: Path, suffix: str) -> Iterator[ByteFile]:
    with path.open("wb") as raw:
        if suffix == ".gz":
            with gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as file:
                yield file
        elif suffix == ".xz":
            with lzma.LZMAFile(raw, "wb", preset=XZ_PRESET) as file:
                yield file
        else:
            yield raw


class DumpReader:
    """An open dump: its head, then its blocks as they are read. Use it as a context manager.

    Raises `dump.failed` where the file can't be read, `dump.not_a_dump` where it does not begin like one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with explaining_faults(path):
            self._raw = path.open("rb")
        try:
            with explaining_faults(path):
                self._file = self._open()
                self.head = self._read_head()
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._raw.close()

    def _open(self) -> ByteFile:
        start = self._raw.read(len(XZ_MAGIC))
        self._raw.seek(0)
        if start.startswith(GZIP_MAGIC):
            return gzip.GzipFile(fileobj=self._raw, mode="rb")
        if start == XZ_MAGIC:
            return lzma.LZMAFile(self._raw, "rb")
        return self._raw

    def _read_head(self) -> DumpHead:
        try:
            if self._file.read(len(MAGIC)) != MAGIC:
                raise NodeError(NOT_A_DUMP, path=str(self.path), reason="it does not begin as one")
            data = self._read_item(HEAD_BYTES_MAX)
            return HEAD.decode(unpack(b"" if data is None else data, bytes_max=HEAD_BYTES_MAX), "head")
        except (*DECOMPRESSION_FAULTS, _Damaged, Malformed) as fault:
            raise NodeError(NOT_A_DUMP, path=str(self.path), reason=f"its head is damaged ({fault})") from fault

    def _read_item(self, bytes_max: int) -> bytes | None:
        """The next item, or None at the end of the file."""
        prefix = self._file.read(LENGTH_BYTES)
        if not prefix:
            return None
        length = int.from_bytes(prefix, "big")
        if len(prefix) < LENGTH_BYTES or not 0 < length <= bytes_max:
            raise _Damaged("the length of an item is damaged")
        data = self._file.read(length)
        if len(data) < length:
            raise _Damaged("the file ends within an item")
        return data

    def blocks(self) -> Iterator[bytes]:
        """The bytes of each block, genesis first. Raises `dump.damaged` where the file does not go on as its head says."""
        for height in range(self.head.height + 1):
            try:
                with explaining_faults(self.path):
                    raw = self._read_item(BLOCK_BYTES_MAX)
                if raw is None:
                    raise _Damaged(f"its head speaks of {self.head.height} blocks")
            except (*DECOMPRESSION_FAULTS, _Damaged) as fault:
                raise NodeError(DUMP_DAMAGED, height=height - 1, reason=str(fault)) from fault
            yield raw
        try:
            more = self._file.read(1)
        except DECOMPRESSION_FAULTS as fault:
            raise NodeError(DUMP_DAMAGED, height=self.head.height, reason=str(fault)) from fault
        if more:
            raise NodeError(DUMP_DAMAGED, height=self.head.height, reason="something follows its last block")


class _Damaged(Exception):
    """An item that can't be read; its reader says where."""
