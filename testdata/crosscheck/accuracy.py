"""How right the sensor is, packet for packet: confusion matrices of class, traffic type and tool, with precision and recall.

teiten-synth writes a capture with noise (IPv6, packets to addresses that are not dark, ARP, packets that come late) and the truth of
each packet; teiten-sensor explains each. Then real captures, where a folder of them is given: what their makers say they hold against
what the sensor says. Needs nothing but Python. Run by `make accuracy`.

A packet's tool by truth is the program that sent it; the sensor's is that of the tables, confirmed over the source's packets of the
hour. Nmap and Unicornscan show in two packets or more, so a source that sent one of them in an hour is missed by nature.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

FIELDS = ("class", "traffic_type", "tool")
NOISE = ("--span", "5h", "--ipv6", "0.05", "--outside", "0.02", "--arp", "0.002", "--out-of-order", "0.01")
# Folder, start of the name, what the makers say: the class of the packets that were meant, and the tool where its packets show one.
# The makers of curated-pcaps captured on the scanner itself, behind an address translator, so both directions are in their files.
REAL = (
    ("backscatter", "bro-simple-scan__testing-pcaps-backscatter", "24 hours of backscatter to unused addresses", "backscatter", None),
    ("scan", "bro-simple-scan__testing-pcaps-445_scan", "a scan of 445", "scan", None),
    ("scan", "bro-simple-scan__testing-pcaps-multiport_scan", "a scan of several ports, with the errors it drew", "scan", None),
    ("scan", "bro-simple-scan__testing-pcaps-port_scan", "a port scan", "scan", None),
    ("scan", "bro-simple-scan__testing-pcaps-scan_with_zero_windows", "a scan with windows of zero", "scan", None),
    ("tools", "curated-pcaps__attacks-scanners-masscan-tcp", "Masscan over TCP, ports 0 to 1000", "scan", "masscan"),
    ("tools", "curated-pcaps__attacks-scanners-masscan-udp", "Masscan over UDP, which leaves no mark", "scan", None),
    ("tools", "curated-pcaps__attacks-scanners-nmap-nmap_80_all", "Nmap 7.80, scanner and target", "scan", None),
    ("tools", "curated-pcaps__attacks-scanners-nmap-nmap_80_vanilla", "Nmap 7.80, scanner and target", "scan", None),
    ("tools", "curated-pcaps__attacks-scanners-nmap-nmap_80_w_service", "Nmap 7.80, scanner and target", "scan", None),
)


def fail(message):
    sys.exit(f"accuracy: {message}")


def synthesise(binaries, packets, folder):
    capture, labels = folder / "capture.pcap", folder / "packets.csv"
    command = [binaries / "teiten-synth", "-o", capture, "--packets", packets, "--packet-truth", labels,
               "--telescope", "198.18.0.0/22", "--telescope", "2001:db8::/32", *NOISE]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"teiten-synth: {done.stderr.strip()}")
    return capture, labels, json.loads(Path(f"{capture}.truth.json").read_text())["telescope"]


def explain(binaries, capture, telescope):
    """What the sensor says of each packet, in order."""
    flags = [flag for prefix in telescope for flag in ("--telescope", prefix)]
    command = [str(binaries / "teiten-sensor"), "explain", str(capture), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode not in (0, 1):
        fail(f"teiten-sensor explain {capture} ended with {process.returncode}")


def compare(binaries, capture, labels, telescope):
    """For each field the pairs (truth, found), and how many records are observed or not where truth says otherwise."""
    pairs = {field: Counter() for field in FIELDS}
    places, records = Counter(), 0
    with open(labels, newline="") as file:
        for truth, found in zip(csv.DictReader(file), explain(binaries, capture, telescope), strict=True):
            records += 1
            places[truth["not_observed"], found.get("not_observed", "")] += 1
            if truth["not_observed"] or "not_observed" in found:
                continue
            for field in FIELDS:
                pairs[field][truth[field], found[field]] += 1
    return pairs, places, records


def print_matrix(title, pairs):
    """Rows are the truth, columns what was found; labels never found in error have no column."""
    truths = sorted({truth for truth, _ in pairs})
    wrong = sorted({found for truth, found in pairs if truth != found})
    labels = sorted({label for pair in pairs for label in pair})
    print(f"\n{title}: rows are the truth; right, then what it was taken for")
    print(f"  {'':<26} {'packets':>9} {'right':>9}" + "".join(f" {label:>16}" for label in wrong) + f" {'precision':>10} {'recall':>8}")
    for label in labels:
        right = pairs[label, label]
        packets = sum(number for (truth, _), number in pairs.items() if truth == label)
        found = sum(number for (_, name), number in pairs.items() if name == label)
        cells = "".join(f" {pairs[label, name] if name != label else 0:>16}" for name in wrong)
        precision = f"{right / found:.5f}" if found else "-"
        recall = f"{right / packets:.5f}" if label in truths else "-"
        print(f"  {label:<26} {packets:>9} {right:>9}{cells} {precision:>10} {recall:>8}")
    right = sum(number for (truth, found), number in pairs.items() if truth == found)
    total = sum(pairs.values())
    print(f"  {'all':<26} {total:>9} {right:>9}   {right / total:.5%} right")


def print_real(binaries, captures):
    print(f"\nreal captures in {captures}: what their makers say, and the sensor")
    for folder, start, says, meant, tool in REAL:
        paths = sorted((captures / folder).glob(f"{start}*"))
        if not paths:
            print(f"  {start}: not there")
            continue
        packets = [packet for packet in explain(binaries, paths[0], []) if "class" in packet]
        classes = Counter(packet["class"] for packet in packets)
        shown = ", ".join(f"{name} {number}" for name, number in classes.most_common())
        print(f"  {paths[0].name}: {says}")
        print(f"    {len(packets)} packets, {classes[meant] / max(1, len(packets)):.1%} {meant}: {shown}")
        if tool:
            probes = [packet for packet in packets if packet["traffic_type"] == "tcp-syn"]
            named = sum(packet["tool"] == tool for packet in probes)
            print(f"    {named} of {len(probes)} SYNs are named {tool}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=Path, required=True, help="folder of teiten-synth and teiten-sensor")
    parser.add_argument("--packets", type=int, default=200_000)
    named = os.environ.get("TEITEN_CAPTURES")
    parser.add_argument("--captures", type=Path, default=named and Path(named),
                        help="folder of real captures [default: TEITEN_CAPTURES, or shared/captures beside the checkout]")
    options = parser.parse_args()
    beside = Path(__file__).resolve().parents[3] / "shared" / "captures"
    captures = options.captures or (beside if beside.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="teiten-accuracy-") as folder:
        capture, labels, telescope = synthesise(options.binaries, options.packets, Path(folder))
        pairs, places, records = compare(options.binaries, capture, labels, telescope)
    print(f"{records} synthetic records, {sum(pairs['class'].values())} observed")
    misplaced = {pair: number for pair, number in places.items() if pair[0] != pair[1]}
    print(f"observed or not, and why: {records - sum(misplaced.values())} right, {sum(misplaced.values())} wrong {misplaced or ''}".rstrip())
    for field in FIELDS:
        print_matrix(field.replace("_", " "), pairs[field])
    if captures:
        print_real(options.binaries, captures)
    else:
        print("\nreal captures: none given (TEITEN_CAPTURES=FOLDER make accuracy)")
    wrong = sum(number for field in ("class", "traffic_type") for (truth, found), number in pairs[field].items() if truth != found)
    sys.exit(1 if wrong or misplaced else 0)


if __name__ == "__main__":
    main()
