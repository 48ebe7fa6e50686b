//! The key numbers of a report, each with the SQL that computes it from the Parquet files: anyone can check one with DuckDB, and the
//! cross-check runs all of them. A number that the report estimates and SQL counts exactly has a tolerance.
//!
//! The statements use views of the tables, which each file creates first. If a report covers only some sensors, or another timezone, each
//! statement has the condition.

use teiten_aggregator::schema::names::{
    ACTOR, ADDRESSES, BYTES, CLASS, COUNTRY, HOUR_START, IP_VERSION, MINUTE_START, PACKETS, PORT,
    PROTOCOL, SECONDS, SENSOR, SRC_IP,
};
use teiten_aggregator::schema::{
    ATTACKS, CAMPAIGNS_DAILY, COVERAGE, NOVELTIES, SCANS, SOURCES, SOURCES_DAILY, Span, TRAFFIC,
    Table,
};
use teiten_observation::Class;

use crate::measure::RateUnit;
use crate::query::answer::Port;
use crate::query::distinct::ERROR_PERCENT;
use crate::query::survey::RULES;
use crate::query::{Answer, PortRole, SourceGroup};

mod rolled_up;

/// The tables that statements read.
const VIEWS: &[&Table] = &[
    &TRAFFIC,
    &SOURCES,
    &COVERAGE,
    &ATTACKS,
    &SCANS,
    &NOVELTIES,
    &CAMPAIGNS_DAILY,
    &SOURCES_DAILY,
];

/// The statements that a DuckDB session needs before these: a view for each table that they read. `DATA` stands for the folder of the
/// dataset.
fn preamble(statements: &[&str]) -> String {
    let mut text = "SET TimeZone = 'UTC';\n".to_owned();
    for table in VIEWS {
        let name = table.name;
        let reads = |sql: &&str| {
            let named = format!("FROM {name}");
            let mut places = sql.match_indices(named.as_str());
            places.any(|(at, found)| {
                let next = sql[at + found.len()..].chars().next();
                next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
            })
        };
        if statements.iter().any(reads) {
            let parts = match table.span {
                Span::Hour => "date=*/hour=*/*.parquet",
                Span::Day => "date=*/*.parquet",
                Span::Month => "month=*/*.parquet",
            };
            text.push_str(&format!(
                "CREATE VIEW {name} AS SELECT * FROM read_parquet('DATA/{name}/{parts}', hive_partitioning = false, union_by_name = true);\n"
            ));
        }
    }
    text
}

/// Number of ports that have their own fact.
const PORTS: usize = 10;

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Name, also of its file `sql/NAME.sql`.
    pub name: String,
    /// The figure that prints it; empty for a number of the head.
    pub figure: &'static str,
    /// The number as the report has it.
    pub value: f64,
    /// How far SQL may differ, percent; 0 for exact counts.
    pub tolerance_percent: f64,
    /// A statement that returns one row with one column.
    pub sql: String,
}

/// The facts of an answer about the sensors named, or about all.
#[must_use]
pub fn of(answer: &Answer, sensors: &[String]) -> Vec<Fact> {
    let scope = Scope::of(answer, sensors);
    let mut facts = totals(answer, &scope);
    facts.extend(of_figure("classes", classes(answer, &scope)));
    facts.extend(of_figure("port-ranks", ports(answer, &scope)));
    facts.extend(of_figure("countries-packets", countries(answer, &scope)));
    facts.extend(of_figure("survey", survey(answer, &scope)));
    facts.extend(hosts(answer, &scope));
    facts.extend(rolled_up::of(answer, &scope));
    facts
}

fn of_figure(figure: &'static str, facts: Vec<Fact>) -> impl Iterator<Item = Fact> {
    facts.into_iter().map(move |fact| Fact { figure, ..fact })
}

fn exact(name: impl Into<String>, value: i64, sql: String) -> Fact {
    Fact {
        name: name.into(),
        figure: "",
        value: value as f64,
        tolerance_percent: 0.0,
        sql,
    }
}

/// The conditions of every statement.
struct Scope {
    traffic: String,
    coverage: String,
    sources: String,
    zone: String,
    /// The hours of the period, as a condition of a column of times.
    hours: [String; 2],
    /// The sensors, as a further condition; empty for all.
    chosen: String,
}

