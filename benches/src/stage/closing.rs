//! The stages of closing hours: sort, merge, the whole close, and writing the same number of bytes alone; and the fixed work of a job.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use teiten_aggregator::close::{ClosedHour, Closer};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::origin::Origins;
use teiten_aggregator::run::{MemoryRun, Run, merge_range};
use teiten_aggregator::table::RowTable;
use teiten_aggregator::window::HourPart;
use teiten_observation::Address;
use teiten_sensor::command::replay::closer;

use super::packets::fill;
use super::{Bench, Cost};
use crate::files::remove;
use crate::usage::{Stopwatch, process_ns};

/// Workers whose shares are sorted and merged.
const SHARES: usize = 2;

/// The bytes written at a time when only writing is measured.
const WRITE_BYTES: usize = 1 << 20;

/// Country data from its files, all threads that load it together.
pub(super) fn start(_: &Bench) -> Result<Cost> {
    let mut cost = Cost::default();
    let (begin, begin_ns) = (Instant::now(), process_ns());
    Origins::load(&Origins::find_default(), &[])?;
    cost.processor_ns = process_ns() - begin_ns;
    cost.wall_ns = begin.elapsed().as_nanos() as u64;
    Ok(cost)
}

/// Workers' shares into sorted runs.
pub(super) fn sort(bench: &Bench) -> Result<Cost> {
    let (mut stopwatch, mut rows) = (Stopwatch::default(), 0);
    for parts in fill(bench, SHARES, &mut Stopwatch::default())?.1 {
        rows += parts.iter().map(rows_of).sum::<usize>();
        let runs = stopwatch.time(|| sorted(parts));
        black_box(runs.0.len());
    }
    Ok(cost(&stopwatch, bench, rows as u64))
}

/// Sorted runs into rows.
pub(super) fn merge(bench: &Bench) -> Result<Cost> {
    let (mut stopwatch, mut rows) = (Stopwatch::default(), 0);
    for parts in fill(bench, SHARES, &mut Stopwatch::default())?.1 {
        let (ipv4, ipv6) = sorted(parts);
        rows += stopwatch.time(|| Ok::<_, std::io::Error>(count(&ipv4)? + count(&ipv6)?))?;
    }
    Ok(cost(&stopwatch, bench, rows))
}

/// Runs into durable files.
pub(super) fn close(bench: &Bench) -> Result<Cost> {
    let mut stopwatch = Stopwatch::default();
    let closed = close_all(bench, 1, &mut stopwatch)?;
    Ok(cost(&stopwatch, bench, closed.source_rows))
}

/// As many bytes as a close writes, into as many files, and nothing else.
pub(super) fn write(bench: &Bench) -> Result<Cost> {
    let closed = close_all(bench, 1, &mut Stopwatch::default())?;
    let path = bench.work.join("bytes-alone");
    let piece: Vec<u8> = (0..WRITE_BYTES).map(|index| (index * 31) as u8).collect();
    let mut stopwatch = Stopwatch::default();
    stopwatch.time(|| write_bytes(&path, &piece, closed.file_bytes))?;
    remove(&path)?;
    Ok(cost(&stopwatch, bench, closed.source_rows))
}

/// Closes every hour of the capture with `threads` threads; adds the time of this thread to `stopwatch`.
pub(super) fn close_all(
    bench: &Bench,
    threads: usize,
    stopwatch: &mut Stopwatch,
) -> Result<ClosedHour> {
    let folder = &bench.settings.data;
    remove(folder)?;
    let closer = Closer {
        threads,
        ..closer(&bench.settings, &bench.telescope, "bench")?
    };
    let mut closed = ClosedHour::default();
    for parts in fill(bench, SHARES, &mut Stopwatch::default())?.1 {
        let Some(hour) = parts.first().map(|part| Hour(part.hour)) else {
            continue;
        };
        let runs = closer.sort(parts);
        closed.add(&stopwatch.time(|| closer.close(hour, 0, runs))?);
    }
    remove(folder)?;
    Ok(closed)
}

type Runs = (Vec<Run<u32>>, Vec<Run<u128>>);

fn sorted(parts: Vec<HourPart>) -> Runs {
    let mut runs = Runs::default();
    for mut part in parts {
        runs.0.extend(sorted_run(&mut part.ipv4));
        runs.1.extend(sorted_run(&mut part.ipv6));
    }
    runs
}

fn sorted_run<A: Address>(table: &mut RowTable<A>) -> Option<Run<A>> {
    if table.is_empty() {
        return None;
    }
    let (rows, sets) = table.take();
    Some(Run::Memory(Box::new(MemoryRun::sort(rows, sets))))
}

fn rows_of(part: &HourPart) -> usize {
    part.ipv4.len() + part.ipv6.len()
}

fn count<A: Address>(runs: &[Run<A>]) -> std::io::Result<u64> {
    let mut rows = 0;
    merge_range(runs, None, None, |merged| {
        rows += 1;
        black_box(merged.row());
    })?;
    Ok(rows)
}

fn write_bytes(path: &Path, piece: &[u8], bytes: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut rest = bytes as usize;
    while rest > 0 {
        let now = rest.min(piece.len());
        file.write_all(&piece[..now])?;
        rest -= now;
    }
    file.sync_all()
}

fn cost(stopwatch: &Stopwatch, bench: &Bench, rows: u64) -> Cost {
    Cost {
        processor_ns: stopwatch.processor_ns(),
        wall_ns: stopwatch.wall_ns(),
        packets: bench.capture.records,
        rows: Some(rows),
    }
}
