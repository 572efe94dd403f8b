//! Charts in SVG: bars for the workloads, lines for growth.

use std::fmt::Display;
use std::path::Path;

use plotters::prelude::*;

use crate::growth::{Axis, Curve, Point};
use crate::job::{Contender, Mechanism, Placement, Via, Workload};
use crate::peers::Failure;
use crate::report::{CellResults, Results};

/// A chart that was drawn.
pub(crate) struct Drawn {
    pub(crate) file: String,
    pub(crate) title: String,
}

const WIDTH: u32 = 900;
/// Height of what stands under a chart.
const FOOT: u32 = 32;
const FONT: &str = "sans-serif";

/// What stands under each chart: where and with what it was measured.
type Foot = [String; 2];

/// Draws what was measured into `directory`.
pub(crate) fn draw(results: &Results, directory: &Path) -> Result<Vec<Drawn>, Failure> {
    let machine = &results.machine;
    let foot = [
        format!("{}, {}", machine.hardware(), machine.date()),
        machine.versions(),
    ];
    let mut drawn = Vec::new();
    for (workload, via, mechanism) in groups(results) {
        let of_group = |cell: &&CellResults| {
            let it = &cell.cell;
            (it.workload, it.via, it.mechanism) == (workload, via, mechanism)
                && it.placement == Placement::CoreEach
        };
        let cells: Vec<_> = results.cells.iter().filter(of_group).collect();
        let (file, title) = match mechanism {
            Mechanism::Null => (
                format!("{workload}-{via}.svg"),
                format!("{workload} over {via}, a core each"),
            ),
            Mechanism::Curve => (
                format!("{workload}-{via}-curve.svg"),
                format!("{workload} over {via} with CURVE, a core each"),
            ),
        };
        let is_drawn = draw_bars(&cells, &title, &foot, &directory.join(&file))?;
        drawn.extend(is_drawn.then_some(Drawn { file, title }));
    }
    let mut axes: Vec<Axis> = Vec::new();
    for curve in &results.growth {
        if !axes.contains(&curve.axis) {
            axes.push(curve.axis);
        }
    }
    for axis in axes {
        let curves: Vec<_> = results
            .growth
            .iter()
            .filter(|curve| curve.axis == axis && !curve.points.is_empty())
            .collect();
        let file = format!("{}.svg", axis.file_stem());
        let title = format!("growth of {}", axis.name());
        if !curves.is_empty() {
            draw_growth(axis, &curves, &foot, &directory.join(&file))?;
            drawn.push(Drawn { file, title });
        }
    }
    Ok(drawn)
}

