//! What the pages of a Parquet file claim, looked at before anything is unpacked.
//!
//! A page's header stands in front of it and names the bytes that it unfolds to and the values that it holds, up to 2³¹
//! of each, and readers make room for as many. Here all headers of a column are gone through, so that room is only made
//! for what can be there. A header is a structure of Thrift's compact protocol (`thrift-compact-protocol.md` of Apache
//! Thrift; `PageHeader` in `parquet.thrift` of apache/parquet-format): for each field a byte of type and step to its
//! number, integers as zigzag varints.

use crate::SquadError;
use crate::guard::Limits;

/// So many bytes at most come out of one byte of Snappy: 64 are copied by an element of three.
const SNAPPY: u64 = 22;

/// The pages of one column of one row group.
pub(crate) struct Column<'a> {
    /// As `column context`.
    pub(crate) name: String,
    /// The bytes of its pages, headers included.
    pub(crate) pages: &'a [u8],
    /// Whether they are packed with Snappy, whose reader fills all the room it makes.
    pub(crate) snappy: bool,
}

/// What has been claimed so far.
pub(crate) struct Budget {
    /// Bytes that the rest may unfold to.
    pub(crate) bytes: u64,
    limits: Limits,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            bytes: limits.bytes,
            limits,
        }
    }

    /// Takes off what the column's pages claim; gives how many values they hold.
    pub(crate) fn take(&mut self, column: &Column<'_>) -> Result<u64, SquadError> {
        let mut rest = column.pages;
        let mut values = 0_u64;
        while !rest.is_empty() {
            let mut reader = Reader(rest);
            let header = reader.header().ok_or_else(|| SquadError::Parquet {
                reason: format!("{}: the header of a page is broken", column.name),
            })?;
            let claim = |what: &str, limit: u64, got: u64| SquadError::ParquetClaim {
                what: format!("{}: {what}", column.name),
                limit,
                got,
            };
            let there = reader.0.len() as u64;
            if header.packed > there {
                return Err(claim("the bytes of a page", there, header.packed));
            }
            if header.unpacked > self.bytes {
                return Err(claim(
                    "the bytes of all pages",
                    self.limits.bytes,
                    self.limits.bytes - self.bytes + header.unpacked,
                ));
            }
            let most = (header.packed + 1) * SNAPPY;
            if column.snappy && header.unpacked > most {
                return Err(claim(
                    "the bytes that a page unfolds to",
                    most,
                    header.unpacked,
                ));
            }
            self.bytes -= header.unpacked;
            values += header.values;
            if values > self.limits.values {
                return Err(claim("values", self.limits.values, values));
            }
            // Not more than there is, checked above.
            rest = &reader.0[header.packed as usize..];
        }
        Ok(values)
    }
}

#[derive(Default)]
struct Header {
    unpacked: u64,
    packed: u64,
    /// Zero for a dictionary: its values are as many as its bytes allow.
    values: u64,
}

