//! The whole line of a report on a small dataset written here: what the answer holds, what figures and files say of gaps and loss, and
//! how the program ends. Golden files are rewritten with `TEITEN_REWRITE=1 cargo test -p teiten-reports --test report`.

use crate::small;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jiff::tz::TimeZone;
use teiten_reports::figure::{self, FIGURES};
use teiten_reports::period::ReportPeriod;
use teiten_reports::query::{self, Answer, Question};
use teiten_reports::render::csv;
use teiten_reports::series::CoverageState;
use teiten_reports::table::Cell;
use teiten_reports::text::Language;

use small::{HOUR_PACKETS, dataset, write_coverage, write_traffic};

fn question(folder: &Path, period: &str, workers: usize) -> Question {
    let period = ReportPeriod::parse(period, &TimeZone::UTC).unwrap();
    Question {
        data: folder.to_owned(),
        period,
        sensors: Vec::new(),
        workers,
        as_of_us: i64::MAX,
        compare: false,
        uses_rolled_up: true,
    }
}

fn answer() -> Answer {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    query::ask(&question(folder.path(), "2026-11-05T00..2026-11-05T05", 2)).unwrap()
}

#[test]
fn the_answer_counts_what_was_written_and_knows_what_was_not() {
    let answer = answer();
    assert_eq!(answer.packets(), 3 * HOUR_PACKETS);
    assert_eq!(answer.bytes(), 3 * HOUR_PACKETS * 60);
    let states: Vec<CoverageState> = answer.hours.iter().map(|hour| hour.state).collect();
    assert_eq!(
        states,
        [
            CoverageState::Complete,
            CoverageState::Missing,
            CoverageState::Lossy,
            CoverageState::Partial,
            CoverageState::Missing,
            CoverageState::Missing
        ]
    );
    assert_eq!(answer.accounting().received, 3 * (HOUR_PACKETS + 3));
    assert_eq!(answer.accounting().dropped_kernel, 7);
    let address_hours = answer.address_hours().unwrap();
    assert!((address_hours - 256.0 * (2.0 + 1.0 / 3.0)).abs() < 1e-9);
    // The same sources every hour: a union, not a sum.
    assert_eq!(
        answer
            .group(query::SourceGroup::Host)
            .sources
            .estimate()
            .round(),
        58.0
    );
    assert_eq!(
        answer
            .group(query::SourceGroup::Victim)
            .sources
            .estimate()
            .round(),
        2.0
    );
    assert!(!answer.is_complete());
}

#[test]
fn any_number_of_workers_gives_the_same_answer() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let numbers = |workers: usize| -> Vec<String> {
        let answer = query::ask(&question(folder.path(), "2026-11-05", workers)).unwrap();
        FIGURES
            .iter()
            .map(|figure| csv::render(&figure.drawn(&answer, Language::En, None).table))
            .collect()
    };
    assert_eq!(numbers(1), numbers(3));
}

#[test]
fn two_sensors_in_an_hour_add_up_and_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    write_traffic(folder.path(), 0, "osaka");
    write_coverage(folder.path(), 0, "osaka", 60, 0);
    let mut question = question(folder.path(), "2026-11-05T00", 2);
    let both = query::ask(&question).unwrap();
    assert_eq!(
        (both.packets(), both.sensors.len(), both.is_complete()),
        (2 * HOUR_PACKETS, 2, true)
    );
    question.sensors = vec!["osaka".to_owned()];
    assert_eq!(query::ask(&question).unwrap().packets(), HOUR_PACKETS);
    question.sensors = vec!["nara".to_owned()];
    let message = query::ask(&question).unwrap_err().to_string();
    assert!(
        message.contains("osaka, tokyo") && message.contains("--sensor"),
        "{message}"
    );
}

