//! What goes over rows without a product: embeddings, LayerNorm, GELU, contributions.

use rayon::prelude::*;
use spanlift::model::{Activation, LayerNorm, Norm};
use spanlift::ops::{Matrix, activation, contribution, embedding, layer_norm};

use super::plain::{self, Rows};
use super::{Bench, KINDS, Sizes, Work, off, some};

impl Bench {
    pub(crate) fn embeddings(&mut self) {
        let Sizes { tokens, hidden, .. } = self.sizes;
        let table = self.encoder.embeddings.clone();
        let words = table.word_embeddings.rows();
        let ids: Vec<u32> = (0..2 * tokens)
            .map(|i| ((i * 7919 + 13) % words) as u32)
            .collect();
        let positions: Vec<usize> = (0..2 * tokens).map(|i| i % tokens).collect();
        let segments: Vec<u32> = positions.iter().map(|&i| u32::from(i > 20)).collect();
        let run = || {
            let mut x = embedding::words(&table, &ids);
            embedding::forward(&table, &positions, &segments, &mut x);
            x
        };
        let row = |table: &Matrix<f32>, i: usize| plain::rows(table, [i], 0..hidden).remove(0);
        let [at, kind] = [&table.position_embeddings, &table.token_type_embeddings]
            .map(|table| table.as_ref().unwrap_or_else(|| unreachable!("BERT's")));
        let all = |i: usize| -> Vec<f64> {
            let word = row(&table.word_embeddings, ids[i] as usize);
            let rest = row(at, positions[i])
                .into_iter()
                .zip(row(kind, segments[i] as usize));
            let sums = word.into_iter().zip(rest);
            sums.map(|(word, (at, kind))| word + at + kind).collect()
        };
        let few = some(2 * tokens);
        let want: Rows = few.iter().map(|&i| all(i)).collect();
        let worst = off(&plain::rows(&run(), few, 0..hidden), &want);
        let name = format!("embeddings, {} rows", 2 * tokens);
        let op = (KINDS[7], 1, &*name);
        self.time(
            op,
            Work::Pass(2 * tokens * hidden, 4),
            worst,
            || (),
            |()| {
                run().recycle();
            },
        );
    }

    pub(crate) fn layer_norm(&mut self) {
        let Sizes {
            tokens: s,
            hidden,
            layers,
            ..
        } = self.sizes;
        let Norm::LayerNorm(norm) = self.encoder.layers[0].attention_norm.clone() else {
            unreachable!("BERT's");
        };
        let LayerNorm { weight, bias, eps } = &norm;
        let eps = f64::from(*eps);
        let [x1, x2] = [0; 2].map(|_| self.matrix(2 * s, hidden));
        let m = self.matrix(s, hidden);
        let few = some(s);
        let rows = |matrix: &Matrix<f32>, first: usize| {
            plain::rows(matrix, few.iter().map(|i| first + i), 0..hidden)
        };
        let sum = |first| plain::pairs(&rows(&x1, first), &rows(&x2, first), |a, b| a + b);
        let (x, x0) = (sum(0), sum(s));
        let (y, kept) = layer_norm::forward_of_sum(&norm, &x1, x2.view());
        let want: Rows = x
            .iter()
            .map(|x| plain::layer_norm(x, [weight, bias], eps))
            .collect();
        let worst = off(&rows(&y, 0), &want);
        let name = format!("LayerNorm of a sum, {} rows", 2 * s);
        let work = Work::Pass(2 * s * hidden, 4);
        self.time(
            (KINDS[4], 2 * layers, &name),
            work,
            worst,
            || (),
            |()| {
                let (y, kept) = layer_norm::forward_of_sum(&norm, &x1, x2.view());
                y.recycle();
                kept.n.recycle();
            },
        );

        let back = |mut m: Matrix<f32>| {
            layer_norm::multiplier(&norm, [(&kept, 0), (&kept, s)], &mut m);
            m
        };
        let m_y = rows(&m, 0);
        let one = |i: usize| plain::layer_norm_multiplier([&x[i], &x0[i]], weight, eps, &m_y[i]);
        let want: Rows = (0..m_y.len()).map(one).collect();
        let worst = off(&rows(&back(m.clone()), 0), &want);
        let name = format!("LayerNorm back, {s} rows");
        let op = (KINDS[4], 2 * layers - 1, &*name);
        self.time(op, Work::Pass(s * hidden, 4), worst, || m.clone(), back);
    }

