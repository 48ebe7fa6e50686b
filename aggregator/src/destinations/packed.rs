//! A set of destinations as the bytes of a column: what the rows of several hours have together can be counted from them.
//!
//! A byte says the form. 4 or 6: up to [`EXACT_DESTINATIONS_MAX`] addresses of that IP version, ascending: the first with all its bytes, the
//! highest one first (4 for IPv4, 16 for IPv6), then the distance of each to the one before as LEB128 (seven bits a byte, the lowest first, the top bit set where
//! more follow). 1: the [`REGISTERS`] registers of an estimate, six bits each, the lowest bit first.

use super::{DestinationSet, EXACT_DESTINATIONS_MAX, REGISTERS, Registers, View};
use crate::varint;
use teiten_observation::{Address, Family};

const IPV4: u8 = Family::Ipv4 as u8;
const IPV6: u8 = Family::Ipv6 as u8;
const ESTIMATED: u8 = 1;
const RANK_BITS: usize = 6;
const PACKED_BYTES: usize = REGISTERS * RANK_BITS / 8;
/// Largest rank that six bits hold: one more than 2^62 addresses make likely.
const RANK_MAX: u8 = (1 << RANK_BITS) - 1;

/// The bytes are no set as [`pack`] writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a set of destinations is damaged, or was not written by this program")]
pub struct NoSet;

/// Appends a set to `bytes`: the same set gives the same bytes.
#[inline(always)]
pub fn pack<A: Address>(set: &View<'_, A>, bytes: &mut Vec<u8>) {
    // Most rows have one destination.
    if let View::Few([only]) = set {
        let number = only.number().to_be_bytes();
        let mut packed = [0; 1 + size_of::<u128>()];
        packed[0] = A::FAMILY as u8;
        packed[1..=size_of::<A>()].copy_from_slice(&number[number.len() - size_of::<A>()..]);
        bytes.extend_from_slice(&packed[..=size_of::<A>()]);
    } else {
        pack_more(*set, bytes);
    }
}

#[inline(never)]
fn pack_more<A: Address>(set: View<'_, A>, bytes: &mut Vec<u8>) {
    match &set {
        View::Estimated(registers) => {
            bytes.push(ESTIMATED);
            pack_registers(registers, bytes);
        }
        few if few.count() <= ROW_MEMBERS as u64 => pack_members::<A, ROW_MEMBERS>(few, bytes),
        few => pack_members::<A, EXACT_DESTINATIONS_MAX>(few, bytes),
    }
}

/// The same for addresses of a family that are held as numbers.
pub fn pack_of(family: Family, set: &View<'_, u128>, bytes: &mut Vec<u8>) {
    let numbers = match (family, set) {
        (Family::Ipv6, _) | (_, View::Estimated(_)) => return pack(set, bytes),
        (Family::Ipv4, numbers) => numbers,
    };
    let mut members = [0_u32; EXACT_DESTINATIONS_MAX];
    let mut count = 0;
    numbers.each(|number| {
        if let Some(place) = members.get_mut(count) {
            *place = number as u32;
            count += 1;
        }
    });
    pack(&View::Few(&members[..count]), bytes);
}

/// Members that most rows with more than one have at most: clearing room for all that a set may have would take longer than the rest.
const ROW_MEMBERS: usize = 4;

/// Appends a set of up to `MOST` members.
fn pack_members<A: Address, const MOST: usize>(set: &View<'_, A>, bytes: &mut Vec<u8>) {
    let mut members = [A::from_number(0); MOST];
    let mut count = 0;
    set.each(|address| {
        if let Some(place) = members.get_mut(count) {
            *place = address;
            count += 1;
        }
    });
    let members = &mut members[..count];
    members.sort_unstable();
    bytes.push(A::FAMILY as u8);
    let Some(&first) = members.first() else {
        return;
    };
    push_first(first, bytes);
    for pair in members.windows(2) {
        push_distance(pair[1].number() - pair[0].number(), bytes);
    }
}

fn push_first<A: Address>(address: A, bytes: &mut Vec<u8>) {
    let all = address.number().to_be_bytes();
    bytes.extend_from_slice(&all[all.len() - size_of::<A>()..]);
}

