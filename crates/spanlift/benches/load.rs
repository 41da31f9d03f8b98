//! Loading the default model, and checkpoints of BERT-base's size: time, rate, peak memory.
//! `cargo bench -p spanlift --bench load --features pickle`.
//!
//! The default model is loaded from its folder, and from memory, which is near to how the program carries it: there its bytes lie in
//! pages that are not touched yet. Then random weights of 109 million numbers in each form that is read: F32 in one file, in shards and as
//! `pytorch_model.bin`, and F16. First it checks that every number arrives, then it times; the files are in the system's
//! cache. The ratio is to one thread that copies bytes of the same number in this process, into memory that it has to ask for as
//! loading must. Each time is that of a process of its own, so that no memory is there already. Peak memory is what is
//! resident at the most, file pages included, above what was before.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod common;
#[path = "../tests/common/torch.rs"]
mod torch;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::measure::{median, peak, resident};
use common::models::default_folder;
use half::f16;
use rayon::prelude::*;
use safetensors::Dtype;
use serde_json::{Map, Value, json};
use spanlift::checkpoint::{Source, load};
use spanlift::model::{Encoder, LayerNorm, Norm, Projections};
use spanlift::ops::Matrix;
use tempfile::TempDir;
use zip::CompressionMethod;

const H: usize = 768;
const F: usize = 3072;
const LAYERS: usize = 12;
const VOCABULARY: usize = 30522;
const POSITIONS: usize = 512;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let how = |argument: &String| [ONCE, MEMORY].contains(&&argument[..]);
    if let Some(at) = arguments.iter().position(how) {
        return once(Path::new(&arguments[at + 1]), arguments[at] == MEMORY);
    }
    // In turn, since others' work on the machine comes and goes.
    let ready = |how| apart(how, &default_folder()).0;
    let (memory, folder): (Vec<_>, Vec<_>) = (0..9).map(|_| (ready(MEMORY), ready(ONCE))).unzip();
    println!(
        "default model, F16, with its tokenizer: ready in {:.0} ms from memory, {:.0} ms from its folder",
        1e3 * median(memory),
        1e3 * median(folder)
    );
    let shapes = shapes();
    let count: usize = shapes.iter().map(|(_, shape)| size(shape)).sum();
    println!(
        "{:.0} million numbers, F32: {:.0} MB; {} threads",
        count as f64 / 1e6,
        4e-6 * count as f64,
        rayon::current_num_threads()
    );
    let copy = copying(4 * count);
    println!(
        "copying as many bytes on one thread: {:.0} ms, {:.2} GB/s",
        copy * 1e3,
        4e-9 * count as f64 / copy
    );
    let forms: [(&str, Dtype, Writer); 3] = [
        ("model.safetensors, F32", Dtype::F32, safetensors),
        ("model.safetensors, F16", Dtype::F16, safetensors),
        ("4 shards with index, F32", Dtype::F32, sharded),
    ];
    for (name, dtype, write) in forms {
        measure(name, dtype, write, &shapes, copy);
    }
    if cfg!(feature = "pickle") {
        measure("pytorch_model.bin, F32", Dtype::F32, pytorch, &shapes, copy);
    } else {
        println!("pytorch_model.bin: not read without the feature `pickle`");
    }
}

fn measure(name: &str, dtype: Dtype, write: Writer, shapes: &Shapes, copy: f64) {
    let folder = TempDir::new().unwrap();
    text_files(folder.path());
    write(folder.path(), dtype, shapes);
    check(&open(Source::Folder(folder.path())), dtype);

    let mut runs: Vec<(f64, f64)> = (0..9).map(|_| apart(ONCE, folder.path())).collect();
    runs.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (time, peak) = runs[runs.len() / 2];
    let bytes = 4.0 * shapes.iter().map(|(_, shape)| size(shape)).sum::<usize>() as f64;
    println!("{name}");
    println!(
        "  time    {:.0} ms ({:.0} to {:.0}): {:.2} GB/s of F32, {:.2} times the copying",
        time * 1e3,
        runs[0].0 * 1e3,
        runs[runs.len() - 1].0 * 1e3,
        1e-9 * bytes / time,
        time / copy
    );
    println!(
        "  memory  {:.0} MB at the peak, {:.2} times the F32",
        peak / 1e6,
        peak / bytes
    );
    // Not known, thus not larger, on other systems than Linux.
    assert!(
        peak.is_nan() || peak <= 1.2 * bytes,
        "{name}: expected a peak of at most 1.2 times the F32"
    );
}

/// The arguments that make a run one load of the folder behind them: from its files, or once these are in memory.
const ONCE: &str = "--once";
const MEMORY: &str = "--memory";

fn open(source: Source<'_>) -> Encoder<f32> {
    load(source)
        .unwrap_or_else(|error| panic!("{error}"))
        .encoder
}