    pub(crate) fn gelu(&mut self) {
        let Sizes {
            tokens: s,
            feed_forward,
            layers,
            ..
        } = self.sizes;
        let [u, u0] = [0; 2].map(|_| {
            let mut u = self.matrix(s, feed_forward);
            u.data_mut().iter_mut().for_each(|x| *x *= 3.0);
            u
        });
        let m = self.matrix(s, feed_forward);
        let few = some(s);
        let part = |matrix: &Matrix<f32>| plain::rows(matrix, few.clone(), 0..feed_forward);
        let mut g = Matrix::zeros(s, feed_forward);
        let forward = |g: &mut Matrix<f32>| {
            let both = g
                .data_mut()
                .par_chunks_mut(feed_forward)
                .zip(u.data().par_chunks(feed_forward));
            both.with_min_len(8)
                .for_each(|(g, u)| activation::forward(Activation::Gelu, u, g));
        };
        forward(&mut g);
        let worst = off(&part(&g), &plain::each(&part(&u), plain::gelu));
        let name = format!("GELU, {s} rows");
        let work = Work::Pass(s * feed_forward, 2);
        self.time(("", 0, &name), work, worst, || (), |()| forward(&mut g));

        let back = |mut m: Matrix<f32>| {
            activation::multiplier(Activation::Gelu, u.view(), u0.view(), &mut m);
            m
        };
        let slope = plain::pairs(&part(&u), &part(&u0), |u, u0| {
            (plain::gelu(u) - plain::gelu(u0)) / (u - u0)
        });
        let want = plain::pairs(&part(&m), &slope, |m, slope| m * slope);
        let worst = off(&part(&back(m.clone())), &want);
        let name = format!("GELU back, {s} rows");
        let op = (KINDS[5], layers - 1, &*name);
        self.time(
            op,
            Work::Pass(s * feed_forward, 4),
            worst,
            || m.clone(),
            back,
        );
    }

    pub(crate) fn contributions(&mut self) {
        let Sizes {
            tokens: s,
            hidden,
            heads,
            layers,
            ..
        } = self.sizes;
        let [m, x, x0] = [0; 3].map(|_| self.matrix(s, hidden));
        let all = [&m, &x, &x0].map(|matrix| plain::rows(matrix, 0..s, 0..hidden));
        let change = plain::pairs(&all[1], &all[2], |x, x0| x - x0);
        let terms = plain::pairs(&all[0], &change, |m, change| m * change);
        let group = |of: &dyn Fn(&[f64]) -> f64, width: usize| -> Rows {
            let one = |row: &Vec<f64>| row.chunks(width).map(of).collect();
            terms.iter().map(one).collect()
        };
        let want = group(&|terms| terms.iter().sum(), hidden);
        let found = contribution::by_row(&m, x.view(), x0.view());
        let got: Rows = found.iter().map(|c| vec![c.score()]).collect();
        let positive: Rows = found.iter().map(|c| vec![c.positive]).collect();
        let want_positive = group(&|terms| terms.iter().filter(|t| **t > 0.0).sum(), hidden);
        let worst = off(&got, &want).max(off(&positive, &want_positive));
        let work = || Work::Pass(s * hidden, 3);
        let name = format!("contributions by row, {s} rows");
        let op = (KINDS[6], 4 * layers - 1, &*name);
        let run = |()| contribution::by_row(&m, x.view(), x0.view());
        self.time(op, work(), worst, || (), run);

        let want = group(&|terms| terms.iter().sum(), hidden / heads);
        let run = |()| contribution::by_head(&m, x.view(), x0.view(), heads);
        let got: Rows = run(()).chunks(heads).map(<[f64]>::to_vec).collect();
        let name = format!("contributions by head, {s} rows");
        self.time(
            (KINDS[6], layers - 1, &name),
            work(),
            off(&got, &want),
            || (),
            run,
        );
    }
}