#[inline]
fn push_distance(mut distance: u128, bytes: &mut Vec<u8>) {
    if let Ok(distance) = u64::try_from(distance) {
        return varint::write(distance, bytes);
    }
    while distance >= 0x80 {
        bytes.push(distance as u8 | 0x80);
        distance >>= 7;
    }
    bytes.push(distance as u8);
}

fn pack_registers(registers: &Registers, bytes: &mut Vec<u8>) {
    for four in registers.chunks_exact(4) {
        let word = four.iter().enumerate().fold(0_u32, |word, (place, rank)| {
            word | u32::from((*rank).min(RANK_MAX)) << (place * RANK_BITS)
        });
        bytes.extend_from_slice(&word.to_le_bytes()[..3]);
    }
}

/// Adds a packed set to `into`; of nothing there is nothing to add.
///
/// # Errors
/// When the bytes are no set; then members may have been added.
pub fn merge_packed<A: Address>(bytes: &[u8], into: &mut DestinationSet<A>) -> Result<(), NoSet> {
    match bytes.split_first() {
        None => Ok(()),
        Some((&version @ (IPV4 | IPV6), rest)) => members(version, rest, &mut |address| {
            into.insert(address);
            true
        }),
        Some((&ESTIMATED, rest)) if rest.len() == PACKED_BYTES => {
            let mut registers = [0; REGISTERS];
            for (four, word) in registers.chunks_exact_mut(4).zip(rest.chunks_exact(3)) {
                let word = u32::from_le_bytes([word[0], word[1], word[2], 0]);
                for (place, rank) in four.iter_mut().enumerate() {
                    *rank = (word >> (place * RANK_BITS)) as u8 & RANK_MAX;
                }
            }
            into.merge(View::Estimated(&registers));
            Ok(())
        }
        Some(_) => Err(NoSet),
    }
}

/// The number of distinct addresses in a packed set: exact, or estimated.
///
/// # Errors
/// When the bytes are no set.
pub fn count_packed(bytes: &[u8]) -> Result<u64, NoSet> {
    if let Some((&version @ (IPV4 | IPV6), rest)) = bytes.split_first() {
        let mut count = 0;
        members::<u128>(version, rest, &mut |_| {
            count += 1;
            true
        })?;
        return Ok(count);
    }
    let mut set = DestinationSet::<u128>::new();
    merge_packed(bytes, &mut set)?;
    Ok(set.count())
}

/// Adds a packed set of addresses of a family to another.
///
/// # Errors
/// When the bytes are no sets; then `ours` is as it was.
pub fn unite_packed(family: Family, ours: &mut Vec<u8>, theirs: &[u8]) -> Result<(), NoSet> {
    if let ([ESTIMATED, ours @ ..], [ESTIMATED, theirs @ ..]) = (&mut ours[..], theirs)
        && ours.len() == PACKED_BYTES
        && theirs.len() == PACKED_BYTES
    {
        unite_registers(ours, theirs);
        return Ok(());
    }
    let union = union_of_packed([&ours[..], theirs].into_iter())?;
    ours.clear();
    pack_of(family, &union.view(), ours);
    Ok(())
}

/// Raises packed registers to others where these are greater: eight at once, every other one at a time, so that a bit above each is free.
fn unite_registers(ours: &mut [u8], theirs: &[u8]) {
    const BYTES: usize = 6;
    const EVEN: u64 = 0x03f_03f_03f_03f;
    const ABOVE: u64 = 0x040_040_040_040;
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..BYTES].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let greater = |ours: u64, theirs: u64| {
        // The bit above stays where ours is no less.
        let no_less = ((ours | ABOVE) - theirs) & ABOVE;
        let mask = no_less - (no_less >> RANK_BITS);
        ours & mask | theirs & !mask
    };
    let both = ours.chunks_exact_mut(BYTES).zip(theirs.chunks_exact(BYTES));
    for (ours, theirs) in both {
        let (left, right) = (word(ours), word(theirs));
        let even = greater(left & EVEN, right & EVEN);
        let odd = greater(left >> RANK_BITS & EVEN, right >> RANK_BITS & EVEN);
        let united = even | odd << RANK_BITS;
        ours.copy_from_slice(&united.to_le_bytes()[..BYTES]);
    }
}

