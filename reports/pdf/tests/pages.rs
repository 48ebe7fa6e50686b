//! Pages of a small report with real drawings: they conform, they hold what the report says as text, and what is missing is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A drawing of a report, reviewed with its tests.
const DRAWING: &str = include_str!("../../tests/golden/ports.ja.svg");
/// Words that would be markup if they were read as such.
const HOSTILE: &str = "#panic(\"read\") *bold* $x$ <label> @label `code` [content] \\u{1f}";

fn figure(number: usize, chart: bool, table: bool) -> Value {
    let drawn = json!({"file": "figures/ports.ja.svg", "alternative": format!("Ports: {HOSTILE}")});
    let columns = json!([{"label": "Port", "number": false}, {"label": "Packets", "number": true}]);
    let rows: Vec<Value> = (0..90)
        .map(|row| json!([format!("{row}/TCP {HOSTILE}"), "1,234"]))
        .collect();
    json!({
        "name": format!("f{number}"),
        "number": number,
        "title": format!("Figure about 23/TCP {HOSTILE}"),
        "caption": HOSTILE,
        "empty": if chart || table { Value::Null } else { json!(HOSTILE) },
        "chart": chart.then_some(&drawn),
        "cards": if chart { json!([{"title": HOSTILE, "drawing": drawn, "lines": [HOSTILE]}]) } else { json!([]) },
        "table": if table { json!({"columns": columns, "rows": rows, "cut": HOSTILE}) } else { Value::Null },
        "notes": [HOSTILE, "第2の注記。"],
    })
}

fn report(language: &str) -> Value {
    json!({
        "as_of": {"year": 2026, "month": 11, "day": 6, "hour": 0, "minute": 0, "second": 0},
        "language": language,
        "title": format!("観測レポート {HOSTILE}"),
        "period": "2026年11月",
        "organisation": HOSTILE,
        "made_by": "Teiten",
        "words": {"contents": "目次", "figure": "図", "key_numbers": "主要な数値"},
        "facts": [["センサー", HOSTILE]],
        "notice": {"title": "注意", "warns": true, "lines": [HOSTILE]},
        "summary": ["1アドレス1日あたり6,850パケットを観測した。", HOSTILE],
        "numbers": [{"label": HOSTILE, "value": "6,850", "note": HOSTILE}, {"label": "IPv6", "value": "0.0%", "note": ""}],
        "sections": [
            {"name": "overview", "title": "概況", "note": format!("# {HOSTILE}\n\n- {HOSTILE}\n- 項目\n\n段落"), "figures": [figure(1, true, false), figure(2, false, false)]},
            {"name": "ports", "title": HOSTILE, "note": null, "figures": [figure(3, false, true)]},
        ],
        "definitions": {
            "title": "定義", "caveats_title": "注意事項", "caveats": [HOSTILE],
            "blocks": [{"title": "分類", "terms": [["スキャン", HOSTILE]]}],
            "accounting_title": "収支", "accounting": [["受信", "10"]], "accounting_note": HOSTILE,
            "provenance_title": "出所", "provenance": [HOSTILE],
        },
    })
}

fn folder(language: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("figures")).unwrap();
    fs::write(folder.path().join("figures/ports.ja.svg"), DRAWING).unwrap();
    let path = folder.path().join(format!("report.{language}.json"));
    fs::write(path, report(language).to_string()).unwrap();
    folder
}

fn program(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teiten-pdf"));
    command.arg(folder).args(more).output().unwrap()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn pages_conform_and_are_the_same_again() {
    let folder = folder("ja");
    let made = |name: &str| -> Vec<u8> {
        let output = program(folder.path(), &[]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{name}: {errors}");
        let path = String::from_utf8(output.stdout).unwrap();
        assert!(path.trim_end().ends_with("report.ja.pdf"), "{path}");
        fs::read(PathBuf::from(path.trim_end())).unwrap()
    };
    let (first, second) = (made("first"), made("second"));
    assert!(first == second, "two runs differ");
    assert!(first.starts_with(b"%PDF-1.7"));
    // The metadata is not compressed: it claims what the typesetter has enforced.
    for claim in ["pdfaid:part>2<", "pdfaid:conformance>B<", "pdfuaid:part>1<"] {
        assert!(has(&first, claim), "{claim}");
    }
}

#[test]
fn a_missing_drawing_font_or_report_is_named() {
    let check = |folder: &Path, more: &[&str], message: &str| {
        let output = program(folder, more);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(message), "{errors}");
        assert!(!folder.join("report.en.pdf").exists());
    };
    let folder = folder("en");
    let empty = tempfile::tempdir().unwrap();
    let no_fonts = empty.path().to_str().unwrap();
    check(
        folder.path(),
        &["--fonts", no_fonts],
        "apt-get install fonts-noto-cjk",
    );
    check(folder.path(), &["--language", "ja"], "report.ja.json");
    check(empty.path(), &[], "teiten-report build");
    fs::remove_file(folder.path().join("figures/ports.ja.svg")).unwrap();
    check(folder.path(), &[], "ports.ja.svg");
}

#[test]
fn a_report_cannot_read_outside_its_folder() {
    let folder = folder("en");
    let mut report = report("en");
    report["sections"][0]["figures"][0]["chart"]["file"] = json!("../../../../etc/passwd");
    let path = folder.path().join("report.en.json");
    fs::write(path, report.to_string()).unwrap();
    let output = program(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("cannot be set"), "{errors}");
}
