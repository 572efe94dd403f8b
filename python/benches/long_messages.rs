//! The long messages of compare.py without Python, to see what Python adds.
//!
//! `long_messages pull SIZE COUNT` binds, prints its endpoint, and prints the messages a
//! second that it got behind the first; `long_messages push ENDPOINT SIZE COUNT` sends
//! them, and one in front.

use std::env;
use std::error::Error;
use std::time::Instant;

use ferromq::{Context, Pull, Push};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["pull", size, count] => pull(size.parse()?, count.parse()?),
        ["push", endpoint, size, count] => push(endpoint, size.parse()?, count.parse()?),
        _ => Err("long_messages pull SIZE COUNT | push ENDPOINT SIZE COUNT".into()),
    }
}

fn pull(size: usize, count: u32) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let socket = context.socket::<Pull>()?;
    println!("{}", socket.bind("tcp://127.0.0.1:*")?);
    socket.recv()?;
    let started = Instant::now();
    for _ in 0..count {
        assert_eq!(socket.recv()?.body_len(), size);
    }
    println!("{}", f64::from(count) / started.elapsed().as_secs_f64());
    Ok(())
}

fn push(endpoint: &str, size: usize, count: u32) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let socket = context.socket::<Push>()?;
    socket.connect(endpoint)?;
    let body = vec![1; size];
    for _ in 0..=count {
        socket.send_bytes(&body)?;
    }
    Ok(())
}
