//! Each kind of sink with a real receiver: a server on loopback, a program, a file.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;
use crate::alert::{AlertKind, AlertState, Severity};

fn alert() -> (Alert, String) {
    let alert = Alert {
        id: "0123456789abcdef".to_owned(),
        event: "fedcba9876543210".to_owned(),
        owner: "東京の大学".to_owned(),
        contact: "csirt@example.org".to_owned(),
        state: AlertState::Begins,
        kind: AlertKind::Scan,
        severity: Severity::High,
        src_ip: Some("192.0.2.7".to_owned()),
        victim_ip: None,
        sensor: "tokyo".to_owned(),
        first: "2026-11-05T08:04:09.000001Z".to_owned(),
        last: "2026-11-05T08:09:09.000001Z".to_owned(),
        packets: 14,
        evidence: json!({"why": "it scans", "samples": ["2026-11-05T08:04:09.000001Z 192.0.2.7 tcp-syn"]}),
    };
    let line = serde_json::to_string(&alert).expect("as text");
    (alert, line)
}

fn sink(text: &str, folder: &Path) -> Result<AlertSink, String> {
    let text: SinkText = toml::from_str(text).map_err(|error| error.to_string())?;
    text.checked(folder)
}

/// A server that answers each request by the next of `answers`; gives what it was sent.
fn served(answers: Vec<&'static str>) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("bound").port();
    let thread = std::thread::spawn(move || {
        let serve = |answer: &str| {
            let (stream, _) = listener.accept().expect("a client comes");
            let request = request(&stream);
            (&stream).write_all(answer.as_bytes()).expect("it listens");
            request
        };
        answers.into_iter().map(serve).collect()
    });
    (port, thread)
}

/// A request's head and body.
fn request(stream: impl Read) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().expect("a number");
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    head + &String::from_utf8(body).expect("text")
}

#[test]
fn a_webhook_acknowledges_by_its_status_and_says_what_is_for_good() {
    let (alert, line) = alert();
    let answers = vec![
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.1 422 Unprocessable Content\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "",
    ];
    let (port, server) = served(answers);
    let text = format!(
        "name = \"soc\"\nkind = \"webhook\"\nurl = \"http://localhost:{port}/in?box=1\"\nheaders = {{ Authorization = \"Bearer x\" }}\n"
    );
    let sink = sink(&text, Path::new("")).expect("a good sink");
    let outcomes: Vec<_> = (0..7)
        .map(|_| match sink.deliver(Path::new(""), &alert, &line) {
            Ok(()) => (true, false, None),
            Err(failure) => (false, failure.is_final, failure.after_seconds),
        })
        .collect();
    let again = (false, false, None);
    assert_eq!(
        outcomes,
        [
            (true, false, None),
            (true, false, None),
            (false, false, Some(7)),
            again,
            (false, true, None),
            again,
            again
        ]
    );
    let requests = server.join().expect("it ends");
    assert!(
        requests[0].starts_with("POST /in?box=1 HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    for part in [
        &format!("Host: localhost:{port}\r\n")[..],
        "Idempotency-Key: 0123456789abcdef\r\n",
        "Authorization: Bearer x\r\n",
        "Content-Type: application/json\r\n",
        "\r\n\r\n{\"id\":\"0123456789abcdef\"",
    ] {
        assert!(requests[0].contains(part), "{part} in {}", requests[0]);
    }
    assert!(requests[0].ends_with(&line));
}

#[test]
fn a_syslog_message_is_framed_and_whole_and_a_reset_is_a_failure() {
    let (alert, line) = alert();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("bound").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client comes");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        text
    });
    let text = format!("name = \"log\"\nkind = \"syslog\"\naddress = \"{address}\"\n");
    let sink = sink(&text, Path::new("")).expect("a good sink");
    sink.deliver(Path::new(""), &alert, &line).expect("taken");
    let received = server.join().expect("it ends");
    let (length, message) = received.split_once(' ').expect("a length");
    assert_eq!(length.parse(), Ok(message.len()));
    // Facility 13, critical.
    assert!(message.starts_with("<106>1 2"), "{message}");
    let words: Vec<&str> = message.splitn(8, ' ').collect();
    assert_eq!(
        (words[3], words[5], words[6]),
        ("teiten", "begins", "[alert@32473")
    );
    assert!(message.contains("id=\"0123456789abcdef\" event=\"fedcba9876543210\"] \u{feff}{"));
    assert!(message.ends_with(&line));
    // Nobody listens any more.
    let failure = sink
        .deliver(Path::new(""), &alert, &line)
        .expect_err("nobody");
    assert!(
        !failure.is_final && failure.reason.contains(&address),
        "{failure:?}"
    );
}

