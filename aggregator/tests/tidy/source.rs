//! A Rust file as the house rules read it: its code without comments and without what only tests compile.
//!
//! This is no parser of Rust. It knows where comments, strings and characters begin and end, and which braces belong together; so it can
//! leave out test modules anywhere and find what a file imports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A source file.
pub(crate) struct Source {
    /// Its path below the crate's folder, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Its code; comments and test items are spaces.
    pub code: String,
    /// The same, with the contents of strings and characters as spaces too.
    pub bare: String,
    /// Whether only tests compile it.
    pub is_tests: bool,
}

/// The Rust files of a crate below `folder`, in order.
///
/// # Panics
/// When a file cannot be read.
pub(crate) fn sources(crate_folder: &Path, folder: &str) -> Vec<Source> {
    let mut sources: Vec<Source> = rust_files(&crate_folder.join(folder))
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).expect("a source file is UTF-8 text");
            let path = file
                .strip_prefix(crate_folder)
                .expect("a file of the crate")
                .to_string_lossy()
                .replace('\\', "/");
            Source::new(path, text)
        })
        .collect();
    mark_tests(&mut sources);
    sources
}

/// The Rust files below a folder, in order.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

impl Source {
    /// A file of this text.
    pub(crate) fn new(path: String, text: String) -> Source {
        let (mut code, mut bare) = lexed(&text);
        for (start, end) in test_items(&bare) {
            blank(&mut code, start, end);
            blank(&mut bare, start, end);
        }
        let string = |bytes| String::from_utf8(bytes).expect("only whole characters are blanked");
        Source {
            path,
            text,
            code: string(code),
            bare: string(bare),
            is_tests: false,
        }
    }

    /// Its path below `src/`, without the ending; the crate's root is empty. None outside `src/`.
    pub(crate) fn module(&self) -> Option<Vec<String>> {
        let inner = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        if inner == "lib" || inner == "main" {
            return Some(Vec::new());
        }
        Some(inner.split('/').map(str::to_owned).collect())
    }

    /// The names of the types that it declares. A `type` inside another item is that item's, and has no name of its own.
    pub(crate) fn types(&self) -> Vec<&str> {
        let declared = self.bare.lines().filter_map(|line| {
            let mut words = line.split(|character| !is_word(character));
            let mut words = words.by_ref().filter(|word| {
                !matches!(
                    *word,
                    "" | "pub" | "crate" | "super" | "self" | "in" | "unsafe"
                )
            });
            let is_type = match words.next()? {
                "struct" | "enum" | "trait" | "union" => true,
                "type" => !line.starts_with(' '),
                _ => false,
            };
            is_type.then(|| words.next()).flatten()
        });
        declared.collect()
    }

    /// The contents of its string literals.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        let quotes = self.bare.match_indices('"').map(|(place, _)| place);
        let quotes: Vec<usize> = quotes.collect();
        let pairs: Vec<(usize, usize)> = quotes
            .chunks_exact(2)
            .map(|pair| (pair[0] + 1, pair[1]))
            .collect();
        pairs.into_iter().map(|(start, end)| &self.code[start..end])
    }

    /// Whether its code holds a word, whole.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.bare
            .split(|character: char| !is_word(character))
            .any(|part| part == word)
    }
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Marks the files that a test module names (`#[cfg(test)] mod tests;`), and those below them.
fn mark_tests(sources: &mut [Source]) {
    let mut tests = BTreeSet::new();
    for source in sources.iter() {
        let Some(module) = source.module() else {
            continue;
        };
        let (_, bare) = lexed(&source.text);
        for (start, end) in test_items(&bare) {
            let item = String::from_utf8_lossy(&bare[start..end]).into_owned();
            let item = item.trim_end_matches(';').trim();
            if let Some((_, name)) = item.rsplit_once("mod ")
                && name.chars().all(is_word)
            {
                tests.insert([module.as_slice(), &[name.to_owned()]].concat());
            }
        }
    }
    for source in sources {
        if let Some(module) = source.module() {
            source.is_tests = (1..=module.len()).any(|length| tests.contains(&module[..length]));
        }
    }
}

