//! Selects the data files for a day. Files of different dates for the same addresses are editions: the newest that is not later than the
//! day is used, and the oldest for earlier days. Files without a date of their own, and files for other addresses (another registry, the
//! other family, a few corrections), are used in addition.

use std::cmp::Reverse;

use super::date::DateSource;
use super::provenance::Provenance;
use super::special;
use super::tables::Tables;
use super::text::FileRanges;
use crate::parallel::joined;
use crate::ranges::flatten::{Range, cut_out, flatten};
use crate::ranges::table::{TableV4, TableV6, Value};
use jiff::civil::Date;
use teiten_observation::Address;

/// What holds from a day on.
#[derive(Clone, Debug)]
pub(super) struct OriginEdition<V> {
    /// Its first day, if there are several editions; the first one holds for earlier days too.
    pub(super) from: Option<Date>,
    pub(super) tables: Tables<V>,
    /// Its files, by their indexes in the list, in rising precedence.
    pub(super) files: Vec<usize>,
}

/// All editions of a subject, by their first day; one at least.
#[derive(Clone, Debug)]
pub(super) struct Editions<V>(Vec<OriginEdition<V>>);

impl<V: Value> Editions<V> {
    pub(super) fn empty() -> Self {
        Editions(vec![OriginEdition {
            from: None,
            tables: Tables::empty(),
            files: Vec::new(),
        }])
    }

    /// All of them, by their first day.
    pub(super) fn all(&self) -> &[OriginEdition<V>] {
        &self.0
    }

    /// Editions that were all of some others; `None` if there is none.
    pub(super) fn of(editions: Vec<OriginEdition<V>>) -> Option<Self> {
        (!editions.is_empty()).then_some(Editions(editions))
    }

    /// The edition of a day.
    pub(super) fn on(&self, day: Date) -> &OriginEdition<V> {
        let behind = self.0.partition_point(|edition| edition.from <= Some(day));
        &self.0[behind.saturating_sub(1)]
    }

    pub(super) fn newest(&self) -> &OriginEdition<V> {
        &self.0[self.0.len() - 1]
    }

    /// The first day and the files of every edition.
    pub(super) fn files(&self) -> impl Iterator<Item = (Option<Date>, &[usize])> {
        let editions = self.0.iter();
        editions.map(|edition| (edition.from, edition.files.as_slice()))
    }
}

/// Builds the tables of every edition of the files, which come in the order of the command line.
pub(super) fn build<V: Value + Send + Sync>(
    files: &[FileRanges<V>],
    provenance: &[Provenance],
) -> Editions<V> {
    let dates: Vec<Option<Date>> = provenance.iter().map(date).collect();
    let mut days: Vec<Option<Date>> = dates.iter().copied().filter(Option::is_some).collect();
    days.sort_unstable();
    days.dedup();
    if days.len() < 2 {
        days = vec![None];
    }
    let answers = Answers::of(files, &dates, days.len() > 1);
    let mut editions: Vec<OriginEdition<V>> = Vec::new();
    for day in days {
        let chosen = choose(&dates, day, &answers);
        if editions.last().is_some_and(|last| last.files == chosen) {
            continue;
        }
        editions.push(OriginEdition {
            from: day,
            tables: tables(files, &chosen),
            files: chosen,
        });
    }
    Editions(editions)
}

/// The day that a file states; its modification time says nothing about its data.
fn date(provenance: &Provenance) -> Option<Date> {
    (provenance.date_source != DateSource::Modified).then_some(provenance.date)
}

/// How well a file's date fits a day, best first: the newest up to the day, then later dates, earliest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    UpToTheDay(Reverse<Date>),
    Later(Date),
}

impl Fitness {
    fn of(date: Date, day: Date) -> Self {
        if date <= day {
            Fitness::UpToTheDay(Reverse(date))
        } else {
            Fitness::Later(date)
        }
    }
}

/// The files for `day`, or all if there is only one edition, in rising precedence; dated files are ordered by how well they fit.
fn choose(dates: &[Option<Date>], day: Option<Date>, answers: &Answers) -> Vec<usize> {
    let Some(day) = day else {
        return (0..dates.len()).collect();
    };
    let mut dated: Vec<usize> = (0..dates.len())
        .filter(|&file| dates[file].is_some())
        .collect();
    // Of one day the later in the list.
    dated.sort_by_key(|&file| {
        (
            dates[file].map(|date| Fitness::of(date, day)),
            Reverse(file),
        )
    });
    let mut fitting: Vec<usize> = Vec::new();
    for &file in &dated {
        let replaces =
            |&better: &usize| dates[better] != dates[file] && answers.most_of(file, better);
        if !fitting.iter().any(replaces) {
            fitting.push(file);
        }
    }
    let mut places = (0..dates.len()).collect::<Vec<_>>();
    places.retain(|file| !dated.contains(file) || fitting.contains(file));
    let mut rising = fitting.into_iter().rev();
    for place in &mut places {
        if dated.contains(place) {
            *place = rising.next().unwrap_or(*place);
        }
    }
    places
}

