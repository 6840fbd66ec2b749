"""What the models know, as serving code uses it. Only this interface is meant for others; how models are fitted is not.

    from api.personalization.models import encode_models, load_models, save_models, train

    models = train(features, as_of, seed)                     everything, from api.personalization.features.Features
    save_models(models, path); models = load_models(path)     one file with a checksum, no pickle

    models.version                                            16 hex digits: the hash of the content, for explanations and logs
    models.as_of, models.seed                                 facts strictly before that local midnight were used
    models.households                                         sorted int64; who is not in it has no history there

    models.rank("discovery" | "next7", "category" | "product", household, limit=10, bought=())  -> tuple[Ranked, ...]
    models.rank_from("category" | "product", items, limit=10)  -> tuple[Ranked, ...]     for a basket, without training
    models.because("category" | "product", item, among, limit=3) -> tuple[Ranked, ...]   which of `among` speak for `item`
    models.popular("discovery" | "next7", "category" | "product", limit=10) -> tuple[Ranked, ...]   the rule for no history
    models.moments("weekday" | "slot", household, limit=10)   -> tuple[Ranked, ...]  0 to 6 (Monday 0); '<weekday>-<hour // 4>'
    models.churn(household) -> float | None                    probability of no basket in the next 42 days
    models.redemption(household, campaign) -> float | None     probability of redeeming a coupon of that promotion
    models.without(households) -> Models                       the same without these fans: a revocation, until it is rebuilt

`Ranked(item, score)`, best first; scores of one list are comparable with each other only. `bought` are items bought since `as_of`:
discovery leaves them out and moves up what goes with them. A household is an integer; `api.personalization.export.number_fan`
gives it for an address. Models are immutable: rebuild in another process or thread and swap the one reference.

Faults are PersonalizationError: models.damaged, models.unknown_format, models.file_missing, personalization.extra_missing.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from api.personalization.models.file import encode_models, list_pieces, load_models, save_models
from api.personalization.models.served import LEVELS, MOMENTS, TASKS, Level, Models, Moment, Ranked, Task

if TYPE_CHECKING:
    from api.personalization.features import Features

__all__ = [
    "LEVELS",
    "MOMENTS",
    "TASKS",
    "Level",
    "Models",
    "Moment",
    "Ranked",
    "Task",
    "encode_models",
    "list_pieces",
    "load_models",
    "save_models",
    "train",
]


def train(features: Features, as_of: date, seed: int) -> Models:
    """Fit all models on facts strictly before local midnight of `as_of`: one seed, one answer, byte for byte.

    Raises PersonalizationError personalization.no_history, personalization.extra_missing.
    """
    from api.personalization.models.training import fit_models

    return fit_models(features, as_of, seed)
