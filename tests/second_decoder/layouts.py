"""Every shape of the text, copied from its prose (not from the generated tables), with the anchor that it stands under.

Fields that the prose names without a shape have here the one that stands for them elsewhere in the prose, or in tables.md.
"""

from typing import Any

from tests.second_decoder import campaigns, finality
from tests.second_decoder.named_shapes import NAMED, SHAPES
from tests.second_decoder.shapes import shape_of
from tests.second_decoder.voice_shapes import VOICE_KINDS, VOICE_RECORDS

# Fields 0..7 of a body (ENV-2); field 8 is the payload of the kind.
BODY_SHAPE = """[version: int 0..255, chain_tag: bytes 4, kind: text 1..32, salt: bytes 8, author: id,
                 valid_from: int 0..2^32-1, valid_until: int 0..2^32-1, payment]"""

# Kind -> (payload, records, slots, due, prepaid), each from the kind's own anchor. An earn adds two records for each entry.
KIND_SHAPES = {
    # ACC-3, ACC-4
    "transfer": (
        "[recipient: one of: 0 ToAccount[address: id], 1 ToPool[program: id], amount: int 1..M]",
        2,
        1,
        0,
        False,
    ),
    "account.set_policy": ("[policy: policy]", 1, 1, 0, False),
    # ACC-6, ACC-7, ACC-8
    "account.set_guardians": ("[guardians: list 0..1 of guardians]", 3, 2, 0, False),
    "account.recover": ("[account: id, policy_hash: id]", 5, 0, 0, False),
    "account.cancel_recovery": ("[policy_hash: id]", 1, 0, 0, True),
    # LOY-1, LOY-3, LOY-4, LOY-5, LOY-7, LOY-11
    "program.create": (
        "[name: text 1..64, unit: text 1..16, decimals: int 0..8, offset_minutes: int -1439..1439, terms: terms]",
        3,
        3,
        0,
        False,
    ),
    "program.update": ("[program: id, latest_version: int 1..2^31-2, terms: terms]", 3, 1, 0, False),
    "issuer.grant": ("[program: id, issuer: id, scopes: int 1..127, daily_cap: int 0..M]", 2, 1, 0, False),
    "issuer.revoke": ("[program: id, issuer: id]", 1, 0, 0, False),
    "member.join": (
        "[program: id, issuer: id?, referrer: id?, gives_back_from_all: bool, voucher: list 0..1 of shown_voucher]",
        3,
        1,
        0,
        False,
    ),
    "member.leave": ("[program: id]", 4, 0, 0, True),
    "earn": ("[program: id, entries: list 1..1000 of entry]", 4, 10, 5, False),
    # LOY-15, LOY-16
    "earn.contest": (
        """[program: id, terms_version: int 1..2^31-1, till: bytes 32, sequence: int 0..M, time: int 0..2^40, points: int 0..M,
            claim: one of: 0 Unsettled[],
                           1 WrongPoints[net_cents: int -2^53..2^53, paid_with_points_cents: int 0..2^53,
                                         codes: list 0..64 of [code: text 1..32, cents: int -2^53..2^53],
                                         tier: int 0..8, previous_visit: int 0..2^40],
            blinding: list 15..15 of id, signature: bytes 64]""",
        5,
        4,
        4,
        True,
    ),
    "earn.answer_contest": (
        """[contest: id, batch: id, index: int 0..M, path: list 0..10 of id,
            entry: one of: 0 SealedAnswer[period: int 0..2^31-1, points: int 0..M, receipt_points: int 0..M, position: int 0..M,
                                          receipts: int 1..M, sums: list 0..40 of [hash: id, points: int 0..M], salt: id,
                                          before: opened, after: opened],
                           1 OpenAnswer[period: int 0..2^31-1, points: int 0..M, remainder: id?],
                           2 ReturnAnswer[returned: return, signature: bytes 64, consent: consent]]""",
        6,
        2,
        2,
        False,
    ),
    # LOY-18, LOY-19, LOY-20, LOY-21
    "adjust": ("[program: id, member: id, points: int 1..M, reason: text 1..64]", 5, 2, 2, False),
    "reverse": (
        """[batch: id, index: int 0..M, path: list 0..10 of id,
            place: one of: 0 SealedPlace[period: int 0..2^31-1, points: int 0..M, receipts: id, remainder: id?, before: id?],
                           1 OpenPlace[period: int 0..2^31-1, points: int 0..M, remainder: id?],
            points: int 1..M, returned: return, signature: bytes 64, consent: consent]""",
        8,
        1,
        1,
        False,
    ),
    "points.transfer": ("[program: id, recipient: id, points: int 1..M]", 2, 0, 0, False),
    # COL-5
    "points.claim_collateral": ("[program: id]", 6, 0, 0, True),
    "program.sunset": ("[program: id, sunset_at: int 1..1099480005376]", 1, 0, 0, False),
    # RWD-1, RWD-2, RWD-3, RWD-4, RWD-5, RWD-8
    "reward.list": (
        """[program: id, name: text 1..128, price: int 1..2^53, stock: int 0..2^53, value_cents: int 0..2^53, limit,
            window, tier_min: int 0..8]""",
        2,
        1,
        0,
        False,
    ),
    "reward.update": (
        """[program: id, reward: id, price: int 1..2^53, stock_change: int -2^53..2^53, listed: bool, limit, window,
            tier_min: int 0..8]""",
        1,
        0,
        0,
        False,
    ),
    "redeem": ("[program: id, reward: id, quantity: int 1..1000, price_accepted: int 1..2^53]", 7, 3, 2, False),
    "redeem.fulfil": ("[hold: id, quantity: int 1..1000, codes: list 0..100 of id]", 6, 1, 1, False),
    "redeem.cancel": ("[hold: id]", 7, 0, 0, True),
    "redeem.refund": ("[fulfilment: id, quantity: int 1..1000]", 7, 1, 1, False),
    # CHL-2, CHL-4, CHL-5, CHL-6; entries and receipts add to what stands here
    "challenge.create": (
        """[program: id, name: text 1..64, goal, basket_min_cents: int 1..2^31-1, from_day: int 0..2^31-1, days: int 1..92,
            occurrences: int 1..366, times_max: int 1..366, grace_days: int 0..31, reward: int 1..2^31-1,
            budget: int 1..2^53]""",
        3,
        2,
        1,
        False,
    ),
    "challenge.complete": ("[program: id, entries: list 1..250 of completion_entry]", 4, 4, 4, False),
    "challenge.contest": (
        "[program: id, challenge: id, occurrence: int 0..365, receipts: list 1..16 of shown]",
        7,
        3,
        3,
        True,
    ),
    "challenge.reverse": (
        """[challenge: id, occurrence: int 0..365, index: int 0..15, path: list 0..4 of id, returned: return,
            signature: bytes 64, consent: consent]""",
        6,
        0,
        0,
        False,
    ),
    # OFR-3, OFR-4, OFR-5, OFR-6
    "offer.issue": (
        "[program: id, entries: list 1..1000 of offer_entry]",
        4,
        0,
        0,
        False,
    ),
    "offer.settle": (
        "[program: id, entries: list 1..1000 of citation]",
        4,
        10,
        5,
        False,
    ),
    "offer.contest": (
        """[program: id, offer: id, salt: bytes 32, terms: offer_terms, till: bytes 32, time: int 0..2^40,
            net_cents: int -2^53..2^53, paid_with_points_cents: int 0..2^53,
            codes: list 0..64 of [code: text 1..32, cents: int -2^53..2^53],
            blinding: list 15..15 of id, signature: bytes 64]""",
        6,
        2,
        2,
        True,
    ),
    "offer.reverse": (
        "[offer: id, points: int 1..M, returned: return, signature: bytes 64, consent: consent]",
        7,
        1,
        1,
        False,
    ),
    # CON-2, CON-3
    "consent.grant": ("[grantee: id, purpose: int 0..3, scope: text 0..32, expires_at: int 0..2^40]", 2, 1, 0, False),
    "consent.revoke": ("[grantee: id, purpose: int 0..3, scope: text 0..32]", 1, 0, 0, True),
    **campaigns.KIND_SHAPES,
    **VOICE_KINDS,
    **finality.KIND_SHAPES,
}

