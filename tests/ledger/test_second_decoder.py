"""The golden vectors, read by the second decoder (tests/second_decoder), which was written from ledger/spec alone.

Nothing of the project is imported here: where these tests pass, text and vectors say the same.
"""

import json

from tests.second_decoder import (
    acceptances,
    address,
    block,
    encoding,
    envelope,
    hashing,
    layouts,
    params,
    records,
    tables,
    vectors,
)
from tests.second_decoder import pow as work
from tests.second_decoder.chain import Chain
from tests.second_decoder.vectors import assert_no_prefix, fault_of, load, value_of

unhex = bytes.fromhex

# Every list at the top of every file; a file or a list that is not named here is one that nobody read.
COUNTS = {
    "acceptances.json": {"acceptances": 3, "vouchers": 4},
    "addresses.json": {"accepted": 10, "refused": 7},
    "chain.json": {"blocks": 113},
    "codec.json": {"accepted": 46, "refused": 40},
    "earning.json": {"purchases": 80, "calendar": 270, "tiers": 3},
    "entries.json": {"entries": 7},
    "hashes.json": {"tagged": 111, "sha256d": 3, "object_ids": 6, "leaves": 9, "trees": 10},
    "policies.json": {"seeds": 4, "policies": 4, "refused": 3},
    "proofs.json": {"proofs": 6},
    "receipts.json": {"fields": 15, "lines": 2, "sums": 6, "remainders": 4},
    "records.json": {"records": 164, "free_slots": 5},
    "transactions.json": {"transactions": 116},
    "work.json": {"bits": 9, "targets": 10, "refused": 6, "blocks": 113},
}


def cases(name: str, section: str) -> list:
    """All cases of a section, as many as COUNTS says."""
    found = load(name)[section]
    assert len(found) == COUNTS[name][section]
    return found


def changed_slots(rows: list[dict]) -> dict:
    """Slot -> (key, value's encoding), or the number of the next free slot."""
    return {row["slot"]: row["next"] if "next" in row else (unhex(row["key"]), unhex(row["value"])) for row in rows}


def follow_chain() -> tuple[Chain, list[dict]]:
    """The chain of the vectors and its blocks in names."""
    chain = Chain(params.read_file(load("chain.json")["params"]["file"]))
    return chain, [
        chain.add(unhex(case["block"]), changed_slots(case["changed_slots"])) for case in cases("chain.json", "blocks")
    ]


# ------------------------------------------------------------------------------------------------ the files, the tables


def test_every_file_and_every_list_of_cases_is_read():
    assert vectors.counts_of_files() == COUNTS


