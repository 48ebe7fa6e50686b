"""Every fact of a report against DuckDB: a synthetic day of two sensors is counted by teiten-sensor, reported by teiten-report in a timezone
that cuts it, and each statement of the manifest is run on the Parquet files. Run by .ci/crosscheck."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb


def run(*command, accepted=(0,)):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in accepted:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def preamble(folder, data):
    """The views, as a reader would make them from any of the SQL files."""
    text = next(iter(sorted((folder / "sql").glob("*.sql")))).read_text()
    lines = [line for line in text.splitlines() if line.startswith(("SET ", "CREATE VIEW "))]
    return "\n".join(lines).replace("DATA", str(data))


def check(folder, data):
    connection = duckdb.connect()
    connection.execute(preamble(folder, data))
    manifest = json.loads((folder / "manifest.json").read_text())
    wrong = 0
    for fact in manifest["facts"]:
        found = connection.execute(fact["sql"]).fetchall()
        value = float(found[0][0])
        room = abs(fact["value"]) * fact["tolerance_percent"] / 100
        if abs(value - fact["value"]) > room:
            print(f"  {fact['name']}: the report says {fact['value']}, DuckDB {value}")
            wrong += 1
    print(f"reports: {len(manifest['facts'])} facts run by DuckDB, {wrong} differ")
    return wrong == 0 and len(manifest["facts"]) > 20


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
            for seed, sensor in ((1, "tokyo"), (2, "osaka")):
                capture = scratch / f"{sensor}.pcap"
                run(options.binaries / "teiten-synth", "-o", capture, "--packets", 60000, "--seed", seed, "--telescope", "198.18.0.0/24")
                run(options.binaries / "teiten-sensor", "replay", capture, "--data", data, "--telescope", "198.18.0.0/24", "--sensor", sensor)
        good = True
        for number, extra in enumerate(([], ["--timezone", "Asia/Tokyo", "--sensor", "tokyo"])):
            if options.data and extra:
                continue
            period = ["--period", options.period] if options.period else []
            out = scratch / f"out{number}"
            run(report, "build", "--data", data, "--out", out, "--no-png", "--language", "en", *period, *extra, accepted=(0, 1))
            folder = next(path.parent for path in out.rglob("manifest.json"))
            good &= check(folder, data.resolve())
        sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
