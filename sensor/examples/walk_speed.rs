//! How fast captures become blocks of records, without anything behind: `walk_speed PATH…` reads them, `walk_speed --make FOLDER`
//! writes a pcap and a pcapng of ten million small packets there first. What is done with packets is not measured here.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use teiten_sensor::source::block::Block;
use teiten_sensor::source::{ReadingMode, Replay};

const PACKETS: u32 = 10_000_000;

/// A SYN in an Ethernet frame is 54 to 74 bytes long.
const PACKET_BYTES: u32 = 60;

const ROUNDS: usize = 5;

/// A file written in small pieces is in small pieces in the page cache too, and mapping it then costs three times as much.
const WRITE_BYTES: usize = 8 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if arguments
        .first()
        .is_some_and(|first| first.as_os_str() == "--make")
    {
        let folder = arguments.pop().ok_or("name a folder after --make")?;
        arguments = vec![folder.join("walk.pcap"), folder.join("walk.pcapng")];
        write_pcap(&arguments[0])?;
        write_pcapng(&arguments[1])?;
    }
    for path in &arguments {
        for reading in [ReadingMode::Mapped, ReadingMode::Buffered] {
            for _ in 0..ROUNDS {
                measure(path, reading)?;
            }
        }
    }
    Ok(())
}

fn measure(path: &Path, reading: ReadingMode) -> Result<(), Box<dyn std::error::Error>> {
    let (begin, begin_cpu) = (Instant::now(), cpu_ns());
    let mut replay = Replay::open_by(&[path.to_path_buf()], reading)?;
    let mut reuse = Block::empty();
    let mut bytes = 0u64;
    while let Some(block) = replay.next_block(reuse) {
        bytes += u64::from(block.records.last().map_or(0, |record| record.wire_bytes));
        reuse = block;
    }
    let packets = replay.progress().packets;
    for report in replay.finish() {
        eprintln!(
            "{}: {}",
            report.path,
            report.error.as_deref().unwrap_or("read to its end")
        );
    }
    let each = |nanoseconds: u128| nanoseconds as f64 / packets as f64;
    println!(
        "{} {reading:?}: {packets} packets, {:.2} ns each, {:.2} ns of this thread's CPU ({bytes})",
        path.display(),
        each(begin.elapsed().as_nanos()),
        each(cpu_ns() - begin_cpu),
    );
    Ok(())
}

/// Time this thread has run, without what other programs took; 0 where the kernel does not say.
fn cpu_ns() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn write_pcap(path: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(WRITE_BYTES, File::create(path)?);
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.write_all(&word.to_le_bytes())?;
    }
    for number in 0..PACKETS {
        for word in [
            1_700_000_000 + number / 5000,
            number % 5000 * 200,
            PACKET_BYTES,
            PACKET_BYTES,
        ] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&[number as u8; PACKET_BYTES as usize])?;
    }
    file.flush()
}

fn write_pcapng(path: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(WRITE_BYTES, File::create(path)?);
    let section = [0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28];
    let interface = [1, 20, 1, 0, 20];
    for word in section.iter().chain(&interface) {
        file.write_all(&u32::to_le_bytes(*word))?;
    }
    for number in 0..PACKETS {
        let time_us =
            (1_700_000_000 + u64::from(number / 5000)) * 1_000_000 + u64::from(number % 5000 * 200);
        let length = PACKET_BYTES + 32;
        for word in [
            6,
            length,
            0,
            (time_us >> 32) as u32,
            time_us as u32,
            PACKET_BYTES,
            PACKET_BYTES,
        ] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&[number as u8; PACKET_BYTES as usize])?;
        file.write_all(&length.to_le_bytes())?;
    }
    file.flush()
}
