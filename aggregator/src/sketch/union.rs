//! Merges sketches: equal sets of sources give equal bytes, from any rows.

use datasketches::hll::HllSketch;

use super::{
    COMPACT, LG_K, LIST_WORDS, Member, REGISTERS, REGISTERS_WORDS, SET_MAX, SET_WORDS,
    SketchRegisters, VERSION_AND_FAMILY, mode, write_sketch,
};

/// Bytes before the members of a list, and before registers; a set has their number between its head and its members.
const LIST_AT: usize = 8;
const REGISTERS_AT: usize = 40;
/// Number of pending members from which duplicates are removed.
const WAITING_MAX: usize = 2 * SET_MAX;

/// The bytes are no sketch as [`write_sketch`] writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sketch of sources is damaged, or was not written by this program")]
pub struct NoSketch;

/// What a serialized sketch holds.
#[derive(Clone, Copy, Debug)]
pub enum SketchView<'i> {
    /// The members of few sources, four bytes each.
    Members(&'i [[u8; 4]]),
    /// The registers of many.
    Registers(&'i [u8; REGISTERS]),
}

impl<'i> SketchView<'i> {
    /// Reads a serialized sketch.
    ///
    /// # Errors
    /// When the bytes are no sketch.
    #[inline]
    pub fn of(image: &'i [u8]) -> Result<Self, NoSketch> {
        let (head, rest) = image.split_first_chunk::<LIST_AT>().ok_or(NoSketch)?;
        let [words, version, family, lg_k, _, flags, count, form] = *head;
        if [version, family] != VERSION_AND_FAMILY || lg_k != LG_K {
            return Err(NoSketch);
        }
        let compact = flags & COMPACT != 0;
        if words == LIST_WORDS && form == mode(0) && compact {
            members(rest, usize::from(count))
        } else if words == SET_WORDS && form == mode(1) && compact {
            let (count, rest) = rest.split_first_chunk().ok_or(NoSketch)?;
            members(rest, u32::from_le_bytes(*count) as usize)
        } else if words == REGISTERS_WORDS && form == mode(2) {
            let registers = image.get(REGISTERS_AT..).ok_or(NoSketch)?;
            let registers = registers.try_into().map_err(|_| NoSketch)?;
            Ok(SketchView::Registers(registers))
        } else {
            Err(NoSketch)
        }
    }
}

fn members(bytes: &[u8], count: usize) -> Result<SketchView<'_>, NoSketch> {
    match bytes.as_chunks() {
        (members, []) if members.len() == count => Ok(SketchView::Members(members)),
        _ => Err(NoSketch),
    }
}

