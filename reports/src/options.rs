//! Flags and `teiten.toml` become one set of options when the program starts. A flag wins over the file.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use serde::Deserialize;
use teiten_aggregator::store::data_folder;

use crate::text::Language;

/// Periodic reports over a dataset of hourly darknet tables.
#[derive(Debug, Parser)]
#[command(name = "teiten-report", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the report of a period: a page and a Markdown text per language, the numbers (CSV, JSON) and the drawing (SVG, PNG) of each
    /// figure, and a manifest with their hashes.
    ///
    /// Exit code 0: done; 1: done, but the period has gaps or loss; 2: not done.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # a month, days as in Japan\n",
        "  teiten-report build --data data --period 2026-11 --timezone Asia/Tokyo --home JP --out report\n",
        "  # all there is\n",
        "  teiten-report build --data data --out report"
    ))]
    Build(BuildArguments),
    /// List the figures, with the question that each answers.
    List(ListArguments),
    /// Draw one figure: SVG, PNG, or its numbers as CSV or JSON.
    ///
    /// Exit code 0: done; 1: done, but the period has gaps or loss; 2: not done.
    #[command(after_help = concat!(
        "Examples:\n",
        "  # a drawing, and its numbers\n",
        "  teiten-report figure ports --data data --out ports.svg\n",
        "  teiten-report figure ports --data data --csv"
    ))]
    Figure(FigureArguments),
    /// Print the numbers and files that differ between two reports of a period.
    Diff(DiffArguments),
    /// Write manual pages and shell completions into a folder: a step of making the package.
    #[command(hide = true)]
    Documents {
        /// The folder, in which `man` and `completions` are created.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// `build`.
#[derive(Debug, Args)]
pub struct BuildArguments {
    /// Folder for the report. The report is a folder named after the period, and replaces an earlier one as a whole.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object with the files written.
    #[arg(long)]
    pub json: bool,
    /// Write no PNG beside the SVG of each figure.
    #[arg(long)]
    pub no_png: bool,
    /// Folder of the analyst's notes, SECTION.ja.md and SECTION.en.md (sections: overview, ports, events, infected, sources, attacks,
    /// years, conditions), in it or in its subfolder named after the period [default: `notes` in --out].
    #[arg(long, value_name = "DIR")]
    pub notes: Option<PathBuf>,
    /// Settings shared with `figure`.
    #[command(flatten)]
    pub shared: QuestionArguments,
}

/// `figure`.
#[derive(Debug, Args)]
pub struct FigureArguments {
    /// Name of the figure; `list` shows the names.
    pub name: String,
    /// File to write: .svg, .png, .csv or .json; without it, SVG goes to standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the numbers as CSV instead of the drawing.
    #[arg(long)]
    pub csv: bool,
    /// Settings shared with `build`.
    #[command(flatten)]
    pub shared: QuestionArguments,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// Folder of the earlier report, such as OUT/2026-11.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Folder of the later report.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Language of titles and questions.
    #[arg(long, value_enum)]
    pub language: Option<LanguageChoice>,
    /// Print a JSON array.
    #[arg(long)]
    pub json: bool,
}

/// What `build` and `figure` share.
#[derive(Debug, Default, Args)]
pub struct QuestionArguments {
    /// Folder of the dataset, as `teiten-sensor` wrote it.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Day 2026-11-05, week 2026-W45, month 2026-11, quarter 2026-Q4, half year 2026-H2, year 2026, fiscal year (April to March) FY2026 and
    /// its halves FY2026-H1, hour 2026-11-05T08, or FROM..TO with both included [default: the whole dataset].
    #[arg(long, value_name = "PERIOD")]
    pub period: Option<String>,
    /// Timezone of days and labels, an IANA name such as Asia/Tokyo [default: UTC].
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Home country, ISO 3166-1 alpha-2 such as JP: it is marked in charts, and its share is a key number.
    #[arg(long, value_name = "CC")]
    pub home: Option<String>,
    /// Language of the report; `figure` draws in the first [default: both].
    #[arg(long, value_enum)]
    pub language: Option<LanguageChoice>,
    /// Count only this sensor; repeatable.
    #[arg(long = "sensor", value_name = "NAME")]
    pub sensors: Vec<String>,
    /// File of named outages: TOML, `[[outage]]` with period, ja and en.
    #[arg(long, value_name = "FILE")]
    pub outages: Option<PathBuf>,
    /// File of a published yearly series to draw beside your own (TOML, like reports/example/nicter.toml); repeatable.
    #[arg(long = "series", value_name = "FILE")]
    pub series: Vec<PathBuf>,
    /// Title of the report [default: a title in the report's language].
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Publisher of the report, printed above the title.
    #[arg(long, value_name = "TEXT")]
    pub organisation: Option<String>,
    /// Threads that read the dataset [default: one per processor].
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Configuration file: it can set every flag, in its table `[report]` or above all tables.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Languages as flags name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LanguageChoice {
    /// Japanese
    Ja,
    /// English
    En,
    /// Both, a page each
    Both,
}

impl LanguageChoice {
    /// The languages meant.
    #[must_use]
    pub fn languages(self) -> Vec<Language> {
        match self {
            LanguageChoice::Ja => vec![Language::Ja],
            LanguageChoice::En => vec![Language::En],
            LanguageChoice::Both => Language::ALL.to_vec(),
        }
    }
}

/// Why the options could not be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A flag that must be given is not.
    #[error("{0} is missing: give it as a flag, or in the file named by --config")]
    Missing(&'static str),
    /// The dataset is no folder.
    #[error("--data: {0}")]
    Data(String),
    /// The file could not be read.
    #[error("cannot read the configuration {path}: {reason}")]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No such timezone.
    #[error("no timezone `{0}`: give --timezone an IANA name such as Asia/Tokyo or UTC")]
    Timezone(String),
    /// No such country.
    #[error("`{0}` is no country: give --home two letters of ISO 3166-1, such as JP")]
    Home(String),
    /// No thread at all.
    #[error("--workers must be 1 or more")]
    Workers,
}

/// Keys of `teiten.toml` that belong to reports.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    out: Option<PathBuf>,
    period: Option<String>,
    timezone: Option<String>,
    home: Option<String>,
    title: Option<String>,
    organisation: Option<String>,
    outages: Option<PathBuf>,
    #[serde(default)]
    series: Vec<PathBuf>,
    language: Option<LanguageChoice>,
    sensor: Option<OneOrSeveral>,
    workers: Option<usize>,
    report: Option<Box<File>>,
}

/// One name or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrSeveral {
    One(String),
    Several(Vec<String>),
}

