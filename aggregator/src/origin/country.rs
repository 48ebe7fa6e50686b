//! A source's country: ISO 3166-1 alpha-2, `ZZ` where it is unknown. It maps other codes of data sets, and does not look up addresses.

use std::fmt;

/// A country of ISO 3166-1 as its two letters, or [`Country::UNKNOWN`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// The officially assigned codes of ISO 3166-1 (249, as of 2026), written without separators.
const ASSIGNED: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCV\
CWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKG\
KHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPM\
PNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWS\
YEYTZAZMZW";

/// One bit per pair of letters: which of the 676 are assigned.
const IS_ASSIGNED: [bool; 26 * 26] = {
    let mut table = [false; 26 * 26];
    let mut position = 0;
    while position < ASSIGNED.len() {
        table[pair_index(ASSIGNED[position], ASSIGNED[position + 1])] = true;
        position += 2;
    }
    table
};
const _: () = assert!(ASSIGNED.len() == 2 * 249);

const fn pair_index(first: u8, second: u8) -> usize {
    (first - b'A') as usize * 26 + (second - b'A') as usize
}

impl Country {
    /// `ZZ`: no data, or a code that is no country.
    pub const UNKNOWN: Country = Country(*b"ZZ");

    /// The country with these letters, in either case. `UK`, which registries write for `GB`, is read as that; codes that ISO has
    /// not assigned (`EU`, `AP`, `A1`, `??`, withdrawn ones) are none.
    #[must_use]
    pub const fn from_letters(letters: [u8; 2]) -> Option<Country> {
        let letters = [
            letters[0].to_ascii_uppercase(),
            letters[1].to_ascii_uppercase(),
        ];
        if !letters[0].is_ascii_uppercase() || !letters[1].is_ascii_uppercase() {
            None
        } else if IS_ASSIGNED[pair_index(letters[0], letters[1])] {
            Some(Country(letters))
        } else if letters[0] == b'U' && letters[1] == b'K' {
            Some(Country(*b"GB"))
        } else {
            None
        }
    }

    /// Two capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The letters are ASCII: every constructor checks it.
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// The letters as a number; the order of codes is that of the letters.
    #[must_use]
    pub const fn code(self) -> u16 {
        u16::from_be_bytes(self.0)
    }

    /// The country with this code; [`Country::UNKNOWN`] for any other number.
    #[must_use]
    pub const fn from_code(code: u16) -> Country {
        match Country::from_letters(code.to_be_bytes()) {
            Some(country) => country,
            None => Country::UNKNOWN,
        }
    }
}

impl Default for Country {
    fn default() -> Self {
        Country::UNKNOWN
    }
}

impl fmt::Display for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_iso_did_not_assign_are_no_country() {
        for letters in [
            b"EU", b"AP", b"A1", b"??", b"CS", b"AN", b"ZZ", b"XK", b"[A",
        ] {
            assert_eq!(Country::from_letters(*letters), None);
        }
    }

    #[test]
    fn letters_are_read_in_either_case_and_uk_is_gb() {
        let japan = Country::from_letters(*b"jp").expect("assigned");
        assert_eq!(japan.as_str(), "JP");
        assert_eq!(Country::from_letters(*b"UK").expect("alias").as_str(), "GB");
    }

    #[test]
    fn codes_keep_the_order_of_the_letters_and_come_back() {
        for pair in ASSIGNED.chunks(2).collect::<Vec<_>>().windows(2) {
            let [first, second] =
                [pair[0], pair[1]].map(|letters| Country([letters[0], letters[1]]));
            assert!(first.code() < second.code());
            assert_eq!(Country::from_code(first.code()), first);
        }
        assert_eq!(Country::from_code(7), Country::UNKNOWN);
    }
}
