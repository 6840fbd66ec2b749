"""What a fan is refused by a program's personalization is said in Korean to who prefers that; codes and fields stay."""

import string
from pathlib import Path

import pytest

from api.cli.session import find_language
from api.http.korean import KOREAN, prefers_korean
from ledger.errors import Code
from tests.support.personal_shop import open_personal_shop
from tests.support.shop import FAN


@pytest.mark.parametrize(
    ("accepted", "is_korean"),
    [
        ("ko", True),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", True),
        ("en-US,en;q=0.9,ko;q=0.8", False),
        ("en;q=0.1, ko;q=0.2", True),
        ("ko;q=0", False),
        ("fr,de", False),
        ("", False),
        ("*", False),
        ("ko;q=high, en", False),
        (";;,,q=1", False),
        ("kok", False),
    ],
)
def test_who_prefers_korean(accepted: str, is_korean: bool) -> None:
    assert prefers_korean(accepted) is is_korean


def test_each_text_is_of_a_fault_that_there_is_and_names_its_fields_only() -> None:
    for name, texts in KOREAN.items():
        code = Code.catalogue[name]
        known = {field for _, field, _, _ in string.Formatter().parse(code.text) if field}
        for text in texts:
            assert any("가" <= letter <= "힣" for letter in text), name
            assert {field for _, field, _, _ in string.Formatter().parse(text) if field} <= known, name


def test_a_refusal_is_said_in_the_language_that_is_accepted(tmp_path: Path) -> None:
    desk = open_personal_shop(tmp_path / "data")
    try:
        ask = {"method": "GET", "path": "/v1/me/messages", "params": {"program": desk.shop.program.hex()}}
        english, korean = (
            desk.send(desk.request(sign=desk.owner(FAN), headers={"accept-language": language}, **ask))
            for language in ("en", "ko-KR,ko;q=0.9,en;q=0.5")
        )
        assert english.status_code == korean.status_code == 403
        assert "content-language" not in english.headers and korean.headers["content-language"] == "ko"
        said = {name: (english.json()[name], korean.json()[name]) for name in english.json()}
        assert {name for name, (one, other) in said.items() if one != other} == {"detail", "advice"}
        assert said["detail"][1] == KOREAN["personal.not_granted"][0]
        body = {"program": desk.shop.program.hex(), "off": ["recal"]}
        refused = desk.http.put("/v1/me/preferences", json=body, headers={"accept-language": "ko"})
        assert refused.json()["code"] == "signature.missing", "what is not listed is said in English"
    finally:
        desk.close()
        desk.shop.close()


def test_the_wallet_speaks_the_terminals_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert find_language() == "en"
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert find_language() == "ko"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert find_language() == "en"
