//! Sends the packets of a capture through an interface, as fast as one thread can or at a steady rate, to measure a live capture. A packet's
//! number is its place in the capture. `unsafe` is needed because only `sendmmsg` sends many packets in one call.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Packets sent in one call.
const TOGETHER: usize = 64;
/// At a steady rate, packets are sent in portions of this time: the kernel does not sleep more precisely.
const PORTION: Duration = Duration::from_millis(1);
const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;
/// First bytes of a pcap in this machine's order (little-endian), microseconds.
const MAGIC: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Packets that the kernel took.
    pub packets: u64,
    /// Bytes of them, from the Ethernet header on.
    pub bytes: u64,
    /// From the first to the last.
    pub wall: Duration,
    /// How often the kernel's buffer was full and the send was retried.
    pub refused: u64,
}

impl Sent {
    /// As an object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "packets": self.packets,
            "bytes": self.bytes,
            "wall_seconds": self.wall.as_secs_f64(),
            "refused": self.refused,
        })
    }

    /// What [`Sent::json`] made.
    #[must_use]
    pub fn of(object: &Value) -> Option<Sent> {
        let number = |name: &str| object.get(name).and_then(Value::as_u64);
        Some(Sent {
            packets: number("packets")?,
            bytes: number("bytes")?,
            wall: Duration::try_from_secs_f64(object.get("wall_seconds")?.as_f64()?).ok()?,
            refused: number("refused")?,
        })
    }
}

/// Sends every packet of the Ethernet pcap `file` through `interface`, by `threads` that take portions in turn; `rate` in packets a
/// second of all together, none: as fast as they can.
///
/// # Errors
/// When the file is no such pcap, or the kernel refuses.
pub fn send(file: &Path, interface: &str, threads: usize, rate: Option<u64>) -> Result<Sent> {
    let capture = std::fs::read(file).with_context(|| file.display().to_string())?;
    ensure!(
        capture.get(..4) == Some(&MAGIC) && capture.get(20) == Some(&1),
        "{} is no Ethernet pcap of little-endian microseconds",
        file.display()
    );
    let threads = threads.max(1);
    let sockets = (0..threads).map(|_| open(interface));
    let sockets: Vec<OwnedFd> = sockets.collect::<io::Result<_>>().with_context(|| {
        format!("cannot send through {interface}: it takes root and an interface that is up")
    })?;
    let begin = Instant::now();
    let results: Vec<io::Result<Sent>> = std::thread::scope(|scope| {
        let capture = &capture;
        let senders: Vec<_> = sockets
            .iter()
            .enumerate()
            .map(|(turn, socket)| {
                scope.spawn(move || {
                    let portions = Portions::of(capture).skip(turn).step_by(threads);
                    send_portions(socket, portions, rate.map(|rate| rate / threads as u64))
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| {
                sender
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a sender broke off")))
            })
            .collect()
    });
    let mut sent = Sent {
        wall: begin.elapsed(),
        ..Sent::default()
    };
    for result in results {
        let one = result?;
        sent.packets += one.packets;
        sent.bytes += one.bytes;
        sent.refused += one.refused;
    }
    Ok(sent)
}

/// The packets of a capture, some at a time.
struct Portions<'a> {
    rest: &'a [u8],
}

impl<'a> Portions<'a> {
    fn of(capture: &'a [u8]) -> Self {
        Portions {
            rest: capture.get(FILE_HEADER_BYTES..).unwrap_or_default(),
        }
    }

    fn packet(&mut self) -> Option<&'a [u8]> {
        let length = self.rest.get(8..12)?.try_into().ok()?;
        let end = RECORD_HEADER_BYTES + u32::from_le_bytes(length) as usize;
        let packet = self.rest.get(RECORD_HEADER_BYTES..end)?;
        self.rest = &self.rest[end..];
        Some(packet)
    }
}

impl<'a> Iterator for Portions<'a> {
    type Item = Vec<&'a [u8]>;

    fn next(&mut self) -> Option<Vec<&'a [u8]>> {
        let mut portion = Vec::with_capacity(TOGETHER);
        while portion.len() < TOGETHER {
            match self.packet() {
                Some(packet) => portion.push(packet),
                None => break,
            }
        }
        (!portion.is_empty()).then_some(portion)
    }
}

