//! libpcap, loaded when it is first wanted: it compiles filter expressions and captures where there are no rings. A machine without it
//! builds every program and replays, and most captures need nothing of it. Functions and structures are those of pcap(3PCAP) that every
//! libpcap since 1.0 has. What is captured, `library.rs` says.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_uint};
use std::os::fd::RawFd;
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

use thiserror::Error;

use crate::source::filter::Instruction;

/// Names of the library: Debian's, other systems', and that of its development files.
const NAMES: [&str; 3] = ["libpcap.so.0.8", "libpcap.so.1", "libpcap.so"];
/// Bytes of a message (`PCAP_ERRBUF_SIZE`).
const MESSAGE_BYTES: usize = 256;
/// `PCAP_NETMASK_UNKNOWN`: an expression that needs the network's mask is refused.
const NETMASK_UNKNOWN: c_uint = u32::MAX;
/// `PCAP_D_IN`.
const INWARDS: c_uint = 1;

/// Why libpcap does not serve.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum LibpcapError {
    /// No library of its names is to be found.
    #[error(
        "libpcap is missing; install it (Debian and Ubuntu: apt-get install libpcap0.8, elsewhere the package libpcap)"
    )]
    Missing,
    /// A library of its name that lacks a function.
    #[error("this libpcap cannot be used: {0}")]
    Unusable(String),
    /// It refuses, in its own words.
    #[error("{0}")]
    Refused(String),
}

/// `pcap_t`.
#[repr(C)]
struct Handle {
    _opaque: [u8; 0],
}

/// `struct pcap_pkthdr`.
#[repr(C)]
struct PacketHeader {
    time: libc::timeval,
    captured_bytes: c_uint,
    wire_bytes: c_uint,
}

/// `struct bpf_program`.
#[repr(C)]
struct Program {
    length: c_uint,
    instructions: *mut RawInstruction,
}

/// `struct bpf_insn`.
#[repr(C)]
struct RawInstruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

/// `struct pcap_stat`.
#[repr(C)]
#[derive(Default)]
struct LibpcapCounts {
    received: c_uint,
    dropped: c_uint,
    dropped_by_interface: c_uint,
}

type PacketHandler = extern "C" fn(*mut c_uchar, *const PacketHeader, *const c_uchar);

/// A table of the library's functions, and how it is filled from their names.
macro_rules! functions {
    ($($name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            /// The functions are code of it.
            _library: libloading::Library,
        }

        impl Functions {
            fn of(library: libloading::Library) -> Result<Functions, libloading::Error> {
                Ok(Functions {
                    // SAFETY: the types are those that pcap(3PCAP) gives the functions of these names.
                    $($name: unsafe {
                        *library.get(concat!("pcap_", stringify!($name), "\0").as_bytes())?
                    },)*
                    _library: library,
                })
            }
        }
    };
}

functions! {
    create(*const c_char, *mut c_char) -> *mut Handle;
    set_snaplen(*mut Handle, c_int) -> c_int;
    set_buffer_size(*mut Handle, c_int) -> c_int;
    set_promisc(*mut Handle, c_int) -> c_int;
    set_timeout(*mut Handle, c_int) -> c_int;
    activate(*mut Handle) -> c_int;
    setnonblock(*mut Handle, c_int, *mut c_char) -> c_int;
    setdirection(*mut Handle, c_uint) -> c_int;
    datalink(*mut Handle) -> c_int;
    compile(*mut Handle, *mut Program, *const c_char, c_int, c_uint) -> c_int;
    setfilter(*mut Handle, *mut Program) -> c_int;
    freecode(*mut Program);
    dispatch(*mut Handle, c_int, PacketHandler, *mut c_uchar) -> c_int;
    stats(*mut Handle, *mut LibpcapCounts) -> c_int;
    get_selectable_fd(*mut Handle) -> c_int;
    geterr(*mut Handle) -> *mut c_char;
    close(*mut Handle);
}

/// Loads the library unless that was done. A capture does it before it gives up the right to read files.
///
/// # Errors
/// When there is none, or none that serves.
pub(super) fn load() -> Result<(), LibpcapError> {
    functions().map(|_| ())
}

fn functions() -> Result<&'static Functions, LibpcapError> {
    static LOADED: OnceLock<Result<Functions, LibpcapError>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        // SAFETY: libpcap's initialisation asks nothing of its caller.
        let open = |name: &&str| unsafe { libloading::Library::new(name).ok() };
        let library = NAMES.iter().find_map(open).ok_or(LibpcapError::Missing)?;
        Functions::of(library).map_err(|error| LibpcapError::Unusable(error.to_string()))
    });
    loaded.as_ref().map_err(LibpcapError::clone)
}

