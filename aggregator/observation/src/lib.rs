//! The words of a packet, shared by those who make observations and those who count them: address, class, traffic type, tool, mark,
//! kind, stack signature, and the observation itself. This crate depends on nothing, reads no bytes and counts nothing.

mod address;
mod kind;
mod observation;
mod size;
mod special;
mod stack;
mod tool;
mod words;

pub use address::{Address, BUCKETS, Family};
pub use kind::{CATEGORIES, Kind};
pub use observation::Observation;
pub use size::TelescopeSize;
pub use special::{
    SPECIAL_IPV4, SPECIAL_IPV6, SPECIAL_SOURCE, SourceUse, SpecialBlock, special_ipv4, special_ipv6,
};
pub use stack::{KINDS_MAX, OptionKind, StackSignature};
pub use tool::{Confirmation, Mark, MarkRow, Probes, TOOLS, Tool, ToolRow, ToolTerm};
pub use words::{Class, TrafficType};
