//! What a run is, before anything is computed: its questions, model, options and chunks.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use spanlift::ops::Real;
use spanlift::{AnswerChoice, Explainer, Options};
use spanlift_explanation::{Method, ModelInfo, TargetKind};
use spanlift_squad::Question;

use crate::{Cpu, GivenAnswers};

/// Which questions of a data set a run is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The first so many.
    pub limit: Option<usize>,
    /// So many drawn at random.
    pub sample: Option<usize>,
    /// What they are drawn by.
    pub seed: u64,
}

impl Selection {
    /// The questions, in the order of the file. Drawn are those with the smallest SHA-256 of seed and id: whatever the
    /// order of the file, and a larger sample holds every smaller one of its seed.
    #[must_use]
    pub fn of(&self, mut questions: Vec<Question>) -> Vec<Question> {
        if let Some(sample) = self.sample.filter(|&sample| sample < questions.len()) {
            let lot = |question: &Question| -> [u8; 32] {
                let seed = self.seed.to_le_bytes();
                Sha256::new_with_prefix(seed)
                    .chain_update(&question.id)
                    .finalize()
                    .into()
            };
            let mut lots: Vec<_> = questions.iter().map(lot).collect();
            let drawn = lots.clone();
            lots.sort_unstable();
            let last = lots.get(sample.saturating_sub(1)).copied();
            let mut drawn = drawn.into_iter();
            questions.retain(|_| sample > 0 && drawn.next() <= last);
        }
        questions.truncate(self.limit.unwrap_or(usize::MAX));
        questions
    }
}

/// What a run keeps beside an explanation's own numbers, or leaves out of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// So many of the strongest edges of each head.
    pub edges: Option<usize>,
    /// The heads' scores by token, (L, A, S): most of the bytes. An [`Explanation`](spanlift_explanation::Explanation) needs them.
    pub head_tokens: bool,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            edges: None,
            head_tokens: true,
        }
    }
}

/// What a run asks of the engine, and what it keeps of that.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// How each question is answered and explained.
    pub options: &'a Options,
    /// The answers to explain, in place of the one that `options` say.
    pub given: Option<&'a GivenAnswers>,
    /// What is kept.
    pub keep: Keep,
}

impl Asked<'_> {
    /// Which answers are explained, in one word.
    fn answers(self) -> String {
        match (self.given, &self.options.answer) {
            (Some(given), _) => format!("run:{}", given.run),
            (None, AnswerChoice::Own) => "own".to_owned(),
            (None, AnswerChoice::Random(seed)) => format!("random:{seed}"),
            (None, AnswerChoice::Text(text)) => format!("text:{text}"),
            (None, AnswerChoice::Place(place)) => format!("{place:?}"),
        }
    }
}

/// The questions of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// The file's name.
    pub name: String,
    /// SHA-256 of the run's questions, whatever the file's layout: ids, titles, texts and gold answers.
    pub sha256: String,
    /// How many questions the run is about.
    pub questions: usize,
    /// Of how many in the file.
    pub of: usize,
    /// Bad records of the file, passed over.
    pub bad_records: usize,
}

impl Data {
    /// Of these questions, selected from so many.
    #[must_use]
    pub fn new(name: &str, questions: &[Question], of: usize, bad_records: usize) -> Self {
        let mut hash = Sha256::new();
        let mut text = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        for question in questions {
            for of in [
                &*question.id,
                &question.title,
                &question.question,
                &question.context,
            ] {
                text(of);
            }
            text(if question.is_impossible {
                "impossible"
            } else {
                ""
            });
            text(&question.answers.len().to_string());
            for gold in &question.answers {
                text(&gold.text);
                text(&gold.start.to_string());
            }
        }
        Self {
            name: name.to_owned(),
            sha256: hex(hash),
            questions: questions.len(),
            of,
            bad_records,
        }
    }
}

/// The model of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelPlan {
    /// SHA-256 of its files.
    pub sha256: String,
    /// Which of its weights are drawn anew in place of the files', and by what seed.
    pub randomised: Option<String>,
    /// As explanations name it.
    pub info: ModelInfo,
}

