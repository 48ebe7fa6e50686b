//! Counts the records of link types that cannot be decoded. They count as not_ip; the report of a capture lists these link types with their
//! numbers of records. The packet library decides which link types it decodes.

use std::collections::BTreeMap;

use super::error::CaptureError;
use crate::source::record::Record;
use teiten_packet::LinkType;
use teiten_packet::decode::supported;

/// Names, without the prefix, of the more common link types at <https://www.tcpdump.org/linktypes.html> that are not decoded.
const NAMES: &[(u16, &str)] = &[
    (3, "AX25"),
    (6, "IEEE802_5"),
    (8, "SLIP"),
    (100, "ATM_RFC1483"),
    (114, "LTALK"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (123, "SUNATM"),
    (130, "JUNIPER_MLPPP"),
    (131, "JUNIPER_MLFR"),
    (132, "JUNIPER_ES"),
    (133, "JUNIPER_GGSN"),
    (134, "JUNIPER_MFR"),
    (135, "JUNIPER_ATM2"),
    (136, "JUNIPER_SERVICES"),
    (137, "JUNIPER_ATM1"),
    (140, "MTP2"),
    (143, "DOCSIS"),
    (144, "LINUX_IRDA"),
    (147, "USER0"),
    (149, "USER2"),
    (162, "USER15"),
    (163, "IEEE802_11_AVS"),
    (164, "JUNIPER_MONITOR"),
    (165, "BACNET_MS_TP"),
    (166, "PPP_PPPD"),
    (177, "LINUX_LAPD"),
    (178, "JUNIPER_ETHER"),
    (182, "MFR"),
    (187, "BLUETOOTH_HCI_H4"),
    (189, "USB_LINUX"),
    (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR"),
    (209, "IPMB_LINUX"),
    (220, "USB_LINUX_MMAPPED"),
    (224, "FC_2"),
    (227, "CAN_SOCKETCAN"),
    (230, "IEEE802_15_4_NOFCS"),
    (240, "NETANALYZER"),
    (242, "IPOIB"),
    (247, "INFINIBAND"),
    (249, "USBPCAP"),
    (252, "WIRESHARK_UPPER_PDU"),
    (253, "NETLINK"),
    (254, "BLUETOOTH_LINUX_MONITOR"),
    (258, "PKTAP"),
    (272, "NORDIC_BLE"),
    (274, "ETHERNET_MPACKET"),
    (281, "DSA_TAG_BRCM"),
    (284, "DSA_TAG_DSA"),
    (285, "DSA_TAG_EDSA"),
];

/// Records of one capture whose link type is not decoded, by link type.
#[derive(Debug, Default)]
pub(super) struct Unsupported(BTreeMap<u16, u64>);

impl Unsupported {
    /// Counts the records of a block. Only blocks of a capture with such a link type come here.
    #[cold]
    pub(super) fn count(&mut self, records: &[Record]) {
        for alike in records.chunk_by(|left, right| left.link_type == right.link_type) {
            let link_type = alike[0].link_type;
            if !supported(link_type) {
                *self.0.entry(link_type.0).or_default() += alike.len() as u64;
            }
        }
    }

    /// All of them.
    pub(super) fn records(&self) -> u64 {
        self.0.values().sum()
    }

    /// One error for each link type.
    pub(super) fn errors(&self) -> impl Iterator<Item = CaptureError> + '_ {
        self.0
            .iter()
            .map(|(&number, &records)| CaptureError::UnsupportedLinkType {
                link_type: LinkType(number),
                name: name(number),
                records,
            })
    }
}

fn name(number: u16) -> Option<&'static str> {
    let row = NAMES.iter().find(|(known, _)| *known == number);
    row.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PcapShape, PcapngBuilder, pcap};
    use super::super::{FileReport, Replay};
    use super::*;
    use crate::source::block::Block;

    fn report(capture: &[u8]) -> FileReport {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), capture).expect("writable");
        let mut replay = Replay::open(&[file.path().to_path_buf()]).expect("a capture");
        while replay.next_block(Block::empty()).is_some() {}
        replay.finish().remove(0)
    }

    fn pcap_of(link_type: u8, packets: usize) -> Vec<u8> {
        let mut bytes = pcap(PcapShape::default(), &vec![(7, &b"frame"[..]); packets]);
        bytes[20] = link_type;
        bytes
    }

    #[test]
    fn a_capture_of_an_unsupported_link_type_says_so() {
        for (link_type, packets, expected) in [
            (
                189,
                5,
                "link type 189 (USB_LINUX) is not supported: its 5 records are counted as not_ip",
            ),
            (
                77,
                1,
                "link type 77 is not supported: its 1 record is counted as not_ip",
            ),
        ] {
            let report = report(&pcap_of(link_type, packets));
            assert_eq!(report.error.as_deref(), Some(expected));
            assert_eq!(report.records, packets as u64);
            assert_eq!(report.unsupported_records, packets as u64);
        }
    }

    #[test]
    fn a_capture_that_breaks_off_says_both() {
        let mut bytes = pcap_of(227, 3);
        bytes.pop();
        let error = report(&bytes).error.expect("two errors");
        assert!(error.starts_with("record 3, byte "), "{error}");
        assert!(
            error.ends_with(
                "; link type 227 (CAN_SOCKETCAN) is not supported: its 2 records are counted as not_ip"
            ),
            "{error}"
        );
    }

    #[test]
    fn of_a_pcapng_only_the_interfaces_concerned_are_counted() {
        let bytes = PcapngBuilder::new(false)
            .section()
            .interface(1, 0, &[])
            .interface(253, 0, &[])
            .interface(249, 0, &[])
            .enhanced(0, 1, b"ethernet")
            .enhanced(1, 2, b"netlink")
            .section()
            .interface(1, 0, &[])
            .enhanced(0, 3, b"ethernet")
            .build();
        let report = report(&bytes);
        assert_eq!(
            report.error.as_deref(),
            Some("link type 253 (NETLINK) is not supported: its 1 record is counted as not_ip")
        );
        assert_eq!((report.records, report.unsupported_records), (3, 1));
    }

    #[test]
    fn names_are_of_link_types_that_are_not_decoded() {
        for pair in NAMES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "in order: {pair:?}");
        }
        for (number, name) in NAMES {
            assert!(!supported(LinkType(*number)), "{name} is decoded");
        }
    }
}
