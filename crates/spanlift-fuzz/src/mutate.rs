//! Makes an input from a seed: damage that knows bytes, lines, numbers and the structure of JSON.

use std::io::{Cursor, Read as _, Write as _};
use std::ops::Range;

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Inputs are cut here; one in [`RARE`] may grow to [`LONGEST`].
const LONG: usize = 1 << 15;
const LONGEST: usize = 1 << 20;
const RARE: u32 = 2000;
/// Deeper than any JSON reader's limit.
const DEPTHS: [usize; 6] = [2, 10, 60, 126, 200, 5000];

/// What an input is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON, more or less.
    Json,
    /// Lines of text.
    Lines,
    /// The length of a JSON header, the header, bytes.
    Safetensors,
    /// Bytes.
    Binary,
    /// JSON, made a gzip file.
    Gzip,
    /// JSON, made a zstd file.
    Zstd,
    /// A zip archive of entries that are not compressed, one of them a pickle.
    Archive,
}

/// Numbers at the edges of types and of good sense.
const NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "7",
    "255",
    "256",
    "65535",
    "1000000",
    "2147483647",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e999",
    "-1e-400",
    "0.5",
    "1e38",
    "3.5e38",
];

const VALUES: [&str; 14] = [
    "null",
    "true",
    "false",
    "\"\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"\":{}}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\u{301}\u{202e}\"",
    "nan",
    "\"a\\",
];

const NOT_UTF8: [&[u8]; 5] = [
    b"\x80",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc3",
];

/// An input of `seeds`: one of them, changed one to eight times.
pub(crate) fn input(
    seeds: &[Vec<u8>],
    words: &[&str],
    shape: Shape,
    rng: &mut impl Rng,
) -> Vec<u8> {
    let mut bytes = seeds.choose(rng).cloned().unwrap_or_default();
    let most = if rng.random_ratio(1, RARE) {
        LONGEST
    } else {
        LONG.max(bytes.len())
    };
    let from = Seeds { seeds, words, most };
    // Half of the inputs have one change, an eighth has four or more.
    let changes = 1 + rng.random::<u8>().trailing_zeros().min(7);
    match shape {
        Shape::Json => from.json(&mut bytes, changes, rng),
        Shape::Lines | Shape::Binary => {
            for _ in 0..changes {
                from.raw(&mut bytes, rng);
            }
        }
        Shape::Safetensors => from.safetensors(&mut bytes, changes, rng),
        Shape::Archive => from.archive(&mut bytes, changes, rng),
        Shape::Gzip => from.packed(&mut bytes, changes, gzip, rng),
        Shape::Zstd => from.packed(&mut bytes, changes, zstd, rng),
    }
    bytes.truncate(most.max(LONG));
    bytes
}

/// A gzip member of these bytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes);
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A zstd frame of these bytes.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap_or_default()
}

/// The entries of an archive.
fn unpacked(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let name = entry.name().ok()?.into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).ok()?;
        entries.push((name, bytes));
    }
    Some(entries)
}

/// An archive of entries as they are.
fn archived(entries: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(name.as_str(), stored).ok()?;
        archive.write_all(bytes).ok()?;
    }
    Some(archive.finish().ok()?.into_inner())
}

/// What changes are made from.
struct Seeds<'a> {
    seeds: &'a [Vec<u8>],
    words: &'a [&'a str],
    /// No change makes more bytes than about this.
    most: usize,
}

