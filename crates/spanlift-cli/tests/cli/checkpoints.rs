//! Checkpoints that are broken in one place: refused with exit code 2, by file and field, and nothing written.

use std::fs;
use std::path::Path;

use safetensors::Dtype;
use serde_json::{Value, json};

use crate::desk::Desk;

const WEIGHTS: &str = "model/model.safetensors";
const QUERY: &str = "bert.encoder.layer.1.attention.self.query.weight";

/// Refused by both commands, with an output asked for.
fn refused(desk: &Desk, words: &[&str]) {
    desk.refuses_to_explain(&["-o", "x.json", "--edges", "edges"], words);
    desk.refuses(
        &["audit", "--data", "squad.json", "--model", "model"],
        words,
    );
}

#[test]
fn a_folder_that_is_none_is_refused() {
    let desk = Desk::new();
    for (model, words) in [
        ("nowhere", &["--model", "`nowhere`"][..]),
        ("tower.txt", &["--model", "`tower.txt`", "got a file"]),
        ("", &["--model", "value is required"]),
    ] {
        desk.refuses(
            &[
                "explain",
                "When?",
                "--passage",
                "tower.txt",
                "--model",
                model,
            ],
            words,
        );
    }
    fs::create_dir(desk.path("empty")).unwrap();
    let words = [
        "`empty`",
        "config.json: missing",
        "model.safetensors: missing",
        "tokenizer.json: missing",
    ];
    let ask = [
        "explain",
        "When?",
        "--passage",
        "tower.txt",
        "--model",
        "empty",
    ];
    desk.refuses(&ask, &words);
}

#[test]
fn every_file_that_must_be_there_is_missed_by_name() {
    for (file, words) in [
        ("config.json", &["config.json: missing"][..]),
        ("model.safetensors", &["model.safetensors: missing"]),
        ("vocab.txt", &["tokenizer.json: missing", "vocab.txt"]),
        (
            "tokenizer_config.json",
            &["tokenizer.json: missing", "tokenizer_config.json"],
        ),
    ] {
        let desk = Desk::new();
        fs::remove_file(desk.path("model").join(file)).unwrap();
        refused(&desk, &[&["`model`"][..], words].concat());
        fs::create_dir(desk.path("model").join(file)).unwrap();
        refused(&desk, &[&format!("model/{file}"), "regular file"]);
    }
    let desk = Desk::new();
    fs::rename(desk.path(WEIGHTS), desk.path("model/tf_model.h5")).unwrap();
    refused(
        &desk,
        &[
            "model.safetensors: missing",
            "tf_model.h5 is there",
            "save_pretrained",
        ],
    );
}

#[test]
fn pytorch_files_are_read_and_what_is_none_is_refused() {
    let desk = Desk::new();
    fs::rename(desk.path(WEIGHTS), desk.path("model/pytorch_model.bin")).unwrap();
    refused(&desk, &["pytorch_model.bin: not a whole PyTorch file"]);
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/weights");
    fs::copy(
        oracle.join("legacy.bin"),
        desk.path("model/pytorch_model.bin"),
    )
    .unwrap();
    refused(
        &desk,
        &["pytorch_model.bin: the form", "before version 1.6"],
    );
    // Another model's: read, and its tensors do not fit this one's config.
    fs::copy(oracle.join("f32.bin"), desk.path("model/pytorch_model.bin")).unwrap();
    refused(
        &desk,
        &[
            "pytorch_model.bin: `bert.embeddings.word_embeddings.weight`: expected shape",
            "got [20, 4]",
        ],
    );
}

#[test]
fn shards_are_read_and_refused_where_they_lead_out() {
    let desk = Desk::new();
    let shard = "model/model-00001-of-00001.safetensors";
    fs::rename(desk.path(WEIGHTS), desk.path(shard)).unwrap();
    let index = |name: &str| json!({ "weight_map": { QUERY: name } }).to_string();
    let file = "model/model.safetensors.index.json";
    desk.write(file, index("model-00001-of-00001.safetensors"));
    desk.explain(&[]).succeeded();
    desk.write(file, index("../model/model-00001-of-00001.safetensors"));
    refused(
        &desk,
        &["model.safetensors.index.json: `weight_map`", "`../model/"],
    );
    desk.write(file, index("model-00002-of-00002.safetensors"));
    refused(&desk, &["model-00002-of-00002.safetensors: missing"]);
}

