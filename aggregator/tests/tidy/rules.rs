//! The house rules that a program can check, shared by the `tidy.rs` of every crate through `#[path]`. What needs a parser of Rust stays
//! with the reviewers.

// Each crate's test uses a part of this.
#![allow(dead_code)]

#[path = "imports.rs"]
pub(crate) mod imports;
#[path = "source.rs"]
pub(crate) mod source;

use std::path::Path;

use imports::Imports;
use source::{Source, is_word, sources};

/// Words that a file's code must not hold. Comments, and what only tests compile, may hold them.
pub(crate) struct Rule {
    /// Why, for the message.
    pub reason: &'static str,
    /// Which files, by their path below `src/`.
    pub applies: fn(&str) -> bool,
    /// The words.
    pub words: &'static [&'static str],
}

/// A file that may hold `unsafe`, by its path below `src/`, and why it must.
pub(crate) struct UnsafeEdge(pub &'static str, pub &'static str);

/// A top-level module that must not import another.
pub(crate) struct Arrow {
    pub from: &'static str,
    pub to: &'static str,
    pub reason: &'static str,
}

/// Rules of every crate's library; a program's `main.rs`, `program.rs` and the files in `program/` may print and exit.
pub(crate) const LIBRARY_RULES: &[Rule] = &[Rule {
    reason: "libraries never print, exit or use anyhow",
    applies: |path| !["main.rs", "program.rs"].contains(&path) && !path.starts_with("program/"),
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

/// Whether a path below `src/` is one of these modules or in its folder.
pub(crate) fn is_module(path: &str, names: &[&str]) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    names.contains(&top.strip_suffix(".rs").unwrap_or(top))
}

/// Checks a crate: the rules of every file in `src` and `tests`, `rules` in `src`, `unsafe` in `edges` alone.
///
/// # Panics
/// With every broken rule, one a line.
pub(crate) fn check(crate_folder: &str, rules: &[&[Rule]], edges: &[UnsafeEdge]) {
    let folder = Path::new(crate_folder);
    let mut broken = Vec::new();
    let (library, tests) = (sources(folder, "src"), sources(folder, "tests"));
    for source in library.iter().chain(&tests) {
        every_file(source, &mut |reason| {
            broken.push(format!("{}: {reason}", source.path));
        });
    }
    for source in library.iter().filter(|source| !source.is_tests) {
        let path = source.path.strip_prefix("src/").unwrap_or_default();
        for rule in rules.iter().copied().flatten() {
            if !(rule.applies)(path) {
                continue;
            }
            for word in rule
                .words
                .iter()
                .filter(|word| source.code.contains(**word))
            {
                broken.push(format!("{}: `{word}`: {}", source.path, rule.reason));
            }
        }
        let is_edge = edges.iter().any(|edge| edge.0 == path);
        if source.has_word("unsafe") != is_edge {
            let problem = if is_edge { "has none" } else { "is no edge" };
            broken.push(format!("{}: `unsafe`: the file {problem}", source.path));
        }
    }
    for UnsafeEdge(path, reason) in edges {
        assert!(!reason.is_empty(), "{path}: an edge has a reason");
        if !library
            .iter()
            .any(|source| source.path == format!("src/{path}"))
        {
            broken.push(format!("src/{path}: an edge of `unsafe` that is no file"));
        }
    }
    assert!(broken.is_empty(), "house rules:\n{}", broken.join("\n"));
}

/// Checks that no modules of a crate import each other in a circle, at any depth, and that no import goes against an arrow.
///
/// # Panics
/// With every circle and every such import, one a line.
pub(crate) fn check_imports(crate_folder: &str, arrows: &[Arrow]) {
    let imports = Imports::read(&sources(Path::new(crate_folder), "src"));
    let mut broken = Vec::new();
    for (parent, circle) in imports.circles() {
        broken.push(format!("{parent}: {circle}"));
    }
    for arrow in arrows {
        for name in [arrow.from, arrow.to] {
            let is_known = imports.top_level().contains(name);
            assert!(is_known, "{name} is no top-level module of this crate");
        }
        for import in imports.between(arrow.from, arrow.to) {
            broken.push(format!("{import}: {}", arrow.reason));
        }
    }
    assert!(broken.is_empty(), "imports:\n{}", broken.join("\n"));
}

fn every_file(source: &Source, note: &mut impl FnMut(String)) {
    if !source.text.starts_with("//!") {
        note("a file opens with a `//!` paragraph".into());
    }
    for word in UNFINISHED
        .iter()
        .chain(MACHINE_PATHS)
        .filter(|word| source.text.contains(**word))
    {
        note(format!("`{word}`"));
    }
}

/// The columns that a file spells as whole texts and, with `in_sql`, those with an underscore (so no words of English) inside longer texts.
pub(crate) fn columns_spelled<'n>(
    source: &Source,
    names: &[&'n str],
    in_sql: bool,
) -> Vec<&'n str> {
    let is_spelled = |name: &&&str| {
        source.literals().any(|text| {
            let mut words = text.split(|character| !is_word(character));
            text == **name || (in_sql && name.contains('_') && words.any(|word| word == **name))
        })
    };
    names.iter().filter(is_spelled).copied().collect()
}
