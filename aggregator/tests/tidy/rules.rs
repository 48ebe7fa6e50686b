//! The house rules that a program can check, shared by the `tidy.rs` of every crate through `#[path]`. It reads sources as text:
//! what needs a parser stays with the reviewers.

use std::path::{Path, PathBuf};

/// Most lines of a file.
const LINES_MAX: usize = 500;

/// Words that a file's code must not hold: comments and the tests at the file's foot are left out.
pub struct Rule {
    /// Why, for the message.
    pub reason: &'static str,
    /// Which files, by their path below `src/`.
    pub applies: fn(&str) -> bool,
    /// The words.
    pub words: &'static [&'static str],
}

/// Rules of every crate's library; programs' `main.rs` and what lies in `main/` may print and exit.
pub const LIBRARY_RULES: &[Rule] = &[Rule {
    reason: "libraries never print, exit or use anyhow",
    applies: |path| path != "main.rs" && !path.starts_with("main/"),
    words: &[
        "println!",
        "print!(",
        "eprint!(",
        "process::exit",
        "anyhow",
        "dbg!",
    ],
}];

/// Marks of unfinished work, split so that this file does not hold them.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
];

/// Checks a crate: the rules of every file in `src` and `tests`, `rules` in `src`, `unsafe` in `edges` alone.
///
/// # Panics
/// With every broken rule, one a line.
pub fn check(crate_folder: &str, rules: &[&[Rule]], edges: &[&str]) {
    let folder = Path::new(crate_folder);
    let mut broken = Vec::new();
    let both = ["src", "tests"].map(|inner| rust_files(&folder.join(inner)));
    for file in both.concat() {
        let text = std::fs::read_to_string(&file).expect("a source file is UTF-8 text");
        let path = file
            .strip_prefix(folder)
            .expect("a file of the crate")
            .to_string_lossy()
            .into_owned();
        let mut note = |reason: String| broken.push(format!("{path}: {reason}"));
        every_file(&text, &mut note);
        // A file of tests alone (`tests.rs`, `tests_support.rs`) may do what tests do.
        let is_tests = file
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().contains("tests"));
        if let Some(inner) = path.strip_prefix("src/").filter(|_| !is_tests) {
            if !edges.contains(&inner) && code(&text).any(|line| has_word(line, "unsafe")) {
                note(format!("`unsafe` stands only in {edges:?}"));
            }
            for rule in rules
                .iter()
                .copied()
                .flatten()
                .filter(|rule| (rule.applies)(inner))
            {
                for word in rule
                    .words
                    .iter()
                    .filter(|word| code(&text).any(|line| line.contains(**word)))
                {
                    note(format!("`{word}`: {}", rule.reason));
                }
            }
        }
    }
    assert!(broken.is_empty(), "house rules:\n{}", broken.join("\n"));
}

fn every_file(text: &str, note: &mut impl FnMut(String)) {
    if !text.starts_with("//!") {
        note("a file opens with a `//!` paragraph".into());
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        note(format!("{lines} lines, {LINES_MAX} at most"));
    }
    for word in UNFINISHED
        .iter()
        .chain(MACHINE_PATHS)
        .filter(|word| text.contains(**word))
    {
        note(format!("`{word}`"));
    }
    for name in test_names(text).filter(|name| name.matches('_').count() < 2) {
        note(format!("the test `{name}` is no sentence"));
    }
}

/// The lines of code above the tests, comments cut off.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|character: char| !character.is_alphanumeric() && character != '_')
        .any(|part| part == word)
}

fn test_names(text: &str) -> impl Iterator<Item = &str> {
    let after_attribute = text.split(concat!("#[te", "st]")).skip(1);
    after_attribute.filter_map(|rest| rest.split_once("fn ")?.1.split('(').next())
}

/// The Rust files below a folder, in order.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
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
