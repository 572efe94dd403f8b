//! Envelopes: a message of several frames, of which the first one is the topic.
//! Subscriptions are compared with that frame only, and the others may hold
//! anything.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Pub, Sub};

/// Publish messages of three frames: topic, sender, and text.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  envelopes publisher
  envelopes subscriber B           of the topics A and B, hears B only
  envelopes subscriber A --count 3")]
struct Arguments {
    /// Where the publisher listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5563")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Publish on the topics A and B, until Ctrl-C.
    Publisher {
        /// Milliseconds between two rounds.
        #[arg(long, default_value_t = 1000)]
        every: u64,
    },
    /// Print what is published on a topic.
    Subscriber {
        /// The topic's beginning.
        topic: String,
        /// How many messages; without it, until Ctrl-C.
        #[arg(long)]
        count: Option<u64>,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Publisher { every } => publisher(&endpoint, Duration::from_millis(every)),
        Role::Subscriber { topic, count } => {
            subscriber(&endpoint, &topic, count.unwrap_or(u64::MAX))
        }
    })
}

fn publisher(endpoint: &str, pause: Duration) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Pub>()?;
    println!("publishing at {}", socket.bind(endpoint)?);
    let sender = format!("process {}", std::process::id());
    loop {
        // The text of A begins with a B: that is no topic, and reaches nobody
        // who asked for B.
        socket.send(["A", &sender, "B is not wanted here"])?;
        socket.send(["B", &sender, "this is what B hears"])?;
        sleep(pause);
    }
}

fn subscriber(endpoint: &str, topic: &str, count: u64) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Sub>()?;
    socket.subscribe(topic)?;
    socket.connect(endpoint)?;
    for _ in 0..count {
        let message = socket.recv()?;
        let [topic, sender, rest] = message.parts() else {
            return Err(format!("{} frames instead of three", message.len()).into());
        };
        let (topic, sender) = (text(Some(topic)), text(Some(sender)));
        println!("[{topic}] {} ({sender})", text(Some(rest)));
    }
    Ok(())
}
