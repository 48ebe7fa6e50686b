//! Linux packet sockets with a ring in shared memory (TPACKET_V3, packet(7) and the kernel's `packet_mmap.rst`): the only place where
//! capturing needs unsafe code. A full block of the ring is lent out in place and goes back to the kernel when the loan ends, so no packet
//! is copied. `live.rs` follows interfaces over time, `filter.rs` makes the filters.

mod socket;
mod walk;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::time::Duration;

use super::filter::Instruction;
use crate::source::record::Record;

use socket::{attach, bind, failed, hardware_type, set_packet};
pub(super) use socket::{interface_index, is_up, wait_for};
use walk::{VLAN_TAG_BYTES, walk};

/// Bytes of a block of the ring: some 1,800 small packets, so that a block's bytes stay in the second-level cache.
pub(super) const RING_BLOCK_BYTES: usize = 256 << 10;
/// Fewest blocks of a ring: one fills, one is read, the rest wait.
const BLOCKS_MIN: usize = 4;
/// The kernel wants a frame size although version 3 packs frames of any size.
const FRAME_BYTES: usize = 2048;
/// `ARPHRD_ETHER` and `ARPHRD_LOOPBACK` of linux/if_arp.h: hardware with an Ethernet header.
const ETHERNET_HARDWARE: [u16; 2] = [1, 772];
/// Why a ring could not be opened.
#[derive(Debug)]
pub(super) enum RingError {
    /// The kernel's error, and the call.
    System(&'static str, io::Error),
    /// The interface's frames have no Ethernet header; its hardware type is this.
    Hardware(u16),
}

impl std::fmt::Display for RingError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RingError::System(what, error) => write!(formatter, "{what}: {error}"),
            RingError::Hardware(kind) => {
                write!(formatter, "hardware type {kind} has no Ethernet header")
            }
        }
    }
}

/// Settings of the rings of one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingSettings<'a> {
    /// Name of the interface.
    pub interface: &'a str,
    /// Rings that share its packets.
    pub rings: usize,
    /// Bytes of all rings together.
    pub ring_bytes: usize,
    /// How long the kernel may hold a block that is not full.
    pub wait: Duration,
    /// Whether packets to other hosts' hardware addresses are captured.
    pub promiscuous: bool,
    /// Which packets pass; its result is the most bytes kept of a packet.
    pub filter: &'a [Instruction],
    /// Which ring a packet goes to: its result modulo the number of rings.
    pub spread: &'a [Instruction],
}

/// Memory shared with the kernel; it is unmapped when its last reader is done.
struct RingMapping {
    start: NonNull<u8>,
    length: usize,
    /// Blocks that are on loan.
    lent: Box<[AtomicBool]>,
}

// SAFETY: the memory belongs to no thread; the atomic state of a block decides who may read or write it.
unsafe impl Send for RingMapping {}
// SAFETY: as above.
unsafe impl Sync for RingMapping {}

impl Drop for RingMapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping made in `map`, and no reference into it is left: every loan holds an `Arc` of
        // this value.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

impl RingMapping {
    /// The state word of a block, by which the kernel and this program hand it to each other.
    fn state(&self, block: usize) -> &AtomicU32 {
        let offset = block * RING_BLOCK_BYTES
            + std::mem::offset_of!(libc::tpacket_block_desc, hdr)
            + std::mem::offset_of!(libc::tpacket_hdr_v1, block_status);
        debug_assert!(offset + 4 <= self.length);
        // SAFETY: within the mapping, aligned to four bytes, and alive as long as `self`.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(offset).cast()) }
    }
}

/// A block of a ring, on loan: its packets' bytes do not change before the loan ends.
pub struct RingBlock {
    map: Arc<RingMapping>,
    block: usize,
    length: usize,
}

impl RingBlock {
    /// All bytes of the block, headers of the kernel among them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block is within the mapping, which `map` keeps alive; the kernel does not write to a block that is the user's,
        // and this program wrote to it only before the loan began.
        unsafe {
            let start = self.map.start.as_ptr().add(self.block * RING_BLOCK_BYTES);
            std::slice::from_raw_parts(start, self.length)
        }
    }
}

