//! Gradients of every parameter, of the loss that is trained, against PyTorch's, in f32.
//!
//! `gradients.safetensors` beside each tiny checkpoint has those of transformers' own loss (`make_families.py`), under the names of the
//! tensors; ours are given these names by being written as if they were weights.
#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use spanlift::checkpoint::{self, Precision, Source, safetensors};
use spanlift::model::Layout;
use spanlift::train::{Gradients, forward};
use spanlift_train::loss::loss;

/// Of the largest gradient of the tensor: f32's rounding.
const BOUND: f64 = 1e-5;
/// Of the model's largest gradient, where a tensor's are smaller: some have none but for rounding, as softmax cancels what adds the same to
/// all scores of a query (a key's bias) or to all logits (the last bias).
const FLOOR: f64 = 5e-2;

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../spanlift/tests/oracle")
        .join(model)
}

/// Ids and segments of the pairs that the expected gradients are of, and the tokens that answer them.
fn pairs(folder: &Path) -> Vec<(Vec<u32>, Vec<u32>, [usize; 2])> {
    let text = fs::read_to_string(folder.join("expected.json")).unwrap();
    let pairs: Vec<Value> = serde_json::from_str(&text).unwrap();
    let numbers = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    let pair = |pair: &Value| {
        let ids = numbers(&pair["ids"]);
        let segments = match &pair["token_type_ids"] {
            Value::Null => vec![0; ids.len()],
            types => numbers(types),
        };
        let middle = ids.len() / 2;
        (ids, segments, [middle, middle + 2])
    };
    pairs.iter().map(pair).collect()
}

fn f32s(bytes: &[u8]) -> Vec<f64> {
    let number = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
    bytes.chunks_exact(4).map(number).collect()
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |top, x| top.max(x.abs()))
}

#[test]
fn every_familys_gradients_are_those_of_pytorch() {
    let folders = fs::read_dir(folder(""))
        .unwrap()
        .map(|entry| entry.unwrap());
    let with = folders.filter(|entry| entry.path().join("gradients.safetensors").exists());
    let models: Vec<String> = with
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(models.len(), 12, "{models:?}");
    for model in &models {
        let folder = folder(model);
        let mut checkpoint = checkpoint::load::<f32>(Source::Folder(&folder)).unwrap();
        let pairs = pairs(&folder);
        let layout = Layout::new(pairs.iter().map(|(_, segments, _)| &segments[..]));
        let ids: Vec<u32> = pairs.iter().flat_map(|(ids, ..)| ids.clone()).collect();
        let answers: Vec<[usize; 2]> = pairs.iter().map(|&(.., answer)| answer).collect();

        let encoder = &checkpoint.encoder;
        let mut gradients = Gradients::of(encoder, |_| true);
        let trace = forward(encoder, &layout, &ids, None);
        let (_, m) = loss(&trace.logits, &layout, &answers, 1.0 / pairs.len() as f64);
        gradients.add(encoder, &trace, &ids, &m, None);
        checkpoint.encoder.set_values(gradients.values());
        let bytes = safetensors(&checkpoint, Precision::F32);
        let got = SafeTensors::deserialize(&bytes).unwrap();

        let bytes = fs::read(folder.join("gradients.safetensors")).unwrap();
        let want = SafeTensors::deserialize(&bytes).unwrap();
        let sorted = |tensors: &SafeTensors<'_>| {
            let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(&got), sorted(&want), "{model}");
        let of = |name: &str| {
            let [got, want] = [&got, &want].map(|tensors| tensors.tensor(name).unwrap());
            assert_eq!(got.shape(), want.shape(), "{model}, {name}");
            [got, want].map(|tensor| f32s(tensor.data()))
        };
        let names = sorted(&want);
        let top = names
            .iter()
            .fold(0.0_f64, |top, name| top.max(largest(&of(name)[1])));
        assert!(top > 0.1, "{model}: {top}");
        for name in &names {
            let [got, want] = of(name);
            let pairs = got.iter().zip(&want);
            let off: Vec<f64> = pairs.map(|(got, want)| got - want).collect();
            let off = largest(&off) / largest(&want).max(FLOOR * top);
            assert!(off <= BOUND, "{model}, {name}: {off:e}");
        }
    }
}
