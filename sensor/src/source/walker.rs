//! The walker of a capture in either format, chosen by the capture's first bytes.

use super::error::CaptureError;
use super::header::starts_pcapng;
use super::pcap::Pcap;
use super::pcapng::{PACKET_HEADER_BYTES, Pcapng};
use super::record::Record;
use super::walk::{WalkLimits, Walked};

/// The state of reading one capture.
#[derive(Debug)]
pub(super) enum Walker {
    /// Classic pcap.
    Pcap(Pcap),
    /// pcapng.
    Pcapng(Pcapng),
}

impl Walker {
    /// Recognises the format by the first bytes of a capture (`head`, up to 24) and returns the walker and the length of the file's header.
    pub(super) fn detect(head: &[u8]) -> Result<(Walker, usize), CaptureError> {
        if starts_pcapng(head) {
            return Ok((Walker::Pcapng(Pcapng::new()), 0));
        }
        let (mut pcap, header_bytes) = Pcap::from_header(head)?;
        pcap.detect_nanoseconds(&head[header_bytes..]);
        Ok((Walker::Pcap(pcap), header_bytes))
    }

    /// Whether times are read as nanoseconds although the file's header says otherwise.
    pub(super) fn has_hidden_nanoseconds(&self) -> bool {
        matches!(self, Walker::Pcap(pcap) if pcap.has_hidden_nanoseconds())
    }

    /// Records with an impossible fraction of a second since the last call: (records before it in the block, index of the record).
    pub(super) fn take_fractions(&mut self) -> Vec<(usize, usize)> {
        match self {
            Walker::Pcap(pcap) => pcap.take_fractions(),
            Walker::Pcapng(_) => Vec::new(),
        }
    }

    /// Appended captures since the last call: (records before it in the block, index of its header).
    pub(super) fn take_appended(&mut self) -> Vec<(usize, usize)> {
        match self {
            Walker::Pcap(pcap) => pcap.take_appended(),
            Walker::Pcapng(_) => Vec::new(),
        }
    }

    /// Bytes of a record before its packet.
    pub(super) fn record_header_bytes(&self) -> usize {
        match self {
            Walker::Pcap(pcap) => pcap.record_header_bytes(),
            Walker::Pcapng(_) => PACKET_HEADER_BYTES,
        }
    }

    /// Whether there are link types among those met so far that are not decoded.
    pub(super) fn has_unsupported(&self) -> bool {
        match self {
            Walker::Pcap(pcap) => pcap.has_unsupported(),
            Walker::Pcapng(pcapng) => pcapng.has_unsupported(),
        }
    }

    /// Appends the records of `window` to `records` until one of the limits or the end of the window.
    pub(super) fn walk(
        &mut self,
        window: &[u8],
        span: WalkLimits,
        records: &mut Vec<Record>,
    ) -> Walked {
        match self {
            Walker::Pcap(pcap) => pcap.walk(window, span, records),
            Walker::Pcapng(pcapng) => pcapng.walk(window, span, records),
        }
    }
}
