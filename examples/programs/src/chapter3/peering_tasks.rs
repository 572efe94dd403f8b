//! Brokers that help each other out: a request goes to a worker of the broker's
//! own, if one is free, else to another broker, whose workers do it.
//!
//! ```text
//!   clients ──▶ front ┐ broker ┌ cloud ◀── links of other brokers
//!   workers ──▶ back  ┘        └ links ──▶ cloud of other brokers
//! ```
//! All four are ROUTERs: a request collects an identity at each, and its reply loses
//! them on the way back. Clients and workers are those of `load_balancer`.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use example_programs::{Outcome, ended};
use ferromq::{Context, Frame, Interest, Message, Options, Poller, Router, Socket};

/// Be one of several brokers that share their workers.
#[derive(Parser)]
#[command(after_help = "\
Examples: broker a has no workers
  peering_tasks b --cloud tcp://127.0.0.1:5692
  peering_tasks a --cloud tcp://127.0.0.1:5691 --front tcp://127.0.0.1:5693 \\
      --back tcp://127.0.0.1:5694 --peer b tcp://127.0.0.1:5692
  load_balancer worker anna          at b, which is at the usual endpoints
  load_balancer client --front tcp://127.0.0.1:5693")]
struct Arguments {
    /// The broker's name, by which others send to it.
    name: String,
    /// Where it listens for clients.
    #[arg(long, default_value = "tcp://127.0.0.1:5672")]
    front: String,
    /// Where it listens for workers.
    #[arg(long, default_value = "tcp://127.0.0.1:5673")]
    back: String,
    /// Where it listens for other brokers.
    #[arg(long)]
    cloud: String,
    /// Another broker's name and cloud endpoint; as often as there are others.
    #[arg(long, num_args = 2, value_names = ["NAME", "ENDPOINT"])]
    peer: Vec<String>,
}

fn main() -> ExitCode {
    ended(Broker::start(&Arguments::parse()).and_then(|broker| broker.run()))
}

struct Broker {
    front: Socket<Router>,
    back: Socket<Router>,
    cloud: Socket<Router>,
    links: Socket<Router>,
    /// Workers that are free, the first one for longest.
    free: VecDeque<Frame>,
    /// Brokers that may be asked, the next one first.
    peers: VecDeque<String>,
}

const FRONT: usize = 0;
const BACK: usize = 1;
const CLOUD: usize = 2;
const LINKS: usize = 3;

impl Broker {
    fn start(arguments: &Arguments) -> Outcome<Self> {
        let context = Context::new()?;
        let named = || Options::new().identity(arguments.name.as_str());
        let (front, back) = (context.socket::<Router>()?, context.socket::<Router>()?);
        let cloud = context.socket_with::<Router>(named())?;
        let links = context.socket_with::<Router>(named())?;
        println!("brokers at {}", cloud.bind(&arguments.cloud)?);
        let mut peers = VecDeque::new();
        for peer in arguments.peer.chunks_exact(2) {
            links.connect(&peer[1])?;
            peers.push_back(peer[0].clone());
        }
        // A ROUTER sends to whom it knows, and it does after the handshake.
        links.wait_for_peers(peers.len(), Duration::MAX)?;
        println!("workers at {}", back.bind(&arguments.back)?);
        println!("clients at {}", front.bind(&arguments.front)?);
        Ok(Self {
            front,
            back,
            cloud,
            links,
            free: VecDeque::new(),
            peers,
        })
    }

    fn run(mut self) -> Outcome {
        let mut events = Vec::new();
        loop {
            // Requests are taken when there is somebody to do them; those of
            // other brokers only when that is one of our own workers.
            let mut poller = Poller::new();
            poller.add(&self.back, BACK, Interest::Readable);
            poller.add(&self.links, LINKS, Interest::Readable);
            if !self.free.is_empty() {
                poller.add(&self.cloud, CLOUD, Interest::Readable);
            }
            if !self.free.is_empty() || !self.peers.is_empty() {
                poller.add(&self.front, FRONT, Interest::Readable);
            }
            poller.wait(&mut events, None)?;
            // One at a time: it may have been the last free worker's.
            match events.first().map(|event| event.key) {
                Some(BACK) => self.take_from_worker()?,
                Some(LINKS) => {
                    let mut reply = self.links.recv()?;
                    reply.pop_front(); // the broker that it comes from
                    let _ = self.front.send(reply); // too short: that broker's fault
                }
                Some(CLOUD) => self.give("cloud", self.cloud.recv()?)?,
                Some(FRONT) => self.give("front", self.front.recv()?)?,
                _ => {}
            }
        }
    }

    /// `[worker, "", "READY"]`, or `[worker, "", side, envelope…, reply]`.
    fn take_from_worker(&mut self) -> Outcome {
        let mut message = self.back.recv()?;
        self.free.extend(message.pop_front());
        message.pop_front();
        if message.len() > 1 {
            let to_cloud = message.pop_front().is_some_and(|side| side == "cloud");
            let side = if to_cloud { &self.cloud } else { &self.front };
            let _ = side.send(message); // too short: a worker's fault
        }
        Ok(())
    }

    /// Gives a request to the worker that has been free for longest, with the
    /// side that its reply goes to; or to the next broker, if nobody is free.
    fn give(&mut self, side: &str, mut request: Message) -> Outcome {
        if let Some(worker) = self.free.pop_front() {
            let mut message = Message::from([worker, Frame::default(), side.into()]);
            message.extend(request.into_frames());
            self.back.send(message)?;
        } else if let Some(peer) = self.peers.front() {
            request.push_front(peer);
            self.links.send(request)?;
            self.peers.rotate_left(1);
        }
        Ok(())
    }
}
