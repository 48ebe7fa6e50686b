//! Campaigns of the table `campaigns_daily`, each followed over the days of the period: how it came, how long it stayed, whether it has gone.

use std::collections::{BTreeMap, BTreeSet};

/// How a campaign came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Came {
    /// Never seen before.
    New,
    /// There on the day before.
    Continues,
    /// There before, but not on the day before.
    Returned,
}

impl Came {
    /// Every one, in the order of `Text::campaign_states`.
    pub const ALL: [Came; 3] = [Came::New, Came::Continues, Came::Returned];

    /// The word of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Came::New => "new",
            Came::Continues => "continues",
            Came::Returned => "returned",
        }
    }

    pub(in crate::query) fn from_name(name: &str) -> Option<Self> {
        Came::ALL.into_iter().find(|came| came.name() == name)
    }
}

/// A campaign on one day: a row of the table.
#[derive(Clone, Debug)]
pub(in crate::query) struct CampaignOfDay {
    pub day: i64,
    pub sensor: String,
    pub id: String,
    pub came: Came,
    pub protocol: u8,
    pub ports: String,
    pub tool: String,
    pub stack: String,
    pub payload: String,
    pub actor: String,
    pub sources: i64,
    pub packets: i64,
    pub countries: String,
    pub networks: i32,
    pub first_day: i64,
    pub infected: bool,
    pub why: String,
}

/// A campaign over the period. Its traits are those of its day with most sources.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name in the table, the same on every day.
    pub id: String,
    /// The sensor that saw it.
    pub sensor: String,
    /// How it came: new if it was new on a day of the period, else returned if it returned on one.
    pub came: Came,
    /// First day as a campaign, days since 1970-01-01; may be before the period.
    pub first_day: i64,
    /// Days of the period on which it was there.
    pub days: i64,
    /// Its last day in the period, days since 1970-01-01.
    pub last_day: i64,
    /// Whether a later day of the period was rolled up without it.
    pub gone: bool,
    /// Most sources on a day.
    pub sources: i64,
    /// Packets of the period.
    pub packets: i64,
    /// Networks on the day with most sources.
    pub networks: i64,
    /// IANA protocol number.
    pub protocol: u8,
    /// Ports, heaviest first, with commas; empty for every port or none.
    pub ports: String,
    /// Tool.
    pub tool: String,
    /// Stack signature.
    pub stack: String,
    /// Payload.
    pub payload: String,
    /// Organisation behind it; empty if none is known.
    pub actor: String,
    /// Countries with their sources, as in `CN:120,US:30`.
    pub countries: String,
    /// Whether these are most likely infected hosts that are not Mirai, on any day.
    pub infected: bool,
    /// What the sources share, in words.
    pub why: String,
}

/// The campaigns of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignCounts {
    /// Campaigns by how they came, in the order of [`Came::ALL`].
    pub came: [i64; 3],
    /// Campaigns of the day before that are not there.
    pub gone: i64,
    /// Campaigns of infected hosts that are not Mirai.
    pub infected: i64,
    /// Their sources. A source is in one campaign of a sensor at most.
    pub infected_hosts: i64,
}

/// Follows the campaigns over the days; `known` are the days that were rolled up, with their sensors.
pub(in crate::query) fn over_days(
    mut rows: Vec<CampaignOfDay>,
    known: &BTreeMap<i64, BTreeSet<String>>,
) -> (Vec<Campaign>, BTreeMap<i64, CampaignCounts>) {
    rows.sort_by(|a, b| (&a.sensor, &a.id, a.day).cmp(&(&b.sensor, &b.id, b.day)));
    let empty = |day: &i64| (*day, CampaignCounts::default());
    let mut days: BTreeMap<i64, CampaignCounts> = known.keys().map(empty).collect();
    let mut campaigns = Vec::new();
    for rows in rows.chunk_by(|a, b| (&a.sensor, &a.id) == (&b.sensor, &b.id)) {
        let of_sensor =
            |(_, sensors): &(&i64, &BTreeSet<String>)| sensors.contains(&rows[0].sensor);
        let of_sensor: Vec<i64> = known
            .iter()
            .filter(of_sensor)
            .map(|(day, _)| *day)
            .collect();
        for row in rows {
            let day = days.entry(row.day).or_default();
            day.came[row.came as usize] += 1;
            day.infected += i64::from(row.infected);
            day.infected_hosts += if row.infected { row.sources } else { 0 };
            let next = of_sensor.iter().find(|known| **known > row.day);
            if let Some(next) = next.filter(|next| rows.iter().all(|other| other.day != **next)) {
                days.entry(*next).or_default().gone += 1;
            }
        }
        campaigns.push(campaign(rows, of_sensor.last().copied()));
    }
    campaigns.sort_by(|a, b| {
        (b.sources, b.packets)
            .cmp(&(a.sources, a.packets))
            .then_with(|| (&a.id, &a.sensor).cmp(&(&b.id, &b.sensor)))
    });
    (campaigns, days)
}

