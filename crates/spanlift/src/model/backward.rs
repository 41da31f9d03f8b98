//! The walk back: multipliers from the logits to the words, a rule an operation. The same list as `forward.rs`,
//! read up, with the scores taken at each cut on the way; METHOD sections 2, 3 and 6.

use std::borrow::Cow;

use super::forward::forward_layer;
use super::trace::{BottleneckTrace, LayerTrace, Layout, Part, Trace};
use super::{
    Bottleneck, BottleneckSite, Encoder, FeedForward, Layer, LayerSite, Projections, Scores, Site,
    Taps,
};
use crate::attribute::rules::{
    ActivationRule, LayerNormRule, LinearRule, ProductRule, Rules, SoftmaxRule, SumRule,
};
use crate::ops::attention::{EdgeSink, Pairs, Pass, Through};
use crate::ops::contribution::{Contribution, by_head, by_row};
use crate::ops::product::View;
use crate::ops::rows::{picked, spread};
use crate::ops::{
    Matrix, Real, activation, attention, embedding, feed_forward, linear, norm, softmax, sum,
};

/// What one walk found, for the N packed tokens.
#[derive(Clone, Debug)]
pub struct Walk<E> {
    /// At the word embeddings; (N).
    pub words: Vec<Contribution>,
    /// Layer by layer, from the first.
    pub layers: Vec<WalkLayer<E>>,
    /// At the final hidden states; (N).
    pub output: Vec<Contribution>,
}

/// What one walk found in one layer.
#[derive(Clone, Debug)]
pub struct WalkLayer<E> {
    /// At the layer's input; (N).
    pub cut: Vec<Contribution>,
    /// Through the heads' context vectors; (N, A) row by row.
    pub heads: Vec<f64>,
    /// Past the attention, through its residual connection and MobileBERT's around the layer; (N).
    pub residual: Vec<Contribution>,
    /// Through the feed-forward block (the last, where a layer has several); (N).
    pub mlp: Vec<Contribution>,
    /// Past that block, through its residual connection and MobileBERT's around the layer; (N).
    pub mlp_residual: Vec<Contribution>,
    /// What was made of each head's edges, the heads of the first sequence first.
    pub edges: Vec<E>,
}

/// Where a head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The layer, from 0.
    pub layer: usize,
    /// The sequence, from 0.
    pub sequence: usize,
    /// The head, from 0.
    pub head: usize,
}