#[test]
fn lines_are_whole_and_come_once_also_behind_a_torn_one() {
    let (alert, line) = alert();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "name = \"log\"\nkind = \"json-lines\"\npath = \"out.jsonl\"\n";
    let sink = sink(text, folder.path()).expect("a good sink");
    let path = folder.path().join("out.jsonl");
    std::fs::write(&path, &line[..40]).expect("writable");
    for _ in 0..3 {
        sink.deliver(Path::new(""), &alert, &line)
            .expect("writable");
    }
    let written = std::fs::read_to_string(&path).expect("readable");
    assert_eq!(written, format!("{}\n{line}\n", &line[..40]));
    // Without a path it is a file of the dataset.
    let of_dataset = AlertSink::lines_of_dataset("alerts");
    of_dataset
        .deliver(folder.path(), &alert, &line)
        .expect("writable");
    let written = std::fs::read_to_string(folder.path().join("alerts.jsonl"));
    assert_eq!(written.expect("readable"), format!("{line}\n"));
}

#[test]
fn a_command_has_the_line_on_its_input_and_its_success_counts() {
    let (alert, line) = alert();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let text = format!(
        "name = \"run\"\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > {0}; echo $TEITEN_ALERT_ID >> {0}\"]\n",
        out.display()
    );
    let good = sink(&text, folder.path()).expect("a good sink");
    good.deliver(folder.path(), &alert, &line)
        .expect("it succeeds");
    let written = std::fs::read_to_string(&out).expect("readable");
    assert_eq!(written, format!("{line}\n0123456789abcdef\n"));
    for command in ["[\"false\"]", "[\"/no/such/program\"]"] {
        let text = format!("name = \"run\"\nkind = \"command\"\ncommand = {command}\n");
        let bad = sink(&text, folder.path()).expect("a good sink");
        let failure = bad
            .deliver(folder.path(), &alert, &line)
            .expect_err(command);
        assert!(!failure.is_final, "{failure:?}");
    }
}

#[test]
fn mail_goes_to_the_contact_by_sendmail() {
    let (alert, line) = alert();
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Stands in for sendmail, whose form of arguments it has: the message comes on standard input.
    let out = folder.path().join("out");
    let text = format!(
        "name = \"mail\"\nkind = \"mail\"\nfrom = \"teiten@example.net\"\ncommand = [\"sh\", \"-c\", \"echo $0 $1 > {0}; cat >> {0}\", \"-t\", \"-i\"]\n",
        out.display()
    );
    let mail = sink(&text, folder.path()).expect("a good sink");
    mail.deliver(folder.path(), &alert, &line)
        .expect("it succeeds");
    let written = std::fs::read_to_string(&out).expect("readable");
    for part in [
        "-t -i\nFrom: teiten@example.net\nTo: csirt@example.org\nSubject: =?UTF-8?B?",
        "\nMessage-ID: <0123456789abcdef.teiten@example.net>\n",
        "\nContent-Transfer-Encoding: base64\n\n",
    ] {
        assert!(written.contains(part), "{part} in {written}");
    }
    let nobody = Alert {
        contact: String::new(),
        ..alert
    };
    let failure = mail
        .deliver(folder.path(), &nobody, &line)
        .expect_err("no recipient");
    assert!(
        failure.is_final && failure.reason.contains("no e-mail address"),
        "{failure:?}"
    );
}

