//! UDP requests by which devices and services are found; like all of `requests.rs` they make an amplifier answer.

use super::Ports::{Any, To};
use super::requests::reflector;
use super::{Payload, Signature};

/// Requests for who is there.
pub(super) const UDP: &[Signature] = &[
    reflector(
        "ssdp-search",
        Any,
        b"M",
        |payload| payload.starts_with(b"M-SEARCH"),
        "UPnP Device Architecture 1.1, 1.3.2; CISA TA14-017A",
    ),
    reflector(
        "ws-discovery",
        To(&[3702]),
        b"<",
        |payload| payload.contains(b"Probe") || payload.contains(b"discovery"),
        "WS-Discovery 1.1, 5.2; Akamai, 2019-09-18",
    ),
    reflector(
        "apple-remote-desktop",
        To(&[3283]),
        &[0],
        |payload| matches!(payload.bytes, [0, 0x14, 0, 0 | 1, ..]),
        "Netscout ASERT, 2019-06 (ARMS)",
    ),
    reflector(
        "dhdiscover",
        To(&[37810]),
        &[],
        |payload| {
            payload.starts_with(&[0x20, 0, 0, 0, b'D', b'H', b'I', b'P'])
                || payload.contains(b"DHDiscover")
        },
        "Netscout ASERT, 2020 (DVR DHCPDiscover)",
    ),
    reflector(
        "bacnet",
        To(&[47808]),
        &[0x81],
        super::bacnet::is_request,
        "ANSI/ASHRAE 135, 20.1 and annex J",
    ),
    reflector(
        "mssql-browser",
        To(&[1434]),
        &[2, 3, 4],
        is_mssql_browser_request,
        "MC-SQLR 2.2: CLNT_BCAST_EX, CLNT_UCAST_EX, CLNT_UCAST_INST",
    ),
    reflector(
        "ubiquiti-discovery",
        To(&[10001]),
        &[1, 2],
        |payload| matches!(payload.bytes, [1, 0, 0, 0, ..] | [2, 8, 0, 0, ..]),
        "Rapid7, 2019-02-01",
    ),
    reflector(
        "xdmcp-query",
        To(&[177]),
        &[0],
        |payload| matches!(payload.bytes, [0, 1, 0, 1..=3, ..]),
        "XDMCP 1.1",
    ),
    reflector(
        "service-location",
        To(&[427]),
        &[1, 2],
        |payload| matches!(payload.byte(1), 1 | 6 | 9),
        "RFC 2608 8; CVE-2023-29552",
    ),
    reflector(
        "db2-discovery",
        To(&[523]),
        b"D",
        |payload| payload.starts_with(b"DB2GETADDR"),
        "Akamai, RPC and DB2 reflection; nmap db2-discover",
    ),
    reflector(
        "jenkins-discovery",
        To(&[33848]),
        &[],
        |_| true,
        "CVE-2020-2100: any datagram is answered",
    ),
    reflector(
        "digi-discovery",
        To(&[2362]),
        b"D",
        |payload| {
            [b"DIGI", b"DVKT", b"DGDP"]
                .iter()
                .any(|magic| payload.starts_with(*magic))
        },
        "zmap, examples/udp-probes/digi1_2362.pkt and digi3_2362.pkt; Metasploit digi_addp_version",
    ),
    reflector(
        "lantronix-setup",
        To(&[30718]),
        &[0],
        |payload| matches!(payload.bytes, [0, 0, 0, 0xf6 | 0xf8, ..]),
        "Metasploit lantronix_telnet_password",
    ),
    reflector(
        "beckhoff-discovery",
        To(&[48899]),
        &[3],
        |payload| payload.starts_with(&[3, 0x66, 0x14, 0x71]),
        "nmap-payloads: Beckhoff ADS",
    ),
    reflector(
        "knx-search",
        To(&[3671]),
        &[6],
        |payload| matches!(payload.bytes, [6, 0x10, 2, 1 | 3 | 0x0b, ..]),
        "KNXnet/IP core, ISO 22510: search and description request",
    ),
    reflector(
        "canon-discovery",
        To(&[8610, 8612]),
        b"B",
        |payload| payload.starts_with(b"BJN"),
        "Wireshark, epan/dissectors/packet-bjnp.c",
    ),
    reflector(
        "citrix-browser",
        To(&[1604]),
        &[0x1e],
        |payload| payload.starts_with(&[0x1e, 0, 1, 0x30]),
        "nmap citrix-enum-servers",
    ),
    reflector(
        "sybase-discovery",
        To(&[2638]),
        &[0x1b],
        |payload| payload.bytes.get(8..27) == Some(b"\x12CONNECTIONLESS_TDS"),
        "nmap-service-probes: SQL Anywhere",
    ),
    reflector(
        "mikrotik-discovery",
        To(&[5678]),
        &[0],
        |payload| payload.bytes == [0; 4],
        "MikroTik neighbor discovery protocol: a request for announcements",
    ),
    reflector(
        "hid-discovery",
        To(&[4070]),
        b"d",
        |payload| payload.starts_with(b"discover;"),
        "Lawshae, Let Me Get That Door for You, Trend Micro, 2016",
    ),
    reflector(
        "crestron-discovery",
        To(&[41794]),
        &[0x14],
        |payload| payload.starts_with(&[0x14, 0, 0, 0, 1, 4, 0, 3, 0, 0]),
        "Lawshae, Who Controls the Controllers, DEF CON 26, 2018",
    ),
    reflector(
        "hikvision-discovery",
        To(&[37020]),
        b"<",
        |payload| payload.contains(b"<Probe>"),
        "Hikvision SADP: a probe in XML",
    ),
];

/// One byte, or the name of an instance behind it.
fn is_mssql_browser_request(payload: &Payload) -> bool {
    match payload.bytes {
        [2 | 3, rest @ ..] => rest.iter().all(|&byte| byte == 0),
        [4, name @ .., 0] => {
            !name.is_empty() && name.len() <= 32 && name.iter().all(u8::is_ascii_graphic)
        }
        [4] => true,
        _ => false,
    }
}
