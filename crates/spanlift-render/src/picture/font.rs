//! The font of the pictures, and what a text measures in it.
//!
//! DejaVu Sans and its bold, from the crate `dejavu`: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic
//! and many signs. Text is shaped by `harfrust`, with which `usvg` shapes it again for the PNG, so that what is
//! measured here is what is drawn there: kerning, ligatures, joined Arabic, accents on their letters.
//!
//! A character the font lacks gets room by its width on a terminal (one or two columns), the same on every
//! machine, and whoever draws it fits it into that room.

use std::collections::BTreeSet;

use harfrust::{Direction, FontRef, ShapeOptions, ShaperData, UnicodeBuffer};
use unicode_width::UnicodeWidthStr;

use crate::error::RenderError;

/// The families a viewer looks for: the font measured in, then one cut to the same widths.
pub(crate) const FAMILIES: &str = "DejaVu Sans, Verdana, Geneva, sans-serif";

/// Em a column of a character that the font lacks gets; an emoji is wider than its two columns.
const COLUMN: f32 = 0.5;
const NARROW: f32 = 0.65;
const EMOJI: f32 = 1.3;

/// Which cut of the font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Regular,
    Bold,
}

impl Face {
    /// The font file.
    pub(crate) fn data(self) -> &'static [u8] {
        match self {
            Self::Regular => dejavu::sans::regular(),
            Self::Bold => dejavu::sans::bold(),
        }
    }
}

/// Both faces, ready to measure.
pub(crate) struct Fonts {
    regular: Loaded,
    bold: Loaded,
    /// What no font of this machine has.
    lost: BTreeSet<char>,
}

struct Loaded {
    font: FontRef<'static>,
    data: ShaperData,
}

/// Characters that are drawn as one, in em from the left of their run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// First byte, and one past the last.
    pub(crate) bytes: std::ops::Range<usize>,
    pub(crate) left: f32,
    pub(crate) right: f32,
    /// Whether the font lacks any of it.
    pub(crate) missing: bool,
    /// Whether every font lacks some of it, so that a box is drawn.
    pub(crate) lost: bool,
}

/// A text in one direction, measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// In em.
    pub(crate) width: f32,
    /// From left to right.
    pub(crate) cells: Vec<Cell>,
    pub(crate) right_to_left: bool,
}

impl Fonts {
    pub(crate) fn new(lost: BTreeSet<char>) -> Result<Self, RenderError> {
        let face = |face: Face| {
            let font = FontRef::new(face.data()).map_err(|error| RenderError::Font {
                cause: error.to_string(),
            })?;
            let data = ShaperData::new(&font);
            Ok::<_, RenderError>(Loaded { font, data })
        };
        Ok(Self {
            regular: face(Face::Regular)?,
            bold: face(Face::Bold)?,
            lost,
        })
    }

