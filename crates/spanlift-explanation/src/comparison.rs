//! One question under several methods, side by side: the JSON form `spanlift.comparison`.
//!
//! Each method has an [`Explanation`] of its own, complete in itself: of the same question, tokens, answer and target. Their scores
//! stand on different scales, and nothing is rescaled.

use serde::{Deserialize, Serialize};

use crate::{Explanation, Invalid, Word, words};

/// The format name at the head of the JSON form.
pub const COMPARISON_FORMAT: &str = "spanlift.comparison";

/// The version of that form which this crate writes and reads.
pub const COMPARISON_VERSION: u32 = 1;

/// One question under several methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Always [`COMPARISON_FORMAT`].
    pub format: String,
    /// Always [`COMPARISON_VERSION`] in what this crate writes.
    pub version: u32,
    /// One for each method, in the order of the columns.
    pub methods: Vec<Compared>,
}

/// What one method found, and what that cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What the field calls the method: [`Method::label`](crate::Method::label).
    #[serde(default)]
    pub label: String,
    /// Seconds on the clock, the answer found already.
    pub seconds: f64,
    /// Passes forward through the network.
    pub forward: usize,
    /// Passes back.
    pub backward: usize,
    /// What it found.
    pub explanation: Explanation,
}

impl Comparison {
    /// Of these methods.
    #[must_use]
    pub fn new(methods: Vec<Compared>) -> Self {
        Self {
            format: COMPARISON_FORMAT.to_owned(),
            version: COMPARISON_VERSION,
            methods,
        }
    }

    /// The words of the explained window: those of the first method, which are those of all.
    #[must_use]
    pub fn words(&self) -> Vec<Word> {
        let first = self.methods.first();
        first.map_or_else(Vec::new, |first| words(&first.explanation))
    }

    /// Checks each explanation, and that all are of the same question.
    ///
    /// # Errors
    ///
    /// The first fault found.
    pub fn validate(&self) -> Result<(), Invalid> {
        let Some(first) = self.methods.first() else {
            return Err(Invalid::Length {
                field: "methods".to_owned(),
                expected: 1,
                got: 0,
            });
        };
        let first = &first.explanation;
        for (i, compared) in self.methods.iter().enumerate() {
            let explanation = &compared.explanation;
            explanation.validate()?;
            let field = |name: &str| format!("methods[{i}].{name}");
            if !compared.seconds.is_finite() {
                return Err(Invalid::Number {
                    field: field("seconds"),
                    got: compared.seconds,
                });
            }
            let asked = |e: &Explanation| format!("{:?} of {:?}", e.question, e.passage);
            let target = |e: &Explanation| {
                let target = &e.target;
                let (start, end) = (target.start_token, target.end_token);
                format!("{:?} of tokens {start} and {end}", target.kind)
            };
            for (name, want, got) in [
                ("explanation", asked(first), asked(explanation)),
                ("explanation.target", target(first), target(explanation)),
            ] {
                if want != got {
                    return Err(Invalid::Text {
                        field: field(name),
                        expected: want,
                        got,
                    });
                }
            }
            if explanation.tokens != first.tokens {
                return Err(Invalid::Length {
                    field: field("explanation.tokens"),
                    expected: first.tokens.len(),
                    got: explanation.tokens.len(),
                });
            }
        }
        Ok(())
    }
}
