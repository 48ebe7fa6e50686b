//! Sizes in bytes: as people write them, and how much memory the machine has.

/// Assumed where the machine does not tell its memory.
const MACHINE_MEMORY_DEFAULT: u64 = 4 << 30;

/// Bytes of a size such as `512M`, `8G` or `1000000`; K, M, G and T are powers of 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..]
        .to_ascii_uppercase()
        .trim_end_matches(['B', 'I'])
    {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err("write a number of bytes, or one with K, M, G or T, such as 512M".into()),
    };
    let number: u64 = digits.parse().map_err(|_| {
        "write a number of bytes, or one with K, M, G or T, such as 512M".to_owned()
    })?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "more than can be counted".to_owned())
}

/// Memory of the machine, bytes.
#[must_use]
pub fn machine_memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(MACHINE_MEMORY_DEFAULT, |kibibytes| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expected) in [
            ("512M", 512 << 20),
            ("8G", 8 << 30),
            ("1000", 1000),
            ("2KiB", 2048),
        ] {
            assert_eq!(size(text), Ok(expected));
        }
        for text in ["", "M", "12X", "-1", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
