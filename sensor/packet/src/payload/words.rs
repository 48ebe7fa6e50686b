//! WORDS: what exploit rows look for in text, found by one bounded pass over a payload that all rows share. What a word means stands
//! with the row that asks for it.
//!
//! A flood of long requests must not slow the sensor, so the pass has limits: words of the request line are looked for in the first
//! [`LINE_BYTES_MAX`] bytes, words of headers and bodies at the first [`MARKS_MAX`] bytes that can start one, within
//! [`TEXT_BYTES_MAX`]. What stands behind a limit is not found: the packet then is what its first line says.

use memchr::{memchr_iter, memchr2, memchr3_iter};

/// Bytes of the first line that are looked at: more than any known attack's line has before its word.
pub(super) const LINE_BYTES_MAX: usize = 256;
/// Bytes looked at for words of headers and bodies.
pub(super) const TEXT_BYTES_MAX: usize = 1024;
/// Places at which a word of headers and bodies is looked for.
const MARKS_MAX: usize = 24;

/// First bytes of the HTTP methods whose lines are searched for words.
pub(super) const METHODS: &[u8] = b"GPHOC";

/// A word, as the bit it has in [`Words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Word {
    DeviceUpgrade,
    PictureDescription,
    ConnectionDescription,
    GponForm,
    ShellQuery,
    NetgearSetup,
    Hnap,
    EvalStdin,
    InvokeFunction,
    UrlInclude,
    DotShell,
    EncodedDotShell,
    TpLinkLocale,
    NasSharing,
    DeviceResponse,
    WebLanguage,
    TimeUnblock,
    ViewLog,
    BoardCommand,
    LimitClient,
    ExecuteSolution,
    GatewayRoutes,
    YarnApplication,
    ManagementBash,
    LanguageTraversal,
    WanConnection,
    JndiLookup,
    BashFunction,
    ShellCommand,
}

/// Words of the first line.
const LINE_WORDS: [(Word, &[u8]); 26] = [
    (Word::DeviceUpgrade, b"/ctrlt/DeviceUpgrade_1"),
    (Word::PictureDescription, b"/picsdesc.xml"),
    (Word::ConnectionDescription, b"/wanipcn.xml"),
    (Word::GponForm, b"/GponForm/"),
    (Word::ShellQuery, b"/shell?"),
    (Word::NetgearSetup, b"/setup.cgi?next_file=netgear.cfg"),
    (Word::Hnap, b"/HNAP1"),
    (Word::EvalStdin, b"/eval-stdin.php"),
    (Word::InvokeFunction, b"invokefunction"),
    (Word::UrlInclude, b"allow_url_include"),
    (Word::DotShell, b"%2e/bin/sh"),
    (Word::EncodedDotShell, b"%32%65/bin/sh"),
    (Word::TpLinkLocale, b"/luci/;stok=/locale"),
    (Word::NasSharing, b"/cgi-bin/nas_sharing.cgi"),
    (Word::DeviceResponse, b"/device.rsp?opt=sys"),
    (Word::WebLanguage, b"/SDK/webLanguage"),
    (Word::TimeUnblock, b"/tmUnblock.cgi"),
    (Word::ViewLog, b"/cgi-bin/ViewLog.asp"),
    (Word::BoardCommand, b"/board.cgi?cmd="),
    (Word::LimitClient, b"/goform/set_LimitClient_cfg"),
    (Word::ExecuteSolution, b"/_ignition/execute-solution"),
    (Word::GatewayRoutes, b"/actuator/gateway/routes"),
    (
        Word::YarnApplication,
        b"/ws/v1/cluster/apps/new-application",
    ),
    (Word::ManagementBash, b"/mgmt/tm/util/bash"),
    (Word::LanguageTraversal, b"/remote/fgt_lang?lang=/../"),
    (Word::WanConnection, b"/soap.cgi?service=WANIPConn1"),
];

/// Words of any line; they start with `$`, `(`, `;` or a backquote.
const TEXT_WORDS: [(Word, &[u8]); 9] = [
    (Word::JndiLookup, b"${jndi:"),
    (Word::BashFunction, b"() {"),
    (Word::ShellCommand, b"`"),
    (Word::ShellCommand, b"$("),
    (Word::ShellCommand, b";wget"),
    (Word::ShellCommand, b";telnetd"),
    (Word::ShellCommand, b";cd "),
    (Word::ShellCommand, b"; wget"),
    (Word::ShellCommand, b"; cd "),
];

