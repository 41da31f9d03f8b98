//! `config.json`: the sizes and choices of an encoder, or why it is none.
//!
//! Names and defaults are those of the family ([`super::family`]), as in
//! [`BertConfig`](https://github.com/huggingface/transformers/blob/6294b787a53ad369e4f372983188d5bd31a45e8d/src/transformers/models/bert/configuration_bert.py).
//! The sizes have no defaults here: a checkpoint that does not name its sizes is not trusted to have the usual ones.

mod deberta;
mod mobilebert;

use serde_json::Value;

use super::Problem;
use super::family::{self, Names, Segments};
use super::files::CONFIG;
use super::json::Fields;
use crate::model::{Activation, Config, Family};

pub(super) use deberta::Disentangled;
pub(super) use mobilebert::Narrow;

/// Limits far above every published BERT; they keep a wrong number from being believed.
const MOST_HIDDEN: usize = 1 << 16;
const MOST_LAYERS: usize = 1 << 10;
const MOST_FEED_FORWARD: usize = 1 << 20;
const MOST_VOCABULARY: usize = 1 << 24;
const MOST_POSITIONS: usize = 1 << 20;
const MOST_SEGMENTS: usize = 1 << 16;

/// What the config says about shapes; `None` where it says nothing usable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// `model_type` names a family that is read, or could not be had.
    pub(super) known: bool,
    pub(super) names: &'static Names,
    pub(super) layers: Option<usize>,
    pub(super) hidden: Option<usize>,
    pub(super) embedding: Option<usize>,
    pub(super) feed_forward: Option<usize>,
    pub(super) vocabulary: Option<usize>,
    /// Rows of the position table; a DeBERTa whose input knows no positions has none.
    pub(super) position_rows: Option<usize>,
    pub(super) has_positions: bool,
    /// The row of position 0.
    pub(super) first_position: usize,
    /// Rows of the segment table; 0 where there is none.
    pub(super) segments: Option<usize>,
    /// DeBERTa's attention to positions, where it has any.
    pub(super) disentangled: Option<Disentangled>,
    /// MobileBERT's bottlenecks.
    pub(super) narrow: Option<Narrow>,
    /// The deviation of fresh weights, where some are drawn.
    pub(super) initializer_range: Option<f64>,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            known: true,
            names: family::of(Family::Bert),
            layers: None,
            hidden: None,
            embedding: None,
            feed_forward: None,
            vocabulary: None,
            position_rows: None,
            has_positions: true,
            first_position: 0,
            segments: None,
            disentangled: None,
            narrow: None,
            initializer_range: None,
        }
    }
}

impl Sizes {
    /// P, the longest input in tokens.
    pub(super) fn positions(&self) -> Option<usize> {
        self.position_rows?.checked_sub(self.first_position)
    }
}

