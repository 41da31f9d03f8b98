//! What can be wrong with a checkpoint.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use super::files::{CONFIG, TOKENIZER};
use super::weights::WEIGHTS;

/// Why a checkpoint was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The path is there, and it is a file.
    #[error("`{}`: expected a checkpoint folder, got a file", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder or one of its files cannot be had.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Everything that is wrong with the files, in one error.
    #[error(
        "`{source_name}` is no checkpoint of a question-answering model of the BERT family: {}",
        list(problems)
    )]
    Invalid {
        /// The folder, or the embedded model's name.
        source_name: String,
        /// At least one: those of the config, then of the weights, then of the tokenizer.
        problems: Vec<Problem>,
    },
    /// Weights are to be drawn anew of a layer that the model has not.
    #[error("layers whose weights are drawn anew: expected 1 to {layers}, got {got}")]
    NoSuchLayer {
        /// How many there are.
        layers: usize,
        /// The layer.
        got: usize,
    },
}

/// Past these a list tells nothing more.
const MOST_LISTED: usize = 100;

fn list(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => String::from("1 problem"),
        n => format!("{n} problems"),
    };
    for problem in problems.iter().take(MOST_LISTED) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {problem}");
    }
    if problems.len() > MOST_LISTED {
        let _ = write!(text, "\n  … and {} more", problems.len() - MOST_LISTED);
    }
    text
}

