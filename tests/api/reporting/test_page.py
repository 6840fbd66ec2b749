"""The report as a page: whole, readable without a network, a script or eyes, and what it says where something is wrong."""

import re
import sys
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from api.reporting.lines import report_lines
from api.reporting.mapping import describe_shares, map_report
from api.reporting.page import render_page
from api.reporting.plots import NO_MATPLOTLIB, ReportFault, check_plots, draw_bars, draw_series
from node.audit import audit_store
from tests.node.lives import live
from tests.node.stored_chain import StoredChain, StoredShop
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused

VOID = {"meta", "img", "br", "link"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lived")
    shop = StoredShop(folder / "chain.sqlite")
    live(shop)
    shop.close()
    return map_report(audit_store(folder, shop.chain.params), source="<a store>", chain_is_known=True)


class Checker(HTMLParser):
    """Every tag that opens closes; collects images, tables and headings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert "script" not in checker.tags and "link" not in checker.tags and "iframe" not in checker.tags
    assert not re.search(r"(src|href)=.(?!data:)", page), "something is fetched from elsewhere"
    return checker


def test_the_page_is_whole_and_accessible(shown: dict[str, Any]) -> None:
    page = render_page(shown)
    checker = check(page)
    assert '<html lang="en">' in page and "<title>Audit of the chain test-sim</title>" in page
    assert "&lt;a store&gt;" in page and "<a store>" not in page
    assert len(checker.images) >= 5
    for image in checker.images:
        assert len(image["alt"] or "") > 30
        svg = b64decode((image["src"] or "").partition("base64,")[2])
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert b"<script" not in svg and b"<title>" in svg
    assert checker.tags.count("figcaption") == len(checker.images) == page.count('<span class="basis">')
    assert checker.tags.count("caption") == checker.tags.count("table")
    assert "Everything verified" in page
    for words in ("Corner Shop", "earn.no_member", "Lamp", ">done<", ">failed<", "one holder has all of it"):
        assert words in page


def test_the_same_audit_gives_the_same_page(shown: dict[str, Any]) -> None:
    assert render_page(shown) == render_page(shown)


def test_findings_come_first_and_names_can_not_break_the_page(shown: dict[str, Any]) -> None:
    finding = {"code": "audit.block", "text": "block 5 <b>does not</b> verify", "height": 5}
    programs = {
        key: {**found, "name": "</h3><script>alert(1)</script>$x_2$"} for key, found in shown["programs"].items()
    }
    by_expiry = [{"expires_on": "2027-01-01", "pending": 1, "available": 2, "held": 3, "escrowed": 4, "total": 10}]
    programs = {key: {**found, "by_expiry": by_expiry, "unit": "$\\frac"} for key, found in programs.items()}
    page = render_page({**shown, "good": False, "findings": [finding], "programs": programs})
    check(page)
    assert "Findings: 1." in page and "does not&lt;/b&gt;" in page
    assert page.index("Findings: 1.") < page.index("<h2>")
    assert any("WRONG" in line for line in report_lines({**shown, "good": False, "findings": [finding]}))


def test_a_chain_with_genesis_only_has_a_page(tmp_path: Path) -> None:
    params = sim_params()
    StoredChain(tmp_path / "chain.sqlite", params).close()
    found = map_report(audit_store(tmp_path, params), source="genesis", chain_is_known=False)
    check(render_page(found))
    assert "taken for granted: that" in "\n".join(report_lines(found))


def test_odd_figures_can_be_drawn() -> None:
    for svg in (
        draw_bars("Zero", ["nothing"], [0], "coin"),
        draw_bars("Huge", ["x" * 90, "y"], [2**63 - 1, 1], "coin"),
        draw_bars("Names", ["$\\frac$", "日本 🎸", "<b>&", ""], [1, 2, 3, 4], "$\\frac$ 日本"),
        draw_series("One", [1_700_000_000], [5], "hashes"),
        draw_series("Steep", [1_700_000_000, 1_700_000_600], [1, 2**70], "hashes"),
    ):
        ElementTree.fromstring(svg)


def test_shares_in_words() -> None:
    shares = {"holders": 20, "total": 100, "largest": 30, "ten_largest": 90, "majority": 3}
    assert (
        describe_shares(shares)
        == "20 holders; the largest has 30 %, the ten largest 90 %; 3 of them have more than half"
    )
    assert describe_shares({**shares, "holders": 0}) == "nobody holds any"


def test_without_matplotlib_it_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # what Python itself takes for "not installed"
    with refused(NO_MATPLOTLIB, ReportFault):
        check_plots()
    assert "fansumer[report]" in NO_MATPLOTLIB.advice
