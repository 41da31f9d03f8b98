//! Lines of styled text no wider than the page, and the escape sequences that show them.
//!
//! The only file that writes an escape sequence: one (SGR) before each stretch of text in one style, one after it.

use spanlift_explanation::is_blank;

use crate::colour::{Colour, Ramp, diverging, diverging_ansi256};
use crate::terminal::ColourDepth;
use crate::text::{isolates, most, right_to_left_runs, width};

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// Text and background: always both, so that the terminal's own colours do not matter.
    pub(crate) paint: Option<(Colour, Colour)>,
    pub(crate) bold: bool,
    pub(crate) underline: bool,
}

impl Style {
    pub(crate) const PLAIN: Self = Self {
        paint: None,
        bold: false,
        underline: false,
    };
    pub(crate) const BOLD: Self = Self {
        bold: true,
        ..Self::PLAIN
    };

    /// Readable text on this background.
    pub(crate) fn on(background: Colour) -> Self {
        Self {
            paint: Some((background.readable_on(), background)),
            ..Self::PLAIN
        }
    }

    /// The same with paler text.
    pub(crate) fn dim(self) -> Self {
        Self {
            paint: self
                .paint
                .map(|(text, background)| (text.mix(background, 0.3), background)),
            ..self
        }
    }

    fn sequence(self, depth: ColourDepth) -> String {
        let mut codes = Vec::new();
        if self.bold {
            codes.push("1".to_owned());
        }
        if self.underline {
            codes.push("4".to_owned());
        }
        if let Some((text, background)) = self.paint {
            match depth {
                ColourDepth::None => {}
                ColourDepth::Ansi256 => {
                    codes.push(format!(
                        "38;5;{};48;5;{}",
                        text.ansi256(),
                        background.ansi256()
                    ));
                }
                ColourDepth::TrueColour => {
                    for (code, Colour { r, g, b }) in [(38, text), (48, background)] {
                        codes.push(format!("{code};2;{r};{g};{b}"));
                    }
                }
            }
        }
        format!("\x1b[{}m", codes.join(";"))
    }
}

/// A stretch of text in one style, already fit to be shown ([`crate::text::visible`]).
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) text: String,
    pub(crate) style: Style,
}

impl Span {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

/// What stays together on a line, with what parts it from the item before it on the same line.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) gap: Span,
    pub(crate) spans: Vec<Span>,
}

impl Item {
    /// One stretch, `gap` blanks behind the one before.
    pub(crate) fn new(gap: usize, text: impl Into<String>, style: Style) -> Self {
        Self {
            gap: Span::new(" ".repeat(gap), Style::PLAIN),
            spans: vec![Span::new(text, style)],
        }
    }

    pub(crate) fn plain(gap: usize, text: impl Into<String>) -> Self {
        Self::new(gap, text, Style::PLAIN)
    }

    /// Itself, or its words where it is one stretch wider than `room`.
    fn fitted(self, room: usize) -> Vec<Self> {
        match self.spans.as_slice() {
            [Span { text, style }] if width(text) > room && text.contains(' ') => {
                let words = text
                    .split_whitespace()
                    .map(|word| Self::new(1, word, *style));
                let mut words: Vec<Self> = words.collect();
                if let Some(first) = words.first_mut() {
                    first.gap = self.gap;
                }
                words
            }
            _ => vec![self],
        }
    }
}

/// The words of a text, to be wrapped like prose.
pub(crate) fn prose(text: &str, style: Style) -> Vec<Item> {
    let words = text
        .split(is_blank)
        .filter(|word| !word.is_empty())
        .map(crate::text::visible);
    words
        .map(|word| Item {
            gap: Span::new(" ", style),
            ..Item::new(1, word, style)
        })
        .collect()
}

/// The text under construction.
pub(crate) struct Page {
    width: usize,
    depth: ColourDepth,
    ramp: Ramp,
    text: String,
}

