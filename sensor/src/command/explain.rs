//! One JSON line for each packet: what it is and which rule decided, or why it is not observed. This code does not run while packets are
//! counted. The tool is that of the tables, so a first pass collects each source's evidence.

mod evidence;
mod groups;
mod headers;
mod spool;

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use teiten_aggregator::counter::NAMES;
use teiten_aggregator::text;
use teiten_observation::Mark;
use teiten_observation::StackSignature;
use teiten_observation::{Address, Tool};

use crate::source::block::Block;
use crate::source::record::NO_TIME_US;
use crate::source::{FileReport, Replay};
pub use evidence::{Gathering, Judged, Judgements, LeftOut};
pub use groups::Groups;
pub use spool::{Spool, SpoolReader};
use teiten_packet::decode::{Decoded, Packet, decode_record, supported};
use teiten_packet::fingerprint;
use teiten_packet::{Frame, Judgement, Observed, Telescope, flags, judge};

/// Reads everything twice: first for the evidence, then block by block for `take`, which returns whether to continue. A stream is spooled
/// to a temporary file in between. Returns the reports, and how much evidence was dropped for lack of memory.
///
/// # Errors
/// When the evidence or a stream cannot be stored, and the errors of `take`.
pub fn twice(
    source: Replay,
    telescope: &Telescope,
    mut take: impl FnMut(&Block, &Judgements) -> io::Result<bool>,
) -> io::Result<(Vec<FileReport>, LeftOut)> {
    let mut first = source;
    let mut again = first.reopen();
    let mut spool = if again.is_none() {
        Some(Spool::new()?)
    } else {
        None
    };
    let mut gathering = Gathering::default();
    let mut block = Block::empty();
    while let Some(next) = first.next_block(block) {
        gathering.add(&next, telescope)?;
        if let Some(spool) = &mut spool {
            spool.add(&next)?;
        }
        block = next;
    }
    let files = first.finish();
    let judgements = gathering.judge()?;
    let mut reuse = Block::empty();
    let mut reader = spool.map(Spool::read).transpose()?;
    loop {
        let next = match (&mut again, &mut reader) {
            (Some(again), _) => again.next_block(reuse),
            (None, Some(reader)) => reader.next_block()?,
            (None, None) => None,
        };
        let Some(next) = next else { break };
        if !take(&next, &judgements)? {
            break;
        }
        reuse = next;
    }
    Ok((files, judgements.left_out()))
}

