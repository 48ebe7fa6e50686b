//! Small captures in memory for the tests of this folder: classic pcap in all its variants, pcapng block by block, and both compressed.

use std::io::Write;

use super::format::Compression;

/// A variant of classic pcap.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PcapShape {
    pub big_endian: bool,
    pub nanoseconds: bool,
    pub modified: bool,
}

impl PcapShape {
    /// Every variant there is.
    pub(super) const ALL: [PcapShape; 6] = [
        PcapShape {
            big_endian: false,
            nanoseconds: false,
            modified: false,
        },
        PcapShape {
            big_endian: true,
            nanoseconds: false,
            modified: false,
        },
        PcapShape {
            big_endian: false,
            nanoseconds: true,
            modified: false,
        },
        PcapShape {
            big_endian: true,
            nanoseconds: true,
            modified: false,
        },
        PcapShape {
            big_endian: false,
            nanoseconds: false,
            modified: true,
        },
        PcapShape {
            big_endian: true,
            nanoseconds: false,
            modified: true,
        },
    ];
}

/// A number in one of the byte orders.
fn word(number: u32, big_endian: bool) -> [u8; 4] {
    if big_endian {
        number.to_be_bytes()
    } else {
        number.to_le_bytes()
    }
}

fn half(number: u16, big_endian: bool) -> [u8; 2] {
    if big_endian {
        number.to_be_bytes()
    } else {
        number.to_le_bytes()
    }
}

/// A pcap of Ethernet packets, each (microseconds since 1970, bytes).
pub(super) fn pcap(shape: PcapShape, packets: &[(i64, &[u8])]) -> Vec<u8> {
    let put = |number| word(number, shape.big_endian);
    let magic = match (shape.nanoseconds, shape.modified) {
        (true, _) => 0xa1b2_3c4d,
        (false, true) => 0xa1b2_cd34,
        (false, false) => 0xa1b2_c3d4,
    };
    let mut bytes = Vec::new();
    bytes.extend(put(magic));
    bytes.extend(half(2, shape.big_endian));
    bytes.extend(half(4, shape.big_endian));
    for number in [0, 0, 65_535, 1] {
        bytes.extend(put(number));
    }
    for &(time_us, packet) in packets {
        let subsecond_us = (time_us % 1_000_000) as u32;
        bytes.extend(put((time_us / 1_000_000) as u32));
        bytes.extend(put(if shape.nanoseconds {
            subsecond_us * 1000
        } else {
            subsecond_us
        }));
        bytes.extend(put(packet.len() as u32));
        bytes.extend(put(packet.len() as u32));
        if shape.modified {
            bytes.extend([0; 8]);
        }
        bytes.extend(packet);
    }
    bytes
}

/// Builds a pcapng block by block.
pub(super) struct PcapngBuilder {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl PcapngBuilder {
    pub(super) fn new(big_endian: bool) -> Self {
        PcapngBuilder {
            big_endian,
            bytes: Vec::new(),
        }
    }

    pub(super) fn build(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    pub(super) fn byte_order(&mut self, big_endian: bool) -> &mut Self {
        self.big_endian = big_endian;
        self
    }

    pub(super) fn block(&mut self, block_type: u32, body: &[u8]) -> &mut Self {
        let padded_bytes = body.len().next_multiple_of(4);
        let length = word(padded_bytes as u32 + 12, self.big_endian);
        self.bytes.extend(word(block_type, self.big_endian));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes
            .resize(self.bytes.len() + padded_bytes - body.len(), 0);
        self.bytes.extend(length);
        self
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(half(*code, self.big_endian));
            bytes.extend(half(value.len() as u16, self.big_endian));
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }

    pub(super) fn section(&mut self) -> &mut Self {
        self.section_with(&[])
    }

    pub(super) fn section_with(&mut self, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = Vec::new();
        body.extend(word(0x1a2b_3c4d, self.big_endian));
        body.extend(half(1, self.big_endian));
        body.extend(half(0, self.big_endian));
        body.extend([0xff; 8]);
        body.extend(self.options(options));
        self.block(0x0a0d_0d0a, &body)
    }

    pub(super) fn interface(
        &mut self,
        link_type: u16,
        snap_length_bytes: u32,
        options: &[(u16, &[u8])],
    ) -> &mut Self {
        let mut body = Vec::new();
        body.extend(half(link_type, self.big_endian));
        body.extend([0; 2]);
        body.extend(word(snap_length_bytes, self.big_endian));
        body.extend(self.options(options));
        self.block(1, &body)
    }

    fn packet(
        &mut self,
        block_type: u32,
        interface: [u8; 4],
        ticks: u64,
        packet: &[u8],
    ) -> &mut Self {
        let mut body = Vec::from(interface);
        for number in [
            (ticks >> 32) as u32,
            ticks as u32,
            packet.len() as u32,
            packet.len() as u32,
        ] {
            body.extend(word(number, self.big_endian));
        }
        body.extend(packet);
        self.block(block_type, &body)
    }

    pub(super) fn enhanced(&mut self, interface: u32, ticks: u64, packet: &[u8]) -> &mut Self {
        let interface = word(interface, self.big_endian);
        self.packet(6, interface, ticks, packet)
    }

    pub(super) fn obsolete(&mut self, interface: u16, ticks: u64, packet: &[u8]) -> &mut Self {
        let [first, second] = half(interface, self.big_endian);
        self.packet(2, [first, second, 0, 0], ticks, packet)
    }

    pub(super) fn simple(&mut self, wire_bytes: u32, packet: &[u8]) -> &mut Self {
        let mut body = Vec::from(word(wire_bytes, self.big_endian));
        body.extend(packet);
        self.block(3, &body)
    }
}

/// `bytes` as one member, frame or stream.
pub(super) fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("memory takes it");
            encoder.finish().expect("memory takes it")
        }
        Compression::Zstandard => zstd::encode_all(bytes, 1).expect("memory takes it"),
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).expect("memory takes it");
            encoder.finish().expect("memory takes it")
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).expect("memory takes it");
            encoder.finish().expect("memory takes it")
        }
    }
}
