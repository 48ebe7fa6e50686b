//! Errors of inputs: one type for a whole replay or live capture, one for each input. The messages to the user are here.

use std::io;

use super::FileReport;
use super::format::Compression;
use teiten_packet::LinkType;

/// Why there are no packets at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No path was given.
    #[error("no input given; name captures, folders of captures, or - for standard input")]
    NothingGiven,
    /// Every path failed, each with its reason.
    #[error("nothing could be read\n{}", listed(.0))]
    NothingToRead(Vec<FileReport>),
    /// No interface was given.
    #[error("no interface given; name one with --interface")]
    NoInterface,
    /// An interface that this machine does not have.
    #[error("interface {interface} does not exist; there are: {}", .present.join(", "))]
    UnknownInterface {
        /// The name given.
        interface: String,
        /// The names that exist.
        present: Vec<String>,
    },
    /// The kernel refuses to capture.
    #[error(
        "not allowed to capture on {interface} ({reason}); run as root, or once: setcap cap_net_raw=ep {program}"
    )]
    NotPermitted {
        /// The interface.
        interface: String,
        /// libpcap's message.
        reason: String,
        /// Path of the running program.
        program: String,
    },
    /// An interface whose packets cannot be decoded.
    #[error(
        "interface {interface} has link type {link_type}, which is not supported; name one that carries Ethernet or IP"
    )]
    UnsupportedInterface {
        /// The interface.
        interface: String,
        /// Its link type's number.
        link_type: u16,
    },
    /// An invalid filter expression.
    #[error(
        "--filter is not understood: {reason}; pcap-filter(7) has the words, such as \"not host 192.0.2.1\""
    )]
    Filter {
        /// libpcap's message.
        reason: String,
    },
    /// An interface that conflicts with the other settings.
    #[error("--interface {interface}: {reason}")]
    InterfaceChoice {
        /// The interface.
        interface: String,
        /// Why, and what to give instead.
        reason: String,
    },
    /// An interface that cannot be captured on, or that fails while it is.
    #[error("capturing on {interface} failed: {reason}; check that it is up")]
    Interface {
        /// The interface.
        interface: String,
        /// libpcap's message.
        reason: String,
    },
}

/// Most inputs that one message lists.
const LISTED_MAX: usize = 10;

fn listed(problems: &[FileReport]) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .take(LISTED_MAX)
        .map(|problem| {
            format!(
                "  {}: {}",
                problem.path,
                problem.error.as_deref().unwrap_or("holds no packets"),
            )
        })
        .collect();
    if problems.len() > LISTED_MAX {
        lines.push(format!("  and {} more", problems.len() - LISTED_MAX));
    }
    lines.join("\n")
}

