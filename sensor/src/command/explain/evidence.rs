//! Finds the tools of the tables for `explain`: a first pass over the input collects each source's rows by hour, as a replay does, and the
//! same rules confirm the marks. Memory is bounded; more rows are spilled to temporary files.

use std::collections::BTreeMap;
use std::io::Result;
use std::path::PathBuf;

use teiten_aggregator::evidence::{Evidence, can_bear_marks};
use teiten_aggregator::minute::hour_of;
use teiten_aggregator::run::{DiskRun, MemoryRun, Run, SourceRow, merge_range};
use teiten_aggregator::store::random_name;
use teiten_aggregator::table::{HOUR_US, RowTable, Seed};
use teiten_observation::Mark;
use teiten_observation::{Address, Family, Kind, Observation, Tool};

use crate::source::block::Block;
use crate::source::record::NO_TIME_US;
use teiten_packet::{Judgement, Telescope, judge};

/// Memory for rows under way, bytes.
const ROWS_BYTES_MAX: usize = 256 << 20;
/// Most rows with evidence, of all hours together; they take about 160 MB. Beyond that, unconfirmed marks are dropped first, then the tools
/// of the latest hours.
const JUDGED_ROWS_MAX: usize = 4 << 20;

/// The rows of all sources during the first pass.
#[derive(Debug)]
pub struct Gathering {
    tables: BTreeMap<i64, RowTable<u32>>,
    runs: BTreeMap<i64, Vec<Run<u32>>>,
    batch: Vec<Observation<u32>>,
    seed: Seed,
    rows_bytes_max: usize,
    judged_rows_max: usize,
    folder: Option<SpillFolder>,
}

impl Default for Gathering {
    fn default() -> Self {
        Gathering {
            tables: BTreeMap::new(),
            runs: BTreeMap::new(),
            batch: Vec::new(),
            seed: Seed::random(),
            rows_bytes_max: ROWS_BYTES_MAX,
            judged_rows_max: JUDGED_ROWS_MAX,
            folder: None,
        }
    }
}

impl Gathering {
    /// Counts the packets of a block.
    ///
    /// # Errors
    /// When rows cannot be spilled.
    pub fn add(&mut self, block: &Block, telescope: &Telescope) -> Result<()> {
        let bytes = block.bytes();
        let mut now = None;
        for record in &block.records {
            if record.time_us == NO_TIME_US {
                continue;
            }
            // No mark is known for IPv6.
            let Judgement::Ipv4(packet) = judge(telescope, record.frame(bytes)) else {
                continue;
            };
            if !can_bear_marks(Family::Ipv4, packet.kind) {
                continue;
            }
            let hour = hour_of(record.time_us);
            if now != Some(hour) {
                self.count(now);
                now = Some(hour);
            }
            self.batch
                .push(packet.at(record.time_us, record.wire_bytes));
        }
        self.count(now);
        self.make_room()
    }

    /// Confirms the marks of every source in every hour.
    ///
    /// # Errors
    /// When spilled rows cannot be read.
    pub fn judge(mut self) -> Result<Judgements> {
        let mut judgements = Judgements {
            rows_max: self.judged_rows_max,
            ..Judgements::default()
        };
        let tables = std::mem::take(&mut self.tables);
        for (hour, mut table) in tables {
            let (rows, sets) = table.take();
            let run = Run::Memory(Box::new(MemoryRun::sort(rows, sets)));
            self.runs.entry(hour).or_default().push(run);
        }
        for (hour, runs) in std::mem::take(&mut self.runs) {
            judgements.add_hour(hour, &runs)?;
        }
        judgements.rows.sort_unstable_by_key(Judged::key);
        Ok(judgements)
    }

    fn count(&mut self, hour: Option<i64>) {
        if let Some(hour) = hour {
            let seed = self.seed;
            let table = self
                .tables
                .entry(hour)
                .or_insert_with(|| RowTable::new(seed));
            table.observe(hour.saturating_mul(HOUR_US), &self.batch);
        }
        self.batch.clear();
    }

    /// Spills all rows once they take too much memory.
    fn make_room(&mut self) -> Result<()> {
        let held: usize = self.tables.values().map(RowTable::memory_bytes).sum();
        if held <= self.rows_bytes_max {
            return Ok(());
        }
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => none.insert(SpillFolder::new()?),
        };
        for (hour, mut table) in std::mem::take(&mut self.tables) {
            let (rows, sets) = table.take();
            let path = folder.next();
            let run = DiskRun::write(&path, &MemoryRun::sort(rows, sets))?;
            self.runs.entry(hour).or_default().push(Run::Disk(run));
        }
        Ok(())
    }
}