/// The sources of a union.
#[derive(Clone, Copy, Debug)]
pub enum SketchSources<'s> {
    /// Few: the members, sorted, each once.
    Few(&'s [Member]),
    /// Many: the registers.
    Many(&'s [u8; REGISTERS]),
}

/// The sources of several rows.
#[derive(Clone, Debug, Default)]
pub struct SketchUnion {
    /// The members of few sources, possibly with duplicates.
    members: Vec<Member>,
    /// Of many.
    registers: Option<SketchRegisters>,
}

impl SketchUnion {
    /// Forgets all sources.
    #[inline]
    pub fn clear(&mut self) {
        self.members.clear();
        self.registers = None;
    }

    /// Adds the sources of a serialized sketch.
    ///
    /// # Errors
    /// When the bytes are no sketch; then nothing is added.
    pub fn add(&mut self, image: &[u8]) -> Result<(), NoSketch> {
        self.add_view(SketchView::of(image)?);
        Ok(())
    }

    /// Adds the sources of a sketch.
    #[inline]
    pub fn add_view(&mut self, sketch: SketchView<'_>) {
        match sketch {
            SketchView::Members(theirs) => self.add_members(theirs),
            SketchView::Registers(theirs) => {
                let ours = self.registers();
                for (ours, &theirs) in ours.0.iter_mut().zip(theirs) {
                    *ours = (*ours).max(theirs);
                }
            }
        }
    }

    /// Its sources as a sketch has them.
    #[inline]
    pub fn sources(&mut self) -> SketchSources<'_> {
        self.compact();
        match &self.registers {
            Some(registers) => SketchSources::Many(&registers.0),
            None => SketchSources::Few(&self.members),
        }
    }

    /// Appends the serialized sketch, and returns the estimated number of sources.
    pub fn write(&mut self, bytes: &mut Vec<u8>) -> u64 {
        self.compact();
        let Some(registers) = &self.registers else {
            write_sketch(&mut self.members, bytes);
            // The library's estimate of so few rounds to their number.
            return self.members.len() as u64;
        };
        let start = bytes.len();
        registers.write_to(bytes);
        // Written a line ago; were it no sketch all the same, no source would be claimed.
        let sketch = HllSketch::deserialize(&bytes[start..]);
        let estimate = sketch.map_or(0.0, |sketch| sketch.estimate());
        estimate.round() as u64
    }

    #[inline]
    fn add_members(&mut self, members: &[[u8; 4]]) {
        let members = members.iter().map(|word| u32::from_le_bytes(*word));
        let members = members.map(Member::from_bits);
        match &mut self.registers {
            Some(registers) => members.for_each(|member| registers.insert(member)),
            None => self.members.extend(members),
        }
        if self.members.len() > WAITING_MAX {
            self.compact();
        }
    }

    /// Removes duplicates, and changes to registers if there are many members.
    #[inline]
    fn compact(&mut self) {
        if self.members.len() < 2 {
            return;
        }
        self.members.sort_unstable();
        self.members.dedup();
        if self.members.len() > SET_MAX {
            self.registers();
        }
    }

    fn registers(&mut self) -> &mut SketchRegisters {
        let registers = self.registers.get_or_insert_default();
        for member in self.members.drain(..) {
            registers.insert(member);
        }
        registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(sources: std::ops::Range<u32>) -> Vec<u8> {
        let members = sources.map(|source| Member::of(source.to_string().as_bytes()));
        let mut bytes = Vec::new();
        write_sketch(&mut members.collect::<Vec<_>>(), &mut bytes);
        bytes
    }

    /// The estimated number of sources, and the serialized sketch.
    fn finish(mut union: SketchUnion) -> (u64, Vec<u8>) {
        let mut bytes = Vec::new();
        let sources = union.write(&mut bytes);
        (sources, bytes)
    }

    #[test]
    fn the_union_of_parts_is_the_sketch_of_the_whole() {
        for (count, step) in [
            (1, 1),
            (7, 3),
            (300, 10),
            (384, 100),
            (5_000, 7),
            (20_000, 600),
        ] {
            let mut union = SketchUnion::default();
            for from in (0..count).step_by(step as usize) {
                // Sources come in several hours.
                let part = image(from..(from + 2 * step).min(count));
                union.add(&part).expect("a sketch");
            }
            let (estimate, bytes) = finish(union);
            assert!(bytes == image(0..count), "{count}");
            let error = (estimate as f64 / f64::from(count) - 1.0).abs();
            assert!(error < 0.05, "{count}: {estimate}");
        }
    }

    #[test]
    fn the_number_of_a_few_sources_is_the_estimate_of_the_library() {
        for count in 1..=SET_MAX as u32 {
            let mut union = SketchUnion::default();
            union.add(&image(0..count)).expect("a sketch");
            let (found, bytes) = finish(union);
            let sketch = HllSketch::deserialize(&bytes).expect("a sketch");
            assert_eq!(found, sketch.estimate().round() as u64, "{count}");
        }
    }

    #[test]
    fn what_is_no_sketch_is_refused_and_adds_nothing() {
        let mut union = SketchUnion::default();
        for whole in [image(0..3), image(0..100), image(0..1000)] {
            for length in 0..whole.len() {
                assert_eq!(union.add(&whole[..length]), Err(NoSketch), "{length}");
            }
            let mut other = whole;
            other[3] = 10;
            assert_eq!(union.add(&other), Err(NoSketch));
        }
        union.add(&image(0..3)).expect("a sketch");
        assert_eq!(finish(union).0, 3);
    }
}
