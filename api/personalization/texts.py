"""Everything that personalization says, in English and Korean. A test fills in every template in both languages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from api.personalization.candidates import Words

LANGUAGES: Final = ("en", "ko")

TEMPLATES: Final[Mapping[str, tuple[str, str]]] = {
    "recall": (
        "Recall: please do not use {item} any more. {text}",
        "리콜 안내: {item} 사용을 중지해 주세요. {text}",
    ),
    "return_window": (
        "You can bring back what you bought on {bought} until {until}.",
        "{bought}에 구매하신 상품은 {until}까지 반품하실 수 있습니다.",
    ),
    "how_to": ("How to use {item}: {text}", "{item} 사용 방법: {text}"),
    "late_delivery": (
        "“{title}” is {days} days late. You may ask its creator, and criticise; unless its delivery is shown in time, what is "
        "still in escrow goes back to you by itself.",
        "“{title}” 프로젝트의 배송이 {days}일 늦어지고 있습니다. 창작자에게 문의하거나 의견을 남기실 수 있고, 기한 안에 배송이 "
        "확인되지 않으면 에스크로에 남은 금액은 자동으로 환불됩니다.",
    ),
    "unclaimed_points": (
        "{points} {unit} of your purchase on {bought} were not settled in time. You can claim them.",
        "{bought} 구매의 {points} {unit} 적립이 제때 정산되지 않았습니다. 지급을 청구하실 수 있습니다.",
    ),
    "points_expiring": (
        "{points} {unit} expire on {until}.",
        "{points} {unit}의 유효 기간이 {until}에 끝납니다.",
    ),
    "near_reward": (
        "{missing} {unit} more, and “{reward}” is yours.",
        "{missing} {unit}만 더 모으시면 “{reward}” 리워드를 받으실 수 있습니다.",
    ),
    "near_tier": (
        "{missing} {unit} more in this period, and you reach {tier}.",
        "이번 기간에 {missing} {unit}만 더 모으시면 {tier} 등급이 됩니다.",
    ),
    "offer_waiting": (
        "An offer of {points} {unit} for you alone waits until {until}.",
        "회원님만을 위한 {points} {unit} 혜택이 {until}까지 기다리고 있습니다.",
    ),
    "ask_offer": (
        "{points} {unit} for you alone: {ask}, until {until}.",
        "회원님만을 위한 {points} {unit}: {until}까지 {ask}",
    ),
    "ask_text": ("{program}: {ask}", "{program}: {ask}"),
    "ask_winning_back": ("for your next purchase", "다음 구매 시"),
    "ask_discovery": ("for something new to you, such as {item}", "{item} 등 처음 만나는 상품 구매 시"),
    "ask_replenish": ("for what you buy again and again, such as {item}", "{item} 등 자주 구매하시는 상품 구매 시"),
    "ask_challenge": (
        "for {item}, {second} and, new to you, {new}, or the like, in one purchase",
        "{item}, {second}, 그리고 처음 만나는 {new} 또는 비슷한 상품을 한 번에 구매 시",
    ),
    "ask_least": ("{ask}, at least {least} in all", "{ask} (합계 {least} 이상)"),
    "campaign_ending": (
        "“{title}” ends on {until}; {pledged} of {goal} are pledged.",
        "“{title}” 캠페인이 {until}에 끝납니다. 목표 {goal} 중 {pledged}이(가) 모였습니다.",
    ),
    "campaign_nearly": (
        "“{title}” lacks only {missing} to its goal.",
        "“{title}” 캠페인이 목표까지 {missing}만 남았습니다.",
    ),
    "campaign_milestone": (
        "“{title}”, which you backed, is funded. Next step: {step}, due {until}.",
        "후원하신 “{title}” 캠페인이 펀딩에 성공했습니다. 다음 단계: {step}, 기한 {until}.",
    ),
    "milestone_vote": (
        "Your vote on “{step}” of “{title}” waits until {until}.",
        "“{title}” 캠페인의 “{step}” 단계에 대한 투표가 {until}까지 기다리고 있습니다.",
    ),
    "open_vote": (
        "“{title}”: you can vote until {until}.",
        "“{title}” 안건에 {until}까지 투표하실 수 있습니다.",
    ),
    "made_with_you": ("{item} is here: you helped to make it.", "함께 만들어 주신 {item} 상품이 나왔습니다."),
    "replenish": (
        "{item}: about {days} days after the last one you usually buy it again.",
        "{item}: 보통 약 {days}일마다 다시 구매하십니다.",
    ),
    "back_in_stock": ("{item} is in stock again.", "{item} 상품이 다시 입고되었습니다."),
    "price_drop": (
        "{item} costs {price} now, {before} before.",
        "{item} 가격이 {before}에서 {price}(으)로 내렸습니다.",
    ),
    "new_in_category": (
        "New in {category}, which you buy again and again: {item}.",
        "자주 구매하시는 {category} 분야의 새 상품: {item}",
    ),
    "discovery": ("You might like {item}.", "{item} 상품은 어떠세요?"),
    "challenge": (
        "Your own small challenge: {first}, {second}, and something new to you, {item}.",
        "나만의 작은 도전: {first}, {second}, 그리고 처음 만나는 {item}",
    ),
    "winning_back": (
        "It has been {days} days. If something was not right, tell us; you owe nothing.",
        "{days}일 만에 인사드립니다. 아쉬운 점이 있었다면 알려 주세요. 부담은 갖지 않으셔도 됩니다.",
    ),
    "why_bought": ("You bought {item} on {bought}.", "{bought}에 {item} 상품을 구매하셨습니다."),
    "why_bought_often": (
        "You bought {item} {times} times, usually every {days} days.",
        "{item} 상품을 {times}번, 보통 {days}일마다 구매하셨습니다.",
    ),
    "why_pairs": ("{item} goes with it, says the brand.", "브랜드에 따르면 {item} 상품과 잘 어울립니다."),
    "why_brand_says": ("The brand says so in its product feed.", "브랜드의 상품 정보에 따른 내용입니다."),
    "why_balance": ("You have {points} {unit}.", "{points} {unit}을(를) 가지고 계십니다."),
    "why_lots": (
        "{points} of your {unit} were earned under terms that end on {until}.",
        "{unit} 중 {points}의 유효 기간은 {until}까지입니다.",
    ),
    "why_price": ("“{reward}” costs {price} {unit}.", "“{reward}” 리워드는 {price} {unit}입니다."),
    "why_tier": (
        "{tier} needs {threshold} {unit} in a period; you have {points}.",
        "{tier} 등급은 한 기간에 {threshold} {unit}이 필요하고, 현재 {points}입니다.",
    ),
    "why_backed": ("You backed “{title}” with {quantity}.", "“{title}” 캠페인을 {quantity}만큼 후원하셨습니다."),
    "why_campaign": (
        "The chain shows {pledged} of {goal} for “{title}”.",
        "체인에 따르면 “{title}” 캠페인은 {goal} 중 {pledged}이(가) 모였습니다.",
    ),
    "why_member": ("You were a member when the vote was called.", "투표가 시작될 때 회원이셨습니다."),
    "why_wish": ("You wished for it, or looked at it.", "찜하셨거나 살펴보신 상품입니다."),
    "why_taste": ("You bought in {category} {times} times.", "{category} 분야에서 {times}번 구매하셨습니다."),
    "why_taste_linked": (
        "You bought in {category} {times} times, here and where you linked other programs to this one.",
        "여기와 연결하신 다른 프로그램에서 {category} 분야를 {times}번 구매하셨습니다.",
    ),
    "why_together": (
        "Fans who bought what you bought came to buy {item}.",
        "회원님과 같은 상품을 구매한 팬들이 {item} 상품도 구매했습니다.",
    ),
    "why_model": (
        "A model says so, which learned from purchases of fans who allow it.",
        "허락한 팬들의 구매에서 학습한 모델의 판단입니다.",
    ),
    "why_popular": (
        "Fans here have begun to buy {item} lately.",
        "최근 많은 팬들이 {item} 상품을 구매하기 시작했습니다.",
    ),
    "why_closes": (
        "Your purchase on {bought} brought {points} {unit}: one like it closes the gap.",
        "{bought} 구매로 {points} {unit}가 적립되었습니다. 비슷한 구매 한 번이면 채워집니다.",
    ),
    "why_never": ("You never bought it, as far as you let us know.", "알려 주신 범위에서는 구매하신 적이 없습니다."),
    "why_guess": ("That you may like it is a guess.", "좋아하실 것이라는 것은 추측입니다."),
    "why_silent": (
        "Your last purchase was on {bought}; usually {days} days pass.",
        "마지막 구매는 {bought}이고, 보통 {days}일 간격으로 구매하셨습니다.",
    ),
    "why_return_days": ("The terms give {days} days for returns.", "약관의 반품 기간은 {days}일입니다."),
    "why_not_settled": (
        "The till signed {points} {unit}; the chain has no entry for that period.",
        "매장이 {points} {unit}에 서명했지만, 체인에는 그 기간의 적립 기록이 없습니다.",
    ),
    "why_offer": ("The program promised it to you on the chain.", "프로그램이 체인에서 회원님께 약속했습니다."),
    "why_rewarded": (
        "The terms give points of their own for {category}.",
        "약관에 따라 {category} 분야에는 별도 적립이 있습니다.",
    ),
    "ask_language": ("In which language shall we speak to you?", "어떤 언어로 안내해 드릴까요?"),
    "ask_language_for": ("All that you are told comes in that language.", "앞으로 모든 안내가 그 언어로 나갑니다."),
    "ask_language_en": ("English", "영어"),
    "ask_language_ko": ("Korean", "한국어"),
    "ask_part_of_day": ("When do you usually shop?", "보통 언제 쇼핑하시나요?"),
    "ask_part_of_day_for": (
        "Messages that can wait come at that time of the day.",
        "급하지 않은 메시지는 하루 중 그 시간대에 도착합니다.",
    ),
    "ask_part_of_day_night": ("At night, 0 to 4", "밤 (0시~4시)"),
    "ask_part_of_day_early": ("Early, 4 to 8", "이른 아침 (4시~8시)"),
    "ask_part_of_day_morning": ("In the morning, 8 to 12", "오전 (8시~12시)"),
    "ask_part_of_day_afternoon": ("In the afternoon, 12 to 16", "오후 (12시~16시)"),
    "ask_part_of_day_evening": ("In the evening, 16 to 20", "저녁 (16시~20시)"),
    "ask_part_of_day_late": ("Late, 20 to 24", "늦은 밤 (20시~24시)"),
    "ask_dislike": ("May we show you products of {category}?", "{category} 분야의 상품을 보여 드려도 될까요?"),
    "ask_dislike_for": (
        "If not, nothing of {category} is recommended to you any more.",
        "원하지 않으시면 {category} 분야의 상품은 더 이상 추천하지 않습니다.",
    ),
    "ask_dislike_show": ("Yes", "네, 괜찮습니다"),
    "ask_dislike_never": ("No, never", "아니요, 원하지 않습니다"),
    "ask_lasts": (
        "Does {item} last, or is it used up?",
        "{item} 상품은 오래 쓰시나요, 아니면 다 쓰고 다시 구매하시나요?",
    ),
    "ask_lasts_for": (
        "If it lasts, you are not reminded to buy it again; if it is used up, you are, when it is usually due.",
        "오래 쓰시는 상품이면 재구매를 안내하지 않고, 소모품이면 평소 주기에 맞춰 안내합니다.",
    ),
    "ask_lasts_lasts": ("It lasts", "오래 씁니다"),
    "ask_lasts_used_up": ("It is used up", "다 쓰고 다시 구매합니다"),
    "ask_gift": (
        "Did you buy {item} for yourself, or for somebody else?",
        "{item} 상품은 직접 쓰려고 구매하셨나요, 선물이었나요?",
    ),
    "ask_gift_for": (
        "What was for somebody else is left out of your taste: nothing is recommended because of it.",
        "선물이었다면 취향에서 제외되어, 그 상품을 근거로 추천하지 않습니다.",
    ),
    "ask_gift_own": ("For myself", "직접 쓰려고"),
    "ask_gift_gift": ("For somebody else", "선물로"),
    "why_contributed": ("You backed it, voted for it or worked on it.", "후원, 투표 또는 참여로 함께하신 상품입니다."),
}  # fmt: skip - a template is one sentence in two languages, side by side
"""English and Korean. A field `until` or `bought` is a day of the shop's calendar."""


def say(words: Words, language: str) -> str:
    """The text in one language."""
    template = TEMPLATES[words.name][LANGUAGES.index(language)]
    fields = {name: _in_language(value, language) for name, value in words.fields.items()}
    if language == "en" and "unit" in fields:
        fields["unit"] = _plural(fields)
    return template.format(**fields)


def say_all(words: Words) -> dict[str, str]:
    """The text in all languages."""
    return {language: say(words, language) for language in LANGUAGES}


def _plural(fields: Mapping[str, Any]) -> str:
    """The program's unit as it stands after a number, in English."""
    unit = str(fields["unit"])
    count = next((fields[name] for name in ("missing", "threshold", "price", "points") if name in fields), 2)
    return unit if count == 1 or unit.endswith("s") else f"{unit}s"


def _in_language(value: Any, language: str) -> Any:
    return (value.get(language) or value.get("en") or "") if isinstance(value, Mapping) else value


def show_day(time: int, zone: Any = UTC) -> str:
    """A day as both languages write it in short: 2026-11-08."""
    return datetime.fromtimestamp(time, zone).date().isoformat()


def show_money(cents: int) -> str:
    """Cents as a person writes them: 6.49."""
    return f"{cents // 100}.{cents % 100:02d}"