impl std::fmt::Debug for RingBlock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "RingBlock({}, {} bytes)",
            self.block, self.length
        )
    }
}

impl Drop for RingBlock {
    fn drop(&mut self) {
        self.map.lent[self.block].store(false, Ordering::Release);
        let state = self.map.state(self.block);
        state.store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }
}

/// A socket and its ring.
pub(super) struct Ring {
    socket: OwnedFd,
    map: Arc<RingMapping>,
    blocks: usize,
    next: usize,
    interface_index: u32,
}

/// The counts of a ring since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RingCounts {
    /// Packets that passed the filter, including dropped ones.
    pub passed: u64,
    /// Packets dropped because the ring was full.
    pub dropped: u64,
}

impl Ring {
    /// Opens the rings of an interface. Each packet goes to one of them.
    ///
    /// # Errors
    /// The call that failed.
    pub(super) fn open(settings: &RingSettings<'_>) -> Result<Vec<Ring>, RingError> {
        let index = interface_index(settings.interface).ok_or_else(|| {
            RingError::System(
                "finding the interface",
                io::Error::from_raw_os_error(libc::ENODEV),
            )
        })?;
        let blocks = (settings.ring_bytes / settings.rings / RING_BLOCK_BYTES).max(BLOCKS_MIN);
        let mut rings = Vec::with_capacity(settings.rings);
        for _ in 0..settings.rings {
            rings.push(Ring::prepare(settings, index, blocks)?);
        }
        if rings.len() > 1 {
            spread(&rings, settings.spread)?;
        }
        // Until now the rings refused everything: each would have received all packets before they were shared.
        for ring in &rings {
            attach(
                &ring.socket,
                libc::SO_ATTACH_FILTER,
                libc::SOL_SOCKET,
                settings.filter,
            )?;
        }
        Ok(rings)
    }

    fn prepare(settings: &RingSettings<'_>, index: u32, blocks: usize) -> Result<Ring, RingError> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers. Protocol 0: nothing arrives before the socket is bound.
        let number = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if number < 0 {
            return Err(failed("opening a packet socket"));
        }
        // SAFETY: a new descriptor that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        set_packet(
            &socket,
            libc::PACKET_VERSION,
            &version,
            "asking for TPACKET_V3",
        )?;
        let reserve = VLAN_TAG_BYTES as libc::c_int;
        set_packet(
            &socket,
            libc::PACKET_RESERVE,
            &reserve,
            "making room for a VLAN tag",
        )?;
        let request = libc::tpacket_req3 {
            tp_block_size: RING_BLOCK_BYTES as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: FRAME_BYTES as u32,
            tp_frame_nr: (blocks * RING_BLOCK_BYTES / FRAME_BYTES) as u32,
            tp_retire_blk_tov: settings.wait.as_millis() as u32,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_packet(&socket, libc::PACKET_RX_RING, &request, "making a ring")?;
        let map = map(&socket, blocks)?;
        attach(
            &socket,
            libc::SO_ATTACH_FILTER,
            libc::SOL_SOCKET,
            &[Instruction::returns(0)],
        )?;
        // Before Linux 4.20 there is no such option; outgoing packets are then recognised by their address.
        let ignore: libc::c_int = 1;
        let _ = set_packet(&socket, libc::PACKET_IGNORE_OUTGOING, &ignore, "");
        bind(&socket, index)?;
        if settings.promiscuous {
            let membership = libc::packet_mreq {
                mr_ifindex: index as libc::c_int,
                mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
                mr_alen: 0,
                mr_address: [0; 8],
            };
            set_packet(
                &socket,
                libc::PACKET_ADD_MEMBERSHIP,
                &membership,
                "promiscuous mode",
            )?;
        }
        let hardware = hardware_type(&socket)?;
        if !ETHERNET_HARDWARE.contains(&hardware) {
            return Err(RingError::Hardware(hardware));
        }
        Ok(Ring {
            socket,
            map,
            blocks,
            next: 0,
            interface_index: index,
        })
    }

    /// The number of the interface that the ring was opened on.
    #[must_use]
    pub(super) fn interface_index(&self) -> u32 {
        self.interface_index
    }

