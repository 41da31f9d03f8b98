//! The scores of each packed question, by the method that was asked for.

use spanlift_explanation::{Texts, words_of};

use super::{Explainer, Options, PACK_BYTES, Ready};
use crate::attribute::rules::Against;
use crate::attribute::{KeepEdges, Target, attribute};
use crate::methods::{
    Found, Method, Passes, Sequence, attention, integrated, lrp, occlusion, random,
};
use crate::model::{Layout, Trace, logits};
use crate::ops::attention::Head;
use crate::ops::{Matrix, Real, embedding};

impl<T: Real> Explainer<T> {
    /// One for each packed item. But for a walk each is made by itself, so that its scores do not depend on the others.
    pub(super) fn found(
        &self,
        ready: &[Ready<'_, T>],
        layout: &Layout,
        input: &Trace<T>,
        targets: &[Target],
        options: &Options,
    ) -> Vec<Found<T>> {
        let preset = options.preset;
        if options.method == Method::Walk && preset.against == Against::Zero {
            let zeros = lrp::zeros(input);
            let encoder = &self.checkpoint.encoder;
            let keep = KeepEdges::None;
            let found = attribute(encoder, layout, input, &zeros, targets, preset.rules, keep);
            zeros.recycle();
            let passes = Passes {
                forward: 1,
                backward: 1,
            };
            let found = found.into_iter().map(|attribution| Found {
                attribution,
                passes,
                chosen: [].into(),
            });
            return found.collect();
        }
        if options.method == Method::Walk {
            let references = options.reference.count().max(1);
            let found = self.walk(ready, layout, input, targets, options);
            let passes = Passes {
                forward: 1 + references,
                backward: references,
            };
            let found = found.into_iter().map(|attribution| Found {
                attribution,
                passes,
                chosen: [].into(),
            });
            return found.collect();
        }
        let sequences = layout.sequences();
        (0..sequences)
            .map(|b| {
                let item = &ready[b];
                let words = self.word_tokens(item);
                // Those that the method does not look at have not been run.
                let references = if options.method.compares(preset) {
                    &item.references[..]
                } else {
                    &[]
                };
                let sequence =
                    self.sequence(item, references, &words, layout, b, input, targets[b]);
                match options.method {
                    Method::Walk => unreachable!("walked above"),
                    Method::IntegratedGradients(path) => {
                        let trace = self.trace_bytes(item.encoding.ids.len(), options) / 2;
                        integrated::scores(&sequence, path, PACK_BYTES / trace.max(1))
                    }
                    Method::Occlusion(unit) => occlusion::scores(&sequence, unit),
                    Method::Attention(flow) => {
                        let heads = self.checkpoint.encoder.config.heads;
                        let layers = input.layers.iter();
                        let layers: Vec<&[Head<T>]> = layers
                            .map(|layer| &layer.heads[b * heads..(b + 1) * heads])
                            .collect();
                        attention::scores(&sequence, flow, &layers)
                    }
                    Method::Random(seed) => random::scores(&sequence, seed),
                }
            })
            .collect()
    }

    fn word_tokens(&self, item: &Ready<'_, T>) -> Vec<std::ops::Range<usize>> {
        let family = self.checkpoint.encoder.config.family.name();
        let texts = Texts::of_parts(item.item.question, item.item.passage, family);
        let words = words_of(&texts, &item.encoding.tokens);
        words.into_iter().map(|word| word.tokens).collect()
    }

    fn sequence<'a>(
        &'a self,
        item: &'a Ready<'_, T>,
        references: &'a [Matrix<T>],
        word_tokens: &'a [std::ops::Range<usize>],
        layout: &Layout,
        b: usize,
        input: &Trace<T>,
        target: Target,
    ) -> Sequence<'a, T> {
        let encoder = &self.checkpoint.encoder;
        let encoding = &item.encoding;
        let (start, tokens) = (layout.starts[b], layout.segments.len());
        let own = Layout::new([&encoding.segments[..]]);
        let reference_values = references.iter().enumerate().map(|(r, words)| {
            if r == 0 {
                // Behind the inputs.
                target.value(&input.logits, tokens + start)
            } else {
                target.value(&logits(encoder, &own, words.clone()), 0)
            }
        });
        Sequence {
            encoder,
            segments: &encoding.segments,
            ids: &encoding.ids,
            words: embedding::words(&encoder.embeddings, &encoding.ids),
            references,
            target,
            value: target.value(&input.logits, start),
            reference_values: reference_values.collect(),
            word_tokens,
        }
    }
}
