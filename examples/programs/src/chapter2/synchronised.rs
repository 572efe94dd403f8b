//! Publish when everybody listens: subscribers say by a second socket that they
//! hear the publisher, which waits for a number of them before it begins.
//!
//! ```text
//!   publisher  PUB ── hello?, hello?, …, 1, 2, 3, end ──▶ SUB ┐ subscriber
//!              REP ◀───────── I hear you ──────────────── REQ ┘
//! ```
//! That a connection stands does not mean that the subscription has arrived. So
//! the publisher calls until it is answered: who hears a call hears all that
//! follows.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Error, Pub, Rep, Req, Sub};

/// Publish to subscribers that miss nothing.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own, in any order
  synchronised publisher --subscribers 2 --count 1000
  synchronised subscriber
  synchronised subscriber")]
struct Arguments {
    /// Where the publisher publishes.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5561")]
    news: String,
    /// Where the publisher waits for subscribers' words.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5562")]
    sync: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Publish when all are there.
    Publisher {
        /// How many subscribers to wait for.
        #[arg(long, default_value_t = 1)]
        subscribers: u32,
        /// How many updates to publish.
        #[arg(long, default_value_t = 1000)]
        count: u32,
    },
    /// Count the updates.
    Subscriber,
}

fn main() -> ExitCode {
    let Arguments { news, sync, role } = Arguments::parse();
    ended(match role {
        Role::Publisher { subscribers, count } => publisher(&news, &sync, subscribers, count),
        Role::Subscriber => subscriber(&news, &sync),
    })
}

fn publisher(news: &str, sync: &str, subscribers: u32, count: u32) -> Outcome {
    let context = Context::new()?;
    // No limit: here a subscriber that is slow shall not lose anything either.
    let options = ferromq::Options::new().send_high_water_mark(0);
    let publisher = context.socket_with::<Pub>(options)?;
    println!("publishing at {}", publisher.bind(news)?);
    let answers = context.socket::<Rep>()?;
    println!("waiting at {}", answers.bind(sync)?);

    let mut there = 0;
    while there < subscribers {
        publisher.send("hello?")?;
        match answers.recv_timeout(Duration::from_millis(50)) {
            Ok(_) => {
                answers.send("welcome")?;
                there += 1;
            }
            Err(Error::TimedOut) => {} // nobody yet: call again
            Err(error) => return Err(error.into()),
        }
    }
    for number in 1..=count {
        publisher.send(number.to_string())?;
    }
    publisher.send("end")?;
    println!("{count} updates published to {there} subscribers");
    Ok(())
}

fn subscriber(news: &str, sync: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Sub>()?;
    socket.subscribe("")?;
    socket.connect(news)?;
    socket.recv()?; // the first call

    let word = context.socket::<Req>()?;
    word.connect(sync)?;
    word.send("I hear you")?;
    word.recv()?;

    let mut updates = 0;
    loop {
        let message = socket.recv()?;
        match &*text(message.frame(0)) {
            "end" => break,
            "hello?" => {} // meant for the others
            _ => updates += 1,
        }
    }
    println!("{updates} updates received");
    Ok(())
}
