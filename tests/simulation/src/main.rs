//! Runs schedules until one fails, or enough have passed.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use ferromq_simulation::{Cause, FAULTS, Outcome, Plant, Scenario, Schedule, run};

/// Simulates whole sockets of many nodes over a virtual network and clock.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  ferromq-simulation --seconds 60
  ferromq-simulation --schedules 10000000 --jobs 2
  ferromq-simulation --scenario broker --seed 17 --trace   one schedule, step by step
  ferromq-simulation --plant misroute                      it must fail")]
struct Arguments {
    /// Run this scenario only; all in turn when left out.
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,
    /// The first seed. With --scenario and without a count, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Show every step.
    #[arg(long, requires = "seed", requires = "scenario")]
    trace: bool,
    /// Schedules to run at most.
    #[arg(long)]
    schedules: Option<u64>,
    /// Seconds to run at most.
    #[arg(long)]
    seconds: Option<u64>,
    /// Seconds of one core's work to run at most, however long that takes.
    #[arg(long)]
    core_seconds: Option<u64>,
    /// Threads.
    #[arg(long)]
    jobs: Option<usize>,
    /// Write the figures to this file, as a JSON array of pairs.
    #[arg(long)]
    figures: Option<std::path::PathBuf>,
    /// A bug to plant, for the simulator to find.
    #[arg(long, value_enum)]
    plant: Option<Plant>,
}

/// What all threads share.
struct Shared {
    next: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
    figures: Mutex<Figures>,
    /// The schedule that each thread is at.
    current: Vec<Current>,
}

type Current = Mutex<Option<(Scenario, u64)>>;

/// Sums over schedules.
#[derive(Clone, Debug, Default)]
struct Figures {
    schedules: u64,
    events: u64,
    delivered: u64,
    lost: ferromq_simulation::Drops,
    faults: [u64; FAULTS.len()],
    /// The first failure: scenario, seed, what was seen.
    failure: Option<(Scenario, u64, String)>,
}

/// As `println!`, to a reader who may have gone.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let (Some(scenario), Some(seed), None, None) = (
        arguments.scenario,
        arguments.seed,
        arguments.schedules,
        arguments.seconds,
    ) {
        return replay(&arguments, scenario, seed);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.unwrap_or(cores);
    let shared = Shared {
        current: (0..jobs).map(|_| Mutex::default()).collect(),
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        figures: Mutex::default(),
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = shared
            .current
            .iter()
            .map(|current| scope.spawn(|| work(&arguments, &shared, current)))
            .collect();
        watch(&arguments, &shared, started, || {
            threads.iter().all(|thread| thread.is_finished())
        });
    });
    let figures = shared.figures.into_inner().unwrap_or_default();
    report(&figures, &arguments, started.elapsed())
}

