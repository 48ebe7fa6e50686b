//! Measures the sensor: its stages alone by calling the libraries ([`stage`]), the whole job as built programs ([`whole`]), the same
//! file through other programs ([`peer`]), what a live capture loses and takes ([`live`]), and what follows for more cores ([`model`]).
//!
//! The map: `case` and `input` what is measured · `usage` what running takes · `dataset` what was written · `outcome` what it gave ·
//! `program` where the programs are · `send` what sends to a live capture · `decompress` what a compressed capture is held against · `record` what is kept.

pub mod case;
pub mod dataset;
pub mod decompress;
pub mod input;
pub mod live;
pub mod model;
pub mod outcome;
pub mod peer;
pub mod program;
pub mod record;
pub mod send;
pub mod stage;
pub mod usage;
pub mod whole;
