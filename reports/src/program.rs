//! The `teiten-report` program: it reads options, writes files and prints their names. The library does the rest.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::document::{Document, Setting};
use crate::facts::{self, Fact};
use crate::figure::{self, FIGURES, Section};
use crate::options::{
    BuildArguments, Command, CommandLine, DiffArguments, FigureArguments, ListArguments, Options,
    SETTINGS,
};
use crate::pdf;
use crate::period::ReportPeriod;
use crate::publish::Folder;
use crate::query::{self, Answer, Question};
use crate::render::{csv, html, png};
use crate::revision::{self, Manifest};
use crate::series::CoverageState;
use crate::supplied::{self, Supplied};
use crate::text::{Language, time};
use anyhow::{Context as _, bail};
use clap::CommandFactory as _;
use jiff::Timestamp;
use serde_json::json;
use teiten_aggregator::config::{Refusal, parse};
use teiten_aggregator::documents;

const DONE: u8 = 0;
const INCOMPLETE: u8 = 1;
const NOT_DONE: u8 = 2;

/// Runs the program; `arguments` begin with its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match parse::<CommandLine>(SETTINGS, arguments) {
        Ok(line) => line,
        Err(Refusal::Flags(error)) => error.exit(),
        Err(error) => {
            eprintln!("teiten-report: {error}");
            return ExitCode::from(NOT_DONE);
        }
    };
    let result = match line.command {
        Command::Build(arguments) => build(arguments),
        Command::List(arguments) => list(&arguments),
        Command::Figure(arguments) => draw(arguments),
        Command::Diff(arguments) => compare(&arguments),
        Command::Documents { folder } => {
            documents::write(&CommandLine::command(), "teiten-report", &folder)
                .map(|()| DONE)
                .map_err(Into::into)
        }
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

fn build(arguments: BuildArguments) -> anyhow::Result<u8> {
    let options = Options::new(arguments.shared, arguments.out)?;
    let Some(out) = options.out.clone() else {
        bail!("--out is missing: name the folder the report is written into");
    };
    // Before the work, so that a missing program costs none.
    let pdf_program = arguments.pdf.then(pdf::program).transpose()?;
    let answer = ask(&options, true)?;
    let pictures = !arguments.no_png && png::can_draw();
    if !pictures && !arguments.no_png {
        eprintln!(
            "teiten-report: no PNG: {} (give --no-png if you want none)",
            png::PngError::NoFont
        );
    }
    let name = answer.period.file_name();
    let facts = facts::of(&answer, &options.sensors);
    let before = revision::read(&out.join(&name)).ok();
    let setting = Setting {
        as_of_us: as_of_us()?,
        home: options.home.clone(),
        languages: options.languages.clone(),
        title: options.title.clone(),
        organisation: options.organisation.clone(),
        pictures,
        pdf: pdf_program.is_some(),
        notes: notes(&out, arguments.notes.as_deref(), &name)?,
        revised: before.map(|before| (before.as_of.clone(), revised(&before, &facts))),
        stated: facts.iter().map(|fact| fact.figure).collect(),
    };
    let mut folder = Folder::begin(&out, &name)?;
    let documents = Document::all(&answer, &setting, options.workers);
    folder.add_documents(&documents, options.workers)?;
    // Their tables are large; the system takes the memory back faster.
    std::mem::forget(documents);
    for &language in &options.languages {
        if let Some(program) = &pdf_program {
            pdf::make(program, folder.partial(), language)?;
            folder.adopt(&html::pdf_name(language))?;
        }
    }
    for fact in &facts {
        folder.add(&html::sql_name(&fact.name), facts::file(fact).as_bytes())?;
    }
    for figure in FIGURES {
        let of_figure = facts.iter().filter(|fact| fact.figure == figure.name);
        let of_figure: Vec<&Fact> = of_figure.collect();
        if !of_figure.is_empty() {
            let statements = facts::figure_file(&of_figure);
            folder.add(&html::figure_sql_name(figure.name), statements.as_bytes())?;
        }
    }
    let mut about = summary(&answer, &options);
    about["as_of"] = json!(time::iso(setting.as_of_us, &options.timezone));
    about["facts"] = facts.iter().map(fact_json).collect();
    let made = folder.publish(about.clone())?;
    let code = judge(&answer);
    let mut standard = io::stdout().lock();
    if arguments.json {
        let mut about = about;
        about["files"] = json!(made);
        writeln!(standard, "{about}")?;
    } else {
        for path in made.iter().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "html" || extension == "pdf")
        }) {
            writeln!(standard, "{}", path.display())?;
        }
    }
    Ok(code)
}

fn fact_json(fact: &Fact) -> serde_json::Value {
    json!({
        "name": fact.name,
        "figure": fact.figure,
        "value": fact.value,
        "tolerance_percent": fact.tolerance_percent,
        "sql": fact.sql,
    })
}

/// The facts that differ from an earlier report of the same period.
fn revised(before: &Manifest, facts: &[Fact]) -> Vec<String> {
    let now = Manifest {
        facts: facts
            .iter()
            .map(|fact| (fact.name.clone(), fact.value))
            .collect(),
        ..Manifest::default()
    };
    revision::between(before, &now).lines()
}

fn compare(arguments: &DiffArguments) -> anyhow::Result<u8> {
    let (old, new) = (
        revision::read(&arguments.old)?,
        revision::read(&arguments.new)?,
    );
    if old.period != new.period {
        eprintln!(
            "teiten-report: the reports are of different periods, {} and {}",
            old.period, new.period
        );
    }
    let found = revision::between(&old, &new);
    let mut standard = io::stdout().lock();
    if arguments.json {
        writeln!(standard, "{}", found.json())?;
        return Ok(DONE);
    }
    writeln!(standard, "{} → {}", old.as_of, new.as_of)?;
    for line in found.lines() {
        writeln!(standard, "{line}")?;
    }
    writeln!(
        standard,
        "{} numbers and {} files differ",
        found.facts.len(),
        found.files.len()
    )?;
    Ok(DONE)
}