/// Valid options.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the dataset.
    pub data: PathBuf,
    /// Where to write, if it was said.
    pub out: Option<PathBuf>,
    /// The period as written, if one was.
    pub period: Option<String>,
    /// Timezone.
    pub timezone: TimeZone,
    /// Home country, two capital letters.
    pub home: Option<String>,
    /// File of named outages.
    pub outages: Option<PathBuf>,
    /// Files of published series.
    pub series: Vec<PathBuf>,
    /// Title of the report, if one is given.
    pub title: Option<String>,
    /// Who publishes it.
    pub organisation: Option<String>,
    /// Languages.
    pub languages: Vec<Language>,
    /// Sensors to count; all when empty.
    pub sensors: Vec<String>,
    /// Threads that read.
    pub workers: usize,
}

impl Options {
    /// Combines flags and file.
    ///
    /// # Errors
    /// When a required flag is missing, the file cannot be read, or a value is invalid.
    pub fn new(flags: QuestionArguments, out: Option<PathBuf>) -> Result<Self, OptionsError> {
        let file = flags
            .config
            .as_deref()
            .map_or_else(|| Ok(File::default()), read)?;
        let own = file.report.as_deref().cloned().unwrap_or_default();
        let zone = flags
            .timezone
            .or(own.timezone)
            .or(file.timezone)
            .unwrap_or_else(|| "UTC".to_owned());
        let timezone = TimeZone::get(&zone).map_err(|_| OptionsError::Timezone(zone))?;
        let workers = flags.workers.or(own.workers).or(file.workers);
        if workers == Some(0) {
            return Err(OptionsError::Workers);
        }
        // Above the tables of the file, `sensor` is the name of the sensor itself; only [report] says which sensors to count.
        let sensors = match own.sensor {
            _ if !flags.sensors.is_empty() => flags.sensors,
            Some(OneOrSeveral::One(name)) => vec![name],
            Some(OneOrSeveral::Several(names)) => names,
            None => Vec::new(),
        };
        Ok(Self {
            data: data_folder(
                flags
                    .data
                    .or(own.data)
                    .or(file.data)
                    .ok_or(OptionsError::Missing("--data"))?,
            )
            .map_err(OptionsError::Data)?,
            out: out.or(own.out).or(file.out),
            period: flags.period.or(own.period).or(file.period),
            timezone,
            home: flags
                .home
                .or(own.home)
                .or(file.home)
                .map(|code| home(&code))
                .transpose()?,
            outages: flags.outages.or(own.outages).or(file.outages),
            series: [flags.series, own.series, file.series]
                .into_iter()
                .find(|series| !series.is_empty())
                .unwrap_or_default(),
            title: flags.title.or(own.title).or(file.title),
            organisation: flags
                .organisation
                .or(own.organisation)
                .or(file.organisation),
            languages: flags
                .language
                .or(own.language)
                .or(file.language)
                .unwrap_or(LanguageChoice::Both)
                .languages(),
            sensors,
            workers: workers
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        })
    }
}