/// What packed sets have together; no bytes are a set of nothing.
///
/// # Errors
/// When the bytes are no sets.
pub fn union_of_packed<'b>(
    mut sets: impl Iterator<Item = &'b [u8]>,
) -> Result<DestinationSet<u128>, NoSet> {
    // Most are exact, and few together: sorting all at once costs less than putting each in its place.
    let mut all = Vec::<u128>::new();
    for set in &mut sets {
        match set.split_first() {
            None => {}
            Some((&version @ (IPV4 | IPV6), rest)) => members(version, rest, &mut |address| {
                all.push(address);
                true
            })?,
            Some(_) => {
                let mut union = DestinationSet::of(all);
                merge_packed(set, &mut union)?;
                return united(union, sets);
            }
        }
        if all.len() > UNSORTED_MAX {
            all.sort_unstable();
            all.dedup();
            if all.len() > EXACT_DESTINATIONS_MAX {
                return united(DestinationSet::of(all), sets);
            }
        }
    }
    Ok(DestinationSet::of(all))
}

fn united<'b>(
    mut union: DestinationSet<u128>,
    mut sets: impl Iterator<Item = &'b [u8]>,
) -> Result<DestinationSet<u128>, NoSet> {
    sets.try_for_each(|set| merge_packed(set, &mut union))?;
    Ok(union)
}

/// Addresses that wait to be sorted, at most.
const UNSORTED_MAX: usize = 8 * EXACT_DESTINATIONS_MAX;

/// Appends up to `most` members of a packed set to `members`; whether it is an estimate, of which there are none.
///
/// # Errors
/// When the bytes are no set.
pub fn first_members<A: Address>(
    bytes: &[u8],
    most: usize,
    into: &mut Vec<A>,
) -> Result<bool, NoSet> {
    match bytes.split_first() {
        None => Ok(false),
        Some((&version @ (IPV4 | IPV6), rest)) => {
            let mut left = most;
            members(version, rest, &mut |address| {
                into.push(address);
                left -= 1;
                left > 0
            })?;
            Ok(false)
        }
        Some((&ESTIMATED, _)) => Ok(true),
        Some(_) => Err(NoSet),
    }
}

/// Gives each member to `take`, until it wants no more.
fn members<A: Address>(
    ip_version: u8,
    mut bytes: &[u8],
    take: &mut dyn FnMut(A) -> bool,
) -> Result<(), NoSet> {
    let width = if ip_version == IPV4 { 4 } else { 16 };
    let first = bytes.split_off(..width).ok_or(NoSet)?;
    let mut number = first
        .iter()
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let most = u128::MAX >> (u128::BITS - A::BITS.min(width as u32 * 8));
    if number > most {
        return Err(NoSet);
    }
    let mut count = 1;
    while take(A::from_number(number)) && !bytes.is_empty() {
        let distance = distance(&mut bytes)?;
        number = number.checked_add(distance).ok_or(NoSet)?;
        count += 1;
        if distance == 0 || number > most || count > EXACT_DESTINATIONS_MAX {
            return Err(NoSet);
        }
    }
    Ok(())
}

