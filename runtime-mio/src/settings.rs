//! The options of a socket that exists: they may change.
//!
//! Two kinds. What a call or a queue asks for all the time is kept as numbers
//! that a change reaches at once; the rest is looked up when an endpoint is
//! bound or connected, which keeps what held then (as libzmq does).

use std::sync::Arc;
use std::time::Duration;

use crate::Options;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, lock_unpoisoned};

/// The current options of one socket.
pub(crate) struct Settings {
    current: Mutex<Arc<Options>>,
    send_messages: AtomicUsize,
    send_bytes: AtomicUsize,
    receive_messages: AtomicUsize,
    send_timeout: AtomicU64,
    receive_timeout: AtomicU64,
    linger: AtomicU64,
    immediate: AtomicBool,
    conflate: AtomicBool,
    pub_no_drop: AtomicBool,
}

impl Settings {
    pub(crate) fn new(options: Options) -> Self {
        let settings = Self {
            current: Mutex::default(),
            send_messages: AtomicUsize::new(0),
            send_bytes: AtomicUsize::new(0),
            receive_messages: AtomicUsize::new(0),
            send_timeout: AtomicU64::new(0),
            receive_timeout: AtomicU64::new(0),
            linger: AtomicU64::new(0),
            immediate: AtomicBool::new(false),
            conflate: AtomicBool::new(false),
            pub_no_drop: AtomicBool::new(false),
        };
        settings.replace(Arc::new(options));
        settings
    }

    /// All of them, as they are now.
    pub(crate) fn current(&self) -> Arc<Options> {
        lock_unpoisoned(&self.current).clone()
    }

    /// Relaxed, all: a number by itself. Who has to see a change at once (a
    /// sender that waits) is woken under the socket's lock.
    pub(crate) fn replace(&self, options: Arc<Options>) {
        let Options {
            send_high_water_mark,
            receive_high_water_mark,
            send_bytes_limit,
            send_timeout,
            receive_timeout,
            linger,
            immediate,
            conflate,
            pub_no_drop,
            ..
        } = *options;
        self.send_messages
            .store(send_high_water_mark, Ordering::Relaxed);
        self.send_bytes.store(send_bytes_limit, Ordering::Relaxed);
        self.receive_messages
            .store(receive_high_water_mark, Ordering::Relaxed);
        self.send_timeout
            .store(to_nanos(send_timeout), Ordering::Relaxed);
        self.receive_timeout
            .store(to_nanos(receive_timeout), Ordering::Relaxed);
        self.linger.store(to_nanos(linger), Ordering::Relaxed);
        self.immediate.store(immediate, Ordering::Relaxed);
        self.conflate.store(conflate, Ordering::Relaxed);
        self.pub_no_drop.store(pub_no_drop, Ordering::Relaxed);
        *lock_unpoisoned(&self.current) = options;
    }

    /// 0 is no limit.
    #[inline]
    pub(crate) fn send_high_water_mark(&self) -> usize {
        self.send_messages.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn send_bytes_limit(&self) -> usize {
        self.send_bytes.load(Ordering::Relaxed)
    }

    /// 0 is no limit.
    #[inline]
    pub(crate) fn receive_high_water_mark(&self) -> usize {
        self.receive_messages.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn send_timeout(&self) -> Option<Duration> {
        from_nanos(self.send_timeout.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn receive_timeout(&self) -> Option<Duration> {
        from_nanos(self.receive_timeout.load(Ordering::Relaxed))
    }

    pub(crate) fn linger(&self) -> Option<Duration> {
        from_nanos(self.linger.load(Ordering::Relaxed))
    }

    pub(crate) fn immediate(&self) -> bool {
        self.immediate.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn conflate(&self) -> bool {
        self.conflate.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn pub_no_drop(&self) -> bool {
        self.pub_no_drop.load(Ordering::Relaxed)
    }
}

/// `u64::MAX` is for ever, and so is what is longer: 584 years.
fn to_nanos(time: Option<Duration>) -> u64 {
    let nanos = time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    nanos.unwrap_or(u64::MAX)
}

#[inline]
fn from_nanos(nanos: u64) -> Option<Duration> {
    (nanos != u64::MAX).then_some(Duration::from_nanos(nanos))
}
