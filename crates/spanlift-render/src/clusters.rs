//! The text of the explained window, cut at its white space and again at its tokens.

use spanlift_explanation::{Characters, Explanation, Part, Token};

use crate::text::visible;

/// What stays together on a line: the tokens of a stretch of text without white space.
pub(crate) struct Cluster {
    pub(crate) pieces: Vec<Piece>,
    /// Whether the white space before it lies in the answer.
    pub(crate) gap_in_answer: bool,
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
    let texts = [
        Characters::new(&explanation.question),
        Characters::new(&explanation.passage),
    ];
    let mut ends = [0, explanation.window.start];
    let mut clusters: Vec<Cluster> = Vec::new();
    for (i, token) in explanation.tokens.iter().enumerate() {
        let which = usize::from(token.part == Part::Passage);
        let (gap, text) = match (token.part, token.start, token.end) {
            (Part::Question | Part::Passage, Some(start), Some(end)) => {
                let (start, before) = (start.max(ends[which]), ends[which]);
                ends[which] = end.max(before);
                (
                    texts[which].slice(before, start).unwrap_or(" "),
                    texts[which].slice(start, end).unwrap_or(""),
                )
            }
            _ => (" ", token.text.as_str()),
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
    let (before, after) = match (
        gap.find(char::is_whitespace),
        gap.rfind(char::is_whitespace),
    ) {
        (Some(first), Some(last)) => (&gap[..first], gap[last..].trim_start()),
        _ if together => (gap, ""),
        _ => ("", gap),
    };
    if let Some(cluster) = clusters.last_mut()
        && together
        && !before.is_empty()
    {
        cluster.pieces.push(loose(before));
    }
    if !together || gap.contains(char::is_whitespace) {
        clusters.push(Cluster {
            pieces: Vec::new(),
            gap_in_answer,
            part,
        });
    }
    if let Some(cluster) = clusters.last_mut()
        && !after.is_empty()
    {
        cluster.pieces.push(loose(after));
    }
}
