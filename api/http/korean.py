"""What a fan is refused by a program's personalization, in Korean: for who prefers that by Accept-Language (RFC 9110, 12.5.4).

Codes and fields are the same in every language; faults that are not listed are said in English.
"""

from collections.abc import Mapping
from typing import Final

from ledger.errors import LedgerError

KOREAN: Final[Mapping[str, tuple[str, str]]] = {
    "personal.not_granted": (
        "이 계정은 이 프로그램의 개인화에 동의하지 않았습니다",
        "원하신다면 `fansumer wallet join PROGRAM` 다음에 "
        "`fansumer wallet consent grant PROGRAM --purpose personalise`로 동의해 주세요. 동의하지 않아도 포인트는 줄지 않습니다.",
    ),
    "personal.no_behaviour": (
        "이 계정은 이 프로그램이 무엇을 보았는지 기록하는 데 동의하지 않았습니다",
        "원하신다면 `fansumer wallet consent grant PROGRAM --purpose personalise --scope behaviour`로 동의해 주세요.",
    ),
    "preference.topic": ("‘{topic}’ 안내는 없습니다. 있는 안내: {known}", "이 가운데에서 골라 주세요."),
    "behaviour.time": (
        "지금과 {seconds}초 차이가 납니다. 31일 전부터 10분 뒤까지만 받습니다",
        "앱의 시계를 확인해 주세요. 더 오래된 것은 필요하지 않습니다.",
    ),
    "answer.question": (
        "‘{question}’ 질문은 없습니다",
        "`fansumer wallet questions PROGRAM`이 보여 주는 이름을 쓰세요. 예: lasts:ITEM",
    ),
    "answer.unknown": (
        "‘{question}’ 질문의 답으로 ‘{answer}’ 항목은 없습니다. 고를 수 있는 답: {known}",
        "이 가운데에서 골라 주세요.",
    ),
    "answer.not_asked": (
        "이 계정은 ‘{question}’ 질문을 받은 적이 없습니다",
        "`fansumer wallet questions PROGRAM`이 보여 주는 질문에 답해 주세요. "
        "좋아하거나 싫어하는 것은 `fansumer wallet profile correct`로 알려 주세요.",
    ),
    "member.unknown": (
        "이 계정은 이 프로그램의 회원이 아닙니다",
        "`fansumer wallet join PROGRAM`으로 가입할 수 있습니다.",
    ),
    "program.unknown": ("{program} 프로그램은 없습니다", "`fansumer chain programs`로 프로그램을 볼 수 있습니다."),
}
"""By code: what was wrong, with its fields, and what to do."""


def prefers_korean(accepted: str) -> bool:
    """Whether an Accept-Language names Korean before English. What is not well-formed names nothing."""
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weights.setdefault(tag.partition("-")[0].strip().lower(), float(weight or 1))
        except ValueError:
            continue
    return weights.get("ko", 0.0) > max(weights.get("en", 0.0), 0.0)


def say_in_korean(fault: LedgerError) -> tuple[str, str] | None:
    """What was wrong and what to do; None where that is said in English alone."""
    found = KOREAN.get(fault.code.name)
    return None if found is None else (fault.fill_in(found[0]), found[1])