/// How a run answers and explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodPlan {
    /// As explanations name it.
    pub info: Method,
    /// Which answers are explained: `own`, `random:SEED`, or `run:` with what the run is told by that has them.
    pub answers: String,
    /// What is explained.
    pub target: TargetKind,
    /// `f32` or `f64`.
    pub precision: String,
    /// The threshold for no answer.
    pub null_threshold: f64,
    /// The longest window.
    pub max_tokens: usize,
    /// Passage tokens from one window to the next.
    pub stride: usize,
    /// How many of the best spans are kept.
    pub n_best: usize,
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this program.
    pub spanlift: String,
    /// Its questions.
    pub data: Data,
    /// How they were chosen.
    pub selection: Selection,
    /// Its model.
    pub model: ModelPlan,
    /// Its options.
    pub method: MethodPlan,
    /// What is kept.
    pub keep: Keep,
    /// Questions of a chunk; the last may have less.
    pub chunk_size: usize,
    /// How many chunks there are.
    pub chunks: usize,
    /// The kind of CPU on which it was planned.
    pub cpu: Cpu,
}

impl Plan {
    /// Questions of a chunk, where nothing else was asked for.
    pub const CHUNK: usize = 256;

    /// The largest chunk: a part is held in memory.
    pub const MAX_CHUNK: usize = 1024;

    /// Of what is about to be run. `model_sha256` is that of the model's files.
    #[must_use]
    pub fn new<T: Real>(
        data: Data,
        selection: Selection,
        explainer: &Explainer<T>,
        model_sha256: String,
        asked: Asked<'_>,
        chunk_size: usize,
    ) -> Self {
        let Asked { options, keep, .. } = asked;
        let randomised = &explainer.checkpoint().randomised;
        let chunk_size = chunk_size.clamp(1, Self::MAX_CHUNK);
        let answering = options.answering;
        Self {
            spanlift: env!("CARGO_PKG_VERSION").to_owned(),
            chunks: data.questions.div_ceil(chunk_size),
            data,
            selection,
            model: ModelPlan {
                sha256: model_sha256,
                randomised: randomised.as_ref().map(ToString::to_string),
                info: explainer.model_info(),
            },
            method: MethodPlan {
                info: options.method(),
                answers: asked.answers(),
                target: options.target,
                precision: T::NAME.to_owned(),
                null_threshold: answering.null_threshold,
                max_tokens: answering.max_tokens,
                stride: answering.stride,
                n_best: answering.n_best,
            },
            keep,
            chunk_size,
            cpu: Cpu::here(),
        }
    }

    /// The places of a chunk's questions among those of the run.
    #[must_use]
    pub fn questions(&self, chunk: usize) -> Range<usize> {
        let all = self.data.questions;
        let start = chunk.saturating_mul(self.chunk_size).min(all);
        start..start.saturating_add(self.chunk_size).min(all)
    }

    /// All that makes a run another one, in one word. Questions and model are told by their contents: what files and model are
    /// called, what else is in the file and the kind of CPU decide nothing. Of the same, [`Self::differences`] speaks.
    pub(crate) fn key(&self) -> String {
        let Self {
            spanlift,
            data,
            selection,
            model,
            method,
            keep,
            chunk_size,
            chunks: _,
            cpu: _,
        } = self;
        let seed = selection.sample.map(|_| selection.seed);
        let all = (
            spanlift,
            &data.sha256,
            (selection.limit, selection.sample, seed),
            (&model.sha256, &model.randomised),
            method,
            keep,
            chunk_size,
        );
        // Numbers and texts under fixed names, which JSON takes.
        let text = serde_json::to_vec(&all).unwrap_or_default();
        hex(Sha256::new_with_prefix(text))
    }

