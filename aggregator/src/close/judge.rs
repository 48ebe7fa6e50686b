//! The rows of one source, all of which are here: its marks are confirmed, and rows that differed in a mark alone and no longer do
//! become one, their packets, bytes and destinations together.

use crate::evidence::{Confirmed, Evidence};
use crate::run::{Merged, RowsInPlace, SourceRow};
use teiten_observation::Mark;
use teiten_observation::{Address, Family};

/// The judgement of rows none of which gets another kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum MarkJudgement<'j> {
    /// No packet shows a tool.
    Plain,
    /// Every packet of the only row shows the tool of its mark.
    Exact,
    /// What the marks of the rows are worth.
    ByRow(&'j Confirmed),
}

impl MarkJudgement<'_> {
    /// How many packets of a row show its tool.
    #[inline(always)]
    pub(super) fn tool_packets<A: Address>(self, row: &SourceRow<A>) -> u64 {
        match self {
            MarkJudgement::Plain => 0,
            MarkJudgement::Exact => row.packets,
            MarkJudgement::ByRow(confirmed) => confirmed.judge(row).1,
        }
    }
}

/// Judges one source after another.
#[derive(Debug, Default)]
pub(super) struct Judge {
    evidence: Evidence,
    confirmed: Confirmed,
}

impl Judge {
    /// Confirms the marks over the rows of a source, which come in the order of their kinds and stay so. Each then bears the mark of
    /// its tool, and no two are of one kind.
    #[inline]
    pub(super) fn judge<A: Address>(&mut self, rows: &mut Vec<Merged<'_, A>>) {
        // Most sources have one row, and most such rows need no judgement. No mark is known for IPv6.
        let is_settled = match rows.as_mut_slice() {
            [only] => is_settled(only),
            _ => false,
        };
        if A::FAMILY == Family::Ipv4 && !is_settled {
            self.judge_all(rows);
        }
    }

    /// The same for rows that lie in a run, which stay as they are; `None` if some get another kind, which [`Judge::apply`] then gives them.
    /// `each` is given every row, its destinations counted.
    #[inline]
    pub(super) fn judge_in_place<A: Address>(
        &mut self,
        rows: RowsInPlace<'_, A>,
        mut each: impl FnMut(&SourceRow<A>),
    ) -> Option<MarkJudgement<'_>> {
        let counted = rows.each().map(|(mut row, view)| {
            row.destinations = view.count() as u32;
            row
        });
        if A::FAMILY == Family::Ipv6 {
            counted.for_each(|row| each(&row));
            return Some(MarkJudgement::Plain);
        }
        self.evidence.clear();
        let mut has_marks = false;
        for row in counted {
            has_marks |= row.kind.mark() != Mark::None;
            self.evidence.add(&row);
            each(&row);
        }
        self.confirmed = self.evidence.decide();
        if !has_marks && self.confirmed.is_nothing_shared() {
            return Some(MarkJudgement::Plain);
        }
        let confirmed = &self.confirmed;
        let stays = |(row, _): (SourceRow<A>, _)| {
            row.kind.with_mark(Mark::of(confirmed.judge(&row).0)) == row.kind
        };
        rows.each()
            .all(stays)
            .then_some(MarkJudgement::ByRow(confirmed))
    }

    /// The same for the row of a source that has no other, its destinations counted.
    #[inline]
    pub(super) fn judge_only<A: Address>(
        &mut self,
        row: &SourceRow<A>,
    ) -> Option<MarkJudgement<'_>> {
        match row.kind.mark() {
            _ if A::FAMILY == Family::Ipv6 => return Some(MarkJudgement::Plain),
            Mark::None if !row.shares_pair() => return Some(MarkJudgement::Plain),
            mark if mark.is_exact() => return Some(MarkJudgement::Exact),
            _ => {}
        }
        self.evidence.clear();
        self.evidence.add(row);
        self.confirmed = self.evidence.decide();
        let tool = self.confirmed.judge(row).0;
        let stays = row.kind.with_mark(Mark::of(tool)) == row.kind;
        stays.then_some(MarkJudgement::ByRow(&self.confirmed))
    }

    fn judge_all<A: Address>(&mut self, rows: &mut Vec<Merged<'_, A>>) {
        self.evidence.clear();
        for merged in rows.iter() {
            self.evidence.add(merged.row());
        }
        self.confirmed = self.evidence.decide();
        self.apply(rows);
    }

    /// Gives rows the kinds of the last judgement, which was of them.
    pub(super) fn apply<A: Address>(&self, rows: &mut Vec<Merged<'_, A>>) {
        let mut is_changed = false;
        for merged in rows.iter_mut() {
            let (tool, tool_packets) = self.confirmed.judge(merged.row());
            let kind = merged.kind().with_mark(Mark::of(tool));
            is_changed |= kind != merged.kind();
            merged.settle(kind, tool_packets);
        }
        if is_changed {
            unite(rows);
        }
    }
}