/// What is wrong with one input. The [`FileReport`] has its path, and the message begins with the place of damage.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The path does not exist.
    #[error("does not exist; check the path")]
    Missing,
    /// The operating system refuses.
    #[error("cannot be read: {0}; check that this user may read it")]
    Unreadable(#[from] io::Error),
    /// A folder without a file in it.
    #[error("is a folder without files; name one that holds captures")]
    EmptyFolder,
    /// A folder of other things.
    #[error("is a folder without captures; name one that holds some")]
    NoCaptures,
    /// Folders nested too deeply.
    #[error("is too deep in nested folders; name it on the command line")]
    TooDeep,
    /// An empty input.
    #[error("is empty")]
    Empty,
    /// Bytes that no known format starts with.
    #[error(
        "is no capture: {}starts with bytes {first_bytes}; pcap, pcapng and their gz, zst, xz, lz4 forms are read",
        .inside.map_or(String::new(), |compression| format!("what its {compression} form holds "))
    )]
    NotACapture {
        /// In hexadecimal, a few.
        first_bytes: String,
        /// The compression, if they were inside compressed bytes.
        inside: Option<Compression>,
    },
    /// An unknown version of a format.
    #[error(
        "is of {format} version {major}.{minor}, which is not known; convert it with editcap or tcpdump"
    )]
    UnknownVersion {
        /// pcap or pcapng.
        format: &'static str,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The capture ends inside a record, block or header.
    #[error(
        "the capture breaks off: the file ends {missing_bytes} bytes or more before the end of this record"
    )]
    BreaksOff {
        /// Minimum number of missing bytes.
        missing_bytes: usize,
    },
    /// Zeros where a record was to begin.
    #[error(
        "{zero_bytes} zero bytes instead of records: the file was preallocated and never written, or lost its end in a power cut{}",
        if *.is_end { "" } else { "; what follows them is not read" }
    )]
    Zeros {
        /// How many.
        zero_bytes: u64,
        /// Whether nothing else follows.
        is_end: bool,
    },
    /// The record is cut off by the header of another capture.
    #[error(
        "this record is cut off: another capture was appended to the file at byte {header_byte}"
    )]
    CutByHeader {
        /// Where that begins.
        header_byte: u64,
    },
    /// A file with too many changes of format to be real.
    #[error("pcap and pcapng change places more than a hundred times; the rest is not read")]
    TooManyFormats,
    /// No packet has a time.
    #[error("no packet has a plausible time: all {packets} are implausible")]
    NoTime {
        /// How many packets there are.
        packets: u64,
    },
    /// Other bytes after the compressed ones.
    #[error(
        "the {compression} data is followed by bytes that are not part of it, which are not read"
    )]
    Trailing {
        /// The compression.
        compression: Compression,
    },
    /// A length that no packet has.
    #[error(
        "a captured length of {captured_bytes} bytes, more than {limit_bytes}: the file is damaged here"
    )]
    RecordTooLong {
        /// The length in the record.
        captured_bytes: u32,
        /// The most that is read.
        limit_bytes: u32,
    },
    /// A pcapng block with an impossible length.
    #[error("a block of type {block_type:#x} with the length {length_bytes}: {reason}")]
    BlockLength {
        /// Type of the block.
        block_type: u32,
        /// Its length field.
        length_bytes: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A pcapng block whose contents contradict themselves.
    #[error("a damaged block of type {block_type:#x}: {reason}")]
    Block {
        /// Type of the block.
        block_type: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Records of an unsupported link type.
    #[error(
        "link type {}{} is not supported: its {records} {} counted as not_ip",
        .link_type.0,
        .name.map_or(String::new(), |name| format!(" ({name})")),
        if *records == 1 { "record is" } else { "records are" }
    )]
    UnsupportedLinkType {
        /// The link type.
        link_type: LinkType,
        /// Its name, where it is a common one.
        name: Option<&'static str>,
        /// Records of it.
        records: u64,
    },
    /// Compressed bytes that are truncated or damaged.
    #[error("the {compression} data is damaged or breaks off: {reason}")]
    Decompression {
        /// The compression.
        compression: Compression,
        /// The decompressor's message.
        reason: io::Error,
    },
    /// Decompression would exceed its memory limit.
    #[error("the {compression} data is read no further: {reason}")]
    Memory {
        /// The compression.
        compression: Compression,
        /// How much, and what to do.
        reason: io::Error,
    },
    /// The reading thread ended without a result.
    #[error(
        "reading stopped with a failure inside the decompressor; check the file with its own tool"
    )]
    ReaderLost,
}

impl CaptureError {
    /// The same error, found inside compressed bytes.
    pub(super) fn inside(self, compression: Option<Compression>) -> Self {
        match self {
            CaptureError::NotACapture { first_bytes, .. } => CaptureError::NotACapture {
                first_bytes,
                inside: compression,
            },
            other => other,
        }
    }

    /// The error with its place: the number of the record (from 1) and the byte in the uncompressed capture.
    pub(super) fn at(&self, record: u64, offset_bytes: u64) -> String {
        format!("record {record}, byte {offset_bytes}: {self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_problems_is_cut() {
        let problems: Vec<FileReport> = (0..12)
            .map(|number| FileReport {
                path: format!("{number}.pcap"),
                error: Some(CaptureError::Empty.to_string()),
                ..FileReport::default()
            })
            .collect();
        let text = SourceError::NothingToRead(problems).to_string();
        assert!(text.contains("0.pcap: is empty"), "{text}");
        assert!(text.ends_with("and 2 more"), "{text}");
    }
}
