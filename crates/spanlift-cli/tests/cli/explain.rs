//! `explain`: every choice, and what must hold between the results of different choices.

use spanlift_explanation::{Candidate, Explanation, Part, TargetKind, Token};

use crate::desk::{Desk, PASSAGE, QUESTION, squad};

/// Relative to 1, more than `f32` loses on a tiny model, and a tenth of the bound.
const CLOSE: f64 = 1e-5;

fn close(got: f64, want: f64, what: &str) {
    let scale = want.abs().max(1.0);
    assert!(
        (got - want).abs() <= CLOSE * scale,
        "{what}: {got} is not {want}"
    );
}

fn sum(numbers: &[f32]) -> f64 {
    numbers.iter().copied().map(f64::from).sum()
}

/// What the JSON promises, recomputed from its arrays.
pub(crate) fn adds_up(explanation: &Explanation) {
    let delta = explanation.target.delta;
    let target = &explanation.target;
    close(delta, target.value - target.reference_value, "delta");
    assert_eq!(explanation.layers.len(), explanation.model.layers + 1);
    close(sum(&explanation.word_score), delta, "words");
    for layer in &explanation.layers {
        let name = &layer.name;
        close(sum(&layer.score), delta, name);
        close(layer.sum, sum(&layer.score), name);
        close(layer.error, layer.sum - delta, name);
        close(sum(&layer.positive) + sum(&layer.negative), delta, name);
        assert!(layer.positive.iter().all(|&x| x >= 0.0), "{name}");
        assert!(layer.negative.iter().all(|&x| x <= 0.0), "{name}");
    }
    let heads = &explanation.heads;
    for (l, by_token) in heads.by_token.iter().enumerate() {
        close(sum(&heads.score[l]) + heads.residual[l], delta, "heads");
        for (head, by_token) in by_token.iter().enumerate() {
            close(sum(by_token), f64::from(heads.score[l][head]), "by_token");
        }
        close(
            explanation.mlp[l] + explanation.mlp_residual[l],
            delta,
            "mlp",
        );
    }
    assert!(explanation.completeness.holds);
}

fn same_scores(got: &Explanation, want: &Explanation) {
    close(got.target.delta, want.target.delta, "delta");
    for (got, want) in got.word_score.iter().zip(&want.word_score) {
        close(f64::from(*got), f64::from(*want), "word score");
    }
}

fn slice(text: &str, start: usize, end: usize) -> String {
    text.chars().skip(start).take(end - start).collect()
}

#[test]
fn the_json_holds_the_run_and_its_sums_add_up() {
    for model in ["two-layers", "four-layers", "sharp"] {
        let desk = Desk::new();
        desk.add_model(model, model);
        let found = desk.explanation_of(model, &[]);
        assert_eq!(found.model.name, model);
        assert_eq!(
            (found.question.as_str(), found.passage.as_str()),
            (QUESTION, PASSAGE)
        );
        assert_eq!(found.method.reference, "mask");
        assert_eq!(found.method.rule, "rescale");
        let window = &found.window;
        assert_eq!((window.index, window.count, window.start), (0, 1, 0));
        assert_eq!(window.end, PASSAGE.chars().count());
        adds_up(&found);
    }
}

#[test]
fn every_token_stands_where_its_characters_say() {
    let found = Desk::new().explanation(&[]);
    let parts: Vec<Part> = found.tokens.iter().map(|token| token.part).collect();
    // [CLS] when was the tower opened ? [SEP]
    assert_eq!(parts[0], Part::Special);
    assert_eq!(parts[1..7], [Part::Question; 6]);
    assert_eq!(parts[7], Part::Special);
    for token in &found.tokens {
        let (Some(start), Some(end)) = (token.start, token.end) else {
            assert_eq!(token.part, Part::Special);
            continue;
        };
        let text = match token.part {
            Part::Question => QUESTION,
            _ => PASSAGE,
        };
        let stands = slice(text, start, end).to_lowercase();
        let whole = token.text.trim_start_matches("##");
        assert!(
            whole == stands || whole == "[UNK]",
            "{token:?} at {stands:?}"
        );
    }
    let years: Vec<_> = found.tokens.iter().filter(|t| t.text == "1901").collect();
    let at = PASSAGE
        .find("1901")
        .map(|byte| PASSAGE[..byte].chars().count());
    assert_eq!(years[0].start, at);
}

