//! How far the scores of one precision lie from those of another, map by map.

use spanlift_explanation::Explanation;
use spanlift_squad::Question;

/// The two kinds of map: a head's own scores may be small beside those of the layer that it is a part of.
pub(super) const KINDS: [&str; 2] = ["words, layers and output", "heads by token"];

/// The map of one question, of one kind, that lies farthest from the other precision's.
pub(super) struct Apart {
    pub(super) id: String,
    pub(super) map: String,
    /// The largest |difference| of a score, by the largest |score| of the map.
    pub(super) relative: f64,
}

/// One of each kind; none where the other precision explains another span.
pub(super) fn apart(
    question: &Question,
    one: &Explanation,
    other: &Explanation,
) -> Option<[Apart; 2]> {
    let explained = |x: &Explanation| (x.window.index, x.target.start_token, x.target.end_token);
    if explained(one) != explained(other) {
        return None;
    }
    let farthest = |(ones, others): (Maps<'_>, Maps<'_>)| {
        let apart = ones.into_iter().zip(others);
        let apart = apart.map(|((map, one), (_, other))| (relative(one, other), map));
        let (relative, map) = apart.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Apart {
            id: question.id.clone(),
            map,
            relative,
        })
    };
    let ([tokens, heads], [other_tokens, other_heads]) = (maps(one), maps(other));
    Some([
        farthest((tokens, other_tokens))?,
        farthest((heads, other_heads))?,
    ])
}

/// Maps with their names.
type Maps<'a> = Vec<(String, &'a [f32])>;

/// Every map of an explanation, by kind.
fn maps(explanation: &Explanation) -> [Maps<'_>; 2] {
    let mut tokens = vec![("words".to_owned(), &explanation.word_score[..])];
    for layer in &explanation.layers {
        tokens.push((super::cut_name(&layer.name), &layer.score));
    }
    let mut heads: Maps<'_> = Vec::new();
    for (l, layer) in explanation.heads.by_token.iter().enumerate() {
        for (h, head) in layer.iter().enumerate() {
            heads.push((format!("layer {}, head {}", l + 1, h + 1), head));
        }
    }
    [tokens, heads]
}

fn relative(one: &[f32], other: &[f32]) -> f64 {
    let wide = |&x: &f32| f64::from(x);
    let pairs = one.iter().map(wide).zip(other.iter().map(wide));
    let (apart, top) = pairs.fold((0.0_f64, 0.0_f64), |(apart, top), (a, b)| {
        (apart.max((a - b).abs()), top.max(b.abs()))
    });
    if apart == 0.0 { 0.0 } else { apart / top }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_by_the_largest_score() {
        assert_eq!(relative(&[1.0, -3.5, 2.0], &[1.25, -4.0, 2.0]), 0.125);
        assert_eq!(relative(&[0.0, 0.0], &[0.0, 0.0]), 0.0);
        assert_eq!(relative(&[1.0], &[0.0]), f64::INFINITY);
    }
}
