//! HTML: one page that needs nothing else, with the web component of `web/` and the explanation inside it (`page.rs`).
//!
//! The element's own content, question, answer and strongest words, is what a reader sees without the script (mail
//! previews, old browsers, search engines): once the component runs, its shadow tree takes that place
//! (<https://developer.mozilla.org/en-US/docs/Web/API/Element/attachShadow>).

use std::fmt::Write as _;

use spanlift_explanation::{Explanation, Scope, Word};

use crate::colour::{Palette, Ramp};
use crate::cut::{self, AS_LAYER_1, Cut, cuts, units, words_as_layer_1};
use crate::error::RenderError;
use crate::facts;
use crate::format::{Format, Rendered};
use crate::number::{Digits, error, largest};
use crate::options::{Options, Scale, Unit};
use crate::page::{Page, escape};
use crate::text::label;

/// The built web component.
const COMPONENT: &str = include_str!("../../../web/dist/spanlift-explanation.js");

/// How many words a cut shows without the script.
const STRONGEST: usize = 8;

/// The format.
pub(crate) struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "HTML"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["html", "htm"]
    }

    fn write(&self, explanation: &Explanation, options: &Options) -> Result<Rendered, RenderError> {
        if explanation.method.scope != Scope::All {
            return Err(RenderError::Scope {
                method: label(&explanation.method.name, 40),
            });
        }
        let scale = match options.scale {
            Scale::Layer => "layer",
            Scale::Shared => "shared",
        };
        let palette = match options.palette {
            Palette::RedBlue => "red-blue",
            Palette::ColourBlind => "colour-blind",
        };
        let ramp = match options.ramp {
            Ramp::Linear => "linear",
            Ramp::Root => "root",
        };
        let unit = match options.unit {
            Unit::Words => "words",
            Unit::Wordpieces => "wordpieces",
        };
        let answer = facts::answer(explanation);
        let page = Page {
            tag: "spanlift-explanation",
            attributes: &format!(
                " unit=\"{unit}\" scale=\"{scale}\" ramp=\"{ramp}\" palette=\"{palette}\""
            ),
            component: COMPONENT,
            title: &format!("{} — {answer}", explanation.question),
            json: &explanation.to_json()?,
            readable: &readable(explanation, options.unit),
        };
        Ok(Rendered {
            bytes: page.html().into_bytes(),
            warnings: Vec::new(),
        })
    }
}

/// Question, answer, target, sums and the strongest units of every cut.
fn readable(explanation: &Explanation, unit: Unit) -> String {
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        html,
        "<h1 dir=\"auto\">{}</h1>",
        escape(&explanation.question)
    );
    let _ = writeln!(
        html,
        "<p>Answer: <strong><bdi>{}</bdi></strong> ({})</p>",
        escape(facts::answer(explanation)),
        escape(&facts::scores(explanation)),
    );
    for line in [
        format!(
            "{}; {}",
            facts::delta(explanation),
            facts::target(explanation)
        ),
        format!("Sums {}", facts::sums(explanation)),
        facts::method(explanation),
    ] {
        let _ = writeln!(html, "<p>{}</p>", escape(&line));
    }
    let name = match unit {
        Unit::Words => "words",
        Unit::Wordpieces => "wordpieces",
    };
    let _ = writeln!(
        html,
        "<table>\n<tr><th>Cut</th><th>Sum</th><th>Error</th><th>Strongest {name}</th></tr>",
    );
    let units = units(explanation, unit);
    let repeated = words_as_layer_1(explanation);
    for (i, cut) in cuts(explanation).iter().enumerate() {
        let strongest = if i == 0 && repeated {
            AS_LAYER_1.to_owned()
        } else {
            strongest(&units, cut)
        };
        let _ = writeln!(
            html,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&cut.name),
            facts::sum_digits(&explanation.target).signed(cut.sum),
            error(cut.error),
            strongest
        );
    }
    html.push_str("</table>\n");
    html
}

fn strongest(units: &[Word], cut: &Cut<'_>) -> String {
    let scored = cut::strongest(units, cut.score, STRONGEST);
    let digits = Digits::of(largest(scored.iter().map(|&(_, score)| score)), 3);
    let cells = scored.iter().map(|&(word, score)| {
        let (text, score) = (escape(&word.text), digits.signed(f64::from(score)));
        format!("<span><bdi>{text}</bdi> {score}</span>")
    });
    cells.collect::<Vec<_>>().join(", ")
}
