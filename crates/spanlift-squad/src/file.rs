//! From bytes to content: the size limit, gzip, zstd, UTF-8.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::SquadError;

/// The first two bytes of every gzip member (RFC 1952, section 2.3.1). No JSON text starts with them.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first four bytes of every zstd frame (RFC 8878, section 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// All bytes, at most `limit`, unpacked where they are packed. What the packed bytes say of their size is not gone by:
/// memory grows with what comes out, and a zstd window of more than 128 MiB is refused by its decoder.
pub(crate) fn unpacked(reader: impl Read, limit: u64) -> Result<Vec<u8>, SquadError> {
    // Both stages end in memory, so that a decoder's error is never one of the disk's.
    let bytes = bounded(reader, limit, |source| SquadError::Read { source })?;
    if bytes.starts_with(&GZIP) {
        let gzip = |source| SquadError::Gzip { source };
        bounded(MultiGzDecoder::new(&bytes[..]), limit, gzip)
    } else if bytes.starts_with(&ZSTD) {
        let zstd = |source| SquadError::Zstd { source };
        bounded(
            zstd::Decoder::with_buffer(&bytes[..]).map_err(zstd)?,
            limit,
            zstd,
        )
    } else {
        Ok(bytes)
    }
}

/// The text of these bytes, without a byte order mark.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, SquadError> {
    let mut text = String::from_utf8(bytes).map_err(|error| SquadError::NotUtf8 {
        offset: error.utf8_error().valid_up_to(),
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// All bytes, where there are not more than `limit`.
fn bounded(
    reader: impl Read,
    limit: u64,
    error: impl Fn(io::Error) -> SquadError,
) -> Result<Vec<u8>, SquadError> {
    let mut bytes = Vec::new();
    let mut reader = reader.take(limit.saturating_add(1));
    let count = reader.read_to_end(&mut bytes).map_err(error)?;
    if count as u64 > limit {
        return Err(SquadError::TooLarge { limit });
    }
    Ok(bytes)
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

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn plain(reader: impl Read, limit: u64) -> Result<String, SquadError> {
        text(unpacked(reader, limit)?)
    }

    #[test]
    fn the_limit_holds_for_plain_bytes() {
        assert_eq!(plain(&b"12345"[..], 5).unwrap(), "12345");
        let error = plain(&b"123456"[..], 5).unwrap_err();
        assert!(
            matches!(error, SquadError::TooLarge { limit: 5 }),
            "{error:?}"
        );
    }

    #[test]
    fn the_limit_holds_for_what_a_small_packed_file_unfolds_to() {
        let blanks = vec![b' '; 1_000_000];
        for bomb in [gzip(&blanks), zstd(&blanks)] {
            assert!(bomb.len() < 10_000);
            assert_eq!(plain(&bomb[..], 1_000_000).unwrap().len(), 1_000_000);
            let error = plain(&bomb[..], 999_999).unwrap_err();
            assert!(
                matches!(error, SquadError::TooLarge { limit: 999_999 }),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_endless_reader_is_left_at_the_limit() {
        let error = plain(io::repeat(b' '), 1000).unwrap_err();
        assert!(matches!(error, SquadError::TooLarge { .. }), "{error:?}");
    }

    #[test]
    fn members_one_behind_the_other_are_one_text() {
        for pack in [gzip, zstd] {
            let mut members = pack("[\"ë\",".as_bytes());
            members.extend(pack(b" 1]"));
            assert_eq!(plain(&members[..], 100).unwrap(), "[\"ë\", 1]");
        }
    }

    /// A frame header (RFC 8878, section 3.1.1.1) with a content size of 2⁶⁰ and, for the first, a window of 2 GiB.
    #[test]
    fn what_a_zstd_header_claims_is_not_believed() {
        let size = (1_u64 << 60).to_le_bytes();
        let wide = [&ZSTD[..], &[0xc0, 21 << 3], &size, &[1, 0, 0]].concat();
        let huge = [&ZSTD[..], &[0xc0, 0], &size, &[9, 0, 0, b'x']].concat();
        for frame in [wide, huge] {
            let error = unpacked(&frame[..], 1 << 30).unwrap_err();
            assert!(matches!(error, SquadError::Zstd { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(plain(&b"\xef\xbb\xbf{}"[..], 100).unwrap(), "{}");
    }
}
