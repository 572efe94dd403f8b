//! `ferromq send`: one file after the other.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ferromq::files::{FileError, Sender, SenderOptions};

use super::progress::{Bars, Whole};
use super::{SendFilesArgs, close_on_signal, printable};
use crate::cli::error::Failure;
use crate::cli::trouble::Told;
use crate::cli::{interrupt, trouble};

/// Sends all files that can be sent; what fails is told, a line each.
pub(crate) fn send(args: &SendFilesArgs) -> Result<(), Failure> {
    let security = args.security.load()?;
    let context = args.path.context()?;
    let mut sender = Sender::new(&context, SenderOptions::new().timeout(args.timeout))?;
    let socket = sender.socket().clone();
    let observer = trouble::observe(socket.monitor(), Told::Paths.or_this(args.verbose))?;
    close_on_signal(socket.as_ref(), &[])?;
    security.before_connect(socket.as_ref(), std::slice::from_ref(&args.to))?;
    socket.connect(&args.to)?;
    let done = send_all(&mut sender, args);
    socket.close();
    // Until the socket has lingered.
    let _ = observer.join();
    interrupt::interrupted().map_or(done, Err)
}

fn send_all(sender: &mut Sender, args: &SendFilesArgs) -> Result<(), Failure> {
    let bars = Bars::new();
    let mut done = Ok(());
    for path in &args.files {
        match send_one(sender, path, &bars)? {
            Ok(()) => {}
            Err(_) if interrupt::interrupted().is_some() => break,
            Err(error) => {
                let path = printable(path.as_os_str().as_bytes());
                let at = match error {
                    FileError::TimedOut { .. } => format!(" at {}", args.to),
                    _ => String::new(),
                };
                // A peer's explanation is among it.
                let error_text = printable(error.to_string().as_bytes());
                bars.say(&format!("{path}: {error_text}{at}"));
                done = Err(Failure::Told);
                if error.ends_all() {
                    break;
                }
            }
        }
    }
    done
}

/// The outer error ends the command: nobody reads what it prints.
fn send_one(
    sender: &mut Sender,
    path: &Path,
    bars: &Bars,
) -> Result<Result<(), FileError>, Failure> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = printable(name.as_bytes());
    let bar = bars.add(&name, 0);
    let sent = sender.send(path, |progress| bar.set(progress.written, progress.size));
    let elapsed = bar.elapsed();
    drop(bar);
    match sent {
        Ok(sent) => {
            let whole = Whole {
                name: &name,
                size: sent.size,
                from: sent.from,
                sha256: &sent.sha256,
            };
            bars.print(&whole.line(elapsed)).map(Ok)
        }
        Err(error) => Ok(Err(error)),
    }
}