impl Seeds<'_> {
    fn json(&self, bytes: &mut Vec<u8>, changes: u32, rng: &mut impl Rng) {
        for _ in 0..changes {
            if rng.random_bool(0.85) {
                self.value(bytes, rng);
            } else {
                self.raw(bytes, rng);
            }
        }
    }

    /// Changed, then packed; or packed, then changed.
    fn packed(
        &self,
        bytes: &mut Vec<u8>,
        changes: u32,
        pack: fn(&[u8]) -> Vec<u8>,
        rng: &mut impl Rng,
    ) {
        let before = rng.random_bool(0.5);
        if before {
            self.json(bytes, changes, rng);
        }
        *bytes = pack(bytes);
        if !before {
            for _ in 0..changes {
                self.raw(bytes, rng);
            }
        }
    }

    /// The header by itself, its length set right again nearly always; or the body; or all of it as bytes.
    fn safetensors(&self, bytes: &mut Vec<u8>, changes: u32, rng: &mut impl Rng) {
        let length = bytes
            .first_chunk()
            .map(|length| u64::from_le_bytes(*length));
        let end = length.map_or(0, |length| 8 + usize::try_from(length).unwrap_or(0));
        let kind = rng.random_range(0..10);
        if kind < 6 && (8..=bytes.len()).contains(&end) {
            let mut header = bytes[8..end].to_vec();
            self.json(&mut header, changes, rng);
            let length = (header.len() as u64).to_le_bytes();
            let body = bytes.split_off(end);
            bytes.clear();
            bytes.extend(length);
            bytes.extend(header);
            bytes.extend(body);
        } else if kind < 8 && (8..bytes.len()).contains(&end) {
            let body = &mut bytes[end..];
            for _ in 0..changes {
                let at = rng.random_range(0..body.len());
                body[at] = *[0, 0x7f, 0x80, 0xff, 0xc0].choose(rng).unwrap_or(&0);
            }
        } else {
            for _ in 0..changes {
                self.raw(bytes, rng);
            }
        }
    }

    /// The pickle of an archive by itself, or another entry, packed again; or all of it as bytes.
    fn archive(&self, bytes: &mut Vec<u8>, changes: u32, rng: &mut impl Rng) {
        let opened = if rng.random_bool(0.75) {
            unpacked(bytes)
        } else {
            None
        };
        let Some(mut entries) = opened.filter(|entries| !entries.is_empty()) else {
            for _ in 0..changes {
                self.raw(bytes, rng);
            }
            return;
        };
        let pickle = entries
            .iter()
            .position(|(name, _)| name.ends_with("data.pkl"));
        for _ in 0..changes {
            let any = rng.random_range(0..entries.len());
            match (
                pickle.filter(|_| rng.random_bool(0.8)),
                rng.random_range(0..8),
            ) {
                (None, 0) => entries[any].0.push('0'),
                (None, 1) => {
                    let (name, bytes) = entries[any].clone();
                    entries.push((format!("{name}/../x"), bytes));
                }
                (place, _) => self.raw(&mut entries[place.unwrap_or(any)].1, rng),
            }
        }
        if let Some(archive) = archived(&entries) {
            *bytes = archive;
        }
    }

    /// A change that takes the input for bytes.
    fn raw(&self, bytes: &mut Vec<u8>, rng: &mut impl Rng) {
        let Self { seeds, words, most } = *self;
        if bytes.is_empty() {
            bytes.extend(b"{}");
        }
        let length = bytes.len();
        // Every third time near the beginning, where headers are.
        let near = if rng.random_ratio(1, 3) { 64 } else { length };
        let at = rng.random_range(0..length.min(near));
        let end = rng.random_range(at..length.min(at + 64)) + 1;
        match rng.random_range(0..14) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => repeat(bytes, at..end, most, rng),
            5 => bytes[at..end].fill(0),
            6 => bytes[at..end].fill(0xff),
            7 => insert(bytes, at, NOT_UTF8.choose(rng).copied().unwrap_or_default()),
            8 => insert(
                bytes,
                at,
                words.choose(rng).copied().unwrap_or("\n").as_bytes(),
            ),
            9 => {
                // A length, little endian, as binary headers have them.
                let shift = rng.random_range(0..64);
                let number: u64 = rng.random::<u64>() >> shift;
                let number = number.to_le_bytes();
                let width = if rng.random_bool(0.5) { 8 } else { 4 };
                for (to, from) in bytes[at..].iter_mut().zip(&number[..width]) {
                    *to = *from;
                }
            }
            10 => number(bytes, rng),
            11 => {
                let Some(other) = seeds.choose(rng).filter(|other| !other.is_empty()) else {
                    return;
                };
                let from = rng.random_range(0..other.len());
                let to = rng.random_range(from..=other.len());
                let part = &other[from..to];
                if rng.random_bool(0.5) {
                    insert(bytes, at, part);
                } else {
                    bytes.truncate(at);
                    bytes.extend(part);
                }
            }
            12 => {
                // Swap two neighbours.
                let middle = (at + end) / 2;
                bytes[at..end].rotate_left(middle - at);
            }
            _ => {
                let line = *b"\n\r\t \0,:\"[{".choose(rng).unwrap_or(&b'\n');
                bytes.insert(at, line);
            }
        }
    }

    /// A change of a JSON value or key, wherever one is.
    fn value(&self, bytes: &mut Vec<u8>, rng: &mut impl Rng) {
        let Self { seeds, words, most } = *self;
        let Some(found) = span(bytes, rng) else {
            return self.raw(bytes, rng);
        };
        let (span, is_key) = match value_of(bytes, &found) {
            Some(value) if rng.random_bool(0.7) => (value, false),
            Some(_) => (found, true),
            None => (found, false),
        };
        let word = words.choose(rng).copied().unwrap_or("[]");
        let put = |bytes: &mut Vec<u8>, with: &[u8]| {
            drop(bytes.splice(span.clone(), with.iter().copied()))
        };
        if is_key {
            let texts: Vec<&str> = words
                .iter()
                .copied()
                .filter(|word| word.starts_with('"'))
                .collect();
            let key = texts.choose(rng).copied().unwrap_or("\"a\"");
            let other = VALUES.choose(rng).copied().unwrap_or("0");
            let value = if rng.random_bool(0.5) { word } else { other };
            return match rng.random_range(0..4) {
                0 => put(bytes, key.as_bytes()),
                1 => insert(bytes, span.start, format!("{key}:{value},").as_bytes()),
                // The key once more.
                2 => {
                    let mut pair = bytes[span.clone()].to_vec();
                    pair.extend(format!(":{value},").bytes());
                    insert(bytes, span.start, &pair);
                }
                _ => {
                    let value = value_of(bytes, &span).map_or(span.end, |value| value.end);
                    let end = value + usize::from(bytes.get(value) == Some(&b','));
                    drop(bytes.drain(span.start..end));
                }
            };
        }
        match rng.random_range(0..14) {
            0 | 1 => put(bytes, word.as_bytes()),
            2 => put(bytes, VALUES.choose(rng).copied().unwrap_or("0").as_bytes()),
            3 | 4 => put(
                bytes,
                NUMBERS.choose(rng).copied().unwrap_or("0").as_bytes(),
            ),
            5 => number(bytes, rng),
            6 => {
                // The value of another place.
                let other = seeds.choose(rng).cloned().unwrap_or_default();
                if let Some(from) = self::span(&other, rng) {
                    put(bytes, &other[from]);
                }
            }
            7 => {
                if let Some(from) = self::span(bytes, rng) {
                    let copy = bytes[from].to_vec();
                    put(bytes, &copy);
                }
            }
            8 => {
                // Once more with a comma between: a list grows.
                let mut copy = vec![b','];
                copy.extend(&bytes[span.clone()]);
                let count = few(rng).min(most / copy.len());
                insert(bytes, span.end, &copy.repeat(count));
            }
            9 => {
                let depth = *DEPTHS.choose(rng).unwrap_or(&2);
                let wrapped = words.iter().copied().find(|word| word.contains("Sequence"));
                let (open, close) = match (
                    wrapped.and_then(|word| word.split_once('[')),
                    rng.random_range(0..4),
                ) {
                    (Some((open, _)), 0) => (format!("{open}["), "]}"),
                    (_, 1) => (String::from("{\"a\":"), "}"),
                    (_, 2) => (String::from("[[],"), "]"),
                    _ => (String::from("["), "]"),
                };
                let depth = depth.min(most / open.len());
                let mut nest = open.repeat(depth).into_bytes();
                nest.extend(&bytes[span.clone()]);
                nest.extend(close.repeat(depth).bytes());
                put(bytes, &nest);
            }
            10 => {
                // With the comma behind it, or before it where it is the last.
                let behind = bytes.get(span.end) == Some(&b',');
                let before = !behind && span.start > 0 && bytes[span.start - 1] == b',';
                let start = span.start - usize::from(before);
                drop(bytes.drain(start..span.end + usize::from(behind)));
            }
            11 => {
                // A long text of one character.
                let character = ["a", "é", "\u{fdfa}", "🦀", "\\u0001", " ", "\u{301}"];
                let character = character.choose(rng).copied().unwrap_or("a");
                let count = (few(rng) * 16).min(most / character.len());
                put(bytes, format!("\"{}\"", character.repeat(count)).as_bytes());
            }
            12 => {
                // A list of one of the words, alone or in the words' own sequence.
                let count = few(rng).min(most / (word.len() + 1));
                let list = format!("[{}]", vec![word; count].join(","));
                let sequences: Vec<&str> = words
                    .iter()
                    .copied()
                    .filter(|word| word.contains("Sequence"))
                    .collect();
                let list = match sequences.choose(rng).and_then(|word| word.split_once('[')) {
                    Some((open, _)) if rng.random_bool(0.7) => format!("{open}{list}}}"),
                    _ => list,
                };
                put(bytes, list.as_bytes());
            }
            _ => {
                let mut text = bytes[span.clone()].to_vec();
                self.raw(&mut text, rng);
                put(bytes, &text);
            }
        }
    }
}

