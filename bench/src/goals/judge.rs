//! Which goals there are, and what was found.

use super::Bound::{AtLeast, AtMost};
use super::{Bound, Goal};
use crate::job::{Cell, Contender, Mechanism, Placement, Shape, Via, Workload};
use crate::measure::Row;
use crate::report::{self, CellResults, Results};
use crate::statistics::Spread;
use crate::syscalls;

const KIB: usize = 1 << 10;
const GIB: usize = 1 << 30;
const MIB: usize = 1 << 20;

/// Bytes of resident memory that an idle connection may take.
const IDLE_CONNECTION_BYTES: f64 = 4096.0;
/// Bytes that either side may hold at messages of 10 MiB.
const LONG_MESSAGES_MIB: f64 = 64.0;

/// Our ways to hand a body over.
const OURS: [Contender; 2] = [Contender::Ferromq, Contender::FerromqZeroCopy];

/// A parked round trip through shared memory, of one at a futex: its goal of 5 us as a ratio,
/// which travels. Where that was set a futex took 2.2 us. With a core each there is none: two
/// processes that look at a word take 0.1 us or 0.6 here, as the cores are threads of one or not.
const PARKED: f64 = 2.27;
const PLACEMENTS: [Placement; 3] = [Placement::OneCore, Placement::CoreEach, Placement::Unpinned];

/// The goals whose figures were measured.
pub(crate) fn judge(results: &Results) -> Vec<Goal> {
    let mut judge = Judge {
        results,
        goals: Vec::new(),
    };
    for via in [Via::Tcp, Via::Ipc] {
        judge.small_streams(via);
        judge.long_streams(via);
        judge.round_trips(via);
    }
    judge.switched();
    judge.inproc();
    judge.shared_memory();
    judge.secured();
    judge.publishing();
    judge.subscriptions();
    judge.many();
    judge.memory();
    judge.system_calls();
    judge.goals
}

struct Judge<'a> {
    results: &'a Results,
    goals: Vec<Goal>,
}

/// The goal's limit, where the placement is the one that it is about.
fn only_in(goals: Placement, placement: Placement, bound: Bound) -> Option<Bound> {
    (goals == placement).then_some(bound)
}

