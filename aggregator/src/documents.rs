//! Writes manual pages and shell completions of a program from its command line: a step of packaging. Sections beyond the flags (examples,
//! files, exit codes) are added here for all programs.

use std::io::Result;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// The heading of the examples in a command's help.
pub const EXAMPLES_TITLE: &str = "Examples:";

/// Files that every program knows.
const FILES: &[(&str, &str)] = &[
    (
        "/etc/teiten/teiten.toml",
        "Settings of the service. Any command takes them by --config.",
    ),
    (
        "/usr/share/doc/teiten/examples/teiten.toml",
        "Every setting with its meaning and default.",
    ),
    (
        "/var/lib/teiten",
        "The service's dataset. Members of the group teiten read it.",
    ),
    (
        "/var/lib/teiten-lists/geo, ~/.local/share/teiten/geo",
        "Country data, as `teiten-sensor geo update` gets it for the machine and for a user.",
    ),
    (
        "TABLE/date=YYYY-MM-DD/hour=HH/SENSOR-RUN-PART.parquet",
        "A part of a table in the dataset's folder. `teiten-aggregator schema` prints tables and columns.",
    ),
];
const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "Done."),
    (
        "1",
        "Done, but incomplete: gaps, loss, a damaged input, or nothing observed.",
    ),
    ("2", "Not done."),
];

/// Writes a manual page for each command into `man` of `folder`, and completions for bash, zsh and fish into `completions`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(command: &Command, name: &str, folder: &Path) -> Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    let mut built = command.clone().disable_help_subcommand(true);
    built.build();
    pages(&built, name, &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let path = clap_complete::generate_to(shell, &mut command.clone(), name, &completions)?;
        let script = std::fs::read_to_string(&path)?;
        std::fs::write(&path, corrected(&script, name, shell))?;
    }
    Ok(())
}

/// Corrects a completion script of clap_complete 4.6. For bash it takes the dash in a program's name for the separator of a subcommand
/// (clap-rs/clap issue 6421), so that nothing is completed after a subcommand. For zsh it writes a repeated argument as `*::`, so that no
/// flag is completed behind the first such argument (zsh manual, `_arguments`: the words are then the arguments alone).
fn corrected(script: &str, name: &str, shell: Shell) -> String {
    match shell {
        Shell::Bash => {
            let wrong = format!("{}__subcmd__", name.replace('-', "__subcmd__"));
            script.replace(&wrong, &format!("{}__subcmd__", name.replace('-', "__")))
        }
        Shell::Zsh => script.replace("\n'*::", "\n'*:"),
        _ => script.to_owned(),
    }
}

fn pages(command: &Command, name: &str, folder: &Path) -> Result<()> {
    std::fs::write(folder.join(format!("{name}.1")), page(command, name)?)?;
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        pages(inner, &format!("{name}-{}", inner.get_name()), folder)?;
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>> {
    let man = Man::new(command.clone().display_name(name));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|inner| !inner.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let examples = command.get_after_help().map(ToString::to_string);
    let mut rest = examples.map_or_else(String::new, |text| examples_section(&text));
    for (title, rows) in [("FILES", FILES), ("EXIT STATUS", EXIT_CODES)] {
        rest += &format!(".SH \"{title}\"\n");
        for (name, meaning) in rows {
            rest += &format!(".TP\n{}\n{}\n", escaped(name), escaped(meaning));
        }
    }
    text.extend(rest.into_bytes());
    Ok(text)
}

fn examples_section(help: &str) -> String {
    let lines = help
        .trim_start_matches(EXAMPLES_TITLE)
        .trim_matches('\n')
        .lines();
    let lines: Vec<String> = lines.map(escaped).collect();
    format!(".SH EXAMPLES\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// Escapes text for roff.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) {
        return format!("\\&{escaped}");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Command {
        let inner = Command::new("replay")
            .about("Reads")
            .after_help("Examples:\n  # plainly\n  my-tool replay x")
            .arg(clap::Arg::new("data").long("data").help("Folder"));
        Command::new("my-tool").subcommand(inner)
    }

    fn written(path: &str) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(&program(), "my-tool", folder.path()).expect("writable");
        std::fs::read_to_string(folder.path().join(path)).expect("written")
    }

    #[test]
    fn bash_completes_behind_a_subcommand() {
        let script = written("completions/my-tool.bash");
        let set = script.matches("cmd=\"my__tool__subcmd__replay\"").count();
        let asked = script.matches("my__tool__subcmd__replay)").count();
        assert_eq!((set, asked), (1, 1), "{script}");
    }

    #[test]
    fn a_page_has_examples_files_and_exit_codes() {
        let page = written("man/my-tool-replay.1");
        for part in [
            ".SH EXAMPLES\n.nf\n  # plainly\n  my\\-tool replay x\n.fi\n",
            ".SH \"FILES\"\n.TP\n/etc/teiten/teiten.toml\n",
            ".SH \"EXIT STATUS\"\n.TP\n0\n",
            "\\-\\-data",
            "my\\-tool\\-replay",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
