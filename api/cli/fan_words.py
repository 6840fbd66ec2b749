"""What the wallet says around a program's messages and questions, in the language that the fan chose, as these are."""

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "proved": ("proved", "증명됨"),
    "said": ("said", "진술"),
    "guessed": ("guessed", "추정"),
    "can_do": ("what you can do", "할 수 있는 일"),
    "rule": ("rule", "규칙"),
    "made_by": ("made by", "만든 방식"),
    "worth": ("worth {minutes} minutes", "{minutes}분의 가치"),
    "consent": ("consent", "동의"),
    "to_stop": ("to stop this kind", "이런 안내를 그만 받으려면"),
    "would_change": ("it would change now", "지금 달라지는 것"),
    "nothing_of_it": ("nothing of it", "해당 없음"),
    "rests_on": ("rests on", "근거"),
    "nothing_of_you": ("nothing of you", "회원님의 정보 없음"),
    "ask_nothing": ("to be asked nothing", "질문을 받지 않으려면"),
    "or_skip": ("or", "또는"),
    "nothing_now": (
        "nothing at the moment; messages wait for your hours: `fansumer wallet preferences PROGRAM` shows them",
        "지금은 안내가 없습니다. 안내는 정하신 시간에 옵니다: `fansumer wallet preferences PROGRAM`",
    ),
    "no_question": (
        "no question: no answer of yours would change anything at the moment",
        "질문이 없습니다. 지금은 어떤 답을 하셔도 달라지는 것이 없습니다.",
    ),
}
"""By name: English, Korean."""


def in_words(name: str, language: str, **fields: object) -> str:
    """One of WORDS in a language: `en`, `ko`."""
    english, korean = WORDS[name]
    return (korean if language == "ko" else english).format(**fields)
