//! Converts SVG to PNG with the fonts of the machine; text without a font is not drawn.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Pixels for each unit of the drawing: sharp on paper at column width.
pub const SCALE: f32 = 2.0;
/// Font families of the charts; the first that is installed is used, the last of each pair is the one that Debian packages.
const FAMILIES: [&str; 4] = [
    "Noto Sans CJK JP",
    "IPAexGothic",
    "Noto Sans JP",
    "DejaVu Sans",
];

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// No font could draw the text.
    #[error(
        "no font for the text of the figure on this machine: install one (Debian: fonts-noto-cjk or fonts-ipaexfont-gothic), or write SVG"
    )]
    NoFont,
    /// The drawing could not be read or drawn.
    #[error("the drawing cannot be made a PNG: {0}")]
    Drawing(String),
}

/// Draws an SVG file's text as PNG at [`SCALE`].
///
/// # Errors
/// When the machine has no font for its text.
pub fn render(svg: &str) -> Result<Vec<u8>, PngError> {
    let fonts = fonts();
    let family = FAMILIES
        .iter()
        .find(|name| has(fonts, name))
        .ok_or(PngError::NoFont)?;
    let japanese = svg.chars().any(|character| u32::from(character) >= 0x3000);
    if japanese && *family == "DejaVu Sans" {
        return Err(PngError::NoFont);
    }
    let options = Options {
        font_family: (*family).to_owned(),
        fontdb: Arc::clone(fonts),
        ..Options::default()
    };
    let broken = |reason: &dyn std::fmt::Display| PngError::Drawing(reason.to_string());
    // A missing family falls back to one without Japanese, so the style sheet must name an installed one.
    let svg = svg.replace(
        "font-family:\"Hiragino Sans\",",
        &format!("font-family:\"{family}\","),
    );
    let tree = Tree::from_str(&svg, &options).map_err(|error| broken(&error))?;
    let size = tree.size();
    let (width, height) = (size.width() * SCALE, size.height() * SCALE);
    let mut pixels = Pixmap::new(width.ceil() as u32, height.ceil() as u32)
        .ok_or_else(|| broken(&"it has no size"))?;
    resvg::render(
        &tree,
        Transform::from_scale(SCALE, SCALE),
        &mut pixels.as_mut(),
    );
    pixels.encode_png().map_err(|error| broken(&error))
}

/// Whether the machine has a font for both languages.
#[must_use]
pub fn can_draw() -> bool {
    FAMILIES[..3].iter().any(|name| has(fonts(), name))
}

fn fonts() -> &'static Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    FONTS.get_or_init(|| {
        let mut database = fontdb::Database::new();
        database.load_system_fonts();
        Arc::new(database)
    })
}

fn has(fonts: &fontdb::Database, family: &str) -> bool {
    fonts
        .faces()
        .any(|face| face.families.iter().any(|(name, _)| name == family))
}
