//! Text broken into lines and set in visual order, each stretch with its own place.
//!
//! What stands between two blanks (a cluster) is cut into *atoms*: text of one direction, all in the font or all
//! not. The writing direction is resolved here, over the whole paragraph, by the rules of
//! <https://www.unicode.org/reports/tr9/>; an atom is then drawn alone, and comes out the same whatever its
//! drawer makes of directions: letters written from right to left are atoms without a neutral character
//! among them, and such a character is an atom of its own, mirrored where it has a mirror image.
//!
//! Lines break at blanks and beside wide characters (Chinese and Japanese have no blanks); what is wider than a
//! line breaks anywhere.

use std::ops::{Range, RangeInclusive};

use spanlift_explanation::is_blank;
use unicode_bidi::{BidiInfo, Level};
use unicode_width::UnicodeWidthChar;

use super::direction::{base, is_mark, is_right_to_left_letter, mirrored, parts};
use super::font::{Face, Fonts, Run};
use crate::clusters::{Cluster, paragraphs};

/// Em between two clusters.
const GAP: f32 = 0.45;
/// Em from line to line.
pub(crate) const LINE: f32 = 1.62;
/// Em that a token without width takes.
const LEAST: f32 = 0.3;
/// Em between an outlined span and what touches it, so that the outline has room.
const EDGE: f32 = 0.25;
/// Lines between two paragraphs with a blank line between them.
const PARAGRAPH: f32 = 0.5;

/// A stretch of text that is drawn as one run.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    pub(crate) text: String,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) run: Run,
    /// In units of the page.
    pub(crate) width: f32,
    level: Level,
    /// The level of the blank before it, where there is one.
    gap: Option<Level>,
    /// Whether an outlined span begins with it or ended before it, within a cluster.
    edge: bool,
    /// Whether a line may begin with it.
    breakable: bool,
}

/// The bytes of an atom that are of one token, or of none.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Range<usize>,
    pub(crate) token: Option<usize>,
}

/// An atom in its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) atom: Atom,
    /// From the left of the text.
    pub(crate) x: f32,
    /// Whether a blank or the line's end is on its left, and on its right.
    pub(crate) open: (bool, bool),
}

/// Text in its lines.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// Each from left to right.
    pub(crate) lines: Vec<Vec<Placed>>,
    /// Where each begins, in lines from the top.
    tops: Vec<f32>,
    pub(crate) face: Face,
    pub(crate) size: f32,
}

impl Text {
    pub(crate) fn height(&self) -> f32 {
        self.tops
            .last()
            .map_or(0.0, |top| (top + 1.0) * LINE * self.size)
    }

    /// From the top of the text to the middle of a line.
    pub(crate) fn middle(&self, line: usize) -> f32 {
        self.tops
            .get(line)
            .map_or(0.0, |top| (top + 0.5) * LINE * self.size)
    }

    /// Puts other text below, as many lines apart.
    pub(crate) fn append(&mut self, mut other: Self, apart: f32) {
        let below = self.tops.last().map_or(0.0, |top| top + 1.0 + apart);
        self.tops.extend(other.tops.iter().map(|top| top + below));
        self.lines.append(&mut other.lines);
    }

    /// Where its leftmost line begins: 0, but for text that runs from the right.
    pub(crate) fn left(&self) -> f32 {
        let starts = self.lines.iter().filter_map(|line| line.first());
        let left = starts.map(|first| first.x).fold(f32::INFINITY, f32::min);
        if left.is_finite() { left } else { 0.0 }
    }

    /// From there to the end of the line that ends last.
    pub(crate) fn width(&self) -> f32 {
        let ends = self.lines.iter().filter_map(|line| line.last());
        let right = ends.map(|last| last.x + last.atom.width);
        right.fold(self.left(), f32::max) - self.left()
    }
}

/// How text is set.
pub(crate) struct Setter<'a> {
    pub(crate) fonts: &'a Fonts,
    pub(crate) face: Face,
    pub(crate) size: f32,
    /// Width of the lines.
    pub(crate) room: f32,
    /// Spans of tokens that get an outline.
    pub(crate) spans: &'a [RangeInclusive<usize>],
}

