//! What the files of a crate import from each other, and whether they do so in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// A module's path within the crate; the root is empty.
type Path = Vec<String>;

/// For each file of a crate the files that it names by a path; re-exports are followed to the file of an item.
pub(crate) struct Imports {
    edges: BTreeMap<Path, BTreeSet<Path>>,
}

impl Imports {
    /// Reads the imports of a crate's `src` files; those of tests do not count.
    pub(crate) fn read(sources: &[Source]) -> Imports {
        let files: BTreeMap<Path, &Source> = sources
            .iter()
            .filter(|source| !source.is_tests && !is_program(&source.path))
            .filter_map(|source| Some((source.module()?, source)))
            .collect();
        let used: BTreeMap<&Path, Vec<Path>> = files
            .iter()
            .map(|(module, source)| (module, paths(&source.bare)))
            .collect();
        let mut edges = BTreeMap::new();
        for (module, paths) in &used {
            let named = paths
                .iter()
                .filter_map(|path| absolute(module, path, &files))
                .map(|path| home(&path, &files, &used, 8))
                .filter(|home| home != *module);
            edges.insert((*module).clone(), named.collect());
        }
        Imports { edges }
    }

    /// The circles among the children of each module: the parent and the imports that lead round. What a child takes from
    /// its parent and the parent from its child is one concept and no circle.
    pub(crate) fn circles(&self) -> Vec<(String, String)> {
        let parents: BTreeSet<&[String]> = self
            .edges
            .keys()
            .filter_map(|module| module.split_last())
            .map(|(_, parent)| parent)
            .collect();
        let mut found = Vec::new();
        for parent in parents {
            let graph = self.among_children(parent);
            for circle in circles(&graph) {
                let parent_name = [&["crate".to_owned()], parent].concat().join("::");
                let steps: Vec<String> = circle
                    .iter()
                    .zip(circle.iter().cycle().skip(1))
                    .map(|(from, to)| self.example(parent, from, to))
                    .collect();
                found.push((parent_name, steps.join("; ")));
            }
        }
        found
    }

    /// Imports from the top-level module `from` of `to`, with the files.
    pub(crate) fn between(&self, from: &str, to: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (file, named) in &self.edges {
            for target in named {
                if file.first().is_some_and(|name| name == from)
                    && target.first().is_some_and(|name| name == to)
                {
                    found.push(format!("{} → {}", file.join("::"), target.join("::")));
                }
            }
        }
        found
    }

    /// The names of the top-level modules.
    pub(crate) fn top_level(&self) -> BTreeSet<&str> {
        let names = self.edges.keys().filter_map(|module| module.first());
        names.map(String::as_str).collect()
    }

    fn among_children(&self, parent: &[String]) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (file, named) in &self.edges {
            let Some(from) = child(parent, file) else {
                continue;
            };
            let targets = named.iter().filter_map(|target| child(parent, target));
            let others = targets.filter(|to| *to != from);
            graph.entry(from).or_default().extend(others);
        }
        graph
    }

    fn example(&self, parent: &[String], from: &str, to: &str) -> String {
        for (file, named) in &self.edges {
            for target in named {
                if child(parent, file) == Some(from) && child(parent, target) == Some(to) {
                    return format!("{} → {}", file.join("::"), target.join("::"));
                }
            }
        }
        format!("{from} → {to}")
    }
}

/// A program beside the library is another crate.
fn is_program(path: &str) -> bool {
    path == "src/main.rs"
}

/// The child of `parent` that holds a module, or is it.
fn child<'m>(parent: &[String], module: &'m [String]) -> Option<&'m str> {
    module
        .strip_prefix(parent)?
        .first()
        .map(|name| name.as_str())
}

/// Sets of names that reach each other, each as a shortest way round.
fn circles<'g>(graph: &BTreeMap<&'g str, BTreeSet<&'g str>>) -> Vec<Vec<&'g str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    for start in graph.keys() {
        if found.iter().any(|circle| circle.contains(start)) {
            continue;
        }
        found.extend(way_round(graph, start));
    }
    found
}

