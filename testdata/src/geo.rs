//! The truth's own answer to "which country is this address in": tor's `geoip` text files, or else the table of blocks that the
//! sources were drawn from. It is written apart from the aggregator's loader so that either can find the other's mistake.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::countries::{COUNTRIES, IPV6_NETWORKS, NOWHERE, block_range};
use crate::{Error, Result};

/// The machine's country data: the files of `teiten-sensor geo update` by root, and of Debian's package tor-geoipdb. The file of IPv6
/// ranges has the same name with a 6 appended.
const MACHINE_FILES: [&str; 2] = ["/var/lib/teiten-lists/geo/geoip", "/usr/share/tor/geoip"];

/// The file of IPv4 ranges that the programs would use by default, where it is in tor's format: the user's, or the machine's.
#[must_use]
pub fn default_file() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let users = data.filter(|data| data.is_absolute()).or(home);
    let users = users.map(|base| base.join("teiten/geo/geoip"));
    let candidates = users.into_iter().chain(MACHINE_FILES.map(PathBuf::from));
    candidates.into_iter().find(|path| path.is_file())
}

/// The country of an address that is in no range.
pub const UNKNOWN: &str = "ZZ";

/// Ranges of one family: first address, last address, country.
type Ranges<A> = Vec<(A, A, u8)>;

/// Countries by address, and where they were learned.
#[derive(Debug)]
pub struct CountryTable {
    codes: Vec<String>,
    ipv4: Ranges<u32>,
    ipv6: Ranges<u128>,
    /// For each upper half of an IPv4 address, the first range that ends in or after its block.
    index: Vec<u32>,
    /// Space of no country, regardless of the file.
    nowhere: Ranges<u32>,
    /// File name, or what the table is.
    pub name: String,
    /// SHA-256 of the IPv4 file, hexadecimal; none for the built-in table.
    pub sha256: Option<String>,
}

impl CountryTable {
    /// Reads `path`, and `path` + `6` when it exists and `with_ipv6` asks for it.
    ///
    /// # Errors
    /// When a file cannot be read, or a line of it is not START,END,COUNTRY.
    pub fn load(path: &Path, with_ipv6: bool) -> Result<Self> {
        let mut table = CountryTable::empty(path.display().to_string());
        let text = read(path)?;
        table.sha256 = Some(hex(&Sha256::digest(text.as_bytes())));
        table.ipv4 = table.parse(path, &text, |field| field.parse().ok())?;
        let beside = PathBuf::from(format!("{}6", path.display()));
        if with_ipv6 && beside.exists() {
            let text = read(&beside)?;
            let parse = |field: &str| field.parse::<Ipv6Addr>().ok().map(u128::from);
            table.ipv6 = table.parse(&beside, &text, parse)?;
        }
        table.finish();
        Ok(table)
    }

    /// The blocks that the sources are drawn from.
    #[must_use]
    pub fn built_in() -> Self {
        let mut table = CountryTable::empty("built-in table of address blocks".to_owned());
        for country in COUNTRIES {
            let code = table.code(country.code);
            for text in country.blocks.split_whitespace() {
                let (first, length) = block_range(text);
                table.ipv4.push((first, first + (length - 1) as u32, code));
            }
        }
        for &(country, network, _) in IPV6_NETWORKS {
            let code = table.code(country);
            let first = u128::from(network) << 96;
            table.ipv6.push((first, first | (u128::MAX >> 32), code));
        }
        table.finish();
        table
    }

    /// Index of the country of an IPv4 address, for [`CountryTable::name_of`].
    #[must_use]
    pub fn of_ipv4(&self, address: u32) -> u8 {
        let is_nowhere = |range: &(u32, u32, u8)| (range.0..=range.1).contains(&address);
        if self.nowhere.iter().any(is_nowhere) {
            return 0;
        }
        let block = (address >> 16) as usize;
        let (low, high) = (self.index[block] as usize, self.index[block + 1] as usize);
        let candidates = &self.ipv4[low..(high + 1).min(self.ipv4.len())];
        find(candidates, address)
    }

    /// Index of the country of an IPv6 address.
    #[must_use]
    pub fn of_ipv6(&self, address: u128) -> u8 {
        find(&self.ipv6, address)
    }

