//! Charts as SVG: plain values and labels in, a drawing out. Nothing here reads data or knows a dataset.
//!
//! A chart is part of a page, which holds [`STYLE`], or a file of its own with the style inside.

use std::fmt::Write as _;

pub mod axis;
pub mod columns;
pub mod dumbbell;
pub mod grid;
pub mod line;
pub mod map;
pub mod multiples;
pub mod ranked;
pub mod slope;
pub mod spark;
pub mod stack;
pub mod timeline;
pub mod trend;
pub mod years;

/// Width of a chart on a screen or paper, units of its view box.
pub const WIDTH: f64 = 960.0;
/// Width of the same chart on a page of A4, so that its text is as large as the page's.
pub const PAPER: f64 = 720.0;
/// Width of the same chart drawn for a phone.
pub const NARROW: f64 = 360.0;
/// Size of ordinary text in a chart.
pub const FONT_SIZE: f64 = 12.5;

/// Style of charts; colour-blind readers can distinguish the colours (after Paul Tol's muted scheme) and alternate in lightness for grey
/// print.
pub const STYLE: &str = include_str!("chart/chart.css");

/// The kind of drawing.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// Name, for identifiers within a page.
    pub name: &'a str,
    /// Width, units of the view box: [`WIDTH`] or [`NARROW`].
    pub width: f64,
}

/// A finished drawing.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Name, for identifiers within a page.
    pub name: String,
    /// What a screen reader says first.
    pub title: String,
    /// The chart in a sentence, for screen readers.
    pub description: String,
    /// Width, units of the view box.
    pub width: f64,
    /// Height, units of the view box.
    pub height: f64,
    /// The drawing.
    pub body: String,
    /// Values shown under the pointer, as JSON for the page's script; empty if elements have their own titles.
    pub hover: String,
    /// BCP 47 tag of its text.
    pub language: &'static str,
}

impl Chart {
    /// The drawing for a page that holds [`STYLE`].
    #[must_use]
    pub fn inline(&self) -> String {
        let hover = if self.hover.is_empty() {
            String::new()
        } else {
            format!(" tabindex=\"0\" data-hover=\"{}\"", escaped(&self.hover))
        };
        self.element(&hover, "")
    }

    /// The drawing as a file of its own.
    #[must_use]
    pub fn standalone(&self) -> String {
        let style =
            format!("<style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
        let size = format!(
            " width=\"{}\" height=\"{}\"",
            num(self.width),
            num(self.height)
        );
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
            self.element(&size, &style)
        )
    }

    fn element(&self, attributes: &str, style: &str) -> String {
        let (name, title, description) =
            (&self.name, escaped(&self.title), escaped(&self.description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" lang=\"{}\" viewBox=\"0 0 {} {}\" \
             aria-labelledby=\"{name}-t {name}-d\"{attributes}><title id=\"{name}-t\">{title}</title>\
             <desc id=\"{name}-d\">{description}</desc>{style}{}{}</svg>",
            self.language,
            num(self.width),
            num(self.height),
            hatch(name),
            self.body
        )
    }
}

/// The pattern of gaps: thin diagonal lines.
fn hatch(name: &str) -> String {
    format!(
        "<defs><pattern id=\"{name}-h\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect class=\"hatch-ground\" width=\"6\" height=\"6\"/><path class=\"hatch\" d=\"M0 0V6\"/></pattern></defs>"
    )
}

/// The anchor of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins at its point.
    Start,
    /// The text is centred at its point.
    Middle,
    /// The text ends at its point.
    End,
}

/// An SVG body being written.
#[derive(Default)]
pub struct Pen {
    body: String,
}

impl Pen {
    /// A rectangle with a class.
    pub fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            num(x),
            num(y),
            num(width.max(0.0)),
            num(height.max(0.0))
        );
    }

    /// A rectangle with a tooltip of its value.
    pub fn rect_titled(
        &mut self,
        class: &str,
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        title: &str,
    ) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
            num(x),
            num(y),
            num(width.max(0.0)),
            num(height.max(0.0)),
            escaped(title)
        );
    }

    /// A rectangle filled with the pattern of gaps of the chart `name`.
    pub fn gap(&mut self, name: &str, x: f64, y: f64, width: f64, height: f64, title: &str) {
        let _ = write!(
            self.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"url(#{name}-h)\"><title>{}</title></rect>",
            num(x),
            num(y),
            num(width.max(0.0)),
            num(height.max(0.0)),
            escaped(title)
        );
    }

    /// A path with a class.
    pub fn path(&mut self, class: &str, data: &str) {
        if !data.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{data}\"/>");
        }
    }

    /// A path drawn to another scale.
    pub fn scaled_path(&mut self, class: &str, scale: f64, data: &str) {
        let _ = write!(
            self.body,
            "<path class=\"{class}\" transform=\"scale({scale})\" d=\"{data}\"/>"
        );
    }

    /// A circle with a tooltip of its value.
    pub fn circle(&mut self, class: &str, x: f64, y: f64, radius: f64, title: &str) {
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"><title>{}</title></circle>",
            num(x),
            num(y),
            num(radius),
            escaped(title)
        );
    }

    /// A straight line with a class.
    pub fn line(&mut self, class: &str, x1: f64, y1: f64, x2: f64, y2: f64) {
        self.path(
            class,
            &format!("M{} {}L{} {}", num(x1), num(y1), num(x2), num(y2)),
        );
    }

    /// Text with a class.
    pub fn text(&mut self, class: &str, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            num(x),
            num(y),
            escaped(text)
        );
    }

    /// A name at its start point with a fainter addition, within a width: if space is short, the addition is left out first, then the name is
    /// truncated.
    pub fn name(&mut self, x: f64, y: f64, room: f64, name: &str, detail: &str) {
        let width = text_width(name, FONT_SIZE);
        let left = room - width - 9.0;
        if detail.is_empty() || left < 40.0 {
            let name = cut(name, FONT_SIZE, room);
            self.text("label", x, y, Anchor::Start, &name);
        } else {
            self.text_with_detail(x, y, name, &cut(detail, 11.5, left));
        }
    }

    /// Text at its start point, followed by a fainter addition; the renderer places the addition, so they never overlap.
    pub fn text_with_detail(&mut self, x: f64, y: f64, text: &str, detail: &str) {
        let (text, detail) = (escaped(text), escaped(detail));
        let _ = write!(
            self.body,
            "<text class=\"label\" x=\"{}\" y=\"{}\">{text}<tspan class=\"tick\" dx=\"9\">{detail}</tspan></text>",
            num(x),
            num(y)
        );
    }

    /// The SVG elements.
    #[must_use]
    pub fn finish(self) -> String {
        self.body
    }
}

