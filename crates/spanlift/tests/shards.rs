//! Weights in several files with an index, whole and broken, and which form of the weights is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod tiny;

use std::fs;

use proptest::prelude::*;
use safetensors::Dtype;
use serde_json::{Map, Value, json};
use spanlift::checkpoint::{CheckpointError, Problem, Source, load};
use spanlift::model::Encoder;
use tempfile::TempDir;
use tiny::Tiny;

const INDEX: &str = "model.safetensors.index.json";
const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";
const QUERY: &str = "bert.encoder.layer.1.attention.self.query.weight";

/// The tensors that come after the first 20 by name stand in the second file: the last layer's and the head.
fn split(tiny: &Tiny) -> [Tiny; 2] {
    let mut parts = [tiny.clone(), tiny.clone()];
    let behind = parts[0].tensors.split_off(QUERY);
    parts[1].tensors = behind;
    assert!(parts.iter().all(|part| part.tensors.len() > 1));
    parts
}

fn index(parts: &[Tiny; 2]) -> Map<String, Value> {
    let [first, second] = parts;
    let names = |part: &Tiny, file: &str| {
        let pairs = part.tensors.keys().map(|name| (name.clone(), json!(file)));
        pairs.collect::<Vec<_>>()
    };
    [names(first, FIRST), names(second, SECOND)]
        .concat()
        .into_iter()
        .collect()
}

fn folder(parts: &[Tiny; 2], map: Map<String, Value>) -> Tiny {
    Tiny::new()
        .without("model.safetensors")
        .file(FIRST, parts[0].weights())
        .file(SECOND, parts[1].weights())
        .file(
            INDEX,
            json!({ "metadata": {}, "weight_map": map }).to_string(),
        )
}

fn sharded(tiny: &Tiny) -> Tiny {
    let parts = split(tiny);
    let map = index(&parts);
    folder(&parts, map)
}

fn encoder(tiny: &Tiny) -> Encoder<f32> {
    let mut encoder = tiny.loaded().encoder;
    encoder.config.name.clear();
    encoder
}

#[test]
fn shards_hold_the_same_model() {
    assert_eq!(encoder(&sharded(&Tiny::new())), encoder(&Tiny::new()));
}

/// The Hub's cache keeps each file as a link out of the folder: whoever made the link decided that.
#[cfg(unix)]
#[test]
fn links_are_followed() {
    let folder = TempDir::new().unwrap();
    let blobs = TempDir::new().unwrap();
    sharded(&Tiny::new()).write(folder.path());
    for name in [FIRST, SECOND, INDEX] {
        fs::rename(folder.path().join(name), blobs.path().join(name)).unwrap();
        std::os::unix::fs::symlink(blobs.path().join(name), folder.path().join(name)).unwrap();
    }
    let loaded = load::<f32>(Source::Folder(folder.path())).unwrap();
    assert_eq!(loaded.encoder.layers.len(), 2);
}

#[test]
fn one_file_goes_before_the_index() {
    let other = Tiny::new().set(QUERY, 0, 7.0);
    let mut both = sharded(&Tiny::new());
    both.left_out.clear();
    both = both.file("model.safetensors", other.weights());
    assert_eq!(encoder(&both), encoder(&other));
}

#[test]
fn an_index_goes_before_pytorch() {
    let tiny = sharded(&Tiny::new())
        .file("pytorch_model.bin", "x")
        .file("pytorch_model.bin.index.json", "x");
    assert_eq!(encoder(&tiny), encoder(&Tiny::new()));
}

#[test]
fn a_missing_shard() {
    let problem = sharded(&Tiny::new())
        .without(SECOND)
        .problem(&[SECOND, INDEX]);
    let (index, shard) = (INDEX, SECOND.to_owned());
    assert_eq!(problem, Problem::MissingShard { index, shard });
}

#[test]
fn a_shard_without_its_tensor() {
    let mut parts = split(&Tiny::new());
    let map = index(&parts);
    let moved = parts[1].tensors.remove(QUERY).unwrap();
    let gone = folder(&parts, map.clone()).problem(&[INDEX, QUERY, SECOND]);
    let expected = Problem::NotInShard {
        index: INDEX,
        tensor: QUERY.to_owned(),
        shard: SECOND.to_owned(),
    };
    assert_eq!(gone, expected);
    // In another shard it is not where the index has it either.
    parts[0].tensors.insert(QUERY.to_owned(), moved);
    assert_eq!(folder(&parts, map).problem(&[INDEX]), expected);
}

