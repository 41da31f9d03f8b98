//! The text of the explained window, cut at its white space and again at its tokens.

use spanlift_explanation::{Explanation, NO_TEXT, Part, Texts, Token, is_blank};

use crate::text::visible;

/// What stays together on a line: the tokens of a stretch of text without white space.
pub(crate) struct Cluster {
    pub(crate) pieces: Vec<Piece>,
    /// Whether the white space before it lies in the answer.
    pub(crate) gap_in_answer: bool,
    /// How many line ends are in the white space before it: at one a new line begins, at more a paragraph.
    pub(crate) breaks: usize,
    pub(crate) part: Part,
}

impl Cluster {
    /// A word of no token.
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            pieces: vec![Piece {
                text: visible(text),
                token: None,
            }],
            gap_in_answer: false,
            breaks: 0,
            part: Part::Passage,
        }
    }
}

/// A token's text, or text that no token covers.
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) token: Option<usize>,
}

/// The window's text in its own order. Between two tokens stands what stands between them in the question or
/// passage: nothing, white space, or characters that the tokenizer dropped, which stay with the token before.
pub(crate) fn clusters(explanation: &Explanation) -> Vec<Cluster> {
    let answer = &explanation.answer;
    let texts = Texts::new(explanation);
    let mut ends = [0, explanation.window.start];
    let mut clusters: Vec<Cluster> = Vec::new();
    for (i, token) in explanation.tokens.iter().enumerate() {
        let (gap, text) = match texts.span(token) {
            Some((first, end)) => {
                let characters = texts.of(token.part);
                let reached = &mut ends[usize::from(token.part == Part::Passage)];
                let (start, before) = (first.max(*reached), *reached);
                *reached = end.max(before);
                let text = if first == end {
                    NO_TEXT
                } else {
                    // Bytes of a character that the token before has shown: nothing is left of it.
                    characters.slice(start, end).unwrap_or("")
                };
                (characters.slice(before, start).unwrap_or(" "), text)
            }
            None => (" ", token.text.as_str()),
        };
        let gap_in_answer = answer.start_token < i && i <= answer.end_token;
        push(&mut clusters, token, gap, gap_in_answer);
        if let Some(cluster) = clusters.last_mut() {
            cluster.pieces.push(Piece {
                text: visible(text),
                token: Some(i),
            });
        }
    }
    clusters
}

/// The clusters in paragraphs: each begins where a line of the text does.
pub(crate) fn paragraphs(clusters: &[Cluster]) -> impl Iterator<Item = &[Cluster]> {
    clusters.chunk_by(|_, next| next.breaks == 0)
}

/// Line ends in white space: `\r\n` is one, U+2029 ends a paragraph.
fn breaks(gap: &str) -> usize {
    let ends = gap.replace("\r\n", "\n");
    let ends = ends.chars().map(|c| match c {
        '\n' | '\r' | '\u{2028}' => 1,
        '\u{2029}' => 2,
        _ => 0,
    });
    ends.sum()
}

/// Makes the last cluster the one that `token` belongs to, and places the text of the gap before it.
fn push(clusters: &mut Vec<Cluster>, token: &Token, gap: &str, gap_in_answer: bool) {
    let part = token.part;
    let loose = |text: &str| Piece {
        text: visible(text),
        token: None,
    };
    let together = clusters
        .last()
        .is_some_and(|last| last.part == part && part != Part::Special);
    let (before, after) = match (gap.find(is_blank), gap.rfind(is_blank)) {
        (Some(first), Some(last)) => (&gap[..first], gap[last..].trim_start_matches(is_blank)),
        _ if together => (gap, ""),
        _ => ("", gap),
    };
    if let Some(cluster) = clusters.last_mut()
        && together
        && !before.is_empty()
    {
        cluster.pieces.push(loose(before));
    }
    if !together || gap.contains(is_blank) {
        clusters.push(Cluster {
            pieces: Vec::new(),
            gap_in_answer,
            breaks: if together { breaks(gap) } else { 0 },
            part,
        });
    }
    if let Some(cluster) = clusters.last_mut()
        && !after.is_empty()
    {
        cluster.pieces.push(loose(after));
    }
}
