//! Each family against Hugging Face transformers: random tiny checkpoints with values in float64 (`tests/oracle/README.md`).
//!
//! Ids, offsets, hidden states, logits and attention; the walk under the *Gradient* rule against torch's gradients; and
//! DeepLIFT's sums at every cut.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use spanlift::Explainer;
use spanlift::attribute::rules::{GRADIENT, PRESETS, Preset};
use spanlift::attribute::{
    Attribution, KeepEdges, Reference, ReferenceError, Span, Target, attribute,
};
use spanlift::checkpoint::{Source, load};
use spanlift::encode::Encoding;
use spanlift::model::{Family, Layout, Trace, forward};
use spanlift::ops::{Matrix, Real, embedding};

const CASES: [(&str, Family); 13] = [
    ("bert-gelu-new", Family::Bert),
    ("bert-relu", Family::Bert),
    ("bert-tanh", Family::Bert),
    ("stray", Family::Bert),
    ("roberta", Family::Roberta),
    ("xlm-roberta", Family::XlmRoberta),
    ("distilbert", Family::DistilBert),
    ("electra", Family::Electra),
    ("electra-same", Family::Electra),
    ("mobilebert", Family::MobileBert),
    ("deberta-v2", Family::DebertaV2),
    ("deberta-v2-plain", Family::DebertaV2),
    ("deberta-v2-embed", Family::DebertaV2),
];

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(case)
}

fn pairs(case: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder(case).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// All numbers of a nested array, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => number.as_f64().into_iter().collect(),
    }
}

fn wide<T: Real>(matrix: &Matrix<T>) -> Vec<f64> {
    matrix.data().iter().map(|x| x.f64()).collect()
}

/// The largest distance, held against the largest number that is wanted.
#[track_caller]
fn near(what: &str, got: &[f64], want: &[f64], bound: f64) -> f64 {
    assert_eq!(got.len(), want.len(), "{what}");
    let top = want.iter().fold(1e-3_f64, |top, w| top.max(w.abs()));
    let off = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    let off = off.fold(0.0, f64::max) / top;
    assert!(off <= bound, "{what}: off by {off:e} of {top}");
    off
}

/// The one window of a pair.
fn encoding<T: Real>(explainer: &Explainer<T>, pair: &Value) -> Encoding {
    let vocabulary = &explainer.checkpoint().vocabulary;
    let text = |field: &str| pair[field].as_str().unwrap();
    let encoded = vocabulary
        .encode(text("question"), text("passage"))
        .unwrap();
    let windows = encoded.windows(vocabulary, 512, 128).unwrap();
    assert_eq!(windows.count(), 1);
    windows.encoding(0)
}

fn run<T: Real>(explainer: &Explainer<T>, encoding: &Encoding, words: Matrix<T>) -> Trace<T> {
    let layout = Layout::new([&encoding.segments[..]]);
    forward(&explainer.checkpoint().encoder, &layout, words)
}

/// Everything that the forward pass makes; the largest distances of hidden states and of logits.
fn values<T: Real>(case: &str, bound: f64) -> [f64; 2] {
    let explainer = Explainer::<T>::load(Source::Folder(&folder(case))).unwrap();
    let encoder = &explainer.checkpoint().encoder;
    let mut worst = [0.0_f64; 2];
    for pair in pairs(case) {
        let encoding = encoding(&explainer, &pair);
        let ids: Vec<f64> = encoding.ids.iter().map(|&id| f64::from(id)).collect();
        near("ids", &ids, &numbers(&pair["ids"]), 0.0);
        if !pair["token_type_ids"].is_null() {
            let segments: Vec<f64> = encoding.segments.iter().map(|&s| f64::from(s)).collect();
            near(
                "segments",
                &segments,
                &numbers(&pair["token_type_ids"]),
                0.0,
            );
        }
        let words = embedding::words(&encoder.embeddings, &encoding.ids);
        let trace = run(&explainer, &encoding, words);
        let s = encoding.ids.len();
        let mut hidden = wide(&trace.layers[0].resid_pre);
        let mut want = numbers(&pair["embeddings"]);
        let after = trace.layers[1..].iter().map(|layer| &layer.resid_pre);
        for (got, want_of) in after
            .chain([&trace.output])
            .zip(pair["hidden"].as_array().unwrap())
        {
            hidden.extend(wide(got));
            want.extend(numbers(want_of));
        }
        assert_eq!(
            want.len(),
            (encoder.config.layers + 1) * s * encoder.config.hidden
        );
        worst[0] = worst[0].max(near(&format!("{case} hidden"), &hidden, &want, bound));
        for (column, field) in ["start", "end"].into_iter().enumerate() {
            let logits: Vec<f64> = (0..s).map(|i| trace.logits.row(i)[column].f64()).collect();
            let off = near(
                &format!("{case} {field}"),
                &logits,
                &numbers(&pair[field]),
                bound,
            );
            worst[1] = worst[1].max(off);
        }
        if let Some(probs) = pair.get("probs") {
            let heads = trace.layers.iter().flat_map(|layer| &layer.heads);
            let got: Vec<f64> = heads.flat_map(|head| wide(&head.probs())).collect();
            near(&format!("{case} probs"), &got, &numbers(probs), bound);
        }
    }
    worst
}