impl Page {
    pub(crate) fn new(width: usize, depth: ColourDepth, ramp: Ramp) -> Self {
        Self {
            width,
            depth,
            ramp,
            text: String::new(),
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn coloured(&self) -> bool {
        self.depth != ColourDepth::None
    }

    pub(crate) fn ramp(&self) -> Ramp {
        self.ramp
    }

    /// The background of a score that is `share` times its scale.
    pub(crate) fn tint(&self, share: f32) -> Style {
        let x = self.ramp.place(share);
        Style::on(match self.depth {
            ColourDepth::None | ColourDepth::TrueColour => diverging(x),
            ColourDepth::Ansi256 => Colour::of_ansi256(diverging_ansi256(x)),
        })
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Items one behind the other after `label`, wrapped to lines that begin `hang` columns from the left.
    ///
    /// An item wider than a line is broken, at its blanks where it has any. The label is plain text and counts towards the first line's `hang`.
    pub(crate) fn flow(&mut self, label: Span, hang: usize, items: Vec<Item>) {
        let hang = hang.min(self.width / 2);
        let room = self.width - hang;
        let pad = hang.saturating_sub(width(&label.text));
        let mut used = width(&label.text).max(hang) - hang;
        let mut line = vec![label, Span::new(" ".repeat(pad), Style::PLAIN)];
        let mut empty = used == 0;
        for item in items.into_iter().flat_map(|item| item.fitted(room)) {
            for (i, spans) in broken(item.spans, room).into_iter().enumerate() {
                let (gap, size) = (width(&item.gap.text), measure(&spans));
                if i > 0 || (!empty && used + gap + size > room) {
                    self.line(&line);
                    (line, used, empty) =
                        (vec![Span::new(" ".repeat(hang), Style::PLAIN)], 0, true);
                }
                if !empty {
                    line.push(item.gap.clone());
                    used += gap;
                }
                line.extend(spans);
                (used, empty) = (used + size, false);
            }
        }
        self.line(&line);
    }

    /// One line; blanks without a style at its end are left out.
    pub(crate) fn line(&mut self, spans: &[Span]) {
        let end = spans
            .iter()
            .rposition(|s| s.style != Style::PLAIN || !s.text.trim_end().is_empty());
        let spans = spans
            .get(..end.map_or(0, |end| end + 1))
            .unwrap_or_default();
        let runs = right_to_left_runs(spans.iter().map(|span| span.text.as_str()));
        let (isolate, pop) = isolates();
        let mut shown = Style::PLAIN;
        for (i, span) in spans.iter().enumerate() {
            if self.coloured() && span.style != shown {
                self.set(&mut shown, span.style);
            }
            if runs.iter().any(|&(first, _)| first == i) {
                self.text.push_str(isolate);
            }
            let last = i + 1 == spans.len() && span.style == Style::PLAIN;
            self.text.push_str(if last {
                span.text.trim_end()
            } else {
                &span.text
            });
            if runs.iter().any(|&(_, last)| last == i) {
                self.text.push_str(pop);
            }
        }
        if shown != Style::PLAIN {
            self.set(&mut shown, Style::PLAIN);
        }
        self.text.push('\n');
    }

    fn set(&mut self, shown: &mut Style, style: Style) {
        if *shown != Style::PLAIN {
            self.text.push_str("\x1b[0m");
        }
        if style != Style::PLAIN {
            self.text.push_str(&style.sequence(self.depth));
        }
        *shown = style;
    }
}

/// Columns of spans that stand together: measured together, since characters may join over their border.
fn measure(spans: &[Span]) -> usize {
    width(
        &spans
            .iter()
            .map(|span| span.text.as_str())
            .collect::<String>(),
    )
}

/// The spans in parts of at most `room` columns (one character at least).
fn broken(spans: Vec<Span>, room: usize) -> Vec<Vec<Span>> {
    if measure(&spans) <= room {
        return vec![spans];
    }
    let mut parts: Vec<Vec<Span>> = vec![Vec::new()];
    let mut text = String::new();
    let mut count = 0;
    for span in spans {
        for c in span.text.chars() {
            text.push(c);
            count += 1;
            // Characters without width, too, come to an end.
            if (width(&text) > room && count > 1) || count > most(room) {
                parts.push(Vec::new());
                (text, count) = (c.to_string(), 1);
            }
            let Some(part) = parts.last_mut() else {
                continue;
            };
            match part.last_mut() {
                Some(last) if last.style == span.style => last.text.push(c),
                _ => part.push(Span::new(c, span.style)),
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In no time: measured again from its beginning for each of its characters, the second of these took hours.
    #[test]
    fn a_word_without_end_is_broken_into_lines() {
        let lines = |text: &str| {
            let parts = broken(vec![Span::new(text, Style::PLAIN)], 10);
            let texts = parts.into_iter().flatten().map(|span| span.text);
            texts.collect::<Vec<_>>()
        };
        assert_eq!(
            lines(&"x".repeat(25)),
            ["x".repeat(10), "x".repeat(10), "x".repeat(5)]
        );
        let marks = format!("{}{}", "\u{301}".repeat(1_000_000), "x".repeat(11));
        let lines = lines(&marks);
        assert_eq!(lines.concat(), marks);
        assert!(lines.iter().all(|line| line.chars().count() <= most(10)));
    }
}
