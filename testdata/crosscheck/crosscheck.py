"""Checks the line from packets to tables with programs that are not ours.

teiten-synth writes a capture with its truth, teiten-sensor replays it; then DuckDB sums the tables, Apache DataSketches merges the
sketches, pyarrow reads the schemas and the metadata. What is compared:

  workers   the tables for 1, 2, 3 and 8 workers, byte for byte
  again     the same capture replayed into the same folder: nothing is counted twice
  splits    one file against the same packets in ten: the same rows
  truth     classes, types, exact tools, protocols, ports, countries, hours, distinct sources against the synthesiser's own counts
  sums      traffic = sources = coverage = accounting, for packets and bytes
  sketches  exact columns against the sources table, sketches against the exact numbers
  days      sources_daily, scanners_daily, ports_daily, campaigns_daily and traffic_daily against the hours and against the packets one by one
  scans     the events of the table against their definition, packet by packet

Run by .ci/crosscheck, which installs the packages of requirements.txt in a venv.
"""

import argparse
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import datasketches
import duckdb
import pyarrow.parquet as parquet

TABLES = ("traffic", "sources", "coverage", "payloads", "backscatter")
WORKERS = (1, 2, 3, 8)
SPLITS = 10
SENSOR = "crosscheck"

# Codes of data sets that are no country of ISO 3166-1: the contract's ZZ. UK is an alias.
NO_COUNTRY = {"EU", "AP", "CS", "AN", "A1", "A2", "XK"}

# Packets of a tool that the tables may name too many or too few of. A mark is confirmed over the packets of its source in the hour, so
# chance matches of one packet do not count; a source of Nmap or Unicornscan that sent one packet in an hour is missed by nature. Of the
# 200,000 packets of the default none is off.
TOOLS = {"zmap": 2, "zmap-stack": 2, "masscan": 2, "mirai": 2, "nmap": 10, "unicornscan": 10, "none": 20}

# A union of HLL sketches with lg_k 12 has a standard error of 1.04/sqrt(4096) = 1.6 %: four of them.
UNION_ERROR_MAX = 0.065

failures = []
checks = 0


def check(name, found, expected):
    """Counts a comparison; says what differs."""
    global checks
    checks += 1
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = [key for key in sorted(set(found) | set(expected), key=str) if found.get(key) != expected.get(key)]
        shown = ", ".join(f"{key}: {found.get(key)} for {expected.get(key)}" for key in keys[:6])
        failures.append(f"{name}: {len(keys)} differ (found for expected): {shown}")
    else:
        failures.append(f"{name}: found {found}, expected {expected}")


def run(*command, accepted=(0,)):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode not in accepted:
        sys.exit(f"{' '.join(map(str, command))}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def replay(binaries, source, data, telescope, workers):
    flags = [flag for prefix in telescope for flag in ("--telescope", prefix)]
    text = run(binaries / "teiten-sensor", "replay", source, "--data", data, "--sensor", SENSOR, "--workers", workers, "--json", *flags)
    return json.loads(text)


def digests(data):
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(data.rglob("*.parquet"))}


