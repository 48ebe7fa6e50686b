//! Sizes in bytes: as people write them, and how much memory the machine has.

/// Assumed if the machine's memory is unknown.
const MACHINE_MEMORY_DEFAULT: u64 = 4 << 30;

/// How a size is written.
const FORM: &str = "write a number of bytes, or one with K, M, G or T, such as 512M";
/// The units, powers of 1024, in every way that people write them.
const UNITS: [(u64, &[&str]); 5] = [
    (1, &["", "B"]),
    (1 << 10, &["K", "KB", "KIB"]),
    (1 << 20, &["M", "MB", "MIB"]),
    (1 << 30, &["G", "GB", "GIB"]),
    (1 << 40, &["T", "TB", "TIB"]),
];

/// Bytes of a size such as `512M`, `8G` or `1000000`, at least `bytes_min`; K, M, G and T are powers of 1024.
pub(super) fn size(text: &str, bytes_min: u64) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_uppercase();
    let factor = UNITS
        .iter()
        .find(|(_, names)| names.contains(&unit.as_str()));
    let &(factor, _) = factor.ok_or_else(|| FORM.to_owned())?;
    let number: u64 = digits.parse().map_err(|_| FORM.to_owned())?;
    let bytes = number
        .checked_mul(factor)
        .ok_or_else(|| "more than can be counted".to_owned())?;
    if bytes < bytes_min {
        let least = bytes_min >> 20;
        let meant = if unit.is_empty() {
            format!("; did you mean {number}M or {number}G?")
        } else {
            String::new()
        };
        return Err(format!(
            "{bytes} bytes are too few, at least {least}M are needed{meant}"
        ));
    }
    Ok(bytes)
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
            assert_eq!(size(text, 0), Ok(expected));
        }
        for text in ["", "M", "12X", "-1", "99999999999T", "8GBB", "8IB", "8 G"] {
            assert!(size(text, 0).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_without_its_unit_is_told() {
        let error = size("8", 1 << 20).expect_err("eight bytes");
        assert!(error.contains("did you mean 8M or 8G"), "{error}");
        assert!(size("8K", 1 << 20).is_err());
        assert_eq!(size("1M", 1 << 20), Ok(1 << 20));
    }
}
