//! A weather service: a station publishes readings of many places, and who wants
//! to know subscribes to one of them.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Pub, Sub};

/// Publish the weather of a hundred places, or listen to one.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  weather server
  weather client 42              the mean of ten readings of place 42
  weather client 7 --count 100")]
struct Arguments {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5556")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Publish a reading of every place, again and again, until Ctrl-C.
    Server {
        /// Milliseconds between two rounds.
        #[arg(long, default_value_t = 20)]
        every: u64,
    },
    /// Print a place's mean temperature.
    Client {
        /// The place, from 0 to 99.
        #[arg(value_parser = clap::value_parser!(u32).range(..100))]
        place: u32,
        /// How many readings to take.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Server { every } => server(&endpoint, Duration::from_millis(every)),
        Role::Client { place, count } => client(&endpoint, place, count),
    })
}

fn server(endpoint: &str, pause: Duration) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Pub>()?;
    println!("publishing at {}", socket.bind(endpoint)?);
    let mut round = 0;
    loop {
        for place in 0..100 {
            // No real weather, but one that differs by place and time.
            let degrees = place % 30 + (round + place) % 7;
            // A topic is the beginning of the first frame. The blank keeps
            // place 4 apart from place 42.
            socket.send(format!("{place} {degrees}"))?;
        }
        sleep(pause); // the pace of the station; nobody has to keep up with it
        round = (round + 1) % 7;
    }
}

fn client(endpoint: &str, place: u32, count: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Sub>()?;
    socket.subscribe(format!("{place} "))?;
    socket.connect(endpoint)?;
    let mut sum = 0_u64;
    for _ in 0..count {
        let update = socket.recv()?;
        let update = text(update.frame(0));
        let Some((_, degrees)) = update.split_once(' ') else {
            return Err(format!("not \"place degrees\": {update}").into());
        };
        println!("{degrees} °C");
        sum += u64::from(degrees.parse::<u32>()?);
    }
    let mean = sum as f64 / f64::from(count);
    println!("place {place}: {mean:.1} °C in the mean of {count} readings");
    Ok(())
}
