"""Every fact of a report against DuckDB: synthetic days of two sensors are counted by teiten-sensor, rolled up, and reported by teiten-report,
also in a timezone that cuts them; each statement is run on the Parquet files as its file has it. Run by .ci/crosscheck."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb


# Tables of a rollup that facts must ask.
TABLES = ("attacks", "campaigns_daily", "novelties", "scans", "sources_daily")


def run(*command, accepted=(0,)):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in accepted:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def check(folder, data, tables=()):
    """Runs each statement as its file has it, views and all; `tables` are those that must be asked."""
    manifest = json.loads((folder / "manifest.json").read_text())
    wrong = 0
    asked = set()
    for fact in manifest["facts"]:
        text = (folder / "sql" / f"{fact['name']}.sql").read_text()
        asked |= {line.split()[2] for line in text.splitlines() if line.startswith("CREATE VIEW ")}
        found = duckdb.connect().execute(text.replace("'DATA/", f"'{data}/")).fetchall()
        value = float(found[0][0])
        room = abs(fact["value"]) * fact["tolerance_percent"] / 100
        if abs(value - fact["value"]) > room:
            print(f"  {fact['name']}: the report says {fact['value']}, DuckDB {value}")
            wrong += 1
    for name in set(tables) - asked:
        print(f"  no fact reads {name}")
    print(f"reports: {len(manifest['facts'])} facts run by DuckDB, {wrong} differ")
    return wrong == 0 and len(manifest["facts"]) > 20 and set(tables) <= asked


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="an existing dataset")
    parser.add_argument("--period", default=None)
    options = parser.parse_args()
    report = options.binaries / "teiten-report"
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        data = options.data or scratch / "data"
        if options.data is None:
            telescope = ("--telescope", "198.18.0.0/24")
            for seed, sensor in ((1, "tokyo"), (2, "osaka")):
                usual, last = scratch / f"{sensor}.pcap", scratch / f"{sensor}-last.pcap"
                synth = (options.binaries / "teiten-synth", *telescope, "--seed", seed)
                run(*synth, "-o", usual, "--packets", 60000, "--span", "8d", "--attacks")
                # Families of hosts that no day before has seen, so that something is new.
                run(*synth, "-o", last, "--packets", 15000, "--start", "2026-11-13T00:00:00Z", "--families", 0.4)
                run(options.binaries / "teiten-sensor", "replay", usual, last, "--data", data, *telescope, "--sensor", sensor)
            run(options.binaries / "teiten-aggregator", "rollup", "--data", data)
        good = True
        for number, extra in enumerate(([], ["--timezone", "Asia/Tokyo", "--sensor", "tokyo"])):
            if options.data and extra:
                continue
            period = ["--period", options.period] if options.period else []
            out = scratch / f"out{number}"
            run(report, "build", "--data", data, "--out", out, "--no-png", "--language", "en", *period, *extra, accepted=(0, 1))
            folder = next(path.parent for path in out.rglob("manifest.json"))
            good &= check(folder, data.resolve(), () if options.data else TABLES)
        sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
