"""A fan's history at hand for service staff: what the fan opened, for as long, each look in its log with who and why."""

from typing import Any

import pytest

from api.http.schemas.own_data import ReadsAnswer
from api.http.schemas.service_desk import ServiceHistoryAnswer
from api.receipts import access_log
from ledger.domains.loyalty.state import SCOPE_ADJUST, SCOPE_TILL
from ledger.domains.voice.review import ReviewWrite
from ledger.domains.voice.reviews import CRITICISE, Earned, ProgramSubject
from ledger.domains.voice.texts import TextDocument, text_hash
from tests.api.personalization.conftest import OpenDesk
from tests.api.personalization.test_messages import prefer
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.personal_shop import PersonalShop
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER

WHY = "She asked where her points of Saturday are."
DESK = Signer.named("service desk")


@pytest.fixture
def desk(open_at_noon: OpenDesk) -> PersonalShop:
    """Nobody is held out, and it is noon."""
    found = open_at_noon()
    found.feed()
    return found


def look(desk: PersonalShop, who: Signer = OWNER, fan: Signer = FAN, **said: Any) -> Any:
    """A look at a fan's history: the response."""
    body = {"member": desk.text(fan), "why": WHY, "staff": "Mina", **said}
    return desk.put(f"/v1/programs/{desk.shop.program.hex()}/service-looks", body, who, "POST")


def seen(desk: PersonalShop, who: Signer = OWNER, **said: Any) -> dict[str, Any]:
    response = look(desk, who, **said)
    assert response.status_code == 200, response.text
    ServiceHistoryAnswer.model_validate(response.json(), strict=True)
    return response.json()


def refusal(desk: PersonalShop, who: Signer = OWNER, **said: Any) -> tuple[int, str]:
    response = look(desk, who, **said)
    return response.status_code, response.json().get("code", "")


def open_to_service(desk: PersonalShop, scope: str = "service", *, days: int = 1) -> None:
    """As `wallet consent grant PROGRAM --purpose personalise --scope service --days 1` does."""
    desk.allow(scope, expires_at=desk.now + days * DAY_SECONDS if days else 0)


def live(desk: PersonalShop) -> None:
    """Some of everything: points, a reward, purchases, a pledge, messages, criticism."""
    desk.shop.earn(FAN, 500)
    reward = desk.shop.list_reward(price=100)
    desk.shop.redeem(FAN, reward)
    campaign = desk.shop.create_campaign(in_points=True, goal=100, days=30)
    desk.shop.pledge(FAN, campaign, 50)
    desk.buy("bread", "coffee")
    gift = desk.buy("mug")
    desk.ask(f"/v1/receipts/{gift.hex()}/gift", method="PUT")
    document = TextDocument(b"\x07" * 32, "The bread was stale.")
    payload = ReviewWrite(ProgramSubject(desk.shop.program), Earned(), CRITICISE, 2, text_hash(document))
    desk.shop.chain.send("review", payload, author=FAN)
    content = {"salt": document.salt.hex(), "content": document.text}
    answer = desk.http.put(f"/v1/texts/{text_hash(document).hex()}", json=content)
    assert answer.status_code in (200, 201), answer.text


def test_without_the_fans_consent_nothing_is_shown_and_the_fan_sees_who_asked(desk: PersonalShop) -> None:
    live(desk)
    desk.allow("")
    assert refusal(desk) == (403, "service.not_granted"), "a consent to all of it does not open a history to people"
    desk.grant("service", to=OWNER.address, purpose=0)
    desk.grant("service", to=desk.shop.program, purpose=1)
    desk.allow("service/weather")
    assert refusal(desk) == (403, "service.not_granted")
    (row,) = [one for one in desk.seen("access-log", model=ReadsAnswer)["items"] if one["scope"] == "service"]
    assert (row["code"], row["times"], row["given"]) == ("service.not_granted", 2, 0)
    assert (row["reader"], row["staff"], row["why"]) == (desk.text(OWNER), "Mina", WHY)


