//! Asynchronous libraries, which run in Tokio.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{Failure, Kind, Peer, check_size};
use crate::job::{Job, Via};

/// A socket whose calls are awaited.
pub(crate) trait AsyncSocket: Sized {
    /// What the sockets of a process share, besides the runtime.
    type Context: Clone + Send + Sync + 'static;

    fn context() -> Result<Self::Context, Failure>;
    async fn bind(
        context: &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure>;
    async fn connect(
        context: &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<Self, Failure>;
    async fn send(&mut self, body: &'static [u8]) -> Result<(), Failure>;
    async fn recv(&mut self) -> Result<usize, Failure>;
    async fn answer(&mut self) -> Result<usize, Failure>;
    async fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure>;
}

/// An asynchronous socket and the runtime that it lives in.
///
/// One thread, which is the fastest for one connection; two where the sockets of
/// two threads share the runtime.
pub(crate) struct OnTokio<S> {
    runtime: Arc<Runtime>,
    socket: S,
}

impl<S: AsyncSocket> Peer for OnTokio<S> {
    /// Tasks of a socket belong to the runtime that it was made in.
    type Context = (Option<Arc<Runtime>>, S::Context);

    fn context(job: &Job) -> Result<Self::Context, Failure> {
        let shared = job.cell.via == Via::Inproc;
        let shared = shared.then(|| {
            Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
        });
        Ok((shared.transpose()?.map(Arc::new), S::context()?))
    }

    fn bind(
        (shared, context): &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure> {
        let runtime = runtime(shared)?;
        let endpoint = endpoint.replace('*', "0");
        let (socket, endpoint) = runtime.block_on(S::bind(context, kind, &endpoint, job))?;
        Ok((Self { runtime, socket }, endpoint))
    }

    fn connect(
        (shared, context): &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<Self, Failure> {
        let runtime = runtime(shared)?;
        let socket = runtime.block_on(S::connect(context, kind, endpoint, job))?;
        Ok(Self { runtime, socket })
    }

    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        self.runtime.block_on(self.socket.send(body))
    }

    fn recv(&mut self) -> Result<usize, Failure> {
        self.runtime.block_on(self.socket.recv())
    }

    fn answer(&mut self) -> Result<usize, Failure> {
        self.runtime.block_on(self.socket.answer())
    }

    fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure> {
        self.runtime.block_on(self.socket.subscribe(prefix))
    }

    fn meanwhile<T: Send>(&mut self, wait: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let (done, waited) = oneshot::channel();
            let waiting = scope.spawn(move || {
                let waited = wait();
                // The other end is held until this is done.
                let _ = done.send(());
                waited
            });
            let _ = self.runtime.block_on(waited);
            match waiting.join() {
                Ok(waited) => waited,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn send_all(&mut self, bodies: impl Iterator<Item = &'static [u8]>) -> Result<(), Failure> {
        self.runtime.block_on(async {
            for body in bodies {
                self.socket.send(body).await?;
            }
            Ok(())
        })
    }

    fn recv_all(&mut self, count: u64, size: usize) -> Result<(), Failure> {
        self.runtime.block_on(async {
            for _ in 0..count {
                check_size(self.socket.recv().await?, size)?;
            }
            Ok(())
        })
    }

    fn ask_all(&mut self, body: &'static [u8], times: &mut Vec<Duration>) -> Result<(), Failure> {
        self.runtime.block_on(async {
            while times.len() < times.capacity() {
                let start = Instant::now();
                self.socket.send(body).await?;
                let len = self.socket.recv().await?;
                times.push(start.elapsed());
                check_size(len, body.len())?;
            }
            Ok(())
        })
    }

    fn answer_all(&mut self, count: u64, size: usize) -> Result<(), Failure> {
        self.runtime.block_on(async {
            for _ in 0..count {
                check_size(self.socket.answer().await?, size)?;
            }
            Ok(())
        })
    }

    fn pipeline(&mut self, body: &'static [u8], count: u64, window: usize) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let ahead = count.min(window as u64);
            for _ in 0..ahead {
                self.socket.send(body).await?;
            }
            for done in 0..count {
                check_size(self.socket.recv().await?, body.len())?;
                if done + ahead < count {
                    self.socket.send(body).await?;
                }
            }
            Ok(())
        })
    }
}

fn runtime(shared: &Option<Arc<Runtime>>) -> Result<Arc<Runtime>, Failure> {
    match shared {
        Some(shared) => Ok(shared.clone()),
        None => Ok(Arc::new(
            Builder::new_current_thread().enable_all().build()?,
        )),
    }
}
