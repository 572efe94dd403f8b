//! Publish and subscribe: everybody who subscribed to a topic gets its messages.
//!
//! ```text
//!                     ┌──▶ SUB  "sport"
//!   publisher  XPUB ──┤
//!                     └──▶ SUB  "news", "weather"
//! ```
//! An XPUB is a PUB that sees who subscribes: subscriptions come as messages.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Options, Sub, XPub};

const TOPICS: [&str; 3] = ["news", "sport", "weather"];

/// Publish on the topics news, sport and weather, or listen to some of them.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  pub_sub publisher                       says something every second
  pub_sub subscriber sport                in another terminal, any number of them
  pub_sub subscriber news weather --count 10
  pub_sub publisher --count 30 --every 0 --await-subscriptions 3")]
struct Arguments {
    /// Where the publisher listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5556")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Publish on each topic in turn.
    Publisher {
        /// How many messages; without it, until Ctrl-C.
        #[arg(long)]
        count: Option<u64>,
        /// Milliseconds between two of them.
        #[arg(long, default_value_t = 1000)]
        every: u64,
        /// Begin when so many topics were subscribed to: what is published
        /// before is lost on who comes later.
        #[arg(long, default_value_t = 0)]
        await_subscriptions: u32,
    },
    /// Print what is published on these topics.
    Subscriber {
        /// Beginnings of topics; an empty one ("") is everything.
        #[arg(required = true)]
        topics: Vec<String>,
        /// How many messages; without it, until Ctrl-C.
        #[arg(long)]
        count: Option<u64>,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Publisher {
            count,
            every,
            await_subscriptions,
        } => publisher(
            &endpoint,
            count.unwrap_or(u64::MAX),
            Duration::from_millis(every),
            await_subscriptions,
        ),
        Role::Subscriber { topics, count } => {
            subscriber(&endpoint, &topics, count.unwrap_or(u64::MAX))
        }
    })
}

fn publisher(endpoint: &str, count: u64, pause: Duration, subscriptions: u32) -> Outcome {
    let context = Context::new()?;
    // Verbose: the second subscription to a topic is told too.
    let socket = context.socket_with::<XPub>(Options::new().xpub_verbose(true))?;
    println!("publishing at {}", socket.bind(endpoint)?);
    let mut subscribed = 0;
    while subscribed < subscriptions {
        // [1, topic…] subscribes, [0, topic…] cancels (29/PUBSUB).
        let message = socket.recv()?;
        subscribed += u32::from(message.frame(0).is_some_and(|it| it.starts_with(&[1])));
    }
    for number in 1..=count {
        let topic = TOPICS[(number - 1) as usize % TOPICS.len()];
        socket.send([topic, &format!("message {number}")])?;
        // Nobody needs to read what comes later, but it would pile up.
        while socket.try_recv().is_ok() {}
        sleep(pause);
    }
    println!("{count} messages published");
    Ok(())
}

fn subscriber(endpoint: &str, topics: &[String], count: u64) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Sub>()?;
    for topic in topics {
        socket.subscribe(topic)?; // without one, a SUB gets nothing
    }
    socket.connect(endpoint)?;
    for _ in 0..count {
        let message = socket.recv()?;
        println!("{}: {}", text(message.frame(0)), text(message.frame(1)));
    }
    Ok(())
}