    /// Shapes and measures a text of one direction.
    pub(crate) fn run(&self, face: Face, text: &str, right_to_left: bool) -> Run {
        let Loaded { font, data } = match face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
        };
        let shaper = data.shaper(font).build();
        let em = shaper.units_per_em() as f32;
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(if right_to_left {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        buffer.guess_segment_properties();
        let glyphs = shaper.shape(buffer, ShapeOptions::new());
        let mut cells: Vec<Cell> = Vec::new();
        for (info, position) in glyphs.glyph_infos().iter().zip(glyphs.glyph_positions()) {
            let start = info.cluster as usize;
            let advance = position.x_advance as f32 / em;
            let missing = info.glyph_id == 0;
            match cells.last_mut() {
                Some(cell) if cell.bytes.start == start => {
                    cell.right += advance;
                    cell.missing |= missing;
                }
                _ => cells.push(Cell {
                    bytes: start..text.len(),
                    left: 0.0,
                    right: advance,
                    missing,
                    lost: false,
                }),
            }
        }
        let mut starts: Vec<usize> = cells.iter().map(|cell| cell.bytes.start).collect();
        starts.sort_unstable();
        let mut width = 0.0;
        for cell in &mut cells {
            let after = starts.partition_point(|&start| start <= cell.bytes.start);
            cell.bytes.end = starts.get(after).copied().unwrap_or(text.len());
            if cell.missing {
                let text = text.get(cell.bytes.clone()).unwrap_or_default();
                cell.right = guess(text);
                cell.lost = text.chars().any(|c| self.lost.contains(&c));
            }
            (cell.left, cell.right) = (width, width + cell.right);
            width = cell.right;
        }
        Run {
            width,
            cells,
            right_to_left,
        }
    }
}

impl Run {
    /// Left and right of some bytes, in em: what is drawn as one is shared out by characters.
    pub(crate) fn extent(&self, text: &str, bytes: std::ops::Range<usize>) -> (f32, f32) {
        let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
        let count = |from: usize, to: usize| {
            text.get(from..to.max(from))
                .map_or(0, |text| text.chars().count()) as f32
        };
        for cell in &self.cells {
            let (from, to) = (
                bytes.start.max(cell.bytes.start),
                bytes.end.min(cell.bytes.end),
            );
            if from >= to {
                continue;
            }
            let all = count(cell.bytes.start, cell.bytes.end).max(1.0);
            let (mut a, mut b) = (
                count(cell.bytes.start, from) / all,
                count(cell.bytes.start, to) / all,
            );
            if self.right_to_left {
                (a, b) = (1.0 - b, 1.0 - a);
            }
            left = left.min(cell.left + a * (cell.right - cell.left));
            right = right.max(cell.left + b * (cell.right - cell.left));
        }
        if left <= right {
            (left, right)
        } else {
            (0.0, 0.0)
        }
    }
}

/// Em that a viewer's own font is given for characters drawn as one.
fn guess(text: &str) -> f32 {
    let emoji = text
        .chars()
        .any(|c| matches!(c, '\u{fe0f}' | '\u{1f000}'..='\u{1faff}'));
    match text.width() {
        _ if emoji => EMOJI,
        1 => NARROW,
        columns => COLUMN * columns as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured_as_it_is_drawn() -> Result<(), RenderError> {
        let fonts = Fonts::new(BTreeSet::new())?;
        let run = |text: &str, rtl| fonts.run(Face::Regular, text, rtl);
        // DejaVu Sans has 2048 units an em; the advance of `n` is 1298, of a blank 651.
        assert_eq!(run("nn", false).width, 2.0 * 1298.0 / 2048.0);
        // An accent stands on its letter.
        let accented = run("e\u{301}n", false);
        assert_eq!(accented.cells.len(), 2);
        assert_eq!(accented.width, run("en", false).width);
        // A wordpiece of a right-to-left word is on the right where it comes first.
        let text = "שלום";
        let word = run(text, true);
        let (first, last) = (word.extent(text, 0..4), word.extent(text, 4..8));
        assert!(first.0 >= last.1 - 1e-6 && first.1 == word.width && last.0 == 0.0);
        // A ligature is shared out by its characters.
        let text = "fi";
        let ligature = run(text, false);
        let (f, i) = (ligature.extent(text, 0..1), ligature.extent(text, 1..2));
        assert_eq!((f.0, i.1), (0.0, ligature.width));
        assert!((f.1 - i.0).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn what_the_font_lacks_has_its_room() -> Result<(), RenderError> {
        let fonts = Fonts::new(BTreeSet::new())?;
        let run = fonts.run(Face::Regular, "東京", false);
        assert!(run.cells.iter().all(|cell| cell.missing));
        assert_eq!((run.cells.len(), run.width), (2, 2.0));
        let joined = fonts.run(Face::Regular, "👩\u{200d}🚀", false);
        assert_eq!((joined.cells.len(), joined.width), (1, EMOJI));
        Ok(())
    }
}