impl Scope {
    fn of(answer: &Answer, sensors: &[String]) -> Self {
        let hours = answer.period.hours();
        let instant = |hour: i64| {
            let instant = crate::period::timestamp(hour * crate::period::HOUR_US);
            format!("TIMESTAMPTZ '{}'", instant.strftime("%Y-%m-%d %H:%M:%S+00"))
        };
        let within = |column: &str| {
            let (from, to) = (instant(hours.start), instant(hours.end));
            format!("{column} >= {from} AND {column} < {to}")
        };
        let names: Vec<String> = sensors
            .iter()
            .map(|name| format!("'{}'", name.replace('\'', "''")))
            .collect();
        let chosen = if names.is_empty() {
            String::new()
        } else {
            format!(" AND {SENSOR} IN ({})", names.join(", "))
        };
        let coverage = format!("{}{chosen}", within(MINUTE_START));
        // An hour without coverage does not exist.
        let known = format!(
            "({HOUR_START}, {SENSOR}) IN (SELECT (date_trunc('hour', {MINUTE_START}), {SENSOR}) FROM coverage WHERE {coverage})"
        );
        let ends = [instant(hours.start), instant(hours.end)];
        Self {
            hours: ends,
            chosen: chosen.clone(),
            traffic: format!("{}{chosen} AND {known}", within(HOUR_START)),
            sources: format!("{}{chosen}", within(HOUR_START)),
            coverage,
            zone: answer
                .period
                .timezone
                .iana_name()
                .unwrap_or("UTC")
                .to_owned(),
        }
    }

    fn sum(&self, column: &str, condition: &str) -> String {
        let scope = &self.traffic;
        format!("SELECT coalesce(sum({column}), 0) FROM traffic WHERE {scope}{condition}")
    }

    /// Dark IPv4 addresses × hours: two runs of a sensor in one minute share its sixty seconds. More addresses than IPv4 has are of IPv6.
    fn address_hours(&self) -> String {
        format!(
            "SELECT sum({ADDRESSES} * {SECONDS}) / 3600.0 FROM (SELECT least(sum({SECONDS}), 60) AS {SECONDS}, max(CASE WHEN {ADDRESSES} > \
             4294967296 THEN 0 ELSE {ADDRESSES} END) AS {ADDRESSES} FROM coverage WHERE {} GROUP BY {SENSOR}, {MINUTE_START})",
            self.coverage
        )
    }

    /// The sources of a day that ask for a service over IPv4, with their packets and distinct ports.
    fn scanners(&self) -> String {
        format!(
            "SELECT ({HOUR_START} AT TIME ZONE '{}')::DATE AS day, {SRC_IP}, sum({PACKETS}) AS {PACKETS}, count(DISTINCT ({PROTOCOL}, {PORT})) \
             FILTER ({PORT} IS NOT NULL) AS ports, bool_or({ACTOR} <> '') AS named FROM sources WHERE {}{} AND {SRC_IP} NOT LIKE '%/%'{} \
             GROUP BY day, {SRC_IP}",
            self.zone,
            self.sources,
            of_version(4),
            asking()
        )
    }
}

/// The condition of packets that hosts sent.
fn of_hosts() -> String {
    format!(" AND {CLASS} NOT IN ('backscatter', 'spoofed', 'malformed')")
}

/// The condition of packets that ask for a service.
fn asking() -> String {
    format!(" AND {CLASS} IN ('scan', 'exploit', 'reflector-scan')")
}

/// The condition of one IP version.
fn of_version(version: u8) -> String {
    format!(" AND {IP_VERSION} = {version}")
}

fn totals(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    let mut facts = vec![
        exact(PACKETS, answer.packets(), scope.sum(PACKETS, "")),
        exact(
            "packets-ipv4",
            answer.packets_ipv4(),
            scope.sum(PACKETS, &of_version(4)),
        ),
        exact(
            "packets-ipv6",
            answer.packets_ipv6(),
            scope.sum(PACKETS, &of_version(6)),
        ),
        exact(BYTES, answer.bytes(), scope.sum(BYTES, "")),
    ];
    let rate = answer.rate(answer.packets_ipv4());
    if let (RateUnit::AddressDay, Some(hours), Some(rate)) =
        (answer.unit(), answer.address_hours(), rate)
    {
        let address_hours = scope.address_hours();
        let packets = scope.sum(PACKETS, &of_version(4));
        for (name, value, sql) in [
            ("address-hours", hours, address_hours.clone()),
            (
                "packets-per-address-day",
                rate,
                format!("SELECT ({packets}) / ({address_hours}) * 24"),
            ),
        ] {
            facts.push(Fact {
                name: name.to_owned(),
                figure: "",
                value,
                // Floating point alone.
                tolerance_percent: 1e-6,
                sql,
            });
        }
    }
    facts
}