#[test]
fn hidden_states_logits_and_attention() {
    for (case, family) in CASES {
        let [hidden, logits] = values::<f64>(case, 1e-9);
        let [hidden32, logits32] = values::<f32>(case, 1e-4);
        println!("{case}: hidden {hidden:.1e} {hidden32:.1e} logits {logits:.1e} {logits32:.1e}");
        let loaded = load::<f32>(Source::Folder(&folder(case))).unwrap();
        assert_eq!(loaded.encoder.config.family, family);
    }
}

/// Tokens stand for the characters that the fast tokenizer gives them, but for the blanks in front and behind; where it
/// gives none at all they have one.
#[test]
fn offsets() {
    for (case, _) in CASES {
        let explainer = Explainer::<f32>::load(Source::Folder(&folder(case))).unwrap();
        for pair in pairs(case) {
            let encoding = encoding(&explainer, &pair);
            let want = pair["offsets"].as_array().unwrap();
            for (token, (want, sequence)) in encoding
                .tokens
                .iter()
                .zip(want.iter().zip(pair["sequences"].as_array().unwrap()))
            {
                let Some(want) = want.as_array() else {
                    assert_eq!((token.start, token.end), (None, None), "{case} {token:?}");
                    continue;
                };
                let text = pair[["question", "passage"][sequence.as_u64().unwrap() as usize]]
                    .as_str()
                    .unwrap();
                let [start, end] = [0, 1].map(|k| want[k].as_u64().unwrap() as usize);
                let slice = |start: usize, end: usize| {
                    text.chars()
                        .skip(start)
                        .take(end - start)
                        .collect::<String>()
                };
                let got = slice(token.start.unwrap(), token.end.unwrap());
                let want = slice(start, end);
                if want.trim().is_empty() {
                    assert_eq!(got.chars().count(), 1, "{case} {token:?}");
                } else {
                    let before = want.chars().take_while(|c| c.is_whitespace()).count();
                    assert_eq!(got, want.trim(), "{case} {token:?}");
                    assert_eq!(token.start, Some(start + before), "{case} {token:?}");
                }
            }
        }
    }
}

/// The target of a pair, and the attribution of its words against `words`.
fn attributed<T: Real>(
    explainer: &Explainer<T>,
    pair: &Value,
    words: Matrix<T>,
    preset: Preset,
) -> (Attribution<T>, [Trace<T>; 2]) {
    let encoder = &explainer.checkpoint().encoder;
    let encoding = encoding(explainer, pair);
    let layout = Layout::new([&encoding.segments[..]]);
    let input = run(
        explainer,
        &encoding,
        embedding::words(&encoder.embeddings, &encoding.ids),
    );
    let reference = run(explainer, &encoding, words);
    let token = |field: &str| pair["target"][field].as_u64().unwrap() as usize;
    let target = Target::Span(Span {
        start: token("start_token"),
        end: token("end_token"),
    });
    let found = attribute(
        encoder,
        &layout,
        &input,
        &reference,
        &[target],
        preset.rules,
        KeepEdges::None,
    );
    (found.into_iter().next().unwrap(), [input, reference])
}

/// Σ gradient·Δx over each of `groups` groups of neighbouring elements.
fn along(gradient: &[f64], x: &Matrix<f64>, x0: &Matrix<f64>, groups: usize) -> Vec<f64> {
    assert_eq!(gradient.len(), x.data().len());
    let steps = x.data().iter().zip(x0.data()).map(|(x, x0)| x - x0);
    let terms: Vec<f64> = gradient.iter().zip(steps).map(|(g, d)| g * d).collect();
    let groups = terms.chunks(terms.len() / groups);
    groups.map(|terms| terms.iter().sum()).collect()
}