#[test]
fn span_is_start_and_end_and_margin_is_versus_no_answer() {
    let desk = Desk::new();
    // Always an answer, so that each target is about the same span.
    let explain = |more: &[&str]| {
        let found = desk.explanation(&[&["--null-threshold", "1000"], more].concat());
        adds_up(&found);
        found
    };
    let [span, start, end, margin] =
        ["span", "start", "end", "margin"].map(|target| explain(&["--target", target]));
    let kinds = [&span, &start, &end, &margin].map(|found| found.target.kind);
    let expected = [
        TargetKind::Span,
        TargetKind::Start,
        TargetKind::End,
        TargetKind::Margin,
    ];
    assert_eq!(kinds, expected);

    close(span.target.value, span.answer.score, "span");
    close(
        start.target.value + end.target.value,
        span.target.value,
        "value",
    );
    // Everything after the logits is linear in the target.
    for (token, span) in span.word_score.iter().enumerate() {
        let parts = start.word_score[token] + end.word_score[token];
        close(f64::from(parts), f64::from(*span), "word score");
    }
    close(
        margin.target.value,
        span.answer.score - span.answer.null_score,
        "margin",
    );
    let versus_none = explain(&["--versus", ""]);
    assert_eq!(versus_none.target.kind, TargetKind::Versus);
    close(
        versus_none.target.value,
        margin.target.value,
        "versus no answer",
    );
    same_scores(&versus_none, &margin);
}

#[test]
fn versus_subtracts_the_other_span() {
    let desk = Desk::new();
    let other = desk.explanation(&["--answer", "1877"]);
    let own = desk.explanation(&["--answer", "1893"]);
    let versus = desk.explanation(&["--answer", "1893", "--versus", "1877"]);
    adds_up(&versus);
    assert_eq!(
        versus.target.versus.as_ref().map(|v| v.text.as_str()),
        Some("1877")
    );
    close(
        versus.target.value,
        own.target.value - other.target.value,
        "versus",
    );
    for (token, versus) in versus.word_score.iter().enumerate() {
        let difference = own.word_score[token] - other.word_score[token];
        close(f64::from(*versus), f64::from(difference), "word score");
    }
}

#[test]
fn a_given_answer_is_explained_in_place_of_the_models_own() {
    let desk = Desk::new();
    let given = desk.explanation(&["--answer", "spring 1893"]);
    assert_eq!(given.answer.text, "spring 1893");
    let at = PASSAGE
        .find("spring")
        .map(|byte| PASSAGE[..byte].chars().count());
    assert_eq!(given.answer.start, at);
    assert_eq!(given.tokens[given.target.start_token].text, "spring");
    assert_eq!(given.tokens[given.target.end_token].text, "1893");
    adds_up(&given);

    let none = desk.explanation(&["--answer", ""]);
    assert!(!none.answer.has_answer);
    assert_eq!((none.target.start_token, none.target.end_token), (0, 0));
    close(none.target.value, none.answer.null_score, "null score");
    adds_up(&none);
}

#[test]
fn the_threshold_decides_whether_there_is_an_answer() {
    let desk = Desk::new();
    let margin = |found: &Explanation| found.answer.null_score - found.answer.score;
    let some = desk.explanation(&["--null-threshold", "1000"]);
    assert!(some.answer.has_answer);
    let just_under = (margin(&some) - 1e-3).to_string();
    let just_over = (margin(&some) + 1e-3).to_string();
    let none = desk.explanation(&["--null-threshold", &just_under]);
    assert!(!none.answer.has_answer);
    assert_eq!(
        (
            none.answer.text.as_str(),
            none.answer.start,
            none.answer.end
        ),
        ("", None, None)
    );
    assert_eq!(
        none.answer.score, some.answer.score,
        "the best span's, also without an answer"
    );
    adds_up(&none);
    let again = desk.explanation(&["--null-threshold", &just_over]);
    assert_eq!(again.answer.text, some.answer.text);
    let ran = desk.explain(&["--null-threshold", &just_under]).succeeded();
    assert!(ran.stdout.contains("no answer"), "{}", ran.stdout);
}

#[test]
fn every_reference_adds_up_and_is_named() {
    let desk = Desk::new();
    let mut seen = Vec::new();
    for name in ["mask", "pad", "unk", "zero", "mean", "passage", "question"] {
        let found = desk.explanation(&["--reference", name]);
        assert_eq!(
            (found.method.reference.as_str(), found.method.references),
            (name, 1)
        );
        adds_up(&found);
        assert!(
            !seen.contains(&found.word_score),
            "{name} is another reference's"
        );
        // What the reference leaves as it is has no score at the words.
        let kept = match name {
            "passage" => Some(Part::Question),
            "question" => Some(Part::Passage),
            _ => None,
        };
        for (token, score) in found.tokens.iter().zip(&found.word_score) {
            if Some(token.part) == kept {
                assert_eq!(*score, 0.0, "{name}: {token:?}");
            }
        }
        seen.push(found.word_score);
    }
}

