"""A shop whose fans are answered by trained models: purchases for some weeks, an export through the gate, training, serving."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from api.cli import node_operator
from api.cli.main import app as command_line
from api.http.purchase_desk import PURCHASE_ROUTES
from api.http.schemas.personal import RecommendationsAnswer
from api.personalization.export import number_fan
from api.personalization.features import open_features
from api.personalization.model_keeper import ModelKeeper
from api.personalization.models import Models, save_models, train
from api.personalization.sources import open_facts
from node.cookie import read_cookie
from tests.support.memory_chain import Signer
from tests.support.personal_shop import PersonalShop, open_personal_shop
from tests.support.shop import FAN, FRIEND

CROWD: Final = tuple(Signer.named(f"crowd {number}") for number in range(8))
WEEKS: Final = 10
HABITS: Final = (("bread", "milk", "rare"), ("coffee", "milk"), ("tea", "jam"), ("bread", "jam"))
NAMES: Final = ("bread", "milk", "coffee", "tea", "jam", "mug", "soap", "salt", "rice")
PRODUCTS: Final[list[dict[str, Any]]] = [
    {"item": name, "names": {"en": name.title(), "ko": name}, "category": f"shelf {name[0]}", "price_cents": 300}
    for name in NAMES
]
SEED: Final = 7


class ServedShop:
    """A `PersonalShop` with a crowd of fans. `keeper` swaps models in."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk: PersonalShop = open_personal_shop(folder / "data")
        self.folder = folder
        self.place = folder / "models"
        self.place.mkdir()
        self.desk.app.router.routes.extend(PURCHASE_ROUTES)
        self.desk.feed(PRODUCTS, zone="Asia/Seoul")
        services = self.desk.app.state.services
        self.personal = services.personal
        self.keeper = ModelKeeper(self.place, services.personal, services.node.clock)
        monkeypatch.setattr(node_operator, "ask_node", self.ask_node)

    def close(self) -> None:
        """Close API and node."""
        self.desk.close()
        self.desk.shop.close()

    def ask_node(self, _network: str, _folder: Path | None, method: str, path: str, body: Any = None) -> Any:
        """As the operator's commands ask a node, without a socket."""
        credentials = read_cookie(self.desk.shop.node.config.data_dir)
        answer = self.desk.http.request(method, path, json=body, auth=credentials)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def live_weeks(self, weeks: int = WEEKS, mine: str = "", friends: str = "") -> None:
        """All join, agree, and shop once a week, by habit; FAN agrees to `mine` and shops with them, FRIEND to `friends`."""
        desk = self.desk
        desk.shop.join(*CROWD)
        for fan, scope in ((FAN, mine), (FRIEND, friends), *((fan, "") for fan in CROWD)):
            desk.allow(scope, fan=fan, payment=desk.shop.sponsored)
        for week in range(weeks):
            for number, fan in enumerate((FAN, *CROWD)):
                extra = (NAMES[(week + number) % len(NAMES)],) if number and week % 3 == 0 else ()
                self.buy(fan, *sorted({*HABITS[number % len(HABITS)], *extra}))
            desk.pass_time(days=7)

    def buy(self, fan: Signer, *items: str, quantity: int = 1, **changes: Any) -> str:
        """A purchase now; its receipt."""
        return self.desk.buy(*items, fan=fan, quantity=quantity, **changes).hex()

    def export(self, *options: object) -> str:
        """`fansumer personalize export`; what it printed."""
        words = ("personalize", "export", self.desk.shop.program.hex(), "--out", self.folder / "export", *options)
        result = CliRunner().invoke(command_line, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.output

    def train(self, seed: int = SEED) -> Models:
        """On the export, as of its day; so few fans that each item may be ranked."""
        facts = open_facts(self.folder / "export")
        day = datetime.fromtimestamp(facts.read_at, facts.zone).date()
        return train(open_features(facts, day, catalogue_min=1), day, seed)

    def serve(self, models: Models, name: str = "shop.models") -> None:
        """Put a file there, and let the node look."""
        save_models(models, self.place / name)
        self.look()

    def look(self) -> None:
        """Now, not in some seconds."""
        asyncio.run(self.keeper.look())

    def review(self) -> None:
        """What is due of it."""
        asyncio.run(self.keeper.review_due())

    def made_by(self, fan: Signer = FAN) -> tuple[str, str]:
        """Stage and version of a fan's recommendations."""
        found = self.desk.seen("recommendations", fan, RecommendationsAnswer)["made_by"]
        return found["stage"], found["version"]

    def exported(self, fan: Signer = FAN) -> list[tuple[str, int]]:
        """Products and quantities that the export's files hold of a fan, in order of time."""
        table = pyarrow.parquet.read_table(self.folder / "export" / "purchases")
        rows = sorted((row for row in table.to_pylist()), key=lambda row: (row["moment"], row["product"]))
        number = number_fan(fan.address)
        return [(row["product"], row["quantity"]) for row in rows if row["household_id"] == number]

    def refusal(self, what: str, fan: Signer = FAN) -> str:
        """The code with which something is not answered."""
        return self.desk.mine(what, fan).json().get("code", "")

    def outputs(self, fans: Sequence[Signer] = (FAN,)) -> bytes:
        """All that personalization says of some fans."""
        return b"".join(self.desk.mine(what, fan).content for fan in fans for what in OUTPUTS)


OUTPUTS: Final = ("profile", "messages", "recommendations")