/// Runs one schedule.
fn replay(arguments: &Arguments, scenario: Scenario, seed: u64) -> ExitCode {
    let schedule = Schedule {
        scenario,
        seed,
        plant: arguments.plant,
    };
    let outcome = run(schedule, arguments.trace);
    say!(
        "{} events, {} messages received, {} lost, trace {:#018x}",
        outcome.events,
        outcome.delivered,
        outcome.lost.total(),
        outcome.trace_hash
    );
    match outcome.failure {
        Some(failure) => {
            say!("{failure}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn work(arguments: &Arguments, shared: &Shared, current: &Current) {
    let mut figures = Figures::default();
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if arguments.schedules.is_some_and(|most| number >= most) {
            break;
        }
        let seed = arguments.seed.unwrap_or(0).wrapping_add(number);
        let all = Scenario::ALL;
        let in_turn = all[(seed % all.len() as u64) as usize];
        let scenario = arguments.scenario.unwrap_or(in_turn);
        let schedule = Schedule {
            scenario,
            seed,
            plant: arguments.plant,
        };
        if let Ok(mut current) = current.lock() {
            *current = Some((scenario, seed));
        }
        match catch_unwind(AssertUnwindSafe(|| run(schedule, false))) {
            Ok(outcome) => figures.add(scenario, seed, &outcome),
            Err(_) => figures.failure = Some((scenario, seed, "a panic".to_owned())),
        }
        shared.done.fetch_add(1, Ordering::Relaxed);
        if figures.failure.is_some() {
            shared.stop.store(true, Ordering::Relaxed);
        }
    }
    if let Ok(mut current) = current.lock() {
        *current = None;
    }
    if let Ok(mut sum) = shared.figures.lock() {
        sum.merge(figures);
    }
}

/// Says how it goes, and ends it when its time is over.
fn watch(arguments: &Arguments, shared: &Shared, started: Instant, over: impl Fn() -> bool) {
    let mut told = started;
    let mut looks = vec![Look::default(); shared.current.len()];
    while !over() {
        std::thread::sleep(Duration::from_millis(20));
        let is_past = |limit: Option<u64>, spent: Duration| {
            limit.is_some_and(|limit| spent >= Duration::from_secs(limit))
        };
        let time_is_over = is_past(arguments.seconds, started.elapsed());
        if time_is_over || is_past(arguments.core_seconds, work_so_far()) {
            shared.stop.store(true, Ordering::Relaxed);
        }
        if let Some((scenario, seed)) = stuck(shared, &mut looks) {
            let failure = Some((scenario, seed, "it does not end".to_owned()));
            let figures = Figures {
                failure,
                ..Figures::default()
            };
            report(&figures, arguments, started.elapsed());
            // Nothing stops a thread that is in a loop.
            std::process::exit(1);
        }
        if told.elapsed() >= Duration::from_secs(5) {
            told = Instant::now();
            let done = shared.done.load(Ordering::Relaxed);
            let rate = done as f64 / started.elapsed().as_secs_f64();
            eprintln!("simulation: {done} schedules, {rate:.0} a second");
        }
    }
}

/// What all threads took of the processor.
fn work_so_far() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// What a thread was at when it was looked at, and how often it was at that.
#[derive(Clone, Copy, Default)]
struct Look {
    at: Option<(Scenario, u64)>,
    times: u32,
}

impl Look {
    /// Looks again.
    fn at(&mut self, now: Option<(Scenario, u64)>) {
        self.times = if self.at == now { self.times + 1 } else { 0 };
        self.at = now;
    }
}

/// A schedule that takes ten thousand times as long as others.
fn stuck(shared: &Shared, looks: &mut [Look]) -> Option<(Scenario, u64)> {
    let threads = shared.current.iter().zip(looks);
    threads.into_iter().find_map(|(current, look)| {
        look.at(*current.lock().ok()?);
        look.at.filter(|_| look.times >= STUCK)
    })
}

/// Schedules take less than a millisecond, and looks are 20 ms apart. Looks are counted,
/// and no time: who stops or starves the whole process stops the looking with it.
const STUCK: u32 = 1_000;

fn report(figures: &Figures, arguments: &Arguments, elapsed: Duration) -> ExitCode {
    let seconds = elapsed.as_secs_f64();
    say!(
        "{} schedules in {seconds:.1} s ({:.0} a second), {} events, {} messages received",
        figures.schedules,
        figures.schedules as f64 / seconds,
        figures.events,
        figures.delivered
    );
    for (name, count) in FAULTS.iter().zip(figures.faults) {
        say!("  {count:>12} {name}");
    }
    for cause in Cause::ALL {
        say!("  {:>12} lost: {cause:?}", figures.lost.of(cause));
    }
    let Some((scenario, seed, what)) = &figures.failure else {
        return match arguments.figures.as_deref().map(|file| figures.write(file)) {
            Some(Err(cause)) => {
                say!("FAILED: cannot write the figures: {cause}");
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        };
    };
    let scenario = name(scenario);
    let plant = arguments.plant.as_ref().map(name);
    let plant = plant.map_or(String::new(), |plant| format!(" --plant {plant}"));
    say!("FAILED: {what}");
    say!("to see it again, step by step:");
    say!(
        "  cargo run --release -p ferromq-simulation -- --scenario {scenario} --seed {seed}{plant} --trace"
    );
    ExitCode::FAILURE
}

/// A value's name on the command line.
fn name<T: clap::ValueEnum>(value: &T) -> String {
    let value = value.to_possible_value();
    value.map_or(String::new(), |value| value.get_name().to_owned())
}

impl Figures {
    /// Names and numbers; the names need no escapes.
    fn write(&self, file: &std::path::Path) -> std::io::Result<()> {
        let mut pairs = vec![
            ("schedules".to_owned(), self.schedules),
            ("events".to_owned(), self.events),
            ("messages received".to_owned(), self.delivered),
        ];
        let faults = FAULTS.iter().zip(self.faults);
        pairs.extend(faults.map(|(name, count)| (format!("faults: {name}"), count)));
        let lost = Cause::ALL.iter();
        pairs.extend(lost.map(|cause| {
            let name = format!("messages lost and counted: {cause:?}");
            (name, self.lost.of(*cause))
        }));
        let pairs = pairs.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, count)| format!("[\"{name}\", {count}]"))
            .collect();
        std::fs::write(file, format!("[{}]", pairs.join(", ")))
    }

    fn add(&mut self, scenario: Scenario, seed: u64, outcome: &Outcome) {
        self.schedules += 1;
        self.events += outcome.events;
        self.delivered += outcome.delivered;
        self.lost.merge(&outcome.lost);
        for (ours, theirs) in self.faults.iter_mut().zip(outcome.faults) {
            *ours += theirs;
        }
        if let Some(failure) = &outcome.failure {
            self.failure
                .get_or_insert((scenario, seed, failure.to_string()));
        }
    }

    fn merge(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.events += other.events;
        self.delivered += other.delivered;
        self.lost.merge(&other.lost);
        for (ours, theirs) in self.faults.iter_mut().zip(other.faults) {
            *ours += theirs;
        }
        self.failure = self.failure.take().or(other.failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_stays_at_one_schedule_is_stuck() {
        let at = Some((Scenario::ALL[0], 7));
        let shared = Shared {
            current: vec![Mutex::default(), Mutex::new(at)],
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            figures: Mutex::default(),
        };
        let mut looks = [Look::default(); 2];
        for _ in 0..STUCK {
            assert_eq!(stuck(&shared, &mut looks), None);
        }
        if let Ok(mut current) = shared.current[1].lock() {
            *current = Some((Scenario::ALL[0], 8));
        }
        assert_eq!(stuck(&shared, &mut looks), None, "it went on");
        let found = (0..=STUCK).find_map(|_| stuck(&shared, &mut looks));
        assert_eq!(found, Some((Scenario::ALL[0], 8)));
    }
}