#[test]
fn a_gap_never_becomes_a_zero_and_classes_add_up_to_the_total() {
    let drawn = figure::find("packets")
        .unwrap()
        .drawn(&answer(), Language::En, None);
    let place = |name: &str| {
        drawn
            .table
            .columns
            .iter()
            .position(|column| column.csv == name)
            .unwrap()
    };
    let (total, first_class) = (place("total_packets"), place("scan_packets"));
    for (hour, row) in drawn.table.rows.iter().enumerate() {
        let classes = &row[first_class..first_class + 8];
        if matches!(hour, 1 | 4 | 5) {
            assert!(
                classes
                    .iter()
                    .chain([&row[total]])
                    .all(|cell| *cell == Cell::Gap),
                "hour {hour}"
            );
        } else {
            let sum: i64 = classes
                .iter()
                .map(|cell| {
                    if let Cell::Count(count) = cell {
                        *count
                    } else {
                        panic!("a gap in hour {hour}")
                    }
                })
                .sum();
            assert_eq!(row[total], Cell::Count(sum));
        }
    }
    let notes = drawn.notes.join(" ");
    assert!(
        notes.contains("Missing hours in the period: 3")
            && notes.contains("Hours with loss: 1")
            && notes.contains("Hours observed in part: 1"),
        "{notes}"
    );
}

#[test]
fn every_figure_says_that_it_uses_lossy_hours() {
    let answer = answer();
    for figure in FIGURES {
        for language in Language::ALL {
            let drawn = figure.drawn(&answer, language, Some("JP"));
            let word = if language == Language::En {
                "loss"
            } else {
                "損失"
            };
            assert!(
                drawn.notes.iter().any(|note| note.contains(word)),
                "{}",
                figure.name
            );
        }
    }
}

#[test]
fn without_a_rollup_the_page_names_the_command() {
    let answer = answer();
    for name in [
        "attack-numbers",
        "attack-times",
        "attack-events",
        "campaigns",
        "infected-campaigns",
        "novelties",
        "scans",
    ] {
        for language in Language::ALL {
            let drawn = figure::find(name).unwrap().drawn(&answer, language, None);
            let reason = drawn.empty.expect(name);
            assert!(reason.contains("teiten-aggregator rollup"), "{reason}");
        }
    }
}

#[test]
fn no_two_elements_of_a_page_share_an_anchor() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let (data, out) = (folder.path().to_str().unwrap(), folder.path().join("out"));
    let period = ["--period", "2026-11-05", "--language", "en", "--no-png"];
    let build = ["build", "--data", data, "--out", out.to_str().unwrap()];
    program(&[&build[..], &period[..]].concat());
    let page = fs::read_to_string(out.join("2026-11-05/report.en.html")).unwrap();
    let mut anchors: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let all = anchors.len();
    anchors.sort_unstable();
    anchors.dedup();
    assert!(
        all > 20 && anchors.len() == all,
        "{} of {all}",
        anchors.len()
    );
    for link in page.split("href=\"#").skip(1) {
        let anchor = link.split('"').next().unwrap_or_default();
        assert!(anchors.contains(&anchor), "{anchor}");
    }
}

#[test]
fn pages_for_print_need_their_program_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let (data, out) = (folder.path().to_str().unwrap(), folder.path().join("out"));
    // In a folder of its own: `make pdf` may have put the other program beside this one.
    let program = folder.path().join("teiten-report");
    let built = env!("CARGO_BIN_EXE_teiten-report");
    std::fs::hard_link(built, &program)
        .or_else(|_| std::fs::copy(built, &program).map(drop))
        .unwrap();
    let output = Command::new(&program)
        .args([
            "build",
            "--data",
            data,
            "--pdf",
            "--out",
            out.to_str().unwrap(),
        ])
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("make pdf"), "{errors}");
    assert!(!out.exists());
}

#[test]
fn a_damaged_file_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let broken = folder
        .path()
        .join("traffic/date=2026-11-05/hour=00/tokyo-1-0.parquet");
    fs::write(&broken, b"PAR1 this is not a table PAR1").unwrap();
    let answer = query::ask(&question(folder.path(), "2026-11-05T00", 1)).unwrap();
    assert_eq!(answer.damaged.len(), 1);
    assert_eq!(answer.hours[0].state, CoverageState::Lossy);
}

