//! Draws the view on a terminal and as plain text.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};

use super::{LiveReply, Rates};
use crate::command::summary::grouped;

/// Names of protocols that have no ports or are seen often (IANA protocol numbers).
const PROTOCOLS: &[(u8, &str)] = &[
    (1, "icmp"),
    (6, "tcp"),
    (17, "udp"),
    (47, "gre"),
    (58, "icmpv6"),
    (132, "sctp"),
];

/// Rows of each list as text.
const TEXT_ROWS: usize = 10;

/// Lines of the class list with its frame on a tall terminal: all eight classes.
const CLASSES_HEIGHT: u16 = 10;
/// The least height that leaves the other lists as much.
const TALL: u16 = CLASSES_HEIGHT + 14;
/// Columns of a share, such as ` 12.3 %`.
const SHARE_WIDTH: usize = 7;
/// Longer names are cut before a share is left out.
const NAME_WIDTH: usize = 15;

/// Draws the view; lists that do not fit are scrolled by `offset` rows.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    view: &LiveReply,
    rates: Rates,
    trouble: Option<&str>,
    offset: usize,
) {
    let chart_height = if frame.area().height < TALL {
        6
    } else {
        CLASSES_HEIGHT
    };
    let [head, chart, lists] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(chart_height),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    frame.render_widget(heading(view, rates, trouble), head);
    let minutes: Vec<u64> = view.minutes.iter().map(|minute| minute.packets).collect();
    let [by_minute, by_class] =
        Layout::horizontal([Constraint::Length(34), Constraint::Min(20)]).areas(chart);
    let title = format!("packets a minute, {} minutes", minutes.len());
    let wide: Vec<u64> = minutes
        .iter()
        .flat_map(|&packets| [packets, packets])
        .collect();
    let bars = Sparkline::default()
        .block(Block::bordered().title(title))
        .style(Style::new().fg(Color::Cyan))
        .data(&wide);
    frame.render_widget(bars, by_minute);
    let classes = view
        .classes
        .iter()
        .map(|row| (row.class.clone(), row.packets));
    let [ports, countries, sources] = Layout::horizontal([
        Constraint::Percentage(34),
        Constraint::Percentage(26),
        Constraint::Percentage(40),
    ])
    .areas(lists);
    for (area, title, rows) in [
        (by_class, "class", classes.collect()),
        (ports, "port", port_rows(view)),
        (countries, "country", country_rows(view)),
        (sources, "source", source_rows(view)),
    ] {
        list(frame, area, title, &rows, total(view), offset);
    }
}

fn heading(view: &LiveReply, rates: Rates, trouble: Option<&str>) -> Paragraph<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let first = Line::from(vec![
        Span::styled(format!("teiten {}", view.sensor), bold),
        Span::raw(format!(
            " on {}, up {}, {}{}",
            view.interfaces.join(", "),
            duration(view.uptime_seconds),
            view.now,
            if view.exact {
                ""
            } else {
                ", estimated from a sample"
            }
        )),
    ]);
    let second = Line::from(format!(
        "now: received {}/s, observed {}/s, lost {}/s",
        grouped(rates.received as u64),
        grouped(rates.observed as u64),
        grouped(rates.dropped as u64),
    ));
    let third = Line::from(format!(
        "since the start: {} received, {} observed, {} lost",
        grouped(view.since_start.counts.received),
        grouped(view.since_start.counts.observed),
        grouped(view.since_start.dropped()),
    ));
    let problems = view
        .problems
        .iter()
        .map(|(part, text)| format!("{part}: {text}"));
    let wrong: Vec<String> = trouble
        .map(str::to_owned)
        .into_iter()
        .chain(problems)
        .collect();
    let fourth = if wrong.is_empty() {
        Line::styled(
            "all is well; arrows scroll, q leaves",
            Style::new().fg(Color::Green),
        )
    } else {
        Line::styled(
            wrong.join("; "),
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        )
    };
    Paragraph::new(vec![first, second, third, fourth])
}

