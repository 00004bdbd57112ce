//! The text of a body.

/// What some senders (.NET among them) write in front of JSON. A reader may pass over it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The JSON text in `body`: UTF-8, behind a byte order mark if there is one. Only the first one is passed over.
///
/// # Errors
///
/// What `body` is instead, as the problem is told.
pub fn text(body: &[u8]) -> Result<&str, String> {
    let json = without_mark(body);
    std::str::from_utf8(json).map_err(|error| match body {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            "it is UTF-32, by its byte order mark, and not UTF-8".to_owned()
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16, by its byte order mark, and not UTF-8".to_owned(),
        _ => format!(
            "it is not UTF-8 at byte {}",
            body.len() - json.len() + error.valid_up_to()
        ),
    })
}

/// `body` behind a byte order mark, if it has one.
#[must_use]
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_order_mark_is_passed_over() {
        assert_eq!(text(b"{}"), Ok("{}"));
        assert_eq!(text(b""), Ok(""));
        assert_eq!(text(b"\xef\xbb\xbf{}"), Ok("{}"));
        assert_eq!(text(b"\xef\xbb\xbf"), Ok(""));
        assert_eq!(text(b"\xef\xbb\xbf\xef\xbb\xbf{}"), Ok("\u{feff}{}"));
        assert_eq!(text(b" \xef\xbb\xbf{}"), Ok(" \u{feff}{}"));
    }

    #[test]
    fn another_encoding_is_named() {
        let problem = |body: &[u8]| text(body).err().unwrap_or_default();
        assert!(problem(b"\xff\xfe{\0}\0").contains("UTF-16"));
        assert!(problem(b"\xfe\xff\0{\0}").contains("UTF-16"));
        assert!(problem(b"\xff\xfe\0\0{\0\0\0").contains("UTF-32"));
        assert!(problem(b"\0\0\xfe\xff\0\0\0{").contains("UTF-32"));
        assert_eq!(problem(b"{\"a\xff"), "it is not UTF-8 at byte 3");
        assert_eq!(problem(b"\xef\xbb\xbf{\"a\xff"), "it is not UTF-8 at byte 6");
        assert_eq!(problem(b"\xef\xbb"), "it is not UTF-8 at byte 0");
    }
}