def test_the_generated_tables_say_what_the_prose_says():
    found = tables.read_tables(vectors.TABLES.read_text(encoding="utf-8"))
    assert {row[0]: row[1] for row in found["Hash tags"]} == hashing.TAGS
    assert all(hashing.plain(row[1].encode()).hex() == row[3] for row in found["Hash tags"])
    kinds = {row[0]: row for row in found["Kinds"]}
    assert sorted(kinds) == sorted(layouts.PAYLOADS)
    for kind, (kind_records, slots, due) in layouts.COSTS.items():
        per_entry = {
            "earn": (2, 0, 0),
            "challenge.complete": (4, 1, 1),
            "offer.issue": (2, 1, 1),
            "offer.settle": (2, 0, 0),
        }.get(kind, (0, 0, 0))
        costs = [
            f"{base} + {more} per entry" if more else str(base)
            for base, more in zip((kind_records, slots, due), per_entry, strict=True)
        ]
        reverses = kind in {"reverse", "challenge.reverse", "offer.reverse"}
        by_fan = " + 1 per signature of the fan" if reverses else ""
        by_receipt = " + 1 per receipt" if kind == "challenge.contest" else ""
        attested = (
            f"{int(reverses or kind in {'earn.contest', 'offer.contest', 'contribution.record'})}{by_receipt}{by_fan}"
        )
        by_finality = {
            "finality.attest": "0 + 1 per vote",
            "finality.evidence": "2",
            "finality.set_attestors": "0 + 1 per approval",
            "finality.replace_silent": "0 + 1 per approval",
        }
        attested = by_finality.get(kind, attested)
        if kind in ("finality.set_attestors", "finality.replace_silent"):
            costs[0] += " + 1 per member"
        prepaid = f"{envelope.PREPAID_WEIGHTS.get(kind, envelope.EXIT_WEIGHT):,}" if kind in layouts.EXITS else ""
        assert kinds[kind][3:] == [
            *costs,
            attested,
            prepaid,
            "yes" if kind in layouts.WAITS else "",
        ]
        rows = found[f"Payload of {kind}: {kinds[kind][2]}"]
        assert rows == tables.rows_of(layouts.PAYLOADS[kind])
    for first, (table, shape) in layouts.RECORDS.items():
        assert found[f"Table {first} (byte {ord(first):02x}): {table}"] == tables.rows_of(shape)
    structures = {"Body": tables.rows_of(layouts.BODY), **tables.named_structures()}
    assert tables.structures_of(found) == structures
    limits = {row[0]: int(row[1].replace(",", "")) for row in found["Limits and constants"]}
    for name, here in {
        "BYTES_MAX": encoding.BYTES_MAX,
        "DEPTH_MAX": encoding.DEPTH_MAX,
        "ITEMS_MAX": encoding.ITEMS_MAX,
        "TEXT_LENGTH_MAX": address.TEXT_LENGTH_MAX,
        "TRANSACTION_BYTES_MAX": envelope.TRANSACTION_BYTES_MAX,
        "BLOCK_BYTES_MAX": block.BLOCK_BYTES_MAX,
        "EXIT_WEIGHT": envelope.EXIT_WEIGHT,
        "CONTEST_WEIGHT": envelope.CONTEST_WEIGHT,
        "CHALLENGE_CONTEST_WEIGHT": envelope.CHALLENGE_CONTEST_WEIGHT,
        "TOTAL_MAX": work.HALF_OF_RANGE,
    }.items():
        assert limits[name] == here, name


def test_the_networks_of_the_tables_have_the_hashes_that_stand_there():
    found = tables.read_tables(vectors.TABLES.read_text(encoding="utf-8"))
    networks = [heading for heading in found if heading.startswith("Network ")]
    kinds = [row[0] for row in found["Kinds"]]
    assert len(networks) == 4
    for heading in networks:
        rows = dict(found[heading])
        texts = ("name", "address_prefix", "magic")
        fields = {
            name: rows[name] if name in texts else sorted(kinds) if rows[name] == "all" else json.loads(rows[name])
            for name, _ in params.PARAMS.fields
        }
        network = params.read_file(fields)
        assert params.params_hash(network).hex() == rows["params hash"]
        assert block.read_block(block.genesis_block(network), network["magic"])["hash"].hex() == rows["chain id"]


def test_every_code_and_event_of_the_vectors_stands_in_the_tables():
    found = tables.read_tables(vectors.TABLES.read_text(encoding="utf-8"))
    codes = {row[0] for row in found["Codes"]}
    named = [("codec.json", "refused"), ("addresses.json", "refused"), ("work.json", "refused")]
    assert {case["code"] for name, section in named for case in cases(name, section)} <= codes
    events = {name for case in cases("chain.json", "blocks") for _, name in case["events"]}
    assert events <= {row[0] for row in found["Events"]}


# ------------------------------------------------------------------------------------------------------- transactions


def test_acceptances_and_voucher_codes():
    chain_id = unhex(load("acceptances.json")["chain_id"])
    for case in cases("acceptances.json", "acceptances"):
        raw = unhex(case["signed"])
        found = acceptances.read_signed(raw)
        assert acceptances.write_signed(found) == raw
        statement = found["statement"]
        assert [statement["txid"].hex(), statement["hold"].hex(), statement["depth"]] == [
            case["txid"],
            case["hold"],
            case["depth"],
        ]
        assert acceptances.signing_hash(chain_id, statement).hex() == case["signing_hash"]
        assert found["signature"].hex() == case["signature"]
        assert acceptances.is_signed(chain_id, found)
        assert not acceptances.is_signed(bytes(32), found)
        spoiled = {**found, "statement": {**statement, "hold": statement["txid"]}}
        assert fault_of(acceptances.read_signed, acceptances.write_signed(spoiled)) == "acceptance.shape"
        assert_no_prefix(acceptances.read_signed, raw, "codec.truncated")
    for case in cases("acceptances.json", "vouchers"):
        assert acceptances.commitment(unhex(case["salt"]), case["code"]).hex() == case["commitment"]


