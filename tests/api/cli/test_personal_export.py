"""`fansumer personalize export` where it can't be: no node, other folders, zones without a name; and who may ask a node for it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cli import node_operator
from api.cli.personal_export import _name_offset
from api.http.purchase_desk import FANS_AT_ONCE_MAX, FANS_PER_PAGE, PURCHASE_ROUTES
from api.personalization import extra
from api.personalization.models import load_models
from node.cookie import read_cookie
from tests.api.cli.conftest import Terminal
from tests.support.personal_shop import PersonalShop, open_personal_shop
from tests.support.shop import FAN, FRIEND

Asks = Callable[..., Any]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PersonalShop]:
    found = open_personal_shop(tmp_path / "data")
    found.app.router.routes.extend(PURCHASE_ROUTES)
    monkeypatch.setattr(node_operator, "ask_node", asks(found))
    yield found
    found.close()
    found.shop.close()


def asks(desk: PersonalShop) -> Asks:
    def ask(_network: str, _folder: Path | None, method: str, path: str, body: Any = None) -> Any:
        credentials = read_cookie(desk.shop.node.config.data_dir)
        answer = desk.http.request(method, path, json=body, auth=credentials)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def export(terminal: Terminal, desk: PersonalShop, folder: Path, *options: object) -> dict[str, Any]:
    return terminal.read("personalize", "export", desk.shop.program.hex(), "--out", folder, *options)


def test_a_second_run_writes_what_changed_and_takes_out_who_left(terminal: Terminal, desk: PersonalShop) -> None:
    folder = terminal.home / "purchases"
    desk.feed()
    desk.allow("", fan=FAN)
    desk.allow("receipts/drinks", fan=FRIEND)
    desk.buy("bread", "coffee")
    desk.buy("bread", "coffee", fan=FRIEND)
    desk.buy("milk", fan=FRIEND)
    desk.pass_time(days=1)
    first = export(terminal, desk, folder)
    assert (first["fans"], first["purchases"], first["zone"], first["files_written"]) == (2, 2, "Etc/UTC", 2)
    assert export(terminal, desk, folder)["files_written"] == 0
    assert json.loads((folder / "export.json").read_text())["program"] == desk.shop.program.hex()
    models = terminal.home / "shop.models"
    trained = terminal.read("personalize", "train", "--data", folder, "--out", models)
    assert (trained["rows"], load_models(models).program) == (2, desk.shop.program.hex())
    desk.withdraw(fan=FAN)
    last = export(terminal, desk, folder)
    assert (last["fans"], last["files_unchanged"], last["files_deleted"]) == (1, 1, 1)
    assert len(list(folder.glob("*/*/*.parquet"))) == len(list(folder.glob("fans/*.parquet"))) == 1
    assert oct(next(folder.glob("fans/*")).stat().st_mode)[-3:] == "600", "for its owner alone"


def test_who_takes_it_back_while_it_runs_is_taken_out_at_its_end(
    terminal: Terminal, desk: PersonalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.allow("", fan=FAN)
    desk.buy("bread")
    desk.pass_time(days=1)
    plain = asks(desk)

    def ask(network: str, folder: Path | None, method: str, path: str, body: Any = None) -> Any:
        answer = plain(network, folder, method, path, body)
        if method == "POST":
            desk.withdraw(fan=FAN)
        return answer

    monkeypatch.setattr(node_operator, "ask_node", ask)
    folder = terminal.home / "purchases"
    assert export(terminal, desk, folder)["fans_gone_meanwhile"] == 1
    assert list(folder.glob("**/*.parquet")) == []


def test_wrong_folders_zones_and_programs_are_refused_before_a_fan_is_read(
    terminal: Terminal, desk: PersonalShop
) -> None:
    desk.allow("", fan=FAN)
    desk.buy("bread")
    program, folder = desk.shop.program.hex(), terminal.home / "purchases"
    command = ("personalize", "export", program, "--out")
    folder.mkdir(parents=True)
    (folder / "letter.txt").write_text("a letter")
    assert "holds other files" in terminal.fail(*command, folder)
    assert "is a file" in terminal.fail(*command, folder / "letter.txt")
    (folder / "letter.txt").unlink()
    assert "personalization.export_zone" in terminal.fail(*command, folder, "--zone", "Mars/Base")
    assert "cli.bad_id" in terminal.fail("personalize", "export", "5f", "--out", folder, expect=2)
    assert desk.seen("access-log")["items"] == []
    export(terminal, desk, folder, "--zone", "Europe/Berlin")
    document = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**document, "program": "00" * 32}))
    assert "the export of another program" in terminal.fail(*command, folder)
    (folder / "export.json").write_text("{")
    assert "personalization.file_damaged" in terminal.fail(*command, folder)


def test_without_a_node_or_the_extra_it_says_so(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("personalize", "export", "5f" * 32, "--out", terminal.home / "purchases", "--network", "sim")
    assert "operator.not_running" in terminal.fail(*command)
    monkeypatch.setattr(extra, "PACKAGES", {"no_such_module": "no-such-package"})
    assert "fansumer[personalization]" in terminal.fail(*command)
    assert not (terminal.home / "purchases").exists()


def test_a_run_that_was_cut_off_is_made_good(
    terminal: Terminal, desk: PersonalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.personalization import export as exporting

    folder = terminal.home / "purchases"
    desk.allow("", fan=FAN)
    desk.buy("bread")
    desk.pass_time(days=1)
    export(terminal, desk, folder)
    whole = {path: path.read_bytes() for path in folder.glob("**/*.parquet")}
    second = desk.buy("milk")
    desk.pass_time(days=1)

    def cut_off(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "find_basis", cut_off)
        failed = terminal.fail("personalize", "export", desk.shop.program.hex(), "--out", folder, expect=2)
        assert "no space left" in failed or "cannot be written" in failed
    (folder / "fans" / ".bucket-00.parquet.0123.tmp").write_bytes(b"half")
    desk.ask(f"/v1/receipts/{second.hex()}", method="DELETE")
    export(terminal, desk, folder)
    assert {path: path.read_bytes() for path in folder.glob("**/*.parquet")} == whole
    assert list(folder.glob("*/.*")) == []


def test_only_the_operator_may_ask_and_only_rightly(desk: PersonalShop) -> None:
    base = f"/operator/programs/{desk.shop.program.hex()}"
    assert desk.http.get(f"{base}/buyers").json()["code"] == "operator.cookie"
    assert desk.http.post(f"{base}/purchases", json={}).json()["code"] == "operator.cookie"
    credentials = read_cookie(desk.shop.node.config.data_dir)

    def code_of(method: str, path: str, body: Any = None) -> str:
        answer = desk.http.request(method, path, json=body, auth=credentials)
        assert 400 <= answer.status_code < 500
        return answer.json()["code"]

    assert code_of("GET", "/operator/programs/xyz/buyers") == "id.format"
    assert code_of("GET", f"/operator/programs/{'5f' * 32}/buyers") == "program.unknown"
    for after in ("", "1", "a:b", "1:", "-1:2", "1:2:3"):
        assert code_of("GET", f"{base}/buyers?after={after}") == "http.body"
    many = [FAN.address.hex()] * (FANS_AT_ONCE_MAX + 1)
    wrong: list[Any] = [
        {"fans": many, "received_before": 1},
        {"fans": [], "received_before": 1},
        {"fans": "x", "received_before": 1},
        {"fans": many[:1], "received_before": -1},
        {"fans": many[:1], "received_before": True},
        {"fans": many[:1]},
        [],
    ]
    assert {code_of("POST", f"{base}/purchases", body) for body in wrong} == {"http.body"}
    assert code_of("POST", f"{base}/purchases", {"fans": [5], "received_before": 1}) == "id.format"


def test_members_are_listed_in_pages(desk: PersonalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.purchase_desk.FANS_PER_PAGE", 1)
    for fan in (FAN, FRIEND):
        desk.allow("receipts", fan=fan)
    desk.allow("standing", fan=FRIEND)
    path, found = f"/operator/programs/{desk.shop.program.hex()}/buyers", []
    page = asks(desk)("", None, "GET", path)
    while page["next"] is not None:
        found += page["fans"]
        page = asks(desk)("", None, "GET", f"{path}?after={page['next']}")
    assert sorted(found) == sorted([FAN.address.hex(), FRIEND.address.hex()]) and page["fans"] == []
    assert FANS_PER_PAGE >= 100


def test_fixed_offsets_have_names_in_whole_hours() -> None:
    assert [_name_offset(minutes) for minutes in (0, 540, -300, 330)] == ["Etc/UTC", "Etc/GMT-9", "Etc/GMT+5", ""]