/// The evidence of a row with a mark, or with packets that share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    hour: i64,
    source: u32,
    kind: Kind,
    /// The tool that the tables name.
    pub tool: Tool,
    /// Packets of the source in the hour of this type, class, port and mark.
    pub packets: u64,
    /// Those of them that show the tool, or without a tool, the mark.
    pub tool_packets: u64,
}

impl Judged {
    fn key(&self) -> (i64, u32, Kind) {
        (self.hour, self.source, self.kind)
    }
}

/// The judged rows of all sources.
#[derive(Debug, Default)]
pub struct Judgements {
    rows: Vec<Judged>,
    rows_max: usize,
    /// Whether the limit was reached, so that rows without a tool are no longer kept.
    only_tools: bool,
    left_out: LeftOut,
}

/// Rows that were dropped for lack of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Rows with a mark and no tool: their packets are explained without evidence.
    pub marks: u64,
    /// Rows with a tool: their packets are explained without a tool.
    pub tools: u64,
}

impl Judgements {
    /// The evidence of packets of this kind; `None` if they have no mark and no tool.
    #[must_use]
    pub fn of<A: Address>(&self, time_us: i64, source: A, kind: Kind) -> Option<&Judged> {
        if A::FAMILY != Family::Ipv4 {
            return None;
        }
        let key = (hour_of(time_us), source.number() as u32, kind);
        let place = self.rows.binary_search_by_key(&key, Judged::key).ok()?;
        Some(&self.rows[place])
    }

    /// What was dropped.
    #[must_use]
    pub const fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Whether packets of this kind may have a tool that was dropped.
    #[must_use]
    pub fn may_have_forgotten<A: Address>(&self, time_us: i64, source: A, kind: Kind) -> bool {
        self.left_out.tools > 0
            && can_bear_marks(A::FAMILY, kind)
            && self.of(time_us, source, kind).is_none()
    }

    /// The kind under which the tables count a packet.
    #[must_use]
    pub fn counted_kind<A: Address>(&self, time_us: i64, source: A, kind: Kind) -> Kind {
        let judged = self.of(time_us, source, kind);
        let tool = judged.map_or(Tool::None, |judged| judged.tool);
        kind.with_mark(Mark::of(tool))
    }

    fn add_hour(&mut self, hour: i64, runs: &[Run<u32>]) -> Result<()> {
        let mut source: Vec<SourceRow<u32>> = Vec::new();
        let mut evidence = Evidence::default();
        merge_range(runs, None, None, |merged| {
            if source
                .last()
                .is_some_and(|last| last.source != merged.source())
            {
                self.add_source(hour, &mut evidence, &source);
                source.clear();
            }
            source.push(*merged.row());
        })?;
        self.add_source(hour, &mut evidence, &source);
        Ok(())
    }

    fn add_source(&mut self, hour: i64, evidence: &mut Evidence, rows: &[SourceRow<u32>]) {
        evidence.clear();
        rows.iter().for_each(|row| evidence.add(row));
        let confirmed = evidence.decide();
        for row in rows {
            let (tool, tool_packets) = confirmed.judge(row);
            if tool == Tool::None && row.kind.mark() == Mark::None {
                continue;
            }
            self.keep(Judged {
                hour,
                source: row.source,
                kind: row.kind,
                tool,
                packets: row.packets,
                tool_packets,
            });
        }
    }

    fn keep(&mut self, row: Judged) {
        if self.rows.len() >= self.rows_max && !self.only_tools {
            self.only_tools = true;
            let before = self.rows.len();
            self.rows.retain(|row| row.tool != Tool::None);
            self.left_out.marks += (before - self.rows.len()) as u64;
        }
        if self.only_tools && row.tool == Tool::None {
            self.left_out.marks += 1;
        } else if self.rows.len() >= self.rows_max {
            self.left_out.tools += 1;
        } else {
            self.rows.push(row);
        }
    }
}

/// A folder of this process for spilled rows; it is removed with the process.
#[derive(Debug)]
struct SpillFolder {
    path: PathBuf,
    files: u64,
}

