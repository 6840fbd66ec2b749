"""Shapes of the text that have a name of their own, copied from its prose, with the anchor that each stands under."""

from tests.second_decoder import campaigns, finality

# In an order in which each stands before it is used. tables.md writes those in NAMED by name.
SHAPES = {
    **finality.SHAPES,
    # Fields that every record names without repeating the shape: FEE-5, FEE-4.
    "payer": "bytes 0..33",
    "deposit": "int 0..M",
    "prepaid": "int 0..M",
    # ACC-1, ENV-3
    "policy": "[threshold: int 1..16, keys: list 1..16 of bytes 32]",
    "witness": "[policy: policy, signatures: list 1..16 of [key_index: int 0..15, signature: bytes 64]]",
    # ACC-5
    "guardians": "[threshold: int 1..16, addresses: list 1..16 of id, delay_days: int 1..365]",
    "recovery": """[policy_hash: id, started_at: int 0..2^40, effective_at: int 0..2^40, effective_height: int 0..2^32-1,
                    expires_at: int 0..2^40, expires_height: int 0..2^32-1]""",
    # ENV-2
    "payment": "one of: 0 OwnFee[fee: int 0..M], 1 Sponsored[program: id], 2 Prepaid[]",
    # BLK-1
    "payees": "list 0..64 of [address: id, amount: int 1..M]",
    "commitment": """[chain_id: id, height: int 0..2^32-1, transaction_root: id, state_root: id, history_root: id,
                      transaction_count: int 0..65536, slot_count: int 1..M, payees]""",
    # PAR-1
    "allocation": "[address: id, amount: int 1..M]",
    "era": """[start_height: int 0..2^32-1, block_time_s: int 1..86400, half_life_s: int 1..10000000,
               limit_bits: int 0..2^32-1, anchor_bits: int 0..2^32-1, retarget: int 0..1]""",
    "params": """[name: text 1..32, address_prefix: text 1..16, magic: bytes 4, genesis_time: int 86400..2^32-1,
                  eras: list 1..16 of era, subsidy_initial: int 0..M, halving_interval_blocks: int 1..2^32-1,
                  maturity_blocks: int 1..10000, block_weight_max: int 100000..16777216,
                  due_weight_max: int 10000..100000000, fee_rate_min: int 0..1000000, record_deposit: int 0..2^43-1,
                  account_minimum: int 0..2^43-1, validity_blocks_max: int 1..100000,
                  allocations: list 0..1024 of allocation, kinds: list 1..256 of text 1..32,
                  upgrades: list 0..256 of [name: text 1..32, height: int 1..2^32-1],
                  attestors: attestors, recovery_keys: list 0..16 of bytes 32, recovery_threshold: int 0..16,
                  silence_days: int 1..366, silence_blocks: int 1..2^32-1, checkpoint_interval_blocks: int 1..10000,
                  trusted: list 0..1 of [height: int 0..2^32-1, hash: id]]""",
    # LOY-8
    "lot": "[version: int 1..2^31-1, activation_day: int 0..2^31-1, expiry_day: int 0..2^31-1, points: int 1..M]",
    # VOI-1, VOI-2
    "ballot_weight": "one of: 0 EachMember[], 1 EarnedPoints[cap: int 1..2^31-1], 2 PledgedTo[campaign: id]",
    "power_proof": "[number: int 0..2^32-1, value: bytes 1..16384, slot: int 0..M, path: list 0..64 of id]",
    # MIS-2
    "slip": """[version: int 1..1, program: id, fan: id, mission: id?, role: int 0..3, work: id, issuer: bytes 32,
                time: int 0..2^40, salt: bytes 32]""",
    # TXT-1
    "text_document": "[salt: bytes 32, text: text 1..65536]",
    # REV-1, REV-2
    "subject": "one of: 0 ProgramSubject[program: id], 1 CampaignSubject[campaign: id]",
    "standing": """one of: 0 Earned[], 1 Redeemed[], 2 PledgeStanding[campaign: id, number: int 0..2^32-1],
                           3 Contributed[contribution: id]""",
    # LOY-2
    "rule": """one of: 0 RatePerAmount[points: int 1..2^31-1, per_cents: int 1..2^31-1],
                       1 MinimumBasket[cents: int 1..2^31-1], 2 ReceiptCap[points: int 1..M],
                       3 RatePerCode[code: text 1..32, points: int 1..2^31-1, per_cents: int 1..2^31-1],
                       4 PerVisit[points: int 1..2^31-1, cents_min: int 1..2^31-1, cooldown_seconds: int 0..2^31-1],
                       5 BonusWindow[from_day: int 0..2^31-1, until_day: int 0..2^31-1, weekdays: int 1..127,
                                     minute_from: int 0..1439, minute_until: int 1..1440, numerator: int 1..1000000,
                                     denominator: int 1..1000000],
                       6 TierMultiplier[tier: int 1..8, numerator: int 1..1000000, denominator: int 1..1000000],
                       7 PeriodCap[points: int 1..M, rejects: bool]""",
    "referral": "[referrer: int 0..2^31-1, joiner: int 0..2^31-1]",
    "sponsor": "[rate: int 0..1000000, member_day_max: int 0..M, block_max: int 0..M, day_max: int 0..M]",
    "floor": "[points: int 0..2^31-1, cents: int 0..2^31-1]",
    "terms": """[rules: list 1..16 of rule,
                 expiry: one of: 0 NeverExpires[], 1 RollingExpiry[days: int 1..36500],
                                 2 CalendarExpiry[month: int 1..12, day: int 1..31, years_min: int 0..10],
                                 3 SlidingExpiry[days: int 1..36500],
                 activation_delay_days: int 0..366, return_window_days: int 0..366, period_days: int 0..92,
                 period_anchor_day: int 0..91, settle_grace_days: int 0..31, remainder_max: int 0..2^31-1,
                 issuance_cap: int 0..M, hold_seconds: int 60..7776000, notice_days: int 0..366, sponsor,
                 tiers: list 0..8 of [name: text 1..32, threshold: int 1..M], tier_period_days: int 0..366,
                 tier_anchor_day: int 0..365, tier_grace_days: int 0..366,
                 adjust_day_max: int 0..M, transfer_day_max: int 0..M, wind_down_days: int 30..366, referral, floor,
                 refund_days: int 0..92, offer_day_max: int 0..M, collateral: int 0..10^12, burn: int 0..10^12]""",
    # JOIN-2
    "shown_voucher": """[key: bytes 32, valid_until: int 0..2^40, till: bytes 32, signature: bytes 64,
                         proof: bytes 64]""",
    # LOY-11
    "entry": """one of: 0 SealedEntry[member: id, period: int 0..2^31-1, points: int 0..M, receipts: id, remainder: id?],
                        1 OpenEntry[member: id, period: int 0..2^31-1, receipt: id, terms_version: int 1..2^31-1,
                                    time: int 0..2^40, net_cents: int -2^53..2^53,
                                    paid_with_points_cents: int 0..2^53,
                                    codes: list 0..64 of [code: text 1..32, cents: int -2^53..2^53], tier: int 0..8,
                                    previous_visit: int 0..2^40]""",
    # CHL-1, CHL-4, CHL-5
    "goal": """one of: 0 Visits[count: int 1..16], 1 Spend[cents: int 1..2^53],
                       2 Codes[codes: list 1..16 of text 1..32]""",
    "completion": """[occurrence: int 0..365, evidence: id, count: int 1..16, version: int 1..2^31-1,
                      activation_day: int 0..2^31-1, base: int 0..2^31-1, contested: bool]""",
    "completion_entry": "[member: id, challenge: id, occurrence: int 0..365, evidence: id, count: int 1..16]",
    "shown": """[till: bytes 32, sequence: int 0..M, time: int 0..2^40, net_cents: int -2^53..2^53,
                 paid_with_points_cents: int 0..2^53, codes: list 0..64 of [code: text 1..32, cents: int -2^53..2^53],
                 blinding: list 15..15 of id, signature: bytes 64]""",
    # RWD-1, RWD-2, RWD-3
    "limit": "[total: int 0..2^31-1, count: int 0..2^31-1, days: int 0..366]",
    "window": "[opens_at: int 0..2^40, closes_at: int 0..2^40]",
    "announced": """[effective_from: int 0..2^40, price: int 1..2^53, stock_change: int -2^53..2^53, listed: bool, limit,
                     window, tier_min: int 0..8]""",
    "counted": "list 0..1 of [made: int 0..2^32-1, since: int 0..2^31-1]",
    # LOY-16
    "opened": "[salt: id?, points: int 0..M]",
    # RCP-1
    "receipt": """[version: int 1..1, program: id, terms_version: int 1..2^31-1, member: id, till: bytes 32,
                   sequence: int 0..M, time: int 0..2^40, net_cents: int -2^53..2^53,
                   paid_with_points_cents: int 0..2^53, codes: list 0..64 of [code: text 1..32, cents: int -2^53..2^53],
                   lines_root: id, points: int 0..M, tier: int 0..8, previous_visit: int 0..2^40, offer: id?]""",
    # RWD-10
    "acceptance_statement": """[version: int 1..1, program: id, txid: id, hold: id, member: id, till: bytes 32,
                                accepted_at: int 0..2^40, depth: int 1..10000]""",
    "signed_acceptance": "[statement: acceptance_statement, signature: bytes 64]",
    "signed_receipt": "[receipt, salt: bytes 32, signature: bytes 64]",
    # RCP-9
    "return": """[version: int 1..1, program: id, member: id, receipt: id, till: bytes 32, time: int 0..2^40,
                  points: int 1..M, salt: bytes 32]""",
    "consent": "[policy: policy, signatures: list 1..16 of [key_index: int 0..15, signature: bytes 64]]",
    "signed_return": "[returned: return, signature: bytes 64, consent: consent]",
    # OFR-1
    "offer_terms": """[version: int 1..1, from_time: int 0..2^40, net_cents_min: int 0..2^53,
                       codes: list 0..16 of text 1..32, text: text 0..256, needs_all: bool]""",
    "personal_offer": """[program: id, member: id, points: int 1..M, expires_at: int 0..2^40, salt: bytes 32,
                          terms: offer_terms]""",
    # OFR-3, OFR-4
    "offer_entry": "[member: id, terms: id, points: int 1..M, expires_at: int 0..2^40]",
    "citation": "[offer: id, period: int 0..2^31-1, receipt: id]",
    # BLK-1
    "block": """[header: bytes 80, coinbase: bytes 122, commitment: bytes 1..8192,
                 transactions: list 0..65536 of bytes 1..262144,
                 results: list 0..65536 of list 1..1000 of text 0..64]""",
    # PRF-1
    "path": "list 0..64 of id",
    "anchor": "[header: bytes 80, coinbase: bytes 122, commitment: bytes 1..8192, following: list 0..1000 of bytes 80]",
    "trusted": "[height: int 0..2^32-1, hash: id, work: bytes 32, effective_time: int 0..2^40, path: path]",
    "home": """[header: bytes 80, coinbase: bytes 122, commitment: bytes 1..8192, work: bytes 32, effective_time: int 0..2^40,
                path: path]""",
    "claim": """one of: 0 TransactionClaim[transaction: bytes 1..262144, results: list 1..1000 of text 0..64,
                                           index: int 0..2^32-1, path: path, home: list 0..1 of home],
                        1 RecordClaim[key: bytes 1..128, value: bytes 1..262144, slot: int 0..M, path: path]""",
    "proof": "[version: int 1..1, chain_id: id, rests_on: id, anchor, trusted, claims: list 1..4 of claim]",
    # CRF-1, CRF-2
    **campaigns.SHAPES,
}

