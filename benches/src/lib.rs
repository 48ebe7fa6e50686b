//! Measures the sensor: single stages by calling the libraries ([`stage`]), the whole job with built programs ([`whole`]), other programs on
//! the same file ([`peer`]), loss and cost of a live capture ([`live`]), the report of a month ([`report`]), and a model of more cores ([`model`]).
//!
//! The modules: `case` and `input` what is measured · `usage` the cost of a process · `dataset` the tables written · `outcome` the results ·
//! `program` paths of programs · `send` the sender for a live capture · `decompress` the baseline of compressed captures · `record` kept results.

pub mod case;
pub mod dataset;
pub mod decompress;
pub mod files;
pub mod input;
pub mod live;
pub mod model;
pub mod outcome;
pub mod peer;
pub mod program;
pub mod record;
pub mod report;
pub mod send;
pub mod stage;
pub mod usage;
pub mod whole;
