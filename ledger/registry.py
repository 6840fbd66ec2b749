"""The index of the law: every kind of transaction and of due work, and the module that holds its rule (spec KIND-1).

A new kind is one module and one line here.
"""

from typing import Any

from ledger.domains.accounts.cancel_recovery import CANCEL_RECOVERY
from ledger.domains.accounts.recover import RECOVER
from ledger.domains.accounts.set_guardians import SET_GUARDIANS
from ledger.domains.accounts.set_policy import SET_POLICY
from ledger.domains.accounts.transfer import TRANSFER
from ledger.domains.challenges.challenge_complete import CHALLENGE_COMPLETE
from ledger.domains.challenges.challenge_contest import CHALLENGE_CONTEST
from ledger.domains.challenges.challenge_create import CHALLENGE_CREATE
from ledger.domains.challenges.challenge_reverse import CHALLENGE_REVERSE
from ledger.domains.challenges.completions import END_CHALLENGE, FORGET_ACHIEVEMENT
from ledger.domains.consent.consent_grant import CONSENT_GRANT
from ledger.domains.consent.consent_revoke import CONSENT_REVOKE
from ledger.domains.crowdfunding.campaign_cancel import CAMPAIGN_CANCEL
from ledger.domains.crowdfunding.campaign_create import CAMPAIGN_CREATE
from ledger.domains.crowdfunding.campaign_post_update import CAMPAIGN_POST_UPDATE
from ledger.domains.crowdfunding.decisions import DECIDE
from ledger.domains.crowdfunding.delivery_confirm import DELIVERY_CONFIRM
from ledger.domains.crowdfunding.milestone_submit import MILESTONE_SUBMIT
from ledger.domains.crowdfunding.milestone_vote import MILESTONE_VOTE
from ledger.domains.crowdfunding.pledge import PLEDGE
from ledger.domains.crowdfunding.pledge_cancel import PLEDGE_CANCEL
from ledger.domains.crowdfunding.pledge_change import PLEDGE_CHANGE
from ledger.domains.crowdfunding.pledge_late import PLEDGE_LATE
from ledger.domains.crowdfunding.pledge_withdraw import PLEDGE_WITHDRAW
from ledger.domains.crowdfunding.refunds import REFUND
from ledger.domains.finality.attest import FINALITY_ATTEST
from ledger.domains.finality.evidence import FINALITY_EVIDENCE
from ledger.domains.finality.replace_silent import FINALITY_REPLACE_SILENT
from ledger.domains.finality.set_attestors import FINALITY_SET_ATTESTORS
from ledger.domains.loyalty.adjust import ADJUST
from ledger.domains.loyalty.contests import END_CONTEST
from ledger.domains.loyalty.earn import DROP_BATCH, EARN
from ledger.domains.loyalty.earn_answer_contest import EARN_ANSWER_CONTEST
from ledger.domains.loyalty.earn_contest import EARN_CONTEST
from ledger.domains.loyalty.issuer_grant import ISSUER_GRANT
from ledger.domains.loyalty.issuer_revoke import ISSUER_REVOKE
from ledger.domains.loyalty.join_vouchers import FORGET_VOUCHER
from ledger.domains.loyalty.member_join import MEMBER_JOIN
from ledger.domains.loyalty.member_leave import MEMBER_LEAVE
from ledger.domains.loyalty.points import BEGIN_DAY
from ledger.domains.loyalty.points_claim_collateral import POINTS_CLAIM_COLLATERAL
from ledger.domains.loyalty.points_transfer import POINTS_TRANSFER
from ledger.domains.loyalty.program_create import PROGRAM_CREATE
from ledger.domains.loyalty.program_sunset import PROGRAM_SUNSET
from ledger.domains.loyalty.program_update import PROGRAM_UPDATE
from ledger.domains.loyalty.referral import END_REFERRAL
from ledger.domains.loyalty.returns import DROP_RETURN
from ledger.domains.loyalty.reverse import REVERSE
from ledger.domains.offers.ending import END_OFFER
from ledger.domains.offers.offer_contest import OFFER_CONTEST
from ledger.domains.offers.offer_issue import OFFER_ISSUE
from ledger.domains.offers.offer_reverse import OFFER_REVERSE
from ledger.domains.offers.offer_settle import OFFER_SETTLE
from ledger.domains.rewards.counts import COUNT_END
from ledger.domains.rewards.fulfilments import FORGET
from ledger.domains.rewards.holds import HOLD_TIMEOUT
from ledger.domains.rewards.redeem import REDEEM
from ledger.domains.rewards.redeem_cancel import REDEEM_CANCEL
from ledger.domains.rewards.redeem_fulfil import REDEEM_FULFIL
from ledger.domains.rewards.redeem_refund import REDEEM_REFUND
from ledger.domains.rewards.reward_list import REWARD_LIST
from ledger.domains.rewards.reward_update import REWARD_UPDATE
from ledger.domains.voice.ballot_cast import BALLOT_CAST
from ledger.domains.voice.ballot_commit import BALLOT_COMMIT
from ledger.domains.voice.ballot_reveal import BALLOT_REVEAL
from ledger.domains.voice.closing import PROPOSAL_STEP
from ledger.domains.voice.contribution_credit import CONTRIBUTION_CREDIT
from ledger.domains.voice.contribution_record import CONTRIBUTION_RECORD
from ledger.domains.voice.mission_create import MISSION_CREATE
from ledger.domains.voice.obligation_fulfil import OBLIGATION_FULFIL
from ledger.domains.voice.proposal_create import PROPOSAL_CREATE
from ledger.domains.voice.proposal_respond import PROPOSAL_RESPOND
from ledger.domains.voice.review import REVIEW
from ledger.domains.voice.review_reply import REVIEW_REPLY
from ledger.errors import Code, Malformed
from ledger.kinds import DueKind, Kind
from ledger.params import Params

