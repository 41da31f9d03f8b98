//! Windows merged into a document: which window each token's scores are from, the JSON form, and each fault once.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{piece, special, zeros};
use spanlift_explanation::{
    Explanation, InvalidWindows, Merge, Part, Place, ReadError, Windows, WriteError,
};

/// `count` windows of passage tokens, a character each; token p of window w scores 100 w + p, and `[CLS]` −w, at the words;
/// at cut c, ten thousand times c more.
fn windows(places: &[(usize, usize)], characters: usize) -> Vec<Explanation> {
    let passage = "x".repeat(characters);
    let explain = |(index, &(first, count)): (usize, &(usize, usize))| {
        let mut tokens = vec![
            special("[CLS]"),
            piece("q", Part::Question, 0, 1),
            special("[SEP]"),
        ];
        tokens.extend((first..first + count).map(|p| piece("x", Part::Passage, p, p + 1)));
        tokens.push(special("[SEP]"));
        let mut explanation = zeros("q", &passage, tokens, 2, 1);
        let window = &mut explanation.window;
        (window.index, window.count) = (index, places.len());
        (window.start, window.end) = (first, first + count);
        let score = |cut: usize, at: usize| match at {
            0 => -(index as f32),
            1..3 => 0.0,
            at => (10_000 * cut + 100 * index + first + at - 3) as f32,
        };
        for (at, word) in explanation.word_score.iter_mut().enumerate() {
            *word = score(0, at);
        }
        for (cut, layer) in explanation.layers.iter_mut().enumerate() {
            for (at, x) in layer.score.iter_mut().enumerate() {
                *x = score(cut + 1, at);
            }
        }
        explanation
    };
    places.iter().enumerate().map(explain).collect()
}

/// Three windows of six tokens, each three after the last, over twelve.
fn three() -> Vec<Explanation> {
    windows(&[(0, 6), (3, 6), (6, 6)], 12)
}

fn merged(
    windows: Vec<Explanation>,
    firsts: &[usize],
    answer: usize,
) -> Result<Windows, InvalidWindows> {
    let mut merge = Merge::new(answer);
    for (window, &first) in windows.iter().zip(firsts) {
        merge.push(window, first)?;
    }
    Ok(Windows {
        format: "spanlift.windows".to_owned(),
        version: 1,
        windows,
        document: merge.finish()?,
    })
}

fn good() -> Windows {
    merged(three(), &[0, 3, 6], 1).unwrap()
}

#[test]
fn each_token_is_from_where_it_lies_deepest() {
    let document = good().document;
    // Tokens 3, 4, 5 lie 2, 1, 0 inside the first window and 0, 1, 2 inside the second: 4 is a tie, so the first's. Those of
    // 6, 7, 8 likewise. The ends of the passage are no edges: 0 and 11 are deep.
    let from = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2];
    assert_eq!(document.window[3..15], from);
    // [CLS], question and both [SEP] are the answer's window's.
    assert_eq!(
        (&document.window[..3], document.window[15]),
        (&[1, 1, 1][..], 1)
    );
    let scores = |cut: usize| -> Vec<f32> {
        let passage = from.iter().enumerate();
        let passage = passage.map(|(p, w)| (10_000 * cut + 100 * w + p) as f32);
        // The last [SEP] is at position 9 of the second window, as if it were passage token 9.
        let last = (10_000 * cut + 109) as f32;
        [-1.0, 0.0, 0.0]
            .into_iter()
            .chain(passage)
            .chain([last])
            .collect()
    };
    assert_eq!(document.word_score, scores(0));
    let names: Vec<_> = document
        .layers
        .iter()
        .map(|layer| layer.name.as_str())
        .collect();
    assert_eq!(names, ["1", "2", "output"]);
    for (cut, layer) in document.layers.iter().enumerate() {
        assert_eq!(layer.score, scores(cut + 1));
    }
    let starts: Vec<_> = document.tokens[3..15]
        .iter()
        .map(|t| t.start.unwrap())
        .collect();
    assert_eq!(starts, (0..12).collect::<Vec<_>>());
    assert_eq!(document.places[2], Place { first: 6, count: 6 });
    assert_eq!(
        (document.targets.as_str(), document.answer_window),
        ("own", 1)
    );
}

#[test]
fn one_window_is_the_document() {
    let all = merged(windows(&[(0, 4)], 4), &[0], 0).unwrap();
    all.validate().unwrap();
    assert_eq!(all.document.word_score, all.windows[0].word_score);
    assert_eq!(all.document.tokens, all.windows[0].tokens);
}

