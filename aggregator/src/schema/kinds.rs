//! The columns of hour, sensor and kind of packets, which `traffic` and `sources` share.

/// The columns of a table of kinds in their order: hour and sensor, `$source`, the kind, `$counted`. Its rows give `hour`, `sensor`,
/// `family` and `kinds()`, and fill the columns of actors and countries.
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
                fill: |slot, rows| {
                    let kinds = rows.kinds().flatten();
                    slot.sparse(kinds.map(|kind| kind.port().map(i64::from)))
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::TRAFFIC_TYPE,
                fill: |slot, rows| {
                    let code = |kind: &teiten_observation::Kind| kind.traffic_type() as u16;
                    let name = |code| teiten_observation::TrafficType::ALL[usize::from(code)].name();
                    slot.named(rows.kinds(), code, name)
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::CLASS,
                fill: |slot, rows| {
                    let code = |kind: &teiten_observation::Kind| kind.class() as u16;
                    let name = |code| teiten_observation::Class::ALL[usize::from(code)].name();
                    slot.named(rows.kinds(), code, name)
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::TOOL,
                fill: |slot, rows| {
                    let code = |kind: &teiten_observation::Kind| kind.tool() as u16;
                    let name = |code| teiten_observation::Tool::ALL[usize::from(code)].name();
                    slot.named(rows.kinds(), code, name)
                },
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::ACTOR,
                fill: |slot, rows| rows.fill_actors(slot),
            },
            $crate::schema::ColumnRow {
                column: $crate::schema::COUNTRY,
                fill: |slot, rows| rows.fill_countries(slot),
            },
            $($counted,)*
        ]
    };
}

pub(super) use columns_of_kinds;