/// A set of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(u32);

impl Words {
    /// Whether a word is among them.
    pub(super) const fn contain(self, word: Word) -> bool {
        self.0 >> word as u8 & 1 != 0
    }

    fn insert(&mut self, word: Word) {
        self.0 |= 1 << word as u8;
    }
}

/// The words of a text, within the limits.
#[inline(never)]
pub(super) fn words(bytes: &[u8]) -> Words {
    let mut words = Words::default();
    if bytes.first().is_some_and(|first| METHODS.contains(first)) {
        add_line_words(first_line(bytes), &mut words);
    }
    let text = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    add_text_words(text, memchr3_iter(b'$', b'(', b'`', text), &mut words);
    // Every header has semicolons, so a command behind one is only searched for if nothing else matched.
    if !words.contain(Word::ShellCommand) {
        add_text_words(text, memchr_iter(b';', text), &mut words);
    }
    words
}

/// The first line without its end, within the limit.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    let start = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    &start[..memchr2(b'\r', b'\n', start).unwrap_or(start.len())]
}

/// For each of three consecutive bytes, the words that can have it there: few places of a line pass all three.
static LINE_GATES: [[u32; 256]; 3] = [gate(0), gate(1), gate(2)];

const fn gate(place: usize) -> [u32; 256] {
    let mut gate = [0; 256];
    let mut row = 0;
    while row < LINE_WORDS.len() {
        gate[LINE_WORDS[row].1[place] as usize] |= 1 << row;
        row += 1;
    }
    gate
}

fn add_line_words(line: &[u8], words: &mut Words) {
    let [first, second, third] = &LINE_GATES;
    for (place, window) in line.windows(3).enumerate() {
        let mut rows = first[usize::from(window[0])]
            & second[usize::from(window[1])]
            & third[usize::from(window[2])];
        while rows != 0 {
            let (word, text) = LINE_WORDS[rows.trailing_zeros() as usize];
            if line[place..].starts_with(text) {
                words.insert(word);
            }
            rows &= rows - 1;
        }
    }
}

fn add_text_words(text: &[u8], places: impl Iterator<Item = usize>, words: &mut Words) {
    for place in places.take(MARKS_MAX) {
        for (word, start) in TEXT_WORDS {
            // Comparing the first byte first avoids most comparisons.
            if text[place] == start[0] && text[place..].starts_with(start) {
                words.insert(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_where_it_is_looked_for() {
        for (word, text) in LINE_WORDS {
            let request = [b"GET /a", text, b" HTTP/1.1\r\n"].concat();
            assert!(words(&request).contain(word), "{word:?}");
            let later = [b"GET / HTTP/1.1\r\nX: ", text].concat();
            assert!(
                !words(&later).contain(word),
                "{word:?} is of the first line"
            );
        }
        for (word, text) in TEXT_WORDS {
            let request = [b"GET / HTTP/1.1\r\nX: ", text].concat();
            assert!(words(&request).contain(word), "{word:?}");
        }
        assert_eq!(
            words(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            Words::default()
        );
    }

    #[test]
    fn words_end_with_the_text() {
        for (_, text) in LINE_WORDS.into_iter().chain(TEXT_WORDS) {
            for end in 0..text.len() {
                let _ = words(&text[..end]);
            }
        }
        assert_eq!(words(b"${jndi"), Words::default());
    }

    #[test]
    fn what_stands_behind_a_limit_is_not_found() {
        let behind = |start: Vec<u8>, word: &[u8]| words(&[&start[..], word].concat());
        assert!(!behind(vec![b'G'; LINE_BYTES_MAX], b"/GponForm/").contain(Word::GponForm));
        assert!(behind(vec![b'a'; 900], b"${jndi:").contain(Word::JndiLookup));
        assert!(!behind(vec![b'a'; TEXT_BYTES_MAX], b"${jndi:").contain(Word::JndiLookup));
        assert!(!behind(vec![b'('; MARKS_MAX], b"${jndi:").contain(Word::JndiLookup));
    }

    #[test]
    fn the_first_line_ends_at_its_end() {
        assert_eq!(first_line(b"GET / HTTP/1.1\r\nHost"), b"GET / HTTP/1.1");
        assert_eq!(first_line(b"GET /\nHost"), b"GET /");
        assert_eq!(first_line(&[b'a'; 999]).len(), LINE_BYTES_MAX);
    }
}
