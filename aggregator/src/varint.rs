//! Numbers in as few bytes as they need (LEB128, as in DWARF 5, section 7.6): for pages of Parquet, and for files that this program alone reads.

/// Appends seven bits of a number after the other, the lowest first; all but the last byte have their highest bit set.
#[inline]
pub(crate) fn write(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number from the front of `bytes`; none where they end before it does, or it goes on for more than ten bytes.
#[inline]
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    if let [byte @ ..0x80, rest @ ..] = bytes {
        let value = u64::from(*byte);
        *bytes = rest;
        return Some(value);
    }
    read_long(bytes)
}

fn read_long(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_what_is_cut_off_is_none() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            assert_eq!(read(&mut &bytes[..]), Some(value));
            let cut = bytes.len() - 1;
            assert_eq!(read(&mut &bytes[..cut]), None, "{value}");
        }
        assert_eq!(read(&mut &[0x80; 11][..]), None);
    }
}