#[test]
fn given_ids_are_a_reference_and_several_are_averaged() {
    let desk = Desk::new();
    let mask = desk.explanation(&["--reference", "mask"]);
    let ids = |by: u32| -> Vec<u32> {
        let id = |token: &Token| match token.part {
            Part::Special => token.id,
            _ => by,
        };
        mask.tokens.iter().map(id).collect()
    };
    // [PAD], [UNK] and [MASK] are lines 0, 1 and 4 of the vocabulary.
    desk.write("one.json", format!("{:?}", ids(4)));
    let one = desk.explanation(&["--reference", "tokens:one.json"]);
    assert_eq!(
        (one.method.reference.as_str(), one.method.references),
        ("tokens", 1)
    );
    assert_eq!(one.word_score, mask.word_score);

    desk.write("three.json", format!("{:?}", [ids(4), ids(0), ids(1)]));
    let three = desk.explanation(&["--reference", "tokens:three.json"]);
    assert_eq!(three.method.references, 3);
    adds_up(&three);
    let others = ["pad", "unk"].map(|name| desk.explanation(&["--reference", name]));
    let singles = [&mask, &others[0], &others[1]];
    let mean =
        |of: &dyn Fn(&Explanation) -> f64| singles.iter().map(|found| of(found)).sum::<f64>() / 3.0;
    close(
        three.target.reference_value,
        mean(&|f| f.target.reference_value),
        "reference value",
    );
    for (token, score) in three.layers[1].score.iter().enumerate() {
        close(
            f64::from(*score),
            mean(&|f| f64::from(f.layers[1].score[token])),
            "layer 2",
        );
    }
}

#[test]
fn both_rules_share_out_the_same_change() {
    let desk = Desk::new();
    let [rescale, reveal] = ["rescale", "reveal-cancel"].map(|r| desk.explanation(&["--rule", r]));
    assert_eq!(reveal.method.rule, "reveal-cancel");
    adds_up(&reveal);
    assert_eq!(rescale.target, reveal.target);
    assert_ne!(rescale.word_score, reveal.word_score);
}

#[test]
fn double_precision_agrees_and_is_held_to_its_own_bound() {
    let desk = Desk::new();
    let [single, double] = ["f32", "f64"].map(|p| desk.explanation(&["--precision", p]));
    assert_eq!(
        (single.completeness.bound, double.completeness.bound),
        (1e-4, 1e-10)
    );
    assert!(
        double.completeness.worst < 1e-12,
        "{:?}",
        double.completeness
    );
    adds_up(&double);
    same_scores(&single, &double);
    assert_ne!(single.target.value, double.target.value, "is it f64?");
}

#[test]
fn n_best_keeps_the_best_and_each_is_a_slice_of_the_passage() {
    let desk = Desk::new();
    let twenty = desk.explanation(&[]).candidates;
    assert_eq!(twenty.len(), 20);
    for pair in twenty.windows(2) {
        assert!(pair[0].score >= pair[1].score);
    }
    for candidate in &twenty {
        assert_eq!(
            candidate.text,
            slice(PASSAGE, candidate.start, candidate.end)
        );
    }
    let three = desk.explanation(&["--n-best", "3"]).candidates;
    let texts = |all: &[Candidate]| -> Vec<String> {
        all.iter().map(|candidate| candidate.text.clone()).collect()
    };
    assert_eq!(texts(&three), texts(&twenty[..3]));
    // No number is too high: P passage tokens have P spans of one token, P − 1 of two, and so on up to 30.
    let most = usize::MAX.to_string();
    let all = desk.explanation(&["--n-best", &most]);
    let passage = |token: &&Token| token.part == Part::Passage;
    let count = all.tokens.iter().filter(passage).count();
    let spans: usize = (1..=count).rev().take(30).sum();
    assert_eq!(all.candidates.len(), spans);
}

