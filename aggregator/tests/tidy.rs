//! The house rules for the aggregator, for the two workshops (`benches`, `testdata`), and between the rooms.

#[path = "tidy/rules.rs"]
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use rules::imports::Imports;
use rules::source::{Source, sources};
use rules::{LIBRARY_RULES, Rule, UnsafeEdge, check, check_imports, columns_spelled, is_module};
use teiten_aggregator::schema::TABLES;

const RULES: &[Rule] = &[
    Rule {
        reason: "the aggregator imports neither sensor nor reports",
        applies: |_| true,
        words: &["teiten_sensor", "teiten_reports"],
    },
    Rule {
        reason: "the open hour touches no file, clock, lock or log",
        applies: |path| {
            is_module(
                path,
                &[
                    "window",
                    "table",
                    "minute",
                    "destinations",
                    "sketch",
                    "observation",
                    "payload_table",
                    "reply_table",
                ],
            )
        },
        words: &[
            "std::fs",
            "File",
            "SystemTime",
            "Instant",
            "Mutex",
            "RwLock",
            "log::",
            "tracing",
        ],
    },
];

#[test]
fn the_aggregator_keeps_the_house_rules() {
    check(
        env!("CARGO_MANIFEST_DIR"),
        &[LIBRARY_RULES, RULES],
        &[UnsafeEdge(
            "prefetch.rs",
            "the processor's request to bring memory near has no safe form in the standard library",
        )],
    );
}

#[test]
fn the_aggregator_imports_in_no_circle() {
    check_imports(env!("CARGO_MANIFEST_DIR"), &[]);
}

/// The circles among files of these paths and texts, each as the imports that lead round.
fn circles(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new(format!("src/{path}.rs"), (*text).to_owned()))
        .collect();
    Imports::read(&sources).circles()
}

#[test]
fn a_planted_circle_is_found() {
    for (parent, way, files) in [
        (
            "crate",
            "a → b; b → a",
            &[
                ("lib", "mod a; mod b;"),
                ("a", "use crate::b::B; pub struct A(B);"),
                ("b", "pub struct B; fn f(_: super::a::A) {}"),
            ][..],
        ),
        (
            "crate",
            "a → b::inner; b::inner → c; c → a",
            &[
                ("lib", "mod a; mod b; mod c;"),
                ("a", "use crate::b::B;"),
                ("b", "mod inner; pub use inner::B;"),
                ("b/inner", "use crate::{c::{self, C}}; pub struct B;"),
                ("c", "pub use crate::a::A; pub struct C;"),
            ],
        ),
        (
            "crate::m",
            "m::x → m::y; m::y → m::x",
            &[
                ("lib", "mod m;"),
                ("m", "mod x; mod y;"),
                ("m/x", "use super::y::Y;"),
                ("m/y", "pub struct Y; fn f() { super::x::g() }"),
            ],
        ),
    ] {
        assert_eq!(circles(files), [(parent.to_owned(), way.to_owned())]);
    }
}

#[test]
fn what_tests_import_and_what_a_module_shares_with_its_parent_is_no_circle() {
    let none = circles(&[
        ("lib", "mod a; mod b; mod m;"),
        ("a", "use crate::b::B; // use crate::m::M;"),
        (
            "b",
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
        ),
        ("m", "mod x; pub use x::X; pub struct M;"),
        (
            "m/x",
            "pub struct X(super::M); const TEXT: &str = \"crate::a::A\";",
        ),
    ]);
    assert_eq!(none, []);
}

#[test]
fn the_workshops_keep_the_rules_of_every_file() {
    let folder = |workshop: &str| format!("{}/../{workshop}", env!("CARGO_MANIFEST_DIR"));
    check(
        &folder("benches"),
        &[],
        &[
            UnsafeEdge("usage.rs", "getrusage and wait4 of the C library"),
            UnsafeEdge("send.rs", "a packet socket and its ring of frames"),
        ],
    );
    check(&folder("testdata"), &[], &[]);
    check_imports(&folder("benches"), &[]);
    check_imports(&folder("testdata"), &[]);
}

