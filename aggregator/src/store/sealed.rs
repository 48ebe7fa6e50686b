//! Small documents with a checksum, so that a later start can trust them.

use std::fmt::Write as _;

use flate2::Crc;

/// A line of text with its CRC-32 behind it: `TEXT\nCRC\n`. The text must have no line break.
#[must_use]
pub fn seal(text: &str) -> Vec<u8> {
    let mut sealed = text.to_owned();
    // Writing to a String cannot fail.
    let _ = write!(sealed, "\n{:08x}\n", checksum(text));
    sealed.into_bytes()
}

/// The text of a sealed document; `None` if it is damaged.
#[must_use]
pub fn unseal(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (text, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    (sum.len() == 8 && u32::from_str_radix(sum, 16) == Ok(checksum(text))).then_some(text)
}

fn checksum(text: &str) -> u32 {
    let mut sum = Crc::new();
    sum.update(text.as_bytes());
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_is_seen() {
        let sealed = seal(r#"{"sensor":"a"}"#);
        assert_eq!(unseal(&sealed), Some(r#"{"sensor":"a"}"#));
        for bit in 0..sealed.len() * 8 {
            let mut other = sealed.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            // Flipping the case of a hexadecimal digit keeps its value.
            if !String::from_utf8_lossy(&other)
                .eq_ignore_ascii_case(&String::from_utf8_lossy(&sealed))
            {
                assert_eq!(unseal(&other), None, "bit {bit}");
            }
        }
        for length in 0..sealed.len() {
            assert_eq!(unseal(&sealed[..length]), None);
        }
    }
}
