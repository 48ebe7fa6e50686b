//! The truth of single records as text: a line of comma-separated values for each, in the order of the capture. `tally.rs` counts them.

use crate::kinds::Sent;

/// The first line. `not_observed` says why a record is not observed, in the words of `teiten-sensor explain`; the others are empty then.
pub const HEADER: &[u8] = b"class,traffic_type,tool,port,not_observed\n";

/// The line of an observed packet; `port` is empty where there is none.
pub fn observed(labels: &mut Vec<u8>, sent: &Sent) {
    let names = [
        sent.class.name(),
        sent.traffic_type.name(),
        sent.tool.name(),
    ];
    for name in names {
        labels.extend(name.as_bytes());
        labels.push(b',');
    }
    if let Some(port) = sent.port {
        labels.extend(port.to_string().as_bytes());
    }
    labels.extend(b",\n");
}

/// The line of a record that is not observed.
pub fn unobserved(labels: &mut Vec<u8>, reason: &str) {
    labels.extend(b",,,,");
    labels.extend(reason.as_bytes());
    labels.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Class, Tool, TrafficType};

    #[test]
    fn a_line_has_the_columns_of_the_header() {
        let mut labels = Vec::new();
        let port = Some(23);
        let sent = Sent::new(TrafficType::TcpSyn, Class::Scan, 6, port).by(Tool::Mirai);
        observed(&mut labels, &sent);
        unobserved(&mut labels, "outside");
        assert_eq!(labels, b"scan,tcp-syn,mirai,23,\n,,,,outside\n");
        for line in labels.split_inclusive(|byte| *byte == b'\n') {
            let commas = |text: &[u8]| text.iter().filter(|byte| **byte == b',').count();
            assert_eq!(commas(line), commas(HEADER));
        }
    }
}
