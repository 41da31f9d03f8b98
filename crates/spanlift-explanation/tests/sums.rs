//! Sums that are not those of the scores, each produced once and named.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::cafe;
use spanlift_explanation::{Explanation, HeadScores, Invalid, Scope};

/// Every number different from zero, and every sum worked out by hand: Δt is 2.
fn adds_up() -> Explanation {
    let mut explanation = cafe();
    let target = &mut explanation.target;
    (target.value, target.reference_value, target.delta) = (3.5, 1.5, 2.0);
    let score = vec![1.0, 0.5, 0.0, 0.75, -0.5, 0.25, 0.0];
    explanation.word_score.clone_from(&score);
    explanation.word_sum = 2.0;
    for layer in &mut explanation.layers {
        layer.score.clone_from(&score);
        layer.sum = 2.0;
    }
    // At layer 2 a quarter of 10⁻³ is missing, of Σ|score| = 2.99975: 1/11999, within the bound.
    let layer = &mut explanation.layers[1];
    layer.score[5] = 0.249_75;
    (layer.sum, layer.error) = (1.999_75, -0.000_25);
    for l in 0..2 {
        for (a, share) in [(0, 0.5_f32), (1, -0.25), (2, 0.0)] {
            explanation.heads.by_token[l][a][3] = share;
            explanation.heads.by_token[l][a][4] = share;
            explanation.heads.score[l][a] = 2.0 * share;
        }
        explanation.heads.residual[l] = 1.5;
        (explanation.mlp[l], explanation.mlp_residual[l]) = (-0.5, 2.5);
    }
    let completeness = &mut explanation.completeness;
    (completeness.worst, completeness.cut) = (0.000_25 / 2.999_75, "2".to_owned());
    explanation
}

type Spoil = fn(&mut Explanation);

#[test]
fn sums_of_the_scores_pass() {
    adds_up().check_sums().unwrap();
    // Rounding to f32, at most 2⁻²⁴ a score.
    let mut rounded = adds_up();
    rounded.word_score[0] = 1.0 + f32::EPSILON;
    rounded.check_sums().unwrap();
    // Sums that do not hold, and say so.
    let mut open = adds_up();
    let layer = &mut open.layers[2];
    layer.score[0] = 1.5;
    (layer.sum, layer.error) = (2.5, 0.5);
    (open.completeness.worst, open.completeness.holds) = (0.5 / 3.5, false);
    open.check_sums().unwrap();
}

/// Scores of the words alone are held against their own sum, and a method that promises no sum against what it states.
#[test]
fn words_alone_are_added_up_too() {
    let mut words = adds_up();
    let method = &mut words.method;
    (method.scope, method.complete) = (Scope::Words, false);
    method.name = "occlusion".to_owned();
    words.layers.clear();
    words.heads = HeadScores {
        score: vec![],
        by_token: vec![],
        residual: vec![],
        error: vec![],
    };
    (words.mlp, words.mlp_residual, words.mlp_error) = (vec![], vec![], vec![]);
    words.top_edges.clear();
    words.word_score[0] = 2.5;
    (words.word_sum, words.word_error) = (3.5, 1.5);
    let completeness = &mut words.completeness;
    (completeness.worst, completeness.holds) = (1.5 / 4.5, false);
    words.check_sums().unwrap();
    words.word_score[0] = 2.0;
    let error = words.check_sums().unwrap_err().to_string();
    assert!(error.starts_with("word_sum: "), "{error}");
    (words.word_score[0], words.completeness.holds) = (2.5, true);
    let error = words.check_sums().unwrap_err().to_string();
    assert!(error.starts_with("completeness.holds: "), "{error}");
    // DeepLIFT cannot leave its promise out.
    words.completeness.holds = false;
    words.method.name = "deeplift".to_owned();
    let error = words.check_sums().unwrap_err().to_string();
    assert!(error.starts_with("method.complete: "), "{error}");
    // Its other rules make none, and cannot claim one.
    words.method.rule = "softmax-path".to_owned();
    words.check_sums().unwrap();
    words.method.complete = true;
    let error = words.check_sums().unwrap_err().to_string();
    assert!(error.starts_with("method.complete: "), "{error}");
}

#[test]
fn a_number_that_is_not_what_the_scores_say() {
    let spoilt: [(&str, Spoil); 15] = [
        ("target.delta", |e| e.target.value = 4.0),
        ("word_sum", |e| e.word_score[0] = 1.001),
        ("word_sum", |e| e.word_sum = 2.001),
        ("word_error", |e| e.word_error = 1e-6),
        ("layers[0].sum", |e| e.layers[0].score[6] = 0.5),
        ("layers[1].error", |e| e.layers[1].error = 0.0),
        ("layers[2].sum", |e| e.layers[2].sum = 1.0),
        ("heads.score[1][0]", |e| e.heads.score[1][0] = 1.25),
        ("heads.score[0][2]", |e| e.heads.by_token[0][2][1] = 0.5),
        ("heads.error[0]", |e| e.heads.residual[0] = 1.25),
        ("mlp_error[1]", |e| e.mlp[1] = -0.25),
        ("completeness.bound", |e| e.completeness.bound = 1.0),
        ("completeness.bound", |e| e.completeness.bound = -1e-4),
        ("completeness.worst", |e| e.completeness.worst = 1e-7),
        ("completeness.worst", |e| e.completeness.worst = 0.5),
    ];
    for (place, spoil) in spoilt {
        let mut explanation = adds_up();
        spoil(&mut explanation);
        match explanation.check_sums().unwrap_err() {
            Invalid::Sum { field, .. } => assert_eq!(field, place),
            other => panic!("{place}: {other:?}"),
        }
    }
    let mut explanation = adds_up();
    explanation.word_sum = 2.5;
    assert_eq!(
        explanation.check_sums().unwrap_err().to_string(),
        "word_sum: expected 2 (the sum of word_score), got 2.5"
    );
}

#[test]
fn a_claim_that_its_own_numbers_deny() {
    let mut explanation = adds_up();
    explanation.completeness.holds = false;
    assert_eq!(
        explanation.check_sums().unwrap_err().to_string(),
        "completeness.holds: expected \"true\", got \"false\""
    );
    let mut explanation = adds_up();
    explanation.completeness.bound = 1e-5;
    assert!(matches!(
        explanation.check_sums(),
        Err(Invalid::Text { .. })
    ));
    // What is no explanation at all is refused first.
    explanation.heads.residual.clear();
    assert!(matches!(
        explanation.check_sums(),
        Err(Invalid::Length { .. })
    ));
}
