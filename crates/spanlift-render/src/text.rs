//! Foreign text made fit for one line of a terminal: nothing in it can act, and its width is known.
//!
//! A passage may hold anything. Control characters, an ESC that would begin an escape sequence among them, the line
//! and paragraph separators, every control of the writing direction and the two noncharacters that XML forbids become `�`:
//! the same in every view (`web/src/text.ts` has the same list), since hardly a font has the pictures `␛ ␉ ␊`.
//!
//! Hebrew or Arabic is shown in its own order and kept from reordering what stands beside it (numbers, arrows,
//! the next column): each run of it on a line is put between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE
//! (<https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates>). A terminal that knows the rules then
//! turns the run and only the run; one that does not shows the letters in stored order and the isolates as nothing.
//! A run and not a token is isolated, because isolated pieces of one word would each turn alone. Since the
//! text's own direction controls are gone, it can close no isolate.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const ISOLATE: &str = "\u{2068}";
const POP: &str = "\u{2069}";
/// Stands for a character that is not shown.
const REPLACEMENT: char = '\u{FFFD}';

/// The text with everything that could act replaced by something that can be seen.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(visible_char).collect()
}

fn visible_char(c: char) -> char {
    match c {
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{061c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}' => REPLACEMENT,
        _ => c,
    }
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Cuts off what no line of `columns` can hold, characters without width included.
pub(crate) fn truncate(text: &mut String, columns: usize) {
    if let Some((byte, _)) = text.char_indices().nth(most(columns)) {
        text.truncate(byte);
    }
}

/// Characters that are put into so many columns: far more than any script needs.
pub(crate) fn most(columns: usize) -> usize {
    columns.saturating_mul(16).saturating_add(64)
}

/// Whether a text holds letters that are written from right to left: the blocks of Hebrew, Arabic, Syriac,
/// Thaana, N'Ko and their kin, and the two historic planes.
pub(crate) fn is_right_to_left(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    })
}

/// The runs of right-to-left text among the pieces of a line, as (first, last): from one such piece to another
/// with no other letter between. A piece that is isolated already ([`label`]) needs nothing.
pub(crate) fn right_to_left_runs<'a>(pieces: impl Iterator<Item = &'a str>) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (i, piece) in pieces.enumerate() {
        if piece.contains(ISOLATE) {
            open = false;
        } else if is_right_to_left(piece) {
            match runs.last_mut() {
                Some(run) if open => run.1 = i,
                _ => runs.push((i, i)),
            }
            open = true;
        } else if piece.contains(char::is_alphabetic) {
            open = false;
        }
    }
    runs
}

/// What goes before and after a run of right-to-left text.
pub(crate) fn isolates() -> (&'static str, &'static str) {
    (ISOLATE, POP)
}

/// A text shown beside others, as in a column: visible, no wider than `limit`, isolated where it needs it.
pub(crate) fn label(text: &str, limit: usize) -> String {
    let mut text = visible(text);
    if text
        .chars()
        .next()
        .is_some_and(|first| first.width() == Some(0))
    {
        // An accent that is a token of its own stands on the dotted circle, as in the code charts.
        text.insert(0, '\u{25cc}');
    }
    if width(&text) > limit {
        // Looked at from its end only where that is near: a text may be of any length.
        truncate(&mut text, limit);
        while width(&text) + 1 > limit && text.pop().is_some() {}
        text.push('…');
    }
    if is_right_to_left(&text) {
        format!("{ISOLATE}{text}{POP}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        assert_eq!(visible("a\u{1b}[31mb\tc\nd\u{7f}"), "a�[31mb�c�d�");
        assert_eq!(
            visible("\u{9b}31m\u{202e}evil\u{202c}\u{2067}\u{2069}"),
            "�31m�evil���"
        );
        assert_eq!(visible("\u{200f}\u{61c}\u{2028}\u{2029}\u{fff9}"), "�����");
        // Every control character there is, and every character of a direction.
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let shown = visible_char(c);
            assert!(!shown.is_control(), "{c:?}");
            assert!(
                !('\u{202a}'..='\u{202e}').contains(&shown)
                    && !('\u{2066}'..='\u{2069}').contains(&shown)
            );
        }
        // What is needed to write stays: accents, joiners of emoji, wide letters.
        let kept = "naïve e\u{301} 東京 👩\u{200d}🚀 ☺\u{fe0f}";
        assert_eq!(visible(kept), kept);
    }

    #[test]
    fn wide_and_combining_characters_are_measured() {
        assert_eq!(width("東京"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("😀"), 2);
        assert_eq!(width("⟦⟧"), 2);
    }

    #[test]
    fn a_label_fits_its_column() {
        assert_eq!(label("tower", 5), "tower");
        assert_eq!(label("towers", 5), "towe…");
        assert_eq!(label("東京都", 5), "東京…");
        assert_eq!(label("שלום", 9), "\u{2068}שלום\u{2069}");
        assert_eq!(label("a\nb", 9), "a�b");
        assert_eq!(label("\u{301}", 9), "◌\u{301}");
        // In no time.
        assert_eq!(label(&"x".repeat(10_000_000), 5), "xxxx…");
        let marks = format!("{}x", "\u{301}".repeat(10_000_000));
        assert_eq!(label(&marks, 1), "…");
    }

    #[test]
    fn runs_reach_over_blanks_and_not_over_other_letters() {
        let runs = |pieces: &[&str]| right_to_left_runs(pieces.iter().copied());
        assert_eq!(
            runs(&["the", " ", "של", "ום", " ", "עולם", ".", " ", "end", "א"]),
            [(2, 5), (9, 9)]
        );
        assert_eq!(runs(&["ב", " ", "1877", " ", "ג"]), [(0, 4)]);
        assert_eq!(runs(&["plain", "(1)"]), []);
        assert_eq!(runs(&[&label("שלום", 9), " +1", "שלום"]), [(2, 2)]);
    }
}
