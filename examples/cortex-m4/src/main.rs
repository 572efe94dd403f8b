//! REQ over a UART: the firmware of a Cortex-M4 that asks a ZeroMQ service.
//!
//! ```text
//!   ┌──────────────────────────┐  UART     ┌───────────┐  TCP
//!   │ example-requester        │ ── REQ ─▶ │ a bridge  │ ──▶ any ZeroMQ
//!   │ ferromq-wire, -patterns  │ ◀─ REP ── │ of bytes  │ ◀──
//!   └──────────────────────────┘           └───────────┘
//!     this firmware, under QEMU             QEMU; socat beside a real board
//! ```
//!
//! The protocol does not care what carries its bytes, so that a serial line and a
//! program that copies between it and TCP make a device a ZeroMQ peer. `check.py`
//! runs it in QEMU against pyzmq; docs/embedding.md says how to build it.
#![no_std]
#![no_main]

mod uart;

use core::fmt::{Arguments, Write};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hio::hstdout;
use embedded_io::ErrorKind;
use example_requester::{Error, Requester, Scratch};
use uart::Uart;

#[entry]
fn main() -> ! {
    match ask() {
        Ok(()) => exit(EXIT_SUCCESS),
        Err(error) => {
            print(format_args!("no answer: {error:?}\n"));
            exit(EXIT_FAILURE);
        }
    }
    loop {} // without a debugger nobody takes the exit
}

fn ask() -> Result<(), Error<ErrorKind>> {
    // 8 KiB of stack, free again once hands are shaken.
    let mut requester = Requester::new(Uart::new(), &mut Scratch::new(), 1)?;
    for question in ["temperature", "pressure", "humidity"] {
        let mut answer = [0; 128];
        let len = requester.ask(question.as_bytes(), &mut answer)?;
        print(format_args!("{}\n", answer[..len].escape_ascii()));
    }
    Ok(())
}

/// Semihosting: what QEMU, or a debugger, prints for the firmware.
fn print(text: Arguments<'_>) {
    if let Ok(mut host) = hstdout() {
        let _ = host.write_fmt(text); // nobody looks: go on
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    print(format_args!("{info}\n"));
    exit(EXIT_FAILURE);
    loop {}
}
