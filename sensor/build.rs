//! Looks for libpcap before anything of the sensor is compiled, and says what to install where it is missing: the linker would say it
//! last, in its own words.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in ["LIBPCAP_LIBDIR", "CC", "LIBRARY_PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // Another machine's libraries are not ours to look for.
    if std::env::var("HOST") == std::env::var("TARGET") && !is_there("pcap") {
        println!("cargo::error=libpcap is missing: live capture links with it");
        println!(
            "cargo::error=Debian and Ubuntu: apt-get install libpcap-dev (or let `make demo` do it)"
        );
        println!(
            "cargo::error=Fedora: dnf install libpcap-devel; Arch: pacman -S libpcap; Alpine: apk add libpcap-dev"
        );
        println!("cargo::error=elsewhere: set LIBPCAP_LIBDIR to the folder of libpcap.so");
    }
}

/// Whether the linker would find a library: where the user said, or where the C compiler looks. A compiler that is missing is not
/// judged here; cargo names it.
fn is_there(library: &str) -> bool {
    let files = [format!("lib{library}.so"), format!("lib{library}.a")];
    if let Some(folder) = std::env::var_os("LIBPCAP_LIBDIR") {
        return files
            .iter()
            .any(|file| Path::new(&folder).join(file).is_file());
    }
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    files.iter().any(|file| {
        let output = Command::new(&compiler)
            .arg(format!("-print-file-name={file}"))
            .output();
        let Ok(output) = output else { return true };
        // It prints the bare name of what it does not find.
        let printed = String::from_utf8_lossy(&output.stdout);
        let found = Path::new(printed.trim());
        found.is_absolute() && found.exists()
    })
}
