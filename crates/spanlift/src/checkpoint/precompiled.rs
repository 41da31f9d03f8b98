//! The normalizer of a SentencePiece model, held against its format before the tokenizers library reads it: that library
//! [panics](https://github.com/huggingface/tokenizers/blob/88a4498ad4ea1a9487b0a9b0ff881383fd5a06a3/tokenizers/src/normalizers/mod.rs#L143)
//! where it is damaged.
//!
//! The table is base64 of: n, a 32-bit number; a double array trie of n/4 units of 32 bits (after
//! [Darts-clone](https://github.com/s-yata/darts-clone)); and the replacements as UTF-8 text, which the trie's leaves
//! point into. Every step that a text can make from the root must stay inside the array, and every leaf that it can reach
//! point to the start of a character.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Problem;
use super::json::describe;

const CHARSMAP: &str = "precompiled_charsmap";
/// No replacement is so long, in bytes; SentencePiece's longest has 33.
const MOST: usize = 256;

/// Looks at the table; how many times as long a text may become.
pub(super) fn check(fields: &Map<String, Value>) -> Result<f64, Problem> {
    let table = fields.get(CHARSMAP).unwrap_or(&Value::Null);
    let Some(text) = table.as_str() else {
        return Err(wrong("a text in base64", describe(table)));
    };
    charsmap(text)
}

fn wrong(expected: &'static str, got: String) -> Problem {
    Problem::Charsmap { expected, got }
}

fn charsmap(text: &str) -> Result<f64, Problem> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| wrong("a text in base64", error.to_string()))?;
    let Some((size, rest)) = bytes.split_first_chunk() else {
        return Err(wrong("at least 4 bytes", bytes.len().to_string()));
    };
    let size = u32::from_le_bytes(*size) as usize;
    if !size.is_multiple_of(4) || size == 0 || size > rest.len() {
        let got = format!("one of {size} bytes before the end at {}", rest.len());
        return Err(wrong("a trie of whole units inside the table", got));
    }
    let (trie, replacements) = rest.split_at(size);
    let (units, _) = trie.as_chunks();
    let units: Vec<u32> = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    let replacements = std::str::from_utf8(replacements)
        .map_err(|error| wrong("replacements in UTF-8", error.to_string()))?;
    walk(&units, replacements)
}

/// Follows every path from the root; the largest of replacement by replaced, in bytes.
fn walk(units: &[u32], replacements: &str) -> Result<f64, Problem> {
    let outside = |at: usize| {
        let got = format!("unit {at} of {}", units.len());
        wrong("steps inside the trie", got)
    };
    let mut seen = vec![false; units.len()];
    let mut growth = 1.0_f64;
    // Where the children of a node are found, each at that place ^ its byte; and how many bytes lead there.
    let mut open = VecDeque::from([(offset(units[0]), 0)]);
    // The shortest paths first: a node's first visit has its smallest depth.
    while let Some((base, depth)) = open.pop_front() {
        for byte in 1..=255 {
            let at = base ^ byte;
            let &unit = units.get(at).ok_or_else(|| outside(at))?;
            if unit & (1 << 31 | 0xff) != byte as u32 || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let next = at ^ offset(unit);
            if unit >> 8 & 1 == 1 {
                let leaf = units.get(next).ok_or_else(|| outside(next))?;
                let place = (leaf & !(1 << 31)) as usize;
                if !replacements.is_char_boundary(place) {
                    let got = format!("byte {place} of {}", replacements.len());
                    return Err(wrong("leaves at the start of a replacement", got));
                }
                // It ends with a zero byte, or with the text.
                let rest = &replacements.as_bytes()[place..];
                let length = rest
                    .iter()
                    .take(MOST)
                    .take_while(|&&byte| byte != 0)
                    .count();
                if length == MOST {
                    let got = format!("one of more at byte {place}");
                    return Err(wrong("replacements of less than 256 bytes", got));
                }
                growth = growth.max(length as f64 / f64::from(depth + 1));
            }
            open.push_back((next, depth + 1));
        }
    }
    Ok(growth)
}

