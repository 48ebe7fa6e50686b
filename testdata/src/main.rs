//! The `teiten-synth` program: flags become a scenario, the scenario a capture and its truth. The model is the library's.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use teiten_testdata::clock::{HOUR_US, SECOND_US};
use teiten_testdata::geo;
use teiten_testdata::output::{Compression, Output, part_path, truth_path};
use teiten_testdata::roles::{ROLES, WHOLE};
use teiten_testdata::scenario::{
    DEFAULT_START_US, DEFAULT_TELESCOPE, DEFAULT_TELESCOPE_IPV6, DEFAULT_ZIPF,
    PACKETS_PER_ADDRESS_DAY, default_sources,
};
use teiten_testdata::{
    Error, Format, Link, Prefix, Scenario, Shape, Telescope, Truth, write_labelled,
};

/// Exit status when nothing was made.
const NOT_DONE: u8 = 2;
const MODEL: &str = "\
The model: TCP 96 %, UDP 3.6 %, ICMP 0.4 % of the packets; survey scanners (zmap, masscan, nmap, unicornscan, plain) \
are half a percent of the sources and send half of the packets to every port; bots keep to 23, 445, 22, 80, 8080, 5555 \
and their like; victims of attacks answer to forged addresses; searches for amplifiers, exploits, peer-to-peer strays, \
impossible sources and damaged packets make up the rest. The rate follows the hours of a day. `teiten-synth --list` \
prints every row. The same options and seed give the same bytes on every machine.";

/// Write darknet traffic with known truth: FILE, and its truth FILE.truth.json.
#[derive(Parser)]
#[command(name = "teiten-synth", version, after_long_help = MODEL)]
struct Arguments {
    /// Capture to write; - is standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Dark prefix, repeatable [default: 198.18.0.0/24; with --ipv6 also 2001:db8::/32]
    #[arg(long, value_name = "PREFIX")]
    telescope: Vec<Prefix>,
    /// Number of packets [default: 6,850 for each dark IPv4 address and day]
    #[arg(long, value_name = "N")]
    packets: Option<u64>,
    /// Packets a second on average outside outages, instead of --packets
    #[arg(long, value_name = "PPS", conflicts_with = "packets")]
    rate: Option<f64>,
    /// Number of sources to draw from, at most 16,000,000; those that never come are not in the truth [default: a fortieth of the packets]
    #[arg(long, value_name = "N")]
    sources: Option<u32>,
    /// Exponent of the Zipf law; larger: fewer sources send more
    #[arg(long, value_name = "S", default_value_t = DEFAULT_ZIPF)]
    zipf: f64,
    /// Length, as in 24h, 90m, 30s, 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = span_us)]
    span: i64,
    /// Start, ISO 8601 with zone [default: 2026-11-05T00:00:00Z]
    #[arg(long, value_name = "TIME", value_parser = time_us)]
    start: Option<i64>,
    /// Seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// File format
    #[arg(long, value_enum, default_value = "pcap")]
    format: FormatName,
    /// Link layer
    #[arg(long, value_enum, default_value = "ethernet")]
    link: LinkName,
    /// Put each frame into this VLAN (Ethernet)
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(0..=4095))]
    vlan: Option<u16>,
    /// Share of packets over IPv6, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    ipv6: f64,
    /// Share of IPv4 packets to addresses outside the telescope, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    outside: f64,
    /// Share of packets that come up to two seconds late in the file, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    out_of_order: f64,
    /// Share of ARP frames, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    arp: f64,
    /// Share of IPv4 sources that make noise, 0 to 1: SYNs with any options in any order and any TTL, tools under another TTL, Masscan
    /// over SCTP, and marks of tools by coincidence, 64 times as often as by nature
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    noise: f64,
    /// Share of IPv4 packets of planted families, 0 to 1: groups of hosts that share stack and ports, whose members, ports and days change as
    /// the truth says
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    families: f64,
    /// Plant attacks whose replies lie just on either side of the usual thresholds, and name them in the truth: needs a span of 3 hours
    #[arg(long)]
    attacks: bool,
    /// Time without packets, FROM..TO in ISO 8601, repeatable; whole minutes that it touches stay empty
    #[arg(long, value_name = "FROM..TO", value_parser = outage_us)]
    outage: Vec<(i64, i64)>,
    /// Every source alike, instead of few that send most
    #[arg(long, conflicts_with_all = ["flood", "flood_mixed"])]
    flat: bool,
    /// Every packet a SYN from a new forged source
    #[arg(long, conflicts_with = "flood_mixed")]
    flood: bool,
    /// Every packet from a new forged source, and of any kind: SYNs and answers of any port, datagrams known and unknown, ICMP
    #[arg(long)]
    flood_mixed: bool,
    /// Share of a flood's IPv4 packets that one source sends, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    heavy: f64,
    /// Prefix that a flood forges its IPv4 sources from [default: everywhere]
    #[arg(long, value_name = "PREFIX")]
    forged_from: Option<Prefix>,
    /// Write N files FILE.000, FILE.001 … that hold the same packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    split: Option<u64>,
    /// Compression [default: by the ending of FILE, or none]
    #[arg(long, value_enum)]
    compress: Option<CompressionName>,
    /// Country data for the truth: tor's geoip text file, or none for the built-in table [default: Debian's, where it is installed]
    #[arg(long, value_name = "FILE")]
    geo: Option<PathBuf>,
    /// Where the truth goes [default: FILE.truth.json; nowhere for standard output and devices]
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Write the truth of each record, in order: class,traffic_type,tool,port,not_observed as CSV
    #[arg(long, value_name = "FILE")]
    packet_truth: Option<PathBuf>,
    /// Count the distinct (hour, source, port, kind) as well; takes 16 bytes of memory a packet
    #[arg(long)]
    rows: bool,
    /// Worker threads; they change nothing in the result [default: the machine's]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print the truth on standard output as well
    #[arg(long)]
    json: bool,
    /// Print the kinds of senders and their shares
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatName {
    /// Classic pcap with microseconds
    Pcap,
    /// Classic pcap with nanoseconds
    PcapNs,
    /// pcapng
    Pcapng,
}

