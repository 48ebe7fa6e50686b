//! Confines the files of the process (landlock, Linux 5.19 and later): it may write to its data folders, and read the folders of its lists,
//! its own program and the kernel's interface statistics. It can no longer bind or connect TCP ports.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

use super::{ConfinementStep, Needs};

/// Always readable: kernel files that libpcap and the metrics need. `/sys/class/net` holds links into `/sys/devices`.
const READ_ALWAYS: [&str; 3] = ["/sys/class/net", "/sys/devices", "/proc/self"];

/// The newest version of landlock that we ask for; the kernel grants what it supports.
const RIGHTS: ABI = ABI::V5;

const NAME: &str = "files";

pub(super) fn confine(needs: &Needs) -> ConfinementStep {
    if !lets_files_move() {
        return ConfinementStep::left_out(
            NAME,
            "this kernel has no landlock under which files can move between folders, as an hour does when it is published (5.19 and \
             later can; it may be switched off at boot)",
        );
    }
    match restrict(needs) {
        Ok(status) => match status.ruleset {
            RulesetStatus::FullyEnforced => ConfinementStep::done(NAME, reach(needs)),
            RulesetStatus::PartiallyEnforced => ConfinementStep::left_out(
                NAME,
                format!(
                    "{}, as far as this kernel's landlock goes ({})",
                    reach(needs),
                    level(status.landlock)
                ),
            ),
            RulesetStatus::NotEnforced => ConfinementStep::left_out(
                NAME,
                "this kernel has no landlock (it may be switched off at boot)",
            ),
        },
        Err(error) => ConfinementStep::left_out(NAME, error.to_string()),
    }
}

/// The first version of landlock refuses every rename between folders, regardless of the rules.
fn lets_files_move() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .is_ok()
}

fn restrict(needs: &Needs) -> Result<landlock::RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::from_all(RIGHTS))?
        .create()?;
    for path in &needs.written {
        ruleset = allow(ruleset, path, written())?;
    }
    for path in read_folders(needs) {
        ruleset = allow(ruleset, &path, read)?;
    }
    if let Ok(program) = std::env::current_exe() {
        // A backtrace needs the program's symbols.
        ruleset = allow(ruleset, &program, AccessFs::ReadFile.into())?;
    }
    ruleset.restrict_self()
}

fn written() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::Refer
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
}

/// A missing path needs no rule.
fn allow(
    ruleset: landlock::RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<landlock::RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(path) => ruleset.add_rule(PathBeneath::new(path, rights)),
        Err(_) => Ok(ruleset),
    }
}

/// Folders to read from: those of every list, and the kernel's.
fn read_folders(needs: &Needs) -> Vec<PathBuf> {
    let folder = |path: &PathBuf| match path.parent() {
        _ if path.is_dir() => path.clone(),
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.clone(),
    };
    let mut folders: Vec<PathBuf> = needs.read.iter().map(folder).collect();
    folders.extend(READ_ALWAYS.map(PathBuf::from));
    folders.sort();
    folders.dedup();
    folders
}

fn reach(needs: &Needs) -> String {
    let names = |paths: &[PathBuf]| {
        let names: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        names.join(", ")
    };
    format!(
        "{} to write, {} to read",
        names(&needs.written),
        names(&read_folders(needs))
    )
}

fn level(status: LandlockStatus) -> String {
    match status {
        LandlockStatus::Available { effective_abi, .. } => format!("{effective_abi:?}"),
        other => format!("{other:?}"),
    }
}
