//! Shifts that were planted are found, and what is only noise is not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

mod common;

use common::record;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spanlift_study::StudyError;
use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::claims::{Claims, Outcome, Ruling, claims};
use spanlift_study::cluster::{Algorithm, Options, Verdict};
use spanlift_study::clusters::{Representation, tables};
use spanlift_study::groups::{groupings, leads, shares, shift, spread};
use spanlift_study::profile::{Measure, Profile};
use spanlift_study::roles::{Role, roles};
use spanlift_study::shuffles::Shuffles;
use spanlift_study::{Table, Values};

const LAYERS: usize = 6;

/// How much weight each role's tokens have at a cut, of 6 layers: the paper's story.
fn story(role: Role, cut: usize) -> f32 {
    let at = |weights: [f32; 6]| weights[cut];
    match role {
        Role::QuestionSep | Role::FinalSep => at([20.0, 10.0, 1.0, 0.5, 0.2, 0.1]),
        Role::Punctuation => at([3.0, 8.0, 9.0, 1.0, 0.3, 0.1]),
        Role::QuestionKeyword => at([12.0, 3.0, 0.5, 0.5, 4.0, 8.0]),
        Role::Match => at([0.5, 1.0, 8.0, 2.0, 1.0, 1.0]),
        Role::Sentence => at([0.5, 0.5, 1.0, 7.0, 2.0, 0.5]),
        Role::Answer => at([0.5, 0.5, 1.0, 2.0, 30.0, 60.0]),
        Role::Cls | Role::QuestionWord | Role::QuestionOther | Role::Passage => 0.5,
    }
}

fn noise(_: Role, _: usize) -> f32 {
    1.0
}

fn profiles(count: usize, seed: u64, weight: fn(Role, usize) -> f32) -> Vec<Profile> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let passage = "Goats sleep well. The old bridge of stone, red and blue, was sold in May 1904. Nobody came to see it then.";
    (0..count)
        .map(|i| {
            let answer = ["in May 1904", "red and blue", "old"][i % 3];
            let question = "When was the bridge sold?";
            let mut record = record(&format!("q{i}"), question, passage, answer, LAYERS, 2);
            let roles = roles(&record.explanation);
            for (cut, layer) in record
                .explanation
                .layers
                .iter_mut()
                .take(LAYERS)
                .enumerate()
            {
                let score = |role: &Role| {
                    let size = weight(*role, cut) * (0.2 + rng.random::<f32>());
                    // A third of the scores speak against the target.
                    if rng.next_u32() % 3 == 0 { -size } else { size }
                };
                layer.score = roles.iter().map(score).collect();
            }
            Profile::of(&record, i / 2)
        })
        .collect()
}

fn ruling(claims: &Claims, claim: char) -> Ruling {
    claims
        .verdicts
        .iter()
        .find(|v| v.claim == claim)
        .unwrap()
        .ruling
}

#[test]
fn the_papers_story_is_found_where_it_was_planted() {
    let story = profiles(150, 1, story);
    let noise = profiles(150, 2, noise);
    let found = claims(&story, Some(&noise), Some(&noise), Bootstrap::default()).unwrap();
    for verdict in &found.verdicts {
        assert_eq!(verdict.ruling, Ruling::Holds, "{verdict:?}");
    }
    assert_eq!(found.findings.len(), 22);
}

/// A control over a few passages has no interval: that is said, and not that the claim fails against it.
#[test]
fn a_control_of_few_passages_decides_nothing() {
    let story = profiles(150, 1, story);
    let mut few = profiles(150, 2, noise);
    // Where one run explains an answer and the other none, the two are not held against each other.
    let others = few.iter_mut().skip(8);
    others.for_each(|profile| profile.facts.answered = !profile.facts.answered);
    let found = claims(&story, Some(&few), None, Bootstrap::default()).unwrap();
    for verdict in &found.verdicts {
        assert_ne!(verdict.ruling, Ruling::Holds, "{verdict:?}");
        assert!(
            verdict
                .why
                .contains("has too few passages in common with a control"),
            "{verdict:?}"
        );
        assert!(!verdict.why.contains("no larger"), "{verdict:?}");
    }
}

