"""A program's terms as a person writes them: TOML or JSON, every unit in its name, nothing that is not known.

`EXAMPLE` is a complete file with a word on each line; `fansumer brand example-terms` prints it.
"""

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from api.wallet.errors import WalletError
from api.wallet.terms_tables import (
    BAD_FILE,
    check_names,
    expiry_to_mapping,
    read_expiry,
    read_integer,
    read_rule,
    read_table,
    read_text,
    rule_to_mapping,
)
from ledger.codec import pack, unpack
from ledger.domains.loyalty.price_floor import NO_FLOOR, Floor
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.referral_bonus import NO_BONUS, ReferralBonus
from ledger.domains.loyalty.state import SponsorPolicy, Terms
from ledger.domains.loyalty.terms import check_terms
from ledger.params import WIND_DOWN_DAYS_MIN
from ledger.schema import Struct
from ledger.types import Amount, Points

FILE_CHARACTERS_MAX: Final = 65_536
TERMS_SHAPE: Final = Struct(Terms)

EXAMPLE: Final = """\
# A program: who it is, what it promises. Amounts of money are in cents, points and coin in their smallest units.
# A range, as 0..92, is what the number before it may be, both ends included; without one it may be any whole number from 0 on.
name = "Corner Grocer"           # 1..64 bytes
unit = "points"                  # 1..16 bytes
decimals = 0                     # 0..8: digits after the point when points are shown
offset_minutes = -300            # -1439..1439: the program's days begin at midnight UTC plus this; -300 is UTC-5

[terms]
activation_delay_days = 0        # 0..366: points can be spent so many days after they are settled
return_window_days = 0           # 0..366, at most the activation delay
period_days = 0                  # 0..92: 7 is weekly, 0 settles on demand
period_anchor_day = 0            # 0..91, below period_days, or 0: on which day of the period it begins, counted from 1970-01-01
settle_grace_days = 2            # 0..31: so many days after a period's end its receipts are settled at the latest
remainder_max = 50               # 0..2147483647: points that may be carried to the next entry, so that sums tell nothing
issuance_cap = 1000000000        # points that will ever be issued
adjust_day_max = 0               # points that may be given by `brand adjust` in a day; left out: 0
offer_day_max = 0                # points that `brand offers issue` may promise in a day; left out: 0
transfer_day_max = 0             # points that a member may give to others in a day; 0, or left out: none
wind_down_days = 30              # 30..366: redeeming stays open so many days after the program's end; left out: 30
hold_seconds = 86400             # 60..7776000: how long a redemption may stay open
notice_days = 30                 # 0..366: changes for the worse wait so many days
refund_days = 14                 # 0..92: what was handed out can be taken back so many days; 0, or left out: not at all
# collateral = 2500              # 0..1000000000000: coin per 1,000 points that the fee pool puts aside as long as they stand; fans
                                 # take it if it closes. What contests may credit (a tenth of the cap) is put aside at once
# burn = 2500                    # 0..1000000000000: or coin per 1,000 points that is burned when they are issued. One or the other

[[terms.rules]]                  # 1..16 of them
rule = "rate"                    # floor(net * points / per_cents)
points = 1                       # 1..2147483647, as all points and cents of rules where nothing else is said
per_cents = 10

# What a receipt gives is computed in the order of these rules here, whatever their order in the file. What was paid with
# points earns nothing, and every division is rounded down. `fansumer brand explain-earn` shows it for one receipt, line by line.

# [[terms.rules]]
# rule = "minimum_basket"        # receipts below give nothing
# cents = 500

# [[terms.rules]]
# rule = "rate_per_code"         # besides, for the cents of one category code that the till names
# code = "bread"                 # 1..32 bytes
# points = 1
# per_cents = 5

# [[terms.rules]]
# rule = "per_visit"             # points once a visit, none within the cool-down since the visit before
# points = 20
# cents_min = 1000
# cooldown_seconds = 14400       # 0..2147483647

# [[terms.rules]]
# rule = "bonus_window"          # all that times numerator / denominator; of windows that overlap the best counts
# from = "2027-03-01"            # the first day, the program's own
# until = "2027-04-01"           # the first day after it; leave it out for no end
# weekdays = ["saturday", "sunday"] # leave it out for all
# minute_from = 600              # 0..1439: minutes of the day; leave both out for all day
# minute_until = 1080            # 1..1440
# numerator = 2                  # 1..1000000, at least the denominator
# denominator = 1                # 1..1000000

# [[terms.rules]]
# rule = "tier_multiplier"       # then that times numerator / denominator for this tier and those above; see tiers below
# tier = 1                       # 1..8
# numerator = 5                  # 1..1000000, at least the denominator
# denominator = 4                # 1..1000000

# [[terms.rules]]
# rule = "receipt_cap"           # a receipt gives at most this
# points = 5000                  # at least 1

# [[terms.rules]]
# rule = "period_cap"            # a member gets at most this in a period; contests stay outside of it
# points = 20000                 # at least 1
# rejects = false                # true: an entry above it is not settled at all

[terms.expiry]                   # one of these
rolling_days = 365               # 1..36500: days after a period's end
# never = true
# sliding_days = 365             # 1..36500: days after the last entry: who comes back keeps its points
# calendar = "12-31"             # to the end of this date, the first one after points can be used,
# years_min = 1                  # 0..10: so many years later

# Tiers are by points earned in a tier period, never by the balance: reached at once, kept through the next period and the grace.
# [terms.tiers]
# period_days = 365              # 28..366
# anchor_day = 0                 # 0..365, below period_days: on which day of the tier period it begins, counted from 1970-01-01
# grace_days = 30                # 0..366, at most period_days
# names = ["silver", "gold"]     # 0..8 of them, 1..32 bytes each
# thresholds = [5000, 20000]     # ascending, at least 1

# [terms.referral]               # once the first purchase of who joins can no longer be returned
# referrer = 100                 # 0..2147483647: points for who brought it
# joiner = 50                    # 0..2147483647: points for who joined
# [terms.floor]                  # a promise: so many points always buy a value of at least so many cents. Rewards must say
# points = 100                   # 0..2147483647: what they are worth, and raising the floor lowers every price at once
# cents = 80                     # 0..2147483647

[terms.sponsor]                  # what the fee pool pays for members and issuers
rate = 1                         # 0..1000000: coin a weight unit; at least the chain's least rate
member_day_max = 100000          # coin a member and day
block_max = 10000000             # coin a block
day_max = 1000000000             # coin a day
"""

