//! `teiten.toml` can set every flag of every command under the flag's name. A setting of the file becomes a flag that the command line did
//! not give, and clap reads it like any flag; so there is one table of settings.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser};
use toml::{Table, Value};

use super::{CommandLine, OptionsError};

/// Sections of the same file that belong to the other programs.
pub const SETTINGS_OF_OTHERS: &[&str] = &[
    "report",
    "aggregator",
    "out",
    "period",
    "timezone",
    "home",
    "language",
];

/// Flags that cannot be settings: they say what to print, or where the settings are.
const NO_SETTINGS: &[&str] = &["help", "version", "config", "verbose", "quiet"];

/// Why a command line was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An error of clap, with its text and exit code; a request for help comes this way too.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// Because of the file.
    #[error(transparent)]
    Options(#[from] OptionsError),
}

/// Reads a command line, the program's name first, and the file that it names.
///
/// # Errors
/// What is wrong, with the flag, or with the file and the setting.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, Refusal> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = CommandLine::command().try_get_matches_from(&arguments)?;
    let line = CommandLine::from_arg_matches(&matches)?;
    let (Some(path), Some((name, given))) = (&line.config, matches.subcommand()) else {
        return Ok(line);
    };
    let not_understood = |reason: String| OptionsError::NotUnderstood {
        path: path.clone(),
        reason,
    };
    let added = flags(path, name, given)?;
    let at = arguments.iter().position(|argument| argument == "--");
    let mut all = arguments;
    let at = at.unwrap_or(all.len());
    all.splice(at..at, added);
    match CommandLine::try_parse_from(all) {
        Ok(line) => Ok(line),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Err(error.into()),
        Err(error) => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(not_understood(first.trim_start_matches("error: ").to_owned()).into())
        }
    }
}

/// The settings of the file as flags of the command `name`, without those that the command line gave.
fn flags(path: &Path, name: &str, given: &ArgMatches) -> Result<Vec<OsString>, OptionsError> {
    let text = std::fs::read_to_string(path).map_err(|source| OptionsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let not_understood = |reason: String| OptionsError::NotUnderstood {
        path: path.to_owned(),
        reason,
    };
    let table: Table = toml::from_str(&text)
        .map_err(|error: toml::de::Error| not_understood(error.to_string()))?;
    let program = CommandLine::command();
    let mut flags = Vec::new();
    for (key, value) in &table {
        if SETTINGS_OF_OTHERS.contains(&key.as_str()) {
            continue;
        }
        let known = |command: &clap::Command| argument(command, key).is_some();
        if !program.get_subcommands().any(known) {
            let line = text.lines().position(|line| line.starts_with(key.as_str()));
            let place = line.map_or(String::new(), |line| format!("line {}: ", line + 1));
            let meant = nearest(&program, key);
            let meant = meant.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
            return Err(not_understood(format!(
                "{place}there is no setting `{key}`{meant}; settings have the names of flags, without the dashes"
            )));
        }
        let command = program.find_subcommand(name);
        if let Some(argument) = command.and_then(|command| argument(command, key))
            && given.value_source(argument.get_id().as_str()) != Some(ValueSource::CommandLine)
        {
            let written = flag(argument, key, value).map_err(not_understood)?;
            flags.extend(written.into_iter().map(OsString::from));
        }
    }
    Ok(flags)
}

/// The flag of a command that a setting stands for.
fn argument<'a>(command: &'a clap::Command, key: &str) -> Option<&'a Arg> {
    let is_it = |argument: &&Arg| argument.get_long() == Some(key);
    command
        .get_arguments()
        .find(is_it)
        .filter(|_| !NO_SETTINGS.contains(&key))
}

/// The setting closest to a wrong name, within one letter missing, added, changed or swapped, as clap does it for flags.
fn nearest(program: &clap::Command, key: &str) -> Option<String> {
    let commands = program.get_subcommands();
    let names = commands.flat_map(|command| command.get_arguments().filter_map(Arg::get_long));
    let others = SETTINGS_OF_OTHERS.iter().copied();
    let mut names = names
        .chain(others)
        .filter(|name| !NO_SETTINGS.contains(name));
    names.find(|name| is_near(name, key)).map(str::to_owned)
}

fn is_near(name: &str, key: &str) -> bool {
    let (name, key) = (name.as_bytes(), key.as_bytes());
    let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
    let head = name.iter().zip(key).take_while(same).count();
    let tail = name.iter().rev().zip(key.iter().rev());
    let tail = tail.take_while(same).count();
    let longest = name.len().max(key.len());
    longest > 2 && name.len().abs_diff(key.len()) <= 1 && head + tail + 2 >= longest
}

/// A setting as the user would type it on the command line.
fn flag(argument: &Arg, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let repeats = matches!(argument.get_action(), ArgAction::Append);
    match value {
        Value::Boolean(on) if is_switch => Ok(on.then(|| format!("--{key}")).into_iter().collect()),
        _ if is_switch => Err(format!("{key}: expected true or false, not {value}")),
        Value::Array(values) if repeats => values
            .iter()
            .map(|value| Ok(format!("--{key}={}", plain(argument, key, value)?)))
            .collect(),
        Value::Array(_) => Err(format!("{key}: expected one value, not a list")),
        value => Ok(vec![format!("--{key}={}", plain(argument, key, value)?)]),
    }
}

/// Whether this flag takes any text, so that a number in the file is a mistake; a size may be a number of bytes.
fn is_text(argument: &Arg) -> bool {
    let kind = argument.get_value_parser().type_id();
    let is_size = argument
        .get_value_names()
        .is_some_and(|names| names.iter().any(|name| name.as_str() == "SIZE"));
    let texts = [TypeId::of::<String>(), TypeId::of::<PathBuf>()];
    texts.iter().any(|text| kind == *text) && !is_size
}

