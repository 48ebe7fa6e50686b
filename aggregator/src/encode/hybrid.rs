//! Parquet's RLE / bit-packing hybrid, for dictionary indices and definition levels.

use super::delta::{pack, push_varint};

/// Values in a bit-packed group, and the shortest run that is worth its own header.
const GROUP: usize = 8;

/// Appends the encoded values, each of `width` bits at most, without a length in front.
pub fn encode(values: &[u32], width: u32, page: &mut Vec<u8>) {
    let mut literal_start = 0;
    let mut position = 0;
    while position < values.len() {
        let run = run_length(&values[position..]);
        let literals = position - literal_start;
        // Literals come in whole groups, so a run first lends what the last group lacks.
        let lent = (GROUP - literals % GROUP) % GROUP;
        if run >= lent + GROUP {
            push_literals(&values[literal_start..position + lent], width, page);
            push_run(values[position], run - lent, width, page);
            position += run;
            literal_start = position;
        } else {
            position += run;
        }
    }
    push_literals(&values[literal_start..], width, page);
}

fn run_length(values: &[u32]) -> usize {
    let first = values[0];
    values
        .iter()
        .position(|&value| value != first)
        .unwrap_or(values.len())
}

fn push_run(value: u32, length: usize, width: u32, page: &mut Vec<u8>) {
    push_varint(page, (length as u64) << 1);
    page.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

fn push_literals(values: &[u32], width: u32, page: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    push_varint(page, (groups as u64) << 1 | 1);
    let mut group = [0u64; GROUP];
    for chunk in values.chunks(GROUP) {
        group.fill(0);
        for (wide, &value) in group.iter_mut().zip(chunk) {
            *wide = u64::from(value);
        }
        pack(&group, width, page);
    }
}
