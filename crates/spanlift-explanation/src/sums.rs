//! Adds the scores of an [`Explanation`] up again, in f64, and holds the sums that it states against them.
//!
//! Σ score must be the stated sum, sum − Δt the stated error, value − reference value Δt, and the completeness what the
//! errors make of it: a file that was edited, cut together or written by something else must not be shown as one whose sums
//! hold. Scores are rounded to f32 where they are stored, each by 2⁻²⁴ of itself; [`ROUNDING`] allows 16 times that. Of the
//! feed-forward blocks only sums are stored, so that Σ|score| there is unknown, and the worst error is held against
//! the least and the most that it can be.

use crate::{Explanation, Invalid};

/// What rounding to f32 may change in a sum, as a share of max(1, Σ|score|).
const ROUNDING: f64 = 1e-6;

/// What rounding in f64 may change, in the same way.
const FINE: f64 = 1e-12;

/// The loosest bound of a completeness: that of f32.
const BOUND: f64 = 1e-4;

/// DeepLIFT's rules that do not make every cut add up; all others do.
pub const WITHOUT_PROMISE: [&str; 4] = [
    "softmax-path",
    "softmax-gradient",
    "softmax-fixed",
    "sigma-fixed",
];

impl Explanation {
    /// Checks every stated sum and error, and the completeness, against the scores they are of.
    ///
    /// # Errors
    ///
    /// As [`Explanation::validate`]; [`Invalid::Sum`], or for `completeness.holds` [`Invalid::Text`]: the first that differs beyond rounding.
    pub fn check_sums(&self) -> Result<(), Invalid> {
        self.validate()?;
        let target = &self.target;
        let delta = target.delta;
        equal(
            "target.delta",
            "target.value - target.reference_value",
            target.value - target.reference_value,
            delta,
            FINE * (1.0 + target.value.abs() + target.reference_value.abs()),
        )?;
        let mut worst = Worst::default();
        let of = "word_score";
        worst.cut(
            &self.word_score,
            of,
            delta,
            [("word_sum", self.word_sum), ("word_error", self.word_error)],
        )?;
        for (l, layer) in self.layers.iter().enumerate() {
            let [scores, sum, error] =
                ["score", "sum", "error"].map(|field| format!("layers[{l}].{field}"));
            worst.cut(
                &layer.score,
                &scores,
                delta,
                [(&sum, layer.sum), (&error, layer.error)],
            )?;
        }
        for l in 0..self.mlp.len() {
            self.block(l, &mut worst)?;
        }
        self.claim(&worst)
    }

    /// Heads, residual and feed-forward of a layer.
    fn block(&self, l: usize, worst: &mut Worst) -> Result<(), Invalid> {
        let delta = self.target.delta;
        let residual = self.heads.residual[l];
        let (mut all, mut size) = (residual, residual.abs());
        for (a, (scores, &score)) in self.heads.by_token[l]
            .iter()
            .zip(&self.heads.score[l])
            .enumerate()
        {
            let [sum, own] = sums(scores);
            let field = format!("heads.score[{l}][{a}]");
            let of = format!("the sum of heads.by_token[{l}][{a}]");
            equal(&field, &of, sum, f64::from(score), ROUNDING * own.max(1.0))?;
            (all, size) = (all + sum, size + own);
        }
        let error = self.heads.error[l];
        let field = format!("heads.error[{l}]");
        let of = "heads + residual - target.delta";
        equal(&field, of, all - delta, error, ROUNDING * size.max(1.0))?;
        worst.most = worst.most.max(error.abs() / size.max(1.0));

        let (through, past) = (self.mlp[l], self.mlp_residual[l]);
        let size = through.abs() + past.abs();
        let error = self.mlp_error[l];
        let field = format!("mlp_error[{l}]");
        let of = "mlp + mlp_residual - target.delta";
        equal(
            &field,
            of,
            through + past - delta,
            error,
            FINE * (1.0 + size + delta.abs()),
        )?;
        worst.most = worst.most.max(error.abs() / size.max(1.0));
        Ok(())
    }

    /// What the file says of its own sums.
    fn claim(&self, found: &Worst) -> Result<(), Invalid> {
        let claim = &self.completeness;
        let sum = |field: &str, expected: String, got| {
            Err(Invalid::Sum {
                field: field.to_owned(),
                expected,
                got,
            })
        };
        if !(0.0..=BOUND).contains(&claim.bound) {
            return sum("completeness.bound", format!("0 to {BOUND:e}"), claim.bound);
        }
        let slack = ROUNDING * found.most + FINE;
        if claim.worst < found.least - slack || claim.worst > found.most + slack {
            let expected = if found.most - found.least <= slack {
                format!("{:e} (the largest |error| / max(1, Σ|score|))", found.least)
            } else {
                format!(
                    "{:e} to {:e} (the largest |error| / max(1, Σ|score|))",
                    found.least, found.most
                )
            };
            return sum("completeness.worst", expected, claim.worst);
        }
        // Who leaves the promise out must not pass for a method that makes none.
        let open = WITHOUT_PROMISE.contains(&self.method.rule.as_str());
        if self.method.name == "deeplift" && self.method.complete == open {
            return Err(Invalid::Text {
                field: "method.complete".to_owned(),
                expected: if open {
                    format!("false (deeplift, {})", self.method.rule)
                } else {
                    "true (deeplift)".to_owned()
                },
                got: self.method.complete.to_string(),
            });
        }
        let holds = claim.worst <= claim.bound;
        if holds != claim.holds {
            return Err(Invalid::Text {
                field: "completeness.holds".to_owned(),
                expected: holds.to_string(),
                got: claim.holds.to_string(),
            });
        }
        Ok(())
    }
}

/// The largest |error| / max(1, Σ|score|), as far as it can be told.
#[derive(Default)]
struct Worst {
    least: f64,
    most: f64,
}

impl Worst {
    /// A cut whose scores are all there; `stated` are its sum and its error, each with its place.
    fn cut(
        &mut self,
        scores: &[f32],
        of: &str,
        delta: f64,
        stated: [(&str, f64); 2],
    ) -> Result<(), Invalid> {
        let [(sum_field, sum), (error_field, error)] = stated;
        let [found, size] = sums(scores);
        equal(
            sum_field,
            &format!("the sum of {of}"),
            found,
            sum,
            ROUNDING * size.max(1.0),
        )?;
        let of = format!("{sum_field} - target.delta");
        equal(
            error_field,
            &of,
            sum - delta,
            error,
            FINE * (1.0 + sum.abs() + delta.abs()),
        )?;
        let relative = error.abs() / size.max(1.0);
        (self.least, self.most) = (self.least.max(relative), self.most.max(relative));
        Ok(())
    }
}

/// Σ score and Σ|score|.
fn sums(scores: &[f32]) -> [f64; 2] {
    let each = scores.iter().map(|&score| f64::from(score));
    [each.clone().sum(), each.map(f64::abs).sum()]
}

fn equal(field: &str, of: &str, expected: f64, got: f64, tolerance: f64) -> Result<(), Invalid> {
    if (expected - got).abs() <= tolerance {
        return Ok(());
    }
    Err(Invalid::Sum {
        field: field.to_owned(),
        expected: format!("{expected} ({of})"),
        got,
    })
}