fn classes(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    Class::ALL
        .iter()
        .zip(&answer.classes)
        .map(|(class, tally)| {
            let condition = format!(" AND class = '{}'", class.name());
            exact(
                format!("packets-class-{}", class.name()),
                tally.packets,
                scope.sum(PACKETS, &condition),
            )
        })
        .collect()
}

fn ports(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    let asked = answer.ports_of(PortRole::Asked).iter();
    let asked = asked.map(|(port, totals)| (port, totals.packets_ipv4()));
    let mut rows: Vec<(Port, i64)> = asked.collect();
    rows.sort_by_key(|(port, packets)| (std::cmp::Reverse(*packets), *port));
    rows.truncate(PORTS);
    rows.into_iter()
        .map(|(port, packets)| {
            let (number, matches) = match port.port {
                Some(number) => (number.to_string(), format!("{PORT} = {number}")),
                None => ("none".to_owned(), format!("{PORT} IS NULL")),
            };
            let protocol = port.protocol;
            let condition = format!(
                "{}{} AND {PROTOCOL} = {protocol} AND {matches}",
                asking(),
                of_version(4)
            );
            exact(
                format!("packets-port-{protocol}-{number}"),
                packets,
                scope.sum(PACKETS, &condition),
            )
        })
        .collect()
}

fn countries(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    let mut rows: Vec<_> = answer
        .countries
        .iter()
        .filter(|((group, _), _)| *group == SourceGroup::Host)
        .map(|((_, code), tally)| (String::from_utf8_lossy(code).into_owned(), tally.packets))
        .collect();
    rows.sort_by_key(|(code, packets)| (std::cmp::Reverse(*packets), code.clone()));
    rows.truncate(PORTS);
    rows.into_iter()
        .map(|(code, packets)| {
            let condition = format!("{} AND {COUNTRY} = '{code}'", of_hosts());
            exact(
                format!("packets-country-{code}"),
                packets,
                scope.sum(PACKETS, &condition),
            )
        })
        .collect()
}

fn survey(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    let survey = &answer.survey;
    if !survey.is_known() {
        return Vec::new();
    }
    let scanners = scope.scanners();
    let mut facts: Vec<Fact> = RULES
        .iter()
        .enumerate()
        .map(|(place, rule)| {
            let condition = format!("ports >= {} AND {PACKETS} >= {}", rule.ports, rule.packets);
            exact(
                format!("packets-survey-{}", rule.name),
                survey.sum(|day| day.rule_packets[place]),
                format!("SELECT coalesce(sum({PACKETS}), 0) FROM ({scanners}) WHERE {condition}"),
            )
        })
        .collect();
    facts.push(exact(
        "packets-survey",
        survey.sum(|day| day.survey_packets),
        format!(
            "SELECT coalesce(sum({PACKETS}), 0) FROM ({scanners}) WHERE named OR ports >= {}",
            RULES[crate::query::survey::DEFAULT_RULE].ports
        ),
    ));
    facts.push(exact(
        "scanners-days",
        survey.sum(|day| day.hosts),
        format!("SELECT count(*) FROM ({scanners})"),
    ));
    facts
}

/// Hosts of the period: the report estimates them from sketches, SQL counts them.
fn hosts(answer: &Answer, scope: &Scope) -> Vec<Fact> {
    if !answer.survey.is_known() || answer.accounting().collapsed > 0 {
        return Vec::new();
    }
    let condition = &scope.sources;
    vec![Fact {
        name: "hosts".to_owned(),
        figure: "",
        value: answer.group(SourceGroup::Host).sources.estimate(),
        tolerance_percent: 4.0 * ERROR_PERCENT,
        sql: format!(
            "SELECT count(DISTINCT {SRC_IP}) FROM sources WHERE {condition}{}",
            of_hosts()
        ),
    }]
}

/// A statement as a file, with the views that it reads and the report's value.
#[must_use]
pub fn file(fact: &Fact) -> String {
    format!("{}{}{};\n", comment(fact), preamble(&[&fact.sql]), fact.sql)
}

/// The statements of a figure's numbers as one file.
#[must_use]
pub fn figure_file(facts: &[&Fact]) -> String {
    let statements: Vec<&str> = facts.iter().map(|fact| fact.sql.as_str()).collect();
    let each = facts
        .iter()
        .map(|fact| format!("\n{}{};\n", comment(fact), fact.sql));
    preamble(&statements) + &each.collect::<String>()
}

fn comment(fact: &Fact) -> String {
    format!(
        "-- {}: {} in the report (tolerance {} %). DATA is the folder of the dataset.\n",
        fact.name, fact.value, fact.tolerance_percent
    )
}
