//! The `teiten-report` program: options in, files and names of files out. Everything else is the library's.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;
use jiff::Timestamp;
use serde_json::json;
use teiten_reports::document::{Document, Setting};
use teiten_reports::figure::{self, FIGURES};
use teiten_reports::options::{
    BuildArguments, Command, CommandLine, FigureArguments, ListArguments, Options,
};
use teiten_reports::period::Period;
use teiten_reports::query::{self, Answer, Question};
use teiten_reports::render::{csv, html};
use teiten_reports::series::State;
use teiten_reports::text::Language;

const DONE: u8 = 0;
const INCOMPLETE: u8 = 1;
const NOT_DONE: u8 = 2;

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Build(arguments) => build(arguments),
        Command::List(arguments) => list(&arguments),
        Command::Figure(arguments) => draw(arguments),
        Command::Documents { folder } => write_documents(&folder),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(DONE),
        Err(error) => {
            eprintln!("teiten-report: {error:#}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Writes a manual page for each command, and completions for the shells that Debian has.
fn write_documents(folder: &Path) -> anyhow::Result<u8> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(CommandLine::command(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut command = CommandLine::command();
        clap_complete::generate_to(shell, &mut command, "teiten-report", &completions)?;
    }
    Ok(DONE)
}

fn build(arguments: BuildArguments) -> anyhow::Result<u8> {
    let options = Options::new(arguments.shared, arguments.out)?;
    let Some(out) = options.out.clone() else {
        bail!("--out is missing: name the folder the report is written into");
    };
    let answer = ask(&options)?;
    let setting = Setting {
        as_of_us: as_of_us()?,
        home: options.home.clone(),
        languages: options.languages.clone(),
    };
    let mut made = Vec::new();
    for &language in &options.languages {
        let document = Document::new(&answer, &setting, language);
        write_document(&out, &document, &mut made)?;
    }
    let code = judge(&answer);
    let mut standard = io::stdout().lock();
    if arguments.json {
        writeln!(standard, "{}", summary(&answer, &made, &options))?;
    } else {
        for path in made.iter().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "html")
        }) {
            writeln!(standard, "{}", path.display())?;
        }
    }
    Ok(code)
}

/// The page and every figure's files; the page last, so that it never names a file that is not there.
fn write_document(out: &Path, document: &Document, made: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let language = document.language;
    for placed in document.sections.iter().flat_map(|(_, figures)| figures) {
        if placed.drawn.empty.is_some() {
            continue;
        }
        write(
            &out.join(html::csv_name(placed.figure.name, language)),
            &csv::render(&placed.drawn.table),
            made,
        )?;
        if let Some(chart) = &placed.drawn.chart {
            write(
                &out.join(html::svg_name(placed.figure.name, language)),
                &chart.standalone(),
                made,
            )?;
        }
    }
    write(
        &out.join(html::file_name(language)),
        &html::render(document),
        made,
    )
}

/// Writes a file whole or not at all.
fn write(path: &Path, content: &str, made: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let unwritten = || format!("cannot write {}: choose another --out", path.display());
    std::fs::create_dir_all(folder).with_context(unwritten)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, content)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(unwritten)?;
    made.push(path.to_owned());
    Ok(())
}

fn summary(answer: &Answer, made: &[PathBuf], options: &Options) -> serde_json::Value {
    let hours: serde_json::Map<String, serde_json::Value> = State::ALL
        .iter()
        .map(|state| (state.name().to_owned(), json!(answer.hours_in(*state))))
        .collect();
    json!({
        "period": answer.period.text,
        "timezone": options.timezone.iana_name(),
        "sensors": answer.sensors.keys().collect::<Vec<_>>(),
        "packets": answer.packets(),
        "bytes": answer.bytes(),
        "hours": hours,
        "complete": answer.is_complete(),
        "damaged": answer.damaged.iter().map(|file| json!({"path": file.path, "reason": file.reason})).collect::<Vec<_>>(),
        "files": made,
    })
}

