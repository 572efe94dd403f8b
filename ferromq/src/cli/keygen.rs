//! `ferromq keygen`: a pair of CURVE keys.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use ferromq::CurveKeys;

use super::error::Failure;

pub(crate) const HELP: &str = "\
Keys are 40 characters of Z85, as libzmq's tools write them. Others are given
the public one; who has the secret one is you. With --out the secret key goes
to a file of that name and the public one to NAME.pub, both for their owner
alone to read.

Examples:
  ferromq keygen
  ferromq keygen --out server
  ferromq keygen --out client
  cat client.pub >> clients
  ferromq pull --bind tcp://*:5555 --curve-secret-file server --curve-allow clients
  seq 3 | ferromq push --connect tcp://server:5555 --curve-server-key server.pub \\
      --curve-secret-file client";

/// Arguments of `ferromq keygen`.
#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// Write the secret key to this file, and the public one to NAME.pub
    #[arg(long, value_name = "NAME")]
    out: Option<PathBuf>,
    /// Replace such files
    #[arg(long, requires = "out")]
    force: bool,
}

/// Makes a pair, and prints it or writes it to its files.
pub(crate) fn run(args: &KeygenArgs) -> Result<(), Failure> {
    let keys = CurveKeys::generate();
    match &args.out {
        None => print(&keys).map_err(Failure::output),
        Some(name) => write(&keys, name, args.force),
    }
}

fn print(keys: &CurveKeys) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "public {}", keys.public)?;
    out.write_all(b"secret ")?;
    out.write_all(&keys.secret.expose_z85())?;
    out.write_all(b"\n")?;
    out.flush()
}

fn write(keys: &CurveKeys, name: &Path, force: bool) -> Result<(), Failure> {
    let mut public_name = name.as_os_str().to_owned();
    public_name.push(".pub");
    let public_name = PathBuf::from(public_name);
    if force {
        remove(name)?;
        remove(&public_name)?;
    }
    let mut secret = create(name)?;
    let public = create(&public_name).inspect_err(|_| {
        // Ours, and empty: what another one's public key goes with is not.
        let _ = std::fs::remove_file(name);
    });
    let mut public = public?;
    let failed = |file: &Path, cause| Failure::File {
        file: file.display().to_string(),
        cause,
    };
    secret
        .write_all(&keys.secret.expose_z85())
        .and_then(|()| secret.write_all(b"\n"))
        .and_then(|()| secret.sync_all())
        .map_err(|cause| failed(name, cause))?;
    writeln!(public, "{}", keys.public)
        .and_then(|()| public.sync_all())
        .map_err(|cause| failed(&public_name, cause))
}

/// A new file for its owner alone, in the place of none.
fn create(file: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(file).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => Failure::Security(format!(
            "{} is there already: --force replaces it",
            file.display()
        )),
        _ => Failure::File {
            file: file.display().to_string(),
            cause,
        },
    })
}

fn remove(file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Failure::File {
            file: file.display().to_string(),
            cause,
        }),
        _ => Ok(()),
    }
}