fn distance(bytes: &mut &[u8]) -> Result<u128, NoSet> {
    let mut distance = 0;
    for shift in (0..u128::BITS).step_by(7) {
        let byte = *bytes.split_off_first().ok_or(NoSet)?;
        distance |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(distance);
        }
    }
    Err(NoSet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(addresses: impl IntoIterator<Item = u128>) -> DestinationSet<u128> {
        let mut set = DestinationSet::new();
        addresses.into_iter().for_each(|one| set.insert(one));
        set
    }

    fn packed<A: Address>(set: &DestinationSet<A>) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(&set.view(), &mut bytes);
        bytes
    }

    #[test]
    fn a_packed_set_comes_back_as_it_was() {
        for count in [1_u128, 2, 3, 127, 128, 129, 5_000] {
            for step in [1, 300, 1 << 90] {
                let set = set_of((0..count).map(|place| place * step));
                let mut back = DestinationSet::new();
                merge_packed(&packed(&set), &mut back).expect("own bytes");
                assert_eq!(back, set, "{count} {step}");
            }
        }
    }

    #[test]
    fn packed_sets_of_several_hours_are_counted_as_one() {
        let mut union = DestinationSet::<u32>::new();
        for from in (0..120_u32).step_by(10) {
            let mut hour = DestinationSet::new();
            (from..(from + 15).min(128)).for_each(|one| hour.insert(0xc612_0000 + one));
            merge_packed(&packed(&hour), &mut union).expect("own bytes");
        }
        assert_eq!(union.count(), 125);
    }

    #[test]
    fn addresses_held_as_numbers_are_packed_as_those_of_their_family() {
        for count in [1, 2, 5, 128, 500] {
            let wide = set_of(7..7 + count);
            let mut narrow = DestinationSet::<u32>::new();
            (7..7 + count as u32).for_each(|one| narrow.insert(one));
            let mut bytes = Vec::new();
            pack_of(Family::Ipv4, &wide.view(), &mut bytes);
            assert_eq!(bytes, packed(&narrow), "{count}");
            bytes.clear();
            pack_of(Family::Ipv6, &wide.view(), &mut bytes);
            assert_eq!(bytes, packed(&wide), "{count}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_what_is_cut_is_refused() {
        let whole = packed(&set_of([1, 2, 1 << 100]));
        for length in [1, 5, 16, whole.len() - 1] {
            let outcome = merge_packed::<u128>(&whole[..length], &mut DestinationSet::new());
            assert_eq!(outcome, Err(NoSet), "{length}");
        }
        let registers = packed(&set_of(0..500));
        let cut = &registers[..registers.len() - 1];
        let outcome = merge_packed::<u128>(cut, &mut DestinationSet::new());
        assert_eq!(outcome, Err(NoSet));
        for bytes in [&[2][..], &[4, 1], &[4, 255, 255, 255, 255, 1], &[6; 9]] {
            let outcome = merge_packed::<u32>(bytes, &mut DestinationSet::new());
            assert_eq!(outcome, Err(NoSet), "{bytes:?}");
        }
    }

    #[test]
    fn packed_sets_are_united_and_counted_as_sets_are() {
        for (family, step) in [(Family::Ipv4, 3), (Family::Ipv6, 1 << 70)] {
            let sized = |range: std::ops::Range<u128>| set_of(range.map(|place| place * step));
            let pack = |set: &DestinationSet<u128>| {
                let mut bytes = Vec::new();
                pack_of(family, &set.view(), &mut bytes);
                bytes
            };
            for ours in [0..1, 0..5, 3..100, 0..128, 0..400] {
                for theirs in [0..1, 4..9, 50..128, 90..150, 300..900] {
                    let mut union = sized(ours.clone());
                    union.merge(sized(theirs.clone()).view());
                    let mut united = pack(&sized(ours.clone()));
                    let theirs = pack(&sized(theirs.clone()));
                    unite_packed(family, &mut united, &theirs).expect("own bytes");
                    assert_eq!(united, pack(&union), "{family:?} {ours:?} {}", theirs.len());
                    assert_eq!(count_packed(&united), Ok(union.count()));
                }
            }
            let one = pack(&sized(7..9));
            let cut = &one[..3];
            for [ours, theirs] in [[&one, cut], [cut, &one], [&one[..], &[2]]] {
                let mut united = ours.to_vec();
                assert_eq!(unite_packed(family, &mut united, theirs), Err(NoSet));
                assert_eq!(united, ours);
            }
            assert_eq!(count_packed(cut), Err(NoSet));
            assert_eq!(count_packed(&[]), Ok(0));
        }
    }

    #[test]
    fn sets_of_ipv4_are_read_as_numbers_of_either_width() {
        let mut hour = DestinationSet::<u32>::new();
        [7, 9, 0xffff_ffff]
            .into_iter()
            .for_each(|one| hour.insert(one));
        let mut wide = DestinationSet::<u128>::new();
        merge_packed(&packed(&hour), &mut wide).expect("own bytes");
        assert_eq!(wide, set_of([7, 9, 0xffff_ffff]));
        let outcome = merge_packed::<u32>(&packed(&set_of([1 << 40])), &mut hour);
        assert_eq!(outcome, Err(NoSet));
    }

    #[test]
    fn a_few_members_are_read_without_the_others() {
        let mut members = Vec::<u128>::new();
        let set = packed(&set_of(5..105));
        assert_eq!(first_members(&set, 3, &mut members), Ok(false));
        assert_eq!(members, [5, 6, 7]);
        let many = packed(&set_of(0..500));
        assert_eq!(first_members(&many, 3, &mut members), Ok(true));
    }
}