fn draw(arguments: FigureArguments) -> anyhow::Result<u8> {
    let Some(figure) = figure::find(&arguments.name) else {
        let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        bail!(
            "no figure `{}`; there are: {}",
            arguments.name,
            names.join(", ")
        );
    };
    let out = arguments.out;
    let options = Options::new(arguments.shared, None)?;
    let answer = ask(&options)?;
    let language = options.languages.first().copied().unwrap_or(Language::Ja);
    let drawn = figure.drawn(&answer, language, options.home.as_deref());
    if let Some(reason) = drawn.empty {
        bail!("{}: {reason} Choose another --period.", figure.name);
    }
    let numbers = arguments.csv
        || out
            .as_ref()
            .is_some_and(|path| path.extension().is_some_and(|extension| extension == "csv"));
    let content = match (&drawn.chart, numbers) {
        (_, true) => csv::render(&drawn.table),
        (Some(chart), false) => chart.standalone(),
        (None, false) => bail!(
            "{} is a table without a drawing: ask for its numbers with --csv",
            figure.name
        ),
    };
    match out {
        Some(path) => {
            write(&path, &content, &mut Vec::new())?;
            writeln!(io::stdout().lock(), "{}", path.display())?;
        }
        None => io::stdout().lock().write_all(content.as_bytes())?,
    }
    Ok(judge(&answer))
}

fn list(arguments: &ListArguments) -> anyhow::Result<u8> {
    let mut standard = io::stdout().lock();
    let languages = arguments
        .language
        .map_or_else(|| vec![Language::En], |choice| choice.languages());
    if arguments.json {
        let rows: Vec<_> = FIGURES
            .iter()
            .map(|figure| json!({"name": figure.name, "title_ja": figure.title.ja, "title_en": figure.title.en, "question_ja": figure.question.ja, "question_en": figure.question.en}))
            .collect();
        writeln!(standard, "{}", serde_json::Value::Array(rows))?;
        return Ok(DONE);
    }
    for figure in FIGURES {
        for &language in &languages {
            writeln!(
                standard,
                "{:<18} {} — {}",
                figure.name,
                figure.title.of(language),
                figure.question.of(language)
            )?;
        }
    }
    Ok(DONE)
}

fn ask(options: &Options) -> anyhow::Result<Answer> {
    let period = match &options.period {
        Some(text) => Period::parse(text, &options.timezone)?,
        None => {
            let period = Period::spanning(query::dataset_span(&options.data)?, &options.timezone);
            eprintln!(
                "teiten-report: no --period: the whole span of the dataset, {}",
                period.text
            );
            period
        }
    };
    let question = Question {
        data: options.data.clone(),
        period,
        sensors: options.sensors.clone(),
        workers: options.workers,
    };
    Ok(query::ask(&question)?)
}

/// Says what was not whole, and gives the exit code.
fn judge(answer: &Answer) -> u8 {
    for file in &answer.damaged {
        eprintln!(
            "teiten-report: left out {}: {}",
            file.path.display(),
            file.reason
        );
    }
    if answer.is_complete() {
        return DONE;
    }
    let rows = [
        ("missing", State::Missing),
        ("observed in part", State::Partial),
        ("with loss", State::Lossy),
    ];
    let parts: Vec<String> = rows
        .iter()
        .filter(|(_, state)| answer.hours_in(*state) > 0)
        .map(|(name, state)| format!("{} {name}", answer.hours_in(*state)))
        .collect();
    eprintln!(
        "teiten-report: of {} hours {}; the report says where",
        answer.hours.len(),
        parts.join(", ")
    );
    if answer.uncovered_packets > 0 {
        eprintln!(
            "teiten-report: left out {} packets of hours without coverage",
            answer.uncovered_packets
        );
    }
    INCOMPLETE
}

/// Now, or what SOURCE_DATE_EPOCH says (reproducible-builds.org), so that a report can be made again byte for byte.
fn as_of_us() -> anyhow::Result<i64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => {
            let seconds: i64 = text
                .parse()
                .context("SOURCE_DATE_EPOCH is not a number of seconds")?;
            Ok(seconds.saturating_mul(1_000_000))
        }
        Err(_) => Ok(Timestamp::now().as_microsecond()),
    }
}
