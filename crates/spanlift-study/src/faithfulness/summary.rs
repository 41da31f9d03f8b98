//! What the rows of a comparison come to: means with intervals, methods against each other, agreement.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use spanlift_squad::QuestionKind;

use super::rows::{self, Row};
use crate::bootstrap::{Bootstrap, Estimate};
use crate::groups::{Grouping, estimate_columns};
use crate::significance::adjusted;
use crate::table::{Column, Table};

/// How often signs are drawn for a paired test.
const FLIPS: usize = 10_000;

/// One kind of number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    metric: String,
    removal: Option<String>,
    at: Option<usize>,
    method: String,
    other: Option<String>,
}

/// The rows of a comparison, question by question.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    rows: &'a [Row],
    methods: Vec<String>,
    keys: Vec<Key>,
    /// Passage and values of each question, a value for each key.
    questions: Vec<(usize, Vec<f64>)>,
    groupings: Vec<Grouping>,
}

/// `high`, `low`, or nothing where neither is better.
#[must_use]
pub fn better(metric: &str) -> &'static str {
    match metric {
        "comprehensiveness"
        | "comprehensiveness-p"
        | "deletion"
        | "insertion"
        | "deletion-area"
        | "insertion-area" => "high",
        "sufficiency" | "sufficiency-p" | "completeness" | "seconds" | "forward" | "backward" => {
            "low"
        }
        _ => "",
    }
}

impl<'a> Summary<'a> {
    /// Sorts the rows of a comparison; `methods` are its methods' names, in the order of tables.
    #[must_use]
    pub fn new(rows: &'a [Row], methods: Vec<String>) -> Self {
        let key = |row: &Row| Key {
            metric: row.metric.clone(),
            removal: row.removal.clone(),
            at: row.at,
            method: row.method.clone(),
            other: row.other.clone(),
        };
        let mut keys: Vec<Key> = rows.iter().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let place: BTreeMap<&Key, usize> = keys.iter().zip(0..).collect();
        let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
        let mut questions: Vec<(usize, Vec<f64>)> = Vec::new();
        let mut first: Vec<&Row> = Vec::new();
        for row in rows {
            let at = *ids.entry(&row.id).or_insert_with(|| {
                questions.push((row.passage, vec![f64::NAN; keys.len()]));
                first.push(row);
                questions.len() - 1
            });
            if let Some(&column) = place.get(&key(row)) {
                questions[at].1[column] = row.value.unwrap_or(f64::NAN);
            }
        }
        Self {
            rows,
            methods,
            groupings: groupings(&first),
            keys,
            questions,
        }
    }