/// One thing that is wrong with a checkpoint's files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file that must be there is not.
    #[error("{file}: missing")]
    MissingFile {
        /// Its name.
        file: &'static str,
    },
    /// The weights are there in a format that is not read.
    #[error(
        "{WEIGHTS}: missing; {found} is there, but that format is not read yet: convert it with the transformers library, \
         AutoModelForQuestionAnswering.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True, \
         max_shard_size=\"100GB\")"
    )]
    OtherFormat {
        /// The file that is there.
        found: &'static str,
    },
    /// Neither of the two forms of a tokenizer is complete.
    #[error(
        "{TOKENIZER}: missing, and so is its substitute, {} with {}: {}",
        substitute[0], substitute[1], tokenizer_got(*substitute, *found)
    )]
    MissingTokenizer {
        /// The two files that would do in its place.
        substitute: [&'static str; 2],
        /// Whether each of them is there.
        found: [bool; 2],
    },
    /// There is no `tokenizer.json`, and the family has no other form of a tokenizer that is read.
    #[error(
        "{TOKENIZER}: missing: make one with the transformers library, \
         AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
    )]
    NoTokenizer,
    /// The normalizer's table of a SentencePiece model is damaged.
    #[error("{TOKENIZER}: `precompiled_charsmap`: expected {expected}, got {got}")]
    Charsmap {
        /// What would do.
        expected: &'static str,
        /// What stands there.
        got: String,
    },
    /// A part of a `tokenizer.json` is not what the tokenizers library can take.
    #[error("{TOKENIZER}: `{part}`: expected {expected}, got {got}")]
    Part {
        /// Which part, by its kind, and its field.
        part: String,
        /// What would do.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// More bytes than such a file can reasonably have.
    #[error("{file}: expected at most {limit} bytes, got more")]
    TooLarge {
        /// Its name.
        file: &'static str,
        /// The most bytes that are read.
        limit: u64,
    },
    /// A text file is not UTF-8.
    #[error("{file}: not UTF-8: byte {offset} starts no character")]
    NotUtf8 {
        /// Its name.
        file: &'static str,
        /// The first byte that belongs to no character.
        offset: usize,
    },
    /// A JSON file is not JSON.
    #[error("{file}: not JSON at line {line}, column {column}: {reason}")]
    NotJson {
        /// Its name.
        file: &'static str,
        /// From 1.
        line: usize,
        /// From 1; 0 where the line is empty.
        column: usize,
        /// What the parser said.
        reason: String,
    },
    /// A JSON file holds something else than an object.
    #[error("{file}: expected a JSON object, got {got}")]
    NotAnObject {
        /// Its name.
        file: &'static str,
        /// What it holds.
        got: String,
    },
    /// A field that has no default is missing.
    #[error("{file}: `{field}`: expected {expected}, got no such field")]
    MissingField {
        /// The file's name.
        file: &'static str,
        /// The field.
        field: &'static str,
        /// What would do.
        expected: String,
    },
    /// A field holds a value of another type, out of bounds, or that means a model which is not this one.
    #[error("{file}: `{field}`: expected {expected}, got {got}")]
    Field {
        /// The file's name.
        file: &'static str,
        /// The field.
        field: &'static str,
        /// What would do.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// A safetensors file cannot be taken apart.
    #[error("{file}: not a whole safetensors file ({bytes} bytes): {reason}")]
    Header {
        /// Its name.
        file: String,
        /// The file's size.
        bytes: usize,
        /// What the safetensors library said.
        reason: String,
    },
    /// None of the tensors belongs to an encoder of the config's family.
    #[error(
        "{file}: no tensor of an encoder of the family {family}: expected names as \
         `{prefix}embeddings.word_embeddings.weight`, got {count} tensors{}", for_example(example.as_deref())
    )]
    NoEncoder {
        /// The family that the config names.
        family: &'static str,
        /// In front of that family's names.
        prefix: &'static str,
        /// The weights' file, or their index.
        file: String,
        /// How many tensors there are.
        count: usize,
        /// The first of them, by name.
        example: Option<String>,
    },
    /// The layers of the file are not those of the config.
    #[error("{file}: `encoder.layer`: expected {expected} layers, as {CONFIG} says, got {got}")]
    Layers {
        /// The weights' file, or their index.
        file: String,
        /// `num_hidden_layers`.
        expected: usize,
        /// How many, and which.
        got: String,
    },
    /// A tensor is missing.
    #[error("{file}: `{tensor}`: expected a tensor of shape {shape}, got none")]
    MissingTensor {
        /// The weights' file, or their index.
        file: String,
        /// Its name.
        tensor: String,
        /// Its shape.
        shape: String,
    },
    /// A tensor has another shape than the config gives it.
    #[error("{file}: `{tensor}`: expected shape {expected}, got {got}")]
    Shape {
        /// The file that holds it.
        file: String,
        /// Its name.
        tensor: String,
        /// With the config's sizes; `?` where the config does not say.
        expected: String,
        /// In the file.
        got: String,
    },
    /// A tensor's numbers are of a type that is not read.
    #[error("{file}: `{tensor}`: expected F32, F16 or BF16, got {got}")]
    Dtype {
        /// The file that holds it.
        file: String,
        /// Its name.
        tensor: String,
        /// Its type.
        got: String,
    },
    /// A tensor holds infinite numbers or NaN.
    #[error(
        "{file}: `{tensor}`: expected finite numbers, got {count} of {of} infinite or NaN, the first at index {first}"
    )]
    NonFinite {
        /// The file that holds it.
        file: String,
        /// Its name.
        tensor: String,
        /// How many.
        count: usize,
        /// Of how many.
        of: usize,
        /// The first, counted through the rows.
        first: usize,
    },
    /// A tensor inside the encoder or the head that the family, as configured, does not have: the model computes
    /// something else.
    #[error(
        "{file}: `{tensor}`: {family}, as {CONFIG} has it, knows no such tensor, so the model would compute something else \
         without it"
    )]
    UnexpectedTensor {
        /// The family that the config names.
        family: &'static str,
        /// The file that holds it.
        file: String,
        /// Its name.
        tensor: String,
    },
    /// There is an encoder and no head.
    #[error(
        "{file}: `qa_outputs`: this is an encoder without a question-answering head: fine-tune it for question answering \
         (for example as BertForQuestionAnswering), or take a checkpoint that has `qa_outputs.weight`"
    )]
    NoHead {
        /// The weights' file, or their index.
        file: String,
    },
    /// The index of sharded weights names a file that it must not name.
    #[error(
        "{index}: `weight_map`: expected the name of a file beside the index, got `{}`",
        shard.escape_debug()
    )]
    ShardName {
        /// The index.
        index: &'static str,
        /// What stands in place of a name.
        shard: String,
    },
    /// A file that the index names is not there.
    #[error("{shard}: missing, and {index} names it")]
    MissingShard {
        /// The index.
        index: &'static str,
        /// The file's name.
        shard: String,
    },
    /// A tensor is not in the file where the index says that it is.
    #[error("{index}: `{tensor}`: expected it in {shard}, which has no such tensor")]
    NotInShard {
        /// The index.
        index: &'static str,
        /// The tensor's name.
        tensor: String,
        /// The file's name.
        shard: String,
    },
    /// A tensor has two places.
    #[error("{index}: `{tensor}`: expected it in one file, got it in {first} and in {second}")]
    InTwoShards {
        /// The index.
        index: &'static str,
        /// The tensor's name.
        tensor: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A PyTorch file of the form that was written until version 1.5.
    #[error(
        "{file}: the form that PyTorch wrote before version 1.6 is not read: write it again with a later one, \
         torch.save(torch.load(FILE, map_location=\"cpu\", weights_only=True), FILE)"
    )]
    LegacyPickle {
        /// Its name.
        file: String,
    },
    /// A PyTorch file that is not whole, or not as PyTorch writes it.
    #[error("{file}: not a whole PyTorch file ({bytes} bytes): {reason}")]
    Archive {
        /// Its name.
        file: String,
        /// The file's size.
        bytes: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The pickle in a PyTorch file wants something called that rebuilds no tensor.
    #[error(
        "{file}: `{name}`: expected nothing but PyTorch's own functions for tensors, got that name: nothing was executed"
    )]
    PickleName {
        /// The file's name.
        file: String,
        /// Module and name.
        name: String,
    },
    /// The pickle in a PyTorch file is not one of a dictionary of tensors.
    #[error("{file}: data.pkl, byte {at}: {reason}")]
    Pickle {
        /// The file's name.
        file: String,
        /// Where, in bytes.
        at: usize,
        /// What was expected and what came.
        reason: String,
    },
    /// A tensor in a PyTorch file reaches over its storage, or its storage is not there.
    #[error("{file}: `{tensor}`: {reason}")]
    Storage {
        /// The file's name.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// What was expected and what came.
        reason: String,
    },
    /// The tokenizer cannot be made.
    #[error("{file}: no tokenizer: {reason}")]
    Tokenizer {
        /// The file it is made from.
        file: &'static str,
        /// What the tokenizers library said.
        reason: String,
    },
    /// The vocabulary has no token of that name.
    #[error("{file}: `{role}`: expected `{name}` in the vocabulary, got no such token")]
    SpecialToken {
        /// The file that holds the vocabulary.
        file: &'static str,
        /// `cls_token` or `sep_token`.
        role: &'static str,
        /// The token's text.
        name: String,
    },
    /// A token has no row in the embedding table.
    #[error(
        "{file}: expected ids below {rows}, the rows of `word_embeddings`, got {id} for token `{token}`"
    )]
    VocabularyTooLarge {
        /// The file that holds the vocabulary.
        file: &'static str,
        /// The largest id.
        id: u32,
        /// Its token.
        token: String,
        /// The rows there are.
        rows: usize,
    },
}

fn tokenizer_got(files: [&str; 2], found: [bool; 2]) -> String {
    match found {
        [true, _] => format!("{} is there, {} is not", files[0], files[1]),
        [_, true] => format!("{} is there, {} is not", files[1], files[0]),
        _ => String::from("none of the three is there"),
    }
}

fn for_example(example: Option<&str>) -> String {
    example.map_or_else(String::new, |name| format!(", such as `{name}`"))
}