/// Mostly few, seldom thousands.
fn few(rng: &mut impl Rng) -> usize {
    1 << rng.random_range(0..15_u32).min(rng.random_range(0..15))
}

fn insert(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    let at = at.min(bytes.len());
    drop(bytes.splice(at..at, what.iter().copied()));
}

fn repeat(bytes: &mut Vec<u8>, stretch: Range<usize>, most: usize, rng: &mut impl Rng) {
    let at = stretch.start;
    let stretch = bytes[stretch].to_vec();
    let count = few(rng).min(most / stretch.len().max(1));
    insert(bytes, at, &stretch.repeat(count));
}

/// Puts another number in place of one.
fn number(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    let start = rng.random_range(0..bytes.len().max(1));
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(first) = bytes.iter().skip(start).position(digit) else {
        return;
    };
    let first = start + first;
    let run = bytes[first..].iter().take_while(|byte| digit(byte)).count();
    let with = match rng.random_range(0..3) {
        0 => rng.random_range(0..2000_u32).to_string(),
        _ => NUMBERS.choose(rng).copied().unwrap_or("0").to_owned(),
    };
    drop(bytes.splice(first..first + run, with.into_bytes()));
}

/// The value behind a key and its colon; `None` where `span` is no key.
fn value_of(bytes: &[u8], span: &Range<usize>) -> Option<Range<usize>> {
    let blank = |byte: &u8| byte.is_ascii_whitespace();
    let skip = |at: usize| at + bytes[at..].iter().take_while(|byte| blank(byte)).count();
    let colon = skip(span.end);
    if bytes.get(span.start) != Some(&b'"') || bytes.get(colon) != Some(&b':') {
        return None;
    }
    let start = skip(colon + 1);
    let length = length(bytes.get(start..)?)?;
    Some(start..(start + length).min(bytes.len()))
}