def test_transactions():
    chain_id = unhex(load("transactions.json")["chain_id"])
    kinds = set()
    for case in cases("transactions.json", "transactions"):
        raw, body = unhex(case["raw"]), unhex(case["body"])
        found = envelope.read_transaction(raw, chain_id)
        kinds.add(case["kind"])
        assert found["body_bytes"] == body
        assert envelope.write_transaction(found) == raw
        assert envelope.txid(body).hex() == case["txid"]
        assert envelope.wtxid(raw).hex() == case["wtxid"]
        assert envelope.sighash(chain_id, body).hex() == case["sighash"]
        assert envelope.weight(raw) == case["weight"]
        plain = {**found["body"], "payment": layouts.KNOWN["payment"].write(found["body"]["payment"])}
        plain["payload"] = layouts.PAYLOADS[case["kind"]].write(found["body"]["payload"])
        assert plain == {name: value_of(item) for name, item in case["fields"].items()}
        assert list(found["body"]) == list(case["fields"])
        assert list(found["body"]["payload"]) == case["payload_names"]
        assert [signer.hex() for signer in envelope.signers_of(found["body"])] == case["signers"]
        cost = envelope.cost_of(found["body"])
        assert list(cost) == [case["cost"][name] for name in ("records", "slots", "due", "signatures")]
        for witness, shown in zip(found["witnesses"], case["witnesses"], strict=True):
            signatures = [[item["key_index"], item["signature"].hex()] for item in witness["signatures"]]
            assert shown["signatures"] == signatures
            assert shown["threshold"] == witness["policy"]["threshold"]
            assert shown["keys"] == [key.hex() for key in witness["policy"]["keys"]]
        assert envelope.check_signatures(found, chain_id) == sum(len(item["signatures"]) for item in case["witnesses"])
        if case["kind"] == "contribution.record":
            slip = {**found["body"]["payload"]["slip"], "role": 0}
            spoiled = {**found, "body": {**found["body"], "payload": {**found["body"]["payload"], "slip": slip}}}
            assert fault_of(envelope.check_signatures, spoiled, chain_id) == "witness.attestation"
        if case["kind"] in ("earn.contest", "offer.contest"):
            payload = {**found["body"]["payload"], "time": found["body"]["payload"]["time"] + 1}
            spoiled = {**found, "body": {**found["body"], "payload": payload}}
            assert fault_of(envelope.check_signatures, spoiled, chain_id) == "witness.attestation"
        if case["kind"] in ("reverse", "offer.reverse"):
            returned = found["body"]["payload"]["returned"]
            payload = {**found["body"]["payload"], "returned": {**returned, "points": returned["points"] + 1}}
            spoiled = {**found, "body": {**found["body"], "payload": payload}}
            assert fault_of(envelope.check_signatures, spoiled, chain_id) == "witness.attestation"
        assert fault_of(envelope.check_signatures, found, bytes(32)) == "witness.signature"
        assert fault_of(envelope.read_transaction, raw, bytes(32)) == "envelope.wrong_chain"
    assert kinds == set(layouts.PAYLOADS)


def test_no_part_of_a_transaction_is_one():
    for case in cases("transactions.json", "transactions")[:8]:
        assert_no_prefix(envelope.read_transaction, unhex(case["raw"]), "codec.truncated")
        assert_no_prefix(envelope.read_body, unhex(case["body"]), "codec.truncated")
        witnesses = encoding.decode(unhex(case["raw"]))[1]
        cut = encoding.encode([unhex(case["body"])[:-1], witnesses])
        assert fault_of(envelope.read_transaction, cut) == "codec.truncated"
        assert fault_of(envelope.read_transaction, encoding.encode([unhex(case["body"]), []])) == "shape.count"
        twice = encoding.encode([unhex(case["body"]), witnesses + witnesses])
        assert fault_of(envelope.read_transaction, twice) == "witness.count"