fn blank(bytes: &mut [u8], start: usize, end: usize) {
    for byte in &mut bytes[start..end] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The text without comments, and the text without comments and the contents of literals; each as long as the text.
fn lexed(text: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut code, mut bare) = (bytes.to_vec(), bytes.to_vec());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let is_in_word = at > 0 && is_word_byte(bytes[at - 1]);
        let end = if rest.starts_with(b"//") {
            let end = at + line_length(rest);
            blank(&mut code, at, end);
            blank(&mut bare, at, end);
            end
        } else if rest.starts_with(b"/*") {
            let end = at + comment_length(rest);
            blank(&mut code, at, end);
            blank(&mut bare, at, end);
            end
        } else if let Some((open, length)) = (!is_in_word).then(|| raw_string(rest)).flatten() {
            blank(&mut bare, at + open, at + length - open + 1);
            at + length
        } else if rest[0] == b'"' {
            let length = quoted(rest, b'"');
            blank(&mut bare, at + 1, at + length - 1);
            at + length
        } else if rest[0] == b'\'' && is_character(rest) {
            let length = quoted(rest, b'\'');
            blank(&mut bare, at + 1, at + length - 1);
            at + length
        } else {
            at + 1
        };
        at = end;
    }
    (code, bare)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len())
}

/// A block comment; they nest.
fn comment_length(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The bytes before the content of a raw string that starts here, and the bytes of all of it.
fn raw_string(bytes: &[u8]) -> Option<(usize, usize)> {
    let prefix = [&b"br"[..], b"cr", b"r"]
        .into_iter()
        .find(|prefix| bytes.starts_with(prefix))?
        .len();
    let hashes = bytes[prefix..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = prefix + hashes + 1;
    if bytes.get(open - 1) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let length = bytes[open..]
        .windows(close.len())
        .position(|window| window == close)
        .map_or(bytes.len(), |content| open + content + close.len());
    Some((open, length))
}

/// A character and no lifetime: its closing quote follows one character or an escape.
fn is_character(bytes: &[u8]) -> bool {
    match bytes.get(1) {
        Some(b'\\') => true,
        Some(first) => {
            let width = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            bytes.get(1 + width) == Some(&b'\'')
        }
        None => false,
    }
}

/// The length of a literal with both its quotes.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// First and last byte of each item that only tests compile: its attribute, and all up to its closing brace or semicolon.
fn test_items(bare: &[u8]) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(found) = attribute(bare, at) {
        let (start, end, text) = found;
        at = end;
        if is_for_tests(&text) {
            at = item_end(bare, end);
            items.push((start, at));
        }
    }
    items
}

/// The next outer attribute from `from`: its first byte, the byte behind it, and its text without spaces.
fn attribute(bare: &[u8], from: usize) -> Option<(usize, usize, String)> {
    let start = from + bare[from..].windows(2).position(|two| two == b"#[")?;
    let end = closing(bare, start + 1);
    let text: String = String::from_utf8_lossy(&bare[start + 2..end - 1])
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    Some((start, end, text))
}

/// `test`, or a condition that cannot hold without it.
fn is_for_tests(attribute: &str) -> bool {
    attribute == "test"
        || attribute == "cfg(test)"
        || attribute.starts_with("cfg(all(test,")
        || (attribute.starts_with("cfg(all(") && attribute.contains(",test"))
}

/// The byte behind the bracket that closes the one at `open`.
fn closing(bare: &[u8], open: usize) -> usize {
    let mut depth = 0_i32;
    for (place, byte) in bare.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return place + 1;
                }
            }
            _ => {}
        }
    }
    bare.len()
}

/// The byte behind an item: behind its block, or the semicolon or comma that ends it.
fn item_end(bare: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bare.len() {
        match bare[at] {
            b'{' => {
                let end = closing(bare, at);
                // A `use` tree has braces and goes on to its semicolon.
                let rest = bare[end..].trim_ascii_start();
                if rest.starts_with(b";") {
                    return bare.len() - rest.len() + 1;
                }
                return end;
            }
            b'(' | b'[' => at = closing(bare, at),
            b';' | b',' => return at + 1,
            b'}' => return at,
            _ => at += 1,
        }
    }
    bare.len()
}
