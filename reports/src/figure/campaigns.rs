//! Scan campaigns: groups of sources that act alike, followed over the days; and among them infected hosts that are not Mirai.

use teiten_aggregator::schema::names;

use super::{Context, Drawn, Figure, Section, Timeline, in_table, rollup_notes};
use crate::chart::{columns, stack, timeline::Series};
use crate::query::Answer;
use crate::query::rolled_up::campaigns::Came;
use crate::query::rolled_up::{Campaign, CampaignCounts, date_of};
use crate::table::{Cell, DataTable};
use crate::text::{Both, Language, Text, country, fill, number, service, time};

pub(super) const FIGURE: Figure = Figure {
    name: "campaigns",
    title: Both {
        ja: "スキャンキャンペーン",
        en: "Scan campaigns",
    },
    question: Both {
        ja: "同じ動きをする送信元の集団は何か。ホスト数の最も多い日の値で並べる。",
        en: "Which groups of sources act alike? By the hosts of their largest day.",
    },
    section: Section::Events,
    draw,
};

pub(super) const BY_DAY: Figure = Figure {
    name: "campaign-days",
    title: Both {
        ja: "キャンペーン数の推移",
        en: "Campaigns by day",
    },
    question: Both {
        ja: "毎日いくつのキャンペーンが新たに現れ、続き、再び現れたか。",
        en: "How many campaigns were new, continued or returned on each day?",
    },
    section: Section::Events,
    draw: by_day,
};

pub(super) const INFECTED: Figure = Figure {
    name: "infected-campaigns",
    title: Both {
        ja: "Mirai以外の感染が疑われるホスト",
        en: "Infected hosts that are not Mirai",
    },
    question: Both {
        ja: "既知のツールや組織によらず、多くのネットワークから少数のポートを一様に探索するホストは何台か。",
        en: "How many hosts of many networks look for a few ports in one way, with no known tool or organisation behind them?",
    },
    section: Section::Infected,
    draw: infected,
};

/// Rows that the page shows; the CSV has all.
const SHOWN: usize = 12;
/// Ports and countries named in a row.
const NAMED: usize = 3;
/// Colours by how a campaign came, in the order of [`Came::ALL`].
const CLASSES: [&str; 3] = ["k3", "k0", "k4"];

fn nothing(answer: &Answer, context: &Context<'_>) -> Option<Drawn> {
    let text = context.text();
    let is_empty = answer.rolled_up.campaigns.is_empty();
    in_table(answer, is_empty, text.campaigns_none, text)
}

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let text = context.text();
    let campaigns = &answer.rolled_up.campaigns;
    let n = number::count(campaigns.len() as i64);
    // What is there on the first day that a dataset knows is not new for that.
    let first_day = answer.rolled_up.days.keys().next();
    let of_first_day = |it: &&Campaign| Some(&it.first_day) == first_day;
    let on_first_day = campaigns.iter().filter(of_first_day).count();
    let is_first = campaigns
        .iter()
        .all(|it| it.came == Came::New && Some(&it.first_day) >= first_day);
    let finding = if is_first && on_first_day > 0 {
        let first = number::count(on_first_day as i64);
        fill(
            text.finding_campaigns_first,
            &[("n", &n), ("first", &first)],
        )
    } else {
        finding(campaigns, &n, text)
    };
    Drawn {
        finding: Some(finding),
        table: table(campaigns.iter(), context),
        table_shown: true,
        rows_shown: Some(SHOWN),
        notes: [
            vec![text.note_campaigns.to_owned()],
            rollup_notes(answer, context),
        ]
        .concat(),
        ..Drawn::default()
    }
}

/// How many campaigns came how, and how many have gone.
fn finding(campaigns: &[Campaign], n: &str, text: &Text) -> String {
    let of = |came: Came| {
        let of_kind = campaigns.iter().filter(|it| it.came == came);
        number::count(of_kind.count() as i64)
    };
    let gone = campaigns.iter().filter(|it| it.gone).count();
    fill(
        text.finding_campaigns,
        &[
            ("n", &n),
            ("new", &of(Came::New)),
            ("continues", &of(Came::Continues)),
            ("returned", &of(Came::Returned)),
            ("gone", &number::count(gone as i64)),
        ],
    )
}