/// Whether the row of a source that has no other needs no confirmation.
#[inline]
fn is_settled<A: Address>(only: &mut Merged<'_, A>) -> bool {
    match only.kind().mark() {
        Mark::None => !only.shares_pair(),
        mark if mark.is_exact() => {
            only.settle(only.kind(), only.packets());
            true
        }
        _ => false,
    }
}

/// Puts the rows in order again and makes those of one kind one row.
fn unite<A: Address>(rows: &mut Vec<Merged<'_, A>>) {
    rows.sort_by_key(Merged::kind);
    let room = Vec::with_capacity(rows.len());
    let mut all = std::mem::replace(rows, room).into_iter();
    rows.extend(all.next());
    for merged in all {
        match rows.last_mut() {
            Some(last) if last.kind() == merged.kind() => last.unite(merged),
            _ => rows.push(merged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{MemoryRun, Run, SourceRow, merge_range};
    use crate::table::{RowTable, Seed};
    use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

    fn observation(destination: u32, mark: Mark, port: u16) -> Observation<u32> {
        let (syn, scan) = (TrafficType::TcpSyn, Class::Scan);
        Observation {
            time_us: i64::from(destination),
            source: 9,
            destination,
            kind: Kind::marked(syn, scan, mark, 6, Some(port)),
            wire_length_bytes: 60,
            flags: 1 << mark as u8,
            stack: 0,
            pair: 100 + destination,
        }
    }

    fn judged(observations: &[Observation<u32>]) -> Vec<SourceRow<u32>> {
        let mut table = RowTable::new(Seed::random());
        table.observe(0, observations);
        let (rows, sets) = table.take();
        let runs = [Run::Memory(Box::new(MemoryRun::sort(rows, sets)))];
        let mut rows = Vec::new();
        merge_range(&runs, None, None, |merged| rows.push(merged)).expect("memory is readable");
        Judge::default().judge(&mut rows);
        rows.iter().map(|merged| *merged.row()).collect()
    }

    #[test]
    fn a_chance_match_joins_the_row_it_was_taken_from() {
        let mut all: Vec<_> = (0..40).map(|to| observation(to, Mark::None, 23)).collect();
        all.push(observation(7, Mark::MasscanHash, 23));
        all.push(observation(90, Mark::MasscanHash, 23));
        let rows = judged(&all);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].kind.tool(), Tool::None);
        assert_eq!((rows[0].packets, rows[0].bytes), (42, 42 * 60));
        assert_eq!((rows[0].destinations, rows[0].tool_packets), (41, 2));
        assert_eq!((rows[0].first_us, rows[0].last_us), (0, 90));
        assert_eq!(
            rows[0].flags,
            1 << Mark::None as u8 | 1 << Mark::MasscanHash as u8
        );
    }

    #[test]
    fn both_forms_of_a_confirmed_tool_are_one_row() {
        let shapes = (0..5).map(|to| observation(to, Mark::MasscanShape, 23));
        let hashes = (3..9).map(|to| observation(to, Mark::MasscanHash, 23));
        let rows = judged(&shapes.chain(hashes).collect::<Vec<_>>());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].kind.mark(), Mark::of(Tool::Masscan));
        assert_eq!((rows[0].destinations, rows[0].tool_packets), (9, 11));
    }

    #[test]
    fn rows_that_stay_apart_keep_their_order() {
        let ports = (0..30).map(|port| observation(1, Mark::ZmapIdShape, 60 - port));
        let others = (0..30).map(|port| observation(2, Mark::MiraiSequence, port));
        let rows = judged(&ports.chain(others).collect::<Vec<_>>());
        assert_eq!(rows.len(), 60);
        assert!(rows.windows(2).all(|pair| pair[0].kind < pair[1].kind));
    }

    #[test]
    fn a_source_with_one_row_is_judged_as_any_other() {
        let check = |mark, packets: u32, tool, tool_packets| {
            let all: Vec<_> = (0..packets).map(|to| observation(to, mark, 23)).collect();
            let rows = judged(&all);
            assert_eq!(rows.len(), 1);
            assert_eq!(
                (rows[0].kind.tool(), rows[0].tool_packets),
                (tool, tool_packets)
            );
        };
        check(Mark::None, 5, Tool::None, 0);
        check(Mark::MiraiSequence, 3, Tool::Mirai, 3);
        check(Mark::ZmapId, 1, Tool::None, 1);
        check(Mark::ZmapId, 2, Tool::Zmap, 2);
        check(Mark::ZmapWindows, 1, Tool::ZmapStack, 1);
        let keyed = |to| Observation {
            pair: 7,
            ..observation(to, Mark::None, 23)
        };
        let rows = judged(&[keyed(1), keyed(2)]);
        assert_eq!(rows[0].kind.tool(), Tool::Unicornscan);
    }
}
