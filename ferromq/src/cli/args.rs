//! The command line.

#[cfg(test)]
mod examples;
mod groups;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use ferromq::status::{StatusError, StatusPlace};
use ferromq::{Context, Endpoint, Error, Fabric, Switching};

use super::completion::{self, CompletionArgs};
use super::files::{ReceiveFilesArgs, SendFilesArgs};
use super::help;
use super::inspect::{self, InspectArgs};
use super::keygen::{self, KeygenArgs};
use super::man::{self, ManArgs};
use super::output::Format;
use super::proxy::ProxyArgs;
use super::rdma::{self, RdmaArgs};
use super::security::SecurityArgs;
use super::text;
use crate::demo::{DemoArgs, PeerArgs};

pub(crate) use groups::{DishArgs, RadioArgs};

/// ZeroMQ's sockets on the command line: lines of standard input are messages,
/// received messages are lines of standard output
#[derive(Debug, Parser)]
#[command(name = "ferromq", version, after_help = help::TOP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Send each message to one of the PULL peers in turn
    #[command(after_help = help::PUSH)]
    Push(SendArgs),
    /// Print messages from PUSH peers
    #[command(after_help = help::PULL)]
    Pull(ReceiveArgs),
    /// Publish messages to all subscribers
    #[command(after_help = help::PUB)]
    Pub(PubArgs),
    /// Subscribe and print what is published
    #[command(after_help = help::SUB)]
    Sub(SubArgs),
    /// Publish messages and print the subscriptions that come
    #[command(after_help = help::XPUB)]
    Xpub(DuplexArgs),
    /// Send subscriptions (and other messages) and print what is published
    #[command(after_help = help::XSUB)]
    Xsub(XsubArgs),
    /// Send requests, print the reply to each
    #[command(after_help = help::REQ)]
    Req(DuplexArgs),
    /// Reply to requests
    #[command(after_help = help::REP)]
    Rep(RepArgs),
    /// Send to peers in turn, print what comes: an asynchronous REQ
    #[command(after_help = help::DEALER)]
    Dealer(DuplexArgs),
    /// Send to the peer that a line names, print what comes: an asynchronous REP
    #[command(after_help = help::ROUTER)]
    Router(RouterArgs),
    /// Talk to exactly one peer
    #[command(after_help = help::PAIR)]
    Pair(DuplexArgs),
    /// Send single frames to servers in turn, print what comes
    #[command(after_help = help::CLIENT)]
    Client(DuplexArgs),
    /// Print what clients send, reply to the one that a line names
    #[command(after_help = help::SERVER)]
    Server(RouterArgs),
    /// Talk to peers of the same kind, to the one that a line names
    #[command(after_help = help::PEER)]
    Peer(RouterArgs),
    /// Send single frames to one of the GATHER peers in turn
    #[command(after_help = help::SCATTER)]
    Scatter(SendArgs),
    /// Print single frames from SCATTER peers
    #[command(after_help = help::GATHER)]
    Gather(ReceiveArgs),
    /// Send to the members of a group
    #[command(after_help = help::RADIO)]
    Radio(RadioArgs),
    /// Join groups and print what is sent to them
    #[command(after_help = help::DISH)]
    Dish(DishArgs),
    /// Talk to exactly one peer, in single frames
    #[command(after_help = help::CHANNEL)]
    Channel(DuplexArgs),
    /// Pass messages on between two sides: a broker, a forwarder or a streamer
    #[command(after_help = help::PROXY)]
    Proxy(ProxyArgs),
    /// Send files, checked and resumed after interruptions
    #[command(after_help = help::SEND)]
    Send(SendFilesArgs),
    /// Receive files into a directory
    #[command(after_help = help::RECEIVE)]
    Receive(ReceiveFilesArgs),
    /// Show the sockets of a running process, their peers, queues and drops
    #[command(after_help = inspect::HELP)]
    Inspect(InspectArgs),
    /// List the devices that rdma:// could use, their ports and addresses, and what is wrong
    #[command(after_help = rdma::HELP)]
    Rdma(RdmaArgs),
    /// Make a pair of keys for encrypted connections (CURVE)
    #[command(after_help = keygen::HELP)]
    Keygen(KeygenArgs),
    /// Show all patterns at work between processes on this machine
    #[command(after_help = help::DEMO)]
    Demo(DemoArgs),
    /// Print what makes a shell complete this command line
    #[command(after_help = completion::HELP)]
    Completion(CompletionArgs),
    /// Print the manual page, or write those of all verbs
    #[command(after_help = man::HELP)]
    Man(ManArgs),
    /// One side of one row of the demonstration
    #[command(hide = true)]
    DemoPeer(PeerArgs),
}

/// Where the socket is, and how it behaves: for every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Socket")]
pub(crate) struct SocketArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    /// Name that ROUTER peers know this socket by (escapes as in text output)
    #[arg(long, value_name = "NAME", value_parser = identity)]
    pub(crate) identity: Option<Identity>,
    /// Messages that may wait for one peer, each way; 0 is no limit [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) hwm: Option<usize>,
    /// At the end keep trying for so long to deliver what waits; 0 discards it
    /// [default: as --timeout, else for ever]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) linger: Option<Duration>,
    /// Fail with exit code 1 when one wait for a message or a peer takes longer
    /// [default: wait for ever]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Show the socket to `ferromq inspect`, where it looks for this process or
    /// at a path
    #[arg(
        long,
        value_name = "PATH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = status_place
    )]
    pub(crate) status: Option<StatusPlace>,
    #[command(flatten)]
    pub(crate) path: PathArgs,
    /// Tell on standard error what happens to connections
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) security: SecurityArgs,
}