def split_pcap(path, folder, parts):
    """The records of a little-endian pcap, in order, as `parts` files of about the same number."""
    data = path.read_bytes()
    header, position, starts = data[:24], 24, []
    while position < len(data):
        starts.append(position)
        position += 16 + struct.unpack_from("<I", data, position + 8)[0]
    starts.append(len(data))
    records = len(starts) - 1
    folder.mkdir()
    for part in range(parts):
        first, last = starts[records * part // parts], starts[records * (part + 1) // parts]
        (folder / f"part-{part:02}.pcap").write_bytes(header + data[first:last])


def connect(data):
    """A DuckDB with a view for each table."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{data}/{table}/*/*/*.parquet', hive_partitioning = false)")
    return connection


def counts(connection, key, value="sum(packets)", table="traffic"):
    rows = connection.execute(f"SELECT {key} AS name, {value} FROM {table} GROUP BY name").fetchall()
    return {str(name): int(number) for name, number in rows if number}


def check_truth(connection, truth, has_geo):
    for table in ("traffic", "sources"):
        for column, expected in (("class", "classes"), ("traffic_type", "traffic_types"), ("protocol", "protocols")):
            check(f"{table} by {column}", counts(connection, column, table=table), truth[expected])
    for table in ("traffic", "sources"):
        tools = counts(connection, "tool", table=table)
        check(f"{table}: tools that only the tables or only the truth name", set(tools) ^ {tool for tool, packets in truth["tools"].items() if packets}, set())
        for tool, off_max in TOOLS.items():
            off = tools.get(tool, 0) - truth["tools"].get(tool, 0)
            check(f"{table}: {tool}: {off:+} packets off, {off_max} at most either way", abs(off) <= off_max, True)
    check("by family", counts(connection, "'ipv' || ip_version"), truth["families"])
    check("by port", counts(connection, "protocol || '/' || coalesce(port::text, 'none')"), truth["ports"])
    check("by hour", counts(connection, "strftime(hour_start, '%Y-%m-%dT%H')"), truth["hours"])
    kinds = {}
    for kind in truth["kinds"]:
        name = f"{kind['class']} {kind['traffic_type']}"
        kinds[name] = kinds.get(name, 0) + kind["packets"]
    check("by class and type", counts(connection, "class || ' ' || traffic_type"), kinds)
    check("packets and bytes", connection.execute("SELECT sum(packets)::bigint, sum(bytes)::bigint FROM traffic").fetchone(),
          (truth["packets"], truth["bytes"]))
    distinct = "count(DISTINCT src_ip)"
    check("distinct sources", connection.execute(f"SELECT {distinct} FROM sources").fetchone()[0], truth["sources"]["total"])
    check("sources by hour", counts(connection, "strftime(hour_start, '%Y-%m-%dT%H')", distinct, "sources"), truth["sources"]["hours"])
    by_class = counts(connection, "class", distinct, "sources")
    check("sources by class", by_class, truth["sources"]["classes"])
    if has_geo:
        expected = {}
        for code, packets in truth["countries"].items():
            code = "ZZ" if code in NO_COUNTRY else "GB" if code == "UK" else code
            expected[code] = expected.get(code, 0) + packets
        check("by country", counts(connection, "country"), expected)
    else:
        print("crosscheck: no country data here (teiten-sensor geo update): countries are NOT compared")


def check_accounting(accounting, truth):
    for key, expected in truth["accounting"].items():
        check(f"accounting {key}", accounting[key], expected)
    malformed = accounting["malformed"]
    parts = sum(accounting[key] for key in ("observed", "outside", "excluded", "not_ip")) + sum(malformed.values())
    check("accounting: parts of records", parts, accounting["records"])
    for key in ("families", "protocols", "traffic_types", "classes", "tools", "hours"):
        check(f"accounting: {key} partition observed", sum(accounting[key].values()), accounting["observed"])
        found = {name: number for name, number in accounting[key].items() if number}
        if key != "tools":
            check(f"accounting: {key}", found, truth[key])


def check_sums(connection, accounting):
    sums = {table: connection.execute(f"SELECT sum(packets)::bigint, sum(bytes)::bigint FROM {table}").fetchone() for table in ("traffic", "sources")}
    check("traffic and sources hold the same", sums["traffic"], sums["sources"])
    per_hour = "strftime(hour_start, '%Y-%m-%dT%H')"
    check("the same in every hour", counts(connection, per_hour), counts(connection, per_hour, table="sources"))
    columns = {"observed": "observed", "outside": "outside", "excluded": "excluded", "not_ip": "not_ip", "received": "records"}
    for column, key in columns.items():
        total = connection.execute(f"SELECT sum({column})::bigint FROM coverage").fetchone()[0]
        check(f"coverage {column}", total, accounting[key])
    by_minute = counts(connection, "strftime(minute_start, '%Y-%m-%dT%H')", "sum(observed)", "coverage")
    check("coverage by hour", by_minute, counts(connection, per_hour))


def check_sources_columns(connection):
    """`sources` of traffic is exact for its row; a source's own row is sound."""
    wrong = connection.execute("""
        WITH exact AS (
            SELECT hour_start, ip_version, protocol, port, traffic_type, class, tool, actor, country, count(DISTINCT src_ip) AS sources,
                   sum(packets) AS packets
            FROM sources GROUP BY ALL)
        SELECT count(*) FROM traffic FULL JOIN exact
            ON traffic.hour_start = exact.hour_start AND traffic.ip_version = exact.ip_version AND traffic.protocol = exact.protocol
            AND traffic.port IS NOT DISTINCT FROM exact.port AND traffic.traffic_type = exact.traffic_type AND traffic.class = exact.class
            AND traffic.tool = exact.tool AND traffic.actor = exact.actor AND traffic.country = exact.country
        WHERE traffic.sources IS DISTINCT FROM exact.sources OR traffic.packets IS DISTINCT FROM exact.packets""").fetchone()[0]
    check("rows of traffic whose sources are not exact", wrong, 0)
    wrong = connection.execute("""
        SELECT count(*) FROM sources WHERE first_seen > last_seen OR packets < 1 OR destinations < 1 OR destinations > packets * 1.1 + 1
            OR date_trunc('hour', first_seen) <> hour_start OR date_trunc('hour', last_seen) <> hour_start""").fetchone()[0]
    check("unsound rows of sources", wrong, 0)


def union_estimate(rows):
    union = datasketches.hll_union(12)
    for (sketch,) in rows:
        union.update(datasketches.hll_sketch.deserialize(bytes(sketch)))
    return union.get_estimate()


def check_sketches(connection):
    union = union_estimate(connection.execute("SELECT sources_sketch FROM traffic").fetchall())
    exact = connection.execute("SELECT count(DISTINCT src_ip) FROM sources").fetchone()[0]
    check(f"union of all sketches {union:.0f} near {exact}", abs(union - exact) <= UNION_ERROR_MAX * exact, True)
    for (name,) in connection.execute("SELECT DISTINCT class FROM traffic").fetchall():
        union = union_estimate(connection.execute("SELECT sources_sketch FROM traffic WHERE class = ?", [name]).fetchall())
        exact = connection.execute("SELECT count(DISTINCT src_ip) FROM sources WHERE class = ?", [name]).fetchone()[0]
        check(f"union of {name} {union:.0f} near {exact}", abs(union - exact) <= max(1, UNION_ERROR_MAX * exact), True)
    few = connection.execute("SELECT sources, sources_sketch FROM traffic WHERE sources <= 20").fetchall()
    off = sum(round(datasketches.hll_sketch.deserialize(bytes(sketch)).get_estimate()) != sources for sources, sketch in few)
    check("sketches of few sources that are not exact", off, 0)
    check_sketch_members(connection)


def check_sketch_members(connection):
    """The largest row's sketch is that of its addresses as text: adding them again changes nothing."""
    row = connection.execute("""
        SELECT epoch_us(hour_start), ip_version, protocol, port, traffic_type, class, tool, country, sources_sketch
        FROM traffic ORDER BY sources DESC LIMIT 1""").fetchone()
    members = connection.execute("""
        SELECT DISTINCT src_ip FROM sources WHERE epoch_us(hour_start) = ? AND ip_version = ? AND protocol = ? AND port IS NOT DISTINCT FROM ?
            AND traffic_type = ? AND class = ? AND tool = ? AND country = ?""", row[:8]).fetchall()
    ours, theirs, both = (datasketches.hll_union(12) for _ in range(3))
    for union in (ours, both):
        union.update(datasketches.hll_sketch.deserialize(bytes(row[8])))
    for union in (theirs, both):
        for (address,) in members:
            union.update(address)
    # The estimator depends on the order of arrival, so ours and theirs may differ a little; a member that ours lacked would raise both.
    ours, theirs, both = (union.get_estimate() for union in (ours, theirs, both))
    check(f"sketch of {len(members)} addresses with them added again", both, ours)
    check(f"sketch of {len(members)} addresses: {ours:.1f} near {theirs:.1f}", abs(ours - theirs) <= 0.02 * theirs, True)


def check_files(data, has_geo):
    """Every file names what made it, and counters are signed."""
    wanted = ("schema_version", "program_version", "configuration_sha256", "telescope_addresses") + (("geo_sha256",) if has_geo else ())
    for path in sorted(data.rglob("*.parquet")):
        parquet.read_table(path, page_checksum_verification=True)
        schema = parquet.read_schema(path)
        metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        for key in wanted:
            check(f"{path.name}: metadata {key}", key in metadata, True)
        unsigned = [field.name for field in schema if str(field.type).startswith("uint")]
        check(f"{path.name}: unsigned columns", unsigned, [])


def same_rows(connection, other, table):
    """Rows of a table that only one of two datasets has; sketches may be written differently, their rows' counts may not."""
    columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall() if row[0] != "sources_sketch"]
    names = ", ".join(columns)
    view = f"SELECT {names} FROM {table}"
    files = f"SELECT {names} FROM read_parquet('{other}/{table}/*/*/*.parquet', hive_partitioning = false)"
    ways = [f"SELECT count(*) FROM ({left} EXCEPT ALL {right})" for left, right in ((view, files), (files, view))]
    return tuple(connection.execute(way).fetchone()[0] for way in ways)


