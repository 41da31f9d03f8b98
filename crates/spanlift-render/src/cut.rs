//! The cuts of an explanation, words to output, and what a full colour stands for at each.

use spanlift_explanation::{Explanation, NO_TEXT, Part, Texts, Word, words};

use crate::number::largest;
use crate::options::{Scale, Unit};
use crate::text::label;

/// Columns that the name of a cut may take.
const NAME: usize = 20;

/// One cut.
pub(crate) struct Cut<'a> {
    /// For the reader: `words`, `layer 3`, `output`.
    pub(crate) name: String,
    /// (S).
    pub(crate) score: &'a [f32],
    pub(crate) sum: f64,
    /// Sum − Δt.
    pub(crate) error: f64,
}

/// The words, the input of each layer, the output.
pub(crate) fn cuts(explanation: &Explanation) -> Vec<Cut<'_>> {
    let words = Cut {
        name: "words".to_owned(),
        score: &explanation.word_score,
        sum: explanation.word_sum,
        error: explanation.word_error,
    };
    let layers = explanation.layers.iter().map(|layer| {
        let number = layer.name.bytes().all(|byte| byte.is_ascii_digit());
        let name = if number {
            format!("layer {}", layer.name)
        } else {
            label(&layer.name, NAME)
        };
        Cut {
            name,
            score: &layer.score,
            sum: layer.sum,
            error: layer.error,
        }
    });
    std::iter::once(words).chain(layers).collect()
}

/// Whether the map at the words would look as the one of layer 1, so that one of the two is enough.
///
/// It does wherever position, segment and LayerNorm are all that lies between: none of them passes anything from one token to
/// another, so that each token keeps its score.
pub(crate) fn words_as_layer_1(explanation: &Explanation) -> bool {
    let Some(layer) = explanation.layers.first() else {
        return false;
    };
    let words = &explanation.word_score;
    let scale = largest(words.iter().copied());
    let near = |(a, b): (&f32, &f32)| f64::from(a - b).abs() <= 1e-3 * scale;
    words.len() == layer.score.len() && words.iter().zip(&layer.score).all(near)
}

/// Why the words have no map of their own.
pub(crate) const AS_LAYER_1: &str = "as layer 1, token by token";

/// What has a colour and what lists name: words, or each token alone.
pub(crate) fn units(explanation: &Explanation, unit: Unit) -> Vec<Word> {
    if unit == Unit::Words {
        return words(explanation);
    }
    let texts = Texts::new(explanation);
    let tokens = explanation.tokens.iter().enumerate();
    let alone = tokens.map(|(i, token)| Word {
        text: token_text(explanation, &texts, i),
        tokens: i..i + 1,
        part: token.part,
        start: token.start,
        end: token.end,
    });
    alone.collect()
}

/// A token as the text has it, with the vocabulary's mark of a continuation.
pub(crate) fn token_text(explanation: &Explanation, texts: &Texts<'_>, index: usize) -> String {
    let Some(token) = explanation.tokens.get(index) else {
        return "?".to_owned();
    };
    let Some((start, end)) = texts.span(token).filter(|_| token.part != Part::Special) else {
        return token.text.clone();
    };
    let text = texts.of(token.part).slice(start, end).unwrap_or_default();
    let text = if text.is_empty() { NO_TEXT } else { text };
    format!("{}{text}", texts.continuation(token).unwrap_or_default())
}

/// The largest |score| of all cuts together, or of each alone.
pub(crate) fn scales<'a>(cuts: impl Iterator<Item = &'a [f32]>, scale: Scale) -> Vec<f64> {
    let own: Vec<f64> = cuts.map(|score| largest(score.iter().copied())).collect();
    match scale {
        Scale::Layer => own,
        Scale::Shared => vec![own.iter().copied().fold(0.0, f64::max); own.len()],
    }
}

/// A score as a share of its scale.
pub(crate) fn share(score: f32, scale: f64) -> f32 {
    if scale > 0.0 {
        (f64::from(score) / scale) as f32
    } else {
        score
    }
}

/// The words with the largest |score|, largest first; none that three digits of the first would show as zero.
pub(crate) fn strongest<'a>(
    words: &'a [Word],
    scores: &[f32],
    count: usize,
) -> Vec<(&'a Word, f32)> {
    let scored = words.iter().map(|word| (word, word.score(scores)));
    let mut scored: Vec<_> = scored.filter(|&(_, score)| score != 0.0).collect();
    scored.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    scored.truncate(count);
    let least = largest(scored.iter().map(|&(_, score)| score)) / 200.0;
    scored.retain(|(_, score)| score.is_nan() || f64::from(score.abs()) >= least);
    scored
}