#[test]
fn truncated_weights_are_refused_wherever_they_end() {
    let desk = Desk::new();
    let whole = desk.read(WEIGHTS);
    let header = usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap();
    let ends = [
        0,
        1,
        7,
        8,
        9,
        header / 2,
        7 + header,
        8 + header,
        9 + header,
        whole.len() / 2,
        whole.len() - 1,
    ];
    for end in ends {
        desk.write(WEIGHTS, &whole[..end]);
        refused(
            &desk,
            &[
                "model.safetensors",
                "not a whole safetensors file",
                &format!("({end} bytes)"),
            ],
        );
    }
    desk.write(WEIGHTS, [&whole[..], b"more"].concat());
    refused(
        &desk,
        &["model.safetensors", "not a whole safetensors file"],
    );
}

#[test]
fn a_header_that_claims_the_world_is_refused() {
    let desk = Desk::new();
    let whole = desk.read(WEIGHTS);
    for claimed in [1 << 63, u64::MAX, 1 << 40, whole.len() as u64, 0] {
        desk.write(WEIGHTS, [&claimed.to_le_bytes(), &whole[8..]].concat());
        refused(
            &desk,
            &["model.safetensors", "not a whole safetensors file"],
        );
    }
    // A tensor that claims more than there is.
    let shape = format!(
        r#"{{"x":{{"dtype":"F32","shape":[{0},{0}],"data_offsets":[0,4]}}}}"#,
        u64::MAX
    );
    let header = [
        &(shape.len() as u64).to_le_bytes(),
        shape.as_bytes(),
        &[0; 4],
    ]
    .concat();
    desk.write(WEIGHTS, header);
    refused(
        &desk,
        &["model.safetensors", "not a whole safetensors file"],
    );
}

