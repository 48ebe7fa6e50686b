//! `teiten.toml`, read once for the three programs: a setting has the name of a flag, so its value is added to the command line as that flag
//! and clap reads it like any other. A flag that was typed wins. An unknown setting is refused with its file, its line and the nearest known
//! name.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use toml::{Table, Value};

/// Flags that cannot be settings: they say what to print, or where the settings are.
pub const NO_SETTINGS: &[&str] = &["help", "version", "config", "verbose", "quiet"];

/// Value names of text flags that a bare number may fill: a size in bytes, and a year as a period.
const NUMBERS_TOO: &[&str] = &["SIZE", "PERIOD"];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}; name a readable file with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has an error.
    #[error("the configuration {path} is not understood: {reason}")]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// The line or setting, and what is wrong with it.
        reason: String,
    },
}

/// Why a program cannot start with its command line.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An error of clap, with its text and exit code; a request for help comes this way too.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// An error of the file.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Which settings of the file belong to a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsScope<'s> {
    /// The table that is this program's alone, in which every setting must be one of its flags. Without one the program owns the settings
    /// above all tables, and these must be its flags.
    pub heading: Option<&'s str>,
    /// Settings above all tables, and tables, that mean something else to this program.
    pub foreign: &'s [&'s str],
    /// Flags that only the command line can give, each with its command.
    pub typed: &'s [(&'s str, &'s str)],
}

/// Reads a command line, the program's name first, together with the file that its `--config` names.
///
/// # Errors
/// What is wrong: with the flag, or with the file and the setting.
pub fn parse<P: Parser>(
    scope: SettingsScope<'_>,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<P, Refusal> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_complete = match P::try_parse_from(&arguments) {
        Ok(_) => true,
        // The file may give what is missing.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => false,
        Err(error) => return Err(error.into()),
    };
    let program = P::command();
    let lenient = program.clone().ignore_errors(true);
    let given = lenient.try_get_matches_from(&arguments)?;
    let path = given.get_raw("config").and_then(Iterator::last);
    let Some(path) = path.map(PathBuf::from) else {
        return Ok(P::try_parse_from(arguments)?);
    };
    let not_understood = |reason| ConfigError::NotUnderstood {
        path: path.clone(),
        reason,
    };
    let added = of_file(&path, scope, &program, &given)?;
    let end = arguments.iter().position(|argument| argument == "--");
    let end = end.unwrap_or(arguments.len());
    arguments.splice(end..end, added.into_iter().map(OsString::from));
    P::try_parse_from(arguments).map_err(|error| {
        let is_of_file = error.kind() != ErrorKind::DisplayHelp
            && (is_complete || error.kind() != ErrorKind::MissingRequiredArgument);
        if !is_of_file {
            return error.into();
        }
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        not_understood(first.trim_start_matches("error: ").to_owned()).into()
    })
}

/// The settings of a file as flags of the command that was given, without those that the command line gave.
fn of_file(
    path: &Path,
    scope: SettingsScope<'_>,
    program: &Command,
    given: &ArgMatches,
) -> Result<Vec<String>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    of_text(&text, scope, program, given).map_err(|reason| ConfigError::NotUnderstood {
        path: path.to_owned(),
        reason,
    })
}

/// The same from the text of a file; the error is a reason.
fn of_text(
    text: &str,
    scope: SettingsScope<'_>,
    program: &Command,
    given: &ArgMatches,
) -> Result<Vec<String>, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let own = own_table(&table, scope)?;
    let is_shared = |key: &&String| !scope.foreign.contains(&key.as_str());
    let strict: Vec<&String> = match scope.heading {
        Some(_) => own.into_iter().flat_map(Table::keys).collect(),
        None => table.keys().filter(is_shared).collect(),
    };
    if let Some(key) = strict.into_iter().find(|key| !has_flag(program, key)) {
        return Err(unknown(text, scope, program, key));
    }
    let (mut command, mut given) = (program, given);
    while let Some((name, below)) = given.subcommand() {
        command = command.find_subcommand(name).unwrap_or(command);
        given = below;
    }
    let mut flags = Vec::new();
    // The program's own table comes first: it wins over the shared settings.
    let mut taken: Vec<&str> = Vec::new();
    let shared = table.iter().filter(|(key, _)| is_shared(key));
    for (key, value) in own.into_iter().flatten().chain(shared) {
        let is_typed = scope.typed.contains(&(command.get_name(), key));
        if let Some(argument) = flag_of(command, key)
            && !is_typed
            && !taken.contains(&key.as_str())
            && given.value_source(argument.get_id().as_str()) != Some(ValueSource::CommandLine)
        {
            flags.extend(written(argument, key, value)?);
            taken.push(key);
        }
    }
    Ok(flags)
}