/// What was measured, in order.
fn groups(results: &Results) -> Vec<(Workload, Via, Mechanism)> {
    let mut groups: Vec<_> = results
        .cells
        .iter()
        .map(|results| &results.cell)
        .map(|cell| (cell.workload, cell.via, cell.mechanism))
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

/// A bar as drawn: how long, in whose colour, and what stands beside it.
struct Bar {
    contender: Contender,
    share: f64,
    text: String,
}

/// Groups of horizontal bars: one group a cell, the longest bar the whole width.
///
/// Each group has its own scale, for what takes nanoseconds at 8 B takes
/// milliseconds at 10 MiB. Nothing is drawn without figures.
fn draw_bars(
    cells: &[&CellResults],
    title: &str,
    foot: &Foot,
    file: &Path,
) -> Result<bool, Failure> {
    let groups: Vec<_> = cells
        .iter()
        .map(|results| (results.cell.format_shape(), bars(results)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    if groups.is_empty() {
        return Ok(false);
    }
    let lines: usize = groups.iter().map(|(_, bars)| bars.len() + 2).sum();
    let height = 40 + 18 * lines as u32 + FOOT;
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).map_err(failure)?;
    let text = |text: &str, at: (i32, i32), size: i32| {
        area.draw(&Text::new(text.to_owned(), at, (FONT, size).into_font()))
            .map_err(failure)
    };
    text(title, (10, 8), 18)?;
    let (left, width) = (130, 560.0);
    let mut y = 40;
    for (shape, bars) in &groups {
        text(shape, (10, y), 15)?;
        y += 20;
        for bar in bars {
            text(&bar.contender.to_string(), (20, y), 13)?;
            let end = left + (width * bar.share) as i32;
            let style = colour(bar.contender).filled();
            area.draw(&Rectangle::new(
                [(left, y + 1), (end.max(left + 1), y + 14)],
                style,
            ))
            .map_err(failure)?;
            text(&bar.text, (end + 8, y), 13)?;
            y += 18;
        }
        y += 16;
    }
    draw_foot(&area, foot)?;
    area.present().map_err(failure)?;
    Ok(true)
}

fn bars(results: &CellResults) -> Vec<Bar> {
    let headline = |row: &crate::measure::Row| Some(row.headline(&results.cell)?.median);
    let longest = results.rows.iter().filter_map(headline).fold(0.0, f64::max);
    let bar = |row: &crate::measure::Row| {
        let figures = crate::report::figures(results, row)?;
        Some(Bar {
            contender: row.contender,
            share: headline(row)? / longest,
            text: format!("{} ({})", figures[0], figures[1]),
        })
    };
    results.rows.iter().filter_map(bar).collect()
}

/// Time of an operation and memory, one above the other, both logarithmic.
fn draw_growth(axis: Axis, curves: &[&Curve], foot: &Foot, file: &Path) -> Result<(), Failure> {
    let area = SVGBackend::new(file, (WIDTH, 700 + FOOT)).into_drawing_area();
    area.fill(&WHITE).map_err(failure)?;
    draw_foot(&area, foot)?;
    let (lines, _) = area.split_vertically(700);
    let (upper, lower) = lines.split_vertically(350);
    let time = format!("{}: time of {} in us", axis.name(), axis.operation());
    draw_lines(&upper, &time, axis, curves, |point| point.microseconds)?;
    let memory = format!("{}: memory in MiB", axis.name());
    draw_lines(&lower, &memory, axis, curves, |point| {
        point.bytes / f64::from(1 << 20)
    })?;
    area.present().map_err(failure)?;
    Ok(())
}

fn draw_lines(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    axis: Axis,
    curves: &[&Curve],
    of: impl Fn(&Point) -> f64,
) -> Result<(), Failure> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let xs = || points().map(|point| point.value as f64);
    let (least_x, most_x) = (xs().fold(f64::MAX, f64::min), xs().fold(0.0, f64::max));
    let ys = || points().map(&of);
    let (least, most) = (ys().fold(f64::MAX, f64::min), ys().fold(0.0, f64::max));
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(
            (least_x..most_x * 1.01).log_scale(),
            (least / 2.0..most * 2.0).log_scale(),
        )
        .map_err(failure)?;
    chart
        .configure_mesh()
        .x_label_formatter(&|x: &f64| axis.format(x.round() as usize))
        .y_label_formatter(&|y: &f64| format!("{y}"))
        .draw()
        .map_err(failure)?;
    for curve in curves {
        let colour = colour(curve.contender);
        let line = curve
            .points
            .iter()
            .map(|point| (point.value as f64, of(point)));
        chart
            .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)).point_size(3))
            .map_err(failure)?
            .label(curve.contender.to_string())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 15, y)], colour));
    }
    chart
        .configure_series_labels()
        .border_style(BLACK)
        .background_style(WHITE)
        .position(SeriesLabelPosition::UpperLeft)
        .draw()
        .map_err(failure)?;
    Ok(())
}

/// Writes the foot at the lower edge.
fn draw_foot(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    foot: &Foot,
) -> Result<(), Failure> {
    let (_, height) = area.dim_in_pixel();
    let grey = RGBColor(90, 90, 90);
    let style = (FONT, 11).into_font().color(&grey);
    let mut y = height as i32 - FOOT as i32;
    for line in foot {
        area.draw(&Text::new(line.clone(), (10, y), style.clone()))
            .map_err(failure)?;
        y += FOOT as i32 / 2;
    }
    Ok(())
}

/// Ours in a warm colour, the limits in grey, the others in cool ones.
fn colour(contender: Contender) -> RGBColor {
    match contender {
        Contender::Raw => RGBColor(150, 150, 150),
        Contender::RawBusy | Contender::Memcpy | Contender::Words => RGBColor(190, 190, 190),
        Contender::Libzmq => RGBColor(44, 92, 160),
        Contender::LibzmqZeroCopy => RGBColor(88, 130, 190),
        Contender::LibzmqSystem => RGBColor(130, 165, 210),
        Contender::Omq => RGBColor(60, 140, 90),
        Contender::Zeromq => RGBColor(110, 90, 160),
        Contender::Rzmq => RGBColor(0, 140, 150),
        Contender::Iceoryx2 => RGBColor(70, 170, 190),
        Contender::Nng => RGBColor(120, 140, 60),
        Contender::Ferromq => RGBColor(200, 80, 20),
        Contender::FerromqZeroCopy => RGBColor(230, 140, 60),
    }
}

fn failure(error: impl Display) -> Failure {
    format!("no chart: {error}").into()
}