#[test]
fn windows_that_only_touch() {
    let all = merged(windows(&[(0, 2), (2, 2), (4, 1)], 5), &[0, 2, 4], 0).unwrap();
    assert_eq!(all.document.window[3..8], [0, 0, 1, 1, 2]);
}

#[test]
fn the_json_reads_back() {
    let all = good();
    let text = all.to_json().unwrap();
    assert!(
        text.starts_with("{\n\"format\":\"spanlift.windows\",\n\"version\":1,\n\"windows\":[\n{")
    );
    assert_eq!(Windows::from_json(&text).unwrap(), all);
    // Each window of it is an explanation by itself.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let second = value["windows"][1].to_string();
    assert_eq!(Explanation::from_json(&second).unwrap(), all.windows[1]);
    // And it is none as a whole.
    let error = Explanation::from_json(&text).unwrap_err().to_string();
    assert_eq!(
        error,
        r#"format: expected "spanlift.explanation", got "spanlift.windows""#
    );
    let newer = text.replace("\"version\":1,\n\"windows\"", "\"version\":2,\n\"windows\"");
    let error = Windows::from_json(&newer).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Version {
                got: 2,
                expected: 1
            }
        ),
        "{error}"
    );
}

#[test]
fn windows_that_are_not_the_next() {
    let error =
        |windows: Vec<Explanation>, firsts: &[usize]| merged(windows, firsts, 0).unwrap_err();
    assert_eq!(error(vec![], &[]), InvalidWindows::None);
    assert_eq!(
        error(three()[..2].to_vec(), &[0, 3]),
        InvalidWindows::Missing {
            expected: 3,
            got: 2
        }
    );
    let mut swapped = three();
    swapped.swap(1, 2);
    let found = error(swapped, &[0, 6, 3]);
    assert_eq!(
        found.to_string(),
        "windows[1].window: expected index 1 of 3, got 2 of 3"
    );
    type Spoil = fn(&mut Explanation);
    let spoilt: [(&str, Spoil); 5] = [
        ("model", |e| e.model.name.push('x')),
        ("method", |e| e.method.reference.push('x')),
        ("question", |e| e.question.push('x')),
        ("passage", |e| e.passage.push('x')),
        ("tokens", |e| e.tokens[1].id += 1),
    ];
    for (field, spoil) in spoilt {
        let mut windows = three();
        spoil(&mut windows[1]);
        let want = InvalidWindows::Differs { window: 1, field };
        assert_eq!(error(windows, &[0, 3, 6]), want);
    }
    // Behind a gap, before its place, at the place of the last, and the first not at the start.
    for (firsts, window) in [
        ([0, 7, 6], 1),
        ([0, 2, 6], 1),
        ([0, 0, 6], 1),
        ([1, 3, 6], 0),
        ([0, 3, 5], 2),
    ] {
        let first = firsts[window];
        assert_eq!(
            error(three(), &firsts),
            InvalidWindows::Place { window, first }
        );
    }
    let mut nan = three();
    nan[2].mlp[0] = f64::NAN;
    assert_eq!(
        error(nan, &[0, 3, 6]).to_string(),
        "windows[2].mlp[0]: expected a finite number, got NaN"
    );
    let error = merged(three(), &[0, 3, 6], 3).unwrap_err();
    assert_eq!(error, InvalidWindows::AnswerWindow { count: 3, got: 3 });
}

#[test]
fn a_document_that_the_windows_do_not_give() {
    type Spoil = fn(&mut Windows);
    let spoilt: [(&str, Spoil); 6] = [
        ("targets", |w| w.document.targets.push('x')),
        ("places", |w| w.document.places[1].count -= 1),
        ("tokens", |w| w.document.tokens[4].id += 1),
        ("window", |w| w.document.window[4] = 1),
        ("word_score", |w| w.document.word_score[4] += 0.5),
        ("layers", |w| w.document.layers[2].score[4] += 0.5),
    ];
    for (field, spoil) in spoilt {
        let mut all = good();
        spoil(&mut all);
        assert_eq!(
            all.validate().unwrap_err(),
            InvalidWindows::Document { field }
        );
        assert!(matches!(
            all.to_json().unwrap_err(),
            WriteError::Windows { .. }
        ));
        let text = serde_json::to_string(&all).unwrap();
        assert!(matches!(
            Windows::from_json(&text).unwrap_err(),
            ReadError::Windows { .. }
        ));
    }
    let mut all = good();
    all.document.places.pop();
    assert_eq!(
        all.validate().unwrap_err(),
        InvalidWindows::Document { field: "places" }
    );
    let mut all = good();
    all.format.push('x');
    assert_eq!(
        all.validate().unwrap_err().to_string(),
        r#"format: expected "spanlift.windows", got "spanlift.windowsx""#
    );
}