#[test]
fn traffic_without_coverage_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    write_traffic(folder.path(), 1, "tokyo");
    let answer = query::ask(&question(folder.path(), "2026-11-05T00..2026-11-05T02", 1)).unwrap();
    assert_eq!(answer.hours[1].state, CoverageState::Missing);
    assert_eq!(answer.packets(), 2 * HOUR_PACKETS);
    assert_eq!(answer.uncovered_packets, HOUR_PACKETS);
}

#[test]
fn figures_look_as_they_were_reviewed() {
    let answer = answer();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, language) in [
        ("packets", Language::En),
        ("sources", Language::Ja),
        ("ports", Language::Ja),
        ("countries-packets", Language::En),
        ("coverage", Language::Ja),
    ] {
        let drawn = figure::find(name)
            .unwrap()
            .drawn(&answer, language, Some("JP"));
        let chart = drawn.chart.unwrap();
        let files = [
            ("svg", chart.standalone()),
            ("csv", csv::render(&drawn.table)),
        ];
        for (kind, content) in files {
            let path = golden.join(format!("{name}.{}.{kind}", language.tag()));
            if std::env::var_os("TEITEN_REWRITE").is_some() {
                fs::write(&path, &content).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                content == expected,
                "{} differs from what is drawn now",
                path.display()
            );
        }
    }
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_teiten-report"))
        .args(arguments)
        .env("SOURCE_DATE_EPOCH", "1793923200")
        .output()
        .unwrap()
}

#[test]
fn the_program_makes_a_page_that_asks_nobody_for_anything() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let (data, out) = (folder.path().to_str().unwrap(), folder.path().join("out"));
    let output = program(&[
        "build",
        "--data",
        data,
        "--period",
        "2026-11-05",
        "--timezone",
        "UTC",
        "--home",
        "jp",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["packets"], 3 * HOUR_PACKETS);
    assert_eq!(summary["hours"]["missing"], 21);
    for file in summary["files"].as_array().unwrap() {
        assert!(Path::new(file.as_str().unwrap()).is_file());
    }
    for language in ["ja", "en"] {
        let out = out.join("2026-11-05");
        let page = fs::read_to_string(out.join(format!("report.{language}.html"))).unwrap();
        let requests = [
            "src=",
            "url(http",
            "@import",
            "<link",
            "fetch(",
            "XMLHttpRequest",
        ];
        assert!(requests.iter().all(|request| !page.contains(request)));
        let facts = fs::read_dir(out.join("sql")).unwrap().count();
        assert!(facts > 10, "{facts} facts have their SQL");
        for link in page
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default())
        {
            assert!(link.starts_with('#') || out.join(link).is_file(), "{link}");
        }
    }
}

#[test]
fn the_program_ends_by_how_complete_the_period_was() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let data = folder.path().to_str().unwrap();
    let check = |arguments: &[&str], code: i32, message: &str| {
        let output = program(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
    };
    check(&["list"], 0, "");
    check(
        &[
            "figure",
            "ports",
            "--data",
            data,
            "--period",
            "2026-11-05T00",
        ],
        0,
        "",
    );
    check(
        &["figure", "ports", "--data", data, "--period", "2026-11-05"],
        1,
        "21 missing",
    );
    check(&["figure", "ports", "--data", data], 1, "the whole span");
    check(&["figure", "prots", "--data", data], 2, "ports");
    check(
        &["figure", "ports", "--data", data, "--period", "2027"],
        2,
        "it spans 2026-11-05T00 to 2026-11-05T03",
    );
    check(
        &["figure", "ports", "--data", data, "--period", "soon"],
        2,
        "2026-W45",
    );
    check(
        &["figure", "ports", "--data", "/nonexistent"],
        2,
        "teiten-sensor replay",
    );
    check(&["build", "--data", data], 2, "--out");
}
