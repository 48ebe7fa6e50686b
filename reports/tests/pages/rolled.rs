//! What a rollup might have found in a period: attacks, campaigns, novelties and scan events with long names and large numbers.

use std::collections::BTreeSet;

use teiten_aggregator::schema::{NoveltyRule, NoveltyWhat};
use teiten_reports::period::HOUR_US;
use teiten_reports::query::Answer;
use teiten_reports::query::answer::Port;
use teiten_reports::query::rolled_up::attacks::AttackedPorts;
use teiten_reports::query::rolled_up::{
    AttackEvent, AttackKind, AttackedService, Came, Campaign, CampaignCounts, Novelty, RolledUp,
    ScanPort, civil_days,
};

/// Findings for every day of the answer's period.
pub(crate) fn rolled_up(answer: &Answer) -> RolledUp {
    let days = civil_days(&answer.period);
    let first_us = answer.period.hours().start * HOUR_US;
    let mut found = RolledUp::default();
    for day in days.clone() {
        found.days.insert(day, BTreeSet::from(["tokyo".to_owned()]));
        let came = [3, 40 + day % 7, 2];
        let of_day = CampaignCounts {
            came,
            gone: 1,
            infected: 2,
            infected_hosts: 1_200 + day % 100,
        };
        found.campaign_days.insert(day, of_day);
    }
    for place in 0..400_i64 {
        found.attacks.push(attack(place, first_us));
    }
    found
        .attacks
        .sort_by_key(|it| std::cmp::Reverse(it.per_minute_max));
    for place in 0..30_i64 {
        found.campaigns.push(campaign(place, days.start));
    }
    for what in NoveltyWhat::ALL {
        found.novelties.push(Novelty {
            hour_us: first_us + 5 * HOUR_US,
            sensor: "tokyo".to_owned(),
            what,
            value: match what {
                NoveltyWhat::Port => "tcp/18789".to_owned(),
                _ => "65535:M1460,N,W8,N,N,S:df0:64".to_owned(),
            },
            sources: 12_345,
            packets: 1_234_567,
            countries: "CN:10000,US:2000,BR:300,GB:45".to_owned(),
            usual: Some(2.5),
            rule: NoveltyRule::NeverSeen,
            score: Some(300.0),
        });
    }
    let mut all = ScanPort::default();
    for port in 1..40_u16 {
        let sums = ScanPort {
            events: 10_000 / i64::from(port),
            large: 100 / i64::from(port),
            packets: 9_999_999 / i64::from(port),
            large_packets: 5_555_555 / i64::from(port),
        };
        all.events += sums.events;
        all.large += sums.large;
        all.packets += sums.packets;
        all.large_packets += sums.large_packets;
        let port = Port {
            protocol: 6,
            port: Some(port * 100 + 23),
        };
        found.scans.ports.at(port, || sums);
    }
    found.scans.all = all;
    found
}

fn attack(place: i64, first_us: i64) -> AttackEvent {
    let kind = AttackKind::ALL[(place % 8) as usize];
    let countries = [b"US", b"CN", b"GB", b"BA", b"ZZ", b"JP", b"BR"];
    let length_us = [70, 900, 5_000, 20_000, 90_000][(place % 5) as usize] * 1_000_000;
    let start_us = first_us + place * 7 * 60_000_000;
    let protocols = [6, 17, 1, 132];
    AttackEvent {
        id: format!("{place:016x}"),
        kind,
        sensor: "tokyo".to_owned(),
        victim: (kind != AttackKind::Carpet).then_some(place as u64 / 2),
        victims: if kind == AttackKind::Carpet { 254 } else { 1 },
        service: AttackedService {
            protocol: protocols[(place % 4) as usize],
            ports: match place % 4 {
                2 => AttackedPorts::None,
                3 => AttackedPorts::Several,
                _ => AttackedPorts::One([443, 80, 53, 30_120, 51_820][(place % 5) as usize]),
            },
        },
        port_count: [1, 1, 0, 40_000][(place % 4) as usize],
        country: *countries[(place % 7) as usize],
        asn: (place % 3 > 0).then_some(4_200_000_000),
        start_us,
        end_us: start_us + length_us,
        packets: 30 * (place + 1),
        per_minute_max: [31, 450, 4_500, 45_000][(place % 4) as usize],
        estimated_pps: Some(8_390_000.0),
        floor_pps: Some(8_388_608.0),
        ongoing: place % 50 == 0,
    }
}

fn campaign(place: i64, first_day: i64) -> Campaign {
    Campaign {
        id: format!("{place:016x}"),
        sensor: "tokyo".to_owned(),
        came: Came::ALL[(place % 3) as usize],
        first_day: first_day - 20 + place,
        days: 1 + place % 9,
        last_day: first_day + 8,
        gone: place % 4 == 0,
        sources: 100_000 / (place + 1),
        packets: 12_345_678 / (place + 1),
        networks: 345,
        protocol: 6,
        ports: ["23,2323,9530,26", "", "60001"][(place % 3) as usize].to_owned(),
        tool: ["none", "zmap-stack"][(place % 2) as usize].to_owned(),
        stack: "65535:M1460,N,W8,N,N,S:df0:64".to_owned(),
        payload: String::new(),
        actor: ["", "An organisation of a long name"][usize::from(place == 4)].to_owned(),
        countries: "CN:40000,BA:2000,GB:300,US:4".to_owned(),
        infected: place % 2 == 0,
        why: "tcp-syn scan; 23/tcp 80 %".to_owned(),
    }
}
