//! Starts the two processes of a job, introduces them, collects their figures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::{Answer, Order, Report};
use crate::job::{Job, Role};
use crate::peers::Failure;

/// A job that takes longer than this lost a message.
const PATIENCE: Duration = Duration::from_secs(60);

/// What both processes of a job measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) server: Report,
    pub(crate) client: Report,
}

/// Runs `job` in two processes of this program.
pub(crate) fn run(job: &Job) -> Result<Outcome, Failure> {
    run_under(job, |_| this_program())
}

/// Runs `job`; `launcher` gives the command that a worker's arguments are
/// appended to.
pub(crate) fn run_under(
    job: &Job,
    launcher: impl Fn(Role) -> Result<Command, Failure>,
) -> Result<Outcome, Failure> {
    let encoded = serde_json::to_string(job)?;
    let mut pair = Pair::new(PATIENCE);
    let start = |pair: &mut Pair, role: Role| -> Result<(), Failure> {
        let role_name = role.to_string();
        let arguments = ["worker", "--role", &role_name, "--job", &encoded];
        pair.spawn(role, launcher(role)?.args(arguments))
    };
    start(&mut pair, Role::Server)?;
    let endpoint = match pair.next_answer()? {
        (_, Answer::Bound(endpoint)) => endpoint,
        (role, answer) => return Err(unexpected(role, &answer)),
    };
    start(&mut pair, Role::Client)?;
    pair.order(Role::Client, &Order::Connect(endpoint))?;
    // One side knows when all is done; the other one is told.
    let (first, first_report) = pair.next_report()?;
    pair.order(first.other(), &Order::Finish)?;
    let (_, second_report) = pair.next_report()?;
    pair.end()?;
    Ok(match first {
        Role::Server => Outcome {
            server: first_report,
            client: second_report,
        },
        Role::Client => Outcome {
            server: second_report,
            client: first_report,
        },
    })
}

/// This program, to be started once more.
pub(crate) fn this_program() -> Result<Command, Failure> {
    Ok(Command::new(std::env::current_exe()?))
}

/// Two processes and what they say, in the order in which they say it.
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
    /// `patience` is for all that the two do.
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

    pub(crate) fn order(&mut self, role: Role, order: &Order) -> Result<(), Failure> {
        let process = self.processes.get_mut(&role).ok_or("no such process")?;
        let input = process.input.as_mut().ok_or("its input is closed")?;
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        Ok(input.write_all(line.as_bytes())?)
    }

    /// What either of them says next. A failure of theirs is one here.
    pub(crate) fn next_answer(&mut self) -> Result<(Role, Answer), Failure> {
        let (role, heard) = self.listen()?;
        let Heard::Line(line) = heard else {
            return Err(format!("the {role} ended before its work").into());
        };
        match serde_json::from_str(&line)? {
            Answer::Failed(reason) => Err(format!("the {role} failed: {reason}").into()),
            answer => Ok((role, answer)),
        }
    }

    fn next_report(&mut self) -> Result<(Role, Report), Failure> {
        match self.next_answer()? {
            (role, Answer::Done(report)) => Ok((role, report)),
            (role, answer) => Err(unexpected(role, &answer)),
        }
    }

    /// Lets both end, and waits until they did.
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
