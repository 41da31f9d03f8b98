//! The paper's claims, each a statistic with an interval, against two controls.
//!
//! With the cuts 1 to L in thirds (cut l is in third ⌊3(l − 1)/L⌋; the output is left out: its map is not zero only at the
//! answer by construction, and supports no claim), `f(R, third)` the mean share of role R over the cuts of a third, and `peak(R)`
//! the first cut where the share of R is largest, each statistic is a number of one question that the claim says is above 0 in
//! the mean:
//!
//! | claim | statistic | number |
//! | --- | --- | --- |
//! | a: initial layers focus on separators, then punctuation | `separators-early` | f(separators, early) − mean of f(separators, middle and late) |
//! | | `separators-focus` | f(separators, early) − their share of the tokens |
//! | | `punctuation-focus` | mean of f(punctuation, early and middle) − its share of the tokens |
//! | | `punctuation-after` | peak(punctuation) − peak(separators), in cuts |
//! | b: question keywords early, dropped in the middle, again in the last layers | `keywords-early` | f(keywords, early) − f(keywords, middle) |
//! | | `keywords-late` | f(keywords, late) − f(keywords, middle) |
//! | c: the spread narrows to the answer in the final layers | `spread-narrows` | ln spread(early) − ln spread(late) |
//! | | `answer-grows` | f(answer, late) − f(answer, early) |
//! | | `answer-focus` | f(answer, late) − its share of the tokens |
//! | d: an order like human reading | `order` | Kendall's τ_b of keywords, matching tokens, the answer's sentence, the answer with their peaks; 0 where all peak at once |
//! | | `full-order` | 1 where the four peaks follow strictly in that order, else 0; less 1/24, as often as four peaks drawn at random do at most |
//!
//! Focus is the share of positive score; the share of absolute score is the check. The separators are the two `[SEP]`; a
//! question without the roles that a statistic needs is left out of it.
//!
//! The controls are runs over the same questions: one that explains a random span instead of the answer (what is seen there too
//! has nothing to do with answering), and one with re-initialised weights (what is seen there too was not learned). Each question is
//! compared with itself, where both runs explain an answer or both explain no answer: a span and `[CLS]` are targets of different
//! kinds, and of a question without an answer the random span is no control.
//!
//! A mean of fewer than [`LEAST`] passages has no interval and decides nothing. A claim is *not testable* where no
//! statistic of positive score has an interval. It *holds* where every statistic, under both measures, is above 0 with its whole
//! interval and above both controls with the whole interval of the difference; where all are above 0 and above each control that there is, but
//! one is missing, it is *not controlled*. It *does not* where no statistic of positive score is above 0. Everything else is
//! *mixed*.

mod statistics;

use std::collections::HashMap;

use statistics::STATISTICS;
pub(crate) use statistics::{order, over};

use crate::StudyError;
use crate::bootstrap::{Bootstrap, Estimate, LEAST};
use crate::groups::estimate_columns;
use crate::profile::{Measure, Profile};
use crate::table::{Column, Table};

/// The claims, in the paper's words shortened.
pub const CLAIMS: [(char, &str); 4] = [
    (
        'a',
        "the initial layers focus on separators, then on punctuation",
    ),
    (
        'b',
        "question keywords are attended to early, dropped in the middle, and again in the last layers",
    ),
    (
        'c',
        "the spread narrows to the answer's tokens in the final layers",
    ),
    (
        'd',
        "the layers where keywords, matching tokens, the answer's sentence and the answer peak follow in that order",
    ),
];

/// Which side of 0 a mean is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Above, with its whole interval.
    Yes,
    /// Below, with its whole interval.
    No,
    /// The interval has 0 in it, or there is none.
    Unclear,
}

/// A statistic under one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The claim that it is of.
    pub claim: char,
    /// Its name.
    pub statistic: &'static str,
    /// What it is, in words.
    pub meaning: &'static str,
    /// The measure of the shares.
    pub measure: Measure,
    /// Its mean.
    pub mean: Estimate,
    /// The difference to the control with random spans, where there is one.
    pub spans: Option<Estimate>,
    /// The difference to the control with re-initialised weights, where there is one.
    pub weights: Option<Estimate>,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Every statistic says so, beyond the controls.
    Holds,
    /// No statistic of positive score says so.
    DoesNot,
    /// Some do, or the controls do too.
    Mixed,
    /// Every statistic says so, but a control is missing.
    NotControlled,
    /// Too few passages for any interval.
    NotTestable,
}

/// A claim's verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// `a` to `d`.
    pub claim: char,
    /// What it says.
    pub statement: &'static str,
    /// What became of it.
    pub ruling: Ruling,
    /// Which statistics stand against it.
    pub why: String,
}

