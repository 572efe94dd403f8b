//! Starts the processes of a job, introduces them, collects their figures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::{Answer, Channel, Order, Report};
use crate::hogs::Hogs;
use crate::job::{Job, Placement, Role, Via, Workload};
use crate::peers::Failure;

/// A job that takes longer than this lost a message: a hundred times what it should.
const PATIENCE: Duration = Duration::from_secs(20);
/// And one that takes seconds to set up.
const PATIENCE_HEAVY: Duration = Duration::from_secs(60);

/// What the processes of a job measured, each by its role.
pub(crate) type Reports = BTreeMap<Role, Report>;

/// Runs `job` in processes of this program.
pub(crate) fn run(job: &Job) -> Result<Reports, Failure> {
    run_under(job, |_| this_program())
}

/// Runs `job`; `launcher` gives the command that a worker's arguments are
/// appended to.
pub(crate) fn run_under(
    job: &Job,
    launcher: impl Fn(Role) -> Result<Command, Failure>,
) -> Result<Reports, Failure> {
    let encoded = serde_json::to_string(job)?;
    let _hogs = match job.cell.placement {
        Placement::Contended => Some(Hogs::on_each_core()?),
        _ => None,
    };
    let mut pair = Pair::new(
        match job.cell.is_heavy()
            || job.cell.has_loans_only()
            || job.cell.workload == Workload::Backlog
        {
            true => PATIENCE_HEAVY,
            false => PATIENCE,
        },
    );
    let start = |pair: &mut Pair, role: Role| -> Result<(), Failure> {
        let role_name = role.to_string();
        let arguments = ["worker", "--role", &role_name, "--job", &encoded];
        pair.spawn(role, launcher(role)?.args(arguments))
    };
    if job.cell.via == Via::Inproc {
        start(&mut pair, Role::Both)?;
        let reports = match pair.next_answer()? {
            (_, Answer::AllDone(reports)) => reports.into_iter().collect(),
            (role, answer) => return Err(unexpected(role, &answer)),
        };
        pair.end()?;
        return Ok(reports);
    }
    let reports = introduce(job, &mut pair, start)?;
    pair.end()?;
    Ok(reports)
}

/// Those who play the roles: processes, or threads.
pub(crate) trait Company {
    fn order(&mut self, role: Role, order: &Order) -> Result<(), Failure>;
    /// What any of them says next. A failure of theirs is one here.
    fn next_answer(&mut self) -> Result<(Role, Answer), Failure>;
}

/// Has `job` done by a company whose players `start` brings in.
pub(crate) fn introduce<C: Company>(
    job: &Job,
    company: &mut C,
    start: impl Fn(&mut C, Role) -> Result<(), Failure>,
) -> Result<Reports, Failure> {
    start(company, Role::Server)?;
    let mut endpoint = next_endpoint(company)?;
    if job.cell.workload == Workload::Proxy {
        start(company, Role::Middle)?;
        company.order(Role::Middle, &Order::Connect(endpoint))?;
        endpoint = next_endpoint(company)?;
    }
    start(company, Role::Client)?;
    company.order(Role::Client, &Order::Connect(endpoint))?;
    let mut reports = Reports::new();
    // One side knows when all is done; the others are told.
    let first = loop {
        match company.next_answer()? {
            (role, Answer::Ready) => company.order(role.other(), &Order::Begin)?,
            (role, Answer::Done(report)) => {
                reports.insert(role, report);
                break role;
            }
            (role, answer) => return Err(unexpected(role, &answer)),
        }
    };
    company.order(first.other(), &Order::Finish)?;
    if job.cell.workload == Workload::Proxy {
        company.order(Role::Middle, &Order::Finish)?;
    }
    let players = 2 + usize::from(job.cell.workload == Workload::Proxy);
    while reports.len() < players {
        match company.next_answer()? {
            (role, Answer::Done(report)) => reports.insert(role, report),
            (role, answer) => return Err(unexpected(role, &answer)),
        };
    }
    Ok(reports)
}

fn next_endpoint(company: &mut impl Company) -> Result<String, Failure> {
    match company.next_answer()? {
        (_, Answer::Bound(endpoint)) => Ok(endpoint),
        (role, answer) => Err(unexpected(role, &answer)),
    }
}

