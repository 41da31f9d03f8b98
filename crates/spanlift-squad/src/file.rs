//! From bytes to text: the size limit, gzip, UTF-8.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::SquadError;

/// The first two bytes of every gzip member (RFC 1952, section 2.3.1). No JSON text starts with them.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The whole text, of at most `limit` bytes, without a byte order mark.
pub(crate) fn text(reader: impl Read, limit: u64) -> Result<String, SquadError> {
    let too_large = SquadError::TooLarge { limit };
    // Both stages end in memory, so that a decoder's error is never one of the disk's.
    let mut bytes = match bounded(reader, limit) {
        Ok(bytes) => bytes.ok_or(too_large)?,
        Err(source) => return Err(SquadError::Read { source }),
    };
    if bytes.starts_with(&GZIP) {
        let too_large = SquadError::TooLarge { limit };
        bytes = match bounded(MultiGzDecoder::new(&bytes[..]), limit) {
            Ok(bytes) => bytes.ok_or(too_large)?,
            Err(source) => return Err(SquadError::Gzip { source }),
        };
    }
    let mut text = String::from_utf8(bytes).map_err(|error| SquadError::NotUtf8 {
        offset: error.utf8_error().valid_up_to(),
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// All bytes, or `None` where there are more than `limit`.
fn bounded(reader: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let count = reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok((count as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_limit_holds_for_plain_bytes() {
        assert_eq!(text(&b"12345"[..], 5).unwrap(), "12345");
        let error = text(&b"123456"[..], 5).unwrap_err();
        assert!(
            matches!(error, SquadError::TooLarge { limit: 5 }),
            "{error:?}"
        );
    }

    #[test]
    fn the_limit_holds_for_what_a_small_gzip_unfolds_to() {
        let blanks = vec![b' '; 1_000_000];
        let bomb = gzip(&blanks);
        assert!(bomb.len() < 10_000);
        assert_eq!(text(&bomb[..], 1_000_000).unwrap().len(), 1_000_000);
        let error = text(&bomb[..], 999_999).unwrap_err();
        assert!(
            matches!(error, SquadError::TooLarge { limit: 999_999 }),
            "{error:?}"
        );
    }

    #[test]
    fn an_endless_reader_is_left_at_the_limit() {
        let error = text(io::repeat(b' '), 1000).unwrap_err();
        assert!(matches!(error, SquadError::TooLarge { .. }), "{error:?}");
    }

    #[test]
    fn gzip_members_one_behind_the_other_are_one_text() {
        let mut members = gzip("[\"ë\",".as_bytes());
        members.extend(gzip(b" 1]"));
        assert_eq!(text(&members[..], 100).unwrap(), "[\"ë\", 1]");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(text(&b"\xef\xbb\xbf{}"[..], 100).unwrap(), "{}");
    }
}