impl Setter<'_> {
    /// Clusters in their paragraphs, each with a direction of its own.
    pub(crate) fn text(&self, clusters: &[Cluster]) -> Text {
        let mut text = self.paragraph(&[]);
        for clusters in paragraphs(clusters) {
            let blank = clusters.first().is_some_and(|first| first.breaks > 1);
            let apart = if blank { PARAGRAPH } else { 0.0 };
            text.append(self.paragraph(clusters), apart);
        }
        text
    }

    /// One paragraph of clusters.
    fn paragraph(&self, clusters: &[Cluster]) -> Text {
        let atoms = self.atoms(clusters);
        let base = atoms.1;
        let lines = self.broken(atoms.0).into_iter();
        let lines: Vec<_> = lines.map(|line| self.placed(line, base)).collect();
        Text {
            tops: (0..lines.len()).map(|i| i as f32).collect(),
            lines,
            face: self.face,
            size: self.size,
        }
    }

    /// One paragraph of plain text.
    pub(crate) fn prose(&self, text: &str) -> Text {
        let words = text
            .split(is_blank)
            .filter(|word| !word.is_empty())
            .map(Cluster::plain);
        self.paragraph(&words.collect::<Vec<_>>())
    }

    /// The clusters in atoms, each no wider than a line, and the direction of the paragraph.
    fn atoms(&self, clusters: &[Cluster]) -> (Vec<Atom>, Level) {
        let mut string = String::new();
        let mut ranges = Vec::new();
        let mut edges = Vec::new();
        for cluster in clusters {
            if !string.is_empty() {
                string.push(' ');
            }
            let start = string.len();
            let mut pieces = Vec::new();
            for piece in &cluster.pieces {
                let start = string.len();
                let mark = piece.text.chars().next().is_some_and(is_mark);
                if mark && pieces.is_empty() {
                    // An accent without a letter stands on the dotted circle, as in the code charts.
                    string.push('\u{25cc}');
                }
                string.push_str(&piece.text);
                for span in self.spans {
                    edges.extend((piece.token == Some(*span.start())).then_some(start));
                    edges.extend((piece.token == Some(*span.end())).then_some(string.len()));
                }
                pieces.push(Piece {
                    bytes: start..string.len(),
                    token: piece.token,
                });
            }
            ranges.push((start..string.len(), pieces));
        }
        let base = base(clusters);
        let info = BidiInfo::new(&string, Some(base));
        let mut atoms = Vec::new();
        for (i, (bytes, pieces)) in ranges.into_iter().enumerate() {
            let first = atoms.len();
            for part in parts(&string, &info.levels, bytes.clone(), &pieces, &edges) {
                let (next, at) = (atoms.len(), part.start);
                self.measured(&string, &info.levels, part, &pieces, &mut atoms);
                if let Some(atom) = atoms.get_mut(next) {
                    atom.edge = at > bytes.start && edges.contains(&at);
                }
            }
            let room = |atom: &Atom| atom.width + if atom.edge { EDGE * self.size } else { 0.0 };
            let width: f32 = atoms.iter().skip(first).map(room).sum();
            if width > self.room {
                for atom in atoms.iter_mut().skip(first) {
                    atom.breakable = true;
                }
            }
            if let Some(atom) = atoms.get_mut(first)
                && i > 0
            {
                atom.breakable = true;
                atom.gap = bytes
                    .start
                    .checked_sub(1)
                    .and_then(|blank| info.levels.get(blank))
                    .copied();
            }
        }
        (atoms, base)
    }

    /// Adds the atoms of a part that has one direction: one, or more where the font lacks some of it or a line
    /// is too narrow for it.
    fn measured(
        &self,
        string: &str,
        levels: &[Level],
        part: Range<usize>,
        pieces: &[Piece],
        atoms: &mut Vec<Atom>,
    ) {
        let mut from = part.start;
        loop {
            let ahead = from..ahead(string, &(from..part.end));
            from = self.begun(string, levels, ahead, pieces, atoms);
            if from >= part.end {
                return;
            }
        }
    }

    /// Adds the atoms of a part's beginning; where that ends.
    fn begun(
        &self,
        string: &str,
        levels: &[Level],
        part: Range<usize>,
        pieces: &[Piece],
        atoms: &mut Vec<Atom>,
    ) -> usize {
        let level = levels.get(part.start).copied().unwrap_or(Level::ltr());
        let text = mirrored(string.get(part.clone()).unwrap_or_default(), level);
        let letters = text.chars().any(is_right_to_left_letter);
        let run = self.fonts.run(self.face, &text, level.is_rtl() && letters);
        let mut cells: Vec<_> = run.cells.iter().collect();
        cells.sort_by_key(|cell| cell.bytes.start);
        let (mut width, mut missing, mut cut) = (0.0, None, None);
        for cell in &cells {
            width += (cell.right - cell.left) * self.size;
            let lacks = (cell.missing, cell.lost);
            let other = missing.is_some_and(|missing| missing != lacks);
            if (other || width > self.room) && cell.bytes.start > 0 {
                cut = Some(cell.bytes.start);
                break;
            }
            missing = Some(lacks);
        }
        if let Some(cut) = cut {
            // Mirror images are as long as what they mirror, so that places in the two texts agree.
            let middle = part.start + cut;
            self.measured(string, levels, part.start..middle, pieces, atoms);
            return middle;
        }
        let inside = pieces.iter().filter_map(|piece| {
            let from = piece.bytes.start.max(part.start);
            let to = piece.bytes.end.min(part.end);
            let shifted = from.checked_sub(part.start)?..to.checked_sub(part.start)?;
            (from < to || (piece.bytes.is_empty() && part.is_empty())).then_some(Piece {
                bytes: shifted,
                token: piece.token,
            })
        });
        let wide = |c: Option<char>| c.is_some_and(|c| c.width() == Some(2));
        let before = string.get(..part.start).and_then(|s| s.chars().next_back());
        atoms.push(Atom {
            pieces: inside.collect(),
            width: run.width.max(LEAST) * self.size,
            run,
            level,
            gap: None,
            edge: false,
            breakable: wide(before) || wide(text.chars().next()),
            text,
        });
        part.end
    }

    /// The atoms in lines.
    fn broken(&self, atoms: Vec<Atom>) -> Vec<Vec<Atom>> {
        let mut lines: Vec<Vec<Atom>> = Vec::new();
        let mut used = 0.0;
        let mut rest = atoms.into_iter().peekable();
        while let Some(atom) = rest.next() {
            let gap = if atom.gap.is_some() {
                GAP * self.size
            } else {
                0.0
            };
            let mut unit = vec![atom];
            while let Some(next) = rest.next_if(|next| !next.breakable) {
                unit.push(next);
            }
            let room = |atom: &Atom| atom.width + if atom.edge { EDGE * self.size } else { 0.0 };
            let width: f32 = unit.iter().map(room).sum();
            match lines.last_mut() {
                Some(line) if used + gap + width <= self.room => {
                    used += gap + width;
                    line.append(&mut unit);
                }
                _ => {
                    used = width;
                    lines.push(unit);
                }
            }
        }
        lines
    }

    /// A line in visual order.
    fn placed(&self, line: Vec<Atom>, base: Level) -> Vec<Placed> {
        let mut levels = Vec::new();
        let mut items = Vec::new();
        for (i, atom) in line.into_iter().enumerate() {
            if let Some(gap) = atom.gap
                && i > 0
            {
                levels.push(gap);
                items.push(Item::Gap);
            } else if atom.edge && i > 0 {
                levels.push(atom.level);
                items.push(Item::Edge);
            }
            levels.push(atom.level);
            items.push(Item::Atom(atom));
        }
        let order = BidiInfo::reorder_visual(&levels);
        let mut x = 0.0;
        let mut placed: Vec<Placed> = Vec::new();
        let mut open = true;
        for i in order {
            match items
                .get_mut(i)
                .map(|item| std::mem::replace(item, Item::Gap))
            {
                Some(Item::Atom(atom)) => {
                    let width = atom.width;
                    if let Some(last) = placed.last_mut() {
                        last.open.1 = open;
                    }
                    placed.push(Placed {
                        atom,
                        x,
                        open: (open, true),
                    });
                    (x, open) = (x + width, false);
                }
                Some(Item::Edge) => x += EDGE * self.size,
                Some(Item::Gap) | None => (x, open) = (x + GAP * self.size, true),
            }
        }
        if base.is_rtl() {
            for atom in &mut placed {
                atom.x += self.room - x;
            }
        }
        placed
    }
}

