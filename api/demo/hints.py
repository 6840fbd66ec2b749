"""What whoever starts the demo is told to try: the chain, a fan who agreed, one who refused, and the brand.

All phrases are public, like the brand's.
"""

import shlex
from collections.abc import Mapping
from typing import Any, Final

from api.demo.brand import DEMO_PHRASE
from api.demo.households import spell_household
from api.demo.journey import HouseholdId
from api.wallet.client import DEFAULT_URL

BRAND_WALLET: Final = "brand.json"
FAN_WALLET: Final = "fan.json"
REFUSER_WALLET: Final = "refuser.json"
MADE_BEFORE: Final = (
    "This demo was made by an older version, without fans' receipts: delete its folder to have it made anew."
)


def list_hints(report: Mapping[str, Any], url: str, owner: str) -> list[str]:
    """The lines, of a demo whose replay gave `report`, at `url`; commands are indented. `owner`: the brand's address."""
    at_node = [] if url == DEFAULT_URL else [f"  export FANSUMER_URL={shlex.quote(url)}"]
    lines = [
        "Try, in another terminal (commands are in .venv/bin; each wallet asks for a passphrase, or takes FANSUMER_PASSPHRASE):",
        *at_node,
        f"  curl {url}/v1/chain",
        f"  curl {url}/v1/programs",
        f"  curl {url}/v1/accounts/{owner}",
        "  fansumer chain info",
        "  fansumer wallet create",
    ]
    shown: Mapping[str, Any] = report.get("shown_fans", {})
    if not shown:
        lines.append(MADE_BEFORE)
    program = report["program"]
    if shown.get("agreeing"):
        lines += _list_agreeing(program, HouseholdId(shown["agreeing"]))
    if shown.get("refusing"):
        lines += _list_refusing(program, HouseholdId(shown["refusing"]))
    return [*lines, *_list_brand(program)]


def _restore(phrase: str, wallet: str) -> list[str]:
    file = wallet.replace(".json", ".txt")
    return [f"  echo {phrase} > {file}", f"  fansumer wallet restore --phrase-file {file} --wallet {wallet}"]


def _list_agreeing(program: str, household: HouseholdId) -> list[str]:
    with_wallet = f"--wallet {FAN_WALLET}"
    return [
        f"As household {household}, a fan who lets the shop personalise; its phrase is public, like all of the demo's:",
        *_restore(spell_household(household), FAN_WALLET),
        f"  fansumer wallet messages {program} --why {with_wallet}",
        f"  fansumer wallet recommendations {program} {with_wallet}",
        f"  fansumer wallet profile show {program} {with_wallet}",
        f"  fansumer wallet reads {program} {with_wallet}",
        "The same in Korean:",
        f"  fansumer wallet preferences {program} --language ko {with_wallet}",
        f"  fansumer wallet messages {program} --why {with_wallet}",
    ]


def _list_refusing(program: str, household: HouseholdId) -> list[str]:
    with_wallet = f"--wallet {REFUSER_WALLET}"
    return [
        f"As household {household}, which refused every consent: it reads its receipts, the shop's personalization does not:",
        *_restore(spell_household(household), REFUSER_WALLET),
        f"  fansumer wallet receipts list {program} {with_wallet}",
        f"  fansumer wallet messages {program} {with_wallet}",
    ]


def _list_brand(program: str) -> list[str]:
    with_wallet = f"--wallet {BRAND_WALLET}"
    return [
        "As the demo brand:",
        *_restore(DEMO_PHRASE, BRAND_WALLET),
        f"  fansumer brand segments {program} {with_wallet}",
        f"  fansumer brand plan {program} replenish --stage growing {with_wallet}",
        f"  fansumer brand message-report {program} {with_wallet}",
        "With it, account 0 owns the program and holds coin, --account 1 is its till, --account 2 settles.",
    ]