fn offset(unit: u32) -> usize {
    let unit = unit as usize;
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A trie that turns `a` into `b`: the root's children at 256 ^ byte, the leaf of `a` at its own place ^ 512.
    fn table() -> (Vec<u32>, Vec<u8>) {
        let mut units = vec![0; 1024];
        units[0] = 256 << 10;
        let a = u32::from(b'a');
        units[256 ^ a as usize] = a | 1 << 8 | 512 << 10;
        units[256 ^ a as usize ^ 512] = 1 << 31;
        (units, b"b\0".to_vec())
    }

    fn said(fields: &Value) -> Option<String> {
        let fields = fields.as_object().expect("an object");
        check(fields).err().map(|problem| problem.to_string())
    }

    fn growth(units: &[u32], replacements: &[u8]) -> f64 {
        walk(units, std::str::from_utf8(replacements).expect("a text")).expect("a sound table")
    }

    fn problem(units: &[u32], replacements: &[u8], size: Option<u32>) -> Option<String> {
        let mut bytes = size
            .unwrap_or(4 * units.len() as u32)
            .to_le_bytes()
            .to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(replacements);
        said(&json!({ "precompiled_charsmap": STANDARD.encode(bytes) }))
    }

    #[test]
    fn a_sound_table_passes_and_the_library_reads_it() {
        let (units, replacements) = table();
        assert_eq!(problem(&units, &replacements, None), None);
        let mut bytes = (4 * units.len() as u32).to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(replacements);
        let read = tokenizers::normalizers::Precompiled::from(&bytes).expect("a table");
        assert_eq!(read.normalize_string("banana"), "bbnbnb");
    }

    #[test]
    fn damage_is_named() {
        let (units, replacements) = table();
        let says = |problem: Option<String>, part: &str| {
            let problem = problem.expect("a problem");
            assert!(problem.contains(part), "expected `{part}` in: {problem}");
        };
        says(problem(&units, &[0xff], None), "replacements in UTF-8");
        says(
            problem(&units, &replacements, Some(5000)),
            "one of 5000 bytes",
        );
        says(problem(&units, &replacements, Some(0)), "one of 0 bytes");
        says(problem(&units, &replacements, Some(6)), "one of 6 bytes");
        let mut far = units.clone();
        far[0] = 4096 << 10;
        says(problem(&far, &replacements, None), "of 1024");
        let mut leaf = units.clone();
        leaf[256 ^ 97 ^ 512] = 1 << 31 | 3;
        says(problem(&leaf, &replacements, None), "byte 3 of 2");
        let mut inside = units.clone();
        inside[256 ^ 97 ^ 512] = 1 << 31 | 1;
        says(problem(&inside, "é".as_bytes(), None), "byte 1 of 2");

        says(said(&json!({ "type": "Precompiled" })), "got null");
        says(said(&json!({ "precompiled_charsmap": "?" })), "base64");
        says(
            said(&json!({ "precompiled_charsmap": "AAA=" })),
            "at least 4 bytes, got 2",
        );
    }

    /// `a` is one byte; so is what it becomes, until that grows.
    #[test]
    fn replacements_are_measured_and_limited() {
        let (units, _) = table();
        assert_eq!(growth(&units, b"b\0"), 1.0);
        assert_eq!(growth(&units, b"bbbbb\0bbbb"), 5.0);
        assert_eq!(growth(&units, &[b'b'; 255]), 255.0);
        let said = problem(&units, &[b'b'; 256], None).expect("a problem");
        assert!(said.contains("less than 256 bytes"), "{said}");
    }

    /// A trie that leads back into itself is walked once.
    #[test]
    fn a_circle_ends() {
        let (mut units, replacements) = table();
        let at = 256 ^ 97;
        // From `a` to its own siblings: at ^ offset = 256.
        units[at] = 97 | (97 << 10);
        assert_eq!(problem(&units, &replacements, None), None);
    }
}