/// Seconds and peak memory of a load in a process of its own.
fn apart(how: &str, folder: &Path) -> (f64, f64) {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).arg(how).arg(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text
        .split_whitespace()
        .map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn once(folder: &Path, memory: bool) {
    let file = |name| fs::read(folder.join(name)).unwrap();
    let files = memory.then(|| {
        [
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
        .map(file)
    });
    let source = match &files {
        None => Source::Folder(folder),
        Some([config, weights, tokenizer, tokenizer_config]) => Source::Embedded {
            name: "default",
            config,
            weights,
            tokenizer,
            tokenizer_config: Some(tokenizer_config),
        },
    };
    // The threads are there before the clock runs.
    rayon::broadcast(|_| ());
    let before = resident();
    let start = Instant::now();
    let encoder = open(source);
    let time = start.elapsed().as_secs_f64();
    println!("{time} {}", peak() - before);
    drop(black_box(encoder));
}

// The numbers.

type Shapes = Vec<(String, Vec<usize>)>;

/// Writes a folder's weights.
type Writer = fn(&Path, Dtype, &Shapes);

fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn shapes() -> Shapes {
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![VOCABULARY, H],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![POSITIONS, H],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, H],
        ),
    ];
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for (part, out, into) in [
            ("attention.self.query", H, H),
            ("attention.self.key", H, H),
            ("attention.self.value", H, H),
            ("attention.output.dense", H, H),
            ("intermediate.dense", F, H),
            ("output.dense", H, F),
        ] {
            shapes.push((name(&format!("{part}.weight")), vec![out, into]));
            shapes.push((name(&format!("{part}.bias")), vec![out]));
        }
        norms.extend(["attention.output.LayerNorm", "output.LayerNorm"].map(name));
    }
    for norm in norms {
        shapes.push((format!("{norm}.weight"), vec![H]));
        shapes.push((format!("{norm}.bias"), vec![H]));
    }
    for (name, _) in &mut shapes {
        name.insert_str(0, "bert.");
    }
    shapes.push(("qa_outputs.weight".to_owned(), vec![2, H]));
    shapes.push(("qa_outputs.bias".to_owned(), vec![2]));
    shapes
}

