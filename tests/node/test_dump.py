"""Dumps: written whole or not at all, read back in each compression, and every way in which one can be damaged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.codec import pack
from ledger.types import Height
from node.audit import audit_dump, reading_store
from node.dump import (
    DUMP_DAMAGED,
    DUMP_FAILED,
    LENGTH_BYTES,
    MAGIC,
    NOT_A_DUMP,
    DumpHead,
    DumpReader,
    write_dump,
)
from node.dump import (
    HEAD as DUMP_HEAD,
)
from node.errors import NodeError
from node.replay import BAD_BLOCK, OTHER_GENESIS, WRONG_END
from node.store.scan import read_raw_blocks
from tests.node.lives import live
from tests.node.stored_chain import StoredShop
from tests.node.watching import nothing_left_behind
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused

NAMES = ("chain.dump", "chain.dump.gz", "chain.dump.xz")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> StoredShop:
    shop = StoredShop(tmp_path_factory.mktemp("lived") / "chain.sqlite")
    live(shop)
    shop.close()
    return shop


@pytest.fixture(scope="module")
def raws(lived: StoredShop) -> list[bytes]:
    """All blocks, genesis first."""
    with reading_store(lived.store.path.parent) as connection:
        return list(read_raw_blocks(connection, Height(0)))


@pytest.fixture(scope="module")
def head(lived: StoredShop) -> DumpHead:
    blocks = lived.chain.blocks
    return DumpHead(lived.chain.chain_id, lived.chain.params, Height(len(blocks)), blocks[-1].hash)


@pytest.mark.parametrize("name", NAMES)
def test_a_dump_is_read_back_and_verifies(tmp_path: Path, head: DumpHead, raws: list[bytes], name: str) -> None:
    write_dump(tmp_path / "new" / name, head, raws)
    with DumpReader(tmp_path / "new" / name) as reader:
        assert reader.head == head
        assert list(reader.blocks()) == raws
    with nothing_left_behind():
        report = audit_dump(tmp_path / "new" / name)
    assert report.is_good
    assert (report.height, report.tip) == (head.height, head.tip)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_the_same_chain_gives_the_same_bytes(tmp_path: Path, head: DumpHead, raws: list[bytes]) -> None:
    for name in NAMES:
        for copy in ("a", "b"):
            write_dump(tmp_path / f"{copy}-{name}", head, raws)
        assert (tmp_path / f"a-{name}").read_bytes() == (tmp_path / f"b-{name}").read_bytes()


def test_a_dump_that_can_not_be_finished_leaves_the_earlier_one(
    tmp_path: Path, head: DumpHead, raws: list[bytes]
) -> None:
    path = tmp_path / "chain.dump"
    write_dump(path, head, raws)
    before = path.read_bytes()

    def broken() -> Iterator[bytes]:
        yield raws[0]
        raise NodeError(BAD_BLOCK, height=1, reason="a test")

    with pytest.raises(NodeError):
        write_dump(path, head, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with refused(DUMP_FAILED, NodeError):
        write_dump(path / "below", head, raws)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_a_truncated_dump_says_where_it_ends(
    tmp_path: Path, head: DumpHead, raws: list[bytes], name: str, share: float
) -> None:
    path = tmp_path / name
    write_dump(path, head, raws)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    report = audit_dump(path)
    (finding,) = report.findings
    assert finding.code == DUMP_DAMAGED.name
    assert finding.height == report.blocks, "all that came before was verified"


def place_of(raws: list[bytes], head: DumpHead, height: int) -> int:
    """Where the bytes of a block begin in a plain dump of it."""
    start = len(MAGIC) + LENGTH_BYTES + len(pack(DUMP_HEAD.encode(head)))
    return start + sum(LENGTH_BYTES + len(raw) for raw in raws[:height]) + LENGTH_BYTES


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x20
    path.write_bytes(data)


@pytest.mark.parametrize("height", [1, 5, 20])
def test_one_flipped_byte_in_a_block_is_found_at_its_height(
    tmp_path: Path, head: DumpHead, raws: list[bytes], height: int
) -> None:
    for place in (0, 10, 50, 120, 250, len(raws[height]) - 2):
        path = tmp_path / "chain.dump"
        write_dump(path, head, raws)
        flip(path, place_of(raws, head, height) + place)
        report = audit_dump(path)
        (finding,) = report.findings
        assert (finding.code, finding.height) == (BAD_BLOCK.name, height), place
        assert report.blocks == height - 1


def test_one_flipped_byte_elsewhere_is_found(tmp_path: Path, head: DumpHead, raws: list[bytes]) -> None:
    path = tmp_path / "chain.dump"
    write_dump(path, head, raws)
    flip(path, place_of(raws, head, 0) + 40)
    (finding,) = audit_dump(path).findings
    assert finding.code == OTHER_GENESIS.name
    write_dump(path, head, raws)
    flip(path, place_of(raws, head, 3) - LENGTH_BYTES)
    (finding,) = audit_dump(path).findings
    assert finding.code == DUMP_DAMAGED.name
    write_dump(path.with_suffix(".xz"), head, raws)
    flip(path.with_suffix(".xz"), 10_000)
    (finding,) = audit_dump(path.with_suffix(".xz")).findings
    assert finding.code in (DUMP_DAMAGED.name, BAD_BLOCK.name)


def test_a_head_that_does_not_fit_its_blocks_is_found(tmp_path: Path, head: DumpHead, raws: list[bytes]) -> None:
    path = tmp_path / "chain.dump"
    write_dump(path, head, [*raws, b"more"])
    (finding,) = audit_dump(path).findings
    assert finding.code == DUMP_DAMAGED.name
    assert "something follows" in finding.text
    wrong = DumpHead(head.chain_id, head.params, Height(head.height - 1), head.tip)
    write_dump(path, wrong, raws[:-1])
    (finding,) = audit_dump(path).findings
    assert finding.code == WRONG_END.name
    (finding,) = audit_dump(path, sim_params(name="another")).findings
    assert finding.code == OTHER_GENESIS.name


def test_blocks_out_of_order_or_twice_are_found(tmp_path: Path, head: DumpHead, raws: list[bytes]) -> None:
    path = tmp_path / "chain.dump"
    for wrong in ([*raws[:4], raws[5], raws[4], *raws[6:]], [*raws[:4], raws[3], *raws[5:]]):
        write_dump(path, head, wrong)
        (finding,) = audit_dump(path).findings
        assert (finding.code, finding.height) == (BAD_BLOCK.name, 4)


@pytest.mark.parametrize(
    "data", [b"", b"{}", MAGIC, MAGIC + b"\x00\x00\x00\x05", MAGIC + b"\xff" * 40, b"\x1f\x8b junk"]
)
def test_what_is_no_dump_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with nothing_left_behind(), refused(NOT_A_DUMP, NodeError):
        audit_dump(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with refused(DUMP_FAILED, NodeError):
            audit_dump(path)