#[derive(Clone, Copy, ValueEnum)]
enum LinkName {
    Ethernet,
    Raw,
    Sll,
}

#[derive(Clone, Copy, ValueEnum)]
enum CompressionName {
    None,
    Gz,
    Zst,
    Lz4,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        print!("{}", model_table());
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("teiten-synth: {error:#}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Write(cause)) if cause.kind() == ErrorKind::BrokenPipe)
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(path) = arguments.output.as_deref() else {
        bail!("name the capture to write with -o FILE");
    };
    let to_stdout = path == Path::new("-");
    if to_stdout && arguments.split.is_some() {
        bail!("--split needs files: name one with -o FILE");
    }
    if to_stdout && arguments.json {
        bail!("--json and -o - both want standard output: name a file with -o FILE");
    }
    // Beside a device or a pipe there is no place for a truth.
    let is_file = arguments.split.is_some()
        || !to_stdout && fs::metadata(path).map_or(true, |existing| existing.is_file());
    let scenario = scenario(arguments)?;
    let compression = match arguments.compress {
        Some(CompressionName::None) => Compression::None,
        Some(CompressionName::Gz) => Compression::Gzip,
        Some(CompressionName::Zst) => Compression::Zstandard,
        Some(CompressionName::Lz4) => Compression::Lz4,
        None => Compression::of_name(path),
    };
    let open = |index| {
        let part = match arguments.split {
            Some(_) => part_path(path, index),
            None => path.to_owned(),
        };
        Ok(Output::open(&part, compression)?)
    };
    let files = arguments.split.unwrap_or(1);
    let mut labels = open_labels(arguments.packet_truth.as_deref())?;
    let label_writer = labels.as_mut().map(|file| file as &mut dyn io::Write);
    let close = |output: Output| Ok(output.finish()?);
    let truth = write_labelled(&scenario, files, open, close, label_writer)
        .map_err(anyhow::Error::new)
        .map_err(|error| {
            if is_broken_pipe(&error) {
                error
            } else {
                error.context(path.display().to_string())
            }
        })?;
    if let Some(file) = &mut labels {
        file.flush()
            .context("cannot write the truth of the packets")?;
    }
    let truth_file = match &arguments.truth {
        Some(file) => Some(file.clone()),
        None => is_file.then(|| truth_path(path)),
    };
    if let Some(file) = &truth_file {
        let text = serde_json::to_string_pretty(&truth).context("the truth as JSON")?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string(&truth).context("the truth as JSON")?
        );
    }
    report(path, truth_file.as_deref(), &truth);
    Ok(())
}

fn open_labels(path: Option<&Path>) -> anyhow::Result<Option<BufWriter<fs::File>>> {
    let open = |path: &Path| {
        let file = fs::File::create(path);
        file.with_context(|| format!("cannot write {}", path.display()))
    };
    Ok(path.map(open).transpose()?.map(BufWriter::new))
}

fn report(path: &Path, truth_file: Option<&Path>, truth: &Truth) {
    eprintln!(
        "{}: {} records, {} observed, {} sources, {} to {}",
        path.display(),
        truth.accounting.records,
        truth.packets,
        truth.sources.total,
        truth.start,
        truth.end
    );
    eprintln!("countries by {}", truth.country_data.name);
    if let Some(file) = truth_file {
        eprintln!("truth in {}", file.display());
    }
}