# ---------------------------------------------------------------------------------------------------------- proof of work


def test_bits_targets_and_work():
    for case in cases("work.json", "bits"):
        target = work.target_of(case["bits"])
        assert f"{target:064x}" == case["target"]
        assert work.bits_of(target) == case["canonical"]
        assert work.work_of(case["bits"]) == int(case["work"])
    for case in cases("work.json", "targets"):
        assert work.bits_of(int(case["target"], 16)) == case["bits"]
    for case in cases("work.json", "refused"):
        assert fault_of(work.target_of, case["bits"]) == case["code"]


def test_headers_coinbases_and_commitments():
    for case in cases("work.json", "blocks"):
        raw, coinbase, commitment = (unhex(case[name]) for name in ("header", "coinbase", "commitment"))
        header = work.read_header(raw)
        shown = {name: item.hex() if isinstance(item, bytes) else item for name, item in header.items()}
        assert shown == {name: case[name] for name in header}
        assert work.write_header(header) == raw
        assert work.block_hash(raw).hex() == case["hash"]
        assert work.is_version_good(header["version"])
        assert work.is_proved(raw)
        fields = work.read_coinbase(coinbase)
        shown = {name: item.hex() if isinstance(item, bytes) else item for name, item in fields.items()}
        assert shown == case["coinbase_fields"]
        assert work.write_coinbase(fields) == coinbase
        assert hashing.twice(coinbase) == header["merkle_root"]
        assert block.commitment_hash(commitment).hex() == case["commitment_hash"] == shown["commitment"]
        found = block.read_commitment(commitment)
        assert block.write_commitment(found) == commitment
        assert (found["height"], sum(item["amount"] for item in found["payees"])) == (
            fields["height"],
            fields["reward"],
        )
        assert_no_prefix(work.read_header, raw, "header.length")
        assert_no_prefix(work.read_coinbase, coinbase, "coinbase.length")
        assert_no_prefix(block.read_commitment, commitment, "codec.truncated")
        for at in range(122):
            free = 43 <= at < 47 or 48 <= at < 56 or 82 <= at < 118 or 61 <= at < 69
            spoiled = coinbase[:at] + bytes([coinbase[at] ^ 1]) + coinbase[at + 1 :]
            assert free or fault_of(work.read_coinbase, spoiled) == "coinbase.grammar"