fn tables<V: Value + Send + Sync>(files: &[FileRanges<V>], chosen: &[usize]) -> Tables<V> {
    let chosen = || chosen.iter().map(|&file| &files[file]);
    // An empty list beside a sorted one would take the slow path.
    let v4: Vec<&[_]> = chosen()
        .map(|file| file.v4.as_slice())
        .filter(|v4| !v4.is_empty())
        .collect();
    let v6: Vec<&[_]> = chosen()
        .map(|file| file.v6.as_slice())
        .filter(|v6| !v6.is_empty())
        .collect();
    std::thread::scope(|scope| {
        let v6 = scope.spawn(move || TableV6::new(&cut_out(&flatten(&v6), &special::MASK_V6)));
        Tables {
            v4: TableV4::new(&cut_out(&flatten(&v4), &special::MASK_V4)),
            v6: joined(v6),
        }
    })
}

/// Most ranges of a file and family that are looked up in another file, enough to recognise editions.
const SAMPLES_MAX: usize = 1024;

/// For each pair of dated files, whether the second covers most of the first.
struct Answers {
    most: Vec<Vec<bool>>,
}

impl Answers {
    fn of<V>(files: &[FileRanges<V>], dates: &[Option<Date>], is_needed: bool) -> Answers {
        if !is_needed {
            return Answers { most: Vec::new() };
        }
        let covers: Vec<_> = files
            .iter()
            .map(|file| (covered(&file.v4), covered(&file.v6)))
            .collect();
        let most = files.iter().zip(dates).map(|(file, date)| {
            let of_other = |(cover, other): (&(Vec<_>, Vec<_>), &Option<Date>)| {
                date.is_some()
                    && other.is_some()
                    && is_mostly_in(&file.v4, &cover.0)
                    && is_mostly_in(&file.v6, &cover.1)
            };
            covers.iter().zip(dates).map(of_other).collect()
        });
        Answers {
            most: most.collect(),
        }
    }

    fn most_of(&self, file: usize, by: usize) -> bool {
        self.most[file][by]
    }
}

/// The addresses that ranges hold, as first and last ones, ascending.
fn covered<A: Address, V>(ranges: &[Range<A, V>]) -> Vec<(A, A)> {
    let mut bounds: Vec<(A, A)> = ranges
        .iter()
        .map(|range| (range.first, range.last))
        .collect();
    bounds.sort_unstable();
    // A range within the previous one, such as a more specific route, would hide it from the search.
    bounds.dedup_by(|next, before| {
        let is_touching = next.0 <= before.1;
        if is_touching {
            before.1 = before.1.max(next.1);
        }
        is_touching
    });
    bounds
}

/// Whether at least half of the ranges begin in what is covered; true for a family without ranges.
fn is_mostly_in<A: Address, V>(ranges: &[Range<A, V>], covered: &[(A, A)]) -> bool {
    let step = ranges.len().div_ceil(SAMPLES_MAX).max(1);
    let (mut samples, mut held) = (0, 0);
    for range in ranges.iter().step_by(step) {
        let behind = covered.partition_point(|(first, _)| *first <= range.first);
        let is_held = behind > 0 && range.first <= covered[behind - 1].1;
        samples += 1;
        held += usize::from(is_held);
    }
    2 * held >= samples
}

#[cfg(test)]
mod tests {
    use super::super::Origins;
    use crate::hour::Hour;

    /// Days as hours: 2020-01-01 and days around the dates of the files below.
    const DAYS: [(i64, &str); 5] = [
        (438_288, "2020-01-01"),
        (490_896, "2026-01-01"),
        (494_519, "2026-05-31"),
        (494_520, "2026-06-01"),
        (500_000, "2027-01-15"),
    ];

    fn load(files: &[(&str, &str)]) -> Origins {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = files.iter().enumerate().map(|(number, (name, text))| {
            let path = folder.path().join(number.to_string());
            std::fs::create_dir(&path).expect("writable");
            let path = path.join(name);
            std::fs::write(&path, text).expect("writable");
            path
        });
        let paths: Vec<_> = paths.collect();
        Origins::load(&paths, &[]).expect("good files")
    }

