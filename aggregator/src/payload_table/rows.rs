//! The rows of the table `payloads` in their order.

use super::{PayloadTable, ServiceKey};

/// A row of the table `payloads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PayloadRow<'t> {
    /// IANA protocol number.
    pub protocol: u8,
    /// The service asked for; `None` for ports beyond the limit, which are counted together.
    pub port: Option<u16>,
    /// The name of the signature, empty where the payload is unknown.
    pub signature: &'t str,
    /// XXH64 (seed 0) of an unknown payload; none for known ones and for the others of a port together.
    pub hash: Option<u64>,
    /// Packets.
    pub packets: u64,
    /// Distinct sources, estimated.
    pub sources: u64,
    /// The first bytes of the payload; those of the smallest payload of a signature; empty in the row of a port's other payloads.
    pub first_bytes: &'t [u8],
}

impl PayloadTable {
    /// The rows, by protocol, port, signature and hash.
    pub fn rows(&mut self) -> Vec<PayloadRow<'_>> {
        self.trim_named();
        self.unknown.trim();
        let row = |service: ServiceKey, signature, count: &super::Count| PayloadRow {
            protocol: service.protocol(),
            port: Some(service.port()),
            signature,
            hash: None,
            packets: count.packets,
            sources: count.sources.estimate(),
            first_bytes: &[],
        };
        let named = self
            .named
            .iter()
            .map(|(&(service, name), named)| PayloadRow {
                first_bytes: named.example.as_slice(),
                ..row(service, name, &named.count)
            });
        let portless = self
            .portless
            .iter()
            .map(|(&(protocol, name), count)| PayloadRow {
                port: None,
                ..row(ServiceKey::new(protocol, 0), name, count)
            });
        let unknown = self.unknown.rows().map(|unknown| PayloadRow {
            hash: unknown.payload.map(|(hash, _)| hash),
            first_bytes: unknown.payload.map_or(&[], |(_, bytes)| bytes),
            ..row(unknown.service, "", unknown.count)
        });
        let mut rows: Vec<_> = named.chain(portless).chain(unknown).collect();
        rows.sort_unstable();
        rows
    }
}
