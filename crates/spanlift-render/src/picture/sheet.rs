//! The page: a header that says what is shown, then one block a cut (map.rs), all with the same text in the same places.
//!
//! The text is laid out once and painted once a cut. The page takes as many columns as make the maps together
//! no higher than [`HIGHEST`] of its width, so that a long passage fills a screen and not a scroll: seven maps of
//! 384 tokens stand in two rows, thirteen in three. The words have a map only where it is another than layer 1's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use spanlift_explanation::{Explanation, Part, Word};

use super::flow::{Setter, Text};
use super::font::{FAMILIES, Face, Fonts};
use super::paint::{hex, plain};
use super::xml::{escape, lengths};
use crate::clusters::clusters;
use crate::cut::{Cut, cuts, scales, units, words_as_layer_1};
use crate::error::RenderError;
use crate::facts;
use crate::options::Options;

pub(super) const MARGIN: f32 = 28.0;
/// Width of the text of a cut, alone or beside others.
const COLUMN: f32 = 600.0;
const ALONE: f32 = 720.0;
const GUTTER: f32 = 36.0;
/// Above a cut's text.
pub(super) const HEADING: f32 = 36.0;
/// Below it: its strongest words, as many as fit on a line, and room.
const FOOT: f32 = 42.0;
/// Size of a cut's text, of the header's, and of small print.
pub(super) const TEXT: f32 = 13.0;
pub(super) const SMALL: f32 = 11.5;
pub(super) const GREY: &str = "#555";
/// Stops of the colour scale: enough for straight lines in sRGB to follow its path.
const STOPS: u8 = 16;
/// How many times as high as the page is wide the maps may get before they take another column.
const HIGHEST: f32 = 0.9;
/// And how many columns there may be.
const COLUMNS: usize = 8;

/// An SVG, and the characters that the built-in font lacks.
pub(crate) struct Sheet {
    pub(crate) svg: String,
    pub(crate) missing: BTreeSet<char>,
}

/// A page under construction.
pub(super) struct Page<'a> {
    pub(super) explanation: &'a Explanation,
    pub(super) options: &'a Options,
    fonts: &'a Fonts,
    /// The text of every cut: question, then passage.
    pub(super) text: Text,
    /// What has a colour: words or wordpieces.
    pub(super) units: Vec<Word>,
    /// The number of its unit, for each token.
    pub(super) groups: Vec<usize>,
    pub(super) body: String,
    missing: BTreeSet<char>,
    pub(super) y: f32,
}

/// The map of every cut, or of the one with this index (0 the words); characters that are `lost` are drawn as boxes.
pub(crate) fn sheet(
    explanation: &Explanation,
    options: &Options,
    only: Option<usize>,
    lost: &BTreeSet<char>,
) -> Result<Sheet, RenderError> {
    explanation.validate()?;
    let fonts = Fonts::new(lost.clone())?;
    let spans = spans(explanation);
    let column = if only.is_some() { ALONE } else { COLUMN };
    let setter = Setter {
        fonts: &fonts,
        face: Face::Regular,
        size: TEXT,
        room: column,
        spans: &spans,
    };
    let clusters = clusters(explanation);
    let first = clusters
        .iter()
        .position(|cluster| cluster.part == Part::Passage)
        .unwrap_or(clusters.len());
    let mut text = setter.text(&clusters[..first]);
    text.append(setter.text(&clusters[first..]), 0.0);
    let units = units(explanation, options.unit);
    let numbers = units.iter().enumerate();
    let groups = numbers.flat_map(|(i, unit)| unit.tokens.clone().map(move |_| i));

    let mut page = Page {
        explanation,
        options,
        fonts: &fonts,
        text,
        groups: groups.collect(),
        units,
        body: String::new(),
        missing: BTreeSet::new(),
        y: MARGIN,
    };
    let all: Vec<Scored<'_>> = page.scored();
    let shown: Vec<&Scored<'_>> = match only {
        Some(index) => all.get(index).into_iter().collect(),
        None => all
            .iter()
            .skip(usize::from(words_as_layer_1(explanation)))
            .collect(),
    };
    let height = HEADING + page.text.height() + FOOT;
    let columns = columns(shown.len(), column, height);
    let width = 2.0 * MARGIN + columns as f32 * (column + GUTTER) - GUTTER;
    let single = only
        .and(shown.first())
        .map(|scored| scored.cut.name.as_str());
    page.header(width - 2.0 * MARGIN, single);
    for (i, cut) in shown.iter().enumerate() {
        let x = MARGIN + (i % columns) as f32 * (column + GUTTER);
        let y = page.y + (i / columns) as f32 * height;
        page.cut(cut, (x, y), column);
    }
    page.y += shown.len().div_ceil(columns) as f32 * height - 18.0 + MARGIN;
    page.collect_missing();
    Ok(page.finished(width, &title(explanation, only.and(shown.first().copied()))))
}

/// A cut with the numbers its colours come from.
pub(super) struct Scored<'a> {
    pub(super) cut: Cut<'a>,
    /// Of each token's unit.
    pub(super) score: Vec<f32>,
    pub(super) scale: f64,
}

