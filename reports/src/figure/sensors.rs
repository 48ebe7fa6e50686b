//! The sensors behind the numbers: size, time observed, packets, loss.

use teiten_aggregator::schema::names;

use super::{Context, Drawn, Figure, Section};
use crate::query::Answer;
use crate::query::answer::HOUR_SECONDS;
use crate::table::{Cell, DataTable};
use crate::text::{Both, fill, number};

pub(super) const FIGURE: Figure = Figure {
    name: "sensors",
    title: Both {
        ja: "センサー別の観測結果",
        en: "Sensors",
    },
    question: Both {
        ja: "どのセンサーが、どれだけ観測したか。",
        en: "Which sensor saw how much?",
    },
    section: Section::Conditions,
    draw,
};

fn draw(answer: &Answer, context: &Context<'_>) -> Drawn {
    let text = context.text();
    let mut table = DataTable::new(&[
        ("sensor", text.sensor),
        ("addresses_min", ""),
        ("addresses_max", ""),
        (names::ADDRESSES_IPV6, ""),
        (names::ADDRESSES, text.addresses),
        ("observed_hours", text.hours),
        ("packets", text.packets),
        ("bytes", text.bytes),
        ("hosts_estimate", text.sources_about),
        ("ipv4_packets_per_address_day", text.axis_rate),
        ("dropped_packets", text.dropped),
    ]);
    for (name, sensor) in &answer.sensors {
        let ipv6 = fill(
            text.telescope_ipv6,
            &[("n", &number::size(sensor.addresses_ipv6))],
        );
        let size = match sensor.addresses {
            None => Cell::text(text.unknown_value),
            Some((_, 0)) if sensor.addresses_ipv6 > 0.0 => Cell::Text(ipv6),
            Some((low, high)) if low == high && sensor.addresses_ipv6 > 0.0 => {
                Cell::Text(format!("{}, {ipv6}", number::count(low)))
            }
            Some((low, high)) if low == high => Cell::Count(low),
            Some((low, high)) => Cell::Text(fill(
                text.telescope_range,
                &[("low", &number::count(low)), ("high", &number::count(high))],
            )),
        };
        let address_hours = sensor.address_seconds as f64 / HOUR_SECONDS as f64;
        let rate = (sensor.seconds_without_size == 0 && address_hours > 0.0)
            .then(|| sensor.tally.packets_ipv4() as f64 / address_hours * 24.0);
        table.push(vec![
            Cell::text(name.as_str()),
            sensor
                .addresses
                .map_or(Cell::Gap, |(low, _)| Cell::Count(low)),
            sensor
                .addresses
                .map_or(Cell::Gap, |(_, high)| Cell::Count(high)),
            sensor.addresses.map_or(Cell::Gap, |_| {
                Cell::Text(format!("{:.0}", sensor.addresses_ipv6))
            }),
            size,
            Cell::Measure(sensor.seconds as f64 / HOUR_SECONDS as f64),
            Cell::Count(sensor.tally.packets),
            Cell::Count(sensor.tally.bytes),
            Cell::Estimate(sensor.tally.sources.estimate()),
            Cell::rate(rate),
            Cell::Count(sensor.accounting.dropped_kernel + sensor.accounting.dropped_interface),
        ]);
    }
    Drawn {
        table,
        table_shown: true,
        notes: vec![context.error_note()],
        ..Drawn::default()
    }
}
