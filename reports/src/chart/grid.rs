//! Grids of cells: a calendar of states, or a heat map of values. Cells show their value; an empty cell is a gap.

use super::{Anchor, Chart, NARROW, Pen, legend, text_width};

/// Classes of a scale, from little to much.
pub const SHADES: [&str; 8] = ["h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7"];
/// The shades on which text is legible in both colour schemes.
const SHADES_WRITTEN: [&str; 7] = ["h0", "h1", "h2", "h3", "h5", "h6", "h7"];
/// The first of them with light text on a light page.
const DARK_FROM: usize = 4;

/// One cell.
#[derive(Clone, Debug)]
pub enum GridCell {
    /// Outside the period: nothing is drawn.
    Outside,
    /// A gap, with what it says.
    Gap(String),
    /// A cell of a class that fills this share of its height, with its text.
    Full(&'static str, f64, String),
    /// A cell with its value written in it: the place of its value between nothing (0) and the highest (1), the value, and its text.
    Written(f64, String, String),
}

/// A grid with its labels.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Name of the chart.
    pub name: String,
    /// Width of the chart.
    pub width: f64,
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
    let unit_width = text_width(&grid.unit, 11.5);
    // The unit is at the right of the legend, or under it in a narrow drawing.
    let narrow = grid.width <= NARROW;
    let right = if narrow || grid.unit.is_empty() {
        grid.width
    } else {
        grid.width - unit_width - 24.0
    };
    let legend_height = legend(&mut pen, &grid.name, 2.0, right, &grid.legend);
    let unit_below = if narrow && !grid.unit.is_empty() {
        pen.text("unit", 0.0, legend_height + 14.0, Anchor::Start, &grid.unit);
        legend_height + 20.0
    } else {
        pen.text("unit", grid.width - 2.0, 12.0, Anchor::End, &grid.unit);
        legend_height
    };
    let labels = grid
        .rows
        .iter()
        .map(|(label, _)| text_width(label, 11.5))
        .fold(0.0, f64::max);
    let (left, top) = (labels + 12.0, unit_below + 46.0 - 20.0);
    let slot = (grid.width - left - 2.0) / grid.columns.len().max(1) as f64;
    // On a narrow drawing every second, third, … label, as they have room.
    let widest = grid.columns.iter().map(|label| text_width(label, 11.5));
    let every = ((widest.fold(0.0, f64::max) + 3.0) / slot).ceil().max(1.0) as usize;
    for (index, label) in grid.columns.iter().enumerate().step_by(every) {
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
                GridCell::Written(place, value, told) => {
                    let last = (SHADES_WRITTEN.len() - 1) as f64;
                    let shade = (place.clamp(0.0, 1.0) * last).ceil() as usize;
                    pen.rect_titled(SHADES_WRITTEN[shade], x, y, width, height, told);
                    let class = if shade < DARK_FROM {
                        "value"
                    } else {
                        "value on-dark"
                    };
                    let (middle, base) = (x + width / 2.0, y + height / 2.0 + 4.5);
                    pen.text(class, middle, base, Anchor::Middle, value);
                }
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
        width: grid.width,
        height: top + grid.rows.len() as f64 * grid.row_height + 6.0,
        body: pen.finish(),
        hover: String::new(),
        language: grid.language,
    }
}