UNKNOWN_KIND = Code(
    "params.unknown_kind",
    "the params name the kind {kind}, which this version does not know",
    "Correct the name in the params file, or install the version that knows it.",
)

KINDS: dict[str, Kind[Any]] = {}
"""Kind by name."""

DUE_KINDS: dict[str, DueKind] = {}
"""Kind of due work by name."""


def register(*kinds: Kind[Any]) -> None:
    """Add kinds to the law. A name is given once."""
    for kind in kinds:
        assert kind.name not in KINDS, f"the kind {kind.name} is registered twice"
        KINDS[kind.name] = kind


def register_due(*kinds: DueKind) -> None:
    """Add kinds of due work. A name is given once."""
    for kind in kinds:
        assert kind.name not in DUE_KINDS, f"the due work {kind.name} is registered twice"
        DUE_KINDS[kind.name] = kind


def check_kinds_known(params: Params) -> None:
    """Raise `Malformed` `params.unknown_kind` for params that name what this version of the law does not have (spec PAR-2)."""
    for name in (*params.kinds, *(name for name, _ in params.upgrades)):
        if name not in KINDS:
            raise Malformed(UNKNOWN_KIND, kind=name)


register(TRANSFER, SET_POLICY, SET_GUARDIANS, RECOVER, CANCEL_RECOVERY)
register(PROGRAM_CREATE, PROGRAM_UPDATE, ISSUER_GRANT, ISSUER_REVOKE, MEMBER_JOIN, MEMBER_LEAVE)
register(EARN, EARN_CONTEST, EARN_ANSWER_CONTEST)
register(PROGRAM_SUNSET, ADJUST, REVERSE, POINTS_TRANSFER, POINTS_CLAIM_COLLATERAL)
register(REWARD_LIST, REWARD_UPDATE, REDEEM, REDEEM_FULFIL, REDEEM_CANCEL, REDEEM_REFUND)
register(CHALLENGE_CREATE, CHALLENGE_COMPLETE, CHALLENGE_CONTEST, CHALLENGE_REVERSE)
register(OFFER_ISSUE, OFFER_SETTLE, OFFER_CONTEST, OFFER_REVERSE)
register(CONSENT_GRANT, CONSENT_REVOKE)
register(CAMPAIGN_CREATE, CAMPAIGN_CANCEL, CAMPAIGN_POST_UPDATE)
register(PLEDGE, PLEDGE_CHANGE, PLEDGE_CANCEL, PLEDGE_LATE, PLEDGE_WITHDRAW)
register(MILESTONE_SUBMIT, MILESTONE_VOTE, DELIVERY_CONFIRM)
register(PROPOSAL_CREATE, BALLOT_CAST, BALLOT_COMMIT, BALLOT_REVEAL, PROPOSAL_RESPOND, OBLIGATION_FULFIL)
register(MISSION_CREATE, CONTRIBUTION_RECORD, CONTRIBUTION_CREDIT, REVIEW, REVIEW_REPLY)
register(FINALITY_ATTEST, FINALITY_EVIDENCE, FINALITY_SET_ATTESTORS, FINALITY_REPLACE_SILENT)

register_due(
    BEGIN_DAY,
    DROP_BATCH,
    END_CONTEST,
    HOLD_TIMEOUT,
    FORGET,
    COUNT_END,
    DECIDE,
    REFUND,
    END_REFERRAL,
    DROP_RETURN,
    FORGET_VOUCHER,
)
register_due(PROPOSAL_STEP)
register_due(END_CHALLENGE, FORGET_ACHIEVEMENT, END_OFFER)
