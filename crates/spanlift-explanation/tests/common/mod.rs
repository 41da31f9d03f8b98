//! A handmade explanation for the tests.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

use spanlift_explanation::{
    Answer, Candidate, Completeness, Edge, Explanation, FORMAT, HeadScores, LayerScores, Method,
    ModelInfo, Part, Scope, Target, TargetKind, Token, VERSION, Versus, Window,
};

pub fn special(text: &str) -> Token {
    Token {
        text: text.to_owned(),
        id: 101,
        part: Part::Special,
        start: None,
        end: None,
    }
}

pub fn piece(text: &str, part: Part, start: usize, end: usize) -> Token {
    Token {
        text: text.to_owned(),
        id: 7,
        part,
        start: Some(start),
        end: Some(end),
    }
}

/// An explanation of these tokens whose every score is zero; the answer is none.
pub fn zeros(
    question: &str,
    passage: &str,
    tokens: Vec<Token>,
    layers: usize,
    heads: usize,
) -> Explanation {
    let s = tokens.len();
    let name = |l: usize| {
        if l == layers {
            "output".to_owned()
        } else {
            (l + 1).to_string()
        }
    };
    let scores = |name| LayerScores {
        name,
        score: vec![0.0; s],
        positive: vec![0.0; s],
        negative: vec![0.0; s],
        sum: 0.0,
        error: 0.0,
    };
    Explanation {
        format: FORMAT.to_owned(),
        version: VERSION,
        model: ModelInfo {
            name: "tiny".to_owned(),
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
            rules: BTreeMap::from([("gelu".to_owned(), "rescale".to_owned())]),
            settings: BTreeMap::new(),
            complete: true,
            scope: Scope::All,
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
            text: String::new(),
            start: None,
            end: None,
            start_token: 0,
            end_token: 0,
            score: 0.0,
            null_score: 0.0,
            has_answer: false,
            probability: 0.5,
            given: false,
        },
        candidates: vec![],
        tokens,
        target: Target {
            kind: TargetKind::Span,
            start_token: 0,
            end_token: 0,
            versus: None,
            value: 0.0,
            reference_value: 0.0,
            delta: 0.0,
        },
        layers: (0..=layers).map(name).map(scores).collect(),
        word_score: vec![0.0; s],
        word_sum: 0.0,
        word_error: 0.0,
        heads: HeadScores {
            score: vec![vec![0.0; heads]; layers],
            by_token: vec![vec![vec![0.0; s]; heads]; layers],
            residual: vec![0.0; layers],
            error: vec![0.0; layers],
        },
        mlp: vec![0.0; layers],
        mlp_residual: vec![0.0; layers],
        mlp_error: vec![0.0; layers],
        top_edges: vec![],
        completeness: Completeness {
            bound: 1e-4,
            worst: 0.0,
            cut: "words".to_owned(),
            holds: true,
        },
    }
}

/// Every list holds something, every option is taken: two layers, three heads, seven tokens.
pub fn cafe() -> Explanation {
    let tokens = vec![
        special("[CLS]"),
        piece("who", Part::Question, 0, 3),
        special("[SEP]"),
        piece("ca", Part::Passage, 0, 2),
        piece("##fe", Part::Passage, 2, 4),
        piece("!", Part::Passage, 4, 5),
        special("[SEP]"),
    ];
    let mut explanation = zeros("Who", "Café!", tokens, 2, 3);
    explanation.answer = Answer {
        text: "Café".to_owned(),
        start: Some(0),
        end: Some(4),
        start_token: 3,
        end_token: 4,
        score: 2.5,
        null_score: -1.0,
        has_answer: true,
        probability: 0.75,
        given: true,
    };
    explanation.candidates = vec![Candidate {
        text: "fé!".to_owned(),
        start: 2,
        end: 5,
        window: 0,
        start_token: 4,
        end_token: 5,
        score: 1.5,
        probability: 0.125,
    }];
    explanation.target.versus = Some(Versus {
        text: "!".to_owned(),
        start_token: 5,
        end_token: 5,
    });
    explanation.top_edges = vec![Edge {
        layer: 2,
        head: 3,
        query: 6,
        key: 1,
        pattern: 0.5,
        content: -0.25,
    }];
    explanation
}