#[test]
fn a_tensor_in_two_shards() {
    let mut parts = split(&Tiny::new());
    let map = index(&parts);
    let copy = parts[1].tensors[QUERY].clone();
    parts[0].tensors.insert(QUERY.to_owned(), copy);
    let expected = Problem::InTwoShards {
        index: INDEX,
        tensor: QUERY.to_owned(),
        first: FIRST.to_owned(),
        second: SECOND.to_owned(),
    };
    assert_eq!(
        folder(&parts, map).problem(&[INDEX, QUERY, FIRST, SECOND]),
        expected
    );
    // Twice in the index.
    let tiny = sharded(&Tiny::new());
    let twice = String::from_utf8(tiny.files[INDEX].clone()).unwrap();
    let twice = twice.replace(
        "\"weight_map\":{",
        &format!("\"weight_map\":{{\"{QUERY}\":\"{FIRST}\","),
    );
    let (problems, message) = tiny.file(INDEX, twice).problems();
    assert_eq!(problems[0], expected, "{message}");
    // Twice and the same says nothing new.
    let tiny = sharded(&Tiny::new());
    let twice = String::from_utf8(tiny.files[INDEX].clone()).unwrap();
    let twice = twice.replace(
        "\"weight_map\":{",
        &format!("\"weight_map\":{{\"{QUERY}\":\"{SECOND}\","),
    );
    tiny.file(INDEX, twice).loaded();
}

/// Refused by name, before anything is opened: what it would lead to is there, and would be read.
#[test]
fn a_shard_outside_the_folder() {
    let parent = TempDir::new().unwrap();
    let inner = parent.path().join("model");
    fs::create_dir(&inner).unwrap();
    let tiny = sharded(&Tiny::new());
    tiny.write(&inner);
    fs::create_dir(inner.join("sub")).unwrap();
    for target in [
        parent.path().join("x"),
        inner.join("sub/x"),
        inner.join("a:b"),
    ] {
        fs::copy(inner.join(SECOND), target).unwrap();
    }
    let absolute = parent.path().join("x").to_str().unwrap().to_owned();
    for name in [
        "../x", "./sub/x", "sub/x", "sub\\x", &absolute, "C:\\x", "a:b", "..", ".", "", "x\0",
        "x\n",
    ] {
        let mut map = index(&split(&Tiny::new()));
        for shard in map.values_mut().filter(|shard| *shard == SECOND) {
            *shard = json!(name);
        }
        let index = json!({ "weight_map": map }).to_string();
        fs::write(inner.join(INDEX), index).unwrap();
        match load::<f32>(Source::Folder(&inner)) {
            Err(CheckpointError::Invalid { problems, .. }) => {
                let (index, shard) = (INDEX, name.to_owned());
                assert_eq!(problems, [Problem::ShardName { index, shard }]);
                assert!(!problems[0].to_string().contains(['\0', '\n']));
            }
            other => panic!("{name:?}: {other:?}"),
        }
    }
}

