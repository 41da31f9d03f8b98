//! Linear maps, forward and back, and RevealCancel through one.

use spanlift::model::{Activation, FeedForward, Linear, Projections};
use spanlift::ops::{Matrix, feed_forward, linear};

use super::plain;
use super::{Bench, KINDS, Sizes, Work, off, some};

impl Bench {
    pub(crate) fn linear(&mut self) {
        let Sizes { tokens, layers, .. } = self.sizes;
        let layer = self.encoder.layers[0].clone();
        let Projections::Joint(qkv) = &layer.projections else {
            unreachable!("BERT's");
        };
        let FeedForward {
            intermediate,
            output,
            ..
        } = &layer.feed_forwards[0];
        let maps = [
            (qkv, false),
            (&layer.attention_output, false),
            (intermediate, true),
            (output, false),
        ];
        for rows in [tokens, 2 * tokens] {
            for (map, activated) in maps {
                let each = if rows == tokens { 0 } else { layers };
                self.linear_forward(map, activated, rows, each);
            }
        }
        for rows in [tokens, 2 * tokens] {
            for (at, (map, _)) in maps.into_iter().enumerate() {
                // Of the walk's last layer only this map is for all rows.
                let times = if at == 0 { layers } else { layers - 1 };
                let each = if rows == tokens { times } else { 0 };
                self.linear_back(map, rows, each);
            }
        }
        self.reveal_cancel(intermediate);
    }

    fn linear_forward(&mut self, map: &Linear<f32>, activated: bool, rows: usize, each: usize) {
        let (inputs, outputs) = (map.weight.inputs(), map.weight.outputs());
        let x = self.matrix(rows, inputs);
        let few = some(rows);
        let want = plain::linear(map, &plain::rows(&x, few.clone(), 0..inputs));
        let got = |y: &Matrix<f32>| plain::rows(y, few.clone(), 0..outputs);
        let work = Work::Product(2.0 * (rows * inputs * outputs) as f64);
        let name = format!("linear {inputs} → {outputs}, {rows} rows");
        let kind = KINDS[0];
        if activated {
            let run = || linear::forward_activated(map, Activation::Gelu, &x);
            let (u, g) = run();
            let worst = off(&got(&u), &want).max(off(&got(&g), &plain::each(&want, plain::gelu)));
            let op = (kind, each, &*format!("{name}, GELU"));
            self.time(
                op,
                work,
                worst,
                || (),
                |()| {
                    let (u, g) = run();
                    u.recycle();
                    g.recycle();
                },
            );
        } else {
            let worst = off(&got(&linear::forward(map, &x)), &want);
            let run = |()| linear::forward(map, &x).recycle();
            self.time((kind, each, &name), work, worst, || (), run);
        }
    }

    fn linear_back(&mut self, map: &Linear<f32>, rows: usize, each: usize) {
        let (inputs, outputs) = (map.weight.inputs(), map.weight.outputs());
        let m_y = self.matrix(rows, outputs);
        let few = some(rows);
        let m = plain::rows(&m_y, few.clone(), 0..outputs);
        let want = plain::product(&m, &plain::weight(map));
        let got = plain::rows(&linear::multiplier(map, &m_y), few, 0..inputs);
        let name = format!("back {outputs} → {inputs}, {rows} rows");
        let work = Work::Product(2.0 * (rows * inputs * outputs) as f64);
        let run = |()| linear::multiplier(map, &m_y).recycle();
        self.time((KINDS[1], each, &name), work, off(&got, &want), || (), run);
    }

    fn reveal_cancel(&mut self, map: &Linear<f32>) {
        let rows = self.sizes.tokens;
        let (inputs, outputs) = (map.weight.inputs(), map.weight.outputs());
        let [y, y0] = [0; 2].map(|_| self.matrix(rows, inputs));
        let m_g = self.matrix(rows, outputs);
        let [u, u0] = [&y, &y0].map(|y| linear::forward(map, y));
        let run = |m_g| {
            let (to, from) = ((y.view(), u.view()), (y0.view(), u0.view()));
            feed_forward::multiplier(Activation::Gelu, map, to, from, m_g)
        };
        let ends = [0, rows - 1];
        let part = |matrix: &Matrix<f32>| plain::rows(matrix, ends, 0..matrix.cols());
        let (x, x0, m) = (part(&y), part(&y0), part(&m_g));
        let one = |i: usize| plain::reveal_cancel(map, &x[i], &x0[i], &m[i]);
        let worst = off(&part(&run(m_g.clone())), &vec![one(0), one(1)]);
        let name = format!("RevealCancel {outputs} → {inputs}, {rows} rows");
        let work = Work::Product(3.0 * 2.0 * (rows * inputs * outputs) as f64);
        self.time(("", 0, &name), work, worst, || m_g.clone(), run);
    }
}
