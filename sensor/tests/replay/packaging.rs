//! The other files of the package: the unit, the dashboard, manual pages and completions.

use crate::program;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use teiten_sensor::watch::METRICS;

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging");
const DASHBOARD: &str = include_str!("../../packaging/grafana-dashboard.json");
/// The most that `systemd-analyze security` may find exposed, of 10: its word for below 2 is OK, without the capability and sockets
/// that a capture needs it would be less.
const EXPOSURE_MAX: f64 = 2.0;

#[test]
fn every_metric_of_the_dashboard_exists_and_most_metrics_are_drawn() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let known: BTreeSet<String> = METRICS.iter().map(|metric| metric.full_name()).collect();
    let mut drawn = BTreeSet::new();
    let panels = dashboard["panels"].as_array().expect("panels");
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
    {
        let expression = target["expr"].as_str().expect("an expression");
        let words =
            expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let names =
            words.filter(|word| word.starts_with("teiten_") || word.starts_with("process_"));
        let mut count = 0;
        for name in names {
            assert!(known.contains(name), "{name} in {expression}");
            drawn.insert(name.to_owned());
            count += 1;
        }
        assert!(count > 0, "{expression}");
    }
    assert!(
        drawn.len() * 3 > known.len() * 2,
        "{:?} are not drawn",
        known.difference(&drawn)
    );
}

#[test]
fn labels_of_the_dashboard_are_labels_of_the_metrics() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let known: BTreeSet<&str> = METRICS
        .iter()
        .map(|metric| metric.label)
        .chain(["instance"])
        .collect();
    for part in dashboard.to_string().split("by (").skip(1) {
        let label = part.split(')').next().expect("a closing bracket");
        assert!(known.contains(label), "{label}");
    }
}

#[test]
fn the_units_are_understood_and_expose_little() {
    for unit in ["teiten-sensor.service", "teiten-alerts.service"] {
        check_unit(unit);
    }
}

