"""Settings of a connection, bulk statements, and faults in words."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import DatabaseError, OperationalError

from node.store.engine import (
    STORE_CORRUPT,
    STORE_FAILED,
    STORE_FULL,
    STORE_IN_USE,
    STORE_READ_ONLY,
    Bulk,
    explain_fault,
    open_engine,
)

PAIRS = Table("pairs", MetaData(), Column("number", Integer, primary_key=True), Column("content", LargeBinary))


def test_the_writer_waits_for_the_disk_and_keeps_a_log(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'chain.sqlite'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL"
    engine.dispose()


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'chain.sqlite'}"
    writer = open_engine(url)
    with writer.begin() as connection:
        PAIRS.create(connection)
    reader = open_engine(url, read_only=True)
    with reader.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(insert(PAIRS), {"number": 1, "content": b""})
    writer.dispose()
    reader.dispose()


def test_bulk_statements_take_values_in_the_order_that_was_named() -> None:
    engine = open_engine("sqlite://")
    with engine.begin() as connection:
        PAIRS.create(connection)
        Bulk(connection, insert(PAIRS), ("content", "number")).run([(b"one", 1), (b"two", 2), (b"three", 3)])
        Bulk(connection, insert(PAIRS), ("number", "content")).run([(4, b"four")])
        change = update(PAIRS).where(PAIRS.c.number == bindparam("at")).values(content=bindparam("new"))
        Bulk(connection, change, ("at", "new")).run([(1, b"ONE"), (9, b"nowhere")])
        Bulk(connection, delete(PAIRS).where(PAIRS.c.number == bindparam("at")), ("at",)).run([(3,)])
        Bulk(connection, insert(PAIRS), ("number", "content")).run([])
        rows = connection.execute(select(PAIRS).order_by(PAIRS.c.number)).all()
    assert [tuple(row) for row in rows] == [(1, b"ONE"), (2, b"two"), (4, b"four")]
    engine.dispose()


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("database disk image is malformed", STORE_CORRUPT),
        ("file is not a database", STORE_CORRUPT),
        ("malformed database schema (active)", STORE_CORRUPT),
        ("database is locked", STORE_IN_USE),
        ("database table is locked", STORE_IN_USE),
        ("database or disk is full", STORE_FULL),
        ("could not extend file: No space left on device", STORE_FULL),
        ("disk I/O error", STORE_FAILED),
        ("attempt to write a readonly database", STORE_READ_ONLY),
        ("UNIQUE constraint failed: history.subject", STORE_FAILED),
        ("table active already exists", STORE_CORRUPT),
    ],
)
def test_faults_are_put_into_words(reason: str, code: object) -> None:
    fault = explain_fault(DatabaseError("statement", {}, sqlite3.DatabaseError(reason)), "chain.sqlite")
    assert fault.code is code
    assert "?" not in str(fault)
    assert fault.advice
