//! The model: one row for each kind of sender, with its share of the packets and of the sources. `send/` builds the packets of a row.
//!
//! The shares follow what NICTER prints for 2025 and what telescopes' papers agree on: TCP 96 %, UDP 3.6 %, ICMP 0.4 %; survey scanners
//! 0.35 % of the sources to draw from (0.4 to 0.7 % of those that come) and half of the packets; the Mirai fingerprint on 1.3 % of the
//! packets.

use crate::kinds::Sent;
use crate::send::{Probe, backscatter, bots, icmp, junk, noise, survey, udp};

/// All shares are of this number.
pub const WHOLE: u32 = 100_000;

/// Where the sources of a role live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Access networks.
    Access,
    /// Hosting networks.
    Hosting,
    /// Address space that cannot send.
    Nowhere,
}

/// One kind of sender.
#[derive(Debug)]
pub struct Role {
    /// Its description.
    pub name: &'static str,
    /// Share of the IPv4 packets.
    pub packets: u32,
    /// Share of the IPv4 sources.
    pub sources: u32,
    /// Where the sources live.
    pub home: Home,
    /// Zipf–Mandelbrot shift: the larger, the more alike are the busiest sources.
    pub shift: f64,
    /// Whether other sources lead every half hour, as victims of attacks do.
    pub changing: bool,
    /// Writes a packet.
    pub send: fn(&mut Probe<'_>) -> Sent,
    /// Writes a packet of a source that makes noise.
    pub noisy: fn(&mut Probe<'_>) -> Sent,
}

type Sender = fn(&mut Probe<'_>) -> Sent;

const fn row(name: &'static str, packets: u32, sources: u32, home: Home, send: Sender) -> Role {
    Role {
        name,
        packets,
        sources,
        home,
        shift: 5.0,
        changing: false,
        send,
        noisy: send,
    }
}

/// The same, with another way to send for the sources that make noise.
const fn with_noise(mut role: Role, noisy: Sender) -> Role {
    role.noisy = noisy;
    role
}

/// A survey scanner: from hosting networks, the largest ones far ahead.
const fn survey(name: &'static str, packets: u32, sources: u32, send: Sender) -> Role {
    let mut role = row(name, packets, sources, Home::Hosting, send);
    role.shift = 3.0;
    role
}

/// Victims of attacks: now these, now those, the heaviest attack far ahead.
const fn victims(name: &'static str, packets: u32, sources: u32, send: Sender) -> Role {
    let mut role = row(name, packets, sources, Home::Hosting, send);
    role.shift = 0.5;
    role.changing = true;
    role
}

/// The model.
pub const ROLES: &[Role] = &[
    with_noise(
        survey("survey by zmap before 4.1", 5_500, 40, survey::zmap),
        noise::zmap,
    ),
    survey("survey by zmap 4.1", 16_500, 110, survey::zmap_stack),
    with_noise(
        survey(
            "survey by masscan before 2023-11",
            5_500,
            40,
            survey::masscan_old,
        ),
        noise::masscan,
    ),
    with_noise(
        survey("survey by masscan", 9_500, 65, survey::masscan_new),
        noise::masscan,
    ),
    survey("survey by nmap", 1_200, 10, survey::nmap),
    survey("survey by unicornscan", 400, 5, survey::unicornscan),
    with_noise(
        survey(
            "survey through the operating system",
            11_400,
            80,
            survey::plain,
        ),
        noise::survey_syn,
    ),
    with_noise(
        row("bots", 40_480, 85_430, Home::Access, bots::bot),
        noise::bot_syn,
    ),
    row("Mirai family", 1_300, 4_000, Home::Access, bots::mirai),
    row(
        "scans with other flags",
        300,
        100,
        Home::Hosting,
        bots::stealth,
    ),
    victims("victims of TCP floods", 3_200, 1_500, backscatter::tcp),
    victims("victims that answer over UDP", 600, 100, backscatter::udp),
    victims(
        "victims and routers that answer by ICMP",
        75,
        200,
        backscatter::icmp,
    ),
    row(
        "searches for amplifiers",
        1_400,
        300,
        Home::Hosting,
        udp::reflector,
    ),
    row("scans over UDP", 500, 400, Home::Hosting, udp::scan),
    row("exploits", 250, 800, Home::Access, udp::exploit),
    row("peer to peer", 700, 4_000, Home::Access, udp::peer_to_peer),
    row(
        "peer to peer over TCP",
        150,
        300,
        Home::Access,
        junk::stray_tcp,
    ),
    row("unknown datagrams", 70, 300, Home::Access, udp::unknown),
    row("pings", 260, 700, Home::Hosting, icmp::echo),
    row("host discovery", 15, 20, Home::Hosting, icmp::discovery),
    row(
        "SYNs of impossible sources",
        500,
        1_000,
        Home::Nowhere,
        junk::spoofed_syn,
    ),
    row(
        "datagrams of impossible sources",
        80,
        300,
        Home::Nowhere,
        junk::spoofed_udp,
    ),
    row(
        "damaged transport",
        50,
        60,
        Home::Access,
        junk::damaged_transport,
    ),
    row("damaged IP", 5, 10, Home::Access, junk::damaged_ip),
    row(
        "first fragments",
        20,
        20,
        Home::Access,
        junk::first_fragment,
    ),
    row(
        "later fragments",
        15,
        50,
        Home::Access,
        junk::later_fragment,
    ),
    row("rare protocols", 20, 50, Home::Access, junk::rare_protocol),
    with_noise(
        row("SCTP", 10, 10, Home::Hosting, junk::sctp_init),
        noise::masscan_init,
    ),
];

const _: () = {
    let (mut packets, mut sources, mut index) = (0, 0, 0);
    while index < ROLES.len() {
        packets += ROLES[index].packets;
        sources += ROLES[index].sources;
        index += 1;
    }
    assert!(packets == WHOLE && sources == WHOLE);
};
