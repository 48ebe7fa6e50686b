//! The columns of hour, sensor and kind of packets, which `traffic` and `sources` share.

/// The columns of a table of kinds in their order: hour and sensor, `$source`, the kind, `$counted`. Its rows give `hour`, `sensor`,
/// `family`, `actors`, `kinds()`, `actor_numbers()` and `country_codes()`.
macro_rules! columns_of_kinds {
    (source: [$($source:expr),* $(,)?], counted: [$($counted:expr),* $(,)?] $(,)?) => {
        &[
            $crate::schema::ColumnRow {
                column: $crate::schema::HOUR_START,
                fill: |slot, rows| slot.constant_integer(rows.hour.start_us()),
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::SENSOR,
                fill: |slot, rows| slot.constant_text(rows.sensor),
            },
            $($source,)*
            $crate::schema::ColumnRow {
                column: $crate::schema::IP_VERSION,
                fill: |slot, rows| slot.constant_integer(rows.family as i64),
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::PROTOCOL,
                fill: |slot, rows| slot.protocols(rows.kinds(), rows.family),
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::PORT,
                fill: |slot, rows| slot.sparse(rows.kinds().map(|kind| kind.port().map(i64::from))),
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::TRAFFIC_TYPE,
                fill: |slot, rows| {
                    let codes = rows.kinds().map(|kind| kind.traffic_type() as u16);
                    slot.named(codes, |code| teiten_observation::TrafficType::ALL[usize::from(code)].name())
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::CLASS,
                fill: |slot, rows| {
                    let codes = rows.kinds().map(|kind| kind.class() as u16);
                    slot.named(codes, |code| teiten_observation::Class::ALL[usize::from(code)].name())
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::TOOL,
                fill: |slot, rows| {
                    let codes = rows.kinds().map(|kind| kind.tool() as u16);
                    slot.named(codes, |code| teiten_observation::Tool::ALL[usize::from(code)].name())
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::ACTOR,
                fill: |slot, rows| slot.named_runs(rows.actor_numbers(), |number| rows.actors.name(number)),
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::COUNTRY,
                fill: |slot, rows| slot.country_runs(rows.country_codes()),
            },
            $($counted,)*
        ]
    };
}

pub(super) use columns_of_kinds;