    /// The country of 1.0.0.1 on each of the days.
    fn countries(origins: &Origins) -> [String; 5] {
        DAYS.map(|(hour, day)| {
            assert!(Hour(hour).to_string().starts_with(day), "{day}");
            let of_day = origins.on(Hour(hour));
            of_day.country(0x0100_0001_u32).to_string()
        })
    }

    fn names(origins: &Origins, hour: i64) -> Vec<String> {
        let used = origins.on(Hour(hour)).provenance();
        used.map(|data| format!("{} {}", data.name, data.date))
            .collect()
    }

    const OLD: (&str, &str) = ("geo-20260101.csv", "1.0.0.0,1.0.255.255,JP\n");
    const NEW: (&str, &str) = ("geo-2026-06-01.csv", "1.0.0.0,1.0.255.255,DE\n");

    #[test]
    fn the_newest_edition_up_to_the_day_answers_and_before_the_first_the_oldest() {
        for files in [[OLD, NEW], [NEW, OLD]] {
            let origins = load(&files);
            assert_eq!(countries(&origins), ["JP", "JP", "JP", "DE", "DE"]);
            assert_eq!(names(&origins, DAYS[0].0), ["geo-20260101.csv 2026-01-01"]);
            assert_eq!(
                names(&origins, DAYS[3].0),
                ["geo-2026-06-01.csv 2026-06-01"]
            );
            assert_eq!(origins.country(0x0100_0001_u32).as_str(), "DE");
        }
    }

    #[test]
    fn the_date_of_a_header_counts_before_that_of_the_name() {
        let header = "# Generated: Mon, 01 Jun 2026 04:33:59 GMT\n1.0.0.0,1.0.255.255,FR\n";
        let origins = load(&[("a-20200101.csv", header), OLD]);
        assert_eq!(countries(&origins), ["JP", "JP", "JP", "FR", "FR"]);
    }

    #[test]
    fn files_of_one_date_and_without_a_date_are_used_together_and_a_later_one_wins() {
        let mine = ("mine.csv", "1.0.0.0,1.0.0.255,BR\n");
        for (files, expected) in [
            (vec![OLD, NEW, mine], ["BR"; 5]),
            (vec![mine, OLD, NEW], ["JP", "JP", "JP", "DE", "DE"]),
            (vec![OLD, mine, NEW], ["BR", "BR", "BR", "DE", "DE"]),
            (vec![mine, ("other.csv", OLD.1)], ["JP"; 5]),
            (vec![OLD, ("b-20260101.csv", NEW.1)], ["DE"; 5]),
        ] {
            assert_eq!(countries(&load(&files)), expected, "{files:?}");
        }
    }

    #[test]
    fn a_few_corrections_of_a_later_date_do_not_replace_the_whole() {
        let whole: String = (0..20)
            .map(|octet| format!("1.{octet}.0.0,1.{octet}.255.255,JP\n"))
            .collect();
        let few = ("corrections-20260601.csv", "1.0.0.0,1.0.0.255,BR\n");
        let origins = load(&[("geo-20260101.csv", &whole), few]);
        assert_eq!(countries(&origins), ["JP", "JP", "JP", "BR", "BR"]);
        let of_day = origins.on(Hour(DAYS[4].0));
        assert_eq!(of_day.country(0x0105_0001_u32).as_str(), "JP");
        assert_eq!(of_day.provenance().count(), 2);
    }

    #[test]
    fn the_other_family_of_another_date_is_not_lost() {
        let wide = ("geo6-20260601.csv", "2a00::,2a00:ffff::,FR\n");
        let origins = load(&[OLD, wide]);
        assert_eq!(countries(&origins), ["JP"; 5]);
        for (hour, _) in DAYS {
            let of_day = origins.on(Hour(hour));
            assert_eq!(of_day.country(0x2a00_u128 << 112 | 1).as_str(), "FR");
        }
    }

    #[test]
    fn a_year_of_monthly_editions_answers_each_month_by_its_own() {
        let codes = [
            "JP", "DE", "FR", "BR", "US", "CN", "KR", "IN", "GB", "NL", "SE", "PL",
        ];
        let texts: Vec<_> = (1..=12)
            .zip(codes)
            .map(|(month, code)| {
                (
                    format!("geo-2026-{month:02}.csv"),
                    format!("1.0.0.0,1.0.255.255,{code}\n"),
                )
            })
            .collect();
        let files: Vec<_> = texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let origins = load(&files);
        let mut hour = Hour(490_896);
        while hour.civil().0 == 2026 {
            let code = codes[hour.civil().1 as usize - 1];
            assert_eq!(
                origins.on(hour).country(0x0100_0001_u32).as_str(),
                code,
                "{hour}"
            );
            hour = Hour(hour.0 + 24);
        }
    }
}