fn send_portions<'a>(
    socket: &OwnedFd,
    portions: impl Iterator<Item = Vec<&'a [u8]>>,
    rate: Option<u64>,
) -> io::Result<Sent> {
    let mut sent = Sent::default();
    let begin = Instant::now();
    for portion in portions {
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64(sent.packets as f64 / rate.max(1) as f64);
            let early = due.saturating_sub(begin.elapsed());
            if early > PORTION {
                std::thread::sleep(early);
            }
        }
        let mut rest = portion.as_slice();
        while !rest.is_empty() {
            match send_together(socket, rest) {
                Ok(taken) => {
                    sent.packets += taken as u64;
                    let bytes: usize = rest[..taken].iter().map(|packet| packet.len()).sum();
                    sent.bytes += bytes as u64;
                    rest = &rest[taken..];
                }
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN)) =>
                {
                    sent.refused += 1;
                    std::thread::yield_now();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sent)
}

/// A packet socket bound to the interface, which bypasses the kernel's queue.
fn open(interface: &str) -> io::Result<OwnedFd> {
    let name = std::ffi::CString::new(interface)?;
    // SAFETY: no pointers. Protocol 0: it receives nothing.
    let number = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: a C string that lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    let yes: libc::c_int = 1;
    // SAFETY: the pointer is to a live value of the size told. Where the option is unknown packets take the longer way.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const yes).cast(),
            size_of_val(&yes) as libc::socklen_t,
        )
    };
    // SAFETY: a plain C struct of integers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_ifindex = index as libc::c_int;
    // SAFETY: the pointer is to a live value of the size told.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

/// Hands packets over, [`TOGETHER`] at most; how many the kernel took.
fn send_together(socket: &OwnedFd, packets: &[&[u8]]) -> io::Result<usize> {
    // SAFETY: plain C structs of integers and pointers, for which all zeros is a value.
    let mut parts: [libc::iovec; TOGETHER] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut messages: [libc::mmsghdr; TOGETHER] = unsafe { zeroed() };
    let count = packets.len().min(TOGETHER);
    for ((packet, part), message) in packets.iter().zip(&mut parts).zip(&mut messages) {
        part.iov_base = packet.as_ptr().cast_mut().cast();
        part.iov_len = packet.len();
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the first `count` messages each point to a part that points to a packet, all of which live through the call; the
    // kernel only reads the packets.
    let taken = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            count as libc::c_uint,
            0,
        )
    };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_hold_every_packet_in_order() {
        let mut capture = vec![0; FILE_HEADER_BYTES];
        for number in 0..200_u32 {
            capture.extend([0; 8]);
            capture.extend([4, 0, 0, 0, 4, 0, 0, 0]);
            capture.extend(number.to_le_bytes());
        }
        let portions: Vec<Vec<&[u8]>> = Portions::of(&capture).collect();
        assert_eq!(portions.len(), 200_usize.div_ceil(TOGETHER));
        let packets: Vec<u32> = portions
            .concat()
            .into_iter()
            .map(|packet| u32::from_le_bytes(packet.try_into().expect("four bytes")))
            .collect();
        assert_eq!(packets, (0..200).collect::<Vec<u32>>());
    }

    #[test]
    fn what_was_sent_survives_being_printed() {
        let sent = Sent {
            packets: 7,
            bytes: 420,
            wall: Duration::from_millis(1500),
            refused: 1,
        };
        let again = Sent::of(&sent.json()).expect("all fields");
        assert_eq!(format!("{sent:?}"), format!("{again:?}"));
        assert!(Sent::of(&json!({})).is_none());
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("x.pcap");
        std::fs::write(&file, b"no capture at all, but text").expect("writable");
        let error = send(&file, "lo", 1, None).expect_err("it is text");
        assert!(error.to_string().contains("no Ethernet pcap"));
    }
}
