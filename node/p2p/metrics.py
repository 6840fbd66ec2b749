"""What an operator watches of the network, in Prometheus' form."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from node.p2p.connection import Purpose
from node.p2p.network import Network, NetworkReport
from node.p2p.scores import BAN_POINTS

Read = Callable[[NetworkReport], float]

GAUGES: tuple[tuple[str, str, Read], ...] = (
    ("fansumer_sync_missing_blocks", "Blocks that are known by their headers only.", lambda r: r.missing_blocks),
    ("fansumer_sync_active", "1 while blocks come before everything else.", lambda r: r.is_syncing),
    ("fansumer_sync_header_height", "Height of the best chain of headers that is kept.", lambda r: r.header_height),
    ("fansumer_sync_arrived_bytes", "Bytes of blocks that came and wait for their turn.", lambda r: r.arrived_bytes),
    ("fansumer_peer_addresses", "Addresses of other nodes that are known.", lambda r: r.known_addresses),
    ("fansumer_peer_addresses_tried", "Those of them that were reached once.", lambda r: r.tried_addresses),
    ("fansumer_peer_bans", "Hosts that are banned.", lambda r: len(r.bans)),
    (
        "fansumer_peer_points_most",
        f"The most points that a connected host has; {BAN_POINTS} are a ban.",
        lambda r: max((peer.points for peer in r.peers), default=0),
    ),
    ("fansumer_peer_inbox_frames", "Frames that wait to be worked on.", lambda r: r.inbox_frames),
    ("fansumer_peer_inbox_bytes", "Their bytes.", lambda r: r.inbox_bytes),
    ("fansumer_peer_outbox_bytes", "Bytes that wait to be taken by others.", lambda r: r.outbox_bytes),
    (
        "fansumer_peer_transactions_wanted",
        "Transactions that others told of and that are not here.",
        lambda r: r.wanted_transactions,
    ),
)
COUNTERS: tuple[tuple[str, str, Read], ...] = (
    ("fansumer_peer_offences", "What others did wrong.", lambda r: r.counts.offences),
    ("fansumer_peer_bans_made", "Bans since the start.", lambda r: r.counts.bans),
    ("fansumer_peer_handshakes_failed", "Handshakes that could not be done.", lambda r: r.counts.failed_handshakes),
    ("fansumer_peer_connections_refused", "Connections for which there was no place.", lambda r: r.counts.refused),
    (
        "fansumer_peer_connections_cut",
        "Connections that were cut at once, as too many were open.",
        lambda r: r.gate_refused,
    ),
)
IN, OUT = "in", "out"


class NetworkMetrics(Collector):
    """Reads the network's report whenever it is asked."""

    def __init__(self, network: Network, registry: CollectorRegistry) -> None:
        self._network = network
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The figures of now."""
        report = self._network.report()
        peers = GaugeMetricFamily("fansumer_peers", "Connections whose handshake is done.", labels=("direction",))
        ready = [peer for peer in report.peers if peer.is_ready]
        taken = sum(peer.purpose == Purpose.TAKEN.name.lower() for peer in ready)
        peers.add_metric(("taken",), taken)
        peers.add_metric(("dialled",), len(ready) - taken)
        yield peers
        encrypted = GaugeMetricFamily("fansumer_peers_encrypted", "Those of them over TLS.")
        encrypted.add_metric((), sum(peer.is_encrypted for peer in ready))
        yield encrypted
        for name, text, read in GAUGES:
            yield GaugeMetricFamily(name, text, float(read(report)))
        for name, text, read in COUNTERS:
            yield CounterMetricFamily(name, text, float(read(report)))
        yield from _traffic(report)


def _traffic(report: NetworkReport) -> Iterator[Metric]:
    counts = report.counts
    for name, text, coming, going in (
        ("fansumer_peer_bytes", "Bytes of frames.", counts.bytes_received, counts.bytes_sent),
        ("fansumer_peer_frames", "Frames.", counts.frames_received, counts.frames_sent),
    ):
        found = CounterMetricFamily(name, text, labels=("direction",))
        found.add_metric((IN,), coming)
        found.add_metric((OUT,), going)
        yield found
