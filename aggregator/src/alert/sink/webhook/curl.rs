//! An https request by curl: its settings go to its standard input, so that no secret of an address or a header is seen among the programs that
//! run, and its own settings file is not read.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{CONNECT_MAX, STEP_MAX, WebhookAddress, WebhookPost};

/// Exit codes of curl by which a certificate is refused (curl(1), EXIT CODES): not trusted, and of trusted certificates no readable file.
const NOT_TRUSTED: i32 = 60;
const NO_TRUSTED_FILE: i32 = 77;

/// Sends a request; the head of the final answer, or why there is none.
pub(super) fn ask(
    address: &WebhookAddress,
    trusted: Option<&Path>,
    post: WebhookPost<'_>,
) -> Result<String, String> {
    let output = run(&settings(address, trusted, post)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "https needs the program curl, which is not installed".to_owned()
        }
        _ => format!("cannot run curl: {error}"),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("curl says nothing");
        let advice = match output.status.code() {
            Some(NOT_TRUSTED) => {
                "; a certificate of your own authority is trusted with `ca = \"FILE\"` in the sink"
            }
            Some(NO_TRUSTED_FILE) => "; `ca` of the sink must name a readable PEM file",
            _ => "",
        };
        return Err(format!("{said} ({}){advice}", output.status));
    }
    let heads = String::from_utf8_lossy(&output.stdout).into_owned();
    // Answers before the answer come first (RFC 9110, 15.2).
    let last = heads.trim_end().rsplit("\r\n\r\n").next();
    Ok(last.unwrap_or_default().to_owned())
}

fn run(settings: &str) -> std::io::Result<Output> {
    let mut child = Command::new("curl")
        .args(["--disable", "--config", "-"])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // curl reads its settings to their end before it writes anything.
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut pipe| pipe.write_all(settings.as_bytes()));
    let output = child.wait_with_output()?;
    match output.status.success() {
        // Otherwise its own words say more.
        true => written.map(|()| output),
        false => Ok(output),
    }
}

fn settings(address: &WebhookAddress, trusted: Option<&Path>, post: WebhookPost<'_>) -> String {
    let WebhookAddress {
        authority, path, ..
    } = address;
    let mut lines = vec![
        "silent".to_owned(),
        "show-error".to_owned(),
        "http1.1".to_owned(),
        "globoff".to_owned(),
        "suppress-connect-headers".to_owned(),
        setting("proto", "=https"),
        setting("connect-timeout", &CONNECT_MAX.as_secs().to_string()),
        setting("max-time", &STEP_MAX.as_secs().to_string()),
        setting("dump-header", "-"),
        setting("output", "/dev/null"),
        setting("url", &format!("https://{authority}{path}")),
        // Bodies are small: nobody need be asked before.
        setting("header", "Expect:"),
    ];
    lines.extend(post.headers().iter().map(|line| setting("header", line)));
    lines.extend(trusted.map(|file| setting("cacert", &file.to_string_lossy())));
    lines.push(setting("data-raw", post.body));
    lines.join("\n") + "\n"
}

/// A line of curl's settings (curl(1), `--config`).
fn setting(name: &str, value: &str) -> String {
    let mut line = format!("{name} = \"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => line.extend(['\\', letter]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other => line.push(other),
        }
    }
    line + "\""
}