/// What a capture is opened with.
pub(super) struct Opening {
    /// The most that is kept of a packet, bytes; libpcap's own where none is given.
    pub(super) snap_length_bytes: Option<i32>,
    /// Bytes of the kernel's buffer.
    pub(super) buffer_bytes: i32,
    pub(super) promiscuous: bool,
    /// How long packets may be held back, milliseconds.
    pub(super) wait_ms: i32,
}

/// A packet as libpcap hands it over.
pub(super) struct LibpcapPacket<'packet> {
    /// Microseconds since 1970-01-01 UTC.
    pub(super) time_us: i64,
    pub(super) wire_bytes: u32,
    pub(super) bytes: &'packet [u8],
}

/// An activated capture.
pub(super) struct LibpcapCapture {
    handle: NonNull<Handle>,
    functions: &'static Functions,
}

// SAFETY: a handle belongs to no thread; only one at a time uses this one, which cannot be shared or copied.
unsafe impl Send for LibpcapCapture {}

impl LibpcapCapture {
    /// Opens an interface.
    ///
    /// # Errors
    /// When libpcap is missing, or refuses.
    pub(super) fn open(interface: &str, opening: &Opening) -> Result<LibpcapCapture, LibpcapError> {
        let functions = functions()?;
        let name = text(interface)?;
        let mut message = [0; MESSAGE_BYTES];
        // SAFETY: a string, and room for a message.
        let handle = unsafe { (functions.create)(name.as_ptr(), message.as_mut_ptr()) };
        let handle = NonNull::new(handle).ok_or_else(|| LibpcapError::Refused(words(&message)))?;
        let capture = LibpcapCapture { handle, functions };
        let handle = handle.as_ptr();
        // SAFETY: a handle that is not active yet, for which these cannot fail.
        unsafe {
            if let Some(bytes) = opening.snap_length_bytes {
                (functions.set_snaplen)(handle, bytes);
            }
            (functions.set_buffer_size)(handle, opening.buffer_bytes);
            (functions.set_promisc)(handle, opening.promiscuous.into());
            (functions.set_timeout)(handle, opening.wait_ms);
        }
        // SAFETY: the handle lives as long as `capture`. Numbers above 0 are warnings.
        capture.accepted(unsafe { (functions.activate)(handle) })?;
        Ok(capture)
    }

    /// Reads give what is there and do not wait.
    ///
    /// # Errors
    /// libpcap's message.
    pub(super) fn set_nonblocking(&mut self) -> Result<(), LibpcapError> {
        let mut message = [0; MESSAGE_BYTES];
        // SAFETY: an active handle, and room for a message.
        let status =
            unsafe { (self.functions.setnonblock)(self.handle.as_ptr(), 1, message.as_mut_ptr()) };
        if status < 0 {
            return Err(LibpcapError::Refused(words(&message)));
        }
        Ok(())
    }

    /// Takes packets that come in and not those that leave, where the system can tell.
    pub(super) fn take_incoming(&mut self) {
        // SAFETY: an active handle. Where it cannot, all packets are taken.
        let _ = unsafe { (self.functions.setdirection)(self.handle.as_ptr(), INWARDS) };
    }

    /// What the packets' first header is, as the system numbers it.
    pub(super) fn data_link(&self) -> i32 {
        // SAFETY: an active handle.
        unsafe { (self.functions.datalink)(self.handle.as_ptr()) }
    }

    /// Lets through what an expression (pcap-filter(7)) describes.
    ///
    /// # Errors
    /// libpcap's message.
    pub(super) fn filter(&mut self, expression: &str) -> Result<(), LibpcapError> {
        let mut program = self.program(expression)?;
        // SAFETY: an active handle and a program that it compiled; it keeps a copy.
        let status = unsafe { (self.functions.setfilter)(self.handle.as_ptr(), &raw mut program) };
        // SAFETY: compiled above, freed once.
        unsafe { (self.functions.freecode)(&raw mut program) };
        self.accepted(status)
    }

    /// An expression's instructions.
    ///
    /// # Errors
    /// libpcap's message.
    pub(super) fn compile(&self, expression: &str) -> Result<Vec<Instruction>, LibpcapError> {
        let mut program = self.program(expression)?;
        let length = program.length as usize;
        let instructions = if program.instructions.is_null() {
            &[]
        } else {
            // SAFETY: libpcap says where the instructions are and how many; they live until they are freed below.
            unsafe { std::slice::from_raw_parts(program.instructions, length) }
        };
        let instructions = instructions.iter().map(|one| Instruction {
            code: one.code,
            if_true: one.if_true,
            if_false: one.if_false,
            value: one.value,
        });
        let instructions = instructions.collect();
        // SAFETY: compiled above, freed once.
        unsafe { (self.functions.freecode)(&raw mut program) };
        Ok(instructions)
    }