fn scenario(arguments: &Arguments) -> anyhow::Result<Scenario> {
    let mut prefixes = arguments.telescope.clone();
    if !prefixes
        .iter()
        .any(|prefix| matches!(prefix, Prefix::Ipv4(..)))
    {
        prefixes.push(DEFAULT_TELESCOPE);
    }
    if arguments.ipv6 > 0.0
        && !prefixes
            .iter()
            .any(|prefix| matches!(prefix, Prefix::Ipv6(..)))
    {
        prefixes.push(DEFAULT_TELESCOPE_IPV6);
    }
    let telescope: Telescope = prefixes.into_iter().collect();
    let packets = packets(arguments, telescope.addresses())?;
    Ok(Scenario {
        packets,
        sources: arguments.sources.unwrap_or(default_sources(packets)),
        telescope,
        zipf_exponent: arguments.zipf,
        start_us: arguments.start.unwrap_or(DEFAULT_START_US),
        span_us: arguments.span,
        seed: arguments.seed,
        shape: if arguments.flood {
            Shape::Flood
        } else if arguments.flood_mixed {
            Shape::FloodMixed
        } else if arguments.flat {
            Shape::Flat
        } else {
            Shape::Mixed
        },
        heavy_share: arguments.heavy,
        forged_from: match arguments.forged_from {
            Some(Prefix::Ipv4(address, bits)) => (address, bits),
            Some(Prefix::Ipv6(..)) => bail!("--forged-from takes an IPv4 prefix"),
            None => (0, 0),
        },
        format: match arguments.format {
            FormatName::Pcap => Format::Pcap,
            FormatName::PcapNs => Format::PcapNanosecond,
            FormatName::Pcapng => Format::Pcapng,
        },
        link: match arguments.link {
            LinkName::Ethernet => Link::Ethernet,
            LinkName::Raw => Link::Raw,
            LinkName::Sll => Link::Sll,
        },
        vlan: arguments.vlan,
        ipv6_share: arguments.ipv6,
        outside_share: arguments.outside,
        out_of_order_share: arguments.out_of_order,
        arp_share: arguments.arp,
        noise_share: arguments.noise,
        family_share: arguments.families,
        attacks: arguments.attacks,
        outages: arguments.outage.clone(),
        count_rows: arguments.rows,
        country_file: country_file(arguments),
        threads: arguments.threads.unwrap_or(Scenario::default().threads),
    })
}

fn packets(arguments: &Arguments, addresses: u64) -> anyhow::Result<u64> {
    if let Some(packets) = arguments.packets {
        return Ok(packets);
    }
    let open_us = open_us(arguments);
    if let Some(rate) = arguments.rate {
        if !(rate > 0.0 && rate <= 1e9) {
            bail!("--rate {rate} is not between 0 and 10^9 packets a second");
        }
        return Ok((rate * open_us as f64 / SECOND_US as f64) as u64);
    }
    let per_day = i128::from(PACKETS_PER_ADDRESS_DAY) * i128::from(addresses);
    Ok((per_day * i128::from(open_us) / i128::from(24 * HOUR_US)) as u64)
}

/// The span without its outages, which are assumed not to overlap.
fn open_us(arguments: &Arguments) -> i64 {
    let start = arguments.start.unwrap_or(DEFAULT_START_US);
    let end = start.saturating_add(arguments.span);
    let silent = |&(from, to): &(i64, i64)| (to.min(end) - from.max(start)).max(0);
    (arguments.span - arguments.outage.iter().map(silent).sum::<i64>()).max(0)
}

fn country_file(arguments: &Arguments) -> Option<PathBuf> {
    match &arguments.geo {
        Some(path) if path == Path::new("none") => None,
        Some(path) => Some(path.clone()),
        None => geo::default_file(),
    }
}

fn time_us(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "write a time as in 2026-11-05T00:00:00Z".to_owned())?;
    Ok(time.as_microsecond())
}

fn outage_us(text: &str) -> Result<(i64, i64), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or("write FROM..TO, as in 2026-11-05T03:00:00Z..2026-11-05T05:00:00Z")?;
    let (from, to) = (time_us(from)?, time_us(to)?);
    if from < to {
        Ok((from, to))
    } else {
        Err("the end must be after the start".to_owned())
    }
}

fn span_us(text: &str) -> Result<i64, String> {
    const UNITS: &[(char, i64)] = &[('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];
    let wrong = || "write a length as in 24h, 90m, 30s or 7d".to_owned();
    let (_, seconds) = UNITS
        .iter()
        .find(|(unit, _)| text.ends_with(*unit))
        .ok_or_else(wrong)?;
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    i64::from(number)
        .checked_mul(seconds * SECOND_US)
        .ok_or_else(wrong)
}

fn model_table() -> String {
    let mut table = String::from("packets %  sources %  kind of sender\n");
    let percent = |share: u32| f64::from(share) * 100.0 / f64::from(WHOLE);
    for role in ROLES {
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "{:9.3}  {:9.3}  {}",
            percent(role.packets),
            percent(role.sources),
            role.name
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_do_not_contradict_one_another() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn lengths_have_a_unit() {
        assert_eq!(span_us("90m"), Ok(5_400_000_000));
        assert_eq!(span_us("2d"), Ok(172_800_000_000));
        for text in ["90", "h", "-1h", "1.5h", "é"] {
            assert!(span_us(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_outage_has_a_start_and_a_later_end() {
        assert!(outage_us("2026-11-05T03:00:00Z..2026-11-05T05:00:00Z").is_ok());
        assert!(outage_us("2026-11-05T05:00:00Z..2026-11-05T03:00:00Z").is_err());
        assert!(outage_us("2026-11-05").is_err());
    }
}
