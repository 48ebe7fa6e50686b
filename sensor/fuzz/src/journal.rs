//! Any bytes as a file of a journal; the first byte chooses which. The file gets the name that its header requires, so that the bytes after the
//! header are read too.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

use std::fs;
use std::sync::LazyLock;

use teiten_aggregator::journal::{About, Journal};
use teiten_aggregator::store::PartName;

/// What a journal says of its run.
static RUN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let name = PartName::new("a", "b").expect("a name");
    let about = About {
        configuration_sha256: "c".to_owned(),
        addresses: None,
    };
    let folder = scratch::folder().join("model");
    let _ = fs::remove_dir_all(&folder);
    Journal::begin(&folder, &name, &about).expect("a folder in memory");
    fs::read(folder.join(".teiten/journal/a-b/run.json")).expect("the file of the run")
});

/// A number of a file's head.
fn number<const BYTES: usize>(bytes: &[u8], from: usize) -> [u8; BYTES] {
    let field = bytes.get(from..).and_then(|rest| rest.first_chunk());
    field.copied().unwrap_or([0; BYTES])
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let folder = scratch::folder().join(".teiten");
    let _ = fs::remove_dir_all(&folder);
    let hour = i64::from_le_bytes(number(bytes, 12));
    let part = u32::from_le_bytes(number(bytes, 20));
    let entry = u64::from_le_bytes(number(bytes, 28));
    let file = |name: &str, bytes: &[u8]| {
        scratch::file(&format!(".teiten/journal/a-b/{name}"), bytes);
    };
    match which % 3 {
        0 => file("run.json", bytes),
        1 => {
            file("run.json", &RUN);
            file(&format!("{hour}-{part}-{entry}.rows"), bytes);
        }
        _ => {
            file("run.json", &RUN);
            file(&format!("{hour}.account"), bytes);
        }
    }
    let Ok((journals, _damaged)) = Journal::abandoned(scratch::folder(), "a") else {
        return;
    };
    for mut journal in journals {
        let Ok(contents) = journal.load() else {
            continue;
        };
        for entry in contents.entries {
            let _ = entry.runs();
            let _ = entry.payloads(&mut Default::default());
        }
    }
});
