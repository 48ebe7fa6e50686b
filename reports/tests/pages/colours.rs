//! Colours of charts: neighbours stay apart for readers with any of the three kinds of colour blindness, and fills stand out from the page, in
//! both colour schemes.
//!
//! Colour blindness is simulated by Machado, Oliveira and Fernandes (2009) at full severity, in linear RGB; differences are CIEDE2000
//! (Sharma, Wu and Dalal 2005); contrast is that of WCAG 2.2.

use std::collections::BTreeMap;

const PAGE_STYLE: &str = include_str!("../../src/render/page.css");
/// The least difference between two colours.
const DIFFERENCE_MIN: f64 = 15.0;
/// The least contrast of a fill with the page.
const CONTRAST_MIN: f64 = 3.0;

/// Classes of which any two may stand side by side.
const GROUPS: &[&[&str]] = &[
    &["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"],
    &["bar", "bar-device", "bar-rest", "bar-home", "bar-second"],
    &["dot0", "dot1", "dot2", "dot3"],
    &["s-complete", "s-partial", "s-lossy"],
];

/// Linear RGB to linear RGB as seen with full sight, without red, green and blue cones.
#[rustfmt::skip]
const VISIONS: [[[f64; 3]; 3]; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
];

/// The fill of each class of a style sheet; later rules win.
fn fills(css: &str) -> BTreeMap<String, [f64; 3]> {
    let mut found = BTreeMap::new();
    for rule in css.split('}') {
        let Some((selectors, body)) = rule.rsplit_once('{') else {
            continue;
        };
        let fill = body
            .split(';')
            .find_map(|it| it.trim().strip_prefix("fill:#"));
        let Some(colour) = fill.and_then(linear) else {
            continue;
        };
        // What is before the last `{` may hold the opening of a media query.
        let selectors = selectors.rsplit('{').next().unwrap_or_default();
        for selector in selectors.split(',') {
            if let Some(class) = selector.trim().strip_prefix(".chart .") {
                found.insert(class.to_owned(), colour);
            }
        }
    }
    found
}

/// Linear RGB of six hexadecimal digits, or of three.
fn linear(text: &str) -> Option<[f64; 3]> {
    let digits: Vec<u32> = text.chars().map_while(|it| it.to_digit(16)).collect();
    let bytes: [u32; 3] = match digits[..] {
        [r, g, b] => [r * 17, g * 17, b * 17],
        [r, s, g, h, b, c] => [r * 16 + s, g * 16 + h, b * 16 + c],
        _ => return None,
    };
    Some(bytes.map(|byte| {
        let share = f64::from(byte) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    }))
}

fn seen([r, g, b]: [f64; 3], vision: &[[f64; 3]; 3]) -> [f64; 3] {
    vision.map(|row| (row[0] * r + row[1] * g + row[2] * b).clamp(0.0, 1.0))
}