#[test]
fn the_gradient_rule_is_torch_s_gradient() {
    for (case, _) in CASES {
        let explainer = Explainer::<f64>::load(Source::Folder(&folder(case))).unwrap();
        let encoder = &explainer.checkpoint().encoder;
        let heads = encoder.config.heads;
        let mut worst = 0.0_f64;
        for pair in pairs(case) {
            let ids = encoding(&explainer, &pair).ids;
            let words = embedding::words(&encoder.embeddings, &ids);
            let (s, e) = (words.rows(), words.cols());
            let gradient = numbers(&pair["grad_words"]);
            // One column at a time: each element of the gradient at the words.
            for column in 0..e {
                let mut moved = words.clone();
                (0..s).for_each(|i| moved.row_mut(i)[column] -= 1.0);
                let (a, _) = attributed(&explainer, &pair, moved, GRADIENT);
                let got: Vec<f64> = a.words.iter().map(|c| c.score()).collect();
                let want: Vec<f64> = (0..s).map(|i| gradient[i * e + column]).collect();
                let what = format!("{case} words, column {column}");
                let top = gradient.iter().fold(0.0_f64, |top, g| top.max(g.abs()));
                let scaled = |v: &[f64]| v.iter().map(|x| x / top).chain([1.0]).collect::<Vec<_>>();
                worst = worst.max(near(&what, &scaled(&got), &scaled(&want), 1e-9));
            }
            // Several directions at once: the gradients at the layers and at the heads along what they made of it.
            for seed in 0..4 {
                let mut moved = words.clone();
                for (k, x) in moved.data_mut().iter_mut().enumerate() {
                    *x += ((k * 37 + seed * 11) as f64).sin();
                }
                let (a, [x, x0]) = attributed(&explainer, &pair, moved, GRADIENT);
                let cuts = |trace: &Trace<f64>| -> Vec<Matrix<f64>> {
                    let layers = trace.layers.iter().map(|layer| layer.resid_pre.clone());
                    layers.chain([trace.output.clone()]).collect()
                };
                let (at, at0) = (cuts(&x), cuts(&x0));
                for (l, cut) in a.cuts.iter().enumerate() {
                    let gradient = numbers(&pair["grad_layers"][l]);
                    let got: Vec<f64> = cut.iter().map(|c| c.score()).collect();
                    let want = along(&gradient, &at[l], &at0[l], s);
                    worst = worst.max(near(&format!("{case} layer {l}"), &got, &want, 1e-9));
                }
                for (l, (layer, layer0)) in x.layers.iter().zip(&x0.layers).enumerate() {
                    let gradient = numbers(&pair["grad_ctx"][l]);
                    let want = along(&gradient, &layer.ctx, &layer0.ctx, s * heads);
                    let got: Vec<f64> = (0..s * heads)
                        .map(|at| a.heads[l][at % heads][at / heads])
                        .collect();
                    worst = worst.max(near(&format!("{case} heads {l}"), &got, &want, 1e-9));
                }
            }
        }
        println!("{case}: gradient {worst:.1e}");
    }
}