def test_difficulty_follows_the_clock():
    era = {"start_height": 0, "block_time_s": 60, "half_life_s": 6_000, "limit_bits": 0x207FFFFF, "retarget": 1}
    era["anchor_bits"] = 0x1D00FFFF
    anchor = work.target_of(era["anchor_bits"])
    for late, target in ((0, anchor), (6_000, anchor * 2), (-6_000, anchor // 2), (60_000, anchor * 1024)):
        assert work.expected_bits(era, 1_000, 60 * 1_000 + late, 0) == work.bits_of(target)
    assert work.expected_bits(era, 1_000, 10**9, 0) == era["limit_bits"]
    before = {"time": 10**9, "effective": 10**9}
    effective = work.effective_time(era, 1_000, 10**9 + 1, before, 0)
    assert work.expected_bits(era, 1_001, effective, 0) == era["limit_bits"]
    assert work.expected_bits(era, 1_001, effective - 1, 0) != work.expected_bits(era, 1_001, effective - 300, 0)


# ------------------------------------------------------------------------------------------------------ records, chain


def test_records_and_leaves():
    tables_seen = set()
    for case in cases("records.json", "records"):
        key, value = unhex(case["key"]), unhex(case["value"])
        parts, fields = records.read_key(key), records.read_value(key, value)
        tables_seen.add(case["table"])
        assert parts["table"] == case["table"]
        assert records.write_key(parts) == key
        assert records.write_value(key, fields) == value
        assert list(fields) == case["names"]
        assert records.shape_at(key).write(fields) == value_of(case["fields"])
        assert records.record_leaf(key, fields).hex() == case["leaf"]
        assert_no_prefix(lambda data, key=key: records.read_value(key, data), value, "codec.truncated")
        assert parts["table"] == "Consent" or fault_of(records.read_key, key[:-1])
    assert tables_seen == {table for table, _ in layouts.RECORDS.values()}
    for case in cases("records.json", "free_slots"):
        assert records.free_leaf(case["next"]).hex() == case["leaf"]


def test_params_and_genesis():
    found = load("chain.json")
    own, genesis = params.read_file(found["params"]["file"]), found["genesis"]
    assert params.hashed_bytes(own).hex() == found["params"]["hashed"]
    assert params.params_hash(own).hex() == found["params"]["hash"]
    assert params.read_hashed(unhex(found["params"]["hashed"])) == {**own, "upgrades": [], "trusted": []}
    assert_no_prefix(params.read_hashed, unhex(found["params"]["hashed"]), "codec.truncated")
    assert block.genesis_block(own).hex() == genesis["block"]
    slots = block.genesis_slots(own)
    assert slots.content == list(changed_slots(genesis["slots"]).values())
    assert [leaf.hex() for leaf in slots.leaves] == [row["leaf"] for row in genesis["slots"]]
    chain = Chain(own)
    assert chain.chain_id.hex() == genesis["hash"] == load("transactions.json")["chain_id"]
    assert (str(chain.clock.work), chain.clock.effective) == (genesis["work"], genesis["effective_time"])
    commitment = block.read_block(unhex(genesis["block"]), own["magic"])["commitment"]
    assert {name: item.hex() if isinstance(item, bytes) else item for name, item in commitment.items()} == genesis[
        "commitment"
    ]


def test_the_chain_of_the_vectors():
    own = params.read_file(load("chain.json")["params"]["file"])
    chain, slots_read, transactions = Chain(own), 0, []
    for case in cases("chain.json", "blocks"):
        raw = unhex(case["block"])
        assert case["clock"] == chain.clock.time
        found = chain.add(raw, changed_slots(case["changed_slots"]))
        assert block.join_block(found["parts"]) == raw
        assert found["hash"].hex() == case["hash"]
        shown = {**found["commitment"], "payees": [list(item.values()) for item in found["commitment"]["payees"]]}
        assert shown == {
            name: unhex(item)
            if isinstance(item, str)
            else [[unhex(who), amount] for who, amount in item]
            if name == "payees"
            else item
            for name, item in case["commitment"].items()
        }
        assert (str(chain.clock.work), chain.clock.effective) == (case["work"], case["effective_time"])
        assert found["parts"]["results"] == case["results"]
        pairs = zip(found["parts"]["transactions"], case["results"], strict=True)
        assert [block.transaction_leaf(*pair).hex() for pair in pairs] == case["transaction_leaves"]
        assert len(chain.slots.content) == case["slot_count"]
        assert [chain.slots.leaves[row["slot"]].hex() for row in case["changed_slots"]] == [
            row["leaf"] for row in case["changed_slots"]
        ]
        assert found["undo"].hex() == case["undo"]
        transactions += [item.hex() for item in found["parts"]["transactions"]]
        slots_read += len(case["changed_slots"])
    assert slots_read == 798
    assert transactions == [case["raw"] for case in load("transactions.json")["transactions"]]


def test_no_part_of_a_block_is_one():
    own = params.read_file(load("chain.json")["params"]["file"])
    for case in cases("chain.json", "blocks"):
        raw = unhex(case["block"])
        assert_no_prefix(block.split_block, raw, "codec.truncated")
        parts = block.split_block(raw)
        for name in ("transactions", "results"):
            spoiled = block.join_block({**parts, name: parts[name][:-1]})
            assert not parts[name] or fault_of(block.read_block, spoiled, own["magic"]) == "block.body_mismatch"
