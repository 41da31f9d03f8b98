//! Targets: the number that is explained, t = Σ u·start + v·end, linear in the logits; METHOD section 1.

use std::collections::BTreeMap;

use spanlift_explanation::TargetKind;

use crate::ops::{Matrix, Real};

/// A span of tokens, ends included; `NULL` is the null answer at `[CLS]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First token.
    pub start: usize,
    /// Last token.
    pub end: usize,
}

impl Span {
    /// No answer: the `[CLS]` position.
    pub const NULL: Self = Self { start: 0, end: 0 };
}

/// What is explained, with its tokens chosen; u and v stay as they are at the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// start + end.
    Span(Span),
    /// start alone.
    Start(Span),
    /// end alone.
    End(Span),
    /// start + end of the best non-null span, minus those of `[CLS]`.
    Margin(Span),
    /// start + end of the first, minus those of the second.
    Versus(Span, Span),
}

impl Target {
    /// Its kind.
    #[must_use]
    pub fn kind(self) -> TargetKind {
        match self {
            Self::Span(_) => TargetKind::Span,
            Self::Start(_) => TargetKind::Start,
            Self::End(_) => TargetKind::End,
            Self::Margin(_) => TargetKind::Margin,
            Self::Versus(..) => TargetKind::Versus,
        }
    }

    /// The span that is explained.
    #[must_use]
    pub fn span(self) -> Span {
        match self {
            Self::Span(span) | Self::Start(span) | Self::End(span) | Self::Margin(span) => span,
            Self::Versus(span, _) => span,
        }
    }

    /// All spans that have a part; a margin's null answer is one of them.
    pub(crate) fn spans(self) -> Vec<Span> {
        match self {
            Self::Span(span) | Self::Start(span) | Self::End(span) => vec![span],
            Self::Margin(span) => vec![span, Span::NULL],
            Self::Versus(span, other) => vec![span, other],
        }
    }

    /// The same, where tokens stand elsewhere; `[CLS]` does not move.
    pub(crate) fn moved(self, place: impl Fn(usize) -> usize) -> Self {
        let moved = |span: Span| Span {
            start: place(span.start),
            end: place(span.end),
        };
        match self {
            Self::Span(span) => Self::Span(moved(span)),
            Self::Start(span) => Self::Start(moved(span)),
            Self::End(span) => Self::End(moved(span)),
            Self::Margin(span) => Self::Margin(moved(span)),
            Self::Versus(span, other) => Self::Versus(moved(span), moved(other)),
        }
    }

    /// (token, u, v) of each position that has a part.
    pub(crate) fn terms(self) -> Vec<(usize, f64, f64)> {
        let both = |span: Span, sign: f64| [(span.start, sign, 0.0), (span.end, 0.0, sign)];
        match self {
            Self::Span(span) => both(span, 1.0).to_vec(),
            Self::Start(span) => vec![(span.start, 1.0, 0.0)],
            Self::End(span) => vec![(span.end, 0.0, 1.0)],
            Self::Margin(span) => [both(span, 1.0), both(Span::NULL, -1.0)].concat(),
            Self::Versus(span, other) => [both(span, 1.0), both(other, -1.0)].concat(),
        }
    }

    /// The tokens whose parts do not cancel, in rising order.
    pub(crate) fn tokens(self) -> Vec<usize> {
        let mut net = BTreeMap::new();
        for (token, u, v) in self.terms() {
            let (start, end) = net.entry(token).or_insert((0.0, 0.0));
            *start += u;
            *end += v;
        }
        net.retain(|_, parts| *parts != (0.0, 0.0));
        net.into_keys().collect()
    }

    /// The last token that has a part.
    pub(crate) fn last_token(self) -> usize {
        let tokens = self.terms().into_iter().map(|(token, ..)| token);
        tokens.max().unwrap_or(0)
    }

    /// t from logits (N, 2), for the sequence whose first token stands in row `first`. Tokens whose parts cancel are not looked at: where
    /// the last layer was computed for the target's tokens alone, they have no logits.
    #[must_use]
    pub fn value<T: Real>(self, logits: &Matrix<T>, first: usize) -> f64 {
        let term = |(token, u, v): (usize, f64, f64)| {
            let row = logits.row(first + token);
            u * row[0].f64() + v * row[1].f64()
        };
        let tokens = self.tokens();
        let terms = self.terms().into_iter();
        terms
            .filter(|(token, ..)| tokens.contains(token))
            .map(term)
            .sum()
    }

    /// Adds u and v to the logits' multipliers (N, 2).
    pub fn add_multipliers<T: Real>(self, m_logits: &mut Matrix<T>, first: usize) {
        for (token, u, v) in self.terms() {
            let row = m_logits.row_mut(first + token);
            row[0] += T::of(u);
            row[1] += T::of(v);
        }
    }
}