/// All claims, tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Every statistic under both measures.
    pub findings: Vec<Finding>,
    /// One for each claim.
    pub verdicts: Vec<Verdict>,
}

/// Tests the claims on a run, against controls over the same questions.
///
/// # Errors
///
/// [`StudyError::FewLayers`] where the cuts do not make thirds, [`StudyError::Control`] where a control has other questions
/// or layers than the run.
pub fn claims(
    run: &[Profile],
    spans: Option<&[Profile]>,
    weights: Option<&[Profile]>,
    bootstrap: Bootstrap,
) -> Result<Claims, StudyError> {
    let layers = run.first().map_or(0, |profile| profile.attention.len());
    if layers < 3 {
        return Err(StudyError::FewLayers { layers });
    }
    let spans = spans
        .map(|control| matched(run, control, "random spans"))
        .transpose()?;
    let weights = weights
        .map(|control| matched(run, control, "re-initialised weights"))
        .transpose()?;
    let mut findings = Vec::new();
    for measure in [Measure::Positive, Measure::Absolute] {
        let values = |profile: &Profile| STATISTICS.map(|s| (s.value)(profile, measure));
        let own: Vec<[f64; STATISTICS.len()]> = run.iter().map(values).collect();
        let means = |rows: &[[f64; STATISTICS.len()]]| {
            let rows = run
                .iter()
                .zip(rows)
                .map(|(profile, row)| (profile.passage, &row[..]));
            bootstrap.means(STATISTICS.len(), rows)
        };
        let differences = |control: &Vec<&Profile>| {
            let rows = run.iter().zip(&own).zip(control);
            let rows = rows.map(|((profile, own), control)| {
                if profile.facts.answered != control.facts.answered {
                    return [f64::NAN; STATISTICS.len()];
                }
                let theirs = values(control);
                std::array::from_fn(|i| own[i] - theirs[i])
            });
            means(&rows.collect::<Vec<_>>())
        };
        let (own_means, spans, weights) = (
            means(&own),
            spans.as_ref().map(differences),
            weights.as_ref().map(differences),
        );
        findings.extend(STATISTICS.iter().enumerate().map(|(i, statistic)| Finding {
            claim: statistic.claim,
            statistic: statistic.name,
            meaning: statistic.meaning,
            measure,
            mean: own_means[i],
            spans: spans.as_ref().map(|means| means[i]),
            weights: weights.as_ref().map(|means| means[i]),
        }));
    }
    // Claim by claim, a statistic's measures one behind the other.
    let place = |finding: &Finding| STATISTICS.iter().position(|s| s.name == finding.statistic);
    findings.sort_by_key(|finding| (place(finding), finding.measure));
    let verdicts = CLAIMS
        .iter()
        .map(|(claim, statement)| Verdict::of(*claim, statement, &findings));
    Ok(Claims {
        verdicts: verdicts.collect(),
        findings,
    })
}

/// The control's profile of each of the run's questions.
fn matched<'a>(
    run: &[Profile],
    control: &'a [Profile],
    name: &'static str,
) -> Result<Vec<&'a Profile>, StudyError> {
    let by_id: HashMap<&str, &Profile> = control
        .iter()
        .map(|profile| (profile.facts.id.as_str(), profile))
        .collect();
    let of = |profile: &Profile| {
        let id = profile.facts.id.as_str();
        let refused = |reason: String| StudyError::Control { name, reason };
        let other = *by_id
            .get(id)
            .ok_or_else(|| refused(format!("it lacks question `{id}`")))?;
        let (got, expected) = (other.attention.len(), profile.attention.len());
        if got != expected {
            return Err(refused(format!("expected {expected} layers, got {got}")));
        }
        Ok(other)
    };
    run.iter().map(of).collect()
}

impl Outcome {
    /// Of a mean.
    #[must_use]
    pub fn of(mean: Estimate) -> Self {
        if mean.low > 0.0 {
            Self::Yes
        } else if mean.high < 0.0 {
            Self::No
        } else {
            Self::Unclear
        }
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unclear => "unclear",
        }
    }
}

impl Ruling {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNot => "does not",
            Self::Mixed => "mixed",
            Self::NotControlled => "not controlled",
            Self::NotTestable => "not testable",
        }
    }
}