    /// Bytes of memory that the ring takes.
    #[must_use]
    pub(super) fn memory_bytes(&self) -> usize {
        self.map.length
    }

    /// The next full block, its packets appended to `records`; `None` if no block is ready.
    pub(super) fn take(&mut self, records: &mut Vec<Record>) -> Option<RingBlock> {
        let block = self.next;
        let lent = &self.map.lent[block];
        if self.map.state(block).load(Ordering::Acquire) & libc::TP_STATUS_USER == 0
            || lent.load(Ordering::Acquire)
        {
            return None;
        }
        fence(Ordering::Acquire);
        self.next = (block + 1) % self.blocks;
        lent.store(true, Ordering::Relaxed);
        let start = block * RING_BLOCK_BYTES;
        // SAFETY: the block is the user's and lent to nobody, so this is the only reference to its bytes; it ends before the loan
        // begins.
        let bytes = unsafe {
            let start = self.map.start.as_ptr().add(start);
            std::slice::from_raw_parts_mut(start, RING_BLOCK_BYTES)
        };
        walk(bytes, records);
        Some(RingBlock {
            map: Arc::clone(&self.map),
            block,
            length: RING_BLOCK_BYTES,
        })
    }

    /// The counts since the last call.
    #[must_use]
    pub(super) fn counts(&self) -> RingCounts {
        let mut stats = libc::tpacket_stats_v3 {
            tp_packets: 0,
            tp_drops: 0,
            tp_freeze_q_cnt: 0,
        };
        let mut length = size_of_val(&stats) as libc::socklen_t;
        // SAFETY: both pointers are to live values, and the length is that of the struct.
        let got = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        if got < 0 {
            return RingCounts::default();
        }
        RingCounts {
            passed: stats.tp_packets.into(),
            dropped: stats.tp_drops.into(),
        }
    }

    /// Takes the pending error of the socket, such as `ENETDOWN` after the interface went down.
    #[must_use]
    pub(super) fn take_error(&self) -> Option<io::Error> {
        let mut code: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: both pointers are to live values of the sizes told.
        unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut code).cast(),
                &raw mut length,
            )
        };
        (code != 0).then(|| io::Error::from_raw_os_error(code))
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

/// Makes the rings share the packets of their interface.
fn spread(rings: &[Ring], program: &[Instruction]) -> Result<(), RingError> {
    const WHAT: &str = "sharing packets between rings";
    // A full ring passes packets on to the next that has room.
    let kind = libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_ROLLOVER;
    let mut group = 0;
    for (index, ring) in rings.iter().enumerate() {
        let flags = if index == 0 {
            kind | libc::PACKET_FANOUT_FLAG_UNIQUEID
        } else {
            kind
        };
        let argument = group | flags << 16;
        set_packet(&ring.socket, libc::PACKET_FANOUT, &argument, WHAT)?;
        if index == 0 {
            let mut length = size_of_val(&group) as libc::socklen_t;
            // SAFETY: both pointers are to live values, and the length is that of the first.
            let got = unsafe {
                libc::getsockopt(
                    ring.socket.as_raw_fd(),
                    libc::SOL_PACKET,
                    libc::PACKET_FANOUT,
                    (&raw mut group).cast(),
                    &raw mut length,
                )
            };
            if got < 0 {
                return Err(failed(WHAT));
            }
            group &= 0xffff;
        }
    }
    attach(
        &rings[0].socket,
        libc::PACKET_FANOUT_DATA,
        libc::SOL_PACKET,
        program,
    )
}

fn map(socket: &OwnedFd, blocks: usize) -> Result<Arc<RingMapping>, RingError> {
    let length = blocks * RING_BLOCK_BYTES;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping of the ring that was just made, of its whole length, at an address of the kernel's choice.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            access,
            libc::MAP_SHARED,
            socket.as_raw_fd(),
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(failed("mapping the ring"));
    }
    let start = NonNull::new(start.cast()).ok_or_else(|| failed("mapping the ring"))?;
    let lent = (0..blocks).map(|_| AtomicBool::new(false)).collect();
    Ok(Arc::new(RingMapping {
        start,
        length,
        lent,
    }))
}
