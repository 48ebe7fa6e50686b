//! A sparkline: a row's days in the height of a line of text, each row to its own highest value. It supplements the numbers of a table.

use std::fmt::Write as _;

use super::num;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 20.0;

/// The values as a small SVG; a gap breaks the line.
#[must_use]
pub fn draw(values: &[Option<f64>]) -> String {
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    let mut path = String::new();
    let mut before = false;
    let step = WIDTH / values.len().max(1) as f64;
    for (place, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let share = if highest > 0.0 { value / highest } else { 0.0 };
            let x = (place as f64 + 0.5) * step;
            let letter = if before { "L" } else { "M" };
            let _ = write!(
                path,
                "{letter}{} {:.1}",
                num(x),
                HEIGHT - 2.0 - share * (HEIGHT - 4.0)
            );
            if !before && values.get(place + 1).copied().flatten().is_none() {
                path.push_str("h1");
            }
        }
        before = value.is_some();
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" aria-hidden=\"true\">\
         <path d=\"M0 {}H{WIDTH}\" class=\"floor\"/><path d=\"{path}\"/></svg>",
        HEIGHT - 1.0
    )
}

/// The same as a file of its own.
#[must_use]
pub fn standalone(values: &[Option<f64>]) -> String {
    let style = "<style>.spark path{fill:none;stroke:#2f5d9b;stroke-width:1.3;stroke-linejoin:round}.spark .floor{stroke:#d9dde3;stroke-width:1}</style>";
    let drawn = draw(values).replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
    drawn.replacen('>', &format!(">{style}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_breaks_the_line() {
        let drawn = draw(&[Some(1.0), Some(2.0), None, Some(1.0)]);
        assert_eq!(drawn.matches('L').count(), 1);
        assert_eq!(drawn.matches("<path").count(), 2);
    }
}