    /// How many questions there are.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.questions.len()
    }

    /// The table `rows`: everything that was measured.
    #[must_use]
    pub fn rows(&self) -> Table {
        rows::table(self.rows)
    }

    fn order(&self, method: &str) -> usize {
        self.methods
            .iter()
            .position(|name| name == method)
            .unwrap_or(self.methods.len())
    }

    fn values(&self, questions: &'a [usize]) -> impl Iterator<Item = (usize, &[f64])> {
        questions
            .iter()
            .map(|&i| (self.questions[i].0, &*self.questions[i].1))
    }

    /// The table `faithfulness`: the mean of each metric that looks at one method, by group.
    #[must_use]
    pub fn faithfulness(&'a self, bootstrap: Bootstrap) -> Table {
        let mut found: Vec<(&str, &str, &Key, Estimate)> = Vec::new();
        for grouping in &self.groupings {
            for (group, questions) in &grouping.groups {
                let means = bootstrap.means(self.keys.len(), self.values(questions));
                let mut of_group: Vec<_> = self
                    .keys
                    .iter()
                    .zip(means)
                    .filter(|(key, _)| key.other.is_none())
                    .collect();
                of_group.sort_by_key(|(key, _)| {
                    (&key.metric, &key.removal, key.at, self.order(&key.method))
                });
                found.extend(
                    of_group
                        .into_iter()
                        .map(|(key, mean)| (grouping.name, group.as_str(), key, mean)),
                );
            }
        }
        let mut columns = vec![
            Column::text("grouping", found.iter().map(|row| row.0)),
            Column::text("group", found.iter().map(|row| row.1)),
        ];
        columns.extend(key_columns(found.iter().map(|row| row.2)));
        columns.push(Column::text(
            "method",
            found.iter().map(|row| row.2.method.clone()),
        ));
        columns.push(Column::text(
            "better",
            found.iter().map(|row| better(&row.2.metric)),
        ));
        columns.extend(estimate_columns(
            &found.iter().map(|row| row.3).collect::<Vec<_>>(),
        ));
        Table {
            name: "faithfulness",
            about: "The mean of a metric under a method, over a group of questions.",
            columns,
        }
    }

    /// The table `agreement`: the mean correlation and overlap of two methods' scores of the words.
    #[must_use]
    pub fn agreement(&self, bootstrap: Bootstrap) -> Table {
        self.others(
            bootstrap,
            &["overlap", "pearson", "spearman"],
            "agreement",
            "The mean agreement of two methods' scores of a question's words.",
        )
    }

    /// The table `sanity`: how the scores correlate with those of a model re-initialised in part, and under other references.
    #[must_use]
    pub fn sanity(&self, bootstrap: Bootstrap) -> Table {
        self.others(
            bootstrap,
            &["randomised", "randomised-size", "reference"],
            "sanity",
            "The mean rank correlation of a method's scores with those where all down to `other` is re-initialised, or of the reference `other`.",
        )
    }

    fn others(
        &self,
        bootstrap: Bootstrap,
        metrics: &[&str],
        name: &'static str,
        about: &'static str,
    ) -> Table {
        let rows = self
            .questions
            .iter()
            .map(|(passage, values)| (*passage, &**values));
        let means = bootstrap.means(self.keys.len(), rows);
        let mut found: Vec<(&Key, Estimate)> = self
            .keys
            .iter()
            .zip(means)
            .filter(|(key, _)| metrics.contains(&&*key.metric))
            .collect();
        let other = |key: &Key| {
            key.other
                .as_ref()
                .map(|other| (self.order(other), other.clone()))
        };
        found.sort_by_key(|(key, _)| (&key.metric, key.at, self.order(&key.method), other(key)));
        let mut columns = vec![
            Column::text("metric", found.iter().map(|row| row.0.metric.clone())),
            Column::integers("at", found.iter().map(|row| row.0.at)),
            Column::text("method", found.iter().map(|row| row.0.method.clone())),
            Column::text(
                "other",
                found
                    .iter()
                    .map(|row| row.0.other.clone().unwrap_or_default()),
            ),
        ];
        columns.extend(estimate_columns(
            &found.iter().map(|row| row.1).collect::<Vec<_>>(),
        ));
        Table {
            name,
            about,
            columns,
        }
    }

    /// The table `pairs`: methods against each other, each question against itself. `p` is that of a two-sided test by
    /// flipping the signs of whole passages' differences (10,000 draws); `adjusted_p` is adjusted for the number of pairs of methods (Holm), within a metric,
    /// a way of removal and a share.
    #[must_use]
    pub fn pairs(&self, bootstrap: Bootstrap) -> Table {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (i, a) in self.keys.iter().enumerate() {
            for (j, b) in self.keys.iter().enumerate() {
                let same = (&a.metric, &a.removal, a.at) == (&b.metric, &b.removal, b.at);
                if same
                    && a.other.is_none()
                    && b.other.is_none()
                    && self.order(&a.method) < self.order(&b.method)
                {
                    pairs.push((i, j));
                }
            }
        }
        pairs.sort_by_key(|&(i, j)| {
            let (a, b) = (&self.keys[i], &self.keys[j]);
            (
                &a.metric,
                &a.removal,
                a.at,
                self.order(&a.method),
                self.order(&b.method),
            )
        });
        let differences: Vec<(usize, Vec<f64>)> = self
            .questions
            .iter()
            .map(|(passage, values)| {
                (
                    *passage,
                    pairs.iter().map(|&(i, j)| values[i] - values[j]).collect(),
                )
            })
            .collect();
        let rows = differences.iter().map(|(passage, row)| (*passage, &**row));
        let means = bootstrap.means(pairs.len(), rows);
        let tests: Vec<f64> = (0..pairs.len())
            .into_par_iter()
            .map(|column| {
                let values = differences
                    .iter()
                    .map(|(passage, row)| (*passage, row[column]));
                sign_flips(values, bootstrap.seed)
            })
            .collect();
        let key = |pair: &(usize, usize)| &self.keys[pair.0];
        let mut columns: Vec<Column> = key_columns(pairs.iter().map(key)).into();
        columns.push(Column::text(
            "method",
            pairs.iter().map(|pair| self.keys[pair.0].method.clone()),
        ));
        columns.push(Column::text(
            "other",
            pairs.iter().map(|pair| self.keys[pair.1].method.clone()),
        ));
        columns.push(Column::text(
            "better",
            pairs.iter().map(|pair| better(&key(pair).metric)),
        ));
        columns.extend(estimate_columns(&means));
        let families = pairs.iter().zip(&tests).map(|(pair, p)| {
            let Key {
                metric,
                removal,
                at,
                ..
            } = key(pair);
            ((metric, removal, *at), *p)
        });
        let adjusted = adjusted(families);
        columns.push(Column::number("p", tests));
        columns.push(Column::number("adjusted_p", adjusted));
        Table {
            name: "pairs",
            about: "The mean difference of a metric, method less other, each question against itself.",
            columns,
        }
    }
}

