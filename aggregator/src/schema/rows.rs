//! How the columns of a table are filled whose rows are structs: a line for each column says from what value and in which form. The forms
//! are spelled here once for all such tables.

use super::ColumnRow;

/// The columns of a table in their order, each as `COLUMN => form(value)`. The value may name the group of rows, and the row in all forms
/// but `every…`.
///
/// - `every(i64)`, `every_text(&str)`: the same value in every row
/// - `count(u64)`: a counter, which ends at the largest signed number
/// - `integer(i64)`, `few(i64)`: numbers; few distinct ones get a dictionary
/// - `sparse(Option<i64>)`, `double(Option<f64>)`: numbers that may be null
/// - `boolean(bool)`
/// - `text(&[u8])`, `string(&[u8])`: texts; those that repeat get a dictionary
macro_rules! columns_of_rows {
    ($group:ident, $row:ident: $($column:expr => $form:ident($value:expr)),* $(,)?) => {
        &[$($crate::schema::ColumnRow {
            column: $column,
            fill: |slot, $group| $crate::schema::rows::fill!(slot, $group, $row, $form, $value),
        }),*]
    };
}

/// Fills one column in one form.
macro_rules! fill {
    ($slot:ident, $group:ident, $row:ident, every, $value:expr) => {
        $slot.constant_integer($value)
    };
    ($slot:ident, $group:ident, $row:ident, every_text, $value:expr) => {{
        let _ = $group;
        $slot.constant_text($value)
    }};
    ($slot:ident, $group:ident, $row:ident, count, $value:expr) => {
        $slot.integers(
            $group
                .rows
                .iter()
                .map(|$row| $crate::schema::counted($value)),
        )
    };
    ($slot:ident, $group:ident, $row:ident, integer, $value:expr) => {
        $slot.integers($group.rows.iter().map(|$row| $value))
    };
    ($slot:ident, $group:ident, $row:ident, few, $value:expr) => {
        $slot.few_integers($group.rows.iter().map(|$row| $value))
    };
    ($slot:ident, $group:ident, $row:ident, sparse, $value:expr) => {
        $slot.sparse($group.rows.iter().map(|$row| $value))
    };
    ($slot:ident, $group:ident, $row:ident, double, $value:expr) => {
        $slot.doubles($group.rows.iter().map(|$row| $value))
    };
    ($slot:ident, $group:ident, $row:ident, boolean, $value:expr) => {
        $slot.booleans($group.rows.iter().map(|$row| $value))
    };
    ($slot:ident, $group:ident, $row:ident, text, $value:expr) => {
        $slot.texts($group.rows.iter().map(|$row| $value))
    };
    ($slot:ident, $group:ident, $row:ident, string, $value:expr) => {
        $slot.strings($group.rows.iter().map(|$row| $value))
    };
}

pub(super) use {columns_of_rows, fill};

/// The rows of a row group of a table of days.
#[derive(Debug)]
pub(crate) struct DayRows<'r, R> {
    /// Days since 1970-01-01.
    pub day: i64,
    pub sensor: &'r str,
    pub rows: &'r [R],
}

/// Fills one column of a table of days.
pub(super) type DayFill<R> =
    for<'e, 'g, 'r> fn(super::Slot<'e>, &'g DayRows<'r, R>) -> super::Filled;

/// Lists of columns behind each other; `N` is their number.
pub(super) const fn joined<F: Copy, const N: usize>(
    lists: &[&[ColumnRow<F>]],
) -> [ColumnRow<F>; N] {
    let mut rows = [lists[0][0]; N];
    let (mut list, mut place) = (0, 0);
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            rows[place] = lists[list][index];
            place += 1;
            index += 1;
        }
        list += 1;
    }
    assert!(place == N, "N is not the number of columns");
    rows
}