#[test]
fn noise_supports_no_claim() {
    let found = claims(&profiles(150, 3, noise), None, None, Bootstrap::default()).unwrap();
    for claim in ['a', 'b', 'c', 'd'] {
        assert_ne!(ruling(&found, claim), Ruling::Holds, "{claim}");
    }
    // Of 22 intervals of 95 per cent one is expected to miss 0.
    let sure = found
        .findings
        .iter()
        .filter(|f| f.outcome() != Outcome::Unclear)
        .count();
    assert!(sure <= 4, "{sure}");
}

#[test]
fn without_both_controls_nothing_holds() {
    let story = profiles(150, 1, story);
    let noise = profiles(150, 2, noise);
    for (spans, weights, expected) in [
        (
            None,
            None,
            "not held against random spans and re-initialised weights",
        ),
        (
            Some(&noise[..]),
            None,
            "not held against re-initialised weights",
        ),
        (None, Some(&noise[..]), "not held against random spans"),
    ] {
        let found = claims(&story, spans, weights, Bootstrap::default()).unwrap();
        for verdict in &found.verdicts {
            assert_eq!(verdict.ruling, Ruling::NotControlled, "{verdict:?}");
            assert!(verdict.why.ends_with(expected), "{}", verdict.why);
        }
    }
}

#[test]
fn few_passages_or_no_answer_test_nothing() {
    // Two questions a passage.
    let few = profiles(18, 1, story);
    let found = claims(&few, None, None, Bootstrap::default()).unwrap();
    for verdict in &found.verdicts {
        assert_eq!(verdict.ruling, Ruling::NotTestable, "{verdict:?}");
        assert_eq!(verdict.why, "an interval needs 10 passages, there are 9");
    }
    // Claims c and d speak of an answer; no run has one here.
    let mut unanswered = profiles(150, 1, story);
    for profile in &mut unanswered {
        profile.tokens[Role::Answer.index()] = 0.0;
        for cut in &mut profile.cuts {
            for shares in cut.shares.iter_mut().flatten() {
                shares[Role::Answer.index()] = 0.0;
            }
        }
    }
    let found = claims(&unanswered, None, None, Bootstrap::default()).unwrap();
    assert_eq!(ruling(&found, 'a'), Ruling::NotControlled);
    for claim in ['c', 'd'] {
        assert_eq!(ruling(&found, claim), Ruling::NotTestable);
    }
}

/// A random span is no control of a question whose target is no answer.
#[test]
fn a_control_counts_where_both_explain_an_answer() {
    let mut run = profiles(150, 1, story);
    for profile in run.iter_mut().take(30) {
        profile.facts.answered = false;
    }
    let mut spans = profiles(150, 2, noise);
    for profile in &mut spans {
        profile.facts.answered = true;
    }
    let found = claims(&run, Some(&spans), None, Bootstrap::default()).unwrap();
    for finding in &found.findings {
        assert_eq!(finding.mean.questions, 150, "{}", finding.statistic);
        assert_eq!(
            finding.spans.unwrap().questions,
            120,
            "{}",
            finding.statistic
        );
    }
    let table = found.table();
    assert!(
        matches!(table.column("spans_questions"), Some(Values::Integer(n)) if n[0] == Some(120))
    );
}

#[test]
fn what_the_controls_show_too_does_not_hold() {
    let story = profiles(150, 1, story);
    let noise = profiles(150, 2, noise);
    let found = claims(&story, Some(&story), Some(&noise), Bootstrap::default()).unwrap();
    for verdict in &found.verdicts {
        assert_eq!(verdict.ruling, Ruling::Mixed);
        assert!(
            verdict.why.contains("no larger than for random spans"),
            "{}",
            verdict.why
        );
    }
}

