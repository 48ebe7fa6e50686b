//! What outlives an hour: scan events, made of the rows of `sources` source by source, and denial-of-service events, made of those of
//! `backscatter` victim by victim. An event is a function of the rows of all hours and of
//! the settings; how the hours were replayed, cut, or spread over workers and days shows nowhere in it.

mod aside;
pub(crate) mod attack;
pub(crate) mod campaign;
pub(crate) mod groups;
pub(crate) mod hashed;
mod lines;
pub(crate) mod novelty;
pub(crate) mod open;
mod rule;
pub(crate) mod scan;
pub(crate) mod service;
pub(crate) mod silence;

pub use attack::{ATTACK_SILENCE_SECONDS_MAX, ATTACK_SILENCE_SECONDS_MIN, AttackRules};
pub use campaign::CampaignRules;
pub use novelty::NoveltyRules;
pub use rule::{DarkAddresses, SILENCE_SECONDS_MAX, SILENCE_SECONDS_MIN, ScanRules};
