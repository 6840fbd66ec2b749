"""Follows a chain from its blocks and the slots that each of them changed: BLK-2, BLK-4, BLK-5, ENV-3 to ENV-5, FEE-1 to FEE-4.

The rules of the kinds are not done again here; what a block writes is given, and everything is checked that follows from it.
"""

from copy import deepcopy

from tests.second_decoder import challenges, contests, finality, guardians, offers, reviews, voice
from tests.second_decoder.block import (
    check_payees,
    genesis_block,
    genesis_slots,
    history_leaf,
    read_block,
)
from tests.second_decoder.envelope import (
    CONTEST_WEIGHT,
    EXIT_WEIGHT,
    PREPAID_WEIGHTS,
    check_signatures,
    policy_hash,
    prepaid_exit,
    signers_of,
    txid,
    weight,
)
from tests.second_decoder.hashing import be4, object_id, tree_root
from tests.second_decoder.pow import Clockwork, emission_to_date, is_proved, is_version_good, subsidy
from tests.second_decoder.receipts import better_points, entry_leaf, entry_row
from tests.second_decoder.records import read_value
from tests.second_decoder.slots import check_invariants, give_slots, take_back, undo_of

# Kind -> (noun of HASH-4, first byte of the key of the record that stands under the id).
MADE = {
    "program.create": ("program", b"B"),
    "reward.list": ("reward", b"W"),
    "redeem": ("hold", b"H"),
    "campaign.create": ("campaign", b"F"),
    "earn": ("earn", b"E"),
    "proposal.create": ("proposal", b"p"),
    "challenge.create": ("challenge", b"Y"),
    "mission.create": ("mission", b"m"),
}

# LOY-11.
CONTEST_KEEP_SECONDS = 3_888_000

# LOY-11: the codes 1 to 7 of an entry that is skipped; an open entry then counts 0 points.
UNPRICED = {
    "earn.no_member",
    "earn.future_period",
    "earn.before_joining",
    "earn.member_left",
    "earn.program_ended",
    "earn.no_consent",
    "earn.wrong_period",
    "earn.wrong_version",
}


def in_force(versions: list[dict], time: int) -> int:
    """The version in force at a time (LOY-1)."""
    past = [item for item in versions if item["since"] <= time]
    return (past or versions[:1])[-1]["version"]


def prepaid_in(state: dict[bytes, bytes], key: bytes) -> int:
    """The prepaid exit that a record holds, 0 where there is none (FEE-4)."""
    return read_value(key, state[key]).get("prepaid", 0) if key in state else 0


def read_terms(program: bytes, version: int, state: dict[bytes, bytes]) -> dict:
    """A program's terms under a version (LOY-1)."""
    key = b"T" + program + be4(version)
    return read_value(key, state[key])


