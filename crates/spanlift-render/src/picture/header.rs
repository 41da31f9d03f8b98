//! The head of a page: question, answer, target, whether the sums hold, and what colours and marks mean.

use std::fmt::Write as _;

use spanlift_explanation::Explanation;

use super::font::Face;
use super::paint::{Look, Outline, plain, tokens};
use super::sheet::{GREY, MARGIN, Page, SMALL, TEXT};
use super::xml::number;
use crate::clusters::Cluster;
use crate::colour::{Colour, Ramp};
use crate::cut::{AS_LAYER_1, words_as_layer_1};
use crate::facts;
use crate::options::{Scale, Unit};

/// Width of the names.
const NAMES: f32 = 66.0;

/// What the maps of a sheet are.
fn maps(explanation: &Explanation) -> String {
    if explanation.layers.is_empty() {
        return "words: at the word embeddings, before position and segment; this method has no other scores".to_owned();
    }
    let sum = if explanation.method.complete {
        "; the sum of each is Δt"
    } else {
        ""
    };
    let rest = format!(
        "layer n: at the input of encoder layer n; output: at the final hidden states{sum}"
    );
    if words_as_layer_1(explanation) {
        format!(
            "{rest}. The words (at the word embeddings) are not drawn: they look {AS_LAYER_1}, since position, segment and LayerNorm pass nothing between tokens"
        )
    } else {
        format!("words: at the word embeddings, before position and segment; {rest}")
    }
}

/// Where in the network a cut lies.
fn place(explanation: &Explanation, cut: &str) -> String {
    let layer = cut.strip_prefix("Layer ");
    match layer {
        Some("1") if words_as_layer_1(explanation) => {
            "at the input of encoder layer 1, and token by token the same at the word embeddings"
                .to_owned()
        }
        Some(layer) => format!("at the input of encoder layer {layer}"),
        None => {
            "at the final hidden states, where by construction the target's own tokens alone score"
                .to_owned()
        }
    }
}

impl Page<'_> {
    /// A row of the header: a name and what it names.
    fn row(&mut self, room: f32, name: &str, face: Face, text: &str) {
        let height = if name.is_empty() {
            0.0
        } else {
            self.prose(Face::Regular, SMALL, MARGIN, NAMES, name, GREY)
        };
        let size = if face == Face::Bold { TEXT } else { SMALL };
        // A larger size on the same baseline.
        let lift = (size - SMALL) * 1.17;
        self.y -= lift;
        let own = self.prose(face, size, MARGIN + NAMES, room - NAMES, text, "#000");
        self.y += lift + height.max(own - lift);
    }

    /// Question, answer, target, whether the sums hold, and what the colours and marks mean.
    ///
    /// The page of a `single` cut, named, says what that one is; the rest is the same, so that a figure can stand alone.
    pub(super) fn header(&mut self, room: f32, single: Option<&str>) {
        let (explanation, full) = (self.explanation, single.is_none());
        self.y -= 6.0;
        self.y += self.prose(
            Face::Bold,
            19.0,
            MARGIN,
            room,
            &explanation.question,
            "#000",
        );
        self.y += 4.0;
        self.row(room, "answer", Face::Bold, facts::answer(explanation));
        if full {
            self.row(room, "", Face::Regular, &facts::scores(explanation));
            if let Some(best) = facts::best_span(explanation) {
                self.row(room, "best span", Face::Regular, &best);
            }
        }
        let delta = facts::delta(explanation);
        let (name, value) = delta.split_once(' ').unwrap_or(("", &delta));
        self.row(room, name, Face::Bold, value);
        self.row(room, "", Face::Regular, &facts::target(explanation));
        let broken = facts::broken(explanation);
        if full || !explanation.completeness.holds {
            let face = if broken { Face::Bold } else { Face::Regular };
            self.row(room, "sums", face, &facts::sums(explanation));
        }
        let window = &explanation.window;
        if window.count > 1 {
            let text = format!(
                "{} of {}: characters {} to {} of the passage; the rest is not part of what is explained",
                window.index.saturating_add(1),
                window.count,
                window.start,
                window.end
            );
            self.row(room, "window", Face::Regular, &text);
        }
        let (name, text) = match single {
            Some(cut) if explanation.method.complete => (
                "map",
                format!("{}; the sum of its scores is Δt", place(explanation, cut)),
            ),
            Some(cut) => ("map", place(explanation, cut)),
            None => ("maps", maps(explanation)),
        };
        self.row(room, name, Face::Regular, &text);
        self.row(room, "method", Face::Regular, &facts::method(explanation));
        self.legend(room);
        self.y += 14.0;
        let _ = write!(self.body, "<path stroke=\"#bbb\" d=\"M{MARGIN} ");
        let _ = writeln!(self.body, "{}h{}\"/>", number(self.y), number(room));
        self.y += 14.0;
    }

    /// What the colours mean, and the marks.
    fn legend(&mut self, room: f32) {
        let (positive, negative) = self.options.palette.names();
        let scale = match self.options.scale {
            Scale::Layer => "a full colour is the largest score of the same map",
            Scale::Shared => "a full colour is the largest score of all maps",
        };
        let ramp = match self.options.ramp {
            Ramp::Linear => "",
            Ramp::Root => {
                "; colour grows with the square root of the score: half of it is a quarter"
            }
        };
        let unit = match self.options.unit {
            Unit::Words => "word",
            Unit::Wordpieces => "wordpiece",
        };
        let [raises, lowers] = facts::meaning(self.explanation);
        let text = format!(
            "of each {unit}: {positive} {raises}, {negative} {lowers}, white is zero; {scale}{ramp}"
        );
        self.row(room, "colours", Face::Regular, &text);
        let first = self.explanation.tokens.first();
        let special = first.map_or("[CLS]", |token| token.text.as_str());
        let mut samples = vec![(special, true, None, "a special token")];
        let answer = if self.explanation.answer.has_answer {
            ("answer", false, Some(false), "the answer")
        } else {
            (special, true, Some(false), "no answer")
        };
        samples.insert(0, answer);
        if self.explanation.target.versus.is_some() {
            samples.insert(1, ("span", false, Some(true), "what it is compared with"));
        }
        let y = self.y + 2.0;
        self.y = y;
        let height = self.prose(Face::Regular, SMALL, MARGIN, NAMES, "marks", GREY);
        let mut x = MARGIN + NAMES + 2.0;
        for (sample, special, outline, meaning) in samples {
            let mut cluster = Cluster::plain(sample);
            for piece in &mut cluster.pieces {
                piece.token = Some(0);
            }
            let text = self.setter(Face::Regular, SMALL, room).text(&[cluster]);
            let look = Look {
                background: Colour::WHITE,
                group: 0,
                special,
            };
            let outline = outline.map(|dashed| Outline {
                tokens: 0..=0,
                dashed,
            });
            tokens(
                &mut self.body,
                &text,
                (x, y),
                &|_| Some(look),
                outline.as_slice(),
            );
            x += text.width() + 8.0;
            let text = self.setter(Face::Regular, SMALL, room).prose(meaning);
            plain(&mut self.body, &text, (x, y), "#000");
            x += text.width() + 24.0;
        }
        self.y += height;
    }
}
