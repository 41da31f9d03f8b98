//! Which way text is written: where it is cut so that each part has one direction, and what is mirrored.

use std::ops::Range;

use spanlift_explanation::Part;
use unicode_bidi::{BidiClass, Level, bidi_class};
use unicode_width::UnicodeWidthChar;

use super::flow::Piece;
use crate::clusters::Cluster;

/// Where a cluster is cut for its direction, beside wide characters and at the ends of outlined spans; not there between
/// letters from right to left, which may be joined.
pub(super) fn parts(
    string: &str,
    levels: &[Level],
    bytes: Range<usize>,
    pieces: &[Piece],
    edges: &[usize],
) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut last: Option<(Level, bool, char)> = None;
    let text = string.get(bytes.clone()).unwrap_or_default();
    for (i, c) in text.char_indices() {
        let at = bytes.start + i;
        let level = levels.get(at).copied().unwrap_or(Level::ltr());
        let letter = level.is_ltr() || is_right_to_left_letter(c) || is_mark(c);
        let token = pieces.iter().any(|piece| piece.bytes.start == at);
        let together = last.is_some_and(|(last_level, last_letter, before)| {
            let wide = before.width() == Some(2) || c.width() == Some(2);
            let joins = is_right_to_left_letter(before) && is_right_to_left_letter(c);
            let edge = edges.contains(&at) && !joins;
            level == last_level && letter && last_letter && !(token && wide) && !edge
        });
        match parts.last_mut() {
            Some(part) if together => part.end = at + c.len_utf8(),
            _ => parts.push(at..at + c.len_utf8()),
        }
        last = Some((level, letter, c));
    }
    if parts.is_empty() {
        parts.push(bytes);
    }
    parts
}

/// The paragraph's direction: that of the first letter that is not of a special token.
pub(super) fn base(clusters: &[Cluster]) -> Level {
    let pieces = clusters
        .iter()
        .filter(|cluster| cluster.part != Part::Special)
        .flat_map(|cluster| &cluster.pieces);
    for piece in pieces {
        for c in piece.text.chars() {
            match bidi_class(c) {
                BidiClass::L => return Level::ltr(),
                BidiClass::R | BidiClass::AL => return Level::rtl(),
                _ => {}
            }
        }
    }
    Level::ltr()
}

pub(super) fn is_right_to_left_letter(c: char) -> bool {
    matches!(bidi_class(c), BidiClass::R | BidiClass::AL)
}

/// Whether a character stands on the one before it.
pub(super) fn is_mark(c: char) -> bool {
    bidi_class(c) == BidiClass::NSM
}

/// Pairs that change places in text from right to left; each as long as its other in UTF-8.
const MIRRORS: [(char, char); 8] = [
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('<', '>'),
    ('«', '»'),
    ('‹', '›'),
    ('≤', '≥'),
    ('⟦', '⟧'),
];

pub(super) fn mirrored(text: &str, level: Level) -> String {
    if level.is_ltr() {
        return text.to_owned();
    }
    let mirror = |c: char| {
        let pair = MIRRORS.iter().find(|&&(a, b)| c == a || c == b);
        pair.map_or(c, |&(a, b)| if c == a { b } else { a })
    };
    text.chars().map(mirror).collect()
}
