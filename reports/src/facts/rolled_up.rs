//! The numbers of the tables that a rollup makes: attacks, campaigns, novelties, scan events.

use std::collections::BTreeMap;

use teiten_aggregator::schema::names::{
    COUNTRY, DAY, END, ESTIMATED_PPS, FLOOR_PPS, HOUR_START, ID, INFECTED, KIND, ONGOING, PACKETS,
    PACKETS_PER_MINUTE_MAX, PORT, PORT_COUNT, PORTS, PROTOCOL, SENSOR, SIZE, SOURCES, START, STATE,
    VICTIM_IP, VICTIMS, WHAT,
};
use teiten_aggregator::schema::{
    ATTACKS, CAMPAIGNS_DAILY, NOVELTIES, NoveltyWhat, SCANS, SOURCES_DAILY,
};

use super::{Fact, Scope, exact, of_figure};
use crate::figure::attacks::{LENGTHS, SIZES_FROM, class_of, quantile, victims};
use crate::query::Answer;
use crate::query::rolled_up::attacks::AttackedPorts;
use crate::query::rolled_up::campaigns::Came;
use crate::query::rolled_up::scans::LARGE;
use crate::query::rolled_up::{AttackEvent, AttackKind, civil_days, date_of};

/// Services, countries, ports and campaigns that have facts of their own.
const TOP: usize = 10;

/// The facts of the tables that have rows in the period.
pub(super) fn of(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    let mut facts = Vec::new();
    let rolled_up = &answer.rolled_up;
    if !rolled_up.attacks.is_empty() {
        let asked = Asked {
            table: ATTACKS.name,
            scope: scope.of_times(&format!("\"{END}\"")),
        };
        facts.extend(of_figure("attack-numbers", attack_numbers(answer, &asked)));
        facts.extend(of_figure("attack-times", attack_kinds(answer, &asked)));
        facts.extend(of_figure(
            "attack-services",
            attack_services(answer, &asked),
        ));
        facts.extend(of_figure(
            "attack-countries",
            attack_countries(answer, &asked),
        ));
        facts.extend(of_figure("attack-sizes", attack_sizes(answer, &asked)));
    }
    if !rolled_up.campaigns.is_empty() {
        facts.extend(campaigns(answer, scope));
    }
    if !rolled_up.novelties.is_empty() {
        let asked = Asked {
            table: NOVELTIES.name,
            scope: scope.of_times(HOUR_START),
        };
        facts.extend(of_figure("novelties", novelties(answer, &asked)));
    }
    if rolled_up.scans.all.events > 0 {
        let asked = Asked {
            table: SCANS.name,
            scope: scope.of_times(&format!("\"{END}\"")),
        };
        facts.extend(of_figure("scans", scans(answer, &asked)));
    }
    facts
}

impl Scope {
    /// The condition of rows whose time is in the period.
    fn of_times(&self, column: &str) -> String {
        let [from, to] = &self.hours;
        format!("{column} >= {from} AND {column} < {to}{}", self.chosen)
    }

    /// The condition of rows of the period's days.
    fn of_days(&self, answer: &Answer) -> String {
        let days = civil_days(&answer.period);
        let (first, last) = (date_of(days.start), date_of(days.end - 1));
        format!(
            "{DAY} BETWEEN DATE '{first}' AND DATE '{last}'{}",
            self.chosen
        )
    }
}

/// A table within the period.
struct Asked {
    table: &'static str,
    scope: String,
}

impl Asked {
    fn statement(&self, what: &str, condition: &str) -> String {
        let (table, scope) = (self.table, &self.scope);
        format!("SELECT {what} FROM {table} WHERE {scope}{condition}")
    }

    fn count(&self, condition: &str) -> String {
        self.statement("count(*)", condition)
    }
}

/// A number in floating point.
fn real(name: &str, value: f64, sql: String) -> Fact {
    Fact {
        name: name.to_owned(),
        figure: "",
        value,
        tolerance_percent: 1e-6,
        sql,
    }
}

