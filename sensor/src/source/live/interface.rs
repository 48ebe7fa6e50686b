//! One interface over time: open through a ring or libpcap, or gone until it returns. `live.rs` decides what is captured and when to check.

use std::os::fd::{AsRawFd, RawFd};

use pcap::Device;

use super::device_counts::lost_between;
use super::library::{Library, compile};
use super::{ANY, CaptureRequest, LIVE_WAIT, Method};
use crate::source::block::{Block, BlockBytes};
use crate::source::error::SourceError;
use crate::source::filter::{Instruction, spread_by_source, telescope_filter};
use crate::source::ring::{Ring, RingError, RingSettings, interface_index, is_up};
use teiten_packet::decode::supported;

/// The way in which packets are captured.
enum Tap {
    Rings(Vec<Ring>),
    Library(Box<Library>),
}

/// An interface to capture on.
pub(super) struct Interface {
    pub name: String,
    tap: Option<Tap>,
    /// Number of the interface that the tap is on.
    index: Option<u32>,
    /// Which ring is first in turn.
    turn: usize,
    /// Whether the interface said that it is down.
    down: bool,
    /// The interface's own count of dropped packets at the last check.
    dropped: Option<u32>,
}

/// What changed with an interface since the last check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InterfaceChange {
    Down,
    Gone,
    Back,
}

impl Interface {
    /// An interface that is not open yet.
    pub(super) fn away(name: &str) -> Self {
        Interface {
            name: name.to_owned(),
            tap: None,
            index: None,
            turn: 0,
            down: false,
            dropped: None,
        }
    }

    /// Opens it in the way wanted.
    ///
    /// # Errors
    /// Why neither way works.
    pub(super) fn open(&mut self, wanted: &CaptureRequest) -> Result<(), SourceError> {
        let index = interface_index(&self.name);
        self.tap = Some(match wanted.method {
            Method::Ring if self.name == ANY => {
                return Err(SourceError::InterfaceChoice {
                    interface: self.name.clone(),
                    reason: "a ring is bound to one interface; give --capture-method pcap or auto, or name each interface".to_owned(),
                });
            }
            Method::Automatic if self.name == ANY => self.library(wanted)?,
            Method::Ring => self
                .rings(wanted)
                .map_err(|error| self.explained_ring(&error))?,
            Method::Library => self.library(wanted)?,
            Method::Automatic => match self.rings(wanted) {
                Ok(rings) => rings,
                Err(error) if is_refusal(&error) => return Err(self.explained_ring(&error)),
                Err(_) => self.library(wanted)?,
            },
        });
        // A ring knows its interface even if the name now belongs to another one.
        self.index = match &self.tap {
            Some(Tap::Rings(rings)) => rings.first().map(Ring::interface_index),
            _ => index,
        };
        self.down = false;
        Ok(())
    }

    fn rings(&self, wanted: &CaptureRequest) -> Result<Tap, RingError> {
        let expression = match &wanted.filter {
            None => Vec::new(),
            Some(expression) => self.compiled(expression)?,
        };
        let dark = if wanted.all_packets {
            &[]
        } else {
            wanted.telescope.as_slice()
        };
        let rings = Ring::open(&RingSettings {
            interface: &self.name,
            rings: wanted.rings.max(1),
            ring_bytes: wanted.buffer_bytes,
            wait: LIVE_WAIT,
            promiscuous: wanted.promiscuous,
            filter: &telescope_filter(dark, wanted.snap_length_bytes, &expression),
            spread: &spread_by_source(),
        })?;
        Ok(Tap::Rings(rings))
    }

    fn compiled(&self, expression: &str) -> Result<Vec<Instruction>, RingError> {
        compile(&self.name, expression).map_err(|error| {
            RingError::System(
                "compiling --filter",
                std::io::Error::other(error.to_string()),
            )
        })
    }

    fn library(&self, wanted: &CaptureRequest) -> Result<Tap, SourceError> {
        let library = Library::open(&self.name, wanted)
            .map_err(|error| explained(&self.name, words(&error)))?;
        let link_type = library.link_type();
        if !supported(link_type) {
            let interface = self.name.clone();
            return Err(SourceError::UnsupportedInterface {
                interface,
                link_type: link_type.0,
            });
        }
        Ok(Tap::Library(Box::new(library)))
    }

    fn explained_ring(&self, error: &RingError) -> SourceError {
        match error {
            RingError::Hardware(_) => SourceError::Interface {
                interface: self.name.clone(),
                reason: format!(
                    "{error}, which the ring needs; give --capture-method pcap or auto"
                ),
            },
            RingError::System(..) => explained(&self.name, error.to_string()),
        }
    }

    /// How it is captured on, for the user; `None` while it is gone.
    pub(super) fn described(&self) -> Option<String> {
        match self.tap.as_ref()? {
            Tap::Rings(rings) => {
                let bytes: usize = rings.iter().map(Ring::memory_bytes).sum();
                let count = rings.len();
                Some(format!(
                    "TPACKET_V3, {count} ring{} of {} MiB together",
                    if count == 1 { "" } else { "s" },
                    bytes >> 20
                ))
            }
            Tap::Library(library) => Some(format!("libpcap, link type {}", library.link_type().0)),
        }
    }

