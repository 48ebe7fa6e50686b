//! Flags and `teiten.toml` become one set of options when the program starts. A flag wins over the file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use teiten_aggregator::config::SettingsScope;
use teiten_aggregator::store::data_folder;

use crate::text::Language;

/// The settings of reports in `teiten.toml`. Above all tables `sensor` is the name of a sensor, so only `[report]` selects sensors; `out` is the
/// folder of reports, not the file of `figure`.
pub const SETTINGS: SettingsScope<'static> = SettingsScope {
    heading: Some("report"),
    foreign: &["sensor"],
    typed: &[("figure", "out")],
};

/// Periodic reports over a dataset of hourly darknet tables.
#[derive(Debug, Parser)]
#[command(name = "teiten-report", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// Settings (TOML): flags that are not given are taken from here, by their names; `[report]` holds what is for reports alone.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    /// Also make report.LANGUAGE.pdf, with the program teiten-pdf (`make pdf` builds it) and the font Noto Sans CJK (Debian:
    /// fonts-noto-cjk).
    #[arg(long)]
    pub pdf: bool,
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
    /// Read every hour, also of days that `teiten-aggregator rollup` has summed up: the report is the same, and takes much longer.
    #[arg(long)]
    pub from_hours: bool,
}

/// Languages as flags name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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

/// Options that can be used as they are.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the dataset.
    pub data: PathBuf,
    /// Where to write, if given.
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
    /// The publisher.
    pub organisation: Option<String>,
    /// Languages.
    pub languages: Vec<Language>,
    /// Sensors to count; all when empty.
    pub sensors: Vec<String>,
    /// Threads that read.
    pub workers: usize,
    /// Whether every hour is read, also of days that were summed up.
    pub from_hours: bool,
}

impl Options {
    /// Options from flags, which include the settings of the file.
    ///
    /// # Errors
    /// When a needed flag is missing, or a value means nothing.
    pub fn new(flags: QuestionArguments, out: Option<PathBuf>) -> Result<Self, OptionsError> {
        let zone = flags.timezone.unwrap_or_else(|| "UTC".to_owned());
        let timezone = TimeZone::get(&zone).map_err(|_| OptionsError::Timezone(zone))?;
        if flags.workers == Some(0) {
            return Err(OptionsError::Workers);
        }
        let data = flags.data.ok_or(OptionsError::Missing("--data"))?;
        Ok(Self {
            data: data_folder(data).map_err(OptionsError::Data)?,
            out,
            period: flags.period,
            timezone,
            home: flags.home.map(|code| home(&code)).transpose()?,
            outages: flags.outages,
            series: flags.series,
            title: flags.title,
            organisation: flags.organisation,
            languages: flags.language.unwrap_or(LanguageChoice::Both).languages(),
            sensors: flags.sensors,
            from_hours: flags.from_hours,
            workers: flags
                .workers
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        })
    }
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
    use std::ffi::OsString;

    use teiten_aggregator::config::parse;

    use super::*;

    /// What `build` with these flags and a file of this text gives.
    fn built(config: &str, flags: &[&str]) -> Result<Options, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("teiten.toml");
        std::fs::write(&path, config).unwrap();
        let mut line: Vec<OsString> = ["teiten-report", "build", "--config"]
            .map(OsString::from)
            .into();
        line.push(path.into());
        line.extend(flags.iter().map(OsString::from));
        let line = parse::<CommandLine>(SETTINGS, line).map_err(|it| it.to_string())?;
        let Command::Build(arguments) = line.command else {
            panic!("another command");
        };
        Options::new(arguments.shared, arguments.out).map_err(|it| it.to_string())
    }

    #[test]
    fn a_flag_wins_over_the_report_table_and_that_over_the_rest() {
        let options = built(
            "data = \"a\"\ntimezone = \"UTC\"\nsensor = \"x\"\nout = \"o\"\n[report]\ntimezone = \"Asia/Tokyo\"\nlanguage = \"ja\"\n",
            &["--data", "b"],
        )
        .unwrap();
        assert_eq!(options.data, PathBuf::from("b"));
        assert_eq!(options.out, Some(PathBuf::from("o")));
        assert_eq!(options.timezone.iana_name(), Some("Asia/Tokyo"));
        assert_eq!(options.languages, [Language::Ja]);
        assert!(options.sensors.is_empty());
        let options = built("data = \"a\"\n[report]\nsensor = [\"x\", \"y\"]\n", &[]).unwrap();
        assert_eq!(options.sensors, ["x", "y"]);
    }

    #[test]
    fn settings_of_a_report_are_strict_and_those_of_others_are_left_alone() {
        for (config, part) in [
            ("data = \"d\"\n[report]\nhomme = \"JP\"\n", "homme"),
            ("data = 5\n", "data: expected text, not 5"),
            ("data = \"d\"\n[report]\nworkers = \"many\"\n", "many"),
        ] {
            let text = built(config, &[]).expect_err(config);
            assert!(text.contains(part), "{text}");
        }
        let options = built("data = \"d\"\ninterface = [\"eth1\"]\nhome = \"jp\"\n", &[]);
        assert_eq!(options.unwrap().home.as_deref(), Some("JP"));
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