#[test]
fn a_long_passage_is_read_in_windows() {
    let desk = Desk::new();
    let whole = desk.explanation(&[]);
    let passage: Vec<_> = whole
        .tokens
        .iter()
        .filter(|t| t.part == Part::Passage)
        .collect();
    // Six tokens of the question and three special ones leave room for seven.
    let small = ["--max-tokens", "16", "--stride", "3"];
    let count = 1 + (passage.len() - 7).div_ceil(3);
    for answer in ["old", "1877", "1901"] {
        let found = desk.explanation(&[&small[..], &["--answer", answer]].concat());
        adds_up(&found);
        let window = &found.window;
        assert_eq!(window.count, count);
        assert!(found.tokens.len() <= 16);
        let (start, end) = (found.answer.start.unwrap(), found.answer.end.unwrap());
        assert_eq!(slice(PASSAGE, start, end), answer);
        assert_eq!(found.answer.text, answer);
        assert!(window.start <= start && end <= window.end);
        // The window's tokens are the passage's own, from the window's place on.
        let inside: Vec<_> = found
            .tokens
            .iter()
            .filter(|t| t.part == Part::Passage)
            .collect();
        assert_eq!(inside, passage[3 * window.index..][..inside.len()]);
        if window.index > 0 {
            assert_eq!(Some(window.start), inside[0].start);
        }
        if window.index + 1 < count {
            assert_eq!(Some(window.end), inside[inside.len() - 1].end);
        }
    }
    let far = desk.explanation(&[&small[..], &["--answer", "1901"]].concat());
    assert!(far.window.index > 0);

    // The model's own answer, over all windows.
    let own = desk.explanation(&[&small[..], &["--null-threshold", "1000"]].concat());
    let (start, end) = (own.answer.start.unwrap(), own.answer.end.unwrap());
    assert_eq!(own.answer.text, slice(PASSAGE, start, end));
    assert_eq!(own.candidates[0].window, own.window.index);
    let ran = desk.explain(&small).succeeded();
    assert!(
        ran.stdout.contains(&format!("of {count}")),
        "{}",
        ran.stdout
    );

    // A stride longer than a window leaves no token out: seven by seven.
    let steps = ["--max-tokens", "16", "--stride", &usize::MAX.to_string()];
    let found = desk.explanation(&steps);
    assert_eq!(found.window.count, passage.len().div_ceil(7));
    // More tokens than the model has positions: its own limit counts.
    let most = desk.explanation(&["--max-tokens", &usize::MAX.to_string()]);
    assert_eq!(most.window.count, 1);
}

#[test]
fn a_squad_file_gives_the_question_plain_or_gzip() {
    let desk = Desk::new();
    desk.write_gzip("packed", squad().to_string().as_bytes());
    let typed = desk.explanation(&[]);
    for file in ["squad.json", "packed"] {
        let ask = [
            "explain", "--data", file, "--id", "opened", "--model", "model",
        ];
        let ran = desk
            .run(&[&ask[..], &["-o", "explanation.json"]].concat())
            .succeeded();
        assert_eq!(desk.read_explanation("explanation.json"), typed);
        let gold = "gold        \"1893\", \"spring 1893\"\n";
        assert!(ran.stdout.contains(gold), "{}", ran.stdout);
    }
    let ran = desk.run(&[
        "explain", "--data", "packed", "--id", "moved", "--model", "model",
    ]);
    assert!(ran.succeeded().stdout.ends_with("gold        no answer\n"));
}

#[test]
fn a_dash_is_the_passage_on_standard_input() {
    let desk = Desk::new();
    let typed = desk.explanation(&[]);
    let mut command = desk.command(&[
        "explain",
        QUESTION,
        "--passage",
        "-",
        "--model",
        "model",
        "-o",
        "in.json",
    ]);
    command.write_stdin(PASSAGE).assert().success();
    assert_eq!(desk.read_explanation("in.json"), typed);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let desk = Desk::new();
    for threads in ["1", "2", "5"] {
        let out = format!("{threads}.json");
        desk.explain(&["--threads", threads, "-o", &out])
            .succeeded();
    }
    assert_eq!(desk.read("1.json"), desk.read("2.json"));
    assert_eq!(desk.read("1.json"), desk.read("5.json"));
}

#[test]
fn scores_that_do_not_add_up_are_exit_code_1_and_f64_mends_them() {
    let desk = Desk::new();
    // LayerNorm takes a constant out again, but in f32 only two digits of the words are left beside it.
    desk.edit_tensors(|tensors| {
        let positions = "bert.embeddings.position_embeddings.weight";
        tensors.get_mut(positions).unwrap().map(|x| x + 1e5);
    });
    let ran = desk.explain(&["-o", "broken.json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr
            .starts_with("WARNING: the scores do not add up at the cut `words`")
    );
    assert!(ran.stderr.contains("--precision f64"));
    assert!(ran.stdout.contains("WARNING: they do not hold"));
    let found = desk.read_explanation("broken.json");
    assert!(!found.completeness.holds && found.completeness.worst > 1e-3);
    let error = sum(&found.word_score) - found.target.delta;
    assert!(error.abs() > 1e-4, "an honest failure: {error}");

    let ran = desk
        .explain(&["--precision", "f64", "-o", "whole.json"])
        .succeeded();
    assert_eq!(ran.stderr, "");
    assert!(desk.read_explanation("whole.json").completeness.holds);
}
