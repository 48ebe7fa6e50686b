//! The map: coastlines without borders, and circles whose area is a share, a disc for one measure and a ring for another.
//!
//! Coastlines are those of Natural Earth (public domain), 1:110 million, by way of the npm package world-atlas 2.0.2: projected once
//! (Equal Earth, Šavrič, Patterson and Jenny 2018, centred on 150° E) and kept as one path. Places are the middles of the largest land of
//! each country by the same source at 1:50 million. Borders are left out: at this scale they lack small countries and draw disputed ones
//! one-sidedly.

use super::{Anchor, Chart, FONT_SIZE, NARROW, Pen, Sheet, WIDTH, legend_marks, text_width};

const LAND: &str = include_str!("land.path");
/// Height of the land, units of the view box.
const HEIGHT: f64 = 411.5;
/// Longitude in the middle.
const CENTRE: f64 = 150.0;
/// Radius of a circle for a share of 100 %.
const WHOLE: f64 = 118.0;

/// A country's shares of two totals.
#[derive(Clone, Debug)]
pub struct CountryShares {
    /// ISO 3166-1 alpha-2.
    pub code: String,
    /// Name.
    pub label: String,
    /// Share that the disc shows, 0 to 1.
    pub disc: f64,
    /// Share that the ring shows, 0 to 1.
    pub ring: f64,
    /// Whether it is marked as home.
    pub home: bool,
    /// Text under the pointer.
    pub told: String,
}

/// Draws the map; places without coordinates are not drawn. `labels` is how many are named, largest first.
#[must_use]
pub fn draw(
    Sheet { name, width }: Sheet<'_>,
    [title, description]: [&str; 2],
    language: &'static str,
    places: &[CountryShares],
    labels: usize,
    legends: [&str; 2],
    credit: &str,
) -> Chart {
    let mut pen = Pen::default();
    let scale = width / WIDTH;
    pen.scaled_path("land", scale, LAND.trim());
    let mut known: Vec<(&CountryShares, (f64, f64))> = places
        .iter()
        .filter_map(|place| Some((place, position(&place.code)?)))
        .map(|(place, (x, y))| (place, (x * scale, y * scale)))
        .collect();
    // Small circles above large ones.
    known.sort_by(|a, b| b.0.disc.max(b.0.ring).total_cmp(&a.0.disc.max(a.0.ring)));
    let radius = |share: f64| WHOLE * scale * share.max(0.0).sqrt();
    for (place, (x, y)) in &known {
        let class = if place.home { "disc-home" } else { "disc" };
        if place.disc > 0.0 {
            pen.circle(class, *x, *y, radius(place.disc).max(1.2), &place.told);
        }
        if place.ring > 0.0 {
            pen.circle("circle", *x, *y, radius(place.ring).max(1.2), &place.told);
        }
    }
    let land = HEIGHT * scale;
    let mut taken: Vec<[f64; 4]> = Vec::new();
    let home_first = known.iter().filter(|(place, _)| place.home);
    let others = known
        .iter()
        .filter(|(place, _)| !place.home)
        .take(if width > NARROW { labels } else { labels / 2 });
    for (place, (x, y)) in home_first.chain(others) {
        let room = text_width(&place.label, FONT_SIZE);
        let reach = radius(place.disc.max(place.ring));
        let candidates = [
            (x - room / 2.0, y + 4.0),
            (x - room / 2.0, y - reach - 5.0),
            (x - room / 2.0, y + reach + 13.0),
            (x + reach + 4.0, y + 4.0),
            (x - reach - 4.0 - room, y + 4.0),
        ];
        // Inside the circle if it fits; a label without room is left out, the table has them all.
        let fits = |&(left, base): &(f64, f64)| {
            let area = [left - 2.0, base - FONT_SIZE, left + room + 2.0, base + 3.0];
            let inside = (base - (y + 4.0)).abs() > 0.1
                || (left - (x - room / 2.0)).abs() > 0.1
                || room < reach * 1.7;
            let apart = taken.iter().all(|other| {
                area[2] < other[0] || area[0] > other[2] || area[3] < other[1] || area[1] > other[3]
            });
            inside
                && apart
                && area[0] >= 0.0
                && area[2] <= width
                && area[1] >= 0.0
                && area[3] <= land
        };
        if let Some(&(left, base)) = candidates.iter().find(|candidate| fits(candidate)) {
            taken.push([left - 2.0, base - FONT_SIZE, left + room + 2.0, base + 3.0]);
            pen.text("label halo", left, base, Anchor::Start, &place.label);
        }
    }
    let marks = [("disc", legends[0]), ("circle", legends[1])];
    let below = land + 14.0 + legend_marks(&mut pen, land + 14.0, width, &marks);
    // The credit beside the marks, or under them where the drawing is narrow.
    let credit_at = if width > NARROW {
        below - 10.0
    } else {
        below + 8.0
    };
    pen.text("tick", width - 2.0, credit_at, Anchor::End, credit);
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        width,
        height: credit_at + 10.0,
        body: pen.finish(),
        hover: String::new(),
        language,
    }
}