/// Writes a line for each packet of a block. `Ok(false)` means that the reader has gone (a broken pipe); this is no error.
///
/// # Errors
/// Any other failure of `out`.
pub fn write_block(
    out: &mut impl Write,
    block: &Block,
    telescope: &Telescope,
    judgements: &Judgements,
) -> io::Result<bool> {
    let bytes = block.bytes();
    for record in &block.records {
        let line = explain(record.time_us, record.frame(bytes), telescope, judgements);
        match serde_json::to_writer(&mut *out, &line)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
        {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// The JSON line of one packet.
#[must_use]
pub fn explain(
    time_us: i64,
    frame: Frame<'_>,
    telescope: &Telescope,
    judgements: &Judgements,
) -> Value {
    let mut line = Map::new();
    let time = (time_us != NO_TIME_US).then(|| text::time(time_us));
    line.insert("time".into(), time.into());
    line.insert("wire_bytes".into(), frame.wire_bytes.into());
    // Headers are printed even if the packet is not observed, so the frame is decoded once more for them.
    let decoded = decode_record(frame.link_type, frame.captured, frame.wire_bytes);
    match &decoded {
        Decoded::Ipv4(packet) => headers::insert(&mut line, packet),
        Decoded::Ipv6(packet) => headers::insert(&mut line, packet),
        Decoded::NotIp | Decoded::Malformed(..) => {}
    }
    if time_us == NO_TIME_US {
        let reason = "implausibly far from its neighbours, or no time at all";
        not_observed(&mut line, &malformed("time"), Some(reason));
        return Value::Object(line);
    }
    match (judge(telescope, frame), &decoded) {
        (Judgement::Ipv4(observed), Decoded::Ipv4(packet)) => {
            insert_observed(&mut line, &observed, packet, time_us, judgements);
        }
        (Judgement::Ipv6(observed), Decoded::Ipv6(packet)) => {
            insert_observed(&mut line, &observed, packet, time_us, judgements);
        }
        (Judgement::Ipv4(_) | Judgement::Ipv6(_), _) => {}
        (Judgement::Outside, _) => not_observed(&mut line, NAMES.outside, None),
        (Judgement::Excluded, _) => not_observed(&mut line, NAMES.excluded, None),
        (Judgement::NotIp, _) => {
            let unsupported = format!("link type {} is not supported", frame.link_type.0);
            let reason = (!supported(frame.link_type)).then_some(unsupported.as_str());
            not_observed(&mut line, NAMES.not_ip, reason);
        }
        (Judgement::Malformed(layer, reason), _) => {
            not_observed(&mut line, &malformed(layer.name()), Some(reason.text()));
        }
    }
    Value::Object(line)
}

/// A malformed record in the words of the account: the counter and the layer.
fn malformed(layer: &str) -> String {
    format!("{} {layer}", NAMES.malformed)
}

fn not_observed(line: &mut Map<String, Value>, what: &str, reason: Option<&str>) {
    line.insert("not_observed".into(), what.into());
    if let Some(reason) = reason {
        line.insert("reason".into(), reason.into());
    }
}

fn insert_observed<A: Address>(
    line: &mut Map<String, Value>,
    observed: &Observed<'_, A>,
    packet: &Packet<'_, A>,
    time_us: i64,
    judgements: &Judgements,
) {
    let kind = observed.kind;
    let judged = judgements.of(time_us, observed.source, kind);
    let tool = judged.map_or(Tool::None, |judged| judged.tool);
    line.insert("traffic_type".into(), kind.traffic_type().name().into());
    line.insert("class".into(), kind.class().name().into());
    line.insert("tool".into(), tool.name().into());
    if judgements.may_have_forgotten(time_us, observed.source, kind) {
        line.insert("tool_unknown".into(), true.into());
    }
    line.insert("port".into(), json!(kind.port()));
    line.insert("rule".into(), observed.rule.name.into());
    line.insert("rule_reference".into(), observed.rule.reference.into());
    if let Some(signature) = observed.signature {
        line.insert("signature".into(), signature.name.into());
        line.insert("signature_source".into(), signature.source.into());
    }
    if let Some(evidence) = evidence_json(observed, packet, judged) {
        line.insert("evidence".into(), evidence);
    }
    if let Some(stack) = StackSignature::from_bits(observed.stack) {
        line.insert("stack_signature".into(), stack.to_string().into());
    }
    let flags: Vec<&str> = flags::names(observed.flags).collect();
    line.insert("flags".into(), flags.into());
}

/// The evidence for a tool: the packet's mark with its source, what would confirm it, and how many of the source's packets do.
fn evidence_json<A: Address>(
    observed: &Observed<'_, A>,
    packet: &Packet<'_, A>,
    judged: Option<&Judged>,
) -> Option<Value> {
    let judged = judged?;
    let mark = if judged.tool == Mark::KEYED.tool() {
        Mark::KEYED
    } else {
        observed.kind.mark()
    };
    let row = mark.row()?;
    let mut evidence = json!({
        "mark": mark.name(),
        "of": row.tool.name(),
        "test": row.words,
        "source": row.source,
        "dates": row.dates,
        "confirmed_by": row.confirmation.words(),
        "confirmed": judged.tool == row.tool,
        "packets_like_it": judged.packets,
        "of_them_with_the_mark": judged.tool_packets,
    });
    if mark.shares_value() || mark == Mark::KEYED {
        evidence["shared_value"] = format!("{:#010x}", observed.pair).into();
    }
    let probe = fingerprint::probe(packet, observed.kind.traffic_type());
    if let Some(shape) = probe.as_ref().and_then(fingerprint::masscan_shape) {
        evidence["shape"] = shape.into();
    }
    Some(evidence)
}

/// The usual text form.
fn address_text<A: Address>(address: A) -> String {
    let mut text = Vec::new();
    address.write_text(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::block::BlockBytes;
    use crate::source::record::Record;
    use teiten_packet::LinkType;
    use teiten_packet::samples::{ethernet, ipv4_packet, tcp_segment};

    fn line(link_type: u16, frame: &[u8], dark: &[&str]) -> Value {
        let record = Record {
            time_us: 1_237_106_706_081_731,
            nanoseconds: 0,
            offset: 0,
            captured_bytes: frame.len() as u32,
            wire_bytes: frame.len() as u32,
            link_type: LinkType(link_type),
        };
        let dark: Vec<_> = dark.iter().map(|text| text.parse().unwrap()).collect();
        explain(
            record.time_us,
            record.frame(frame),
            &Telescope::new(&dark, &[]),
            &Judgements::default(),
        )
    }

    #[test]
    fn a_packet_is_explained_with_the_rule_that_decided() {
        let frame = ethernet(
            0x0800,
            &ipv4_packet(6, &tcp_segment(0x02, 40000, 23, &[], b"")),
        );
        let line = line(1, &frame, &[]);
        assert_eq!(line["time"], "2009-03-15T08:45:06.081731Z");
        assert_eq!(line["src_ip"], "1.2.3.4");
        assert_eq!(line["dst_port"], 23);
        assert_eq!(line["traffic_type"], "tcp-syn");
        assert_eq!(line["class"], "scan");
        assert_eq!(line["tool"], "none");
        assert_eq!(line["rule"], "tcp-syn");
        assert_eq!(line["tcp_flags"], "S");
    }

    #[test]
    fn what_is_not_observed_says_why() {
        let packet = ipv4_packet(6, &tcp_segment(0x02, 40000, 23, &[], b""));
        let frame = ethernet(0x0800, &packet);
        assert_eq!(
            line(1, &frame, &["192.0.2.0/24"])["not_observed"],
            "outside"
        );
        assert_eq!(
            line(1, &ethernet(0x0806, &[0; 28]), &[])["not_observed"],
            "not_ip"
        );
        assert_eq!(line(1, &frame[..20], &[])["not_observed"], "malformed ipv4");
        assert_eq!(line(1, &frame[..9], &[])["not_observed"], "malformed link");
        let unsupported = line(147, &frame, &[]);
        assert_eq!(unsupported["reason"], "link type 147 is not supported");
    }

    #[test]
    fn a_broken_pipe_ends_without_an_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let block = Block {
            bytes: BlockBytes::Owned(vec![0; 60]),
            records: vec![Record {
                time_us: 0,
                nanoseconds: 0,
                offset: 0,
                captured_bytes: 60,
                wire_bytes: 60,
                link_type: LinkType(1),
            }],
        };
        let everything = Telescope::new(&[], &[]);
        assert!(!write_block(&mut Gone, &block, &everything, &Judgements::default()).unwrap());
        assert!(write_block(&mut Vec::new(), &block, &everything, &Judgements::default()).unwrap());
    }
}