    /// What makes another run of it: `field: it has …, asked for …`.
    pub(crate) fn differences(&self, asked: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |field: &str, own: String, other: String| {
            if own != other {
                found.push(format!("{field}: it has {own}, asked for {other}"));
            }
        };
        let all = |plan: &Self| {
            let Selection {
                limit,
                sample,
                seed,
            } = plan.selection;
            let none_or = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            let number = |n: Option<usize>| none_or(n.map(|n| n.to_string()));
            let data = format!(
                "{} questions of `{}` (SHA-256 {}…)",
                plan.data.questions,
                plan.data.name,
                short(&plan.data.sha256)
            );
            let model = format!(
                "`{}` (SHA-256 {}…)",
                plan.model.info.name,
                short(&plan.model.sha256)
            );
            let MethodPlan {
                info,
                answers,
                target,
                precision,
                null_threshold,
                max_tokens,
                stride,
                n_best,
            } = &plan.method;
            let target = serde_json::to_string(target).unwrap_or_default();
            [
                ("program version", plan.spanlift.clone()),
                ("--limit", number(limit)),
                ("--sample", number(sample)),
                (
                    "--seed",
                    if sample.is_some() {
                        seed.to_string()
                    } else {
                        "none".to_owned()
                    },
                ),
                ("data", data),
                ("model", model),
                ("--randomise", none_or(plan.model.randomised.clone())),
                ("method", info.name.clone()),
                ("--rule", info.rule.clone()),
                ("rules", format!("{:?}", info.rules)),
                ("settings", format!("{:?}", info.settings)),
                ("complete", info.complete.to_string()),
                ("scope", format!("{:?}", info.scope)),
                ("--reference", info.reference.clone()),
                ("references", info.references.to_string()),
                ("--answers", answers.clone()),
                ("--target", target.trim_matches('"').to_owned()),
                ("--precision", precision.clone()),
                ("--null-threshold", null_threshold.to_string()),
                ("--max-tokens", max_tokens.to_string()),
                ("--stride", stride.to_string()),
                ("n best", n_best.to_string()),
                ("--keep edges", number(plan.keep.edges)),
                ("--no-head-tokens", (!plan.keep.head_tokens).to_string()),
                ("--chunk-size", plan.chunk_size.to_string()),
            ]
        };
        let same_data = self.data.sha256 == asked.data.sha256;
        let same_model = self.model.sha256 == asked.model.sha256;
        for ((field, own), (_, other)) in all(self).into_iter().zip(all(asked)) {
            // Told by their contents, whatever they are called.
            let same = match field {
                "data" => same_data,
                "model" => same_model,
                // Another rule says it already.
                "rules" => self.method.info.rule != asked.method.info.rule,
                _ => false,
            };
            if !same {
                compare(field, own, other);
            }
        }
        found
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

pub(crate) fn hex(hash: Sha256) -> String {
    let hash = hash.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(n: usize) -> Vec<Question> {
        let question = |n| Question {
            id: format!("q{n}"),
            title: "Mills".into(),
            question: "Who?".to_owned(),
            context: "A mill.".into(),
            answers: Vec::new(),
            is_impossible: true,
        };
        (0..n).map(question).collect()
    }

    fn drawn(sample: usize, seed: u64, from: Vec<Question>) -> Vec<String> {
        let selection = Selection {
            sample: Some(sample),
            seed,
            limit: None,
        };
        selection.of(from).into_iter().map(|q| q.id).collect()
    }

    #[test]
    fn a_sample_is_in_file_order_grows_and_depends_on_its_seed_alone() {
        let ten = drawn(10, 7, questions(100));
        let places: Vec<usize> = ten.iter().map(|id| id[1..].parse().unwrap()).collect();
        assert!(places.len() == 10 && places.is_sorted(), "{places:?}");
        let more = drawn(30, 7, questions(100));
        assert!(more.len() == 30 && ten.iter().all(|id| more.contains(id)));
        assert_ne!(drawn(10, 8, questions(100)), ten);
        // The order of the file decides nothing but the order of the sample.
        let mut turned = questions(100);
        turned.reverse();
        let mut again = drawn(10, 7, turned);
        again.reverse();
        assert_eq!(again, ten);
        assert_eq!(drawn(100, 7, questions(100)).len(), 100);
        assert_eq!(drawn(500, 7, questions(100)).len(), 100);
        assert_eq!(drawn(0, 7, questions(100)).len(), 0);
    }

    fn plan() -> Plan {
        let method = serde_json::json!({
            "info": {
                "name": "deeplift", "rule": "rescale", "reference": "mask", "references": 1,
                "rules": {"softmax": "log-mean"},
            },
            "answers": "own", "target": "span", "precision": "f32", "null_threshold": 0.0, "max_tokens": 384, "stride": 128, "n_best": 20,
        });
        let selection = Selection {
            limit: Some(3),
            ..Selection::default()
        };
        Plan {
            spanlift: "1".to_owned(),
            data: Data::new("x", &questions(3), 9, 0),
            selection,
            model: ModelPlan {
                sha256: "0123456789abcdef".to_owned(),
                randomised: None,
                info: serde_json::from_value(serde_json::json!({
                    "name": "m", "family": "bert", "layers": 1, "heads": 1, "hidden": 4,
                }))
                .unwrap(),
            },
            method: serde_json::from_value(method).unwrap(),
            keep: Keep::default(),
            chunk_size: 2,
            chunks: 2,
            cpu: Cpu::here(),
        }
    }

    /// The plan with each of its values in turn changed, and where.
    fn changed(plan: &Plan) -> Vec<(String, Plan)> {
        fn paths(value: &serde_json::Value, path: &str, into: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(fields) => {
                    for (name, value) in fields {
                        paths(value, &format!("{path}/{name}"), into);
                    }
                }
                _ => into.push(path.to_owned()),
            }
        }
        let json = serde_json::to_value(plan).unwrap();
        let mut all = Vec::new();
        paths(&json, "", &mut all);
        let change = |path: String| {
            let mut json = json.clone();
            let value = json.pointer_mut(&path).unwrap();
            *value = match &*value {
                serde_json::Value::Null if path == "/model/randomised" => "all, seed 1".into(),
                serde_json::Value::Null => 1.into(),
                serde_json::Value::Bool(it) => (!it).into(),
                serde_json::Value::Number(it) => (it.as_f64().unwrap() as u64 + 1).into(),
                serde_json::Value::String(it) if it == "span" => "margin".into(),
                serde_json::Value::String(it) if it == "all" => "words".into(),
                serde_json::Value::String(it) => format!("x{it}").into(),
                serde_json::Value::Array(_) => serde_json::json!([]),
                serde_json::Value::Object(_) => unreachable!(),
            };
            (path, serde_json::from_value(json).unwrap())
        };
        all.into_iter().map(change).collect()
    }

    #[test]
    fn another_run_is_one_that_differs_in_something_that_is_named() {
        let plan = plan();
        let (mut other, mut same) = (Vec::new(), Vec::new());
        for (path, asked) in changed(&plan) {
            let differences = plan.differences(&asked);
            let another = plan.key() != asked.key();
            assert_eq!(another, !differences.is_empty(), "{path}: {differences:?}");
            if another { &mut other } else { &mut same }.push(path);
        }
        let expected = [
            "/chunks",
            "/cpu/features",
            "/cpu/model",
            "/data/bad_records",
            "/data/name",
            "/data/of",
            "/data/questions",
            "/model/info/family",
            "/model/info/heads",
            "/model/info/hidden",
            "/model/info/layers",
            "/model/info/name",
            "/selection/seed",
        ];
        same.sort();
        assert_eq!(same, expected);
        assert_eq!(other.len(), 23, "{other:?}");
    }

    #[test]
    fn another_selection_and_another_rule_are_named_in_short() {
        let plan = plan();
        let mut asked = plan.clone();
        asked.selection.limit = Some(2);
        asked.data = Data::new("x", &questions(2), 9, 0);
        let differences = plan.differences(&asked);
        assert_eq!(differences.len(), 2, "{differences:?}");
        assert_eq!(differences[0], "--limit: it has 3, asked for 2");
        assert!(differences[1].starts_with("data: it has 3 questions of `x`"));
        asked = plan.clone();
        asked.method.info.rule = "reveal-cancel".to_owned();
        let rules = &mut asked.method.info.rules;
        rules.insert("activation".into(), "reveal-cancel".into());
        let expected = "--rule: it has rescale, asked for reveal-cancel";
        assert_eq!(plan.differences(&asked), [expected]);
    }

    #[test]
    fn data_are_told_by_every_field_of_their_questions() {
        let hash = |questions: &[Question]| Data::new("x", questions, 9, 0).sha256;
        let all = questions(3);
        let mut seen = vec![hash(&all), hash(&all[1..]), hash(&[])];
        let gold = |text: &str, start| spanlift_squad::GoldAnswer {
            text: text.to_owned(),
            start,
        };
        let changes: [fn(&mut Question); 5] = [
            |q| q.id.push('x'),
            |q| q.title = "Other".into(),
            |q| q.question.push('x'),
            |q| q.context = "A mill. x".into(),
            |q| q.is_impossible = false,
        ];
        for change in changes {
            let mut changed = all.clone();
            change(&mut changed[1]);
            seen.push(hash(&changed));
        }
        for answers in [
            vec![gold("A", 0)],
            vec![gold("A", 1)],
            vec![gold("A", 0), gold("A", 0)],
        ] {
            let mut changed = all.clone();
            changed[1].answers = answers;
            seen.push(hash(&changed));
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert_eq!(Data::new("y", &all, 5, 1).sha256, hash(&all));
    }
}
