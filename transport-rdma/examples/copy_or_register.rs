//! What it takes to register a payload of each length and to take it back, beside what
//! it takes to copy it: from which length on it pays to go by reference, on this card.
//!
//! ```sh
//! cargo run --release -p ferromq-transport-rdma --features verbs --example copy_or_register -- ADDRESS
//! ```
//!
//! ADDRESS is one of ours that a device serves; `ferromq rdma` lists them. The card must
//! reach itself by it, which InfiniBand and RoCE do. Without one it is the first of
//! `FERROMQ_RDMA_BED`, which the virtual machine of tests sets.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ferromq_transport::{Endpoint, Link, LinkOptions, Listener, Transport};
use ferromq_transport_rdma::Rdma;

const ROUNDS: u32 = 200;

type Pair = (Box<dyn Link>, Box<dyn Link>);

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let bed = || std::env::var("FERROMQ_RDMA_BED").ok();
    let address = address.or_else(|| Some(bed()?.split(' ').next()?.to_owned()));
    let address = address.ok_or("which address? `ferromq rdma` lists those of devices")?;
    let rdma = Rdma::new();
    let at: Endpoint = format!("rdma://{address}:*").parse()?;
    let mut listener = rdma.bind(&at, &LinkOptions::default())?;
    let (mut link, _peer) = connect(&rdma, &mut *listener)?;
    println!("medians of {ROUNDS}, on {address}:");
    for len in [4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20] {
        let [registered, copied] = measure(&rdma, &mut *link, len)?;
        println!(
            "{:>5} KiB: registered and taken back {registered:>9.1?}, copied {copied:>9.1?}",
            len >> 10
        );
    }
    Ok(())
}

/// A connection to ourselves.
fn connect(rdma: &Rdma, listener: &mut dyn Listener) -> Result<Pair, Box<dyn Error>> {
    let route = rdma.resolve(listener.local_endpoint())?;
    let mut connecting = rdma.connect(&route, &LinkOptions::default())?;
    let (mut connected, mut accepted) = (None, None);
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if connected.is_none() {
            connected = connecting.poll_connected()?;
        }
        accepted = accepted.or(listener.accept()?);
        match (connected, accepted) {
            (Some(connected), Some(accepted)) => return Ok((connected, accepted)),
            others => (connected, accepted) = others,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("the device does not reach itself".into())
}

/// Medians of both, for payloads of `len` bytes whose pages are there.
fn measure(rdma: &Rdma, link: &mut dyn Link, len: usize) -> Result<[Duration; 2], Box<dyn Error>> {
    let lender = rdma.lender().ok_or("no memory")?;
    let mut payload = lender.loan(len)?;
    payload.as_mut().fill(1);
    let mut target = vec![0; len];
    let memory = link.memory().ok_or("the link has ended")?;
    let (mut registered, mut copied) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        memory
            .export(payload.as_ref())
            .ok_or("it cannot be registered")?;
        memory.returned(payload.as_ref());
        registered.push(begun.elapsed());
        let begun = Instant::now();
        target.copy_from_slice(black_box(payload.as_ref()));
        black_box(&mut target);
        copied.push(begun.elapsed());
    }
    Ok([registered, copied].map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    }))
}
