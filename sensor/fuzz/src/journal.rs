//! Any bytes as each file of a journal in turn: the first byte says of which.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

use teiten_aggregator::journal::Journal;

const RUN: &[u8] = b"{\"sensor\":\"a\",\"run\":\"b\",\"configuration_sha256\":\"c\"}";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let (run, rows, account): (&[u8], &[u8], &[u8]) = match which % 3 {
        0 => (bytes, b"", b""),
        1 => (RUN, bytes, b""),
        _ => (RUN, b"", bytes),
    };
    let folder = ".teiten/journal/a-b";
    scratch::file(&format!("{folder}/run.json"), run);
    scratch::file(&format!("{folder}/1.rows"), rows);
    scratch::file(&format!("{folder}/1.account"), account);
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
