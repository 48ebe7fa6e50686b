//! Ranges of addresses and what holds in them: overlapping ranges become sorted steps (`flatten`), steps become a table to ask
//! (`table`). What the values mean is known to `origin` and `actor` alone.

pub(crate) mod flatten;
pub(crate) mod table;