fn plain(argument: &Arg, key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) if !is_text(argument) => Ok(number.to_string()),
        Value::Integer(_) | Value::Float(_) if is_text(argument) => Err(format!(
            "{key}: expected a text, not {value}: write {key} = \"{value}\""
        )),
        other => Err(format!(
            "{key}: expected a text or a whole number, not {other}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    /// Every setting of every command: its name, and the commands that take it.
    fn settings() -> std::collections::BTreeMap<String, Vec<String>> {
        let mut settings = std::collections::BTreeMap::<String, Vec<String>>::new();
        for command in CommandLine::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let names = command.get_arguments().filter_map(Arg::get_long);
            for name in names.filter(|name| !NO_SETTINGS.contains(name)) {
                let commands = settings.entry(name.to_owned()).or_default();
                commands.push(command.get_name().to_owned());
            }
        }
        settings
    }

    /// The example file of the documentation, from which users start.
    const EXAMPLE: &str = include_str!("../../teiten.example.toml");

    /// Parses a command line whose last flag names a file with this text.
    fn with_file(text: &str, arguments: &[&str]) -> Result<CommandLine, Refusal> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("teiten.toml");
        std::fs::write(&config, text).expect("writable");
        let mut line: Vec<OsString> = vec!["teiten-sensor".into()];
        line.extend(arguments.iter().map(OsString::from));
        line.extend(["--config".into(), config.into_os_string()]);
        parse(line)
    }

    fn capture(text: &str, arguments: &[&str]) -> super::super::CaptureArguments {
        let line = with_file(text, &[&["capture"], arguments].concat()).expect("a good file");
        match line.command {
            Command::Capture(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let text = "data = \"/a\"\nsensor = \"file\"\ntelescope = [\"192.0.2.0/24\"]\n";
        let line = with_file(text, &["replay", "x.pcap", "--sensor", "flag"]).expect("good");
        let Command::Replay(arguments) = line.command else {
            panic!("{line:?}")
        };
        let (_, _, settings) = arguments.settle().expect("good settings");
        assert_eq!(settings.sensor, "flag");
        assert_eq!(settings.data, Path::new("/a"));
        assert_eq!(settings.telescope.len(), 1);
    }

    #[test]
    fn a_capture_can_be_described_by_the_file_alone() {
        let text = "data = \"d\"\ninterface = [\"eth0\"]\nbuffer = \"8M\"\nsnap-length = 96\nno-sandbox = true\njson = false\n";
        let (capture, settings) = capture(text, &[]).settle().expect("good settings");
        assert_eq!(capture.interfaces, ["eth0"]);
        assert_eq!((capture.buffer_bytes, capture.snap_length), (8 << 20, 96));
        assert!(!capture.service.sandbox);
        assert!(!settings.json);
    }

    #[test]
    fn settings_of_other_programs_and_commands_are_left_alone() {
        let text = "data = \"d\"\nhome = \"JP\"\nno-map = true\n[report]\nsensor = [\"a\"]\n";
        assert_eq!(capture(text, &["-i", "lo"]).interfaces, ["lo"]);
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named() {
        for (text, part) in [
            (
                "data = \"d\"\ntelescop = []\n",
                "line 2: there is no setting `telescop` (did you mean `telescope`?)",
            ),
            ("workers = \"many\"\n", "'many'"),
            ("config = \"x\"\n", "`config`"),
            ("json = 1\n", "json: expected true or false"),
            ("data = [\"a\", \"b\"]\n", "data: expected one value"),
            ("telescope = [true]\n", "telescope: expected a text"),
            ("data = 5\n", "write data = \"5\""),
            (
                "workers = 1.5\n",
                "workers: expected a text or a whole number",
            ),
            ("data = \n", "line 1"),
        ] {
            let error = with_file(text, &["capture"]).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.contains("teiten.toml"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let line = ["teiten-sensor", "rules", "--config", "no/such.toml"];
        let error = parse(line.map(OsString::from)).expect_err("no file");
        assert!(error.to_string().contains("no/such.toml"), "{error}");
    }

    /// The example's settings, those behind a `#` included: `# name = value` at the beginning of a line.
    fn example() -> String {
        let uncommented = |line: &str| {
            let bare = line.strip_prefix("# ").unwrap_or(line);
            let (name, _) = bare.split_once(" = ")?;
            let is_name = name
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '-');
            is_name.then(|| bare.to_owned())
        };
        EXAMPLE
            .lines()
            .filter_map(uncommented)
            .fold(String::new(), |text, line| text + &line + "\n")
    }

    #[test]
    fn the_example_names_every_setting_and_no_other() {
        let table: Table = toml::from_str(&example()).expect("TOML");
        let named: Vec<&String> = table.keys().collect();
        let settings = settings();
        let missing: Vec<_> = settings
            .keys()
            .filter(|name| !named.contains(name))
            .collect();
        assert!(missing.is_empty(), "teiten.example.toml lacks {missing:?}");
        for name in named {
            assert!(settings.contains_key(name), "{name} is no setting");
        }
    }

    #[test]
    fn the_example_is_understood_as_it_stands_and_with_everything_in_it() {
        for text in [EXAMPLE.to_owned(), example()] {
            capture(&text, &[]).settle().expect("good settings");
            with_file(&text, &["replay", "x.pcap"]).expect("a good file");
        }
    }
}
