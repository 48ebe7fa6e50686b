//! Confines the system calls of the process (seccomp). There are two lists: calls that an intruder would make but no capture does, which
//! end the process and are logged by the kernel's audit; and calls that a capture makes. All others fail with ENOSYS as on a kernel without
//! them, so that a newer C library falls back to an older call and the sensor goes on.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::ConfinementStep;

const NAME: &str = "system calls";

/// Calls that end the process: other programs, other processes' memory, mounts, namespaces, modules, identity, the clock.
const DEADLY: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_memfd_create,
];

/// Calls that a capture makes, allowed with any arguments.
const ALLOWED: &[c_long] = &[
    // Files.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_flock,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_getdents64,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_getcwd,
    libc::SYS_umask,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_ioctl,
    // Memory; mmap and mprotect are in `conditional`.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_msync,
    // Threads and signals.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_getcpu,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time; adjtimex shows whether the clock is synchronised, and needs CAP_SYS_TIME to set it.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_adjtimex,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    // Sockets; socket itself is in `conditional`. connect is for the service manager's socket; landlock forbids TCP.
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_accept,
    libc::SYS_connect,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_sendmmsg,
    libc::SYS_shutdown,
    // The machine and the process itself.
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_capget,
];

/// Older variants of these calls that x86-64 also has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_readlink,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_time,
    libc::SYS_getrlimit,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];

/// Sockets that a capture opens once it runs, as family, type and protocol. No Internet sockets: the status server listens before this
/// point, and accepting a client needs no `socket` call.
const SOCKETS: &[(i32, i32, i32)] = &[
    // For an interface that comes back: the ring binds to its protocol later, libpcap names it at once.
    (libc::AF_PACKET, libc::SOCK_RAW, 0),
    (libc::AF_PACKET, libc::SOCK_RAW, ALL_PROTOCOLS),
    (libc::AF_PACKET, libc::SOCK_DGRAM, 0),
    (libc::AF_PACKET, libc::SOCK_DGRAM, ALL_PROTOCOLS),
    // The service manager, the system's log, and questions about an interface, which any socket takes (netdevice(7)).
    (libc::AF_UNIX, libc::SOCK_STREAM, 0),
    (libc::AF_UNIX, libc::SOCK_DGRAM, 0),
    (libc::AF_UNIX, libc::SOCK_RAW, 0),
    // The kernel's list of interfaces.
    (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
    (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC),
    (libc::AF_NETLINK, libc::SOCK_DGRAM, libc::NETLINK_ROUTE),
];

/// ETH_P_ALL in network byte order (packet(7)).
const ALL_PROTOCOLS: i32 = (libc::ETH_P_ALL as u16).to_be() as i32;

/// A socket's type without the flags that may be combined with it (socket(2)).
const TYPE_MASK: u32 = !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u32;

pub(super) fn confine() -> ConfinementStep {
    let Ok(target) = TargetArch::try_from(ARCH) else {
        return ConfinementStep::left_out(NAME, format!("no filter is known for {ARCH}"));
    };
    match restrict(target) {
        Ok(()) => ConfinementStep::done(
            NAME,
            format!(
                "{} allowed, {} end the process, others are answered as unknown",
                allowed_calls(),
                DEADLY.len()
            ),
        ),
        Err(error) => ConfinementStep::left_out(NAME, error),
    }
}

fn restrict(target: TargetArch) -> Result<(), String> {
    let deadly = DEADLY.iter().map(|&call| (call, Vec::new())).collect();
    let deadly = compile(
        deadly,
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        target,
    )?;
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let allowed = compile(allowed(), unknown, SeccompAction::Allow, target)?;
    for program in [&deadly, &allowed] {
        apply_filter(program).map_err(message)?;
    }
    Ok(())
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    then: SeccompAction,
    target: TargetArch,
) -> Result<BpfProgram, String> {
    let filter = SeccompFilter::new(rules, otherwise, then, target).map_err(message)?;
    filter.try_into().map_err(message)
}

fn message(error: impl Into<Error>) -> String {
    error.into().to_string()
}

fn allowed_calls() -> usize {
    allowed().len()
}

/// Every allowed call; those in `conditional` under their conditions.
fn allowed() -> Rules {
    let plain = ALLOWED.iter().chain(ALLOWED_HERE);
    let mut rules: Rules = plain.map(|&call| (call, Vec::new())).collect();
    rules.extend(conditional());
    rules
}

fn conditional() -> Vec<(c_long, Vec<SeccompRule>)> {
    let not_executable = masked(2, libc::PROT_EXEC as u64, 0);
    let thread = masked(0, libc::CLONE_THREAD as u64, libc::CLONE_THREAD as u64);
    let sockets = SOCKETS.iter().map(|&(family, kind, protocol)| {
        let equal = [
            (0, u32::MAX, family),
            (1, TYPE_MASK, kind),
            (2, u32::MAX, protocol),
        ];
        rule(equal.map(|(argument, mask, value)| (argument, u64::from(mask), value as u64)))
    });
    vec![
        // No memory that is both writable and executable, and no further executable mappings.
        (libc::SYS_mmap, not_executable.clone()),
        (libc::SYS_mprotect, not_executable),
        // Threads, not processes. clone3 has its flags in memory, which a filter cannot read: libraries fall back to clone.
        (libc::SYS_clone, thread),
        (libc::SYS_socket, sockets.collect()),
        // A thread's name.
        (
            libc::SYS_prctl,
            masked(0, u64::from(u32::MAX), libc::PR_SET_NAME as u64),
        ),
    ]
}

/// The one rule that an argument, masked, has this value.
fn masked(argument: u8, mask: u64, value: u64) -> Vec<SeccompRule> {
    vec![rule([(argument, mask, value)])]
}

/// That every one of these arguments, masked, has its value.
fn rule<const N: usize>(arguments: [(u8, u64, u64); N]) -> SeccompRule {
    let conditions = arguments.map(|(argument, mask, value)| {
        let operator = SeccompCmpOp::MaskedEq(mask);
        SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)
            .expect("an argument's number is below six")
    });
    SeccompRule::new(conditions.into()).expect("there is a condition")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_allowed_and_deadly() {
        let allowed = allowed();
        let both = DEADLY.iter().filter(|call| allowed.contains_key(call));
        assert_eq!(both.count(), 0);
    }

    #[test]
    fn the_filters_fit_into_what_the_kernel_takes() {
        // linux/filter.h: BPF_MAXINSNS.
        const INSTRUCTIONS_MAX: usize = 4096;
        let target = TargetArch::try_from(ARCH).expect("tests run where filters are known");
        let program = compile(allowed(), SeccompAction::Trap, SeccompAction::Allow, target);
        assert!(program.expect("it compiles").len() <= INSTRUCTIONS_MAX);
    }
}