fn attack_numbers(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let events = &answer.rolled_up.attacks;
    let count =
        |of: &dyn Fn(&AttackEvent) -> bool| events.iter().filter(|it| of(it)).count() as i64;
    let is_carpet = |it: &AttackEvent| it.kind == AttackKind::Carpet;
    let carpet = format!(" AND {KIND} = '{}'", AttackKind::Carpet.name());
    let mut lengths: Vec<i64> = events.iter().map(AttackEvent::seconds).collect();
    lengths.sort_unstable();
    let seconds = seconds();
    let carpets = events.iter().filter(|it| is_carpet(it));
    let mut facts = vec![
        exact("attacks", events.len() as i64, asked.count("")),
        exact(
            "attack-victims",
            victims(events.iter()),
            asked.statement(
                &format!("count(DISTINCT {VICTIM_IP})"),
                &format!(" AND {VICTIM_IP} <> ''"),
            ),
        ),
        exact("attack-carpets", count(&is_carpet), asked.count(&carpet)),
        exact(
            "attack-carpet-addresses",
            carpets.map(|it| it.victims).sum(),
            asked.statement(&format!("coalesce(sum({VICTIMS}), 0)"), &carpet),
        ),
        exact(
            "attacks-ongoing",
            count(&|it| it.ongoing),
            asked.count(&format!(" AND {ONGOING}")),
        ),
        exact(
            "attack-replies",
            events.iter().map(|it| it.packets).sum(),
            asked.statement(&format!("sum({PACKETS})"), ""),
        ),
        exact(
            "attack-replies-per-minute-max",
            events[0].per_minute_max,
            asked.statement(&format!("max({PACKETS_PER_MINUTE_MAX})"), ""),
        ),
        exact(
            "attack-seconds-median",
            quantile(&lengths, 0.5),
            asked.statement(&format!("quantile_disc({seconds}, 0.5)"), ""),
        ),
        exact(
            "attack-seconds-max",
            lengths.last().copied().unwrap_or(0),
            asked.statement(&format!("max({seconds})"), ""),
        ),
    ];
    let strongest = events.iter().filter_map(|it| it.estimated_pps);
    if let Some(strongest) = strongest.max_by(f64::total_cmp) {
        let sql = asked.statement(&format!("max({ESTIMATED_PPS})"), "");
        facts.push(real("attack-estimated-pps-max", strongest, sql));
    }
    let floors = events.iter().filter_map(|it| it.floor_pps);
    if let Some(floor) = floors.min_by(f64::total_cmp) {
        let sql = asked.statement(&format!("min({FLOOR_PPS})"), "");
        facts.push(real("attack-floor-pps", floor, sql));
    }
    facts
}

/// Whole seconds of an event.
fn seconds() -> String {
    format!("((epoch_us(\"{END}\") - epoch_us({START})) // 1000000)")
}

fn attack_kinds(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let of = |kind: AttackKind| {
        let events = answer.rolled_up.attacks.iter();
        let count = events.filter(|it| it.kind == kind).count() as i64;
        let sql = asked.count(&format!(" AND {KIND} = '{}'", kind.name()));
        exact(format!("attacks-{}", kind.name()), count, sql)
    };
    AttackKind::ALL.into_iter().map(of).collect()
}

fn attack_services(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let mut counts = BTreeMap::new();
    for event in &answer.rolled_up.attacks {
        *counts.entry(event.service).or_insert(0_i64) += 1;
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(service, count)| (std::cmp::Reverse(*count), *service));
    rows.truncate(TOP);
    rows.into_iter()
        .map(|(service, count)| {
            let protocol = service.protocol;
            let (name, ports) = match service.ports {
                AttackedPorts::None => ("none".to_owned(), format!("{PORT_COUNT} = 0")),
                AttackedPorts::Several => ("several".to_owned(), format!("{PORT_COUNT} > 1")),
                AttackedPorts::One(port) => (
                    port.to_string(),
                    format!("{PORT_COUNT} = 1 AND {PORTS} = '{port}'"),
                ),
            };
            let sql = asked.count(&format!(" AND {PROTOCOL} = {protocol} AND {ports}"));
            exact(format!("attacks-port-{protocol}-{name}"), count, sql)
        })
        .collect()
}

fn attack_countries(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for event in &answer.rolled_up.attacks {
        let code = String::from_utf8_lossy(&event.country).into_owned();
        *counts.entry(code).or_default() += 1;
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(code, count)| (code == "ZZ", std::cmp::Reverse(*count), code.clone()));
    rows.truncate(TOP);
    rows.into_iter()
        .map(|(code, count)| {
            let sql = asked.count(&format!(" AND {COUNTRY} = '{code}'"));
            exact(format!("attacks-country-{code}"), count, sql)
        })
        .collect()
}

fn attack_sizes(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let mut counts: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    for event in &answer.rolled_up.attacks {
        let size = class_of(event.per_minute_max, &SIZES_FROM);
        let length = class_of(event.seconds(), &LENGTHS);
        *counts.entry((size, length)).or_default() += 1;
    }
    let within = |column: &str, class: usize, from: &[i64]| {
        let low = class.checked_sub(1).map_or(0, |place| from[place]);
        let high = from
            .get(class)
            .map(|next| format!(" AND {column} < {next}"));
        let condition = format!(" AND {column} >= {low}{}", high.unwrap_or_default());
        (low, condition)
    };
    let of = |((size, length), count): ((usize, usize), i64)| {
        let (replies, size) = within(PACKETS_PER_MINUTE_MAX, size, &SIZES_FROM);
        let (least, length) = within(&seconds(), length, &LENGTHS);
        let name = format!("attacks-replies-{replies}-seconds-{least}");
        exact(name, count, asked.count(&format!("{size}{length}")))
    };
    counts.into_iter().map(of).collect()
}

