"""Settings of a node: where they are from, which goes before which, and what is said of a wrong one."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from api.cli import up
from api.cli.node_settings import CHECKS, example, unknown_variables
from api.cli.settings_table import BY_NAME, SETTINGS
from ledger.finality.votes import Checkpoint
from ledger.types import BlockHash, Height
from node.p2p.address import PeerName
from tests.api.cli.conftest import Terminal


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[up.UpOptions]:
    seen: list[up.UpOptions] = []
    for name in ("run_up", "run_demo"):
        monkeypatch.setattr(up, name, lambda options, console: seen.append(options))
    return seen


def write(folder: Path, text: str, name: str = "node.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def in_force(terminal: Terminal, *arguments: object) -> dict[str, tuple[Any, str]]:
    found = terminal.read("node", "settings", *arguments)
    return {row["setting"]: (row["value"], row["from"]) for row in found["settings"]}


def test_the_command_line_goes_before_the_environment_before_the_file(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(terminal.home / "dev", 'port = 1\nworkers = 2\nhost = "::1"\npeer = ["a:1", "[::1]:2"]\n')
    monkeypatch.setenv("FANSUMER_WORKERS", "3")
    monkeypatch.setenv("FANSUMER_HOST", "0.0.0.0")
    monkeypatch.setenv("FANSUMER_LISTEN", "")
    found = in_force(terminal, "--host", "127.0.0.2")
    assert found["port"] == (1, str(file))
    assert found["peer"] == (["a:1", "[::1]:2"], str(file))
    assert found["workers"] == (3, "FANSUMER_WORKERS in the environment")
    assert found["host"] == ("127.0.0.2", "the command line")
    assert found["listen"] == (None, "default"), "an empty variable is none"
    assert found["data_dir"][0] == str(terminal.home / "dev")


def test_every_setting_reaches_the_node_from_each_place(terminal: Terminal, started: list[up.UpOptions]) -> None:
    values = {
        "network": "sim",
        "host": "127.0.0.9",
        "port": 0,
        "public_url": ["https://node.example/"],
        "workers": 0,
        "stratum": "127.0.0.1:3333",
        "listen": "0.0.0.0:0",
        "peer": ["wss://" + "ab" * 32 + "@node.example:1", "b"],
        "tls_certificate": "node.crt",
        "tls_key": "node.pem",
        "dialled_max": 3,
        "taken_max": 5,
        "taken_per_host_max": 2,
        "network_memory": 100,
        "minimum_work": "0xff",
        "sync": "snapshot",
        "prune": 300,
        "trust": f"40:{'5f' * 32}",
        "mempool_weight": 2_000_000,
        "mempool_author_max": 7,
        "read_rate": "5/second",
        "write_rate": "6/second",
        "rent_price": 4_200,
        "log_level": "debug",
        "models": "shop.models",
        "webhook_host": ["127.0.0.1:9000", "[::1]:80"],
        "database": "postgresql://somebody:secret@localhost/ledger",
        "data_dir": "chain",
    }
    assert set(values) == set(BY_NAME) - {"params", "payout"}
    file = write(terminal.home, "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()), "my.toml")
    terminal.run("node", "run", "--config", file)
    typed: list[object] = []
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            typed += [BY_NAME[name].option, terminal.home / str(item) if BY_NAME[name].kind is Path else item]
    terminal.run("node", "run", *typed)
    one, two = started
    assert one == two
    assert (one.data_dir, one.network, one.port, one.log_level) == (terminal.home / "chain", "sim", 0, "debug")
    assert (one.origins, one.stratum, one.rates) == (
        ("https://node.example",),
        ("127.0.0.1", 3333),
        ("5/second", "6/second"),
    )
    assert one.rent_price_cents == 4_200
    assert (one.mempool_limits.weight_max, one.mempool_limits.author_count_max) == (2_000_000, 7)
    network = one.network_settings
    assert network is not None and network.listen == ("0.0.0.0", 0)
    assert network.named == (PeerName("node.example", 1, True, b"\xab" * 32), PeerName("b", 8_790))
    assert network.tls == (terminal.home / "node.crt", terminal.home / "node.pem"), "beside the file that names them"
    assert (network.limits.dialled_max, network.limits.taken_max, network.limits.taken_per_host_max) == (3, 5, 2)
    assert (network.minimum_work, network.memory_bytes) == (255, 100 * 2**20)
    assert network.begins_with_snapshot and one.keep_blocks == 300
    assert one.trusted == Checkpoint(Height(40), BlockHash(b"\x5f" * 32))
    assert one.models == terminal.home / "shop.models"
    assert one.webhook_hosts == (("127.0.0.1", 9_000), ("::1", 80))
    assert "secret" not in repr(one)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("port = ", "settings.file", "node.toml"),
        ("port = 99999", "settings.value", "a whole number from 0 to 65535"),
        ("port = true", "settings.value", "of another kind"),
        ("rent_price = 0", "settings.value", "a whole number from 1 to 1000000000"),
        ("port = 80.0", "settings.value", "of another kind"),
        ('port = "many"', "settings.value", "port in "),
        ('network = "moon"', "settings.value", "one of main, test, dev, sim"),
        ("prot = 1", "settings.unknown", "was port meant?"),
        ('public-url = "https://a"', "settings.unknown", "was public_url meant?"),
        ("[node]\nport = 1", "settings.unknown", "the key node"),
        ('listen = "8790x:y"', "settings.value", "the port is not"),
        ('peer = ["a:0"]', "settings.value", "1 to 65535"),
        ('peer = ["abc@a:1"]', "settings.value", "64 hex digits"),
        ('peer = ["http://a:1"]', "settings.value", "peer in "),
        ("peer = 5", "settings.value", "a list of"),
        ('public_url = ["https://a/path"]', "settings.value", "without a path"),
        ('minimum_work = "many"', "settings.value", "hexadecimal"),
        ('sync = "half"', "settings.value", "one of full, snapshot"),
        ('sync = "snapshot"', "settings.alone", "no other node"),
        ("prune = 287", "settings.value", "288"),
        ('trust = "40:5f"', "settings.value", "64 hex digits"),
        (f'trust = "{2**32}:{"5f" * 32}"', "settings.value", "64 hex digits"),
        ('read_rate = "fast"', "settings.value", "6000/minute"),
        ('tls_key = "x"', "settings.tls", "tls_key is named without tls_certificate"),
        ('data_dir = "x"', "settings.data_dir", "can't name data_dir"),
        ("network_memory = 1", "settings.value", "96"),
        ('stratum = "::1:1"', "settings.value", "no HOST:PORT"),
        ('host = ""', "settings.value", "host in "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_file_and_key(
    terminal: Terminal, text: str, code: str, words: str
) -> None:
    file = write(terminal.home / "dev", text)
    said = terminal.fail("node", "run", expect=2)
    assert f"code: {code}" in said and words in said, said
    assert str(file) in said or code in ("settings.tls", "settings.alone")
    assert not (terminal.home / "dev" / "chain.sqlite").exists()


def test_a_wrong_variable_is_told_as_such(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANSUMER_PORT", "eight")
    assert "port in FANSUMER_PORT in the environment is 'eight'" in terminal.fail("node", "run", expect=2)
    monkeypatch.delenv("FANSUMER_PORT")
    monkeypatch.setenv("FANSUMER_DATABASE", "")
    monkeypatch.setenv("FANSUMER_PROT", "1")
    assert "FANSUMER_PROT in the environment is no setting" in terminal.hear("node", "settings")
    assert unknown_variables({"FANSUMER_HOME": "x", "FANSUMER_TEST_SEED": "1", "OTHER": "", "FANSUMER_X": "1"}) == [
        "FANSUMER_X"
    ]


def test_a_secret_is_not_shown(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANSUMER_DATABASE", "postgresql://a:hunter2@b/c")
    shown = terminal.run("node", "settings")
    assert "hunter2" not in shown and "FANSUMER_DATABASE in the environment" in shown


def test_a_file_that_is_not_there(terminal: Terminal) -> None:
    assert "there is no such file" in terminal.fail("node", "settings", "--config", terminal.home / "no.toml", expect=2)


def test_the_example_names_every_setting_and_is_a_file_that_works(terminal: Terminal) -> None:
    text = terminal.run("node", "settings", "--example")
    assert text.strip() == example().strip()
    live = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(live)) == set(BY_NAME) - {"data_dir"}
    file = write(terminal.home, live, "example.toml")
    assert set(in_force(terminal, "--config", file)) == set(BY_NAME)
    assert set(CHECKS) <= set(BY_NAME)


def test_the_demo_keeps_to_its_own_chain(
    terminal: Terminal, started: list[up.UpOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANSUMER_DATABASE", "postgresql://a@b/c")
    monkeypatch.setenv("FANSUMER_NETWORK", "main")
    monkeypatch.setenv("FANSUMER_PORT", "1234")
    terminal.run("up", "--demo")
    (options,) = started
    assert (options.database_url, options.network, options.port) == (None, "dev", 1234)
    assert options.data_dir == terminal.home / "demo"
    assert "leave --database out" in terminal.fail("up", "--demo", "--database", "postgresql://a@b/c", expect=2)