fn key_columns<'k>(keys: impl Iterator<Item = &'k Key> + Clone) -> [Column; 3] {
    [
        Column::text("metric", keys.clone().map(|key| key.metric.clone())),
        Column::text(
            "removal",
            keys.clone()
                .map(|key| key.removal.clone().unwrap_or_default()),
        ),
        Column::integers("at", keys.map(|key| key.at)),
    ]
}

/// The groupings of a comparison's questions.
fn groupings(questions: &[&Row]) -> Vec<Grouping> {
    let by = |name: &'static str, names: &[&str], of: &dyn Fn(&Row) -> String| {
        let group = |wanted: &str| -> (String, Vec<usize>) {
            let members = (0..questions.len()).filter(|&i| of(questions[i]) == wanted);
            (wanted.to_owned(), members.collect())
        };
        let mut groups: Vec<_> = names.iter().map(|name| group(name)).collect();
        groups.retain(|(_, questions)| !questions.is_empty());
        Grouping { name, groups }
    };
    let either =
        |yes: bool, [then, otherwise]: [&str; 2]| if yes { then } else { otherwise }.to_owned();
    let kinds = QuestionKind::ALL.map(QuestionKind::name);
    vec![
        by("all", &["all"], &|_| "all".to_owned()),
        by("question-type", &kinds, &|row| row.question_type.clone()),
        by("answered", &["answer", "no answer"], &|row| {
            either(row.answered, ["answer", "no answer"])
        }),
        by("answerable", &["yes", "no"], &|row| {
            either(row.answerable, ["yes", "no"])
        }),
        by("right", &["right", "wrong"], &|row| {
            either(row.exact, ["right", "wrong"])
        }),
    ]
}

