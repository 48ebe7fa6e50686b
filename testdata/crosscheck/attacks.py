"""Checks the events of `attacks` against their definition, applied here to the packets one by one.

Nothing of the line is used to read them: pcap, the headers and what an ICMP error quotes are decoded below, with the standard library alone.
The definition is that of corsaro (corsaro_dos.c, after Moore et al. 2006): replies of one port of a victim without a silence of more than
300 s between them, at least 25 of them over at least 60 s, at least 30 of them in a minute that begins at a full ten seconds.

The captures are real ones with backscatter, ../shared/captures/backscatter beside the clone (or FOLDER). They are no part of the project, so
without them this is skipped. A SYN-ACK, an RST or an ICMP reply is backscatter whatever comes with it; of UDP replies those of DNS (QR set)
are looked for here.

Run by .ci/crosscheck.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

SILENCE = 300 * 10**6
PACKETS, MICROSECONDS, PER_MINUTE = 25, 60 * 10**6, 30
# Thresholds at which the captures have events, beside the defaults: packets, seconds, per minute, silence in seconds.
WEAKER = [(25, 60, 30, 300), (10, 60, 10, 300), (5, 30, 3, 300), (3, 10, 2, 60), (2, 1, 1, 3600)]
ERRORS = {3, 4, 5, 11, 12}
REPLIES = {0, 14, 16, 18}


def packets(path):
    """Time in microseconds and the bytes of each frame, and the link type."""
    data = path.read_bytes()
    order, scale = {
        b"\xd4\xc3\xb2\xa1": ("<", 1), b"\xa1\xb2\xc3\xd4": (">", 1),
        b"\x4d\x3c\xb2\xa1": ("<", 1000), b"\xa1\xb2\x3c\x4d": (">", 1000),
    }[data[:4]]
    link = struct.unpack_from(order + "I", data, 20)[0]
    place = 24
    while place + 16 <= len(data):
        seconds, fraction, captured, _ = struct.unpack_from(order + "4I", data, place)
        yield seconds * 10**6 + fraction // scale, link, data[place + 16:place + 16 + captured]
        place += 16 + captured


def ipv4(link, frame):
    """The IPv4 packet of a frame; none of another one."""
    if link == 1:
        kind, start = frame[12:14], 14
        while kind in (b"\x81\x00", b"\x88\xa8"):
            kind, start = frame[start + 2:start + 4], start + 4
        frame = frame[start:] if kind == b"\x08\x00" else b""
    elif link == 113:
        frame = frame[16:] if frame[14:16] == b"\x08\x00" else b""
    elif link not in (12, 14, 101):
        sys.exit(f"link type {link} is not read here")
    return frame if len(frame) >= 20 and frame[0] >> 4 == 4 else None


def attacked(packet):
    """Victim, protocol and port that a packet is a reply of; none of no reply."""
    header, protocol, source = (packet[0] & 15) * 4, packet[9], packet[12:16]
    if struct.unpack_from(">H", packet, 6)[0] & 0x1fff:
        return None
    body = packet[header:]
    if source[0] in (0, 10, 127) or source[0] >= 224 or source[:2] in (b"\xc0\xa8", b"\xa9\xfe"):
        return None
    if source[0] == 172 and 16 <= source[1] < 32:
        return None
    if protocol == 6 and len(body) >= 20:
        flags = body[13] & 0x3f
        if flags in (0x12, 0x04, 0x14):
            return source, 6, struct.unpack_from(">H", body)[0]
    if protocol == 17 and len(body) >= 20 and body[:2] == b"\x00\x35" and body[10] & 0x80:
        return source, 17, 53
    if protocol == 1 and len(body) >= 8:
        if body[0] in REPLIES:
            return source, 1, None
        quoted = body[8:]
        if body[0] in ERRORS and len(quoted) >= 20 and quoted[0] >> 4 == 4:
            inner, start = quoted[9], (quoted[0] & 15) * 4
            ports = inner in (6, 17, 132, 136) and len(quoted) >= start + 4
            port = struct.unpack_from(">H", quoted, start + 2)[0] if ports else None
            return quoted[16:20], inner, port
    return None


def densest(times):
    """Most replies in a minute that begins at a full ten seconds."""
    slots = defaultdict(int)
    for time in times:
        slots[time // 10**7] += 1
    return max(sum(slots.get(slot + step, 0) for step in range(6)) for first in slots for slot in range(first - 5, first + 1))


def events(replies, rule):
    """What the definition makes of replies: (victim, protocol, port, start, end, packets, per minute)."""
    packets_min, seconds_min, per_minute_min, silence = rule
    found = set()
    for (victim, protocol, port), times in replies.items():
        times = sorted(times)
        flow = [times[0]]
        for time in times[1:] + [None]:
            if time is not None and time - flow[-1] <= silence * 10**6:
                flow.append(time)
                continue
            most = densest(flow)
            if len(flow) >= packets_min and flow[-1] - flow[0] >= seconds_min * 10**6 and most >= per_minute_min:
                name = ".".join(map(str, victim))
                found.add((name, protocol, "" if port is None else str(port), flow[0], flow[-1], len(flow), most))
            flow = [time]
    return found


def victims(replies, rule):
    """Victims of corsaro: replies of all ports of a protocol together."""
    together = defaultdict(list)
    for (victim, protocol, _), times in replies.items():
        together[victim, protocol, None].extend(times)
    return {event[0] for event in events(together, rule)}


def table(binaries, path, rule, folder):
    """The events of the program."""
    def run(*command):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(map(str, command))}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    data = folder / path.name
    if not data.exists():
        run(binaries / "teiten-sensor", "replay", path, "--data", data, "--sensor", "crosscheck")
    names = ("packets", "seconds", "per-minute", "silence")
    flags = [flag for name, number in zip(names, rule) for flag in (f"--attack-{name}", number)]
    run(binaries / "teiten-aggregator", "rollup", "--data", data, *flags)
    # Without an event there is no table.
    text = "" if not (data / "attacks").is_dir() else run(binaries / "teiten-aggregator", "export", "--data", data, "--table", "attacks", "--format", "json")
    rows = [json.loads(line) for line in text.splitlines()]
    report = json.loads(run(binaries / "teiten-aggregator", "verify", "--data", data, "--json"))
    if report["findings"]:
        sys.exit(f"verify of {path.name}: {report['findings']}")
    return rows


def microseconds(text):
    """A time as the export writes it."""
    from datetime import datetime, timezone

    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 10**6 + moment.microsecond


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("folder", type=Path, nargs="?", default=here.parents[2] / "shared" / "captures" / "backscatter")
    arguments = parser.parse_args()
    captures = sorted(path for path in arguments.folder.glob("*") if path.is_file()) if arguments.folder.is_dir() else []
    if not captures:
        print("#########################################################################")
        print(f"# attacks SKIPPED: no real backscatter in {arguments.folder}")
        print("#########################################################################")
        return
    failures, compared = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for path in captures:
            replies = defaultdict(list)
            for time, link, frame in packets(path):
                packet = ipv4(link, frame)
                key = attacked(packet) if packet else None
                if key:
                    replies[key].append(time)
            for rule in WEAKER:
                rows = table(arguments.binaries, path, rule, Path(folder))
                single = [row for row in rows if row["kind"] != "carpet"]
                of_port = {
                    (row["victim_ip"], row["protocol"], row["ports"], microseconds(row["start"]), microseconds(row["end"]),
                     row["packets"], row["packets_per_minute_max"])
                    for row in single if row["port_count"] < 2
                }
                expected = events(replies, rule)
                if of_port != expected:
                    failures.append(f"{path.name} {rule}: too many {sorted(of_port - expected)[:3]}, missing {sorted(expected - of_port)[:3]}")
                found, wanted = {row["victim_ip"] for row in single}, victims(replies, rule)
                if found != wanted:
                    failures.append(f"{path.name} {rule}: victims {sorted(found ^ wanted)[:5]} are in one alone")
                compared += len(expected)
                print(f"{path.name}: {rule}: {len(expected)} events of a port, {len(wanted)} victims, {len(rows) - len(single)} carpets")
    if failures:
        sys.exit("\n".join(["attacks: FAILED", *failures]))
    print(f"attacks: {compared} events as defined, and the victims of corsaro's definition")


if __name__ == "__main__":
    main()
