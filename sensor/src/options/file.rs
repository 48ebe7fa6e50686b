//! `teiten.toml` for the sensor: it owns the settings above all tables, so each of them must be a flag of one of its commands or belong to
//! another program.

use std::ffi::OsString;

use teiten_aggregator::config::{self, Refusal, SettingsScope};

use super::CommandLine;

/// Settings and tables of the same file that belong to the other programs.
pub const SETTINGS_OF_OTHERS: &[&str] = &[
    "report",
    "aggregator",
    "out",
    "period",
    "timezone",
    "home",
    "language",
];

/// Reads a command line, the program's name first, and the file that it names.
///
/// # Errors
/// What is wrong, with the flag, or with the file and the setting.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, Refusal> {
    let scope = SettingsScope {
        heading: None,
        foreign: SETTINGS_OF_OTHERS,
        typed: &[],
    };
    config::parse(scope, arguments)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Arg, CommandFactory as _};
    use teiten_aggregator::config::NO_SETTINGS;
    use toml::Table;

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
        let (_, _, settings) = arguments.resolve().expect("good settings");
        assert_eq!(settings.sensor, "flag");
        assert_eq!(settings.data, Path::new("/a"));
        assert_eq!(settings.telescope.len(), 1);
    }

    #[test]
    fn a_capture_can_be_described_by_the_file_alone() {
        let text = "data = \"d\"\ninterface = [\"eth0\"]\nbuffer = \"8M\"\nsnap-length = 96\nno-sandbox = true\njson = false\n";
        let (capture, settings) = capture(text, &[]).resolve().expect("good settings");
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
            capture(&text, &[]).resolve().expect("good settings");
            with_file(&text, &["replay", "x.pcap"]).expect("a good file");
        }
    }
}
