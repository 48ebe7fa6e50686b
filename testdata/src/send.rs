//! Senders: each kind of traffic is a function that writes one packet of one source and returns its truth. This file has their common
//! parts; `roles.rs` has their shares.

pub mod attack;
pub mod backscatter;
pub mod bots;
pub mod family;
pub mod flood;
pub mod icmp;
pub mod ipv6;
pub mod junk;
pub mod noise;
pub mod payload;
pub mod survey;
pub mod udp;

use crate::kinds::{Class, Sent, TrafficType};
use crate::packet::{DONT_FRAGMENT, Envelope, Packet, Tcp, flag, protocol};
use crate::random::Random;
use crate::source::Source;
use crate::stack::{OPTION_BYTES_MAX, Stack};

/// The context of a sender.
#[derive(Debug)]
pub struct Probe<'a> {
    /// Randomness of this packet.
    pub random: &'a mut Random,
    /// Who sends.
    pub source: Source,
    /// The dark address.
    pub destination: u32,
    /// Time of the packet, microseconds.
    pub time_us: i64,
    /// Where to write.
    pub packet: &'a mut Packet,
}

impl Probe<'_> {
    /// TTL at arrival of a packet that left with `initial`.
    #[must_use]
    pub fn ttl(&self, initial: u8) -> u8 {
        initial.saturating_sub(self.source.hops).max(1)
    }

    /// A port of the range that most systems choose from.
    pub fn ephemeral_port(&mut self) -> u16 {
        32_768 + self.random.below(28_232) as u16
    }

    /// Closes the packet under a random identification.
    pub fn close(&mut self, protocol: u8, initial_ttl: u8, fragment: u16) {
        let envelope = Envelope {
            id: self.random.next_u16(),
            ttl: self.ttl(initial_ttl),
            fragment,
        };
        self.close_with(protocol, &envelope);
    }

    /// Closes the packet with this envelope.
    pub fn close_with(&mut self, protocol: u8, envelope: &Envelope) {
        self.packet
            .close_ipv4(protocol, self.source.address, self.destination, envelope);
    }

    /// A SYN as an operating system sends it, with further `flags`.
    pub fn syn(&mut self, stack: &Stack, port: u16, flags: u8) -> Sent {
        let mut buffer = [0; OPTION_BYTES_MAX];
        let options = stack.layout.write(&mut buffer, self.random);
        let tcp = Tcp {
            source_port: self.ephemeral_port(),
            destination_port: port,
            sequence: self.random.next_u32(),
            flags: flag::S | flags,
            window: stack.window,
            ..Tcp::default()
        };
        self.packet.tcp(&tcp, options, &[]);
        let fragment = if stack.dont_fragment {
            DONT_FRAGMENT
        } else {
            0
        };
        self.close(protocol::TCP, stack.initial_ttl, fragment);
        Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port))
    }
}