impl SpillFolder {
    fn new() -> Result<Self> {
        let name = format!("teiten-explain-{}", random_name());
        let path = std::env::temp_dir().join(name);
        // Fails if the name exists, so that no other process's folder is used.
        std::fs::create_dir(&path)?;
        Ok(SpillFolder { path, files: 0 })
    }

    fn next(&mut self) -> PathBuf {
        self.files += 1;
        self.path.join(format!("{}.run", self.files))
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // The runs have removed their files; anything left is in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::block::BlockBytes;
    use crate::source::record::Record;
    use teiten_packet::LinkType;
    use teiten_packet::samples::{ethernet, ipv4_packet, tcp_segment};

    /// SYNs of a hundred sources, every second one by masscan of old.
    fn block() -> Block {
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for number in 0..400_u32 {
            let mut segment = tcp_segment(2, 40000, number as u16 % 7, &[], b"");
            segment[4..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
            let mut packet = ipv4_packet(6, &segment);
            packet[15] = (number % 100) as u8;
            packet[19] = (number / 100) as u8;
            if number % 2 == 0 {
                packet[8] = 250;
                let port = u32::from(number as u16 % 7);
                let destination = 0xcb00_7100 | (number / 100);
                let hash = destination ^ port ^ number.wrapping_mul(0x9e37_79b9);
                packet[4..6].copy_from_slice(&(hash as u16).to_be_bytes());
            }
            let frame = ethernet(0x0800, &packet);
            records.push(Record {
                time_us: i64::from(number) * HOUR_US / 100,
                nanoseconds: 0,
                offset: bytes.len() as u32,
                captured_bytes: frame.len() as u32,
                wire_bytes: frame.len() as u32,
                link_type: LinkType(1),
            });
            bytes.extend(frame);
        }
        Block {
            bytes: BlockBytes::Owned(bytes),
            records,
        }
    }

    fn judged(rows_bytes_max: usize) -> Vec<Judged> {
        judge(Gathering {
            rows_bytes_max,
            ..Gathering::default()
        })
        .rows
    }

    fn judge(mut gathering: Gathering) -> Judgements {
        let everything = Telescope::new(&[], &[]);
        for _ in 0..3 {
            gathering.add(&block(), &everything).unwrap();
        }
        gathering.judge().unwrap()
    }

    #[test]
    fn beyond_its_room_the_latest_tools_are_forgotten_and_that_is_said() {
        let with_room = |judged_rows_max| {
            judge(Gathering {
                judged_rows_max,
                ..Gathering::default()
            })
        };
        let all = with_room(200);
        assert_eq!(all.left_out(), LeftOut::default());
        let few = with_room(150);
        assert_eq!(
            few.left_out(),
            LeftOut {
                marks: 0,
                tools: 50
            }
        );
        assert_eq!(few.rows[..], all.rows[..150]);
        let (kept, lost) = (all.rows[0], all.rows[199]);
        assert!(!few.may_have_forgotten(kept.hour * HOUR_US, kept.source, kept.kind));
        assert!(few.may_have_forgotten(lost.hour * HOUR_US, lost.source, lost.kind));
    }

    #[test]
    fn marks_that_nothing_confirms_are_forgotten_before_tools() {
        let row = |number: u32, tool| Judged {
            hour: 0,
            source: number,
            kind: judged(1 << 30)[0].kind,
            tool,
            packets: 1,
            tool_packets: 1,
        };
        let mut judgements = Judgements {
            rows_max: 3,
            ..Judgements::default()
        };
        for (number, tool) in [Tool::None, Tool::Zmap, Tool::None, Tool::None, Tool::Mirai]
            .into_iter()
            .enumerate()
        {
            judgements.keep(row(number as u32, tool));
        }
        let kept: Vec<Tool> = judgements.rows.iter().map(|row| row.tool).collect();
        assert_eq!(kept, [Tool::Zmap, Tool::Mirai]);
        assert_eq!(judgements.left_out(), LeftOut { marks: 3, tools: 0 });
    }

    #[test]
    fn little_memory_gives_the_same_judgements_as_much() {
        let much = judged(1 << 30);
        assert_eq!(much.len(), 200);
        assert!(much.iter().all(|judged| judged.tool == Tool::Masscan));
        assert!(much.iter().all(|judged| judged.packets == 3));
        assert_eq!(judged(0), much);
    }
}
