//! `ferromq proxy`: a broker, a forwarder or a streamer between two sides.

mod args;
mod part;

use std::io::Write;

use clap::CommandFactory;
use clap::error::ErrorKind;
use ferromq::{Context, Proxy, ProxyError, ProxyStatistics, SocketType, Traffic};

pub(crate) use self::args::ProxyArgs;
use self::part::Part;
use super::args::Cli;
use super::error::Failure;
use super::security::Security;
use super::{interrupt, trouble};

/// Passes messages on until a signal or the word TERMINATE, and says how many.
pub(crate) fn run(args: &ProxyArgs) -> Result<(), Failure> {
    let security = args.security.load()?;
    let context = args.path.context()?;
    if let Some(place) = &args.status {
        context.serve_status(place)?;
    }
    let mut parts = Parts::make(&context, args)?;
    let mut proxy = parts.proxy()?;
    let handle = proxy.handle();
    // Before there is an endpoint: it is taken away in order, then.
    interrupt::on_signal_within(args.linger, move || handle.stop())?;
    let ran = parts
        .open(args, &security)
        .and_then(|()| proxy.run().map_err(Failure::from));
    for (role, _) in proxy.take_held() {
        let line = "1 message was taken and found no room, and is lost: it was for the";
        trouble::say(format_args!("{line} {role}"));
    }
    let counted = proxy.statistics();
    drop(proxy);
    let finished = parts.finish();
    ferromq::status::withdraw();
    ran?;
    report(&counted, args.capture.is_wanted()).map_err(Failure::output)?;
    match interrupt::interrupted() {
        Some(signal) => {
            if let Err(failure) = finished {
                trouble::say(format_args!("{failure}"));
            }
            Err(signal)
        }
        None => finished,
    }
}

/// The sockets.
struct Parts {
    frontend: Part,
    backend: Part,
    capture: Option<Part>,
    control: Option<Part>,
}

impl Parts {
    fn make(context: &Context, args: &ProxyArgs) -> Result<Self, Failure> {
        let make = |name, socket_type| Part::make(context, name, socket_type, args);
        let (frontend, backend) = args.sides();
        let capture = args.capture.capture.socket_type();
        Ok(Self {
            frontend: make("frontend", frontend)?,
            backend: make("backend", backend)?,
            capture: match args.capture.is_wanted() {
                true => Some(make("capture", capture)?),
                false => None,
            },
            control: match args.control_bind.is_empty() {
                true => None,
                false => Some(make("control", SocketType::Rep)?),
            },
        })
    }

    /// Puts them together; ends the program when they do not fit.
    fn proxy(&self) -> Result<Proxy, Failure> {
        let socket = |part: &Part| part.socket.clone();
        let mut builder = Proxy::builder(socket(&self.frontend), socket(&self.backend));
        if let Some(capture) = &self.capture {
            builder = builder.capture(socket(capture));
        }
        if let Some(control) = &self.control {
            builder = builder.control(socket(control));
        }
        builder.build().map_err(|cause| match cause {
            ProxyError::NoWay { .. } => Cli::command()
                .error(ErrorKind::ArgumentConflict, cause)
                .exit(),
            cause => cause.into(),
        })
    }

    fn open(&mut self, args: &ProxyArgs, security: &Security) -> Result<(), Failure> {
        let (front, back, capture) = (&args.frontend, &args.backend, &args.capture);
        let manner = (security, args.verbose);
        // Who takes comes before who gives.
        if let Some(control) = &mut self.control {
            control.open(&args.control_bind, &[], manner)?;
        }
        if let Some(part) = &mut self.capture {
            part.open(&capture.capture_bind, &capture.capture_connect, manner)?;
        }
        self.backend
            .open(&back.backend_bind, &back.backend_connect, manner)?;
        self.frontend
            .open(&front.frontend_bind, &front.frontend_connect, manner)
    }

    /// Closes all, waits until they have lingered, and answers the first loss.
    fn finish(self) -> Result<(), Failure> {
        let parts = [
            Some(self.frontend),
            Some(self.backend),
            self.capture,
            self.control,
        ];
        parts.iter().flatten().for_each(Part::close);
        let finished: Vec<_> = parts.into_iter().flatten().map(Part::finish).collect();
        finished.into_iter().collect()
    }
}

/// Prints what has passed.
fn report(counted: &ProxyStatistics, captured: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut passed = |way, to: &Traffic| {
        let (messages, bytes) = (to.messages_sent, to.bytes_sent);
        writeln!(out, "{way}: {messages} messages, {bytes} bytes")
    };
    passed("frontend to backend", &counted.backend)?;
    passed("backend to frontend", &counted.frontend)?;
    if captured {
        let (copies, missed) = (counted.captured, counted.capture_missed);
        writeln!(out, "captured: {copies} messages, {missed} missed")?;
    }
    if counted.refused > 0 {
        writeln!(out, "refused: {} messages", counted.refused)?;
    }
    out.flush()
}
