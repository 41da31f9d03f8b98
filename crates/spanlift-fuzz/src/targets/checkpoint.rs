//! `config.json` and the weights, each beside the other's valid form; what loads is explained.

use std::path::Path;

use spanlift::checkpoint::Source;
use spanlift::{Explainer, Options};

use super::files::{BRACKETS, Folder, ROWS, TOKENIZER, config, oracle, weights};
use crate::mutate::Shape;
use crate::run::{Bound, Outcome, Probe, Target};

/// A JSON value of two bytes (`0,`) becomes one of 32 in a list that doubles as it grows: 16 times, 48 while it moves.
/// The constant is the two fixed files, read and widened.
const CONFIG: Bound = Bound {
    factor: 64,
    constant: 1 << 20,
};

/// The least tensor of a header costs the file some 40 bytes; its name is kept three times (the header's list, its index,
/// the loader's map), and once more with a message of some hundred bytes where it is refused. Numbers of 16 bits double,
/// and a layer's three maps are copied into one.
const WEIGHTS: Bound = Bound {
    factor: 128,
    constant: 1 << 20,
};

/// One of so many that load is explained as well.
const EXPLAINED: usize = 16;

/// A pickle's least value has one byte and takes 36, in lists that double; it is limited to 4 MiB. All tensors together
/// have at most 64 times the file's bytes (the loader's limit), twice that where they are of 16 bits, and some of them are
/// copied once more.
const TORCH: Bound = Bound {
    factor: 256,
    constant: 1 << 20,
};

const CONFIG_WORDS: &[&str] = &[
    "\"bert\"",
    "\"roberta\"",
    "\"xlm-roberta\"",
    "\"distilbert\"",
    "\"electra\"",
    "\"mobilebert\"",
    "\"deberta-v2\"",
    "\"model_type\"",
    "\"hidden_size\"",
    "\"num_hidden_layers\"",
    "\"num_attention_heads\"",
    "\"intermediate_size\"",
    "\"max_position_embeddings\"",
    "\"vocab_size\"",
    "\"type_vocab_size\"",
    "\"pad_token_id\"",
    "\"embedding_size\"",
    "\"hidden_act\"",
    "\"gelu_new\"",
    "\"relu\"",
    "\"layer_norm_eps\"",
    "\"position_embedding_type\"",
    "\"pruned_heads\"",
    "\"relative_attention\"",
    "\"position_buckets\"",
    "\"max_relative_positions\"",
    "\"pos_att_type\"",
    "[\"c2p\",\"p2c\"]",
    "\"p2c|c2p\"",
    "\"share_att_key\"",
    "\"norm_rel_ebd\"",
    "\"layer_norm\"",
    "\"position_biased_input\"",
    "\"conv_kernel_size\"",
    "\"true_hidden_size\"",
    "\"intra_bottleneck_size\"",
    "\"num_feedforward_networks\"",
    "\"use_bottleneck\"",
    "\"normalization_type\"",
    "\"no_norm\"",
];

const WEIGHT_WORDS: &[&str] = &[
    "\"__metadata__\":{\"format\":\"pt\"},",
    "\"data_offsets\"",
    "[0,0]",
    "[0,8]",
    "[8,0]",
    "\"shape\"",
    "[0]",
    "[2,0]",
    "[4611686018427387904,4]",
    "[1,1,1,1,1,1,1,1,1,1,1,1]",
    "\"dtype\"",
    "\"F16\"",
    "\"BF16\"",
    "\"F64\"",
    "\"I64\"",
    "\"F4\"",
    "\"BOOL\"",
    "\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},",
    "\"bert.encoder.layer.1.output.dense.bias\"",
    "\"bert.encoder.layer.18446744073709551615.output.dense.bias\"",
    "\"encoder.layer.0.x\"",
    "\"bert.embeddings.position_ids\"",
    "\"qa_outputs.extra\"",
    "\u{0}\u{0}\u{c0}\u{7f}",
];

/// Opcodes of a pickle, and names.
const TORCH_WORDS: &[&str] = &[
    "(",
    ")",
    "]",
    "}",
    ".",
    "0",
    "1",
    "2",
    "t",
    "R",
    "Q",
    "N",
    "a",
    "b",
    "e",
    "s",
    "u",
    "b",
    "cos\nsystem\n",
    "ctorch\nFloatStorage\n",
    "ctorch\nHalfStorage\n",
    "ctorch\nLongStorage\n",
    "ccollections\nOrderedDict\n)R",
    "ctorch._utils\n_rebuild_tensor_v2\n",
    "ctorch._utils\n_rebuild_parameter\n",
    "q\u{0}",
    "h\u{0}",
    "q\u{1}",
    "h\u{1}",
    "K\u{1}",
    "K\u{4}",
    "K\u{0}",
    "M\u{0}\u{1}",
    "J\u{7f}\u{7f}\u{7f}\u{7f}",
    "X\u{1}\u{0}\u{0}\u{0}a",
    "X\u{7}\u{0}\u{0}\u{0}storage",
    "((((((((",
    "))))))))",
    "K\u{0}K\u{0}K\u{0}t",
];