/// Column names that are also everyday words of the code (JSON keys, flags) and so prove nothing.
const EVERYDAY: &[&str] = &[
    "malformed",
    "asn",
    "sensor",
    "class",
    "tool",
    "port",
    "start",
    "end",
    "size",
    "bytes",
    "packets",
    "seconds",
    "sources",
    "actor",
    "country",
];

#[test]
fn columns_are_spelled_in_the_schema_alone() {
    let columns = TABLES.iter().flat_map(|table| table.columns);
    let names: Vec<&str> = columns
        .map(|column| column.name)
        .filter(|name| !EVERYDAY.contains(name))
        .collect();
    let mut broken = Vec::new();
    for source in sources(Path::new(env!("CARGO_MANIFEST_DIR")), "src") {
        let path = source.path.strip_prefix("src/").unwrap_or_default();
        // The table `coverage` takes the names of its counters from their rows in `counter`.
        if source.is_tests || is_module(path, &["schema", "counter"]) {
            continue;
        }
        for name in columns_spelled(&source, &names, false) {
            broken.push(format!("{}: {name}: take it from schema.rs", source.path));
        }
    }
    assert!(broken.is_empty(), "columns:\n{}", broken.join("\n"));
}

/// The crates that are shipped.
const PRODUCTS: &[&str] = &[
    "aggregator",
    "aggregator/observation",
    "sensor",
    "sensor/packet",
    "reports",
];

/// Type names that each program may have, and why.
const NAMES_OF_EACH_PROGRAM: &[(&str, &str)] = &[
    ("CommandLine", "clap shows the flags of one program"),
    ("Command", "clap shows the commands of one program"),
    (
        "OptionsError",
        "each program says itself what is wrong with its flags",
    ),
];

/// The names that more than one type has, each with the files of these types.
fn shared_names(sources: &[Source]) -> BTreeMap<&str, Vec<&str>> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_tests) {
        for name in source.types() {
            files.entry(name).or_default().push(&source.path);
        }
    }
    files.retain(|_, files| files.len() > 1);
    files
}

#[test]
fn one_name_is_one_type() {
    let mut products = Vec::new();
    for product in PRODUCTS {
        let folder = format!("{}/../{product}", env!("CARGO_MANIFEST_DIR"));
        for mut source in sources(Path::new(&folder), "src") {
            source.path = format!("{product}/{}", source.path);
            products.push(source);
        }
    }
    let mut shared = shared_names(&products);
    for (name, reason) in NAMES_OF_EACH_PROGRAM {
        assert!(
            shared.remove(name).is_some(),
            "{name} is one type now ({reason}): strike it from the list"
        );
    }
    let shared: Vec<String> = shared
        .iter()
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert!(
        shared.is_empty(),
        "one name, one type:\n{}",
        shared.join("\n")
    );
}

#[test]
fn a_second_type_of_one_name_is_found() {
    let source = |path: &str, text: &str| Source::new(path.to_owned(), text.to_owned());
    let files = [
        source("a.rs", "pub(crate) struct Sums<T>(T);\nenum Once {}"),
        source(
            "b.rs",
            "type Sums = u8;\nimpl T for U {\n    type Once = u8;\n}",
        ),
        source(
            "c.rs",
            "use sums::Once; // struct Once;\n#[cfg(test)]\nstruct Once;",
        ),
    ];
    let expected = BTreeMap::from([("Sums", vec!["a.rs", "b.rs"])]);
    assert_eq!(shared_names(&files), expected);
}

#[test]
fn the_rooms_import_one_way_in_their_manifests_too() {
    for (room, never) in [
        ("aggregator", ["teiten-sensor", "teiten-reports"]),
        ("sensor", ["teiten-reports", "teiten-testdata"]),
        ("reports", ["teiten-sensor", "teiten-testdata"]),
    ] {
        let path = format!("{}/../{room}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(path).expect("every room has a manifest");
        // Dependencies of tests are not shipped.
        let shipped = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        for name in never {
            assert!(
                !shipped.lines().any(|line| line.starts_with(name)),
                "{room} depends on {name}"
            );
        }
    }
}
