//! `rep`: replies from standard input, by echo, or from a command.

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use ferromq::{Endpoint, Message, SocketType};
use ferromq_transport::{Address, Host};

use crate::cli::args::RepArgs;
use crate::cli::error::Failure;
use crate::cli::input::{FirstField, Source};
use crate::cli::interrupt;
use crate::cli::output::{Lead, Printer};
use crate::cli::session::Session;
use crate::cli::trouble;

/// `rep`: replies until `--count` is reached.
pub(crate) fn reply(args: &RepArgs) -> Result<(), Failure> {
    let mut answer = Answer::from_args(args)?;
    Session::open(SocketType::Rep, &args.socket)?.run(|session| {
        let mut left = args.output.count.unwrap_or(u64::MAX);
        while left > 0 {
            let request = session.receive("no request came")?;
            session.send(answer.to(request)?)?;
            left -= 1;
        }
        Ok(())
    })
}

/// The first endpoint that other machines can reach, if `--exec` is not to
/// serve them: anybody who reaches it would decide what the command reads.
pub(crate) fn unwanted_remote(args: &RepArgs) -> Option<&str> {
    if args.exec.is_none() || args.allow_remote {
        return None;
    }
    let endpoints = &args.socket.endpoints;
    let mut all = endpoints
        .bind
        .iter()
        .chain(&endpoints.connect)
        .map(String::as_str);
    all.find(|endpoint| !is_local(endpoint))
}

/// Where replies come from.
enum Answer<'a> {
    Echo,
    Command(&'a str),
    /// The request is printed, the next line is the reply.
    Lines {
        source: Source,
        printer: Printer<std::fs::File>,
    },
}

impl<'a> Answer<'a> {
    fn from_args(args: &'a RepArgs) -> Result<Self, Failure> {
        Ok(match &args.exec {
            Some(command) => Self::Command(command),
            None if args.echo => Self::Echo,
            None => Self::Lines {
                source: Source::stdin(FirstField::Frame)?,
                printer: Printer::stdout(args.output.format, Lead::Body)?,
            },
        })
    }

    fn to(&mut self, request: Message) -> Result<Message, Failure> {
        match self {
            Self::Echo => Ok(request),
            Self::Command(command) => run(command, request),
            Self::Lines { source, printer } => {
                printer.print(&request)?;
                printer.flush()?;
                source.next()?.ok_or(Failure::NoReplyLeft)
            }
        }
    }
}

/// Runs the command on a request; what it prints is the reply, however it
/// ends: the peer waits for one.
fn run(command: &str, request: Message) -> Result<Message, Failure> {
    let refused = |cause| Failure::Command {
        command: command.into(),
        cause,
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(refused)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    interrupt::command_started(child);
    // On a thread, for a command may print before it has read everything.
    let feed = move || {
        stdin.map_or(Ok(()), |mut stdin| {
            request
                .parts()
                .iter()
                .try_for_each(|frame| stdin.write_all(frame))
        })
    };
    let feeder = thread::Builder::new()
        .name("request".into())
        .spawn(feed)
        .map_err(refused)?;
    let mut reply = Vec::new();
    if let Some(mut stdout) = stdout {
        stdout.read_to_end(&mut reply).map_err(refused)?;
    }
    let status = interrupt::wait_command().map_err(refused)?;
    if let Some(signal) = interrupt::interrupted() {
        return Err(signal);
    }
    if !status.success() {
        trouble::say(format_args!("sh -c {command:?}: {status}"));
    }
    match feeder.join() {
        // A command need not read its request.
        Ok(Err(cause)) if cause.kind() != ErrorKind::BrokenPipe => Err(refused(cause)),
        _ => Ok(reply.into()),
    }
}

/// Whether only this machine reaches the endpoint.
fn is_local(endpoint: &str) -> bool {
    let Ok(endpoint) = endpoint.parse::<Endpoint>() else {
        return false;
    };
    match endpoint.address() {
        Address::Ipc(_) => true,
        Address::Other { scheme, .. } => scheme == "shm",
        Address::Tcp(tcp) => match &tcp.host {
            Host::V4(address) => address.is_loopback(),
            Host::V6 { address, .. } => address.is_loopback(),
            Host::Name(name) => name == "localhost",
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_ipc_are_local() {
        for local in ["127.0.0.1:1", "127.9.9.9:*", "[::1]:1", "localhost:1"] {
            assert!(is_local(&format!("tcp://{local}")), "{local}");
        }
        assert!(is_local("ipc://@a") && is_local("ipc:///tmp/a") && is_local("ipc://*"));
        for remote in [
            "*:1",
            "0.0.0.0:1",
            "192.0.2.1:1",
            "[::]:1",
            "eth0:1",
            "localhost.org:1",
        ] {
            assert!(!is_local(&format!("tcp://{remote}")), "{remote}");
        }
        assert!(!is_local("udp://127.0.0.1:1"));
    }

    #[test]
    fn a_command_answers_even_if_it_fails_or_reads_nothing() {
        let long = Message::from(vec![b'x'; 1 << 20]);
        assert_eq!(
            run("tr a-z A-Z", "abc".into()).unwrap(),
            Message::from("ABC")
        );
        assert_eq!(
            run("printf done; exit 3", long.clone()).unwrap(),
            Message::from("done")
        );
        assert_eq!(run("cat", long.clone()).unwrap(), long);
    }
}
