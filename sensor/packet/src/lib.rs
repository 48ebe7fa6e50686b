//! What an unsolicited packet is: from the bytes of a captured frame to its traffic type, class, tool mark, flags and payload
//! signature. No file, clock, thread or log; no allocation per packet.
#![forbid(unsafe_code)]

pub mod classify;
pub mod decode;
pub mod fingerprint;
pub mod flags;
mod link_type;
pub mod payload;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod telescope;

pub use link_type::LinkType;