def test_all_of_it_by_one_consent_and_each_look_is_a_row(desk: PersonalShop) -> None:
    live(desk)
    desk.allow("")
    prefer(desk)
    assert desk.seen("messages")["items"]
    open_to_service(desk)
    shown = seen(desk)
    assert shown["standing"]["available"] == 350 and shown["standing"]["held"] == 100
    assert [one["name"] for one in shown["points"]["items"]][-1] == "member.joined"
    assert [one["name"] for one in shown["redemptions"]["items"]] == ["redeem.opened"]
    (bought,) = shown["receipts"]["items"]
    assert [line[0] for line in bought["lines"]] == ["bread", "coffee"] and "salt" not in bought, "gifts stay out"
    assert shown["pledges"]["items"][0]["quantity"] == 50
    assert {one["topic"] for one in shown["messages"]["items"]} >= {"discovery"}
    (said,) = shown["said"]["items"]
    assert (said["stance"], said["content"], said["replied_at"]) == ("criticise", "The bread was stale.", None)
    assert set(shown["parts"].values()) == {desk.now + DAY_SECONDS} or min(shown["parts"].values()) > desk.now
    seen(desk, staff="Joon", why="the same again")
    rows = [one for one in desk.seen("access-log")["items"] if one["scope"] == "service"]
    assert [(one["staff"], one["why"], one["code"]) for one in rows] == [
        ("Joon", "the same again", None),
        ("Mina", WHY, None),
    ]
    assert rows[0]["given"] == rows[1]["given"] >= 8 and rows[0]["purpose"] == "personalise"
    exported = [one for one in desk.ask("/v1/me/export")["reads"] if one["scope"] == "service"]
    assert {one["why"] for one in exported} == {WHY, "the same again"}


@pytest.mark.parametrize(
    ("part", "sections"),
    [
        ("standing", {"standing", "points", "redemptions"}),
        ("receipts", {"receipts"}),
        ("campaigns", {"pledges"}),
        ("voice", {"said"}),
        ("messages", {"messages"}),
    ],
)
def test_a_part_opens_that_part_alone(desk: PersonalShop, part: str, sections: set[str]) -> None:
    live(desk)
    open_to_service(desk, f"service/{part}")
    shown = seen(desk)
    assert set(shown["parts"]) == {part}
    assert {name for name, value in shown.items() if value is not None} == sections | {"program", "member", "parts"}


def test_it_ends_when_the_fan_says_and_after_thirty_days_whatever_it_says(desk: PersonalShop) -> None:
    open_to_service(desk, days=1)
    seen(desk)
    desk.pass_time(days=1)
    assert refusal(desk) == (403, "service.not_granted")
    open_to_service(desk, days=0)
    until = seen(desk)["parts"]["standing"]
    desk.pass_time(seconds=until - desk.now - 120)
    seen(desk)
    desk.pass_time(seconds=120)
    assert refusal(desk) == (403, "service.not_granted")
    open_to_service(desk, days=90)
    assert seen(desk)["parts"]["standing"] - desk.now <= 30 * DAY_SECONDS, "granting again renews it"


def test_a_revocation_counts_at_the_next_look_before_any_block(desk: PersonalShop) -> None:
    open_to_service(desk)
    seen(desk)
    desk.withdraw("service")
    assert refusal(desk) == (403, "service.not_granted")