    /// Whether packets can come.
    pub(super) fn is_open(&self) -> bool {
        self.tap.is_some() && !self.down
    }

    /// Whether it is captured on through libpcap, which must be polled often.
    pub(super) fn is_polled(&self) -> bool {
        matches!(self.tap, Some(Tap::Library(_)))
    }

    /// The packets that wait at the interface, or the given block if there are none; and the number of their ring.
    pub(super) fn take(&mut self, reuse: Block) -> (Block, Option<usize>) {
        match &mut self.tap {
            None => (reuse, None),
            Some(Tap::Rings(rings)) => {
                let mut block = reuse.emptied();
                for _ in 0..rings.len() {
                    self.turn = (self.turn + 1) % rings.len();
                    if let Some(bytes) = rings[self.turn].take(&mut block.records) {
                        block.bytes = BlockBytes::Ring(bytes);
                        return (block, Some(self.turn));
                    }
                }
                (block, None)
            }
            Some(Tap::Library(library)) => match library.take(reuse) {
                Ok(block) => (block, None),
                Err(_) => {
                    self.down = true;
                    (Block::empty(), None)
                }
            },
        }
    }

    /// Packets that were lost since the last call: (because the ring was full, by the interface).
    pub(super) fn drops(&mut self, dropped: Option<u32>) -> (u64, u64) {
        let kernel = match &mut self.tap {
            None => 0,
            Some(Tap::Rings(rings)) => rings.iter().map(|ring| ring.counts().dropped).sum(),
            Some(Tap::Library(library)) => library.dropped(),
        };
        // The first count is from before this capture; a smaller one belongs to another interface.
        let interface = match (self.dropped, dropped) {
            (Some(before), Some(now)) => lost_between(before, now),
            _ => 0,
        };
        self.dropped = dropped;
        (kernel, interface)
    }

    /// The change of the interface since the last check; an interface that has returned is opened.
    pub(super) fn look(&mut self, wanted: &CaptureRequest) -> Option<InterfaceChange> {
        if self.name == ANY {
            // The state of libpcap after an error is not known, so it is opened again.
            let is_broken = std::mem::take(&mut self.down);
            if is_broken || self.tap.is_none() {
                self.tap = None;
                return self.open(wanted).is_ok().then_some(InterfaceChange::Back);
            }
            return None;
        }
        let now = interface_index(&self.name);
        if self.tap.is_none() {
            now?;
            return self.open(wanted).is_ok().then_some(InterfaceChange::Back);
        }
        if now != self.index {
            self.tap = None;
            self.index = None;
            return Some(InterfaceChange::Gone);
        }
        let was_down = self.down;
        match &self.tap {
            Some(Tap::Rings(rings)) => {
                for ring in rings {
                    // An error comes once when the interface goes down; the socket itself comes back with the interface.
                    let _ = ring.take_error();
                }
                self.down = !is_up(&self.name);
            }
            // How libpcap treats an interface that was down depends on the system, so it is opened again.
            Some(Tap::Library(_)) if self.down && is_up(&self.name) => {
                self.tap = None;
                return self.open(wanted).is_ok().then_some(InterfaceChange::Back);
            }
            _ => self.down = self.down || !is_up(&self.name),
        }
        match (was_down, self.down) {
            (false, true) => Some(InterfaceChange::Down),
            (true, false) => Some(InterfaceChange::Back),
            _ => None,
        }
    }

    /// Appends the descriptors to wait for.
    pub(super) fn descriptors(&self, into: &mut Vec<RawFd>) {
        match &self.tap {
            None => {}
            Some(Tap::Rings(rings)) if !self.down => {
                into.extend(rings.iter().map(AsRawFd::as_raw_fd));
            }
            Some(Tap::Rings(_)) => {}
            Some(Tap::Library(library)) => into.push(library.descriptor()),
        }
    }
}

/// Whether the kernel refuses for lack of a privilege, which libpcap would lack too.
fn is_refusal(error: &RingError) -> bool {
    match error {
        RingError::System(what, error) => {
            error.kind() == std::io::ErrorKind::PermissionDenied
                || error.raw_os_error() == Some(libc::ENODEV)
                || what.contains("--filter")
        }
        RingError::Hardware(_) => false,
    }
}

fn words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Why an interface could not be opened, with advice.
fn explained(name: &str, reason: String) -> SourceError {
    let present: Vec<String> = Device::list()
        .unwrap_or_default()
        .into_iter()
        .map(|device| device.name)
        .collect();
    let interface = name.to_string();
    if !present.is_empty() && !present.contains(&interface) && interface_index(name).is_none() {
        return SourceError::UnknownInterface { interface, present };
    }
    // libpcap distinguishes these by text only.
    let lowered = reason.to_lowercase();
    if lowered.contains("permi") || lowered.contains("cap_net") {
        let program = std::env::current_exe().map_or_else(
            |_| "teiten-sensor".into(),
            |path| path.display().to_string(),
        );
        return SourceError::NotPermitted {
            interface,
            reason,
            program,
        };
    }
    if let Some((_, reason)) = reason.split_once("filter expression: ") {
        let reason = reason.to_owned();
        return SourceError::Filter { reason };
    }
    SourceError::Interface { interface, reason }
}