/// The table that is the program's alone, if it has one and the file too.
fn own_table<'t>(table: &'t Table, scope: SettingsScope<'_>) -> Result<Option<&'t Table>, String> {
    let Some(heading) = scope.heading else {
        return Ok(None);
    };
    match table.get(heading) {
        Some(Value::Table(own)) => Ok(Some(own)),
        Some(other) => Err(format!("[{heading}] is a table of settings, not {other}")),
        None => Ok(None),
    }
}

/// The error of a setting that is no flag.
fn unknown(text: &str, scope: SettingsScope<'_>, program: &Command, key: &str) -> String {
    let line = line_of(text, scope.heading, key);
    let line = line.map_or(String::new(), |line| format!("line {line}: "));
    let table = scope
        .heading
        .map_or(String::new(), |it| format!("[{it}]: "));
    let meant = nearest(program, scope, key);
    let meant = meant.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
    format!(
        "{line}{table}there is no setting `{key}`{meant}; settings have the names of flags, without the dashes"
    )
}

/// The line, from 1, that sets a key of a table, or opens a table of this name.
fn line_of(text: &str, heading: Option<&str>, key: &str) -> Option<usize> {
    let mut inside = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let opened = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map(|(name, _)| name.trim_matches(['[', ' ']));
        if inside == heading && opened.is_none() {
            let name = line.split_once('=').map(|(name, _)| name.trim());
            if name.map(|name| name.trim_matches(['"', '\''])) == Some(key) {
                return Some(index + 1);
            }
        }
        if opened.is_some() {
            inside = opened;
            if heading.is_none() && opened == Some(key) {
                return Some(index + 1);
            }
        }
    }
    None
}

/// The setting closest to a wrong name, within one letter missing, added, changed or swapped, as clap does it for flags.
fn nearest(program: &Command, scope: SettingsScope<'_>, key: &str) -> Option<String> {
    let foreign: &[&str] = match scope.heading {
        Some(_) => &[],
        None => scope.foreign,
    };
    let mut names = names(program);
    names.extend(foreign);
    let near = names.into_iter().find(|name| is_near(name, key));
    near.map(str::to_owned)
}

/// The names of all settings of a command and of those below it.
fn names(command: &Command) -> Vec<&str> {
    let own = command.get_arguments().filter_map(Arg::get_long);
    let own = own.filter(|name| !NO_SETTINGS.contains(name));
    own.chain(command.get_subcommands().flat_map(names))
        .collect()
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

fn flag_of<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    let mut flags = command.get_arguments();
    flags.find(|argument| argument.get_long() == Some(key) && !NO_SETTINGS.contains(&key))
}

fn has_flag(command: &Command, key: &str) -> bool {
    names(command).contains(&key)
}

/// A setting as the user would type it on the command line.
fn written(argument: &Arg, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let repeats = matches!(argument.get_action(), ArgAction::Append);
    match value {
        Value::Boolean(on) if is_switch => Ok(on.then(|| format!("--{key}")).into_iter().collect()),
        _ if is_switch => Err(format!("{key}: expected true or false, not {value}")),
        Value::Array(values) if repeats => {
            let each = values.iter();
            each.map(|value| Ok(format!("--{key}={}", plain(argument, key, value)?)))
                .collect()
        }
        Value::Array(_) => Err(format!("{key}: expected one value, not a list")),
        value => Ok(vec![format!("--{key}={}", plain(argument, key, value)?)]),
    }
}

/// Whether a flag takes any text or path, so that a bare number in the file is a mistake.
fn is_text(argument: &Arg) -> bool {
    let kind = argument.get_value_parser().type_id();
    let texts = [TypeId::of::<String>(), TypeId::of::<PathBuf>()];
    let names = argument.get_value_names().unwrap_or_default();
    texts.iter().any(|text| kind == *text)
        && !names
            .iter()
            .any(|name| NUMBERS_TOO.contains(&name.as_str()))
}