/// A coordinate with at most one decimal.
#[must_use]
pub fn num(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == rounded.trunc() {
        format!("{}", rounded as i64)
    } else {
        format!("{rounded:.1}")
    }
}

/// Text escaped for elements and attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() && control != '\n' => safe.push(' '),
            plain => safe.push(plain),
        }
    }
    safe
}

/// Widths of the characters from space to tilde, thousandths of the font size: for each the maximum of DejaVu Sans and Noto Sans CJK JP, the
/// widest of the fonts that charts ask for. A text with this width fits in each of them.
#[rustfmt::skip]
const ADVANCES: [u16; 95] = [
    318, 401, 474, 838, 637, 951, 780, 278, 391, 391, 500, 838, 318, 361, 318, 392, 637, 637, 637,
    637, 637, 637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 531, 1000, 685, 687, 699, 771, 632,
    576, 775, 752, 295, 535, 656, 558, 863, 749, 788, 633, 788, 695, 635, 611, 732, 685, 989, 686,
    611, 686, 391, 392, 391, 838, 559, 606, 613, 635, 550, 635, 616, 353, 635, 634, 278, 278, 580,
    284, 975, 634, 612, 635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838,
];

/// Upper bound of a text's width in the fonts that charts ask for.
#[must_use]
pub fn text_width(text: &str, size: f64) -> f64 {
    let advance = |character: char| match character {
        ' '..='~' => f64::from(ADVANCES[character as usize - ' ' as usize]) / 1000.0,
        '\u{a0}' => 0.32,
        _ => 1.0,
    };
    text.chars().map(advance).sum::<f64>() * size
}

/// A text truncated to a width, with an ellipsis if it was longer.
#[must_use]
pub fn cut(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if text_width(&kept, size) + size > width {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

/// Draws rows of legend entries up to the right edge and returns the height used. An entry is the class of its swatch and its label; the
/// class `gap` is the pattern of gaps of the chart `name`.
pub fn legend(
    pen: &mut Pen,
    name: &str,
    top: f64,
    right: f64,
    entries: &[(String, String)],
) -> f64 {
    let (mut x, mut y) = (0.0, top);
    for (class, label) in entries {
        // Swatches without a label are a scale, drawn side by side.
        let width = if label.is_empty() {
            14.0
        } else {
            16.0 + text_width(label, FONT_SIZE)
        };
        if x + width > right && x > 0.0 {
            x = 0.0;
            y += 20.0;
        }
        if class == "gap" {
            pen.gap(name, x, y, 11.0, 11.0, label);
        } else {
            pen.rect(class, x, y, 11.0, 11.0);
        }
        if !label.is_empty() {
            pen.text("label", x + 16.0, y + 10.0, Anchor::Start, label);
        }
        x += width + if label.is_empty() { 0.0 } else { 18.0 };
    }
    y + 20.0 - top
}

/// Draws rows of round marks with their labels, the class of each mark and what it means, up to the right edge; returns the height used.
pub fn legend_marks(pen: &mut Pen, top: f64, right: f64, entries: &[(&str, &str)]) -> f64 {
    let (mut x, mut y) = (4.0, top);
    for (class, label) in entries {
        let width = 18.0 + text_width(label, FONT_SIZE);
        if x + width > right && x > 4.0 {
            x = 4.0;
            y += 20.0;
        }
        pen.circle(class, x + 6.0, y + 6.0, 5.5, label);
        pen.text("label", x + 18.0, y + 10.5, Anchor::Start, label);
        x += width + 24.0;
    }
    y + 20.0 - top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_leave_its_element() {
        assert_eq!(
            escaped("<script>\"&'\u{0}"),
            "&lt;script&gt;&quot;&amp;&#39; "
        );
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(num(12.0), "12");
        assert_eq!(num(12.34), "12.3");
        assert_eq!(num(-0.04), "0");
    }
}
