//! Countries of the sources: by packets and by hosts, side by side and each with its denominator, and the victims of attacks.

use teiten_aggregator::schema::names;

use super::{Context, Drawn, Figure, Section, group_packets, without_geolocation};
use crate::chart::ranked::{self, Bar};
use crate::query::distinct::ERROR_PERCENT;
use crate::query::{Answer, SourceGroup, Tally};
use crate::table::{Cell, DataTable};
use crate::text::{Both, country, fill, number};
use crate::trend;

pub(super) const BY_PACKETS: Figure = Figure {
    name: "countries-packets",
    title: Both {
        ja: "送信元の国・地域別パケット数（上位10）",
        en: "Top 10 countries by packets",
    },
    question: Both {
        ja: "どの国・地域のアドレスから多くのパケットが届いたか。",
        en: "Whose addresses sent the most packets?",
    },
    section: Section::Sources,
    draw: |answer, context| draw(answer, context, SourceGroup::Host, Measure::Packets),
};

pub(super) const BY_SOURCES: Figure = Figure {
    name: "countries-sources",
    title: Both {
        ja: "送信元の国・地域別ユニークホスト数（上位10）",
        en: "Top 10 countries by distinct hosts",
    },
    question: Both {
        ja: "どの国・地域に多くの送信元ホストがあるか。",
        en: "Where are the most hosts?",
    },
    section: Section::Sources,
    draw: |answer, context| draw(answer, context, SourceGroup::Host, Measure::Sources),
};

pub(super) const VICTIMS: Figure = Figure {
    name: "victims",
    title: Both {
        ja: "DoS被害ホストの国・地域（上位10）",
        en: "Victims of spoofed attacks by country, top 10",
    },
    question: Both {
        ja: "バックスキャッターの送信元（攻撃を受けた側）はどこか。",
        en: "Where are the sources of backscatter?",
    },
    section: Section::Attacks,
    draw: |answer, context| draw(answer, context, SourceGroup::Victim, Measure::Sources),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Packets,
    Sources,
}

const TOP: usize = 10;

/// A country with its tally and its distinct sources, estimated once.
struct CountryRow<'a> {
    code: &'a str,
    tally: &'a Tally,
    sources: f64,
    /// Shared where the difference is within the error of the estimates; the unknown has none.
    rank: Option<usize>,
}

impl CountryRow<'_> {
    fn value(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Packets => self.tally.packets as f64,
            Measure::Sources => self.sources,
        }
    }
}

fn draw(answer: &Answer, context: &Context<'_>, group: SourceGroup, measure: Measure) -> Drawn {
    let text = context.text();
    let mut rows: Vec<CountryRow<'_>> = answer
        .countries
        .iter()
        .filter(|((known, _), _)| *known == group)
        .map(|((_, code), tally)| CountryRow {
            code: std::str::from_utf8(code).unwrap_or("ZZ"),
            tally,
            sources: tally.sources.estimate(),
            rank: None,
        })
        .collect();
    if rows.is_empty() {
        return Drawn {
            empty: Some(text.nothing_here),
            ..Drawn::default()
        };
    }
    // The unknown is no country: it has no rank and comes last.
    rows.sort_by(|a, b| {
        let unknown = (a.code == "ZZ").cmp(&(b.code == "ZZ"));
        unknown
            .then(b.value(measure).total_cmp(&a.value(measure)))
            .then_with(|| a.code.cmp(b.code))
    });
    set_ranks(&mut rows, measure);
    let packets = group_packets(answer, group);
    let sources = answer.group(group).sources.estimate();
    let whole = if measure == Measure::Packets {
        packets as f64
    } else {
        sources
    };
    let (unit, denominator) = match (measure, group) {
        (Measure::Packets, _) => (
            text.axis_packets,
            fill(
                text.note_denominator_packets,
                &[("n", &number::count(packets))],
            ),
        ),
        (_, SourceGroup::Victim) => (
            text.axis_victims,
            fill(
                text.note_denominator_victims,
                &[("n", &number::estimate(sources))],
            ),
        ),
        _ => (
            text.axis_hosts,
            fill(
                text.note_denominator_hosts,
                &[("n", &number::estimate(sources))],
            ),
        ),
    };
    let mut notes = vec![denominator];
    if measure == Measure::Sources {
        notes.extend([text.note_equal_ranks.to_owned(), context.error_note()]);
    }
    if without_geolocation(answer) {
        notes.push(text.note_no_geo.to_owned());
    }
    notes.extend(home_note(context, &rows, measure, packets));
    let legends: Vec<(String, String)> = Vec::new();
    let bars = bars(context, &rows, measure, whole);
    Drawn {
        chart: Some(ranked::draw(
            context.sheet(),
            context.title,
            &notes[0],
            unit,
            context.language.tag(),
            &bars,
            &legends,
        )),
        table: table(context, &rows, packets, sources),
        notes,
        ..Drawn::default()
    }
}