/// The place of a JSON value at or behind a random byte: what looks like one.
fn span(bytes: &[u8], rng: &mut impl Rng) -> Option<Range<usize>> {
    let from = rng.random_range(0..bytes.len().max(1));
    let begins =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b'[' | b'{' | b'-');
    let start = from + bytes.get(from..)?.iter().position(begins)?;
    let length = length(&bytes[start..])?;
    Some(start..(start + length).min(bytes.len()))
}

/// The length of the value that begins here.
fn length(rest: &[u8]) -> Option<usize> {
    Some(match rest.first()? {
        b'"' => text(rest),
        b'[' | b'{' => {
            let (mut depth, mut at) = (0, 0);
            while at < rest.len() {
                match rest[at] {
                    b'"' => at += text(&rest[at..]) - 1,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            at
        }
        _ => {
            let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || b".+-_".contains(byte);
            rest.iter().take_while(inside).count().max(1)
        }
    })
}

/// The length of the text that begins with a quote.
fn text(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn values_are_found_whole() {
        let json = br#"{"a": [1, "x]\"y"], "b": -2.5e3}"#;
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let mut found = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            // None where nothing follows.
            if let Some(span) = span(json, rng) {
                found.insert(String::from_utf8(json[span].to_vec()).unwrap());
            }
        }
        for value in [r#"[1, "x]\"y"]"#, "-2.5e3", r#""a""#, "1"] {
            assert!(found.contains(value), "{value} not in {found:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_input_and_others_give_others() {
        let seeds = [br#"{"a": [1, 2, 3], "b": "text"}"#.to_vec()];
        let make = |seed| {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            input(&seeds, &["\"key\""], Shape::Json, rng)
        };
        let inputs: std::collections::BTreeSet<_> = (0..500).map(make).collect();
        assert!(inputs.len() > 350, "{}", inputs.len());
        assert!((0..500).map(make).all(|input| inputs.contains(&input)));
        let valid = |bytes: &&Vec<u8>| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
        let valid = inputs.iter().filter(valid).count();
        assert!((50..450).contains(&valid), "{valid} of 500 are still JSON");
        assert!(inputs.iter().all(|input| input.len() <= LONGEST));
    }
}
