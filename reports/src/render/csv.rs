//! CSV by RFC 4180, in UTF-8: a header row whose names carry the units, text quoted, gaps empty.

use std::io::{self, Write};

use super::{PIECE_BYTES, text_of};
use crate::table::DataTable;

/// The table as a CSV file.
#[must_use]
pub fn render(table: &DataTable) -> String {
    text_of(|out| write(table, out))
}

/// Writes the table as a CSV file, in pieces: a table of ports has a hundred thousand rows.
///
/// # Errors
/// Those of `out`.
pub fn write(table: &DataTable, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.csv).collect();
    let mut text = names.join(",").into_bytes();
    text.extend_from_slice(b"\r\n");
    for row in &table.rows {
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            cell.push_csv(&mut text);
        }
        text.extend_from_slice(b"\r\n");
        if text.len() >= PIECE_BYTES {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Cell;

    #[test]
    fn a_gap_stays_empty_and_namibia_stays_namibia() {
        let mut table = DataTable::new(&[("country", "Country"), ("packets", "Packets")]);
        table.push(vec![Cell::text("NA"), Cell::Count(3)]);
        table.push(vec![Cell::text("a,b"), Cell::Gap]);
        assert_eq!(
            render(&table),
            "country,packets\r\n\"NA\",3\r\n\"a,b\",\r\n"
        );
    }
}