/// Where a country is drawn.
#[must_use]
pub fn position(code: &str) -> Option<(f64, f64)> {
    let row = PLACES.binary_search_by_key(&code, |row| row.0).ok()?;
    let (_, longitude, latitude) = PLACES[row];
    Some(project(longitude, latitude))
}

/// Equal Earth, centred, in units of the view box; the top edge is 80° N.
fn project(longitude: f64, latitude: f64) -> (f64, f64) {
    const A: [f64; 4] = [1.340_264, -0.081_106, 0.000_893, 0.003_796];
    let root = 3.0_f64.sqrt();
    let plane = |longitude: f64, latitude: f64| {
        let t = (root / 2.0 * latitude.to_radians().sin()).asin();
        let (t2, t6) = (t * t, t.powi(6));
        let slope = 9.0 * A[3] * t6 * t2 + 7.0 * A[2] * t6 + 3.0 * A[1] * t2 + A[0];
        let x = 2.0 * root * longitude.to_radians() * t.cos() / (3.0 * slope);
        (x, t * (A[0] + A[1] * t2 + t6 * (A[2] + A[3] * t2)))
    };
    let turned = (longitude - CENTRE + 540.0).rem_euclid(360.0) - 180.0;
    let (edge, _) = plane(180.0, 0.0);
    let (_, top) = plane(0.0, 80.0);
    let scale = WIDTH / (2.0 * edge);
    let (x, y) = plane(turned, latitude);
    ((x + edge) * scale, (top - y) * scale)
}