fn way_round<'g>(
    graph: &BTreeMap<&'g str, BTreeSet<&'g str>>,
    start: &'g str,
) -> Option<Vec<&'g str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in graph.get(way[way.len() - 1]).into_iter().flatten() {
                if *next == start {
                    return Some(way);
                }
                if seen.insert(*next) {
                    longer.push([way.as_slice(), &[*next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

/// The module of the item at an absolute path: the longest part that is a file, and if that file only re-exports the next name, the file
/// that it imports it from.
fn home(
    path: &Path,
    files: &BTreeMap<Path, &Source>,
    used: &BTreeMap<&Path, Vec<Path>>,
    steps: usize,
) -> Path {
    let longest = (0..=path.len())
        .rev()
        .find(|length| files.contains_key(&path[..*length]))
        .unwrap_or(0);
    let module = path[..longest].to_vec();
    let Some(name) = path.get(longest).filter(|_| steps > 0) else {
        return module;
    };
    let passed = used.get(&module).into_iter().flatten().find(|one| {
        one.len() > 1 && one.last() == Some(name) && !matches!(one[0].as_str(), "std" | "core")
    });
    match passed.and_then(|path| absolute(&module, path, files)) {
        Some(path) if path != [module.as_slice(), std::slice::from_ref(name)].concat() => {
            home(&path, files, used, steps - 1)
        }
        _ => module,
    }
}

/// A path from the crate's root, where it leads into the crate.
fn absolute(module: &Path, path: &Path, files: &BTreeMap<Path, &Source>) -> Option<Path> {
    let mut base: Path = module.clone();
    let mut rest = path.as_slice();
    match rest.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        first => {
            // A child of this module, or a name from elsewhere.
            let child = [module.as_slice(), &[first.to_owned()]].concat();
            if !files.contains_key(&child) {
                return None;
            }
        }
    }
    Some([base.as_slice(), rest].concat())
}

/// Every path in a file: those of its `use` trees, one for each leaf, and those written in its code.
fn paths(bare: &str) -> Vec<Path> {
    let mut found = Vec::new();
    let tokens = tokens(bare);
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1) != Some(&"<") {
            at = use_tree(&tokens, at + 1, &mut Vec::new(), &mut found);
        } else if is_name(tokens[at]) && tokens.get(at + 1) == Some(&"::") {
            let mut path = vec![tokens[at].to_owned()];
            at += 1;
            while tokens.get(at) == Some(&"::")
                && tokens.get(at + 1).is_some_and(|name| is_name(name))
            {
                path.push(tokens[at + 1].to_owned());
                at += 2;
            }
            at = at.max(1);
            if tokens.get(at) == Some(&"::") {
                at += 1;
            }
            found.push(path);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one tree of a `use`, and returns the token after it.
fn use_tree(tokens: &[&str], mut at: usize, prefix: &mut Path, found: &mut Vec<Path>) -> usize {
    let depth = prefix.len();
    while let Some(token) = tokens.get(at) {
        match *token {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = use_tree(tokens, at, prefix, found);
                    if tokens.get(at) == Some(&",") {
                        at += 1;
                    }
                }
                prefix.truncate(depth);
                return at + 1;
            }
            "*" => {
                found.push(prefix.clone());
                prefix.truncate(depth);
                return at + 1;
            }
            "::" => at += 1,
            "as" => at += 2,
            name if is_name(name) => {
                if name != "self" || prefix.is_empty() {
                    prefix.push(name.to_owned());
                }
                at += 1;
                if tokens.get(at) != Some(&"::") {
                    found.push(prefix.clone());
                    prefix.truncate(depth);
                    if tokens.get(at) == Some(&"as") {
                        at += 2;
                    }
                    return at;
                }
            }
            _ => return at + 1,
        }
    }
    at
}

fn is_name(token: &str) -> bool {
    token
        .chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single other characters.
fn tokens(bare: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = bare.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|character: char| !character.is_alphanumeric() && character != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}