/// The story told backwards.
#[test]
fn the_opposite_does_not() {
    fn backwards(role: Role, cut: usize) -> f32 {
        match role {
            Role::QuestionSep | Role::FinalSep | Role::Punctuation => {
                [0.01, 0.01, 0.01, 0.01, 1.0, 5.0][cut]
            }
            Role::QuestionKeyword => [0.1, 0.1, 9.0, 9.0, 0.1, 0.1][cut],
            Role::Answer => [9.0, 9.0, 1.0, 1.0, 0.01, 0.01][cut],
            other => story(other, 5 - cut),
        }
    }
    let found = claims(
        &profiles(150, 4, backwards),
        None,
        None,
        Bootstrap::default(),
    )
    .unwrap();
    for claim in ['b', 'c', 'd'] {
        assert_eq!(
            ruling(&found, claim),
            Ruling::DoesNot,
            "{claim}: {:?}",
            found.verdicts
        );
    }
    let early = found
        .findings
        .iter()
        .find(|f| f.statistic == "separators-early")
        .unwrap();
    assert_eq!(early.outcome(), Outcome::No);
}

#[test]
fn a_control_of_other_questions_is_refused() {
    let run = profiles(4, 1, story);
    let error = claims(&run, Some(&run[1..]), None, Bootstrap::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run with random spans does not match: it lacks question `q0`"
    );
    let mut other = run.clone();
    other[2].attention.pop();
    let error = claims(&run, None, Some(&other), Bootstrap::default()).unwrap_err();
    let expected = "the run with re-initialised weights does not match: expected 6 layers, got 5";
    assert_eq!(error.to_string(), expected);
    let mut shallow = run;
    for profile in &mut shallow {
        profile.attention.truncate(2);
    }
    let error = claims(&shallow, None, None, Bootstrap::default()).unwrap_err();
    assert!(
        matches!(error, StudyError::FewLayers { layers: 2 }),
        "{error}"
    );
}

fn texts<'a>(table: &'a Table, column: &str) -> Vec<&'a str> {
    match table.column(column) {
        Some(Values::Text(values)) => values.iter().map(|v| v.as_deref().unwrap()).collect(),
        other => panic!("{other:?}"),
    }
}

fn mean_where(table: &Table, wanted: &[(&str, &str)]) -> f64 {
    table.number("mean", table.find(wanted)[0])
}

#[test]
fn tables_have_the_means_of_their_groups() {
    let profiles = profiles(60, 1, story);
    let facts: Vec<_> = profiles.iter().map(|profile| &profile.facts).collect();
    let groupings = groupings(&facts);
    let names: Vec<_> = groupings.iter().map(|g| g.name).collect();
    let expected = [
        "all",
        "question-type",
        "answered",
        "answerable",
        "right",
        "answer-right",
        "article",
        "length",
        "digits",
        "names",
        "overlap",
        "place",
    ];
    assert_eq!(names, expected);
    let place = groupings.last().unwrap();
    assert_eq!(
        place
            .groups
            .iter()
            .map(|(_, questions)| questions.len())
            .collect::<Vec<_>>(),
        [20, 20, 20]
    );

    let bootstrap = Bootstrap {
        resamples: 50,
        seed: 0,
    };
    let table = shares(&profiles, &groupings, bootstrap);
    let wanted = [
        ("grouping", "all"),
        ("source", "deeplift"),
        ("measure", "positive"),
        ("cut", "6"),
        ("role", "answer"),
    ];
    let expected: f64 = profiles
        .iter()
        .map(|p| p.cuts[5].share(Measure::Positive, Role::Answer).unwrap())
        .sum();
    assert!((mean_where(&table, &wanted) - expected / 60.0).abs() < 1e-9);
    let wanted = [
        ("group", place.groups[0].0.as_str()),
        ("source", "deeplift"),
        ("measure", "negative"),
        ("cut", "2"),
        ("role", "match"),
    ];
    let of_group = place.groups[0].1.iter().map(|&i| {
        profiles[i].cuts[1]
            .share(Measure::Negative, Role::Match)
            .unwrap()
    });
    assert!((mean_where(&table, &wanted) - of_group.sum::<f64>() / 20.0).abs() < 1e-9);
    // The shares of a cut make one, in the mean too.
    let Some(Values::Number(means)) = table.column("mean") else {
        panic!()
    };
    let sum: f64 = means[..11].iter().flatten().sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");

    for (table, columns) in [
        (
            spread(&profiles, &groupings, bootstrap),
            vec!["source", "cut"],
        ),
        (
            shift(&profiles, &groupings, bootstrap),
            vec!["source", "from", "to"],
        ),
        (
            leads(&profiles, &groupings, bootstrap),
            vec!["source", "cut"],
        ),
    ] {
        assert!(table.rows() > 0, "{}", table.name);
        for column in columns {
            assert_eq!(texts(&table, column).len(), table.rows(), "{}", table.name);
        }
    }
    let leads = leads(&profiles, &groupings, bootstrap);
    let sum: f64 = ["1", "2", "3", "4", "5", "6", "output", "never"]
        .iter()
        .map(|cut| {
            mean_where(
                &leads,
                &[("grouping", "all"), ("source", "deeplift"), ("cut", cut)],
            )
        })
        .sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}