fn table<'a>(campaigns: impl Iterator<Item = &'a Campaign>, context: &Context<'_>) -> DataTable {
    let (text, language) = (context.text(), context.language);
    let mut table = DataTable::new(&[
        ("id", ""),
        ("sensor", ""),
        ("state", ""),
        ("state_label", text.state),
        ("ports", ""),
        ("ports_label", text.port),
        ("hosts_of_largest_day", text.hosts_of_peak),
        ("packets", text.packets),
        ("networks", ""),
        ("tool", text.tool),
        (names::STACK_SIGNATURE, ""),
        ("payload", ""),
        ("organisation", ""),
        ("countries", ""),
        ("countries_label", text.country),
        ("days", text.days),
        ("first_day", ""),
        ("last_day", ""),
        ("first_day_label", text.campaign_first_day),
        ("gone", ""),
        ("infected", ""),
        ("why", ""),
    ]);
    let yes = |is: bool| Cell::text(if is { "yes" } else { "no" });
    for it in campaigns {
        let (first, last) = (date_of(it.first_day), date_of(it.last_day));
        table.push(vec![
            Cell::text(it.id.as_str()),
            Cell::text(it.sensor.as_str()),
            Cell::text(it.came.name()),
            Cell::text(state(it, text, language)),
            Cell::text(it.ports.as_str()),
            Cell::text(ports(it, text)),
            Cell::Count(it.sources),
            Cell::Count(it.packets),
            Cell::Count(it.networks),
            Cell::text(behind(it)),
            Cell::text(it.stack.as_str()),
            Cell::text(it.payload.as_str()),
            Cell::text(it.actor.as_str()),
            Cell::text(it.countries.as_str()),
            Cell::text(countries(&it.countries, language)),
            Cell::Count(it.days),
            Cell::text(first.to_string()),
            Cell::text(last.to_string()),
            Cell::text(time::day_short(first, language)),
            yes(it.gone),
            yes(it.infected),
            Cell::text(it.why.as_str()),
        ]);
    }
    table
}

/// How it came, and since when it has gone.
fn state(campaign: &Campaign, text: &Text, language: Language) -> String {
    let came = text.campaign_states[campaign.came as usize];
    if !campaign.gone {
        return came.to_owned();
    }
    let last = time::day_short(date_of(campaign.last_day), language);
    fill(text.campaign_gone, &[("came", &came), ("last", &last)])
}

/// The organisation, or the tool, or a dash.
fn behind(campaign: &Campaign) -> String {
    match (campaign.actor.as_str(), campaign.tool.as_str()) {
        ("", "" | "none") => "–".to_owned(),
        ("", tool) => tool.to_owned(),
        (actor, _) => actor.to_owned(),
    }
}

fn ports(campaign: &Campaign, text: &Text) -> String {
    let protocol = service::protocol_name(campaign.protocol);
    let ports: Vec<&str> = campaign
        .ports
        .split(',')
        .filter(|it| !it.is_empty())
        .collect();
    if ports.is_empty() {
        return match campaign.protocol {
            6 | 17 => format!("{protocol} {}", text.every_port),
            _ => protocol,
        };
    }
    let named = ports.iter().take(NAMED).copied().collect::<Vec<_>>();
    let more = if ports.len() > NAMED { ", …" } else { "" };
    format!("{}{more}/{protocol}", named.join(", "))
}

/// The first countries of `CN:120,US:30` by name, with their sources.
pub(super) fn countries(text: &str, language: Language) -> String {
    let pairs = text.split(',').filter_map(|pair| pair.split_once(':'));
    let named: Vec<String> = pairs
        .take(NAMED)
        .map(|(code, sources)| {
            let sources = sources
                .parse()
                .map_or_else(|_| sources.to_owned(), number::count);
            format!("{} {sources}", country::name(code, language))
        })
        .collect();
    named.join(match language {
        Language::Ja => "、",
        Language::En => ", ",
    })
}

