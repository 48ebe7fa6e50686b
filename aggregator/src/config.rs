//! `teiten.toml` for a program of commands and flags: its settings are appended to the given flags, so that there is one table of flags.
//! The programs share the file: at its top each takes the settings that it knows; under its own heading, such as `[aggregator]`, every
//! setting must be one of its flags.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, Parser};
use toml::{Table, Value};

/// Flags that are no settings.
const NO_SETTINGS: &[&str] = &["help", "version", "config"];

/// Why a file of settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the settings {path}: {source}; name a readable file with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not understood.
    #[error("{path}: {reason}")]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the setting.
        reason: String,
    },
}

/// Which settings of the file are whose.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsScope<'s> {
    /// The table that is this program's alone.
    pub heading: &'s str,
    /// Settings above all tables that mean something else to this program: they are taken from its own table alone.
    pub foreign: &'s [&'s str],
    /// Flags that are no settings, each with its command.
    pub typed: &'s [(&'s str, &'s str)],
}

/// The arguments with the settings of the file that `--config` names among them; as they are where there is none.
///
/// # Errors
/// When the file cannot be read or is not understood.
pub fn with_settings<P: Parser>(
    scope: SettingsScope<'_>,
    arguments: Vec<OsString>,
) -> Result<Vec<OsString>, ConfigError> {
    let Some(path) = value_of(&arguments, "config") else {
        return Ok(arguments);
    };
    let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
        path: path.clone(),
        source,
    })?;
    let program = P::command();
    let settings = of_text(&text, scope, &program, &arguments);
    let settings = settings.map_err(|reason| ConfigError::NotUnderstood { path, reason })?;
    let mut all = arguments;
    let end = all.iter().position(|argument| argument == "--");
    let end = end.unwrap_or(all.len());
    all.splice(end..end, settings.into_iter().map(OsString::from));
    Ok(all)
}

/// The value of a long flag among arguments.
fn value_of(arguments: &[OsString], name: &str) -> Option<PathBuf> {
    let flag = format!("--{name}");
    let joined = format!("--{name}=");
    let mut rest = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = rest.next() {
        if *argument == *flag {
            return rest.next().map(PathBuf::from);
        }
        if let Some(value) = argument
            .to_str()
            .and_then(|text| text.strip_prefix(&joined))
        {
            return Some(PathBuf::from(value));
        }
    }
    None
}

/// The settings of a text as flags of the command that the arguments name: those that were not given.
fn of_text(
    text: &str,
    scope: SettingsScope<'_>,
    program: &Command,
    arguments: &[OsString],
) -> Result<Vec<String>, String> {
    let heading = scope.heading;
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let own = match table.get(heading) {
        Some(Value::Table(own)) => Some(own),
        Some(other) => return Err(format!("[{heading}] is a table of settings, not {other}")),
        None => None,
    };
    for key in own.into_iter().flat_map(Table::keys) {
        if !has_flag(program, key) {
            return Err(format!(
                "[{heading}]: there is no setting `{key}`; settings have the names of flags, without the dashes"
            ));
        }
    }
    let command = named(program, arguments);
    let mut flags = Vec::new();
    // The program's own table comes first: it wins over the shared settings.
    let mut taken: Vec<&str> = Vec::new();
    let shared = table
        .iter()
        .filter(|(key, _)| !scope.foreign.contains(&key.as_str()));
    for (key, value) in own.into_iter().flatten().chain(shared) {
        let is_typed = scope.typed.contains(&(command.get_name(), key));
        let is_taken = taken.contains(&key.as_str()) || is_typed;
        if let Some(argument) = flag_of(command, key)
            && !is_taken
            && !is_given(arguments, argument)
        {
            flags.extend(written(argument, key, value)?);
            taken.push(key);
        }
    }
    Ok(flags)
}

