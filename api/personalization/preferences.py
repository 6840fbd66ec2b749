"""What a fan may say to personalization for one program, with limits; everything has a default, and nothing must be said."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

LIST_MAX: Final = 200
MINUTES_OF_DAY: Final = 1_440

Topics = Annotated[list[Annotated[str, Field(pattern="^[a-z_]{1,32}$")]], Field(max_length=LIST_MAX)]


class Preferences(BaseModel):
    """How and when a fan wants to hear of it, and what it wants or not.

    `quiet_from` and `quiet_until` are minutes of the day by the shop's clock: nothing comes between them; equal: there are no quiet
    hours. `day_max` and `week_max` are messages that sell; what helps (a recall) is not counted. `off` are topics never to come.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    language: Literal["en", "ko"] = "en"
    channel: Literal["inbox", "stream", "webhook"] = "inbox"
    quiet_from: int = Field(default=21 * 60, ge=0, lt=MINUTES_OF_DAY)
    quiet_until: int = Field(default=8 * 60, ge=0, lt=MINUTES_OF_DAY)
    day_max: int = Field(default=1, ge=0, le=20)
    week_max: int = Field(default=3, ge=0, le=100)
    off: Topics = []


def preferences_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The preferences of what a fan said, with the defaults of what it did not say; corrections are left out."""
    return dict(DEFAULTS) | {name: value for name, value in document.items() if name in DEFAULTS}


DEFAULTS: Final[Mapping[str, Any]] = Preferences().model_dump()
