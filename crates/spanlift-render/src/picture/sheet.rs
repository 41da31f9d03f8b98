//! The page: a header that says what is shown, then one block a cut, all with the same text in the same places.
//!
//! The text is laid out once and painted once a cut. The page takes as many columns, up to four, as keep it
//! from getting much higher than wide.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use spanlift_explanation::{Explanation, Part, Word, words};

use super::flow::{Setter, Text};
use super::font::{FAMILIES, Face, Fonts};
use super::paint::{Look, Outline, hex, plain, tokens};
use super::xml::{escape, lengths};
use crate::clusters::clusters;
use crate::cut::{Cut, cuts, scales, share, strongest};
use crate::error::RenderError;
use crate::facts;
use crate::number::{Digits, error, largest};
use crate::options::{Options, Unit};
use crate::text::visible;

pub(super) const MARGIN: f32 = 28.0;
/// Width of the text of a cut, alone or beside others.
const COLUMN: f32 = 600.0;
const ALONE: f32 = 720.0;
const GUTTER: f32 = 36.0;
/// Above a cut's text.
const HEADING: f32 = 26.0;
/// Below it: its strongest words, as many as fit on a line, and room.
const FOOT: f32 = 42.0;
const STRONGEST: usize = 12;
/// Characters of a word in that list.
const LONGEST: usize = 20;
/// Size of a cut's text, of the header's, and of small print.
pub(super) const TEXT: f32 = 13.0;
pub(super) const SMALL: f32 = 11.5;
pub(super) const GREY: &str = "#555";
/// Stops of the colour scale: enough for straight lines in sRGB to follow its path.
const STOPS: u8 = 16;
/// How many times as high as wide a page may get before it takes another column.
const HIGHEST: f32 = 1.8;

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
    text: Text,
    words: Vec<Word>,
    /// The number of the word or of the token itself, for each token.
    groups: Vec<usize>,
    pub(super) body: String,
    missing: BTreeSet<char>,
    pub(super) y: f32,
}

/// The map of every cut, or of the one with this index (0 the words).
pub(crate) fn sheet(
    explanation: &Explanation,
    options: &Options,
    only: Option<usize>,
) -> Result<Sheet, RenderError> {
    explanation.validate()?;
    let fonts = Fonts::new()?;
    let column = if only.is_some() { ALONE } else { COLUMN };
    let setter = Setter {
        fonts: &fonts,
        face: Face::Regular,
        size: TEXT,
        room: column,
    };
    let clusters = clusters(explanation);
    let first = clusters
        .iter()
        .position(|cluster| cluster.part == Part::Passage)
        .unwrap_or(clusters.len());
    let mut text = setter.paragraph(&clusters[..first]);
    text.append(setter.paragraph(&clusters[first..]));

    let mut page = Page {
        explanation,
        options,
        fonts: &fonts,
        text,
        words: words(explanation),
        groups: groups(explanation, options.unit),
        body: String::new(),
        missing: BTreeSet::new(),
        y: MARGIN,
    };
    let all: Vec<Scored<'_>> = page.scored();
    let shown: Vec<&Scored<'_>> = match only {
        Some(index) => all.get(index).into_iter().collect(),
        None => all.iter().collect(),
    };
    let height = HEADING + page.text.height() + FOOT;
    let columns = columns(shown.len(), column, height);
    let width = 2.0 * MARGIN + columns as f32 * (column + GUTTER) - GUTTER;
    page.header(width - 2.0 * MARGIN, only.is_none());
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
struct Scored<'a> {
    cut: Cut<'a>,
    /// Of each token's group.
    score: Vec<f32>,
    scale: f64,
}

/// Least number of columns that keeps the page from getting too high.
fn columns(cuts: usize, column: f32, height: f32) -> usize {
    let fits = |columns: &usize| {
        let width = *columns as f32 * (column + GUTTER) + 2.0 * MARGIN;
        cuts.div_ceil(*columns) as f32 * height <= HIGHEST * width
    };
    let most = cuts.clamp(1, 4);
    (1..most).find(fits).unwrap_or(most)
}

