//! An alert as e-mail (RFC 5322), which sendmail takes on standard input. Its `Message-ID` is the alert's id, so a repeated delivery is the same
//! message.

use serde_json::Value;

use crate::alert::Alert;

/// The program by default: recipients are those of the headers, and a line with a dot does not end the message.
pub(super) fn sendmail() -> Vec<String> {
    ["/usr/sbin/sendmail", "-t", "-i"].map(str::to_owned).into()
}

/// Bytes of an encoded word's text, at most: 75 characters of it with its frame (RFC 2047, section 2).
const WORD_BYTES_MAX: usize = 45;

/// An address without the letters that would end a header.
pub(super) fn checked_address(address: String) -> Result<String, String> {
    let is_plain = address.is_ascii() && !address.chars().any(char::is_control);
    if address.contains('@') && is_plain {
        Ok(address)
    } else {
        Err(format!(
            "{address:?} is no e-mail address such as soc@example.org"
        ))
    }
}

/// The message.
pub(super) fn message(alert: &Alert, from: &str, to: &str, line: &str) -> String {
    let domain = from
        .trim_end_matches('>')
        .rsplit('@')
        .next()
        .unwrap_or("localhost");
    let date = jiff::fmt::rfc2822::to_string(&jiff::Zoned::now()).unwrap_or_default();
    let subject = encoded(&format!("[teiten] {}", alert.headline()));
    format!(
        "From: {from}\nTo: {to}\nSubject: {subject}\nDate: {date}\nMessage-ID: <{}.teiten@{domain}>\nAuto-Submitted: auto-generated\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{}",
        alert.id,
        wrapped(&base64(text(alert, line).as_bytes()))
    )
}

/// The text for people, and behind it the object.
fn text(alert: &Alert, line: &str) -> String {
    let mut text = format!(
        "{}\n\nSeverity: {:?}\nFirst packet: {}\nLast packet: {}\nPackets: {}\nSensor: {}\n",
        alert.headline(),
        alert.severity,
        alert.first,
        alert.last,
        alert.packets,
        alert.sensor
    );
    if let Some(why) = alert.evidence["why"].as_str() {
        text.push_str(&format!("Why: {why}\n"));
    }
    let samples = alert.evidence["samples"].as_array();
    let samples = samples.into_iter().flatten().filter_map(Value::as_str);
    for sample in samples {
        text.push_str(&format!("  {sample}\n"));
    }
    text.push_str(&format!("\n{line}\n"));
    text
}

/// A header's text, as encoded words where it is not ASCII (RFC 2047).
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        if word.len() + letter.len_utf8() > WORD_BYTES_MAX {
            words.push(std::mem::take(&mut word));
        }
        word.push(letter);
    }
    words.push(word);
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("=?UTF-8?B?{}?=", base64(word.as_bytes())))
        .collect();
    words.join("\n ")
}

/// Base64 (RFC 4648) with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let octet = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for index in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= chunk.len() {
                letter.into()
            } else {
                '='
            });
        }
    }
    text
}

/// Lines of 76 characters (RFC 2045, 6.8).
fn wrapped(text: &str) -> String {
    let lines = text.as_bytes().chunks(76).map(String::from_utf8_lossy);
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }

    #[test]
    fn a_japanese_subject_is_of_encoded_words_that_are_short_enough() {
        let text = "東京の大学の計算機センターの計算機が暗号資産を探しています";
        let words = encoded(text);
        assert!(
            words.lines().all(|line| line.trim_start().len() <= 75),
            "{words}"
        );
        assert!(words.starts_with("=?UTF-8?B?"));
        assert_eq!(encoded("plain"), "plain");
    }
}