/// The rows of one campaign in the order of their days, at least one, as a campaign.
fn campaign(rows: &[CampaignOfDay], last_known: Option<i64>) -> Campaign {
    let largest = rows.iter().rev().max_by_key(|row| row.sources);
    let largest = largest.unwrap_or(&rows[0]);
    let any = |came: Came| rows.iter().any(|row| row.came == came);
    let came = [Came::New, Came::Returned]
        .into_iter()
        .find(|came| any(*came));
    let last_day = rows[rows.len() - 1].day;
    Campaign {
        id: largest.id.clone(),
        sensor: largest.sensor.clone(),
        came: came.unwrap_or(Came::Continues),
        first_day: rows.iter().map(|row| row.first_day).min().unwrap_or(0),
        days: rows.len() as i64,
        last_day,
        gone: last_known.is_some_and(|known| known > last_day),
        sources: largest.sources,
        packets: rows.iter().map(|row| row.packets).sum(),
        networks: i64::from(largest.networks),
        protocol: largest.protocol,
        ports: largest.ports.clone(),
        tool: largest.tool.clone(),
        stack: largest.stack.clone(),
        payload: largest.payload.clone(),
        actor: largest.actor.clone(),
        countries: largest.countries.clone(),
        infected: rows.iter().any(|row| row.infected),
        why: largest.why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, day: i64, came: Came, sources: i64) -> CampaignOfDay {
        CampaignOfDay {
            day,
            sensor: "a".to_owned(),
            id: id.to_owned(),
            came,
            protocol: 6,
            ports: format!("{sources}"),
            tool: String::new(),
            stack: String::new(),
            payload: String::new(),
            actor: String::new(),
            sources,
            packets: 10,
            countries: String::new(),
            networks: 1,
            first_day: 1,
            infected: id == "b",
            why: String::new(),
        }
    }

    #[test]
    fn a_campaign_is_followed_until_it_has_gone() {
        let known: BTreeMap<i64, BTreeSet<String>> = [1, 2, 4]
            .map(|day| (day, BTreeSet::from(["a".to_owned()])))
            .into();
        let rows = vec![
            row("b", 1, Came::Continues, 30),
            row("b", 2, Came::Continues, 40),
            row("b", 4, Came::Continues, 20),
            row("c", 2, Came::New, 50),
            row("d", 1, Came::Continues, 5),
            row("d", 4, Came::Returned, 6),
        ];
        let (campaigns, days) = over_days(rows, &known);
        let told: Vec<_> = campaigns
            .iter()
            .map(|it| {
                (
                    it.id.as_str(),
                    it.came,
                    it.days,
                    it.gone,
                    it.sources,
                    it.packets,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("c", Came::New, 1, true, 50, 10),
                ("b", Came::Continues, 3, false, 40, 30),
                ("d", Came::Returned, 2, false, 6, 20),
            ]
        );
        assert_eq!(campaigns[1].ports, "40");
        // Day 3 is not known: what was there on day 2 has not gone on it.
        let gone: Vec<_> = days.iter().map(|(day, of)| (*day, of.gone)).collect();
        assert_eq!(gone, [(1, 0), (2, 1), (4, 1)]);
        assert_eq!(days[&2].came, [1, 1, 0]);
        assert_eq!((days[&2].infected, days[&2].infected_hosts), (1, 40));
    }
}
