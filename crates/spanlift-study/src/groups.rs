//! Groups of questions, and the tables of their means.

use std::collections::BTreeMap;

use spanlift_squad::QuestionKind;

use crate::bootstrap::{Bootstrap, Estimate};
use crate::facts::Facts;
use crate::profile::{CutProfile, Measure, Profile, cut_names};
use crate::roles::Role;
use crate::table::{Column, Table};

/// Articles with fewer questions are no group of their own.
pub const ARTICLE: usize = 20;

/// A way to divide the questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// Its name: `question-type`.
    pub name: &'static str,
    /// Its groups: name, and the numbers of their questions. A question may be in none.
    pub groups: Vec<(String, Vec<usize>)>,
}

/// All groupings of some questions; groups without a question are left out.
#[must_use]
pub fn groupings(facts: &[&Facts]) -> Vec<Grouping> {
    let by = |name: &'static str, of: &dyn Fn(&Facts) -> Option<String>, names: &[&str]| {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, facts) in facts.iter().enumerate() {
            if let Some(group) = of(facts) {
                groups.entry(group).or_default().push(i);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        let place = |group: &str| names.iter().position(|name| *name == group);
        groups.sort_by_key(|(group, _)| place(group));
        Grouping { name, groups }
    };
    let either = |yes: bool, [then, otherwise]: [&str; 2]| {
        Some(if yes { then } else { otherwise }.to_owned())
    };
    let kinds = QuestionKind::ALL.map(QuestionKind::name);
    let mut groupings = vec![
        by("all", &|_| Some("all".to_owned()), &[]),
        by(
            "question-type",
            &|f| Some(f.question_type.name().to_owned()),
            &kinds,
        ),
        by(
            "answered",
            &|f| either(f.answered, ["answer", "no answer"]),
            &[],
        ),
        by(
            "answerable",
            &|f| either(f.answerable, ["yes", "no"]),
            &["yes", "no"],
        ),
        by("right", &|f| either(f.right, ["right", "wrong"]), &[]),
        // No answer has no token of an answer: whoever compares right with wrong by role wants those that have one.
        by(
            "answer-right",
            &|f| {
                let right = either(f.right, ["right", "wrong"]);
                right.filter(|_| f.answered)
            },
            &[],
        ),
    ];
    let mut articles = by(
        "article",
        &|f| (!f.article.is_empty()).then(|| f.article.clone()),
        &[],
    );
    articles
        .groups
        .retain(|(_, questions)| questions.len() >= ARTICLE);
    groupings.push(articles);
    groupings.extend([
        terciles("length", facts, |f| Some(f.passage_tokens as f64)),
        terciles("digits", facts, |f| Some(f.digits)),
        terciles("names", facts, |f| Some(f.names)),
        terciles("overlap", facts, |f| f.overlap),
        terciles("place", facts, |f| f.place),
    ]);
    groupings.retain(|grouping| !grouping.groups.is_empty());
    groupings
}

/// The lower, middle and upper third by a number; equal numbers stay together, so that a third may be larger or missing.
fn terciles(name: &'static str, facts: &[&Facts], of: impl Fn(&Facts) -> Option<f64>) -> Grouping {
    let values: Vec<Option<f64>> = facts.iter().map(|facts| of(facts)).collect();
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |third: usize| {
        sorted
            .get(sorted.len() * third / 3)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let (first, second) = (at(1), at(2));
    let digits = if sorted.last().is_some_and(|last| *last > 1.0) {
        0
    } else {
        2
    };
    let groups = [
        (format!("low: < {first:.digits$}"), f64::NEG_INFINITY, first),
        (
            format!("middle: {first:.digits$} to {second:.digits$}"),
            first,
            second,
        ),
        (format!("high: ≥ {second:.digits$}"), second, f64::INFINITY),
    ];
    let of_group = |(group, low, high): (String, f64, f64)| {
        let within = |i: &usize| values[*i].is_some_and(|value| low <= value && value < high);
        (group, (0..values.len()).filter(within).collect::<Vec<_>>())
    };
    let mut groups: Vec<_> = groups.into_iter().map(of_group).collect();
    groups.retain(|(_, questions)| !questions.is_empty());
    Grouping { name, groups }
}

/// What a table's rows have in common: group, source, and a mean.
#[derive(Default)]
struct Rows {
    grouping: Vec<&'static str>,
    group: Vec<String>,
    source: Vec<&'static str>,
    estimates: Vec<Estimate>,
}

impl Rows {
    fn push(&mut self, place: Place<'_>, source: &'static str, estimate: Estimate) {
        self.grouping.push(place.grouping);
        self.group.push(place.group.to_owned());
        self.source.push(source);
        self.estimates.push(estimate);
    }

    /// With the columns that are the table's own between group and mean.
    fn table(self, name: &'static str, about: &'static str, own: Vec<Column>) -> Table {
        let mut columns = vec![
            Column::text("grouping", self.grouping),
            Column::text("group", self.group),
            Column::text("source", self.source),
        ];
        columns.extend(own);
        columns.extend(estimate_columns(&self.estimates));
        Table {
            name,
            about,
            columns,
        }
    }
}

/// `questions`, `mean`, `low`, `high`.
pub(crate) fn estimate_columns(estimates: &[Estimate]) -> [Column; 4] {
    [
        Column::integer("questions", estimates.iter().map(|e| e.questions)),
        Column::number("mean", estimates.iter().map(|e| e.mean)),
        Column::number("low", estimates.iter().map(|e| e.low)),
        Column::number("high", estimates.iter().map(|e| e.high)),
    ]
}

#[derive(Clone, Copy)]
struct Place<'a> {
    grouping: &'static str,
    group: &'a str,
}

