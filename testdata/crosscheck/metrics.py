"""Reads the sensor's /metrics with Prometheus' own parser for its text formats, and checks names, units and sums.

Usage: metrics.py FILE [FILE]: one page, or two pages of the same sensor, the later one last. Run by the test of the built sensor where
Python has prometheus_client, and by hand: curl -s 127.0.0.1:9898/metrics > page; metrics.py page
"""

import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

# https://prometheus.io/docs/practices/naming/: base units in the name, and totals only for counters, which the parser itself enforces.
UNITS = ("_seconds", "_bytes", "_packets", "_addresses")
WITHOUT_UNIT = {
    "teiten_build_info", "teiten_workers", "teiten_hours_closed", "teiten_rows_written", "teiten_problems", "teiten_reloads",
    "teiten_log_messages", "teiten_log_messages_suppressed", "teiten_log_messages_lost", "process_threads", "process_open_fds",
}


def read(path):
    """The samples of a page by name and labels."""
    samples, kinds = {}, {}
    for family in text_string_to_metric_families(Path(path).read_text()):
        assert family.documentation, f"{family.name} has no help"
        assert family.type in ("counter", "gauge"), f"{family.name} is a {family.type}"
        assert family.name.endswith(UNITS) or family.name in WITHOUT_UNIT, f"{family.name} names no unit"
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} appears twice"
            assert sample.value >= 0, f"{key} is {sample.value}"
            samples[key] = sample.value
    return samples, kinds


def total(samples, name):
    return sum(value for (sample, _), value in samples.items() if sample == name)


def main():
    pages = [read(path) for path in sys.argv[1:]]
    for samples, _ in pages:
        assert total(samples, "teiten_packets_total") == total(samples, "teiten_received_packets_total"), "outcomes do not add up"
        observed = samples["teiten_packets_total", (("outcome", "observed"),)]
        for name in ("teiten_class_packets_total", "teiten_traffic_type_packets_total"):
            assert total(samples, name) == observed, f"{name} does not partition the observed packets"
    if len(pages) == 2:
        (before, _), (after, kinds) = pages
        for key, value in before.items():
            if kinds.get(key[0].removesuffix("_total")) == "counter":
                assert after[key] >= value, f"{key} fell from {value} to {after[key]}"
    print(f"metrics: {len(pages[-1][0])} samples of {len(pages[-1][1])} metrics read")


if __name__ == "__main__":
    main()
