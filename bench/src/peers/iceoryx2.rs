//! iceoryx2 0.10: samples in shared memory, which are read where they lie.
//!
//! It has no PUSH and PULL, so a rate is that of a publisher and a subscriber that
//! loses nothing: the subscriber's buffer does not overflow, and a publisher that
//! finds it full tries again. A round trip is two such services, one each way, as in
//! iceoryx2's own benchmark. Who receives looks again and again.
//!
//! A publisher drops what exceeds the buffer of a subscriber that has not found it yet,
//! whatever its strategy. So who sends first says hello, an empty sample, and waits until
//! it is answered.
//!
//! Bodies are copied into a loaned sample, as the others copy them. Who receives
//! copies nothing and only asks for the length; the others' receivers have a copy.

use std::hint::spin_loop;

use ::iceoryx2::port::publisher::Publisher;
use ::iceoryx2::port::subscriber::Subscriber;
use ::iceoryx2::prelude::{
    BackpressureStrategy, LogLevel, Node, NodeBuilder, SignalHandlingMode, ipc, set_log_level,
};
use ::iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use super::{Failure, Kind, Peer};
use crate::job::Job;

/// Bytes that may wait between the two, and how many samples that is at most and at
/// least: as many as there are messages in the others' queues.
const WAITING: usize = 64 << 20;
const SAMPLES: (usize, usize) = (4, 1000);

/// A sample of no job's length.
const HELLO: &[u8] = b"";

/// One end of two services, one each way.
pub(crate) struct Iceoryx2 {
    publisher: Publisher<ipc::Service, [u8], ()>,
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    /// Its services end with it.
    _node: Node<ipc::Service>,
}

impl Peer for Iceoryx2 {
    /// Each socket has a node of its own.
    type Context = ();

    fn context(_: &Job) -> Result<(), Failure> {
        set_log_level(LogLevel::Fatal);
        Ok(())
    }

    fn bind((): &(), kind: Kind, endpoint: &str, job: &Job) -> Result<(Self, String), Failure> {
        Ok((Self::new(kind, endpoint, job)?, endpoint.to_owned()))
    }

    fn connect((): &(), kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let mut socket = Self::new(kind, endpoint, job)?;
        if kind == Kind::Push {
            socket.send(HELLO)?;
            while socket.subscriber.receive()?.is_none() {
                spin_loop();
            }
        }
        Ok(socket)
    }

    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        let sample = self.publisher.loan_slice_uninit(body.len())?;
        sample.write_from_slice(body).send()?;
        Ok(())
    }

    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        loop {
            match self.subscriber.receive()? {
                Some(sample) if sample.payload() == HELLO => self.send(HELLO)?,
                Some(sample) => return Ok(sample.payload().len()),
                None => spin_loop(),
            }
        }
    }

    #[inline]
    fn answer(&mut self) -> Result<usize, Failure> {
        loop {
            let Some(request) = self.subscriber.receive()? else {
                spin_loop();
                continue;
            };
            let body = request.payload();
            let reply = self.publisher.loan_slice_uninit(body.len())?;
            reply.write_from_slice(body).send()?;
            return Ok(body.len());
        }
    }

    fn subscribe(&mut self, _prefix: &'static [u8]) -> Result<(), Failure> {
        Err("its subscribers receive all".into())
    }
}

impl Iceoryx2 {
    fn new(kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()?;
        let forth = service(&node, &format!("{endpoint}/forth"), job)?;
        let back = service(&node, &format!("{endpoint}/back"), job)?;
        let (out, into) = match kind {
            Kind::Push | Kind::Req => (forth, back),
            Kind::Pull | Kind::Rep => (back, forth),
            _ => return Err(format!("it is not measured as a {kind:?}").into()),
        };
        let publisher = out
            .publisher_builder()
            .initial_max_slice_len(job.cell.shape.size.max(1))
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        Ok(Self {
            publisher,
            subscriber: into.subscriber_builder().create()?,
            _node: node,
        })
    }
}

/// A service from which nothing is lost.
fn service(
    node: &Node<ipc::Service>,
    name: &str,
    job: &Job,
) -> Result<PortFactory<ipc::Service, [u8], ()>, Failure> {
    let (least, most) = SAMPLES;
    let service = node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .history_size(0)
        .subscriber_max_buffer_size((WAITING / job.cell.shape.size.max(1)).clamp(least, most))
        .subscriber_max_borrowed_samples(2)
        .max_publishers(1)
        .max_subscribers(1)
        .open_or_create()?;
    Ok(service)
}