fn set_ranks(rows: &mut [CountryRow<'_>], measure: Measure) {
    let error_percent = match measure {
        Measure::Packets => 0.0,
        Measure::Sources => ERROR_PERCENT,
    };
    let known = rows.iter_mut().filter(|row| row.code != "ZZ");
    let known: Vec<&mut CountryRow<'_>> = known.collect();
    let values: Vec<f64> = known.iter().map(|row| row.value(measure)).collect();
    for (row, (rank, _)) in known.into_iter().zip(trend::ranks(&values, error_percent)) {
        row.rank = Some(rank);
    }
}

fn bars(context: &Context<'_>, rows: &[CountryRow<'_>], measure: Measure, whole: f64) -> Vec<Bar> {
    let text = context.text();
    let written = |value: f64| match measure {
        Measure::Packets => format!(
            "{} ({}%)",
            number::count(value as i64),
            number::percent(value, whole)
        ),
        Measure::Sources => format!(
            "{} ({}%)",
            context.about(value),
            number::percent(value, whole)
        ),
    };
    let known = || rows.iter().filter(|row| row.code != "ZZ");
    let unknown = rows.iter().filter(|row| row.code == "ZZ");
    let mut bars: Vec<Bar> = known()
        .take(TOP)
        .chain(unknown)
        .map(|row| Bar {
            label: country::name(row.code, context.language),
            detail: row.code.to_owned(),
            value: row.value(measure),
            text: written(row.value(measure)),
            class: match row.code {
                "ZZ" => "bar-rest",
                code if context.home == Some(code) => "bar-home",
                _ if measure == Measure::Sources => "bar-second",
                _ => "bar",
            }
            .to_owned(),
            rank: row.rank,
        })
        .collect();
    let rest: f64 = known().skip(TOP).map(|row| row.value(measure)).sum();
    if rest > 0.0 {
        let label = text.other_countries.to_owned();
        bars.push(Bar {
            label,
            detail: String::new(),
            value: rest,
            text: written(rest),
            class: "bar-rest".to_owned(),
            rank: None,
        });
    }
    bars
}

fn home_note(
    context: &Context<'_>,
    rows: &[CountryRow<'_>],
    measure: Measure,
    packets: i64,
) -> Option<String> {
    let home = context.home.filter(|_| measure == Measure::Packets)?;
    let row = rows.iter().find(|row| row.code == home)?;
    let rank = row.rank?;
    Some(fill(
        context.text().note_home,
        &[
            ("country", &country::name(home, context.language)),
            ("n", &number::count(row.tally.packets)),
            (
                "share",
                &number::percent(row.tally.packets as f64, packets as f64),
            ),
            ("rank", &rank),
        ],
    ))
}

fn table(context: &Context<'_>, rows: &[CountryRow<'_>], packets: i64, sources: f64) -> DataTable {
    let text = context.text();
    let mut table = DataTable::new(&[
        ("rank", text.rank),
        ("country", text.code),
        ("country_name", text.country),
        ("packets", text.packets),
        ("packets_share_percent", text.share),
        ("bytes", text.bytes),
        (names::SOURCES_ESTIMATE, text.sources_about),
        ("sources_share_percent", text.share),
    ]);
    for row in rows {
        table.push(vec![
            row.rank.map_or(Cell::Gap, |rank| Cell::Count(rank as i64)),
            Cell::text(row.code),
            Cell::text(country::name(row.code, context.language)),
            Cell::Count(row.tally.packets),
            Cell::share(row.tally.packets as f64, packets as f64),
            Cell::Count(row.tally.bytes),
            Cell::Estimate(row.sources),
            Cell::share(row.sources, sources),
        ]);
    }
    table
}
