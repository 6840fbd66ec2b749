"""A page of the database that came back wrong: the store is called corrupt, is left alone, and no block is condemned for it."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import BlockViolation, Code
from node.chain import UNKNOWN_PARENT
from node.errors import NodeError
from node.node import Node
from node.store.blocks import BlockStore
from node.store.engine import OTHER_CHAIN, STORE_CORRUPT
from node.store.migrate import STORE_NEWER
from tests.support.crash.life import STORE_FILE, Life, digest_of, open_node, take
from tests.support.refusal import refused

PAGE = 4_096
START = 50
"""Blocks in the store that is damaged; what follows reorganises twice."""

PAGES = 12
REFUSALS = (STORE_CORRUPT, OTHER_CHAIN, STORE_NEWER)
"""Bits that fall into the chain's id or the schema's version make it another one."""

Spoil = Callable[[bytearray, int, random.Random], None]


def garbage(content: bytearray, page: int, draw: random.Random) -> None:
    content[page * PAGE : (page + 1) * PAGE] = draw.randbytes(PAGE)


def zeros(content: bytearray, page: int, draw: random.Random) -> None:
    content[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def half_a_page(content: bytearray, page: int, draw: random.Random) -> None:
    content[page * PAGE + PAGE // 2 : (page + 1) * PAGE] = bytes(PAGE // 2)


def twenty_bits(content: bytearray, page: int, draw: random.Random) -> None:
    for _ in range(20):
        content[page * PAGE + draw.randrange(PAGE)] ^= 1 << draw.randrange(8)


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory, life: Life) -> Path:
    """A closed store after `START` blocks."""
    folder = tmp_path_factory.mktemp("early") / "data"
    node = open_node(folder)
    for block in life.blocks[:START]:
        take(node, block)
    node.close()
    return folder


def condemned(path: Path) -> list[bytes]:
    """The blocks that a store holds for bad; none if that can't be read."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            return [row[0] for row in connection.execute("SELECT hash FROM headers WHERE invalid_code IS NOT NULL")]
        except sqlite3.DatabaseError:
            return []


def open_or_refuse(folder: Path) -> tuple[Node | None, Code | None]:
    """The node, or why there is none."""
    try:
        return open_node(folder), None
    except NodeError as fault:
        return None, fault.code


def go_on(node: Node, life: Life) -> str | None:
    """Take in what is left; the code of what the store says against it."""
    try:
        for block in life.blocks[START:]:
            take(node, block)
    except NodeError as fault:
        return fault.code.name
    except BlockViolation as fault:
        if fault.code is not UNKNOWN_PARENT:  # says nothing against the block
            raise
    return None


@pytest.mark.parametrize("spoil", [garbage, zeros, half_a_page, twenty_bits], ids=lambda spoil: spoil.__name__)
def test_any_page_may_be_damaged(early: Path, life: Life, tmp_path: Path, spoil: Spoil) -> None:
    """What is seen on opening leaves the file as it is; what shows later stops the node before it blames a block."""
    whole = (early / STORE_FILE).read_bytes()
    seed = random.randrange(2**32)
    (bad,) = condemned(early / STORE_FILE)
    seen: set[str | None] = set()
    for page in random.Random(seed).sample(range(len(whole) // PAGE), PAGES):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(early, copy)
        path, content = copy / STORE_FILE, bytearray(whole)
        spoil(content, page, random.Random(seed + page))
        path.write_bytes(content)
        node, refusal = open_or_refuse(copy)
        if node is None:
            assert refusal in REFUSALS, f"seed {seed}, page {page}: {refusal}"
            assert path.read_bytes() == content, "a store that is refused is left as it is"
            seen.add("refused")
            continue
        code = go_on(node, life)
        node.close()
        assert code in (None, STORE_CORRUPT.name), f"seed {seed}, page {page}"
        assert set(condemned(path)) <= {bad}, f"seed {seed}, page {page}"
        seen.add(code)
    assert "refused" in seen


def test_a_scan_that_finds_no_header_is_damage(early: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last block is found by an index, and what lies before it is not: half a page of headers was lost."""
    monkeypatch.setattr(BlockStore, "active_headers", lambda _: iter(()))
    with refused(STORE_CORRUPT, NodeError):
        open_node(early)


def test_a_record_that_its_index_lost_condemns_no_block(early: Path, life: Life, tmp_path: Path) -> None:
    """The account is there, but can't be found by its key: its transfers look unpaid for."""
    copy = tmp_path / "copy"
    shutil.copytree(early, copy)
    path = copy / STORE_FILE
    with closing(sqlite3.connect(path)) as connection:
        roots = dict(
            connection.execute("SELECT tbl_name, rootpage FROM sqlite_master WHERE name LIKE '%autoindex_records%'")
        )
    before, content = digest_of(copy), bytearray(path.read_bytes())
    at = (roots["records"] - 1) * PAGE
    content[at + 3 : at + 5] = bytes(2)  # the page says that it holds no cell
    path.write_bytes(content)
    with refused(STORE_CORRUPT, NodeError):
        node = open_node(copy)
        try:
            for block in life.blocks[START:]:
                take(node, block)
        finally:
            node.close()
    assert condemned(path) == condemned(early / STORE_FILE)
    assert digest_of(copy) == before


def test_a_store_and_the_log_of_another_moment(life: Life, early: Path, tmp_path: Path) -> None:
    """Files that were copied one after the other while the node ran: called corrupt, or as whole as one of the two."""
    other = tmp_path / "other"
    node = open_node(other)
    for block in life.blocks[:20]:
        take(node, block)
    log = (other / f"{STORE_FILE}-wal").read_bytes()
    node.close()
    copy = tmp_path / "copy"
    shutil.copytree(early, copy)
    (copy / f"{STORE_FILE}-wal").write_bytes(log)
    mixed, refusal = open_or_refuse(copy)
    if mixed is None:
        assert refusal is STORE_CORRUPT
        return
    found = life.blocks_of(digest_of(copy))
    mixed.close()
    assert found in (20, START)