/// A list that always shows whole numbers: on a narrow terminal shares are left out first, then names are cut.
fn list(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    rows: &[(String, u64)],
    all: u64,
    offset: usize,
) {
    let room = usize::from(area.height.saturating_sub(2));
    let first = offset.min(rows.len().saturating_sub(room));
    let shown = &rows[first..rows.len().min(first + room)];
    let title = if shown.len() < rows.len() {
        format!(
            "{title} {} to {} of {}",
            first + 1,
            first + shown.len(),
            rows.len()
        )
    } else {
        title.to_owned()
    };
    let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let counts: Vec<String> = shown.iter().map(|(_, packets)| grouped(*packets)).collect();
    let count_width = longest(&mut counts.iter().map(String::len));
    let name_width = longest(&mut shown.iter().map(|(name, _)| name.len())).min(NAME_WIDTH);
    let inner = usize::from(area.width.saturating_sub(2));
    let with_share = inner >= name_width + 1 + count_width + 1 + SHARE_WIDTH;
    let mut widths = vec![Constraint::Fill(1), Constraint::Length(count_width as u16)];
    if with_share {
        widths.push(Constraint::Length(SHARE_WIDTH as u16));
    }
    let lines = shown.iter().zip(counts).map(|((name, packets), count)| {
        let mut cells = vec![name.clone(), format!("{count:>count_width$}")];
        if with_share {
            cells.push(share(*packets, all));
        }
        Row::new(cells)
    });
    let table = Table::new(lines, widths).block(Block::bordered().title(title));
    frame.render_widget(table, area);
}

/// The view as lines of text.
pub(super) fn text(view: &LiveReply) -> String {
    let mut text = format!(
        "{} on {}, up {}, {}\nreceived {}, observed {}, lost {}\n",
        view.sensor,
        view.interfaces.join(", "),
        duration(view.uptime_seconds),
        view.now,
        grouped(view.since_start.counts.received),
        grouped(view.since_start.counts.observed),
        grouped(view.since_start.dropped()),
    );
    for (part, problem) in &view.problems {
        text += &format!("problem: {part}: {problem}\n");
    }
    let classes = view
        .classes
        .iter()
        .map(|row| (row.class.clone(), row.packets));
    for (title, rows) in [
        ("class", classes.collect()),
        ("port", port_rows(view)),
        ("country", country_rows(view)),
        ("source", source_rows(view)),
    ] {
        text += &format!(
            "\n{title:<42}{:>14}  of {} minutes\n",
            "packets",
            view.minutes.len()
        );
        for (name, packets) in rows.into_iter().take(TEXT_ROWS) {
            text += &format!(
                "  {name:<40}{:>14} {}\n",
                grouped(packets),
                share(packets, total(view))
            );
        }
    }
    text
}

fn total(view: &LiveReply) -> u64 {
    view.minutes.iter().map(|minute| minute.packets).sum()
}

fn port_rows(view: &LiveReply) -> Vec<(String, u64)> {
    let name = |protocol: u8| {
        let known = PROTOCOLS.iter().find(|(number, _)| *number == protocol);
        known.map_or_else(
            || format!("protocol {protocol}"),
            |(_, name)| (*name).to_owned(),
        )
    };
    let rows = view.ports.iter().map(|row| {
        let protocol = name(row.protocol);
        let text = row
            .port
            .map_or(protocol.clone(), |port| format!("{port}/{protocol}"));
        (text, row.packets)
    });
    rows.collect()
}

fn country_rows(view: &LiveReply) -> Vec<(String, u64)> {
    let rows = view.countries.iter();
    rows.map(|row| (row.country.clone(), row.packets)).collect()
}

fn source_rows(view: &LiveReply) -> Vec<(String, u64)> {
    let rows = view.sources.iter();
    rows.map(|row| (format!("{} {}", row.country, row.src_ip), row.packets))
        .collect()
}

fn share(packets: u64, all: u64) -> String {
    format!("{:>5.1} %", 100.0 * packets as f64 / all.max(1) as f64)
}

