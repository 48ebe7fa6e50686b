//! A slope: the same names ranked by two measures, side by side, a line from one rank to the other.

use super::{Anchor, Chart, FONT_SIZE, NARROW, Pen, Sheet, cut};

/// A name with its rank on either side; `None` is outside.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name.
    pub label: String,
    /// Row at the left, from 0, and what is written there.
    pub left: Option<(usize, String)>,
    /// The same at the right.
    pub right: Option<(usize, String)>,
    /// Whether it is marked as home.
    pub home: bool,
}

const ROW: f64 = 26.0;
/// From a dot to its words.
const SHIFT: f64 = 14.0;

/// Draws the lines; `heads` names the sides, `rows` is how many rows a side has.
#[must_use]
pub fn draw(
    Sheet { name, width }: Sheet<'_>,
    title: &str,
    description: &str,
    language: &'static str,
    lines: &[Line],
    heads: [&str; 2],
    rows: usize,
) -> Chart {
    let mut pen = Pen::default();
    let between = if width > NARROW { 0.2 } else { 0.1 };
    let (left, right, top) = (
        width * (0.5 - between / 2.0),
        width * (0.5 + between / 2.0),
        34.0,
    );
    // The width of the texts on either side.
    let room = left - SHIFT;
    let fitted = |text: &str| cut(text, FONT_SIZE * 1.1, room);
    let head = |pen: &mut Pen, x: f64, anchor: Anchor, text: &str| {
        pen.text("label strong", x, 14.0, anchor, &fitted(text));
    };
    head(&mut pen, left - SHIFT, Anchor::End, heads[0]);
    head(&mut pen, right + SHIFT, Anchor::Start, heads[1]);
    let y = |row: usize| top + (row as f64 + 0.5) * ROW;
    for line in lines {
        let class = if line.home { "slope-home" } else { "slope" };
        if let (Some((from, _)), Some((to, _))) = (&line.left, &line.right) {
            pen.line(class, left, y(*from), right, y(*to));
        }
        let dot = if line.home { "disc-home" } else { "disc" };
        for (side, x, anchor, shift) in [
            (&line.left, left, Anchor::End, -SHIFT),
            (&line.right, right, Anchor::Start, SHIFT),
        ] {
            if let Some((row, text)) = side {
                pen.circle(dot, x, y(*row), 4.0, &line.label);
                let class = if line.home { "label strong" } else { "label" };
                pen.text(
                    class,
                    x + shift,
                    y(*row) + FONT_SIZE * 0.36,
                    anchor,
                    &fitted(text),
                );
            }
        }
    }
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        width,
        height: top + rows as f64 * ROW + 6.0,
        body: pen.finish(),
        hover: String::new(),
        language,
    }
}