/// Two kinds of questions, told apart by where their early scores lie, in a run of 120: found, described, and typical of each.
#[test]
fn planted_kinds_of_questions_are_clustered() {
    fn separators(role: Role, cut: usize) -> f32 {
        let own = matches!(role, Role::QuestionSep | Role::FinalSep | Role::Punctuation);
        if own && cut < 4 { 40.0 } else { 1.0 }
    }
    fn keywords(role: Role, cut: usize) -> f32 {
        if role == Role::QuestionKeyword && cut < 4 {
            60.0
        } else {
            1.0
        }
    }
    let mut profiles = profiles(60, 5, separators);
    let mut others = self::profiles(60, 6, keywords);
    for other in &mut others {
        other.facts.id.push_str("-b");
        other.facts.right = false;
    }
    profiles.append(&mut others);
    let represented = Representation::Profile
        .of(&profiles, &Shuffles::new(0), 0)
        .unwrap();
    let clustered = represented
        .cluster(&Options::new(Algorithm::KMeans))
        .unwrap();
    assert_eq!(
        (clustered.found.k, clustered.found.verdict),
        (2, Verdict::Structure)
    );
    let labels = clustered.of_questions(120);
    assert!(labels[..60].iter().all(|label| *label == labels[0]));
    assert!(labels[60..].iter().all(|label| *label == labels[60]));
    assert_ne!(labels[0], labels[60]);

    let facts: Vec<_> = profiles.iter().map(|profile| &profile.facts).collect();
    let bootstrap = Bootstrap {
        resamples: 50,
        seed: 0,
    };
    let tables = tables(&profiles, &groupings(&facts), &[clustered], bootstrap);
    let table = |name: &str| tables.iter().find(|table| table.name == name).unwrap();
    let features = table("features");
    for first in [0, 10] {
        let feature = texts(features, "feature")[first];
        assert!(
            feature.contains("punctuation") || feature.contains("keyword"),
            "{feature}"
        );
    }
    // One kind is right, the other wrong: twice as often as in all.
    let lifts = table("lifts");
    let of_right = lifts.find(&[("grouping", "right"), ("group", "right")]);
    let of_right: Vec<f64> = of_right
        .into_iter()
        .map(|row| lifts.number("lift", row))
        .collect();
    assert_eq!(of_right.len(), 2);
    assert!(
        of_right.contains(&2.0) && of_right.contains(&0.0),
        "{of_right:?}"
    );
    assert_eq!(table("medoids").rows(), 10);
    assert_eq!(table("clusters").rows(), 2);
}
