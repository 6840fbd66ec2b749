"""The spec and the code cite each other: tables are current, every anchor that is cited is defined once, every kind has one."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ledger.kinds import DueKind, Kind
from ledger.registry import DUE_KINDS, KINDS

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "ledger" / "spec"

DEFINITION = re.compile(r"^#{2,} ([A-Z]+-\d+)\b", re.MULTILINE)
CITATION = re.compile(r"\b([A-Z]{2,}-\d+)\b")
LINK = re.compile(r"\]\(([a-z_]+\.md)\)")

# Names of other people's documents that look like anchors.
NOT_ANCHORS = {"BIP", "BIPS", "CVE", "RFC", "SHA", "UTF", "SLIP", "FIPS", "ISO", "ERC", "PEP"}


def pages() -> dict[str, str]:
    """Every page of the spec by its file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(SPEC.glob("*.md"))}


def definitions() -> Counter[str]:
    """How often each anchor is the beginning of a heading."""
    return Counter(anchor for text in pages().values() for anchor in DEFINITION.findall(text))


def cited_in(text: str) -> set[str]:
    """The anchors of ours that a text names."""
    return {anchor for anchor in CITATION.findall(text) if anchor.partition("-")[0] not in NOT_ANCHORS}


def test_the_generated_tables_are_current() -> None:
    # In a process of its own: other tests may have registered kinds, events or codes of their own in this one.
    command = [sys.executable, str(ROOT / "scripts" / "spec_tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_anchor_is_defined_once() -> None:
    counted = definitions()
    assert len(counted) >= 80
    assert not [anchor for anchor, count in counted.items() if count != 1]


def test_every_anchor_that_the_code_cites_is_defined() -> None:
    defined, files = set(definitions()), sorted((ROOT / "ledger").rglob("*.py"))
    assert len(files) >= 50
    missing = {
        f"{path.relative_to(ROOT)}: {anchor}"
        for path in files
        for anchor in cited_in(path.read_text(encoding="utf-8")) - defined
    }
    assert not missing


def test_every_anchor_that_the_spec_cites_is_defined() -> None:
    defined = set(definitions())
    assert not {f"{name}: {anchor}" for name, text in pages().items() for anchor in cited_in(text) - defined}


@pytest.mark.parametrize("kind", [*KINDS.values(), *DUE_KINDS.values()], ids=lambda kind: kind.name)
def test_every_kind_is_named_under_its_anchor(kind: Kind[object] | DueKind) -> None:
    sections = [
        text[found.start() :].partition("\n## ")[0]
        for text in pages().values()
        for found in DEFINITION.finditer(text)
        if found.group(1) == kind.anchor
    ]
    assert len(sections) == 1
    assert kind.name in sections[0]


def test_every_page_is_in_the_index() -> None:
    listed = set(LINK.findall(pages()["README.md"]))
    assert listed == set(pages()) - {"README.md"}
