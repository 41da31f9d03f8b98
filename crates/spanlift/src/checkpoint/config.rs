//! `config.json`: the sizes and choices of a BERT, or why it is none.
//!
//! Names and defaults are those of
//! [`BertConfig`](https://github.com/huggingface/transformers/blob/6294b787a53ad369e4f372983188d5bd31a45e8d/src/transformers/models/bert/configuration_bert.py).
//! The sizes have no defaults here: a checkpoint that does not name its sizes is not trusted to have the usual ones.

use serde_json::Value;

use super::Problem;
use super::files::CONFIG;
use super::json::Fields;
use crate::model::{Activation, Config};

/// Limits far above every published BERT; they keep a wrong number from being believed.
const MOST_HIDDEN: usize = 1 << 16;
const MOST_LAYERS: usize = 1 << 10;
const MOST_FEED_FORWARD: usize = 1 << 20;
const MOST_VOCABULARY: usize = 1 << 24;
const MOST_POSITIONS: usize = 1 << 20;
const MOST_SEGMENTS: usize = 1 << 16;

/// What the config says about shapes; `None` where it says nothing usable.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    pub(super) layers: Option<usize>,
    pub(super) hidden: Option<usize>,
    pub(super) feed_forward: Option<usize>,
    pub(super) vocabulary: Option<usize>,
    pub(super) positions: Option<usize>,
    pub(super) segments: Option<usize>,
}

/// Reads the config. The second part is `None` where one of its fields cannot be had; it counts only where nothing was
/// added to `problems`.
pub(super) fn read(
    bytes: &[u8],
    name: &str,
    problems: &mut Vec<Problem>,
) -> (Sizes, Option<Config>) {
    let Some(fields) = Fields::parse(CONFIG, bytes, problems) else {
        return (Sizes::default(), None);
    };
    choice(&fields, "model_type", None, "bert", problems);
    let default = Some("absolute");
    choice(
        &fields,
        "position_embedding_type",
        default,
        "absolute",
        problems,
    );
    for field in ["is_decoder", "add_cross_attention"] {
        if fields.flag(field, problems) == Some(true) {
            problems.push(fields.wrong(field, "false: an encoder"));
        }
    }
    if let Some(heads) = fields.get("pruned_heads")
        && heads.as_object().is_none_or(|heads| !heads.is_empty())
    {
        problems.push(fields.wrong("pruned_heads", "none"));
    }

    let mut size =
        |field, default, least, most| fields.size(field, default, (least, most), problems);
    let sizes = Sizes {
        vocabulary: size("vocab_size", None, 1, MOST_VOCABULARY),
        hidden: size("hidden_size", None, 1, MOST_HIDDEN),
        layers: size("num_hidden_layers", None, 1, MOST_LAYERS),
        feed_forward: size("intermediate_size", None, 1, MOST_FEED_FORWARD),
        positions: size("max_position_embeddings", None, 1, MOST_POSITIONS),
        segments: size("type_vocab_size", Some(2), 2, MOST_SEGMENTS),
    };
    let heads = size("num_attention_heads", None, 1, MOST_HIDDEN);
    if let (Some(hidden), Some(heads)) = (sizes.hidden, heads)
        && !hidden.is_multiple_of(heads)
    {
        let expected = format!("a divisor of hidden_size, {hidden}");
        problems.push(fields.wrong("num_attention_heads", expected));
    }
    let activation = activation(&fields, problems);
    let layer_norm_eps = layer_norm_eps(&fields, problems);

    let config = || {
        Some(Config {
            name: name.to_owned(),
            layers: sizes.layers?,
            heads: heads?,
            hidden: sizes.hidden?,
            feed_forward: sizes.feed_forward?,
            vocabulary: sizes.vocabulary?,
            positions: sizes.positions?,
            segments: sizes.segments?,
            activation: activation?,
            layer_norm_eps: layer_norm_eps?,
        })
    };
    (sizes, config())
}

/// A field of which one value is understood.
fn choice(
    fields: &Fields,
    field: &'static str,
    default: Option<&str>,
    only: &str,
    problems: &mut Vec<Problem>,
) {
    let value = fields.get(field).map_or(default, Value::as_str);
    if value != Some(only) {
        problems.push(fields.wrong(field, format!("`{only}`")));
    }
}

/// The names are those of
/// [`ACT2FN`](https://github.com/huggingface/transformers/blob/d60525f3595f8214576d6b8f1c54ac7cd0b5c42c/src/transformers/activations.py).
fn activation(fields: &Fields, problems: &mut Vec<Problem>) -> Option<Activation> {
    const FIELD: &str = "hidden_act";
    match fields.get(FIELD).map_or(Some("gelu"), Value::as_str) {
        Some("gelu") => Some(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh") => Some(Activation::GeluTanh),
        Some("relu") => Some(Activation::Relu),
        _ => {
            let expected = "`gelu`, `gelu_new`, `gelu_pytorch_tanh` or `relu`";
            problems.push(fields.wrong(FIELD, expected));
            None
        }
    }
}

/// Below 1e-30 the squares of 1/σ would come near the end of `f32`'s range.
fn layer_norm_eps(fields: &Fields, problems: &mut Vec<Problem>) -> Option<f64> {
    const FIELD: &str = "layer_norm_eps";
    let value = fields.get(FIELD).map_or(Some(1e-12), Value::as_f64);
    let value = value.filter(|eps| (1e-30..=1.0).contains(eps));
    if value.is_none() {
        problems.push(fields.wrong(FIELD, "a number from 1e-30 to 1"));
    }
    value
}