/// This program, to be started once more.
pub(crate) fn this_program() -> Result<Command, Failure> {
    Ok(Command::new(std::env::current_exe()?))
}

/// A job's processes and what they say, in the order in which they say it.
///
/// Dropping it kills them.
pub(crate) struct Pair {
    processes: BTreeMap<Role, Process>,
    heard: mpsc::Receiver<(Role, Heard)>,
    tell: mpsc::Sender<(Role, Heard)>,
    deadline: Instant,
}

struct Process {
    child: Child,
    input: Option<ChildStdin>,
}

enum Heard {
    Line(String),
    End,
}

impl Pair {
    /// `patience` is for all that they do.
    pub(crate) fn new(patience: Duration) -> Self {
        let (tell, heard) = mpsc::channel();
        Self {
            processes: BTreeMap::new(),
            heard,
            tell,
            deadline: Instant::now() + patience,
        }
    }

    /// Starts `command` as the process that plays `role`.
    pub(crate) fn spawn(&mut self, role: Role, command: &mut Command) -> Result<(), Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("a worker without an output")?;
        self.processes.insert(role, Process { child, input });
        let tell = self.tell.clone();
        thread::spawn(move || {
            // A send fails when the pair was dropped: nobody listens any more.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = tell.send((role, Heard::Line(line)));
            }
            let _ = tell.send((role, Heard::End));
        });
        Ok(())
    }

    /// Lets all end, and waits until they did.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        for process in self.processes.values_mut() {
            process.input = None;
        }
        let mut running = self.processes.len();
        while running > 0 {
            if let (_, Heard::End) = self.listen()? {
                running -= 1;
            }
        }
        for (role, process) in &mut self.processes {
            let status = process.child.wait()?;
            if !status.success() {
                return Err(format!("the {role} ended badly: {status}").into());
            }
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<(Role, Heard), Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.heard
            .recv_timeout(left)
            .map_err(|_| "it took too long".into())
    }
}

impl Company for Pair {
    fn order(&mut self, role: Role, order: &Order) -> Result<(), Failure> {
        let process = self.processes.get_mut(&role).ok_or("no such process")?;
        let input = process.input.as_mut().ok_or("its input is closed")?;
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        Ok(input.write_all(line.as_bytes())?)
    }

    fn next_answer(&mut self) -> Result<(Role, Answer), Failure> {
        let (role, heard) = self.listen()?;
        let Heard::Line(line) = heard else {
            return Err(format!("the {role} ended before its work").into());
        };
        match serde_json::from_str(&line)? {
            Answer::Failed(reason) => Err(format!("the {role} failed: {reason}").into()),
            answer => Ok((role, answer)),
        }
    }
}

/// Threads that play the roles of a job in one process.
pub(crate) struct Threads {
    orders: BTreeMap<Role, mpsc::Sender<Order>>,
    heard: mpsc::Receiver<(Role, Answer)>,
    tell: mpsc::Sender<(Role, Answer)>,
}

impl Threads {
    pub(crate) fn new() -> Self {
        let (tell, heard) = mpsc::channel();
        Self {
            orders: BTreeMap::new(),
            heard,
            tell,
        }
    }

    /// The channel of the thread that will play `role`.
    pub(crate) fn channel(&mut self, role: Role) -> Channel {
        let (sender, orders) = mpsc::channel();
        self.orders.insert(role, sender);
        Channel::between_threads(role, orders, self.tell.clone())
    }
}

impl Company for Threads {
    fn order(&mut self, role: Role, order: &Order) -> Result<(), Failure> {
        let thread = self.orders.get(&role).ok_or("no such thread")?;
        let told = thread.send(order.clone());
        told.map_err(|_| format!("the {role} ended before its work").into())
    }

    fn next_answer(&mut self) -> Result<(Role, Answer), Failure> {
        // The process above has the patience.
        match self.heard.recv()? {
            (role, Answer::Failed(reason)) => Err(format!("the {role} failed: {reason}").into()),
            answer => Ok(answer),
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            // Both fail harmlessly when it has ended and was waited for.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// An answer that does not belong here: a defect of the benchmark.
pub(crate) fn unexpected(role: Role, answer: &Answer) -> Failure {
    format!("the {role} answered out of turn: {answer:?}").into()
}
