//! Linear maps, forward and back, and RevealCancel through one.

use spanlift::model::{Activation, FeedForward, Linear, Projections};
use spanlift::ops::product::{View, ViewMut, add_outer};
use spanlift::ops::{Matrix, feed_forward, linear};

use super::plain;
use super::{Bench, KINDS, Sizes, Work, off, some};

/// The map of a layer.
#[derive(Clone, Copy)]
enum Part {
    Qkv,
    Attention,
    Intermediate,
    Output,
}

impl Part {
    /// As the walk does it: what it makes, or nothing where it adds to `sum`.
    fn back(
        self,
        map: &Linear<f32>,
        m_y: &Matrix<f32>,
        sum: &mut Matrix<f32>,
    ) -> Option<Matrix<f32>> {
        match self {
            Self::Qkv | Self::Intermediate => {
                // Of the block's units there may be columns behind.
                let m_y = m_y.view().block(0..m_y.rows(), 0..map.weight.outputs());
                linear::multiplier_onto(map, m_y, sum);
                None
            }
            Self::Attention => Some(linear::multiplier(map, m_y)),
            Self::Output => Some(feed_forward::multiplier_of_output(map, m_y)),
        }
    }
}

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
        let parts = [
            (qkv, Part::Qkv),
            (&layer.attention_output, Part::Attention),
            (intermediate, Part::Intermediate),
            (output, Part::Output),
        ];
        for rows in [tokens, 2 * tokens] {
            let each = if rows == tokens { 0 } else { layers };
            self.linear_forward(qkv, rows, each);
            self.linear_forward(&layer.attention_output, rows, each);
            self.feed_forward([intermediate, output], rows, each);
        }
        let head = self.encoder.qa_outputs.clone();
        self.linear_forward(&head, 2 * tokens, 1);
        for rows in [tokens, 2 * tokens] {
            for (map, part) in parts {
                // Of the walk's last layer only this map is for all rows.
                let times = match part {
                    Part::Qkv => layers,
                    Part::Attention | Part::Intermediate | Part::Output => layers - 1,
                };
                let each = if rows == tokens { times } else { 0 };
                self.linear_back([map, output], part, rows, each);
            }
        }
        self.reveal_cancel(intermediate);
        self.outer(intermediate);
    }

    /// A map's gradient, as training adds it up.
    fn outer(&mut self, map: &Linear<f32>) {
        let rows = self.sizes.tokens;
        let (inputs, outputs) = (map.weight.inputs(), map.weight.outputs());
        let [x, m_y] = [inputs, outputs].map(|width| self.matrix(rows, width));
        let few = some(outputs);
        let columns = |matrix: &Matrix<f32>, columns: &[usize]| -> plain::Rows {
            let column = |&k: &usize| (0..rows).map(|i| matrix.row(i)[k].into()).collect();
            columns.iter().map(column).collect()
        };
        let want = plain::product(&columns(&m_y, &few), &plain::rows(&x, 0..rows, 0..inputs));
        let mut y = vec![0.0; outputs * inputs];
        let run = |y: &mut Vec<f32>| {
            let y = ViewMut::of(y, outputs, inputs);
            add_outer(y, m_y.view(), x.view());
        };
        run(&mut y);
        let found = View::of(&y, outputs, inputs);
        let row = |&i: &usize| found.row(i).iter().map(|&x| x.into()).collect();
        let got: plain::Rows = few.iter().map(row).collect();
        let name = format!("gradient of {inputs} → {outputs}, {rows} rows");
        let work = Work::Product(2.0 * (rows * inputs * outputs) as f64);
        self.time(
            ("", 0, &name),
            work,
            off(&got, &want),
            || (),
            |()| run(&mut y),
        );
    }

    fn linear_forward(&mut self, map: &Linear<f32>, rows: usize, each: usize) {
        let (inputs, outputs) = (map.weight.inputs(), map.weight.outputs());
        let x = self.matrix(rows, inputs);
        let few = some(rows);
        let want = plain::linear(map, &plain::rows(&x, few.clone(), 0..inputs));
        let got = plain::rows(&linear::forward(map, &x), few, 0..outputs);
        let work = Work::Product(2.0 * (rows * inputs * outputs) as f64);
        let name = format!("linear {inputs} → {outputs}, {rows} rows");
        let run = |()| linear::forward(map, &x).recycle();
        self.time((KINDS[0], each, &name), work, off(&got, &want), || (), run);
    }

    fn feed_forward(&mut self, maps: [&Linear<f32>; 2], rows: usize, each: usize) {
        let (inputs, units) = (maps[0].weight.inputs(), maps[0].weight.outputs());
        let x = self.matrix(rows, inputs);
        let few = some(rows);
        let want_u = plain::linear(maps[0], &plain::rows(&x, few.clone(), 0..inputs));
        let want = plain::linear(maps[1], &plain::each(&want_u, plain::gelu));
        let run = || feed_forward::forward(Activation::Gelu, maps, &x);
        let (u, z) = run();
        let off_u = off(&plain::rows(&u, few.clone(), 0..units), &want_u);
        let worst = off_u.max(off(&plain::rows(&z, few, 0..inputs), &want));
        let work = Work::Product(4.0 * (rows * inputs * units) as f64);
        let name = format!("feed-forward {inputs} → {units} → {inputs}, {rows} rows");
        let run = |()| {
            let (u, z) = run();
            u.recycle();
            z.recycle();
        };
        self.time((KINDS[0], each, &name), work, worst, || (), run);
    }

    fn linear_back(
        &mut self,
        [map, output]: [&Linear<f32>; 2],
        part: Part,
        rows: usize,
        each: usize,
    ) {
        let (inputs, outputs) = (map.weight.inputs(), map.weight.outputs());
        let m_y = match part {
            Part::Intermediate => {
                let m_z = self.matrix(rows, output.weight.outputs());
                feed_forward::multiplier_of_output(output, &m_z)
            }
            Part::Qkv | Part::Attention | Part::Output => self.matrix(rows, outputs),
        };
        let few = some(rows);
        let m = plain::rows(&m_y, few.clone(), 0..outputs);
        let want = plain::product(&m, &plain::weight(map));
        let mut sum = Matrix::zeros(rows, inputs);
        let made = part.back(map, &m_y, &mut sum);
        let got = plain::rows(made.as_ref().unwrap_or(&sum), few, 0..inputs);
        let name = format!("back {outputs} → {inputs}, {rows} rows");
        let work = Work::Product(2.0 * (rows * inputs * outputs) as f64);
        let run = |()| {
            let made = part.back(map, &m_y, &mut sum);
            made.into_iter().for_each(Matrix::recycle);
        };
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
