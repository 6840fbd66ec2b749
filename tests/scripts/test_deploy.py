"""What lies under scripts/deploy: the figures that dashboard and alerts name exist, files name what is there, settings are some."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from api.cli.settings_table import BY_NAME
from api.http.metrics import HttpMetrics
from ledger.networks import NETWORKS
from node.metrics import ChainMetrics
from node.node import Node, NodeConfig
from node.p2p.metrics import NetworkMetrics
from node.p2p.network import NetworkReport

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "scripts" / "deploy"
FIGURE = re.compile(r"\bfansumer_[a-z_]+")


class SilentNetwork:
    """A network of nobody."""

    def report(self) -> NetworkReport:
        return NetworkReport()


@pytest.fixture
def figures(tmp_path: Path) -> set[str]:
    """The names of all figures that a node with a network shows."""
    node = Node(NodeConfig(tmp_path, NETWORKS["sim"]))
    registry = CollectorRegistry()
    ChainMetrics(node, registry)
    NetworkMetrics(SilentNetwork(), registry)  # type: ignore[arg-type] - it has what is read
    http = HttpMetrics(registry)
    http.count("GET", "/v1/chain", 200, 0.01)
    http.submissions.labels("taken").inc()
    found = set(FIGURE.findall(generate_latest(registry).decode()))
    node.close()
    return found


def expressions() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "node.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    found += [variable["query"] for variable in board["templating"]["list"]]
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    return found + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_every_figure_of_dashboard_and_alerts_exists(figures: set[str]) -> None:
    named = {name for expression in expressions() for name in FIGURE.findall(expression)}
    assert len(named) > 25
    assert named <= figures, named - figures


def test_every_figure_of_the_network_and_the_chain_is_on_the_dashboard(figures: set[str]) -> None:
    shown = {name for expression in expressions() for name in FIGURE.findall(expression)}
    watched = {name for name in figures if name.startswith(("fansumer_peer", "fansumer_sync", "fansumer_mempool"))}
    assert watched <= shown | {name for name in watched if name.endswith("_created")}, watched - shown


def test_panels_do_not_overlap() -> None:
    board = json.loads((DEPLOY / "grafana" / "node.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_settings_in_it_are_settings() -> None:
    text = (DEPLOY / "node.toml").read_text()
    commented = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(commented)) <= set(BY_NAME)
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    variables = compose["services"]["node"]["environment"]
    assert set(variables) <= {setting.variable for setting in BY_NAME.values()}


def test_files_that_it_names_are_there() -> None:
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), source
    build = compose["services"]["node"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).exists()
    copied = re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert copied and all((ROOT / name).exists() for name in copied)
    for name in ("prometheus.yml", "grafana/provisioning/datasources/prometheus.yml"):
        assert yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here to judge its unit")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "fansumer.service"
    unit.write_text((DEPLOY / "fansumer.service").read_text().replace("/opt/fansumer/.venv/bin/fansumer", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
