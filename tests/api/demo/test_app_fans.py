"""Which fans have the app."""

from api.demo.app_fans import has_app
from api.demo.consents import refuses_consent
from api.demo.journey import HouseholdId

HOUSEHOLDS = [HouseholdId(number) for number in range(1, 2_501)]


def test_about_one_in_twenty_five_has_the_app_and_always_the_same() -> None:
    with_app = [household for household in HOUSEHOLDS if has_app(household)]
    assert 0.03 < len(with_app) / len(HOUSEHOLDS) < 0.05
    assert with_app[:2] == [2, 12]


def test_whether_a_fan_agrees_does_not_hang_on_the_app() -> None:
    with_app = [household for household in HOUSEHOLDS if has_app(household)]
    refusing = sum(1 for household in with_app if refuses_consent(household))
    assert 0.05 < refusing / len(with_app) < 0.2
