"""A second, plain model of the ledger's rules, and a machine that holds it against the ledger.

Written from `ledger/spec/` alone by somebody who never opened `ledger/domains`: where both agree, the text says what it must. The
model keeps each record as a named tuple in the order of the spec's fields, in one dictionary per table, and each rule is a function
that reads like its paragraph. It is slow, knows no slots and no undo (a former state is a copy), and hashes only where an id or a
seal needs it, with the functions of `tests.second_decoder`. A transaction comes to it as the canonical array of the spec, so that
it shares no class with the ledger.

It follows every kind of transaction and of due work, and every record: accounts, guardians and recoveries; programs,
their terms and their end; issuers, members, referrals, vouchers; settling, contests, adjusting, giving on, taking back;
challenges; personal offers; the coin behind points; rewards, redemptions in parts and refunds; consents; campaigns from
their first pledge to what is left of the last one; proposals, open and sealed ballots, tallies, answers and what they oblige
to; missions, contributions, reviews. Acts offer all of them, mostly as the rules allow and now and then not.

What is not modelled: events; slots (the chain record is compared without its fields about slots; the root on which a vote
rests is made by `snapshots.py` from the ledger's slots, and told to both sides, and the model checks proofs by it); the
signatures of witnesses (dummies, as the rules never see them) and shapes of payloads, which other tests look at. Not
reached, or hardly ever: sums of points and coin near 2^63; 16 earlier spans of a grant, 32 versions of terms, 128 lots
after giving on; a fifth failed recovery; 12 referrals of a member in a period; 192 completions and returned
receipts of one challenge; 2^32 updates of a campaign.
"""