/// Walks back from the logits' multipliers `m_logits` (N, 2), u in column 0 and v in column 1. `edges` gives what takes
/// the edge scores of each head; all these are kept.
pub fn backward<T: Real, E: EdgeSink<T>>(
    encoder: &Encoder<T>,
    layout: &Layout,
    parts: [&Part<'_, T>; 2],
    rules: Rules,
    m_logits: &Matrix<T>,
    edges: impl Fn(Place) -> E + Sync,
) -> Walk<E> {
    walk(encoder, layout, parts, rules, m_logits, edges, &mut Scores)
}

/// The same, and `taps` takes what it wants on the way (with [`Taps::SCORES`] not of the span head, where the last layer is walked for
/// the target's tokens alone).
///
/// # Panics
///
/// Where the last layer of a pass was computed for other tokens alone than those whose logits have multipliers, or for some tokens and
/// [`Taps::SCORES`] is not set: the parameters' gradients need all. Where it wants nothing below some layer, the walk ends there, and what lies
/// below has no place in the lists.
pub fn walk<T: Real, E: EdgeSink<T>, X: Taps<T>>(
    encoder: &Encoder<T>,
    layout: &Layout,
    parts: [&Part<'_, T>; 2],
    rules: Rules,
    m_logits: &Matrix<T>,
    edges: impl Fn(Place) -> E + Sync,
    taps: &mut X,
) -> Walk<E> {
    let LinearRule::Linear = rules.linear;
    let SumRule::Identity = rules.sum;
    let traces = parts.map(Part::trace);
    // Of a few tokens alone the parameters' gradients would lack the others.
    let last = Wanted::of(encoder, layout, m_logits).filter(|_| X::SCORES);
    let tokens = m_logits.rows();
    let (mut m, output) = match &last {
        None => {
            let [x, x0] = both_of(parts, traces.map(|trace| &trace.output));
            taps.linear(Site::Head, x, m_logits.view());
            let m = linear::multiplier(&encoder.qa_outputs, m_logits);
            let output = scores::<T, X>(&m, x, x0);
            (m, output)
        }
        Some(last) => {
            let m_logits = picked(m_logits.view(), &last.rows);
            let m = linear::multiplier(&encoder.qa_outputs, &m_logits);
            let [x, x0] = parts.map(|part| part.output(&last.tokens, &last.rows));
            let output = by_row(&m, x.view(), x0.view());
            (m, last.spread(output, tokens))
        }
    };

    let mut layers = Vec::with_capacity(encoder.layers.len());
    for (l, layer) in encoder.layers.iter().enumerate().rev() {
        if !taps.reach(l) {
            break;
        }
        let edges = |sequence, head| {
            edges(Place {
                layer: l,
                sequence,
                head,
            })
        };
        let again = Again::of(encoder, traces, l);
        let pair = Pair {
            parts,
            layers: again.layers(traces, l),
        };
        let wanted = last.as_ref().filter(|_| l + 1 == encoder.layers.len());
        layers.push(match wanted {
            None => backward_layer(
                encoder,
                (layer, l),
                layout,
                pair,
                None,
                rules,
                &mut m,
                edges,
                taps,
            ),
            Some(wanted) => {
                let pruned = [0, 1].map(|end| pair.pruned_to(end, wanted, encoder.config.heads));
                let [x, x0] = &pruned;
                let behind = Pair {
                    parts: [&x.1, &x0.1],
                    layers: [&x.0, &x0.0],
                };
                let walked = backward_layer(
                    encoder,
                    (layer, l),
                    layout,
                    pair,
                    Some((wanted, behind)),
                    rules,
                    &mut m,
                    edges,
                    taps,
                );
                for (layer, _) in pruned {
                    if let Cow::Owned(layer) = layer {
                        layer.recycle();
                    }
                }
                walked
            }
        });
        again.recycle();
    }
    layers.reverse();

    if layers.len() < encoder.layers.len() {
        m.recycle();
        return Walk {
            words: Vec::new(),
            layers,
            output,
        };
    }

    let embeddings = &encoder.embeddings;
    let kept = traces.map(|trace| &trace.embedding_norm);
    if let Some(projection) = &embeddings.embeddings_project {
        if taps.wants(Site::EmbeddingsProject) {
            let normed = norm::again(&embeddings.norm, kept[0]);
            let dropped = taps.before_dropout(Site::EmbeddingNorm, &normed);
            let x = dropped.as_ref().unwrap_or(&normed);
            taps.linear(Site::EmbeddingsProject, x.view(), m.view());
        }
        m = linear::multiplier(projection, &m);
    }
    if let Some(before) = taps.before_dropout(Site::EmbeddingNorm, &m) {
        m = before;
    }
    tap_norm(taps, Site::EmbeddingNorm, kept[0], &m, |_| {
        embedded(encoder, layout, parts[0].of(&traces[0].words))
    });
    norm::multiplier(
        &embeddings.norm,
        norm_ends(rules.layer_norm, parts, kept),
        &mut m,
    );
    if let Some(projection) = &embeddings.embed_proj {
        if taps.wants(Site::EmbedProj) {
            let sum = embedded(encoder, layout, parts[0].of(&traces[0].words));
            taps.linear(Site::EmbedProj, sum.view(), m.view());
        }
        m = linear::multiplier(projection, &m);
    }
    let [x, x0] = both_of(parts, traces.map(|trace| &trace.words));
    taps.embeddings(&[Site::Positions, Site::Segments], &m);
    if let Some(dense) = &embeddings.embedding_transformation {
        if taps.wants(Site::EmbeddingTransformation) {
            let trigrams = embedding::trigrams(&owned(x), &layout.starts);
            taps.linear(Site::EmbeddingTransformation, trigrams.view(), m.view());
        }
        m = embedding::trigrams_multiplier(&linear::multiplier(dense, &m), &layout.starts);
    }
    taps.embeddings(&[Site::Words], &m);
    let words = scores::<T, X>(&m, x, x0);
    m.recycle();
    Walk {
        words,
        layers,
        output,
    }
}

/// A layer of the passes that kept its input alone, made again.
struct Again<T> {
    input: Option<LayerTrace<T>>,
    /// None where both are of one pass.
    reference: Option<LayerTrace<T>>,
}

impl<T: Real> Again<T> {
    fn of(encoder: &Encoder<T>, [x, x0]: [&Trace<T>; 2], l: usize) -> Self {
        let make = |trace: &Trace<T>| {
            let resid_pre = trace.resid_pre.get(l)?;
            let layer = &encoder.layers[l];
            let mut x = Matrix::reused(resid_pre.rows(), resid_pre.cols());
            x.data_mut().copy_from_slice(resid_pre.data());
            // Of the pruned sequences the rest was kept.
            let last = l + 1 == encoder.layers.len();
            let pruned = trace.pruned.as_ref().filter(|_| last);
            let sequences = pruned.map_or(trace.layout.sequences(), |pruned| pruned.from);
            let (next, made) = forward_layer(encoder, layer, &trace.layout, x, sequences, None);
            next.recycle();
            Some(made)
        };
        Self {
            input: make(x),
            reference: if std::ptr::eq(x, x0) { None } else { make(x0) },
        }
    }

    fn layers<'a>(&'a self, [x, x0]: [&'a Trace<T>; 2], l: usize) -> [&'a LayerTrace<T>; 2] {
        let input = self.input.as_ref().unwrap_or_else(|| &x.layers[l]);
        let reference = match &self.reference {
            Some(made) => made,
            None if std::ptr::eq(x, x0) => input,
            None => &x0.layers[l],
        };
        [input, reference]
    }

    fn recycle(self) {
        let made = [self.input, self.reference];
        made.into_iter().flatten().for_each(LayerTrace::recycle);
    }
}

/// The tokens that the target is of: in the last layer nothing else matters behind the keys and values; METHOD section 6.
struct Wanted {
    /// Of each sequence.
    tokens: Vec<Vec<usize>>,
    /// The same among the packed tokens.
    rows: Vec<usize>,
}

impl Wanted {
    /// `None` where the layer is not built so.
    fn of<T: Real>(encoder: &Encoder<T>, layout: &Layout, m_logits: &Matrix<T>) -> Option<Self> {
        if !encoder.prunes() {
            return None;
        }
        let matters = |&i: &usize| m_logits.row(i).iter().any(|&m| m != T::ZERO);
        let of = |b: usize| {
            let start = layout.starts[b];
            let rows = layout.tokens(b).filter(matters);
            rows.map(|i| i - start).collect()
        };
        let tokens: Vec<Vec<usize>> = (0..layout.sequences()).map(of).collect();
        let rows = layout.rows(0, &tokens);
        Some(Self { tokens, rows })
    }

    /// Of all tokens, from those of the wanted.
    fn spread(&self, of: Vec<Contribution>, tokens: usize) -> Vec<Contribution> {
        let mut all = vec![Contribution::default(); tokens];
        for (&row, one) in self.rows.iter().zip(of) {
            all[row] = one;
        }
        all
    }
}

/// A layer of both passes, and which rows of each.
#[derive(Clone, Copy)]
struct Pair<'a, T> {
    parts: [&'a Part<'a, T>; 2],
    layers: [&'a LayerTrace<T>; 2],
}

impl<'a, T: Real> Pair<'a, T> {
    /// A matrix of each.
    fn of(&self, matrix: impl Fn(&'a LayerTrace<T>) -> &'a Matrix<T>) -> [View<'a, T>; 2] {
        both_of(self.parts, self.layers.map(matrix))
    }

    /// What stands behind the keys and values in the pass at one end, for the wanted tokens alone.
    fn pruned_to(
        &self,
        end: usize,
        wanted: &Wanted,
        heads: usize,
    ) -> (Cow<'a, LayerTrace<T>>, Part<'a, T>) {
        let (part, layer) = (self.parts[end], self.layers[end]);
        part.pruned_to(layer, &wanted.tokens, &wanted.rows, heads)
    }

    /// The two ends that the rule takes a norm at.
    fn norm(
        &self,
        rule: LayerNormRule,
        kept: impl Fn(&'a LayerTrace<T>) -> &'a norm::Kept<T>,
    ) -> norm::Ends<'a, T> {
        norm_ends(rule, self.parts, self.layers.map(kept))
    }
}

/// `m`: of the layer's output, and on return of its input; (N, H). `pruned`: where the output matters for some tokens alone,
/// these and what they need; then `m` is of them at first.
fn backward_layer<T: Real, E: EdgeSink<T>, X: Taps<T>>(
    encoder: &Encoder<T>,
    (layer, l): (&Layer<T>, usize),
    layout: &Layout,
    pair: Pair<'_, T>,
    pruned: Option<(&Wanted, Pair<'_, T>)>,
    rules: Rules,
    m: &mut Matrix<T>,
    edges: impl Fn(usize, usize) -> E + Sync,
    taps: &mut X,
) -> WalkLayer<E> {
    let (wanted, behind) = match pruned {
        Some((wanted, behind)) => (Some(wanted), behind),
        None => (None, pair),
    };
    // MobileBERT's connection around the whole layer, and what goes past everything in it.
    let mut around = None;
    let mut past = Vec::new();
    if let (Projections::Bottleneck(bottleneck), Some(kept)) =
        (&layer.projections, kept(pair.layers))
    {
        let out = Site::Layer(l, LayerSite::Bottleneck(BottleneckSite::Output));
        let over = Site::Layer(l, LayerSite::Bottleneck(BottleneckSite::OutputNorm));
        let [x, x0] = pair.of(|layer| &layer.resid_pre);
        let narrow = || behind_blocks(layer, pair);
        tap_norm(taps, over, &kept[0].output_norm, m, |taps| {
            let wide = linear::forward(&bottleneck.output, &narrow());
            let mut wide = taps.before_dropout(out, &wide).unwrap_or(wide);
            sum::forward(&mut wide, &owned(x));
            wide
        });
        let ends = kept.map(|kept| &kept.output_norm);
        let ends = norm_ends(rules.layer_norm, pair.parts, ends);
        norm::multiplier(&bottleneck.output_norm, ends, m);
        past = scores::<T, X>(m, x, x0);
        let dropped = taps.before_dropout(out, m);
        let m_out = dropped.as_ref().unwrap_or(m);
        if taps.wants(out) {
            taps.linear(out, narrow().view(), m_out.view());
        }
        let narrow = linear::multiplier(&bottleneck.output, m_out);
        around = Some((bottleneck, kept, std::mem::replace(m, narrow)));
    }

    let mut mlps = Vec::with_capacity(layer.feed_forwards.len());
    for (at, feed_forward) in layer.feed_forwards.iter().enumerate().rev() {
        let at = (at, l);
        mlps.push(backward_mlp(
            encoder,
            (layer, feed_forward),
            behind,
            at,
            rules,
            m,
            taps,
        ));
    }
    let (mlp, mlp_residual) = mlps.swap_remove(0);

    let site = |site| Site::Layer(l, site);
    let kept = &behind.layers[0].attention_norm;
    let [inner, _] = pair.of(LayerTrace::inner);
    tap_norm(taps, site(LayerSite::AttentionNorm), kept, m, |_| {
        let [ctx, _] = behind.of(|layer| &layer.ctx);
        let mut attn_out = linear::forward(&layer.attention_output, &owned(ctx));
        sum::forward(&mut attn_out, &owned(inner));
        attn_out
    });
    let ends = behind.norm(rules.layer_norm, |layer| &layer.attention_norm);
    norm::multiplier(&layer.attention_norm, ends, m);
    let [x, x0] = pair.of(LayerTrace::inner);
    let residual = match wanted {
        None => scores::<T, X>(m, x, x0),
        Some(wanted) => {
            let [x, x0] = [x, x0].map(|x| picked(x, &wanted.rows));
            by_row(m, x.view(), x0.view())
        }
    };
    // As in forward: within a bottleneck no hidden unit is dropped.
    let dropped = match layer.projections {
        Projections::Joint(_) => taps.before_dropout(site(LayerSite::AttentionOutput), m),
        Projections::Bottleneck(_) => None,
    };
    let m_out = dropped.as_ref().unwrap_or(m);
    let m_ctx = linear::multiplier(&layer.attention_output, m_out);
    let [x, x0] = behind.of(|layer| &layer.ctx);
    taps.linear(site(LayerSite::AttentionOutput), x, m_out.view());
    let heads = if X::SCORES {
        by_head(&m_ctx, x, x0, encoder.config.heads)
    } else {
        Vec::new()
    };
    let qkv = pair.of(|layer| &layer.qkv);
    let passes = [0, 1].map(|end| Pass {
        qkv: qkv[end],
        heads: behind.parts[end].heads(
            &behind.layers[end].heads,
            encoder.config.heads,
            layout.sequences(),
        ),
    });
    let (product, softmax) = attention_ends(rules);
    let pairs = Pairs {
        passes,
        product,
        softmax,
        dropped: taps.dropped_probs(l),
    };
    let (m_qkv, edges) = attention::multiplier(
        &pairs,
        &layout.starts,
        encoder.config.heads,
        layer.relative.as_ref(),
        &m_ctx,
        wanted.map(|wanted| &wanted.tokens[..]),
        edges,
    );
    m_ctx.recycle();
    let tokens = layout.segments.len();
    if let Some(wanted) = wanted {
        *m = spread(m, &wanted.rows, tokens);
    }
    if let Projections::Joint(qkv) = &layer.projections {
        let [x, _] = pair.of(|layer| &layer.resid_pre);
        taps.linear(site(LayerSite::Qkv), x, m_qkv.view());
        linear::multiplier_onto(qkv, m_qkv.view(), m);
    }
    if let Some((bottleneck, kept, m_around)) = around {
        let m_inner = std::mem::replace(m, m_around);
        backward_bottleneck((bottleneck, l), kept, pair, rules, &m_qkv, m_inner, m, taps);
    }
    m_qkv.recycle();
    let [x, x0] = pair.of(|layer| &layer.resid_pre);
    let cut = scores::<T, X>(m, x, x0);
    let all = |of: Vec<Contribution>| match wanted {
        None => of,
        Some(wanted) => wanted.spread(of, tokens),
    };
    let heads = match wanted {
        None => heads,
        Some(wanted) => {
            let each = encoder.config.heads;
            let mut all = vec![0.0; tokens * each];
            for (&row, heads) in wanted.rows.iter().zip(heads.chunks_exact(each)) {
                all[row * each..(row + 1) * each].copy_from_slice(heads);
            }
            all
        }
    };
    WalkLayer {
        cut,
        heads,
        residual: both(all(residual), &past),
        mlp: all(mlp),
        mlp_residual: both(all(mlp_residual), &past),
        edges,
    }
}

/// `m`: of the output of the block `at` of layer `l`, and on return of its input; (N, I). Gives what went through the block and
/// past it.
fn backward_mlp<T: Real, X: Taps<T>>(
    encoder: &Encoder<T>,
    (layer, weights): (&Layer<T>, &FeedForward<T>),
    pair: Pair<'_, T>,
    (at, l): (usize, usize),
    rules: Rules,
    m: &mut Matrix<T>,
    taps: &mut X,
) -> (Vec<Contribution>, Vec<Contribution>) {
    let blocks = layer.feed_forwards.len();
    let [into, out, over] = LayerSite::of_block(at, blocks).map(|site| Site::Layer(l, site));
    let kept = &pair.layers[0].feed_forwards[at].mlp_norm;
    tap_norm(taps, over, kept, m, |_| summed(pair, at));
    let ends = pair.norm(rules.layer_norm, |layer| &layer.feed_forwards[at].mlp_norm);
    norm::multiplier(&weights.norm, ends, m);
    let [x, x0] = pair.of(|layer| &layer.feed_forwards[at].mlp_out);
    let mlp = scores::<T, X>(m, x, x0);
    let [y, y0] = pair.of(|layer| &layer.feed_forwards[at].resid_mid);
    let mlp_residual = scores::<T, X>(m, y, y0);
    let f = encoder.config.activation;
    let [u, u0] = pair.of(|layer| &layer.feed_forwards[at].mlp_pre);
    let dropped = match layer.projections {
        Projections::Joint(_) => taps.before_dropout(out, m),
        Projections::Bottleneck(_) => None,
    };
    let m_out = dropped.as_ref().unwrap_or(m);
    if taps.wants(out) {
        let act = activation::of_rows(f, u);
        taps.linear(out, act.view(), m_out.view());
        act.recycle();
    }
    let mut m_act = feed_forward::multiplier_of_output(&weights.output, m_out);
    match rules.activation {
        ActivationRule::Rescale | ActivationRule::Gradient => {
            let from = match rules.activation {
                ActivationRule::Gradient => u,
                ActivationRule::Rescale | ActivationRule::RevealCancel => u0,
            };
            activation::multiplier(f, u, from, &mut m_act);
            let m_u = m_act.view().block(0..u.rows(), 0..u.cols());
            taps.linear(into, y, m_u);
            linear::multiplier_onto(&weights.intermediate, m_u, m);
            m_act.recycle();
        }
        ActivationRule::RevealCancel => {
            let through =
                feed_forward::multiplier(f, &weights.intermediate, (y, u), (y0, u0), m_act);
            sum::forward(m, &through);
        }
    }
    (mlp, mlp_residual)
}

/// Adds to `m`, of the input (N, H) of layer `l`, what comes through the bottleneck: `m_inner` (N, I) of what the attention
/// was added to, and m_qkv (N, 3I).
fn backward_bottleneck<T: Real, X: Taps<T>>(
    (bottleneck, l): (&Bottleneck<T>, usize),
    kept: [&BottleneckTrace<T>; 2],
    pair: Pair<'_, T>,
    rules: Rules,
    m_qkv: &Matrix<T>,
    mut m_inner: Matrix<T>,
    m: &mut Matrix<T>,
    taps: &mut X,
) {
    let site = |site| Site::Layer(l, LayerSite::Bottleneck(site));
    let [x, _] = pair.of(|layer| &layer.resid_pre);
    let width = m_inner.cols();
    let third = |at: usize| {
        m_qkv
            .view()
            .block(0..m_qkv.rows(), at * width..(at + 1) * width)
    };
    if taps.wants(site(BottleneckSite::Query)) || taps.wants(site(BottleneckSite::Key)) {
        let shared = linear::forward(&bottleneck.attention, &owned(x));
        let (shared, _) = norm::forward(&bottleneck.attention_norm, shared);
        taps.linear(site(BottleneckSite::Query), shared.view(), third(0));
        taps.linear(site(BottleneckSite::Key), shared.view(), third(1));
    }
    taps.linear(site(BottleneckSite::Value), x, third(2));

    let mut m_shared = Matrix::zeros(m_inner.rows(), width);
    linear::multiplier_from(&bottleneck.query, m_qkv, 0, &mut m_shared);
    linear::multiplier_from(&bottleneck.key, m_qkv, 1, &mut m_shared);
    linear::multiplier_from(&bottleneck.value, m_qkv, 2, m);
    let over = site(BottleneckSite::AttentionNorm);
    tap_norm(taps, over, &kept[0].shared_norm, &m_shared, |_| {
        linear::forward(&bottleneck.attention, &owned(x))
    });
    let shared = norm_ends(
        rules.layer_norm,
        pair.parts,
        kept.map(|kept| &kept.shared_norm),
    );
    norm::multiplier(&bottleneck.attention_norm, shared, &mut m_shared);
    taps.linear(site(BottleneckSite::Attention), x, m_shared.view());
    linear::multiplier_onto(&bottleneck.attention, m_shared.view(), m);
    let over = site(BottleneckSite::InputNorm);
    tap_norm(taps, over, &kept[0].inner_norm, &m_inner, |_| {
        linear::forward(&bottleneck.input, &owned(x))
    });
    let inner = norm_ends(
        rules.layer_norm,
        pair.parts,
        kept.map(|kept| &kept.inner_norm),
    );
    norm::multiplier(&bottleneck.input_norm, inner, &mut m_inner);
    taps.linear(site(BottleneckSite::Input), x, m_inner.view());
    linear::multiplier_onto(&bottleneck.input, m_inner.view(), m);
}

/// A norm's tap. A NoNorm keeps nothing: its input, where it is wanted, is made again.
fn tap_norm<T: Real, X: Taps<T>>(
    taps: &mut X,
    site: Site,
    kept: &norm::Kept<T>,
    m: &Matrix<T>,
    input: impl FnOnce(&X) -> Matrix<T>,
) {
    match kept {
        norm::Kept::LayerNorm(_) => taps.norm(site, kept, m),
        norm::Kept::NoNorm if taps.wants(site) => {
            let x = input(taps);
            taps.no_norm(site, x.view(), m);
        }
        norm::Kept::NoNorm => {}
    }
}

/// The sum that the norm of block `at` is of; (N, I).
fn summed<T: Real>(pair: Pair<'_, T>, at: usize) -> Matrix<T> {
    let [out, _] = pair.of(|layer| &layer.feed_forwards[at].mlp_out);
    let [mid, _] = pair.of(|layer| &layer.feed_forwards[at].resid_mid);
    let mut all = owned(out);
    sum::forward(&mut all, &owned(mid));
    all
}

/// What a layer's blocks give, (N, I), made again.
fn behind_blocks<T: Real>(layer: &Layer<T>, pair: Pair<'_, T>) -> Matrix<T> {
    let last = layer.feed_forwards.len() - 1;
    norm::forward(&layer.feed_forwards[last].norm, summed(pair, last)).0
}

/// The sum of the embeddings, (N, H), made again.
fn embedded<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: View<'_, T>) -> Matrix<T> {
    let embeddings = &encoder.embeddings;
    let words = owned(words);
    let mut x = match &embeddings.embedding_transformation {
        Some(dense) => linear::forward(dense, &embedding::trigrams(&words, &layout.starts)),
        None => words,
    };
    embedding::forward(embeddings, &layout.positions, &layout.segments, &mut x);
    x
}

fn owned<T: Real>(view: View<'_, T>) -> Matrix<T> {
    let mut owned = Matrix::zeros(view.rows(), view.cols());
    for i in 0..view.rows() {
        owned.row_mut(i).copy_from_slice(view.row(i));
    }
    owned
}

/// What the bottleneck kept in both passes.
fn kept<T>(layers: [&LayerTrace<T>; 2]) -> Option<[&BottleneckTrace<T>; 2]> {
    let [x, x0] = layers.map(|layer| layer.bottleneck.as_ref());
    Some([x?, x0?])
}

/// The contributions of each token, where they are wanted.
fn scores<T: Real, X: Taps<T>>(
    m: &Matrix<T>,
    x: View<'_, T>,
    x0: View<'_, T>,
) -> Vec<Contribution> {
    if X::SCORES {
        by_row(m, x, x0)
    } else {
        Vec::new()
    }
}

/// The contributions of two ways of each token; `more` may be of none.
fn both(mut contributions: Vec<Contribution>, more: &[Contribution]) -> Vec<Contribution> {
    for (c, more) in contributions.iter_mut().zip(more) {
        c.positive += more.positive;
        c.negative += more.negative;
    }
    contributions
}

/// Of a matrix of each pass, the rows of its part.
fn both_of<'a, T: Real>(parts: [&Part<'_, T>; 2], [x, x0]: [&'a Matrix<T>; 2]) -> [View<'a, T>; 2] {
    [parts[0].of(x), parts[1].of(x0)]
}

/// What the rules take the products of an attention at, and how they pass its softmax.
fn attention_ends(rules: Rules) -> (attention::Ends, Through) {
    let product = match rules.product {
        ProductRule::Shapley => [0, 1],
        ProductRule::Gradient => [0, 0],
    };
    match rules.softmax {
        SoftmaxRule::LogMean => (product, Through::LogMean([0, 1])),
        SoftmaxRule::Path => (product, Through::Path(softmax::POINTS)),
        SoftmaxRule::Gradient => (product, Through::LogMean([0, 0])),
        // P is that of the input, and PV linear in V; nothing comes to QKᵀ.
        SoftmaxRule::Fixed => ([0, 0], Through::Fixed),
    }
}

/// The two ends that the rule takes a norm at.
fn norm_ends<'a, T: Real>(
    rule: LayerNormRule,
    parts: [&Part<'_, T>; 2],
    [x, x0]: [&'a norm::Kept<T>; 2],
) -> norm::Ends<'a, T> {
    let x = (x, parts[0].first());
    match rule {
        LayerNormRule::MeanSigma => norm::Ends::Mean([x, (x0, parts[1].first())]),
        LayerNormRule::Gradient => norm::Ends::Mean([x, x]),
        LayerNormRule::FixedSigma => norm::Ends::Fixed(x),
    }
}