    /// ISO 3166-1 alpha-2, `ZZ` for unknown.
    #[must_use]
    pub fn name_of(&self, index: u8) -> &str {
        &self.codes[usize::from(index)]
    }

    fn empty(name: String) -> Self {
        CountryTable {
            codes: vec![UNKNOWN.to_owned()],
            ipv4: Vec::new(),
            ipv6: Vec::new(),
            index: Vec::new(),
            nowhere: nowhere(),
            name,
            sha256: None,
        }
    }

    fn code(&mut self, text: &str) -> u8 {
        let known = self.codes.iter().position(|code| code == text);
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return 0;
        }
        let index = known.unwrap_or_else(|| {
            self.codes.push(text.to_owned());
            self.codes.len() - 1
        });
        u8::try_from(index).unwrap_or(0)
    }

    fn parse<A>(
        &mut self,
        path: &Path,
        text: &str,
        parse: impl Fn(&str) -> Option<A>,
    ) -> Result<Ranges<A>> {
        let mut ranges = Vec::new();
        for (line, content) in text.lines().enumerate() {
            if content.starts_with('#') || content.is_empty() {
                continue;
            }
            let mut fields = content.split(',');
            let mut address = || fields.next().and_then(&parse);
            let (Some(first), Some(last)) = (address(), address()) else {
                return Err(Error::CountryLine {
                    path: path.to_owned(),
                    line: line + 1,
                });
            };
            ranges.push((first, last, self.code(fields.next().unwrap_or_default())));
        }
        Ok(ranges)
    }

    fn finish(&mut self) {
        self.ipv4.sort_unstable();
        self.ipv6.sort_unstable();
        let start = |block: u64| {
            self.ipv4
                .partition_point(|range| u64::from(range.1) < block << 16) as u32
        };
        self.index = (0..=1 << 16).map(start).collect();
    }
}

fn nowhere() -> Ranges<u32> {
    let blocks = NOWHERE.split_whitespace().map(block_range);
    blocks
        .map(|(first, length)| (first, first + (length - 1) as u32, 0))
        .collect()
}

fn find<A: Copy + Ord>(ranges: &[(A, A, u8)], address: A) -> u8 {
    let after = ranges.partition_point(|range| range.0 <= address);
    match ranges[..after].last() {
        Some(&(_, last, code)) if address <= last => code,
        _ => 0,
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::CountryFile {
        path: path.to_owned(),
        source,
    })
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_knows_its_blocks_and_nothing_else() {
        let table = CountryTable::built_in();
        for (address, expected) in [
            (0x7e01_0203, "JP"),
            (0x2460_0000, "CN"),
            (0x0a00_0001, "ZZ"),
            (u32::MAX, "ZZ"),
            (0, "ZZ"),
        ] {
            assert_eq!(
                table.name_of(table.of_ipv4(address)),
                expected,
                "{address:08x}"
            );
        }
        assert_eq!(table.name_of(table.of_ipv6(0x2400_2000 << 96 | 1)), "JP");
    }

    #[test]
    fn space_that_no_packet_can_come_from_has_no_country_in_any_file() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("geoip");
        std::fs::write(&path, "0,4294967295,JP\n").expect("written");
        let table = CountryTable::load(&path, false)?;
        for (address, expected) in [(0x09ff_ffff, "JP"), (0x0a00_0000, "ZZ"), (u32::MAX, "ZZ")] {
            assert_eq!(table.name_of(table.of_ipv4(address)), expected);
        }
        Ok(())
    }

    #[test]
    fn a_file_is_read_with_both_families_and_unknown_marks() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("geoip");
        std::fs::write(&path, "# c\n16777216,16777471,AU\n16777472,16778239,??\n")
            .expect("written");
        std::fs::write(folder.path().join("geoip6"), "2001:200::,2001:200::ff,JP\n")
            .expect("written");
        let table = CountryTable::load(&path, true)?;
        assert_eq!(table.name_of(table.of_ipv4(16_777_300)), "AU");
        assert_eq!(table.name_of(table.of_ipv4(16_777_500)), "ZZ");
        assert_eq!(table.name_of(table.of_ipv6(0x2001_0200 << 96 | 5)), "JP");
        std::fs::write(&path, "1,x,AU\n").expect("written");
        assert!(matches!(
            CountryTable::load(&path, true),
            Err(Error::CountryLine { line: 1, .. })
        ));
        Ok(())
    }
}