# The names under which tables.md keeps a structure apart; all others it writes out where they stand.
NAMED = {
    **finality.NAMED,
    "policy": "Policy",
    "witness": "Witness",
    "guardians": "Guardians",
    "recovery": "Recovery",
    "commitment": "Commitment",
    "allocation": "Allocation",
    "params": "Params",
    "sponsor": "SponsorPolicy",
    "referral": "ReferralBonus",
    "floor": "Floor",
    "terms": "Terms",
    "completion": "Completion",
    "completion_entry": "CompletionEntry",
    "shown": "ShownReceipt",
    "limit": "Limit",
    "window": "Window",
    "announced": "Announced",
    "receipt": "Receipt",
    "signed_receipt": "SignedReceipt",
    "return": "ReturnReceipt",
    "consent": "FanConsent",
    "signed_return": "SignedReturn",
    "acceptance_statement": "AcceptanceStatement",
    "power_proof": "PowerProof",
    "signed_acceptance": "SignedAcceptance",
    "opened": "OpenedRemainder",
    "offer_terms": "OfferTerms",
    "personal_offer": "PersonalOffer",
    "offer_entry": "OfferEntry",
    "citation": "Citation",
    "slip": "ContributionSlip",
    "shown_voucher": "ShownVoucher",
    "anchor": "Anchor",
    "trusted": "Trusted",
    "home": "Home",
    "proof": "Proof",
}
