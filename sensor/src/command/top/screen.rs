//! How the view looks: on a terminal, and as plain text. Nothing is asked or read here.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};

use super::{Rates, View};
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

pub(super) fn draw(frame: &mut Frame<'_>, view: &View, rates: Rates, trouble: Option<&str>) {
    let [head, chart, lists] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(6),
        Constraint::Min(5),
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
    list(frame, by_class, "class", classes.collect(), total(view));
    let [ports, countries, sources] = Layout::horizontal([
        Constraint::Percentage(30),
        Constraint::Percentage(25),
        Constraint::Percentage(45),
    ])
    .areas(lists);
    list(frame, ports, "port", port_rows(view), total(view));
    list(frame, countries, "country", country_rows(view), total(view));
    list(frame, sources, "source", source_rows(view), total(view));
}

fn heading(view: &View, rates: Rates, trouble: Option<&str>) -> Paragraph<'static> {
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
        "received {}/s  observed {}/s  lost {}/s    since the start: {} received, {} observed, {} lost",
        grouped(rates.received as u64),
        grouped(rates.observed as u64),
        grouped(rates.dropped as u64),
        grouped(view.since_start.received),
        grouped(view.since_start.observed),
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
    let third = if wrong.is_empty() {
        Line::styled("all is well; q leaves", Style::new().fg(Color::Green))
    } else {
        Line::styled(
            wrong.join("; "),
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        )
    };
    Paragraph::new(vec![first, second, third])
}

fn list(frame: &mut Frame<'_>, area: Rect, title: &str, rows: Vec<(String, u64)>, all: u64) {
    let rows = rows.into_iter().map(|(name, packets)| {
        Row::new([
            name,
            format!("{:>13}", grouped(packets)),
            share(packets, all),
        ])
    });
    let widths = [
        Constraint::Min(8),
        Constraint::Length(13),
        Constraint::Length(7),
    ];
    let table = Table::new(rows, widths).block(Block::bordered().title(title.to_owned()));
    frame.render_widget(table, area);
}

/// The view as lines of text.
pub(super) fn text(view: &View) -> String {
    let mut text = format!(
        "{} on {}, up {}, {}\nreceived {}, observed {}, lost {}\n",
        view.sensor,
        view.interfaces.join(", "),
        duration(view.uptime_seconds),
        view.now,
        grouped(view.since_start.received),
        grouped(view.since_start.observed),
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

fn total(view: &View) -> u64 {
    view.minutes.iter().map(|minute| minute.packets).sum()
}

fn port_rows(view: &View) -> Vec<(String, u64)> {
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

fn country_rows(view: &View) -> Vec<(String, u64)> {
    let rows = view.countries.iter();
    rows.map(|row| (row.country.clone(), row.packets)).collect()
}

fn source_rows(view: &View) -> Vec<(String, u64)> {
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

    use super::super::{ClassRow, CountryRow, Minute, PortRow, SourceRow, Sums};
    use super::*;

    fn view() -> View {
        View {
            sensor: "tokyo".into(),
            interfaces: vec!["dark0".into()],
            uptime_seconds: 273_906,
            now: "2026-11-05T08:04:00Z".into(),
            exact: true,
            minutes: vec![Minute { packets: 1000 }, Minute { packets: 3000 }],
            classes: vec![ClassRow {
                class: "scan".into(),
                packets: 4000,
            }],
            ports: vec![
                PortRow {
                    protocol: 6,
                    port: Some(23),
                    packets: 3000,
                },
                PortRow {
                    protocol: 1,
                    port: None,
                    packets: 1000,
                },
            ],
            countries: vec![CountryRow {
                country: "JP".into(),
                packets: 2000,
            }],
            sources: vec![SourceRow {
                src_ip: "192.0.2.1".into(),
                country: "JP".into(),
                packets: 2000,
            }],
            since_start: Sums {
                received: 1_234_567,
                observed: 1_200_000,
                ..Sums::default()
            },
            ..View::default()
        }
    }

    fn drawn(width: u16, height: u16, trouble: Option<&str>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let rates = Rates {
            received: 1500.0,
            ..Rates::default()
        };
        let draw = |frame: &mut Frame<'_>| super::draw(frame, &view(), rates, trouble);
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
