//! `ferromq rdma`: the devices that `rdma://` could use, and what is in the way.

mod findings;
mod machine;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::error::Failure;
use machine::{Device, Machine, Port};

pub(crate) const HELP: &str = "\
A line for each device, port and address, with the endpoint that it serves, and
one for whatever is wrong, with what helps. Nothing is changed, and no rights
or libraries are needed to look. Exit code: 0 if at least one port can be used
by this user, else 1.

Examples:
  ferromq rdma
  ferromq rdma && ferromq pull --bind tcp://*:5555
  ferromq rdma | grep wrong:";

/// Arguments of `ferromq rdma`.
#[derive(Debug, Args)]
pub(crate) struct RdmaArgs {}

/// Prints what there is and what is wrong.
pub(crate) fn run(_: &RdmaArgs) -> Result<(), Failure> {
    let machine = Machine::look(Path::new("/"));
    print(&machine, &mut io::stdout().lock()).map_err(Failure::output)?;
    match findings::is_usable(&machine) {
        true => Ok(()),
        false => Err(Failure::Told),
    }
}

fn print(machine: &Machine, out: &mut impl Write) -> io::Result<()> {
    for device in &machine.devices {
        let Device { name, kind, .. } = device;
        let firmware = match device.firmware.as_str() {
            "" => String::new(),
            version => format!(", firmware {version}"),
        };
        writeln!(out, "device {name}: {kind}{firmware}")?;
        for port in &device.ports {
            print_port(name, port, out)?;
        }
    }
    for wrong in findings::wrong(machine) {
        writeln!(out, "wrong: {wrong}")?;
    }
    for note in findings::notes(machine) {
        writeln!(out, "note: {note}")?;
    }
    out.flush()
}

fn print_port(device: &str, port: &Port, out: &mut impl Write) -> io::Result<()> {
    let number = port.number;
    write!(
        out,
        "port {device}/{number}: {}, {}, {}",
        port.state, port.link_layer, port.rate
    )?;
    if let Some(interface) = &port.interface {
        write!(out, ", {}", interface.name)?;
        if let Some(mtu) = interface.mtu {
            write!(out, " with an MTU of {mtu} bytes")?;
        }
    }
    writeln!(out)?;
    for gid in &port.gids {
        write!(out, "gid {device}/{number}/{}: {}", gid.index, gid.address)?;
        if !gid.kind.is_empty() {
            write!(out, ", {}", gid.kind)?;
        }
        match gid.endpoint() {
            Some(endpoint) => writeln!(out, ", {endpoint}")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}