/// Reads the config. The second part is `None` where one of its fields cannot be had; it counts only where nothing was
/// added to `problems`. `drawn`: some weights are drawn anew.
pub(super) fn read(
    bytes: &[u8],
    name: &str,
    drawn: bool,
    problems: &mut Vec<Problem>,
) -> (Sizes, Option<Config>) {
    let Some(fields) = Fields::parse(CONFIG, bytes, problems) else {
        return (Sizes::default(), None);
    };
    let Some(names) = names(&fields, problems) else {
        let unknown = Sizes {
            known: false,
            ..Sizes::default()
        };
        return (unknown, None);
    };
    let family = names.family;
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

    let of = &names.config;
    for (own, alias) in of.aliases {
        // transformers lets the alias win.
        if fields
            .get(alias)
            .is_some_and(|value| Some(value) != fields.get(own))
        {
            let expected = format!("the same as `{own}`, or no such field");
            problems.push(fields.wrong(alias, expected));
        }
    }
    let mut size =
        |field, default, least, most| fields.size(field, default, (least, most), problems);
    let vocabulary = size("vocab_size", None, 1, MOST_VOCABULARY);
    let hidden = size(of.hidden, None, 1, MOST_HIDDEN);
    let layers = size(of.layers, None, 1, MOST_LAYERS);
    let feed_forward = size(of.feed_forward, None, 1, MOST_FEED_FORWARD);
    let first_position = if of.positions_behind_padding {
        size("pad_token_id", Some(1), 0, MOST_VOCABULARY).map_or(0, |id| id + 1)
    } else {
        0
    };
    let positions = "max_position_embeddings";
    let position_rows = size(positions, None, first_position + 1, MOST_POSITIONS);
    let segments = match of.segments {
        Segments::None => Some(0),
        Segments::Rows { default, least } => {
            size("type_vocab_size", Some(default), least, MOST_SEGMENTS)
        }
    };
    let embedding = match of.embedding {
        None => hidden,
        Some(default) => size("embedding_size", default.or(hidden), 1, MOST_HIDDEN),
    };
    let heads = size(of.heads, None, 1, MOST_HIDDEN);
    let passage = names.text.passage_segment as usize;
    if segments.is_some_and(|rows| rows > 0 && rows <= passage) {
        let expected = format!("0, or more than {passage}: the passage is segment {passage}");
        problems.push(fields.wrong("type_vocab_size", expected));
    }
    let activation = activation(&fields, names, problems);
    let layer_norm_eps = layer_norm_eps(&fields, names, problems);

    let mut sizes = Sizes {
        known: true,
        names,
        layers,
        hidden,
        embedding,
        feed_forward,
        vocabulary,
        position_rows,
        has_positions: true,
        first_position,
        segments,
        disentangled: None,
        narrow: None,
        initializer_range: None,
    };
    if drawn {
        sizes.initializer_range = initializer_range(&fields, problems);
    }
    let mut divided = (of.hidden, hidden);
    match family {
        Family::Bert
        | Family::Roberta
        | Family::XlmRoberta
        | Family::DistilBert
        | Family::Electra => {}
        Family::MobileBert => {
            sizes.narrow = mobilebert::read(&fields, problems);
            divided = (mobilebert::WIDTH, sizes.narrow.map(|narrow| narrow.width));
        }
        Family::DebertaV2 => {
            (sizes.has_positions, sizes.disentangled) =
                deberta::read(&fields, &sizes, heads, problems);
        }
    }
    if let ((field, Some(width)), Some(heads)) = (divided, heads)
        && !width.is_multiple_of(heads)
    {
        let expected = format!("a divisor of {field}, {width}");
        problems.push(fields.wrong(of.heads, expected));
    }

    let config = || {
        Some(Config {
            name: name.to_owned(),
            family,
            layers: layers?,
            heads: heads?,
            hidden: hidden?,
            feed_forward: feed_forward?,
            vocabulary: vocabulary?,
            positions: sizes.positions()?,
            first_position: sizes.first_position,
            segments: segments?,
            activation: activation?,
            layer_norm_eps: layer_norm_eps?,
        })
    };
    (sizes, config())
}

/// The family's names; `None`, with a problem, where `model_type` is no family that is read.
fn names(fields: &Fields, problems: &mut Vec<Problem>) -> Option<&'static Names> {
    const FIELD: &str = "model_type";
    let named = fields
        .get(FIELD)
        .and_then(Value::as_str)
        .and_then(family::named);
    if named.is_none() {
        let known = Family::ALL.map(|family| format!("`{}`", family.name()));
        problems.push(fields.wrong(FIELD, format!("one of {}", known.join(", "))));
    }
    named
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
fn activation(fields: &Fields, names: &Names, problems: &mut Vec<Problem>) -> Option<Activation> {
    let (field, default) = (names.config.activation, names.config.default_activation);
    match fields.get(field).map_or(Some(default), Value::as_str) {
        Some("gelu") => Some(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh") => Some(Activation::GeluTanh),
        Some("relu") => Some(Activation::Relu),
        _ => {
            let expected = "`gelu`, `gelu_new`, `gelu_pytorch_tanh` or `relu`";
            problems.push(fields.wrong(field, expected));
            None
        }
    }
}

/// The default is that of every family.
fn initializer_range(fields: &Fields, problems: &mut Vec<Problem>) -> Option<f64> {
    const FIELD: &str = "initializer_range";
    let value = fields.get(FIELD).map_or(Some(0.02), Value::as_f64);
    let value = value.filter(|range| (1e-6..=10.0).contains(range));
    if value.is_none() {
        problems.push(fields.wrong(FIELD, "a number from 1e-6 to 10"));
    }
    value
}

/// Below 1e-30 the squares of 1/σ would come near the end of `f32`'s range.
fn layer_norm_eps(fields: &Fields, names: &Names, problems: &mut Vec<Problem>) -> Option<f64> {
    const FIELD: &str = "layer_norm_eps";
    let default = match names.config.layer_norm_eps {
        Ok(default) => default,
        Err(fixed) => return Some(fixed),
    };
    let value = fields.get(FIELD).map_or(Some(default), Value::as_f64);
    let value = value.filter(|eps| (1e-30..=1.0).contains(eps));
    if value.is_none() {
        problems.push(fields.wrong(FIELD, "a number from 1e-30 to 1"));
    }
    value
}
