//! Finds the programs that are measured: beside this one, or cargo builds them there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A program of this workspace: its name and its package.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the binary.
    pub name: &'static str,
    /// Name of the package.
    pub package: &'static str,
}

/// The sensor.
pub const SENSOR: Program = Program {
    name: "teiten-sensor",
    package: "teiten-sensor",
};
/// The synthesiser of captures.
pub const SYNTH: Program = Program {
    name: "teiten-synth",
    package: "teiten-testdata",
};

impl Program {
    /// The binary of the same profile as this program; built if it is missing.
    ///
    /// # Errors
    /// When it is missing and cargo cannot build it.
    pub fn find(self) -> Result<PathBuf> {
        let own = std::env::current_exe()?;
        let folder = profile_folder(&own).context("this program is in no folder")?;
        let path = folder.join(self.name);
        if !path.exists() {
            self.build(folder)
                .with_context(|| format!("{} is not built: use `make bench`", path.display()))?;
        }
        ensure!(path.exists(), "cargo built no {}", path.display());
        Ok(path)
    }

    fn build(self, folder: &Path) -> Result<()> {
        let target = folder.parent().context("no target folder")?;
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--profile", profile])
            .args(["--package", self.package, "--bin", self.name])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(target)
            .status()?;
        ensure!(status.success(), "cargo ended with {status}");
        Ok(())
    }
}

/// `target/PROFILE` of a binary, or of a test, which is one folder deeper.
fn profile_folder(own: &Path) -> Option<&Path> {
    let folder = own.parent()?;
    if folder.ends_with("deps") {
        folder.parent()
    } else {
        Some(folder)
    }
}

/// A program of the machine: its path, when one of the usual folders or `PATH` has it.
#[must_use]
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps some of the peers where only root's PATH looks.
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_finds_the_folder_of_its_profile() {
        let check = |own: &str| profile_folder(Path::new(own)).map(Path::to_path_buf);
        assert_eq!(check("/t/release/x"), Some(PathBuf::from("/t/release")));
        assert_eq!(check("/t/debug/deps/x-1"), Some(PathBuf::from("/t/debug")));
    }

    #[test]
    fn installed_programs_are_found_and_others_not() {
        assert!(installed("sh").is_some());
        assert!(installed("no-such-program-here").is_none());
    }
}
