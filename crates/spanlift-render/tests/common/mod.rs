//! Fixtures of the picture and page tests.
#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use spanlift_explanation::{Explanation, Part};

/// A question, a passage of two sentences' worth of tokens, two layers of two heads; every number handmade.
pub(crate) fn mill() -> Explanation {
    Explanation::from_json(include_str!("../data/mill.json")).unwrap()
}

/// The same scores on other text: the passage's nine tokens are these texts, a blank between any two.
pub(crate) fn with_passage(texts: [&str; 9]) -> Explanation {
    let mut explanation = mill();
    let mut passage = String::new();
    let tokens = explanation.tokens.iter_mut();
    for (token, text) in tokens
        .filter(|token| token.part == Part::Passage)
        .zip(texts)
    {
        let start = passage.chars().count();
        passage.push_str(text);
        (token.text, token.start) = (text.to_owned(), Some(start));
        token.end = Some(passage.chars().count());
        passage.push(' ');
    }
    explanation.window.end = passage.chars().count();
    let end = explanation.tokens[9].end;
    explanation.answer.end = end;
    explanation.answer.text = passage.chars().take(end.unwrap()).collect();
    explanation.passage = passage;
    explanation.candidates.clear();
    explanation.validate().unwrap();
    explanation
}

/// Tokens of five letters, one score each, until there are so many; a cut differs from the next, and the words from layer 1.
#[allow(dead_code, reason = "not every test draws it")]
pub(crate) fn long(tokens: usize, layers: usize) -> Explanation {
    let mut explanation = mill();
    let (question, [before, last]) = (
        explanation.tokens[..7].to_vec(),
        [9, 16].map(|i| explanation.tokens[i].clone()),
    );
    explanation.passage = "river ".repeat(tokens - 8);
    explanation.window.end = explanation.passage.len();
    explanation.tokens = question;
    for i in 0..tokens - 8 {
        let mut token = before.clone();
        (token.text, token.start, token.end) = ("river".to_owned(), Some(6 * i), Some(6 * i + 5));
        explanation.tokens.push(token);
    }
    explanation.tokens.push(last);
    let answer = &mut explanation.answer;
    (answer.start_token, answer.end_token, answer.end) = (7, 7, Some(5));
    answer.text = "river".to_owned();
    explanation.candidates.clear();
    explanation.top_edges.clear();
    (explanation.target.start_token, explanation.target.end_token) = (7, 7);
    let score = |l: usize| {
        (0..tokens)
            .map(|i| ((i * 7 + l * 3) % 11) as f32 - 5.0)
            .collect::<Vec<_>>()
    };
    explanation.word_score = score(99);
    let layer = explanation.layers[0].clone();
    explanation.layers = (0..=layers)
        .map(|l| {
            let name = if l == layers {
                "output".to_owned()
            } else {
                (l + 1).to_string()
            };
            let (score, zeros) = (score(l), vec![0.0; tokens]);
            spanlift_explanation::LayerScores {
                name,
                score,
                positive: zeros.clone(),
                negative: zeros,
                ..layer.clone()
            }
        })
        .collect();
    explanation.model.layers = layers;
    explanation.heads.score = vec![vec![0.0; 2]; layers];
    explanation.heads.by_token = vec![vec![vec![0.0; tokens]; 2]; layers];
    for list in [
        &mut explanation.heads.residual,
        &mut explanation.heads.error,
    ] {
        *list = vec![0.0; layers];
    }
    for list in [
        &mut explanation.mlp,
        &mut explanation.mlp_residual,
        &mut explanation.mlp_error,
    ] {
        *list = vec![0.0; layers];
    }
    explanation.validate().unwrap();
    explanation
}

/// What somebody might put into a passage to break out of it.
pub(crate) fn hostile() -> Explanation {
    let mut explanation = with_passage([
        "<script>alert(1)</script>",
        "\"quoted'",
        "a&b;&lt;",
        "\u{202e}evil\u{2066}",
        "nul\0bell\u{7}\u{fffe}",
        "]]><!--<script",
        "</svg>\u{2028}",
        "\u{1b}[31m\u{85}\u{9b}",
        "-->",
    ]);
    explanation.question = "Is <b>\"it\"</b> & 'safe'?".to_owned();
    for (token, (start, end)) in
        explanation
            .tokens
            .iter_mut()
            .skip(1)
            .zip([(0, 2), (3, 6), (6, 10), (10, 14), (17, 24)])
    {
        (token.start, token.end) = (Some(start), Some(end));
    }
    explanation.model.name = "</title><script>alert(2)</script>".to_owned();
    explanation.validate().unwrap();
    explanation
}

/// Writing from right to left, accents apart from their letters, wide signs, emoji, and a very long word.
pub(crate) fn scripts() -> Explanation {
    let long = "Donaudampfschifffahrt".repeat(8);
    with_passage([
        "שלום",
        "(עולם)",
        "1877",
        "العربية",
        "cafe\u{301}",
        "東京都",
        "👩\u{200d}🚀😀",
        "\u{301}",
        &long,
    ])
}

/// The same without an answer.
pub(crate) fn none() -> Explanation {
    let mut explanation = mill();
    let answer = &mut explanation.answer;
    (answer.has_answer, answer.text) = (false, String::new());
    (answer.start, answer.end) = (None, None);
    (answer.start_token, answer.end_token) = (0, 0);
    let target = &mut explanation.target;
    (target.start_token, target.end_token) = (0, 0);
    explanation.validate().unwrap();
    explanation
}
