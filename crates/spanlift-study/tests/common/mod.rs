//! Records made by hand: invented questions, and maps that are what a test says.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use spanlift_explanation::{
    Answer, Completeness, Explanation, FORMAT, HeadScores, LayerScores, Method, ModelInfo, Part,
    Scope, Target, TargetKind, Token, VERSION, Window,
};
use spanlift_store::Record;

/// Splits at blanks, and punctuation off; offsets in characters.
fn pieces(text: &str, part: Part) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut fresh = true;
    for (i, c) in characters.iter().enumerate() {
        if c.is_whitespace() {
            fresh = true;
            continue;
        }
        if let Some(last) = tokens.last_mut()
            && !fresh
            && c.is_alphanumeric()
        {
            last.text.push(*c);
            last.end = Some(i + 1);
        } else {
            tokens.push(Token {
                text: c.to_string(),
                id: 1,
                part,
                start: Some(i),
                end: Some(i + 1),
            });
        }
        fresh = !c.is_alphanumeric();
    }
    tokens
}

fn special(text: &str) -> Token {
    Token {
        text: text.to_owned(),
        id: 0,
        part: Part::Special,
        start: None,
        end: None,
    }
}

/// `[CLS] question [SEP] passage [SEP]`, a token a word, answered by a slice of the passage (empty for no answer), with maps of
/// zeros.
pub(crate) fn record(
    id: &str,
    question: &str,
    passage: &str,
    answer: &str,
    layers: usize,
    heads: usize,
) -> Record {
    let mut tokens = vec![special("[CLS]")];
    tokens.extend(pieces(question, Part::Question));
    tokens.push(special("[SEP]"));
    tokens.extend(pieces(passage, Part::Passage));
    tokens.push(special("[SEP]"));
    let s = tokens.len();
    let start = passage
        .find(answer)
        .map(|byte| passage[..byte].chars().count())
        .unwrap();
    let end = start + answer.chars().count();
    let has_answer = !answer.is_empty();
    let of = |bound: &dyn Fn(&Token) -> bool| {
        let passage = |t: &Token| t.part == Part::Passage && bound(t);
        if has_answer {
            tokens.iter().position(passage).unwrap()
        } else {
            0
        }
    };
    let (start_token, end_token) = (of(&|t| t.start == Some(start)), of(&|t| t.end == Some(end)));
    let names = (1..=layers)
        .map(|layer| layer.to_string())
        .chain(["output".to_owned()]);
    let layer = |name: String| LayerScores {
        name,
        score: vec![0.0; s],
        positive: vec![0.0; s],
        negative: vec![0.0; s],
        sum: 0.0,
        error: 0.0,
    };
    Record {
        id: id.to_owned(),
        title: "Invented".to_owned(),
        gold: Vec::new(),
        is_impossible: !has_answer,
        exact: 1.0,
        f1: 1.0,
        attention: vec![vec![1.0 / s as f32; s]; layers],
        head_edges: None,
        explanation: Explanation {
            format: FORMAT.to_owned(),
            version: VERSION,
            model: ModelInfo {
                name: "invented".to_owned(),
                family: "bert".to_owned(),
                layers,
                heads,
                hidden: 8,
            },
            method: Method {
                name: "deeplift".to_owned(),
                rule: "rescale".to_owned(),
                reference: "mask".to_owned(),
                references: 1,
                rules: BTreeMap::new(),
                settings: BTreeMap::new(),
                complete: true,
                scope: Scope::default(),
            },
            question: question.to_owned(),
            passage: passage.to_owned(),
            window: Window {
                index: 0,
                count: 1,
                start: 0,
                end: passage.chars().count(),
            },
            answer: Answer {
                text: answer.to_owned(),
                start: has_answer.then_some(start),
                end: has_answer.then_some(end),
                start_token,
                end_token,
                score: 1.0,
                null_score: 0.0,
                has_answer,
                probability: 0.5,
                given: false,
            },
            candidates: Vec::new(),
            tokens,
            target: Target {
                kind: TargetKind::Span,
                start_token,
                end_token,
                versus: None,
                value: 0.0,
                reference_value: 0.0,
                delta: 0.0,
            },
            layers: names.map(layer).collect(),
            word_score: vec![0.0; s],
            word_sum: 0.0,
            word_error: 0.0,
            heads: HeadScores {
                score: vec![vec![0.0; heads]; layers],
                by_token: Vec::new(),
                residual: vec![0.0; layers],
                error: vec![0.0; layers],
            },
            mlp: vec![0.0; layers],
            mlp_residual: vec![0.0; layers],
            mlp_error: vec![0.0; layers],
            top_edges: Vec::new(),
            completeness: Completeness {
                bound: 1e-4,
                worst: 0.0,
                cut: "output".to_owned(),
                holds: true,
            },
        },
    }
}
