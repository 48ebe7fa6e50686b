//! Parquet's DELTA_BINARY_PACKED: differences in blocks of 128, each a quarter with its own bit width.

const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// Appends the encoded values to `page`. Values of an INT32 column must fit 32 bits, and so must their differences.
pub fn encode(values: &[i64], page: &mut Vec<u8>) {
    push_varint(page, BLOCK as u64);
    push_varint(page, MINIBLOCKS as u64);
    push_varint(page, values.len() as u64);
    push_zigzag(page, values.first().copied().unwrap_or(0));
    let mut previous = values.first().copied().unwrap_or(0);
    let mut deltas = [0i64; BLOCK];
    for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
        for (delta, &value) in deltas.iter_mut().zip(block) {
            *delta = value.wrapping_sub(previous);
            previous = value;
        }
        push_block(page, &deltas[..block.len()]);
    }
}

fn push_block(page: &mut Vec<u8>, deltas: &[i64]) {
    let least = deltas.iter().copied().min().unwrap_or(0);
    push_zigzag(page, least);
    let mut above = [0u64; BLOCK];
    for (above, delta) in above.iter_mut().zip(deltas) {
        *above = delta.wrapping_sub(least) as u64;
    }
    let widths: [u32; MINIBLOCKS] = std::array::from_fn(|index| {
        let all = above[index * MINIBLOCK..][..MINIBLOCK]
            .iter()
            .fold(0, |all, value| all | value);
        u64::BITS - all.leading_zeros()
    });
    page.extend(widths.map(|width| width as u8));
    let used = deltas.len().div_ceil(MINIBLOCK);
    for (index, &width) in widths.iter().enumerate().take(used) {
        pack(&above[index * MINIBLOCK..][..MINIBLOCK], width, page);
    }
}

/// Packs values of `width` bits, least significant bit first.
pub fn pack(values: &[u64], width: u32, page: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mut held = 0u128;
    let mut bits = 0;
    for &value in values {
        held |= u128::from(value) << bits;
        bits += width;
        if bits >= 64 {
            page.extend_from_slice(&(held as u64).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    }
    let bytes = bits.div_ceil(8) as usize;
    page.extend_from_slice(&(held as u64).to_le_bytes()[..bytes]);
}

/// Appends an unsigned LEB128 number.
pub fn push_varint(page: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        page.push(value as u8 | 0x80);
        value >>= 7;
    }
    page.push(value as u8);
}

fn push_zigzag(page: &mut Vec<u8>, value: i64) {
    push_varint(page, ((value << 1) ^ (value >> 63)) as u64);
}
