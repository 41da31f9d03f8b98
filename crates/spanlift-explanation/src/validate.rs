//! Checks an [`Explanation`] once, at the border: afterwards every index, offset and length in it holds.
//!
//! With S tokens, L layers and A heads: every list has its length (none where the method's scope leaves it out), every index points into its list, every
//! pair of offsets slices its text, the answer and the candidates are slices of the passage, the tokens are
//! `[CLS] question [SEP] passage [SEP]`, the cuts are named `1`..`L`, `output`, and every number is finite.

use std::fmt::Display;

use crate::{Answer, Characters, Explanation, FORMAT, Invalid, Part, Scope, Token, VERSION};

impl Explanation {
    /// Checks every length, index, offset, name and number.
    ///
    /// # Errors
    ///
    /// The first fault found, in the order of the fields.
    pub fn validate(&self) -> Result<(), Invalid> {
        let (layers, heads, tokens) = (self.model.layers, self.model.heads, self.tokens.len());
        let passage = Characters::new(&self.passage);
        text("format", FORMAT, &self.format)?;
        if self.version != VERSION {
            text("version", &VERSION.to_string(), &self.version.to_string())?;
        }
        order(&self.tokens)?;
        self.window(&passage)?;
        self.answer.validate(&passage, tokens)?;
        self.candidates(&passage)?;
        self.token_offsets(&passage)?;
        self.target()?;
        let (cuts, blocks) = match self.method.scope {
            Scope::All => (layers.saturating_add(1), layers),
            Scope::Cuts => (layers.saturating_add(1), 0),
            Scope::Words => (0, 0),
        };
        self.layers(layers, cuts, tokens)?;
        finite_list("word_score", &self.word_score, tokens)?;
        finite("word_sum", self.word_sum)?;
        finite("word_error", self.word_error)?;
        self.heads(blocks, heads, tokens)?;
        finite_list("mlp", &self.mlp, blocks)?;
        finite_list("mlp_residual", &self.mlp_residual, blocks)?;
        finite_list("mlp_error", &self.mlp_error, blocks)?;
        self.edges(blocks, heads, tokens)?;
        finite("completeness.bound", self.completeness.bound)?;
        finite("completeness.worst", self.completeness.worst)
    }

    fn window(&self, passage: &Characters<'_>) -> Result<(), Invalid> {
        let window = &self.window;
        index("window.index", 0, window.count, window.index)?;
        slice("window", passage, window.start, window.end).map(drop)
    }

    fn candidates(&self, passage: &Characters<'_>) -> Result<(), Invalid> {
        for (i, candidate) in self.candidates.iter().enumerate() {
            let expected = slice(
                format_args!("candidates[{i}]"),
                passage,
                candidate.start,
                candidate.end,
            )?;
            text(
                format_args!("candidates[{i}].text"),
                expected,
                &candidate.text,
            )?;
            index(
                format_args!("candidates[{i}].window"),
                0,
                self.window.count,
                candidate.window,
            )?;
            // The tokens of other windows are not in the explanation: only their order can be checked.
            let here = candidate.window == self.window.index;
            let end = if here { self.tokens.len() } else { usize::MAX };
            index(
                format_args!("candidates[{i}].end_token"),
                0,
                end,
                candidate.end_token,
            )?;
            let end = candidate.end_token.saturating_add(1);
            index(
                format_args!("candidates[{i}].start_token"),
                0,
                end,
                candidate.start_token,
            )?;
            finite(format_args!("candidates[{i}].score"), candidate.score)?;
            finite(
                format_args!("candidates[{i}].probability"),
                candidate.probability,
            )?;
        }
        Ok(())
    }

    fn token_offsets(&self, passage: &Characters<'_>) -> Result<(), Invalid> {
        let question = Characters::new(&self.question);
        for (i, token) in self.tokens.iter().enumerate() {
            let characters = match token.part {
                Part::Special | Part::Question => &question,
                Part::Passage => passage,
            };
            match (token.start, token.end) {
                (None, None) => {}
                (Some(start), Some(end)) if characters.slice(start, end).is_some() => {}
                (start, end) => {
                    let field = format!("tokens[{i}]");
                    return Err(Invalid::Offsets {
                        field,
                        length: characters.count(),
                        start,
                        end,
                    });
                }
            }
        }
        Ok(())
    }

    fn target(&self) -> Result<(), Invalid> {
        let (target, tokens) = (&self.target, self.tokens.len());
        index("target.start_token", 0, tokens, target.start_token)?;
        index("target.end_token", 0, tokens, target.end_token)?;
        if let Some(versus) = &target.versus {
            index("target.versus.end_token", 0, tokens, versus.end_token)?;
            index(
                "target.versus.start_token",
                0,
                versus.end_token + 1,
                versus.start_token,
            )?;
        }
        finite("target.value", target.value)?;
        finite("target.reference_value", target.reference_value)?;
        finite("target.delta", target.delta)
    }

    fn layers(&self, layers: usize, cuts: usize, tokens: usize) -> Result<(), Invalid> {
        length("layers", cuts, self.layers.len())?;
        for (i, layer) in self.layers.iter().enumerate() {
            let name = if i == layers {
                "output".to_owned()
            } else {
                (i + 1).to_string()
            };
            text(format_args!("layers[{i}].name"), &name, &layer.name)?;
            finite_list(format_args!("layers[{i}].score"), &layer.score, tokens)?;
            finite_list(
                format_args!("layers[{i}].positive"),
                &layer.positive,
                tokens,
            )?;
            finite_list(
                format_args!("layers[{i}].negative"),
                &layer.negative,
                tokens,
            )?;
            finite(format_args!("layers[{i}].sum"), layer.sum)?;
            finite(format_args!("layers[{i}].error"), layer.error)?;
        }
        Ok(())
    }

