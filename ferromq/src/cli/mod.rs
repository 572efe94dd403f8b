//! `ferromq VERB`: one socket, standard input and standard output.

mod args;
mod completion;
mod error;
mod files;
mod help;
mod input;
mod inspect;
mod interrupt;
mod keygen;
mod man;
mod output;
mod proxy;
mod rdma;
mod security;
mod session;
mod text;
mod trouble;
mod verbs;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use ferromq::SocketType;

use args::{Cli, Verb};

pub(crate) use args::size;
pub(crate) use error::Failure;
pub(crate) use interrupt::{interrupted, on_signal};
pub(crate) use trouble::say;

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    refuse_remote_command(&cli.verb);
    let done = match &cli.verb {
        Verb::Push(args) => verbs::push(SocketType::Push, args),
        Verb::Pull(args) => verbs::pull(SocketType::Pull, args),
        Verb::Pub(args) => verbs::publish(args),
        Verb::Sub(args) => verbs::sub(args),
        Verb::Xpub(args) => verbs::duplex(SocketType::XPub, args),
        Verb::Xsub(args) => verbs::xsub(args),
        Verb::Req(args) => verbs::request(args),
        Verb::Rep(args) => verbs::reply(args),
        Verb::Dealer(args) => verbs::duplex(SocketType::Dealer, args),
        Verb::Router(args) => verbs::router(SocketType::Router, args),
        Verb::Pair(args) => verbs::duplex(SocketType::Pair, args),
        Verb::Client(args) => verbs::duplex(SocketType::Client, args),
        Verb::Server(args) => verbs::router(SocketType::Server, args),
        Verb::Peer(args) => verbs::router(SocketType::Peer, args),
        Verb::Scatter(args) => verbs::push(SocketType::Scatter, args),
        Verb::Gather(args) => verbs::pull(SocketType::Gather, args),
        Verb::Radio(args) => verbs::radio(args),
        Verb::Dish(args) => verbs::dish(args),
        Verb::Channel(args) => verbs::duplex(SocketType::Channel, args),
        Verb::Send(args) => files::send(args),
        Verb::Receive(args) => files::receive(args),
        Verb::Proxy(args) => proxy::run(args),
        Verb::Inspect(args) => inspect::run(args),
        Verb::Rdma(args) => rdma::run(args),
        Verb::Keygen(args) => keygen::run(args),
        Verb::Completion(args) => completion::print(args),
        Verb::Man(args) => man::print(args),
        Verb::Demo(args) => crate::demo::run(args),
        Verb::DemoPeer(args) => crate::demo::peer(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_quiet() {
                say(format_args!("{failure}"));
            }
            failure.exit_code().into()
        }
    }
}

/// Wrong usage that clap cannot see.
fn refuse_remote_command(verb: &Verb) {
    if let Verb::Rep(args) = verb
        && let Some(endpoint) = verbs::unwanted_remote(args)
    {
        let what = format!(
            "--exec serves this machine only, and {endpoint} is for others too: \
             --allow-remote lets everybody who reaches it use the command"
        );
        Cli::command()
            .error(ErrorKind::ArgumentConflict, what)
            .exit();
    }
}