/// The analyst's notes: `SECTION.LANGUAGE.md` in the folder of notes; notes of the period come before general ones.
fn notes(
    out: &Path,
    folder: Option<&Path>,
    period: &str,
) -> anyhow::Result<Vec<(&'static str, Language, String)>> {
    let folder = folder.map_or_else(|| out.join("notes"), Path::to_owned);
    let mut found = Vec::new();
    for section in Section::ALL {
        for language in Language::ALL {
            let file = format!("{}.{}.md", section.name(), language.tag());
            let places = [folder.join(period).join(&file), folder.join(&file)];
            if let Some(path) = places.iter().find(|path| path.is_file()) {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the note {}", path.display()))?;
                found.push((section.name(), language, text));
            }
        }
    }
    Ok(found)
}

/// Writes a file whole or not at all.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let unwritten = || format!("cannot write {}: choose another --out", path.display());
    std::fs::create_dir_all(folder).with_context(unwritten)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, content)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(unwritten)?;
    Ok(())
}

fn summary(answer: &Answer, options: &Options) -> serde_json::Value {
    let hours: serde_json::Map<String, serde_json::Value> = CoverageState::ALL
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
        "unfinished": answer.is_unfinished(),
        "damaged": answer.damaged.iter().map(|file| json!({"path": file.path, "reason": file.reason})).collect::<Vec<_>>(),
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
    let format = match (arguments.csv, &out) {
        (true, _) => Format::Csv,
        (false, None) => Format::Svg,
        (false, Some(path)) => Format::of(path)?,
    };
    let options = Options::new(arguments.shared, None)?;
    let answer = ask(&options, true)?;
    let language = options.languages.first().copied().unwrap_or(Language::Ja);
    let drawn = figure.drawn(&answer, language, options.home.as_deref());
    if let Some(reason) = drawn.empty {
        bail!("{}: {reason} Choose another --period.", figure.name);
    }
    let chart = || {
        drawn.chart.as_ref().with_context(|| {
            format!(
                "{} is a table without a drawing: ask for its numbers with --csv",
                figure.name
            )
        })
    };
    let content = match format {
        Format::Csv => csv::render(&drawn.table).into_bytes(),
        Format::Json => crate::render::json::render(&drawn.table).into_bytes(),
        Format::Svg => chart()?.standalone().into_bytes(),
        Format::Png => png::render(&chart()?.standalone())?,
    };
    match out {
        Some(path) => {
            write(&path, &content)?;
            writeln!(io::stdout().lock(), "{}", path.display())?;
        }
        None => io::stdout().lock().write_all(&content)?,
    }
    Ok(judge(&answer))
}

/// What a figure is written as.
#[derive(Clone, Copy)]
enum Format {
    Svg,
    Png,
    Csv,
    Json,
}

impl Format {
    /// The format by the file's ending.
    fn of(path: &Path) -> anyhow::Result<Self> {
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        Ok(match extension.as_deref() {
            Some("svg") => Format::Svg,
            Some("png") => Format::Png,
            Some("csv") => Format::Csv,
            Some("json") => Format::Json,
            _ => bail!(
                "{}: a figure is written as .svg, .png, .csv or .json: end --out in one of them",
                path.display()
            ),
        })
    }
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

fn ask(options: &Options, compare: bool) -> anyhow::Result<Answer> {
    let period = match &options.period {
        Some(text) => ReportPeriod::parse(text, &options.timezone)?,
        None => {
            let period =
                ReportPeriod::spanning(query::dataset_span(&options.data)?, &options.timezone);
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
        as_of_us: as_of_us()?,
        compare,
        uses_rolled_up: !options.from_hours,
    };
    let outages = options.outages.as_deref();
    let outages = outages.map(|path| supplied::outages(path, &options.timezone));
    let series = options.series.iter().map(|path| supplied::series(path));
    let supplied = Supplied {
        outages: outages.transpose()?.unwrap_or_default(),
        series: series.collect::<Result<_, _>>()?,
    };
    let mut answer = query::ask(&question)?;
    answer.supplied = supplied;
    Ok(answer)
}

/// Prints what is incomplete, and returns the exit code.
fn judge(answer: &Answer) -> u8 {
    for file in &answer.damaged {
        eprintln!(
            "teiten-report: left out {}: {}",
            file.path.display(),
            file.reason
        );
    }
    if answer.is_unfinished() {
        eprintln!(
            "teiten-report: interim: {} hours of the period are still to come",
            answer.hours_in(CoverageState::NotYet)
        );
    }
    if answer.is_complete() {
        return DONE;
    }
    let rows = [
        ("missing", CoverageState::Missing),
        ("observed in part", CoverageState::Partial),
        ("with loss", CoverageState::Lossy),
    ];
    let parts: Vec<String> = rows
        .iter()
        .filter(|(_, state)| answer.hours_in(*state) > 0)
        .map(|(name, state)| format!("{} {name}", answer.hours_in(*state)))
        .collect();
    if !parts.is_empty() {
        eprintln!(
            "teiten-report: of {} hours {}; the report says where",
            answer.hours.len(),
            parts.join(", ")
        );
    }
    if answer.uncovered_packets > 0 {
        eprintln!(
            "teiten-report: left out {} packets of hours without coverage",
            answer.uncovered_packets
        );
    }
    INCOMPLETE
}

/// Now, or what SOURCE_DATE_EPOCH says (reproducible-builds.org), so that a report is reproducible byte for byte.
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