def test_a_consent_that_ends_while_the_answer_is_made_refuses_it(
    desk: PersonalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_service(desk)
    gate = desk.app.state.services.personal.gate
    revocation = desk.sign_revocation("service", to=desk.shop.program, purpose=0)
    asked: list[Any] = []
    original = gate._service_parts

    def withdraw_meanwhile(*arguments: Any) -> Any:
        if asked:
            desk.app.state.services.node.submit_batch([revocation.raw])
        asked.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(gate, "_service_parts", withdraw_meanwhile)
    assert refusal(desk) == (403, "service.not_granted") and len(asked) == 2
    assert desk.seen("access-log")["items"][0]["code"] == "service.not_granted"


def test_only_the_brands_service_looks(desk: PersonalShop) -> None:
    open_to_service(desk)
    assert refusal(desk, STRANGER) == (403, "service.not_yours")
    assert refusal(desk, FAN) == (403, "service.not_yours")
    desk.shop.grant(DESK, scopes=SCOPE_TILL)
    assert refusal(desk, DESK) == (403, "service.not_yours")
    desk.shop.grant(FRIEND, scopes=SCOPE_ADJUST)
    seen(desk, FRIEND)
    assert desk.seen("access-log")["items"][0]["reader"] == desk.text(FRIEND)
    path = f"/v1/programs/{'5f' * 32}/service-looks"
    response = desk.put(path, {"member": desk.text(FAN), "why": WHY}, OWNER, "POST")
    assert (response.status_code, response.json()["code"]) == (422, "program.unknown")


def test_who_never_joined_has_no_history(desk: PersonalShop) -> None:
    assert refusal(desk, fan=STRANGER) == (403, "service.not_granted")


def test_who_left_may_still_be_helped(desk: PersonalShop) -> None:
    from ledger.domains.loyalty.member_leave import MemberLeave

    open_to_service(desk)
    desk.shop.chain.send("member.leave", MemberLeave(desk.shop.program), author=FAN)
    assert seen(desk)["standing"]["left_at"] is not None


@pytest.mark.parametrize(
    "said",
    [
        {"why": ""},
        {"why": "x" * 201},
        {"why": "two\nlines"},
        {"why": "an \x1b[31m escape"},
        {"why": "turned \u202e round"},
        {"staff": "x" * 65},
        {"limit": 0},
        {"limit": 201},
        {"member": "dfan1nobody"},
        {"more": 1},
    ],
)
def test_a_look_needs_a_reason_that_a_fan_can_read(desk: PersonalShop, said: dict[str, Any]) -> None:
    open_to_service(desk)
    assert look(desk, **said).status_code == 400
    assert desk.seen("access-log")["items"] == []


def test_sections_say_that_there_is_more(desk: PersonalShop) -> None:
    for _ in range(3):
        desk.buy("bread")
    open_to_service(desk)
    shown = seen(desk, limit=2)
    assert len(shown["receipts"]["items"]) == 2 and shown["receipts"]["more"] is True
    assert seen(desk, limit=3)["receipts"]["more"] is False


def test_a_staff_member_is_given_so_many_looks_of_one_fan_in_a_day(
    desk: PersonalShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "GIVEN_PER_DAY_MAX", 2)
    open_to_service(desk)
    seen(desk)
    seen(desk)
    assert refusal(desk) == (429, "partner.too_many_reads")


def test_a_consent_for_service_feeds_no_message_and_no_profile(desk: PersonalShop) -> None:
    live(desk)
    open_to_service(desk)
    assert desk.mine("messages").status_code == desk.mine("profile").status_code == 403
    path = f"/v1/programs/{desk.shop.program.hex()}/segments"
    assert desk.send(desk.request(path=path, sign=desk.owner(OWNER))).json()["fans"] is None


def test_criticism_changes_nothing_else_that_staff_is_shown(desk: PersonalShop) -> None:
    """Criticism is something to answer: with and without it every other section is the same."""
    desk.shop.earn(FAN, 500)
    open_to_service(desk)
    before = {name: value for name, value in seen(desk).items() if name not in ("said", "parts")}
    document = TextDocument(b"\x01" * 32, "x")
    payload = ReviewWrite(ProgramSubject(desk.shop.program), Earned(), CRITICISE, 1, text_hash(document))
    desk.shop.chain.send("review", payload, author=FAN)
    shown = seen(desk)
    assert {name: value for name, value in shown.items() if name not in ("said", "parts")} == before
    assert shown["said"]["items"][0]["score"] == 1
