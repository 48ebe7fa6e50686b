//! Reads just enough of ASN.1's basic encoding (X.690) to tell SNMP and LDAP messages apart: a tag, a length, the contents.

/// One element.
pub(super) struct Element<'a> {
    /// Its tag, one byte.
    pub tag: u8,
    /// Its contents, as far as they were captured.
    pub contents: &'a [u8],
    /// What follows it.
    pub rest: &'a [u8],
}

/// The element at the start of `bytes`; `None` if tag or length is missing or the length has more than four bytes.
pub(super) fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&[tag, first], behind) = bytes.split_first_chunk::<2>()?;
    let (length, behind) = if first < 0x80 {
        (usize::from(first), behind)
    } else {
        let count = usize::from(first & 0x7f);
        if count > 4 {
            return None;
        }
        let (digits, behind) = behind.split_at_checked(count)?;
        let length = digits
            .iter()
            .fold(0_u64, |length, &digit| length << 8 | u64::from(digit));
        (length as usize, behind)
    };
    let (contents, rest) = behind.split_at(length.min(behind.len()));
    Some(Element {
        tag,
        contents,
        rest,
    })
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The tag of the protocol data unit of an SNMP v1 or v2c message (RFC 1157, RFC 3416), and 0 for one of version 3.
pub(super) fn snmp(bytes: &[u8]) -> Option<u8> {
    let message = element(bytes).filter(|message| message.tag == SEQUENCE)?;
    let version = element(message.contents).filter(|version| version.tag == INTEGER)?;
    match version.contents {
        [0 | 1] => {
            let community = element(version.rest).filter(|string| string.tag == OCTET_STRING)?;
            Some(element(community.rest)?.tag)
        }
        [3] => Some(0),
        _ => None,
    }
}

/// Whether an SNMP version 3 message asks for a report or an answer (RFC 3412, 6.4: the reportable bit of msgFlags).
pub(super) fn snmp_3_is_reportable(bytes: &[u8]) -> bool {
    let flags = || {
        let message = element(bytes)?;
        let version = element(message.contents)?;
        let header = element(version.rest)?;
        let identifier = element(header.contents)?;
        let size = element(identifier.rest)?;
        element(size.rest)?.contents.first().copied()
    };
    flags().is_some_and(|flags| flags & 4 != 0)
}

/// The tag of the operation of an LDAP message (RFC 4511, 4.1.1).
pub(super) fn ldap(bytes: &[u8]) -> Option<u8> {
    let message = element(bytes).filter(|message| message.tag == SEQUENCE)?;
    let identifier = element(message.contents).filter(|number| number.tag == INTEGER)?;
    identifier.rest.first().copied()
}

/// Whether this is a Kerberos request for a ticket (RFC 4120, 5.4.1): the application's tag holds a sequence, its version 5.
pub(super) fn is_kerberos_request(bytes: &[u8]) -> bool {
    is_kerberos(bytes, &[0x6a, 0x6c], 0xa1)
}

/// Whether this is a Kerberos answer: a ticket or an error (RFC 4120, 5.4.2 and 5.9.1).
pub(super) fn is_kerberos_reply(bytes: &[u8]) -> bool {
    is_kerberos(bytes, &[0x6b, 0x6d, 0x7e], 0xa0)
}

/// One of the tags, and in it a sequence that begins with the version, 5, under the given tag.
fn is_kerberos(bytes: &[u8], tags: &[u8], version: u8) -> bool {
    element(bytes)
        .filter(|message| tags.contains(&message.tag))
        .and_then(|message| element(message.contents))
        .is_some_and(|sequence| {
            sequence.tag == SEQUENCE && sequence.contents.starts_with(&[version, 3, INTEGER, 1, 5])
        })
}
