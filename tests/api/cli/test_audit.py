"""`fansumer audit`, `chain dump` and the exports, as typed, with right and wrong things named."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.cli import session
from api.reporting.receipts_folder import ALL, write_folder
from api.wallet.client import UNREACHABLE, Client
from api.wallet.errors import Unreachable
from ledger.address import encode_address
from ledger.params import params_to_mapping
from ledger.proofs import ShownRecord, check_proof, read_proof
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import buy, enrol, open_shop
from tests.support.market import Market
from tests.support.memory_chain import sim_params
from tests.support.wallet_node import WalletNode, open_wallet_node

URL = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """A node with a shop that settled two purchases, a day ago."""
    with open_wallet_node(tmp_path_factory.mktemp("market") / "node") as node:
        found = Market(node)
        found.enrol()
        folder = node.chain.node.config.data_dir
        receipts = [found.buy(4_000), found.buy(2_500)]
        openings = found.settle(folder / "book.json", *receipts)
        write_folder(folder / "export", node.chain.chain_id, found.program, ALL, receipts, openings)
        (folder / "params.json").write_text(json.dumps(params_to_mapping(node.chain.params)))
        node.chain.advance(days=2, blocks=3)
        yield found


@pytest.fixture
def folder(market: Market) -> Path:
    return market.node.chain.node.config.data_dir


@pytest.fixture(autouse=True)
def reach(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every URL is the market's node, but for one that nobody listens at."""

    @contextmanager
    def connect(url: str) -> Iterator[Client]:
        if url == URL:
            raise Unreachable.of_code(UNREACHABLE, url=url, reason="a test")
        yield market.node.client

    monkeypatch.setattr(session, "connect", connect)


@pytest.fixture
def dump(folder: Path, tmp_path: Path, terminal: Terminal) -> Path:
    terminal.run("chain", "dump", tmp_path / "chain.dump", folder)
    return tmp_path / "chain.dump"


def test_every_source_gives_the_same_figures(terminal: Terminal, folder: Path, dump: Path) -> None:
    changing = {"source", "seconds", "taken_for_granted", "database"}
    reports = []
    for source in ((folder,), ("--data-dir", folder), (dump,), ("http://node",)):
        report = terminal.read("audit", "verify", *source)
        assert report["good"] is True and report["findings"] == []
        reports.append({name: value for name, value in report.items() if name not in changing})
    url = f"sqlite:///{folder / 'chain.sqlite'}"
    database = terminal.read("audit", "verify", "--database", url, "--params", folder / "params.json")
    reports.append({name: value for name, value in database.items() if name not in changing})
    assert all(report == reports[0] for report in reports)
    (program,) = reports[0]["programs"].values()
    assert program["liability"] == program["totals"]["available"] == 650
    assert sum(line["total"] for line in program["by_expiry"]) == 650


def test_a_dump_of_a_node_is_the_dump_of_its_store(terminal: Terminal, dump: Path, tmp_path: Path) -> None:
    answer = terminal.read("chain", "dump", tmp_path / "again.dump", "http://node")
    assert (tmp_path / "again.dump").read_bytes() == dump.read_bytes()
    assert answer["bytes"] == dump.stat().st_size
    for name in ("small.dump.gz", "small.dump.xz"):
        terminal.run("chain", "dump", tmp_path / name, dump)
        assert terminal.read("audit", "verify", tmp_path / name)["good"] is True


def test_what_vouches_for_the_params_is_said(terminal: Terminal, market: Market, dump: Path, folder: Path) -> None:
    chain_id = market.node.chain.chain_id.hex()
    assert "compare it" in terminal.read("audit", "verify", dump)["taken_for_granted"]
    for options in (("--chain-id", chain_id), ("--params", folder / "params.json")):
        assert terminal.read("audit", "verify", dump, *options)["taken_for_granted"] == "nothing but the chain id"
    error = terminal.fail("audit", "verify", dump, "--chain-id", "5f" * 32, expect=2)
    assert "audit.other_chain" in error
    assert "cli.bad_id" in terminal.fail("audit", "verify", dump, "--chain-id", "5f", expect=2)
    wrong = terminal.run("audit", "verify", dump, "--network", "sim", expect=1)
    assert "audit.genesis" in wrong


