//! A layer of MobileBERT, behind its bottleneck.

use super::{Sizes, Tensors, norm};
use crate::model::{Bottleneck, FeedForward, Layer, Projections};
use crate::ops::Real;

pub(super) fn layer<T: Real>(
    tensors: &mut Tensors<'_>,
    path: &str,
    sizes: &Sizes,
    eps: T,
) -> Layer<T> {
    let (hidden, feed_forward) = (sizes.hidden, sizes.feed_forward);
    let width = sizes.narrow.map(|narrow| narrow.width);
    let names = &sizes.names.tensors;
    let name = |part: &str| format!("{path}{part}");
    let bottleneck = Bottleneck {
        input: tensors.linear(&name("bottleneck.input.dense"), width, hidden),
        input_norm: norm(
            tensors,
            &name("bottleneck.input.LayerNorm"),
            width,
            sizes,
            eps,
        ),
        attention: tensors.linear(&name("bottleneck.attention.dense"), width, hidden),
        attention_norm: norm(
            tensors,
            &name("bottleneck.attention.LayerNorm"),
            width,
            sizes,
            eps,
        ),
        query: tensors.linear(&name(names.query), width, width),
        key: tensors.linear(&name(names.key), width, width),
        value: tensors.linear(&name(names.value), width, hidden),
        output: tensors.linear(&name("output.bottleneck.dense"), hidden, width),
        output_norm: norm(
            tensors,
            &name("output.bottleneck.LayerNorm"),
            hidden,
            sizes,
            eps,
        ),
    };
    let attention_output = tensors.linear(&name(names.attention_output), width, width);
    let attention_norm = norm(tensors, &name(names.attention_norm), width, sizes, eps);
    let more = sizes.narrow.map_or(0, |narrow| narrow.feed_forwards - 1);
    let places = (0..more).map(|n| format!("{path}ffn.{n}."));
    let feed_forwards = places.chain([path.to_owned()]).map(|place| FeedForward {
        intermediate: tensors.linear(&(place.clone() + names.intermediate), feed_forward, width),
        output: tensors.linear(&(place.clone() + names.output), width, feed_forward),
        norm: norm(tensors, &(place + names.output_norm), width, sizes, eps),
    });
    Layer {
        feed_forwards: feed_forwards.collect(),
        projections: Projections::Bottleneck(Box::new(bottleneck)),
        relative: None,
        position_maps: None,
        attention_output,
        attention_norm,
    }
}
