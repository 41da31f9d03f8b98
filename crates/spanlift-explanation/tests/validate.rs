//! Each fault that an explanation can have, produced once and named.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{cafe, piece, special, zeros};
use spanlift_explanation::{Explanation, HeadScores, Invalid, Part, Scope, Token};

type Spoil = fn(&mut Explanation);

/// One field of a good explanation is spoilt; the fault found.
fn fault(spoil: impl FnOnce(&mut Explanation)) -> Invalid {
    let mut explanation = cafe();
    explanation.validate().unwrap();
    spoil(&mut explanation);
    explanation.validate().unwrap_err()
}

#[test]
fn a_list_of_another_length() {
    let got = fault(|e| e.layers[0].positive.truncate(2));
    let field = "layers[0].positive".to_owned();
    assert_eq!(
        got,
        Invalid::Length {
            field,
            expected: 7,
            got: 2
        }
    );
    assert_eq!(
        got.to_string(),
        "layers[0].positive: expected 7 entries, got 2"
    );

    let places: [(&str, usize, Spoil); 13] = [
        ("layers", 3, |e| drop(e.layers.pop())),
        ("layers[2].score", 7, |e| e.layers[2].score.push(0.0)),
        ("layers[1].negative", 7, |e| e.layers[1].negative.push(0.0)),
        ("word_score", 7, |e| e.word_score.push(0.0)),
        ("heads.score", 2, |e| e.heads.score.push(vec![])),
        ("heads.score[1]", 3, |e| e.heads.score[1].push(0.0)),
        ("heads.by_token", 2, |e| drop(e.heads.by_token.pop())),
        ("heads.by_token[1]", 3, |e| drop(e.heads.by_token[1].pop())),
        ("heads.by_token[1][2]", 7, |e| {
            e.heads.by_token[1][2].push(0.0)
        }),
        ("heads.residual", 2, |e| e.heads.residual.push(0.0)),
        ("mlp", 2, |e| e.mlp.push(0.0)),
        ("mlp_residual", 2, |e| e.mlp_residual.push(0.0)),
        ("mlp_error", 2, |e| e.mlp_error.push(0.0)),
    ];
    for (place, length, spoil) in places {
        let Invalid::Length {
            field, expected, ..
        } = fault(spoil)
        else {
            panic!("{place}")
        };
        assert_eq!((field.as_str(), expected), (place, length));
    }
}

