//! CSV by RFC 4180, in UTF-8: a header row whose names carry the units, text quoted, gaps empty.

use crate::table::DataTable;

/// The table as a CSV file.
#[must_use]
pub fn render(table: &DataTable) -> String {
    let mut text = table
        .columns
        .iter()
        .map(|column| column.csv)
        .collect::<Vec<_>>()
        .join(",");
    text.push_str("\r\n");
    for row in &table.rows {
        let fields: Vec<String> = row.iter().map(crate::table::Cell::csv).collect();
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
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