/// Every cut adds up to Δt, under each complete preset and each reference.
fn sums<T: Real>(case: &str) -> f64 {
    let explainer = Explainer::<T>::load(Source::Folder(&folder(case))).unwrap();
    let checkpoint = explainer.checkpoint();
    let mut worst = 0.0_f64;
    for pair in pairs(case) {
        let encoding = encoding(&explainer, &pair);
        for reference in Reference::NAMED {
            let words = reference.words(0, &checkpoint.encoder, &checkpoint.vocabulary, &encoding);
            let words = match words {
                Ok(words) => words,
                Err(ReferenceError::NoToken { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            for preset in PRESETS.into_iter().filter(|preset| preset.complete) {
                let (a, _) = attributed(&explainer, &pair, words.clone(), preset);
                assert!(a.delta().abs() > 1e-3, "{case} {}", reference.name());
                for cut in a.sums() {
                    assert!(
                        cut.relative <= T::BOUND,
                        "{case} {} {cut:?}",
                        reference.name()
                    );
                    worst = worst.max(cut.relative);
                }
            }
        }
    }
    worst
}

#[test]
fn deeplift_is_complete_at_every_cut() {
    for (case, _) in CASES {
        println!(
            "{case}: sums {:.1e} {:.1e}",
            sums::<f64>(case),
            sums::<f32>(case)
        );
    }
}

#[test]
fn the_explanation_names_its_family() {
    for (case, family) in CASES {
        let explainer = Explainer::<f32>::load(Source::Folder(&folder(case))).unwrap();
        let pair = &pairs(case)[0];
        let text = |field: &str| pair[field].as_str().unwrap();
        let explained = explainer.explain(
            text("question"),
            text("passage"),
            &spanlift::Options::default(),
        );
        let explanation = explained.unwrap().explanation;
        assert_eq!(explanation.model.family, family.name());
        explanation.validate().unwrap();
    }
}

/// A copy of a case's folder, to be changed.
fn copy(case: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        std::fs::copy(folder(case).join(file), to.path().join(file)).unwrap();
    }
    to
}

/// What would be another function, or has no file that is read, is refused by its name.
#[test]
fn options_that_are_not_read_are_refused_by_name() {
    let null = Value::Null;
    for (case, field, value) in [
        ("roberta", "position_embedding_type", "relative_key".into()),
        ("roberta", "pad_token_id", null.clone()),
        ("roberta", "max_position_embeddings", 2.into()),
        ("distilbert", "n_heads", 5.into()),
        ("distilbert", "activation", "silu".into()),
        ("electra", "embedding_size", 0.into()),
        ("mobilebert", "use_bottleneck", false.into()),
        ("mobilebert", "use_bottleneck_attention", true.into()),
        ("mobilebert", "key_query_shared_bottleneck", false.into()),
        ("mobilebert", "trigram_input", false.into()),
        ("mobilebert", "normalization_type", "layer_norm".into()),
        ("mobilebert", "true_hidden_size", 8.into()),
        ("mobilebert", "num_attention_heads", 5.into()),
        ("mobilebert", "num_feedforward_networks", 0.into()),
        ("distilbert", "num_attention_heads", 1.into()),
        ("deberta-v2", "type_vocab_size", 1.into()),
        ("deberta-v2", "pos_att_type", serde_json::json!(["C2P"])),
        ("deberta-v2", "position_buckets", 1.into()),
        ("mobilebert", "num_feedforward_networks", 65.into()),
        ("deberta-v2", "conv_kernel_size", 3.into()),
        ("deberta-v2", "attention_head_size", 4.into()),
        ("deberta-v2", "pos_att_type", "p2p".into()),
        ("deberta-v2", "pos_att_type", 7.into()),
        ("deberta-v2", "norm_rel_ebd", 7.into()),
        ("deberta-v2", "position_buckets", "many".into()),
        ("deberta-v2", "max_relative_positions", (1_u64 << 40).into()),
        ("deberta-v2", "relative_attention", "yes".into()),
    ] {
        let copy = copy(case);
        let path = copy.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config[field] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        let error = load::<f32>(Source::Folder(copy.path()))
            .map(drop)
            .unwrap_err();
        let error = error.to_string();
        let says = format!("config.json: `{field}`: expected ");
        assert!(error.contains(&says), "{case}: {error}");
    }
    // A bucket must be left for the far distances: that is said of the buckets.
    let small = copy("deberta-v2");
    let path = small.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["max_relative_positions"] = 5.into();
    std::fs::write(&path, config.to_string()).unwrap();
    let error = load::<f32>(Source::Folder(small.path()))
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("`position_buckets`"), "{error}");
    // The terms would be gone, their part in the scale not.
    let copy = copy("deberta-v2");
    let path = copy.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace(
        "\"relative_attention\": true",
        "\"relative_attention\": false",
    );
    std::fs::write(&path, text).unwrap();
    let error = load::<f32>(Source::Folder(copy.path()))
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("`pos_att_type`"), "{error}");
}

/// `p2c|c2p`, as older configs write it.
#[test]
fn kinds_of_attention_may_stand_in_one_text() {
    let copy = copy("deberta-v2");
    let path = copy.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["pos_att_type"] = "p2c|C2P".into();
    std::fs::write(&path, config.to_string()).unwrap();
    let changed = load::<f32>(Source::Folder(copy.path())).unwrap();
    let whole = load::<f32>(Source::Folder(&folder("deberta-v2"))).unwrap();
    assert_eq!(changed.encoder.layers, whole.encoder.layers);
}