#[test]
fn tensors_that_are_no_berts_are_refused_all_in_one_message() {
    let desk = Desk::new();
    desk.edit_tensors(|tensors| {
        let numbers = tensors[QUERY].shape.iter().product::<usize>();
        let tensor = tensors.get_mut(QUERY).unwrap();
        tensor.dtype = Dtype::I64;
        tensor.bytes = vec![0; 8 * numbers];
        tensors.get_mut("qa_outputs.weight").unwrap().shape = vec![16, 2];
        tensors.remove("bert.embeddings.LayerNorm.bias");
        let value = tensors
            .get_mut("bert.encoder.layer.0.attention.self.value.bias")
            .unwrap();
        value.bytes[12..16].copy_from_slice(&f32::NAN.to_le_bytes());
        let norm = tensors
            .get_mut("bert.encoder.layer.0.output.LayerNorm.weight")
            .unwrap();
        norm.bytes[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        let adapter = tensors[QUERY].clone();
        tensors.insert("bert.encoder.layer.0.adapter.weight".to_owned(), adapter);
    });
    let words = [
        "6 problems",
        "`bert.encoder.layer.1.attention.self.query.weight`: expected F32, F16 or BF16, got I64",
        "`qa_outputs.weight`: expected shape [2, 16], got [16, 2]",
        "`bert.embeddings.LayerNorm.bias`: expected a tensor of shape [16], got none",
        "`bert.encoder.layer.0.attention.self.value.bias`: expected finite numbers, got 1 of 16",
        "the first at index 3",
        "`bert.encoder.layer.0.output.LayerNorm.weight`: expected finite numbers",
        "`bert.encoder.layer.0.adapter.weight`",
    ];
    refused(&desk, &words);
}

#[test]
fn a_checkpoint_without_a_head_says_what_to_do() {
    let desk = Desk::new();
    desk.edit_tensors(|tensors| tensors.retain(|name, _| !name.starts_with("qa_outputs")));
    refused(
        &desk,
        &[
            "`qa_outputs`",
            "without a question-answering head",
            "fine-tune",
        ],
    );
    desk.edit_tensors(|tensors| tensors.retain(|name, _| name.contains("LayerNorm")));
    refused(
        &desk,
        &["`bert.embeddings.word_embeddings.weight`", "got none"],
    );
    desk.edit_tensors(|tensors| {
        let (_, tensor) = tensors.pop_first().unwrap();
        *tensors = [("distilbert.weight".to_owned(), tensor)].into();
    });
    refused(
        &desk,
        &[
            "no tensor of an encoder of the family bert",
            "`distilbert.weight`",
        ],
    );
}

#[test]
fn weights_too_large_for_the_precision_are_refused() {
    let desk = Desk::new();
    desk.edit_tensors(|tensors| {
        for tensor in tensors.values_mut() {
            tensor.map(|x| x * 1e15);
        }
    });
    desk.refuses_to_explain(
        &["-o", "x.json"],
        &["not finite in f32", "too large for this precision"],
    );
}

#[test]
fn a_config_that_is_another_models_is_refused_by_field() {
    let wrong: [(&str, Value, &[&str]); 14] = [
        ("model_type", json!("bart"), &["`bert`", "bart"]),
        ("model_type", json!(null), &["`bert`"]),
        ("hidden_act", json!("silu"), &["`gelu`", "silu"]),
        (
            "position_embedding_type",
            json!("relative_key"),
            &["`absolute`", "relative_key"],
        ),
        ("is_decoder", json!(true), &["encoder", "true"]),
        ("num_attention_heads", json!(3), &["divisor", "16", "3"]),
        ("num_attention_heads", json!(0), &["0"]),
        ("num_hidden_layers", json!(-1), &["-1"]),
        ("num_hidden_layers", json!(1e300), &["1e+300"]),
        ("hidden_size", json!(1_u64 << 63), &["9223372036854775808"]),
        ("hidden_size", json!("16"), &["from 1", "`16`"]),
        ("vocab_size", json!(null), &["got"]),
        ("max_position_embeddings", json!(1.5), &["1.5"]),
        ("layer_norm_eps", json!(0), &["0"]),
    ];
    let desk = Desk::new();
    let whole = desk.read("model/config.json");
    for (field, value, words) in wrong {
        desk.write("model/config.json", &whole);
        desk.edit_json("model/config.json", |config| config[field] = value);
        refused(
            &desk,
            &[&["config.json", &format!("`{field}`")][..], words].concat(),
        );
    }
    for (field, value, words) in [
        (
            "num_hidden_layers",
            3,
            &["`encoder.layer`", "expected 3 layers", "got 2"][..],
        ),
        ("hidden_size", 32, &["expected shape", "32", "16"]),
        (
            "intermediate_size",
            64,
            &["`bert.encoder.layer.0.intermediate.dense.weight`", "64"],
        ),
        (
            "max_position_embeddings",
            512,
            &["`bert.embeddings.position_embeddings.weight`", "512"],
        ),
    ] {
        desk.write("model/config.json", &whole);
        desk.edit_json("model/config.json", |config| config[field] = json!(value));
        refused(&desk, words);
    }
}

#[test]
fn json_files_that_are_no_json_are_refused() {
    for file in ["config.json", "tokenizer_config.json", "tokenizer.json"] {
        let desk = Desk::new();
        let name = format!("model/{file}");
        for (bytes, words) in [
            (&b""[..], &["not JSON"][..]),
            (b"{\"model_type\": \"bert\"", &["not JSON", "line 1"]),
            (b"[]", &["expected a JSON object"]),
            (b"{\"x\": \"\xff\"}", &["UTF-8"]),
        ] {
            desk.write(&name, bytes);
            refused(&desk, &[&[file][..], words].concat());
        }
        desk.write(&name, "[".repeat(1 << 20));
        refused(&desk, &[file, "not JSON"]);
    }
}

#[test]
fn a_vocabulary_that_does_not_match_is_refused() {
    let desk = Desk::new();
    let whole = String::from_utf8(desk.read("model/vocab.txt")).unwrap();
    desk.write("model/vocab.txt", format!("{}\nextra\n", whole.trim_end()));
    refused(&desk, &["vocab.txt", "56", "`extra`", "word_embeddings"]);
    desk.write("model/vocab.txt", whole.replace("[SEP]", "sep"));
    refused(&desk, &["vocab.txt", "`sep_token`", "`[SEP]`"]);
    desk.write("model/vocab.txt", b"[PAD]\n\xff\n");
    refused(&desk, &["vocab.txt", "UTF-8", "byte 6"]);
    desk.write("model/vocab.txt", "");
    refused(&desk, &["vocab.txt"]);
    desk.write("model/vocab.txt", &whole);
    desk.edit_json("model/tokenizer_config.json", |config| {
        config["tokenizer_class"] = json!("T5Tokenizer")
    });
    refused(
        &desk,
        &["tokenizer_config.json", "`tokenizer_class`", "T5Tokenizer"],
    );
}

#[test]
fn a_vocabulary_without_the_token_of_a_reference_serves_the_others() {
    let desk = Desk::new();
    let whole = String::from_utf8(desk.read("model/vocab.txt")).unwrap();
    desk.write("model/vocab.txt", whole.replace("[MASK]", "mask"));
    for reference in ["mask", "passage", "question"] {
        let words = [&format!("`{reference}`"), "[MASK]", "another reference"];
        desk.refuses_to_explain(&["--reference", reference], &words);
    }
    desk.explain(&["--reference", "zero"]).succeeded();
    desk.refuses_to_explain(&["--reference", "zero", "--check"], &["[MASK]"]);
}
