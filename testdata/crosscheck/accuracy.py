"""How right the sensor is, packet for packet: confusion matrices of class, traffic type and tool, with precision and recall.

teiten-synth writes a capture with noise (IPv6, packets to addresses that are not dark, ARP, packets that come late; SYNs with any
options in any order under any TTL, tools under another TTL than theirs, Masscan over SCTP, marks of tools by coincidence) and the truth
of each packet; teiten-sensor explains each. Then real captures, where a folder of them is given: what their makers say they hold against
what the sensor says, packet for packet. Exit 1 when a class or type of the synthetic capture is wrong, a tool whose test is exact falls
below 99 %, or a real capture below its share. Needs nothing but Python. Run by `make accuracy`.

A packet's tool by truth is the program that sent it; the sensor's is that of the tables, confirmed over the source's packets of the
hour. Nmap and Unicornscan show in two packets or more, so a source that sent one of them in an hour is missed by nature.
"""

import argparse
import csv
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FIELDS = ("class", "traffic_type", "tool")
NOISE = ("--span", "5h", "--ipv6", "0.05", "--outside", "0.02", "--arp", "0.002", "--out-of-order", "0.01",
         "--noise", "0.3")
# Tools with a test of their probes that is exact but for chance, and the share of right that precision and recall must reach.
EXACT, RIGHT_MIN = ("masscan", "mirai", "zmap"), 0.99
# Sources that cannot be on the Internet, as the first eight or twelve bits of their addresses. Makers captured on the scanner itself,
# behind an address translator, or permuted addresses before they published, so such a source says nothing of the traffic: it is
# replaced by one that can be, as the translator would.
IMPOSSIBLE = [ipaddress.ip_network(text) for text in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
              "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")]


class Real(NamedTuple):
    """What the maker of a capture says of the packets that `chosen` picks, and the share of them that must be labelled so."""
    path: str
    says: str
    chosen: Callable[[dict], bool]
    class_: str
    type_: str | None = None
    tool: str | None = None
    share: float = 1.0


def every(_):
    return True


def syn(packet):
    return packet.get("tcp_flags") == "S"


def reply(packet):
    return packet.get("tcp_flags") in ("AS", "R", "AR") and packet["src_port"] in (80, 443)


def to_port(port):
    return lambda packet: packet["dst_port"] == port


def of_type(name):
    return lambda packet: packet["traffic_type"] == name


