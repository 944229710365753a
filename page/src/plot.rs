//! Plots of a metric over versions, as the numbers of an SVG.

/// The size of a plot.
pub(crate) const WIDTH: f64 = 640.0;
pub(crate) const HEIGHT: f64 = 200.0;
/// The room for the labels of the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 28.0;
const EDGE: f64 = 12.0;

/// A point, as text for attributes.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) label: String,
}

/// A line across the plot, with its label.
#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) at: String,
    pub(crate) label: String,
}

/// A plot.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) metric: String,
    pub(crate) points: Vec<Point>,
    /// The points of the line.
    pub(crate) line: String,
    pub(crate) across: Vec<Tick>,
    pub(crate) versions: Vec<Tick>,
    /// The plot in words.
    pub(crate) words: String,
}

impl Plot {
    /// Plots values by version, in the order of versions.
    pub(crate) fn new(metric: &str, values: &[(u64, f64)]) -> Option<Self> {
        let (first, last) = (values.first()?, values.last()?);
        let least = values.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
        let most = values.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
        let ticks = ticks(least, most);
        let low = ticks.first().copied().unwrap_or(least).min(least);
        let high = ticks.last().copied().unwrap_or(most).max(most);
        let x = |version: u64| match last.0 - first.0 {
            0 => LEFT + (WIDTH - LEFT - EDGE) / 2.0,
            all => LEFT + (WIDTH - LEFT - EDGE) * ((version - first.0) as f64 / all as f64),
        };
        // Halves first: the difference of two numbers may be no number.
        let share = |value: f64| (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let y = |value: f64| match low < high {
            true => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - EDGE) * share(value),
            false => (HEIGHT - BOTTOM + EDGE) / 2.0,
        };
        let text = |number: f64| format!("{number:.1}");
        let point = |(version, value): &(u64, f64)| Point {
            x: text(x(*version)),
            y: text(y(*value)),
            label: format!("version {version}: {value}"),
        };
        let points: Vec<Point> = values.iter().map(point).collect();
        let line: Vec<String> = points.iter().map(|it| format!("{},{}", it.x, it.y)).collect();
        let across = ticks.iter().map(|tick| Tick { at: text(y(*tick)), label: number(*tick) });
        let step = (values.len() - 1) / 8 + 1;
        let versions = values.iter().step_by(step);
        let versions = versions.map(|(it, _)| Tick { at: text(x(*it)), label: it.to_string() });
        Some(Self {
            metric: metric.to_owned(),
            line: line.join(" "),
            across: across.collect(),
            versions: versions.collect(),
            words: format!(
                "{metric} over {} versions: from {} in version {} to {} in version {}; least {least}, \
                 most {most}",
                values.len(),
                first.1,
                first.0,
                last.1,
                last.0
            ),
            points,
        })
    }
}

/// Round numbers from below `least` to above `most`, about four.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    let range = most / 3.0 - least / 3.0;
    if !range.is_finite() || range <= 0.0 {
        return vec![least];
    }
    let base = 10_f64.powf(range.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * base).into_iter().find(|it| *it >= range);
    let step = step.unwrap_or(range);
    let start = (least / step).floor();
    let count = ((most / step).ceil() - start).min(10.0);
    // So close together that they are one number for the machine.
    if start.abs() >= 1e15 {
        return vec![least];
    }
    (0..=count as u32).map(|it| (start + f64::from(it)) * step).collect()
}

/// A number in few characters.
fn number(value: f64) -> String {
    let text = format!("{:.4}", value);
    match value.abs() {
        0.0 => "0".into(),
        1e-3..1e5 => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_within_the_plot_whatever_they_are() {
        let extreme = [f64::MAX, f64::MIN, 0.0, f64::MIN_POSITIVE, 1e16, 1e16 + 2.0];
        for values in [
            vec![(1, 0.5)],
            vec![(1, 0.5), (2, 0.5)],
            vec![(1, 0.81), (2, 0.9), (7, 0.87)],
            extreme.iter().enumerate().map(|(at, it)| (at as u64, *it)).collect(),
            vec![(3, 1e16), (4, 1e16 + 2.0)],
        ] {
            let plot = Plot::new("m", &values).unwrap();
            assert_eq!(plot.points.len(), values.len());
            for point in &plot.points {
                let (x, y): (f64, f64) = (point.x.parse().unwrap(), point.y.parse().unwrap());
                assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{point:?}");
            }
            assert!((1..=11).contains(&plot.across.len()), "{plot:?}");
        }
        assert!(Plot::new("m", &[]).is_none());
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 3.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(3.0, 95.0), [0.0, 50.0, 100.0]);
        assert_eq!(number(0.25), "0.25");
        assert_eq!(number(1e9), "1.00e9");
        assert_eq!(number(-3.0), "-3");
    }
}
