//! HTML: one page that needs nothing else, with the web component of `web/` and the explanation inside it.
//!
//! ```html
//! <spanlift-explanation>
//!   <script type="application/json">…</script>
//!   …question, answer and strongest words, for where the script does not run…
//! </spanlift-explanation>
//! <script>…the component…</script>
//! ```
//!
//! The element's own content is what a reader sees without the script (mail previews, old browsers, search
//! engines): once the component runs, its shadow tree takes that place
//! (<https://developer.mozilla.org/en-US/docs/Web/API/Element/attachShadow>).
//!
//! Nothing foreign can act: text is escaped, `<` inside the JSON is `\u003c`, and the page's Content-Security-Policy
//! allows the one script by its hash and no address at all, so that a script that got in would neither run nor
//! reach a network. In the JSON `</script` would end the element and `<!--` with `<script` would keep it from
//! ending; U+2028 and U+2029 were no characters of a JavaScript string before 2019
//! (<https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements>).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use spanlift_explanation::{Explanation, Scope, Word};

use crate::colour::{Palette, Ramp};
use crate::cut::{self, AS_LAYER_1, Cut, cuts, units, words_as_layer_1};
use crate::error::RenderError;
use crate::facts;
use crate::format::{Format, Rendered};
use crate::number::{Digits, error, largest};
use crate::options::{Options, Scale, Unit};
use crate::picture::xml::escape;
use crate::text::label;

/// The built web component.
const COMPONENT: &str = include_str!("../../../web/dist/spanlift-explanation.js");

/// How many words a cut shows without the script.
const STRONGEST: usize = 8;

const STYLE: &str = "body{margin:0}\
    spanlift-explanation:not(:defined){display:block;max-width:60em;margin:0 auto;padding:1em;\
    font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
    th{text-align:start;font-weight:600;white-space:nowrap}\
    td,th{vertical-align:top;padding:.2em 1em .2em 0}\
    td:not(:last-child),td span{white-space:nowrap}";

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
        let json = json_in_script(&explanation.to_json()?);
        let component = script_in_script(COMPONENT);
        let hash = STANDARD.encode(Sha256::digest(component.as_bytes()));
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
        let title = escape(&format!("{} — {answer}", explanation.question));
        let page = format!(
            "<!doctype html>\n\
             <html lang=\"en\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src data: blob:; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n\
             <style>{STYLE}</style>\n\
             </head>\n\
             <body>\n\
             <spanlift-explanation unit=\"{unit}\" scale=\"{scale}\" ramp=\"{ramp}\" palette=\"{palette}\">\
             <script type=\"application/json\">{json}</script>\n\
             {}</spanlift-explanation>\n\
             <script>{component}</script>\n\
             </body>\n\
             </html>\n",
            readable(explanation, options.unit),
        );
        Ok(Rendered {
            bytes: page.into_bytes(),
            warnings: Vec::new(),
        })
    }
}

/// JSON that can stand in a script element: the same JSON, since all three characters stand only in strings.
fn json_in_script(json: &str) -> String {
    json.trim_end()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// JavaScript that can stand in a script element: `<` as `\x3c` where it would end the element or open a
/// comment, which in a built file it does only inside strings, templates and regular expressions.
fn script_in_script(script: &str) -> String {
    let mut safe = String::with_capacity(script.len());
    let mut rest = script;
    while let Some(at) = rest.find('<') {
        let (before, after) = rest.split_at(at);
        safe.push_str(before);
        let tail = &after[1..];
        let ends = tail
            .get(..7)
            .is_some_and(|tail| tail.eq_ignore_ascii_case("/script"));
        safe.push_str(if ends || tail.starts_with("!--") {
            "\\x3c"
        } else {
            "<"
        });
        rest = tail;
    }
    safe.push_str(rest);
    safe
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script_early() {
        assert_eq!(
            script_in_script("a='</ScRiPt>';b=`<!--<script>`;c=1<2"),
            "a='\\x3c/ScRiPt>';b=`\\x3c!--<script>`;c=1<2"
        );
        assert_eq!(script_in_script("é</script"), "é\\x3c/script");
        let component = script_in_script(COMPONENT).to_lowercase();
        assert!(!component.contains("</script") && !component.contains("<!--"));
        assert!(
            !json_in_script("{\"a\":\"<\u{2028}\u{2029}\"}")
                .contains(['<', '\u{2028}', '\u{2029}'])
        );
    }
}