fn plain(argument: &Arg, key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) if is_text(argument) => Err(format!(
            "{key}: expected text, not {value}: write {key} = \"{value}\""
        )),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Datetime(time) => Ok(time.to_string()),
        other => Err(format!(
            "{key}: expected a text or a whole number, not {other}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Subcommand;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: Doing,
    }

    #[derive(Debug, PartialEq, Subcommand)]
    enum Doing {
        Roll {
            #[arg(long)]
            data: PathBuf,
            #[arg(long)]
            from: Option<String>,
            #[arg(long)]
            json: bool,
        },
        Verify {
            #[arg(long)]
            data: PathBuf,
            #[arg(long)]
            json: bool,
        },
    }

    const OWN: SettingsScope<'static> = SettingsScope {
        heading: Some("own"),
        foreign: &["from"],
        typed: &[("verify", "json")],
    };

    /// The command that a file of this text and these arguments make.
    fn parsed(text: &str, arguments: &[&str]) -> Result<Doing, String> {
        parsed_in(OWN, text, arguments)
    }

    fn parsed_in(
        scope: SettingsScope<'_>,
        text: &str,
        arguments: &[&str],
    ) -> Result<Doing, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("teiten.toml");
        std::fs::write(&path, text).expect("writable");
        let mut line: Vec<OsString> = vec!["program".into(), "--config".into(), path.into()];
        line.extend(arguments.iter().map(OsString::from));
        let line = parse::<Line>(scope, line).map_err(|error| error.to_string())?;
        Ok(line.command)
    }

    #[test]
    fn a_file_gives_what_no_flag_gave() {
        let text = "data = \"a\"\ntelescope = [\"192.0.2.0/24\"]\n[own]\nfrom = 2026-11-05\njson = true\n[report]\nhome = \"JP\"\n";
        let roll = |data: &str, from: &str, json| Doing::Roll {
            data: data.into(),
            from: Some(from.into()),
            json,
        };
        assert_eq!(parsed(text, &["roll"]), Ok(roll("a", "2026-11-05", true)));
        let flags = ["roll", "--data", "verify", "--from=x"];
        assert_eq!(parsed(text, &flags), Ok(roll("verify", "x", true)));
        let verify = Doing::Verify {
            data: "a".into(),
            json: false,
        };
        assert_eq!(parsed(text, &["verify"]), Ok(verify));
        let both = "data = \"a\"\n[own]\ndata = \"b\"\n";
        let verify = Doing::Verify {
            data: "b".into(),
            json: false,
        };
        assert_eq!(parsed(both, &["verify"]), Ok(verify));
    }

    #[test]
    fn what_other_programs_mean_and_what_is_only_typed_is_not_taken() {
        let text = "data = \"a\"\nfrom = \"other\"\njson = true\n";
        let roll = Doing::Roll {
            data: "a".into(),
            from: None,
            json: true,
        };
        assert_eq!(parsed(text, &["roll"]), Ok(roll));
        let verify = Doing::Verify {
            data: "a".into(),
            json: false,
        };
        assert_eq!(parsed(text, &["verify"]), Ok(verify));
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named() {
        for (text, part) in [
            (
                "form = 1\n[other]\nform = 2\n[own]\nform = 1\n",
                "line 5: [own]: there is no setting `form` (did you mean `from`?)",
            ),
            ("own = 1\n", "[own] is a table"),
            ("[own]\njson = 1\n", "json: expected true or false"),
            ("[own]\nfrom = [1]\n", "from: expected one value"),
            ("[own]\ndata = 5\n", "data: expected text, not 5"),
            ("data = 5\n", "data: expected text, not 5"),
            ("[own\n", "TOML parse error"),
            ("[own]\nconfig = \"x\"\n", "`config`"),
            (
                "[own]\nfrom = \"x\"\nno = 1\n",
                "line 3: [own]: there is no setting `no`;",
            ),
        ] {
            let error = parsed(text, &["roll"]).expect_err(text);
            assert!(
                error.contains(part) && error.contains("teiten.toml"),
                "{text}: {error}"
            );
        }
        let line = ["program", "--config=no/such.toml", "roll"].map(OsString::from);
        let error = parse::<Line>(OWN, line).expect_err("no file");
        assert!(error.to_string().contains("no/such.toml"), "{error}");
    }

    #[test]
    fn a_program_without_a_table_of_its_own_knows_every_setting_above_the_tables() {
        let scope = SettingsScope {
            heading: None,
            foreign: &["report", "home"],
            typed: &[],
        };
        let text = "data = \"a\"\nhome = \"JP\"\n[report]\nany = 1\n";
        let verify = Doing::Verify {
            data: "a".into(),
            json: false,
        };
        assert_eq!(parsed_in(scope, text, &["verify"]), Ok(verify));
        for (text, part) in [
            (
                "datas = \"a\"\n",
                "line 1: there is no setting `datas` (did you mean `data`?)",
            ),
            (
                "homee = \"JP\"\n",
                "line 1: there is no setting `homee` (did you mean `home`?)",
            ),
            (
                "[reports]\ndata = \"a\"\n",
                "line 1: there is no setting `reports` (did you mean `report`?)",
            ),
        ] {
            let error = parsed_in(scope, text, &["verify"]).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn what_neither_the_file_nor_the_command_line_gives_is_a_flag_that_is_missing() {
        let error = parsed("[own]\njson = true\n", &["roll"]).expect_err("no data");
        assert!(
            error.contains("--data") && !error.contains("teiten.toml"),
            "{error}"
        );
        let error = parsed("data = \"a\"\n", &["roll", "--form", "x"]).expect_err("no flag");
        assert!(
            error.contains("--form") && !error.contains("teiten.toml"),
            "{error}"
        );
    }
}