/// What a method gives no scores to has none, and nothing is left of it.
#[test]
fn lists_outside_the_scope_are_empty() {
    fn without_blocks(e: &mut Explanation) {
        e.method.scope = Scope::Cuts;
        e.heads = HeadScores {
            score: vec![],
            by_token: vec![],
            residual: vec![],
            error: vec![],
        };
        (e.mlp, e.mlp_residual, e.mlp_error) = (vec![], vec![], vec![]);
        e.top_edges = vec![];
    }
    fn words_alone(e: &mut Explanation) {
        without_blocks(e);
        e.method.scope = Scope::Words;
        e.layers = vec![];
    }
    for narrow in [without_blocks, words_alone] {
        let mut explanation = cafe();
        narrow(&mut explanation);
        explanation.validate().unwrap();
        let again = Explanation::from_json(&explanation.to_json().unwrap()).unwrap();
        assert_eq!(again, explanation);
    }
    type Case = (&'static str, usize, usize, Spoil);
    let cases: [Case; 5] = [
        ("layers", 0, 3, |e| e.method.scope = Scope::Words),
        ("heads.score", 0, 2, |e| e.method.scope = Scope::Cuts),
        ("mlp", 0, 2, |e| {
            let mlp = e.mlp.clone();
            without_blocks(e);
            e.mlp = mlp;
        }),
        ("layers", 3, 0, |e| {
            words_alone(e);
            e.method.scope = Scope::Cuts;
        }),
        ("heads.score", 2, 0, |e| {
            without_blocks(e);
            e.method.scope = Scope::All;
        }),
    ];
    for (place, expected, got, spoil) in cases {
        let field = place.to_owned();
        let want = Invalid::Length {
            field,
            expected,
            got,
        };
        assert_eq!(fault(spoil), want);
    }
    // An edge is one of a layer's heads.
    let edge = fault(|e| {
        let edges = e.top_edges.clone();
        without_blocks(e);
        e.top_edges = edges;
    });
    assert!(matches!(edge, Invalid::Index { ref field, .. } if field == "top_edges[0].layer"));
}

#[test]
fn an_index_past_its_list() {
    let got = fault(|e| e.top_edges[0].layer = 0);
    let field = "top_edges[0].layer".to_owned();
    assert_eq!(
        got,
        Invalid::Index {
            field,
            first: 1,
            end: 3,
            got: 0
        }
    );
    assert_eq!(got.to_string(), "top_edges[0].layer: expected 1..3, got 0");

    let places: [(&str, usize, Spoil); 13] = [
        ("window.index", 1, |e| e.window.index = 1),
        ("answer.end_token", 7, |e| e.answer.end_token = 7),
        ("answer.start_token", 5, |e| e.answer.start_token = 5),
        ("candidates[0].window", 1, |e| e.candidates[0].window = 1),
        ("candidates[0].end_token", 7, |e| {
            e.candidates[0].end_token = usize::MAX
        }),
        ("candidates[0].start_token", 6, |e| {
            e.candidates[0].start_token = 6
        }),
        ("target.start_token", 7, |e| e.target.start_token = 7),
        ("target.end_token", 7, |e| e.target.end_token = 7),
        ("target.versus.end_token", 7, |e| {
            e.target.versus.as_mut().unwrap().end_token = 7
        }),
        ("target.versus.start_token", 6, |e| {
            e.target.versus.as_mut().unwrap().start_token = 6
        }),
        ("top_edges[0].head", 4, |e| e.top_edges[0].head = 4),
        ("top_edges[0].query", 7, |e| e.top_edges[0].query = 7),
        ("top_edges[0].key", 7, |e| e.top_edges[0].key = 7),
    ];
    for (place, limit, spoil) in places {
        let Invalid::Index { field, end, .. } = fault(spoil) else {
            panic!("{place}")
        };
        assert_eq!((field.as_str(), end), (place, limit));
    }
}

#[test]
fn tokens_of_another_window_are_not_held_against_this_one() {
    let mut explanation = cafe();
    explanation.window.count = 2;
    explanation.candidates[0].window = 1;
    explanation.candidates[0].end_token = 380;
    explanation.validate().unwrap();
}

#[test]
fn offsets_that_slice_nothing() {
    // "Café!" has five characters and six bytes.
    let got = fault(|e| e.tokens[5].end = Some(6));
    let field = "tokens[5]".to_owned();
    assert_eq!(
        got,
        Invalid::Offsets {
            field,
            length: 5,
            start: Some(4),
            end: Some(6)
        }
    );
    assert_eq!(
        got.to_string(),
        "tokens[5]: expected start <= end <= 5, got 4 and 6"
    );

    let places: [(&str, Spoil); 6] = [
        ("tokens[1]", |e| e.tokens[1].end = None),
        ("tokens[4]", |e| e.tokens[4].start = Some(5)),
        ("window", |e| e.window.end = 6),
        ("answer", |e| e.answer.end = Some(usize::MAX)),
        ("candidates[0]", |e| e.candidates[0].start = 6),
        ("tokens[1]", |e| e.tokens[1].end = Some(4)),
    ];
    for (place, spoil) in places {
        let Invalid::Offsets { field, .. } = fault(spoil) else {
            panic!("{place}")
        };
        assert_eq!(field, place);
    }
}

#[test]
fn a_text_that_is_another() {
    let got = fault(|e| e.answer.text = "Cafe".to_owned());
    let (field, expected) = ("answer.text".to_owned(), "Café".to_owned());
    assert_eq!(
        got,
        Invalid::Text {
            field,
            expected,
            got: "Cafe".to_owned()
        }
    );
    assert_eq!(
        got.to_string(),
        r#"answer.text: expected "Café", got "Cafe""#
    );

    let places: [(&str, &str, Spoil); 5] = [
        ("format", "spanlift.explanation", |e| e.format.clear()),
        ("version", "1", |e| e.version = 2),
        ("candidates[0].text", "fé!", |e| {
            e.candidates[0].text.clear()
        }),
        ("layers[0].name", "1", |e| e.layers[0].name = "0".to_owned()),
        ("layers[2].name", "output", |e| {
            e.layers[2].name = "3".to_owned()
        }),
    ];
    for (place, name, spoil) in places {
        let Invalid::Text {
            field, expected, ..
        } = fault(spoil)
        else {
            panic!("{place}")
        };
        assert_eq!((field.as_str(), expected.as_str()), (place, name));
    }
}

#[test]
fn a_number_that_is_none() {
    let got = fault(|e| e.target.delta = f64::INFINITY);
    assert_eq!(
        got.to_string(),
        "target.delta: expected a finite number, got inf"
    );

    let places: [(&str, Spoil); 23] = [
        ("answer.score", |e| e.answer.score = f64::NAN),
        ("answer.null_score", |e| e.answer.null_score = f64::NAN),
        ("answer.probability", |e| e.answer.probability = f64::NAN),
        ("candidates[0].score", |e| e.candidates[0].score = f64::NAN),
        ("candidates[0].probability", |e| {
            e.candidates[0].probability = f64::NAN
        }),
        ("target.value", |e| e.target.value = f64::NAN),
        ("target.reference_value", |e| {
            e.target.reference_value = f64::NAN
        }),
        ("layers[2].positive[6]", |e| {
            e.layers[2].positive[6] = f32::NEG_INFINITY
        }),
        ("layers[0].negative[0]", |e| {
            e.layers[0].negative[0] = f32::NAN
        }),
        ("layers[0].sum", |e| e.layers[0].sum = f64::NAN),
        ("layers[0].error", |e| e.layers[0].error = f64::NAN),
        ("word_score[3]", |e| e.word_score[3] = f32::NAN),
        ("word_sum", |e| e.word_sum = f64::NAN),
        ("word_error", |e| e.word_error = f64::NAN),
        ("heads.score[1][2]", |e| e.heads.score[1][2] = f32::NAN),
        ("heads.by_token[0][1][5]", |e| {
            e.heads.by_token[0][1][5] = f32::NAN
        }),
        ("heads.residual[0]", |e| e.heads.residual[0] = f64::NAN),
        ("heads.error[1]", |e| e.heads.error[1] = f64::NAN),
        ("mlp[1]", |e| e.mlp[1] = f64::NAN),
        ("top_edges[0].pattern", |e| {
            e.top_edges[0].pattern = f32::NAN
        }),
        ("top_edges[0].content", |e| {
            e.top_edges[0].content = f32::NAN
        }),
        ("completeness.bound", |e| e.completeness.bound = f64::NAN),
        ("completeness.worst", |e| e.completeness.worst = f64::NAN),
    ];
    for (place, spoil) in places {
        let Invalid::Number { field, .. } = fault(spoil) else {
            panic!("{place}")
        };
        assert_eq!(field, place);
    }
}

#[test]
fn an_answer_that_contradicts_itself() {
    let got = fault(|e| e.answer.has_answer = false);
    assert_eq!(
        got,
        Invalid::Answer {
            has_answer: false,
            start: Some(0),
            end: Some(4)
        }
    );
    assert_eq!(
        got.to_string(),
        "answer: has_answer is false, got offsets 0 and 4"
    );
    let got = fault(|e| e.answer.start = None);
    assert_eq!(
        got.to_string(),
        "answer: has_answer is true, got offsets null and 4"
    );
    // No answer has no text and lies at [CLS].
    let none = |e: &mut Explanation| {
        (e.answer.has_answer, e.answer.start, e.answer.end) = (false, None, None);
    };
    assert!(matches!(fault(none), Invalid::Text { .. }));
    let got = fault(|e| {
        none(e);
        e.answer.text.clear();
    });
    assert_eq!(got.to_string(), "answer.end_token: expected 0..1, got 4");
}

#[test]
fn tokens_in_another_order() {
    type Case<'a> = (&'a [&'a Token], usize, &'a str);
    let (q, p) = (
        piece("a", Part::Question, 0, 1),
        piece("b", Part::Passage, 0, 1),
    );
    let (s, parts) = (special("[SEP]"), |tokens: &[&Token]| {
        zeros(
            "a",
            "b",
            tokens.iter().map(|&token| token.clone()).collect(),
            1,
            1,
        )
        .validate()
    });
    for good in [
        &[&s, &q, &s, &p, &s][..],
        &[&s, &q, &q, &s, &s, &p, &p, &s],
        &[&s, &s],
        &[&s, &s, &p, &s],
    ] {
        parts(good).unwrap();
    }
    let cases: [Case<'_>; 8] = [
        (&[&q, &s, &p, &s], 0, "special"),
        (&[&s, &p, &s, &q, &s], 3, "special"),
        (&[&s, &q, &p, &s], 2, "question or special"),
        (&[&s, &q, &s, &q, &s], 3, "passage or special"),
        (&[&s, &q, &s, &p, &q, &s], 4, "passage or special"),
        (&[&s, &q, &s, &p, &s, &p, &s], 5, "special"),
        (&[&s, &q, &s, &p], 4, "special"),
        (&[], 0, "special"),
    ];
    for (tokens, place, name) in cases {
        let Err(Invalid::Order {
            token, expected, ..
        }) = parts(tokens)
        else {
            panic!("{place} {name}")
        };
        assert_eq!((token, expected), (place, name));
    }
    let error = parts(&[&s, &q, &p, &s]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tokens[2].part: expected question or special, got passage"
    );
}