TERMS_INTEGERS: Final = (
    "activation_delay_days",
    "return_window_days",
    "period_days",
    "period_anchor_day",
    "settle_grace_days",
    "remainder_max",
    "issuance_cap",
    "hold_seconds",
    "notice_days",
)
OPTIONAL_INTEGERS: Final = {
    "adjust_day_max": 0,
    "offer_day_max": 0,
    "transfer_day_max": 0,
    "wind_down_days": WIND_DOWN_DAYS_MIN,
    "collateral": 0,
    "burn": 0,
}
"""Integers of terms that a file may leave out, and what they are then."""
SPONSOR_INTEGERS: Final = ("rate", "member_day_max", "block_max", "day_max")
TIER_INTEGERS: Final = {
    "period_days": "tier_period_days",
    "anchor_day": "tier_anchor_day",
    "grace_days": "tier_grace_days",
}
"""The fields of [terms.tiers], and what the terms call them."""


def read_program_file(text: str) -> ProgramCreate:
    """The program in a file of TOML or JSON.

    Raises WalletError terms.bad_file for what is missing, unknown or of the wrong type. Limits and contradictions are found by
    the ledger when the transaction is built.
    """
    document = _parse(text)
    check_names(document, "the file", {"name", "unit", "decimals", "offset_minutes", "terms"})
    return ProgramCreate(
        name=read_text(document, "name"),
        unit=read_text(document, "unit"),
        decimals=read_integer(document, "decimals"),
        offset_minutes=read_integer(document, "offset_minutes"),
        terms=_read_terms(read_table(document, "terms")),
    )


def read_terms_file(text: str) -> Terms:
    """The terms alone, for an update: the same file, whose other fields a program never changes."""
    return read_program_file(text).terms


def check_draft(terms: Terms) -> None:
    """What the ledger would check when the terms are published. Raises Malformed for limits and contradictions."""
    TERMS_SHAPE.decode(unpack(pack(TERMS_SHAPE.encode(terms))), "terms")
    check_terms(terms)


