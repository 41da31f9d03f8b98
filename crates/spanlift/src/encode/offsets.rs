//! From the tokenizer's byte offsets to characters that slice the text.

use unicode_normalization::char::is_combining_mark;

use super::EncodedToken;

/// Counts the characters of a text up to its bytes.
pub(super) struct Characters {
    /// The byte at which each character begins, and the text's length behind them.
    begins: Vec<usize>,
}

impl Characters {
    pub(super) fn of(text: &str) -> Self {
        let begins = text.char_indices().map(|(byte, _)| byte);
        Self {
            begins: begins.chain([text.len()]).collect(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.begins.len() - 1
    }

    /// The characters that hold the bytes from `start` to `end`: whole ones, at least one, none past the text.
    /// `None` only for a text without characters.
    ///
    /// A token of a byte-level tokenizer may begin and end inside a character. A token without bytes of its own (made
    /// by a normalizer) and a reversed or excessive range, which no tokenizer should give, get the character at `start`.
    pub(super) fn range(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let last = self.count().checked_sub(1)?;
        // The last character that begins at `start` or before: the first one begins at 0.
        let from = self.begins.partition_point(|&begin| begin <= start) - 1;
        let from = from.min(last);
        let to = self.begins.partition_point(|&begin| begin < end);
        Some((from, to.clamp(from + 1, last + 1)))
    }

    /// The same characters without the blanks before and behind, which byte-level and SentencePiece tokenizers put into
    /// their tokens; all of them where there is nothing else.
    pub(super) fn trimmed(&self, text: &str, start: usize, end: usize) -> (usize, usize) {
        let slice = text.get(self.begins[start]..self.begins[end]);
        let slice = slice.unwrap_or_default();
        let blanks = |c: &char| c.is_whitespace();
        let before = slice.chars().take_while(blanks).count();
        if before == end - start {
            return (start, end);
        }
        let behind = slice.chars().rev().take_while(blanks).count();
        (start + before, end - behind)
    }

    /// Gives combining marks that a normalizer took away, and so belong to no token, to the token before them: an accent
    /// stays with its letter when the text is sliced.
    pub(super) fn keep_marks(&self, text: &str, tokens: &mut [EncodedToken]) {
        for i in 0..tokens.len() {
            let next = tokens.get(i + 1).map_or(self.count(), |next| next.start);
            let rest = self
                .begins
                .get(tokens[i].end)
                .and_then(|&begin| text.get(begin..));
            let room = next.saturating_sub(tokens[i].end);
            let marks = rest.unwrap_or_default().chars().take(room);
            tokens[i].end += marks.take_while(|&c| is_combining_mark(c)).count();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_characters() {
        // Bytes: a 0, é 1..3, 🦀 3..7, b 7; 8 bytes, 4 characters.
        let text = Characters::of("aé🦀b");
        assert_eq!(text.count(), 4);
        assert_eq!(text.range(0, 1), Some((0, 1)));
        assert_eq!(text.range(1, 3), Some((1, 2)));
        assert_eq!(text.range(0, 8), Some((0, 4)));
        // Inside a character.
        assert_eq!(text.range(4, 5), Some((2, 3)));
        assert_eq!(text.range(2, 4), Some((1, 3)));
    }

    #[test]
    fn blanks_are_trimmed_where_there_is_more_than_blanks() {
        let text = " \u{a0}é 🦀\n\t";
        let characters = Characters::of(text);
        let trimmed = |start, end| characters.trimmed(text, start, end);
        assert_eq!(trimmed(0, 3), (2, 3));
        assert_eq!(trimmed(2, 6), (2, 5), "inner blanks stay");
        assert_eq!(trimmed(2, 3), (2, 3));
        assert_eq!(trimmed(5, 7), (5, 7), "nothing else");
    }

    #[test]
    fn odd_ranges_get_one_character() {
        let text = Characters::of("aé🦀b");
        assert_eq!(text.range(3, 3), Some((2, 3)), "empty");
        assert_eq!(text.range(3, 1), Some((2, 3)), "reversed");
        assert_eq!(text.range(8, 8), Some((3, 4)), "at the end");
        assert_eq!(text.range(70, 90), Some((3, 4)), "past the end");
        assert_eq!(text.range(7, usize::MAX), Some((3, 4)), "too long");
        assert_eq!(Characters::of("").range(0, 0), None);
    }
}