/// What stands on a line.
enum Item {
    Atom(Atom),
    /// A blank.
    Gap,
    /// Room for an outline.
    Edge,
}

/// The end of a part, or of as much of it as is shaped at once: many lines, and so little that a word of a million letters
/// is not shaped again and again for each of its lines.
fn ahead(string: &str, part: &Range<usize>) -> usize {
    const AHEAD: usize = 2048;
    let far = part.start.saturating_add(AHEAD);
    if part.end <= far {
        return part.end;
    }
    let begins = |at: &usize| {
        let rest = string.get(*at..).and_then(|rest| rest.chars().next());
        rest.is_some_and(|c| !is_mark(c))
    };
    // Marks without end are cut somewhere.
    let before = (part.start + 1..=far).rev().find(begins);
    let end = before.or_else(|| (far..part.end).find(|&at| string.is_char_boundary(at)));
    end.unwrap_or(part.end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::RenderError;

    fn lines(text: &str, room: f32) -> Result<Vec<String>, RenderError> {
        let fonts = Fonts::new(BTreeSet::new())?;
        let (face, size) = (Face::Regular, 10.0);
        let setter = Setter {
            fonts: &fonts,
            face,
            size,
            room,
            spans: &[],
        };
        let lines = setter.prose(text).lines;
        for line in &lines {
            for (a, b) in line.iter().zip(line.iter().skip(1)) {
                assert!(a.x + a.atom.width <= b.x + 1e-3, "{text}");
            }
            let ends = line.iter().map(|atom| atom.x + atom.atom.width);
            assert!(ends.fold(0.0, f32::max) <= room + 1e-3, "{text}");
        }
        let line = |line: &Vec<Placed>| {
            let texts = line.iter().map(|placed| {
                let blank = if placed.open.0 { " " } else { "" };
                format!("{blank}{}", placed.atom.text)
            });
            texts.collect::<String>().trim().to_owned()
        };
        Ok(lines.iter().map(line).collect())
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_anywhere() -> Result<(), RenderError> {
        assert_eq!(lines("one two three", 45.0)?, ["one two", "three"]);
        assert_eq!(lines("", 45.0)?, [""; 0]);
        // An n is 1298/2048 em: seven of them are 44.4 units wide.
        assert_eq!(
            lines("nnnnnnnnnnnnnnnn end", 45.0)?,
            ["nnnnnnn", "nnnnnnn", "nn end"]
        );
        Ok(())
    }

    #[test]
    fn right_to_left_text_is_in_visual_order() -> Result<(), RenderError> {
        // Rule L2 of the algorithm, by hand: the Hebrew run turns as a whole, the number in it does not.
        assert_eq!(
            lines("say שלום (1877) עולם! now", 900.0)?,
            ["say עולם (1877) שלום! now"]
        );
        // A paragraph that begins in Hebrew runs from the right: the full stop ends on the left.
        assert_eq!(lines("שלום (ab) עולם.", 900.0)?, [".עולם (ab) שלום"]);
        Ok(())
    }

    /// A word of many lines is set in time and memory in proportion to its length: shaped whole for each of its lines, this
    /// one took minutes and gigabytes.
    #[test]
    fn a_word_without_end_is_set_line_by_line() -> Result<(), RenderError> {
        let word = "the,".repeat(250_000);
        let start = std::time::Instant::now();
        let lines = lines(&word, 600.0)?;
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
        assert_eq!(lines.concat(), word);
        assert!(lines.len() > 5000, "{}", lines.len());
        let marks = format!("a{}", "\u{301}".repeat(5000));
        assert_eq!(self::lines(&marks, 600.0)?.concat(), marks);
        Ok(())
    }
}