/// `3 d 04:05:06`
fn duration(seconds: u64) -> String {
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    );
    match seconds / 86_400 {
        0 => clock,
        days => format!("{days} d {clock}"),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::{LiveClass, LiveCountry, LiveMinute, LivePort, LiveSource, LiveSums};
    use super::*;
    use teiten_aggregator::minute::MinuteCounts;

    fn view() -> LiveReply {
        LiveReply {
            sensor: "tokyo".into(),
            interfaces: vec!["dark0".into()],
            uptime_seconds: 273_906,
            now: "2026-11-05T08:04:00Z".into(),
            exact: true,
            minutes: vec![LiveMinute { packets: 1000 }, LiveMinute { packets: 3000 }],
            classes: vec![LiveClass {
                class: "scan".into(),
                packets: 4000,
            }],
            ports: vec![
                LivePort {
                    protocol: 6,
                    port: Some(23),
                    packets: 3000,
                },
                LivePort {
                    protocol: 1,
                    port: None,
                    packets: 1000,
                },
            ],
            countries: vec![LiveCountry {
                country: "JP".into(),
                packets: 2000,
            }],
            sources: vec![LiveSource {
                src_ip: "192.0.2.1".into(),
                country: "JP".into(),
                packets: 2000,
            }],
            since_start: LiveSums {
                counts: MinuteCounts {
                    received: 1_234_567,
                    observed: 1_200_000,
                    ..MinuteCounts::default()
                },
            },
            ..LiveReply::default()
        }
    }

    fn drawn(width: u16, height: u16, trouble: Option<&str>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let rates = Rates {
            received: 1500.0,
            ..Rates::default()
        };
        let draw = |frame: &mut Frame<'_>| super::draw(frame, &view(), rates, trouble, 0);
        terminal.draw(draw).expect("drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen_shows_rates_lists_and_health() {
        let screen = drawn(120, 30, None);
        for part in [
            "teiten tokyo",
            "3 d 04:05:06",
            "1,500/s",
            "23/tcp",
            "icmp",
            "75.0 %",
            "JP 192.0.2.1",
            "all is well",
        ] {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
        let screen = drawn(120, 30, Some("no sensor answers"));
        assert!(screen.contains("no sensor answers"), "{screen}");
    }

    /// What a busy telescope shows on 80 × 24, scrolled down so far.
    fn busy(offset: usize) -> String {
        const CLASSES: [&str; 8] = [
            "scan",
            "reflector-scan",
            "exploit",
            "backscatter",
            "misconfiguration",
            "spoofed",
            "malformed",
            "other",
        ];
        let mut view = view();
        view.classes = CLASSES
            .map(|class| LiveClass {
                class: class.into(),
                packets: 987_654_321,
            })
            .into();
        view.ports = (0..50)
            .map(|port| LivePort {
                protocol: 6,
                port: Some(65_000 + port),
                packets: 123_456_789,
            })
            .collect();
        view.sources[0].packets = 12_345_678;
        view.since_start.counts.received = 1_234_567_890_123;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        let draw =
            |frame: &mut Frame<'_>| super::draw(frame, &view, Rates::default(), None, offset);
        terminal.draw(draw).expect("drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn eighty_columns_show_whole_numbers_and_every_class() {
        let screen = busy(0);
        for part in [
            "1,234,567,890,123 received, 1,200,000 observed",
            "misconfiguration    ",
            "other ",
            "987,654,321",
            "65000/tcp     123,456,789",
            "port 1 to 8 of 50",
            "JP 192.0.2.1",
            "12,345,678",
            "2,000",
        ] {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
        let screen = busy(45);
        assert!(screen.contains("port 43 to 50 of 50"), "{screen}");
        assert!(screen.contains("65049/tcp"), "{screen}");
    }

    #[test]
    fn a_small_terminal_is_drawn_on_as_far_as_it_goes() {
        for (width, height) in [(1, 1), (20, 5), (80, 24)] {
            drawn(width, height, None);
        }
    }

    #[test]
    fn the_text_has_every_list() {
        let text = text(&view());
        for part in [
            "received 1,234,567",
            "class",
            "23/tcp",
            "JP",
            "192.0.2.1",
            "of 2 minutes",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }
}