    /// A compiled expression, which the caller frees.
    fn program(&self, expression: &str) -> Result<Program, LibpcapError> {
        let expression = text(expression)?;
        let mut program = Program {
            length: 0,
            instructions: null_mut(),
        };
        // SAFETY: an active handle, a string, and a program to be filled.
        self.accepted(unsafe {
            (self.functions.compile)(
                self.handle.as_ptr(),
                &raw mut program,
                expression.as_ptr(),
                1,
                NETMASK_UNKNOWN,
            )
        })?;
        Ok(program)
    }

    /// Hands over packets that wait, at most `count`; says how many.
    ///
    /// # Errors
    /// libpcap's message; packets handed over before stay so.
    pub(super) fn dispatch<F: FnMut(LibpcapPacket<'_>)>(
        &mut self,
        count: usize,
        mut each: F,
    ) -> Result<usize, LibpcapError> {
        extern "C" fn hand_over<F: FnMut(LibpcapPacket<'_>)>(
            user: *mut c_uchar,
            header: *const PacketHeader,
            bytes: *const c_uchar,
        ) {
            // SAFETY: the closure of the call below, which waits for this one and uses it nowhere else.
            let each = unsafe { &mut *user.cast::<F>() };
            // SAFETY: libpcap's header, and as many bytes as it says, for the length of this call.
            let (header, bytes) = unsafe {
                let header = &*header;
                let length = header.captured_bytes as usize;
                (header, std::slice::from_raw_parts(bytes, length))
            };
            each(LibpcapPacket {
                time_us: header
                    .time
                    .tv_sec
                    .saturating_mul(1_000_000)
                    .saturating_add(header.time.tv_usec),
                wire_bytes: header.wire_bytes,
                bytes,
            });
        }
        let count = c_int::try_from(count).unwrap_or(c_int::MAX);
        let user = (&raw mut each).cast();
        // SAFETY: an active handle, and a function that takes `user` for what it is.
        let taken =
            unsafe { (self.functions.dispatch)(self.handle.as_ptr(), count, hand_over::<F>, user) };
        self.accepted(taken)?;
        Ok(usize::try_from(taken).unwrap_or(0))
    }

    /// Packets dropped for want of room since the capture was opened; the count wraps. None where libpcap cannot tell.
    pub(super) fn dropped(&mut self) -> Option<u32> {
        let mut counts = LibpcapCounts::default();
        // SAFETY: an active handle, and counters to be filled.
        let status = unsafe { (self.functions.stats)(self.handle.as_ptr(), &raw mut counts) };
        (status >= 0).then_some(counts.dropped)
    }

    /// What to wait at.
    pub(super) fn descriptor(&self) -> RawFd {
        // SAFETY: an active handle.
        unsafe { (self.functions.get_selectable_fd)(self.handle.as_ptr()) }
    }

    /// An error with libpcap's message where a status says so.
    fn accepted(&self, status: c_int) -> Result<(), LibpcapError> {
        if status >= 0 {
            return Ok(());
        }
        // SAFETY: a string in the handle, copied before anything else is called.
        let message = unsafe { CStr::from_ptr((self.functions.geterr)(self.handle.as_ptr())) };
        let message = message.to_string_lossy().into_owned();
        Err(LibpcapError::Refused(message))
    }
}

impl Drop for LibpcapCapture {
    fn drop(&mut self) {
        // SAFETY: a handle of `create`, closed once.
        unsafe { (self.functions.close)(self.handle.as_ptr()) };
    }
}

fn text(of: &str) -> Result<CString, LibpcapError> {
    CString::new(of).map_err(|_| LibpcapError::Refused("a zero byte in a name or filter".into()))
}

/// A message up to its zero byte.
fn words(message: &[c_char; MESSAGE_BYTES]) -> String {
    let bytes: Vec<u8> = message.iter().map(|&one| one.cast_unsigned()).collect();
    let end = bytes.iter().position(|&one| one == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_with_its_zero_byte() {
        let mut message = [0; MESSAGE_BYTES];
        assert_eq!(words(&message), "");
        for (place, byte) in message.iter_mut().zip(b"no such device") {
            *place = byte.cast_signed();
        }
        assert_eq!(words(&message), "no such device");
    }

    #[test]
    fn a_name_with_a_zero_byte_is_refused() {
        assert!(matches!(text("et\0h0"), Err(LibpcapError::Refused(_))));
    }

    #[test]
    fn an_interface_that_is_not_there_is_refused_in_words() {
        let opening = Opening {
            snap_length_bytes: None,
            buffer_bytes: 1 << 16,
            promiscuous: false,
            wait_ms: 1,
        };
        match LibpcapCapture::open("nothing0", &opening) {
            Err(LibpcapError::Missing) => println!("SKIPPED: this machine has no libpcap"),
            Err(LibpcapError::Refused(reason)) => assert!(!reason.is_empty()),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("opened an interface that is not there"),
        }
    }
}