#[test]
fn an_index_that_is_none() {
    for bytes in ["", "{", r#"{"weight_map": {"a": "b",}}"#] {
        let problem = sharded(&Tiny::new())
            .file(INDEX, bytes)
            .problem(&[INDEX, "not JSON"]);
        assert!(matches!(problem, Problem::NotJson { .. }), "{problem}");
    }
    let problem = sharded(&Tiny::new())
        .file(INDEX, "[]")
        .problem(&[INDEX, "a list of 0"]);
    assert!(matches!(problem, Problem::NotAnObject { .. }), "{problem}");
    let problem = sharded(&Tiny::new())
        .file(INDEX, "{}")
        .problem(&[INDEX, "`weight_map`"]);
    assert!(matches!(problem, Problem::MissingField { .. }), "{problem}");
    for (bytes, part) in [
        (r#"{"weight_map": []}"#, "got a list of 0"),
        (r#"{"weight_map": {"a": 1}}"#, "got 1 for `a`"),
        (r#"{"weight_map": {"a": ["b"]}}"#, "got a list of 1 for `a`"),
    ] {
        let problem =
            sharded(&Tiny::new())
                .file(INDEX, bytes)
                .problem(&[INDEX, "`weight_map`", part]);
        assert!(matches!(problem, Problem::Field { .. }), "{problem}");
    }
    let problem = sharded(&Tiny::new())
        .file(INDEX, b"\xff")
        .problem(&[INDEX, "UTF-8"]);
    assert!(matches!(problem, Problem::NotUtf8 { .. }), "{problem}");
    let problem = sharded(&Tiny::new())
        .file(INDEX, r#"{"weight_map": {}}"#)
        .problem(&[INDEX, "0 tensors"]);
    assert!(
        matches!(problem, Problem::NoEncoder { count: 0, .. }),
        "{problem}"
    );

    let limit = 1 << 24;
    let problem = sharded(&Tiny::new())
        .file(INDEX, vec![b' '; limit + 1])
        .problem(&[INDEX]);
    let (file, limit) = (INDEX, limit as u64);
    assert_eq!(problem, Problem::TooLarge { file, limit });
}

#[cfg(unix)]
#[test]
fn a_shard_that_is_no_file() {
    let folder = TempDir::new().unwrap();
    sharded(&Tiny::new()).without(SECOND).write(folder.path());
    std::os::unix::fs::symlink("/dev/zero", folder.path().join(SECOND)).unwrap();
    let error = load::<f32>(Source::Folder(folder.path())).unwrap_err();
    assert!(
        matches!(&error, CheckpointError::Read { path, source } if path.ends_with(SECOND)
            && source.to_string().contains("regular file")),
        "{error:?}"
    );
}

#[test]
fn everything_about_the_files_is_reported_at_once() {
    let mut parts = split(&Tiny::new());
    let mut map = index(&parts);
    parts[0]
        .tensors
        .remove("bert.embeddings.LayerNorm.bias")
        .unwrap();
    map.insert("a".to_owned(), json!("../a"));
    map.insert("b".to_owned(), json!("none.safetensors"));
    let tiny = folder(&parts, map)
        .file(SECOND, "short")
        .config("hidden_act", json!("swish"));
    let (problems, message) = tiny.problems();
    let lines: Vec<&str> = message.lines().skip(1).map(str::trim_start).collect();
    assert_eq!(problems.len(), 5, "{message}");
    for (line, (file, part)) in lines.iter().zip([
        ("config.json", "hidden_act"),
        (INDEX, "`../a`"),
        ("none.safetensors", "missing"),
        (INDEX, "LayerNorm.bias"),
        (SECOND, "(5 bytes)"),
    ]) {
        assert!(
            line.starts_with(file) && line.contains(part),
            "{part} in {line}"
        );
    }
}

/// What is wrong with a tensor is said of its own file, what is missing of the index.
#[test]
fn messages_name_the_shard() {
    let tiny = Tiny::new()
        .set(QUERY, 5, f32::NAN)
        .tensor("bert.embeddings.LayerNorm.bias", Dtype::F32, &[5])
        .tensor("bert.encoder.layer.1.output.dense.bias", Dtype::F64, &[4])
        .tensor("bert.encoder.layer.0.extra", Dtype::F32, &[1])
        .without_tensor("bert.embeddings.LayerNorm.weight")
        .without_tensor("qa_outputs.weight")
        .without_tensor("qa_outputs.bias");
    let (_, message) = sharded(&tiny).problems();
    let lines: Vec<&str> = message.lines().skip(1).map(str::trim_start).collect();
    let expected = [
        (INDEX, "embeddings.LayerNorm.weight"),
        (FIRST, "embeddings.LayerNorm.bias"),
        (SECOND, QUERY),
        (SECOND, "output.dense.bias"),
        (INDEX, "without a question-answering head"),
        (FIRST, "extra"),
    ];
    assert_eq!(lines.len(), expected.len(), "{message}");
    for (line, (file, part)) in lines.iter().zip(expected) {
        assert!(
            line.starts_with(&format!("{file}: ")) && line.contains(part),
            "{part} in {line}"
        );
    }
    let layers = sharded(&Tiny::new()).config("num_hidden_layers", json!(3));
    let problem = layers.problem(&[&format!("{INDEX}: `encoder.layer`")]);
    assert!(matches!(problem, Problem::Layers { .. }));
    let notes = sharded(&Tiny::new().tensor("bert.pooler.dense.bias", Dtype::F32, &[4]))
        .loaded()
        .notes;
    assert!(notes[0].starts_with(INDEX), "{notes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever a byte of the index becomes: an answer, never a panic.
    #[test]
    fn damaged_indices_never_panic(at in 0.0f64..1.0, byte in any::<u8>()) {
        let tiny = sharded(&Tiny::new());
        let mut index = tiny.files[INDEX].clone();
        let at = (at * index.len() as f64) as usize;
        index[at] = byte;
        let _ = tiny.file(INDEX, index).load();
    }
}
