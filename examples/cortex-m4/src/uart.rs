//! The board's first UART, a CMSDK one, without interrupts: it waits by looking.

use embedded_io::{ErrorKind, ErrorType, Read, Write};

/// Its registers, 4 bytes each (Arm DDI 0479, APB UART).
const DATA: *mut u32 = 0x4000_4000 as *mut u32;
const STATE: *mut u32 = 0x4000_4004 as *mut u32;
const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
const DIVISOR: *mut u32 = 0x4000_4010 as *mut u32;

const SEND_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 2;
const SEND_AND_RECEIVE: u32 = 3;

pub(crate) struct Uart {
    _only_here: (),
}

impl Uart {
    pub(crate) fn new() -> Self {
        write(DIVISOR, 217); // 25 MHz / 217: 115,200 baud
        write(CONTROL, SEND_AND_RECEIVE);
        Self { _only_here: () }
    }
}

impl Read for Uart {
    /// Waits for one byte, and takes what else has come.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut len = 0;
        for place in into {
            while read(STATE) & RECEIVE_FULL == 0 {
                if len > 0 {
                    return Ok(len);
                }
            }
            *place = read(DATA) as u8; // the register has 8 bits of data
            len += 1;
        }
        Ok(len)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        for byte in bytes {
            while read(STATE) & SEND_FULL != 0 {}
            write(DATA, u32::from(*byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        while read(STATE) & SEND_FULL != 0 {}
        Ok(())
    }
}

impl ErrorType for Uart {
    type Error = ErrorKind; // a UART cannot tell that its other end is gone
}

fn read(register: *mut u32) -> u32 {
    // SAFETY: the constants above are addresses of registers of the board, which
    // are there as long as it runs, and reading them is what they are for.
    unsafe { register.read_volatile() }
}

fn write(register: *mut u32, value: u32) {
    // SAFETY: as for `read`; no register makes the UART write to memory.
    unsafe { register.write_volatile(value) }
}