fn luminance([r, g, b]: [f64; 3]) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(colour: [f64; 3], ground: [f64; 3]) -> f64 {
    let (a, b) = (luminance(colour), luminance(ground));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let bend = |value: f64| {
        if value > 0.008_856 {
            value.cbrt()
        } else {
            7.787 * value + 16.0 / 116.0
        }
    };
    let x = bend((0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47);
    let y = bend(0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b);
    let z = bend((0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// CIEDE2000.
fn difference([l1, a1, b1]: [f64; 3], [l2, a2, b2]: [f64; 3]) -> f64 {
    let seventh = |chroma: f64| (chroma.powi(7) / (chroma.powi(7) + 25_f64.powi(7))).sqrt();
    let mean = f64::midpoint(a1.hypot(b1), a2.hypot(b2));
    let stretch = 1.5 - 0.5 * seventh(mean);
    let (a1, a2) = (a1 * stretch, a2 * stretch);
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| b.atan2(a).to_degrees().rem_euclid(360.0);
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let turn = match h2 - h1 {
        wide if wide > 180.0 => wide - 360.0,
        wide if wide < -180.0 => wide + 360.0,
        narrow => narrow,
    };
    let (dl, dc) = (l2 - l1, c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (lightness, chroma) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
    let hue = match (h1 - h2).abs() > 180.0 {
        false => f64::midpoint(h1, h2),
        true => (f64::midpoint(h1, h2) + 180.0).rem_euclid(360.0),
    };
    let wave = |factor: f64, shift: f64| (factor * hue + shift).to_radians().cos();
    let t = 1.0 - 0.17 * wave(1.0, -30.0) + 0.24 * wave(2.0, 0.0) + 0.32 * wave(3.0, 6.0)
        - 0.20 * wave(4.0, -63.0);
    let far = (lightness - 50.0).powi(2);
    let sl = 1.0 + 0.015 * far / (20.0 + far).sqrt();
    let (sc, sh) = (1.0 + 0.045 * chroma, 1.0 + 0.015 * chroma * t);
    let angle = 30.0 * (-((hue - 275.0) / 25.0).powi(2)).exp();
    let rotation = -2.0 * seventh(chroma) * (2.0 * angle).to_radians().sin();
    let (l, c, h) = (dl / sl, dc / sc, dh / sh);
    (l * l + c * c + h * h + rotation * c * h).sqrt()
}

/// What is wrong with the colours of a scheme.
fn faults(fills: &BTreeMap<String, [f64; 3]>, ground: &str) -> Vec<String> {
    let ground = linear(ground).expect("a colour");
    let mut faults = Vec::new();
    for group in GROUPS {
        for (place, name) in group.iter().enumerate() {
            let colour = fills[*name];
            let stands_out = contrast(colour, ground);
            if stands_out < CONTRAST_MIN {
                faults.push(format!("{name}: contrast {stands_out:.2} with the page"));
            }
            for other in &group[place + 1..] {
                let apart = VISIONS
                    .iter()
                    .map(|vision| {
                        let view = |it| lab(seen(it, vision));
                        difference(view(colour), view(fills[*other]))
                    })
                    .fold(f64::MAX, f64::min);
                if apart < DIFFERENCE_MIN {
                    faults.push(format!("{name} and {other}: difference {apart:.1}"));
                }
            }
        }
    }
    faults
}

/// The fills of both schemes, each with the page behind them.
fn schemes() -> [(BTreeMap<String, [f64; 3]>, &'static str); 2] {
    let light = fills(teiten_reports::chart::STYLE);
    let at = PAGE_STYLE
        .find("@media(prefers-color-scheme:dark)")
        .expect("a dark scheme");
    let end = PAGE_STYLE.find("@media print").expect("a printed page");
    let mut dark = light.clone();
    dark.extend(fills(&PAGE_STYLE[at..end]));
    [(light, "ffffff"), (dark, "14181e")]
}

#[test]
fn neighbours_stay_apart_and_fills_stand_out_in_both_schemes() {
    assert!(PAGE_STYLE.contains("--ground:#14181e"));
    for (fills, ground) in schemes() {
        let faults = faults(&fills, ground);
        assert!(faults.is_empty(), "on #{ground}:\n{}", faults.join("\n"));
    }
}

#[test]
fn colours_that_are_alike_are_found() {
    let [(mut fills, ground), _] = schemes();
    // The classes of misconfiguration and spoofed as they once were: alike without red cones.
    fills.insert("k4".to_owned(), linear("3f9c8c").unwrap());
    fills.insert("k5".to_owned(), linear("d9818f").unwrap());
    let faults = faults(&fills, ground);
    assert!(
        faults
            .iter()
            .any(|it| it.contains("k4 and k5: difference 3.")),
        "{faults:?}"
    );
    assert!(
        faults.iter().any(|it| it.starts_with("k5: contrast 2.8")),
        "{faults:?}"
    );
}

#[test]
fn differences_are_those_of_the_published_test_data() {
    // Sharma, Wu and Dalal 2005, table 1, pairs 1, 7, 13 and 25.
    for (one, other, expected) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
        ([50.0, -0.001, 2.49], [50.0, 0.0009, -2.49], 4.8045),
        (
            [60.2574, -34.0099, 36.2677],
            [60.4626, -34.1751, 39.4387],
            1.2644,
        ),
    ] {
        let found = difference(one, other);
        assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
    }
}

/// What words are drawn in: selectors of the style of charts.
const WORDS: &[&str] = &[
    "text",
    "tspan.tick",
    ".tick",
    ".unit",
    ".faint",
    ".rank",
    "text.event-label",
];
/// The least contrast of words with the page (WCAG 2.2, 1.4.3).
const WORDS_CONTRAST_MIN: f64 = 4.5;

/// The colour that a style sheet gives to one of [`WORDS`], whatever other selectors stand beside it.
fn colour_of_words(css: &str, selector: &str) -> Option<[f64; 3]> {
    let wanted = format!(".chart {selector}");
    let rules = css.split('}').filter_map(|rule| rule.rsplit_once('{'));
    let mut of_selector = rules.filter(|(selectors, _)| {
        let selectors = selectors.rsplit('{').next().unwrap_or_default();
        selectors.split(',').any(|it| it.trim() == wanted)
    });
    let fill = |body: &str| {
        let mut declared = body.split(';');
        declared.find_map(|it| it.trim().strip_prefix("fill:#").and_then(linear))
    };
    of_selector.find_map(|(_, body)| fill(body))
}

#[test]
fn words_can_be_read_in_both_schemes() {
    let at = PAGE_STYLE.find("@media(prefers-color-scheme:dark)");
    let end = PAGE_STYLE.find("@media print");
    let dark = &PAGE_STYLE[at.unwrap()..end.unwrap()];
    let schemes = [(teiten_reports::chart::STYLE, "ffffff"), (dark, "14181e")];
    for (css, ground) in schemes {
        for words in WORDS {
            // A rule for an element outweighs one for its class alone, so each needs its own in the dark scheme.
            let colour = colour_of_words(css, words);
            let colour = colour.unwrap_or_else(|| panic!("{words} has no colour on #{ground}"));
            let found = contrast(colour, linear(ground).unwrap());
            assert!(
                found >= WORDS_CONTRAST_MIN,
                "{words} on #{ground}: {found:.1}"
            );
        }
    }
}