def check_export(binaries, connection, data, folder):
    """Tables as CSV and JSON lines, read back by DuckDB: the same rows as in Parquet, times, nulls and bytes included."""
    for table in TABLES:
        for form, read in (("csv", "read_csv('{}', header = true, all_varchar = true, allow_quoted_nulls = false)"), ("json", "read_json('{}', format = 'newline_delimited')")):
            path = folder / f"{table}.{form}"
            path.write_text(run(binaries / "teiten-aggregator", "export", "--data", data, "--table", table, "--format", form))
            reader = read.format(path)
            columns, exported = [], []
            for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall():
                columns.append(f"lower(hex({name}))" if kind == "BLOB" else f"({name})::text")
                column = f"({name})::timestamptz" if kind.startswith("TIMESTAMP") else f"({name})::{kind}"
                exported.append(f"({name})::text" if kind == "BLOB" else f"({column})::text")
            ours = f"SELECT {', '.join(exported)} FROM {reader}"
            theirs = f"SELECT {', '.join(columns)} FROM {table}"
            count = "SELECT count(*) FROM ({} EXCEPT ALL {})"
            found = tuple(connection.execute(count.format(*pair)).fetchone()[0] for pair in ((ours, theirs), (theirs, ours)))
            check(f"rows of {table} that only {form} or only Parquet has", found, (0, 0))
    hours = [str(row[0]) for row in connection.execute("SELECT DISTINCT strftime(hour_start, '%Y-%m-%dT%H') FROM traffic ORDER BY 1").fetchall()]
    text = run(binaries / "teiten-aggregator", "export", "--data", data, "--table", "traffic", "--from", hours[1], "--to", hours[2])
    rows = connection.execute(f"SELECT count(*) FROM traffic WHERE strftime(hour_start, '%Y-%m-%dT%H') = '{hours[1]}'").fetchone()[0]
    check("rows of one hour's export", len(text.splitlines()) - 1, rows)


