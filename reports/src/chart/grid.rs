//! Grids of cells: a calendar of states, or a heat map of values. Cells show their value; an empty cell is a gap.

use super::{Anchor, Chart, Pen, WIDTH, text_width};

/// One cell.
#[derive(Clone, Debug)]
pub enum GridCell {
    /// Outside the period: nothing is drawn.
    Outside,
    /// A gap, with what it says.
    Gap(String),
    /// A cell of a class that fills this share of its height, with its text.
    Full(&'static str, f64, String),
}

/// A grid with its labels.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Name of the chart.
    pub name: String,
    /// Title for screen readers.
    pub title: String,
    /// The chart in a sentence.
    pub description: String,
    /// BCP 47 tag.
    pub language: &'static str,
    /// Label above the columns.
    pub unit: String,
    /// Labels of the columns; empty ones are not drawn.
    pub columns: Vec<String>,
    /// Rows: label and cells.
    pub rows: Vec<(String, Vec<GridCell>)>,
    /// Height of a row.
    pub row_height: f64,
    /// Legend: class and label; the class `gap` is the pattern of gaps.
    pub legend: Vec<(String, String)>,
}

/// Draws the grid.
#[must_use]
pub fn draw(grid: &Grid) -> Chart {
    let mut pen = Pen::default();
    let mut x = 0.0;
    for (class, label) in &grid.legend {
        if class == "gap" {
            pen.gap(&grid.name, x, 2.0, 13.0, 11.0, label);
        } else {
            pen.rect(class, x, 2.0, 13.0, 11.0);
        }
        pen.text("label", x + 18.0, 12.0, Anchor::Start, label);
        x += if label.is_empty() {
            14.0
        } else {
            40.0 + text_width(label, super::FONT_SIZE)
        };
    }
    let labels = grid
        .rows
        .iter()
        .map(|(label, _)| text_width(label, 11.5))
        .fold(0.0, f64::max);
    let (left, top) = (labels + 12.0, 46.0);
    let slot = (WIDTH - left - 2.0) / grid.columns.len().max(1) as f64;
    pen.text("unit", WIDTH - 2.0, 12.0, Anchor::End, &grid.unit);
    for (index, label) in grid.columns.iter().enumerate() {
        pen.text(
            "tick",
            left + (index as f64 + 0.5) * slot,
            top - 6.0,
            Anchor::Middle,
            label,
        );
    }
    let inset = if slot > 8.0 { 1.0 } else { 0.4 };
    for (row, (label, cells)) in grid.rows.iter().enumerate() {
        let y = top + row as f64 * grid.row_height;
        pen.text(
            "tick",
            left - 8.0,
            y + grid.row_height / 2.0 + 4.0,
            Anchor::End,
            label,
        );
        for (column, cell) in cells.iter().enumerate() {
            let x = left + column as f64 * slot;
            let (width, height) = (slot - inset, grid.row_height - inset);
            match cell {
                GridCell::Outside => {}
                GridCell::Gap(told) => pen.gap(&grid.name, x, y, width, height, told),
                GridCell::Full(class, share, told) => {
                    if *share < 1.0 {
                        pen.rect("s-slot", x, y, width, height);
                    }
                    let filled = height * share.clamp(0.12, 1.0);
                    pen.rect_titled(class, x, y + height - filled, width, filled, told);
                }
            }
        }
    }
    Chart {
        name: grid.name.clone(),
        title: grid.title.clone(),
        description: grid.description.clone(),
        height: top + grid.rows.len() as f64 * grid.row_height + 6.0,
        body: pen.finish(),
        hover: String::new(),
        language: grid.language,
    }
}
