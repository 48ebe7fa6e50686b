//! Service names of ports: those of IANA, and the names that analysts use if darknet traffic to a port differs from the registry.
//!
//! Names follow the IANA Service Name and Transport Protocol Port Number Registry; `common` is the service that scans look for there.

/// TCP
const T: u8 = 6;
/// UDP
const U: u8 = 17;

/// A port with its names.
#[derive(Clone, Copy, Debug)]
pub struct ServiceName {
    /// IANA protocol number.
    pub protocol: u8,
    /// Port.
    pub port: u16,
    /// IANA service name, or the product if the port is not registered.
    pub name: &'static str,
}

const fn service(protocol: u8, port: u16, name: &'static str) -> ServiceName {
    ServiceName {
        protocol,
        port,
        name,
    }
}

/// Ports by protocol and number.
pub const SERVICES: &[ServiceName] = &[
    service(T, 7, "echo"),
    service(T, 20, "ftp-data"),
    service(T, 21, "ftp"),
    service(T, 22, "ssh"),
    service(T, 23, "telnet"),
    service(T, 25, "smtp"),
    service(T, 43, "whois"),
    service(T, 53, "domain"),
    service(T, 79, "finger"),
    service(T, 80, "http"),
    service(T, 81, "http (cameras)"),
    service(T, 82, "http (cameras)"),
    service(T, 83, "http (cameras)"),
    service(T, 84, "http (cameras)"),
    service(T, 85, "http (cameras)"),
    service(T, 88, "kerberos / http"),
    service(T, 102, "iso-tsap (S7)"),
    service(T, 110, "pop3"),
    service(T, 111, "sunrpc"),
    service(T, 113, "ident"),
    service(T, 119, "nntp"),
    service(T, 135, "epmap (MSRPC)"),
    service(T, 139, "netbios-ssn"),
    service(T, 143, "imap"),
    service(T, 179, "bgp"),
    service(T, 389, "ldap"),
    service(T, 443, "https"),
    service(T, 445, "microsoft-ds"),
    service(T, 465, "submissions"),
    service(T, 500, "isakmp"),
    service(T, 502, "mbap (Modbus)"),
    service(T, 513, "login"),
    service(T, 514, "shell"),
    service(T, 515, "printer"),
    service(T, 548, "afpovertcp"),
    service(T, 554, "rtsp"),
    service(T, 587, "submission"),
    service(T, 631, "ipp"),
    service(T, 636, "ldaps"),
    service(T, 853, "domain-s"),
    service(T, 873, "rsync"),
    service(T, 902, "ideafarm-door (VMware)"),
    service(T, 990, "ftps"),
    service(T, 993, "imaps"),
    service(T, 995, "pop3s"),
    service(T, 1023, "telnet (alternative)"),
    service(T, 1080, "socks"),
    service(T, 1099, "rmiregistry"),
    service(T, 1194, "openvpn"),
    service(T, 1433, "ms-sql-s"),
    service(T, 1434, "ms-sql-m"),
    service(T, 1521, "ncube-lm (Oracle)"),
    service(T, 1723, "pptp"),
    service(T, 1883, "mqtt"),
    service(T, 1911, "mtp (Niagara Fox)"),
    service(T, 2000, "cisco-sccp / MikroTik"),
    service(T, 2049, "nfs"),
    service(T, 2082, "infowave (cPanel)"),
    service(T, 2083, "radsec (cPanel)"),
    service(T, 2087, "eli (WHM)"),
    service(T, 2121, "scientia-ssdb (FTP)"),
    service(T, 2181, "eforward (ZooKeeper)"),
    service(T, 2222, "EtherNet-IP-1 / ssh"),
    service(T, 2323, "3d-nfsd (telnet)"),
    service(T, 2375, "docker"),
    service(T, 2376, "docker-s"),
    service(T, 2379, "etcd-client"),
    service(T, 2601, "discp-client (zebra)"),
    service(T, 3000, "hbci (http)"),
    service(T, 3128, "ndl-aas (Squid)"),
    service(T, 3268, "msft-gc"),
    service(T, 3306, "mysql"),
    service(T, 3389, "ms-wbt-server (RDP)"),
    service(T, 3690, "svn"),
    service(T, 4028, "dtserver-port (miners)"),
    service(T, 4369, "epmd"),
    service(T, 4433, "vop (https)"),
    service(T, 4443, "pharos (https)"),
    service(T, 4567, "tram (router CWMP)"),
    service(T, 4786, "smart-install"),
    service(T, 4899, "radmin-port"),
    service(T, 5000, "commplex-main (UPnP, http)"),
    service(T, 5038, "Asterisk AMI"),
    service(T, 5060, "sip"),
    service(T, 5061, "sips"),
    service(T, 5222, "xmpp-client"),
    service(T, 5358, "wsdapi-s (telnet)"),
    service(T, 5432, "postgresql"),
    service(T, 5500, "fcp-addr-srvr1 (http)"),
    service(T, 5555, "personal-agent (ADB)"),
    service(T, 5601, "esmagent (Kibana)"),
    service(T, 5671, "amqps"),
    service(T, 5672, "amqp"),
    service(T, 5800, "VNC (http)"),
    service(T, 5900, "rfb (VNC)"),
    service(T, 5901, "VNC"),
    service(T, 5938, "TeamViewer"),
    service(T, 5984, "couchdb"),
    service(T, 5985, "wsman"),
    service(T, 5986, "wsmans"),
    service(T, 6000, "x11"),
    service(T, 6036, "DVR"),
    service(T, 6379, "redis"),
    service(T, 6443, "sun-sr-https (Kubernetes)"),
    service(T, 6667, "ircu"),
    service(T, 6881, "BitTorrent"),
    service(T, 7001, "afs3-callback (WebLogic)"),
    service(T, 7070, "arcp (AnyDesk)"),
    service(T, 7547, "cwmp (TR-069)"),
    service(T, 7680, "pando-pub"),
    service(T, 8000, "irdmi (http)"),
    service(T, 8008, "http-alt"),
    service(T, 8009, "nvme-disc (AJP)"),
    service(T, 8080, "http-alt"),
    service(T, 8081, "sunproxyadmin (http)"),
    service(T, 8088, "radan-http (YARN)"),
    service(T, 8089, "Splunk"),
    service(T, 8090, "opsmessaging (http)"),
    service(T, 8123, "Home Assistant / ClickHouse"),
    service(T, 8140, "Puppet"),
    service(T, 8181, "intermapper (http)"),
    service(T, 8291, "MikroTik Winbox"),
    service(T, 8333, "bitcoin"),
    service(T, 8443, "pcsync-https"),
    service(T, 8545, "Ethereum JSON-RPC"),
    service(T, 8554, "rtsp-alt"),
    service(T, 8728, "MikroTik RouterOS API"),
    service(T, 8729, "MikroTik RouterOS API (TLS)"),
    service(T, 8834, "Nessus"),
    service(T, 8883, "secure-mqtt"),
    service(T, 8888, "ddi-tcp-1 (http)"),
    service(T, 9000, "cslistener (http)"),
    service(T, 9001, "etlservicemgr (Tor)"),
    service(T, 9042, "Cassandra"),
    service(T, 9090, "websm (Prometheus)"),
    service(T, 9092, "XmlIpcRegSvc (Kafka)"),
    service(T, 9100, "pdl-datastream"),
    service(T, 9200, "wap-wsp (Elasticsearch)"),
    service(T, 9300, "vrace (Elasticsearch)"),
    service(T, 9418, "git"),
    service(T, 9530, "DVR (Xiongmai)"),
    service(T, 9600, "micromuse-ncpw (OMRON FINS)"),
    service(T, 9999, "distinct"),
    service(T, 10000, "ndmp (Webmin)"),
    service(T, 10250, "kubelet"),
    service(T, 11211, "memcache"),
    service(T, 15672, "RabbitMQ"),
    service(T, 16992, "amt-soap-http"),
    service(T, 18789, "AI agent gateway"),
    service(T, 20000, "dnp"),
    service(T, 23231, "telnet (botnets)"),
    service(T, 25565, "minecraft"),
    service(T, 26, "telnet (botnets)"),
    service(T, 27015, "Steam"),
    service(T, 27017, "mongodb"),
    service(T, 30005, "CWMP (routers)"),
    service(T, 34567, "DVR (Xiongmai)"),
    service(T, 37215, "Huawei HG532 (UPnP)"),
    service(T, 37777, "Dahua DVR"),
    service(T, 44818, "EtherNet-IP-2"),
    service(T, 47808, "bacnet"),
    service(T, 49152, "UPnP (dynamic)"),
    service(T, 50000, "SAP / DB2"),
    service(T, 50050, "Cobalt Strike"),
    service(T, 52869, "Realtek SDK (UPnP)"),
    service(T, 60001, "JAWS DVR"),
    service(T, 61616, "ActiveMQ"),
    service(U, 7, "echo"),
    service(U, 17, "qotd"),
    service(U, 19, "chargen"),
    service(U, 53, "domain"),
    service(U, 67, "bootps"),
    service(U, 69, "tftp"),
    service(U, 80, "http (QUIC)"),
    service(U, 111, "sunrpc"),
    service(U, 123, "ntp"),
    service(U, 137, "netbios-ns"),
    service(U, 138, "netbios-dgm"),
    service(U, 161, "snmp"),
    service(U, 177, "xdmcp"),
    service(U, 389, "ldap (CLDAP)"),
    service(U, 427, "svrloc (SLP)"),
    service(U, 443, "https (QUIC)"),
    service(U, 500, "isakmp"),
    service(U, 514, "syslog"),
    service(U, 520, "router (RIP)"),
    service(U, 623, "asf-rmcp (IPMI)"),
    service(U, 1194, "openvpn"),
    service(U, 1434, "ms-sql-m"),
    service(U, 1604, "icabrowser (Citrix)"),
    service(U, 1701, "l2f (L2TP)"),
    service(U, 1900, "ssdp"),
    service(U, 2123, "gtp-control"),
    service(U, 2152, "gtp-user"),
    service(U, 3283, "net-assistant (ARD)"),
    service(U, 3389, "ms-wbt-server (RDP)"),
    service(U, 3702, "ws-discovery"),
    service(U, 4500, "ipsec-nat-t"),
    service(U, 5004, "avt-profile-1 (RTP)"),
    service(U, 5060, "sip"),
    service(U, 5093, "sentinel-lm"),
    service(U, 5351, "nat-pmp"),
    service(U, 5353, "mdns"),
    service(U, 5632, "pcanywherestat"),
    service(U, 5683, "coap"),
    service(U, 6881, "BitTorrent"),
    service(U, 10001, "Ubiquiti discovery"),
    service(U, 10074, "Mitel (TP-240)"),
    service(U, 11211, "memcache"),
    service(U, 17185, "VxWorks debug"),
    service(U, 20000, "dnp"),
    service(U, 27015, "Steam"),
    service(U, 30120, "FiveM"),
    service(U, 32414, "Plex (GDM)"),
    service(U, 33434, "traceroute"),
    service(U, 37810, "Dahua DHDiscover"),
    service(U, 44818, "EtherNet-IP-2"),
    service(U, 47808, "bacnet"),
    service(U, 48899, "ADwin"),
    service(U, 51820, "WireGuard"),
    service(U, 53413, "Netis router"),
];

/// The row of a port, if it has a name.
#[must_use]
pub fn find(protocol: u8, port: u16) -> Option<&'static ServiceName> {
    SERVICES
        .iter()
        .find(|service| service.protocol == protocol && service.port == port)
}

/// The short name of an IP protocol, for `23/TCP`; its number if it has no name here.
#[must_use]
pub fn protocol_name(number: u8) -> String {
    match number {
        1 => "ICMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        47 => "GRE".to_owned(),
        58 => "ICMPv6".to_owned(),
        132 => "SCTP".to_owned(),
        other => format!("IP{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_named_twice() {
        let mut keys: Vec<_> = SERVICES
            .iter()
            .map(|service| (service.protocol, service.port))
            .collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn every_port_of_devices_has_a_name() {
        for (protocol, port) in teiten_aggregator::survey::DEVICE_PORTS {
            assert!(find(*protocol, *port).is_some(), "{protocol} {port}");
        }
        assert!(find(17, 23).is_none());
    }
}