# First byte of the key -> (table, parts of the key after it, value). Anchors as in STA-1.
RECORD_SHAPES = {
    "0": (
        "ChainRecord",
        "",
        """[slot_count: int 1..M, free_head: int 0..M, due_sequence: int 0..M, emitted: int 0..M, accounts: int 0..M,
            pools: int 0..M, locked: int 0..M, escrow: int 0..M, maturing: int 0..M, burned: int 0..M]""",
    ),
    "A": ("Account", "address:id", "[balance: int 0..M, policy_hash: id?, deposit: int 0..M, is_guarded: bool]"),
    "B": (
        "Program",
        "program:id",
        """[owner: id, payer: bytes 0..33, deposit, name: text 1..64, unit: text 1..16, decimals: int 0..8,
            offset_minutes: int -1439..1439, versions: list 1..32 of [version: int 1..2^31-1, since: int 0..2^40],
            sunset_at: int 0..2^40, closes_at: int 0..2^40]""",
    ),
    "C": (
        "Consent",
        "fan:id grantee:id purpose:byte scope:rest",
        """[payer: bytes 0..33, deposit: int 0..M, prepaid: int 0..M, granted_at: int 0..2^40, expires_at: int 0..2^40,
            revoked_at: int 0..2^40]""",
    ),
    "D": ("DayTotals", "program:id day:be4", "[activating: int 0..M, expiring: int 0..M, backing: int 0..M]"),
    "E": (
        "Batch",
        "batch:id",
        """[payer, deposit, program: id, entries_root: id, count: int 1..M, settled_at: int 0..2^40,
            keep_until: int 0..2^40, reversed: list 0..1000 of [index: int 0..999, points: int 1..M],
            reduced: list 0..1000 of [index: int 0..999, points: int 1..M]]""",
    ),
    "G": (
        "Grant",
        "program:id issuer:id",
        """[payer, deposit, scopes: int 1..127, daily_cap: int 0..M, granted_at: int 0..2^40, revoked_at: int 0..2^40,
            day: int 0..2^31-1, day_used: int 0..M,
            earlier: list 0..16 of [from: int 0..2^40, until: int 0..2^40, scopes: int 1..127, daily_cap: int 0..M],
            contested: list 0..256 of [day: int 0..2^31-1, points: int 1..M]]""",
    ),
    "H": (
        "Hold",
        "hold:id",
        """[payer, deposit, prepaid, program: id, member: id, reward: id, quantity: int 1..1000, points: int 0..M,
            lots: list 1..128 of lot, expires_at: int 0..2^40, expires_height: int 0..2^32-1, counted]""",
    ),
    "J": (
        "UsedVoucher",
        "voucher:id",
        "[payer, deposit, program: id, member: id, valid_until: int 0..2^40]",
    ),
    "K": (
        "Books",
        "program:id",
        """[pool: int 0..M, issued: int 0..M, restored: int 0..M, pending: int 0..M, available: int 0..M, held: int 0..M,
            escrowed: int 0..M, redeemed: int 0..M, expired: int 0..M, reversed: int 0..M, members: int 0..M,
            sponsor_day: int 0..2^31-1, sponsor_day_spent: int 0..M, sponsor_height: int 0..2^32-1,
            sponsor_height_spent: int 0..M, contest_points: int 0..M, contest_points_locked: int 0..M,
            contest_points_credited: int 0..M, contest_coin: int 0..M, contests_open: int 0..M, adjusted: int 0..M,
            adjust_day: int 0..2^31-1, adjust_day_used: int 0..M, challenge_points: int 0..M,
            challenge_points_reversed: int 0..M, offered: int 0..M, offer_day: int 0..2^31-1, offer_day_used: int 0..M,
            backing: int 0..M, contest_backing: int 0..10^12, burn_carry: int 0..999, burned: int 0..M,
            collateral_paid: int 0..M]""",
    ),
    "L": (
        "Referral",
        "referral:id",
        """[payer, deposit, program: id, member: id, referrer: id, version: int 1..2^31-1, batch: id?, index: int 0..M,
            points: int 0..M, reversed: int 0..M]""",
    ),
    "M": (
        "Member",
        "program:id member:id",
        """[payer, deposit, prepaid, joined_at: int 0..2^40, left_at: int 0..2^40, remainder: id?, entries: int 0..M,
            sponsor_day: int 0..2^31-1, sponsor_spent: int 0..M, lots: list 0..128 of lot, contest_period: int 0..2^40,
            contest_count: int 0..M,
            tier_history: list 0..16 of [first_day: int 0..2^31-1, until_day: int 0..2^31-1, since: int 0..2^40, points: int 1..M],
            period_credits: list 0..4 of [begins: int 0..2^40, points: int 1..M],
            gives_back_from_all: bool, transfer_day: int 0..2^31-1, transferred: int 0..M,
            is_referred: bool, referral_period: int 0..2^40, referrals: int 0..M, earned: int 0..M,
            redemptions: int 0..M]""",
    ),
    "O": (
        "Offer",
        "offer:id",
        """[payer, deposit, program: id, member: id, terms: id, points: int 0..M, issued_at: int 0..2^40,
            expires_at: int 0..2^40, receipt: id?, version: int 0..2^31-1, activation_day: int 0..2^31-1,
            returnable_until: int 0..2^40, keep_until: int 0..2^40, reversed: int 0..M]""",
    ),
    "Q": ("DueItem", "due_time:be8 sequence:be8", "[kind: text 1..32, subject: id, number: int 0..M]"),
    "R": ("Maturing", "height:be4", "[payees]"),
    "T": ("Terms", "program:id version:be4", "terms"),
    "U": (
        "Guardianship",
        "address:id",
        """[payer, deposit, prepaid, guardians,
            approvals: list 0..16 of [place: int 0..15, policy_hash: id, time: int 0..2^40],
            failures: int 0..2^31-1, not_before: int 0..2^40, recovery: list 0..1 of recovery]""",
    ),
    "V": (
        "Returned",
        "returned:id",
        """[payer, deposit, program: id, member: id, receipt: id, points: int 1..M, used: int 0..M,
            keep_until: int 0..2^40]""",
    ),
    "W": (
        "Reward",
        "program:id reward:id",
        """[payer, deposit, name: text 1..128, price: int 1..2^53, stock: int 0..2^53, listed: bool,
            announced: list 0..1 of announced, value_cents: int 0..2^53, limit, window,
            tier_min: int 0..8]""",
    ),
    "X": (
        "Contest",
        "contest:id",
        """[payer, deposit, repaid: int 0..M, program: id, member: id, till: id, sequence: int 0..M, receipt: id,
            claim: int 0..1, time: int 0..2^40, points: int 1..M, settle_by: int 0..2^40, opened_at: int 0..2^40,
            answer_by: int 0..2^40, answer_height: int 0..2^32-1, keep_until: int 0..2^40, outcome: int 0..5,
            credited: int 0..M]""",
    ),
    "Y": (
        "Challenge",
        "challenge:id",
        """[payer, deposit, prepaid, program: id, name: text 1..64, goal, basket_min_cents: int 1..2^31-1,
            from_day: int 0..2^31-1, days: int 1..92, occurrences: int 1..366, times_max: int 1..366,
            grace_days: int 0..31, reward: int 1..2^31-1, budget: int 1..2^53, given: int 0..2^53, has_ended: bool]""",
    ),
    "h": (
        "Fulfilment",
        "fulfilment:id",
        """[payer, deposit, program: id, member: id, reward: id, hold: id, quantity: int 1..1000, points: int 0..M,
            lots: list 1..128 of lot, keep_until: int 0..2^40, keep_height: int 0..2^32-1, counted]""",
    ),
    "w": (
        "Count",
        "count:id",
        """[payer, deposit, program: id, reward: id, made: int 0..2^32-1, total: int 0..M, since: int 0..2^31-1,
            count: int 0..M]""",
    ),
    "y": (
        "Achievement",
        "achievement:id",
        """[payer, deposit, challenge: id, member: id, times: int 0..366, completions: list 0..128 of completion,
            returned: list 0..192 of [occurrence: int 0..365, receipt: id]]""",
    ),
    **VOICE_RECORDS,
    **campaigns.RECORD_SHAPES,
    **finality.RECORD_SHAPES,
}

KNOWN: dict[str, Any] = {}
for key, text in SHAPES.items():
    KNOWN[key] = shape_of(text, KNOWN, NAMED.get(key, ""))
BODY: Any = shape_of(BODY_SHAPE, KNOWN, "Body")
PAYLOADS: dict[str, Any] = {kind: shape_of(parts[0], KNOWN) for kind, parts in KIND_SHAPES.items()}
COSTS = {kind: parts[1:4] for kind, parts in KIND_SHAPES.items()}
# ACC-5: the kinds that wait while guardians recover their author.
WAITS = {"transfer", *campaigns.WAITS, "points.transfer", "account.set_policy", "account.set_guardians"}
EXITS = {kind for kind, parts in KIND_SHAPES.items() if parts[4]}
RECORDS: dict[str, tuple[str, Any]] = {
    first: (table, shape_of(value, KNOWN)) for first, (table, _, value) in RECORD_SHAPES.items()
}