/// Reads the file. In `[report]` every key must be one of ours. Above all tables there are settings of other programs too, so unknown keys
/// are ignored there (`teiten-sensor check --config FILE` reports keys that no program has).
fn read(path: &Path) -> Result<File, OptionsError> {
    let unreadable = |reason: String| OptionsError::Configuration {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let mut ours = toml::Table::new();
    for (key, value) in table {
        let single = toml::Table::from_iter([(key.clone(), value.clone())]);
        let place = if key == "report" {
            "[report]"
        } else {
            "the settings"
        };
        match File::deserialize(single) {
            Ok(_) => drop(ours.insert(key, value)),
            Err(error) if key != "report" && error.message().starts_with("unknown field") => {}
            Err(error) => {
                return Err(unreadable(format!(
                    "in {place}, {key}: {}",
                    error.message()
                )));
            }
        }
    }
    File::deserialize(ours).map_err(|error| unreadable(error.to_string()))
}

fn home(code: &str) -> Result<String, OptionsError> {
    let upper = code.trim().to_ascii_uppercase();
    let known = crate::text::country::COUNTRIES
        .iter()
        .any(|row| row.0 == upper && upper != "ZZ");
    if known {
        Ok(upper)
    } else {
        Err(OptionsError::Home(code.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(config: &str) -> (tempfile::TempDir, QuestionArguments) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("teiten.toml");
        std::fs::write(&path, config).unwrap();
        (
            folder,
            QuestionArguments {
                config: Some(path),
                ..QuestionArguments::default()
            },
        )
    }

    #[test]
    fn a_flag_wins_over_the_report_table_and_that_over_the_rest() {
        let (_folder, flags) = shared(
            "data = \"a\"\ntimezone = \"UTC\"\nsensor = \"x\"\n[report]\ntimezone = \"Asia/Tokyo\"\nlanguage = \"ja\"\n",
        );
        let options = Options::new(
            QuestionArguments {
                data: Some("b".into()),
                ..flags
            },
            None,
        )
        .unwrap();
        assert_eq!(options.data, PathBuf::from("b"));
        assert_eq!(options.timezone.iana_name(), Some("Asia/Tokyo"));
        assert_eq!(options.languages, [Language::Ja]);
        assert!(options.sensors.is_empty());
    }

    #[test]
    fn settings_of_a_report_are_strict_and_those_of_others_are_left_alone() {
        let message = |config: &str| {
            let (_folder, flags) = shared(config);
            let error = Options::new(flags, None).expect_err(config);
            error.to_string()
        };
        for (config, part) in [
            ("data = \"d\"\n[report]\nhomme = \"JP\"\n", "homme"),
            ("data = 5\n", "data: invalid type: integer `5`"),
            (
                "data = \"d\"\n[report]\nworkers = \"many\"\n",
                "expected usize",
            ),
        ] {
            let text = message(config);
            assert!(
                text.contains(part) && text.contains("teiten.toml"),
                "{text}"
            );
        }
        let (_folder, flags) = shared("data = \"d\"\ninterface = [\"eth1\"]\nhome = \"jp\"\n");
        let options = Options::new(flags, None).expect("settings of others");
        assert_eq!(options.home.as_deref(), Some("JP"));
    }

    #[test]
    fn errors_name_the_way_out() {
        let check = |flags: QuestionArguments, part: &str| {
            let message = Options::new(flags, None).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        check(QuestionArguments::default(), "--data");
        check(
            QuestionArguments {
                timezone: Some("Tokyo".into()),
                ..QuestionArguments::default()
            },
            "Asia/Tokyo",
        );
        check(
            QuestionArguments {
                data: Some("d".into()),
                home: Some("XX".into()),
                ..QuestionArguments::default()
            },
            "--home",
        );
        check(
            QuestionArguments {
                data: Some("d".into()),
                workers: Some(0),
                ..QuestionArguments::default()
            },
            "--workers",
        );
    }
}