#[test]
fn what_is_wrong_with_a_sink_is_named() {
    let with = |lines: &str| sink(&format!("name = \"soc\"\n{lines}"), Path::new(""));
    for (lines, part) in [
        (
            "kind = \"sms\"\n",
            "there are json-lines, command, webhook, syslog and mail",
        ),
        ("kind = \"webhook\"\n", "needs `url`"),
        (
            "kind = \"webhook\"\nurl = \"ftp://soc.example.org/\"\n",
            "is no address",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://soc.example.org/\"\nca = \"ca.pem\"\n",
            "`ca` is for an https url",
        ),
        (
            "kind = \"command\"\ncommand = [\"true\"]\nca = \"ca.pem\"\n",
            "`ca` is not for kind \"command\"",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://user@host/\"\n",
            "is no address",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://host:0/\"\n",
            "is no address",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://host/a b\"\n",
            "is no address",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\nheaders = { Host = \"x\" }\n",
            "is set by the program",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\nheaders = { A = \"x\\r\\nB: y\" }\n",
            "not understood",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://h/\"\npath = \"x\"\n",
            "`path` is not for kind \"webhook\"",
        ),
        (
            "kind = \"syslog\"\naddress = \"host\"\n",
            "no host and port",
        ),
        (
            "kind = \"syslog\"\naddress = \"::1:514\"\n",
            "no host and port",
        ),
        ("kind = \"mail\"\n", "needs `from`"),
        ("kind = \"mail\"\nfrom = \"x\"\n", "no e-mail address"),
        (
            "kind = \"mail\"\nfrom = \"a@b\\nBcc: c@d\"\n",
            "no e-mail address",
        ),
        ("kind = \"command\"\ncommand = []\n", "is a list"),
    ] {
        let reason = with(lines).expect_err(lines);
        assert!(
            reason.contains(part) && reason.contains("sink \"soc\""),
            "{reason}"
        );
    }
    assert!(sink("name = \"../x\"\nkind = \"json-lines\"\n", Path::new("")).is_err());
    for url in [
        "http://[::1]:8080/x",
        "http://host",
        "http://host?x=1",
        "https://hooks.example.org/services/T0/B0/x",
    ] {
        with(&format!("kind = \"webhook\"\nurl = \"{url}\"\n")).expect(url);
    }
}

/// Runs openssl; false where there is none.
fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    let run = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    match run {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        run => {
            assert!(run.expect("it runs").success(), "{arguments:?}");
            true
        }
    }
}

/// An authority of our own, and a server on loopback with a certificate of it.
struct TlsServer {
    child: Child,
    port: u16,
}

impl TlsServer {
    fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let mut server = Command::new("openssl");
        server
            .args(["s_server", "-quiet", "-cert", "cert.pem", "-key", "key.pem"])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // It ends when it is dropped, also where a test fails.
        let server = TlsServer {
            child: server.spawn().expect("it starts"),
            port,
        };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the server does not listen");
    }

    /// Takes a request, and answers it.
    fn serve(&mut self, answer: &str) -> String {
        let output = self.child.stdout.as_mut().expect("piped");
        let request = request(output);
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(answer.as_bytes()).expect("it listens");
        input.flush().expect("it listens");
        request
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_webhook_speaks_tls_and_says_whose_certificate_it_does_not_trust() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=teiten \
               -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem";
    let key: Vec<&str> = key.split_whitespace().collect();
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    if !has_curl || !openssl(folder, &key) {
        eprintln!("SKIPPED: there is no program curl, or no openssl");
        return;
    }
    let (alert, line) = alert();
    let mut server = TlsServer::start(folder);
    let sink_with = |lines: &str| {
        let port = server.port;
        let text = format!(
            "name = \"soc\"\nkind = \"webhook\"\nurl = \"https://127.0.0.1:{port}/services/secret?x=[1]\"\n{lines}"
        );
        sink(&text, folder).expect("a good sink")
    };
    let trusting = sink_with("ca = \"cert.pem\"\nheaders = { Authorization = \"a \\\"b\\\\\" }\n");
    let (stranger, lost) = (sink_with(""), sink_with("ca = \"none.pem\"\n"));
    // The certificate is judged before anything is sent.
    for (sink, parts) in [
        (stranger, ["certificate", "`ca = \"FILE\"`"]),
        (lost, ["none.pem", "must name a readable PEM file"]),
    ] {
        let failure = sink.deliver(folder, &alert, &line).expect_err("refused");
        let reason = &failure.reason;
        assert!(!failure.is_final, "{reason}");
        assert!(parts.iter().all(|part| reason.contains(part)), "{reason}");
        assert!(!reason.contains("secret"), "{reason}");
    }
    for (answer, after_seconds) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            None,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 9\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Some(9),
        ),
    ] {
        let outcome = std::thread::scope(|scope| {
            let sent = scope.spawn(|| trusting.deliver(folder, &alert, &line));
            let request = server.serve(answer);
            let port = server.port;
            for part in [
                "POST /services/secret?x=[1] HTTP/1.1\r\n",
                &format!("Host: 127.0.0.1:{port}\r\n"),
                "Idempotency-Key: 0123456789abcdef\r\n",
                "Authorization: a \"b\\\r\n",
                "Content-Type: application/json\r\n",
            ] {
                assert!(request.contains(part), "{part} in {request}");
            }
            assert!(request.ends_with(&line), "{request}");
            sent.join().expect("no panic")
        });
        assert_eq!(
            outcome.map_err(|it| it.after_seconds),
            after_seconds.map_or(Ok(()), |it| Err(Some(it)))
        );
    }
}
