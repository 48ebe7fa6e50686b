//! The user, groups and capabilities of the process. It keeps CAP_NET_RAW, so that it can open an interface again that comes back; root
//! without `--user` also keeps the capability to write into other users' folders.

use std::os::unix::fs::chown;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setuid};
use teiten_aggregator::store::random_name;

use super::{ConfinementStep, Needs, PrivilegeError};

/// Name of the file that tests whether a folder is writable; it is removed at once.
const TRIAL_FILE: &str = ".teiten-writable";

/// What the process may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// Name of the user, or its number.
    pub user: String,
    /// Whether that is root.
    pub root: bool,
    /// Whether interfaces can be captured on.
    pub capture: bool,
    /// Names of all effective capabilities, in order.
    pub capabilities: Vec<String>,
}

/// What the process may do now.
#[must_use]
pub fn privileges() -> Privileges {
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    let mut capabilities: Vec<String> = held.iter().map(ToString::to_string).collect();
    capabilities.sort();
    let id = geteuid();
    let user = User::from_uid(id).ok().flatten();
    Privileges {
        user: user.map_or_else(|| id.to_string(), |user| user.name),
        root: id.is_root(),
        capture: held.contains(&Capability::CAP_NET_RAW),
        capabilities,
    }
}

/// Gives up the capability to capture, which a file can bring to programs in it that capture nothing.
pub fn give_up_capture() {
    for set in [CapSet::Effective, CapSet::Permitted] {
        // Without it there is nothing to give up.
        let _ = caps::drop(None, set, Capability::CAP_NET_RAW);
    }
}

/// Changes to the wanted user, with the one capability that a capture needs.
pub(super) fn take(needs: &Needs) -> Result<Vec<ConfinementStep>, PrivilegeError> {
    let Some(name) = &needs.user else {
        let mut steps = Vec::new();
        let mut kept = vec![Capability::CAP_NET_RAW];
        if geteuid().is_root() {
            let text = "stays root: --user NAME drops that";
            steps.push(ConfinementStep::left_out("user", text));
            kept.push(Capability::CAP_DAC_OVERRIDE);
        }
        steps.push(match keep_capabilities(&kept) {
            Ok(kept) => ConfinementStep::done("capabilities", kept),
            Err(error) => ConfinementStep::left_out("capabilities", error),
        });
        return Ok(steps);
    };
    let refused = |step: &'static str, reason: String| PrivilegeError::Refused {
        user: name.clone(),
        step,
        reason,
    };
    let user = User::from_name(name)
        .map_err(|error| refused("looking the user up", error.to_string()))?
        .ok_or_else(|| PrivilegeError::NoSuchUser { user: name.clone() })?;
    if user.uid != geteuid() {
        if !geteuid().is_root() {
            return Err(PrivilegeError::NotRoot { user: name.clone() });
        }
        for folder in &needs.written {
            make_folder(folder, user.uid, user.gid)
                .map_err(|error| refused("making the data folder", error.to_string()))?;
        }
        become_user(&user).map_err(|(step, error)| refused(step, error.to_string()))?;
    }
    let kept = keep_capabilities(&[Capability::CAP_NET_RAW])
        .map_err(|error| refused("keeping CAP_NET_RAW alone", error))?;
    let text = format!("goes on as {name} ({})", user.uid);
    Ok(vec![
        ConfinementStep::done("user", text),
        ConfinementStep::done("capabilities", kept),
    ])
}

fn become_user(user: &User) -> Result<(), (&'static str, nix::Error)> {
    let name = std::ffi::CString::new(user.name.as_str()).unwrap_or_default();
    prctl::set_keepcaps(true).map_err(|error| ("keeping capabilities", error))?;
    // This needs root's capabilities. With an empty bounding set, a program with file capabilities cannot bring any back.
    let _ = caps::clear(None, CapSet::Bounding);
    initgroups(&name, user.gid).map_err(|error| ("taking the user's groups", error))?;
    setgid(user.gid).map_err(|error| ("taking the user's group", error))?;
    setuid(user.uid).map_err(|error| ("becoming the user", error))?;
    prctl::set_keepcaps(false).map_err(|error| ("keeping capabilities", error))
}

/// Keeps the `wanted` capabilities that the process has, and returns their names.
fn keep_capabilities(wanted: &[Capability]) -> Result<String, String> {
    let permitted = caps::read(None, CapSet::Permitted).map_err(|error| error.to_string())?;
    let is_kept = |capability: &&Capability| permitted.contains(*capability);
    let kept: CapsHashSet = wanted.iter().filter(is_kept).copied().collect();
    // Programs that this one starts would inherit these; it starts none. Kernels before 4.3 have no ambient set.
    let _ = caps::clear(None, CapSet::Ambient);
    let set =
        |set, value: &CapsHashSet| caps::set(None, set, value).map_err(|error| error.to_string());
    set(CapSet::Inheritable, &CapsHashSet::new())?;
    set(CapSet::Effective, &kept)?;
    set(CapSet::Permitted, &kept)?;
    let names: Vec<String> = wanted
        .iter()
        .filter(is_kept)
        .map(ToString::to_string)
        .collect();
    Ok(match names.as_slice() {
        [] => "none is held".to_owned(),
        names => format!("{} and no other", names.join(", ")),
    })
}

/// Creates a missing folder and gives it to the user; an existing one stays as it is.
fn make_folder(folder: &Path, user: Uid, group: Gid) -> std::io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    chown(folder, Some(user.as_raw()), Some(group.as_raw()))
}

/// Tries to write into every data folder, as the user that will write there.
pub(super) fn check_writable(needs: &Needs) -> Result<(), PrivilegeError> {
    for folder in &needs.written {
        writable(folder).map_err(|error| PrivilegeError::NotWritable {
            path: folder.clone(),
            user: privileges().user,
            reason: error,
        })?;
    }
    Ok(())
}

/// Whether a file can be created in a folder (which is created if it is missing).
pub(crate) fn writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let trial = folder.join(format!("{TRIAL_FILE}-{}", random_name()));
    std::fs::write(&trial, [])?;
    std::fs::remove_file(&trial)
}
