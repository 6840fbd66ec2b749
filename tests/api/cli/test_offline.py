"""Commands that need neither wallet nor node: terms, params, receipts, proofs."""

import json
from pathlib import Path

import pytest

from api.wallet.program_file import EXAMPLE
from api.wallet.sealing import opening_to_mapping, seal_entry
from ledger.domains.loyalty.receipts import encode_receipt, receipt_hash
from ledger.networks import NETWORKS
from ledger.params import params_from_mapping
from tests.api.cli.conftest import Terminal
from tests.api.wallet.test_receipts import CHAIN, make_receipt

pytestmark = pytest.mark.usefixtures("no_node")


def test_example_terms_are_printed_as_they_are(terminal: Terminal) -> None:
    assert terminal.run("brand", "example-terms") == EXAMPLE


@pytest.mark.parametrize("network", ["main", "test", "dev", "sim"])
def test_params_can_be_read_back(terminal: Terminal, network: str) -> None:
    shown = json.loads(terminal.run("chain", "params", "--network", network))
    assert params_from_mapping(shown) == NETWORKS[network]


def test_unknown_network_is_bad_usage(terminal: Terminal) -> None:
    assert "main, test, dev, sim" in terminal.fail("chain", "params", "--network", "moon", expect=2)


def test_terms_are_checked_before_a_node_is_asked(terminal: Terminal) -> None:
    terminal.restore("owner")
    file = terminal.home / "terms.toml"
    file.write_text(EXAMPLE.replace("notice_days", "notice_weeks"))
    error = terminal.fail("brand", "create-program", file)
    assert "terms.bad_file" in error and "example-terms" in error
    assert "is no scope" in terminal.fail("brand", "grant-issuer", "5f" * 32, "x", "--scopes", "till,king", expect=2)
    assert "--daily-cap" in terminal.fail("brand", "grant-issuer", "5f" * 32, "x", "--scopes", "till,settle", expect=2)


def test_tiers_and_deadlines_are_checked_before_a_node_is_asked(terminal: Terminal) -> None:
    terminal.restore("owner")
    make = ("creator", "create-campaign", "A game", "--goal", 5, "--deadline", "2030-01-01")
    for tier in ("Early", "5:Early", "x:5:Early", "5:5:", f"{2**70}:1:Early", f"1:{2**31}:Early"):
        assert "tier" in terminal.fail(*make, "--tier", tier, expect=2)
    assert "deadline" in terminal.fail(*make[:-1], "soon", expect=2)


def test_receipt_is_checked_offline(terminal: Terminal, tmp_path: Path) -> None:
    signed = make_receipt()
    receipt, opening_file = tmp_path / "receipt.bin", tmp_path / "opening.json"
    receipt.write_bytes(encode_receipt(signed))
    item = (receipt_hash(signed.receipt, signed.salt), signed.receipt.points)
    _, opening = seal_entry(signed.receipt.member, 7, [item])
    opening_file.write_text(json.dumps(opening_to_mapping(opening)))
    check = ("wallet", "receipts", "check", receipt, "--chain-id", CHAIN.hex())
    assert terminal.read(*check)["points"] == 199
    shown = terminal.run(*check, "--opening", opening_file)
    assert "settled_in_period" in shown
    assert "receipt.not_signed" in terminal.fail("wallet", "receipts", "check", receipt, "--chain-id", "0d" * 32)
    assert "receipt.wrong_time" in terminal.fail(*check, "--fresh")
    receipt.write_bytes(encode_receipt(signed)[:-1])
    error = terminal.fail(*check)
    assert f"{receipt} is no receipt" in error and "codec.truncated" in error and "cli.bad_file" in error


def test_bytes_that_are_no_proof_are_refused(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "proof"
    for data in (b"", b"\xc0", b"\x93\x01\x02\x03", bytes(100)):
        file.write_bytes(data)
        error = terminal.fail("proof", "check", file)
        assert "what to do:" in error
    assert "cli.file_failed" in terminal.fail("proof", "check", tmp_path / "none", expect=2)
    assert "cli.bad_id" in terminal.fail("proof", "check", file, "--chain-id", "0", expect=2)


def test_audit_without_a_store_could_not_read(terminal: Terminal, tmp_path: Path) -> None:
    error = terminal.fail("audit", "verify", "--data-dir", tmp_path, expect=2)
    assert "audit.no_store" in error


def test_bad_params_files_are_named(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    for text in ("", "[]", "{}"):
        file.write_text(text)
        assert "params.file" in terminal.fail("audit", "verify", "--params", file, "--data-dir", tmp_path, expect=2)
