//! Reports of small datasets, tested in one program: each program of its own links Parquet and the fonts once more.

mod boxes;
mod colours;
mod planted;
mod quarter;
mod report;
mod rolled;
mod small;
mod summed_days;
mod truth;