impl Finding {
    /// Which side of 0 it is on.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::of(self.mean)
    }

    /// What stands against the claim, if anything does.
    fn objection(&self) -> Option<String> {
        let of = |what: &str| format!("{} of {} score {what}", self.statistic, self.measure.name());
        if !self.mean.is_sure() {
            return Some(of("has too few passages"));
        }
        match self.outcome() {
            Outcome::No => return Some(of("is below 0")),
            Outcome::Unclear => return Some(of("may be 0")),
            Outcome::Yes => {}
        }
        let unsure = |control: Option<Estimate>| control.is_some_and(|c| !c.is_sure());
        if unsure(self.spans) || unsure(self.weights) {
            return Some(of("has too few passages in common with a control"));
        }
        // A control that is not there is not held against the claim here: see `Ruling::NotControlled`.
        let beaten =
            |control: Option<Estimate>| control.is_none_or(|c| Outcome::of(c) == Outcome::Yes);
        match (beaten(self.spans), beaten(self.weights)) {
            (true, true) => None,
            (false, true) => Some(of("is no larger than for random spans")),
            (true, false) => Some(of("is no larger than with re-initialised weights")),
            (false, false) => Some(of("is no larger than in either control")),
        }
    }
}

impl Verdict {
    fn of(claim: char, statement: &'static str, findings: &[Finding]) -> Self {
        let own = || {
            findings
                .iter()
                .filter(move |finding| finding.claim == claim)
        };
        let positive = || own().filter(|finding| finding.measure == Measure::Positive);
        let objections: Vec<String> = own().filter_map(Finding::objection).collect();
        let missing = [
            (own().all(|f| f.spans.is_some()), "random spans"),
            (own().all(|f| f.weights.is_some()), "re-initialised weights"),
        ];
        let missing = missing.iter().filter(|(there, _)| !there);
        let missing: Vec<&str> = missing.map(|(_, name)| *name).collect();
        let (ruling, why) = if !positive().any(|finding| finding.mean.is_sure()) {
            let most = own().map(|f| f.mean.passages).max().unwrap_or(0);
            let why = format!("an interval needs {LEAST} passages, there are {most}");
            (Ruling::NotTestable, why)
        } else if !objections.is_empty() {
            let some = positive().any(|finding| finding.outcome() == Outcome::Yes);
            let ruling = if some { Ruling::Mixed } else { Ruling::DoesNot };
            (ruling, objections.join("; "))
        } else if !missing.is_empty() {
            let missing = missing.join(" and ");
            let why = format!("every statistic is above 0; not held against {missing}");
            (Ruling::NotControlled, why)
        } else {
            let why = "every statistic is above 0 and above both controls".to_owned();
            (Ruling::Holds, why)
        };
        Self {
            claim,
            statement,
            ruling,
            why,
        }
    }
}

impl Claims {
    /// The table `claims`.
    #[must_use]
    pub fn table(&self) -> Table {
        let findings = &self.findings;
        let control = |of: fn(&Finding) -> Option<Estimate>, names: [&'static str; 4]| {
            let estimates: Vec<Estimate> = findings
                .iter()
                .map(|f| of(f).unwrap_or(Estimate::NONE))
                .collect();
            let [questions, mean, low, high] = names;
            [
                Column::integer(questions, estimates.iter().map(|e| e.questions)),
                Column::number(mean, estimates.iter().map(|e| e.mean)),
                Column::number(low, estimates.iter().map(|e| e.low)),
                Column::number(high, estimates.iter().map(|e| e.high)),
            ]
        };
        let statement = |claim: char| CLAIMS.iter().find(|c| c.0 == claim).map_or("", |c| c.1);
        let mut columns = vec![
            Column::text("claim", findings.iter().map(|f| f.claim)),
            Column::text("statement", findings.iter().map(|f| statement(f.claim))),
            Column::text("statistic", findings.iter().map(|f| f.statistic)),
            Column::text("meaning", findings.iter().map(|f| f.meaning)),
            Column::text("measure", findings.iter().map(|f| f.measure.name())),
            Column::text("expected", findings.iter().map(|_| "> 0")),
        ];
        columns.extend(estimate_columns(
            &findings.iter().map(|f| f.mean).collect::<Vec<_>>(),
        ));
        columns.extend(control(
            |f| f.spans,
            ["spans_questions", "spans_mean", "spans_low", "spans_high"],
        ));
        columns.extend(control(
            |f| f.weights,
            [
                "weights_questions",
                "weights_mean",
                "weights_low",
                "weights_high",
            ],
        ));
        columns.push(Column::text(
            "outcome",
            findings.iter().map(|f| f.outcome().name()),
        ));
        Table {
            name: "claims",
            about: "A statistic of a claim: its mean over the questions, and its mean difference to each control.",
            columns,
        }
    }

    /// The table `verdicts`.
    #[must_use]
    pub fn verdict_table(&self) -> Table {
        let verdicts = &self.verdicts;
        Table {
            name: "verdicts",
            about: "What became of a claim.",
            columns: vec![
                Column::text("claim", verdicts.iter().map(|v| v.claim)),
                Column::text("statement", verdicts.iter().map(|v| v.statement)),
                Column::text("verdict", verdicts.iter().map(|v| v.ruling.name())),
                Column::text("why", verdicts.iter().map(|v| v.why.clone())),
            ],
        }
    }
}