    fn heads(&self, layers: usize, heads: usize, tokens: usize) -> Result<(), Invalid> {
        length("heads.score", layers, self.heads.score.len())?;
        for (l, score) in self.heads.score.iter().enumerate() {
            finite_list(format_args!("heads.score[{l}]"), score, heads)?;
        }
        length("heads.by_token", layers, self.heads.by_token.len())?;
        for (l, layer) in self.heads.by_token.iter().enumerate() {
            length(format_args!("heads.by_token[{l}]"), heads, layer.len())?;
            for (a, score) in layer.iter().enumerate() {
                finite_list(format_args!("heads.by_token[{l}][{a}]"), score, tokens)?;
            }
        }
        finite_list("heads.residual", &self.heads.residual, layers)?;
        finite_list("heads.error", &self.heads.error, layers)
    }

    fn edges(&self, layers: usize, heads: usize, tokens: usize) -> Result<(), Invalid> {
        for (i, edge) in self.top_edges.iter().enumerate() {
            index(
                format_args!("top_edges[{i}].layer"),
                1,
                layers.saturating_add(1),
                edge.layer,
            )?;
            index(
                format_args!("top_edges[{i}].head"),
                1,
                heads.saturating_add(1),
                edge.head,
            )?;
            index(format_args!("top_edges[{i}].query"), 0, tokens, edge.query)?;
            index(format_args!("top_edges[{i}].key"), 0, tokens, edge.key)?;
            finite(format_args!("top_edges[{i}].pattern"), edge.pattern)?;
            finite(format_args!("top_edges[{i}].content"), edge.content)?;
        }
        Ok(())
    }
}

impl Answer {
    fn validate(&self, passage: &Characters<'_>, tokens: usize) -> Result<(), Invalid> {
        let expected = match (self.has_answer, self.start, self.end) {
            (true, Some(start), Some(end)) => slice("answer", passage, start, end)?,
            (false, None, None) => "",
            (has_answer, start, end) => {
                return Err(Invalid::Answer {
                    has_answer,
                    start,
                    end,
                });
            }
        };
        text("answer.text", expected, &self.text)?;
        index(
            "answer.end_token",
            0,
            if self.has_answer { tokens } else { 1 },
            self.end_token,
        )?;
        index(
            "answer.start_token",
            0,
            self.end_token + 1,
            self.start_token,
        )?;
        finite("answer.score", self.score)?;
        finite("answer.null_score", self.null_score)?;
        finite("answer.probability", self.probability)
    }
}

/// The tokens in order: special, question, special, passage, special; question and passage may be empty.
fn order(tokens: &[Token]) -> Result<(), Invalid> {
    // The place reached so far: 0 to 4 in the list above.
    let mut place = None;
    for (token, part) in tokens.iter().map(|token| token.part).enumerate() {
        let next = match (place, part) {
            (None | Some(0), Part::Special) => Ok(0),
            (Some(0 | 1), Part::Question) => Ok(1),
            (Some(1 | 2), Part::Special) => Ok(2),
            (Some(0 | 2 | 3), Part::Passage) => Ok(3),
            (Some(_), Part::Special) => Ok(4),
            (Some(1), Part::Passage) => Err("question or special"),
            (Some(2 | 3), Part::Question) => Err("passage or special"),
            (None | Some(_), Part::Question | Part::Passage) => Err("special"),
        };
        match next {
            Ok(next) => place = Some(next),
            Err(expected) => {
                return Err(Invalid::Order {
                    token,
                    expected,
                    got: Some(part),
                });
            }
        }
    }
    match tokens.last() {
        Some(token) if token.part == Part::Special => Ok(()),
        _ => Err(Invalid::Order {
            token: tokens.len(),
            expected: "special",
            got: None,
        }),
    }
}

fn length(field: impl Display, expected: usize, got: usize) -> Result<(), Invalid> {
    if got == expected {
        Ok(())
    } else {
        Err(Invalid::Length {
            field: field.to_string(),
            expected,
            got,
        })
    }
}

/// `got` in `first..end`.
fn index(field: impl Display, first: usize, end: usize, got: usize) -> Result<(), Invalid> {
    if (first..end).contains(&got) {
        return Ok(());
    }
    Err(Invalid::Index {
        field: field.to_string(),
        first,
        end,
        got,
    })
}

fn text(field: impl Display, expected: &str, got: &str) -> Result<(), Invalid> {
    if got == expected {
        return Ok(());
    }
    Err(Invalid::Text {
        field: field.to_string(),
        expected: expected.to_owned(),
        got: got.to_owned(),
    })
}

fn slice<'a>(
    field: impl Display,
    characters: &Characters<'a>,
    start: usize,
    end: usize,
) -> Result<&'a str, Invalid> {
    characters
        .slice(start, end)
        .ok_or_else(|| Invalid::Offsets {
            field: field.to_string(),
            length: characters.count(),
            start: Some(start),
            end: Some(end),
        })
}

fn finite(field: impl Display, got: impl Into<f64>) -> Result<(), Invalid> {
    let got = got.into();
    if got.is_finite() {
        Ok(())
    } else {
        Err(Invalid::Number {
            field: field.to_string(),
            got,
        })
    }
}

fn finite_list<T>(field: impl Display, numbers: &[T], expected: usize) -> Result<(), Invalid>
where
    T: Copy + Into<f64>,
{
    length(&field, expected, numbers.len())?;
    for (i, &number) in numbers.iter().enumerate() {
        finite(format_args!("{field}[{i}]"), number)?;
    }
    Ok(())
}