class Chain:
    """A chain from genesis to its last block."""

    def __init__(self, params: dict) -> None:
        self.params = params
        self.slots = genesis_slots(params)
        genesis = read_block(genesis_block(params), params["magic"])
        assert genesis["commitment"]["state_root"] == tree_root(self.slots.leaves)
        self.chain_id = self.tip = genesis["hash"]
        self.clock = Clockwork(params["eras"], params["genesis_time"])
        self.history: list[bytes] = []
        self.used: set[tuple[bytes, bytes]] = set()
        self.remember()

    def remember(self) -> None:
        """Adds the last block to the history (BLK-5)."""
        self.history.append(history_leaf(self.tip, self.clock.work, self.clock.effective))

    def state(self) -> dict[bytes, bytes]:
        """Key -> encoding of the value of all records."""
        return {key: value for key, (_, value) in self.slots.records().items()}

    def check_header(self, block: dict) -> None:
        """POW-5."""
        header = block["header"]
        assert is_version_good(header["version"])
        assert header["previous"] == self.tip
        assert header["time"] > self.clock.time
        assert header["bits"] == self.clock.next_bits()
        assert is_proved(block["parts"]["header"])

    def check_commitment(self, block: dict) -> None:
        """BLK-2, step 9."""
        commitment = block["commitment"]
        assert commitment["chain_id"] == self.chain_id
        assert commitment["height"] == self.clock.height + 1
        assert commitment["history_root"] == tree_root(self.history)

    def check_transactions(self, block: dict) -> None:
        """ENV-3, ENV-4 and ENV-5 of every transaction, with policies as they change within the block."""
        height = block["commitment"]["height"]
        assert sum(weight(raw) for raw in block["parts"]["transactions"]) <= self.params["block_weight_max"]
        policies: dict[bytes, bytes] = {}
        for key, value in self.state().items():
            if key[:1] == b"A":
                policies[key[1:]] = read_value(key, value)["policy_hash"] or key[1:]
        policies |= guardians.policies_in_force(self.state(), self.clock.time, height)
        for transaction in block["transactions"]:
            body = transaction["body"]
            assert 0 <= body["valid_until"] - body["valid_from"] < self.params["validity_blocks_max"]
            assert body["valid_from"] <= height <= body["valid_until"]
            assert body["kind"] in self.params["kinds"]
            assert (body["author"], body["salt"]) not in self.used
            self.used.add((body["author"], body["salt"]))
            for signer, witness in zip(signers_of(body), transaction["witnesses"], strict=True):
                assert policies.get(signer, signer) == policy_hash(witness["policy"])
            assert check_signatures(transaction, self.chain_id) >= 1
            if body["kind"] == "account.set_policy":
                policies[body["author"]] = policy_hash(body["payload"]["policy"])

    def check_made(self, block: dict, after: dict[bytes, bytes]) -> None:
        """HASH-4: what a transaction makes stands under the id of its noun."""
        for transaction in block["transactions"]:
            body = transaction["body"]
            if body["kind"] in MADE:
                noun, first = MADE[body["kind"]]
                found = object_id(noun, txid(transaction["body_bytes"]))
                key = first + (body["payload"]["program"] if first == b"W" else b"") + found
                assert key in after
                assert key not in self.state()

    def terms_at(self, program: bytes, time: int, state: dict[bytes, bytes]) -> dict:
        """The terms in force at a time (LOY-1), by the program's record before the block, else by the one after it."""
        key = b"B" + program
        record = read_value(key, self.state().get(key) or state[key])
        return read_terms(program, in_force(record["versions"], time), state)

    def open_points(self, program: bytes, entry: dict, code: str, after: dict[bytes, bytes]) -> int:
        """The points of an open entry (LOY-11)."""
        if code in UNPRICED:
            return 0
        both = read_terms(program, entry["terms_version"], after), self.terms_at(program, entry["time"], after)
        return better_points(entry, list(both), *self.standing_of(program, entry["member"], after))

    def standing_of(self, program: bytes, member: bytes, after: dict[bytes, bytes]) -> tuple[dict | None, int]:
        """A member's record before the block, and the program's offset: what the better tier reads (LOY-6)."""
        key = b"M" + program + member
        record = read_value(key, self.state()[key]) if key in self.state() else None
        return record, read_value(b"B" + program, after[b"B" + program])["offset_minutes"]

    def batch_rows(self, transaction: dict, codes: list[str], after: dict[bytes, bytes]) -> list[list]:
        """The rows of a batch, with the remainders that its members' records hold before each of them (LOY-12)."""
        payload, before, rows = transaction["body"]["payload"], self.state(), []
        remainders: dict[bytes, bytes] = {}
        for entry, code in zip(payload["entries"], codes, strict=True):
            member = b"M" + payload["program"] + entry["member"]
            held = read_value(member, before[member])["remainder"] if member in before else b""
            held = remainders.get(member, held)
            sealed = entry["is"] == "SealedEntry"
            points = entry["points"] if sealed else self.open_points(payload["program"], entry, code, after)
            rows.append(entry_row(entry, points, held, code))
            if sealed and code in contests.CREDITED:
                remainders[member] = entry["remainder"]
        return rows

    def keep_until(self, program: bytes, period: int, after: dict[bytes, bytes]) -> int:
        """How long a batch that names a period is kept (LOY-11, "Dates of an entry")."""
        now, offset = self.clock.time, read_value(b"B" + program, after[b"B" + program])["offset_minutes"]
        terms = self.terms_at(program, now, after)
        length = max(terms["period_days"], 1)
        first_day = period * length + terms["period_anchor_day"]
        begins, ends = (86_400 * day - 60 * offset for day in (first_day, first_day + length))
        last = min(ends - 1, now)
        kept = [
            (ends if begins <= now < ends else now) + self.terms_at(program, last, after)["settle_grace_days"] * 86_400
        ]
        record = read_value(b"B" + program, self.state().get(b"B" + program) or after[b"B" + program])
        times = [begins, *(item["since"] for item in record["versions"] if begins < item["since"] <= last)]
        for time in times if begins <= last else ():
            kept.append(contests.settle_by(record, self.terms_at(program, time, after), last))
        return max(kept) + CONTEST_KEEP_SECONDS

    def check_batches(self, block: dict, after: dict[bytes, bytes]) -> list[list[list]]:
        """LOY-12: the record of each batch holds the root over its rows; these rows."""
        found = []
        for transaction, codes in zip(block["transactions"], block["parts"]["results"], strict=True):
            if transaction["body"]["kind"] == "earn":
                rows = self.batch_rows(transaction, codes, after)
                key = b"E" + object_id("earn", txid(transaction["body_bytes"]))
                batch = read_value(key, after[key])
                assert batch["entries_root"] == tree_root([entry_leaf(row) for row in rows])
                assert (batch["program"], batch["count"]) == (transaction["body"]["payload"]["program"], len(rows))
                kept = [self.keep_until(batch["program"], row[2], after) for row in rows]
                assert batch["keep_until"] == max(kept)
                found.append(rows)
            elif transaction["body"]["kind"] == "offer.issue":
                offers.check_issued(transaction["body"]["payload"], codes, after, self.clock.time)
            elif transaction["body"]["kind"] == "offer.settle":
                offers.check_settled(transaction["body"]["payload"], codes, self.state(), after)
            elif transaction["body"]["kind"] != "challenge.complete":
                assert codes == [""]
        return found

    def check_contests(self, block: dict, after: dict[bytes, bytes]) -> None:
        """LOY-15, LOY-16, LOY-19, OFR-5 and OFR-6: what contests, answers and reversals leave in their records."""
        for transaction in block["transactions"]:
            body, payload = transaction["body"], transaction["body"]["payload"]
            if body["kind"] == "finality.attest":
                finality.check_votes(body, self.checkpoints(self.state()), self.checkpoints(after))
            if body["kind"] == "earn.answer_contest":
                contests.check_answered(payload, self.state(), after)
            if body["kind"] == "reverse":
                contests.check_reversed(payload, self.state(), after, self.clock.time)
            if body["kind"].startswith("challenge."):
                challenges.CHECKS[body["kind"]](transaction, self.state(), after, self.clock.time)
            if body["kind"] == "offer.contest":
                offset = read_value(b"B" + payload["program"], after[b"B" + payload["program"]])["offset_minutes"]
                today = (self.clock.time + 60 * offset) // 86_400
                offers.check_contested(body, self.state(), after, today)
            if body["kind"] == "offer.reverse":
                offers.check_reversed(payload, self.state(), after)
            if body["kind"] == "earn.contest":
                program, time = payload["program"], payload["time"]
                in_force = self.terms_at(program, time, after)
                named = read_terms(program, payload["terms_version"], after)
                key = contests.contest_key(payload)
                contests.check_opened(
                    body,
                    read_value(key, after[key]),
                    contests.points_owed(payload, [named, in_force], *self.standing_of(program, body["author"], after)),
                    contests.settle_by(read_value(b"B" + program, after[b"B" + program]), in_force, time),
                    self.clock.time,
                    block["commitment"]["height"],
                )

    def checkpoints(self, state: dict[bytes, bytes]) -> dict[bytes, dict]:
        """The votes that the chain holds, by the key of their checkpoint (FIN-3)."""
        return {key: read_value(key, value) for key, value in state.items() if key[:1] == b"k"}

    def fee_of(self, raw: bytes, body: dict, after: dict[bytes, bytes]) -> int:
        """What one transaction pays (FEE-1, FEE-2, FEE-4), with the terms in force before the block where there were any."""
        payment = body["payment"]
        if payment["is"] == "OwnFee":
            assert payment["fee"] >= weight(raw) * self.params["fee_rate_min"]
            return payment["fee"]
        if payment["is"] == "Prepaid":
            assert weight(raw) <= PREPAID_WEIGHTS.get(body["kind"], EXIT_WEIGHT)
            if body["kind"] == "points.claim_collateral":  # COL-5: out of what is claimed
                return prepaid_exit(self.params["fee_rate_min"])
            # What was prepaid for it comes back at once, out of the program's reserve (OFR-5, 9.).
            return CONTEST_WEIGHT * self.params["fee_rate_min"] if body["kind"] == "offer.contest" else 0
        return weight(raw) * self.terms_at(payment["program"], self.clock.time, after)["sponsor"]["rate"]

    def check_reward(self, block: dict, after: dict[bytes, bytes]) -> None:
        """EMI-2: the payees get the subsidy, what the transactions pay, and the prepaid exits of what ended."""
        pairs = zip(block["parts"]["transactions"], block["transactions"], strict=True)
        fees = sum(self.fee_of(raw, transaction["body"], after) for raw, transaction in pairs)
        before = self.state()
        spent = (key for key in before if not challenges.ends_with(key, before, after))
        fees += sum(max(prepaid_in(before, key) - prepaid_in(after, key), 0) for key in spent)
        for key in after.keys() - before.keys():
            if key[:1] == b"X" and not read_value(key, after[key])["payer"]:
                fees -= read_value(key, after[key])[
                    "deposit"
                ]  # it left what was prepaid, and is locked in the contest (LOY-14)
        fees -= challenges.deposits_of_contests(block, before, after)
        commitment = block["commitment"]
        reward = subsidy(self.params, commitment["height"]) + fees
        check_payees(commitment["payees"], reward, self.params["account_minimum"])

    def phases(self, block: dict, after: dict[bytes, bytes]) -> list[dict[bytes, bytes]]:
        """BLK-3: the records after the phase of due work or transactions, and after that of the reward.

        A block of the vectors has either due work or transactions, so that what it writes can be told apart.
        """
        height = block["commitment"]["height"]
        before = self.state()
        due = [key for key in before if key[:1] == b"Q" and key not in after]
        assert not (due and block["transactions"])
        matured = (
            b"R" + be4(height - self.params["maturity_blocks"]) if height >= self.params["maturity_blocks"] else b""
        )
        own = b"R" + be4(height)
        payees = read_value(matured, before[matured])["payees"] if matured in before else []
        paid = {b"A" + item["address"] for item in payees} - before.keys()
        first = {key: value for key, value in after.items() if key != own and key not in paid}
        if matured in before:
            assert matured not in after
            first[matured] = before[matured]
        assert (own in after) == bool(block["commitment"]["payees"])
        noted = finality.noted_key(self.params, height)
        if (
            noted and block["transactions"]
        ):  # what a block notes at its beginning comes before what its transactions write
            return [before | {noted: after[noted]}, first, after]
        return [first, after]

    def add(self, raw: bytes, changed: dict) -> dict:
        """Takes the next block; `changed` are its slots, each (key, value) or the next free one. Gives the block in names."""
        block = read_block(raw, self.params["magic"], self.chain_id)
        self.check_header(block)
        self.check_commitment(block)
        self.check_transactions(block)
        after_slots = deepcopy(self.slots)
        for slot in sorted(changed):
            after_slots.put(slot, changed[slot])
        after = {key: value for key, (_, value) in after_slots.records().items()}
        self.check_made(block, after)
        self.check_reward(block, after)
        rate = self.params["fee_rate_min"]
        guardians.check_guardians(block, self.state(), after, self.clock.time, rate, self.params["record_deposit"])
        batches = self.check_batches(block, after)
        self.check_contests(block, after)
        voice.check_ballots(block, self.state(), after, self.slots)
        reviews.check_said(block, self.state(), after, self.clock.time)
        before, undo = deepcopy(self.slots), undo_of(self.slots, list(changed))
        head = read_value(b"0", self.state()[b"0"])["free_head"]
        for phase in self.phases(block, after):
            head = give_slots(self.slots, head, set(self.state()), phase)
        assert self.slots.content == after_slots.content
        assert read_value(b"0", after[b"0"])["free_head"] == head
        assert len(self.slots.content) == block["commitment"]["slot_count"]
        assert tree_root(self.slots.leaves) == block["commitment"]["state_root"]
        assert take_back(self.slots, undo).leaves == before.leaves
        check_invariants(self.slots, emission_to_date(self.params, block["commitment"]["height"]))
        self.clock.add(block["header"]["time"])
        self.tip = block["hash"]
        self.remember()
        return {**block, "undo": undo, "batches": batches}
