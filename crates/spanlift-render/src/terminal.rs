//! Text for a terminal: the answer and whether the sums hold, every cut, the heads and the strongest edges.
//!
//! With colour a cut is the window's own text, each token on the colour of its score; without, a line with
//! its strongest words. Both say the same: the answer stands in brackets, cells carry a number, and no line holds
//! an escape sequence unless the options ask for colour. No line is wider than the page.

mod compare;
mod cuts;
mod head;
mod ledger;
mod page;
mod windows;

use spanlift_explanation::{Comparison, Document, Explanation};

use page::Page;
pub use windows::WindowLine;

use crate::colour::Ramp;
use crate::options::{Scale, Unit};

/// The narrowest page: a label and a number beside it.
const NARROWEST: usize = 24;

/// What the terminal can do and what the reader wants. The program finds both out; nothing here looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Columns of the page; fewer than 24 count as 24.
    pub width: usize,
    /// Which colours the terminal knows.
    pub colour: ColourDepth,
    /// What a full colour stands for.
    pub scale: Scale,
    /// How the share of that becomes a colour.
    pub ramp: Ramp,
    /// What has a colour, and what the lists of the strongest name.
    pub unit: Unit,
}

impl Default for TerminalOptions {
    /// 80 columns, no colour, a scale a cut, words.
    fn default() -> Self {
        Self {
            width: 80,
            colour: ColourDepth::None,
            scale: Scale::Layer,
            ramp: Ramp::default(),
            unit: Unit::default(),
        }
    }
}

/// Which colours a terminal knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourDepth {
    /// None: a pipe, or a user who set `NO_COLOR`.
    None,
    /// The fixed 240 of 256.
    Ansi256,
    /// Eight bits a channel.
    TrueColour,
}

/// The explanation as text, each line ended by a newline.
///
/// Nothing in the question, the passage or the vocabulary reaches the terminal as a control: see the source of
/// `text.rs`. An explanation that did not pass [`Explanation::validate`] is shown as far as it goes.
#[must_use]
pub fn terminal(explanation: &Explanation, options: &TerminalOptions) -> String {
    let mut page = Page::new(options.width.max(NARROWEST), options.colour, options.ramp);
    head::head(&mut page, explanation);
    cuts::show(&mut page, explanation, options);
    ledger::show(&mut page, explanation);
    page.into_text()
}

/// One question under several methods as a table: a row for each word, a column for each method; below it what each column adds up to,
/// and what it cost. A comparison of no method is no text.
#[must_use]
pub fn comparison_terminal(comparison: &Comparison, options: &TerminalOptions) -> String {
    let mut page = Page::new(options.width.max(NARROWEST), options.colour, options.ramp);
    compare::show(&mut page, comparison, options);
    page.into_text()
}

/// Every window of a passage as text: the answer's explanation at the head, a line for each window, and all of the passage
/// with each token's score from one of them. `answer` is the explanation of the answer's window.
#[must_use]
pub fn windows_terminal(
    answer: &Explanation,
    lines: &[WindowLine],
    document: &Document,
    options: &TerminalOptions,
) -> String {
    let mut page = Page::new(options.width.max(NARROWEST), options.colour, options.ramp);
    head::head(&mut page, answer);
    windows::show(&mut page, answer, lines, document);
    page.into_text()
}