/// What carries connections.
#[derive(Debug, Clone, Args)]
pub(crate) struct PathArgs {
    /// Leave connections within this machine where they are, and do not move them to
    /// shared memory
    #[arg(long)]
    no_switch: bool,
    /// Move connections over tcp:// to RDMA, where both ends have a device and ask for it;
    /// MC_RPC_PROTOCOL=rdma in the environment does the same
    #[arg(long, conflicts_with = "no_switch")]
    rdma: bool,
}

impl PathArgs {
    /// A context whose connections take the path that was asked for.
    pub(crate) fn context(&self) -> Result<Context, Error> {
        let mut builder = Context::builder();
        if self.no_switch {
            builder = builder
                .switching(Switching::new(&[], "shm"))
                .fabric(Fabric::Unused);
        }
        if self.rdma {
            builder = builder.fabric(Fabric::Preferred);
        }
        builder.build()
    }
}

/// At least one of either.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct EndpointArgs {
    /// Listen here, e.g. tcp://*:5555, tcp://127.0.0.1:*, ipc:///tmp/a; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(crate) bind: Vec<String>,
    /// Connect there, e.g. tcp://host:5555, ipc:///tmp/a; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(crate) connect: Vec<String>,
}

/// What to send. Without any of these: each line of standard input.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages to send (default: lines of standard input)")]
pub(crate) struct InputArgs {
    /// Send this file as one message; - is standard input
    #[arg(long, value_name = "FILE", group = "payload")]
    pub(crate) file: Option<PathBuf>,
    /// Send a generated message of so many bytes (K, M and G: 1024-fold)
    #[arg(long, value_name = "BYTES", value_parser = size, group = "payload")]
    pub(crate) size: Option<usize>,
    /// Send the file or the generated message so many times [default: 1]
    #[arg(long, value_name = "N", requires = "payload")]
    pub(crate) repeat: Option<u64>,
}

/// How to print, and when to end.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Received messages")]
pub(crate) struct OutputArgs {
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// End after so many
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DuplexArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PubArgs {
    /// Put this topic before each message, as a frame of its own
    #[arg(long, value_name = "TOPIC", value_parser = bytes)]
    pub(crate) topic: Option<Bytes>,
    /// Start when so many subscriptions have come: before, nobody would get the
    /// messages. A subscriber sends one for each of its topics
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) wait_subscribers: u64,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SubArgs {
    /// Receive only what starts with this; repeatable [default: everything]
    #[arg(long, value_name = "PREFIX", value_parser = bytes)]
    pub(crate) topic: Vec<Bytes>,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct XsubArgs {
    /// Subscribe to this at the start; repeatable [default: nothing]
    #[arg(long, value_name = "PREFIX", value_parser = bytes)]
    pub(crate) topic: Vec<Bytes>,
    #[command(flatten)]
    pub(crate) duplex: DuplexArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RepArgs {
    /// Send each request back
    #[arg(long, conflicts_with = "exec")]
    pub(crate) echo: bool,
    /// Run sh -c COMMAND for each request, the request on its standard input;
    /// what it prints is the reply
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    /// Let --exec serve other machines too
    #[arg(long, requires = "exec", action = ArgAction::SetTrue)]
    pub(crate) allow_remote: bool,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RouterArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Bytes given in the text form. A newtype, because clap takes a `Vec` for a
/// repeated argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// An identity that ZMTP allows.
pub(crate) type Identity = Bytes;

pub(crate) fn status_place(text: &str) -> Result<StatusPlace, String> {
    text.parse().map_err(|error: StatusError| error.to_string())
}

pub(crate) fn endpoint(text: &str) -> Result<String, String> {
    match text.parse::<Endpoint>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.cause().to_string()),
    }
}

fn bytes(text: &str) -> Result<Bytes, String> {
    text::unescape(text.as_bytes())
        .map(Bytes)
        .map_err(|error| error.to_string())
}

fn identity(text: &str) -> Result<Identity, String> {
    let identity = bytes(text)?;
    match identity.0.len() {
        1..=255 if identity.0[0] == 0 => Err("a zero byte first is reserved".into()),
        1..=255 => Ok(identity),
        len => Err(format!("an identity has 1 to 255 bytes, not {len}")),
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a span of time".to_owned())
}

pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "not a number of bytes".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "more than this machine can address".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_shown_verb_has_help_with_examples() {
        for verb in Cli::command()
            .get_subcommands_mut()
            .filter(|verb| !verb.is_hide_set())
        {
            let help = verb.render_long_help().to_string();
            let example = format!("ferromq {}", verb.get_name());
            let examples = help.split("Examples:").nth(1).unwrap_or_default();
            assert!(examples.contains(&example), "{help}");
        }
    }

    #[test]
    fn an_endpoint_is_needed_and_checked() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["ferromq", "pull"], args].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--bind", "tcp://*:1", "--connect", "ipc://@a"]).is_ok());
        let error = parse(&["--bind", "127.0.0.1:1"]).unwrap_err().to_string();
        let cause = "the scheme is missing, as in tcp://host:port";
        assert!(error.contains(cause), "{error}");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("17"), Ok(17));
        assert_eq!(size("3k"), Ok(3072));
        assert_eq!(size("1G"), Ok(1 << 30));
        assert!(size("").is_err() && size("K").is_err() && size("-1").is_err());
        assert!(size("99999999999G").is_err());
    }

    #[test]
    fn seconds_are_not_negative() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert!(seconds("-1").is_err() && seconds("nan").is_err() && seconds("1e30").is_err());
    }

    #[test]
    fn identities_are_those_of_zmtp() {
        assert_eq!(identity("a\\x00"), Ok(Bytes(vec![b'a', 0])));
        assert!(identity("").is_err() && identity("\\x00a").is_err());
        assert!(identity(&"x".repeat(256)).is_err());
    }
}