/// The command that the arguments name, with the commands beneath it.
fn named<'a>(program: &'a Command, arguments: &[OsString]) -> &'a Command {
    let mut command = program;
    let mut is_value = false;
    for argument in arguments.iter().skip(1) {
        let text = argument.to_string_lossy();
        if is_value {
            is_value = false;
        } else if let Some(name) = text.strip_prefix("--") {
            let takes = |argument: &Arg| argument.get_action().takes_values();
            is_value = flag_of(program, name)
                .or_else(|| flag_of(command, name))
                .is_some_and(takes)
                || name == "config";
        } else if let Some(below) = command.find_subcommand(&*text) {
            command = below;
        }
    }
    command
}

fn flag_of<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    let mut flags = command.get_arguments();
    flags.find(|argument| argument.get_long() == Some(key) && !NO_SETTINGS.contains(&key))
}

fn has_flag(command: &Command, key: &str) -> bool {
    flag_of(command, key).is_some() || command.get_subcommands().any(|below| has_flag(below, key))
}

fn is_given(arguments: &[OsString], argument: &Arg) -> bool {
    let long = argument.get_long().map(|name| format!("--{name}"));
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let before = arguments.iter().take_while(|argument| *argument != "--");
    before.into_iter().any(|given| {
        let given = given.to_string_lossy();
        let is_long = long.as_deref().is_some_and(|flag| {
            given
                .strip_prefix(flag)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        });
        is_long
            || short
                .as_deref()
                .is_some_and(|flag| given.starts_with(flag) && !given.starts_with("--"))
    })
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
            each.map(|value| Ok(format!("--{key}={}", plain(key, value)?)))
                .collect()
        }
        Value::Array(_) => Err(format!("{key}: expected one value, not a list")),
        Value::Integer(number) if is_path(argument) => {
            Err(format!("{key}: expected text, not {number}"))
        }
        value => Ok(vec![format!("--{key}={}", plain(key, value)?)]),
    }
}

/// Whether a flag names a file or a folder, which no number is meant to.
fn is_path(argument: &Arg) -> bool {
    argument.get_value_parser().type_id() == TypeId::of::<PathBuf>()
}

fn plain(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Datetime(time) => Ok(time.to_string()),
        other => Err(format!(
            "{key}: expected a text or a whole number, not {other}"
        )),
    }
}

/// Any bytes as a file of settings: for fuzzing, where nothing may crash.
#[doc(hidden)]
pub fn fuzz_settings<P: Parser>(bytes: &[u8]) {
    let arguments = ["teiten", "rollup"].map(OsString::from);
    let _ = of_text(
        &String::from_utf8_lossy(bytes),
        SettingsScope {
            heading: "aggregator",
            ..SettingsScope::default()
        },
        &P::command(),
        &arguments,
    );
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
        heading: "own",
        foreign: &["from"],
        typed: &[("verify", "json")],
    };

    /// The command that a file of this text and these arguments make.
    fn parsed(text: &str, arguments: &[&str]) -> Result<Doing, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("teiten.toml");
        std::fs::write(&path, text).expect("writable");
        let mut line: Vec<OsString> = vec!["program".into(), "--config".into(), path.into()];
        line.extend(arguments.iter().map(OsString::from));
        let line = with_settings::<Line>(OWN, line).map_err(|error| error.to_string())?;
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
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
            ("[own]\nform = 1\n", "there is no setting `form`"),
            ("own = 1\n", "[own] is a table"),
            ("[own]\njson = 1\n", "json: expected true or false"),
            ("[own]\nfrom = [1]\n", "from: expected one value"),
            ("[own]\ndata = 5\n", "data: expected text, not 5"),
            ("data = 5\n", "data: expected text, not 5"),
            ("[own\n", "TOML parse error"),
            ("[own]\nconfig = \"x\"\n", "`config`"),
        ] {
            let error = parsed(text, &["roll"]).expect_err(text);
            assert!(
                error.contains(part) && error.contains("teiten.toml"),
                "{text}: {error}"
            );
        }
        let line = ["program", "--config=no/such.toml", "roll"].map(OsString::from);
        let error = with_settings::<Line>(OWN, line.into()).expect_err("no file");
        assert!(error.to_string().contains("no/such.toml"), "{error}");
    }
}