def check_merge(binaries, connection, data, cut, other, folder):
    """Two datasets side by side hold the packets of both, and a second merge changes nothing. One of the same packets is refused."""
    merged = folder / "merged"
    run(binaries / "teiten-aggregator", "merge", "--data", folder / "twice", data, cut, accepted=(2,))
    check("tables of a merge that would count packets twice", digests(folder / "twice"), {})
    run(binaries / "teiten-aggregator", "merge", "--data", merged, data, other)
    sums = "SELECT sum(packets)::bigint, sum(bytes)::bigint FROM {}"
    parts = "read_parquet('{}/{}/*/*/*.parquet', hive_partitioning = false)"
    for table in ("traffic", "sources"):
        one, two, both = (connection.execute(sums.format(parts.format(each, table))).fetchone() for each in (data, other, merged))
        check(f"{table} of two datasets merged", both, tuple(a + b for a, b in zip(one, two)))
    before = digests(merged)
    again = json.loads(run(binaries / "teiten-aggregator", "merge", "--json", "--data", merged, data, other))
    check("a second merge", (again["copied"], digests(merged)), (0, before))
    run(binaries / "teiten-aggregator", "verify", "--data", merged)


# Silence that ends a scan event here, and classes whose packets ask for a service.
SILENCE_SECONDS = 3600
ASKS = "class IN ('scan', 'reflector-scan', 'exploit')"


