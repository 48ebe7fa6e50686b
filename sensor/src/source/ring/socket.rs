//! Safe functions around the system calls for sockets and interfaces.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::RingError;
use crate::source::filter::Instruction;

/// Waits until one of the descriptors is readable, at most for `wait`.
pub(crate) fn wait_for(descriptors: &[std::os::fd::RawFd], wait: Duration) {
    let mut polled: Vec<libc::pollfd> = descriptors
        .iter()
        .map(|&fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let wait_ms = libc::c_int::try_from(wait.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: pointer and length are those of a live vector. A signal ends the wait early, which does no harm.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, wait_ms) };
}

/// The number of an interface of this network namespace.
#[must_use]
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: a string that ends with a zero byte and lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// Whether an interface of this network namespace is up (`IFF_UP`, netdevice(7)).
#[must_use]
pub(crate) fn is_up(name: &str) -> bool {
    // SAFETY: a plain C struct of integers, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, letter) in request
        .ifr_name
        .iter_mut()
        .take(libc::IFNAMSIZ - 1)
        .zip(name.bytes())
    {
        *place = letter as libc::c_char;
    }
    // A socket of the local family, because a confined capture may open no Internet socket; any family works (netdevice(7)). SAFETY: no
    // pointers.
    let number = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if number < 0 {
        return false;
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: the pointer is to a live struct of the type that this request reads and writes.
    let asked = unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCGIFFLAGS as _,
            &raw mut request,
        )
    };
    // SAFETY: a request that succeeded has written the flags.
    asked == 0 && unsafe { request.ifr_ifru.ifru_flags } & libc::IFF_UP as libc::c_short != 0
}

fn address(index: u32) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::c_ushort,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: index as libc::c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

pub(super) fn bind(socket: &OwnedFd, index: u32) -> Result<(), RingError> {
    let address = address(index);
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: pointer and length are those of a live value.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound < 0 {
        return Err(failed("binding to the interface"));
    }
    Ok(())
}

pub(super) fn hardware_type(socket: &OwnedFd) -> Result<u16, RingError> {
    let mut address = address(0);
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: both pointers are to live values, and the length is that of the first.
    let got = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut address).cast(),
            &raw mut length,
        )
    };
    if got < 0 {
        return Err(failed("asking for the hardware type"));
    }
    Ok(address.sll_hatype)
}

pub(super) fn set_packet<T>(
    socket: &OwnedFd,
    option: libc::c_int,
    value: &T,
    what: &'static str,
) -> Result<(), RingError> {
    set(socket, libc::SOL_PACKET, option, value, what)
}

fn set<T>(
    socket: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
    what: &'static str,
) -> Result<(), RingError> {
    // SAFETY: pointer and length are those of a live value; the kernel checks that the length is the option's.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if done < 0 {
        return Err(failed(what));
    }
    Ok(())
}

pub(super) fn attach(
    socket: &OwnedFd,
    option: libc::c_int,
    level: libc::c_int,
    program: &[Instruction],
) -> Result<(), RingError> {
    let mut instructions: Vec<libc::sock_filter> = program
        .iter()
        .map(|one| libc::sock_filter {
            code: one.code,
            jt: one.if_true,
            jf: one.if_false,
            k: one.value,
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).unwrap_or(u16::MAX),
        filter: instructions.as_mut_ptr(),
    };
    // The kernel copies the instructions before the call ends.
    set(socket, level, option, &program, "attaching a filter")
}

pub(super) fn failed(what: &'static str) -> RingError {
    RingError::System(what, io::Error::last_os_error())
}
