"""Distinct names for the plain bytes and integers that the ledger passes around.

A naked `bytes` or `int` says nothing at a call site; these do, and the type checker keeps them apart.
"""

from typing import NewType

# 32-byte identifiers: tagged SHA-256 hashes (spec HASH-1).
Address = NewType("Address", bytes)
ChainId = NewType("ChainId", bytes)
TxId = NewType("TxId", bytes)
WtxId = NewType("WtxId", bytes)
ProgramId = NewType("ProgramId", bytes)
RewardId = NewType("RewardId", bytes)
HoldId = NewType("HoldId", bytes)
FulfilmentId = NewType("FulfilmentId", bytes)
CountId = NewType("CountId", bytes)
CampaignId = NewType("CampaignId", bytes)
PledgeId = NewType("PledgeId", bytes)
MissionId = NewType("MissionId", bytes)
ContributionId = NewType("ContributionId", bytes)
ReceiptHash = NewType("ReceiptHash", bytes)
ContestId = NewType("ContestId", bytes)
ProposalId = NewType("ProposalId", bytes)
ChallengeId = NewType("ChallengeId", bytes)
AchievementId = NewType("AchievementId", bytes)
Hash = NewType("Hash", bytes)

# The double SHA-256 of a block's 80-byte header, in header byte order (display order is reversed).
BlockHash = NewType("BlockHash", bytes)

# Ed25519: 32-byte public key, 32-byte seed, 64-byte signature.
PublicKey = NewType("PublicKey", bytes)
PrivateSeed = NewType("PrivateSeed", bytes)
Signature = NewType("Signature", bytes)

# Integers, each with its unit. All lie within 0..2**63-1 unless said otherwise.
Height = NewType("Height", int)
Amount = NewType("Amount", int)  # coin, in its smallest unit
Points = NewType("Points", int)  # a program's unit, in its smallest unit
Timestamp = NewType("Timestamp", int)  # seconds since 1970-01-01T00:00:00Z
Day = NewType("Day", int)  # days since 1970-01-01 in a program's own offset
Weight = NewType("Weight", int)
Slot = NewType("Slot", int)
Work = NewType("Work", int)  # expected hashes; unbounded
Target = NewType("Target", int)  # 0..2**256-1
CompactBits = NewType("CompactBits", int)  # nBits, 0..2**32-1

# The key of a record in the state: one table byte, then fixed-width parts.
RecordKey = NewType("RecordKey", bytes)

INTEGER_MAX = 2**63 - 1
"""Amounts, totals and products of a rule stay within 0..INTEGER_MAX (spec BYTES-4)."""