/// Number `i` of a tensor, exact in F16.
fn number(seed: u64, i: usize) -> f32 {
    let mixed = (seed ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53;
    (mixed as f32 - 1023.5) / 16384.0
}

fn seed(name: &str) -> u64 {
    name.bytes().fold(1u64, |seed, byte| {
        seed.wrapping_mul(1_000_003) ^ u64::from(byte)
    }) << 32
}

/// As F32 only: whatever F16 cannot hold.
fn scale(dtype: Dtype) -> f32 {
    if dtype == Dtype::F32 { 1.1 } else { 1.0 }
}

fn table(table: &Option<Matrix<f32>>) -> &[f32] {
    table.as_ref().map_or(&[], Matrix::data)
}

fn layer_norm(norm: &Norm<f32>) -> &LayerNorm<f32> {
    match norm {
        Norm::LayerNorm(norm) => norm,
        Norm::NoNorm { .. } => panic!("a LayerNorm"),
    }
}

fn check(encoder: &Encoder<f32>, dtype: Dtype) {
    let is = |got: &[f32], name: &str| {
        let seed = seed(name);
        let wrong = got
            .par_iter()
            .enumerate()
            .find_any(|&(i, &got)| got != number(seed, i) * scale(dtype));
        assert!(wrong.is_none(), "{name}: {wrong:?}");
    };
    is(
        encoder.embeddings.word_embeddings.data(),
        "bert.embeddings.word_embeddings.weight",
    );
    is(
        table(&encoder.embeddings.position_embeddings),
        "bert.embeddings.position_embeddings.weight",
    );
    is(
        table(&encoder.embeddings.token_type_embeddings),
        "bert.embeddings.token_type_embeddings.weight",
    );
    is(
        &layer_norm(&encoder.embeddings.norm).weight,
        "bert.embeddings.LayerNorm.weight",
    );
    is(
        &layer_norm(&encoder.embeddings.norm).bias,
        "bert.embeddings.LayerNorm.bias",
    );
    assert_eq!(encoder.layers.len(), LAYERS);
    for (index, layer) in encoder.layers.iter().enumerate() {
        let name = |part: &str| format!("bert.encoder.layer.{index}.{part}");
        let (Projections::Joint(qkv), [block]) = (&layer.projections, &layer.feed_forwards[..])
        else {
            panic!("a layer of BERT");
        };
        let weight = qkv.weight.matrix();
        let stacked = weight.data().chunks(H * H).zip(qkv.bias.chunks(H));
        for ((weight, bias), part) in stacked.zip(["query", "key", "value"]) {
            is(weight, &name(&format!("attention.self.{part}.weight")));
            is(bias, &name(&format!("attention.self.{part}.bias")));
        }
        for (linear, part) in [
            (&layer.attention_output, "attention.output.dense"),
            (&block.intermediate, "intermediate.dense"),
            (&block.output, "output.dense"),
        ] {
            is(
                linear.weight.matrix().data(),
                &name(&format!("{part}.weight")),
            );
            is(&linear.bias, &name(&format!("{part}.bias")));
        }
        for (norm, part) in [
            (&layer.attention_norm, "attention.output.LayerNorm"),
            (&block.norm, "output.LayerNorm"),
        ] {
            let norm = layer_norm(norm);
            is(&norm.weight, &name(&format!("{part}.weight")));
            is(&norm.bias, &name(&format!("{part}.bias")));
        }
    }
    is(
        encoder.qa_outputs.weight.matrix().data(),
        "qa_outputs.weight",
    );
    is(&encoder.qa_outputs.bias, "qa_outputs.bias");
}

// The files.

fn text_files(folder: &Path) {
    let config = json!({
        "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": H, "num_hidden_layers": LAYERS,
        "num_attention_heads": 12, "intermediate_size": F, "max_position_embeddings": POSITIONS
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
    let words: Vec<String> = special
        .into_iter()
        .chain((5..VOCABULARY).map(|i| format!("word{i}")))
        .collect();
    fs::write(folder.join("vocab.txt"), words.join("\n")).unwrap();
    fs::write(folder.join("tokenizer_config.json"), "{}").unwrap();
}

fn numbers(to: &mut impl Write, dtype: Dtype, name: &str, shape: &[usize]) {
    let seed = seed(name);
    let bytes: Vec<u8> = (0..size(shape))
        .flat_map(|i| {
            let number = number(seed, i) * scale(dtype);
            let bytes = match dtype {
                Dtype::F32 => u64::from(number.to_bits()),
                _ => u64::from(f16::from_f32(number).to_bits()),
            };
            bytes.to_le_bytes().into_iter().take(width(dtype))
        })
        .collect();
    to.write_all(&bytes).unwrap();
}

fn width(dtype: Dtype) -> usize {
    if dtype == Dtype::F32 { 4 } else { 2 }
}

fn one_safetensors(path: &Path, dtype: Dtype, shapes: &[(String, Vec<usize>)]) {
    let (mut header, mut at) = (Map::new(), 0);
    for (name, shape) in shapes {
        let end = at + width(dtype) * size(shape);
        header.insert(
            name.clone(),
            json!({ "dtype": dtype.to_string(), "shape": shape, "data_offsets": [at, end] }),
        );
        at = end;
    }
    let header = Value::Object(header).to_string();
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for (name, shape) in shapes {
        numbers(&mut file, dtype, name, shape);
    }
    file.flush().unwrap();
}

fn safetensors(folder: &Path, dtype: Dtype, shapes: &Shapes) {
    one_safetensors(&folder.join("model.safetensors"), dtype, shapes);
}

fn sharded(folder: &Path, dtype: Dtype, shapes: &Shapes) {
    let mut map = Map::new();
    for (number, shapes) in shapes.chunks(shapes.len().div_ceil(4)).enumerate() {
        let shard = format!("model-0000{}-of-00004.safetensors", number + 1);
        one_safetensors(&folder.join(&shard), dtype, shapes);
        map.extend(
            shapes
                .iter()
                .map(|(name, _)| (name.clone(), Value::from(shard.clone()))),
        );
    }
    let index = json!({ "metadata": {}, "weight_map": map });
    fs::write(
        folder.join("model.safetensors.index.json"),
        index.to_string(),
    )
    .unwrap();
}

fn pytorch(folder: &Path, dtype: Dtype, shapes: &Shapes) {
    let file = BufWriter::new(File::create(folder.join("pytorch_model.bin")).unwrap());
    let mut archive = torch::Archive::new(file);
    let pickle = torch::pickle(
        shapes
            .iter()
            .map(|(name, shape)| (&name[..], dtype, &shape[..])),
    );
    archive
        .entry("archive/data.pkl", CompressionMethod::Stored)
        .write_all(&pickle)
        .unwrap();
    for (key, (name, shape)) in shapes.iter().enumerate() {
        let entry = archive.entry(&format!("archive/data/{key}"), CompressionMethod::Stored);
        numbers(entry, dtype, name, shape);
    }
    archive.finish().flush().unwrap();
}

// Time.

/// Seconds that one thread takes to copy so many bytes into new memory.
fn copying(bytes: usize) -> f64 {
    let from = vec![1u8; bytes];
    median((0..7).map(|_| {
        let start = Instant::now();
        let to = black_box(&from).clone();
        let time = start.elapsed().as_secs_f64();
        drop(black_box(to));
        time
    }))
}
