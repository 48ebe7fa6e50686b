//! What an unsolicited packet is: from the bytes of a captured frame to its traffic type, its class, the tool that sent it, and what
//! its payload asks for.
//!
//! Darknets (network telescopes) receive packets that nobody asked for: scans, attacks, replies to forged packets, stray traffic.
//! [`judge()`] tells them apart by one call per frame. It opens no file, reads no clock, starts no thread, writes no log and allocates
//! nothing, and every byte may come from an attacker: no input makes it panic.
//!
//! ```
//! use teiten_packet::{Frame, Judgement, LinkType, Telescope, judge};
//!
//! // The dark prefixes, and those whose packets do not count.
//! let telescope = Telescope::new(&["203.0.113.0/24".parse()?], &["198.51.100.0/24".parse()?]);
//!
//! // A SYN to port 23 whose sequence number is its destination address: Mirai's.
//! let packet = [
//!     0x45, 0, 0, 40, 0x12, 0x34, 0, 0, 54, 6, 0, 0, 192, 31, 7, 1, 203, 0, 113, 9, // IPv4
//!     0x9c, 0x40, 0, 23, 203, 0, 113, 9, 0, 0, 0, 0, 0x50, 2, 0x72, 0x10, 0, 0, 0, 0, // TCP
//! ];
//! let frame = Frame { link_type: LinkType::RAW, captured: &packet, wire_bytes: 40 };
//!
//! match judge(&telescope, frame) {
//!     Judgement::Ipv4(observed) => {
//!         assert_eq!(observed.kind.traffic_type().name(), "tcp-syn");
//!         assert_eq!(observed.kind.class().name(), "scan");
//!         assert_eq!(observed.kind.tool().name(), "mirai");
//!         assert_eq!(observed.kind.port(), Some(23));
//!         assert_eq!(observed.rule.name, "tcp-syn");
//!     }
//!     other => panic!("not an observed IPv4 packet: {other:?}"),
//! }
//! # Ok::<(), teiten_packet::PrefixError>(())
//! ```
//!
//! The parts can be used alone. [`decode`] reads headers behind any link layer that captures have; [`classify`] holds RULES, the table
//! that decides on the class; [`fingerprint`] the marks of scan tools; [`payload`] the SIGNATURES of known payloads; [`flags`] the
//! filters of corsaro3. The tables are public: a program can print what it goes by.
//!
//! A mark in one packet is a claim. Sixteen bits match by chance once in 65,536 packets, so whoever counts tools confirms them over a
//! source's packets; each row of the table says how.
#![forbid(unsafe_code)]

pub mod classify;
pub mod decode;
pub mod fingerprint;
pub mod flags;
pub mod fuzz;
pub mod judge;
mod link_type;
pub mod payload;
pub mod quick;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod telescope;

pub use judge::{Frame, Judgement, Observed, judge};
pub use link_type::LinkType;
pub use quick::PlainSyn;
pub use teiten_observation as observation;
pub use telescope::{Place, Prefix, PrefixError, Telescope};