/// What is outlined: the answer, and the span it is compared with.
fn spans(explanation: &Explanation) -> Vec<RangeInclusive<usize>> {
    let answer = &explanation.answer;
    let versus = explanation.target.versus.iter();
    let versus = versus.map(|versus| versus.start_token..=versus.end_token);
    std::iter::once(answer.start_token..=answer.end_token)
        .chain(versus)
        .collect()
}

/// Least number of columns that keeps the page from getting too high; one more where that leaves fewer places empty.
fn columns(cuts: usize, column: f32, height: f32) -> usize {
    let fits = |columns: &usize| {
        let width = *columns as f32 * (column + GUTTER) + 2.0 * MARGIN;
        cuts.div_ceil(*columns) as f32 * height <= HIGHEST * width
    };
    let most = cuts.clamp(1, COLUMNS);
    let least = (1..most).find(fits).unwrap_or(most);
    let empty = |columns: usize| cuts.next_multiple_of(columns) - cuts;
    if least > 1 && least < most && empty(least + 1) < empty(least) {
        least + 1
    } else {
        least
    }
}

fn title(explanation: &Explanation, cut: Option<&Scored<'_>>) -> String {
    let answer = facts::answer(explanation);
    let title = format!("{} — {answer}", explanation.question);
    cut.map_or(title.clone(), |cut| format!("{title} — {}", cut.cut.name))
}

impl<'a> Page<'a> {
    /// Every cut, scored by group and scaled.
    fn scored(&self) -> Vec<Scored<'a>> {
        let mut cuts = cuts(self.explanation);
        let scores: Vec<Vec<f32>> = cuts.iter().map(|cut| self.grouped(cut.score)).collect();
        for cut in &mut cuts {
            cut.name = name(&cut.name);
        }
        let scales = scales(scores.iter().map(Vec::as_slice), self.options.scale);
        let parts = cuts.into_iter().zip(scores).zip(scales);
        parts
            .map(|((cut, score), scale)| Scored { cut, score, scale })
            .collect()
    }

    /// The score of each token's group, for each token.
    fn grouped(&self, scores: &[f32]) -> Vec<f32> {
        let count = self.groups.last().map_or(0, |last| last + 1);
        let mut sums = vec![0.0_f64; count];
        for (&group, &score) in self.groups.iter().zip(scores) {
            if let Some(sum) = sums.get_mut(group) {
                *sum += f64::from(score);
            }
        }
        let of = |group: &usize| sums.get(*group).map_or(f32::NAN, |&sum| sum as f32);
        self.groups.iter().map(of).collect()
    }

    pub(super) fn setter(&self, face: Face, size: f32, room: f32) -> Setter<'a> {
        Setter {
            fonts: self.fonts,
            face,
            size,
            room,
            spans: &[],
        }
    }

    /// Prose at `x` and the page's y; gives its height.
    pub(super) fn prose(
        &mut self,
        face: Face,
        size: f32,
        x: f32,
        room: f32,
        text: &str,
        colour: &str,
    ) -> f32 {
        let text = self.setter(face, size, room).prose(text);
        // Text from the right stands beside its name all the same.
        plain(&mut self.body, &text, (x - text.left(), self.y), colour);
        self.missing.extend(missing(&text));
        text.height()
    }

    fn collect_missing(&mut self) {
        let found = missing(&self.text);
        self.missing.extend(found);
    }

    fn finished(self, width: f32, title: &str) -> Sheet {
        let (w, h) = (width.ceil(), self.y.ceil());
        let mut svg = String::new();
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\" aria-labelledby=\"spanlift-title\" font-family=\"{FAMILIES}\" xml:lang=\"und\">"
        );
        let _ = writeln!(
            svg,
            "<title id=\"spanlift-title\">{}</title>",
            escape(title)
        );
        let description = [
            facts::target(self.explanation),
            facts::delta(self.explanation),
            format!("sums {}", facts::sums(self.explanation)),
            facts::method(self.explanation),
        ];
        let _ = writeln!(svg, "<desc>{}</desc>", escape(&description.join("; ")));
        svg.push_str("<defs><linearGradient id=\"spanlift-scale\">\n");
        for i in 0..=2 * STOPS {
            let x = f32::from(i) / f32::from(STOPS) - 1.0;
            svg.push_str("<stop");
            lengths(&mut svg, &[("offset", (x + 1.0) / 2.0)]);
            let _ = writeln!(
                svg,
                " stop-color=\"{}\"/>",
                hex(self.options.palette.diverging(x))
            );
        }
        svg.push_str(
            "</linearGradient></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        );
        svg.push_str(&self.body);
        svg.push_str("</svg>\n");
        Sheet {
            svg,
            missing: self.missing,
        }
    }
}

/// A cut as a heading: `Layer 3`.
fn name(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// The characters of a text that the font lacks.
fn missing(text: &Text) -> BTreeSet<char> {
    let atoms = text.lines.iter().flatten().map(|placed| &placed.atom);
    let cells = atoms.flat_map(|atom| {
        let cells = atom.run.cells.iter().filter(|cell| cell.missing);
        cells.filter_map(|cell| atom.text.get(cell.bytes.clone()))
    });
    // A joiner or a variation selector is never drawn itself.
    let seen = |c: &char| !matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
    cells.flat_map(str::chars).filter(seen).collect()
}