/// The days of the period as buckets, each with its campaigns; none for a day that was not rolled up.
fn days(answer: &Answer) -> Vec<Option<CampaignCounts>> {
    let first = answer.period.hours().start;
    let timezone = &answer.period.timezone;
    let starts = answer.day_buckets.ranges.iter().map(|range| range.start);
    starts
        .map(|start| {
            let us = (first + start as i64) * crate::period::HOUR_US;
            let day = crate::query::rolled_up::day_number(time::civil(us, timezone).date());
            answer.rolled_up.campaign_days.get(&day).copied()
        })
        .collect()
}

fn by_day(answer: &Answer, context: &Context<'_>) -> Drawn {
    if let Some(nothing) = nothing(answer, context) {
        return nothing;
    }
    let text = context.text();
    let days = days(answer);
    if days.iter().flatten().count() < 2 {
        return Drawn::nothing(text.too_short_days);
    }
    let timeline = Timeline::of(answer, &answer.day_buckets, context.language);
    let series: Vec<Series> = Came::ALL
        .iter()
        .map(|came| {
            let values = days
                .iter()
                .map(|day| Some(day.as_ref()?.came[*came as usize] as f64));
            let label = text.campaign_states[*came as usize];
            Series::new(label, CLASSES[*came as usize], values.collect())
        })
        .collect();
    let mut table = DataTable::new(&[
        ("day_start", ""),
        ("day", text.time),
        ("new", text.campaign_states[Came::New as usize]),
        ("continues", text.campaign_states[Came::Continues as usize]),
        ("returned", text.campaign_states[Came::Returned as usize]),
        ("gone", text.gone),
    ]);
    for (place, day) in days.iter().enumerate() {
        let count = |of: fn(&CampaignCounts) -> i64| {
            day.as_ref().map_or(Cell::Gap, |it| Cell::Count(of(it)))
        };
        table.push(vec![
            Cell::text(timeline.iso(place)),
            Cell::text(timeline.buckets.labels[place].as_str()),
            count(|day| day.came[Came::New as usize]),
            count(|day| day.came[Came::Continues as usize]),
            count(|day| day.came[Came::Returned as usize]),
            count(|day| day.gone),
        ]);
    }
    let mut labels = context.labels(text.axis_campaigns_day, text.note_campaigns.to_owned());
    labels.total = Some(text.total.to_owned());
    Drawn {
        chart: Some(stack::draw(&labels, &timeline.buckets, &series)),
        table,
        notes: rollup_notes(answer, context),
        ..Drawn::default()
    }
}

fn infected(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let campaigns = || answer.rolled_up.campaigns.iter().filter(|it| it.infected);
    let is_empty = campaigns().next().is_none();
    if let Some(nothing) = in_table(answer, is_empty, text.infected_campaigns_none, text) {
        return nothing;
    }
    let days = days(answer);
    let known: Vec<&CampaignCounts> = days.iter().flatten().collect();
    let hosts: i64 = known.iter().map(|day| day.infected_hosts).sum();
    let mean = hosts as f64 / known.len().max(1) as f64;
    let timeline = Timeline::of(answer, &answer.day_buckets, context.language);
    let values = days
        .iter()
        .map(|day| Some(day.as_ref()?.infected_hosts as f64));
    let series = Series::new(text.hosts, "bar", values.collect());
    let labels = context.labels(
        text.axis_sources_day_exact,
        text.note_infected_campaigns.to_owned(),
    );
    let finding = fill(
        text.finding_infected_campaigns,
        &[
            ("n", &number::count(campaigns().count() as i64)),
            ("hosts", &number::decimal(mean, 0)),
        ],
    );
    Drawn {
        // A single column says no more than the finding.
        chart: (known.len() > 1).then(|| columns::draw(&labels, &timeline.buckets, &series)),
        finding: Some(finding),
        table: table(campaigns(), context),
        table_shown: true,
        rows_shown: Some(SHOWN),
        notes: [
            vec![text.note_infected_campaigns.to_owned()],
            rollup_notes(answer, context),
        ]
        .concat(),
        ..Drawn::default()
    }
}