/// The two sources of a profile's numbers.
const SOURCES: [&str; 2] = ["deeplift", "attention"];

fn cuts_of(profile: &Profile, source: usize) -> &[CutProfile] {
    [&profile.cuts, &profile.attention][source]
}

/// One row of values of each question, and the means of each group.
fn by_group(
    profiles: &[Profile],
    groupings: &[Grouping],
    bootstrap: Bootstrap,
    values: impl Fn(&Profile) -> Vec<f64>,
    mut found: impl FnMut(Place<'_>, Vec<Estimate>),
) {
    let values: Vec<Vec<f64>> = profiles.iter().map(values).collect();
    let columns = values.first().map_or(0, Vec::len);
    for grouping in groupings {
        for (group, questions) in &grouping.groups {
            let place = Place {
                grouping: grouping.name,
                group,
            };
            let rows = questions
                .iter()
                .map(|&i| (profiles[i].passage, &*values[i]));
            found(place, bootstrap.means(columns, rows));
        }
    }
}

fn number<T: Into<f64>>(value: Option<T>) -> f64 {
    value.map_or(f64::NAN, Into::into)
}

/// The table `shares`: the mean share of each role at each cut.
#[must_use]
pub fn shares(profiles: &[Profile], groupings: &[Grouping], bootstrap: Bootstrap) -> Table {
    let mut rows = Rows::default();
    let (mut measures, mut cuts, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for source in 0..SOURCES.len() {
        let names = source_cuts(profiles, source);
        let kinds: &[Measure] = if source == 0 {
            &Measure::ALL
        } else {
            &[Measure::Absolute]
        };
        let values = |profile: &Profile| {
            let mut values = Vec::new();
            for cut in cuts_of(profile, source) {
                for measure in kinds {
                    values.extend(Role::ALL.map(|role| number(cut.share(*measure, role))));
                }
            }
            values
        };
        by_group(profiles, groupings, bootstrap, values, |place, means| {
            let mut means = means.into_iter();
            for cut in &names {
                for measure in kinds {
                    for role in Role::ALL {
                        rows.push(
                            place,
                            SOURCES[source],
                            means.next().unwrap_or(Estimate::NONE),
                        );
                        measures.push(measure.name());
                        cuts.push(cut.clone());
                        roles.push(role.name());
                    }
                }
            }
        });
    }
    // What a role would have if every token had the same.
    let values = |profile: &Profile| profile.tokens.map(f64::from).to_vec();
    by_group(profiles, groupings, bootstrap, values, |place, means| {
        for (role, mean) in Role::ALL.iter().zip(means) {
            rows.push(place, "tokens", mean);
            measures.push(Measure::Absolute.name());
            cuts.push("tokens".to_owned());
            roles.push(role.name());
        }
    });
    let own = vec![
        Column::text("measure", measures),
        Column::text("cut", cuts),
        Column::text("role", roles),
    ];
    rows.table(
        "shares",
        "The mean share of a cut's scores that lies on the tokens of a role. Source `tokens` is the share of the tokens themselves.",
        own,
    )
}

fn source_cuts(profiles: &[Profile], source: usize) -> Vec<String> {
    let layers = profiles
        .first()
        .map_or(0, |profile| profile.attention.len());
    cut_names(layers).take(layers + 1 - source).collect()
}

/// The table `spread`: the mean effective number of tokens at each cut.
#[must_use]
pub fn spread(profiles: &[Profile], groupings: &[Grouping], bootstrap: Bootstrap) -> Table {
    let mut rows = Rows::default();
    let mut cuts = Vec::new();
    for source in 0..SOURCES.len() {
        let names = source_cuts(profiles, source);
        let of = |cut: &CutProfile| number(cut.spread[Measure::Absolute.index()]);
        let values = |profile: &Profile| cuts_of(profile, source).iter().map(of).collect();
        by_group(profiles, groupings, bootstrap, values, |place, means| {
            for (cut, mean) in names.iter().zip(means) {
                rows.push(place, SOURCES[source], mean);
                cuts.push(cut.clone());
            }
        });
    }
    rows.table(
        "spread",
        "The mean effective number of tokens of a cut: exp of the entropy of |score|.",
        vec![Column::text("cut", cuts)],
    )
}

/// The table `shift`: the mean Jensen–Shannon distance from each cut to the next.
#[must_use]
pub fn shift(profiles: &[Profile], groupings: &[Grouping], bootstrap: Bootstrap) -> Table {
    let mut rows = Rows::default();
    let (mut from, mut to) = (Vec::new(), Vec::new());
    for source in 0..SOURCES.len() {
        let names = source_cuts(profiles, source);
        let values = |profile: &Profile| {
            let shifts = [&profile.shift, &profile.attention_shift][source];
            shifts.iter().map(|&shift| number(shift)).collect()
        };
        by_group(profiles, groupings, bootstrap, values, |place, means| {
            for (pair, mean) in names.windows(2).zip(means) {
                rows.push(place, SOURCES[source], mean);
                from.push(pair[0].clone());
                to.push(pair[1].clone());
            }
        });
    }
    rows.table(
        "shift",
        "The mean Jensen–Shannon distance (0 to 1) from a cut's map to the next one's.",
        vec![Column::text("from", from), Column::text("to", to)],
    )
}

/// The table `leads`: where the answer first has the strongest token; of the questions that have an answer.
#[must_use]
pub fn leads(profiles: &[Profile], groupings: &[Grouping], bootstrap: Bootstrap) -> Table {
    let mut rows = Rows::default();
    let mut cuts = Vec::new();
    for source in 0..SOURCES.len() {
        let mut names = source_cuts(profiles, source);
        names.push("never".to_owned());
        let values = |profile: &Profile| {
            let leads = [Profile::leads, Profile::attention_leads][source](profile);
            let at = leads.unwrap_or(names.len() - 1);
            let first = |cut: usize| {
                if profile.facts.answered {
                    f64::from(cut == at)
                } else {
                    f64::NAN
                }
            };
            (0..names.len()).map(first).collect()
        };
        by_group(profiles, groupings, bootstrap, values, |place, means| {
            for (cut, mean) in names.iter().zip(means) {
                rows.push(place, SOURCES[source], mean);
                cuts.push(cut.clone());
            }
        });
    }
    rows.table(
        "leads",
        "The share of questions with an answer whose strongest token is first the answer's at this cut.",
        vec![Column::text("cut", cuts)],
    )
}

/// The table `heads`: the mean score of each head, as a share of Σ|score| over all heads.
#[must_use]
pub fn heads(profiles: &[Profile], groupings: &[Grouping], bootstrap: Bootstrap) -> Table {
    let mut rows = Rows::default();
    let (mut layers, mut heads) = (Vec::new(), Vec::new());
    let of_layer =
        |profile: &Profile, found: &Vec<f32>| found.len() / profile.attention.len().max(1);
    let first = profiles
        .iter()
        .find_map(|p| Some(of_layer(p, p.heads.as_ref()?)));
    let per_layer = first.unwrap_or(1).max(1);
    let count = per_layer
        * profiles
            .first()
            .map_or(0, |profile| profile.attention.len());
    let values = |profile: &Profile| match &profile.heads {
        Some(heads) => heads.iter().map(|&head| f64::from(head)).collect(),
        None => vec![f64::NAN; count],
    };
    let all = groupings.iter().filter(|grouping| grouping.name == "all");
    let all: Vec<Grouping> = all.cloned().collect();
    by_group(profiles, &all, bootstrap, values, |place, means| {
        for (i, mean) in means.into_iter().enumerate() {
            rows.push(place, SOURCES[0], mean);
            layers.push(1 + i / per_layer);
            heads.push(1 + i % per_layer);
        }
    });
    rows.table(
        "heads",
        "The mean of a head's score as a share of the sizes of all heads' scores.",
        vec![
            Column::integer("layer", layers),
            Column::integer("head", heads),
        ],
    )
}