impl Judge<'_> {
    fn small_streams(&mut self, via: Via) {
        let stream =
            |size, placement| Cell::new(Workload::PushPull, Shape::of_size(size), via, placement);
        for placement in PLACEMENTS {
            let (small, kibibyte) = (stream(64, placement), stream(KIB, placement));
            let about = Placement::CoreEach;
            self.best(small, only_in(about, placement, AtLeast(3.0)));
            self.best(kibibyte, Some(AtLeast(2.0)));
            if via == Via::Ipc {
                self.versus(small, Contender::Omq, Some(AtLeast(2.0)));
                self.versus(kibibyte, Contender::Omq, Some(AtLeast(2.0)));
            }
            let cpu = |row: &Row| row.spread(|figure| figure.cpu_seconds_per_million);
            let bound = only_in(about, placement, AtMost(0.11));
            self.figure(small, "us of CPU a message", bound, cpu);
        }
    }

    fn long_streams(&mut self, via: Via) {
        for (size, placement) in [64 * KIB, 10 * MIB]
            .into_iter()
            .flat_map(|size| PLACEMENTS.map(|placement| (size, placement)))
        {
            let cell = Cell::new(Workload::PushPull, Shape::of_size(size), via, placement);
            self.best(cell, Some(AtLeast(1.0)));
            self.versus(cell, Contender::Raw, Some(AtLeast(0.95)));
            if size == 10 * MIB {
                self.cpu_to_raw(cell);
                let rss = |row: &Row| {
                    // A bound is one for every round.
                    let peak = row.peak(|figure| {
                        let sides = [figure.client_peak_rss_bytes, figure.server_peak_rss_bytes];
                        sides.into_iter().max().unwrap_or_default()
                    });
                    (!row.has_failed()).then(|| single(peak as f64 / MIB as f64))
                };
                let bound = Some(AtMost(LONG_MESSAGES_MIB));
                self.figure(cell, "MiB of either side", bound, rss);
            }
        }
    }

    fn cpu_to_raw(&mut self, cell: Cell) {
        let raw = self.find(&cell).and_then(|cell| cell.row(Contender::Raw));
        let cpu = |row: &Row| row.spread(|figure| figure.cpu_seconds_per_million);
        let Some(raw) = raw.and_then(cpu) else { return };
        self.figure(cell, "x raw, of CPU", Some(AtMost(1.1)), |row| {
            Some(single(cpu(row)?.median / raw.median))
        });
    }

    fn round_trips(&mut self, via: Via) {
        let cell = |placement| Cell::new(Workload::ReqRep, Shape::of_size(64), via, placement);
        let [one, each, unpinned] = PLACEMENTS.map(cell);
        self.versus(one, Contender::Raw, Some(AtMost(1.15)));
        self.versus(each, Contender::RawBusy, Some(AtMost(1.5)));
        self.versus(unpinned, Contender::Raw, Some(AtMost(1.2)));
        let contended = cell(Placement::Contended);
        self.versus(contended, Contender::Raw, Some(AtMost(1.2)));
        for cell in [one, each, unpinned] {
            self.best(cell, Some(AtMost(1.0)));
        }
    }

    /// A program that is not changed, with its peer on the same machine.
    fn switched(&mut self) {
        for placement in PLACEMENTS {
            let cell = |via| Cell::new(Workload::ReqRep, Shape::of_size(64), via, placement);
            let (tcp, switched) = (cell(Via::Tcp), cell(Via::TcpSwitched));
            let stays = self
                .find(&tcp)
                .and_then(|cell| cell.row(Contender::Ferromq));
            let Some(stays) = stays.and_then(|row| row.headline(&tcp)) else {
                continue;
            };
            self.figure(
                switched,
                "x as long as over tcp",
                Some(AtMost(0.5)),
                |row| Some(single(row.headline(&switched)?.median / stays.median)),
            );
        }
    }

    fn inproc(&mut self) {
        for placement in PLACEMENTS {
            let shape = Shape::of_size(64);
            let stream = Cell::new(Workload::PushPull, shape, Via::Inproc, placement);
            self.best(stream, Some(AtLeast(2.0)));
            let asked = Cell::new(Workload::ReqRep, shape, Via::Inproc, placement);
            let bound = only_in(Placement::OneCore, placement, AtMost(3.0));
            self.figure(asked, "us", bound, |row| row.headline(&asked));
            self.best(asked, Some(AtMost(1.0)));
        }
        for size in [KIB, 64 * KIB, 10 * MIB] {
            let (shape, placement) = (Shape::of_size(size), Placement::CoreEach);
            let stream = Cell::new(Workload::PushPull, shape, Via::Inproc, placement);
            self.best(stream, Some(AtLeast(2.0)));
        }
    }

    /// Its time when both sides spin, when they share a core, its rate, and what is left
    /// of memcpy's where a body is copied. What peers
    /// without shared memory are measured over instead says little.
    fn shared_memory(&mut self) {
        let shape = Shape::of_size(64);
        for (placement, limit) in [(Placement::OneCore, 5.0), (Placement::CoreEach, 0.6)] {
            let asked = Cell::new(Workload::ReqRep, shape, Via::Shm, placement);
            let bound = Some(AtMost(limit));
            self.figure(asked, "us", bound, |row| row.headline(&asked));
        }
        let asked = Cell::new(Workload::ReqRep, shape, Via::Shm, Placement::OneCore);
        self.versus(asked, Contender::Words, Some(AtMost(PARKED)));
        let stream = Cell::new(Workload::PushPull, shape, Via::Shm, Placement::CoreEach);
        self.figure(stream, "M messages/s", Some(AtLeast(20.0)), |row| {
            row.spread(|figure| figure.rate / 1e6)
        });
        for placement in PLACEMENTS {
            let shape = Shape::of_size(10 * MIB);
            let copied = Cell::new(Workload::PushPull, shape, Via::Shm, placement);
            let ours = [Contender::Ferromq];
            self.compare(
                copied,
                &ours,
                Contender::Memcpy,
                "x memcpy",
                Some(AtLeast(0.9)),
            );
        }
        self.loans();
    }

    /// A loaned payload is to cost the same at any length from that on that is not
    /// copied.
    fn loans(&mut self) {
        let cell = |size| {
            let (shape, placement) = (Shape::of_size(size), Placement::CoreEach);
            Cell::new(Workload::PushPull, shape, Via::Shm, placement)
        };
        let micros = |cell: &Cell| {
            let results = self.find(cell)?;
            let row = results.row(Contender::FerromqZeroCopy)?;
            Some(1e6 / row.spread(|figure| figure.rate)?.median)
        };
        let (long, longest) = (cell(64 * KIB), cell(GIB));
        let (Some(long), Some(of_longest)) = (micros(&long), micros(&longest)) else {
            return;
        };
        let measured = Spread {
            median: of_longest / long,
            min: of_longest / long,
            max: of_longest / long,
        };
        let what = format!("{} {}", longest.workload, "1 GiB loan shm");
        let unit = "x that of 64 KiB, time of a message";
        let mut goal = Goal::new(what, unit, Some(AtMost(1.5)), measured);
        goal.placement = Some(Placement::CoreEach);
        goal.ours = Some(format!("{of_longest:.2} us"));
        goal.theirs = Some(format!("64 KiB: {long:.2} us"));
        self.goals.push(goal);
    }

    /// With CURVE, nobody is to be faster.
    fn secured(&mut self) {
        let cell = |workload, size, placement| Cell {
            mechanism: Mechanism::Curve,
            ..Cell::new(workload, Shape::of_size(size), Via::Tcp, placement)
        };
        for size in [64, KIB, 64 * KIB, 10 * MIB] {
            let stream = cell(Workload::PushPull, size, Placement::CoreEach);
            self.best(stream, Some(AtLeast(1.0)));
        }
        for placement in PLACEMENTS {
            let asked = cell(Workload::ReqRep, 64, placement);
            self.best(asked, Some(AtMost(1.0)));
        }
    }

    fn publishing(&mut self) {
        let to = |peers, via, placement| {
            Cell::new(Workload::PubSub, Shape::new(64, peers, 1), via, placement)
        };
        let twice = Some(AtLeast(2.0));
        for placement in PLACEMENTS {
            self.versus(to(8, Via::Tcp, placement), Contender::Libzmq, twice);
        }
        self.versus(
            to(8, Via::Ipc, Placement::CoreEach),
            Contender::Libzmq,
            twice,
        );
        let many = |peers| to(peers, Via::Tcp, Placement::CoreEach);
        self.versus(many(100), Contender::Libzmq, twice);
        self.versus(many(1_000), Contender::Libzmq, twice);
        // The same process plays the subscribers of both.
        let rate = |peers| {
            let cell = many(peers);
            let row = self.find(&cell)?.row(Contender::Ferromq)?;
            row.headline(&cell)
        };
        if let (Some(few), Some(more)) = (rate(100), rate(1_000)) {
            let unit = "x that of 100, time of a delivery";
            let ratio = single(few.median / more.median);
            let what = format!("pub-sub {} tcp", many(1_000).format_shape());
            let goal = Goal::new(what, unit, Some(AtMost(1.25)), ratio);
            self.goals.push(Goal {
                placement: Some(Placement::CoreEach),
                ..goal
            });
        }
    }

    fn subscriptions(&mut self) {
        for peers in [1, 1_000] {
            let shape = Shape::new(64, peers, 1_000_000);
            let cell = Cell::new(Workload::Topics, shape, Via::Tcp, Placement::CoreEach);
            self.figure(cell, "M messages/s", Some(AtLeast(1.0)), |row| {
                row.spread(|figure| figure.rate / 1e6)
            });
            self.best(cell, None);
        }
    }

    /// Many clients, many requests under way, and a proxy: nobody is to be faster.
    fn many(&mut self) {
        let bound = Some(AtLeast(1.0));
        let each = Placement::CoreEach;
        for load in [10_000, 10] {
            let shape = Shape::new(64, 10_000, load);
            self.best(Cell::new(Workload::Clients, shape, Via::Tcp, each), bound);
        }
        for placement in PLACEMENTS {
            let shape = Shape::new(64, 1, 100);
            let cell = Cell::new(Workload::DealerRouter, shape, Via::Tcp, placement);
            self.best(cell, bound);
        }
        let shape = Shape::of_size(64);
        self.best(Cell::new(Workload::Proxy, shape, Via::Tcp, each), bound);
    }

    fn memory(&mut self) {
        let ours = self.results.idle.iter();
        let ours = ours.filter(|row| row.contender == Contender::Ferromq);
        let measured = ours.filter_map(|row| Some((row.connections, row.figures.as_ref()?)));
        if let Some((connections, figures)) = measured.max_by_key(|(number, _)| *number) {
            let what = format!("an idle connection, of {connections}");
            let measured = single(figures.idle.resident as f64);
            let bound = Some(AtMost(IDLE_CONNECTION_BYTES));
            let goal = Goal::new(what, "B resident", bound, measured);
            self.goals.push(goal);
        }
    }

    fn system_calls(&mut self) {
        let row = self.results.syscalls.iter().find(|row| row.is_the_goals());
        if let Some(calls) = row.and_then(|row| row.per_round_trip) {
            let what = "req-rep 64 B tcp".to_owned();
            let bound = Some(AtMost(syscalls::GOAL));
            let goal = Goal::new(what, "system calls a round trip", bound, single(calls));
            self.goals.push(Goal {
                placement: Some(Placement::OneCore),
                ..goal
            });
        }
    }

    /// Ours to the best of the other libraries.
    fn best(&mut self, cell: Cell, bound: Option<Bound>) {
        if let Some(best) = self.find(&cell).and_then(CellResults::best_peer) {
            self.compare(cell, &OURS, best, "x the best peer", bound);
        }
    }

    fn versus(&mut self, cell: Cell, other: Contender, bound: Option<Bound>) {
        self.compare(cell, &OURS, other, &format!("x {other}"), bound);
    }

    /// Ours to another: the better of some of our ways to hand a long body over.
    fn compare(
        &mut self,
        cell: Cell,
        ours: &[Contender],
        other: Contender,
        unit: &str,
        bound: Option<Bound>,
    ) {
        let Some(results) = self.find(&cell) else {
            return;
        };
        let ratio = |ours: &Contender| Some((*ours, results.ratio(*ours, other)?));
        let ratios = ours.iter().filter_map(ratio);
        let Some((ours, measured)) =
            ratios.reduce(|copied, shared| match shared.1.median > copied.1.median {
                true => shared,
                false => copied,
            })
        else {
            return;
        };
        let shown = |who| report::headline(results, results.row(who)?);
        let theirs = shown(other).map(|figure| format!("{other}: {figure}"));
        let goal = Goal {
            placement: Some(cell.placement),
            ours: shown(ours),
            theirs,
            ..Goal::new(name(&cell), unit, bound, measured)
        };
        self.goals.push(goal);
    }

    fn figure(
        &mut self,
        cell: Cell,
        unit: &str,
        bound: Option<Bound>,
        measured: impl Fn(&Row) -> Option<Spread>,
    ) {
        let row = self
            .find(&cell)
            .and_then(|results| results.row(Contender::Ferromq));
        let measured = row.and_then(measured);
        self.goals.extend(measured.map(|measured| Goal {
            placement: Some(cell.placement),
            ..Goal::new(name(&cell), unit, bound, measured)
        }));
    }

    fn find(&self, cell: &Cell) -> Option<&CellResults> {
        self.results
            .cells
            .iter()
            .find(|results| results.cell == *cell)
    }
}

/// The cell without its placement.
fn name(cell: &Cell) -> String {
    let (workload, shape) = (cell.workload, cell.format_shape());
    format!("{workload} {shape} {}", cell.format_carrier())
}

fn single(value: f64) -> Spread {
    Spread {
        median: value,
        min: value,
        max: value,
    }
}