/// The share of sign flips of the passages' sums that are at least as far from 0 as the sum is, the sum itself among them. What
/// is not a number is left out; 1 where nothing is left.
fn sign_flips(values: impl Iterator<Item = (usize, f64)>, seed: u64) -> f64 {
    let mut passages: BTreeMap<usize, f64> = BTreeMap::new();
    for (passage, value) in values.filter(|(_, value)| value.is_finite()) {
        *passages.entry(passage).or_default() += value;
    }
    let sums: Vec<f64> = passages.into_values().collect();
    // Rounding must not tell a sum from itself.
    let own = sums.iter().sum::<f64>().abs() * (1.0 - 1e-12);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut far = 1;
    for _ in 0..FLIPS {
        let mut flips = 0_u64;
        let mut sum = 0.0;
        for (i, value) in sums.iter().enumerate() {
            if i % 64 == 0 {
                flips = rng.random();
            }
            sum += if flips >> (i % 64) & 1 == 1 {
                *value
            } else {
                -value
            };
        }
        far += usize::from(sum.abs() >= own);
    }
    far as f64 / (FLIPS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of n equal differences only the two draws without a change of sign are as far off: 2/2ⁿ.
    #[test]
    fn a_paired_test_counts_sign_flips() {
        let p = |n: usize| sign_flips((0..n).map(|i| (i, 1.0)), 0);
        assert!((p(5) - 2.0 / 32.0).abs() < 0.01, "{}", p(5));
        assert!(p(40) < 2e-4);
        assert_eq!(sign_flips([(0, 1.0), (1, -1.0)].into_iter(), 0), 1.0);
        assert_eq!(sign_flips([(0, f64::NAN)].into_iter(), 0), 1.0);
        // Ten questions on one passage are one coin.
        assert_eq!(sign_flips((0..10).map(|_| (0, 1.0)), 0), 1.0);
    }

    fn row(id: usize, method: &str, metric: &str, other: Option<&str>, value: f64) -> Row {
        Row {
            id: format!("q{id}"),
            passage: id,
            question_type: if id.is_multiple_of(2) { "who" } else { "when" }.to_owned(),
            answered: true,
            answerable: true,
            exact: id == 0,
            method: method.to_owned(),
            metric: metric.to_owned(),
            other: other.map(str::to_owned),
            removal: None,
            at: None,
            value: Some(value),
        }
    }

    #[test]
    fn tables_have_the_means_in_the_order_of_the_methods() {
        let mut rows = Vec::new();
        for id in 0..30 {
            let level = id as f64;
            rows.push(row(id, "good", "deletion-area", None, level + 2.0));
            rows.push(row(id, "bad", "deletion-area", None, level));
            rows.push(row(id, "good", "pearson", Some("bad"), 0.5));
        }
        let summary = Summary::new(&rows, vec!["good".to_owned(), "bad".to_owned()]);
        assert_eq!(summary.questions(), 30);
        let json = |table: Table| table.json()["rows"].as_array().unwrap().clone();
        let faithfulness = json(summary.faithfulness(Bootstrap::default()));
        // all, two types, answered, answerable, right and wrong, of two methods each.
        assert_eq!(faithfulness.len(), 14);
        let all = &faithfulness[..2];
        assert_eq!(
            (all[0]["method"].as_str(), all[0]["mean"].as_f64()),
            (Some("good"), Some(16.5))
        );
        assert_eq!(
            (all[1]["method"].as_str(), all[1]["mean"].as_f64()),
            (Some("bad"), Some(14.5))
        );
        assert_eq!(all[0]["better"], "high");
        let pairs = json(summary.pairs(Bootstrap::default()));
        assert_eq!(pairs.len(), 1);
        assert_eq!(pairs[0]["mean"], 2.0);
        assert_eq!(
            (pairs[0]["low"].as_f64(), pairs[0]["high"].as_f64()),
            (Some(2.0), Some(2.0))
        );
        assert!(pairs[0]["p"].as_f64().unwrap() < 1e-3);
        let agreement = json(summary.agreement(Bootstrap::default()));
        assert_eq!(agreement.len(), 1);
        assert_eq!(
            (
                agreement[0]["other"].as_str(),
                agreement[0]["mean"].as_f64()
            ),
            (Some("bad"), Some(0.5))
        );
    }
}
