//! Laid-out text as SVG: a rectangle behind each token, outlines around spans, one text run an atom.
//!
//! A run says its length (`textLength`), so that a viewer whose font is another one sets it into the same room:
//! the glyphs are stretched with it, or, where the built-in font lacks them and even the PNG takes another font,
//! set wider apart (a Chinese sign should stay square, and `usvg` moves nothing on when it stretches). Italics
//! are the upright font slanted, so that they need no further font and look the same everywhere.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::flow::{Placed, Text};
use super::font::Face;
use super::xml::{escape, lengths};
use crate::colour::Colour;

/// Height of a token's rectangle, in em.
const BOX: f32 = 1.36;
/// From the middle of a line down to the baseline, in em: half the height of a capital.
const BASELINE: f32 = 0.36;
/// What a rectangle is wider than its text on a side where nothing follows, in units of the page.
const PAD: f32 = 1.3;

/// What a token looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) background: Colour,
    /// Tokens with the same number share a rectangle where they touch.
    pub(crate) group: usize,
    pub(crate) special: bool,
}

/// A span of tokens that is outlined.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) tokens: RangeInclusive<usize>,
    pub(crate) dashed: bool,
}

/// A rectangle on a line.
#[derive(Clone, Copy, Debug)]
struct Extent {
    left: f32,
    right: f32,
}

/// Text whose tokens look as `look` says, at `at` (its left and top).
pub(crate) fn tokens(
    svg: &mut String,
    text: &Text,
    at: (f32, f32),
    look: &dyn Fn(usize) -> Option<Look>,
    outlines: &[Outline],
) {
    let (mut boxes, mut marks, mut runs) = (String::new(), String::new(), String::new());
    for (i, line) in text.lines.iter().enumerate() {
        let middle = at.1 + text.middle(i);
        let (top, height) = (middle - BOX / 2.0 * text.size, BOX * text.size);
        for placed in line {
            for (extent, colour) in cells(placed, text.size, look) {
                if colour != Colour::WHITE {
                    boxes.push_str("<rect");
                    place(&mut boxes, extent, at.0, top, height);
                    let _ = writeln!(boxes, " fill=\"{}\"/>", hex(colour));
                }
            }
            let baseline = middle + BASELINE * text.size;
            run(
                &mut runs,
                placed,
                text.size,
                (at.0 + placed.x, baseline),
                look,
            );
        }
        for outline in outlines {
            for extent in spans(line, text.size, &outline.tokens) {
                let extent = Extent {
                    left: extent.left - 0.4,
                    right: extent.right + 0.4,
                };
                marks.push_str("<rect");
                place(&mut marks, extent, at.0, top - 0.4, height + 0.8);
                let dash = if outline.dashed {
                    " stroke-dasharray=\"4 2\""
                } else {
                    ""
                };
                let _ = writeln!(
                    marks,
                    " rx=\"2.5\" fill=\"none\" stroke=\"#000\" stroke-width=\"1.5\"{dash}/>"
                );
            }
        }
    }
    svg.push_str(&boxes);
    svg.push_str("<g");
    lengths(svg, &[("font-size", text.size)]);
    let _ = write!(svg, "{}>\n{runs}</g>\n{marks}", weight(text.face));
}

/// Text of one colour.
pub(crate) fn plain(svg: &mut String, text: &Text, at: (f32, f32), colour: &str) {
    let mut runs = String::new();
    for (i, line) in text.lines.iter().enumerate() {
        let baseline = at.1 + text.middle(i) + BASELINE * text.size;
        for placed in line {
            run(
                &mut runs,
                placed,
                text.size,
                (at.0 + placed.x, baseline),
                &|_| None,
            );
        }
    }
    svg.push_str("<g");
    lengths(svg, &[("font-size", text.size)]);
    let _ = write!(
        svg,
        "{} fill=\"{colour}\">\n{runs}</g>\n",
        weight(text.face)
    );
}

fn weight(face: Face) -> &'static str {
    match face {
        Face::Regular => "",
        Face::Bold => " font-weight=\"bold\"",
    }
}