def differing(connection, ours, theirs):
    """Rows that only one of two questions gives."""
    count = "SELECT count(*) FROM ({} EXCEPT ALL {})"
    return tuple(connection.execute(count.format(*pair)).fetchone()[0] for pair in ((ours, theirs), (theirs, ours)))


def check_days(binaries, connection, data, capture, telescope, folder):
    """Days and scan events against hours, and against what `explain` says of every packet."""
    command = (binaries / "teiten-aggregator", "rollup", "--json", "--data", data, "--scan-silence", SILENCE_SECONDS)
    run(*command)
    before = digests(data)
    again = json.loads(run(*command))
    check("a second rollup writes nothing", (again["written"], again["rows"], digests(data)), (0, 0, before))
    run(binaries / "teiten-aggregator", "verify", "--data", data)
    for table, depth in (("traffic_daily", "*"), ("sources_daily", "*"), ("scanners_daily", "*"), ("ports_daily", "*"), ("campaigns_daily", "*"),
                         ("marginals_daily", "*"), ("asked_ports_daily", "*"), ("survey_daily", "*"), ("scans", "*/*")):
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{data}/{table}/{depth}/*.parquet', hive_partitioning = false)")
    packets = folder / "packets.json"
    flags = [flag for prefix in telescope for flag in ("--telescope", prefix)]
    packets.write_text(run(binaries / "teiten-sensor", "explain", capture, *flags, accepted=(0, 1)))
    connection.execute(f"""CREATE TABLE packets AS SELECT time::timestamptz AS time, src_ip, dst_ip, protocol, traffic_type, class, port
        FROM read_json('{packets}', format = 'newline_delimited', union_by_name = true, maximum_object_size = 1000000) WHERE class IS NOT NULL""")
    check("packets that explain names", connection.execute("SELECT count(*) FROM packets").fetchone()[0],
          connection.execute("SELECT sum(packets)::bigint FROM traffic").fetchone()[0])
    kinds = "ip_version, protocol, port, traffic_type, class, tool, actor, country"
    day = "hour_start::date AS day"
    check("traffic_daily against traffic", differing(connection,
          f"SELECT day, {kinds}, packets, bytes FROM traffic_daily",
          f"SELECT {day}, {kinds}, sum(packets)::bigint, sum(bytes)::bigint FROM traffic GROUP BY ALL"), (0, 0))
    for by, value in (("hour", "''"), ("traffic_type", "traffic_type"), ("tool", "tool"), ("actor", "actor"), ("country", "country")):
        hour, protocol = ("hour_start", "protocol") if by == "hour" else ("NULL", "NULL")
        check(f"marginals_daily by {by} against traffic", differing(connection,
              f"SELECT day, hour_start, ip_version, class, protocol, value, packets, bytes FROM marginals_daily WHERE property = '{by}'",
              f"SELECT {day}, {hour}, ip_version, class, {protocol}, {value}, sum(packets)::bigint, sum(bytes)::bigint FROM traffic GROUP BY ALL"), (0, 0))
    for role, of_role in (("asked", ASKS), ("reflector", "class = 'reflector-scan'"), ("attacked", "class = 'backscatter'")):
        check(f"asked_ports_daily, {role}, against traffic", differing(connection,
              f"SELECT day, ip_version, protocol, port, packets, bytes FROM asked_ports_daily WHERE role = '{role}'",
              f"SELECT {day}, ip_version, protocol, port, sum(packets)::bigint, sum(bytes)::bigint "
              f"FROM traffic WHERE {of_role} GROUP BY ALL"), (0, 0))
    check("survey_daily, all sources, against sources", differing(connection,
          "SELECT day, hosts, packets FROM survey_daily WHERE what = 'rule' AND value = 'all'",
          f"SELECT {day}, count(DISTINCT src_ip), sum(packets)::bigint FROM sources WHERE {ASKS} AND ip_version = 4 GROUP BY ALL"), (0, 0))
    classes = ("scan", "reflector-scan", "exploit", "backscatter", "misconfiguration", "spoofed", "malformed", "other")
    ours = ", ".join(f"{name.replace('-', '_')}_packets" for name in classes)
    theirs = ", ".join(f"coalesce(sum(packets) FILTER (class = '{name}'), 0)::bigint" for name in classes)
    check("sources_daily against sources", differing(connection,
          f"SELECT day, src_ip, packets, bytes, {ours}, ports, hours, mirai_packets, first_seen, last_seen FROM sources_daily",
          f"SELECT {day}, src_ip, sum(packets)::bigint, sum(bytes)::bigint, {theirs}, count(DISTINCT (protocol, port)) FILTER ({ASKS} AND port IS NOT NULL), "
          "count(DISTINCT hour_start), coalesce(sum(packets) FILTER (tool = 'mirai'), 0)::bigint, min(first_seen), max(last_seen) FROM sources GROUP BY ALL"), (0, 0))
    exact = "SELECT time::date AS day, src_ip, count(DISTINCT dst_ip) AS destinations FROM packets GROUP BY ALL"
    check("destinations of a day, exact up to 128", differing(connection,
          "SELECT day, src_ip, destinations FROM sources_daily WHERE destinations <= 128", f"SELECT * FROM ({exact}) WHERE destinations <= 128"), (0, 0))
    worst = connection.execute(f"SELECT coalesce(max(abs(ours.destinations / theirs.destinations - 1)), 0) FROM sources_daily ours JOIN ({exact}) theirs USING (day, src_ip)").fetchone()[0]
    check(f"destinations of a day, estimated: {worst:.3f} off, 0.115 at most", worst < 0.115, True)
    check("ports_daily against sources", differing(connection,
          "SELECT day, ip_version, protocol, port, class, packets, bytes, sources, mirai_packets FROM ports_daily",
          f"SELECT {day}, ip_version, protocol, port, class, sum(packets)::bigint, sum(bytes)::bigint, count(DISTINCT src_ip), "
          "coalesce(sum(packets) FILTER (tool = 'mirai'), 0)::bigint FROM sources GROUP BY ALL"), (0, 0))
    check("campaigns_daily against sources_daily", differing(connection,
          "SELECT day, id, sources, packets FROM campaigns_daily",
          "SELECT day, campaign, count(*), sum(scan_packets + reflector_scan_packets + exploit_packets)::bigint FROM sources_daily WHERE campaign <> '' GROUP BY ALL"), (0, 0))
    addresses = sum(2 ** (32 - int(prefix.split("/")[1])) for prefix in telescope if ":" not in prefix)
    rules = "ports >= 11 OR ports >= 100 OR actor <> ''"
    check("scanners_daily by ports and name", differing(connection,
          "SELECT day, src_ip, rule_jpcert, rule_police, rule_named FROM scanners_daily WHERE rule_jpcert OR rule_police OR rule_named",
          f"SELECT day, src_ip, ports >= 11, ports >= 100, actor <> '' FROM sources_daily WHERE {rules}"), (0, 0))
    key = "src_ip, port, protocol, traffic_type"
    connection.execute(f"""CREATE TABLE events AS SELECT * FROM (
        SELECT {key}, min(time) AS "start", max(time) AS "end", count(*) AS packets, count(DISTINCT dst_ip) AS destinations FROM (
            SELECT *, sum(begins) OVER (PARTITION BY {key} ORDER BY time ROWS UNBOUNDED PRECEDING) AS event FROM (
                SELECT *, coalesce(time - lag(time) OVER (PARTITION BY {key} ORDER BY time) > INTERVAL {SILENCE_SECONDS} SECOND, false)::int AS begins
                FROM packets))
        GROUP BY {key}, event)
        WHERE destinations >= 10 AND (src_ip LIKE '%:%' OR "end" = "start" OR packets / (epoch_us("end") - epoch_us("start")) * 1e6 * 4294967296 / {addresses} >= 10)""")
    columns = f'{key}, "start", "end", packets'
    count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    check("scan events of the definition: more than none", count > 0, True)
    check("scans against the definition, packet by packet", differing(connection, f"SELECT {columns} FROM scans", f"SELECT {columns} FROM events"), (0, 0))
    check("destinations of scans, exact up to 128", differing(connection,
          f"SELECT {columns}, destinations FROM scans WHERE destinations <= 128", f"SELECT {columns}, destinations FROM events WHERE destinations <= 128"), (0, 0))
    check("scans with one id", connection.execute("SELECT count(*) - count(DISTINCT id) FROM scans").fetchone()[0], 0)
    print(f"crosscheck: {count} scan events are those of the definition")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=Path, required=True, help="folder of teiten-synth and teiten-sensor")
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--telescope", default="198.18.0.0/22")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="teiten-crosscheck-") as folder:
        cross_check(options, Path(folder))
    print(f"crosscheck: {checks} comparisons, {len(failures)} failed")
    for failure in failures:
        print(f"crosscheck: FAILED {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def synthesise(options, capture, seed):
    run(options.binaries / "teiten-synth", "-o", capture, "--telescope", options.telescope, "--telescope", "2001:db8::/32",
        "--packets", options.packets, "--seed", seed,
        *("--span", "5h", "--ipv6", "0.05", "--outside", "0.02", "--arp", "0.002", "--out-of-order", "0.01"))


def cross_check(options, folder):
    capture = folder / "capture.pcap"
    synthesise(options, capture, 1)
    truth = json.loads(Path(f"{capture}.truth.json").read_text())

    expected, accounting = None, None
    for workers in WORKERS:
        data = folder / f"workers-{workers}"
        accounting = replay(options.binaries, capture, data, truth["telescope"], workers)
        found = digests(data)
        expected = expected or found
        check(f"tables for {workers} workers", found, expected)
    data = folder / f"workers-{WORKERS[0]}"
    replay(options.binaries, capture, data, truth["telescope"], 2)
    check("tables after a second replay", digests(data), expected)

    connection = connect(data)
    check_accounting(accounting, truth)
    has_geo = truth["country_data"]["sha256"] is not None
    check_truth(connection, truth, has_geo)
    check_sums(connection, accounting)
    check_sources_columns(connection)
    check_sketches(connection)
    check_files(data, has_geo)

    split_pcap(capture, folder / "split", SPLITS)
    cut = folder / "split-data"
    parts = replay(options.binaries, folder / "split", cut, truth["telescope"], 2)
    check("accounting of ten files", {key: parts[key] for key in ("records", "observed", "classes", "hours")},
          {key: accounting[key] for key in ("records", "observed", "classes", "hours")})
    for table in TABLES:
        check(f"rows of {table} that only one file or only ten give", same_rows(connection, cut, table), (0, 0))
    check_export(options.binaries, connection, data, folder)
    synthesise(options, folder / "other.pcap", 2)
    other = folder / "other-data"
    replay(options.binaries, folder / "other.pcap", other, truth["telescope"], 2)
    check_merge(options.binaries, connection, data, cut, other, folder)
    check_days(options.binaries, connection, data, capture, truth["telescope"], folder)


if __name__ == "__main__":
    main()