/// RoBERTa's older folders have no `tokenizer.json`.
#[test]
fn a_vocabulary_with_merges_gives_the_same_ids() {
    let copy = copy("roberta");
    let path = copy.path().join("tokenizer.json");
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    let missing = |parts: &[&str]| {
        let error = load::<f32>(Source::Folder(copy.path()))
            .map(drop)
            .unwrap_err()
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    };
    missing(&["tokenizer.json: missing", "none of the three"]);
    let vocab = tokenizer["model"]["vocab"].to_string();
    std::fs::write(copy.path().join("vocab.json"), vocab).unwrap();
    missing(&["vocab.json is there, merges.txt is not"]);
    let merges = tokenizer["model"]["merges"].as_array().unwrap();
    let merges = merges.iter().map(|pair| {
        let of = |k: usize| pair[k].as_str().unwrap();
        format!("{} {}\n", of(0), of(1))
    });
    let merges: String = merges.collect();
    let file = copy.path().join("merges.txt");
    std::fs::write(&file, format!("#version: 0.2\n{merges}")).unwrap();
    let [read, whole] = [copy.path(), &folder("roberta")]
        .map(|folder| Explainer::<f32>::load(Source::Folder(folder)).unwrap());
    for pair in pairs("roberta") {
        assert_eq!(encoding(&read, &pair), encoding(&whole, &pair));
    }
    std::fs::write(&file, "#version: 0.2\na\n").unwrap();
    missing(&["merges.txt", "line 2: expected two tokens"]);
    std::fs::write(&file, "xx yy\n").unwrap();
    missing(&["merges.txt: no tokenizer", "`xx yy` as merge 1"]);
    // Longer than every token: the tokenizers library panics.
    std::fs::write(&file, "<mask> <mask>\n".repeat(2)).unwrap();
    missing(&["merges.txt: no tokenizer", "`<mask> <mask>` as merge 1"]);
    std::fs::write(copy.path().join("vocab.json"), "[]").unwrap();
    missing(&["vocab.json: not JSON"]);
}

#[test]
fn a_sentencepiece_folder_needs_its_tokenizer_json() {
    let copy = copy("xlm-roberta");
    std::fs::remove_file(copy.path().join("tokenizer.json")).unwrap();
    let error = load::<f32>(Source::Folder(copy.path()))
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("AutoTokenizer"), "{error}");
}

/// Two tokens of the table stand for no position, and four special tokens for no passage token.
#[test]
fn roberta_s_limits_are_its_own() {
    let explainer = Explainer::<f32>::load(Source::Folder(&folder("roberta"))).unwrap();
    let checkpoint = explainer.checkpoint();
    assert_eq!(checkpoint.encoder.config.positions, 48);
    let passage = "Ada mends nets. ".repeat(40);
    let options = spanlift::Options::default();
    let explained = explainer
        .explain("Who mends nets?", &passage, &options)
        .unwrap();
    assert_eq!(explained.encoding.ids.len(), 48);
    let encoded = checkpoint
        .vocabulary
        .encode("Who mends nets?", &passage)
        .unwrap();
    let windows = encoded.windows(&checkpoint.vocabulary, 20, 5).unwrap();
    assert_eq!(windows.iter().next().unwrap().ids.len(), 20);
    assert!(windows.iter().all(|window| window.ids.len() <= 20));
}

/// Where positions are counted without padding, a text that spells it would be another function.
#[test]
fn padding_in_a_text_is_refused_where_it_moves_positions() {
    let ask = |case: &str, passage: &str| {
        let explainer = Explainer::<f32>::load(Source::Folder(&folder(case))).unwrap();
        let vocabulary = &explainer.checkpoint().vocabulary;
        vocabulary.encode("Who mends nets?", passage).map(drop)
    };
    let error = ask("roberta", "Ada <pad> mends nets.")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the passage") && error.contains("<pad>"),
        "{error}"
    );
    ask("bert-relu", "Ada [PAD] mends nets.").unwrap();
}

#[test]
fn splitting_at_punctuation_must_stand_in_the_tokenizer_too() {
    let copy = copy("deberta-v2");
    let path = copy.path().join("tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["split_by_punct"] = true.into();
    std::fs::write(&path, config.to_string()).unwrap();
    let error = load::<f32>(Source::Folder(copy.path()))
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("`split_by_punct`"), "{error}");
}

/// `tokenizer_config.json` overrules, as it does in `RobertaTokenizerFast`.
#[test]
fn add_prefix_space_is_heeded() {
    let copy = copy("roberta");
    let path = copy.path().join("tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["add_prefix_space"] = true.into();
    std::fs::write(&path, config.to_string()).unwrap();
    let loaded = load::<f32>(Source::Folder(copy.path())).unwrap();
    let first = loaded
        .vocabulary
        .encode("Who", "Ada")
        .unwrap()
        .question
        .remove(0);
    assert!(first.text.starts_with('Ġ'), "{first:?}");
    assert!(
        loaded
            .notes
            .iter()
            .any(|note| note.contains("add_prefix_space"))
    );
}

/// Past a hundred problems the message ends with their number.
#[test]
fn a_list_of_problems_has_an_end() {
    let copy = copy("mobilebert");
    let path = copy.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["num_feedforward_networks"] = 64.into();
    std::fs::write(&path, config.to_string()).unwrap();
    let error = load::<f32>(Source::Folder(copy.path()))
        .map(drop)
        .unwrap_err()
        .to_string();
    assert_eq!(error.lines().count(), 102, "{error}");
    assert!(error.ends_with(" more"), "{error}");
}