def test_lines_and_the_page(terminal: Terminal, dump: Path, tmp_path: Path) -> None:
    text = terminal.run("audit", "verify", dump, "--html", tmp_path / "new" / "report.html")
    assert text.splitlines()[-1].startswith("everything verified in ")
    assert "coin emitted" in text and "owes 650 points" in text
    page = (tmp_path / "new" / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>") and "Everything verified." in page


def test_a_page_without_matplotlib_is_refused_before_anything_is_replayed(
    terminal: Terminal, dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    error = terminal.fail("audit", "verify", dump, "--html", tmp_path / "report.html", expect=2)
    assert "report.no_plots" in error and "fansumer[report]" in error
    assert not (tmp_path / "report.html").exists()


def test_findings_end_with_one(terminal: Terminal, dump: Path) -> None:
    data = bytearray(dump.read_bytes())
    data[-500] ^= 1
    dump.write_bytes(data)
    report = json.loads(terminal.run("audit", "verify", dump, "--json", expect=1))
    (finding,) = report["findings"]
    assert finding["code"] == "audit.block" and f"block {finding['height']} does not verify" in finding["text"]
    assert report["blocks"] == finding["height"] - 1
    assert "WRONG audit.block" in terminal.run("audit", "verify", dump, expect=1)
    dump.write_bytes(data[:-200])
    assert "WRONG" in terminal.run("audit", "verify", dump, expect=1)


def test_what_can_not_be_read_ends_with_two(terminal: Terminal, folder: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"no dump")
    (tmp_path / "empty").mkdir()
    for source, code in (
        ((junk,), "dump.not_a_dump"),
        ((tmp_path / "nothing",), "audit.bad_source"),
        ((tmp_path / "empty",), "audit.no_store"),
        ((), "audit.no_store"),
        (("--database-url", "nonsense"), "store.url"),
        (("--database-url", "moon://x/y"), "store.url"),
        (("--database-url", f"sqlite:///{tmp_path / 'nothing.sqlite'}"), "audit.no_store"),
        ((URL,), "client.unreachable"),
    ):
        assert code in terminal.fail("audit", "verify", *source, expect=2), code
    assert not (tmp_path / "nothing.sqlite").exists()
    assert "name the source once" in terminal.fail("audit", "verify", junk, "--data-dir", folder, expect=2)
    assert "is no network" in terminal.fail("audit", "verify", folder / "export", "--network", "moon", expect=2)


def test_liability_with_proofs(terminal: Terminal, market: Market, folder: Path, dump: Path, tmp_path: Path) -> None:
    program = market.program.hex()
    for source in (folder, dump, "http://node"):
        shown = terminal.read("audit", "liability", source, "--at", "2026-01-01", "--proofs", tmp_path / "proofs")
        found = shown["programs"][program]
        totals = dict(found["totals"])
        assert totals.pop("issued") + totals.pop("restored") == sum(totals.values()) == 650
        assert found["day"]["date"] == "2026-01-01" and found["day_is_over"] is True
        file = Path(found["proofs"]["books"])
        proved = check_proof(read_proof(file.read_bytes()), market.node.chain.chain_id)
        assert isinstance(proved.shown[0], ShownRecord) and proved.shown[0].record.issued == 650
        assert proved.anchor_height == found["height"]
        assert "650" in terminal.run("proof", "check", file)
    text = terminal.run("audit", "liability", dump, "--at", "2026-01-01", "--program", program)
    assert "= pending" in text and "+ reversed" in text and "owed       650 points" in text
    assert "SO FAR" in terminal.run("audit", "liability", dump, "--at", "2026-01-02")


def test_liability_of_wrong_dates_and_programs(terminal: Terminal, dump: Path) -> None:
    for at, more, code in (
        ("2025-12-31", (), "audit.before_genesis"),
        ("2031-01-01", (), "audit.in_future"),
        ("2026-01-01", ("--program", "5f" * 32), "audit.no_program"),
        ("2026-01-01", ("--program", "5f"), "cli.bad_id"),
        ("tomorrow", (), "does not match"),
        ("2026-02-30", (), "does not match"),
    ):
        assert code in terminal.fail("audit", "liability", dump, "--at", at, *more, expect=2), code


def test_receipts_of_a_brand_and_of_a_fan(terminal: Terminal, market: Market, folder: Path, dump: Path) -> None:
    export = folder / "export"
    shown = terminal.read("audit", "receipts", export, folder)
    assert shown["good"] is True and shown["covers"] == "all" and shown["unknown"] == []
    assert shown["receipts"] == {"count": 2, "points": 650, "members": 1, "settled": 2, "not_yet_due": 0}
    (entry,) = shown["checked"]
    assert entry["points"] == entry["sum"] == 650 and entry["good"] is True
    assert entry["member"] == encode_address(market.node.chain.params.address_prefix, market.member)
    assert "nothing is wrong" in terminal.run("audit", "receipts", export, dump)
    assert "is a part" in terminal.run("audit", "receipts", export, "http://node", "--part")


def test_receipts_with_something_wrong(terminal: Terminal, folder: Path, dump: Path, tmp_path: Path) -> None:
    copy = tmp_path / "export"
    shutil.copytree(folder / "export", copy)
    first = min((copy / "receipts").iterdir())
    first.unlink()
    text = terminal.run("audit", "receipts", copy, dump, expect=1)
    assert "WRONG receipts.no_receipt" in text
    assert "UNKNOWN 1 receipts" in terminal.run("audit", "receipts", copy, dump, "--part")
    (copy / "receipts" / "x.bin").write_bytes(b"x")
    (copy / "notes.txt").write_text("x")
    text = terminal.run("audit", "receipts", copy, dump, "--part", expect=1)
    assert "WRONG receipts.unreadable" in text and "UNKNOWN 1 files" in text
    (tmp_path / "empty").mkdir()
    for wrong, more, code in (
        (tmp_path / "empty", (), "receipts.bad_folder"),
        (tmp_path / "nothing", (), "receipts.bad_folder"),
        (folder / "export", ("--program", "5f" * 32), "audit.program_unknown"),
        (folder / "export", ("--chain-id", "5f" * 32), "audit.other_chain"),
    ):
        assert code in terminal.fail("audit", "receipts", wrong, dump, *more, expect=2), code
    params = tmp_path / "params.json"
    params.write_text(json.dumps(params_to_mapping(sim_params(name="another"))))
    assert "audit.other_chain" in terminal.fail(
        "audit", "receipts", folder / "export", dump, "--params", params, expect=2
    )


def test_a_brand_exports_what_its_commands_left(
    node: WalletNode, terminal_of: Callable[[str], Terminal], tmp_path: Path
) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    buy(till, program, member, 4_260, node)
    buy(till, program, member, 1_000, node)
    receipts = till.home / "receipts"
    till.run("brand", "settle", program, receipts)
    export = ("brand", "export-receipts", program, tmp_path / "export", "--receipts", receipts)
    written = till.read(*export)
    assert (written["receipts"], written["openings"], written["covers"]) == (2, 1, "all")
    assert "receipts.bad_folder" in till.fail(*export)
    (tmp_path / "params.json").write_text(json.dumps(params_to_mapping(node.chain.params)))
    options = ("--data-dir", tmp_path / "node", "--params", tmp_path / "params.json")
    shown = till.read("audit", "receipts", tmp_path / "export", *options)
    assert shown["good"] is True and shown["entries"]["good"] == 1
    (fan.home / "mine").mkdir()
    (fan.home / "mine" / "receipt.bin").write_bytes(min(receipts.iterdir()).read_bytes())
    shown = fan.read("audit", "receipts", fan.home / "mine", *options)
    assert shown["good"] is True and {found["what"] for found in shown["unknown"]} == {"entries"}
