//! One program, two sockets: tasks from a PUSH and news from a PUB, read by the
//! same thread. `reader` shows how it is done without a poller, and `poller` why
//! there is one.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Error, Interest, Message, Poller, Pull, Push, Socket, Sub, XPub};

/// Read from two sockets at once.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  two_sockets poller --count 20     or reader
  two_sockets feed                  in another terminal: ten tasks, ten pieces of news")]
struct Arguments {
    /// Where tasks come from.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5557")]
    tasks: String,
    /// Where news come from.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5556")]
    news: String,
    /// Messages to read, or to feed into each socket; without it, no end.
    #[arg(long, global = true)]
    count: Option<u64>,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Ask one socket after the other whether it has something.
    Reader,
    /// Wait for both at once.
    Poller,
    /// Send to both (ten messages each, unless --count says otherwise).
    Feed,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let count = arguments.count.unwrap_or(u64::MAX);
    ended(match arguments.role {
        Role::Reader => reader(&arguments, count),
        Role::Poller => poller(&arguments, count),
        Role::Feed => feed(&arguments, arguments.count.unwrap_or(10)),
    })
}

fn sockets(arguments: &Arguments) -> Outcome<(Context, Socket<Pull>, Socket<Sub>)> {
    let context = Context::new()?;
    let tasks = context.socket::<Pull>()?;
    tasks.connect(&arguments.tasks)?;
    let news = context.socket::<Sub>()?;
    news.subscribe("")?;
    news.connect(&arguments.news)?;
    Ok((context, tasks, news))
}

/// Tasks go first, always. The price: when nothing is there, it must wait for one
/// of the sockets only, and look at the other one now and then.
fn reader(arguments: &Arguments, count: u64) -> Outcome {
    let (_context, tasks, news) = sockets(arguments)?;
    let mut read = 0;
    while read < count {
        if let Some(task) = there(tasks.try_recv())? {
            show("task", &task, &mut read);
        } else if let Some(piece) = there(news.try_recv())? {
            show("news", &piece, &mut read);
        } else if let Some(task) = there(tasks.recv_timeout(Duration::from_millis(10)))? {
            show("task", &task, &mut read);
        }
    }
    Ok(())
}

/// That nothing came is no error here.
fn there(received: Result<Message, Error>) -> Outcome<Option<Message>> {
    match received {
        Ok(message) => Ok(Some(message)),
        Err(Error::WouldBlock | Error::TimedOut) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sleeps until either socket has something, and favours nobody.
fn poller(arguments: &Arguments, count: u64) -> Outcome {
    const TASKS: usize = 0;
    let (_context, tasks, news) = sockets(arguments)?;
    let mut poller = Poller::new();
    poller.add(&tasks, TASKS, Interest::Readable);
    poller.add(&news, 1, Interest::Readable);
    let (mut events, mut read) = (Vec::new(), 0);
    while read < count {
        poller.wait(&mut events, None)?;
        for event in &events {
            match event.key {
                TASKS => show("task", &tasks.recv()?, &mut read),
                _ => show("news", &news.recv()?, &mut read),
            }
        }
    }
    Ok(())
}

fn show(what: &str, message: &Message, read: &mut u64) {
    println!("{what}: {}", text(message.frame(0)));
    *read += 1;
}

fn feed(arguments: &Arguments, count: u64) -> Outcome {
    let context = Context::new()?;
    let tasks = context.socket::<Push>()?;
    println!("tasks at {}", tasks.bind(&arguments.tasks)?);
    let news = context.socket::<XPub>()?;
    println!("news at {}", news.bind(&arguments.news)?);
    news.recv()?; // somebody subscribed: from now on nothing is lost
    for number in 1..=count {
        tasks.send(format!("task {number}"))?;
        news.send(format!("piece {number}"))?;
    }
    Ok(())
}