/// `#rrggbb`.
pub(crate) fn hex(Colour { r, g, b }: Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn place(svg: &mut String, extent: Extent, x: f32, top: f32, height: f32) {
    let width = extent.right - extent.left;
    let pairs = [
        ("x", x + extent.left),
        ("y", top),
        ("width", width),
        ("height", height),
    ];
    lengths(svg, &pairs);
}

/// Where the tokens for which `keep` holds stand in an atom; neighbours of the same number together.
fn extents(
    placed: &Placed,
    size: f32,
    keep: &dyn Fn(usize) -> Option<usize>,
) -> Vec<(Extent, usize)> {
    let atom = &placed.atom;
    let mut found: Vec<(std::ops::Range<usize>, usize, usize)> = Vec::new();
    for piece in &atom.pieces {
        let Some((token, group)) = piece.token.and_then(|token| Some((token, keep(token)?))) else {
            continue;
        };
        match found.last_mut() {
            Some((bytes, last, _)) if *last == group && bytes.end == piece.bytes.start => {
                bytes.end = piece.bytes.end;
            }
            _ => found.push((piece.bytes.clone(), group, token)),
        }
    }
    let full = atom.run.width * size;
    let extents = found.into_iter().map(|(bytes, _, token)| {
        let (mut left, mut right) = atom.run.extent(&atom.text, bytes);
        (left, right) = (left * size, right * size);
        if right <= left {
            (left, right) = (0.0, atom.width);
        }
        let pad = |open, edge| if open && edge { PAD } else { 0.0 };
        let extent = Extent {
            left: placed.x + left - pad(placed.open.0, left <= 1e-3),
            right: placed.x + right + pad(placed.open.1, right >= full - 1e-3),
        };
        (extent, token)
    });
    extents.collect()
}

fn cells(
    placed: &Placed,
    size: f32,
    look: &dyn Fn(usize) -> Option<Look>,
) -> Vec<(Extent, Colour)> {
    let extents = extents(placed, size, &|token| Some(look(token)?.group));
    let colours = extents
        .into_iter()
        .filter_map(|(extent, token)| Some((extent, look(token)?.background)));
    colours.collect()
}

/// Where the tokens of a range stand on a line, over the blanks between them.
fn spans(line: &[Placed], size: f32, tokens: &RangeInclusive<usize>) -> Vec<Extent> {
    let mut spans: Vec<Extent> = Vec::new();
    let keep = |token: usize| tokens.contains(&token).then_some(0);
    for placed in line {
        for (extent, _) in extents(placed, size, &keep) {
            match spans.last_mut() {
                Some(last) if extent.left - last.right < size / 2.0 => {
                    last.right = last.right.max(extent.right);
                }
                _ => spans.push(extent),
            }
        }
    }
    spans
}

/// Some bytes of an atom as they are drawn: one box, fitted into the room, for each character that no font has.
fn written(placed: &Placed, bytes: &std::ops::Range<usize>) -> String {
    let atom = &placed.atom;
    if atom.run.cells.iter().all(|cell| !cell.lost) {
        return atom.text.get(bytes.clone()).unwrap_or_default().to_owned();
    }
    let mut cells: Vec<_> = atom
        .run
        .cells
        .iter()
        .filter(|cell| bytes.contains(&cell.bytes.start))
        .collect();
    cells.sort_by_key(|cell| cell.bytes.start);
    let text = |cell: &&super::font::Cell| {
        let own = atom.text.get(cell.bytes.clone()).unwrap_or_default();
        if cell.lost { "\u{25a1}" } else { own }
    };
    cells.iter().map(text).collect()
}

fn run(
    svg: &mut String,
    placed: &Placed,
    size: f32,
    at: (f32, f32),
    look: &dyn Fn(usize) -> Option<Look>,
) {
    let atom = &placed.atom;
    if atom.text.is_empty() {
        return;
    }
    // The colour of each piece's text; neighbours of one colour together.
    let mut inks: Vec<(Option<Colour>, String)> = Vec::new();
    let mut slanted = false;
    for piece in &atom.pieces {
        let look = piece.token.and_then(look);
        let special = look.is_some_and(|look| look.special);
        slanted |= special;
        let ink = look.map(|look| {
            let ink = look.background.readable_on();
            if special {
                ink.mix(look.background, 0.3)
            } else {
                ink
            }
        });
        let text = written(placed, &piece.bytes);
        match inks.last_mut() {
            Some((last, runs)) if *last == ink => runs.push_str(&text),
            _ => inks.push((ink, text)),
        }
    }
    svg.push_str("<text");
    if slanted {
        let _ = write!(
            svg,
            " transform=\"translate({} {}) skewX(-12)\"",
            // Leaning over its middle, not over its foot.
            super::xml::number(at.0 - 0.08 * size),
            super::xml::number(at.1)
        );
    } else {
        lengths(svg, &[("x", at.0), ("y", at.1)]);
    }
    if atom.run.width > 0.05 {
        lengths(svg, &[("textLength", atom.width)]);
        if atom.run.cells.iter().all(|cell| !cell.missing || cell.lost) {
            svg.push_str(" lengthAdjust=\"spacingAndGlyphs\"");
        }
    }
    let fill = |ink: Option<Colour>| match ink {
        None | Some(Colour::BLACK) => String::new(),
        Some(ink) => format!(" fill=\"{}\"", hex(ink)),
    };
    if let [(ink, text)] = inks.as_slice() {
        let _ = writeln!(svg, "{}>{}</text>", fill(*ink), escape(text));
    } else {
        svg.push('>');
        for (ink, text) in inks {
            let _ = write!(svg, "<tspan{}>{}</tspan>", fill(ink), escape(&text));
        }
        svg.push_str("</text>\n");
    }
}