const INDEX_WORDS: &[&str] = &[
    "\"weight_map\"",
    "\"metadata\"",
    "\"pytorch_model-00001-of-00002.bin\"",
    "\"pytorch_model-00002-of-00002.bin\"",
    "\"../config.json\"",
    "\"/etc/passwd\"",
    "\"config.json\"",
    "\".\"",
    "\"..\"",
    "\"C:x\"",
    "\"qa_outputs.bias\"",
];

/// The config of the small files of PyTorch, and its tokenizer.
fn beside() -> Vec<(&'static str, Vec<u8>)> {
    let config = r#"{"model_type":"bert","vocab_size":20,"hidden_size":4,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":6,"max_position_embeddings":8}"#;
    vec![
        ("config.json", config.into()),
        ("tokenizer.json", TOKENIZER.into()),
        ("tokenizer_config.json", BRACKETS.into()),
    ]
}

fn torch_targets() -> Vec<Target> {
    let archives = [
        "archive.bin",
        "f16.bin",
        "bf16.bin",
        "tied.bin",
        "strided.bin",
        "protocol-4.bin",
    ];
    let folder = Folder::new("pytorch_model.bin", beside());
    let shards = [
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    ];
    let size: usize = shards
        .iter()
        .map(|shard| oracle("weights", shard).len())
        .sum();
    let mut fixed = beside();
    fixed.extend(shards.map(|shard| (shard, oracle("weights", shard))));
    let index = "pytorch_model.bin.index.json";
    let indexed = Folder::new(index, fixed);
    vec![
        Target {
            name: "pytorch_model.bin",
            inputs: 700_000,
            shape: Shape::Archive,
            seeds: archives.map(|file| oracle("weights", file)).to_vec(),
            words: TORCH_WORDS,
            run: Box::new(move |input, probe| {
                folder.with(input, |path| from_folder(path, input.len(), probe))
            }),
        },
        Target {
            name: index,
            inputs: 200_000,
            shape: Shape::Json,
            seeds: vec![oracle("weights", index)],
            words: INDEX_WORDS,
            run: Box::new(move |input, probe| {
                indexed.with(input, |path| from_folder(path, size + input.len(), probe))
            }),
        },
    ]
}

fn from_folder(path: &Path, length: usize, probe: &mut Probe) -> Outcome {
    let source = Source::Folder(path);
    match probe.step("load", length, TORCH, || Explainer::<f32>::load(source)) {
        Ok(_) => Outcome::Read,
        Err(error) => {
            drop(error.to_string());
            Outcome::Refused
        }
    }
}

pub(super) fn targets() -> Vec<Target> {
    let families = [
        "two-layers",
        "roberta",
        "xlm-roberta",
        "distilbert",
        "electra",
        "mobilebert",
        "deberta-v2",
        "deberta-v2-embed",
    ];
    let mut configs = vec![config("bert").into_bytes(); 2];
    configs.push(config("roberta").into_bytes());
    configs.extend(families.map(|family| oracle(family, "config.json")));
    let fixed = weights("bert", 16);
    let small = config("bert").replace(&ROWS.to_string(), "16").into_bytes();
    configs.extend(vec![small.clone(); 8]);
    let mut tensors = vec![fixed.clone(); 6];
    tensors.push(oracle("two-layers", "model.safetensors"));
    let mut targets = vec![
        Target {
            name: "config.json",
            inputs: 2_200_000,
            shape: Shape::Json,
            seeds: configs,
            words: CONFIG_WORDS,
            run: Box::new(move |input, probe| loaded(input, &fixed, input.len(), CONFIG, probe)),
        },
        Target {
            name: "model.safetensors",
            inputs: 1_800_000,
            shape: Shape::Safetensors,
            seeds: tensors,
            words: WEIGHT_WORDS,
            run: Box::new(move |input, probe| loaded(&small, input, input.len(), WEIGHTS, probe)),
        },
    ];
    targets.extend(torch_targets());
    targets
}

fn loaded(
    config: &[u8],
    weights: &[u8],
    length: usize,
    bound: Bound,
    probe: &mut Probe,
) -> Outcome {
    let source = Source::Embedded {
        name: "fuzz",
        config,
        weights,
        tokenizer: TOKENIZER.as_bytes(),
        tokenizer_config: Some(BRACKETS.as_bytes()),
    };
    let loaded = probe.step("load", length, bound, || Explainer::<f32>::load(source));
    let explainer = match loaded {
        Ok(explainer) => explainer,
        Err(error) => {
            let text = probe.step("message", length, bound, || error.to_string());
            return if text.contains('\n') || text.len() > 20 {
                Outcome::Refused
            } else {
                Outcome::Wrong(format!("an error that says nothing: {text:?}"))
            };
        }
    };
    if length.is_multiple_of(EXPLAINED) {
        let passage = "the mayor moved the bridge . the mayor moved .";
        let explained = explainer.explain("who moved ?", passage, &Options::default());
        if let Ok(explained) = explained
            && let Err(error) = explained.explanation.to_json()
        {
            return Outcome::Wrong(format!("an explanation that cannot be written: {error}"));
        }
    }
    Outcome::Read
}