const STOP: u8 = 0;
const I16: u8 = 4;
const I64: u8 = 6;
const STRUCT: u8 = 12;
/// Structures in one another, of which a page's header has three.
const DEEPEST: usize = 16;

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn header(&mut self) -> Option<Header> {
        let mut header = Header::default();
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (2, I16..=I64) => header.unpacked = self.whole()?,
                (3, I16..=I64) => header.packed = self.whole()?,
                // DataPageHeader and DataPageHeaderV2, whose first field is the number of values.
                (5 | 8, STRUCT) => {
                    let mut inner = 0;
                    while let Some(kind) = self.field(&mut inner)? {
                        match (inner, kind) {
                            (1, I16..=I64) => header.values = self.whole()?,
                            _ => self.skip(kind, DEEPEST)?,
                        }
                    }
                }
                _ => self.skip(kind, DEEPEST)?,
            }
        }
        Some(header)
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A number of a header, none of which is negative.
    fn whole(&mut self) -> Option<u64> {
        self.zigzag()?
            .try_into()
            .ok()
            .filter(|&n: &u64| n <= i32::MAX as u64)
    }

    /// The next field's type, `None` in `Some` at the end of the structure; `field` becomes its number.
    fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == STOP {
            return Some(None);
        }
        *field = match byte >> 4 {
            0 => self.zigzag()?,
            step => field.checked_add(step.into())?,
        };
        Some(Some(kind))
    }

    fn pass(&mut self, n: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.pass(1),
            I16..=I64 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let n = self.varint()?;
                self.pass(n)
            }
            // Lists and sets; none of a page's header is a map.
            9 | 10 => {
                let byte = self.byte()?;
                let n = match byte >> 4 {
                    15 => self.varint()?,
                    n => n.into(),
                };
                // In a list a boolean takes a byte, and everything else at least one.
                for _ in 0..n {
                    match byte & 0x0f {
                        1 | 2 => self.pass(1)?,
                        kind => self.skip(kind, depth)?,
                    }
                }
                Some(())
            }
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    /// A data page: type 0, sizes, a checksum, and of its own header the values, an encoding and statistics with a text,
    /// a boolean and a list; then as many zeros as `there`.
    fn page(unpacked: u64, packed: u64, values: u64, there: usize) -> Vec<u8> {
        let mut bytes = vec![0x15, 0, 0x15];
        bytes.extend(varint(unpacked << 1));
        bytes.push(0x15);
        bytes.extend(varint(packed << 1));
        bytes.extend([0x15, 7]);
        bytes.extend([0x1c, 0x15]);
        bytes.extend(varint(values << 1));
        bytes.extend([
            0x15, 0, 0x1c, 0x18, 2, b'a', b'b', 0x11, 0x19, 0x25, 1, 2, 0, 0,
        ]);
        bytes.push(0);
        bytes.resize(bytes.len() + there, 0);
        bytes
    }

    fn take(pages: &[u8], snappy: bool) -> Result<u64, SquadError> {
        let name = "column x".to_owned();
        let limits = Limits {
            bytes: 1000,
            values: 1 << 24,
        };
        Budget::new(limits).take(&Column {
            name,
            pages,
            snappy,
        })
    }

    #[test]
    fn values_of_all_pages_are_counted() {
        let pages = [
            page(40, 10, 3, 10),
            page(0, 0, 4, 0),
            page(960, 5, 1 << 20, 5),
        ]
        .concat();
        assert_eq!(take(&pages, false).unwrap(), 7 + (1 << 20));
        assert_eq!(take(&[], false).unwrap(), 0);
    }

    #[test]
    fn claims_beyond_what_can_be_there_are_refused() {
        let two = [page(900, 1, 1, 1), page(101, 1, 1, 1)].concat();
        for (pages, snappy, what, limit, got) in [
            (page(40, 11, 1, 10), false, "the bytes of a page", 10, 11),
            (
                page(1001, 1, 1, 1),
                false,
                "the bytes of all pages",
                1000,
                1001,
            ),
            (two, false, "the bytes of all pages", 1000, 1001),
            (
                page(265, 11, 1, 11),
                true,
                "the bytes that a page unfolds to",
                264,
                265,
            ),
            (
                page(1, 1, (1 << 24) + 1, 1),
                false,
                "values",
                1 << 24,
                (1 << 24) + 1,
            ),
        ] {
            let error = take(&pages, snappy).unwrap_err();
            let SquadError::ParquetClaim {
                what: named,
                limit: most,
                got: claimed,
            } = &error
            else {
                panic!("{error:?}");
            };
            assert_eq!(
                (named.as_str(), *most, *claimed),
                (&*format!("column x: {what}"), limit, got)
            );
        }
        assert!(take(&page(264, 11, 1, 11), true).is_ok());
    }

    #[test]
    fn broken_headers_are_refused() {
        let whole = page(40, 10, 3, 0);
        for end in 1..whole.len() {
            assert!(take(&whole[..end], false).is_err(), "{end}");
        }
        // A negative size, a type that there is not, and structures without end.
        for bytes in [
            &[0x15, 0, 0x15, 3][..],
            &[0x1f],
            &[0x1c; 5000],
            &[0x19; 5000],
        ] {
            let error = take(bytes, false).unwrap_err();
            assert!(matches!(error, SquadError::Parquet { .. }), "{error:?}");
        }
    }
}