fn campaigns(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    let campaigns = &answer.rolled_up.campaigns;
    let (table, days) = (CAMPAIGNS_DAILY.name, scope.of_days(answer));
    let [new, continues, returned] = Came::ALL.map(Came::name);
    let each = format!(
        "SELECT {SENSOR}, {ID}, CASE WHEN bool_or({STATE} = '{new}') THEN '{new}' WHEN bool_or({STATE} = '{returned}') THEN '{returned}' ELSE \
         '{continues}' END AS came, max({DAY}) AS last_there, bool_or({INFECTED}) AS {INFECTED} FROM {table} WHERE {days} GROUP BY {SENSOR}, {ID}"
    );
    let count = |of: &dyn Fn(&crate::query::rolled_up::Campaign) -> bool| {
        campaigns.iter().filter(|it| of(it)).count() as i64
    };
    let mut facts = vec![exact(
        "campaigns",
        campaigns.len() as i64,
        format!("SELECT count(*) FROM ({each})"),
    )];
    for came in Came::ALL {
        facts.push(exact(
            format!("campaigns-{}", came.name()),
            count(&|it| it.came == came),
            format!(
                "SELECT count(*) FROM ({each}) WHERE came = '{}'",
                came.name()
            ),
        ));
    }
    let known = SOURCES_DAILY.name;
    facts.push(exact(
        "campaigns-gone",
        count(&|it| it.gone),
        format!(
            "SELECT count(*) FROM ({each}) JOIN (SELECT {SENSOR}, max({DAY}) AS last_known FROM {known} WHERE {days} GROUP BY {SENSOR}) USING \
             ({SENSOR}) WHERE last_there < last_known"
        ),
    ));
    for campaign in campaigns.iter().take(TOP) {
        let (id, sensor) = (&campaign.id, campaign.sensor.replace('\'', "''"));
        let condition = format!("{days} AND {ID} = '{id}' AND {SENSOR} = '{sensor}'");
        for (name, value, what) in [
            ("hosts", campaign.sources, format!("max({SOURCES})")),
            (PACKETS, campaign.packets, format!("sum({PACKETS})")),
        ] {
            facts.push(exact(
                format!("campaign-{id}-{name}"),
                value,
                format!("SELECT {what} FROM {table} WHERE {condition}"),
            ));
        }
    }
    let mut facts: Vec<Fact> = of_figure("campaigns", facts).collect();
    if campaigns.iter().any(|it| it.infected) {
        let days_of = answer.rolled_up.campaign_days.values();
        let infected = vec![
            exact(
                "campaigns-infected",
                count(&|it| it.infected),
                format!("SELECT count(*) FROM ({each}) WHERE {INFECTED}"),
            ),
            exact(
                "campaigns-infected-hosts-days",
                days_of.map(|day| day.infected_hosts).sum(),
                format!("SELECT sum({SOURCES}) FROM {table} WHERE {days} AND {INFECTED}"),
            ),
        ];
        facts.extend(of_figure("infected-campaigns", infected));
    }
    facts
}

fn novelties(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let of = |what: NoveltyWhat| {
        let novelties = answer.rolled_up.novelties.iter();
        let count = novelties.filter(|it| it.what == what).count() as i64;
        let sql = asked.count(&format!(" AND {WHAT} = '{}'", what.name()));
        exact(format!("novelties-{}", what.name()), count, sql)
    };
    NoveltyWhat::ALL.into_iter().map(of).collect()
}

fn scans(answer: &Answer, asked: &Asked) -> Vec<Fact> {
    let tally = &answer.rolled_up.scans;
    let large = format!(" AND {SIZE} = '{LARGE}'");
    let packets =
        |condition: &str| asked.statement(&format!("coalesce(sum({PACKETS}), 0)"), condition);
    let mut facts = vec![
        exact("scans", tally.all.events, asked.count("")),
        exact("scans-large", tally.all.large, asked.count(&large)),
        exact("scans-packets", tally.all.packets, packets("")),
        exact(
            "scans-packets-large",
            tally.all.large_packets,
            packets(&large),
        ),
    ];
    let mut rows: Vec<_> = tally.ports.iter().collect();
    rows.sort_unstable_by_key(|(port, sums)| {
        (std::cmp::Reverse((sums.events, sums.packets)), *port)
    });
    for (port, sums) in rows.into_iter().take(TOP) {
        let (name, matches) = match port.port {
            Some(number) => (number.to_string(), format!("{PORT} = {number}")),
            None => ("none".to_owned(), format!("{PORT} IS NULL")),
        };
        let protocol = port.protocol;
        let condition = format!(" AND {PROTOCOL} = {protocol} AND {matches}");
        facts.push(exact(
            format!("scans-port-{protocol}-{name}"),
            sums.events,
            asked.count(&condition),
        ));
    }
    facts
}