SCANS = "github.com/ncsa/bro-simple-scan, testing/tests"
MASSCAN = "github.com/esnet-security/curated-pcaps, attacks/scanners/masscan/README.md"
NMAP = "github.com/esnet-security/curated-pcaps, attacks/scanners/nmap/README.md"
DDOS = "github.com/marcosValle/netlyzer, ddos.pcap"
REAL = (
    Real("backscatter/bro-simple-scan__testing-pcaps-backscatter", f"{SCANS}/test_backscatter.zeek: replies to unused addresses",
         lambda packet: packet["protocol"] != 17, "backscatter"),
    Real("backscatter/netlyzer__ddos", f"{DDOS}: answers of resolvers about one name, from 53 and other ports",
         lambda packet: packet["protocol"] == 17 and packet["dst_port"] != 137, "backscatter", "udp"),
    Real("backscatter/netlyzer__ddos", f"{DDOS}: errors of hosts that were asked",
         lambda packet: packet["protocol"] == 1, "backscatter"),
    Real("backscatter/netlyzer__ddos", f"{DDOS}: node status requests among them", to_port(137), "reflector-scan", "udp"),
    Real("scan/bro-simple-scan__testing-pcaps-445_scan", f"{SCANS}/test_445_scan.zeek", every, "scan", "tcp-syn"),
    Real("scan/bro-simple-scan__testing-pcaps-multiport_scan", f"{SCANS}/test_mutiport_scan.zeek", syn, "scan", "tcp-syn"),
    Real("scan/bro-simple-scan__testing-pcaps-multiport_scan", f"{SCANS}/test_mutiport_scan.zeek: the errors it drew", of_type("icmp-unreachable"), "backscatter"),
    Real("scan/bro-simple-scan__testing-pcaps-port_scan", f"{SCANS}/test_port_scan.zeek", every, "scan", "tcp-syn"),
    Real("scan/bro-simple-scan__testing-pcaps-scan_with_zero_windows", f"{SCANS}/test_port_scan_with_zero_windows.zeek", every, "scan", "tcp-syn"),
    Real("tools/curated-pcaps__attacks-scanners-masscan-tcp", f"{MASSCAN}: masscan 1.0.4 -p0-1000", syn, "scan", "tcp-syn", "masscan"),
    Real("tools/curated-pcaps__attacks-scanners-masscan-udp", f"{MASSCAN}: masscan 1.0.4 -pU:0-1000, which leaves no mark", every, "scan|reflector-scan", "udp"),
    Real("tools/curated-pcaps__attacks-scanners-nmap-nmap_80_all", f"{NMAP}: nmap 7.80 -p 80 -A, its SYNs", syn, "scan", "tcp-syn"),
    Real("tools/curated-pcaps__attacks-scanners-nmap-nmap_80_all", f"{NMAP}: the target's answers", reply, "backscatter"),
    Real("tools/curated-pcaps__attacks-scanners-nmap-nmap_80_vanilla", f"{NMAP}: nmap 7.80 -p 80", syn, "scan", "tcp-syn"),
    Real("tools/curated-pcaps__attacks-scanners-nmap-nmap_80_w_service", f"{NMAP}: nmap 7.80 -p 80 -sV", syn, "scan", "tcp-syn"),
)
# Captures named by their makers for a protocol, and the signature of a message that must be in each. Test suites of others:
# github.com/arkime/arkime, zeek/zeek, seladb/PcapPlusPlus, CESNET/ipfixprobe, the-tcpdump-group/tcpdump.
PROTOCOLS = (
    ("arkime__IKEv1", "ike-init"), ("arkime__IKEv2", "ike-response"), ("arkime__adb", "adb-connect"),
    ("arkime__bacnet-stack-services", "bacnet"), ("arkime__bt-udp", "bittorrent-dht"), ("arkime__dns-notify", "dns-notify-or-update"),
    ("arkime__dns-update", "dns-notify-or-update"), ("arkime__dns-udp", "dns-query"), ("arkime__gtp-iphone", "gtp-tunnel"),
    ("arkime__krb5-udp", "kerberos-request"), ("arkime__mongo", "mongodb-request"), ("arkime__mqtt_big", "mqtt-connect"),
    ("arkime__nbns", "netbios-registration"), ("arkime__quic34", "gquic-hello"), ("arkime__quicietf", "quic-initial"),
    ("arkime__radius", "radius-response"), ("arkime__socks5-rdp", "socks"), ("arkime__socks5-rdp", "rdp-connect"),
    ("arkime__stun-ice-testcall", "stun-binding"), ("arkime__stun-ice-testcall", "stun-response"), ("arkime__tftp_rrq", "tftp-read"),
    ("arkime__vxlan", "vxlan"), ("arkime__wireshark-dhcp", "dhcp"), ("ipfixprobe__functional-inputs-ntp", "ntp-server"),
    ("ipfixprobe__functional-inputs-rtsp", "rtsp-request"), ("ipfixprobe__functional-inputs-sip", "sip-request"),
    ("ipfixprobe__functional-inputs-sip", "sip-status"), ("ipfixprobe__functional-inputs-ssdp", "ssdp-search"),
    ("ipfixprobe__functional-inputs-tls", "tls-client-hello"), ("ipfixprobe__functional-inputs-wg", "wireguard-initiation"),
    ("ipfixprobe__functional-inputs-ovpn", "openvpn-reset"), ("PcapPlusPlus__Packet-Test-PacketExamples-gtp-u", "gtp-tunnel"),
    ("PcapPlusPlus__Packet-Test-PacketExamples-gtpv2", "gtp-request"), ("PcapPlusPlus__Packet-Test-PacketExamples-postgres", "postgresql-startup"),
    ("zeek__gnutella-max-header", "gnutella-connect"), ("zeek__krb-kerberos_tso", "kerberos-request"),
    ("zeek__ldap-missing_krbtgt_ldap_request", "ldap-request"), ("zeek__ppp-quic-interop-retry", "quic-server"),
    ("zeek__tunnels-Teredo", "teredo"), ("zeek__tunnels-geneve.pcap", "geneve"), ("zeek__tunnels-socks", "socks"),
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


def precision_and_recall(pairs, label):
    """Shares of right among what was found to be `label`, and among what is."""
    right = pairs[label, label]
    found = sum(number for (_, name), number in pairs.items() if name == label)
    meant = sum(number for (truth, _), number in pairs.items() if truth == label)
    return right / max(1, found), right / max(1, meant)


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


def translated(path, folder):
    """A copy of an Ethernet pcap in which impossible IPv4 sources are 45.0.0.0/8 with the rest as it was; other captures as they are."""
    data = bytearray(path.read_bytes())
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(bytes(data[:4]))
    if order is None or struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF != 1:
        return path
    place = 24
    while place + 16 <= len(data):
        captured = struct.unpack_from(f"{order}I", data, place + 8)[0]
        frame = place + 16
        header = frame + 14
        while data[header - 2:header] == b"\x81\x00":
            header += 4
        if data[header - 2:header] == b"\x08\x00" and header + 20 <= frame + captured:
            source = ipaddress.IPv4Address(bytes(data[header + 12:header + 16]))
            if any(source in network for network in IMPOSSIBLE):
                data[header + 12] = 45
        place = frame + captured
    copy = folder / path.name
    copy.write_bytes(data)
    return copy


def print_real(binaries, captures, folder):
    """The matrix of what makers say against what the sensor says; how many rows fall below their share."""
    print(f"\nreal captures in {captures.name}: rows are what the maker says, then the packets so labelled, and as what else")
    below, explained = 0, {}
    for row in REAL:
        paths = sorted(captures.glob(f"{row.path}*"))
        if not paths:
            fail(f"{captures / row.path}* is not there")
        if paths[0] not in explained:
            copy = translated(paths[0], folder)
            explained[paths[0]] = [packet for packet in explain(binaries, copy, []) if "class" in packet]
        packets = [packet for packet in explained[paths[0]] if row.chosen(packet)]
        found = Counter((packet["class"], packet["traffic_type"], packet["tool"]) for packet in packets)
        right = sum(number for (class_, type_, tool), number in found.items() if class_ in row.class_.split("|")
                    and row.type_ in (None, type_) and row.tool in (None, tool))
        share = right / len(packets) if packets else 0.0
        wanted = " ".join(part for part in (row.class_, row.type_, row.tool) if part)
        print(f"  {paths[0].name.split('__')[1][:48]:<48} {wanted:<34} {len(packets):>5} {right:>5} {share:>8.2%}{'' if share >= row.share else '  BELOW'}")
        for (class_, type_, tool), number in found.most_common():
            if class_ not in row.class_.split("|") or row.type_ not in (None, type_) or row.tool not in (None, tool):
                print(f"  {'':<48} {' '.join((class_, type_, tool)):<34} {'':>5} {number:>5}")
        below += share < row.share
    for row in REAL:
        print(f"  {row.path.split('__')[1]}: {row.says}")
    return below


def print_protocols(binaries, captures):
    """How many captures lack the message that their name promises."""
    lacking = []
    for start, signature in PROTOCOLS:
        paths = sorted((captures / "linktypes").glob(f"{start}*"))
        if not paths:
            fail(f"{captures / 'linktypes' / start}* is not there")
        found = Counter(packet.get("signature") for packet in explain(binaries, paths[0], []))
        if not found[signature]:
            lacking.append(f"{paths[0].name}: no {signature}, {dict(found)}")
    print(f"\ncaptures named for a protocol: the signature is found in {len(PROTOCOLS) - len(lacking)} of {len(PROTOCOLS)}")
    for line in lacking:
        print(f"  BELOW {line}")
    return len(lacking)


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
    below = 0
    if captures:
        with tempfile.TemporaryDirectory(prefix="teiten-accuracy-") as folder:
            below = print_real(options.binaries, captures, Path(folder))
        below += print_protocols(options.binaries, captures)
    else:
        print("\nSKIPPED: real captures (none given: TEITEN_CAPTURES=FOLDER make accuracy)")
    wrong = sum(number for field in ("class", "traffic_type") for (truth, found), number in pairs[field].items() if truth != found)
    poor = [tool for tool in EXACT if min(precision_and_recall(pairs["tool"], tool)) < RIGHT_MIN]
    for tool in poor:
        print(f"{tool}: precision or recall below {RIGHT_MIN:.0%}")
    sys.exit(1 if wrong or misplaced or below or poor else 0)


if __name__ == "__main__":
    main()