/// Code, degrees east, degrees north; sorted by code.
#[rustfmt::skip]
const PLACES: &[(&str, f64, f64)] = &[
    ("AD", 1.6, 42.5), ("AE", 54.3, 23.9), ("AF", 66.0, 33.8), ("AG", -61.8, 17.1), ("AI", -63.1, 18.2), ("AL", 20.0, 41.1),
    ("AM", 44.9, 40.3), ("AO", 17.6, -12.3), ("AQ", -47.8, -79.4), ("AR", -65.2, -35.2), ("AS", -170.7, -14.3), ("AT", 14.1, 47.6),
    ("AU", 134.4, -25.6), ("AW", -70.0, 12.5), ("AX", 19.9, 60.2), ("AZ", 47.7, 40.3), ("BA", 17.8, 44.2), ("BB", -59.6, 13.2),
    ("BD", 90.2, 23.9), ("BE", 4.6, 50.6), ("BF", -1.8, 12.3), ("BG", 25.2, 42.8), ("BH", 50.5, 26.0), ("BI", 29.9, -3.4),
    ("BJ", 2.3, 9.6), ("BL", -62.8, 17.9), ("BM", -64.8, 32.3), ("BN", 114.6, 4.5), ("BO", -64.7, -16.7), ("BQ", -68.3, 12.2),
    ("BR", -53.1, -10.8), ("BS", -78.0, 24.7), ("BT", 90.4, 27.4), ("BV", 3.4, -54.4), ("BW", 23.8, -22.2), ("BY", 28.0, 53.5),
    ("BZ", -88.7, 17.2), ("CA", -102.4, 57.9), ("CC", 96.8, -12.2), ("CD", 23.6, -2.9), ("CF", 20.5, 6.6), ("CG", 15.2, -0.8),
    ("CH", 8.2, 46.8), ("CI", -5.6, 7.6), ("CK", -159.8, -21.2), ("CL", -71.3, -35.7), ("CM", 12.7, 5.7), ("CN", 103.8, 36.6),
    ("CO", -73.1, 3.9), ("CR", -84.2, 10.0), ("CU", -78.9, 21.6), ("CV", -23.6, 15.1), ("CW", -69.0, 12.2), ("CX", 105.6, -10.5),
    ("CY", 33.0, 34.9), ("CZ", 15.3, 49.7), ("DE", 10.4, 51.1), ("DJ", 42.6, 11.7), ("DK", 9.4, 56.2), ("DM", -61.4, 15.4),
    ("DO", -70.5, 18.9), ("DZ", 2.6, 28.2), ("EC", -78.4, -1.4), ("EE", 25.8, 58.7), ("EG", 29.9, 26.5), ("EH", -12.2, 24.2),
    ("ER", 38.8, 15.4), ("ES", -3.6, 40.4), ("ET", 39.6, 8.6), ("FI", 26.3, 64.5), ("FJ", -29.2, -16.5), ("FK", -58.8, -51.7),
    ("FM", 158.2, 6.9), ("FO", -6.9, 62.2), ("FR", 2.5, 46.6), ("GA", 11.8, -0.6), ("GB", -2.5, 53.9), ("GD", -61.7, 12.1),
    ("GE", 43.5, 42.2), ("GF", -53.2, 3.9), ("GG", -2.6, 49.5), ("GH", -1.2, 8.0), ("GI", -5.3, 36.1), ("GL", -41.4, 74.7),
    ("GM", -15.4, 13.4), ("GN", -10.9, 10.4), ("GP", -61.5, 16.2), ("GQ", 10.5, 1.6), ("GR", 22.6, 39.5), ("GS", -36.7, -54.4),
    ("GT", -90.4, 15.7), ("GU", 144.8, 13.4), ("GW", -14.9, 12.1), ("GY", -59.0, 4.8), ("HK", 114.1, 22.4), ("HM", 73.5, -53.1),
    ("HN", -86.6, 14.8), ("HR", 16.4, 45.2), ("HT", -72.7, 18.9), ("HU", 19.4, 47.2), ("ID", 114.0, -0.2), ("IE", -8.1, 53.2),
    ("IL", 34.7, 31.5), ("IM", -4.5, 54.2), ("IN", 79.6, 22.9), ("IO", 72.4, -7.3), ("IQ", 43.7, 33.0), ("IR", 54.3, 32.6),
    ("IS", -18.6, 65.0), ("IT", 12.1, 43.5), ("JE", -2.1, 49.2), ("JM", -77.3, 18.2), ("JO", 36.8, 31.2), ("JP", 138.0, 36.7),
    ("KE", 37.8, 0.6), ("KG", 74.5, 41.5), ("KH", 104.9, 12.7), ("KI", -157.4, 1.9), ("KM", 43.3, -11.7), ("KN", -62.7, 17.3),
    ("KP", 127.2, 40.2), ("KR", 127.9, 36.5), ("KW", 47.6, 29.3), ("KY", -81.3, 19.3), ("KZ", 67.3, 48.2), ("LA", 103.7, 18.5),
    ("LB", 35.9, 33.9), ("LC", -61.0, 13.9), ("LI", 9.5, 47.1), ("LK", 80.7, 7.6), ("LR", -9.3, 6.5), ("LS", 28.2, -29.6),
    ("LT", 23.9, 55.3), ("LU", 6.1, 49.8), ("LV", 24.9, 56.9), ("LY", 18.0, 27.0), ("MA", -8.5, 29.8), ("MC", 7.4, 43.8),
    ("MD", 28.5, 47.2), ("ME", 19.2, 42.8), ("MF", -63.1, 18.1), ("MG", 46.7, -19.4), ("MH", 171.1, 7.1), ("MK", 21.7, 41.6),
    ("ML", -3.5, 17.3), ("MM", 96.5, 21.2), ("MN", 103.1, 46.8), ("MO", 113.5, 22.2), ("MP", 145.7, 15.2), ("MQ", -61.0, 14.6),
    ("MR", -10.3, 20.3), ("MS", -62.2, 16.7), ("MT", 14.4, 35.9), ("MU", 57.6, -20.3), ("MV", 73.5, 4.2), ("MW", 34.3, -13.2),
    ("MX", -102.5, 23.9), ("MY", 114.7, 3.6), ("MZ", 35.5, -17.3), ("NA", 17.2, -22.1), ("NC", 165.5, -21.3), ("NE", 9.4, 17.4),
    ("NF", 167.9, -29.1), ("NG", 8.1, 9.6), ("NI", -85.0, 12.8), ("NL", 5.6, 52.3), ("NO", 13.9, 64.2), ("NP", 83.9, 28.2),
    ("NR", 166.9, -0.5), ("NU", -169.9, -19.0), ("NZ", 170.5, -44.0), ("OM", 56.1, 20.6), ("PA", -80.1, 8.5), ("PE", -74.4, -9.2),
    ("PF", -149.4, -17.7), ("PG", 144.2, -6.6), ("PH", 121.4, 16.0), ("PK", 69.3, 29.9), ("PL", 19.4, 52.1), ("PM", -56.3, 46.9),
    ("PN", -128.3, -24.4), ("PR", -66.5, 18.2), ("PS", 35.2, 31.9), ("PT", -8.0, 39.7), ("PW", 134.6, 7.5), ("PY", -58.4, -23.2),
    ("QA", 51.2, 25.3), ("RE", 55.5, -21.1), ("RO", 25.0, 45.9), ("RS", 20.8, 44.2), ("RU", 96.5, 60.4), ("RW", 29.9, -2.0),
    ("SA", 44.5, 24.1), ("SB", 160.2, -9.6), ("SC", 55.5, -4.7), ("SD", 29.9, 16.0), ("SE", 16.7, 62.8), ("SG", 103.8, 1.4),
    ("SH", -5.7, -16.0), ("SI", 14.8, 46.1), ("SJ", 16.0, 78.5), ("SK", 19.5, 48.7), ("SL", -11.8, 8.6), ("SM", 12.5, 43.9),
    ("SN", -14.5, 14.4), ("SO", 45.7, 4.8), ("SR", -55.9, 4.1), ("SS", 30.2, 7.3), ("ST", 6.6, 0.2), ("SV", -88.9, 13.7),
    ("SX", -63.1, 18.1), ("SY", 38.5, 35.0), ("SZ", 31.5, -26.6), ("TC", -71.7, 21.8), ("TD", 18.6, 15.3), ("TF", 69.5, -49.3),
    ("TG", 1.0, 8.5), ("TH", 101.0, 15.1), ("TJ", 71.0, 38.5), ("TK", -171.8, -9.2), ("TL", 125.9, -8.8), ("TM", 59.4, 39.1),
    ("TN", 9.5, 34.1), ("TO", -175.2, -21.2), ("TR", 35.4, 39.0), ("TT", -61.3, 10.4), ("TV", 179.2, -8.5), ("TW", 121.0, 23.8),
    ("TZ", 34.8, -6.3), ("UA", 31.3, 49.2), ("UG", 32.4, 1.3), ("UM", -162.1, 5.9), ("US", -99.1, 39.5), ("UY", -56.0, -32.8),
    ("UZ", 63.1, 41.8), ("VA", 12.4, 41.9), ("VC", -61.2, 13.3), ("VE", -66.2, 7.1), ("VG", -64.6, 18.4), ("VI", -64.8, 17.7),
    ("VN", 107.9, 16.0), ("VU", 166.8, -15.2), ("WF", -178.1, -14.3), ("WS", -172.4, -13.6), ("XK", 20.9, 42.6), ("YE", 47.5, 15.9),
    ("YT", 45.2, -12.8), ("ZA", 25.1, -29.0), ("ZM", 27.8, -13.5), ("ZW", 29.9, -19.0),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::country::COUNTRIES;

    #[test]
    fn every_country_has_a_place_on_the_map() {
        assert!(PLACES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (code, ..) in COUNTRIES.iter().filter(|row| row.0 != "ZZ") {
            let (x, y) = position(code).unwrap_or_else(|| panic!("{code}"));
            assert!(
                (0.0..=WIDTH).contains(&x) && (-5.0..=HEIGHT + 60.0).contains(&y),
                "{code}"
            );
        }
        // Japan is left of the middle, the United States right of it, Brazil further right.
        let x = |code: &str| position(code).unwrap().0;
        assert!(x("JP") < WIDTH / 2.0 && WIDTH / 2.0 < x("US") && x("US") < x("BR"));
    }

    #[test]
    fn labels_never_overlap() {
        let place = |code: &str, share: f64| CountryShares {
            code: code.to_owned(),
            label: format!("country {code}"),
            disc: share,
            ring: share / 2.0,
            home: false,
            told: String::new(),
        };
        let places: Vec<CountryShares> =
            ["NL", "DE", "BE", "FR", "LU", "CH", "AT", "CZ", "PL", "DK"]
                .into_iter()
                .map(|code| place(code, 0.02))
                .collect();
        let sheet = Sheet {
            name: "m",
            width: WIDTH,
        };
        let body = draw(sheet, ["t", "d"], "en", &places, 10, ["a", "b"], "c").body;
        assert!(body.matches("label halo").count() < 10, "some have no room");
    }
}