fn check_unit(unit: &str) {
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze")
            .args(arguments)
            .arg(format!("{UNITS}/{unit}"))
            .output()
    };
    let Ok(output) = analyze(&["security", "--offline=true", "--no-pager"]) else {
        eprintln!("SKIPPED: systemd-analyze is not here");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((_, level)) = text.split_once(&format!("Overall exposure level for {unit}: ")) else {
        eprintln!("SKIPPED: this systemd-analyze cannot look at a unit offline: {output:?}");
        return;
    };
    let level: f64 = level
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    assert!(level <= EXPOSURE_MAX, "{text}");
    let output = analyze(&["verify", "--man=no", "--recursive-errors=no"]).expect("it ran before");
    let text = String::from_utf8_lossy(&output.stderr);
    // The program is not installed where tests run; nothing else may be wrong.
    let wrong: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(unit) && !line.contains("is not executable"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn manual_pages_and_completions_name_every_flag() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = program::run(["documents".as_ref(), folder.path().as_os_str()]);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    let read = |name: &str| {
        std::fs::read_to_string(folder.path().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let page = read("man/teiten-sensor-capture.1");
    for flag in ["interface", "status", "user", "no\\-sandbox", "config"] {
        assert!(page.contains(&format!("\\-\\-{flag}")), "{flag}: {page}");
    }
    for name in [
        "completions/teiten-sensor.bash",
        "completions/_teiten-sensor",
        "completions/teiten-sensor.fish",
    ] {
        assert!(read(name).contains("no-sandbox"), "{name}");
    }
}

/// Runs a script in a shell; prints SKIPPED if there is no such shell.
fn in_shell(shell: &str, script: &str) -> Option<String> {
    let Ok(output) = Command::new(shell).args(["-c", script]).output() else {
        eprintln!("SKIPPED: there is no {shell}");
        return None;
    };
    assert!(output.status.success(), "{shell}: {output:?}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// What zsh makes of a line and a Tab, typed into an interactive zsh in a pseudo-terminal. `print_line`, bound to two keys, writes its
/// line into a file. Waits 20 seconds for each answer, at most.
const ZSH_TYPIST: &str = r#"
work=$(mktemp -d) && zmodload zsh/zpty || exit 1
cat > $work/setup <<END
PS1=''
fpath=($made \$fpath)
autoload -Uz compinit
compinit -u -d $work/dump
note_ready() { print ready > $work/ready }
zle -N zle-line-init note_ready
print_line() { print -r -- "\$BUFFER" > $work/line }
zle -N print_line
bindkey '^Xs' print_line
END
wait_for() {
    for i in {1..400}; do
        zpty -r -t inner >/dev/null 2>&1
        [[ -s $1 ]] && return
        sleep 0.05
    done
    print "nothing came to $1" >&2
    exit 1
}
zpty inner zsh -f -i
zpty -w inner "source $work/setup"
wait_for $work/ready
zpty -w -n inner "$line"$'\t\x18s'
wait_for $work/line
cat $work/line
zpty -d inner
rm -r $work
"#;

#[test]
fn completions_work_behind_a_subcommand_and_behind_teiten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = program::run(["documents".as_ref(), folder.path().as_os_str()]);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    let made = folder.path().join("completions");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/completions");
    for name in ["teiten.bash", "_teiten", "teiten.fish"] {
        let text = std::fs::read_to_string(format!("{own}/{name}")).expect("it ships");
        std::fs::write(made.join(name), text).expect("writable");
    }
    let made = made.display();
    let words = [
        ("teiten-sensor replay --tele", "--telescope"),
        ("teiten-sensor geo update --ke", "--keep"),
        ("teiten-sensor replay x.pcap --data d --wor", "--workers"),
        ("teiten sensor capture --dur", "--durable"),
        ("teiten capture --dur", "--durable"),
        ("teiten sen", "sensor"),
        ("teiten rollu", "rollup"),
        ("teiten help agg", "aggregator"),
    ];
    for (line, expected) in words {
        let (before, current) = line.rsplit_once(' ').expect("several words");
        let (program, count) = (line.split(' ').next(), line.split(' ').count());
        let program = program.expect("a word");
        let function = format!("_{}", program.replace('-', "__"));
        let previous = before.rsplit(' ').next().expect("a word");
        let script = format!(
            "source {made}/{program}.bash; COMP_WORDS=({line}); COMP_CWORD={}; \
             {function} {program} {current} {previous}; echo \"${{COMPREPLY[@]}}\"",
            count - 1
        );
        if let Some(text) = in_shell("bash", &script) {
            assert_eq!(text.trim(), expected, "{line}");
        }
        let script = format!(
            "source {made}/teiten-sensor.fish; source {made}/teiten.fish; complete -C '{line}'"
        );
        if let Some(text) = in_shell("fish", &script) {
            assert!(text.starts_with(expected), "{line}: {text}");
        }
        let script = format!("made='{made}' line='{line}'\n{ZSH_TYPIST}");
        if let Some(text) = in_shell("zsh", &script) {
            // A flag that takes a value ends in `=`.
            let completed = text.trim_end().trim_end_matches('=');
            assert_eq!(completed, format!("{before} {expected}"), "{line}");
        }
    }
}

/// What two READMEs in two languages share: commands and queries to the letter, and the shape of all else.
fn skeleton(name: &str) -> Vec<String> {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
            lines.push(line.to_owned());
        } else if in_code {
            // A comment may be translated.
            let code = line.split("  #").next().unwrap_or_default();
            lines.push(code.trim_end().to_owned());
        } else if line.starts_with('#') {
            lines.push(line.chars().take_while(|mark| *mark == '#').collect());
        } else if line.starts_with("| ") || line.starts_with("- ") {
            lines.push(line[..1].to_owned());
        }
    }
    lines
}

#[test]
fn both_readmes_have_the_same_commands_sections_and_tables() {
    let (en, ja) = (skeleton("README.md"), skeleton("README.ja.md"));
    for (en, ja) in en.iter().zip(&ja) {
        assert_eq!(en, ja);
    }
    assert_eq!(en.len(), ja.len());
}
