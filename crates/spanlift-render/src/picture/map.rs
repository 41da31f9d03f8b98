//! One map: the name of its cut, sum and error, its scale, the text in its colours, and the strongest words or wordpieces.

use std::fmt::Write as _;

use spanlift_explanation::Part;

use super::flow::Text;
use super::font::Face;
use super::paint::{Look, Outline, plain, tokens};
use super::sheet::{GREY, HEADING, Page, SMALL, Scored, TEXT};
use super::xml::{escape, lengths, number};
use crate::cut::{share, strongest};
use crate::facts;
use crate::number::{Digits, error, largest};
use crate::text::visible;

/// How many units are named at most, and the characters of each.
const STRONGEST: usize = 12;
const LONGEST: usize = 20;
/// The scale: its width and height, the places on it that have a number, and the size of that.
const BAR: (f32, f32) = (190.0, 9.0);
const TICKS: [f32; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];
const TINY: f32 = 9.5;

impl Page<'_> {
    /// One cut, with its left and top.
    pub(super) fn cut(&mut self, scored: &Scored<'_>, at: (f32, f32), column: f32) {
        let cut = &scored.cut;
        let digits = facts::sum_digits(&self.explanation.target);
        let label = escape(&cut.name);
        let _ = writeln!(self.body, "<g role=\"group\" aria-label=\"{label}\">");
        let heading = self.setter(Face::Bold, TEXT, column).prose(&cut.name);
        let top = at.1 + 4.0;
        plain(&mut self.body, &heading, (at.0, top), "#000");
        let text = format!("sum {}, error {}", digits.signed(cut.sum), error(cut.error));
        let x = at.0 + heading.width() + 12.0;
        let text = self.setter(Face::Regular, SMALL, column).prose(&text);
        plain(
            &mut self.body,
            &text,
            (x, top + (TEXT - SMALL) * 1.17),
            GREY,
        );
        self.bar(scored.scale, at, column);

        let explanation = self.explanation;
        let (palette, ramp) = (self.options.palette, self.options.ramp);
        let look = |token: usize| {
            let score = scored.score.get(token).copied().unwrap_or(f32::NAN);
            let place = ramp.place(share(score, scored.scale));
            let special = |token: &spanlift_explanation::Token| token.part == Part::Special;
            Some(Look {
                background: palette.diverging(place),
                group: self.groups.get(token).copied().unwrap_or(token),
                special: explanation.tokens.get(token).is_some_and(special),
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

    /// The strongest units of a cut with their scores, each set alone so that none turns its neighbours round.
    fn strongest(&mut self, scored: &Scored<'_>, at: (f32, f32), column: f32) {
        let found = strongest(&self.units, scored.cut.score, STRONGEST);
        let digits = Digits::of(largest(found.iter().map(|&(_, score)| score)), 3);
        let mut items = vec![("strongest".to_owned(), GREY, 12.0)];
        for (unit, score) in found {
            items.push((short(&unit.text), "#000", 4.0));
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

    /// The colour scale of a cut, at the right of its heading, with the true scores of five of its colours.
    fn bar(&mut self, scale: f64, at: (f32, f32), column: f32) {
        let digits = Digits::of(scale, 3);
        let (width, height) = BAR;
        // The outer numbers are set around the ends.
        let x = at.0 + column - width - 18.0;
        let _ = write!(self.body, "<rect");
        lengths(
            &mut self.body,
            &[("x", x), ("y", at.1), ("width", width), ("height", height)],
        );
        self.body
            .push_str(" fill=\"url(#spanlift-scale)\" stroke=\"#999\" stroke-width=\".5\"/>\n");
        for place in TICKS {
            let score = f64::from(self.options.ramp.share(place)) * scale;
            let text = if score == 0.0 {
                "0".to_owned()
            } else {
                digits.signed(score)
            };
            let text = self.setter(Face::Regular, TINY, column).prose(&text);
            let middle = x + (place + 1.0) / 2.0 * width;
            let _ = writeln!(
                self.body,
                "<path stroke=\"#999\" stroke-width=\".75\" d=\"M{} {}v3\"/>",
                number(middle),
                number(at.1 + height)
            );
            plain(
                &mut self.body,
                &text,
                (middle - text.width() / 2.0, at.1 + height + 1.0),
                GREY,
            );
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
