//! Who receives alerts, and how: a table `[[sink]]` of `watch.toml` each. A delivery has succeeded once the receiver said so, as far as its
//! protocol lets it.

mod command;
mod lines;
mod mail;
mod syslog;
mod webhook;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Alert;
use webhook::{WebhookAddress, WebhookPost};

/// Letters of the name of a sink, which is that of its folder.
const NAME_BYTES_MAX: usize = 64;

/// A sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSink {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
}

/// The kinds of sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// Appends JSON lines to a file; without a path to `alerts.jsonl` in the dataset.
    JsonLines {
        /// The file.
        path: Option<PathBuf>,
    },
    /// Runs a program for each alert, with the JSON line on standard input.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// Posts the JSON object.
    Webhook {
        /// Where to.
        address: WebhookAddress,
        /// Further headers: names and values.
        headers: Vec<(String, String)>,
        /// Certificates that are trusted instead of the system's, a PEM file.
        trusted: Option<PathBuf>,
    },
    /// Sends RFC 5424 messages over TCP (RFC 6587, octet counting).
    Syslog {
        /// Host and port.
        address: String,
    },
    /// Hands e-mail to sendmail.
    Mail {
        /// The program and its arguments.
        command: Vec<String>,
        /// The sender.
        from: String,
        /// The recipient; without one the contact of the owner.
        to: Option<String>,
    },
}

/// Why an alert did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SinkFailure {
    pub reason: String,
    /// Seconds after which the receiver wants to be asked again; it may say nothing.
    pub after_seconds: Option<u64>,
    /// Whether it will never take this alert.
    pub is_final: bool,
}

impl SinkFailure {
    pub(super) fn again(reason: impl Into<String>) -> Self {
        SinkFailure {
            reason: reason.into(),
            after_seconds: None,
            is_final: false,
        }
    }

    pub(super) fn for_good(reason: impl Into<String>) -> Self {
        SinkFailure {
            is_final: true,
            ..SinkFailure::again(reason)
        }
    }
}

impl AlertSink {
    /// JSON lines in the dataset's folder.
    pub(super) fn lines_of_dataset(name: &str) -> Self {
        AlertSink {
            name: name.to_owned(),
            kind: SinkKind::JsonLines { path: None },
        }
    }

    /// Delivers an alert, whose JSON text is `line`.
    pub(super) fn deliver(
        &self,
        data: &Path,
        alert: &Alert,
        line: &str,
    ) -> Result<(), SinkFailure> {
        match &self.kind {
            SinkKind::JsonLines { path } => {
                let path = path
                    .clone()
                    .unwrap_or_else(|| data.join(lines::FILE_DEFAULT));
                lines::append(&path, line)
            }
            SinkKind::Command { command } => {
                let environment = [("TEITEN_ALERT_ID", &alert.id[..])];
                command::run(command, &environment, format!("{line}\n").as_bytes())
            }
            SinkKind::Webhook {
                address,
                headers,
                trusted,
            } => {
                let post = WebhookPost {
                    headers,
                    id: &alert.id,
                    body: line,
                };
                webhook::post(address, trusted.as_deref(), post)
            }
            SinkKind::Syslog { address } => syslog::send(address, alert, line),
            SinkKind::Mail { command, from, to } => {
                let to = to.as_deref().unwrap_or(&alert.contact);
                if let Err(reason) = mail::checked_address(to.to_owned()) {
                    return Err(SinkFailure::for_good(format!(
                        "the contact of owner {:?}: {reason}, and the sink has no `to`",
                        alert.owner
                    )));
                }
                command::run(
                    command,
                    &[],
                    mail::message(alert, from, to, line).as_bytes(),
                )
            }
        }
    }
}

/// A sink as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkText {
    name: String,
    kind: String,
    path: Option<PathBuf>,
    command: Option<Vec<String>>,
    url: Option<String>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    ca: Option<PathBuf>,
    address: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl SinkText {
    /// The sink; paths are relative to `folder`.
    pub(super) fn checked(self, folder: &Path) -> Result<AlertSink, String> {
        let name = self.name.clone();
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty()
            || name.len() > NAME_BYTES_MAX
            || name.starts_with('.')
            || !name.bytes().all(is_letter)
        {
            return Err(format!(
                "sink {name:?}: a name has letters, digits, `.`, `_` and `-`, at most {NAME_BYTES_MAX}"
            ));
        }
        let kind = self.checked_kind(folder);
        let kind = kind.map_err(|reason| format!("sink {name:?}: {reason}"))?;
        Ok(AlertSink { name, kind })
    }

    fn checked_kind(self, folder: &Path) -> Result<SinkKind, String> {
        let allowed: &[&str] = match &self.kind[..] {
            "json-lines" => &["path"],
            "command" => &["command"],
            "webhook" => &["url", "headers", "ca"],
            "syslog" => &["address"],
            "mail" => &["command", "from", "to"],
            other => {
                return Err(format!(
                    "kind {other:?}: there are json-lines, command, webhook, syslog and mail"
                ));
            }
        };
        let given = [
            ("path", self.path.is_some()),
            ("command", self.command.is_some()),
            ("url", self.url.is_some()),
            ("headers", !self.headers.is_empty()),
            ("ca", self.ca.is_some()),
            ("address", self.address.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
        ];
        let foreign = given
            .iter()
            .find(|(name, is_given)| *is_given && !allowed.contains(name));
        if let Some((name, _)) = foreign {
            return Err(format!(
                "`{name}` is not for kind {:?}, which has {}",
                self.kind,
                allowed.join(", ")
            ));
        }
        let missing = |name: &str| format!("kind {:?} needs `{name}`", self.kind);
        let command = |command: Option<Vec<String>>| match command {
            Some(command) if command.first().is_none_or(String::is_empty) => {
                Err("`command` is a list: the program and its arguments".to_owned())
            }
            command => Ok(command),
        };
        Ok(match &self.kind[..] {
            "json-lines" => SinkKind::JsonLines {
                path: self.path.map(|path| folder.join(path)),
            },
            "command" => SinkKind::Command {
                command: command(self.command)?.ok_or_else(|| missing("command"))?,
            },
            "webhook" => {
                let address = WebhookAddress::parse(&self.url.ok_or_else(|| missing("url"))?)?;
                if self.ca.is_some() && !address.is_tls() {
                    return Err(
                        "`ca` is for an https url: over http nobody shows a certificate".to_owned(),
                    );
                }
                SinkKind::Webhook {
                    address,
                    headers: webhook::checked_headers(self.headers)?,
                    trusted: self.ca.map(|path| folder.join(path)),
                }
            }
            "syslog" => SinkKind::Syslog {
                address: syslog::checked(self.address.ok_or_else(|| missing("address"))?)?,
            },
            _ => SinkKind::Mail {
                command: command(self.command)?.unwrap_or_else(mail::sendmail),
                from: mail::checked_address(self.from.ok_or_else(|| missing("from"))?)?,
                to: self.to.map(mail::checked_address).transpose()?,
            },
        })
    }
}

#[cfg(test)]
mod tests;
