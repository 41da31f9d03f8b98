//! Attention, forward and back, and the softmax inside it.

use std::hint::black_box;

use rayon::prelude::*;
use spanlift::ops::attention::{EdgeSink, Edges, Pairs, Pass, Through};
use spanlift::ops::{Matrix, attention, softmax};

use super::plain::{self, Rows};
use super::{Bench, KINDS, Sizes, Work, off, some};

/// A head's columns.
fn columns(head: usize, width: usize) -> std::ops::Range<usize> {
    head * width..(head + 1) * width
}

/// Edges that are made, and left.
struct Left(bool);

impl EdgeSink<f32> for Left {
    fn wanted(&self) -> bool {
        self.0
    }

    fn take(&mut self, _: &[usize], pattern: &Matrix<f32>, content: &Matrix<f32>) {
        black_box((pattern, content));
    }
}

impl Bench {
    pub(crate) fn attention(&mut self) {
        let Sizes {
            tokens: s,
            hidden,
            heads,
            layers,
            ..
        } = self.sizes;
        let (width, starts) = (hidden / heads, [0, s, 2 * s]);
        // Scores of a size that gives attention with a shape.
        let mut qkv = self.matrix(2 * s, 3 * hidden);
        qkv.data_mut().iter_mut().for_each(|x| *x *= 2.0);
        let m_ctx = self.matrix(s, hidden);
        let (ctx, kept) = attention::forward(qkv.view(), &starts, heads, None, None, None);
        let tested = [0, heads - 1].map(|head| {
            let part = |pass: usize, part| {
                let columns = columns(part * heads + head, width);
                plain::rows(&qkv, pass * s..(pass + 1) * s, columns)
            };
            let qkv = [0, 1].map(|pass| [0, 1, 2].map(|at| part(pass, at)));
            let m_o = plain::rows(&m_ctx, 0..s, columns(head, width));
            (head, plain::Head { qkv, m_o })
        });
        let mut worst: f64 = 0.0;
        for (head, plain) in &tested {
            for pass in [0, 1] {
                let got = plain::rows(&ctx, pass * s..(pass + 1) * s, columns(*head, width));
                worst = worst.max(off(&got, &plain.ctx(pass)));
            }
        }
        let product = 2.0 * (s * s * hidden) as f64;
        let name = format!("attention, 2 sequences of {s}");
        let work = Work::Product(2.0 * 2.0 * product);
        self.time(
            (KINDS[2], layers, &name),
            work,
            worst,
            || (),
            |()| {
                let (ctx, kept) = attention::forward(qkv.view(), &starts, heads, None, None, None);
                ctx.recycle();
                kept.into_iter().for_each(|head| head.shifted.recycle());
            },
        );

        let pass = |at: usize| Pass {
            qkv: qkv.view().block(at * s..(at + 1) * s, 0..3 * hidden),
            heads: &kept[at * heads..(at + 1) * heads],
        };
        let pairs = Pairs {
            passes: [pass(0), pass(1)],
            product: [0, 1],
            softmax: Through::LogMean([0, 1]),
            dropped: None,
        };
        let (m_qkv, edges) =
            attention::multiplier(&pairs, &[0, s], heads, None, &m_ctx, None, |_, _| {
                Edges::new(s)
            });
        let mut worst: f64 = 0.0;
        for (head, plain) in &tested {
            let want = plain.back();
            for (part, want) in want.m_qkv.iter().enumerate() {
                let got = plain::rows(&m_qkv, 0..s, columns(part * heads + head, width));
                worst = worst.max(off(&got, want));
            }
            let edges = &edges[*head];
            worst = worst.max(off(&plain::rows(&edges.pattern, 0..s, 0..s), &want.pattern));
            worst = worst.max(off(&plain::rows(&edges.content, 0..s, 0..s), &want.content));
        }
        for (wanted, products, each) in [(false, 4.0, 0), (true, 5.0, layers - 1)] {
            let with = if wanted { "with edges" } else { "no edges" };
            let name = format!("attention back, {s}, {with}");
            let work = Work::Product(products * product);
            let run = |()| {
                let sink = |_, _| Left(wanted);
                let (m_qkv, _) =
                    attention::multiplier(&pairs, &[0, s], heads, None, &m_ctx, None, sink);
                m_qkv.recycle();
            };
            self.time((KINDS[3], each, &name), work, worst, || (), run);
        }
    }

    pub(crate) fn softmax(&mut self) {
        let Sizes {
            tokens: s, heads, ..
        } = self.sizes;
        let rows = heads * s;
        let scores = [0; 2].map(|_| {
            let mut scores = self.matrix(rows, s);
            scores.data_mut().iter_mut().for_each(|x| *x *= 4.0);
            scores
        });
        let m = self.matrix(rows, s);
        let few = some(rows);
        let part = |matrix: &Matrix<f32>| plain::rows(matrix, few.clone(), 0..s);
        let forward = |at: usize, shifted: &mut Matrix<f32>, p: &mut Matrix<f32>| -> Vec<f32> {
            let both = shifted
                .data_mut()
                .par_chunks_mut(s)
                .zip(p.data_mut().par_chunks_mut(s));
            both.with_min_len(8)
                .enumerate()
                .map(|(i, (shifted, p))| softmax::forward(scores[at].row(i), shifted, p))
                .collect()
        };
        // p, s − max s, Z of both passes.
        let kept = [0, 1].map(|at| {
            let [mut shifted, mut p] = [(); 2].map(|()| Matrix::zeros(rows, s));
            let z = forward(at, &mut shifted, &mut p);
            (p, shifted, z)
        });
        let want: Rows = part(&scores[0])
            .iter()
            .map(|s| plain::softmax(s)[0].clone())
            .collect();
        let worst = off(&part(&kept[0].0), &want);
        let [mut shifted, mut p] = [(); 2].map(|()| Matrix::zeros(rows, s));
        let name = format!("softmax, {rows} rows of {s}");
        let work = Work::Pass(rows * s, 3);
        self.time(
            ("", 0, &name),
            work,
            worst,
            || (),
            |()| {
                forward(0, &mut shifted, &mut p);
            },
        );

        let back = |mut m: Matrix<f32>| {
            let scratch = || vec![0.0; s];
            let one = |scratch: &mut Vec<f32>, (i, m): (usize, &mut [f32])| {
                let [row, row0] = kept.each_ref().map(|(p, shifted, z)| softmax::Row {
                    p: p.row(i),
                    shifted: shifted.row(i),
                    log_z: z[i].ln(),
                });
                softmax::multiplier(row, row0, m, scratch);
            };
            let chunks = m.data_mut().par_chunks_mut(s).enumerate().with_min_len(8);
            chunks.for_each_init(scratch, one);
            m
        };
        let (s0, s1, m_p) = (part(&scores[0]), part(&scores[1]), part(&m));
        let one = |i: usize| plain::softmax_multiplier(&s0[i], &s1[i], &m_p[i]).0;
        let want: Rows = (0..m_p.len()).map(one).collect();
        let worst = off(&part(&back(m.clone())), &want);
        let name = format!("softmax back, {rows} rows of {s}");
        let work = Work::Pass(rows * s, 6);
        self.time(("", 0, &name), work, worst, || m.clone(), back);
    }
}
