//! The loss as a picture: `loss.svg`, with the dev questions' exact match and F1 where they were answered.

use plotters::prelude::*;

use crate::run::Event;

const SIZE: (u32, u32) = (900, 380);
const WITH_DEV: (u32, u32) = (900, 620);
const LOSS: RGBColor = RGBColor(0, 114, 178);
const EXACT: RGBColor = RGBColor(213, 94, 0);
const FONT: &str = "sans-serif";

/// Points of a line, at most.
const POINTS: usize = 600;

type Point = (f64, f64);

/// The picture: the loss of each step pale, its running mean over a hundredth of the steps (at least ten) strong. Empty before the first step.
#[must_use]
pub fn picture(events: &[Event]) -> String {
    let mut losses: Vec<Point> = Vec::new();
    let (mut f1s, mut exacts): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Step { step, loss, .. } => losses.push((*step as f64, *loss)),
            Event::Dev {
                step, exact, f1, ..
            } => {
                f1s.push((*step as f64, *f1));
                exacts.push((*step as f64, *exact));
            }
            Event::Probe { .. } => {}
        }
    }
    let mut svg = String::new();
    if losses.is_empty() {
        return svg;
    }
    // The buffer takes whatever is drawn, so that drawing does not fail; half a picture would be none.
    if draw(&mut svg, &losses, &f1s, &exacts).is_err() {
        svg.clear();
    }
    svg
}

fn draw(
    svg: &mut String,
    losses: &[Point],
    f1s: &[Point],
    exacts: &[Point],
) -> Result<(), Box<dyn std::error::Error>> {
    let size = if f1s.is_empty() { SIZE } else { WITH_DEV };
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    let (above, below) = area.split_vertically(SIZE.1);
    let last = losses.last().map_or(1.0, |point| point.0).max(2.0);
    let mean = running_mean(losses, (losses.len() / 100).max(10));
    let most = losses.iter().map(|point| point.1).fold(0.0, f64::max);
    let panel = Panel {
        title: "loss: each step, and its running mean",
        below: f1s.is_empty(),
        x: last,
        y: (0.0, most.max(1e-9) * 1.05),
    };
    let pale = LOSS.mix(0.25);
    panel.draw(
        &above,
        &[
            (&thinned(losses), pale.stroke_width(1), ""),
            (&thinned(&mean), LOSS.stroke_width(2), ""),
        ],
    )?;
    if !f1s.is_empty() {
        let all = || f1s.iter().chain(exacts).map(|point| point.1);
        let (least, most) = all().fold((100.0, 0.0), |(least, most): Point, y| {
            (least.min(y), most.max(y))
        });
        let panel = Panel {
            title: "dev questions, per cent",
            below: true,
            x: last,
            y: ((least - 3.0).max(0.0), (most + 3.0).min(100.0)),
        };
        panel.draw(
            &below,
            &[
                (f1s, LOSS.stroke_width(2), "F1"),
                (exacts, EXACT.stroke_width(2), "exact"),
            ],
        )?;
    }
    area.present()?;
    drop((above, below, area));
    Ok(())
}

struct Panel {
    title: &'static str,
    /// It is the lowest, and names the axis.
    below: bool,
    x: f64,
    y: (f64, f64),
}

impl Panel {
    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
        lines: &[(&[Point], ShapeStyle, &str)],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(64)
            .caption(self.title, (FONT, 16))
            .x_label_area_size(if self.below { 40 } else { 24 })
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..self.x, self.y.0..self.y.1)?;
        let small = (FONT, 13).into_font();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.5))
            .x_desc(if self.below { "step" } else { "" })
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .label_style(small.clone())
            .draw()?;
        for (points, style, name) in lines {
            chart.draw_series(LineSeries::new(points.iter().copied(), *style))?;
            // A line of one point is none.
            if !name.is_empty() || points.len() == 1 {
                let dots = points
                    .iter()
                    .map(|point| Circle::new(*point, 3, style.color.filled()));
                chart.draw_series(dots)?;
            }
            if let Some(end) = points.last().filter(|_| !name.is_empty()) {
                let style = small.clone().color(&style.color);
                let text = format!("{name} {:.1}", end.1);
                let text = EmptyElement::at(*end) + Text::new(text, (9, -7), style);
                chart.draw_series([text])?;
            }
        }
        Ok(())
    }
}

/// The mean of each point and so many before it.
fn running_mean(points: &[Point], width: usize) -> Vec<Point> {
    let mut sum = 0.0;
    let mut found = Vec::with_capacity(points.len());
    for (at, point) in points.iter().enumerate() {
        sum += point.1;
        if at >= width {
            sum -= points[at - width].1;
        }
        found.push((point.0, sum / (at + 1).min(width) as f64));
    }
    found
}

/// So many of the points, the first and the last among them.
fn thinned(points: &[Point]) -> Vec<Point> {
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.iter().enumerate();
    let kept = kept.filter(|(at, _)| at % every == 0 || *at == last);
    kept.map(|(_, point)| *point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, loss: f64) -> Event {
        Event::Step {
            step,
            epoch: 0.0,
            loss,
            rate: 0.0,
            norm: 0.0,
            windows: 1,
            tokens: 1,
            seconds: 0.0,
        }
    }

    #[test]
    fn a_running_mean_is_that_of_the_last_points() {
        let points: Vec<Point> = [4.0, 2.0, 6.0, 0.0]
            .iter()
            .enumerate()
            .map(|(i, y)| (i as f64, *y))
            .collect();
        let mean: Vec<f64> = running_mean(&points, 2)
            .into_iter()
            .map(|point| point.1)
            .collect();
        assert_eq!(mean, [4.0, 3.0, 4.0, 3.0]);
    }

    #[test]
    fn a_long_line_keeps_its_ends() {
        let points: Vec<Point> = (0..5000).map(|i| (f64::from(i), 0.0)).collect();
        let kept = thinned(&points);
        assert!(kept.len() <= POINTS + 1);
        assert_eq!((kept[0].0, kept[kept.len() - 1].0), (0.0, 4999.0));
    }

    #[test]
    fn the_picture_has_a_line_of_the_loss_and_the_dev_questions_numbers() {
        assert_eq!(picture(&[]), "");
        let mut events: Vec<Event> = (1..=50).map(|i| step(i, 5.0 / i as f64)).collect();
        let without = picture(&events);
        assert!(
            without.starts_with("<svg") && without.trim_end().ends_with("</svg>"),
            "{without}"
        );
        assert!(without.contains("running mean") && !without.contains("F1"));
        for (step, exact, f1) in [(25, 30.0, 31.0), (50, 41.25, 52.5)] {
            events.push(Event::Dev {
                step,
                exact,
                f1,
                questions: 8,
                best: true,
            });
        }
        let with = picture(&events);
        assert!(
            with.contains("F1 52.5") && with.contains("exact 41.2"),
            "{with}"
        );
        // A dot for each of the two numbers each time.
        let dots = [&without, &with].map(|picture| picture.matches("<circle").count());
        assert_eq!(dots, [0, 4]);
    }
}