def program_to_mapping(program: ProgramCreate) -> dict[str, Any]:
    """A program as the mapping that `read_program_file` reads from JSON."""
    terms = program.terms
    return {
        "name": program.name,
        "unit": program.unit,
        "decimals": program.decimals,
        "offset_minutes": program.offset_minutes,
        "terms": {name: getattr(terms, name) for name in (*TERMS_INTEGERS, *OPTIONAL_INTEGERS)}
        | {
            "rules": [rule_to_mapping(rule) for rule in terms.rules],
            "expiry": expiry_to_mapping(terms.expiry),
            "sponsor": {name: getattr(terms.sponsor, name) for name in SPONSOR_INTEGERS},
            "referral": {"referrer": terms.referral.referrer, "joiner": terms.referral.joiner},
        }
        | ({"tiers": _tiers_to_mapping(terms)} if terms.tiers else {})
        | {
            "floor": {"points": terms.floor.points, "cents": terms.floor.cents},
            "refund_days": terms.refund_days,
        },
    }


def _tiers_to_mapping(terms: Terms) -> dict[str, Any]:
    return {field: getattr(terms, name) for field, name in TIER_INTEGERS.items()} | {
        "names": [name for name, _ in terms.tiers],
        "thresholds": [threshold for _, threshold in terms.tiers],
    }


def _parse(text: str) -> Mapping[str, Any]:
    if len(text) > FILE_CHARACTERS_MAX:
        raise WalletError(BAD_FILE, reason=f"it has more than {FILE_CHARACTERS_MAX} characters")
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        raise WalletError(BAD_FILE, reason=f"it is neither TOML nor JSON ({fault})") from None
    return document


def _read_terms(table: Mapping[str, Any]) -> Terms:
    known = {
        *TERMS_INTEGERS,
        *OPTIONAL_INTEGERS,
        "rules",
        "expiry",
        "sponsor",
        "tiers",
        "referral",
        "floor",
        "refund_days",
    }
    check_names(table, "[terms]", known)
    rules = table.get("rules")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise WalletError(BAD_FILE, reason="[[terms.rules]] must be a list of tables")
    sponsor = read_table(table, "sponsor")
    check_names(sponsor, "[terms.sponsor]", set(SPONSOR_INTEGERS))
    integers: dict[str, Any] = {name: read_integer(table, name) for name in TERMS_INTEGERS}
    integers |= {name: read_integer({name: least, **table}, name) for name, least in OPTIONAL_INTEGERS.items()}
    if "tiers" in table:
        integers |= _read_tiers(read_table(table, "tiers"))
    return Terms(
        rules=tuple(read_rule(rule) for rule in rules),
        expiry=read_expiry(read_table(table, "expiry")),
        sponsor=SponsorPolicy(*(Amount(read_integer(sponsor, name)) for name in SPONSOR_INTEGERS)),
        referral=_read_referral(read_table(table, "referral")) if "referral" in table else NO_BONUS,
        floor=_read_floor(read_table(table, "floor")) if "floor" in table else NO_FLOOR,
        refund_days=read_integer(table, "refund_days") if "refund_days" in table else 0,
        **integers,
    )


def _read_floor(table: Mapping[str, Any]) -> Floor:
    check_names(table, "[terms.floor]", {"points", "cents"})
    return Floor(Points(read_integer(table, "points")), read_integer(table, "cents"))


def _read_tiers(table: Mapping[str, Any]) -> dict[str, Any]:
    check_names(table, "[terms.tiers]", {*TIER_INTEGERS, "names", "thresholds"})
    names, thresholds = table.get("names"), table.get("thresholds")
    if not isinstance(names, list) or not isinstance(thresholds, list) or len(names) != len(thresholds):
        raise WalletError(BAD_FILE, reason="[terms.tiers] must have as many names as thresholds")
    if not all(isinstance(name, str) for name in names):
        raise WalletError(BAD_FILE, reason="names of tiers must be texts")
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in thresholds):
        raise WalletError(BAD_FILE, reason="thresholds of tiers must be whole numbers")
    days = {name: read_integer(table, field) for field, name in TIER_INTEGERS.items()}
    return {"tiers": tuple(zip(names, thresholds, strict=True)), **days}


def _read_referral(table: Mapping[str, Any]) -> ReferralBonus:
    check_names(table, "[terms.referral]", {"referrer", "joiner"})
    return ReferralBonus(Points(read_integer(table, "referrer")), Points(read_integer(table, "joiner")))