fn groups(explanation: &Explanation, unit: Unit) -> Vec<usize> {
    match unit {
        Unit::Wordpieces => (0..explanation.tokens.len()).collect(),
        Unit::Words => {
            let words = words(explanation);
            let numbers = words
                .iter()
                .enumerate()
                .flat_map(|(i, word)| word.tokens.clone().map(move |_| i));
            numbers.collect()
        }
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

    /// One cut: its name, sum, error and scale, then the text in its colours.
    fn cut(&mut self, scored: &Scored<'_>, at: (f32, f32), column: f32) {
        let cut = &scored.cut;
        let digits = facts::sum_digits(&self.explanation.target);
        let _ = writeln!(
            self.body,
            "<g role=\"group\" aria-label=\"{}\">",
            escape(&cut.name)
        );
        let heading = self.setter(Face::Bold, TEXT, column).prose(&cut.name);
        plain(&mut self.body, &heading, at, "#000");
        let text = format!("sum {}, error {}", digits.signed(cut.sum), error(cut.error));
        let x = at.0 + heading.width() + 12.0;
        let text = self.setter(Face::Regular, SMALL, column).prose(&text);
        plain(
            &mut self.body,
            &text,
            (x, at.1 + (TEXT - SMALL) * 1.17),
            GREY,
        );
        self.bar(scored.scale, at, column);

        let explanation = self.explanation;
        let palette = self.options.palette;
        let look = |token: usize| {
            let score = scored.score.get(token).copied().unwrap_or(f32::NAN);
            Some(Look {
                background: palette.diverging(share(score, scored.scale)),
                group: self.groups.get(token).copied().unwrap_or(token),
                special: explanation
                    .tokens
                    .get(token)
                    .is_some_and(|token| token.part == Part::Special),
            })
        };
        let answer = &explanation.answer;
        let mut outlines = vec![Outline {
            tokens: answer.start_token..=answer.end_token,
            dashed: false,
        }];
        if let Some(versus) = &explanation.target.versus {
            outlines.push(Outline {
                tokens: versus.start_token..=versus.end_token,
                dashed: true,
            });
        }
        let mut body = String::new();
        tokens(
            &mut body,
            &self.text,
            (at.0, at.1 + HEADING),
            &look,
            &outlines,
        );
        self.body.push_str(&body);
        let under = at.1 + HEADING + self.text.height() + 4.0;
        self.strongest(scored, (at.0, under), column);
        self.body.push_str("</g>\n");
    }

    /// The strongest words of a cut with their scores, each set alone so that none turns its neighbours round.
    fn strongest(&mut self, scored: &Scored<'_>, at: (f32, f32), column: f32) {
        let found = strongest(&self.words, scored.cut.score, STRONGEST);
        let digits = Digits::of(largest(found.iter().map(|&(_, score)| score)), 3);
        let mut items = vec![("strongest".to_owned(), GREY, 12.0)];
        for (word, score) in found {
            items.push((short(&word.text), "#000", 4.0));
            items.push((digits.signed(f64::from(score)), GREY, 12.0));
        }
        let mut x = 0.0;
        let texts = items.into_iter().map(|(text, colour, gap)| {
            let text = self.setter(Face::Regular, SMALL, column).prose(&text);
            let from = x;
            x += text.width() + gap;
            (text, colour, from)
        });
        let texts: Vec<_> = texts.collect();
        // A word only with its score.
        let fits = |texts: &[(Text, &str, f32)]| {
            texts
                .iter()
                .all(|(text, _, from)| text.lines.len() <= 1 && from + text.width() <= column)
        };
        let (label, pairs) = texts.split_at(1);
        let pairs = pairs.chunks(2).take_while(|pair| fits(pair)).flatten();
        for (text, colour, from) in label.iter().chain(pairs) {
            plain(
                &mut self.body,
                text,
                (at.0 + from - text.left(), at.1),
                colour,
            );
        }
    }

    /// The colour scale of a cut, at the right of its heading.
    fn bar(&mut self, scale: f64, at: (f32, f32), column: f32) {
        let digits = Digits::of(scale, 3);
        let right = self
            .setter(Face::Regular, SMALL, column)
            .prose(&digits.signed(scale));
        let left = self
            .setter(Face::Regular, SMALL, column)
            .prose(&digits.signed(-scale));
        let top = at.1 + (TEXT - SMALL) * 1.17;
        let end = at.0 + column - right.width();
        plain(&mut self.body, &right, (end, top), GREY);
        let (width, height) = (120.0, 10.0);
        let x = end - 6.0 - width;
        self.body.push_str("<rect");
        let middle = at.1 + TEXT * 0.81;
        lengths(
            &mut self.body,
            &[
                ("x", x),
                ("y", middle - height / 2.0),
                ("width", width),
                ("height", height),
            ],
        );
        self.body
            .push_str(" fill=\"url(#spanlift-scale)\" stroke=\"#999\" stroke-width=\".5\"/>\n");
        plain(&mut self.body, &left, (x - 6.0 - left.width(), top), GREY);
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

/// A word in a list: of a very long one its beginning.
fn short(word: &str) -> String {
    let mut text: String = visible(word)
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
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
    cells.flat_map(str::chars).collect()
}
